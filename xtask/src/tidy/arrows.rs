//! The real graph of our crates against the table in `ARCHITECTURE.md`: the page is the rule.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::Finding;
use crate::command::{cargo, output};
use crate::place;

/// The page with the table.
const PAGE: &str = "ARCHITECTURE.md";
/// The heading of the table.
const HEADING: &str = "| crate | may import (of ours) | must never |";

/// One row: what a crate may and must not import.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    may: Vec<String>,
    never: Vec<String>,
}

/// A package of the workspace with what it imports, dev-dependencies left out.
#[derive(Debug)]
struct Package {
    name: String,
    imports: Vec<Import>,
}

#[derive(Debug)]
struct Import {
    name: String,
    is_ours: bool,
}

pub(super) fn check() -> Result<Vec<Finding>, String> {
    let page = fs::read_to_string(place::root().join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(compare(&rows(&page)?, &packages(&metadata)))
}

fn compare(rows: &BTreeMap<String, Row>, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let Some(row) = rows.get(&package.name) else {
            findings.push(Finding::new(PAGE, 0, format!("the table has no row for {}", package.name)));
            continue;
        };
        for import in &package.imports {
            let allowed = row.may.iter().any(|name| name == "all" || *name == import.name);
            let beside = rows
                .get(&import.name)
                .is_some_and(|row| row.never.iter().any(|word| word == "being imported"));
            if import.is_ours && (!allowed || beside) {
                let message =
                    format!("{} imports {}, which the table does not allow", package.name, import.name);
                findings.push(Finding::new(PAGE, row.line, message));
            }
            if !import.is_ours && row.never.contains(&import.name) {
                let message = format!("{} must never import {}", package.name, import.name);
                findings.push(Finding::new(PAGE, row.line, message));
            }
        }
    }
    for (name, row) in rows {
        if !packages.iter().any(|package| package.name == *name) {
            findings.push(Finding::new(PAGE, row.line, format!("there is no crate {name}")));
        }
    }
    findings
}

fn rows(page: &str) -> Result<BTreeMap<String, Row>, String> {
    let table = page.lines().enumerate().skip_while(|(_, line)| *line != HEADING).skip(2);
    let mut rows = BTreeMap::new();
    for (index, line) in table.take_while(|(_, line)| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [crates, may, never] = cells[..] else {
            return Err(format!("{PAGE}:{}: three columns are expected", index + 1));
        };
        for name in words(crates) {
            rows.insert(name, Row { line: index + 1, may: words(may), never: words(never) });
        }
    }
    if rows.is_empty() { Err(format!("{PAGE}: the table headed {HEADING:?} is missing")) } else { Ok(rows) }
}

/// The words between commas, without what stands in brackets and without code marks.
fn words(cell: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let plain: String = cell
        .chars()
        .filter(|&character| {
            depth += u32::from(character == '(');
            let kept = depth == 0 && character != '`';
            depth -= u32::from(character == ')' && depth > 0);
            kept
        })
        .collect();
    plain
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty() && *word != "–")
        .map(str::to_owned)
        .collect()
}

fn packages(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().unwrap_or_default().trim_start_matches("hexmq-").to_owned();
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    items(&metadata["packages"])
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            imports: items(&package["dependencies"])
                .iter()
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .map(|import| Import { name: text(&import["name"]), is_ours: import["path"].is_string() })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(package: &str, import: &str, is_ours: bool) -> Vec<String> {
        let page = "x\n\n| crate | may import (of ours) | must never |\n|---|---|---|\n\
                    | topic | – | – |\n| `wire` | topic (names, filters) | `tokio` |\n| sim, fuzz | all | being imported |\n";
        let import = Import { name: import.to_owned(), is_ours };
        let mut all = vec![Package { name: package.to_owned(), imports: vec![import] }];
        let others = ["topic", "wire", "sim", "fuzz"].into_iter().filter(|name| *name != package);
        all.extend(others.map(|name| Package { name: name.to_owned(), imports: Vec::new() }));
        compare(&rows(page).unwrap(), &all).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn an_arrow_is_allowed_only_by_the_table() {
        assert_eq!(findings("wire", "topic", true), [""; 0]);
        assert_eq!(findings("sim", "wire", true), [""; 0]);
        assert_eq!(
            findings("topic", "wire", true),
            ["ARCHITECTURE.md:5: topic imports wire, which the table does not allow"]
        );
        assert_eq!(findings("wire", "tokio", false), ["ARCHITECTURE.md:6: wire must never import tokio"]);
        assert_eq!(findings("fuzz", "sim", true).len(), 1);
        assert_eq!(findings("new", "topic", true), ["ARCHITECTURE.md: the table has no row for new"]);
    }
}
