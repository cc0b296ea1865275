//! Licences, duplicate versions and sources of what we depend on, by `deny.toml`.

use crate::command::{command, run};
use crate::provision;
use crate::steps::Outcome;

/// Installs cargo-deny where it is missing and runs it.
pub(crate) fn run_alone() -> Result<(), String> {
    provision::cargo_deny()?;
    match check()? {
        Outcome::Done(_) => Ok(()),
        Outcome::Skipped(why) => Err(why),
    }
}

/// Runs the check with the cargo-deny that is there.
pub(crate) fn check() -> Result<Outcome, String> {
    let Some(program) = provision::deny_program() else {
        return Ok(Outcome::Skipped("cargo-deny is not installed".to_owned()));
    };
    run(command(program).args(["--log-level", "error", "check", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Done("bans, licences and sources are in order".to_owned()))
}
