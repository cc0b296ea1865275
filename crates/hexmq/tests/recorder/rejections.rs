//! Refused connections.

use std::io::Write;

use hexmq_workbench::{Options, Side, explain, parse_hex, plain_hex};
use serde_json::{Value, json};

use crate::calls::{call, get, local};
use crate::serving::{CONNACK, Client, PINGREQ, PINGRESP, Server, connect, publish, subscribe};

/// What is told of a client that the server has closed: it is there before the client sees the end.
fn rejection(server: &Server, client: &Client, query: &str) -> Value {
    let list = get(server, &format!("/api/v1/rejections?{query}"));
    let peer = local(client);
    let items = list["items"].as_array().expect("items");
    items.iter().find(|item| item["peer"] == *peer).unwrap_or_else(|| panic!("{peer} in {list}")).clone()
}

/// Sends bytes that are not taken, and returns what is told of them.
fn refused(server: &Server, bytes: &[u8]) -> Value {
    let mut client = server.client();
    client.send(bytes).closed();
    rejection(server, &client, "")
}

fn is_clean(hex: &Value) -> bool {
    let bytes = parse_hex(hex.as_str().expect("a repair")).expect("hex");
    let options = Options { from: Some(Side::Client), ..Options::default() };
    let explanation = explain(&bytes, &options);
    let whole =
        explanation.packets.len() == 1 && explanation.rest.is_none() && explanation.skipped.is_empty();
    whole && explanation.findings().all(|finding| finding.severity < hexmq_workbench::Severity::Fault)
}

fn hash(password: &str) -> String {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["user", "hash"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    writeln!(child.stdin.take().expect("stdin"), "{password}").expect("written");
    let output = child.wait_with_output().expect("ended");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_connect_that_is_wrong_is_found_with_place_statement_and_repair() {
    let server = Server::start(&["--shards", "2"]);
    let right = connect(4, "device-1", 60, &["somebody", "secret"]);
    let masked = plain_hex(&[&right[..right.len() - 6], b"******"].concat());
    let with = |at: usize, value: u8| {
        let mut wrong = right.clone();
        wrong[at] = value;
        wrong
    };
    for (wrong, reason, rule, statement, place) in [
        (with(0, 0x11), "malformed_packet", "reserved_flags", "MQTT-2.2.2-1", (0, 1)),
        (with(1, right[1] - 1), "malformed_packet", "truncated", "MQTT-3.1.2-21", (right.len() - 8, 2)),
        (with(4, b'm'), "malformed_packet", "protocol_name", "MQTT-3.1.2-1", (2, 6)),
        (with(8, 7), "unsupported_protocol_version", "protocol_version", "MQTT-3.1.2-2", (8, 1)),
        (with(9, 0xC3), "malformed_packet", "connect_flags_reserved", "MQTT-3.1.2-3", (9, 1)),
    ] {
        let item = refused(&server, &wrong);
        assert_eq!(item["reason"], reason, "{item}");
        assert_eq!(item["rule"], rule, "{item}");
        assert_eq!(item["statement"], statement, "{item}");
        assert_eq!((&item["offset"], &item["length"]), (&json!(place.0), &json!(place.1)), "{item}");
        let shown = [&wrong[..wrong.len() - 6], b"******"].concat();
        assert_eq!(item["hex"], plain_hex(&shown), "{item}");
        assert_eq!(item["masked"], true);
        assert_eq!(item["received"], wrong.len());
        assert!(is_clean(&item["repair_hex"]), "{item}");
        if rule != "protocol_version" {
            assert_eq!(item["repair_hex"], masked, "{item}");
        }
        assert_eq!(item["decision"], "refused");
        assert_eq!(item["listener"], format!("mqtt://{}", server.address()));
        let at = item["at"].as_str().expect("a time");
        assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
        assert!(item["message"].as_str().is_some_and(|text| text.len() > 20));
        assert!(item["hint"].as_str().is_some_and(|text| text.len() > 20));
    }
}

#[test]
fn what_is_no_connect_is_told_for_what_it_is() {
    let server = Server::start(&[]);
    let hello = parse_hex("16 03 01 00 f4 01 00 00 f0 03 03 00 01 02 03").expect("hex");
    let request = format!("GET /status HTTP/1.1\r\nHost: x\r\nUser-Agent: {}\r\n\r\n", "x".repeat(60));
    for (bytes, reason, rule) in [
        (&*hello, "malformed_packet", "tls_on_plain_listener"),
        (request.as_bytes(), "connect_expected", "http_on_mqtt_listener"),
        (PINGREQ, "connect_expected", "connect_expected"),
        (&publish("t", b"x"), "connect_expected", "connect_expected"),
        (&[0x10, 0x80, 0x80, 0x40], "packet_too_large", "packet_too_large"),
        (&[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], "malformed_packet", "remaining_length_too_long"),
    ] {
        let item = refused(&server, bytes);
        assert_eq!((&item["reason"], &item["rule"]), (&json!(reason), &json!(rule)), "{item}");
        assert_eq!(item["hex"], plain_hex(bytes), "all of it: {item}");
        assert!(item["offset"].is_u64() && item["length"].is_u64(), "{item}");
        assert_eq!(item["masked"], false);
    }
    let list = get(&server, "/api/v1/rejections?reason=connect_expected");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
    let list = get(&server, "/api/v1/rejections?reason=remaining_length_too_long&lang=zh");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert!(list["items"][0]["message"].as_str().is_some_and(|text| text.contains("剩余长度")));
}

#[test]
fn what_never_became_a_connect_is_told_with_the_bytes_that_came() {
    let server = Server::start(&["--connect-timeout", "300ms", "--shards", "2"]);
    let mut right = connect(4, "device-1", 60, &["somebody", "secret"]);
    right[1] += 1;
    let item = refused(&server, &right);
    assert_eq!(item["reason"], "connect_incomplete");
    assert_eq!((&item["offset"], &item["length"]), (&json!(1), &json!(1)));
    assert!(is_clean(&item["repair_hex"]), "{item}");
    let item = refused(&server, &right[..20]);
    assert!(item["message"].as_str().is_some_and(|text| text.contains("20 bytes")), "{item}");
    assert_eq!(item["hex"], plain_hex(&right[..20]));
    let item = refused(&server, &[]);
    assert_eq!((&item["hex"], &item["received"]), (&json!(""), &json!(0)));
    // Several at once, each with its own bytes.
    let mut clients: Vec<Client> = (1..9).map(|_| server.client()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&right[..3 + n]);
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.closed();
        assert_eq!(rejection(&server, client, "")["hex"], plain_hex(&right[..3 + n]));
    }
}

#[test]
fn wrong_credentials_are_told_masked_and_shown_to_those_who_ask() {
    let path = std::env::temp_dir().join(format!("hexmq-recorder-{}.toml", std::process::id()));
    let user = format!("[[user]]\nname = \"u\"\npassword_hash = \"{}\"\n", hash("right"));
    std::fs::write(&path, user).expect("written");
    let server = Server::start(&["--config", path.to_str().expect("a plain path"), "--shards", "2"]);
    for (level, user) in [(4, "u"), (5, "u"), (4, "nobody")] {
        let sent = connect(level, "device-1", 60, &[user, "wrong"]);
        let mut client = server.client();
        client.send(&sent);
        client.packet();
        client.closed();
        let item = rejection(&server, &client, "reason=bad_user_name_or_password");
        assert_eq!(item["client_id"], "device-1");
        assert_eq!(item["rule"], "bad_user_name_or_password");
        let shown = plain_hex(&[&sent[..sent.len() - 5], b"*****"].concat());
        assert_eq!((&item["hex"], &item["repair_hex"]), (&json!(shown), &json!(shown)));
        assert!(is_clean(&item["repair_hex"]));
        let place = sent.len() - 7 - (2 + user.len());
        assert_eq!((&item["offset"], &item["length"]), (&json!(place), &json!(sent.len() - place)));
        let revealed = rejection(&server, &client, "reveal=true");
        assert_eq!(revealed["hex"], plain_hex(&sent));
    }
    // A packet sent behind a CONNECT that is refused later is none of it.
    let sent = connect(4, "device-2", 60, &["u", "wrong"]);
    let mut client = server.client();
    client.send(&[&*sent, &*subscribe("t", 0)].concat()).closed();
    assert_eq!(rejection(&server, &client, "reveal=true")["hex"], plain_hex(&sent));
    std::fs::remove_file(path).expect("removed");
}

/// An address of this machine that is not loopback, where there is one.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: connecting a datagram socket only chooses the local address.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn anonymous_clients_from_elsewhere_learn_how_to_come_in() {
    let Some(ip) = outer_address() else {
        eprintln!("this machine has only loopback");
        return;
    };
    let server = Server::start(&["--listen", "mqtt://0.0.0.0:0"]);
    let any = server.addresses("mqtt").last().expect("a listener").clone();
    let (_, port) = any.rsplit_once(':').expect("a port");
    let sent = connect(4, "outside", 0, &[]);
    let mut client = Client::to((ip, port.parse().expect("a port")));
    client.send(&sent).expect(&[0x20, 2, 0, 5]).closed();
    let item = rejection(&server, &client, "");
    assert_eq!(
        (&item["reason"], &item["rule"]),
        (&json!("anonymous_not_allowed"), &json!("anonymous_not_allowed"))
    );
    assert_eq!((&item["offset"], &item["length"]), (&json!(9), &json!(1)));
    assert_eq!(item["hex"], plain_hex(&sent));
    assert_eq!(item["listener"], format!("mqtt://{any}"));
    assert!(is_clean(&item["repair_hex"]), "{item}");
    assert!(item["hint"].as_str().is_some_and(|hint| hint.contains("--allow-anonymous")));
}

#[test]
fn a_client_without_an_identifier_and_packets_that_close_a_session_are_told() {
    let server = Server::start(&["--shards", "2"]);
    let mut nameless = connect(4, "", 0, &[]);
    nameless[9] = 0;
    let mut client = server.client();
    client.send(&nameless).expect(&[0x20, 2, 0, 2]).closed();
    let item = rejection(&server, &client, "");
    assert_eq!(
        (&item["reason"], &item["statement"]),
        (&json!("client_identifier_not_valid"), &json!("MQTT-3.1.3-8"))
    );
    assert!(is_clean(&item["repair_hex"]));
    let bad_flags = [&[0x80][..], &subscribe("t", 0)[1..]].concat();
    let again = connect(4, "later", 0, &["u", "secret"]);
    for (level, bytes, reason, statement, repaired) in [
        (4, &*bad_flags, "malformed_packet", json!("MQTT-3.8.1-1"), true),
        (5, &[0x36, 3, 0, 1, b't'], "malformed_packet", json!("MQTT-3.3.1-4"), false),
        (4, &again, "protocol_error", json!("MQTT-3.1.0-2"), false),
        (4, CONNACK, "protocol_error", Value::Null, false),
        (4, &[0x30, 0x80, 0x80, 0x80, 0x10], "packet_too_large", Value::Null, false),
    ] {
        let mut client = server.client();
        client.send(&connect(level, "later", 0, &[])).packet();
        client.subscribe_as(level, "t");
        // What comes before and behind it is not told.
        client.send(&[PINGREQ, bytes].concat()).expect(PINGRESP);
        client.closed();
        let item = rejection(&server, &client, "");
        assert_eq!((&item["decision"], &item["reason"]), (&json!("closed"), &json!(reason)), "{item}");
        assert_eq!(item["client_id"], "later");
        let shown = item["hex"].as_str().expect("hex");
        assert_eq!(
            shown.replace("736563726574", "2a2a2a2a2a2a"),
            plain_hex(bytes).replace("736563726574", "2a2a2a2a2a2a")
        );
        assert!(!shown.contains("736563726574"), "a password");
        assert_eq!(item["statement"], statement, "{item}");
        assert_eq!(item["repair_hex"].is_string(), repaired, "{item}");
    }
}

trait SubscribeAs {
    fn subscribe_as(&mut self, level: u8, filter: &str);
}

impl SubscribeAs for Client {
    fn subscribe_as(&mut self, level: u8, filter: &str) {
        if level == 5 {
            self.send(&[0x82, 7, 0, 1, 0, 0, 1, filter.as_bytes()[0], 0]);
            assert_eq!(self.packet()[0], 0x90);
        } else {
            self.subscribe(filter, 0);
        }
    }
}

#[test]
fn the_ring_is_bounded_and_its_pages_lead_on() {
    let server = Server::start(&["--rejections", "5", "--shards", "2"]);
    let peers: Vec<String> = (0..9)
        .map(|_| {
            let mut client = server.client();
            client.send(PINGREQ).closed();
            local(&client)
        })
        .collect();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for length in [2, 2, 1] {
        let page = get(&server, &format!("/api/v1/rejections?limit=2{cursor}"));
        let items = page["items"].as_array().expect("items");
        assert_eq!(items.len(), length, "{page}");
        seen.extend(items.iter().map(|item| item["peer"].as_str().expect("a peer").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => assert_eq!(length, 1),
        }
    }
    let newest_first: Vec<&String> = peers.iter().rev().take(5).collect();
    assert_eq!(seen.iter().collect::<Vec<_>>(), newest_first);
    let (_, page) = server.http("GET", "/metrics", true, "");
    assert!(
        page.contains("hexmq_rejections_kept 5\n") && page.contains("hexmq_rejections_pushed_out_total 4\n")
    );
    for (query, code) in [
        ("limit=0", "bad_query"),
        ("limit=x", "bad_query"),
        ("cursor=x", "bad_cursor"),
        ("what=1", "bad_query"),
    ] {
        let (status, error) = call(&server, "GET", &format!("/api/v1/rejections?{query}"), "");
        assert_eq!((status, &error["error"]["code"]), (400, &json!(code)), "{query}");
    }
    let server = Server::start(&["--rejections-bytes", "64KiB"]);
    for _ in 0..4 {
        // A PUBLISH of 30 KB.
        server.client().send(&publish("t", &[0; 30_000])).closed();
    }
    let kept = get(&server, "/api/v1/rejections");
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(2));
}
