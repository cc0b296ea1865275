//! What the micro benches of all crates have in common: named scenarios that can be timed, or run once for
//! a tool that counts.
//!
//! | arguments | what happens |
//! |---|---|
//! | none, or words | times the scenarios (those whose names hold one of the words), ns per operation |
//! | `--list` | one `NAME OPERATIONS` a line: what `cargo xtask instructions` counts |
//! | `--once NAME OPERATIONS` | one scenario, silently; callgrind counts what happens inside [`measured`] |

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::time::{Duration, Instant};

/// A path of the code, walked again and again on a stage that is set up before.
pub(crate) struct Scenario {
    /// Unique in its program; no blanks.
    pub(crate) name: &'static str,
    /// Operations that make a count repeatable to well under 1 %.
    pub(crate) operations: u32,
    /// Operations of one turn.
    pub(crate) per_turn: u32,
    /// Sets the stage for so many turns, those before the measured ones included.
    pub(crate) prepare: Box<dyn Fn(u32) -> Turn>,
}

/// One turn, which is told its number and tells the operations it did.
pub(crate) type Turn = Box<dyn FnMut(u32) -> u32>;

impl Scenario {
    pub(crate) fn new(
        name: &'static str,
        operations: u32,
        per_turn: u32,
        prepare: impl Fn(u32) -> Turn + 'static,
    ) -> Scenario {
        Scenario { name, operations, per_turn, prepare: Box::new(prepare) }
    }

    /// Runs it; the time is that of the measured turns. What comes before them fills caches and lets
    /// buffers grow.
    fn run(&self, operations: u32) -> Duration {
        let turns = operations.div_ceil(self.per_turn);
        let before = (turns / 4).max(2);
        let mut turn = (self.prepare)(before + turns);
        let warm: u32 = (0..before).map(&mut turn).sum();
        let begin = Instant::now();
        let done = measured(&mut turn, before, turns);
        let spent = begin.elapsed();
        assert_eq!(
            (warm, done),
            (before * self.per_turn, turns * self.per_turn),
            "{}: every operation was done",
            self.name
        );
        // A million subscriptions need not be taken down one by one.
        std::mem::forget(turn);
        spent
    }
}

#[inline(never)]
fn measured(turn: &mut Turn, first: u32, turns: u32) -> u32 {
    (first..first + turns).map(turn).sum()
}

/// The whole of a bench's `main`.
pub(crate) fn main(scenarios: &[Scenario]) {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo's own word for every bench.
    arguments.retain(|argument| argument != "--bench");
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--list"] => {
            scenarios.iter().for_each(|scenario| println!("{} {}", scenario.name, scenario.operations))
        }
        ["--once", name, operations] => {
            let scenario =
                scenarios.iter().find(|scenario| scenario.name == *name).expect("a scenario of --list");
            scenario.run(operations.parse().expect("a number of operations"));
        }
        words => {
            let wanted = |scenario: &&Scenario| {
                words.is_empty() || words.iter().any(|word| scenario.name.contains(word))
            };
            for scenario in scenarios.iter().filter(wanted) {
                let best = (0..5).map(|_| scenario.run(scenario.operations)).min().unwrap_or_default();
                let each = best.as_nanos() as f64 / f64::from(scenario.operations);
                println!("{:<32} {each:>9.1} ns", scenario.name);
            }
        }
    }
}
