//! Bounded load for an MQTT server on this machine: every delivery is expected, counted and checked,
//! and a run ends by itself. The result is one JSON object on standard output.

mod fleet;
mod process;
mod scenario;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Bounded load for an MQTT server on this machine, every delivery checked.")]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
    /// Where the server listens; only addresses of this machine are accepted.
    #[arg(long, global = true, default_value = "127.0.0.1:1883")]
    address: SocketAddr,
    /// Process of the server, for its memory and CPU time.
    #[arg(long, global = true)]
    pid: Option<u32>,
}

#[derive(Subcommand)]
enum Scenario {
    /// Connections with one subscription each and no traffic: memory of the server.
    Idle(scenario::Idle),
    /// Publishers and subscribers in pairs: CPU time of the server per message.
    Pairs(scenario::Pairs),
    /// Many clients of all versions that all subscribe and publish: nothing may go wrong.
    Crowd(scenario::Crowd),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hexmq-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<serde_json::Value, String> {
    if !arguments.address.ip().is_loopback() {
        return Err(format!("{} is not on this machine", arguments.address));
    }
    process::raise_descriptor_limit();
    let server = process::Server { address: arguments.address, pid: arguments.pid };
    match &arguments.scenario {
        Scenario::Idle(idle) => idle.run(&server),
        Scenario::Pairs(pairs) => pairs.run(&server),
        Scenario::Crowd(crowd) => crowd.run(&server),
    }
}
