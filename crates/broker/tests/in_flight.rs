//! Which messages in flight keep their bodies, and what becomes of those that were never acknowledged.

use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::{ConnId, Limits, Lost};
use hexmq_wire::{ControlPacket, Delivery, Property, QoS, Version};
use world::{Bench, ack, connect_with, disconnect, publish};

mod world;

const ONE: NonZeroU16 = NonZeroU16::MIN;

/// A publisher and a client that was sent nothing yet.
struct Two {
    bench: Bench,
    publisher: ConnId,
    subscriber: ConnId,
}

impl Two {
    /// The second client comes with these properties and subscribes to this filter.
    fn new(properties: &[Property<'_>], filter: &str) -> Two {
        Two::of(Bench::new(), properties, filter)
    }

    fn of(mut bench: Bench, properties: &[Property<'_>], filter: &str) -> Two {
        let publisher = bench.connect("publisher", Version::V5);
        let subscriber = bench.open();
        bench.receive(subscriber, &connect_with("subscriber", Version::V5, true, properties));
        bench.subscribe(subscriber, Version::V5, filter, QoS::ExactlyOnce);
        Two { bench, publisher, subscriber }
    }

    fn publish(&mut self, delivery: Delivery) {
        self.bench.receive(self.publisher, &publish("t", delivery, Version::V5));
    }

    /// Bodies kept, messages in flight, messages that wait.
    fn counts(&self) -> [u64; 3] {
        let census = self.bench.shard.census();
        [census.messages_stored, census.messages_in_flight, census.messages_queued]
    }

    fn lose(&mut self) {
        self.bench.shard.lost(self.subscriber, Lost::Closed, self.bench.now, &mut self.bench.world);
    }

    /// What ended sessions left, as it was told and as it is counted.
    fn left(&self) -> (&[u64], u64) {
        (&self.bench.world.left, self.bench.shard.census().publish_dropped)
    }
}

#[test]
fn what_cannot_be_sent_again_has_no_body_in_flight() {
    for delivery in [Delivery::AtLeastOnce(ONE), Delivery::ExactlyOnce(ONE)] {
        let mut two = Two::new(&[], "t");
        two.publish(delivery);
        assert_eq!(two.counts(), [0, 1, 0], "{delivery:?}");
    }
}

#[test]
fn what_may_be_sent_again_has_one_until_it_is_taken_over() {
    let ends_later = Property::SessionExpiryInterval(60);
    for (delivery, answer) in [
        (Delivery::AtLeastOnce(ONE), ack(ControlPacket::Puback, ONE, Version::V5)),
        (Delivery::ExactlyOnce(ONE), ack(ControlPacket::Pubrec, ONE, Version::V5)),
    ] {
        let mut two = Two::new(&[ends_later], "t");
        two.publish(delivery);
        assert_eq!(two.counts(), [1, 1, 0], "{delivery:?}");
        two.bench.receive(two.subscriber, &answer);
        assert_eq!(two.counts()[0], 0, "{delivery:?}");
    }
}

#[test]
fn what_may_go_to_another_member_has_one() {
    for (delivery, bodies) in [(Delivery::AtLeastOnce(ONE), 1), (Delivery::ExactlyOnce(ONE), 0)] {
        let mut two = Two::new(&[], "$share/g/t");
        two.publish(delivery);
        assert_eq!(two.counts(), [bodies, 1, 0], "{delivery:?}");
        let heir = two.bench.connect("heir", Version::V5);
        two.bench.subscribe(heir, Version::V5, "$share/g/t", QoS::ExactlyOnce);
        two.lose();
        let inherited = &two.bench.world.outputs[heir.slot as usize];
        assert_eq!(!inherited.is_empty(), bodies == 1, "{delivery:?}");
        assert_eq!(inherited.ends_with(&[b'x'; 64]), bodies == 1, "{delivery:?}");
        let dropped = u64::from(bodies == 0);
        assert_eq!(two.left(), (&[dropped][..], dropped), "{delivery:?}");
    }
}

#[test]
fn what_waits_has_a_body_until_it_is_sent() {
    let mut two = Two::new(&[Property::ReceiveMaximum(1)], "t");
    two.publish(Delivery::AtLeastOnce(ONE));
    two.publish(Delivery::AtLeastOnce(ONE));
    assert_eq!(two.counts(), [1, 1, 1]);
    two.bench.receive(two.subscriber, &ack(ControlPacket::Puback, ONE, Version::V5));
    assert_eq!(two.counts(), [0, 1, 0]);
}

/// Whether it has a body or not, and whether it was sent or not.
#[test]
fn what_a_session_leaves_is_told_once_and_counted() {
    let ends_later = Property::SessionExpiryInterval(60);
    for properties in [&[Property::ReceiveMaximum(3)][..], &[Property::ReceiveMaximum(3), ends_later]] {
        let mut two = Two::new(properties, "t");
        (0..5).for_each(|_| two.publish(Delivery::AtLeastOnce(ONE)));
        two.bench.receive(two.subscriber, &ack(ControlPacket::Puback, ONE, Version::V5));
        assert_eq!(two.counts()[1..], [3, 1]);
        two.lose();
        let anew = two.bench.open();
        two.bench.receive(anew, &connect_with("subscriber", Version::V5, true, &[]));
        assert_eq!(two.left(), (&[4][..], 4));
        assert_eq!(two.counts(), [0; 3]);
    }
}

/// The server's bound had made an end with the connection of it, and is another when the connection ends.
#[test]
fn a_session_that_ends_with_its_connection_stays_so() {
    let mut bench = Bench::new();
    bench.shard.set_limits(Arc::new(Limits { session_expiry_max_s: Some(0), ..Limits::default() }));
    let mut two = Two::of(bench, &[Property::SessionExpiryInterval(60)], "t");
    two.publish(Delivery::AtLeastOnce(ONE));
    assert_eq!(two.counts(), [0, 1, 0]);
    two.bench.shard.set_limits(Arc::new(Limits::default()));
    two.bench.receive(two.subscriber, &disconnect(60));
    assert_eq!(two.left(), (&[1][..], 1));
    assert_eq!(two.bench.shard.census().sessions, 1, "that of the publisher");
}
