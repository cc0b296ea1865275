//! Looking ahead in what a connection sent changes nothing about what becomes of it.

use hexmq_broker::ConnId;
use hexmq_wire::{Delivery, QoS, Version};
use world::{Bench, publish};

mod world;

const MESSAGES: usize = 200;

fn subscribed() -> (Bench, ConnId) {
    let mut bench = Bench::new();
    for (name, filter) in [("one", "a/+/v"), ("two", "a/7/#"), ("three", "#")] {
        let conn = bench.connect(name, Version::V5);
        bench.subscribe(conn, Version::V5, filter, QoS::AtLeastOnce);
    }
    let publisher = bench.connect("publisher", Version::V5);
    (bench, publisher)
}

fn messages(topics: usize) -> Vec<Vec<u8>> {
    let topic = |number| format!("a/{}/v", number % topics);
    (0..MESSAGES).map(|number| publish(&topic(number), Delivery::AtMostOnce, Version::V5)).collect()
}

#[test]
fn every_receiver_gets_the_same_as_without() {
    for topics in [1, 10, MESSAGES] {
        let messages = messages(topics);
        let (mut with, publisher) = subscribed();
        with.receive(publisher, &messages.concat());
        let (mut without, publisher) = subscribed();
        for message in &messages {
            without.receive(publisher, message);
        }
        assert!(with.world.outputs == without.world.outputs);
        assert_eq!(with.shard.census().publish_sent, without.shard.census().publish_sent);
    }
}

/// Whatever stands behind the messages, wherever the looking ends.
#[test]
fn bytes_that_are_no_packets_are_not_looked_at() {
    for behind in
        [&b"\x30"[..], b"\x30\xFF\xFF\xFF\xFF\xFF", b"\x00\x00\x30\x05\x00\x09a", b"\x30\x7F\x00\x01a"]
    {
        for left_out in 0..20 {
            let (mut bench, publisher) = subscribed();
            let mut messages = messages(MESSAGES);
            messages.truncate(MESSAGES - left_out);
            bench.receive(publisher, &[messages.concat().as_slice(), behind].concat());
            let census = bench.shard.census();
            assert_eq!(census.publish_received, messages.len() as u64);
            assert!(census.publish_sent >= census.publish_received);
        }
    }
}
