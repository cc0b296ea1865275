//! Live streams.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::calls::{answer, ask, call, get, local, watch};
use crate::serving::{CONNACK, PINGREQ, PINGRESP, Server, connect, publish};

#[test]
fn who_gives_up_in_the_middle_is_told_and_who_says_nothing_is_not() {
    let server = Server::start(&["--connect-timeout", "600s"]);
    let stream = get_live(&server, "/api/v1/rejections/stream");
    drop(server.client());
    let mut client = server.client();
    client.send(&connect(4, "device-1", 60, &[])[..7]);
    let peer = local(&client);
    drop(client);
    let (name, item) = Events(stream).next().expect("an event");
    assert_eq!(name, "rejection");
    assert_eq!((&item["peer"], &item["reason"]), (&json!(peer), &json!("connection_closed")));
    assert_eq!(item["hex"], "101400044d5154");
    assert_eq!(get(&server, "/api/v1/rejections")["items"].as_array().map(Vec::len), Some(1));
}

/// A live stream, behind its headers.
fn get_live(server: &Server, path: &str) -> BufReader<TcpStream> {
    let (status, head, mut reader) = answer(ask(server, "GET", path, ""));
    assert_eq!(status, 200, "{head}");
    assert!(head.to_lowercase().contains("content-type: text/event-stream"), "{head}");
    // The first comment shows that the stream listens.
    let mut line = String::new();
    reader.read_line(&mut line).expect("a comment");
    assert!(line.starts_with(':'), "{line}");
    reader
}

struct Events(BufReader<TcpStream>);

impl Iterator for Events {
    type Item = (String, Value);

    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        let mut line = String::new();
        while self.0.read_line(&mut line).ok()? > 0 {
            if let Some(event) = line.strip_prefix("event:") {
                name = event.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:") {
                return Some((name, serde_json::from_str(data).expect("JSON")));
            }
            line.clear();
        }
        None
    }
}

#[test]
fn a_live_stream_shows_packets_as_they_cross() {
    let server = Server::start(&["--shards", "2"]);
    let id = watch(&server, &json!({"client_id": "live"}));
    let mut events = Events(get_live(&server, &format!("/api/v1/recorder/stream?watch={id}")));
    let mut client = server.client();
    client.send(&connect(4, "live", 0, &["u", "secret"])).expect(CONNACK);
    let (name, open) = events.next().expect("an event");
    assert_eq!((&*name, &open["client_id"]), ("open", &json!("live")));
    let (name, bytes) = events.next().expect("an event");
    assert_eq!((&*name, &bytes["from"], &bytes["client_id"]), ("bytes", &json!("client"), &json!("live")));
    assert!(bytes["hex"].as_str().is_some_and(|hex| hex.ends_with("00062a2a2a2a2a2a")), "{bytes}");
    assert!(bytes["packets"][0].as_str().is_some_and(|line| line.starts_with("CONNECT")), "{bytes}");
    let (_, bytes) = events.next().expect("an event");
    assert_eq!((&bytes["from"], &bytes["hex"]), (&json!("server"), &json!("20020000")));
    assert!(bytes["packets"][0].as_str().is_some_and(|line| line.starts_with("CONNACK")), "{bytes}");
    // A packet in two segments is told when it is whole.
    client.send(&[0x30]);
    let (_, bytes) = events.next().expect("an event");
    assert_eq!((&bytes["hex"], &bytes["packets"]), (&json!("30"), &json!([])));
    client.send(&publish("t", b"x")[1..]);
    let (_, bytes) = events.next().expect("an event");
    assert!(bytes["packets"][0].as_str().is_some_and(|line| line.starts_with("PUBLISH")), "{bytes}");
    drop(client);
    let (name, close) = events.next().expect("an event");
    assert_eq!((&*name, &close["reason"]), ("close", &json!("connection_closed")));
    call(&server, "DELETE", &format!("/api/v1/recorder/watches/{id}"), "");
    assert_eq!(events.next(), None, "the watch is over, and so is the stream");
    for (query, status, code) in [("", 400, "bad_query"), ("?watch=nothing", 404, "watch_not_found")] {
        let (answered, error) = call(&server, "GET", &format!("/api/v1/recorder/stream{query}"), "");
        assert_eq!((answered, &error["error"]["code"]), (status, &json!(code)));
    }
}

#[test]
fn a_reader_that_does_not_read_loses_events_and_nobody_else_anything() {
    let server = Server::start(&["--recorder-watch-bytes", "256KiB", "--shards", "2"]);
    let id = watch(&server, &json!({"client_id": "busy"}));
    let path = format!("/api/v1/recorder/stream?watch={id}");
    let slow = get_live(&server, &path);
    let mut client = server.client();
    client.connect("busy").subscribe("t", 0);
    let mut other = server.client();
    other.connect("other").subscribe("t", 0);
    let message = publish("t", &[7; 10_000]);
    let before = server.resident();
    // Far more than the sockets, the ring and what is made ahead can hold.
    for _ in 0..2_000 {
        client.send(&message).expect(&message);
        other.expect(&message);
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes for a reader that does not read");
    let mut quick = Events(get_live(&server, &path));
    client.send(PINGREQ).expect(PINGRESP);
    assert_eq!(quick.next().expect("an event").1["hex"], "c000", "others read on");
    let dropped = Events(slow).find(|(name, _)| name == "dropped").expect("an event that tells it");
    assert!(dropped.1["count"].as_u64().is_some_and(|count| count > 0), "{dropped:?}");
    let (_, page) = server.http("GET", "/metrics", true, "");
    let missed = page.lines().find_map(|line| line.strip_prefix("hexmq_recorder_streams_missed_total "));
    assert!(missed.and_then(|count| count.parse::<u64>().ok()).is_some_and(|count| count > 0), "{page}");
    let bytes = page.lines().find_map(|line| line.strip_prefix("hexmq_recorder_bytes "));
    assert!(bytes.and_then(|count| count.parse::<u64>().ok()).is_some_and(|count| count <= 256 << 10));
    assert!(!page.contains("hexmq_recorder_pushed_out_total 0\n"));
}

#[test]
fn the_bounds_are_settings_and_a_stream_does_not_hold_up_the_end() {
    let mut server = Server::start(&[]);
    let stream = get_live(&server, "/api/v1/rejections/stream");
    let begun = std::time::Instant::now();
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(Events(stream).next(), None);
    eprintln!("ended after {:?}", begun.elapsed());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["serve", "--print-config", "--rejections", "7", "--recorder-bytes", "1MiB"])
        .output()
        .expect("started");
    let text = String::from_utf8(output.stdout).expect("text");
    for line in [
        "rejections = 7",
        "rejections_bytes = \"16MiB\"",
        "recorder_watch_bytes = \"8MiB\"",
        "recorder_bytes = \"1MiB\"",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line}: {text}");
    }
}
