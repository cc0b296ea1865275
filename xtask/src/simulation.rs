//! The simulation: many seeds, or one again.

use crate::arguments::Arguments;
use crate::command::{cargo, run as run_command};

/// `--seeds N` runs N seeds, `--seed X` repeats one.
pub(crate) fn run(arguments: Arguments) -> Result<(), String> {
    let mut simulation = cargo();
    simulation.args(["run", "--quiet", "--release", "--package", "hexmq-sim", "--bin", "hexmq-sim", "--"]);
    run_command(simulation.args(arguments.into_rest()))
}
