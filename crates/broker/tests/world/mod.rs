//! The smallest world a shard can live in: outputs that are thrown away, and clients made of bytes.

#![allow(dead_code, reason = "each program uses its part")]

use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::{
    Answer, Batch, CloseReason, ConnId, Event, Flow, HoldId, Limits, Partial, Peer, Permit, Question, Shard,
    ShardId, Shared, Sink,
};
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{
    Ack, Connect, ControlPacket, Delivery, Disconnect, Frames, Properties, PropertiesBuf, Property, Publish,
    QoS, ReasonCode, Subscribe, SubscriptionOptions, SubscriptionsBuf, Version,
};

/// Outputs that are written away after every turn, with their memory kept.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) outputs: Vec<Vec<u8>>,
    /// What travels to other shards.
    pub(crate) batch: Batch,
    /// Events told.
    pub(crate) told: u64,
    /// What sessions left when they ended, of each the messages.
    pub(crate) left: Vec<u64>,
}

impl Sink for World {
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        &mut self.outputs[conn.slot as usize]
    }
    fn output_below(&mut self, conn: ConnId, bytes: usize) -> Option<&mut Vec<u8>> {
        Some(self.output(conn)).filter(|output| output.len() < bytes)
    }
    fn output_len(&self, conn: ConnId) -> usize {
        self.outputs[conn.slot as usize].len()
    }
    fn close(&mut self, _: ConnId, _: CloseReason) {}
    fn resume(&mut self, _: ConnId) {}
    fn partial(&self, _: ConnId) -> Partial {
        Partial::default()
    }
    fn forward(&mut self, _: ShardId) -> &mut Batch {
        &mut self.batch
    }
    fn congested(&self, _: ShardId) -> bool {
        false
    }
    fn ask(&mut self, _: HoldId, _: Question<'_>) -> Option<Answer> {
        Some(Answer::Admit { permit: Permit::default(), data: None })
    }
    fn tell(&mut self, event: Event<'_>) {
        self.told += 1;
        if let Event::SessionEnded { dropped, .. } = event {
            self.left.push(dropped);
        }
    }
}

/// A shard with its world.
pub(crate) struct Bench {
    pub(crate) shard: Shard,
    pub(crate) world: World,
    pub(crate) now: Now,
}

/// When every bench begins.
const BEGIN: Now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };

fn limits() -> Limits {
    Limits { sys_interval_s: 0, ..Limits::default() }
}

/// What so many shards share.
pub(crate) fn shared(shards: u16) -> Shared {
    Shared::new(shards, &limits(), 7, BEGIN)
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::of(0, &Arc::new(shared(1)))
    }

    /// One of several shards.
    pub(crate) fn of(shard: u16, shared: &Arc<Shared>) -> Bench {
        let shard = Shard::new(ShardId(shard), Arc::new(limits()), shared.clone(), BEGIN);
        Bench { shard, world: World::default(), now: BEGIN }
    }

    pub(crate) fn connect(&mut self, name: &str, version: Version) -> ConnId {
        let conn = self.open();
        assert_eq!(self.receive(conn, &connect(name, version, true)), Flow::Continue);
        self.world.outputs.iter_mut().for_each(Vec::clear);
        conn
    }

    /// A connection that has not sent anything.
    pub(crate) fn open(&mut self) -> ConnId {
        let peer = Peer { address: "192.0.2.7:5".into(), loopback: true, listener: 0, secure: false };
        let conn = self.shard.open(peer, self.now);
        let outputs = self.world.outputs.len().max(conn.slot as usize + 1);
        self.world.outputs.resize_with(outputs, Vec::new);
        conn
    }

    pub(crate) fn subscribe(&mut self, conn: ConnId, version: Version, filter: &str, qos: QoS) {
        assert_eq!(self.receive(conn, &subscribe(&[filter], qos, version)), Flow::Continue);
        self.world.outputs.iter_mut().for_each(Vec::clear);
    }

    /// Whole packets that came in one read.
    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) -> Flow {
        self.shard.receive(conn, &mut Frames::new(bytes, u32::MAX), self.now, &mut self.world)
    }
}

/// A CONNECT.
pub(crate) fn connect(name: &str, version: Version, clean_start: bool) -> Vec<u8> {
    connect_with(name, version, clean_start, &[])
}

/// The same with properties.
pub(crate) fn connect_with(name: &str, version: Version, clean_start: bool, all: &[Property<'_>]) -> Vec<u8> {
    let mut properties = PropertiesBuf::new();
    for property in all {
        properties.push(*property).expect("it fits");
    }
    let connect = Connect {
        version,
        clean_start,
        keep_alive_s: 60,
        client_identifier: name,
        will: None,
        user_name: None,
        password: None,
        properties: properties.as_properties(),
    };
    bytes(&ControlPacket::Connect(connect), version)
}

/// A DISCONNECT that changes the Session Expiry Interval.
pub(crate) fn disconnect(interval: u32) -> Vec<u8> {
    let mut properties = PropertiesBuf::new();
    properties.push(Property::SessionExpiryInterval(interval)).expect("it fits");
    let disconnect = Disconnect { reason_code: ReasonCode::Success, properties: properties.as_properties() };
    bytes(&ControlPacket::Disconnect(disconnect), Version::V5)
}

/// A SUBSCRIBE to all these filters.
pub(crate) fn subscribe(filters: &[&str], qos: QoS, version: Version) -> Vec<u8> {
    let mut subscriptions = SubscriptionsBuf::default();
    let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    for filter in filters {
        subscriptions.push(filter, options, version).expect("it fits");
    }
    let subscribe = Subscribe {
        packet_identifier: NonZeroU16::MIN,
        properties: Properties::EMPTY,
        subscriptions: subscriptions.as_subscriptions(),
    };
    bytes(&ControlPacket::Subscribe(subscribe), version)
}

/// A PUBLISH of 64 bytes.
pub(crate) fn publish(topic: &str, delivery: Delivery, version: Version) -> Vec<u8> {
    bytes(&ControlPacket::Publish(message(topic, delivery)), version)
}

/// The same with the properties of a request, in 5.0.
pub(crate) fn request(topic: &str, delivery: Delivery) -> Vec<u8> {
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::ContentType("application/json"),
        Property::ResponseTopic("bench/answer"),
        Property::CorrelationData(b"01234567"),
    ] {
        properties.push(property).expect("it fits");
    }
    let publish = Publish { properties: properties.as_properties(), ..message(topic, delivery) };
    bytes(&ControlPacket::Publish(publish), Version::V5)
}

/// A PUBLISH of 64 bytes with RETAIN.
pub(crate) fn retained(topic: &str, delivery: Delivery, version: Version) -> Vec<u8> {
    bytes(&ControlPacket::Publish(Publish { retain: true, ..message(topic, delivery) }), version)
}

fn message(topic_name: &str, delivery: Delivery) -> Publish<'_> {
    let properties = Properties::EMPTY;
    Publish { dup: false, delivery, retain: false, topic_name, properties, payload: &[b'x'; 64] }
}

/// An acknowledgement.
pub(crate) fn ack(
    make: impl Fn(Ack<'static>) -> ControlPacket<'static>,
    identifier: NonZeroU16,
    version: Version,
) -> Vec<u8> {
    bytes(&make(Ack::success(identifier)), version)
}

fn bytes(packet: &ControlPacket<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).expect("it fits");
    bytes
}
