//! What each record does to the image.

use std::num::NonZeroU16;

use hexmq_broker::{Namespace, Record, RecordError, RecordReader, Serial};

use super::{
    Entry, Fingerprint, INCOMING_BYTES, Image, NO_SLOT, RETAINED_BYTES, Session, Slot, Span, Topic, Transit,
    Unsettled, Will,
};

impl Image {
    /// Applies the records of a block whose body begins at this position in the log. Stops at the first that cannot
    /// be read; what stands before it is applied.
    pub(crate) fn apply(&mut self, body: &[u8], position: u64, copies: bool) -> Result<(), RecordError> {
        self.live.at(position + body.len() as u64);
        let mut reader = RecordReader::new(body);
        let mut result = Ok(());
        while let Some(read) = reader.next() {
            // The reader is asked after the record, which borrows from it, has been used.
            let outcome = read.map(|record| self.note(&record));
            match outcome {
                Ok(Noted::Nothing) => {}
                Ok(noted) => {
                    let bytes = reader.raw().len() as u32;
                    let span = Span { position: position + reader.offset() as u64, bytes };
                    self.put(noted, span, body, position);
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.let_go(copies);
        result
    }

    /// The messages of the block live on only if something refers to them by now.
    fn let_go(&mut self, copies: bool) {
        let mut fresh = std::mem::take(&mut self.fresh);
        match &mut self.held {
            Some(held) if copies => held.append(&mut fresh),
            _ => {
                for slot in fresh.drain(..) {
                    self.release(slot);
                }
            }
        }
        self.fresh = fresh;
    }

    /// Does what takes away, at once; what puts comes back with all it needs.
    #[inline]
    fn note(&mut self, record: &Record<'_>) -> Noted {
        match *record {
            Record::Message { serial, ref message } => {
                let size = message.topic.len() + message.properties.len() + message.payload.len();
                return Noted::Message(serial.0, size as u32);
            }
            Record::Queued { session, place, message, sent, .. } => {
                return Noted::Queued { session: session.0, place, message: message.0, sent };
            }
            Record::Done { session, place } => self.done(session.0, place),
            Record::Sent { session, place, identifier } => {
                if let Some(entry) = self.entry(session, place) {
                    entry.sent = Some(identifier);
                }
            }
            Record::TakenOver { session, place } => self.taken_over(session, place),
            Record::Incoming { session, identifier } => return Noted::Incoming(session.0, identifier),
            Record::Released { session, identifier } => self.released(session, identifier),
            Record::Session { session, .. } => {
                self.count_serial(session.0);
                return Noted::Session(session.0);
            }
            Record::SessionEnded { session } => self.end_session(session.0),
            Record::Subscribed { session, filter, .. } => {
                return Noted::Subscribed(session.0, self.fingerprints.filter(filter));
            }
            Record::Unsubscribed { session, filter } => {
                let filter = self.fingerprints.filter(filter);
                let gone = self
                    .sessions
                    .get_mut(&session.0)
                    .and_then(|session| session.subscriptions.remove(filter));
                if let Some(span) = gone {
                    self.live.remove_span(span);
                }
            }
            Record::Retained { version, message, .. } => {
                self.count_version(version);
                return Noted::Retained(version, message.0);
            }
            Record::RetainedCleared { version, namespace, topic } => {
                self.count_version(version);
                return Noted::Cleared(version, self.fingerprints.topic(namespace, topic));
            }
            Record::Forwarded { message, to } => return Noted::Forwarded(message.0, to),
            Record::Arrived { message, shard, group } => self.arrived((message.0, shard.0, group)),
            Record::Will { session, message, .. } => return Noted::Will(session.0, message.0),
            Record::WillGone { session } => self.will_gone(session.0),
        }
        Noted::Nothing
    }

    /// Does what puts.
    #[inline]
    fn put(&mut self, noted: Noted, span: Span, body: &[u8], start: u64) {
        match noted {
            Noted::Nothing => {}
            Noted::Message(serial, size) => {
                self.count_serial(serial);
                let slot = self.messages.refer(serial);
                self.fresh.push(slot);
                if let Some(before) = self.messages.place(slot, span.position, size)
                    && let Some(position) = before.position()
                {
                    self.live.remove(position, before.live_bytes());
                }
                let bytes = self.messages.get(slot).map_or(0, |body| body.live_bytes());
                self.live.add(span.position, bytes);
            }
            Noted::Queued { session, place, message, sent } => {
                self.queue(session, place, message, sent, span)
            }
            Noted::Incoming(session, identifier) => self.take_in(session, identifier, span),
            Noted::Session(serial) => {
                let before = self.sessions.entry(serial).or_default().terms.replace(span);
                self.replaced(before, span);
            }
            Noted::Subscribed(serial, filter) => {
                let before = self.session(serial).subscriptions.set(filter, span);
                self.replaced(before, span);
            }
            Noted::Retained(version, message) => {
                let slot = self.messages.refer(message);
                let unsettled = Unsettled { slot, version, position: span.position };
                match self.topic_in(slot, body, start) {
                    Some(fingerprint) => self.settle(unsettled, Some(fingerprint)),
                    None => self.unsettled.push(unsettled),
                }
            }
            Noted::Cleared(version, fingerprint) => {
                let topic = Topic { fingerprint, message: None, version, position: span.position };
                self.retain(topic);
            }
            Noted::Forwarded(message, to) => {
                let slot = self.messages.refer(message);
                let key = (message, to.shard.0, to.group);
                let before = self.transits.insert(key, Transit { slot, to, span });
                self.replaced(before.map(|before| before.span), span);
                if let Some(before) = before {
                    self.release(before.slot);
                }
            }
            Noted::Will(serial, message) => {
                let slot = self.messages.refer(message);
                let before = self.session(serial).will.replace(Box::new(Will { span, slot }));
                self.replaced(before.as_ref().map(|before| before.span), span);
                if let Some(before) = before {
                    self.release(before.slot);
                }
            }
        }
    }

    fn session(&mut self, serial: u64) -> &mut Session {
        self.count_serial(serial);
        self.sessions.entry(serial).or_default()
    }

    fn replaced(&mut self, before: Option<Span>, span: Span) {
        if let Some(before) = before {
            self.live.remove_span(before);
        }
        self.live.add_span(span);
    }

    #[inline]
    fn count_serial(&mut self, serial: u64) {
        self.next_serial = self.next_serial.max(serial.saturating_add(1));
    }

    fn count_version(&mut self, version: u64) {
        self.next_version = self.next_version.max(version.saturating_add(1));
    }

    fn entry(&mut self, session: Serial, place: u64) -> Option<&mut Entry> {
        self.sessions.get_mut(&session.0)?.queue.get_mut(place)
    }

    #[inline]
    fn queue(&mut self, serial: u64, place: u64, message: u64, sent: Option<NonZeroU16>, span: Span) {
        self.count_serial(serial);
        let slot = self.messages.refer(message);
        let size = self.messages.get(slot).map_or(0, |body| u64::from(body.size));
        let session = self.sessions.entry(serial).or_default();
        session.next_place = session.next_place.max(place.saturating_add(1));
        let mut entry = Entry::new(place, span.position, span.bytes as usize, slot);
        entry.sent = sent;
        let added = u64::from(entry.record_bytes);
        match session.queue.get_mut(place) {
            None => {
                session.queue.insert(entry);
                session.waiting_bytes += size;
                self.queued += 1;
            }
            // It moved: a copy has nothing new to say but what was said of it meanwhile.
            Some(known) => {
                let before = *known;
                known.set_position(span.position);
                known.record_bytes = entry.record_bytes;
                known.sent = sent.or(before.sent);
                self.live.remove(before.position(), u64::from(before.record_bytes));
                self.release(slot);
            }
        }
        self.live.add(span.position, added);
    }

    fn taken_over(&mut self, session: Serial, place: u64) {
        let Some(session) = self.sessions.get_mut(&session.0) else { return };
        let Some(entry) = session.queue.get_mut(place) else { return };
        entry.taken_over = true;
        let slot = std::mem::replace(&mut entry.slot, NO_SLOT);
        let size = self.messages.get(slot).map_or(0, |body| u64::from(body.size));
        session.waiting_bytes = session.waiting_bytes.saturating_sub(size);
        self.release(slot);
    }

    fn take_in(&mut self, serial: u64, identifier: NonZeroU16, span: Span) {
        let incoming = &mut self.session(serial).incoming;
        let before = match incoming.binary_search_by_key(&identifier, |(identifier, _)| *identifier) {
            Ok(at) => incoming.get_mut(at).map(|(_, place)| std::mem::replace(place, span.position)),
            Err(at) => {
                incoming.insert(at, (identifier, span.position));
                None
            }
        };
        if let Some(before) = before {
            self.live.remove(before, INCOMING_BYTES);
        }
        self.live.add(span.position, INCOMING_BYTES);
    }

    fn released(&mut self, session: Serial, identifier: NonZeroU16) {
        let Some(session) = self.sessions.get_mut(&session.0) else { return };
        if let Ok(at) = session.incoming.binary_search_by_key(&identifier, |(identifier, _)| *identifier) {
            let (_, position) = session.incoming.remove(at);
            self.live.remove(position, INCOMING_BYTES);
        }
    }

    /// The topic of a message, if the message is in this block.
    pub(crate) fn topic_in(&self, slot: u32, body: &[u8], start: u64) -> Option<Fingerprint> {
        let (_, position) = self.body_of(slot)?;
        let offset = position.checked_sub(start)?;
        self.topic_of(body.get(usize::try_from(offset).ok()?..)?)
    }

    /// The topic of the message that is encoded at the beginning of these bytes.
    pub(crate) fn topic_of(&self, bytes: &[u8]) -> Option<Fingerprint> {
        match RecordReader::new(bytes).next()?.ok()? {
            Record::Message { message, .. } => Some(self.topic(message.namespace, message.topic)),
            _ => None,
        }
    }

    pub(crate) fn topic(&self, namespace: Namespace, topic: &str) -> Fingerprint {
        self.fingerprints.topic(namespace, topic)
    }

    /// A retained message whose topic is known by now; `None`: it cannot be known.
    pub(crate) fn settle(&mut self, unsettled: Unsettled, fingerprint: Option<Fingerprint>) {
        let Unsettled { slot, version, position } = unsettled;
        match (fingerprint, Slot::new(slot)) {
            (Some(fingerprint), Some(message)) => {
                self.retain(Topic { fingerprint, message: Some(message), version, position });
            }
            _ => self.release(slot),
        }
    }

    /// The larger version counts. The same version again is the same record in another place.
    fn retain(&mut self, topic: Topic) {
        if self.retained.get(topic.fingerprint).is_some_and(|known| known.version > topic.version) {
            if let Some(slot) = topic.message {
                self.release(slot.get());
            }
            return;
        }
        self.live.add(topic.position, RETAINED_BYTES);
        if let Some(before) = self.retained.set(topic) {
            self.forget_topic(&before);
        }
    }

    fn forget_topic(&mut self, topic: &Topic) {
        self.live.remove(topic.position, RETAINED_BYTES);
        if let Some(slot) = topic.message {
            self.release(slot.get());
        }
    }

    /// It need not be remembered any longer that a topic was cleared.
    pub(crate) fn forget_cleared(&mut self, fingerprint: Fingerprint) {
        if let Some(topic) = self.retained.get(fingerprint).copied().filter(|topic| topic.message.is_none()) {
            self.retained.forget(fingerprint);
            self.forget_topic(&topic);
        }
    }
}

/// A record that puts something, as far as its own bytes are not needed.
#[derive(Clone, Copy, Debug)]
enum Noted {
    Nothing,
    Message(u64, u32),
    Queued { session: u64, place: u64, message: u64, sent: Option<NonZeroU16> },
    Incoming(u64, NonZeroU16),
    Session(u64),
    Subscribed(u64, Fingerprint),
    Retained(u64, u64),
    Cleared(u64, Fingerprint),
    Forwarded(u64, hexmq_broker::Destination),
    Will(u64, u64),
}
