//! What routing costs without a network: `cargo bench -p hexmq-broker --bench route`.
//!
//! Prints nanoseconds per delivered message; under `valgrind --tool=callgrind` its instruction
//! counts are exact and comparable between versions.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::time::Instant;

use hexmq_broker::ConnId;
use hexmq_wire::{Delivery, Frame, QoS, Version};
use world::{Bench, publish};

#[path = "../tests/world/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod world;

const MESSAGES: usize = 1_000_000;

fn main() {
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with("--"));
    let scenarios = [
        ("50 pairs", 50, 1),
        ("500 pairs", 500, 1),
        ("fan-out 1 to 100", 1, 100),
        ("fan-out 1 to 1000", 1, 1000),
    ];
    for (name, groups, receivers) in scenarios {
        if only.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
            println!("{name:<20} {:>8.1} ns per delivered message", flow(groups, receivers));
        }
    }
}

/// `groups` publishers with a topic of their own each, and `receivers` subscribers for each.
fn flow(groups: usize, receivers: usize) -> f64 {
    let mut bench = Bench::new();
    let publishers: Vec<(ConnId, Vec<u8>)> = (0..groups)
        .map(|group| {
            let topic = format!("bench/{group}/value");
            for receiver in 0..receivers {
                let conn = bench.connect(&format!("s{group}-{receiver}"), Version::V4);
                bench.subscribe(conn, Version::V4, &topic, QoS::AtMostOnce);
            }
            let conn = bench.connect(&format!("p{group}"), Version::V4);
            (conn, publish(&topic, Delivery::AtMostOnce, Version::V4))
        })
        .collect();
    let turns = MESSAGES / groups / receivers / 16;
    let begin = Instant::now();
    for _ in 0..turns {
        for (conn, message) in &publishers {
            for _ in 0..16 {
                bench.shard.receive(*conn, Frame::new(message), bench.now, &mut bench.world);
            }
        }
        bench.world.outputs.iter_mut().for_each(Vec::clear);
    }
    let spent = begin.elapsed();
    let sent = bench.shard.census().publish_sent;
    assert_eq!(sent, (turns * groups * receivers * 16) as u64, "every message reached every subscriber");
    spent.as_nanos() as f64 / sent as f64
}
