//! Builds the micro benches and lets callgrind count, several at once.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use crate::command::{cargo, command, output};

/// Package and bench. The first scenario of the first bench sets up a million filters, which takes longest.
const BENCHES: &[(&str, &str)] = &[
    ("hexmq-broker", "look_up"),
    ("hexmq-broker", "route"),
    ("hexmq-session", "window"),
    ("hexmq-wire", "packets"),
];

/// The function of the benches inside which callgrind counts; what sets the stage is left out.
const COUNTED: &str = "--toggle-collect=*scenario*measured*";

/// A scenario and its instructions per operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Count {
    /// `bench/scenario`.
    pub(super) name: String,
    /// Instructions per operation.
    pub(super) instructions: f64,
}

/// A scenario to be counted.
pub(super) struct Job {
    program: PathBuf,
    bench: &'static str,
    scenario: String,
    pub(super) operations: u64,
}

/// Counts the scenarios whose name holds `only`, in the order of the benches.
pub(super) fn count(only: &str) -> Result<Vec<Count>, String> {
    at_once(&jobs(only)?)
}

/// The scenarios whose name holds `only`, their programs built.
pub(super) fn jobs(only: &str) -> Result<Vec<Job>, String> {
    let mut jobs = Vec::new();
    for (bench, program) in build()? {
        let listed = output(command(&program).arg("--list"))?;
        for line in listed.lines() {
            let Some((scenario, operations)) = line.split_once(' ') else {
                return Err(format!("{bench} --list: not `NAME OPERATIONS`: {line}"));
            };
            let operations =
                operations.parse().map_err(|_| format!("{bench} --list: not a number: {line}"))?;
            jobs.push(Job { program: program.clone(), bench, scenario: scenario.to_owned(), operations });
        }
    }
    jobs.retain(|job| job.name().contains(only));
    if jobs.is_empty() {
        return Err(format!("no scenario has {only:?} in its name"));
    }
    Ok(jobs)
}

/// As many at once as there are processors.
fn at_once(jobs: &[Job]) -> Result<Vec<Count>, String> {
    let next = Mutex::new(jobs.iter().enumerate());
    let counts = Mutex::new(vec![None; jobs.len()]);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                loop {
                    let Some((place, job)) = next.lock().ok().and_then(|mut next| next.next()) else {
                        return;
                    };
                    let counted = job.run(Path::new("/dev/null"));
                    if let Some(count) = counts.lock().ok().as_mut().and_then(|counts| counts.get_mut(place))
                    {
                        *count = Some(counted);
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().map_err(|_| "a thread that counts has panicked")?;
    let counts = counts.into_iter().map(|count| count.unwrap_or_else(|| Err("not counted".to_owned())));
    jobs.iter().zip(counts).map(|(job, count)| Ok(Count { name: job.name(), instructions: count? })).collect()
}

/// Release programs of the benches.
fn build() -> Result<Vec<(&'static str, PathBuf)>, String> {
    println!("    building {} benches", BENCHES.len());
    let mut build = cargo();
    build.args(["bench", "--quiet", "--locked", "--no-run", "--message-format=json-render-diagnostics"]);
    for (package, bench) in BENCHES {
        build.args(["--package", package, "--bench", bench]);
    }
    let messages = output(&mut build)?;
    let built: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    BENCHES
        .iter()
        .map(|&(_, bench)| {
            let program = built.iter().find(|message| message["target"]["name"] == bench);
            let program = program.and_then(|message| message["executable"].as_str());
            Ok((bench, program.ok_or_else(|| format!("cargo did not say where {bench} is"))?.into()))
        })
        .collect()
}

impl Job {
    /// `bench/scenario`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.bench, self.scenario)
    }

    /// Instructions per operation; `profile` is where callgrind leaves the rest of what it knows.
    pub(super) fn run(&self, profile: &Path) -> Result<f64, String> {
        let (Some(folder), Some(file)) = (self.program.parent(), self.program.file_name()) else {
            return Err(format!("{} is no program", self.program.display()));
        };
        let mut valgrind = command("env");
        // Environment and arguments lie on the stack, and copies cost by where it ends: they are the same
        // everywhere.
        valgrind.args(["-i", "PATH=/usr/local/bin:/usr/bin:/bin", "valgrind", "--tool=callgrind", COUNTED]);
        valgrind.args(["--compress-strings=no", "--compress-pos=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
        valgrind.arg(Path::new(".").join(file));
        valgrind.args(["--once", &self.scenario, &self.operations.to_string()]).current_dir(folder);
        let output =
            valgrind.output().map_err(|error| format!("{}: cannot start valgrind: {error}", self.name()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        match collected(&said).filter(|_| output.status.success()) {
            Some(0) => Err(format!("{}: callgrind saw no function that fits {COUNTED}", self.name())),
            Some(collected) => Ok(collected as f64 / self.operations as f64),
            None => {
                Err(format!("{}: valgrind ended with {}\n{}", self.name(), output.status, said.trim_end()))
            }
        }
    }
}

/// The number in `==PID== Collected : NUMBER`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_among_what_valgrind_says() {
        let said = "==12== For interactive control\n==12==\n==12== Events    : Ir\n==12== Collected : 123456\n==12==\n";
        assert_eq!(collected(said), Some(123_456));
        assert_eq!(collected("==12== Process terminating\n"), None);
    }
}
