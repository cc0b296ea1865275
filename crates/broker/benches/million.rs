//! A publish among a million subscriptions, two or three of which match, without a network:
//! `cargo bench -p hexmq-broker --bench million [-- walk | route] [-- SUBSCRIPTIONS]`.
//!
//! `walk` is the index alone, `route` the whole way of a PUBLISH through a shard. Every message
//! has another topic, far from the one before, so no cache has seen it. The time is the lower quartile of
//! many stretches of 256 messages. Under `valgrind --tool=cachegrind` the difference of two runs
//! with different numbers of laps gives exact instructions and misses per message.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use hexmq_broker::store::{Foreseen, Index, NewEntry};
use hexmq_broker::{Namespace, SessionRef, ShardId};
use hexmq_topic::SubscriptionFilter;
use hexmq_wire::{Delivery, QoS, SubscriptionOptions, Version};
use world::{Bench, publish};

#[path = "../tests/world/mod.rs"]
mod world;

/// Devices of a group.
const GROUP: u32 = 1000;
/// Clients for each kind of filter: one device, its wildcard, all devices of every other group.
const CLIENTS_PER_KIND: u32 = 6;
const KINDS: u32 = 3;
/// Messages of a stretch.
const STRETCH: u32 = 256;

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let part = words.first().map(String::as_str).unwrap_or_default();
    let number = |place: usize| words.get(place).and_then(|word| word.parse().ok());
    let devices = number(1).unwrap_or(1_000_000) / 2;
    let stretches = number(2).unwrap_or(2_000);
    if part.is_empty() || part == "walk" {
        walk(devices, stretches, 1);
    }
    if part.is_empty() || part == "ahead" {
        walk(devices, stretches, 16);
    }
    if part.is_empty() || part == "route" {
        route(devices, stretches, false);
    }
    if part.is_empty() || part == "foreseen" {
        route(devices, stretches, true);
    }
}

/// The filters of each kind in turn, with the client that subscribes to them.
fn filters(devices: u32) -> impl Iterator<Item = (u32, String)> {
    let of_groups = (0..devices.div_ceil(2 * GROUP)).map(|group| format!("bench/s/{}/+/v", 2 * group));
    let of_devices = (0..devices).map(topic);
    let wild = (0..devices).map(|device| format!("bench/s/{}/{}/+", device / GROUP, device % GROUP));
    let kind = |kind: u32, filters: Vec<String>| {
        let client = move |number: usize| kind * CLIENTS_PER_KIND + number as u32 % CLIENTS_PER_KIND;
        filters.into_iter().enumerate().map(move |(number, filter)| (client(number), filter))
    };
    kind(0, of_devices.collect()).chain(kind(1, wild.collect())).chain(kind(2, of_groups.collect()))
}

fn topic(device: u32) -> String {
    format!("bench/s/{}/{}/v", device / GROUP, device % GROUP)
}

/// The device of a message: neighbouring messages go to devices far apart.
fn device(number: u32, devices: u32) -> u32 {
    (u64::from(number) * 0x9E37_79B1 % u64::from(devices)) as u32
}

fn walk(devices: u32, stretches: u32, ahead: usize) {
    let index = Index::new(7);
    for (client, filter) in filters(devices) {
        let entry = NewEntry {
            session: SessionRef { shard: ShardId(0), slot: client, generation: 1 },
            options: SubscriptionOptions::default(),
            subscription_identifier: None,
            stored: false,
            room: None,
        };
        index.subscribe(Namespace::PLAIN, SubscriptionFilter::parse(&filter).expect("a filter"), entry);
    }
    let mut found = 0_u64;
    let mut foreseen = Foreseen::default();
    let ns = undisturbed(stretches, |numbers| {
        let topics: Vec<String> = numbers.map(|number| topic(device(number, devices))).collect();
        let begin = Instant::now();
        for together in topics.chunks(ahead) {
            let bytes: Vec<&[u8]> = together.iter().map(|topic| topic.as_bytes()).collect();
            if ahead > 1 {
                index.look_ahead(Namespace::PLAIN, &bytes, &mut foreseen);
            }
            for topic in together {
                index.matches_foreseen(Namespace::PLAIN, topic, &mut foreseen, &mut |matched| {
                    black_box(&matched);
                    found += 1;
                });
            }
        }
        begin.elapsed().as_nanos() as f64
    });
    let messages = f64::from(stretches * STRETCH);
    println!(
        "walk with {ahead} looked at together, among {}: {ns:.0} ns, {:.2} found",
        index.len(),
        found as f64 / messages
    );
}

fn route(devices: u32, stretches: u32, ahead: bool) {
    let mut bench = Bench::new();
    let clients: Vec<_> = (0..KINDS * CLIENTS_PER_KIND)
        .map(|client| bench.connect(&format!("subscriber {client}"), Version::V4))
        .collect();
    let publisher = bench.connect("publisher", Version::V4);
    for (client, filter) in filters(devices) {
        bench.subscribe(clients[client as usize], Version::V4, &filter, QoS::AtMostOnce);
        bench.shard.work(bench.now, &mut bench.world);
    }
    let ns = undisturbed(stretches, |numbers| {
        let messages: Vec<Vec<u8>> = numbers
            .map(|number| publish(&topic(device(number, devices)), Delivery::AtMostOnce, Version::V4))
            .collect();
        // What comes alone is not looked at before.
        let reads = if ahead { vec![messages.concat()] } else { messages };
        let begin = Instant::now();
        for read in &reads {
            bench.receive(publisher, read);
        }
        let spent = begin.elapsed().as_nanos() as f64;
        bench.world.outputs.iter_mut().for_each(Vec::clear);
        spent
    });
    let sent = bench.shard.census().publish_sent as f64 / f64::from(stretches * STRETCH);
    println!("route among {}: {ns:.0} ns, {sent:.2} delivered", bench.shard.census().subscriptions);
}

/// Nanoseconds of one message in a stretch that was hardly disturbed: the lower quartile.
fn undisturbed(stretches: u32, mut spent: impl FnMut(std::ops::Range<u32>) -> f64) -> f64 {
    let mut all: Vec<f64> = (0..stretches)
        .map(|stretch| spent(stretch * STRETCH..(stretch + 1) * STRETCH) / f64::from(STRETCH))
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 4]
}
