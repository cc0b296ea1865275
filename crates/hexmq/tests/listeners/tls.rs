//! MQTT over TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use crate::certificates::House;
use crate::dial::{Tls, address, over, start, tls};
use crate::plainly::{large_message_passes, slow_reader_costs_little, speaks};
use crate::serving::{CONNACK, Client, PINGREQ, PINGRESP, Server, connect, publish, subscribe};

#[test]
fn both_versions_carry_mqtt_and_the_listener_is_announced() {
    let house = House::new();
    let server = start(&house, &["mqtts"], &["--shards", "2"]);
    assert!(!address(&server, "mqtts").ends_with(":0"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let dial = Tls { version: Some(version), ..Tls::default() };
        let mut client = dial.to(&house, &address(&server, "mqtts"));
        speaks(&mut client, &format!("{version:?}"));
        assert_eq!(client.stream.conn.protocol_version(), Some(version.version));
        // DISCONNECT: TLS ends with a goodbye too.
        client.send(&[0xE0, 0]);
        assert_eq!(client.stream.read(&mut [0]).expect("a clean end"), 0);
    }
}

/// A device that comes back need not be known: its ticket says who it is.
#[test]
fn a_session_of_tls_is_taken_up_again() {
    let house = House::new();
    let server = start(&house, &["mqtts"], &[]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Tls { version: Some(version), ..Tls::default() }.config(&house);
        let dial =
            || Client { stream: over(Arc::clone(&config), Client::to(address(&server, "mqtts")).stream) };
        speaks(&mut dial(), "first");
        let mut second = dial();
        speaks(&mut second, "second");
        assert_eq!(second.stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    }
}

#[test]
fn auto_takes_tls_and_plain_on_one_port() {
    let house = House::new();
    let server = start(&house, &["auto"], &["--shards", "2"]);
    for n in 0..4 {
        speaks(&mut tls(&server, &house, "auto"), &format!("tls-{n}"));
        speaks(&mut Client::to(address(&server, "auto")), &format!("plain-{n}"));
        let mut slowly = Client::to(address(&server, "auto"));
        for byte in connect(4, &format!("slowly-{n}"), 0, &[]) {
            slowly.send(&[byte]);
        }
        slowly.expect(CONNACK);
    }
}

/// Everything at once: what TLS has decrypted goes along to another shard, and none of it waits for an edge.
#[test]
fn what_comes_with_connect_reaches_the_home_shard() {
    let house = House::new();
    let server = start(&house, &["mqtts"], &["--shards", "4"]);
    for n in 0..12 {
        let topic = format!("t/{n}");
        let count = 2_000;
        let mut bytes = [connect(4, &format!("whole-{n}"), 0, &[]), subscribe(&topic, 0)].concat();
        for number in 0..count {
            bytes.extend(publish(&topic, format!("{number:0100}").as_bytes()));
        }
        bytes.extend(PINGREQ);
        let mut client = tls(&server, &house, "mqtts");
        client.send(&bytes).expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]);
        for number in 0..count {
            client.expect(&publish(&topic, format!("{number:0100}").as_bytes()));
        }
        client.expect(PINGRESP);
    }
}

/// A record of TLS and a packet of MQTT know nothing of each other, and neither of segments.
#[test]
fn ciphertext_may_come_byte_by_byte() {
    struct Slow(TcpStream);
    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(&bytes[..1])
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.0.flush()
        }
    }
    let house = House::new();
    let server = start(&house, &["mqtts"], &["--shards", "2"]);
    let connection = Tls::default().over(&house, Client::to(address(&server, "mqtts")).stream);
    let (conn, sock) = (connection.conn, connection.sock);
    let mut client = Client { stream: rustls::StreamOwned::new(conn, Slow(sock)) };
    speaks(&mut client, "slow");
}

#[test]
fn a_client_certificate_is_required_where_its_authority_is_named() {
    let house = House::new();
    let stranger = House::new();
    let authority = house.path("ca.pem");
    let server = start(&house, &["mqtts", "auto"], &["--tls-client-ca", &authority]);
    let client = house.signed("device 7", 2020, 2090);
    let expired = house.signed("device 8", 2020, 2021);
    let foreign = stranger.signed("device 9", 2020, 2090);
    let dial = |shows| Tls { shows, ..Tls::default() };
    for scheme in ["mqtts", "auto"] {
        let address = address(&server, scheme);
        speaks(&mut dial(Some(&client)).to(&house, &address), scheme);
        for shows in [None, Some(&expired), Some(&foreign)] {
            let mut refused = dial(shows).to(&house, &address);
            // In TLS 1.3 a client learns only after its own part that it is refused.
            let _ = refused.stream.write_all(&connect(4, "x", 0, &[]));
            let error = refused.stream.read(&mut [0]).expect_err("refused").to_string();
            assert!(error.contains("ertificate") || error.contains("UnknownCA"), "{error}");
        }
    }
    server.logged("tls_client_certificate_missing");
    server.logged("tls_client_certificate_refused");
}

#[test]
fn a_handshake_has_the_time_of_a_connect() {
    let house = House::new();
    let server = start(&house, &["mqtts", "wss"], &["--connect-timeout", "300ms"]);
    for scheme in ["mqtts", "wss"] {
        // The beginning of a handshake record, and no more.
        let mut slow = Client::to(address(&server, scheme));
        slow.send(&[0x16, 3, 1, 1, 0, 1, 0]).closed();
        // A whole handshake, and no CONNECT.
        let mut silent = tls(&server, &house, scheme);
        assert_eq!(silent.stream.read(&mut [0]).expect("a clean end"), 0);
    }
    server.logged("7 bytes came");
    speaks(&mut tls(&server, &house, "mqtts"), "in time");
}

/// [V4 MQTT-3.1.2-24, V5 MQTT-3.1.2-22]
#[test]
fn a_half_open_connection_ends() {
    let house = House::new();
    let server = start(&house, &["mqtts"], &[]);
    let mut silent = tls(&server, &house, "mqtts");
    silent.send(&connect(4, "silent", 1, &[])).expect(CONNACK);
    let mut done = tls(&server, &house, "mqtts");
    done.send(&connect(4, "done", 0, &[])).expect(CONNACK);
    done.stream.conn.send_close_notify();
    done.stream.flush().expect("written");
    assert_eq!(done.stream.read(&mut [0]).expect("a clean end"), 0, "who says goodbye is answered");
    let mut gone = tls(&server, &house, "mqtts");
    gone.send(&connect(4, "gone", 0, &[])).expect(CONNACK);
    gone.stream.sock.shutdown(std::net::Shutdown::Write).expect("shut");
    assert_eq!(gone.stream.read(&mut [0]).expect("a clean end"), 0, "so is who just goes");
    assert_eq!(silent.stream.read(&mut [0]).expect("a clean end"), 0, "and who is silent for too long");
}

#[test]
fn a_message_of_16_mib_passes() {
    let house = House::new();
    let server = start(&house, &["mqtts"], &[]);
    large_message_passes(tls(&server, &house, "mqtts"), tls(&server, &house, "mqtts"));
}

#[test]
fn a_slow_reader_costs_no_more_than_its_bounds() {
    let house = House::new();
    let server = start(&house, &["mqtts"], &["--shards", "1"]);
    slow_reader_costs_little(&server, tls(&server, &house, "mqtts"), server.client());
}

fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// The client's own dialer.
#[test]
fn pub_sub_and_raw_speak_to_both_listeners() {
    let house = House::new();
    let authority = house.path("ca.pem");
    let server = start(&house, &["mqtts", "auto"], &["--tls-client-ca", &authority]);
    house.write("client", &house.signed("device 7", 2020, 2090));
    let (cert, key) = (house.path("client.pem"), house.path("client.key"));
    let large = "x".repeat(300_000);
    for scheme in ["mqtts", "auto"] {
        let address = address(&server, scheme);
        let port = address.rsplit(':').next().expect("a port");
        let tls = ["--cafile", &authority, "--cert", &cert, "--key", &key];
        let options = [&["-h", "localhost", "-p", port], &tls[..]].concat();
        let binary = env!("CARGO_BIN_EXE_hexmq");
        for (message, qos, version) in [("hello", "0", "tlsv1.2"), (large.as_str(), "2", "tlsv1.3")] {
            let arguments =
                [&["pub"], &options[..], &["-t", "a", "-r", "-q", qos, "-s", "--tls-version", version]]
                    .concat();
            let output = run(binary, &arguments, message);
            assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
            let output = run(binary, &[&["sub"], &options[..], &["-t", "a", "-C", "1"]].concat(), "");
            let got = String::from_utf8(output.stdout).expect("text");
            assert_eq!((output.status.code(), got.trim_end()), (Some(0), message));
        }
        let lines = "CONNECT v4 id=x clean_start\nexpect CONNACK 0x00\nDISCONNECT\nwait closed\n";
        let target = format!("mqtts://localhost:{port}");
        let output = run(binary, &[&["raw", &target], &tls[..]].concat(), lines);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn plain_clients_are_as_before_beside_tls() {
    let house = House::new();
    let server: Server = start(&house, &["mqtts"], &[]);
    let mut plain = server.client();
    plain.connect("plain").subscribe("t", 0);
    let mut secure = tls(&server, &house, "mqtts");
    secure.connect("secure").send(&publish("t", b"across"));
    plain.expect(&publish("t", b"across")).send(PINGREQ).expect(PINGRESP);
}
