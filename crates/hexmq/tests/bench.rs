//! `hexmq bench` against `hexmq serve`: every scenario, small.

#[allow(dead_code, reason = "the other tests of the server need more of it")]
mod serving;

use std::process::{Command, Output};

use serde_json::Value;
use serving::Server;

fn bench(server: &Server, arguments: &[&str]) -> Output {
    let address = server.address();
    let (host, port) = address.rsplit_once(':').expect("an address");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    command.arg("bench").args(arguments).args(["-h", host, "-p", port]);
    command.output().expect("it runs")
}

/// Runs to a good end and gives the report.
fn report(server: &Server, arguments: &[&str]) -> Value {
    let pid = server.pid().to_string();
    let output = bench(server, &[arguments, &["--json", "--pid", &pid]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn messages_flow_in_every_shape_and_qos() {
    let server = Server::start(&["--shards", "2"]);
    for scenario in ["pairs", "fan-in", "fan-out"] {
        for qos in ["0", "1", "2"] {
            let arguments = [scenario, "--clients", "6", "--messages", "600", "--qos", qos];
            let report = report(&server, &arguments);
            assert_eq!(report["scenario"], scenario);
            assert_eq!(report["delivered"], 600, "{report}");
            assert!(report["cpu_us_per_message"].as_f64().unwrap() > 0.0, "{report}");
        }
    }
    let report = report(&server, &["w1", "--clients", "5", "--messages", "100", "--size", "1024"]);
    assert_eq!((&report["window"], &report["size"]), (&1.into(), &1024.into()));
    assert_eq!(report["delivered"], 100);
}

#[test]
fn a_fixed_rate_has_latencies() {
    let server = Server::start(&[]);
    let flags = ["fixed", "--clients", "4", "--messages", "400", "--rate", "4000", "--qos", "1"];
    let report = report(&server, &flags);
    assert_eq!(report["delivered"], 400);
    let latency = |name: &str| report[name].as_f64().unwrap();
    assert!(latency("latency_p50_us") > 0.0);
    assert!(latency("latency_p50_us") <= latency("latency_p99_us"));
    assert!(latency("latency_p99_us") <= latency("latency_p999_us"));
    assert!(latency("latency_p999_us") <= latency("latency_max_us"));
    // The last message is due after 399 of 4000 parts of a second; none was sent early.
    assert!(report["wall_s"].as_f64().unwrap() > 0.099);
}

#[test]
fn what_the_server_keeps_is_weighed() {
    let server = Server::start(&[]);
    let idle = report(&server, &["idle", "--clients", "200"]);
    assert!(idle["bytes_per_connection"].is_number());
    let retained = report(&server, &["retained", "--messages", "2500"]);
    assert_eq!(retained["messages"], 2500);
    assert!(retained["fetch_cpu_us"].as_f64().unwrap() > 0.0);
    let queued = report(&server, &["queued", "--sessions", "15", "--messages", "40"]);
    assert_eq!(queued["messages"], 600);
    assert!(queued["drain_cpu_us"].as_f64().unwrap() > 0.0);
    // 4,500 devices have 9,000 filters; every other one of their ten groups has one more.
    let size = ["subscriptions", "--filters", "9000", "--messages", "900"];
    let subscriptions = report(&server, &size);
    assert_eq!(subscriptions["filters"], 9005);
    assert!(subscriptions["delivered"].as_u64().unwrap() > 2 * 900);
    let hot = report(&server, &[&size[..], &["--hot", "10"]].concat());
    assert_eq!((&hot["filters"], &hot["messages"]), (&9005.into(), &900.into()));
    assert_eq!(report(&server, &[&size[..], &["--fresh"]].concat())["delivered"], 900);
    // What was kept is gone: everything can be run again.
    report(&server, &["retained", "--messages", "50"]);
    report(&server, &["queued", "--sessions", "3", "--messages", "5"]);
}

#[test]
fn what_is_stored_may_be_left_and_taken_later() {
    let server = Server::start(&["--session-queue-messages", "50"]);
    let size = ["--sessions", "3", "--messages", "20", "--publishers", "2", "--window", "4"];
    let stored = report(&server, &[&["queued", "--keep"], &size[..]].concat());
    assert!(stored["acknowledged_per_s"].as_f64().unwrap() > 0.0 && stored["drain_wall_s"].is_null());
    let drained = report(&server, &[&["queued", "--drain"], &size[..]].concat());
    assert!(drained["drain_cpu_us"].as_f64().unwrap() > 0.0 && drained["store_wall_s"].is_null());
    assert_eq!(report(&server, &["sessions", "--sessions", "30"])["sessions"], 30);
    let retained = report(&server, &["retained", "--messages", "100", "--keep"]);
    assert!(retained["fetch_cpu_us"].is_null(), "{retained}");
    let durable = ["pairs", "--clients", "3", "--messages", "30", "--qos", "1", "--durable"];
    assert_eq!(report(&server, &durable)["delivered"], 30);
    // The sessions were discarded, so nothing of the first run is in the way of the second.
    assert_eq!(report(&server, &durable)["delivered"], 30);
    let flags = ["stalled", "--pairs", "3", "--rate", "2000", "--messages", "200", "--filling", "300"];
    let stalled = report(&server, &flags);
    assert!(stalled["latency_p99_before_us"].as_f64().unwrap() > 0.0);
    assert!(stalled["latency_p99_after_to_before"].as_f64().unwrap() > 0.0);
}

#[test]
fn bystanders_are_measured_beside_a_handout() {
    let server = Server::start(&["--shards", "2"]);
    let flags = ["handout", "--messages", "5000", "--pairs", "3", "--rate", "1000", "--before", "100"];
    for _ in 0..2 {
        let handout = report(&server, &flags);
        assert_eq!(handout["messages"], 5000);
        assert!(handout["latency_p99_before_us"].as_f64().unwrap() > 0.0, "{handout}");
        assert!(handout["handout_wall_s"].as_f64().unwrap() > 0.0, "{handout}");
    }
}

#[test]
fn an_overload_is_delivered_or_counted() {
    let small = ["--write-buffer-bytes", "64KiB", "--session-queue-messages", "500", "--sys-interval", "1s"];
    let server = Server::start(&small);
    for qos in ["0", "1"] {
        let size = ["--publishers", "5", "--messages", "40000", "--size", "1024"];
        let beside = ["--pairs", "3", "--rate", "1000", "--before", "100", "--qos", qos];
        let overload = report(&server, &[&["overload"], &size[..], &beside].concat());
        let count = |name: &str| overload[name].as_u64().unwrap();
        // One more of each publisher ends it.
        assert_eq!(count("published"), 40_005, "{overload}");
        assert_eq!(count("received") + count("dropped_by_its_own_count"), 40_005, "{overload}");
        assert!(count("dropped_by_its_own_count") > 0, "{overload}");
        assert!(overload["latency_p99_during_us"].as_f64().unwrap() > 0.0, "{overload}");
        assert!(overload["peak_growth_bytes"].is_number(), "{overload}");
    }
}

#[test]
fn clients_come_and_go() {
    let server = Server::start(&[]);
    let report_of_connect = report(&server, &["connect", "--clients", "7", "--connections", "100"]);
    assert_eq!(report_of_connect["connections"], 100);
    assert!(report_of_connect["cpu_us_per_connection"].as_f64().unwrap() > 0.0);
    let held = report(&server, &["connect", "--connections", "50", "--held", "100"]);
    assert_eq!((&held["connections"], &held["held"]), (&50.into(), &100.into()));
    assert_eq!(report(&server, &["crowd", "--clients", "60"])["delivered"], 180);
}

#[test]
fn messages_among_many_subscriptions_are_handled_and_a_few_delivered() {
    let server = Server::start(&["--shards", "2"]);
    let size = ["--publishers", "7", "--filters", "1000", "--warm-up", "0", "--seconds", "1"];
    let ingest = report(&server, &[&["ingest"], &size[..]].concat());
    let count = |name: &str| ingest[name].as_u64().unwrap();
    assert_eq!((count("publishers"), count("filters")), (7, 1000));
    assert!(count("messages") > 0 && count("messages") <= count("published"), "{ingest}");
    assert_eq!(count("published"), 100 * count("delivered"), "{ingest}");
    for name in ["messages_per_s", "cpu_us_per_message", "processors", "generator_cpu_us_per_message"] {
        assert!(ingest[name].as_f64().unwrap() > 0.0, "{name} in {ingest}");
    }
    // A second of a server at full speed is enough to see whose it was.
    let share = ingest["kernel_cpu_s"].as_f64().unwrap()
        / (ingest["kernel_cpu_s"].as_f64().unwrap() + ingest["user_cpu_s"].as_f64().unwrap());
    assert!(ingest["kernel_share"].as_f64().is_none_or(|told| (told - share).abs() < 1e-9), "{ingest}");
    let refused = bench(&server, &["ingest", "--seconds", "601"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn people_read_lines() {
    let server = Server::start(&[]);
    let output = bench(&server, &["pairs", "--clients", "2", "--messages", "20"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let mut words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(words.next(), Some(vec!["scenario", "pairs"]));
    assert!(words.any(|words| words == ["delivered", "20"]), "{text}");
    // Without the process nobody knows what it cost the server.
    assert!(!text.contains("\ncpu_us_per_message"), "{text}");
}

#[test]
fn a_message_that_is_lost_ends_the_run_with_a_failure() {
    // The queue of a session holds fewer messages than are sent to it.
    let server = Server::start(&["--session-queue-messages", "10"]);
    let output = bench(&server, &["queued", "--sessions", "2", "--messages", "30"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("message 20 came where 0 was due"), "{said}");
}

#[test]
fn nobody_else_is_loaded_by_mistake() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    // An address reserved for documentation.
    let output = command.args(["bench", "idle", "-h", "192.0.2.1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("192.0.2.1 is not this machine"), "{said}");
}
