//! The driver against a scripted server on a real socket.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use hexmq_transport::Endpoint;
use hexmq_wire::{QoS, Version};

use super::*;
use crate::Options;

/// CONNACK of 3.x: accepted, without and with a session.
const CONNACK: &[u8] = &[0x20, 2, 0, 0];
const CONNACK_SESSION: &[u8] = &[0x20, 2, 1, 0];
const DISCONNECT: &[u8] = &[0xE0, 0];

/// What a server does with one connection.
type Act = Box<dyn FnOnce(&mut TcpStream) + Send>;

/// A server that plays `script` with each connection in turn.
fn serve(script: Vec<Act>) -> (Dial, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        for act in script {
            let (mut stream, _) = listener.accept().unwrap();
            act(&mut stream);
        }
    });
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port };
    (Dial { endpoint, bind: Some("127.0.0.1".into()), nodelay: true, tls: None }, server)
}

/// The next packet; all of these are short.
fn packet(stream: &mut impl Read) -> Vec<u8> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).unwrap();
    let length = usize::from(packet[1]);
    packet.resize(2 + length, 0);
    stream.read_exact(&mut packet[2..]).unwrap();
    packet
}

fn driver(address: Dial, options: Options) -> Driver {
    Driver::new(address, Client::new(options), 1)
}

/// The next event that is something, in its debug form.
fn event(driver: &mut Driver) -> String {
    loop {
        match driver.next(&[], None).unwrap() {
            Step::Event(Event::Nothing) => {}
            Step::Event(event) => return format!("{event:?}").split(['(', ' ']).next().unwrap().to_owned(),
            step => panic!("{step:?}"),
        }
    }
}

fn message(qos: QoS) -> Message<'static> {
    Message { topic_name: "t", payload: b"m", qos, retain: false, properties: Properties::EMPTY }
}

/// [V4 MQTT-4.4.0-1]
/// [V4 MQTT-7.1.2-1]
#[test]
fn a_message_in_flight_survives_the_connection() {
    let (address, server) = serve(vec![
        Box::new(|stream| {
            assert_eq!(packet(stream)[0], 0x10);
            stream.write_all(CONNACK).unwrap();
            assert_eq!(packet(stream), [0x32, 6, 0, 1, b't', 0, 1, b'm']);
            // And the connection is lost.
        }),
        Box::new(|stream| {
            assert_eq!(packet(stream)[0], 0x10);
            stream.write_all(CONNACK_SESSION).unwrap();
            assert_eq!(packet(stream), [0x3A, 6, 0, 1, b't', 0, 1, b'm'], "with DUP");
            stream.write_all(&[0x40, 2, 0, 1]).unwrap();
            assert_eq!(packet(stream), DISCONNECT);
        }),
    ]);
    let mut options = Options::new(Version::V4);
    options.clean_start = false;
    options.client_identifier = "c".into();
    let mut driver = driver(address, options);
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    driver.publish(message(QoS::AtLeastOnce)).unwrap();
    let loss = loop {
        match driver.next(&[], None) {
            Ok(step) => assert_eq!(step, Step::Event(Event::Nothing)),
            Err(loss) => break loss,
        }
    };
    assert!(matches!(loss, Loss::Closed | Loss::Io(_)), "{loss}");
    assert!(driver.reconnect(&[], None).unwrap());
    assert_eq!(event(&mut driver), "Connected");
    assert_eq!(event(&mut driver), "Published");
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
}

/// [V4 MQTT-3.14.4-1, V5 MQTT-3.14.4-2]
#[test]
fn after_disconnect_the_connection_is_closed() {
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        assert_eq!(packet(stream), DISCONNECT);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    })]);
    let mut driver = driver(address, Options::new(Version::V4));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
}

#[test]
fn bytes_may_come_one_at_a_time_and_packets_together() {
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        for byte in CONNACK {
            stream.write_all(&[*byte]).unwrap();
        }
        stream.write_all(&[0x30, 3, 0, 1, b'a', 0x30, 3, 0, 1, b'b', 0x30]).unwrap();
        stream.write_all(&[3, 0, 1, b'c']).unwrap();
        assert_eq!(packet(stream), DISCONNECT);
    })]);
    let mut driver = driver(address, Options::new(Version::V4));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    for name in ["a", "b", "c"] {
        match driver.next(&[], None).unwrap() {
            Step::Event(Event::Message(message)) => assert_eq!(message.topic_name, name),
            step => panic!("{step:?}"),
        }
    }
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
}

#[test]
fn the_observer_sees_each_packet_of_both_directions() {
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        while packet(stream) != DISCONNECT {}
    })]);
    let mut driver = driver(address, Options::new(Version::V4));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    driver.observe(Box::new(move |direction, frame| {
        log.lock().unwrap().push((direction, frame.bytes.to_vec()))
    }));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    driver.publish(message(QoS::AtMostOnce)).unwrap();
    driver.publish(message(QoS::AtMostOnce)).unwrap();
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
    let seen: Vec<_> = seen.lock().unwrap().iter().map(|(direction, bytes)| (*direction, bytes[0])).collect();
    let (o, i) = (Direction::Out, Direction::In);
    assert_eq!(seen, [(o, 0x10), (i, 0x20), (o, 0x30), (o, 0x30), (o, 0xE0)]);
}

#[test]
fn a_refusal_is_read_though_the_server_has_closed() {
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        stream.write_all(&[0x20, 2, 0, 5]).unwrap();
    })]);
    let mut driver = driver(address, Options::new(Version::V4));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Refused");
    server.join().unwrap();
}

#[test]
fn what_the_server_does_wrong_is_answered_and_told() {
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        stream.write_all(&[0x20, 3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap();
        assert_eq!(packet(stream), [0xE0, 1, 0x81], "DISCONNECT with Malformed Packet");
    })]);
    let mut driver = driver(address, Options::new(Version::V5));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    assert!(matches!(driver.next(&[], None), Err(Loss::Failure(Failure::Unframed(_)))));
    server.join().unwrap();
}

#[test]
fn another_descriptor_wakes_and_time_passes() {
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        assert_eq!(packet(stream), DISCONNECT);
    })]);
    let mut driver = driver(address, Options::new(Version::V4));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    assert_eq!(driver.next(&[], Some(Instant::now())).unwrap(), Step::TimedOut);
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"x").unwrap();
    let (quiet, _open) = UnixStream::pair().unwrap();
    assert_eq!(driver.next(&[quiet.as_fd(), ours.as_fd()], None).unwrap(), Step::Woken(1));
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
}

#[test]
fn a_server_that_reads_late_is_waited_for() {
    const COUNT: usize = 64;
    let (address, server) = serve(vec![Box::new(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        let mut everything = Vec::new();
        stream.read_to_end(&mut everything).unwrap();
        assert_eq!(everything.len(), COUNT * (4 + 3 + 500_000) + DISCONNECT.len());
    })]);
    let mut driver = driver(address, Options::new(Version::V4));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    let payload = vec![b'x'; 500_000];
    for _ in 0..COUNT {
        driver.publish(Message { payload: &payload, ..message(QoS::AtMostOnce) }).unwrap();
    }
    while driver.unsent() > 0 {
        let step = driver.next(&[], None).unwrap();
        assert_eq!(step, Step::Drained);
    }
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
}

/// [V4 MQTT-7.1.2-1]
#[test]
fn a_unix_socket_is_as_good() {
    let path = std::env::temp_dir().join(format!("hexmq-client-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        packet(&mut stream);
        stream.write_all(CONNACK).unwrap();
        assert_eq!(packet(&mut stream), DISCONNECT);
    });
    let address = Dial { endpoint: Endpoint::Unix(path.clone()), bind: None, nodelay: false, tls: None };
    let mut driver = driver(address, Options::new(Version::V4));
    driver.connect().unwrap();
    assert_eq!(event(&mut driver), "Connected");
    driver.disconnect(ReasonCode::Success, Properties::EMPTY);
    server.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn nobody_listening_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = Dial {
        endpoint: Endpoint::Tcp { host: "127.0.0.1".into(), port },
        bind: None,
        nodelay: false,
        tls: None,
    };
    assert!(matches!(driver(address, Options::new(Version::V4)).connect(), Err(Loss::Io(_))));
}
