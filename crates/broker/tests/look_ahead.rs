//! Looking ahead in what a connection sent changes nothing about what becomes of it.

use hexmq_broker::ConnId;
use hexmq_wire::{Delivery, Frame, QoS, Version};
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

/// Receives all, asking for a look ahead as often as the shard says.
fn receive_all(bench: &mut Bench, publisher: ConnId, messages: &[Vec<u8>]) {
    let bytes = messages.concat();
    let (mut at, mut foreseen) = (0, 0_usize);
    for message in messages {
        at += message.len();
        foreseen = foreseen.saturating_sub(1);
        if foreseen == 0 {
            foreseen = bench.shard.look_ahead(publisher, &bytes[at..]);
        }
        bench.shard.receive(publisher, Frame::new(message), bench.now, &mut bench.world);
    }
}

#[test]
fn every_receiver_gets_the_same_as_without() {
    for topics in [1, 10, MESSAGES] {
        let messages = messages(topics);
        let (mut with, publisher) = subscribed();
        receive_all(&mut with, publisher, &messages);
        let (mut without, publisher) = subscribed();
        for message in &messages {
            without.shard.receive(publisher, Frame::new(message), without.now, &mut without.world);
        }
        assert!(with.world.outputs == without.world.outputs);
        assert_eq!(with.shard.census().publish_sent, without.shard.census().publish_sent);
    }
}

#[test]
fn bytes_that_are_no_packets_are_not_looked_at() {
    let (mut bench, publisher) = subscribed();
    for bytes in
        [&b"\x30"[..], b"\x30\xFF\xFF\xFF\xFF\xFF", b"\x00\x00\x30\x05\x00\x09a", b"\x30\x7F\x00\x01a"]
    {
        for message in messages(MESSAGES) {
            assert!(bench.shard.look_ahead(publisher, bytes) > 0);
            bench.shard.receive(publisher, Frame::new(&message), bench.now, &mut bench.world);
        }
    }
    bench.shard.lost(publisher, hexmq_broker::Lost::Closed, bench.now, &mut bench.world);
    assert!(bench.shard.look_ahead(publisher, b"\x30\x05\x00\x03a/bx") > 0, "a connection that is gone");
}
