//! MQTT over WebSocket.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::certificates::House;
use crate::dial::{Framed, address, frame, head, request, start, tls, websocket};
use crate::plainly::{large_message_passes, slow_reader_costs_little, speaks};
use crate::serving::{CONNACK, Client, PINGREQ, PINGRESP, Server, connect, publish, subscribe};

fn server(more: &[&str]) -> Server {
    Server::start(&[&["--ephemeral", "--listen", "ws://127.0.0.1:0/mqtt"], more].concat())
}

/// What a Close frame says.
fn closed<S: Read + Write>(client: &mut Client<Framed<S>>) -> u16 {
    let mut last = Vec::new();
    client.stream.read_to_end(&mut last).expect("an end");
    let (opcode, payload) = client.stream.heard.pop().expect("a Close");
    assert_eq!(opcode, 8);
    u16::from_be_bytes(payload.try_into().expect("a status"))
}

/// [V4 MQTT-6.0.0-1, V4 MQTT-6.0.0-4, V5 MQTT-6.0.0-1, V5 MQTT-6.0.0-4]
#[test]
fn both_listeners_carry_mqtt_and_are_announced() {
    let house = House::new();
    let server = start(&house, &["ws", "wss"], &["--shards", "2"]);
    for scheme in ["ws", "wss"] {
        let url = server.addresses(scheme).first().expect("a listener").clone();
        assert!(url.ends_with("/mqtt") && !url.contains(":0/"), "{url}");
    }
    for n in 0..4 {
        speaks(&mut websocket(&server), &format!("ws-{n}"));
        let mut secure = Framed::open(tls(&server, &house, "wss").stream, "");
        speaks(&mut secure, &format!("wss-{n}"));
        secure.send(&[0xE0, 0]);
        assert_eq!(closed(&mut secure), 1000);
    }
}

/// A segment, a frame and a packet know nothing of one another. [V4 MQTT-6.0.0-2, V5 MQTT-6.0.0-2]
#[test]
fn wherever_it_is_cut_the_same_is_understood() {
    let server = server(&["--shards", "2"]);
    let packets = |id: &str| {
        [connect(4, id, 0, &[]), subscribe(id, 0), publish(id, b"hello"), PINGREQ.to_vec()].concat()
    };
    let expect = |client: &mut Client<Framed<TcpStream>>, id: &str| {
        client.expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]).expect(&publish(id, b"hello")).expect(PINGRESP);
    };
    // Frames are cut within the packets, and segments within the frames.
    for cut in 0..packets("c00").len() {
        let id = format!("c{cut:02}");
        let bytes = packets(&id);
        let (first, second) = bytes.split_at(cut);
        let mut client = websocket(&server);
        client.send(first).send(second);
        expect(&mut client, &id);
    }
    // One message in fragments, with control frames between them.
    let id = "fragments";
    let bytes = packets(id);
    let mut stream = Vec::new();
    for (n, piece) in bytes.chunks(7).enumerate() {
        let first = if n == 0 { 0x02 } else { 0x00 };
        stream.extend(frame(first, piece));
        stream.extend(frame(0x89, format!("ping {n}").as_bytes()));
        stream.extend(frame(0x8A, b""));
    }
    stream.extend(frame(0x80, b""));
    let mut client = websocket(&server);
    client.stream.inner.write_all(&stream).expect("written");
    expect(&mut client, id);
    assert!(
        client.stream.heard.iter().all(|(opcode, payload)| *opcode == 10 && payload.starts_with(b"ping "))
    );
    let mut client = Client::to(address(&server, "ws"));
    for byte in [request("/mqtt", "").as_bytes(), &stream].concat() {
        client.send(&[byte]);
    }
    expect(&mut Framed::answered(client.stream), id);
    // All of it at once, before the answer has come.
    let mut client = Client::to(address(&server, "ws"));
    client.send(&[request("/mqtt", "").as_bytes(), &stream].concat());
    expect(&mut Framed::answered(client.stream), id);
}

#[test]
fn pings_are_answered_with_what_they_carry_and_close_with_close() {
    let server = server(&[]);
    let mut client = websocket(&server);
    speaks(&mut client, "a");
    for payload in [&b""[..], b"x", &[7; 125]] {
        client.stream.inner.write_all(&frame(0x89, payload)).expect("written");
        assert_eq!(client.stream.frame().expect("a frame"), (10, payload.to_vec()));
    }
    client.stream.inner.write_all(&frame(0x88, &[0x03, 0xE9, b'b', b'y', b'e'])).expect("written");
    assert_eq!(client.stream.frame().expect("a frame"), (8, vec![0x03, 0xE9, b'b', b'y', b'e']));
    assert_eq!(client.stream.inner.read(&mut [0]).expect("an end"), 0);
    // Without a DISCONNECT it is a connection that broke: the Will is due.
    let mut watcher = websocket(&server);
    watcher.connect("watcher").subscribe("will", 0);
    let mut dying = websocket(&server);
    let mut with_will = connect(4, "dying", 0, &[]);
    with_will[9] |= 0x04;
    with_will.extend([0, 4, b'w', b'i', b'l', b'l', 0, 4, b'g', b'o', b'n', b'e']);
    with_will[1] += 12;
    dying.send(&with_will).expect(CONNACK);
    dying.stream.inner.write_all(&frame(0x88, &[])).expect("written");
    watcher.expect(&publish("will", b"gone"));
}

/// [V4 MQTT-6.0.0-1, V5 MQTT-6.0.0-1]
#[test]
fn frames_that_break_rules_are_closed_with_the_reason() {
    let server = server(&[]);
    let mut unmasked = frame(0x82, PINGREQ);
    unmasked[1] &= 0x7F;
    let too_large = [0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0];
    for (bytes, status) in [
        (frame(0x81, b"text"), 1003),
        (unmasked, 1002),
        (frame(0xC2, PINGREQ), 1002),
        (frame(0x80, PINGREQ), 1002),
        (frame(0x09, b""), 1002),
        (too_large.to_vec(), 1009),
    ] {
        let mut client = websocket(&server);
        client.connect("a");
        client.stream.inner.write_all(&bytes).expect("written");
        assert_eq!(closed(&mut client), status, "{bytes:02x?}");
    }
    server.logged("websocket_frame");
}

/// [V4 MQTT-6.0.0-3, V5 MQTT-6.0.0-3]
#[test]
fn a_wrong_request_gets_an_http_error_that_says_why() {
    let house = House::new();
    let server = start(&house, &["ws", "wss"], &[]);
    let good = request("/mqtt", "");
    for (wrong, status, words) in [
        (good.replace("/mqtt", "/other"), "404", "/mqtt"),
        (good.replace("GET", "POST"), "405", "GET"),
        (good.replace("Upgrade: websocket", "X: y"), "426", "Upgrade: websocket"),
        (good.replace("Version: 13", "Version: 12"), "426", "13"),
        (good.replace("Protocol: mqtt", "Protocol: chat"), "400", "`mqtt`"),
        (good.replace("dGhl", ""), "400", "Sec-WebSocket-Key"),
        (format!("GET /mqtt HTTP/1.1\r\nX: {}", "x".repeat(9000)), "431", "headers"),
    ] {
        let check = |answer: Vec<u8>| {
            let answer = String::from_utf8(answer).expect("text");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            assert!(body.contains(words), "{answer}");
        };
        let mut client = Client::to(address(&server, "ws"));
        check(client.send(wrong.as_bytes()).closed());
        let mut client = tls(&server, &house, "wss");
        check(client.send(wrong.as_bytes()).closed());
    }
}

#[test]
fn messages_of_16_mib_pass() {
    let house = House::new();
    let server = start(&house, &["ws", "wss"], &[]);
    large_message_passes(websocket(&server), websocket(&server));
    let secure = || Framed::open(tls(&server, &house, "wss").stream, "");
    large_message_passes(secure(), secure());
}

#[test]
fn a_slow_reader_costs_no_more_than_its_bounds() {
    let server = server(&["--shards", "1"]);
    slow_reader_costs_little(&server, websocket(&server), server.client());
}

/// A page of another machine acts for whoever wrote it: being in a browser of this machine is no credential.
#[test]
fn a_foreign_page_is_not_of_this_machine() {
    let server = server(&[]);
    let open = |origin: &str| {
        Framed::open(Client::to(address(&server, "ws")).stream, &format!("Origin: {origin}\r\n"))
    };
    speaks(&mut open("http://127.0.0.1:18083"), "own");
    speaks(&mut open("http://localhost"), "also");
    let mut foreign = open("https://example.org");
    foreign.send(&connect(4, "foreign", 0, &[])).expect(&[0x20, 2, 0, 5]);
    let server = self::server(&["--allow-anonymous"]);
    let stream = Client::to(address(&server, "ws")).stream;
    speaks(&mut Framed::open(stream, "Origin: https://example.org\r\n"), "allowed");
}

#[test]
fn a_request_without_an_end_is_given_up_in_time() {
    let server = server(&["--connect-timeout", "300ms"]);
    let mut slow = Client::to(address(&server, "ws"));
    assert!(slow.send(b"GET /mqtt HTTP/1.1\r\nUpgr").closed().is_empty());
    let mut silent = Client::to(address(&server, "ws"));
    silent.send(request("/mqtt", "").as_bytes());
    head(&mut silent.stream);
    let mut silent = Framed::over(silent.stream);
    assert_eq!(closed(&mut silent), 1000);
}
