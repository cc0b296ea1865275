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
    Serve(Box<command::serve::Args>),
    User(command::user::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Some(Command::Serve(args)) => command::serve::run(&args),
        Some(Command::User(args)) => command::user::run(&args),
        None => {
            // Asking for nothing is no mistake: it is how one gets to know a program.
            println!("{}", Cli::command().render_long_help());
            ExitCode::SUCCESS
        }
    }
}
