//! What the log means: which of its records still count, and where they are.
//!
//! The same [`Image::apply`] is used for a commit that is being written and for one that is read when the store
//! is opened. Contents stay in the log; per message, topic and session there are a few numbers here.

mod apply;
mod live;
mod messages;
mod queue;
mod retained;
mod sessions;

use std::collections::VecDeque;
use std::num::NonZeroU16;

use hashbrown::HashMap;
use hexmq_broker::Destination;

pub(crate) use live::Live;
pub(crate) use messages::{Body, Messages};
pub(crate) use queue::{Entry, NO_SLOT, Queue};
pub(crate) use retained::{Fingerprint, Fingerprints, Retained, Slot, Topic};
pub(crate) use sessions::{Session, Span, Will};

/// Entries of queues whose session is gone that are forgotten at once at most.
const BURY_AT_ONCE: usize = 4096;

/// A message on its way to another shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transit {
    pub(crate) slot: u32,
    pub(crate) to: Destination,
    pub(crate) span: Span,
}

/// What tells transits apart: message, shard, group.
pub(crate) type TransitKey = (u64, u16, u64);

/// A retained message whose topic must be read from the log, since the message is not in the same block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsettled {
    pub(crate) slot: u32,
    pub(crate) version: u64,
    pub(crate) position: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) sessions: HashMap<u64, Session, foldhash::fast::FixedState>,
    pub(crate) messages: Messages,
    pub(crate) retained: Retained,
    pub(crate) transits: HashMap<TransitKey, Transit, foldhash::fast::FixedState>,
    pub(crate) unsettled: Vec<Unsettled>,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) live: Live,
    /// Messages in all queues.
    pub(crate) queued: u64,
    pub(crate) next_serial: u64,
    pub(crate) next_version: u64,
    /// Queues whose session is gone.
    graves: VecDeque<Queue>,
    /// Messages of the block being applied: each is held until its end.
    fresh: Vec<u32>,
    /// While the log is read: messages of copied blocks are held until all of it is.
    held: Option<Vec<u32>>,
}

impl Image {
    /// Of an empty log. `opening`: what is applied next is read from the log, until [`Image::opened`].
    pub(crate) fn new(seed: u64, opening: bool) -> Image {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Image {
            sessions: HashMap::with_hasher(hasher.clone()),
            messages: Messages::new(seed),
            retained: Retained::default(),
            transits: HashMap::with_hasher(hasher.clone()),
            unsettled: Vec::new(),
            fingerprints: Fingerprints::new(seed),
            live: Live::default(),
            queued: 0,
            next_serial: 1,
            next_version: 1,
            graves: VecDeque::new(),
            fresh: Vec::new(),
            held: opening.then(Vec::new),
        }
    }

    /// All of the log was read: forgets what nothing refers to, and what refers to nothing. Gives how many messages of
    /// queues, sessions and others were named and are not there, which only happens in a log that was repaired.
    pub(crate) fn opened(&mut self) -> u64 {
        for slot in self.held.take().unwrap_or_default() {
            self.release(slot);
        }
        let mut lost = 0;
        let nameless: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.terms.is_none())
            .map(|(serial, _)| *serial)
            .collect();
        for serial in nameless {
            lost += 1;
            self.end_session(serial);
        }
        let mut bodiless: Vec<(u64, u64)> = Vec::new();
        for (serial, session) in &self.sessions {
            let gone = |entry: &&Entry| !entry.taken_over && self.body_of(entry.slot).is_none();
            bodiless.extend(session.queue.from(0).filter(gone).map(|entry| (*serial, entry.place)));
        }
        for (serial, place) in bodiless {
            lost += 1;
            self.done(serial, place);
        }
        let wills: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| {
                session.will.as_ref().is_some_and(|will| self.body_of(will.slot).is_none())
            })
            .map(|(serial, _)| *serial)
            .collect();
        for serial in wills {
            lost += 1;
            self.will_gone(serial);
        }
        let transits: Vec<TransitKey> = self
            .transits
            .iter()
            .filter(|(_, transit)| self.body_of(transit.slot).is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in transits {
            lost += 1;
            self.arrived(key);
        }
        while self.bury() {}
        for session in self.sessions.values_mut() {
            let sizes = session.queue.from(0).filter_map(|entry| self.messages.get(entry.slot));
            session.waiting_bytes = sizes.map(|body| u64::from(body.size)).sum();
        }
        lost
    }

    /// A message whose place is known.
    pub(crate) fn body_of(&self, slot: u32) -> Option<(&Body, u64)> {
        let body = self.messages.get(slot)?;
        Some((body, body.position()?))
    }

    /// Forgets a part of the queues whose session is gone; whether there is more.
    pub(crate) fn bury(&mut self) -> bool {
        for _ in 0..BURY_AT_ONCE {
            let Some(queue) = self.graves.front_mut() else { break };
            match queue.pop() {
                Some(entry) => self.forget_entry(&entry),
                None => _ = self.graves.pop_front(),
            }
        }
        if self.graves.is_empty() {
            self.messages.tidy();
        }
        !self.graves.is_empty()
    }

    /// One reference to a message less.
    fn release(&mut self, slot: u32) {
        if slot == NO_SLOT {
            return;
        }
        if let Some(body) = self.messages.release(slot)
            && let Some(position) = body.position()
        {
            self.live.remove(position, body.live_bytes());
        }
    }

    fn forget_entry(&mut self, entry: &Entry) {
        self.queued = self.queued.saturating_sub(1);
        self.live.remove(entry.position(), u64::from(entry.record_bytes));
        self.release(entry.slot);
    }

    fn end_session(&mut self, serial: u64) {
        let Some(session) = self.sessions.remove(&serial) else { return };
        for span in session.terms.into_iter().chain(session.subscriptions.spans()) {
            self.live.remove_span(span);
        }
        for (_, position) in &session.incoming {
            self.live.remove(*position, INCOMING_BYTES);
        }
        if let Some(will) = session.will {
            self.live.remove_span(will.span);
            self.release(will.slot);
        }
        if session.queue.len() > 0 {
            self.graves.push_back(session.queue);
        }
    }

    fn done(&mut self, serial: u64, place: u64) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        session.next_place = session.next_place.max(place.saturating_add(1));
        let Some(entry) = session.queue.remove(place) else { return };
        let size = self.messages.get(entry.slot).map_or(0, |body| u64::from(body.size));
        session.waiting_bytes = session.waiting_bytes.saturating_sub(size);
        self.forget_entry(&entry);
    }

    fn will_gone(&mut self, serial: u64) {
        let Some(session) = self.sessions.get_mut(&serial) else { return };
        if let Some(will) = session.will.take() {
            self.live.remove_span(will.span);
            self.release(will.slot);
        }
    }

    fn arrived(&mut self, key: TransitKey) {
        if let Some(transit) = self.transits.remove(&key) {
            self.live.remove_span(transit.span);
            self.release(transit.slot);
        }
    }

    /// Where the record that says that an identifier is in use is.
    pub(crate) fn incoming(&self, serial: u64, identifier: NonZeroU16) -> Option<u64> {
        let incoming = &self.sessions.get(&serial)?.incoming;
        let at = incoming.binary_search_by_key(&identifier, |(identifier, _)| *identifier).ok()?;
        incoming.get(at).map(|(_, position)| *position)
    }
}

/// What a record counts for that says an identifier is in use, about.
const INCOMING_BYTES: u64 = 8;
/// What a record counts for that says what is retained, about.
const RETAINED_BYTES: u64 = 20;
