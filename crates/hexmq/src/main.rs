//! HexMQ: one binary, one decoder.

mod command;
mod config;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// An MQTT server, clients and a packet workbench
#[derive(Debug, Parser)]
#[command(name = "hexmq", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(command::explain::Args),
    Serve(Box<command::serve::Args>),
    User(command::user::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(&error),
    };
    match cli.command {
        Some(Command::Explain(args)) => command::explain::run(&args),
        Some(Command::Serve(args)) => command::serve::run(&args),
        Some(Command::User(args)) => command::user::run(&args),
        None => {
            // Asking for nothing is no mistake: it is how one gets to know a program.
            println!("{}", Cli::command().render_long_help());
            ExitCode::SUCCESS
        }
    }
}

/// Prints help, version or what is wrong with the arguments. Each command keeps its own exit codes,
/// and clap's 2 means something else for some.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    // Help or an error that nobody reads any more is no further error.
    let _ = error.print();
    match (error.use_stderr(), std::env::args().nth(1).as_deref()) {
        (false, _) => ExitCode::SUCCESS,
        (true, Some("explain")) => ExitCode::from(command::explain::WRONG_USAGE),
        (true, _) => ExitCode::from(2),
    }
}
