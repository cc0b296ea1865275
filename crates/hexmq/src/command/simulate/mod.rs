//! `hexmq simulate`: devices of a cloud, as many as one process can be.

mod answer;
mod args;
mod pattern;
mod provision;
mod random;
mod secrets;
mod simulation;
mod tally;
mod value;
mod words;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hexmq_client::load::{Fleet, Stretch, Target};
use signal_hook::consts::{SIGINT, SIGTERM};

pub(crate) use args::Args;
use simulation::Simulation;

use super::bench;
use super::client::Trouble;

/// The finest time of the schedule.
const BEAT: Duration = Duration::from_millis(2);
/// A run without an end.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match simulate(args) {
        Ok(code) => code,
        Err(trouble) => trouble.report(false),
    }
}

fn simulate(args: &Args) -> Result<ExitCode, Trouble> {
    let failed = |error: String| {
        Trouble::new("the simulation ended", error, "whether the server runs, with --host and --port")
    };
    let plan = args.plan()?;
    let devices = args.fleet()?;
    let address = bench::address_of(&args.host, args.port, args.remote, args.pid).map_err(failed)?;
    if args.api.provision {
        provision::provision(args, &devices)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Who asks twice does not want to wait for what is on its way.
        let registered =
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|error: io::Error| failed(error.to_string()))?;
    }
    let _ = hexmq_transport::raise_descriptor_limit();
    let count = devices.len();
    let mut fleet = Fleet::waiting(address, count, FOR_EVER, args.faults()).map_err(failed)?;
    fleet.beat(BEAT).map_err(failed)?;
    let stretch = Stretch::begin(&Target { address, pid: args.pid }).map_err(failed)?;
    let mut simulation = Simulation::new(plan, devices, args.seed, stop);
    fleet.run(&mut simulation).map_err(failed)?;
    let taken = stretch.end().map_err(failed)?;
    let report = simulation.tally.json(count, &taken);
    println!("{}", if args.json { report.to_string() } else { tally::text(&report) });
    let is_clean = simulation.tally.is_clean(args.breaks());
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
