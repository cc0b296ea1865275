//! What a process takes: time, CPU time and memory, as Linux counts them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a reading took.
pub(super) struct Taken {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    pub(super) peak_kib: u64,
    pub(super) found: String,
}

/// Prints what this process took, for [`own`] to read.
pub(super) fn tell(wall: Duration, found: &str) {
    let (cpu, peak_kib) = (cpu_of("self").unwrap_or_default(), peak_of("self").unwrap_or_default());
    println!("{} {} {peak_kib} {found}", wall.as_nanos(), cpu.as_nanos());
}

/// Runs one of our own readings, which tells itself what it took.
pub(super) fn own(mut command: Command) -> Result<Taken, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    let line = String::from_utf8_lossy(&output.stdout);
    let mut words = line.trim().splitn(4, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let (Some(wall), Some(cpu), Some(peak_kib)) = (number(), number(), number()) else {
        return Err(format!("the reading failed: {}", output.status));
    };
    let found = words.next().unwrap_or_default().to_owned();
    Ok(Taken { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu), peak_kib, found })
}

/// Runs another program that prints a line per packet and is watched from outside.
pub(super) fn foreign(mut command: Command) -> Result<Taken, String> {
    const OFTEN: u64 = 1 << 12;
    let started = Instant::now();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| error.to_string())?;
    let pid = child.id().to_string();
    let mut taken = Taken { wall: Duration::ZERO, cpu: Duration::ZERO, peak_kib: 0, found: String::new() };
    let mut messages = 0_u64;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::with_capacity(1 << 16, stdout);
        let (mut line, mut lines) = (Vec::new(), 0_u64);
        while reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())? > 0 {
            messages +=
                line.split(|&byte| byte == b',').filter(|part| !part.trim_ascii().is_empty()).count() as u64;
            lines += 1;
            line.clear();
            if lines % OFTEN == 0 {
                taken.peak_kib = taken.peak_kib.max(peak_of(&pid).unwrap_or_default());
                taken.cpu = cpu_of(&pid).unwrap_or(taken.cpu);
            }
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    taken.wall = started.elapsed();
    taken.found = format!("{messages} MQTT packets");
    if status.success() { Ok(taken) } else { Err(status.to_string()) }
}

/// The most memory it had, in KiB.
fn peak_of(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time.
fn cpu_of(pid: &str) -> Option<Duration> {
    /// Ticks per second, the same on every Linux.
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may contain anything.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = words.next()?.parse().ok()?;
    let system: u64 = words.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1_000 / TICKS))
}
