//! The device cloud under load: thousands of simulated devices that post, while its API is asked; and whether
//! plain clients are as fast with devices beside them as without.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::durable::Folder;
use super::runs::median;
use super::subject::load;
use crate::arguments::Arguments;
use crate::command::{command, output};
use crate::place::{self, Profile};
use crate::server::Server;

/// Milliseconds in which the API answers 99 of 100 questions.
const API_P99_MARK_MS: f64 = 50.0;
/// Longer than any answer.
const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "workshop";
const PRODUCT: &str = "a1BenchPk01";

/// `cargo xtask bench --cloud`.
pub(super) fn run(mut arguments: Arguments) -> Result<(), String> {
    let as_json = arguments.switch("--json");
    let devices = arguments.number("--devices", 10_000)?;
    let seconds = arguments.number("--seconds", 60)?;
    let questions = arguments.number("--questions", 20)?.max(1);
    let dialect = arguments.value("--dialect")?.unwrap_or_else(|| "aliyun".to_owned());
    arguments.finish()?;
    super::build()?;
    let folder = Folder::new("cloud")?;
    let mut server = serve(&folder)?;
    let site = Site::of(&server)?;
    let flags = |more: &[&str]| -> Vec<String> {
        let host = ["-h", "127.0.0.1", "-p", &site.port, "--dialect", &dialect, "--product", PRODUCT];
        let url = format!("http://{}", site.http);
        let registered =
            ["--provision", "--url", &url, "--admin-password", PASSWORD, "--device", "bench-{n}"];
        host.iter().chain(&registered).chain(more).map(|flag| (*flag).to_owned()).collect()
    };
    // Plain clients, on a server that knows of no device and has nothing of theirs to write any more.
    let (cpu_us_before, messages_per_s_before) = plain(&site, &server)?;
    // Registers all of them first, so that what is measured is devices at work.
    eprintln!("registering {devices} {dialect} devices");
    let count = devices.to_string();
    let begun = Instant::now();
    simulate(&flags(&["-n", &count, "--for", "1s", "--every", "1h", "--json"]), true)?;
    let registered_s = begun.elapsed().as_secs_f64();
    eprintln!("{devices} devices post every 10 s for {seconds} s, {questions} questions a second");
    let asker = Asker::start(&site.http, questions, devices);
    let (length, pid) = (format!("{seconds}s"), server.pid().to_string());
    let busy = ["-n", &count, "--for", &length, "--every", "10s", "--ramp", "5s", "--json", "--pid", &pid];
    let simulated = simulate(&flags(&busy), false);
    let asked = asker.stop()?;
    let simulated = simulated?;
    // Plain clients, while the devices are registered and away.
    let (cpu_us_after, messages_per_s_after) = plain(&site, &server)?;
    let resident = super::restart::resident_bytes(server.pid())?;
    server.stop()?;
    let p99 = asked["p99_ms"].as_f64().unwrap_or(f64::INFINITY);
    let cpu_us_per_post = simulated["server_cpu_ms"].as_f64().zip(simulated["sent"].as_f64());
    let cpu_us_per_post =
        cpu_us_per_post.filter(|(_, sent)| *sent > 0.0).map(|(ms, sent)| ms * 1000.0 / sent);
    let report = json!({ "scenario": "cloud", "dialect": dialect, "devices": devices, "registered_s": registered_s,
        "api": asked, "api_p99_mark_ms": API_P99_MARK_MS, "api_reached": p99 < API_P99_MARK_MS, "simulated": simulated,
        "cpu_us_per_post": cpu_us_per_post,
        "server_resident_bytes": resident,
        "plain_cpu_us_before": cpu_us_before, "plain_cpu_us_after": cpu_us_after,
        "plain_messages_per_s_before": messages_per_s_before,
        "plain_messages_per_s_after": messages_per_s_after });
    let shown = if as_json { report.to_string() } else { told(&report, "") };
    println!("{shown}");
    Ok(())
}

/// What plain clients do.
const PAIRS: &[&str] = &["pairs", "--clients=50", "--messages=200000"];
/// So often: one run with a second thread of the server, or without, differs much from another.
const PAIRS_RUNS: usize = 5;

/// CPU µs per message and messages per second of plain clients, medians.
fn plain(site: &Site, server: &Server) -> Result<(Option<f64>, Option<f64>), String> {
    let (mut cpu_us, mut per_s) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS_RUNS {
        let report = load(Profile::Release, &site.mqtt, server.pid(), PAIRS)?;
        cpu_us.extend(report["cpu_us_per_message"].as_f64());
        per_s.extend(report["messages_per_s"].as_f64());
    }
    Ok((median(&cpu_us), median(&per_s)))
}

fn serve(folder: &Folder) -> Result<Server, String> {
    let arguments = [
        "--listen=mqtt://127.0.0.1:0".to_owned(),
        "--http=127.0.0.1:0".to_owned(),
        format!("--admin-password={PASSWORD}"),
        "--log=warn".to_owned(),
        format!("--data={}", folder.0.join("data").display()),
    ];
    Server::start(&place::program("hexmq", Profile::Release), &arguments, &folder.0.join("server.log"))
}

/// Where the server is.
struct Site {
    mqtt: String,
    port: String,
    http: String,
}

impl Site {
    fn of(server: &Server) -> Result<Site, String> {
        let mqtt = server.address("mqtt")?.to_owned();
        let port = mqtt.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(Site { mqtt, port, http: server.address("http")?.to_owned() })
    }
}

/// Runs the simulation; its report. It ends with an error where a device was refused or a post got lost, which
/// the run that only registers may do with its last posts.
fn simulate(flags: &[String], is_lenient: bool) -> Result<Value, String> {
    let mut simulation = command(place::program("hexmq", Profile::Release));
    simulation.arg("simulate").args(flags);
    if is_lenient {
        let ended = simulation.output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&ended.stderr);
        return serde_json::from_slice(&ended.stdout).map_err(|error| format!("{error}: {said}"));
    }
    let printed = output(&mut simulation)?;
    serde_json::from_str(&printed).map_err(|error| format!("hexmq simulate printed {printed:?}: {error}"))
}

/// Asks the API at a fixed rate until it is stopped.
struct Asker {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Result<Vec<f64>, String>>,
}

impl Asker {
    fn start(http: &str, per_second: u64, devices: u64) -> Asker {
        let stop = Arc::new(AtomicBool::new(false));
        let (until, address) = (Arc::clone(&stop), http.to_owned());
        let thread = thread::spawn(move || ask(&address, per_second, devices, &until));
        Asker { stop, thread }
    }

    fn stop(self) -> Result<Value, String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().map_err(|_| "the asker broke".to_owned())??;
        times.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
            times.get(index).map(|time| (time * 1000.0).round() / 1000.0)
        };
        Ok(json!({ "questions": times.len(), "p50_ms": quantile(0.5), "p90_ms": quantile(0.9),
            "p99_ms": quantile(0.99), "max_ms": times.last() }))
    }
}

/// The questions of a console and of applications: one after the other, each about another device.
fn ask(address: &str, per_second: u64, devices: u64, until: &AtomicBool) -> Result<Vec<f64>, String> {
    let period = Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(u32::MAX);
    let begun = Instant::now();
    let mut times = Vec::new();
    while !until.load(Ordering::Relaxed) {
        let number = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let path = question(number, devices);
        // From when it was due: a late answer makes the next question late, and that counts.
        let due = begun + period * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        get(address, &path)?;
        times.push(due.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// What is asked with this number.
fn question(number: u32, devices: u64) -> String {
    let base = format!("/api/v1/products/{PRODUCT}/devices");
    let device = format!("{base}/bench-{}", 1 + u64::from(number) * 7919 % devices.max(1));
    match number % 5 {
        0 => format!("{device}/properties"),
        1 => device,
        2 => format!("{device}/history?limit=100"),
        3 => format!("{base}?limit=50"),
        _ => "/api/v1/status".to_owned(),
    }
}

fn get(address: &str, path: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("GET {path}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    // admin:workshop
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Basic YWRtaW46d29ya3Nob3A=\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(failed)?;
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    answer.read_line(&mut status).map_err(failed)?;
    let mut body = Vec::new();
    answer.read_to_end(&mut body).map_err(failed)?;
    if status.contains(" 200 ") {
        return Ok(());
    }
    Err(format!("GET {path}: {} {}", status.trim_end(), String::from_utf8_lossy(&body)))
}

/// The report for people.
fn told(report: &Value, prefix: &str) -> String {
    let mut text = String::new();
    for (name, value) in report.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => text.push_str(&told(value, &format!("{prefix}{name}."))),
            other => {
                let _ = writeln!(text, "{:<40} {other}", format!("{prefix}{name}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn only_devices_that_there_are_are_asked_for_and_most_of_them() {
        for devices in [1, 7, 1_000, 10_000] {
            let asked: HashSet<u64> = (0..40_000)
                .filter_map(|number| {
                    question(number, devices).split("/bench-").nth(1)?.split('/').next()?.parse().ok()
                })
                .collect();
            assert!(asked.iter().all(|device| (1..=devices).contains(device)));
            assert!(2 * asked.len() as u64 > devices, "{} of {devices}", asked.len());
        }
    }
}
