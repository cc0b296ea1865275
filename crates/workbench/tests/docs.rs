//! The pages about JSON and lint say what the program does. `HEXMQ_UPDATE=1` writes examples and
//! table anew; the difference is then reviewed as text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hexmq_wire::Version;
use hexmq_workbench::{LintRule, Options, explain, parse_hex};

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn compare(name: &str, right: &str) {
    let path = page(name);
    let found = std::fs::read_to_string(&path).expect("the page");
    if found == right {
        return;
    }
    if std::env::var_os("HEXMQ_UPDATE").is_some() {
        std::fs::write(&path, right).expect("written");
    } else {
        assert_eq!(found, right, "HEXMQ_UPDATE=1 writes docs/{name} anew");
    }
}

#[test]
fn the_examples_are_what_the_program_prints() {
    const COMMAND: &str = "```sh\nhexmq explain --json ";
    let text = std::fs::read_to_string(page("explain-json.md")).expect("the page");
    let mut parts = text.split(COMMAND);
    let mut right = parts.next().expect("a beginning").to_owned();
    let mut examples = 0;
    for part in parts {
        let (hex, behind) = part.split_once("\n```\n```json\n").expect("an answer behind the command");
        let (_, behind) = behind.split_once("```\n").expect("its end");
        let json = explain(&parse_hex(hex).expect("hex"), &Options::default()).to_json();
        let _ = write!(right, "{COMMAND}{hex}\n```\n```json\n{json:#}\n```\n{behind}");
        examples += 1;
    }
    assert_eq!(examples, 3);
    compare("explain-json.md", &right);
}

#[test]
fn every_rule_is_in_the_table() {
    const HEAD: &str = "| code | severity | needs | statement | what it says |\n|---|---|---|---|---|\n";
    let text = std::fs::read_to_string(page("lint.md")).expect("the page");
    let (about, _) = text.split_once("\n| code").unwrap_or((text.trim_end(), ""));
    let mut right = format!("{}\n\n{HEAD}", about.trim_end());
    for rule in LintRule::ALL {
        let needs = if rule.is_of_dialogue() { "dialogue" } else { "packet" };
        let statement = |version| rule.statement(version).unwrap_or("–");
        let statements = match (statement(Version::V4), statement(Version::V5)) {
            ("–", "–") => String::new(),
            (v4, v5) => format!("{v4} / {v5}"),
        };
        let _ = writeln!(
            right,
            "| `{}` | {} | {needs} | {statements} | {} |",
            rule.name(),
            rule.severity().name(),
            rule.text().en
        );
    }
    compare("lint.md", &right);
}

#[test]
fn names_are_told_apart() {
    let mut seen = std::collections::BTreeSet::new();
    for rule in LintRule::ALL {
        assert!(seen.insert(rule.name()), "{} is there twice", rule.name());
        assert_eq!(LintRule::from_name(rule.name()), Some(*rule));
    }
}
