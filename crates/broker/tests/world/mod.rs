//! The smallest world a shard can live in: outputs that are thrown away, and clients made of bytes.

use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::{
    Answer, Batch, CloseReason, ConnId, Event, Flow, HoldId, Limits, Partial, Peer, Permit, Question, Shard,
    ShardId, Shared, Sink,
};
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{
    Ack, Connect, ControlPacket, Delivery, Frame, Properties, Publish, QoS, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, Version,
};

/// Outputs that are written away after every turn, with their memory kept.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) outputs: Vec<Vec<u8>>,
    batch: Batch,
    /// Events told.
    pub(crate) told: u64,
}

impl Sink for World {
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        &mut self.outputs[conn.slot as usize]
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
    fn tell(&mut self, _: Event<'_>) {
        self.told += 1;
    }
}

/// A shard with its world.
pub(crate) struct Bench {
    pub(crate) shard: Shard,
    pub(crate) world: World,
    pub(crate) now: Now,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };
        let limits = Limits { sys_interval_s: 0, ..Limits::default() };
        let shared = Arc::new(Shared::new(1, &limits, 7, now));
        let shard = Shard::new(ShardId(0), Arc::new(limits), shared, now);
        Bench { shard, world: World::default(), now }
    }

    pub(crate) fn connect(&mut self, name: &str, version: Version) -> ConnId {
        let peer = Peer { address: "test".into(), loopback: true, listener: 0, secure: false };
        let conn = self.shard.open(peer, self.now);
        self.world.outputs.resize_with(conn.slot as usize + 1, Vec::new);
        let connect = ControlPacket::Connect(Connect {
            version,
            clean_start: true,
            keep_alive_s: 60,
            client_identifier: name,
            will: None,
            user_name: None,
            password: None,
            properties: Properties::EMPTY,
        });
        self.send(conn, version, &connect);
        conn
    }

    pub(crate) fn subscribe(&mut self, conn: ConnId, version: Version, filter: &str, qos: QoS) {
        let mut subscriptions = SubscriptionsBuf::default();
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        subscriptions.push(filter, options, version).expect("it fits");
        let subscribe = ControlPacket::Subscribe(Subscribe {
            packet_identifier: NonZeroU16::MIN,
            properties: Properties::EMPTY,
            subscriptions: subscriptions.as_subscriptions(),
        });
        self.send(conn, version, &subscribe);
    }

    pub(crate) fn send(&mut self, conn: ConnId, version: Version, packet: &ControlPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).expect("it fits");
        assert_eq!(self.receive(conn, &bytes), Flow::Continue);
        self.world.outputs.iter_mut().for_each(Vec::clear);
    }

    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) -> Flow {
        self.shard.receive(conn, Frame::new(bytes), self.now, &mut self.world)
    }
}

/// A PUBLISH of 64 bytes.
pub(crate) fn publish(topic: &str, delivery: Delivery, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    let publish = Publish {
        dup: false,
        delivery,
        retain: false,
        topic_name: topic,
        properties: Properties::EMPTY,
        payload: &[b'x'; 64],
    };
    ControlPacket::Publish(publish).encode(version, &mut bytes).expect("it fits");
    bytes
}

/// An acknowledgement.
pub(crate) fn ack(
    make: impl Fn(Ack<'static>) -> ControlPacket<'static>,
    identifier: NonZeroU16,
    version: Version,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    make(Ack::success(identifier)).encode(version, &mut bytes).expect("it fits");
    bytes
}
