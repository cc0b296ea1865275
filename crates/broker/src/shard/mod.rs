//! A shard: one thread's worth of connections and sessions, and all decisions about them.

mod acknowledge;
mod ahead;
mod authenticate;
mod callers;
mod close;
mod connack;
mod device;
mod door;
mod handout;
mod keep;
mod publish;
mod receive;
mod restore;
mod route;
mod sizes;
mod subscribe;
mod sys;
mod timers;
mod uplink;

use std::sync::Arc;

use hexmq_session::{Mono, Now};
use hexmq_wire::{Frame, PacketType, ReasonCode};

use crate::connection::{Connected, Connection, Stage};
use crate::directory::Directory;
use crate::matches::MatchCache;
use crate::residents::Residents;
use crate::store_side::Serials;
use crate::wheel::Wheel;
use crate::{
    Answer, Audience, Batch, Census, CloseReason, ConnId, FetchKind, Fetched, HoldId, Limits, Peer, Record,
    SessionKey, SessionRef, ShardId, Shared, Sink,
};
use ahead::Outlook;
pub use callers::Caller;
use receive::Serve;
pub use restore::{Restore, Restorer};
use sys::Sys;
use timers::Timer;
use uplink::Inboxes;

/// How a network connection ended, seen from the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The client closed its side.
    Closed,
    /// The network failed.
    Reset,
    /// Bytes waited too long to be written.
    WriteStalled,
    /// TLS did not come about, or broke.
    Tls,
    /// WebSocket did not come about, or broke.
    WebSocket,
}

/// The deciding core of one thread. See the crate's documentation.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    shared: Arc<Shared>,
    residents: Residents,
    directory: Directory,
    cache: MatchCache,
    outlook: Outlook,
    wheel: Wheel<Timer>,
    sys: Sys,
    random: Random,
    /// Counts questions.
    serial: u32,
    handouts_wait: bool,
    stopping: bool,
    inboxes: Inboxes,
    /// Scratch: forwarded properties, and a topic that an alias stands for.
    properties: Vec<u8>,
    topic: String,
    /// Scratch: where a message of a device is shown.
    raw_topic: String,
}

impl Shard {
    /// A shard of the server described by `shared`. `now` starts its timers.
    /// If the server has a store, every change of durable state goes to [`Sink::persist`].
    pub fn new(id: ShardId, limits: Arc<Limits>, shared: Arc<Shared>, now: Now) -> Shard {
        let seed = shared.seed;
        let mut shard = Shard {
            id,
            residents: Residents::new(
                limits,
                shared.first_serial.map(|first| Serials::new(first, id, shared.shards)),
            ),
            directory: Directory::new(seed),
            cache: MatchCache::new(id, seed),
            outlook: Outlook::default(),
            wheel: Wheel::new(now.mono),
            sys: Sys::default(),
            random: Random(seed ^ (u64::from(id.0) << 48)),
            serial: 0,
            handouts_wait: false,
            stopping: false,
            inboxes: Inboxes::default(),
            properties: Vec::new(),
            topic: String::new(),
            raw_topic: String::new(),
            shared,
        };
        shard.start_timers(now);
        shard
    }

    /// Which shard this is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Other bounds from now on. Connections and sessions keep what was agreed with them.
    pub fn set_limits(&mut self, limits: Arc<Limits>) {
        self.residents.limits = limits;
    }

    /// A connection was accepted here or handed over by another shard's lobby.
    pub fn open(&mut self, peer: Peer, now: Now) -> ConnId {
        self.residents.census.connections_opened += 1;
        let connection = Connection {
            peer,
            last_heard: now.mono,
            paused: false,
            choked: false,
            stage: Stage::AwaitingConnect,
        };
        let (slot, generation) = self.residents.connections.insert(connection);
        let conn = ConnId { slot, generation };
        let deadline = now.mono.plus_ms(self.residents.limits.connect_timeout_ms);
        self.wheel.insert(deadline, Timer::Connect(conn));
        conn
    }

    /// The connection's session lives on another shard: its driver takes it there, where it is
    /// opened again as what is returned. Nothing has been said on it yet, and nothing is told.
    pub fn handed_over(&mut self, conn: ConnId) -> Option<Peer> {
        self.residents.connections.get(conn.slot, conn.generation)?;
        self.residents.census.connections_opened -= 1;
        self.residents.connections.remove(conn.slot).map(|connection| connection.peer)
    }

    /// The largest packet to take from this connection, in bytes.
    pub fn maximum_packet_size(&self) -> u32 {
        self.residents.limits.maximum_packet_size
    }

    /// The network connection is gone. A Will is due. [V4 MQTT-3.1.2-8, V5 MQTT-3.1.2-8]
    /// [V5 U-3.1.2.5-1, V5 U-3.1.2.5-3, V5 U-3.14-1]
    pub fn lost(&mut self, conn: ConnId, why: Lost, now: Now, out: &mut impl Sink) {
        let reason = match why {
            Lost::Closed => CloseReason::ConnectionClosed,
            Lost::Reset => CloseReason::ConnectionReset,
            Lost::WriteStalled => CloseReason::WriteStalled,
            Lost::Tls => CloseReason::TlsFailed,
            Lost::WebSocket => CloseReason::WebSocketFailed,
        };
        self.forget(conn, reason, None, now, out);
    }

    /// The output of a connection was written after it had been stuck: what waits may go on.
    pub fn drained(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) {
        if let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation)
            && std::mem::take(&mut connection.choked)
        {
            connection.paused = false;
            connection.last_heard = now.mono;
            out.resume(conn);
        }
        if let Some(session) = self.session_of(conn) {
            self.pump(session, now, out);
        }
    }

    /// The driver would read this connection again after a full lane or the store had stopped it. False: it is
    /// not to be read yet, for another reason.
    pub fn resumed(&mut self, conn: ConnId, now: Now) -> bool {
        if self.holds_uplink(conn).is_some() {
            return false;
        }
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else {
            return false;
        };
        if connection.choked {
            return false;
        }
        connection.paused = false;
        connection.last_heard = now.mono;
        true
    }

    /// Messages from another shard.
    pub fn forwarded(&mut self, batch: &Batch, now: Now, out: &mut impl Sink) {
        for forwarded in batch.iter() {
            let group = match forwarded.audience {
                Audience::Matching { generation } => {
                    self.deliver_forwarded(&forwarded, generation, now, out);
                    0
                }
                Audience::Member { session, group, hops } => {
                    self.deliver_to_member(&forwarded, session, group, hops, now, out);
                    group
                }
            };
            if let Some(message) = forwarded.serial {
                self.residents.persist(&Record::Arrived { message, shard: self.id, group }, out);
            }
        }
    }

    /// What was asked of the store with [`Sink::fetch`].
    pub fn fetched(&mut self, fetched: &Fetched, now: Now, out: &mut impl Sink) {
        let slot = fetched.session.slot;
        match fetched.what {
            FetchKind::Queue if self.residents.take_in(fetched, now.mono) => {
                if self.inboxes.holds(slot) {
                    self.hand_up(out);
                    return;
                }
                self.residents.bound_queue(slot, out);
                self.pump(slot, now, out);
            }
            FetchKind::Queue => self.watch_session(slot, now),
            FetchKind::Bodies => self.thawed(fetched, now, out),
        }
    }

    /// The answer to a question asked earlier. One that comes too late is ignored.
    pub fn answered(&mut self, hold: HoldId, answer: Answer, now: Now, out: &mut impl Sink) {
        let Some(connection) = self.residents.connections.get_mut(hold.conn.slot, hold.conn.generation)
        else {
            return;
        };
        match &mut connection.stage {
            Stage::Authenticating(waiting) if waiting.serial == Some(hold.serial) => {
                waiting.serial = None;
                connection.paused = false;
                connection.last_heard = now.mono;
                out.resume(hold.conn);
                self.answer_connect(hold.conn, answer, now, out);
            }
            Stage::Connected(_) => self.answer_reauthentication(hold, answer, now, out),
            _ => {}
        }
    }

    /// Stops taking clients in and says good-bye to those that are here. [V5 MQTT-3.14.4-1]
    pub fn stop(&mut self, now: Now, out: &mut impl Sink) {
        self.stopping = true;
        for slot in self.residents.connections.slots() {
            let conn = ConnId { slot, generation: self.residents.connections.generation(slot) };
            self.close(conn, CloseReason::ServerShuttingDown, ReasonCode::ServerShuttingDown, None, now, out);
        }
    }

    /// Control Packets received and sent: a measure of the work done.
    pub fn packets(&self) -> u64 {
        self.residents.census.packets_received + self.residents.census.packets_sent
    }

    /// What is counted, as it is now.
    pub fn census(&self) -> Census {
        let residents = &self.residents;
        let mut census = residents.census;
        census.sessions = (residents.sessions.len() - self.inboxes.len()) as u64;
        census.messages_queued = census.messages_queued.saturating_sub(self.uplinks_queued());
        (census.uplinks_waiting, census.uplinks_waiting_bytes) = self.uplinks_kept();
        census.messages_stored = residents.messages.len();
        census.messages_stored_bytes = residents.messages.bytes();
        census
    }

    fn client_identifier(&self, conn: ConnId) -> Option<&str> {
        let slot = self.session_of(conn)?;
        Some(&self.residents.sessions.at(slot)?.key.identifier)
    }

    fn key_of(&self, conn: ConnId) -> Option<&SessionKey> {
        let slot = self.session_of(conn)?;
        Some(&self.residents.sessions.at(slot)?.key)
    }

    fn session_of(&self, conn: ConnId) -> Option<u32> {
        self.connected(conn).map(|connected| connected.session)
    }

    fn connected(&self, conn: ConnId) -> Option<&Connected> {
        match &self.residents.connections.get(conn.slot, conn.generation)?.stage {
            Stage::Connected(connected) => Some(connected),
            _ => None,
        }
    }

    fn connected_mut(&mut self, conn: ConnId) -> Option<&mut Connected> {
        match &mut self.residents.connections.get_mut(conn.slot, conn.generation)?.stage {
            Stage::Connected(connected) => Some(connected),
            _ => None,
        }
    }

    fn session_ref(&self, slot: u32) -> SessionRef {
        SessionRef { shard: self.id, slot, generation: self.residents.sessions.generation(slot) }
    }

    /// The window of a session has room again: what waits goes on. Mostly nothing does.
    #[inline]
    fn pump_freed(&mut self, session: u32, now: Now, out: &mut impl Sink) {
        if self.residents.sessions.at(session).is_some_and(|session| !session.is_quiet()) {
            self.pump(session, now, out);
        }
    }

    fn pump(&mut self, session: u32, now: Now, out: &mut impl Sink) {
        self.residents.pump(session, now, out);
        self.handouts_wait |= !self.residents.handout_ready.is_empty();
    }

    /// Connections are counted here and nowhere else.
    fn count_connected(&mut self, by: i64) {
        let connected = &mut self.residents.census.clients_connected;
        *connected = connected.saturating_add_signed(by);
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// When [`Shard::timeout`] is due next.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.wheel.next()
    }
}

/// Enough randomness to name clients, from a seed (splitmix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The type of a packet by its first byte, for packets that are refused unread.
fn is_connect(frame: Frame<'_>) -> bool {
    frame.packet_type() == Some(PacketType::Connect)
}
