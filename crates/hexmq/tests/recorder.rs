//! The flight recorder of a running server: refused connections, watches, recordings, live streams.

#[allow(dead_code, reason = "what other tests of the server use")]
mod serving;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use hexmq_workbench::recording::{Entry, Recording};
use hexmq_workbench::{Options, Side, explain, parse_hex, plain_hex};
use serde_json::{Value, json};
use serving::{CONNACK, Client, PATIENCE, PINGREQ, PINGRESP, Server, connect, publish, subscribe};

/// A request of the administrator. HTTP 1.0, so that a body ends with the connection.
fn ask(server: &Server, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
    let address = server.addresses("http").first().expect("an HTTP listener").clone();
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let length = body.len();
    // admin:pw
    let head = "Authorization: Basic YWRtaW46cHc=\r\nContent-Type: application/json";
    write!(stream, "{method} {path} HTTP/1.0\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")
        .expect("written");
    BufReader::new(stream)
}

/// Status, headers, and what follows them.
fn answer(mut reader: BufReader<TcpStream>) -> (u16, String, BufReader<TcpStream>) {
    let mut head = String::new();
    loop {
        let before = head.len();
        assert!(reader.read_line(&mut head).expect("a header") > 0, "{head}");
        if head[before..].trim().is_empty() {
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
            return (status, head, reader);
        }
    }
}

fn call(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, mut reader) = answer(ask(server, method, path, body));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("a body");
    let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
    (status, value)
}

fn get(server: &Server, path: &str) -> Value {
    let (status, value) = call(server, "GET", path, "");
    assert_eq!(status, 200, "{path}: {value}");
    value
}

/// The bytes of a file.
fn download(server: &Server, path: &str) -> Vec<u8> {
    let (status, _, mut reader) = answer(ask(server, "GET", path, ""));
    assert_eq!(status, 200, "{path}");
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a file");
    bytes
}

fn recording(server: &Server, watch: &str, query: &str) -> Recording {
    let file = download(server, &format!("/api/v1/recorder/watches/{watch}/recording{query}"));
    Recording::read(&*file, usize::MAX).expect("a recording")
}

/// The recording once the server has said `last` in it: what the kernel has taken is recorded right
/// after, and a client may be quicker.
fn recorded(server: &Server, watch: &str, last: &[u8]) -> Recording {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let recorded = recording(server, watch, "");
        let numbers = recorded.connections();
        if numbers.iter().any(|number| crossed(&recorded, *number, Side::Server).ends_with(last)) {
            return recorded;
        }
        assert!(std::time::Instant::now() < deadline, "{recorded:?}");
    }
}

fn watch(server: &Server, rule: &Value) -> String {
    let (status, made) = call(server, "POST", "/api/v1/recorder/watches", &rule.to_string());
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

fn local(client: &Client) -> String {
    client.stream.local_addr().expect("an address").to_string()
}

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

#[test]
fn everything_needs_the_administrator() {
    let server = Server::start(&[]);
    for (method, path) in [
        ("GET", "/api/v1/rejections"),
        ("GET", "/api/v1/rejections/stream"),
        ("GET", "/api/v1/recorder/watches"),
        ("POST", "/api/v1/recorder/watches"),
        ("GET", "/api/v1/recorder/watches/x"),
        ("DELETE", "/api/v1/recorder/watches/x"),
        ("GET", "/api/v1/recorder/watches/x/recording"),
        ("GET", "/api/v1/recorder/stream?watch=x"),
    ] {
        let (status, body) = server.http(method, path, false, "");
        assert_eq!(status, 401, "{method} {path}: {body}");
    }
}

/// The bytes of one side of a connection, put together.
fn crossed(recording: &Recording, connection: u64, from: Side) -> Vec<u8> {
    let bytes = recording.of_connection(connection).filter_map(|entry| match entry {
        Entry::Bytes(chunk) if chunk.from == from => Some(chunk.bytes.as_slice()),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

#[test]
fn a_watched_client_is_recorded_both_ways_and_nobody_else() {
    let server = Server::start(&["--shards", "2"]);
    let id = watch(&server, &json!({"client_id": "watched", "id": "mine"}));
    assert_eq!(id, "mine");
    let mut other = server.client();
    other.connect("other").send(PINGREQ).expect(PINGRESP);
    let mut client = server.client();
    let sent = connect(4, "watched", 0, &["u", "secret"]);
    let masked = [&sent[..sent.len() - 6], b"******"].concat();
    // In one segment, so that the CONNECT carries others along to another shard.
    let more = [subscribe("t", 0), publish("t", b"one"), PINGREQ.to_vec()].concat();
    client.send(&[&*sent, &*more].concat()).expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]);
    client.expect(&publish("t", b"one")).expect(PINGRESP);
    client.send(&[0xE0, 0]).closed();
    let recorded = recording(&server, "mine", "");
    assert!(recorded.head.masked);
    let connections = recorded.connections();
    assert_eq!(connections.len(), 1, "{recorded:?}");
    assert_eq!(crossed(&recorded, connections[0], Side::Client), [&*masked, &*more, &[0xE0, 0]].concat());
    let answers = [CONNACK, &[0x90, 3, 0, 1, 0], &publish("t", b"one"), PINGRESP].concat();
    assert_eq!(crossed(&recorded, connections[0], Side::Server), answers);
    let revealed = recording(&server, "mine", "?reveal=true");
    assert_eq!(crossed(&revealed, connections[0], Side::Client), [&*sent, &*more, &[0xE0, 0]].concat());
    assert!(!revealed.head.masked);
    let Some(Entry::Open(open)) = recorded.entries.first() else { panic!("{recorded:?}") };
    assert_eq!(open.client, local(&client));
    assert_eq!(open.server, server.address());
    assert!(matches!(recorded.entries.last(), Some(Entry::Close(close)) if close.by == Some(Side::Client)));
    let pcapng = download(&server, "/api/v1/recorder/watches/mine/recording?format=pcapng");
    assert_eq!(pcapng.get(..4), Some(&[0x0A, 0x0D, 0x0D, 0x0A][..]));
    let page = download(&server, "/api/v1/recorder/watches/mine/recording?format=html&lang=zh");
    let page = String::from_utf8(page).expect("text");
    assert!(page.contains("<html") && page.contains("watched") && !page.contains("736563726574"));
    let (status, error) = call(&server, "GET", "/api/v1/recorder/watches/mine/recording?format=x", "");
    assert_eq!((status, &error["error"]["code"]), (400, &json!("bad_query")));
}

#[test]
fn watches_are_switched_on_and_off_while_clients_are_connected() {
    let server = Server::start(&["--shards", "2"]);
    let mut client = server.client();
    client.connect("here");
    let by_client = watch(&server, &json!({"client_id": "here"}));
    client.send(PINGREQ).expect(PINGRESP);
    let recorded = recorded(&server, &by_client, PINGRESP);
    let number = recorded.connections()[0];
    assert_eq!(crossed(&recorded, number, Side::Client), PINGREQ);
    assert_eq!(crossed(&recorded, number, Side::Server), PINGRESP);
    let (status, _) = call(&server, "DELETE", &format!("/api/v1/recorder/watches/{by_client}"), "");
    assert_eq!(status, 204);
    let (status, error) = call(&server, "DELETE", &format!("/api/v1/recorder/watches/{by_client}"), "");
    assert_eq!((status, &error["error"]["code"]), (404, &json!("watch_not_found")));
    // Two rules that both fit: one connection, one number.
    let by_address = watch(&server, &json!({"address": "127.0.0.0/8"}));
    let url = format!("mqtt://{}", server.address());
    let by_both = watch(&server, &json!({"client_id": "new", "listener": url}));
    client.send(PINGREQ).expect(PINGRESP);
    let mut new = server.client();
    new.connect("new").send(PINGREQ).expect(PINGRESP);
    let of_both = self::recorded(&server, &by_both, PINGRESP);
    let of_address = recording(&server, &by_address, "");
    assert_eq!(of_address.connections().len(), 2);
    let number = of_both.connections()[0];
    let said = [connect(4, "new", 0, &[]), PINGREQ.to_vec()].concat();
    assert_eq!(crossed(&of_both, number, Side::Client), said);
    assert_eq!(crossed(&of_address, number, Side::Client), said);
    let list = get(&server, "/api/v1/recorder/watches");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["items"][0]["address"], "127.0.0.0/8");
    assert_eq!(list["items"][1]["listener"], url);
    assert!(list["items"][1]["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    for (rule, status, code) in [
        (json!({}), 400, "bad_request"),
        (json!({"address": "nowhere"}), 400, "bad_address"),
        (json!({"listener": "mqtt://h:1"}), 400, "listener_not_found"),
        (json!({"product": "p"}), 400, "product_not_supported"),
        (json!({"client": "x"}), 400, "bad_request"),
        (json!({"client_id": "x", "id": "a b"}), 400, "bad_id"),
        (json!({"client_id": "x", "id": by_both}), 409, "watch_exists"),
    ] {
        let (answered, error) = call(&server, "POST", "/api/v1/recorder/watches", &rule.to_string());
        assert_eq!((answered, &error["error"]["code"]), (status, &json!(code)), "{rule}: {error}");
        assert!(error["error"]["hint"].is_string());
    }
}

#[test]
fn a_watched_client_that_is_refused_leaves_a_recording_that_says_why() {
    let server = Server::start(&[]);
    let by_client = watch(&server, &json!({"client_id": "a"}));
    let by_address = watch(&server, &json!({"address": "127.0.0.1"}));
    let mut client = server.client();
    client.connect("a").send(&[0x80, 6, 0, 1, 0, 1, b't', 0]).closed();
    let mut wrong = connect(4, "b", 0, &[]);
    wrong[0] = 0x11;
    server.client().send(&wrong).closed();
    let notes = |watch: &str| -> Vec<(Option<String>, Option<String>)> {
        let recorded = recording(&server, watch, "");
        let notes = recorded.entries.into_iter().filter_map(|entry| match entry {
            Entry::Note(note) => Some((note.decision, note.statement)),
            _ => None,
        });
        notes.collect()
    };
    let closed = (Some("closed".to_owned()), Some("MQTT-3.8.1-1".to_owned()));
    let refused = (Some("refused".to_owned()), Some("MQTT-2.2.2-1".to_owned()));
    assert_eq!(notes(&by_client), std::slice::from_ref(&closed));
    assert_eq!(notes(&by_address), [closed, refused]);
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

/// Every member of the example is in the answer, with a value of the same kind.
fn has_shape(example: &Value, answer: &Value) -> Result<(), String> {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => {
            for (name, value) in example {
                let found = answer.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
                has_shape(value, found).map_err(|error| format!("{name}: {error}"))?;
            }
            let unknown = answer.keys().find(|name| !example.contains_key(*name));
            unknown.map_or(Ok(()), |name| Err(format!("`{name}` is not in the example")))
        }
        (Value::Array(example), Value::Array(answer)) => match (example.first(), answer.first()) {
            (Some(example), Some(answer)) => has_shape(example, answer),
            (Some(_), None) => Err("the list is empty".to_owned()),
            _ => Ok(()),
        },
        _ if std::mem::discriminant(example) == std::mem::discriminant(answer) => Ok(()),
        _ => Err(format!("{answer} where the example has {example}")),
    }
}

/// The blocks of a page: their language and what stands in them.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn the_examples_of_the_page_are_answered_as_it_says() {
    let page = include_str!("../../../docs/recorder.md");
    let server = Server::start(&[]);
    let mut wrong = connect(4, "device-1", 60, &["u", "secret"]);
    wrong[0] = 0x11;
    server.client().send(&wrong).closed();
    let mut answered = Value::Null;
    let mut requests = 0;
    for (language, text) in blocks(page) {
        if let Some(status) = language.strip_prefix("http ") {
            let (line, body) = text.split_once("\n\n").unwrap_or((text, ""));
            let (method, path) = line.trim().split_once(' ').expect("a method and a path");
            let (code, _, mut reader) = answer(ask(&server, method, path, body));
            let mut said = String::new();
            reader.read_to_string(&mut said).expect("a body");
            assert_eq!(code.to_string(), status, "{line}: {said}");
            answered = serde_json::from_str(&said).unwrap_or_default();
            requests += 1;
        } else if language == "json" {
            let example: Value = serde_json::from_str(text).expect("JSON");
            if let Err(error) = has_shape(&example, &answered) {
                panic!("{error}: {answered}");
            }
        }
    }
    assert_eq!(requests, 6);
    for setting in ["--rejections", "--rejections-bytes", "--recorder-watch-bytes", "--recorder-bytes"] {
        assert!(page.contains(&format!("| `{setting}` |")), "{setting}");
    }
}
