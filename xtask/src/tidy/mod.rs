//! Taste checked by a machine: arrows between crates, leftovers, widths, ratchets, machine paths,
//! generated references. Each finding is one line: where, what, and what to do.

mod arrows;
mod code;
mod ratchet;
mod sources;
mod text;

use std::fmt;

use crate::arguments::Arguments;
use crate::docs;
use crate::place;

/// One thing to mend.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the root of the repository.
    path: String,
    /// 1-based; 0 for the file as a whole.
    line: usize,
    /// What is wrong and what to do.
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.path, self.message),
            line => write!(formatter, "{}:{}: {}", self.path, line, self.message),
        }
    }
}

/// Runs every check and prints what it finds. `--shrink` lowers the numbers of the ratchets.
pub(crate) fn run(mut arguments: Arguments) -> Result<(), String> {
    let shrink = arguments.switch("--shrink");
    arguments.finish()?;
    let sources = sources::tracked(&place::root())?;
    let mut findings = arrows::check()?;
    for source in &sources {
        text::check(source, &mut findings);
    }
    ratchet::check(&sources, shrink, &mut findings)?;
    findings.extend(
        docs::stale()?.into_iter().map(|path| {
            Finding::new(&path, 0, "differs from what the definitions say; run `cargo xtask docs`")
        }),
    );
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files in order", sources.len());
            Ok(())
        }
        count => Err(format!("{count} findings")),
    }
}
