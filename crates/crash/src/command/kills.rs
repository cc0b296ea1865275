//! `hexmq-crash kills`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::checker::Checker;
use crate::disk::Disk;
use crate::ground::{Folder, Ground};
use crate::link::free_port;
use crate::random::Random;
use crate::run::{Plan, log_of, run};
use crate::server::Recipe;
use crate::stage::Stage;

/// Room enough for any run.
const DISK_BYTES: u64 = 4 << 30;

/// Kills the server with SIGKILL at random moments under load.
#[derive(Debug, clap::Args)]
pub(crate) struct Kills {
    /// How often
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// Decides who does what, and when the server is killed; random if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Our server
    #[arg(long, default_value = "hexmq", conflicts_with_all = ["server", "mosquitto"])]
    program: PathBuf,
    /// Its durability
    #[arg(long, default_value = "disk")]
    durability: String,
    /// Its shards
    #[arg(long, default_value_t = 2)]
    shards: u16,
    /// One more argument of `hexmq serve`; repeatable
    #[arg(long, allow_hyphen_values = true)]
    argument: Vec<String>,
    /// Another server: a command line in which {data} and {port} are replaced. It is ready when it accepts
    #[arg(long)]
    server: Option<String>,
    /// mosquitto, which writes all it has after every change
    #[arg(long, conflicts_with = "server")]
    mosquitto: bool,
    /// Keeps the data on a file system of ours, and with each kill the power is cut: what was not synced is
    /// lost. Left out where there is no FUSE
    #[arg(long)]
    power: bool,
    /// With --power: how many milliseconds each fsync takes
    #[arg(long, default_value_t = 0, requires = "power")]
    sync_ms: u64,
    /// Where data and log go; kept when a promise was broken
    #[arg(long)]
    folder: Option<PathBuf>,
}

impl Kills {
    pub(crate) fn run(&self) -> Result<bool, String> {
        let seed = self.seed.unwrap_or_else(any_seed);
        let folder = fresh_folder(self.folder.as_deref())?;
        let data = folder.join("data");
        let mut random = Random::new(seed ^ u64::from(std::process::id()));
        let port = free_port(|| random.next())?;
        let recipe = match &self.server {
            Some(line) => {
                let words = line.split_whitespace().map(str::to_owned).collect();
                Recipe { words, says_ready: false }
            }
            None if self.mosquitto => Recipe::mosquitto(&folder, &data, port)?,
            None => Recipe::hexmq(&self.program, &self.durability, self.shards, &self.argument),
        };
        println!("seed {seed}, {} kills of: {}", self.kills, recipe.words.join(" "));
        let mut ground: Box<dyn Ground> = if self.power {
            match Disk::mount(data, DISK_BYTES) {
                Ok(disk) => {
                    disk.set_sync_delay(Duration::from_millis(self.sync_ms));
                    Box::new(disk)
                }
                Err(why) => {
                    println!("SKIPPED: {why}");
                    return Ok(true);
                }
            }
        } else {
            Box::new(Folder::new(data)?)
        };
        let plan = Plan { kills: self.kills, seed, recipe, port, folder: folder.clone() };
        let begun = Instant::now();
        let stage = run(&plan, &mut *ground)?;
        let is_good = report(&stage, begun.elapsed().as_secs_f64());
        drop(ground);
        if is_good {
            let _ = std::fs::remove_dir_all(&folder);
        } else {
            println!("data and log are kept: {}", log_of(&folder).display());
        }
        Ok(is_good)
    }
}

/// Prints what was seen and found; whether nothing was found.
pub(super) fn report(stage: &Stage, seconds: f64) -> bool {
    let totals = stage.checker.totals();
    println!(
        "{} kills in {seconds:.0} s: {} messages sent, {} acknowledged, {} refused, {} delivered; {} retained \
         values and {} Wills seen; {} connections, {} sessions resumed, {} new; {} subscriptions",
        totals.kills,
        totals.published,
        totals.acknowledged,
        totals.refused,
        totals.delivered,
        totals.retained,
        totals.wills,
        totals.connections,
        totals.resumed,
        totals.discarded,
        totals.subscriptions,
    );
    let all: u64 = stage.checker.counts().values().sum();
    told(&stage.checker);
    println!("{all} violations");
    all == 0
}

/// Prints what was found.
pub(super) fn told(checker: &Checker) {
    for violation in checker.violations() {
        println!("{violation}");
    }
    for (broken, count) in checker.counts() {
        println!("  {:<36} {count:>8}", broken.name());
    }
}

/// An empty folder of our own.
pub(super) fn fresh_folder(wanted: Option<&Path>) -> Result<PathBuf, String> {
    let folder = match wanted {
        Some(folder) => folder.to_path_buf(),
        None => std::env::temp_dir().join(format!("hexmq-crash-{}", std::process::id())),
    };
    if folder.exists() {
        return Err(format!("{} is there already; it must be a new one", folder.display()));
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The clock is random enough.
pub(super) fn any_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |since| since.subsec_nanos().into())
}
