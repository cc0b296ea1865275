//! `cargo xtask test`: everything CI checks, on a machine that has stable Rust and nothing else.

use crate::arguments::Arguments;
use crate::command::{self, cargo, run_keeping, succeeds};
use crate::place::Profile;
use crate::steps::{Outcome, Steps};
use crate::{
    bench, clients, conformance, crash, fuzz, instructions, lint, provision, simulation, supply, tidy,
};

/// Installs what is missing, builds, checks and tests.
pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::new();
    let ready = steps.step("Debian packages", provision::debian)
        & steps.step("Python packages", provision::python_packages)
        & steps.step("Node packages", provision::node_packages)
        & steps.step("Rust components", provision::toolchain)
        & steps.step("cargo-deny", provision::cargo_deny);
    if !ready {
        println!("    what needs the missing packages will fail below; the rest still runs");
    }
    steps.step("tidy", || tidy::run(Arguments::new(Vec::new())).map(|()| done()));
    steps.step("format", || linted(lint::format));
    steps.step("bans, licences, sources", supply::check);
    steps.step("conformance", || conformance::run(&["--check".to_owned()]).map(|()| done()));
    if steps.step("build", || build().map(|()| done())) {
        run_tests(&mut steps);
        clients::run(&mut steps, Profile::Debug);
        steps.step("10,000 clients", || bench::crowd_of(Arguments::new(Vec::new()), Profile::Debug));
        steps.step("crash", crash::short_kills);
        steps.step("power cut", crash::short_cuts);
        steps.step("disk faults", crash::faults);
        steps.step("simulation", || simulation::short().map(|()| done()));
        steps.step("fuzz smoke", || fuzz::smoke().map(|()| done()));
        steps.step("instructions", instructions::check);
    }
    steps.step("clippy", || linted(lint::clippy));
    steps.finish()
}

/// A toolchain without rustfmt and clippy, on a machine that cannot fetch them, still tests.
fn linted(lint: fn() -> Result<(), String>) -> Result<Outcome, String> {
    if !lint::available() {
        return Ok(Outcome::Skipped("rustfmt and clippy are not installed".to_owned()));
    }
    lint().map(|()| done())
}

fn done() -> Outcome {
    Outcome::Done(String::new())
}

fn build() -> Result<(), String> {
    command::run(cargo().args(["build", "--quiet", "--workspace", "--all-targets", "--locked"]))
}

fn run_tests(steps: &mut Steps) {
    let mut closing = Vec::new();
    steps.step("unit and integration tests", || {
        let has_nextest = succeeds(&["cargo", "nextest", "--version"]);
        let mut tests = cargo();
        if has_nextest {
            tests.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
            tests.args(["--status-level", "fail", "--final-status-level", "fail", "--show-progress", "none"]);
        } else {
            println!("    cargo-nextest is not installed; cargo test does the same, a little slower");
            let targets = ["--lib", "--bins", "--tests"];
            tests.args(["test", "--quiet", "--workspace", "--locked", "--no-fail-fast"]).args(targets);
        }
        let (result, lines) = run_keeping(&mut tests, is_closing_line);
        let text =
            lines.last().map(|line| line.trim().to_owned()).filter(|_| has_nextest).unwrap_or_default();
        closing.extend(lines);
        result.map(|()| Outcome::Done(text))
    });
    steps.step("examples in the documentation", || {
        let mut tests = cargo();
        tests.args(["test", "--quiet", "--workspace", "--doc", "--locked"]);
        let (result, lines) = run_keeping(&mut tests, is_closing_line);
        closing.extend(lines.into_iter().filter(|line| !line.contains(" 0 passed")));
        result.map(|()| done())
    });
    steps.close_with(closing);
}

/// The line with which cargo-nextest or libtest sums up.
fn is_closing_line(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Summary [") || line.starts_with("test result:")
}
