//! What a message costs without a network: `cargo bench -p hexmq-broker --bench route [-- WORD]`.
//!
//! ns per delivered message; under callgrind the counts are exact, see `cargo xtask instructions`.

mod replies;
#[path = "../../wire/benches/scenario/mod.rs"]
mod scenario;
#[path = "../tests/world/mod.rs"]
mod world;

use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::{ConnId, Lost, Numbers, Shared};
use hexmq_wire::{ControlPacket, Delivery, QoS, Version};
use replies::Replies;
use scenario::{Scenario, Turn};
use world::{Bench, ack, connect, publish, request, shared, subscribe};

/// Who sends to whom.
#[derive(Clone, Copy)]
struct Load {
    /// Topics, each with publishers and subscribers of its own.
    topics: u32,
    publishers: u32,
    subscribers: u32,
    /// Messages of one publisher in a turn.
    window: u32,
    qos: QoS,
    version: Version,
    /// The subscribers'.
    to_version: Version,
    /// Those a request carries, in each message.
    properties: bool,
    /// The subscribers of a topic share a subscription.
    share: bool,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// All sessions on one shard, none stored.
    Here,
    /// The subscribers on another shard.
    Elsewhere,
    /// The sessions of the subscribers are stored.
    Stored,
}

const PAIRS: Load = Load {
    topics: 50,
    publishers: 1,
    subscribers: 1,
    window: 16,
    qos: QoS::AtMostOnce,
    version: Version::V4,
    to_version: Version::V4,
    properties: false,
    share: false,
    place: Place::Here,
};
const PAIRS_V5: Load = Load { version: Version::V5, to_version: Version::V5, ..PAIRS };
const FAN_IN: Load = Load { topics: 1, publishers: 100, ..PAIRS };
const FAN_OUT: Load = Load { topics: 1, subscribers: 100, ..PAIRS };
const SHARDS: Load = Load { place: Place::Elsewhere, ..PAIRS };

fn main() {
    let (q1, q2) = (QoS::AtLeastOnce, QoS::ExactlyOnce);
    scenario::main(&[
        flow("pairs-q0", PAIRS),
        flow("pairs-q1", Load { qos: q1, ..PAIRS }),
        flow("pairs-q2", Load { qos: q2, ..PAIRS }),
        flow("pairs-q0-v5", PAIRS_V5),
        flow("pairs-q1-v5", Load { qos: q1, ..PAIRS_V5 }),
        flow("pairs-q0-properties", Load { properties: true, ..PAIRS_V5 }),
        flow("pairs-q0-v4-to-v5", Load { to_version: Version::V5, ..PAIRS }),
        flow("share-q0", Load { subscribers: 10, share: true, ..PAIRS }),
        flow("pairs-q1-stored", Load { place: Place::Stored, qos: q1, ..PAIRS }),
        flow("pairs-500-q0", Load { topics: 500, ..PAIRS }),
        flow("pairs-500-w1-q0", Load { topics: 500, window: 1, ..PAIRS }),
        flow("fan-in-q0", FAN_IN),
        flow("fan-in-q1", Load { qos: q1, ..FAN_IN }),
        flow("fan-out-q0", FAN_OUT),
        flow("fan-out-q1", Load { qos: q1, ..FAN_OUT }),
        flow("fan-out-1000-q0", Load { subscribers: 1000, window: 4, ..FAN_OUT }),
        flow("shards-q0", SHARDS),
        flow("shards-q1", Load { qos: q1, ..SHARDS }),
        flow("shards-fan-out-q0", Load { place: Place::Elsewhere, ..FAN_OUT }),
        Scenario::new("queue-q1", 10_000, 100, |_| queue(Bench::new())),
        Scenario::new("queue-q1-stored", 10_000, 100, |_| queue(Bench::of(0, &Arc::new(with_store())))),
        Scenario::new("drain-q1", 10_000, 100, drain),
        Scenario::new("connect-subscribe-disconnect", 3_000, 1, |_| connecting()),
    ]);
}

fn flow(name: &'static str, load: Load) -> Scenario {
    let receivers = if load.share { 1 } else { load.subscribers };
    let per_turn = load.topics * load.publishers * receivers * load.window;
    Scenario::new(name, per_turn * 12_000_u32.div_ceil(per_turn), per_turn, move |_| {
        let mut stage = Stage::new(load);
        Box::new(move |_| stage.turn())
    })
}

/// A load at work.
struct Stage {
    here: Bench,
    elsewhere: Option<Bench>,
    /// Each with all it sends in a turn.
    publishers: Vec<(ConnId, Vec<u8>)>,
    subscribers: Vec<ConnId>,
    replies: Replies,
}

impl Stage {
    fn new(load: Load) -> Stage {
        let (mut here, mut elsewhere) = match load.place {
            Place::Here => (Bench::new(), None),
            Place::Stored => (Bench::of(0, &Arc::new(with_store())), None),
            Place::Elsewhere => {
                let shared = Arc::new(shared(2));
                (Bench::of(0, &shared), Some(Bench::of(1, &shared)))
            }
        };
        let own = NonZeroU16::MIN;
        // Without a Client Identifier a session is at home where it connects.
        let named = |name: String| if load.place == Place::Elsewhere { String::new() } else { name };
        let delivery = match load.qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(own),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(own),
        };
        let pubrel = ack(ControlPacket::Pubrel, own, load.version);
        let (mut publishers, mut subscribers) = (Vec::new(), Vec::new());
        for number in 0..load.topics {
            let topic = format!("bench/{number}/value");
            let filter = if load.share { format!("$share/group/{topic}") } else { topic.clone() };
            for subscriber in 0..load.subscribers {
                let home = elsewhere.as_mut().unwrap_or(&mut here);
                let conn = home.open();
                let clean_start = load.place != Place::Stored;
                let name = named(format!("s{number}-{subscriber}"));
                home.receive(conn, &connect(&name, load.to_version, clean_start));
                home.subscribe(conn, load.to_version, &filter, load.qos);
                subscribers.push(conn);
            }
            for publisher in 0..load.publishers {
                let conn = here.connect(&named(format!("p{number}-{publisher}")), load.version);
                let message = if load.properties {
                    request(&topic, delivery)
                } else {
                    publish(&topic, delivery, load.version)
                };
                let released = if load.qos == QoS::ExactlyOnce { pubrel.as_slice() } else { &[] };
                publishers.push((conn, [&message, released].concat().repeat(load.window as usize)));
            }
        }
        Stage { here, elsewhere, publishers, subscribers, replies: Replies::default() }
    }

    fn turn(&mut self) -> u32 {
        for (conn, messages) in &self.publishers {
            self.here.receive(*conn, messages);
            self.here.world.outputs[conn.slot as usize].clear();
        }
        let home = match &mut self.elsewhere {
            None => &mut self.here,
            Some(home) => {
                let batch = &mut self.here.world.batch;
                home.shard.forwarded(batch, home.now, &mut home.world);
                batch.clear();
                home
            }
        };
        self.subscribers.iter().map(|&conn| self.replies.reply(home, conn)).sum()
    }
}

fn with_store() -> Shared {
    shared(1).with_store(&Numbers { next_serial: 1, next_version: 1, seed: 7 }, "disk")
}

/// Sessions off line, with a subscription each to the same topic.
fn offline(bench: &mut Bench, sessions: u32) {
    for number in 0..sessions {
        let conn = bench.open();
        bench.receive(conn, &connect(&session_name(number), Version::V4, false));
        bench.receive(conn, &subscribe(&[&topic(number)], QoS::AtLeastOnce, Version::V4));
        bench.shard.lost(conn, Lost::Closed, bench.now, &mut bench.world);
    }
    bench.world.outputs.iter_mut().for_each(Vec::clear);
}

fn session_name(number: u32) -> String {
    format!("sleeper-{number:05}")
}

fn topic(number: u32) -> String {
    format!("bench/{number:05}/value")
}

/// A message for each of 100 sessions off line.
fn queue(mut bench: Bench) -> Turn {
    offline(&mut bench, 100);
    let publisher = bench.connect("publisher", Version::V4);
    let messages: Vec<Vec<u8>> = (0..100)
        .map(|number| publish(&topic(number), Delivery::AtLeastOnce(NonZeroU16::MIN), Version::V4))
        .collect();
    Box::new(move |_| {
        let queued = bench.shard.census().messages_queued;
        for message in &messages {
            bench.receive(publisher, message);
        }
        bench.world.outputs[publisher.slot as usize].clear();
        (bench.shard.census().messages_queued - queued) as u32
    })
}

/// In each turn another session comes back to 100 messages.
fn drain(turns: u32) -> Turn {
    let mut bench = Bench::new();
    offline(&mut bench, turns);
    let publisher = bench.connect("publisher", Version::V4);
    for number in 0..turns {
        let message = publish(&topic(number), Delivery::AtLeastOnce(NonZeroU16::MIN), Version::V4);
        (0..100).for_each(|_| _ = bench.receive(publisher, &message));
    }
    let connects: Vec<Vec<u8>> =
        (0..turns).map(|number| connect(&session_name(number), Version::V4, false)).collect();
    let mut replies = Replies::default();
    Box::new(move |turn| {
        let conn = bench.open();
        bench.receive(conn, &connects[turn as usize]);
        replies.reply(&mut bench, conn)
    })
}

/// Clients that come and go 60 ms apart, which lets the timers of those gone run out.
fn connecting() -> Turn {
    let mut bench = Bench::new();
    let connects: Vec<Vec<u8>> =
        (0..100).map(|number| connect(&format!("client-{number}"), Version::V4, true)).collect();
    let subscribes: Vec<Vec<u8>> =
        (0..100).map(|number| subscribe(&[&topic(number)], QoS::AtLeastOnce, Version::V4)).collect();
    Box::new(move |turn| {
        let number = turn as usize % connects.len();
        bench.now.mono = bench.now.mono.plus_ms(60);
        if bench.shard.next_timeout().is_some_and(|due| due <= bench.now.mono) {
            bench.shard.timeout(bench.now, &mut bench.world);
        }
        let conn = bench.open();
        bench.receive(conn, &connects[number]);
        bench.receive(conn, &subscribes[number]);
        bench.receive(conn, &[0xE0, 0]);
        bench.world.outputs[conn.slot as usize].clear();
        u32::from(bench.shard.census().clients_connected == 0)
    })
}
