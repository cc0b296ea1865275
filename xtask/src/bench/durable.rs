//! What durability costs: the same load on our server that syncs before it acknowledges and on one that keeps
//! nothing, beside the disk alone, mosquitto with a snapshot after every change, and RabbitMQ.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::peer::{Mosquitto, Rabbit};
use super::subject::load;
use crate::arguments::Arguments;
use crate::command::{command, output};
use crate::place::{self, Profile};
use crate::server::Server;

/// Messages on their way at once: 100 publishers with a window of 16.
const ON_THE_WAY: f64 = 1600.0;
/// About what one of them takes in the log.
const RECORD_BYTES: u32 = 120;
/// Of the acknowledged messages per second of `memory`.
const RATE_MARK: f64 = 0.5;
/// So near to the disk's own limit counts as having reached it.
const LIMIT_MARK: f64 = 0.8;
/// Times the CPU time per message of `memory`.
const CPU_MARK: f64 = 2.5;

/// A load.
struct Case {
    name: &'static str,
    flags: &'static [&'static str],
    rate: &'static str,
    cpu: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "into sessions off line",
        flags: &["queued", "--sessions=100", "--messages=2000", "--publishers=100", "--window=16"],
        rate: "acknowledged_per_s",
        cpu: "store_cpu_us",
    },
    Case {
        name: "through sessions on line",
        flags: &["pairs", "--clients=100", "--qos=1", "--window=16", "--messages=200000", "--durable"],
        rate: "messages_per_s",
        cpu: "cpu_us_per_message",
    },
];

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Ours(&'static str),
    Mosquitto,
    Rabbit,
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Subject::Ours(mode) => mode,
            Subject::Mosquitto => "mosquitto",
            Subject::Rabbit => "rabbitmq",
        }
    }

    fn measure(self, flags: &[&str]) -> Result<Value, String> {
        match self {
            Subject::Ours(mode) => {
                let folder = Folder::new(mode)?;
                let mut server = ours(mode, &folder.0, &[])?;
                let result = load(Profile::Release, server.address("mqtt")?, server.pid(), flags)?;
                server.stop()?;
                Ok(result)
            }
            Subject::Mosquitto => {
                let folder = Folder::new("mosquitto")?;
                let server = Mosquitto::start(Some(&folder.0))?;
                load(Profile::Release, &server.address, server.pid(), flags)
            }
            Subject::Rabbit => {
                let folder = Folder::new("rabbitmq")?;
                let server = Rabbit::start(&folder.0)?;
                load(Profile::Release, &server.address, server.pid(), flags)
            }
        }
    }
}

/// A folder on the disk of the repository, for one run.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Result<Folder, String> {
        let path = place::tools().join(format!("durable-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Our server with two shards and its data in this folder.
pub(super) fn ours(mode: &str, folder: &std::path::Path, more: &[&str]) -> Result<Server, String> {
    let mut arguments: Vec<String> =
        ["--listen=mqtt://127.0.0.1:0", "--http=off", "--log=warn", "--shards=2"].map(str::to_owned).to_vec();
    arguments.push(format!("--durability={mode}"));
    arguments.push(format!("--data={}", folder.join("data").display()));
    arguments.extend(more.iter().map(|&word| word.to_owned()));
    Server::start(&place::program("hexmq", Profile::Release), &arguments, &folder.join("server.log"))
}

/// `cargo xtask bench --durable`.
pub(super) fn run(mut arguments: Arguments) -> Result<(), String> {
    let as_json = arguments.switch("--json");
    let with_rabbit = arguments.switch("--rabbitmq");
    let rounds = arguments.number("--rounds", 3)?.max(1);
    arguments.finish()?;
    super::build()?;
    let mut subjects = vec![Subject::Ours("memory"), Subject::Ours("process"), Subject::Ours("disk")];
    subjects.extend(super::mosquitto_version().map(|_| Subject::Mosquitto));
    subjects.extend(with_rabbit.then_some(Subject::Rabbit));
    let mut syncs = Vec::new();
    let mut rows: Vec<Row> =
        CASES.iter().flat_map(|case| subjects.iter().map(move |&subject| Row::new(case, subject))).collect();
    let mut failures = Vec::new();
    for round in 1..=rounds {
        syncs.extend(disk_alone()?["syncs_per_s"].as_f64());
        for row in &mut rows {
            eprintln!("round {round} of {rounds}: {}, {}", row.case.name, row.subject.name());
            match row.subject.measure(row.case.flags) {
                Ok(report) => {
                    row.rates.extend(report[row.case.rate].as_f64());
                    row.cpu.extend(report[row.case.cpu].as_f64());
                }
                Err(error) => failures.push(format!("{}: {error}", row.subject.name())),
            }
        }
    }
    let limit = median(&syncs) * ON_THE_WAY;
    if as_json {
        let rows: Vec<Value> = rows.iter().map(|row| row.as_json(&rows, limit)).collect();
        println!("{}", json!({ "rounds": rounds, "disk_limit_per_s": limit, "figures": rows }));
    } else {
        print(&rows, rounds, limit);
    }
    failures.iter().for_each(|failure| eprintln!("{failure}"));
    if failures.is_empty() { Ok(()) } else { Err(format!("{} runs failed", failures.len())) }
}

/// What the disk does when a log appends all that is on its way and syncs.
fn disk_alone() -> Result<Value, String> {
    let folder = Folder::new("disk")?;
    let batch = (ON_THE_WAY as u32 * RECORD_BYTES).to_string();
    let mut alone = command(place::program("hexmq-bench", Profile::Release));
    let printed = output(alone.arg("disk").arg("--folder").arg(&folder.0).args(["--batch", &batch]))?;
    serde_json::from_str(&printed).map_err(|error| format!("hexmq-bench disk printed {printed:?}: {error}"))
}

/// One load on one server.
struct Row {
    case: &'static Case,
    subject: Subject,
    rates: Vec<f64>,
    cpu: Vec<f64>,
}

impl Row {
    fn new(case: &'static Case, subject: Subject) -> Row {
        Row { case, subject, rates: Vec::new(), cpu: Vec::new() }
    }

    /// Rate and CPU time against those of `memory` under the same load.
    fn ratios(&self, rows: &[Row]) -> Option<(f64, f64)> {
        let is_memory =
            |row: &&Row| row.subject == Subject::Ours("memory") && row.case.name == self.case.name;
        let memory = rows.iter().find(is_memory)?;
        Some((median(&self.rates) / median(&memory.rates), median(&self.cpu) / median(&memory.cpu)))
    }

    /// Whether rate and CPU time reach their marks; only of `disk`.
    fn reached(&self, rows: &[Row], limit: f64) -> Option<(bool, bool)> {
        let (rate, cpu) = self.ratios(rows).filter(|_| self.subject == Subject::Ours("disk"))?;
        Some((rate >= RATE_MARK || median(&self.rates) >= LIMIT_MARK * limit, cpu <= CPU_MARK))
    }

    fn as_json(&self, rows: &[Row], limit: f64) -> Value {
        let (rate, cpu) = self.ratios(rows).unzip();
        let (rate_reached, cpu_reached) = self.reached(rows, limit).unzip();
        json!({ "case": self.case.name, "server": self.subject.name(), "load": self.case.flags.join(" "),
            "acknowledged_per_s": median(&self.rates), "cpu_us_per_message": median(&self.cpu),
            "rate_to_memory": rate, "cpu_to_memory": cpu,
            "rate_reached": rate_reached, "cpu_reached": cpu_reached })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(rows: &[Row], rounds: u64, limit: f64) {
    println!("\nmedians of {rounds} rounds; QoS 1, 64 bytes, 100 publishers, window 16; two shards");
    println!("the disk alone, {ON_THE_WAY} messages to a sync: {limit:.0} messages/s");
    println!(
        "* reached: {RATE_MARK} of the messages/s of memory or {LIMIT_MARK} of the disk alone; {CPU_MARK} times its CPU time\n"
    );
    println!(
        "{:<26} {:<10} {:>12} {:>10} {:>10} {:>10}",
        "", "", "messages/s", "of memory", "CPU µs", "of memory"
    );
    for row in rows {
        let (rate, cpu) = row.ratios(rows).unwrap_or((f64::NAN, f64::NAN));
        let (good_rate, good_cpu) = row.reached(rows, limit).unwrap_or_default();
        let star = |good: bool| if good { "*" } else { "" };
        println!(
            "{:<26} {:<10} {:>12.0} {:>10} {:>10.2} {:>10}",
            row.case.name,
            row.subject.name(),
            median(&row.rates),
            format!("{rate:.2}{}", star(good_rate)),
            median(&row.cpu),
            format!("{cpu:.2}{}", star(good_cpu)),
        );
    }
    for case in CASES {
        println!("\n{}: hexmq bench {} --pid PID", case.name, case.flags.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: Subject, rate: f64, cpu: f64) -> Row {
        Row { rates: vec![rate], cpu: vec![cpu], ..Row::new(&CASES[0], subject) }
    }

    #[test]
    fn the_mark_is_half_of_memory_or_the_disk_itself() {
        let memory = row(Subject::Ours("memory"), 100_000.0, 2.0);
        for (rate, cpu, limit, reached) in [
            (60_000.0, 4.0, 1e9, (true, true)),
            (40_000.0, 4.0, 1e9, (false, true)),
            (40_000.0, 5.1, 45_000.0, (true, false)),
        ] {
            let rows = [row(Subject::Ours("memory"), 100_000.0, 2.0), row(Subject::Ours("disk"), rate, cpu)];
            assert_eq!(rows[1].reached(&rows, limit), Some(reached));
        }
        assert_eq!(memory.reached(&[], 1.0), None);
        let rows = [memory, row(Subject::Mosquitto, 1.0, 1.0)];
        assert_eq!(rows[1].reached(&rows, 1.0), None);
    }
}
