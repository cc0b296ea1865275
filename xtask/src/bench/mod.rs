//! Puts the load of `hexmq bench` on our server with one and two shards, on a relay (the floor) and on
//! mosquitto where it is installed: fresh servers, rounds taken in turn, medians, and what they are
//! measured by; what durability costs and what a restart takes. And the check that 10,000 clients at once go well.

mod case;
mod cloud;
mod durable;
mod peer;
mod restart;
mod result;
mod subject;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::command::{cargo, run as run_command};
use crate::place::Profile;
use crate::steps::Outcome;
use case::{Case, FLOWS, STORES};
use result::Row;
use subject::{Subject, load, mosquitto_version, serve};

/// The figures of each round, by figure of the case and subject.
type Measured = BTreeMap<(usize, Subject), Vec<f64>>;

/// `cargo xtask bench`.
pub(crate) fn run(mut arguments: Arguments) -> Result<(), String> {
    if arguments.switch("--durable") {
        return durable::run(arguments);
    }
    if arguments.switch("--cloud") {
        return cloud::run(arguments);
    }
    if arguments.switch("--restart") {
        return restart::restart(arguments);
    }
    if arguments.switch("--stalled") {
        return restart::stalled(arguments);
    }
    let as_json = arguments.switch("--json");
    let rounds = arguments.number("--rounds", 3)?.max(1);
    let only = arguments.value("--only")?.unwrap_or_default();
    arguments.finish()?;
    let cases: Vec<&Case> = FLOWS.iter().chain(STORES).filter(|case| case.name.contains(&only)).collect();
    if cases.is_empty() {
        let names: Vec<_> = FLOWS.iter().chain(STORES).map(|case| case.name).collect();
        return Err(format!("--only {only:?} is in no name: {}", names.join(", ")));
    }
    build()?;
    let mosquitto = mosquitto_version();
    let mut measured: Vec<Measured> = cases.iter().map(|_| Measured::new()).collect();
    let mut failures = Vec::new();
    for round in 1..=rounds {
        for (case, measured) in cases.iter().zip(&mut measured) {
            eprintln!("round {round} of {rounds}: {}", case.name);
            measure(case, mosquitto.is_some(), measured, &mut failures);
        }
    }
    let rows: Vec<Row> = cases
        .iter()
        .zip(&measured)
        .flat_map(|(case, measured)| result::rows(case, |figure, subject| median(measured, figure, subject)))
        .collect();
    if as_json {
        let rows: Vec<Value> = rows.iter().map(Row::as_json).collect();
        println!("{}", json!({ "rounds": rounds, "mosquitto": mosquitto, "figures": rows }));
    } else {
        result::print(&rows, rounds, mosquitto.as_deref());
    }
    failures.iter().for_each(|(subject, failure)| eprintln!("{}: {failure}", subject.name()));
    match failures.iter().filter(|(subject, _)| subject.is_ours()).count() {
        0 => Ok(()),
        count => Err(format!("{count} runs of ours failed")),
    }
}

fn build() -> Result<(), String> {
    let packages = ["--package", "hexmq", "--package", "hexmq-bench"];
    run_command(cargo().args(["build", "--quiet", "--release"]).args(packages))
}

/// One round of a case. A peer that fails is told and left out.
fn measure(case: &Case, has_mosquitto: bool, measured: &mut Measured, failures: &mut Vec<(Subject, String)>) {
    let subjects = [
        (Subject::Relay, case.relay),
        (Subject::Mosquitto, has_mosquitto.then_some(case.load)),
        (Subject::OneShard, Some(case.load)),
        (Subject::TwoShards, Some(case.load)),
    ];
    for (subject, load) in subjects.into_iter().filter_map(|(subject, load)| load.map(|load| (subject, load)))
    {
        let flags: Vec<&str> = load.split_whitespace().collect();
        match subject.measure(&flags) {
            Ok(report) => {
                for (index, figure) in case.figures.iter().enumerate() {
                    measured.entry((index, subject)).or_default().extend(report[figure.key].as_f64());
                }
            }
            Err(failure) => failures.push((subject, format!("{}: {failure}", case.name))),
        }
    }
}

fn median(measured: &Measured, figure: usize, subject: Subject) -> Option<f64> {
    let mut runs = measured.get(&(figure, subject))?.clone();
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied()
}

/// `cargo xtask crowd`: release builds.
pub(crate) fn crowd(arguments: Arguments) -> Result<(), String> {
    build()?;
    match crowd_of(arguments, Profile::Release)? {
        Outcome::Done(text) | Outcome::Skipped(text) => println!("{text}"),
    }
    Ok(())
}

/// Many clients at once, subscribed and publishing: nothing may go wrong.
pub(crate) fn crowd_of(mut arguments: Arguments, profile: Profile) -> Result<Outcome, String> {
    let clients = arguments.number("--clients", 10_000)?;
    arguments.finish()?;
    let mut server = serve(profile, 2)?;
    let flag = format!("--clients={clients}");
    let result = load(profile, server.address("mqtt")?, server.pid(), &["crowd", &flag])?;
    server.stop()?;
    let delivered = result["delivered"].as_u64().unwrap_or_default();
    let bytes = result["bytes_per_connection"].as_f64().unwrap_or_default();
    let text =
        format!("{clients} clients, {delivered} deliveries checked, {bytes:.0} bytes per idle connection");
    Ok(Outcome::Done(text))
}
