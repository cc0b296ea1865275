//! A server of one shard with a platform above it: what leaves is kept as bytes, by connection.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::{
    Answer, Batch, CloseReason, ConnId, Delivered, DeviceTerms, Downlink, Event, Fetch, Flow, HandedUp,
    HoldId, Limits, Manners, Namespace, Partial, Peer, Permit, Question, Reach, Record, Refusal, SessionKey,
    Shard, ShardId, Shared, Sink, TopicRule, claim,
};
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{
    Connect, ControlPacket, Delivery, Frame, Frames, Properties, Publish, QoS, Subscribe,
    SubscriptionOptions, SubscriptionsBuf, Unsubscribe, Version, Will,
};

/// Everything a shard did to the world.
#[derive(Default)]
pub(crate) struct World {
    outputs: BTreeMap<u32, Vec<u8>>,
    batch: Batch,
    pub(crate) terms: BTreeMap<Box<str>, DeviceTerms>,
    pub(crate) uplinks: Vec<HandedUp>,
    pub(crate) acked: Vec<u64>,
    /// Events as `name: text`.
    pub(crate) told: Vec<String>,
    pub(crate) closed: Vec<(ConnId, CloseReason)>,
    pub(crate) resumed: Vec<ConnId>,
    pub(crate) paced: Vec<(ConnId, u32)>,
    /// Bytes that every connection still has to take, beside what is in its output.
    pub(crate) backlog: usize,
    /// Records, for a server that stores.
    pub(crate) persisted: Vec<u8>,
    pub(crate) fetches: Vec<Fetch>,
}

/// `{number}/{device}` as a user name makes a device; `{number}+` one that shares the topics of plain clients.
fn key_of(user_name: Option<&str>) -> Option<SessionKey> {
    let (product, device) = user_name?.split_once('/')?;
    let shared = product.ends_with('+');
    let number = product.trim_end_matches('+').parse().ok()?;
    Some(SessionKey { namespace: Namespace::of_product(number, shared), identifier: device.into() })
}

impl Sink for World {
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        self.outputs.entry(conn.slot).or_default()
    }
    fn output_len(&self, conn: ConnId) -> usize {
        self.backlog + self.outputs.get(&conn.slot).map_or(0, Vec::len)
    }
    fn close(&mut self, conn: ConnId, reason: CloseReason) {
        self.closed.push((conn, reason));
    }
    fn resume(&mut self, conn: ConnId) {
        self.resumed.push(conn);
    }
    fn partial(&self, _: ConnId) -> Partial {
        Partial::default()
    }
    fn forward(&mut self, _: ShardId) -> &mut Batch {
        &mut self.batch
    }
    fn congested(&self, _: ShardId) -> bool {
        false
    }
    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        key_of(connect.user_name).or_else(|| claim(connect))
    }
    fn ask(&mut self, _: HoldId, question: Question<'_>) -> Option<Answer> {
        let Question::WhoIs { key, user_name, .. } = question else { return None };
        let device = match key.namespace {
            Namespace::PLAIN => None,
            _ => Some(Arc::new(self.terms.get(user_name?)?.clone())),
        };
        if device.is_none() && user_name == Some("nobody") {
            return Some(Answer::Refuse(Refusal::NotAuthorized));
        }
        let permit = Permit { admin: user_name == Some("admin"), device, ..Permit::default() };
        Some(Answer::Admit { permit, data: None })
    }
    fn persist(&mut self, record: &Record<'_>) {
        record.encode(&mut self.persisted);
    }
    fn fetch(&mut self, fetch: Fetch) {
        self.fetches.push(fetch);
    }
    fn hand_up(&mut self, uplink: HandedUp) {
        self.uplinks.push(uplink);
    }
    fn acked(&mut self, token: u64) {
        self.acked.push(token);
    }
    fn pace(&mut self, conn: ConnId, gap_ms: u32) {
        self.paced.push((conn, gap_ms));
    }
    fn tell(&mut self, event: Event<'_>) {
        self.told.push(format!("{}: {event}", event.name()));
    }
}

/// A shard with its world.
pub(crate) struct Cloud {
    pub(crate) shard: Shard,
    pub(crate) world: World,
    pub(crate) now: Now,
}

/// Rules under which a device may do what it likes, as far as `reach` says.
pub(crate) fn free(reach: Reach) -> Vec<TopicRule> {
    ["#", "$dp", "$creq/#", "$sys/#"].map(|filter| rule(filter, reach)).into()
}

pub(crate) fn rule(filter: &str, reach: Reach) -> TopicRule {
    TopicRule { filter: filter.into(), publish: true, subscribe: true, reach }
}

pub(crate) fn terms(rules: Vec<TopicRule>, manners: Manners) -> DeviceTerms {
    DeviceTerms {
        product: "491644".into(),
        rules: rules.into(),
        manners,
        subscribed: false,
        greeting: Box::default(),
    }
}

impl Cloud {
    pub(crate) fn new(change: impl FnOnce(&mut Limits)) -> Cloud {
        Cloud::of(1, change)
    }

    pub(crate) fn of(shards: u16, change: impl FnOnce(&mut Limits)) -> Cloud {
        let now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };
        let mut limits = Limits { sys_interval_s: 0, ..Limits::default() };
        change(&mut limits);
        let shared = Arc::new(Shared::new(shards, &limits, 7, now).with_upstairs());
        let shard = Shard::new(ShardId(0), Arc::new(limits), shared, now);
        Cloud { shard, world: World::default(), now }
    }

    /// What a device with this user name is admitted with.
    pub(crate) fn admits(&mut self, user_name: &str, terms: DeviceTerms) {
        self.world.terms.insert(user_name.into(), terms);
    }

    pub(crate) fn try_connect(
        &mut self,
        name: &str,
        user: Option<&str>,
        version: Version,
        will: Option<Will<'_>>,
    ) -> ConnId {
        let peer = Peer { address: "test".into(), loopback: true, listener: 0, secure: false };
        let conn = self.shard.open(peer, self.now);
        self.world.outputs.remove(&conn.slot);
        let connect = ControlPacket::Connect(Connect {
            version,
            clean_start: true,
            keep_alive_s: 0,
            client_identifier: name,
            will,
            user_name: user,
            password: None,
            properties: Properties::EMPTY,
        });
        let mut bytes = Vec::new();
        connect.encode(version, &mut bytes).expect("it fits");
        self.receive(conn, &bytes);
        conn
    }

    /// A connection after its CONNACK.
    pub(crate) fn connect(&mut self, name: &str, user: Option<&str>, version: Version) -> ConnId {
        let conn = self.try_connect(name, user, version, None);
        let connack = self.read(conn);
        assert_eq!(connack.get(..2).map(|head| head[0]), Some(0x20), "{connack:02x?}");
        assert_eq!(connack.get(3), Some(&0), "accepted");
        conn
    }

    /// A device of product 1 that is admitted with these terms.
    pub(crate) fn device(&mut self, terms: DeviceTerms, version: Version) -> ConnId {
        self.admits("1/d", terms);
        self.connect("d", Some("1/d"), version)
    }

    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) -> Flow {
        self.shard.receive(conn, &mut Frames::one(Frame::new(bytes)), self.now, &mut self.world)
    }

    /// What has been written to a connection since it was read last.
    pub(crate) fn read(&mut self, conn: ConnId) -> Vec<u8> {
        self.world.outputs.get_mut(&conn.slot).map(std::mem::take).unwrap_or_default()
    }

    fn send(&mut self, conn: ConnId, version: Version, packet: &ControlPacket<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).expect("it fits");
        self.read(conn);
        self.receive(conn, &bytes);
        self.read(conn)
    }

    /// The reason codes of the SUBACK and whatever follows.
    pub(crate) fn subscribe(&mut self, conn: ConnId, version: Version, filter: &str, qos: QoS) -> Vec<u8> {
        let mut subscriptions = SubscriptionsBuf::default();
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        subscriptions.push(filter, options, version).expect("it fits");
        let subscribe = ControlPacket::Subscribe(Subscribe {
            packet_identifier: NonZeroU16::MIN,
            properties: Properties::EMPTY,
            subscriptions: subscriptions.as_subscriptions(),
        });
        let suback = self.send(conn, version, &subscribe);
        let body = if version == Version::V5 { 4 + usize::from(suback[4]) + 1 } else { 4 };
        suback[body..].to_vec()
    }

    pub(crate) fn unsubscribe(&mut self, conn: ConnId, version: Version, filter: &str) {
        let mut filters = hexmq_wire::TopicFiltersBuf::default();
        filters.push(filter).expect("it fits");
        let unsubscribe = ControlPacket::Unsubscribe(Unsubscribe {
            packet_identifier: NonZeroU16::MIN,
            properties: Properties::EMPTY,
            topic_filters: filters.as_topic_filters(),
        });
        self.send(conn, version, &unsubscribe);
    }

    pub(crate) fn publish(
        &mut self,
        conn: ConnId,
        version: Version,
        topic: &str,
        qos: u8,
        retain: bool,
    ) -> Vec<u8> {
        let bytes = publish(topic, b"x", qos, retain, version);
        self.read(conn);
        self.receive(conn, &bytes);
        self.read(conn)
    }

    pub(crate) fn downlink(
        &mut self,
        key: (u32, &str),
        topic: &str,
        qos: QoS,
        if_subscribed: bool,
        token: Option<u64>,
    ) -> Delivered {
        let key = SessionKey { namespace: Namespace(key.0), identifier: key.1.into() };
        let downlink = Downlink { topic, payload: b"go", qos, if_subscribed, token };
        self.shard.downlink(&key, &downlink, self.now, &mut self.world)
    }

    pub(crate) fn done(&mut self, place: u64) {
        let inbox = self.world.uplinks.last().expect("an uplink").inbox.clone();
        self.shard.uplinks_done(&inbox, place, self.now, &mut self.world);
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now.mono = self.now.mono.plus_ms(ms);
        self.now.wall = self.now.wall.plus_ms(ms);
        self.shard.timeout(self.now, &mut self.world);
    }

    /// Names of the events told since this was asked last.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.world.told)
    }
}

pub(crate) fn publish(topic: &str, payload: &[u8], qos: u8, retain: bool, version: Version) -> Vec<u8> {
    let own = NonZeroU16::new(10).expect("10");
    let delivery = match qos {
        0 => Delivery::AtMostOnce,
        1 => Delivery::AtLeastOnce(own),
        _ => Delivery::ExactlyOnce(own),
    };
    let mut bytes = Vec::new();
    let publish =
        Publish { dup: false, delivery, retain, topic_name: topic, properties: Properties::EMPTY, payload };
    ControlPacket::Publish(publish).encode(version, &mut bytes).expect("it fits");
    bytes
}
