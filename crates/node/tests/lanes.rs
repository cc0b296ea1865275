//! Lanes between shards that are far too small: senders wait, nothing is lost, order is kept.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hexmq_broker::{Answer, Event, Limits, Permit, Question, ShardId};
use hexmq_node::{Authority, Decision, Node, Notice, Placement, Setup, Tap};
use hexmq_transport::{ListenUrl, Listener};

/// Lets everybody in.
struct Open;

impl Authority for Open {
    fn decide(&self, _: &Question<'_>) -> Decision {
        Decision::Now(Answer::Admit { permit: Permit::default(), data: None })
    }
}

/// Counts full lanes and dropped messages, and which threads have driven which shards.
#[derive(Default)]
struct Count {
    full: AtomicUsize,
    dropped: AtomicUsize,
    drivers: Mutex<BTreeSet<(u16, Option<String>)>>,
}

impl Tap for Count {
    fn event(&self, shard: ShardId, event: &Event<'_>) {
        let thread = std::thread::current().name().map(str::to_owned);
        self.drivers.lock().expect("whole").insert((shard.0, thread));
        if matches!(event, Event::MessageDropped { .. } | Event::SessionEnded { dropped: 1.., .. }) {
            self.dropped.fetch_add(1, SeqCst);
        }
    }

    fn notice(&self, _: ShardId, notice: &Notice<'_>) {
        if matches!(notice, Notice::LaneFull { .. }) {
            self.full.fetch_add(1, SeqCst);
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first, (body.len() & 0x7F) as u8];
    if body.len() > 127 {
        packet[1] |= 0x80;
        packet.push((body.len() >> 7) as u8);
    }
    packet.extend_from_slice(body);
    packet
}

fn connect(address: &str, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let mut body = b"\0\x04MQTT\x04\x02\0\0\0".to_vec();
    body.push(id.len() as u8);
    body.extend_from_slice(id.as_bytes());
    stream.write_all(&packet(0x10, &body)).expect("written");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("CONNACK");
    assert_eq!(connack, [0x20, 2, 0, 0]);
    stream
}

const SENDERS: usize = 40;
const EACH: usize = 200;
const PAYLOAD: usize = 8000;

/// PUBLISH to `t` whose payload says who sent it as which of theirs.
fn message(sender: usize, n: usize) -> Vec<u8> {
    let mut body = b"\0\x01t".to_vec();
    body.extend_from_slice(&[sender as u8, n as u8]);
    body.resize(3 + PAYLOAD, 0);
    packet(0x30, &body)
}

#[test]
fn a_lane_far_too_small_loses_nothing() {
    loses_nothing(Placement::ByLoad);
}

#[test]
fn shards_that_change_hands_all_the_time_lose_nothing() {
    loses_nothing(Placement::Restless);
}

fn loses_nothing(placement: Placement) {
    let url: ListenUrl = "mqtt://127.0.0.1:0".parse().expect("a URL");
    let listeners = Listener::bind(&url, &[]).expect("bound");
    let address = listeners[0].url().replace("mqtt://", "");
    let count = Arc::new(Count::default());
    let limits = Limits { write_buffer_bytes: 1 << 30, ..Limits::default() };
    let setup = Setup {
        shards: 4,
        placement,
        limits: Arc::new(limits),
        clients_max: 1000,
        write_timeout: Duration::from_secs(60),
        lane_bytes_max: 10_000,
        seed: 7,
        authority_threads: 1,
        authority: Arc::new(Open),
        tap: Arc::clone(&count) as Arc<dyn Tap>,
        upstairs: None,
        store: None,
    };
    let shards = usize::from(setup.shards);
    let node = Node::start(setup, &listeners).expect("started");
    let mut receiver = connect(&address, "receiver");
    receiver.write_all(b"\x82\x06\0\x01\0\x01t\0").expect("written");
    receiver.read_exact(&mut [0; 5]).expect("SUBACK");
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let mut stream = connect(&address, &format!("sender-{sender}"));
            std::thread::spawn(move || {
                for n in 0..EACH {
                    stream.write_all(&message(sender, n)).expect("written");
                }
                stream.write_all(b"\xC0\0").expect("written");
                stream.read_exact(&mut [0; 2]).expect("PINGRESP");
            })
        })
        .collect();
    let mut next = [0; SENDERS];
    let mut packet = vec![0; message(0, 0).len()];
    for _ in 0..SENDERS * EACH {
        receiver.read_exact(&mut packet).expect("a message");
        let (sender, n) = (usize::from(packet[6]), usize::from(packet[7]));
        assert_eq!(n, next[sender], "in order from {sender}");
        next[sender] += 1;
    }
    for sender in senders {
        sender.join().expect("every sender is answered in the end");
    }
    assert_eq!(count.dropped.load(SeqCst), 0);
    let drivers = count.drivers.lock().expect("whole").len();
    assert!(placement == Placement::ByLoad || drivers > shards, "{drivers} pairs of shard and thread");
    eprintln!("{} times a lane was full, {drivers} pairs of shard and thread", count.full.load(SeqCst));
    let counted = node.handle().census(Duration::from_secs(30));
    assert!(counted.silent.is_empty());
    assert_eq!(counted.census.publish_received, (SENDERS * EACH) as u64);
    node.stop();
}
