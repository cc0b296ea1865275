//! Line by line: leftovers, widths, machine paths, waiting by the clock in tests.

use super::Finding;
use super::sources::Source;

/// Widest line of Rust. rustfmt keeps code to 110 and leaves comments and tables in macros alone; those
/// may be a little wider. Long strings and citations are left alone here too.
const WIDTH_MAX: usize = 140;

/// What is left behind by unfinished work. Cut in two so that this table does not find itself.
const LEFTOVERS: &[(&str, &str)] = &[
    ("dbg", "!("),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("FIX", "ME"),
    ("TO", "DO"),
    ("XX", "X"),
    ("place", "holder"),
    ("not yet ", "implemented"),
    ("#[ign", "ore"),
];

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: &[&str] = &["work", "farm", "root", "home"];

/// A test that waits by the clock is slow on a good day and fails on a bad one.
const SLEEPS: &[(&str, &str)] = &[
    ("thread::", "sleep"),
    ("time::", "sleep"),
    ("set", "Timeout("),
    ("time.", "sleep("),
    ("asyncio.", "sleep("),
];

const CODE: &[&str] = &["rs", "py", "mjs", "js", "ts", "html", "css", "sh", "toml"];

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let is_code = CODE.iter().any(|extension| source.is(extension));
    let is_test = source.is_test();
    for (index, line) in source.text.lines().enumerate() {
        let mut found = |message: String| findings.push(Finding::new(&source.path, index + 1, message));
        if let Some(path) = machine_path(line).filter(|_| source.path != "Cargo.lock") {
            found(format!("{path} is a path of one machine"));
        }
        if !is_code {
            continue;
        }
        if let Some(word) = first_of(LEFTOVERS, line) {
            found(format!("{word} is a leftover: finish it or take it out"));
        }
        let width = line.chars().count();
        if width > WIDTH_MAX && source.is("rs") && !line.contains('"') && !line.contains("[V") {
            found(format!("{width} columns; {WIDTH_MAX} at most"));
        }
        if let Some(word) = first_of(SLEEPS, line).filter(|_| is_test) {
            found(format!("{word} in a test: wait for the event itself, with a bound"));
        }
    }
}

fn first_of(table: &[(&str, &str)], line: &str) -> Option<String> {
    table.iter().map(|(start, end)| format!("{start}{end}")).find(|word| line.contains(word.as_str()))
}

fn machine_path(line: &str) -> Option<String> {
    MACHINE_FOLDERS.iter().map(|folder| format!("/{folder}/")).find(|path| {
        line.match_indices(path.as_str()).any(|(at, _)| {
            // A longer path, a URL or a topic may contain the same letters further in.
            line[..at]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric() && !"/._-+#".contains(before))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&Source { path: path.to_owned(), text: text.to_owned() }, &mut findings);
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn leftovers_widths_and_paths_are_found_with_their_line() {
        let marker = concat!("FIX", "ME");
        assert_eq!(
            messages("crates/a/src/lib.rs", &format!("fn a() {{}}\n// {marker}\n")),
            [format!("crates/a/src/lib.rs:2: {marker} is a leftover: finish it or take it out")]
        );
        assert_eq!(messages("a.rs", &"x".repeat(141)), ["a.rs:1: 141 columns; 140 at most"]);
        assert_eq!(messages("a.rs", &format!("\"{}\"", "x".repeat(141))), [""; 0]);
        let path = concat!("see /", "work/x");
        assert_eq!(messages("a.md", path).len(), 1);
        assert_eq!(messages("a.md", concat!("topic a/", "home/b, https://x.org/", "root/y")), [""; 0]);
    }

    #[test]
    fn waiting_by_the_clock_is_found_in_tests_only() {
        let line = concat!("    std::thread::", "sleep(delay);");
        assert_eq!(messages("xtask/src/a.rs", line), [""; 0]);
        assert_eq!(messages("crates/a/tests/b.rs", line).len(), 1);
    }
}
