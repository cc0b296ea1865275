//! How fast captures are read, on small packets, where the work per byte is highest.
//!
//! Three readings of one file, each in a process of its own: headers only, which is the limit; in full, as
//! `hexmq capture` does; and by tshark. The file is made anew from a seed.

mod forge;
mod process;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hexmq_workbench::capture::{Capture, HeadersOnly, Settings, Sink};

use process::{Taken, own};

/// What is made and how often it is read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Size of the capture in MiB
    #[arg(long, default_value_t = 128)]
    mib: u64,
    /// Connections in it
    #[arg(long, default_value_t = 1_000)]
    connections: u32,
    /// Seed of the capture
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Readings of each kind; the fastest counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Where the capture is made; it is removed afterwards
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave tshark out
    #[arg(long)]
    alone: bool,
}

/// One reading.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// The capture
    file: PathBuf,
    /// Only headers
    #[arg(long)]
    headers: bool,
}

/// Makes a capture, reads it, prints what each reading took.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let dir = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let path = dir.join(format!("hexmq-bench-{}.pcap", std::process::id()));
    let outcome = measure(args, &path);
    // If it cannot be removed, it is not there.
    let _ = std::fs::remove_file(&path);
    outcome
}

fn measure(args: &Args, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let made = forge::make(path, args.mib << 20, args.connections, args.seed)
        .map_err(|error| format!("{shown}: {error}"))?;
    println!(
        "capture of {} bytes: {} packets, {} MQTT packets in {} connections, seed {}",
        made.bytes, made.packets, made.mqtt, args.connections, args.seed
    );
    let own_name = std::env::current_exe().map_err(|error| error.to_string())?;
    let of_own = |headers: bool| {
        let mut command = Command::new(&own_name);
        command.arg("capture-read").arg(path);
        if headers {
            command.arg("--headers");
        }
        command
    };
    let rounds = args.rounds.max(1);
    report("read + headers (limit)", made.bytes, best(rounds, || own(of_own(true)))?);
    report("hexmq capture", made.bytes, best(rounds, || own(of_own(false)))?);
    if args.alone {
        return Ok(());
    }
    let tshark = || {
        let mut command = Command::new("tshark");
        command.arg("-r").arg(path).args(["-T", "fields", "-e", "mqtt.msgtype"]);
        process::foreign(command)
    };
    match best(1, tshark) {
        Ok(taken) => report("tshark -T fields", made.bytes, taken),
        Err(error) => println!("{:<24} left out: {error}", "tshark"),
    }
    Ok(())
}

fn best(rounds: u32, mut once: impl FnMut() -> Result<Taken, String>) -> Result<Taken, String> {
    let mut best = once()?;
    for _ in 1..rounds {
        let next = once()?;
        if next.wall < best.wall {
            best = next;
        }
    }
    Ok(best)
}

fn report(name: &str, bytes: u64, taken: Taken) {
    let speed = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64().max(1e-6);
    println!(
        "{name:<24} {:>8.0} MB/s  {:>8.0} MB per CPU second  {:>8.3} s  peak {:>6.1} MiB  {}",
        speed(taken.wall),
        speed(taken.cpu),
        taken.wall.as_secs_f64(),
        taken.peak_kib as f64 / 1024.0,
        taken.found,
    );
}

/// Counts what comes out, as the summary does.
#[derive(Default)]
struct Count {
    packets: u64,
    connections: u64,
}

impl Sink for Count {
    fn closed(&mut self, connection: &hexmq_workbench::capture::Connection) {
        self.packets += connection.packets();
        self.connections += 1;
    }
}

/// Reads one capture in this process and prints what it took.
pub(crate) fn read(args: &ReadArgs) -> Result<(), String> {
    let mut file = File::open(&args.file).map_err(|error| format!("{}: {error}", args.file.display()))?;
    let mut capture = Capture::new(Settings::default());
    let started = Instant::now();
    let found = if args.headers {
        capture.read(&mut file, &mut HeadersOnly, |_| true).map_err(|error| error.to_string())?;
        format!("{} segments", capture.totals().segments)
    } else {
        let mut count = Count::default();
        capture.read(&mut file, &mut count, |_| true).map_err(|error| error.to_string())?;
        capture.finish(&mut count);
        format!("{} MQTT packets in {} connections", count.packets, count.connections)
    };
    let wall = started.elapsed();
    process::tell(wall, &found);
    Ok(())
}
