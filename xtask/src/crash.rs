//! The real server, killed again and again under load: what it has acknowledged must be there.

use crate::arguments::Arguments;
use crate::command::{cargo, command, run as run_command};
use crate::place::{self, Profile};

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
