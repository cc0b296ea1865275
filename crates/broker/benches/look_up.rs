//! What finding things costs: receivers among many filters, retained messages, timers that are due.
//! `cargo bench -p hexmq-broker --bench look_up [-- WORD]`.
//!
//! ns per operation; under callgrind the counts are exact, see `cargo xtask instructions`. How much
//! memory the stores take is measured by the bench `stores`.

mod replies;
#[path = "../../wire/benches/scenario/mod.rs"]
mod scenario;
#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;
use std::sync::Arc;

use hexmq_broker::store::{NewEntry, Wheel};
use hexmq_broker::{Namespace, SessionRef, ShardId, Shared};
use hexmq_session::Mono;
use hexmq_topic::{SubscriptionFilter, TopicName};
use hexmq_wire::{Delivery, QoS, SubscriptionOptions, Version};
use replies::Replies;
use scenario::{Scenario, Turn};
use world::{Bench, publish, retained, shared, subscribe};

/// Messages of one turn, and filters of one SUBSCRIBE.
const MANY: u32 = 100;
/// Groups of devices.
const GROUPS: u32 = 1000;
const MILLION: u32 = 1_000_000;

fn main() {
    scenario::main(&[
        Scenario::new("publish-1m-cold", 4_000, MANY, |turns| publishing(MILLION, turns * MANY, false)),
        Scenario::new("publish-10k-cached", 10_000, MANY, |_| publishing(10_000, MANY, false)),
        Scenario::new("publish-10k-cold", 4_000, MANY, |turns| publishing(10_000, turns * MANY, false)),
        Scenario::new("publish-10k-cold-ahead", 4_000, MANY, |turns| publishing(10_000, turns * MANY, true)),
        Scenario::new("publish-among-subscribers", 10_000, MANY, |_| publishing_among_subscribers()),
        Scenario::new("match-10k", 10_000, MANY, |_| matching(10_000)),
        Scenario::new("subscribe-unsubscribe", 10_000, MANY, |_| subscribing()),
        Scenario::new("retained-store", 10_000, MANY, |turns| storing(turns * MANY)),
        Scenario::new("retained-replace", 10_000, MANY, |_| storing(10 * MANY)),
        Scenario::new("retained-fetch", 10_000, 1_000, |_| fetching(1_000)),
        Scenario::new("timer-insert-expire", 64 * 2_000, 64, |_| timers()),
    ]);
}

/// A message to a device, matched by the device's own filter, one with `+` and one `#`.
fn device(number: u32) -> String {
    format!("fleet/{}/device{number}/command", number % GROUPS)
}

/// Devices that nobody publishes to, with a subscription each.
fn strangers(shared: &Shared, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let filter = device(number);
        let filter = SubscriptionFilter::parse(&filter).expect("a filter");
        shared.index.subscribe(Namespace::PLAIN, filter, entry(stranger(number)));
    }
}

fn stranger(number: u32) -> SessionRef {
    SessionRef { shard: ShardId(1), slot: number, generation: 0 }
}

fn entry(session: SessionRef) -> NewEntry {
    NewEntry {
        session,
        options: SubscriptionOptions::default(),
        subscription_identifier: None,
        stored: false,
        room: None,
    }
}

/// `filters` in all; those of devices 0 to `devices` belong to clients here.
fn fleet(shared: &Arc<Shared>, filters: u32, devices: u32) -> Bench {
    strangers(shared, devices..filters - GROUPS - 1);
    let mut bench = Bench::of(0, shared);
    let groups = (0..GROUPS).map(|group| format!("fleet/{group}/+/command"));
    let own: Vec<String> = groups.chain((0..devices).map(device)).chain(["#".to_owned()]).collect();
    for (number, filters) in own.chunks(MANY as usize).enumerate() {
        let conn = bench.connect(&format!("subscriber-{number}"), Version::V4);
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        bench.receive(conn, &subscribe(&filters, QoS::AtMostOnce, Version::V4));
    }
    bench.world.outputs.iter_mut().for_each(Vec::clear);
    assert_eq!(shared.index.len(), filters as usize);
    bench
}

/// Messages to so many devices in turn, three deliveries each; `ahead`: those that were read with a message
/// are looked at before it is handled, as far as the shard wants it.
fn publishing(filters: u32, devices: u32, ahead: bool) -> Turn {
    let mut bench = fleet(&Arc::new(shared(1)), filters, devices);
    let publisher = bench.connect("publisher", Version::V4);
    let messages: Vec<Vec<u8>> =
        (0..devices).map(|number| publish(&device(number), Delivery::AtMostOnce, Version::V4)).collect();
    // What comes alone is not looked at before.
    let together = if ahead { MANY as usize } else { 1 };
    let reads: Vec<Vec<u8>> = messages.chunks(together).map(<[_]>::concat).collect();
    Box::new(move |turn| {
        let sent = bench.shard.census().publish_sent;
        let first = turn as usize * MANY as usize % messages.len() / together;
        for read in reads.iter().skip(first).take(MANY as usize / together) {
            bench.receive(publisher, read);
        }
        bench.world.outputs.iter_mut().for_each(Vec::clear);
        (bench.shard.census().publish_sent - sent) as u32 / 3
    })
}

/// Messages to devices whose receivers are known, while other devices of their groups come and go: one change for
/// each message.
fn publishing_among_subscribers() -> Turn {
    let shared = Arc::new(shared(1));
    let mut bench = fleet(&shared, 10_000, MANY);
    let publisher = bench.connect("publisher", Version::V4);
    let messages: Vec<Vec<u8>> =
        (0..MANY).map(|number| publish(&device(number), Delivery::AtMostOnce, Version::V4)).collect();
    // They subscribe in one half of a turn, and are gone again in the other.
    let others: Vec<String> = (0..MANY / 2).map(|number| device(number + 10 * GROUPS)).collect();
    Box::new(move |_| {
        let sent = bench.shard.census().publish_sent;
        for (number, message) in (0..).zip(&messages) {
            let other = number % (MANY / 2);
            let filter = SubscriptionFilter::parse(&others[other as usize]).expect("a filter");
            let session = stranger(other);
            if number < MANY / 2 {
                shared.index.subscribe(Namespace::PLAIN, filter, entry(session));
            } else {
                shared.index.unsubscribe(Namespace::PLAIN, filter, session);
            }
            bench.receive(publisher, message);
        }
        bench.world.outputs.iter_mut().for_each(Vec::clear);
        (bench.shard.census().publish_sent - sent) as u32 / 3
    })
}

/// The walk of the index alone.
fn matching(filters: u32) -> Turn {
    let shared = shared(1);
    strangers(&shared, 0..filters);
    let topics: Vec<String> = (0..MANY).map(|number| device(number * (filters / MANY))).collect();
    Box::new(move |_| {
        let mut found = 0;
        for topic in &topics {
            let topic = TopicName::parse(topic).expect("a topic");
            shared.index.matches(Namespace::PLAIN, topic, &mut |matched| {
                black_box(matched);
                found += 1;
            });
        }
        found
    })
}

/// A subscription that begins and ends, among 10,000 others.
fn subscribing() -> Turn {
    let shared = shared(1);
    strangers(&shared, 0..10_000);
    let filters: Vec<String> = (10_000..10_000 + MANY).map(device).collect();
    let session = SessionRef { shard: ShardId(0), slot: 0, generation: 0 };
    Box::new(move |_| {
        let mut ended = 0;
        for filter in &filters {
            let filter = SubscriptionFilter::parse(filter).expect("a filter");
            shared.index.subscribe(Namespace::PLAIN, filter, entry(session));
            ended += u32::from(shared.index.unsubscribe(Namespace::PLAIN, filter, session));
        }
        ended
    })
}

/// Retained messages for so many topics in turn.
fn storing(topics: u32) -> Turn {
    let mut bench = Bench::new();
    let publisher = bench.connect("publisher", Version::V4);
    let messages: Vec<Vec<u8>> =
        (0..topics).map(|number| retained(&device(number), Delivery::AtMostOnce, Version::V4)).collect();
    Box::new(move |turn| {
        let before = bench.shard.census().publish_received;
        for number in 0..MANY {
            bench.receive(publisher, &messages[((turn * MANY + number) % topics) as usize]);
        }
        (bench.shard.census().publish_received - before) as u32
    })
}

/// All retained messages for a new subscription to `#`.
fn fetching(topics: u32) -> Turn {
    let mut bench = Bench::new();
    let publisher = bench.connect("publisher", Version::V4);
    for number in 0..topics {
        bench.receive(publisher, &retained(&device(number), Delivery::AtMostOnce, Version::V4));
    }
    let subscriber = bench.connect("subscriber", Version::V4);
    let subscribe = subscribe(&["#"], QoS::AtMostOnce, Version::V4);
    let mut replies = Replies::default();
    Box::new(move |_| {
        bench.receive(subscriber, &subscribe);
        let mut fetched = 0;
        while bench.shard.has_work() {
            bench.shard.work(bench.now, &mut bench.world);
            fetched += replies.reply(&mut bench, subscriber);
        }
        fetched + replies.reply(&mut bench, subscriber)
    })
}

/// Timers of up to 90 s, and every 100 ms those that are due.
fn timers() -> Turn {
    let mut now = Mono(0);
    let mut wheel = Wheel::new(now);
    let mut spread = 0_u64;
    Box::new(move |_| {
        for token in 0..64_u64 {
            // Steps of a length that visits all of the range.
            spread = (spread + 61_803) % 90_001;
            wheel.insert(now.plus_ms(spread), token);
        }
        now = now.plus_ms(100);
        wheel.expire(now, |token| _ = black_box(token));
        64
    })
}
