//! TLS with a key log, WebSocket, and both together.

use hexmq_workbench::capture::{Encrypted, KeyLog, NoteKind, Settings};
use hexmq_workbench::recording::Via;
use hexmq_workbench::{Side, parse_hex};
use serde_json::Value;

use crate::forge::{ACK, Block, Container, Forge, Link, Wire};
use crate::gather::{CONNACK, Gathered, connect, gather, gather_with, publish};

/// Exchanges that OpenSSL made.
fn exchanges() -> Value {
    serde_json::from_str(include_str!("tls.json")).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    parse_hex(value.as_str().expect("hex")).expect("hex")
}

fn keys_of(case: &Value) -> String {
    case["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| format!("{}\n", key.as_str().expect("text")))
        .collect()
}

fn key_log(case: &Value) -> KeyLog {
    let mut log = KeyLog::default();
    log.read(keys_of(case).as_bytes()).expect("a key log");
    log
}

/// The capture of an exchange, its segments cut into pieces of this size. `lost`: a segment that is not
/// in it.
fn capture(case: &Value, size: usize, lost: Option<usize>) -> Forge {
    let mut forge =
        Forge::new(Container::PcapNg { big_endian: false, block: Block::Enhanced }, Link::Ethernet);
    let mut wire = Wire::new("192.0.2.1:50000", "192.0.2.2:8883");
    forge.secrets(b"", false);
    wire.handshake(&mut forge);
    for (index, segment) in case["segments"].as_array().expect("segments").iter().enumerate() {
        let payload = bytes(&segment[1]);
        for piece in payload.chunks(size) {
            match (segment[0].as_str(), lost == Some(index)) {
                (Some("client"), true) => wire.client_next += piece.len() as u32,
                (Some("client"), false) => wire.client(&mut forge, piece),
                (_, true) => wire.server_next += piece.len() as u32,
                (_, false) => wire.server(&mut forge, piece),
            }
        }
    }
    forge
}

fn read(case: &Value, size: usize) -> Gathered {
    gather_with(&capture(case, size, None).bytes, Settings { keys: key_log(case), ..Settings::default() })
}

fn sent(exchanges: &Value, side: &str) -> Vec<Vec<u8>> {
    exchanges[side].as_array().expect("packets").iter().map(bytes).collect()
}

#[test]
fn every_cipher_suite_is_read_with_the_key_log() {
    let exchanges = exchanges();
    let mut read_cases = 0;
    for case in exchanges["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        if name.contains("cbc") {
            continue;
        }
        for size in [1, 100, 1_400] {
            let found = read(case, size);
            assert!(found.notes.is_empty(), "{name}: {:?}", found.notes);
            assert_eq!(found.packets_of(1, Side::Client), sent(&exchanges, "client"), "{name}");
            assert_eq!(found.packets_of(1, Side::Server), sent(&exchanges, "server"), "{name}");
            let connection = &found.closed[0];
            assert_eq!(connection.via, Via::Tls);
            assert_eq!(connection.server_name.as_deref(), Some("broker.example"));
            assert_eq!(connection.encrypted, None);
        }
        read_cases += 1;
    }
    assert_eq!(read_cases, 6);
}

#[test]
fn a_capture_may_bring_its_key_log_along() {
    let exchanges = exchanges();
    let case = &exchanges["cases"][0];
    let mut forge =
        Forge::new(Container::PcapNg { big_endian: true, block: Block::Enhanced }, Link::Ethernet);
    forge.secrets(keys_of(case).as_bytes(), false);
    let mut wire = Wire::new("192.0.2.1:50000", "192.0.2.2:8883");
    wire.handshake(&mut forge);
    for segment in case["segments"].as_array().expect("segments") {
        match segment[0].as_str() {
            Some("client") => wire.client(&mut forge, &bytes(&segment[1])),
            _ => wire.server(&mut forge, &bytes(&segment[1])),
        }
    }
    assert_eq!(gather(&forge.bytes).packets.len(), 5);
}

#[test]
fn what_stays_closed_says_why() {
    let exchanges = exchanges();
    let why = |case: &Value, settings: Settings| {
        let found = gather_with(&capture(case, 1_400, None).bytes, settings);
        assert!(found.packets.is_empty());
        let told: Vec<_> = found.kinds().into_iter().cloned().collect();
        let connection = &found.closed[0];
        assert_eq!(told, [NoteKind::Encrypted(connection.encrypted.clone().expect("a reason"))]);
        connection.encrypted.clone().expect("a reason")
    };
    for case in exchanges["cases"].as_array().expect("cases") {
        let expected = match case["name"].as_str() {
            Some("tls12_cbc") => Encrypted::CipherSuite { code: 0xC009 },
            _ => Encrypted::NoKey,
        };
        assert_eq!(why(case, Settings::default()), expected);
    }
    // The secrets of another connection under the name of this one.
    let case = &exchanges["cases"][0];
    let mut keys = KeyLog::default();
    let forged = keys_of(case).replace(['a', 'b'], "c");
    let random: Vec<&str> = case["keys"][0].as_str().expect("text").split(' ').collect();
    for line in forged.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        keys.read(format!("{} {} {}", words[0].to_uppercase(), random[1], words[2]).as_bytes())
            .expect("lines");
    }
    let labels = keys_of(case);
    assert!(labels.contains("CLIENT_TRAFFIC_SECRET_0"));
    let found = gather_with(&capture(case, 1_400, None).bytes, Settings { keys, ..Settings::default() });
    assert!(found.packets.is_empty(), "wrong secrets open nothing");
}

#[test]
fn tls_that_begins_in_the_middle_is_told() {
    let exchanges = exchanges();
    let case = &exchanges["cases"][0];
    let mut forge = Forge::new(Container::USUAL, Link::Raw);
    let mut wire = Wire::new("192.0.2.1:50000", "192.0.2.2:8883");
    for segment in case["segments"].as_array().expect("segments").iter().skip(3) {
        match segment[0].as_str() {
            Some("client") => wire.client(&mut forge, &bytes(&segment[1])),
            _ => wire.server(&mut forge, &bytes(&segment[1])),
        }
    }
    let found = gather_with(&forge.bytes, Settings { keys: key_log(case), ..Settings::default() });
    assert_eq!(found.closed[0].encrypted, Some(Encrypted::NoHandshake));
    assert_eq!(found.closed[0].server, wire.server);
}

#[test]
fn behind_a_gap_tls_is_read_on() {
    let exchanges = exchanges();
    for case in exchanges["cases"].as_array().expect("cases").iter().take(3) {
        let segments = case["segments"].as_array().expect("segments");
        // The record of the PUBLISH: header, nine bytes, content type, tag.
        let is_publish =
            |segment: &Value| segment[0] == "client" && bytes(&segment[1]).len() == 5 + 9 + 1 + 16;
        let lost = segments.iter().position(is_publish).expect("a segment of its own");
        let mut forge = capture(case, 1_400, Some(lost));
        // The server acknowledges it, so that it is known to be lost.
        let wire = Wire::new("192.0.2.1:50000", "192.0.2.2:8883");
        for _ in 0..80 {
            let mut late = wire.clone();
            late.client_next = 1_001 + total(segments, "client");
            late.server_next = 900_001 + total(segments, "server");
            forge.ip(&late.by_server(ACK, b""));
        }
        let found = gather_with(&forge.bytes, Settings { keys: key_log(case), ..Settings::default() });
        let client = found.packets_of(1, Side::Client);
        assert!(client.contains(&b"\xe0\x00".as_slice()), "{}: {:?}", case["name"], found.notes);
        assert!(found.names().contains(&"gap"));
    }
}

fn total(segments: &[Value], side: &str) -> u32 {
    segments.iter().filter(|segment| segment[0] == side).map(|segment| bytes(&segment[1]).len() as u32).sum()
}

/// A WebSocket frame.
fn frame(mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let flag = if mask.is_some() { 0x80 } else { 0 };
    let key = mask.unwrap_or_default();
    let clear = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    [0x82, flag | payload.len() as u8].into_iter().chain(mask.into_iter().flatten()).chain(clear).collect()
}

#[test]
fn mqtt_in_a_websocket_is_read() {
    const MASK: Option<[u8; 4]> = Some([0xA5, 0x01, 0xFF, 0x33]);
    let mut forge = Forge::new(Container::USUAL, Link::Ethernet);
    let mut wire = Wire::new("192.0.2.1:50000", "192.0.2.2:8083");
    wire.handshake(&mut forge);
    wire.client(
        &mut forge,
        b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
    wire.server(
        &mut forge,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
    let hello = connect("browser");
    // A packet in two frames, and two packets in one.
    wire.client(&mut forge, &frame(MASK, &hello[..7]));
    wire.client(&mut forge, &frame(MASK, &hello[7..]));
    wire.server(&mut forge, &frame(None, CONNACK));
    let two = publish("a", b"1").repeat(2);
    wire.client(&mut forge, &frame(MASK, &two));
    wire.close(&mut forge);
    let found = gather(&forge.bytes);
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    let one = publish("a", b"1");
    assert_eq!(found.packets_of(1, Side::Client), [hello, one.clone(), one]);
    assert_eq!(found.packets_of(1, Side::Server), [CONNACK]);
    assert_eq!(found.closed[0].via, Via::Ws);
}
