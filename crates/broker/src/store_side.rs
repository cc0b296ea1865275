//! What of a delivery goes into the store and comes back from it.

use hexmq_session::Mono;
use hexmq_wire::{PacketIdentifier, QoS};

use crate::layout::Terms;
use crate::message::MessageId;
use crate::outgoing::{Extra, Outgoing};
use crate::record::{Destination, QueuedTerms, Record, RecordReader, Serial};
use crate::residents::{Outbound, Residents};
use crate::session::{Session, Tail};
use crate::{Fetch, FetchKind, Fetched, Message, SessionRef, ShardId, Sink};

/// A queue with fewer messages in memory than this gets more from its tail.
const LOW: usize = 64;
/// Messages fetched at once.
const FETCH_MESSAGES: u32 = 128;
/// Bytes of records fetched at once.
const FETCH_BYTES: u64 = 256 << 10;
/// When the store could not give what it should have, it is asked again after so long.
pub(crate) const FETCH_AGAIN_MS: u64 = 1_000;
/// So many messages of a queue stay in memory whatever others take.
const HEAD: usize = 16;

/// Gives numbers; those of the shards of a server never meet.
#[derive(Debug)]
pub(crate) struct Serials {
    shard: ShardId,
    next: u64,
    step: u64,
}

impl Serials {
    /// For one shard of so many, from `first` on.
    pub(crate) fn new(first: u64, shard: ShardId, shards: u16) -> Serials {
        Serials { shard, next: first.max(1) + u64::from(shard.0), step: u64::from(shards.max(1)) }
    }

    pub(crate) fn take(&mut self) -> Serial {
        let serial = Serial(self.next);
        self.next += self.step;
        serial
    }
}

impl Residents {
    /// Hands a record to the commit of this turn.
    #[inline]
    pub(crate) fn persist(&mut self, record: &Record<'_>, out: &mut impl Sink) {
        self.persisted = true;
        out.persist(record);
    }

    /// The number of the message being delivered; the store has its body afterwards.
    pub(crate) fn serial_of(&mut self, outbound: &mut Outbound<'_>, out: &mut impl Sink) -> Option<Serial> {
        if outbound.serial.is_none() {
            outbound.serial = self.persist_message(outbound.message, out);
        }
        outbound.serial
    }

    /// Puts a body into the store.
    pub(crate) fn persist_message(&mut self, message: &Message<'_>, out: &mut impl Sink) -> Option<Serial> {
        let serial = self.serials.as_mut()?.take();
        self.persist(&Record::Message { serial, message: *message }, out);
        Some(serial)
    }

    /// A message has a place in a session.
    pub(crate) fn persist_queued(
        &mut self,
        (session, place): (Serial, u64),
        terms: &Terms<'_>,
        sent: Option<PacketIdentifier>,
        outbound: &mut Outbound<'_>,
        out: &mut impl Sink,
    ) {
        let Some(message) = self.serial_of(outbound, out) else { return };
        let terms = QueuedTerms {
            qos: terms.qos,
            retain: terms.retain,
            group: terms.group,
            subscription_identifiers: terms.subscription_identifiers,
        };
        self.persist(&Record::Queued { session, place, message, terms, sent }, out);
    }

    pub(crate) fn persist_sent(
        &mut self,
        slot: u32,
        place: u64,
        identifier: PacketIdentifier,
        out: &mut impl Sink,
    ) {
        if place != 0
            && let Some(session) = self.stored_serial(slot)
        {
            self.persist(&Record::Sent { session, place, identifier }, out);
        }
    }

    /// A message of a stored session is delivered or dropped.
    #[inline]
    pub(crate) fn persist_done(&mut self, slot: u32, place: u64, out: &mut impl Sink) {
        if place != 0
            && let Some(session) = self.stored_serial(slot)
        {
            self.persist(&Record::Done { session, place }, out);
        }
    }

    /// PUBREC came: the body is not needed any more, the identifier is.
    pub(crate) fn persist_taken_over(
        &mut self,
        slot: u32,
        place: u64,
        identifier: PacketIdentifier,
        out: &mut impl Sink,
    ) {
        let stored = self.sessions.at_mut(slot).and_then(|session| session.stored.as_mut());
        let Some(stored) = stored.filter(|_| place != 0) else { return };
        stored.taken_over.push((identifier, place));
        let session = stored.serial;
        self.persist(&Record::TakenOver { session, place }, out);
    }

    /// PUBCOMP came.
    pub(crate) fn persist_completed(&mut self, slot: u32, identifier: PacketIdentifier, out: &mut impl Sink) {
        let stored = self.sessions.at_mut(slot).and_then(|session| session.stored.as_mut());
        let Some(stored) = stored else { return };
        let Some(at) = stored.taken_over.iter().position(|(owed, _)| *owed == identifier) else { return };
        let (_, place) = stored.taken_over.remove(at);
        self.persist_done(slot, place, out);
    }

    /// A QoS 1 or 2 message goes to another shard, where sessions are stored: its number for the way. If the
    /// server ends before it has arrived, it sets out again from the store.
    pub(crate) fn persist_forwarded(
        &mut self,
        outbound: &mut Outbound<'_>,
        stored: bool,
        to: Destination,
        out: &mut impl Sink,
    ) -> Option<Serial> {
        if !stored || outbound.message.qos == QoS::AtMostOnce {
            return None;
        }
        let message = self.serial_of(outbound, out)?;
        self.persist(&Record::Forwarded { message, to }, out);
        Some(message)
    }

    pub(crate) fn stored_serial(&self, slot: u32) -> Option<Serial> {
        self.sessions.at(slot)?.stored.as_ref().map(|stored| stored.serial)
    }

    /// Whether a message that has just been queued stays in the store alone, and counts it there then:
    /// when those before it do, or when enough is in memory.
    pub(crate) fn leaves_in_store(&mut self, slot: u32, place: u64, message: &Message<'_>) -> bool {
        let full = self.messages.bytes() >= self.limits.queue_memory_bytes;
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let crowded = full && session.queue.len() >= HEAD;
        let Some(stored) = session.stored.as_mut() else { return false };
        if stored.tail.messages == 0 {
            if !crowded {
                return false;
            }
            stored.tail = Tail { first_place: place, messages: 0, bytes: 0 };
        }
        stored.tail.messages += 1;
        stored.tail.bytes += (message.topic.len() + message.properties.len() + message.payload.len()) as u64;
        session.show_room();
        true
    }

    /// Gets more of the tail when little is left in memory.
    pub(crate) fn refill(&mut self, slot: u32, out: &mut impl Sink) {
        let wants = self.sessions.at(slot).is_some_and(|session| {
            session.conn.is_some() && session.queue.len() < LOW && session.tail().messages > 0
        });
        if wants {
            self.fetch_tail(slot, out);
        }
    }

    /// The same for an inbox, which has no connection.
    pub(crate) fn refill_inbox(&mut self, slot: u32, out: &mut impl Sink) {
        let wants = |session: &Session| session.queue.len() < LOW && session.tail().messages > 0;
        if self.sessions.at(slot).is_some_and(wants) {
            self.fetch_tail(slot, out);
        }
    }

    /// Asks for the oldest messages of the tail, unless they are on their way.
    pub(crate) fn fetch_tail(&mut self, slot: u32, out: &mut impl Sink) {
        let Some(shard) = self.serials.as_ref().map(|serials| serials.shard) else { return };
        let generation = self.sessions.generation(slot);
        let Some(stored) = self.sessions.at_mut(slot).and_then(|session| session.stored.as_mut()) else {
            return;
        };
        if stored.fetching || stored.fetch_again.is_some() || stored.tail.messages == 0 {
            return;
        }
        stored.fetching = true;
        out.fetch(Fetch::Queue {
            session: SessionRef { shard, slot, generation },
            serial: stored.serial,
            from_place: stored.tail.first_place,
            messages_max: FETCH_MESSAGES,
            bytes_max: FETCH_BYTES,
        });
    }

    /// Takes in what was fetched; true if there was anything.
    pub(crate) fn take_in(&mut self, fetched: &Fetched, now: Mono) -> bool {
        let SessionRef { slot, generation, .. } = fetched.session;
        if fetched.what != FetchKind::Queue || self.sessions.get(slot, generation).is_none() {
            return false;
        }
        let mut bodies: Vec<(Serial, MessageId)> = Vec::new();
        let mut taken = 0_u64;
        let mut reader = RecordReader::new(&fetched.records);
        while let Some(Ok(record)) = reader.next() {
            match record {
                Record::Message { serial, message } => bodies.push((serial, self.messages.keep(&message))),
                Record::Queued { place, message, terms, sent, .. } => {
                    let body = bodies.iter().rev().find(|(serial, _)| *serial == message).map(|(_, id)| *id);
                    taken += u64::from(self.take_in_one(slot, place, body, &terms, sent));
                }
                _ => {}
            }
        }
        for (_, body) in bodies {
            self.messages.release(body);
        }
        if let Some(stored) = self.sessions.at_mut(slot).and_then(|session| session.stored.as_mut()) {
            stored.fetching = false;
            if taken == 0 && stored.tail.messages > 0 {
                stored.fetch_again = Some(now.plus_ms(FETCH_AGAIN_MS));
            }
        }
        taken > 0
    }

    /// One message of the tail comes into memory.
    fn take_in_one(
        &mut self,
        slot: u32,
        place: u64,
        body: Option<MessageId>,
        terms: &QueuedTerms<'_>,
        sent: Option<PacketIdentifier>,
    ) -> bool {
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let Some(stored) = session.stored.as_mut().filter(|stored| place >= stored.tail.first_place) else {
            return false;
        };
        let size = body.map_or(0, |body| self.messages.size(body));
        stored.tail.first_place = place + 1;
        stored.tail.messages = stored.tail.messages.saturating_sub(1);
        stored.tail.bytes =
            if stored.tail.messages == 0 { 0 } else { stored.tail.bytes.saturating_sub(size) };
        self.census.messages_queued = self.census.messages_queued.saturating_sub(1);
        let identifiers: Vec<u32> = terms.subscription_identifiers.to_vec();
        let extra = (!identifiers.is_empty() || terms.group != 0).then(|| {
            Box::new(Extra { subscription_identifiers: identifiers, group: terms.group, token: None })
        });
        let (qos, retain) = (terms.qos, terms.retain);
        match (sent, body) {
            // Taken over: only its PUBREL is owed.
            (Some(identifier), None) => {
                stored.taken_over.push((identifier, place));
                self.census.messages_in_flight +=
                    u64::from(session.in_flight.restore(identifier, QoS::ExactlyOnce, None));
            }
            (sent, Some(body)) => {
                let outgoing = Outgoing { message: self.messages.share(body), qos, retain, place, extra };
                match sent {
                    Some(identifier) => {
                        self.census.messages_in_flight +=
                            u64::from(session.in_flight.restore(identifier, qos, Some(outgoing.sent(true))));
                    }
                    None => {
                        session.queue.push(outgoing, &self.messages);
                        self.census.messages_queued += 1;
                    }
                }
            }
            (None, None) => return false,
        }
        true
    }
}
