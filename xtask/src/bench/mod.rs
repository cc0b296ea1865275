//! Puts the load of `hexmq bench` on our server with one and two shards, on a relay (the floor) and on
//! mosquitto and rumqttd where they are installed: fresh servers, rounds taken in turn, medians, and what they
//! are measured by; how costs grow with the size of things; what durability costs and what a restart takes. And
//! the check that 10,000 clients at once go well.

mod case;
mod cloud;
mod durable;
mod growth;
mod peer;
mod restart;
mod result;
mod runs;
mod subject;

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::command::{cargo, run as run_command};
use crate::place::Profile;
use crate::steps::Outcome;
use case::{Case, FLOWS, STORES};
use result::{Measured, Row};
use runs::median;
use subject::{Peers, Subject, load, mosquitto_version, serve};

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
    if arguments.switch("--growth") {
        return growth::run(arguments);
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
    let peers = Peers::installed();
    let has_absolute = cases.iter().flat_map(|case| case.figures).any(|figure| figure.mark.is_absolute());
    let mut pace = Vec::new();
    let mut measured: Vec<Measured> = cases.iter().map(|_| Measured::new()).collect();
    let mut failures = Vec::new();
    for round in 1..=rounds {
        if has_absolute {
            pace.push(pace_of_the_machine()?);
        }
        for (case, measured) in cases.iter().zip(&mut measured) {
            eprintln!("round {round} of {rounds}: {}", case.name);
            measure(case, &peers, measured, &mut failures);
        }
    }
    let pace = median(&pace);
    let rows: Vec<Row> =
        cases.iter().zip(&measured).flat_map(|(case, measured)| result::rows(case, pace, measured)).collect();
    if as_json {
        let rows: Vec<Value> = rows.iter().map(Row::as_json).collect();
        println!(
            "{}",
            json!({ "rounds": rounds, "mosquitto": peers.mosquitto, "rumqttd": peers.rumqttd,
            "pace": pace, "figures": rows })
        );
    } else {
        result::print(&rows, rounds, &peers.told(), pace);
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

/// How slow this machine is now: what the relay needs for `pairs`, in what it needed where the marks were found.
fn pace_of_the_machine() -> Result<f64, String> {
    let report = Subject::Relay.measure(&["pairs", "--messages", "1000000"])?;
    let us = report["cpu_us_per_message"].as_f64().ok_or("the relay has no CPU time")?;
    Ok(us / case::RELAY_PAIRS_US)
}

/// One round of a case. A peer that fails is told and left out.
fn measure(case: &Case, peers: &Peers, measured: &mut Measured, failures: &mut Vec<(Subject, String)>) {
    let subjects = [
        (Subject::Relay, case.relay),
        (Subject::AnsweringRelay, Some(case.load).filter(|_| case.has_floor)),
        (Subject::Mosquitto, peers.mosquitto.as_ref().map(|_| case.load)),
        (Subject::Rumqttd, peers.rumqttd.as_ref().map(|_| case.load).filter(|_| case.rumqttd_can)),
        (Subject::OneShard, Some(case.load)),
        (Subject::TwoShards, Some(case.load)),
    ];
    for (subject, load) in subjects.into_iter().filter_map(|(subject, load)| load.map(|load| (subject, load)))
    {
        let flags = case.flags(load, subject.is_quick());
        match subject.measure(&flags.iter().map(String::as_str).collect::<Vec<_>>()) {
            Ok(report) => {
                for (index, figure) in case.figures.iter().enumerate() {
                    measured.entry((index, subject)).or_default().take(figure.key, &report);
                }
            }
            Err(failure) => failures.push((subject, format!("{}: {failure}", case.name))),
        }
    }
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
