//! Watches and what they record.

use std::io::Read;

use hexmq_workbench::Side;
use hexmq_workbench::recording::{Entry, Recording};
use serde_json::json;

use crate::calls::{answer, ask, call, get, local, watch};
use crate::serving::{CONNACK, PATIENCE, PINGREQ, PINGRESP, Server, connect, publish, subscribe};

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
    let seen = recorded(&server, &by_client, PINGRESP);
    let number = seen.connections()[0];
    assert_eq!(crossed(&seen, number, Side::Client), PINGREQ);
    assert_eq!(crossed(&seen, number, Side::Server), PINGRESP);
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
    let of_both = recorded(&server, &by_both, PINGRESP);
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
