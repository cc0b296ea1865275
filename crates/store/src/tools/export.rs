//! Taking everything out of a store, as JSON lines.

use std::collections::HashSet;
use std::io::{self, Write};

use hexmq_broker::{Fetch, Record, RecordReader, Serial, SessionRef, ShardId, StoredSession};
use serde_json::json;

use super::{check, json::from_record};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::find::Finding;
use crate::store::Store;

/// Bytes of a queue that are read at once.
const QUEUE_BYTES: u64 = 1 << 20;

/// Writes everything that counts, whatever else is damaged; gives the damage. Nothing is changed. Memory: a few bytes for each
/// message, the contents are read one by one.
pub fn export<D: Disk>(disk: D, out: &mut dyn Write) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let (mut store, opened) = check::load(disk, &mut findings)?;
    let mut lines = Lines { out, told: HashSet::new() };
    let numbers = opened.numbers;
    lines.line(&json!({
        "hexmq_store": 1, "seed": format!("{:016x}", numbers.seed),
        "next_serial": numbers.next_serial, "next_version": numbers.next_version,
    }))?;
    let mut sessions = Vec::new();
    store.sessions(&mut |session| sessions.push(session))?;
    for session in &sessions {
        lines.session(session)?;
        lines.queue(&mut store, session)?;
    }
    drop(sessions);
    let mut outcome = Ok(());
    store.retained_with_versions(&mut |retained, version| {
        if outcome.is_ok() {
            let (message, publisher) = (retained.serial, retained.publisher);
            outcome = lines
                .records(retained.message)
                .and_then(|()| lines.record(&Record::Retained { version, message, publisher }));
        }
    })?;
    outcome?;
    for transit in store.transits()? {
        lines.records(&transit.message)?;
        lines.record(&Record::Forwarded { message: transit.serial, to: transit.to })?;
    }
    lines.out.flush().map_err(cannot_write)?;
    Ok(findings)
}

struct Lines<'a> {
    out: &'a mut dyn Write,
    /// Messages that were written: others refer to them.
    told: HashSet<Serial>,
}

impl Lines<'_> {
    fn line(&mut self, line: &serde_json::Value) -> Result<(), StoreError> {
        writeln!(self.out, "{line}").map_err(cannot_write)
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), StoreError> {
        self.line(&from_record(record))
    }

    /// Encoded records; a message only once.
    fn records(&mut self, records: &[u8]) -> Result<(), StoreError> {
        let mut reader = RecordReader::new(records);
        while let Some(Ok(record)) = reader.next() {
            match record {
                Record::Message { serial, .. } if !self.told.insert(serial) => {}
                record => self.record(&record)?,
            }
        }
        Ok(())
    }

    fn session(&mut self, stored: &StoredSession) -> Result<(), StoreError> {
        let session = stored.serial;
        let (namespace, identifier) = (stored.key.namespace, &*stored.key.identifier);
        let (expiry_s, ends_at) = (stored.expiry_s, stored.ends_at);
        self.record(&Record::Session { session, namespace, identifier, expiry_s, ends_at })?;
        for (filter, options, identifier) in &stored.subscriptions {
            let (options, identifier) = (*options, *identifier);
            self.record(&Record::Subscribed { session, filter, options, identifier })?;
        }
        for identifier in &stored.incoming {
            self.record(&Record::Incoming { session, identifier: *identifier })?;
        }
        let Some(will) = &stored.will else { return Ok(()) };
        if let Some(Ok(Record::Message { serial: message, .. })) = RecordReader::new(&will.message).next() {
            self.records(&will.message)?;
            let (delay_s, due, expiry_s) = (will.delay_s, will.due, will.expiry_s);
            self.record(&Record::Will { session, message, delay_s, due, expiry_s })?;
        }
        Ok(())
    }

    fn queue<D: Disk>(&mut self, store: &mut Store<D>, stored: &StoredSession) -> Result<(), StoreError> {
        let mut from_place = stored.first_place;
        loop {
            let fetch = Fetch::Queue {
                session: SessionRef { shard: ShardId(0), slot: 0, generation: 0 },
                serial: stored.serial,
                from_place,
                messages_max: 1000,
                bytes_max: QUEUE_BYTES,
            };
            let fetched = store.fetch(&fetch).map_err(StoreError::disk("cannot read a queue"))?;
            if fetched.records.is_empty() {
                return Ok(());
            }
            let mut reader = RecordReader::new(&fetched.records);
            while let Some(Ok(record)) = reader.next() {
                if let Record::Queued { place, .. } = record {
                    from_place = place + 1;
                }
            }
            self.records(&fetched.records)?;
        }
    }
}

fn cannot_write(error: io::Error) -> StoreError {
    StoreError::Disk { what: "cannot write what was asked for".to_owned(), error }
}
