//! What a connection and a message that waits take of memory, to the byte.
#![allow(unsafe_code, reason = "a counting allocator is a GlobalAlloc")]

use std::num::NonZeroU16;

use hexmq_broker::Lost;
use hexmq_wire::{Delivery, QoS, Version};
use world::{Bench, connect, publish};

mod counting;
mod world;

const CLIENTS: usize = 4_000;

/// A connection with a session and a subscription, as the core has it: without its socket and the 64 bytes
/// that the node has for it.
#[test]
fn a_client_with_one_subscription_is_small() {
    let mut bench = Bench::new();
    bench.world.outputs.resize_with(CLIENTS + 100, Vec::new);
    let mut join = |number: usize| {
        let conn = bench.connect(&format!("bench-idle-{number}"), Version::V4);
        bench.subscribe(conn, Version::V4, &format!("bench/idle/{number}"), QoS::AtMostOnce);
        bench.world.outputs[conn.slot as usize] = Vec::new();
    };
    (0..100).for_each(&mut join);
    let before = counting::bytes();
    (100..100 + CLIENTS).for_each(&mut join);
    let each = (counting::bytes() - before) / CLIENTS as u64;
    assert!(each <= 620, "{each} bytes each");
}

/// A QoS 1 message of 64 bytes with a topic of 21 that waits for a client.
#[test]
fn a_waiting_message_is_small() {
    let mut bench = Bench::new();
    let publisher = bench.connect("publisher", Version::V4);
    let subscriber = bench.open();
    bench.receive(subscriber, &connect("subscriber", Version::V4, false));
    bench.subscribe(subscriber, Version::V4, "sensors/7/temperature", QoS::AtLeastOnce);
    bench.shard.lost(subscriber, Lost::Closed, bench.now, &mut bench.world);
    let message = publish("sensors/7/temperature", Delivery::AtLeastOnce(NonZeroU16::MIN), Version::V4);
    let mut turn = || {
        bench.receive(publisher, &message);
        bench.world.outputs.iter_mut().for_each(Vec::clear);
    };
    let before = counting::bytes();
    // As many as the ring of the queue has room for after it has grown.
    (0..1_024).for_each(|_| turn());
    let each = (counting::bytes() - before) / 1_024;
    assert!(each <= 155, "{each} bytes each");
    assert_eq!(bench.shard.census().messages_queued, 1_024);
}
