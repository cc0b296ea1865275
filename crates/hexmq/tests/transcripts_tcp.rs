//! Every transcript that needs no simulated time, played against the real server over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_stage;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use hexmq_notation::{Action, Case, Origin};
use hexmq_sim::transcript::{Failure, play, read_all};
use tcp_stage::{Server, Tcp, Wish, outer_address};

/// Longer waits are left to simulated time.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Cases a server gets at most, so that several servers share the work.
const JOB_MAX: usize = 80;
/// Jobs played at once; most of their time is waiting.
const PLAYERS: usize = 6;

/// Cases for one server, one after the other.
struct Job {
    wish: Wish,
    cases: Vec<(String, Case)>,
}

/// Why a case is left out; `None`: it is played.
fn left_out(case: &Case) -> Option<&'static str> {
    let long = |action: &Action| matches!(action, Action::Wait(time) if *time > WAIT_MAX);
    let remote = |action: &Action| matches!(action, Action::Open { origin: Origin::Remote, .. });
    let any = |wanted: &dyn Fn(&Action) -> bool| case.steps.iter().any(|step| wanted(&step.action));
    if case.head.core_only {
        Some("need the core")
    } else if case.head.slow || any(&long) {
        Some("jump in time")
    } else if any(&remote) && outer_address().is_none() {
        Some("need a network")
    } else {
        None
    }
}

/// Whether a case must have a server of its own: it stops it, or waits while others could play.
fn stands_alone(case: &Case) -> bool {
    case.steps.iter().any(|step| matches!(step.action, Action::StopServer | Action::Wait(_)))
}

fn jobs() -> (Vec<Job>, BTreeMap<&'static str, usize>) {
    let transcripts =
        read_all().unwrap_or_else(|errors| panic!("transcripts that cannot be read:\n{errors}"));
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut shared: BTreeMap<Wish, Vec<(String, Case)>> = BTreeMap::new();
    let mut jobs = Vec::new();
    let mut skipped = BTreeMap::new();
    for transcript in transcripts {
        for case in transcript.cases {
            if !format!("{}: {}", transcript.file, case.name).contains(&wanted) {
                continue;
            }
            if let Some(why) = left_out(&case) {
                *skipped.entry(why).or_default() += 1;
                continue;
            }
            let wish = Wish::of(&case.head);
            let alone = stands_alone(&case);
            let named = (transcript.file.clone(), case);
            if alone {
                jobs.push(Job { wish, cases: vec![named] });
            } else {
                shared.entry(wish).or_default().push(named);
            }
        }
    }
    for (wish, cases) in shared {
        jobs.extend(cases.chunks(JOB_MAX).map(|cases| Job { wish: wish.clone(), cases: cases.to_vec() }));
    }
    (jobs, skipped)
}

/// Plays the cases of a job. A server that could not be cleaned is replaced.
fn play_job(job: &Job) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut server = None;
    for (file, case) in &job.cases {
        let running = match server.take().map_or_else(|| Server::start(&job.wish), Ok) {
            Ok(running) => running,
            Err(message) => {
                failures.push(Failure::before(file, case, message));
                continue;
            }
        };
        let mut stage = Tcp::new(&running);
        let played = play(file, case, &mut stage);
        let clean = stage.clean(&job.wish).is_ok();
        if clean && played.is_ok() {
            server = Some(running);
        }
        failures.extend(played.err());
    }
    failures
}

#[test]
fn all_transcripts_play_against_the_server() {
    let (jobs, skipped) = jobs();
    let played: usize = jobs.iter().map(|job| job.cases.len()).sum();
    let failures = Mutex::new(Vec::new());
    let queue = Mutex::new(jobs.iter());
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                loop {
                    let Some(job) = queue.lock().unwrap().next() else { return };
                    failures.lock().unwrap().extend(play_job(job));
                }
            });
        }
    });
    println!("{played} cases on {} servers; left out: {skipped:?}", jobs.len());
    let mut failures: Vec<String> = failures.into_inner().unwrap().iter().map(Failure::to_string).collect();
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {played} cases failed:\n\n{}\n",
        failures.len(),
        failures.join("\n\n")
    );
    assert!(played > 0 || !skipped.is_empty(), "no case is named like that");
}
