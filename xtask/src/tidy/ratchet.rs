//! Three measures with exceptions that may only shrink: lines of a file, lines of a function, and
//! calls that can panic in a crate's own code.
//!
//! `xtask/ratchet/NAME.txt` lists the exceptions, one `KEY NUMBER` a line. A measure above its number
//! is a finding. One that has shrunk is told, and `cargo xtask tidy --shrink` lowers the number.

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

/// Calls that end the program; the text of an `expect` is blanked, a method of ours takes something else.
/// `debug_assert` stays: it is not in what people run.
const PANICS: &[&str] = &[".unwrap()", ".expect( ", "panic!(", "unreachable!("];

pub(super) fn check(sources: &[Source], shrink: bool, findings: &mut Vec<Finding>) -> Result<(), String> {
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
        if source.is_product() {
            panics.insert(source.path.clone(), PANICS.iter().map(|piece| code.count(piece)).sum());
        }
    }
    let measures = [
        ("files", FILE_LINES_MAX, "lines in a file", files),
        ("functions", FUNCTION_LINES_MAX, "lines in a function", functions),
        ("panics", 0, "calls that can panic", panics),
    ];
    for (name, maximum, what, measured) in measures {
        let ratchet = Ratchet::read(name, maximum, what)?;
        ratchet.compare(&measured, findings);
        let lowered = ratchet.lowered(&measured);
        if shrink {
            fs::write(place::root().join(&ratchet.path), lowered).map_err(|error| error.to_string())?;
        } else if lowered != ratchet.text {
            println!(
                "{}: something has shrunk; `cargo xtask tidy --shrink` lowers the numbers",
                ratchet.path
            );
        }
    }
    Ok(())
}

struct Ratchet {
    path: String,
    text: String,
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
        Ok(Ratchet { path, text: text.to_owned(), what, maximum, exceptions })
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
            if number > allowed {
                let message = format!("{key} has grown to {number} {} from {allowed}", self.what);
                findings.push(Finding::new(&self.path, line, message));
            }
        }
    }

    /// The list with today's numbers where they are lower, and without what needs no exception.
    fn lowered(&self, measured: &BTreeMap<String, usize>) -> String {
        let mut text = String::new();
        for line in self.text.lines() {
            let exception =
                line.rsplit_once(' ').and_then(|(key, _)| Some((key, self.exceptions.get(key)?.0)));
            let line = match exception {
                None => line.to_owned(),
                Some((key, allowed)) => match measured.get(key).copied().unwrap_or(0) {
                    number if number <= self.maximum => continue,
                    number => format!("{key} {}", number.min(allowed)),
                },
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratchet(list: &str) -> Ratchet {
        Ratchet::parse("r.txt".to_owned(), list, 500, "lines").unwrap()
    }

    fn of(measured: &[(&str, usize)]) -> BTreeMap<String, usize> {
        measured.iter().map(|&(key, number)| (key.to_owned(), number)).collect()
    }

    fn compared(list: &str, measured: &[(&str, usize)]) -> Vec<String> {
        let mut findings = Vec::new();
        ratchet(list).compare(&of(measured), &mut findings);
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn exceptions_may_not_grow() {
        assert_eq!(compared("", &[("a.rs", 500)]), [""; 0]);
        assert_eq!(compared("", &[("a.rs", 501)]), ["a.rs: 501 lines; 500 at most"]);
        assert_eq!(compared("a.rs 700\n", &[("a.rs", 700)]), [""; 0]);
        assert_eq!(
            compared("a.rs 700\n", &[("a.rs", 701)]),
            ["r.txt:1: a.rs has grown to 701 lines from 700"]
        );
    }

    #[test]
    fn numbers_are_lowered_and_entries_leave() {
        let list = "# why\na.rs 700\nb.rs 600\nc.rs 900\n";
        let measured = of(&[("a.rs", 699), ("b.rs", 500), ("c.rs", 950)]);
        assert_eq!(ratchet(list).lowered(&measured), "# why\na.rs 699\nc.rs 900\n");
    }
}
