//! Four measures with exceptions that may only shrink: lines of a file, lines of a function, wide
//! lines, and calls that can panic in a crate's own code.
//!
//! `xtask/ratchet/NAME.txt` lists the exceptions, one `KEY NUMBER` a line. A measure above its number
//! is a finding, and so is one below it: the number in the list must then be lowered.

use std::collections::BTreeMap;
use std::fs;

use super::Finding;
use super::code::Code;
use super::sources::Source;
use crate::place;

/// Lines of a Rust file.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Widest line of code, as in `rustfmt.toml`; rustfmt leaves long strings and tables in macros alone.
const WIDTH_MAX: usize = 110;
/// Code whose width is measured.
const WIDTH_MEASURED: &[&str] = &["rs", "sh"];

/// Calls that end the program. `debug_assert` stays: it is not in what people run.
const PANICS: &[&str] = &[".unwrap()", ".expect(", "panic!(", "unreachable!("];

pub(super) fn check(sources: &[Source], findings: &mut Vec<Finding>) -> Result<(), String> {
    let measured =
        sources.iter().filter(|source| WIDTH_MEASURED.iter().any(|extension| source.is(extension)));
    let wide = |text: &str| text.lines().filter(|line| line.chars().count() > WIDTH_MAX).count();
    let widths = measured.map(|source| (source.path.clone(), wide(&source.text))).collect();
    let mut files = BTreeMap::new();
    let mut functions = BTreeMap::new();
    let mut panics = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is("rs")) {
        files.insert(source.path.clone(), source.text.lines().count());
        let code = Code::new(&source.text);
        for function in code.functions() {
            let measured = functions.entry(format!("{}::{}", source.path, function.name)).or_default();
            *measured = function.lines.max(*measured);
        }
        if source.is_crate_source() {
            panics.insert(source.path.clone(), PANICS.iter().map(|piece| code.count(piece)).sum());
        }
    }
    Ratchet::read("files", FILE_LINES_MAX, "lines in a file")?.compare(&files, findings);
    Ratchet::read("functions", FUNCTION_LINES_MAX, "lines in a function")?.compare(&functions, findings);
    Ratchet::read("widths", 0, "lines of more than 110 columns")?.compare(&widths, findings);
    Ratchet::read("panics", 0, "calls that can panic")?.compare(&panics, findings);
    Ok(())
}

struct Ratchet {
    path: String,
    what: &'static str,
    maximum: usize,
    exceptions: BTreeMap<String, (usize, usize)>,
}

impl Ratchet {
    fn read(name: &str, maximum: usize, what: &'static str) -> Result<Ratchet, String> {
        let path = format!("xtask/ratchet/{name}.txt");
        let text =
            fs::read_to_string(place::root().join(&path)).map_err(|error| format!("{path}: {error}"))?;
        Ratchet::parse(path, &text, maximum, what)
    }

    fn parse(path: String, text: &str, maximum: usize, what: &'static str) -> Result<Ratchet, String> {
        let mut exceptions = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line.rsplit_once(' ').and_then(|(key, number)| Some((key, number.parse().ok()?)));
            let Some((key, number)) = entry else {
                return Err(format!("{path}:{}: not `KEY NUMBER`", index + 1));
            };
            exceptions.insert(key.to_owned(), (number, index + 1));
        }
        Ok(Ratchet { path, what, maximum, exceptions })
    }

    fn compare(&self, measured: &BTreeMap<String, usize>, findings: &mut Vec<Finding>) {
        for (key, &number) in measured {
            if number > self.maximum && !self.exceptions.contains_key(key) {
                findings.push(Finding::new(
                    key,
                    0,
                    format!("{number} {}; {} at most", self.what, self.maximum),
                ));
            }
        }
        for (key, &(allowed, line)) in &self.exceptions {
            let number = measured.get(key).copied().unwrap_or(0);
            let message = if number <= self.maximum {
                format!("{key} needs no exception any more: take it out")
            } else if number > allowed {
                format!("{key} has grown to {number} {} from {allowed}", self.what)
            } else if number < allowed {
                format!("{key} has shrunk to {number}: lower its number")
            } else {
                continue;
            };
            findings.push(Finding::new(&self.path, line, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(list: &str, measured: &[(&str, usize)]) -> Vec<String> {
        let ratchet = Ratchet::parse("r.txt".to_owned(), list, 500, "lines").unwrap();
        let measured = measured.iter().map(|&(key, number)| (key.to_owned(), number)).collect();
        let mut findings = Vec::new();
        ratchet.compare(&measured, &mut findings);
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn exceptions_may_only_shrink() {
        assert_eq!(compared("", &[("a.rs", 500)]), [""; 0]);
        assert_eq!(compared("", &[("a.rs", 501)]), ["a.rs: 501 lines; 500 at most"]);
        assert_eq!(compared("a.rs 700\n", &[("a.rs", 700)]), [""; 0]);
        assert_eq!(
            compared("a.rs 700\n", &[("a.rs", 701)]),
            ["r.txt:1: a.rs has grown to 701 lines from 700"]
        );
        assert_eq!(
            compared("# x\na.rs 700\n", &[("a.rs", 699)]),
            ["r.txt:2: a.rs has shrunk to 699: lower its number"]
        );
        assert_eq!(compared("a.rs 700\n", &[]), ["r.txt:1: a.rs needs no exception any more: take it out"]);
    }
}
