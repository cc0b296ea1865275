//! `hexmq simulate` against `hexmq serve`: devices of each dialect, a bad network, orders and their answers.

#[allow(dead_code, reason = "the other tests of the server need more of it")]
mod serving;

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use serving::{PATIENCE, Server, packet};

fn simulate(server: &Server, arguments: &[&str]) -> Command {
    let address = server.address();
    let (host, port) = address.rsplit_once(':').expect("an address");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    command.arg("simulate").args(["-h", host, "-p", port]).args(arguments);
    for variable in ["HEXMQ_URL", "HEXMQ_TOKEN", "HEXMQ_ADMIN_PASSWORD"] {
        command.env_remove(variable);
    }
    command
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_post_is_acknowledged() {
    let server = Server::start(&["--shards", "2"]);
    for qos in ["0", "1", "2"] {
        let flags = ["-n", "20", "--every", "20ms", "--messages", "5", "-q", qos, "--json"];
        let output = simulate(&server, &flags).output().expect("it runs");
        let report = report(&output);
        assert!(output.status.success(), "{report}");
        assert_eq!((&report["sent"], &report["connected"]), (&100.into(), &20.into()), "{report}");
        assert_eq!(report["acked"], if qos == "0" { 0 } else { 100 }, "{report}");
        assert_eq!(report["lost"], 0);
    }
}

#[test]
fn a_bad_network_loses_no_packet() {
    let server = Server::start(&[]);
    for fault in [["--split-segments", "3"], ["--coalesce", "30ms"], ["--delay", "20ms"]] {
        let flags = ["-n", "5", "--every", "10ms", "--messages", "4", "--mqtt", "5", "--json"];
        let output = simulate(&server, &[&flags[..], &fault].concat()).output().expect("it runs");
        let report = report(&output);
        assert!(output.status.success(), "{fault:?} {report}");
        assert_eq!((&report["sent"], &report["acked"]), (&20.into(), &20.into()), "{fault:?} {report}");
    }
}

#[test]
fn devices_whose_connections_break_come_back() {
    let server = Server::start(&[]);
    let flags = ["-n", "4", "--every", "20ms", "--messages", "20", "--drop-rate", "0.2", "--json"];
    let output = simulate(&server, &flags).output().expect("it runs");
    let report = report(&output);
    assert!(output.status.success(), "{report}");
    let count = |name: &str| report[name].as_u64().expect("a number");
    assert_eq!(count("sent"), 80, "{report}");
    assert!(count("cut") > 0, "{report}");
    assert_eq!(count("connected"), 4 + count("cut"), "{report}");
    assert_eq!(count("acked") + count("lost"), 80, "{report}");
}

#[test]
fn an_order_is_answered_until_the_run_is_stopped() {
    let server = Server::start(&[]);
    let mut application = server.client();
    application.connect("application");
    // It waits for the device: a retained message comes with the subscription.
    let topic = "devices/dev-1/commands/c7";
    let body = [&[0, topic.len() as u8], topic.as_bytes(), b"led:1"].concat();
    application.send(&packet(0x31, &body)).subscribe("devices/+/commands/+/reply", 0);
    let flags = ["--every", "1h", "--reply", "echo", "--json"];
    let device = simulate(&server, &flags).stdout(Stdio::piped()).spawn().expect("it runs");
    let answer = application.packet();
    assert!(answer.ends_with(b"devices/dev-1/commands/c7/replyled:1"), "{answer:02x?}");
    kill_process(Pid::from_child(&device), Signal::TERM).expect("signalled");
    let output = device.wait_with_output().expect("it ends");
    let report = report(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!((&report["orders"], &report["answered"]), (&1.into(), &1.into()), "{report}");
}

/// What each dialect is called with, and the orders that are for it.
const DIALECTS: [(&str, &[&str], &str); 5] = [
    ("onenet", &["--dp-type", "4"], r#"{"payload":"led:1"}"#),
    ("onenet-token", &[], r#"{"payload":"led:1"}"#),
    ("onenet-token", &["--form", "thing"], r#"{"service":"set","params":{"temperature":7}}"#),
    ("aliyun", &["--auto-subscribe"], r#"{"service":"set","params":{"temperature":7}}"#),
    ("plain", &[], r#"{"service":"set","params":{"temperature":7}}"#),
];

/// A simulation of a product of this dialect, which it registers.
fn devices(server: &Server, number: usize, flags: &[&str]) -> Command {
    let (dialect, more, _) = DIALECTS[number];
    let url = format!("http://{}", server.addresses("http").first().expect("an HTTP listener"));
    let product = format!("product{number}");
    // The master API key, access key or ProductSecret.
    let secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let who = ["--dialect", dialect, "--product", &product, "--product-secret", secret, "--json"];
    let registered = ["--provision", "--url", &url, "--admin-password", "pw"];
    simulate(server, &[&who[..], &registered, more, flags].concat())
}

fn json(server: &Server, path: &str) -> Value {
    let (status, body) = server.http("GET", path, true, "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn devices_of_every_dialect_are_registered_and_answered() {
    let server = Server::start(&["--shards", "2"]);
    for (number, (dialect, ..)) in DIALECTS.into_iter().enumerate() {
        let flags = ["-n", "3", "--every", "50ms", "--messages", "4", "-v", "temperature=21.5"];
        let output = devices(&server, number, &flags).output().expect("it runs");
        let report = report(&output);
        assert!(output.status.success(), "{dialect} {report}");
        let replied = if matches!(dialect, "onenet" | "plain") { 0 } else { 12 };
        assert_eq!(
            (&report["acked"], &report["replied"]),
            (&12.into(), &replied.into()),
            "{dialect} {report}"
        );
        let points =
            || json(&server, &format!("/api/v1/products/product{number}/devices/dev-2/history?limit=9"));
        let deadline = Instant::now() + PATIENCE;
        while points()["items"].as_array().is_none_or(|points| points.len() < 4) {
            assert!(Instant::now() < deadline, "{dialect} {}", points());
        }
        let points = points();
        assert_eq!(points["items"].as_array().map(Vec::len), Some(4), "{dialect} {points}");
        assert_eq!(points["items"][3]["value"], 21.5, "{dialect} {points}");
    }
}

#[test]
fn devices_of_every_dialect_obey_the_platform() {
    let server = Server::start(&[]);
    for (number, (dialect, _, order)) in DIALECTS.into_iter().enumerate() {
        let flags = ["--every", "100ms", "--reply", "ok"];
        let device = devices(&server, number, &flags).stdout(Stdio::piped()).spawn().expect("it runs");
        let path = format!("/api/v1/products/product{number}/devices/dev-1");
        let deadline = Instant::now() + PATIENCE;
        // A post is behind the subscriptions.
        while server.http("GET", &format!("{path}/properties"), true, "").1.find("temperature").is_none() {
            assert!(Instant::now() < deadline, "{dialect} is not there");
        }
        let (status, sent) = server.http("POST", &format!("{path}/commands"), true, order);
        assert_eq!(status, 202, "{dialect} {sent}");
        let sent: Value = serde_json::from_str(&sent).expect("JSON");
        let id = sent["id"].as_str().expect("an id");
        let ended = json(&server, &format!("{path}/commands/{id}?wait=30"));
        assert_eq!(ended["state"], "answered", "{dialect} {ended}");
        kill_process(Pid::from_child(&device), Signal::TERM).expect("signalled");
        let output = device.wait_with_output().expect("it ends");
        let report = report(&output);
        assert!(output.status.success(), "{dialect} {report}");
        assert_eq!((&report["orders"], &report["answered"]), (&1.into(), &1.into()), "{dialect} {report}");
    }
}

#[test]
fn what_cannot_work_is_told() {
    let server = Server::start(&[]);
    let refused = |arguments: &[&str]| {
        let output = simulate(&server, arguments).output().expect("it runs");
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["--dialect", "aliyun"]).contains("--product"));
    assert!(refused(&["-n", "2", "--device", "one"]).contains("all be called one"));
    assert!(refused(&["--value", "temp"]).contains("NAME=VALUE"));
    assert!(refused(&["--every", "0"]).contains("--every"));
    assert!(refused(&["--secrets", "/nowhere.csv"]).contains("/nowhere.csv"));
}

#[test]
fn a_server_that_is_not_there_is_an_error_of_each_try() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    let flags = ["-n", "3", "--for", "200ms", "--patience", "0", "--json", "-p", &nobody.port().to_string()];
    let output = command.arg("simulate").args(flags).output().expect("it runs");
    let report = report(&output);
    assert!(!output.status.success());
    assert_eq!((&report["connected"], &report["sent"]), (&0.into(), &0.into()), "{report}");
    assert!(report["errors"].to_string().contains("cannot connect"), "{report}");
}
