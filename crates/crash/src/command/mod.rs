//! The commands, and what they print.

mod kills;

pub(crate) use kills::Kills;

/// What is tried.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Kills the server with SIGKILL at random moments under load; every promise is checked by clients
    Kills(Kills),
}

/// Runs it; `false`: a promise was broken.
pub(crate) fn run(command: Command) -> Result<bool, String> {
    match command {
        Command::Kills(kills) => kills.run(),
    }
}
