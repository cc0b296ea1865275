//! Finds the citations in the tree and says where each stands: file and function for Rust, file
//! and case for transcripts.
//!
//! Rust is not parsed: the tree is formatted by rustfmt, so the item a line belongs to is the
//! nearest header above it with a smaller indentation, or the one a comment stands directly over.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One id, named in one place.
pub(super) struct Citation {
    /// 4 or 5.
    pub(super) version: u8,
    /// `MQTT-3.1.0-2` or `U-3.13-1`.
    pub(super) id: String,
    /// For the report: file, and function or case.
    pub(super) place: String,
    /// Covers the statement rather than obeys it.
    pub(super) is_test: bool,
    /// For complaints: file and line.
    pub(super) at: String,
}

/// What was found.
pub(super) struct Scan {
    pub(super) citations: Vec<Citation>,
    /// Citations that cannot be read.
    pub(super) errors: Vec<String>,
}

/// Folders that hold sources: the workshop itself is left out.
const FOLDERS: [&str; 3] = ["crates", "fuzz", "tests"];

/// Reads every Rust file and transcript of the tree.
pub(super) fn scan(root: &Path) -> Result<Scan, String> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        list(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut sources = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        sources.push((name, text));
    }
    let test_modules = test_modules(&sources);
    let mut found = Scan { citations: Vec::new(), errors: Vec::new() };
    for (name, text) in &sources {
        let whole_file = is_test_path(name) || test_modules.contains(name.as_str());
        scan_file(name, text, whole_file, &mut found);
    }
    Ok(found)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.') || n == "target");
        if hidden {
            continue;
        }
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs" || e == "mqtt") {
            files.push(path);
        }
    }
    Ok(())
}

/// Simulation, fuzz targets and everything in a `tests` or `benches` folder look at the product
/// from outside.
fn is_test_path(name: &str) -> bool {
    name.starts_with("tests/")
        || name.starts_with("fuzz/")
        || name.starts_with("crates/sim/")
        || name.split('/').any(|part| part == "tests" || part == "benches")
        || name.ends_with("/tests.rs")
}

/// Files that are modules declared under `#[cfg(test)]`.
fn test_modules(sources: &[(String, String)]) -> HashSet<String> {
    let mut modules = HashSet::new();
    for (name, text) in sources {
        let mut under_test = false;
        for line in text.lines() {
            let line = line.trim();
            let module = line.strip_prefix("mod ").and_then(|l| l.strip_suffix(';'));
            if let Some(module) = module.filter(|_| under_test) {
                let base = match name.strip_suffix("/mod.rs").or(name.strip_suffix("/lib.rs")) {
                    Some(folder) => folder.to_owned(),
                    None => name.trim_end_matches(".rs").to_owned(),
                };
                modules.insert(format!("{base}/{module}.rs"));
                modules.insert(format!("{base}/{module}/mod.rs"));
            }
            under_test = line.starts_with("#[cfg(test)]") || (under_test && line.starts_with("#["));
        }
    }
    modules
}

fn scan_file(name: &str, text: &str, whole_file_is_test: bool, found: &mut Scan) {
    let lines: Vec<&str> = text.lines().collect();
    let is_transcript = name.ends_with(".mqtt");
    for (index, line) in lines.iter().enumerate() {
        let at = format!("{name}:{}", index + 1);
        for group in groups(line, lines.get(index + 1..).unwrap_or_default()) {
            for item in group.split(',') {
                let Some((version, id)) = parse(item) else {
                    found.errors.push(format!(
                        "{at}: [{group}] is not of the form [V4 MQTT-3.1.0-1, V5 MQTT-3.1.0-1]"
                    ));
                    continue;
                };
                let (place, in_test) = if is_transcript {
                    (case_of(name, &lines, index), true)
                } else {
                    item_of(name, &lines, index)
                };
                let is_test = whole_file_is_test || in_test;
                found.citations.push(Citation { version, id: id.to_owned(), place, is_test, at: at.clone() });
            }
        }
    }
}

/// The insides of the brackets that begin like a citation; a comment may break one over lines.
fn groups(line: &str, below: &[&str]) -> Vec<String> {
    let mut groups = Vec::new();
    for (start, _) in line.match_indices("[V") {
        let inside = line.get(start + 1..).unwrap_or_default();
        if !inside.starts_with("V4 ") && !inside.starts_with("V5 ") {
            continue;
        }
        let mut text = inside.to_owned();
        for line in below {
            if text.contains(']') {
                break;
            }
            text.push(' ');
            text.push_str(line.trim_start_matches([' ', '/', '!', '#']));
        }
        groups.push(text.split(']').next().unwrap_or_default().to_owned());
    }
    groups
}

fn parse(item: &str) -> Option<(u8, &str)> {
    let (version, id) = item.trim().split_once(' ')?;
    let version = match version {
        "V4" => 4,
        "V5" => 5,
        _ => return None,
    };
    let ok = (id.starts_with("MQTT-") || id.starts_with("U-")) && !id.contains(' ');
    ok.then_some((version, id))
}

fn case_of(name: &str, lines: &[&str], index: usize) -> String {
    let file = name.strip_prefix("tests/transcripts/").unwrap_or(name);
    let case = lines
        .get(..=index)
        .unwrap_or_default()
        .iter()
        .rev()
        .find_map(|l| l.strip_prefix("===").map(str::trim));
    match case {
        Some(case) => format!("`{file}` {case}"),
        None => format!("`{file}`"),
    }
}

/// The place of a line in a Rust file, and whether a test module encloses it.
fn item_of(name: &str, lines: &[&str], index: usize) -> (String, bool) {
    let mut names = Vec::new();
    let mut in_test = false;
    let mut indent = indent_of(lines.get(index).copied().unwrap_or_default());
    let mut from = index;
    if let Some((below, item)) = item_below(lines, index) {
        if indent_of(lines.get(below).copied().unwrap_or_default()) == indent {
            in_test |= has_test_attribute(lines, below);
            names.push(item);
            from = below;
        }
    } else if let Some(item) = lines.get(index).and_then(|l| header(l)) {
        names.push(item);
    }
    for above in (0..from).rev() {
        let line = lines.get(above).copied().unwrap_or_default();
        if indent == 0 {
            break;
        }
        if line.trim().is_empty() || indent_of(line) >= indent {
            continue;
        }
        if let Some(item) = header(line) {
            in_test |= has_test_attribute(lines, above);
            names.push(item);
            indent = indent_of(line);
        } else if !line.trim_start().starts_with("//") && !line.trim_start().starts_with(['}', ')', '#']) {
            indent = indent_of(line).max(1);
        }
    }
    names.reverse();
    let place =
        if names.is_empty() { format!("`{name}`") } else { format!("`{name}` `{}`", names.join("::")) };
    (place, in_test)
}

/// The item that a comment at `index` stands over, past further comments and attributes.
fn item_below(lines: &[&str], index: usize) -> Option<(usize, String)> {
    if !lines.get(index)?.trim_start().starts_with("//") {
        return None;
    }
    for (below, line) in lines.iter().enumerate().skip(index + 1) {
        let line = line.trim_start();
        if line.starts_with("//") || line.starts_with("#[") {
            continue;
        }
        return header(line).map(|item| (below, item));
    }
    None
}

fn has_test_attribute(lines: &[&str], header: usize) -> bool {
    lines
        .get(..header)
        .unwrap_or_default()
        .iter()
        .rev()
        .map(|l| l.trim())
        .take_while(|l| l.starts_with("#[") || l.starts_with("//"))
        .any(|l| l.starts_with("#[cfg(test)]") || l.starts_with("#[test]") || l.starts_with("#[cfg(all(test"))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name of the item a line begins, if it begins one.
fn header(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    loop {
        let before = rest;
        for word in ["pub(crate) ", "pub(super) ", "pub ", "const fn ", "async ", "unsafe ", "macro_rules! "]
        {
            if word == "const fn " {
                rest = rest.strip_prefix("const ").filter(|r| r.starts_with("fn ")).unwrap_or(rest);
            } else if word == "macro_rules! " && rest.starts_with(word) {
                return rest.strip_prefix(word).map(name_at_start);
            } else {
                rest = rest.strip_prefix(word).unwrap_or(rest);
            }
        }
        if rest == before {
            break;
        }
    }
    for word in ["fn ", "struct ", "enum ", "trait ", "mod ", "const ", "static ", "type "] {
        if let Some(name) = rest.strip_prefix(word) {
            return Some(name_at_start(name));
        }
    }
    let implementation = rest.strip_prefix("impl").filter(|r| r.starts_with([' ', '<']))?;
    let implementation = skip_generics(implementation).trim_start();
    let of = implementation.split(" for ").last().unwrap_or(implementation);
    Some(name_at_start(of.trim_start().trim_start_matches('&')))
}

fn skip_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if depth == 1 => return text.get(at + 1..).unwrap_or_default(),
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text
}

fn name_at_start(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(name: &str, text: &str) -> Vec<(u8, String, String, bool)> {
        let mut found = Scan { citations: Vec::new(), errors: Vec::new() };
        scan_file(name, text, is_test_path(name), &mut found);
        assert_eq!(found.errors, Vec::<String>::new());
        found.citations.into_iter().map(|c| (c.version, c.id, c.place, c.is_test)).collect()
    }

    #[test]
    fn a_line_belongs_to_its_function_and_a_comment_to_what_it_stands_over() {
        let text = "\
impl<'a, T: Trace> Reader<'a, T> {
    /// Reads. [V4 MQTT-1.5.3-1]
    #[inline]
    pub(crate) const fn text(&self) -> u8 {
        if self.more {
            // [V5 MQTT-1.5.4-1, V5 U-1.5.4-2]
            self.fault()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn refuses() {
        check(); // [V5 MQTT-1.5.4-1]
    }
}
";
        let place = "`crates/wire/src/read.rs` `Reader::text`".to_owned();
        assert_eq!(
            cited("crates/wire/src/read.rs", text),
            vec![
                (4, "MQTT-1.5.3-1".to_owned(), place.clone(), false),
                (5, "MQTT-1.5.4-1".to_owned(), place.clone(), false),
                (5, "U-1.5.4-2".to_owned(), place, false),
                (5, "MQTT-1.5.4-1".to_owned(), "`crates/wire/src/read.rs` `tests::refuses`".to_owned(), true),
            ]
        );
    }

    #[test]
    fn a_transcript_line_belongs_to_its_case() {
        let text = "# all of it [V5 MQTT-3.1.0-1]\n=== second CONNECT\n# [V5 MQTT-3.1.0-2]\na > PINGREQ\n";
        let places: Vec<String> =
            cited("tests/transcripts/v5/connect.mqtt", text).into_iter().map(|c| c.2).collect();
        assert_eq!(places, ["`v5/connect.mqtt`", "`v5/connect.mqtt` second CONNECT"]);
    }

    #[test]
    fn a_malformed_citation_is_reported() {
        let mut found = Scan { citations: Vec::new(), errors: Vec::new() };
        scan_file("crates/a/src/lib.rs", "// [V5 MQTT-3.1.0-1, MQTT-3.1.0-2]\n", false, &mut found);
        assert_eq!((found.citations.len(), found.errors.len()), (1, 1));
    }

    #[test]
    fn a_module_declared_under_test_is_test_code() {
        let sources =
            vec![("crates/a/src/door.rs".to_owned(), "#[cfg(test)]\nmod cases;\nmod code;\n".to_owned())];
        let modules = test_modules(&sources);
        assert!(
            modules.contains("crates/a/src/door/cases.rs") && !modules.contains("crates/a/src/door/code.rs")
        );
    }

    #[test]
    fn headers_are_recognised() {
        for (line, name) in [
            ("pub fn run(args: &[String]) {", Some("run")),
            ("    pub(super) const LIMIT: usize = 8;", Some("LIMIT")),
            ("impl<M> fmt::Display for InFlight<M> {", Some("InFlight")),
            ("impl Shard {", Some("Shard")),
            ("macro_rules! reasons {", Some("reasons")),
            ("let implied = 3;", None),
            ("return Err(fault);", None),
        ] {
            assert_eq!(header(line).as_deref(), name, "{line}");
        }
    }
}
