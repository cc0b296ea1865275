//! What the disk can do: one thread appends and syncs, as a log must, and does nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The file that is written, and removed in the end.
const NAME: &str = "hexmq-bench-disk";
/// It begins anew when it is so large, as a log begins its next segment.
const SEGMENT_BYTES: u64 = 32 << 20;

/// Appends and syncs in a loop
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder on the disk in question
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Bytes appended before each sync
    #[arg(long, default_value_t = 160_000, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// How long
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

/// Prints one JSON object: syncs and bytes per second, and how long a sync takes.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let path = args.folder.join(NAME);
    let result = measure(args, &path);
    let _ = fs::remove_file(&path);
    let mut waits = result.map_err(|error| format!("{}: {error}", path.display()))?;
    waits.sort_unstable();
    let total: Duration = waits.iter().sum();
    let per_s = waits.len() as f64 / total.as_secs_f64().max(f64::MIN_POSITIVE);
    let quantile = |share: f64| {
        let place = ((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1));
        waits.get(place).map_or(0.0, |wait| wait.as_secs_f64() * 1e6)
    };
    println!(
        "{{\"scenario\":\"disk\",\"batch\":{},\"syncs\":{},\"syncs_per_s\":{per_s:.1},\"bytes_per_s\":{:.0},\
         \"sync_p50_us\":{:.1},\"sync_p99_us\":{:.1}}}",
        args.batch,
        waits.len(),
        per_s * f64::from(args.batch),
        quantile(0.5),
        quantile(0.99),
    );
    Ok(())
}

/// How long each append with its sync took.
fn measure(args: &Args, path: &std::path::Path) -> std::io::Result<Vec<Duration>> {
    let batch: Vec<u8> = (0..args.batch).map(|place| (place % 251) as u8).collect();
    let begun = Instant::now();
    let mut waits = Vec::new();
    let mut file: Option<(File, u64)> = None;
    while begun.elapsed().as_secs_f64() < args.seconds || waits.is_empty() {
        let (mut open, size) = match file.take() {
            Some((open, size)) if size < SEGMENT_BYTES => (open, size),
            _ => (OpenOptions::new().create(true).write(true).truncate(true).open(path)?, 0),
        };
        let since = Instant::now();
        open.write_all(&batch)?;
        open.sync_data()?;
        waits.push(since.elapsed());
        file = Some((open, size + u64::from(args.batch)));
    }
    Ok(waits)
}
