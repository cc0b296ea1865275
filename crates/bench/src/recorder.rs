//! What the flight recorder costs: CPU time of a server for each message while nobody is watched,
//! while one client among many is, and while all are; optionally beside another build of the server.
//!
//! Each measurement has a server of its own, and the subjects take turns, so that what else the machine does
//! meets all of them alike. The load is `hexmq bench`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// What is compared, and under which load.
#[derive(Debug, clap::Args)]
pub(crate) struct Recorder {
    /// The server to measure: a release build of hexmq
    #[arg(long, value_name = "HEXMQ")]
    server: PathBuf,
    /// Another build to measure beside it: one without the recorder, for instance
    #[arg(long, value_name = "HEXMQ")]
    against: Option<PathBuf>,
    /// Arguments of `hexmq bench`. Repeatable
    #[arg(long, value_name = "LOAD", default_values = ["pairs --clients 500", "fan-in", "connect"])]
    load: Vec<String>,
    /// Measurements of each; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
}

/// Who is watched.
#[derive(Clone, Copy, Debug)]
enum Watched {
    Nobody,
    /// One client of the load.
    One,
    Everybody,
}

impl Watched {
    /// The rule for `POST /api/v1/recorder/watches`.
    fn rule(self, load: &str) -> Option<String> {
        let scenario = load.split_whitespace().next().unwrap_or_default();
        match self {
            Watched::Nobody => None,
            Watched::One => Some(format!("{{\"client_id\":\"bench-{scenario}-0\"}}")),
            Watched::Everybody => Some("{\"address\":\"127.0.0.1\"}".to_owned()),
        }
    }
}

impl Recorder {
    /// Measures, and returns a table.
    pub(crate) fn run(&self) -> Result<String, String> {
        let mut subjects = vec![
            ("nobody is watched", self.server.as_path(), Watched::Nobody),
            ("one client is watched", self.server.as_path(), Watched::One),
            ("everybody is watched", self.server.as_path(), Watched::Everybody),
        ];
        if let Some(against) = &self.against {
            subjects.insert(0, ("the other build", against.as_path(), Watched::Nobody));
        }
        let mut table = String::from("CPU µs each, median (least to most)\n");
        for load in &self.load {
            let mut measured: Vec<Vec<f64>> = vec![Vec::new(); subjects.len()];
            for round in 0..self.rounds as usize {
                // Whoever is first in one round is last in the next.
                for n in (0..subjects.len()).map(|n| (n + round) % subjects.len()) {
                    if let (Some((_, server, watched)), Some(figures)) =
                        (subjects.get(n), measured.get_mut(n))
                    {
                        figures.push(measure(server, &self.server, load, *watched)?);
                    }
                }
            }
            // Writing to a `String` cannot fail.
            let _ = writeln!(table, "\n{load}");
            for ((name, ..), mut figures) in subjects.iter().zip(measured) {
                figures.sort_by(f64::total_cmp);
                let at = |n: usize| figures.get(n).copied().unwrap_or(f64::NAN);
                let (least, most) = (at(0), at(figures.len().saturating_sub(1)));
                let _ = writeln!(
                    table,
                    "  {name:<24} {:>8.3}   ({least:.3} to {most:.3})",
                    at(figures.len() / 2)
                );
            }
        }
        Ok(table)
    }
}

/// One server, one load: CPU time for each message or connection, in microseconds.
fn measure(server: &Path, loader: &Path, load: &str, watched: Watched) -> Result<f64, String> {
    let running = Running::start(server)?;
    if let Some(rule) = watched.rule(load) {
        running.watch(&rule)?;
    }
    let (_, port) = running.mqtt.rsplit_once(':').ok_or("the server printed no port")?;
    let output = Command::new(loader)
        .arg("bench")
        .args(load.split_whitespace())
        .args(["--json", "--port", port, "--pid", &running.child.id().to_string()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", loader.display()))?;
    if !output.status.success() {
        return Err(format!("`hexmq bench {load}` failed"));
    }
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let figures = report.as_object().ok_or("the load printed no object")?;
    let figure = figures.iter().find(|(name, _)| name.starts_with("cpu_us_per"));
    figure.and_then(|(_, value)| value.as_f64()).ok_or_else(|| format!("`{load}` tells no CPU time"))
}

/// A server that is killed when this is dropped.
struct Running {
    child: Child,
    mqtt: String,
    http: String,
}

impl Running {
    fn start(server: &Path) -> Result<Running, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", server.display());
        let mut child = Command::new(server)
            .args(["serve", "--listen", "mqtt://127.0.0.1:0", "--http", "127.0.0.1:0", "--shards", "1"])
            .args(["--ephemeral", "--admin-password", "pw", "--log", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut running = Running { child, mqtt: String::new(), http: String::new() };
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(failed)?;
            if line == "ready" {
                return Ok(running);
            }
            if let Some(address) = line.strip_prefix("listening mqtt://") {
                address.clone_into(&mut running.mqtt);
            } else if let Some(address) = line.strip_prefix("listening http://") {
                address.clone_into(&mut running.http);
            }
        }
        Err(format!("{} ended before it was ready", server.display()))
    }

    fn watch(&self, rule: &str) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("http://{}: {error}", self.http);
        let mut stream = TcpStream::connect(&self.http).map_err(failed)?;
        // admin:pw
        let head = "POST /api/v1/recorder/watches HTTP/1.0\r\nAuthorization: Basic YWRtaW46cHc=\r\n\
                    Content-Type: application/json";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{rule}", rule.len()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        if answer.split(' ').nth(1) == Some("201") { Ok(()) } else { Err(answer) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
