//! `hexmq-fuzz smoke [--mutations N] [--seed S] [TARGET…]`: every target over its seeds and over
//! inputs made from them. Exit code 0 clean, 1 a promise is broken (the input is printed in hex),
//! 64 wrong usage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use hexmq_fuzz::{TARGETS, Target, smoke};

const USAGE: &str = "usage: hexmq-fuzz smoke [--mutations N] [--seed S] [TARGET…]";

struct Args {
    mutations: u64,
    seed: u64,
    targets: Vec<Target>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Args> {
    if words.next()? != "smoke" {
        return None;
    }
    let mut args = Args { mutations: 50_000, seed: 1, targets: Vec::new() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--mutations" => args.mutations = words.next()?.parse().ok()?,
            "--seed" => args.seed = words.next()?.parse().ok()?,
            name => args.targets.push(*TARGETS.iter().find(|target| target.0 == name)?),
        }
    }
    if args.targets.is_empty() {
        args.targets = TARGETS.to_vec();
    }
    Some(args)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the target kept all promises.
fn run(target: Target, args: &Args) -> bool {
    let mut last = Vec::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        smoke(target, args.mutations, args.seed, |input| {
            last.clear();
            last.extend_from_slice(input);
        })
    }));
    match outcome {
        Ok(Ok(inputs)) => {
            println!("{}: {inputs} inputs", target.0);
            true
        }
        Ok(Err(error)) => {
            eprintln!("{}: the seeds cannot be read: {error}", target.0);
            false
        }
        Err(_) => {
            eprintln!("{}: broken by {}", target.0, hex(&last));
            false
        }
    }
}

fn main() -> ExitCode {
    let Some(args) = parse(std::env::args().skip(1)) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.0).collect();
        eprintln!("{USAGE}\ntargets: {}", names.join(" "));
        return ExitCode::from(64);
    };
    // Every target runs, so that one finding does not hide another.
    let broken = args.targets.iter().filter(|&&target| !run(target, &args)).count();
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
