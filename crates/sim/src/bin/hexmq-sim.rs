//! Runs the simulation: `hexmq-sim --seeds 10000`, or one seed again with `--seed 7`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hexmq_sim::world::{Failure, Report, Scale, run, shorten};

const USAGE: &str = "usage: hexmq-sim [--seeds N] [--from X] [--seed X] [--clients C] [--actions A]

  --seeds N    run N seeds (default 1000)
  --from X     the first of them (default 0)
  --seed X     run this one
  --clients C  at most so many clients
  --actions A  at most so many random actions";

/// Failing seeds shown; more say nothing new.
const SHOWN: usize = 3;

struct Arguments {
    first: u64,
    count: u64,
    scale: Scale,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic inside a run is a finding of that run and printed with it.
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let found: Mutex<(Report, Vec<Failure>)> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&arguments, &next, &found));
        }
    });
    let (report, mut failures) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    let count = arguments.count.min(next.load(Ordering::Relaxed));
    let Report { happenings, published, delivered, connections, wills, uplinks, downlinks } = report;
    println!(
        "{count} seeds in {:.1} s: {happenings} happenings, {connections} connections, {published} messages \
         published, {delivered} delivered, {wills} Wills, {uplinks} uplinks, {downlinks} downlinks; {} failed",
        started.elapsed().as_secs_f64(),
        failures.len(),
    );
    for failure in &failures {
        println!("{}", failure.what);
    }
    for failure in failures.iter().take(SHOWN) {
        println!("\n{}", shorten(failure.clone()));
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(arguments: &Arguments, next: &AtomicU64, found: &Mutex<(Report, Vec<Failure>)>) {
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        if place >= arguments.count {
            return;
        }
        let result = run(arguments.first + place, arguments.scale);
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(report) => found.0.add(&report),
            Err(failure) => found.1.push(*failure),
        }
        if found.1.len() >= 20 {
            // Enough to look at.
            next.fetch_max(arguments.count, Ordering::Relaxed);
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { first: 0, count: 1000, scale: Scale::default() };
    while let Some(word) = words.next() {
        if word == "--help" {
            return Err(String::new());
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
        let number: u64 = value.parse().map_err(|_| format!("{value} is not a number"))?;
        match word.as_str() {
            "--seeds" => arguments.count = number,
            "--from" => arguments.first = number,
            "--seed" => (arguments.first, arguments.count) = (number, 1),
            "--clients" => arguments.scale.clients = Some(number as usize),
            "--actions" => arguments.scale.actions = Some(number as usize),
            _ => return Err(format!("unknown: {word}")),
        }
    }
    Ok(arguments)
}
