//! Messages of devices for the platform: kept in the inbox until it has done with them.
//!
//! The inbox is a session of the server's own that never has a connection. Every start of a server makes new
//! ones, so that no place is ever given twice under one name; those of an earlier life are emptied first and
//! then forgotten. What is handed up stays in the store until the platform says that it is done.

use std::collections::VecDeque;
use std::sync::Arc;

use hexmq_session::{Mono, Now};
use hexmq_wire::{Delivery, Frame, Frames, PropertiesBuf, Publish, QoS, ReasonCode, Version};

use super::Shard;
use super::timers::Timer;
use crate::connection::{Connection, Stage};
use crate::layout::Terms;
use crate::session::{Expiry, Session};
use crate::uplink::{HandedUp, note_origin};
use crate::{
    CloseReason, ConnId, DropReason, Event, Flow, Limits, Message, Namespace, Serial, SessionKey, Sink, home,
};

/// The inboxes of a shard.
#[derive(Debug, Default)]
pub(super) struct Inboxes {
    /// Oldest first.
    all: Vec<Inbox>,
    /// The last of them takes what comes.
    open: bool,
    /// Connections that hold a PUBLISH for which there was no room.
    waiters: VecDeque<ConnId>,
    /// The PUBLISH being handled finds no room: it is to be held.
    pub(super) hold: bool,
    /// Scratch.
    origin: PropertiesBuf,
}

#[derive(Debug)]
struct Inbox {
    slot: u32,
    name: Arc<str>,
    /// Its number in the store; orders inboxes.
    serial: Option<Serial>,
    /// The place of the next message, where no store gives places.
    next_place: u64,
    /// Handed up and not done: place and bytes.
    handed: VecDeque<(u64, u64)>,
    handed_bytes: u64,
}

impl Inbox {
    fn new(slot: u32, name: &str, serial: Option<Serial>) -> Inbox {
        Inbox { slot, name: name.into(), serial, next_place: 1, handed: VecDeque::new(), handed_bytes: 0 }
    }

    fn has_window(&self, limits: &Limits) -> bool {
        self.handed.len() < limits.uplink_window_messages.max(1) as usize
            && self.handed_bytes < limits.uplink_window_bytes.max(1)
    }
}

impl Inboxes {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether this session is one.
    pub(super) fn holds(&self, slot: u32) -> bool {
        self.all.iter().any(|inbox| inbox.slot == slot)
    }

    fn of(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|inbox| *inbox.name == *name)
    }
}

impl Shard {
    /// Messages kept for the platform, and their bytes, those included that were handed up.
    pub(super) fn uplinks_kept(&self) -> (u64, u64) {
        self.inboxes.all.iter().fold((0, 0), |(messages, bytes), inbox| {
            let (waiting, waiting_bytes) = self
                .residents
                .sessions
                .at(inbox.slot)
                .map_or((0, 0), |session| (session.waiting(), session.waiting_bytes()));
            (messages + waiting + inbox.handed.len() as u64, bytes + waiting_bytes + inbox.handed_bytes)
        })
    }

    /// Messages among them that have not been handed up.
    pub(super) fn uplinks_queued(&self) -> u64 {
        let waiting = |inbox: &Inbox| self.residents.sessions.at(inbox.slot).map_or(0, Session::waiting);
        self.inboxes.all.iter().map(waiting).sum()
    }

    fn uplinks_full(&self) -> bool {
        let (messages, bytes) = self.uplinks_kept();
        let limits = &self.residents.limits;
        messages >= limits.uplink_queue_messages || bytes >= limits.uplink_queue_bytes
    }

    /// What becomes of a PUBLISH for the platform if there is no room for it: MQTT 5 has a code for it, others
    /// are not read until there is room. `None`: it is taken. QoS 0 is looked at when it is queued.
    pub(super) fn uplink_refused(
        &mut self,
        conn: ConnId,
        slot: u32,
        version: Version,
        publish: &Publish<'_>,
        out: &mut impl Sink,
    ) -> Option<Flow> {
        let repeated = match publish.delivery {
            Delivery::AtMostOnce => true,
            Delivery::AtLeastOnce(_) => false,
            Delivery::ExactlyOnce(identifier) => {
                let session = self.residents.sessions.at(slot);
                session.is_some_and(|session| session.received.contains(identifier))
            }
        };
        if repeated || !self.uplinks_full() {
            return None;
        }
        if version == Version::V5 {
            let why = "the server keeps no further messages for the platform";
            return Some(self.refuse_for_room(conn, slot, publish, &why, out));
        }
        self.inboxes.hold = true;
        Some(Flow::Pause)
    }

    /// Keeps a PUBLISH that found no room, and does not read its connection until there is some.
    pub(super) fn hold_uplink(&mut self, conn: ConnId, frame: Frame<'_>, payload: usize, now: Now) {
        self.inboxes.hold = false;
        // It is counted when it is taken.
        self.residents.census.packets_received -= 1;
        self.residents.census.bytes_received -= frame.bytes.len() as u64;
        self.residents.census.publish_received -= 1;
        self.residents.census.publish_bytes_received -= payload as u64;
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else { return };
        connection.paused = true;
        let Stage::Connected(connected) = &mut connection.stage else { return };
        let since = match connected.device() {
            Some(device) => device.held_since.unwrap_or(now.mono),
            None => return,
        };
        if let Some(device) = connected.device_mut() {
            device.held = Some(frame.bytes.into());
            device.held_since = Some(since);
        }
        self.inboxes.waiters.push_back(conn);
        let due = since.plus_ms(self.residents.limits.store_full_timeout_ms);
        self.wheel.insert(due, Timer::Uplink(conn));
    }

    /// Whether a connection holds a PUBLISH, and since when.
    pub(super) fn holds_uplink(&self, conn: ConnId) -> Option<Mono> {
        let device = self.connected(conn)?.device()?;
        device.held.as_ref().and(device.held_since)
    }

    /// It waits no longer.
    pub(super) fn uplink_due(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) {
        let timeout_ms = self.residents.limits.store_full_timeout_ms;
        if self.holds_uplink(conn).is_some_and(|since| since.plus_ms(timeout_ms) <= now.mono) {
            self.close(conn, CloseReason::UplinkQueueFull, ReasonCode::QuotaExceeded, None, now, out);
        }
    }

    /// There is room: those that wait go on, in the order they came.
    fn release_held(&mut self, now: Now, out: &mut impl Sink) {
        while !self.inboxes.waiters.is_empty() && !self.uplinks_full() {
            let Some(conn) = self.inboxes.waiters.pop_front() else { return };
            let Some(Connection { paused, last_heard, stage: Stage::Connected(connected), .. }) =
                self.residents.connections.get_mut(conn.slot, conn.generation)
            else {
                continue;
            };
            let Some(device) = connected.device_mut() else { continue };
            let Some(held) = device.held.take() else { continue };
            device.held_since = None;
            (*paused, *last_heard) = (false, now.mono);
            let flow = self.receive(conn, &mut Frames::one(Frame::new(&held)), now, out);
            if flow == Flow::Closed || self.holds_uplink(conn).is_some() {
                continue;
            }
            if let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation)
                && !connection.choked
            {
                // Whatever else would have it wait says so again at its next packet.
                connection.paused = false;
                out.resume(conn);
            }
        }
    }

    /// Puts a message of a device into the inbox, and hands it up if nothing is before it.
    pub(super) fn uplink(&mut self, from: u32, message: &Message<'_>, now: Now, out: &mut impl Sink) {
        let Some(session) = self.residents.sessions.at(from) else { return };
        self.residents.census.uplinks_received += 1;
        let namespace = session.key.namespace;
        if message.qos == QoS::AtMostOnce && self.uplinks_full() {
            self.residents.census.uplinks_dropped += 1;
            out.tell(Event::MessageDropped {
                namespace,
                client_identifier: &session.key.identifier,
                topic: message.topic,
                qos: message.qos,
                reason: DropReason::UplinkQueueFull,
            });
            return;
        }
        let mut origin = std::mem::take(&mut self.inboxes.origin);
        note_origin(&session.key.identifier, now.wall, &mut origin);
        let kept = Message {
            namespace,
            topic: message.topic,
            properties: origin.as_properties().as_bytes(),
            payload: message.payload,
            qos: message.qos,
            retain: false,
            expires_at: None,
            publisher: None,
        };
        if let Some(inbox) = self.open_inbox(out) {
            let mut outbound = self.residents.begin(&kept, None, now);
            self.residents.append(inbox, &Terms::kept(QoS::AtLeastOnce), &mut outbound, out);
            self.residents.finish(outbound);
        }
        self.inboxes.origin = origin;
        self.hand_up(out);
    }

    /// The session of the inbox that takes what comes, made for the first message of a server's life.
    fn open_inbox(&mut self, out: &mut impl Sink) -> Option<u32> {
        if self.inboxes.open {
            return self.inboxes.all.last().map(|inbox| inbox.slot);
        }
        let key = self.name_inbox();
        let name = key.identifier.clone();
        let (slot, _) = self.residents.sessions.insert(Session::new(key, Expiry::Never, 1));
        self.directory.insert(slot, &self.residents.sessions);
        self.store_session(slot, out);
        self.inboxes.all.push(Inbox::new(slot, &name, self.residents.stored_serial(slot)));
        self.inboxes.open = true;
        Some(slot)
    }

    /// A name that no inbox has had, and whose home is here: of the start of the server, the shard, and a
    /// number that is tried until it fits.
    fn name_inbox(&self) -> SessionKey {
        let shared = &self.shared;
        let life = shared.first_serial.unwrap_or(shared.seed);
        let started = shared.started.wall.0;
        let mut attempt = 0_u64;
        loop {
            let identifier = format!("{started:x}-{life:x}-{}-{attempt}", self.id).into_boxed_str();
            let key = SessionKey { namespace: Namespace::INBOX, identifier };
            if home(&key, shared.shards, shared.seed) == self.id
                && self.directory.find(&key, &self.residents.sessions).is_none()
            {
                return key;
            }
            attempt += 1;
        }
    }

    /// Takes up an inbox of an earlier life.
    pub(super) fn restore_inbox(&mut self, slot: u32, now: Now) {
        let Some(session) = self.residents.sessions.at(slot) else { return };
        let name = session.key.identifier.clone();
        self.inboxes.all.push(Inbox::new(slot, &name, self.residents.stored_serial(slot)));
        self.inboxes.all.sort_by_key(|inbox| inbox.serial.map(|serial| serial.0));
        self.wheel.insert(now.mono, Timer::Uplinks);
    }

    /// Hands up what waits, as far as the windows have room: an inbox after those that are older.
    pub(super) fn hand_up(&mut self, out: &mut impl Sink) {
        if !self.shared.upstairs {
            return;
        }
        let mut at = 0;
        while let Some(inbox) = self.inboxes.all.get_mut(at) {
            let residents = &mut self.residents;
            while inbox.has_window(&residents.limits) {
                let Some(session) = residents.sessions.at_mut(inbox.slot) else { break };
                let Some(outgoing) = session.queue.pop(&residents.messages) else { break };
                residents.census.messages_queued -= 1;
                residents.census.uplinks_handed_up += 1;
                let place = if outgoing.place == 0 { inbox.next_place } else { outgoing.place };
                inbox.next_place = place + 1;
                let bytes = residents.messages.size(outgoing.message);
                inbox.handed.push_back((place, bytes));
                inbox.handed_bytes += bytes;
                out.hand_up(HandedUp::of(&inbox.name, place, &residents.messages.get(outgoing.message)));
                residents.messages.release(outgoing.message);
            }
            if inbox.has_window(&residents.limits) {
                residents.refill_inbox(inbox.slot, out);
            }
            let (slot, done) = (inbox.slot, inbox.handed.is_empty());
            if residents.sessions.at(slot).is_some_and(|session| session.waiting() > 0) {
                return;
            }
            let is_open = self.inboxes.open && at + 1 == self.inboxes.all.len();
            if done && !is_open {
                self.inboxes.all.remove(at);
                self.forget_inbox(slot, out);
            } else {
                at += 1;
            }
        }
    }

    /// An inbox of an earlier life is empty.
    fn forget_inbox(&mut self, slot: u32, out: &mut impl Sink) {
        let Some(mut session) = self.residents.sessions.remove(slot) else { return };
        self.forget_stored(&mut session, out);
        self.directory.remove(slot, &session.key);
    }

    /// The platform has done with what was handed up from this inbox up to this place.
    pub fn uplinks_done(&mut self, inbox: &str, place: u64, now: Now, out: &mut impl Sink) {
        let Some(inbox) = self.inboxes.of(inbox).and_then(|at| self.inboxes.all.get_mut(at)) else { return };
        while let Some((done, bytes)) = inbox.handed.pop_front_if(|(handed, _)| *handed <= place) {
            inbox.handed_bytes -= bytes;
            self.residents.census.uplinks_done += 1;
            self.residents.persist_done(inbox.slot, done, out);
        }
        self.hand_up(out);
        self.release_held(now, out);
    }
}
