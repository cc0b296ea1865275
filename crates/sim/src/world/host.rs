//! The world around one shard: links with their framers and output, lanes to the other shards,
//! open questions. What `node` does with sockets, done with values.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hexmq_broker::{
    Answer, Batch, CloseReason, Condition, ConnId, DropReason, Event, Fetch, HandedUp, HoldId, Namespace,
    Partial, Question, Record, SessionKey, Shard, ShardId, Sink,
};
use hexmq_wire::{Connect, Framer, QoS};

use super::cloud::{self, Said};

/// A shard and what belongs to it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) shard: Shard,
    pub(super) links: BTreeMap<ConnKey, Link>,
    /// By receiving shard; the own one stays empty.
    pub(super) lanes: Vec<Lane>,
    pub(super) questions: VecDeque<(HoldId, Answer)>,
    pub(super) work_scheduled: bool,
    pub(super) commits: Commits,
}

/// What a shard has given its store, and what waits for it to be safe.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// The server has a store.
    pub(super) stores: bool,
    pub(super) records: Vec<u8>,
    /// Promised in this turn.
    pub(super) promises: Vec<(ConnKey, Promise)>,
    /// Promised before: behind which place in the log, to whom, what.
    pub(super) pending: VecDeque<(u64, ConnKey, Promise)>,
    /// Behind the last commit in the log.
    pub(super) last: u64,
    pub(super) fetches: VecDeque<Fetch>,
    /// Of those, the ones whose answer is on its way.
    pub(super) fetching: usize,
    pub(super) condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// A packet.
    Packet(Vec<u8>),
    /// Everything: the connection is held back.
    Gate,
    /// A message for the platform; it has no connection.
    Uplink(Box<HandedUp>),
}

/// In the place of a connection.
const NOBODY: ConnKey = (u32::MAX, u32::MAX);

impl Host {
    /// Whether no message waits: neither in a queue of the shard nor, for this connection, for the store.
    pub(super) fn is_calm(&self, conn: ConnKey) -> bool {
        self.shard.census().messages_queued == 0 && !self.commits.promised(conn)
    }
}

impl Commits {
    pub(super) fn promised(&self, conn: ConnKey) -> bool {
        let before = self.pending.iter().map(|(_, to, promise)| (to, promise));
        let now = self.promises.iter().map(|(to, promise)| (to, promise));
        before.chain(now).any(|(to, promise)| *to == conn && *promise != Promise::Gate)
    }
}

/// [`ConnId`] with an order.
pub(super) type ConnKey = (u32, u32);

pub(super) fn key(conn: ConnId) -> ConnKey {
    (conn.slot, conn.generation)
}

/// The server's end of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) wire: usize,
    pub(super) framer: Framer,
    /// Arrived and not yet framed, since reading is paused.
    pub(super) unread: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) paused: Option<Paused>,
    pub(super) closing: Option<CloseReason>,
    /// The output has passed the mark above which a shard holds messages back, and not yet fallen
    /// below it again.
    pub(super) high: bool,
    /// The client has closed; the end of what it sent is near.
    pub(super) ends: bool,
    /// Its first packet decides where it goes.
    pub(super) lobby: bool,
    /// So many commits hold it back: nothing leaves before the store has what it rests on.
    pub(super) gates: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paused {
    /// Until the shard says so: a question is open, or too much output waits.
    Asked,
    /// Until no lane is full.
    Lane,
}

/// Messages from one shard to another: the batch being filled and those under way.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) filling: Batch,
    pub(super) under_way: VecDeque<Batch>,
    pub(super) capacity: usize,
    pub(super) scheduled: bool,
}

impl Lane {
    pub(super) fn is_full(&self) -> bool {
        self.under_way.len() >= self.capacity
    }
}

impl Link {
    pub(super) fn new(wire: usize, maximum_packet_size: u32, lobby: bool) -> Link {
        Link {
            wire,
            framer: Framer::new(maximum_packet_size),
            unread: Vec::new(),
            output: Vec::new(),
            paused: None,
            closing: None,
            high: false,
            ends: false,
            lobby,
            gates: 0,
        }
    }
}

/// What a shard told, as far as a verdict needs it.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Dropped { namespace: Namespace, client: String, topic: String, qos: QoS, reason: DropReason },
    Closed { conn: ConnKey, reason: CloseReason },
    Line(String),
}

/// The outputs of one shard during one call.
pub(super) struct Outputs<'h> {
    pub(super) links: &'h mut BTreeMap<ConnKey, Link>,
    pub(super) lanes: &'h mut [Lane],
    pub(super) questions: &'h mut VecDeque<(HoldId, Answer)>,
    pub(super) told: &'h mut Vec<Told>,
    pub(super) said: &'h mut Said,
    /// Connections with something to write.
    pub(super) dirty: &'h mut BTreeSet<ConnKey>,
    /// Connections the shard wants read again.
    pub(super) resumed: &'h mut Vec<ConnKey>,
    pub(super) answer_later: bool,
    pub(super) asked: bool,
    pub(super) commits: &'h mut Commits,
    /// Output for a connection that is gone.
    pub(super) nowhere: Vec<u8>,
}

impl Sink for Outputs<'_> {
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        match self.links.get_mut(&key(conn)) {
            Some(link) => {
                self.dirty.insert(key(conn));
                &mut link.output
            }
            None => {
                self.nowhere.clear();
                &mut self.nowhere
            }
        }
    }

    fn output_len(&self, conn: ConnId) -> usize {
        self.links.get(&key(conn)).map_or(0, |link| link.output.len())
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason) {
        if let Some(link) = self.links.get_mut(&key(conn)) {
            if std::mem::take(&mut link.gates) > 0 {
                link.output.clear();
            }
            link.closing = Some(reason);
            self.dirty.insert(key(conn));
            self.told.push(Told::Closed { conn: key(conn), reason });
        }
    }

    fn resume(&mut self, conn: ConnId) {
        self.resumed.push(key(conn));
    }

    fn partial(&self, conn: ConnId) -> Partial {
        let received = self.links.get(&key(conn)).map_or(0, |link| link.framer.buffered());
        Partial { received, missing: 1 }
    }

    fn forward(&mut self, to: ShardId) -> &mut Batch {
        &mut self.lanes[usize::from(to.0)].filling
    }

    fn congested(&self, to: ShardId) -> bool {
        self.lanes[usize::from(to.0)].is_full()
    }

    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        cloud::claim(connect)
    }

    fn hand_up(&mut self, uplink: HandedUp) {
        if self.commits.stores {
            self.commits.promises.push((NOBODY, Promise::Uplink(Box::new(uplink))));
        } else {
            self.said.uplinks.push(uplink);
        }
    }

    fn acked(&mut self, token: u64) {
        self.said.acked.push(token);
    }

    fn ask(&mut self, hold: HoldId, question: Question<'_>) -> Option<Answer> {
        let permit = match question {
            Question::WhoIs { key, .. } => cloud::permit(key),
            Question::Authenticate { .. } => Default::default(),
        };
        let answer = Answer::Admit { permit, data: None };
        if !self.answer_later {
            return Some(answer);
        }
        self.asked = true;
        self.questions.push_back((hold, answer));
        None
    }

    fn persist(&mut self, record: &Record<'_>) {
        assert!(self.commits.stores, "a server without a store persists nothing");
        record.encode(&mut self.commits.records);
    }

    fn promise(&mut self, conn: ConnId) -> &mut Vec<u8> {
        if !self.commits.stores || !self.links.contains_key(&key(conn)) {
            return self.output(conn);
        }
        self.commits.promises.push((key(conn), Promise::Packet(Vec::new())));
        match self.commits.promises.last_mut() {
            Some((_, Promise::Packet(bytes))) => bytes,
            _ => &mut self.nowhere,
        }
    }

    fn promised(&self, conn: ConnId) -> bool {
        self.commits.promised(key(conn))
    }

    fn gate(&mut self, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&key(conn)) {
            link.gates += 1;
            self.commits.promises.push((key(conn), Promise::Gate));
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        self.commits.fetches.push_back(fetch);
    }

    fn condition(&self) -> Condition {
        self.commits.condition
    }

    fn tell(&mut self, event: Event<'_>) {
        self.told.push(match event {
            Event::MessageDropped { namespace, client_identifier, topic, qos, reason } => Told::Dropped {
                namespace,
                client: client_identifier.into(),
                topic: topic.into(),
                qos,
                reason,
            },
            other => Told::Line(other.to_string()),
        });
    }
}
