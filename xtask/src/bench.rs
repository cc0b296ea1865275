//! Runs the load generator against our server and, where it is installed, against mosquitto: fresh
//! servers, rounds taken in turn, medians. And the check that 10,000 clients at once go well.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::command::{cargo, command, output, run as run_command};
use crate::place::{self, Profile};
use crate::server::Server;
use crate::steps::Outcome;

/// Which server is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Hexmq,
    Mosquitto,
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Subject::Hexmq => "hexmq",
            Subject::Mosquitto => "mosquitto",
        }
    }
}

/// `cargo xtask bench`.
pub(crate) fn run(mut arguments: Arguments) -> Result<(), String> {
    let as_json = arguments.switch("--json");
    let clients = arguments.number("--clients", 5000)?;
    let pairs = arguments.number("--pairs", 50)?;
    let messages = arguments.number("--messages", 200_000)?;
    let rounds = arguments.number("--rounds", 3)?.max(1);
    arguments.finish()?;
    run_command(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "hexmq",
        "--package",
        "hexmq-bench",
    ]))?;
    let mut subjects = vec![Subject::Hexmq];
    if mosquitto_version().is_some() {
        subjects.push(Subject::Mosquitto);
    }
    let mut scenarios =
        vec![("KiB per idle connection", vec!["idle".to_owned(), format!("--clients={clients}")])];
    for qos in 0..=2 {
        let name = ["µs per message, QoS 0", "µs per message, QoS 1", "µs per message, QoS 2"][qos];
        let flags = [format!("--pairs={pairs}"), format!("--messages={messages}"), format!("--qos={qos}")];
        scenarios.push((name, [vec!["pairs".to_owned()], flags.to_vec()].concat()));
    }
    let mut measured: BTreeMap<(usize, Subject), Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        for (index, (name, flags)) in scenarios.iter().enumerate() {
            for &subject in &subjects {
                let result = measure(subject, flags)?;
                let figure = figure(&result).ok_or_else(|| format!("no figure in {result}"))?;
                eprintln!("round {} of {rounds}: {name}: {} {figure:.2}", round + 1, subject.name());
                measured.entry((index, subject)).or_default().push(figure);
            }
        }
    }
    let figures =
        measured.into_iter().map(|((index, subject), runs)| (scenarios[index].0, subject, median(runs)));
    print(figures, as_json, rounds);
    Ok(())
}

fn figure(result: &Value) -> Option<f64> {
    let bytes = result["bytes_per_connection"].as_f64().map(|bytes| bytes / 1024.0);
    bytes.or_else(|| result["cpu_us_per_message"].as_f64())
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

fn print<'a>(figures: impl Iterator<Item = (&'a str, Subject, f64)>, as_json: bool, rounds: u64) {
    let mut lines = BTreeMap::<&str, Vec<(Subject, f64)>>::new();
    for (name, subject, figure) in figures {
        lines.entry(name).or_default().push((subject, figure));
    }
    if as_json {
        let medians: serde_json::Map<String, Value> = lines
            .iter()
            .map(|(name, figures)| {
                let by_server: serde_json::Map<_, _> = figures
                    .iter()
                    .map(|(subject, figure)| (subject.name().to_owned(), json!(figure)))
                    .collect();
                ((*name).to_owned(), Value::Object(by_server))
            })
            .collect();
        println!("{}", json!({ "rounds": rounds, "mosquitto": mosquitto_version(), "medians": medians }));
        return;
    }
    println!(
        "\nmedians of {rounds} rounds taken in turn, CPU of all threads of the server, every delivery checked"
    );
    for (name, figures) in lines {
        let shown: Vec<_> =
            figures.iter().map(|(subject, figure)| format!("{} {figure:>7.2}", subject.name())).collect();
        println!("    {name:<26} {}", shown.join("   "));
    }
}

fn mosquitto_version() -> Option<String> {
    let help = command("mosquitto").arg("-h").stderr(Stdio::null()).output().ok()?;
    String::from_utf8(help.stdout).ok()?.lines().next().map(str::to_owned)
}

/// One scenario on a fresh server.
fn measure(subject: Subject, flags: &[String]) -> Result<Value, String> {
    match subject {
        Subject::Hexmq => {
            let mut server = start(Profile::Release)?;
            let result = load(Profile::Release, server.address("mqtt")?, server.pid(), flags)?;
            server.stop().map(|()| result)
        }
        Subject::Mosquitto => {
            let server = Mosquitto::start()?;
            load(Profile::Release, &server.address, server.child.id(), flags)
        }
    }
}

fn start(profile: Profile) -> Result<Server, String> {
    let arguments = ["--listen=mqtt://127.0.0.1:0", "--http=off", "--log=warn"].map(str::to_owned);
    fs::create_dir_all(place::tools()).map_err(|error| error.to_string())?;
    Server::start(&place::program("hexmq", profile), &arguments, &place::tools().join("bench-server.log"))
}

fn load(profile: Profile, address: &str, pid: u32, flags: &[String]) -> Result<Value, String> {
    let mut generator = command(place::program("hexmq-bench", profile));
    generator.args(flags).args(["--address", address, "--pid", &pid.to_string()]);
    let printed = output(&mut generator)?;
    serde_json::from_str(&printed).map_err(|error| format!("hexmq-bench printed {printed:?}: {error}"))
}

/// `cargo xtask crowd`: release builds.
pub(crate) fn crowd(arguments: Arguments) -> Result<(), String> {
    run_command(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "hexmq",
        "--package",
        "hexmq-bench",
    ]))?;
    match crowd_of(arguments, Profile::Release)? {
        Outcome::Done(text) | Outcome::Skipped(text) => println!("{text}"),
    }
    Ok(())
}

/// Many clients at once, subscribed and publishing: nothing may go wrong.
pub(crate) fn crowd_of(mut arguments: Arguments, profile: Profile) -> Result<Outcome, String> {
    let clients = arguments.number("--clients", 10_000)?;
    arguments.finish()?;
    let mut server = start(profile)?;
    let flags = ["crowd".to_owned(), format!("--clients={clients}")];
    let result = load(profile, server.address("mqtt")?, server.pid(), &flags)?;
    server.stop()?;
    let count = |name: &str| result[name].as_u64().unwrap_or_default();
    let (delivered, bytes) = (count("delivered"), count("bytes_per_connection"));
    let text =
        format!("{clients} clients, {delivered} deliveries checked, {bytes} bytes per idle connection");
    Ok(Outcome::Done(text))
}

/// A mosquitto on a free port.
struct Mosquitto {
    child: Child,
    address: String,
}

impl Mosquitto {
    fn start() -> Result<Mosquitto, String> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = port.map_err(|error| format!("no free port: {error}"))?.to_string();
        let config = std::env::temp_dir().join(format!("hexmq-bench-{}.conf", std::process::id()));
        let port = address.rsplit(':').next().unwrap_or_default();
        // Without these bounds lifted it would drop messages that the run expects.
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        );
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let mut child = command("mosquitto")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start mosquitto: {error}"))?;
        let log = child.stderr.take();
        let server = Mosquitto { child, address };
        let (ready, waiting) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.into_iter().flat_map(|log| BufReader::new(log).lines()).map_while(Result::ok) {
                if line.ends_with(" running") {
                    let _ = ready.send(());
                }
            }
        });
        let started = waiting.recv_timeout(Duration::from_secs(10));
        let _ = fs::remove_file(&config);
        started.map(|()| server).map_err(|_| "mosquitto did not start".to_owned())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
