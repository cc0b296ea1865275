//! Reading back what a shard does not have in memory.

use std::io;

use hexmq_broker::{Fetch, FetchKind, Fetched, MESSAGE_OVERHEAD_MAX, Record, RecordReader, Serial};

use super::Store;
use crate::disk::Disk;
use crate::image::{Entry, NO_SLOT};

/// Messages in one answer at most, whatever is asked for.
const MESSAGES_MAX: u32 = 4096;
/// Bytes a queue record has at most of which only "255 or more" is known; nearly all have less.
const LONG_RECORD_BYTES: usize = 1024;

/// Bytes that hold the record of a message whose body has this size.
pub(super) fn message_bytes_max(size: u32) -> usize {
    size as usize + MESSAGE_OVERHEAD_MAX
}

impl<D: Disk> Store<D> {
    /// Answers a shard's question. It knows every commit that was handed over, written or not. An error is
    /// the disk's; what was asked for is still there.
    pub fn fetch(&mut self, fetch: &Fetch) -> io::Result<Fetched> {
        let mut records = Vec::new();
        match *fetch {
            Fetch::Queue { session, serial, from_place, messages_max, bytes_max } => {
                self.fetch_queue(
                    serial,
                    from_place,
                    messages_max.clamp(1, MESSAGES_MAX),
                    bytes_max,
                    &mut records,
                )?;
                Ok(Fetched { session, what: FetchKind::Queue, records })
            }
            Fetch::Bodies { session, ref messages } => {
                for serial in messages {
                    if let Some(slot) = self.image.messages.find(serial.0) {
                        self.copy_body(slot, *serial, &mut records)?;
                    }
                }
                Ok(Fetched { session, what: FetchKind::Bodies, records })
            }
        }
    }

    fn fetch_queue(
        &mut self,
        serial: Serial,
        from_place: u64,
        messages_max: u32,
        bytes_max: u64,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Some(session) = self.image.sessions.get(&serial.0) else { return Ok(()) };
        let entries: Vec<Entry> =
            session.queue.from(from_place).take(messages_max as usize).copied().collect();
        let mut told: Vec<u32> = Vec::with_capacity(entries.len());
        for entry in &entries {
            if entry.slot != NO_SLOT && !told.contains(&entry.slot) {
                let Some(body) = self.image.messages.get(entry.slot) else { continue };
                let serial = Serial(body.serial);
                if !self.copy_body(entry.slot, serial, out)? {
                    continue;
                }
                told.push(entry.slot);
            }
            self.copy_entry(entry, out)?;
            if out.len() as u64 >= bytes_max {
                break;
            }
        }
        Ok(())
    }

    /// Copies the record of a message; false if it is not there.
    pub(super) fn copy_body(&mut self, slot: u32, serial: Serial, out: &mut Vec<u8>) -> io::Result<bool> {
        let Some((body, position)) = self.image.body_of(slot) else { return Ok(false) };
        let bytes = self.log.read(position, message_bytes_max(body.size))?;
        let mut reader = RecordReader::new(bytes);
        match reader.next() {
            Some(Ok(Record::Message { serial: found, .. })) if found == serial => {}
            _ => return Err(not_there("message", serial, position)),
        }
        out.extend_from_slice(reader.raw());
        Ok(true)
    }

    /// Copies what says that a message waits, with what was said of it since.
    pub(super) fn copy_entry(&mut self, entry: &Entry, out: &mut Vec<u8>) -> io::Result<()> {
        let position = entry.position();
        let expected = match entry.record_bytes {
            u8::MAX => LONG_RECORD_BYTES,
            bytes => usize::from(bytes),
        };
        let mut bytes = self.log.read(position, expected)?;
        if bytes.len() < record_size(bytes) {
            let size = record_size(bytes);
            bytes = self.log.read(position, size)?;
        }
        let mut reader = RecordReader::new(bytes);
        match reader.next() {
            Some(Ok(Record::Queued { session, place, message, terms, .. })) if place == entry.place => {
                Record::Queued { session, place, message, terms, sent: entry.sent }.encode(out);
                if entry.taken_over {
                    Record::TakenOver { session, place }.encode(out);
                }
                Ok(())
            }
            _ => Err(not_there("queued message", Serial(entry.place), position)),
        }
    }
}

/// The size of the record that begins here, as it says itself.
pub(super) fn record_size(bytes: &[u8]) -> usize {
    let mut size = 0_usize;
    for (at, byte) in bytes.iter().skip(1).take(5).enumerate() {
        size |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return size.saturating_add(at + 2);
        }
    }
    0
}

pub(super) fn not_there(what: &str, number: Serial, position: u64) -> io::Error {
    let text = format!("the {what} {} is not at position {position} of the log, where it was", number.0);
    io::Error::new(io::ErrorKind::InvalidData, text)
}
