//! The report as Markdown. It names files and functions or cases, never lines, so that it changes
//! only when a place moves.

use std::fmt::Write;

use super::statements::{Standard, Statement};
use super::{Book, Evidence};

/// Places listed for one statement; the rest is counted.
const PLACES_MAX: usize = 8;

/// Counts, one line per group.
pub(super) fn summary(book: &Book, standard: &Standard) -> String {
    let mut text = String::new();
    let groups = [
        ("numbered, binding a server", true, true),
        ("numbered, binding clients only", true, false),
        ("unnumbered, binding a server", false, true),
        ("unnumbered, binding clients only", false, false),
    ];
    for (name, numbered, server) in groups {
        let group: Vec<&Evidence> = standard
            .statements
            .iter()
            .filter(|s| s.id.starts_with("MQTT-") == numbered && s.binds_server() == server)
            .map(|s| book.evidence(standard, s))
            .collect();
        if group.is_empty() {
            continue;
        }
        let complete = group.iter().filter(|e| e.is_complete()).count();
        let open = group.iter().filter(|e| e.is_open()).count();
        let reasoned = group.len() - complete - open;
        let _ = writeln!(
            text,
            "MQTT {}, {name}: {} statements, {complete} with code and test, {reasoned} with a reason, {open} open",
            standard.name,
            group.len(),
        );
    }
    text
}

/// The whole report of one standard.
pub(super) fn markdown(book: &Book, standard: &Standard) -> String {
    let mut text = format!(
        "# Conformance with MQTT {}\n\n\
         Written by `cargo xtask conformance --write`; do not edit. Each statement, in our own words, with the code that\n\
         obeys it and the tests that cover it, or the reason why it has none. Statements without a number (`U-…`) are rules of\n\
         the standard that were not tagged; their ids are ours.\n\n",
        standard.name
    );
    for line in summary(book, standard).lines() {
        let _ = writeln!(text, "- {line}");
    }
    let mut chapter = String::new();
    for statement in &standard.statements {
        let numbered = statement.id.starts_with("MQTT-");
        let next = format!(
            "{} {}",
            if numbered { "Section" } else { "Unnumbered rules of section" },
            statement.section.split('.').take(2).collect::<Vec<_>>().join(".")
        );
        if next != chapter {
            let _ = write!(text, "\n## {next}\n");
            chapter = next;
        }
        text.push_str(&entry(book, standard, statement));
    }
    text
}

/// One statement with its places.
pub(super) fn entry(book: &Book, standard: &Standard, statement: &Statement) -> String {
    let evidence = book.evidence(standard, statement);
    let mut text = format!(
        "\n**{}** ({}, {}) {}\n\n",
        statement.id, statement.binds, statement.level, statement.wording
    );
    places(&mut text, "code", &evidence.code);
    places(&mut text, "test", &evidence.tests);
    if let Some(reason) = &evidence.reason {
        let _ = writeln!(text, "- reason: {reason}");
    } else if evidence.is_open() {
        text.push_str("- open\n");
    }
    text
}

fn places(text: &mut String, kind: &str, places: &[String]) {
    for place in places.iter().take(PLACES_MAX) {
        let _ = writeln!(text, "- {kind}: {place}");
    }
    if places.len() > PLACES_MAX {
        let _ = writeln!(text, "- {kind}: and {} more", places.len() - PLACES_MAX);
    }
}
