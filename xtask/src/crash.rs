//! The real server, killed again and again under load: what it has acknowledged must be there.

use crate::arguments::Arguments;
use crate::command::{cargo, command, run as run_command, run_keeping};
use crate::place::{self, Profile};
use crate::steps::Outcome;

/// Kills of the run that belongs to the tests: some ten seconds.
const SHORT_KILLS: u32 = 12;
/// Power cuts of it.
const SHORT_CUTS: u32 = 6;

/// `cargo xtask crash`: release builds; all arguments go to `hexmq-crash kills`, or with `--faults` to
/// `hexmq-crash faults`.
pub(crate) fn run(mut arguments: Arguments) -> Result<(), String> {
    let packages = ["--package", "hexmq", "--package", "hexmq-crash"];
    run_command(cargo().args(["build", "--quiet", "--release"]).args(packages))?;
    let what = if arguments.switch("--faults") { "faults" } else { "kills" };
    let words = arguments.into_rest();
    let mut crash = command(place::program("hexmq-crash", Profile::Release));
    crash.arg(what);
    // Another server is not ours.
    if !words.iter().any(|word| word == "--mosquitto" || word.starts_with("--server")) {
        crash.arg("--program").arg(place::program("hexmq", Profile::Release));
    }
    run_command(crash.args(words))
}

/// A short run of kills with the programs that are built already.
pub(crate) fn short_kills() -> Result<Outcome, String> {
    short(&["kills", "--kills", &SHORT_KILLS.to_string()])
}

/// The same with the power of the disk cut at each kill, where there is FUSE.
pub(crate) fn short_cuts() -> Result<Outcome, String> {
    short(&["kills", "--power", "--kills", &SHORT_CUTS.to_string()])
}

/// A disk that is full, read-only, failing or slow, where there is FUSE.
pub(crate) fn faults() -> Result<Outcome, String> {
    short(&["faults"])
}

fn short(words: &[&str]) -> Result<Outcome, String> {
    let mut crash = command(place::program("hexmq-crash", Profile::Debug));
    crash.args(words).arg("--program").arg(place::program("hexmq", Profile::Debug));
    let (result, skipped) = run_keeping(&mut crash, |line| line.starts_with("SKIPPED: "));
    result?;
    match skipped.first().and_then(|line| line.strip_prefix("SKIPPED: ")) {
        Some(why) => Ok(Outcome::Skipped(why.to_owned())),
        None => Ok(Outcome::Done(String::new())),
    }
}
