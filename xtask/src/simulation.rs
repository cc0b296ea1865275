//! The simulation: many seeds, or one again.

use crate::arguments::Arguments;
use crate::command::{cargo, command, run as run_command};
use crate::place::{self, Profile};

/// Seeds of the run that belongs to the tests: some ten seconds.
const SHORT_SEEDS: u32 = 200;

/// `--seeds N` runs N seeds, `--seed X` repeats one.
pub(crate) fn run(arguments: Arguments) -> Result<(), String> {
    let mut simulation = cargo();
    simulation.args(["run", "--quiet", "--release", "--package", "hexmq-sim", "--bin", "hexmq-sim", "--"]);
    run_command(simulation.args(arguments.into_rest()))
}

/// A short run with the program that is built already, its assertions switched on.
pub(crate) fn short() -> Result<(), String> {
    let program = place::program("hexmq-sim", Profile::Debug);
    run_command(command(program).args(["--seeds", &SHORT_SEEDS.to_string()]))
}
