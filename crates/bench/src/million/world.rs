//! The core with many clients in it, and a world around it that has no sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use hexmq_broker::{
    Answer, Batch, CloseReason, ConnId, Event, Flow, HoldId, Limits, Partial, Peer, Permit, Question, Shard,
    ShardId, Shared, Sink,
};
use hexmq_node::LINK_BYTES;
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{
    Connect, ControlPacket, Delivery, Frames, Properties, Publish, QoS, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, Version,
};

/// What all clients have in common.
const VERSION: Version = Version::V4;
/// Seconds.
pub(super) const KEEP_ALIVE_S: u16 = 60;

/// Keeps of a connection what the table of sockets keeps; what is written is counted and forgotten.
#[derive(Default)]
pub(super) struct World {
    /// As large as the entries of the real table.
    links: Vec<[u8; LINK_BYTES]>,
    output: Vec<u8>,
    batch: Batch,
    pub(super) closed: u64,
}

impl Sink for World {
    fn output(&mut self, _: ConnId) -> &mut Vec<u8> {
        if self.output.len() > 1 << 16 {
            self.output.clear();
        }
        &mut self.output
    }
    fn output_len(&self, _: ConnId) -> usize {
        0
    }
    fn close(&mut self, _: ConnId, _: CloseReason) {
        self.closed += 1;
    }
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
    fn tell(&mut self, _: Event<'_>) {}
}

/// One shard with its clients.
pub(super) struct Crowd {
    shard: Shard,
    pub(super) world: World,
    now: Now,
    pub(super) clients: Vec<ConnId>,
    packet: Vec<u8>,
}

impl Crowd {
    /// Room for so many in what is not measured.
    pub(super) fn new(clients: usize) -> Crowd {
        let now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };
        let limits = Limits { sys_interval_s: 0, ..Limits::default() };
        let shared = Arc::new(Shared::new(1, &limits, 7, now));
        let shard = Shard::new(ShardId(0), Arc::new(limits), shared, now);
        // Written to, so that it is resident before anything is measured.
        let mut places = vec![ConnId { slot: 1, generation: 1 }; clients];
        places.clear();
        Crowd { shard, world: World::default(), now, clients: places, packet: Vec::new() }
    }

    /// The socket of one more client is there.
    pub(super) fn accept(&mut self) {
        self.world.links.push([1; LINK_BYTES]);
    }

    /// A client of this number connects.
    pub(super) fn connect(&mut self, number: usize) -> Result<ConnId, String> {
        let address = SocketAddr::from((Ipv4Addr::from(0x0A00_0000 + number as u32), 40_000));
        let peer = Peer { address: address.into(), loopback: false, listener: 0, secure: false };
        let conn = self.shard.open(peer, self.now);
        self.send(
            conn,
            &ControlPacket::Connect(Connect {
                version: VERSION,
                clean_start: true,
                keep_alive_s: KEEP_ALIVE_S,
                client_identifier: &format!("device-{number:07}"),
                will: None,
                user_name: None,
                password: None,
                properties: Properties::EMPTY,
            }),
        )?;
        Ok(conn)
    }

    /// It subscribes to the topic of its own.
    pub(super) fn subscribe(&mut self, number: usize) -> Result<(), String> {
        let mut subscriptions = SubscriptionsBuf::default();
        let options = SubscriptionOptions::with_qos(QoS::AtLeastOnce);
        subscriptions.push(&topic(number), options, VERSION).map_err(|error| error.to_string())?;
        let subscribe = Subscribe {
            packet_identifier: NonZeroU16::MIN,
            properties: Properties::EMPTY,
            subscriptions: subscriptions.as_subscriptions(),
        };
        let conn = self.clients.get(number).copied().ok_or("no such client")?;
        self.send(conn, &ControlPacket::Subscribe(subscribe))?;
        // The end of a turn: the server sees that nothing is retained for it.
        while self.shard.work(self.now, &mut self.world) {}
        Ok(())
    }

    /// A packet comes, encoded.
    pub(super) fn receive(&mut self, conn: ConnId, bytes: &[u8]) -> Result<(), String> {
        match self.shard.receive(conn, &mut Frames::new(bytes, u32::MAX), self.now, &mut self.world) {
            Flow::Continue => Ok(()),
            other => Err(format!("a packet of {conn:?} led to {other:?}")),
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now = Now { mono: self.now.mono.plus_ms(ms), wall: self.now.wall };
        self.shard.timeout(self.now, &mut self.world);
    }

    /// PUBLISH packets handed to receivers so far.
    pub(super) fn delivered(&self) -> u64 {
        self.shard.census().publish_sent
    }

    fn send(&mut self, conn: ConnId, packet: &ControlPacket<'_>) -> Result<(), String> {
        let mut bytes = std::mem::take(&mut self.packet);
        bytes.clear();
        packet.encode(VERSION, &mut bytes).map_err(|error| error.to_string())?;
        let result = self.receive(conn, &bytes);
        self.packet = bytes;
        result
    }
}

/// The topic of a client, as devices have them.
pub(super) fn topic(number: usize) -> String {
    format!("fleet/{}/device-{number:07}/command", number % 1000)
}

/// A message of 64 bytes to a client.
pub(super) fn publish(number: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let publish = Publish {
        dup: false,
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic_name: &topic(number),
        properties: Properties::EMPTY,
        payload: &[b'x'; 64],
    };
    ControlPacket::Publish(publish).encode(VERSION, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
