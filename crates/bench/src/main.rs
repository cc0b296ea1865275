//! What a server is measured against. The load itself is `hexmq bench`.

mod capture;
mod disk;
mod million;
mod recorder;
mod relay;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use relay::Relay;

#[derive(Parser)]
#[command(about = "What a server is measured against.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Forwards QoS 0 messages to the subscribers of exactly their topic, and nothing else.
    Relay {
        /// Where it listens; only addresses of this machine are accepted.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Appends and syncs in a loop: what the disk can do
    Disk(disk::Args),
    /// Makes a capture of small packets and reads it: headers only, in full, and with tshark.
    Capture(capture::Args),
    /// Reads one capture and prints what it took; for `capture`.
    #[command(hide = true)]
    CaptureRead(capture::ReadArgs),
    /// Puts a million connected clients into the core, without sockets: their memory, computed and measured, and
    /// what messages to them and their Keep Alive cost.
    Million(million::Args),
    /// What the flight recorder of a server costs.
    Recorder(recorder::Recorder),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Relay { listen } => run(listen),
        Command::Disk(args) => disk::run(&args),
        Command::Capture(args) => capture::run(&args),
        Command::CaptureRead(args) => capture::read(&args),
        Command::Million(args) => million::run(&args),
        Command::Recorder(recorder) => recorder.run().map(|table| print!("{table}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hexmq-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until it is killed.
fn run(listen: SocketAddr) -> Result<(), String> {
    if !listen.ip().is_loopback() {
        return Err(format!("{listen} is not on this machine"));
    }
    let mut relay = Relay::listen(listen).map_err(|error| format!("{listen}: {error}"))?;
    println!("listening mqtt://{}\nready", relay.address().map_err(|error| error.to_string())?);
    relay.run().map_err(|error| error.to_string())
}
