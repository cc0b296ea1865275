//! How long a server with much to remember takes to be ready, what memory it needs then, and while a long
//! queue is drained; and whether subscribers that take nothing make others wait.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use super::durable::{Folder, ours};
use super::subject::load;
use crate::arguments::Arguments;
use crate::place::Profile;

/// Seconds until `ready`.
const READY_MARK_S: f64 = 10.0;
/// Growth while a million messages are drained, in bytes.
const DRAIN_MARK_BYTES: f64 = 256.0 * 1024.0 * 1024.0;
/// Room for the queues, which are longer than the default allows.
const QUEUE: &str = "--session-queue-messages=20000";

/// `cargo xtask bench --restart`.
pub(super) fn restart(mut arguments: Arguments) -> Result<(), String> {
    let as_json = arguments.switch("--json");
    let share = arguments.number("--share", 1)?.max(1);
    arguments.finish()?;
    super::build()?;
    let folder = Folder::new("restart")?;
    let (messages, sessions, topics) = (1_000_000 / share, 100_000 / share, 1_000_000 / share);
    let queue = format!("--messages={}", messages / 100);
    let (stored_s, disk_bytes) = fill(&folder, &queue, sessions, topics)?;
    let begun = Instant::now();
    let mut server = ours("disk", &folder.0, &[QUEUE])?;
    let ready_s = begun.elapsed().as_secs_f64();
    let resident = resident_bytes(server.pid())?;
    let drain = ["queued", "--sessions=100", &queue, "--drain"];
    let drained = load(Profile::Release, server.address("mqtt")?, server.pid(), &drain)?;
    server.stop()?;
    let growth = drained["drain_peak_bytes"].as_f64();
    let report = json!({ "scenario": "restart", "queued_messages": messages, "sessions": sessions,
        "retained_topics": topics, "disk_bytes": disk_bytes, "stored_s": stored_s, "ready_s": ready_s,
        "ready_reached": ready_s < READY_MARK_S, "resident_bytes": resident,
        "drain_wall_s": drained["drain_wall_s"], "drain_cpu_us": drained["drain_cpu_us"],
        "drain_growth_bytes": growth, "drain_reached": growth.map(|growth| growth < DRAIN_MARK_BYTES) });
    told(&report, as_json, &[("ready_s", READY_MARK_S), ("drain_growth_bytes", DRAIN_MARK_BYTES)]);
    Ok(())
}

/// Makes what is to be remembered; the seconds it took and the bytes on disk.
fn fill(folder: &Folder, queue: &str, sessions: u64, topics: u64) -> Result<(f64, u64), String> {
    let begun = Instant::now();
    let mut server = ours("disk", &folder.0, &[QUEUE])?;
    let address = server.address("mqtt")?.to_owned();
    let (sessions, topics) = (format!("--sessions={sessions}"), format!("--messages={topics}"));
    for flags in [
        &["queued", "--sessions=100", queue, "--publishers=100", "--window=100", "--keep"][..],
        &["sessions", &sessions],
        &["retained", &topics, "--keep"],
    ] {
        eprintln!("hexmq bench {}", flags.join(" "));
        load(Profile::Release, &address, server.pid(), flags)?;
    }
    server.stop()?;
    let files = fs::read_dir(folder.0.join("data/store")).map_err(|error| error.to_string())?;
    let sizes = files.flatten().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len());
    Ok((begun.elapsed().as_secs_f64(), sizes.sum()))
}

/// Resident memory of a process.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kibibytes: Option<u64> = line.trim().strip_suffix("kB").and_then(|size| size.trim().parse().ok());
    kibibytes.map(|size| size * 1024).ok_or_else(|| format!("process {pid} has no memory"))
}

/// `cargo xtask bench --stalled`.
pub(super) fn stalled(mut arguments: Arguments) -> Result<(), String> {
    let as_json = arguments.switch("--json");
    arguments.finish()?;
    super::build()?;
    for mode in ["disk", "memory"] {
        let folder = Folder::new("stalled")?;
        let mut server = ours(mode, &folder.0, &[])?;
        let mut report = load(Profile::Release, server.address("mqtt")?, server.pid(), &["stalled"])?;
        server.stop()?;
        report["durability"] = mode.into();
        told(&report, as_json, &[]);
    }
    Ok(())
}

/// Prints a report, and the marks where there are some.
fn told(report: &Value, as_json: bool, marks: &[(&str, f64)]) {
    if as_json {
        println!("{report}");
        return;
    }
    println!();
    for (name, value) in report.as_object().into_iter().flatten() {
        let mark = marks.iter().find(|(marked, _)| marked == name);
        let mark = mark.map_or_else(String::new, |(_, mark)| format!("   mark: {mark}"));
        println!("{name:<30} {:>14}{mark}", value.to_string());
    }
}
