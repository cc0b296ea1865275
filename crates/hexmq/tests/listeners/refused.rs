//! What is kept and said of connections that fail under MQTT, and what is recorded of those that do not.

use std::io::{Read, Write};

use hexmq_workbench::Side;
use hexmq_workbench::recording::{Entry, Recording};
use serde_json::{Value, json};

use crate::calls::{answer, ask, get, local, watch};
use crate::certificates::House;
use crate::dial::{Framed, Tls, address, frame, request, start, tls, websocket};
use crate::serving::{Client, PATIENCE, PINGREQ, PINGRESP, Server, connect};

/// What is told of a client, once it is told.
fn rejection(server: &Server, peer: &str) -> Value {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let list = get(server, "/api/v1/rejections");
        let items = list["items"].as_array().expect("items").clone();
        if let Some(item) = items.iter().find(|item| item["peer"] == *peer) {
            return item.clone();
        }
        assert!(std::time::Instant::now() < deadline, "{peer} in {list}");
    }
}

/// Sends bytes that end the connection, and returns what is told.
fn refused(server: &Server, scheme: &str, bytes: &[u8]) -> Value {
    let mut client = Client::to(address(server, scheme));
    client.send(bytes).closed();
    rejection(server, &local(&client))
}

#[test]
fn what_speaks_the_wrong_thing_is_told_the_right_one() {
    let house = House::new();
    let server = start(&house, &["mqtts", "ws", "wss", "auto"], &[]);
    let plain = connect(4, "device", 60, &["somebody", "secret"]);
    let masked = hexmq_workbench::plain_hex(&[&plain[..plain.len() - 6], b"******"].concat());
    let hello = {
        let mut tls = Tls::default().over(&house, Client::to(address(&server, "mqtts")).stream);
        let mut hello = Vec::new();
        tls.conn.write_tls(&mut hello).expect("a ClientHello");
        hello
    };
    for (scheme, bytes, reason, rule, hint) in [
        ("mqtts", &plain, "tls_failed", "not_tls", "mqtt:// or auto://"),
        ("wss", &plain, "tls_failed", "not_tls", "auto://"),
        ("mqtt", &hello, "malformed_packet", "tls_on_plain_listener", "mqtts:// or auto://"),
        ("ws", &hello, "websocket_failed", "not_websocket", "wss://"),
        ("ws", &plain, "websocket_failed", "not_websocket", "mqtt://"),
        ("ws", &request("/", "").into_bytes(), "websocket_failed", "websocket_refused", "sub-protocol"),
    ] {
        let item = refused(&server, scheme, bytes);
        assert_eq!((&item["reason"], &item["rule"]), (&json!(reason), &json!(rule)), "{item}");
        assert!(item["hint"].as_str().expect("a hint").contains(hint), "{item}");
        assert_eq!(item["received"], bytes.len(), "{item}");
        assert_eq!(item["decision"], "refused");
        assert!(item["listener"].as_str().expect("a URL").starts_with(scheme), "{item}");
        if *bytes == plain {
            assert_eq!((&item["hex"], &item["masked"]), (&json!(masked), &json!(true)));
        }
    }
    let item = refused(&server, "mqtt", &hello);
    assert!(item["message"].as_str().expect("words").contains("TLS bytes on a plain listener"), "{item}");
    let list = get(&server, "/api/v1/rejections?reason=not_tls");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_handshake_that_fails_says_why() {
    let house = House::new();
    let stranger = House::new();
    let server = start(&house, &["mqtts"], &["--tls-client-ca", &house.path("ca.pem")]);
    let failed = |mut client: Client<crate::dial::TlsStream>| {
        let peer = client.stream.sock.local_addr().expect("an address").to_string();
        let _ = client.stream.write_all(PINGREQ);
        let _ = client.stream.read(&mut [0]);
        drop(client);
        rejection(&server, &peer)
    };
    let to = address(&server, "mqtts");
    let item = failed(Tls::default().to(&house, &to));
    assert_eq!(item["rule"], "tls_client_certificate_missing", "{item}");
    let foreign = stranger.signed("x", 2020, 2090);
    let item = failed(Tls { shows: Some(&foreign), ..Tls::default() }.to(&house, &to));
    assert_eq!(item["rule"], "tls_client_certificate_refused", "{item}");
    // Who trusts another house says so and goes.
    let item = failed(Tls::default().to(&stranger, &to));
    assert_eq!(item["rule"], "tls_server_not_trusted", "{item}");
    assert!(item["hex"].as_str().expect("hex").starts_with("1603"), "{item}");
    // TLS 1.1: its ClientHello offers nothing newer.
    let mut old = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    old.extend([7; 32]);
    old.extend([0, 0, 2, 0xC0, 0x13, 1, 0]);
    let mut client = Client::to(&*to);
    client.send(&old).closed();
    let item = rejection(&server, &local(&client));
    assert_eq!(item["rule"], "tls_nothing_in_common", "{item}");
    // Half a handshake, and gone.
    let mut client = Client::to(&*to);
    client.send(&old[..20]);
    client.stream.shutdown(std::net::Shutdown::Write).expect("shut");
    client.closed();
    let item = rejection(&server, &local(&client));
    assert_eq!((&item["rule"], &item["received"]), (&json!("tls_incomplete"), &json!(20)), "{item}");
}

/// What crosses is recorded as MQTT: neither ciphertext nor frames, and passwords are masked.
#[test]
fn the_recorder_sees_plain_bytes() {
    let house = House::new();
    let server = start(&house, &["mqtts", "ws", "wss"], &["--shards", "2"]);
    for scheme in ["mqtts", "ws", "wss"] {
        let id = format!("over-{scheme}");
        let watch = watch(&server, &json!({ "client_id": id }));
        let sent = connect(4, &id, 0, &["u", "secret"]);
        let masked = [&sent[..sent.len() - 6], b"******"].concat();
        match scheme {
            "mqtts" => talk(&mut tls(&server, &house, scheme), &sent),
            "ws" => talk(&mut websocket(&server), &sent),
            _ => talk(&mut Framed::open(tls(&server, &house, scheme).stream, ""), &sent),
        }
        let client = [&masked[..], PINGREQ].concat();
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let crossed = |from| crossed(&server, &watch, from);
            let (from_client, from_server) = (crossed(Side::Client), crossed(Side::Server));
            if from_client == client && from_server == [0x20, 2, 0, 0, 0xD0, 0] {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{from_client:02x?} {from_server:02x?}");
        }
    }
}

fn talk<S: Read + Write>(client: &mut Client<S>, connect: &[u8]) {
    client.send(connect).expect(&[0x20, 2, 0, 0]).send(PINGREQ).expect(PINGRESP);
}

fn crossed(server: &Server, watch: &str, from: Side) -> Vec<u8> {
    let (status, _, mut reader) =
        answer(ask(server, "GET", &format!("/api/v1/recorder/watches/{watch}/recording"), ""));
    assert_eq!(status, 200);
    let mut file = Vec::new();
    reader.read_to_end(&mut file).expect("a file");
    let recording = Recording::read(&*file, usize::MAX).expect("a recording");
    let mut bytes = Vec::new();
    for number in recording.connections() {
        bytes.extend(recording.of_connection(number).filter_map(|entry| match entry {
            Entry::Bytes(chunk) if chunk.from == from => Some(chunk.bytes.clone()),
            _ => None,
        }));
    }
    bytes.concat()
}

/// A packet that breaks a rule is judged as on a plain connection.
#[test]
fn a_bad_packet_inside_is_judged_as_mqtt() {
    let house = House::new();
    let server = start(&house, &["mqtts", "ws"], &[]);
    let mut wrong = connect(4, "x", 0, &[]);
    wrong[0] = 0x11;
    let mut secure = tls(&server, &house, "mqtts");
    let peer = secure.stream.sock.local_addr().expect("an address").to_string();
    secure.send(&wrong).closed();
    let item = rejection(&server, &peer);
    assert_eq!(
        (&item["rule"], &item["hex"]),
        (&json!("reserved_flags"), &json!(hexmq_workbench::plain_hex(&wrong)))
    );
    let mut framed = websocket(&server);
    let peer = framed.stream.inner.local_addr().expect("an address").to_string();
    framed.stream.inner.write_all(&frame(0x82, &wrong)).expect("written");
    framed.closed();
    assert_eq!(rejection(&server, &peer)["rule"], "reserved_flags");
}
