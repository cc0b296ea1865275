//! What a starting server gets back, in an order that depends on nothing but what is stored.

use hexmq_broker::{
    Record, RecordReader, Serial, SessionKey, StoredRetained, StoredSession, StoredTransit, StoredWill,
};
use hexmq_session::Wall;

use super::Store;
use super::fetch::record_size;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::image::Span;

impl<D: Disk> Store<D> {
    /// Gives every session, in the order of their numbers.
    pub fn sessions(&mut self, each: &mut dyn FnMut(StoredSession)) -> Result<(), StoreError> {
        let mut serials: Vec<u64> = self.image.sessions.keys().copied().collect();
        serials.sort_unstable();
        let mut buffer = Vec::new();
        for serial in serials {
            if let Some(session) = self.stored_session(Serial(serial), &mut buffer)? {
                each(session);
            }
        }
        self.log.window.clear();
        Ok(())
    }

    /// Gives every retained message, in the order of the numbers of the messages. One is in memory at a time.
    pub fn retained(&mut self, each: &mut dyn FnMut(StoredRetained<'_>)) -> Result<(), StoreError> {
        self.retained_with_versions(&mut |retained, _| each(retained))
    }

    /// The same, with the version of each.
    pub(crate) fn retained_with_versions(
        &mut self,
        each: &mut dyn FnMut(StoredRetained<'_>, u64),
    ) -> Result<(), StoreError> {
        let mut topics: Vec<(u64, u32, u64)> = Vec::with_capacity(self.image.retained.messages());
        for topic in self.image.retained.topics() {
            if let Some(slot) = topic.message
                && let Some(body) = self.image.messages.get(slot.get())
            {
                topics.push((body.serial, slot.get(), topic.position));
            }
        }
        topics.sort_unstable();
        let (mut message, mut buffer) = (Vec::new(), Vec::new());
        for (serial, slot, position) in topics {
            message.clear();
            let serial = Serial(serial);
            self.copy_body(slot, serial, &mut message).map_err(cannot_read("retained message", serial))?;
            let namespace = match RecordReader::new(&message).next() {
                Some(Ok(Record::Message { message, .. })) => message.namespace,
                _ => continue,
            };
            self.copy_record(position, 40, &mut buffer).map_err(cannot_read("retained message", serial))?;
            let (publisher, version) = match RecordReader::new(&buffer).next() {
                Some(Ok(Record::Retained { publisher, version, .. })) => (publisher, version),
                _ => continue,
            };
            each(StoredRetained { serial, namespace, message: &message, publisher }, version);
        }
        self.log.window.clear();
        Ok(())
    }

    /// The messages that were on their way between shards, in the order of their numbers.
    pub fn transits(&mut self) -> Result<Vec<StoredTransit>, StoreError> {
        let mut transits: Vec<_> =
            self.image.transits.iter().map(|(key, transit)| (*key, transit.slot, transit.to)).collect();
        transits.sort_unstable_by_key(|(key, _, _)| *key);
        let mut stored = Vec::with_capacity(transits.len());
        for ((serial, _, _), slot, to) in transits {
            let serial = Serial(serial);
            let mut message = Vec::new();
            self.copy_body(slot, serial, &mut message).map_err(cannot_read("message", serial))?;
            stored.push(StoredTransit { serial, message, to });
        }
        Ok(stored)
    }

    fn stored_session(
        &mut self,
        serial: Serial,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<StoredSession>, StoreError> {
        let Some(session) = self.image.sessions.get(&serial.0) else { return Ok(None) };
        let Some(terms) = session.terms else { return Ok(None) };
        let mut spans = session.subscriptions.spans();
        // In the order they lie in the log: most were made in one go.
        spans.sort_unstable_by_key(|span| span.position);
        let will = session.will.as_ref().map(|will| **will);
        let mut stored = StoredSession {
            serial,
            key: SessionKey { namespace: Default::default(), identifier: "".into() },
            expiry_s: None,
            ends_at: None,
            subscriptions: Vec::with_capacity(spans.len()),
            incoming: session.incoming.iter().map(|(identifier, _)| *identifier).collect(),
            will: None,
            waiting: session.queue.len() as u64,
            waiting_bytes: session.waiting_bytes,
            first_place: session.queue.first().map_or(session.next_place, |first| first.place),
            next_place: session.next_place,
        };
        self.copy_span(terms, buffer).map_err(cannot_read("session", serial))?;
        if let Some(Ok(Record::Session { namespace, identifier, expiry_s, ends_at, .. })) =
            RecordReader::new(buffer).next()
        {
            stored.key = SessionKey { namespace, identifier: identifier.into() };
            (stored.expiry_s, stored.ends_at) = (expiry_s, ends_at);
        }
        for span in spans {
            self.copy_span(span, buffer).map_err(cannot_read("session", serial))?;
            if let Some(Ok(Record::Subscribed { filter, options, identifier, .. })) =
                RecordReader::new(buffer).next()
            {
                stored.subscriptions.push((filter.into(), options, identifier));
            }
        }
        stored.subscriptions.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if let Some(will) = will {
            self.copy_span(will.span, buffer).map_err(cannot_read("session", serial))?;
            if let Some(Ok(Record::Will { message, delay_s, due, expiry_s, .. })) =
                RecordReader::new(buffer).next()
            {
                stored.will = self.stored_will(will.slot, message, delay_s, due, expiry_s)?;
            }
        }
        Ok(Some(stored))
    }

    fn stored_will(
        &mut self,
        slot: u32,
        message: Serial,
        delay_s: u32,
        due: Option<Wall>,
        expiry_s: Option<u32>,
    ) -> Result<Option<StoredWill>, StoreError> {
        let mut body = Vec::new();
        let there = self.copy_body(slot, message, &mut body).map_err(cannot_read("Will", message))?;
        Ok(there.then_some(StoredWill { message: body, delay_s, due, expiry_s }))
    }

    fn copy_span(&mut self, span: Span, into: &mut Vec<u8>) -> std::io::Result<()> {
        into.clear();
        into.extend_from_slice(self.log.read(span.position, span.bytes as usize)?);
        Ok(())
    }

    /// Copies a record whose size is known about.
    fn copy_record(&mut self, position: u64, bytes: usize, into: &mut Vec<u8>) -> std::io::Result<()> {
        into.clear();
        let bytes = self.log.read(position, bytes)?;
        into.extend_from_slice(bytes.get(..record_size(bytes)).unwrap_or(bytes));
        Ok(())
    }
}

fn cannot_read(what: &str, number: Serial) -> impl FnOnce(std::io::Error) -> StoreError {
    let what = format!("cannot read the {what} {}", number.0);
    |error| StoreError::Disk { what, error }
}
