//! `cargo xtask instructions`: what the hot paths cost in instructions, against what is recorded.
//!
//! The micro benches of `wire`, `session` and `broker` run under callgrind. Its counts do not depend on what
//! else the machine does, so a growth of a few per cent is a fact and not noise. They do depend on the
//! compiler and on libc: under other [`Conditions`] than the recorded ones nothing is judged.

mod conditions;
mod count;
mod profile;
mod record;

use std::fs;

use conditions::Conditions;
use record::{Judgement, Record, Verdict};

use crate::arguments::Arguments;
use crate::command::succeeds;
use crate::place;
use crate::steps::Outcome;

/// What was counted last.
const RECORD: &str = "xtask/ratchet/instructions.txt";

/// `--write` records the counts; `--only WORD` takes the scenarios whose name holds the word; `--profile NAME`
/// shows where one of them spends its instructions.
pub(crate) fn run(mut arguments: Arguments) -> Result<(), String> {
    let write = arguments.switch("--write");
    let only = arguments.value("--only")?.unwrap_or_default();
    let profile = arguments.value("--profile")?;
    arguments.finish()?;
    if !available() {
        return Err("valgrind is not installed; `cargo xtask test` installs it, or apt-get".to_owned());
    }
    if let Some(name) = profile {
        return profile::run(&name);
    }
    let here = Conditions::here()?;
    let recorded = read()?;
    let comparable = recorded.conditions == here;
    if !comparable {
        println!("{}\n", other_conditions(&recorded.conditions, &here));
        if write && !only.is_empty() {
            return Err("all must be recorded under the same conditions: leave out --only".to_owned());
        }
    }
    let counted = count::count(&only)?;
    let judgement = Judgement::new(&recorded, &counted, |name| name.contains(&only));
    print!("{}", judgement.table());
    if write {
        let text = recorded.renewed(here, &counted, |name| name.contains(&only)).to_string();
        fs::write(place::root().join(RECORD), text).map_err(|error| format!("{RECORD}: {error}"))?;
        println!("\n{RECORD} is written; the commit says why the counts are what they are");
        return Ok(());
    }
    if comparable { judgement.verdict().map(|told| println!("\n{told}")) } else { Ok(()) }
}

/// The same as a step of the tests: only what is to be told.
pub(crate) fn check() -> Result<Outcome, String> {
    if !available() {
        return Ok(Outcome::Skipped("valgrind is not installed".to_owned()));
    }
    let here = Conditions::here()?;
    let recorded = read()?;
    if recorded.conditions != here {
        return Ok(Outcome::Skipped(other_conditions(&recorded.conditions, &here)));
    }
    let counted = count::count("")?;
    let judgement = Judgement::new(&recorded, &counted, |_| true);
    print!("{}", judgement.only(|verdict| verdict != Verdict::Same).table());
    judgement.verdict().map(Outcome::Done)
}

fn available() -> bool {
    succeeds(&["valgrind", "--version"])
}

fn read() -> Result<Record, String> {
    let text =
        fs::read_to_string(place::root().join(RECORD)).map_err(|error| format!("{RECORD}: {error}"))?;
    text.parse().map_err(|error| format!("{RECORD}:{error}"))
}

fn other_conditions(recorded: &Conditions, here: &Conditions) -> String {
    format!("counted with {recorded}, but here is {here}: nothing is judged")
}
