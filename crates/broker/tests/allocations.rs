//! The message path does not allocate: not for QoS 0, and not for QoS 1 and 2 between clients
//! that are on line.
#![allow(unsafe_code, reason = "a counting allocator is a GlobalAlloc")]

use std::num::NonZeroU16;

use hexmq_broker::ConnId;
use hexmq_wire::{Ack, ControlPacket, Delivery, QoS, Version};
use world::{Bench, ack, publish};

mod counting;
mod world;

/// Allocations of `messages` messages to four subscribers of two versions, after a warm-up.
fn allocations(qos: QoS, messages: u32) -> u64 {
    let mut bench = Bench::new();
    let publisher = bench.connect("publisher", Version::V5);
    let versions = [Version::V4, Version::V5, Version::V4, Version::V5];
    let subscribers: Vec<(ConnId, Version)> = versions
        .into_iter()
        .enumerate()
        .map(|(number, version)| {
            let conn = bench.connect(&format!("subscriber-{number}"), version);
            bench.subscribe(conn, version, "sensors/+/temperature", qos);
            (conn, version)
        })
        .collect();
    let own = NonZeroU16::MIN;
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(own),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(own),
    };
    let message = publish("sensors/7/temperature", delivery, Version::V5);
    let pubrel = ack(ControlPacket::Pubrel, own, Version::V5);
    let mut acks: [Vec<u8>; 2] = std::array::from_fn(|_| Vec::with_capacity(16));
    let mut turn = |bench: &mut Bench, number: u32| {
        bench.receive(publisher, &message);
        if qos == QoS::ExactlyOnce {
            bench.receive(publisher, &pubrel);
        }
        let identifier = NonZeroU16::new((number % 65_535) as u16 + 1).expect("it fits");
        for &(conn, version) in &subscribers {
            let answer: [fn(Ack<'static>) -> ControlPacket<'static>; 2] = match qos {
                QoS::AtMostOnce => break,
                QoS::AtLeastOnce => [ControlPacket::Puback, ControlPacket::Puback],
                QoS::ExactlyOnce => [ControlPacket::Pubrec, ControlPacket::Pubcomp],
            };
            for (make, bytes) in answer.iter().zip(&mut acks).take(qos as usize) {
                bytes.clear();
                make(Ack::success(identifier)).encode(version, bytes).expect("it fits");
                bench.receive(conn, bytes);
            }
        }
        bench.world.outputs.iter_mut().for_each(Vec::clear);
    };
    for number in 0..1_000 {
        turn(&mut bench, number);
    }
    let before = counting::allocations();
    for number in 1_000..1_000 + messages {
        turn(&mut bench, number);
    }
    let spent = counting::allocations() - before;
    let census = bench.shard.census();
    assert_eq!(
        census.publish_sent,
        4 * u64::from(1_000 + messages),
        "every message reached every subscriber"
    );
    assert_eq!(census.messages_in_flight, 0, "every message was acknowledged");
    assert_eq!(census.messages_stored, 0, "no body is kept");
    assert_eq!(bench.world.told, 5, "only the five connects were worth telling");
    spent
}

#[test]
fn qos_0_does_not_allocate() {
    assert_eq!(allocations(QoS::AtMostOnce, 5_000), 0);
}

#[test]
fn qos_1_between_clients_on_line_does_not_allocate() {
    assert_eq!(allocations(QoS::AtLeastOnce, 5_000), 0);
}

#[test]
fn qos_2_between_clients_on_line_does_not_allocate() {
    assert_eq!(allocations(QoS::ExactlyOnce, 5_000), 0);
}
