//! `cargo xtask conformance`: which code obeys each statement of the standard, and which test would
//! notice if it did not.
//!
//! The statements are the numbered ones of 3.1.1 and 5.0 and the unnumbered rules of 5.0, in
//! `docs/conformance/*.json`. Code and tests name them in comments: `V4` and an id for 3.1.1 (3.1
//! is judged by the same), `V5` and an id for 5.0, in square brackets. A statement that binds a
//! server, in whichever role, needs both a place and a test, or a written reason in
//! `docs/conformance/reasons.json`. A citation of an unknown id and a reason that is no longer
//! needed are errors, so neither can rot.

mod report;
mod scan;
mod statements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scan::{Citation, Scan};
use statements::{Standard, Statement};

use crate::place;

const USAGE: &str = "usage: cargo xtask conformance [--write | --check] [ID…]
  without arguments   counts, and every statement that is open; fails if one binds the server
  --write             writes docs/conformance/report-3.1.1.md and report-5.0.md
  --check             fails if those reports are not up to date
  ID                  the places of one statement, e.g. MQTT-3.1.0-2";

/// The code places and the tests of one statement, or why there are none.
#[derive(Default)]
struct Evidence {
    code: Vec<String>,
    tests: Vec<String>,
    reason: Option<String>,
}

impl Evidence {
    fn is_complete(&self) -> bool {
        !self.code.is_empty() && !self.tests.is_empty()
    }

    fn is_open(&self) -> bool {
        !self.is_complete() && self.reason.is_none()
    }
}

/// Everything known: statements of both standards with their evidence.
struct Book {
    standards: Vec<Standard>,
    evidence: BTreeMap<(u8, String), Evidence>,
    errors: Vec<String>,
}

/// Runs the command with the words behind `conformance`.
///
/// # Errors
///
/// What is wrong, ready to print: an unknown id, an open statement, a stale report.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let root = place::root();
    let book = read(&root)?;
    let mut ids = Vec::new();
    let (mut write, mut check) = (false, false);
    for arg in args {
        match arg.as_str() {
            "--write" => write = true,
            "--check" => check = true,
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            id if !id.starts_with('-') => ids.push(id),
            other => return Err(format!("unknown argument {other}\n{USAGE}")),
        }
    }
    if !ids.is_empty() {
        return ids.iter().try_for_each(|id| show(&book, id));
    }
    for standard in &book.standards {
        println!("{}", report::summary(&book, standard).trim_end());
    }
    let mut problems = book.errors.clone();
    problems.extend(open(&book));
    for standard in &book.standards {
        let path = report_path(&root, standard);
        let text = report::markdown(&book, standard);
        if write {
            std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        } else if check && std::fs::read_to_string(&path).unwrap_or_default() != text {
            let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            problems.push(format!("{name} is not up to date: run `cargo xtask conformance --write`"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn report_path(root: &Path, standard: &Standard) -> PathBuf {
    root.join(format!("docs/conformance/report-{}.md", standard.name))
}

fn read(root: &Path) -> Result<Book, String> {
    let standards = statements::read(root)?;
    let Scan { citations, mut errors } = scan::scan(root)?;
    let mut evidence: BTreeMap<(u8, String), Evidence> = BTreeMap::new();
    for standard in &standards {
        for statement in &standard.statements {
            evidence.insert((standard.version, statement.id.clone()), Evidence::default());
        }
    }
    for Citation { version, id, place, is_test, at } in citations {
        let Some(entry) = evidence.get_mut(&(version, id.clone())) else {
            errors.push(format!("{at}: V{version} has no statement {id}"));
            continue;
        };
        let places = if is_test { &mut entry.tests } else { &mut entry.code };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    for (version, id, reason) in statements::reasons(root)? {
        match evidence.get_mut(&(version, id.clone())) {
            None => errors.push(format!("reasons.json: V{version} has no statement {id}")),
            Some(entry) if entry.is_complete() => {
                errors.push(format!("reasons.json: V{version} {id} has code and test, the reason can go"));
            }
            Some(entry) => entry.reason = Some(reason),
        }
    }
    Ok(Book { standards, evidence, errors })
}

impl Book {
    fn evidence(&self, standard: &Standard, statement: &Statement) -> &Evidence {
        &self.evidence[&(standard.version, statement.id.clone())]
    }
}

/// One line for each open statement a server has to obey.
fn open(book: &Book) -> Vec<String> {
    let mut lines = Vec::new();
    for standard in &book.standards {
        for statement in standard.statements.iter().filter(|s| s.binds_server()) {
            let evidence = book.evidence(standard, statement);
            if !evidence.is_open() {
                continue;
            }
            let lacks = match (evidence.code.is_empty(), evidence.tests.is_empty()) {
                (true, true) => "code and test",
                (true, false) => "code",
                _ => "test",
            };
            lines.push(format!(
                "open: V{} {} lacks {lacks}: {}",
                standard.version, statement.id, statement.wording
            ));
        }
    }
    lines
}

fn show(book: &Book, id: &str) -> Result<(), String> {
    let mut found = false;
    for standard in &book.standards {
        for statement in standard.statements.iter().filter(|s| s.id == id) {
            found = true;
            println!("{}{}", standard.name, report::entry(book, standard, statement));
        }
    }
    if found { Ok(()) } else { Err(format!("no statement {id}")) }
}
