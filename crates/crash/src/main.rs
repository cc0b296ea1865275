//! Kills a real server again and again, and counts what it had promised.

mod cast;
mod checker;
mod command;
mod device;
mod disk;
mod ground;
mod history;
mod link;
mod payload;
mod random;
mod run;
mod server;
mod stage;
mod trial;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Kills a real server again and again, and counts what it had promised.")]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    match command::run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hexmq-crash: {error}");
            ExitCode::from(2)
        }
    }
}
