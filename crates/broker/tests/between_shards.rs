//! A message from another shard goes to the sessions that were found where it was published, as long as that is
//! still what it matches.

use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::ConnId;
use hexmq_wire::{
    ControlPacket, Delivery, Frames, NoTrace, Properties, PropertiesBuf, Property, Publish, QoS, Subscribe,
    SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf, Unsubscribe, Version, decode_publish,
};
use world::{Bench, connect, publish, shared};

mod world;

const ONE: NonZeroU16 = NonZeroU16::MIN;
const TOPIC: &str = "fleet/1/state";

/// A publisher on one shard, subscribers on the other.
struct Shards {
    here: Bench,
    publisher: ConnId,
    there: Bench,
    subscribers: Vec<ConnId>,
}

impl Shards {
    fn new(subscribers: usize) -> Shards {
        let shared = Arc::new(shared(2));
        let (mut here, mut there) = (Bench::of(0, &shared), Bench::of(1, &shared));
        let publisher = here.connect("", Version::V5);
        let subscribers = (0..subscribers).map(|_| there.connect("", Version::V5)).collect();
        let mut shards = Shards { here, publisher, there, subscribers };
        for subscriber in 0..shards.subscribers.len() {
            shards.subscribe(subscriber, TOPIC, QoS::AtLeastOnce, None);
        }
        shards
    }

    fn subscribe(&mut self, subscriber: usize, filter: &str, qos: QoS, identifier: Option<u32>) {
        let mut subscriptions = SubscriptionsBuf::default();
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        subscriptions.push(filter, options, Version::V5).expect("it fits");
        let mut properties = PropertiesBuf::new();
        if let Some(identifier) = identifier {
            properties.push(Property::SubscriptionIdentifier(identifier)).expect("it fits");
        }
        let subscribe = Subscribe {
            packet_identifier: ONE,
            properties: properties.as_properties(),
            subscriptions: subscriptions.as_subscriptions(),
        };
        self.receive(subscriber, &ControlPacket::Subscribe(subscribe));
    }

    fn unsubscribe(&mut self, subscriber: usize) {
        let mut filters = TopicFiltersBuf::new();
        filters.push(TOPIC).expect("it fits");
        let unsubscribe = Unsubscribe {
            packet_identifier: ONE,
            properties: Properties::EMPTY,
            topic_filters: filters.as_topic_filters(),
        };
        self.receive(subscriber, &ControlPacket::Unsubscribe(unsubscribe));
    }

    fn receive(&mut self, subscriber: usize, packet: &ControlPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes).expect("it fits");
        self.there.receive(self.subscribers[subscriber], &bytes);
        self.there.world.outputs.iter_mut().for_each(Vec::clear);
    }

    /// Publishes; how many sessions go along with the message.
    fn publish(&mut self) -> usize {
        self.here.world.batch.clear();
        self.here.receive(self.publisher, &publish(TOPIC, Delivery::AtLeastOnce(ONE), Version::V5));
        self.here.world.batch.iter().map(|forwarded| forwarded.addressees.len()).sum()
    }

    /// The messages come: QoS and Subscription Identifiers of what each subscriber gets.
    fn arrive(&mut self) -> Vec<Vec<(QoS, Vec<u32>)>> {
        self.there.shard.forwarded(&self.here.world.batch, self.there.now, &mut self.there.world);
        self.subscribers.iter().map(|conn| received(&self.there.world.outputs[conn.slot as usize])).collect()
    }
}

fn received(bytes: &[u8]) -> Vec<(QoS, Vec<u32>)> {
    let mut all = Vec::new();
    for frame in Frames::new(bytes, u32::MAX) {
        let publish = decode_publish(frame, Version::V5, &mut NoTrace).expect("a PUBLISH");
        all.push((publish.delivery.qos(), identifiers(&publish)));
    }
    all
}

fn identifiers(publish: &Publish<'_>) -> Vec<u32> {
    let identifier = |property| match property {
        Property::SubscriptionIdentifier(identifier) => Some(identifier),
        _ => None,
    };
    publish.properties.iter().filter_map(identifier).collect()
}

/// One message of this QoS, with at most one identifier.
fn one(qos: QoS, identifier: Option<u32>) -> Vec<(QoS, Vec<u32>)> {
    vec![(qos, identifier.into_iter().collect())]
}

#[test]
fn few_receivers_go_along_with_a_message() {
    let mut shards = Shards::new(8);
    shards.subscribe(3, TOPIC, QoS::AtMostOnce, Some(268_435_455));
    assert_eq!(shards.publish(), 8);
    for (subscriber, got) in shards.arrive().into_iter().enumerate() {
        let expected = match subscriber {
            3 => one(QoS::AtMostOnce, Some(268_435_455)),
            _ => one(QoS::AtLeastOnce, None),
        };
        assert_eq!(got, expected, "subscriber {subscriber}");
    }
}

#[test]
fn many_are_looked_up_where_they_are() {
    let mut shards = Shards::new(9);
    assert_eq!(shards.publish(), 0);
    assert_eq!(shards.arrive(), vec![one(QoS::AtLeastOnce, None); 9]);
}

/// [V5 MQTT-3.3.4-4]
#[test]
fn so_are_those_with_several_identifiers() {
    let mut shards = Shards::new(1);
    shards.subscribe(0, TOPIC, QoS::AtLeastOnce, Some(5));
    shards.subscribe(0, "fleet/#", QoS::AtMostOnce, Some(6));
    assert_eq!(shards.publish(), 0);
    let mut got = shards.arrive();
    got[0][0].1.sort_unstable();
    assert_eq!(got, [[(QoS::AtLeastOnce, vec![5, 6])]]);
}

#[test]
fn what_changed_on_the_way_counts() {
    let mut shards = Shards::new(3);
    assert_eq!(shards.publish(), 3);
    // [V5 MQTT-3.10.4-2]
    shards.unsubscribe(0);
    shards.subscribe(1, TOPIC, QoS::AtMostOnce, Some(7));
    let [ended, replaced, same] = shards.arrive().try_into().expect("three subscribers");
    assert_eq!(ended, []);
    assert_eq!(replaced, one(QoS::AtMostOnce, Some(7)));
    assert_eq!(same, one(QoS::AtLeastOnce, None));
}

/// A subscription is entitled to what is published after it. [V5 MQTT-3.8.4-3]
#[test]
fn who_comes_later_gets_nothing() {
    let mut shards = Shards::new(2);
    shards.unsubscribe(1);
    assert_eq!(shards.publish(), 1);
    shards.subscribe(1, TOPIC, QoS::AtLeastOnce, None);
    assert_eq!(shards.arrive(), [one(QoS::AtLeastOnce, None), Vec::new()]);
}

#[test]
fn a_session_that_ended_gets_nothing_and_its_successor_neither() {
    let mut shards = Shards::new(2);
    assert_eq!(shards.publish(), 2);
    let lost = shards.subscribers[1];
    let Bench { shard, world, now } = &mut shards.there;
    shard.lost(lost, hexmq_broker::Lost::Closed, *now, world);
    shards.subscribers[1] = shards.there.open();
    let conn = shards.subscribers[1];
    assert_eq!(conn.slot, lost.slot, "it has the same place");
    shards.there.receive(conn, &connect("", Version::V5, true));
    shards.there.world.outputs.iter_mut().for_each(Vec::clear);
    assert_eq!(shards.arrive(), [one(QoS::AtLeastOnce, None), Vec::new()]);
}

/// Filters that change elsewhere change nothing for it.
#[test]
fn other_filters_do_not_matter() {
    let mut shards = Shards::new(1);
    assert_eq!(shards.publish(), 1);
    shards.subscribe(0, "fleet/2/state", QoS::AtMostOnce, None);
    assert_eq!(shards.arrive(), [one(QoS::AtLeastOnce, None)]);
}
