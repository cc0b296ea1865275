//! The commands, and what they print.

mod faults;
mod kills;

pub(crate) use faults::Faults;
pub(crate) use kills::Kills;

/// What is tried.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Kills the server with SIGKILL at random moments under load; every promise is checked by clients
    Kills(Kills),
    /// The disk is full, read-only, failing, slow: the server refuses what it cannot keep, and goes on by itself
    Faults(Faults),
}

/// Runs it; `false`: a promise was broken.
pub(crate) fn run(command: Command) -> Result<bool, String> {
    match command {
        Command::Kills(kills) => kills.run(),
        Command::Faults(faults) => faults.run(),
    }
}
