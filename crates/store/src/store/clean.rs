//! Cleaning: what still counts of the oldest segment is copied to the end of the log, then the segment is removed.
//!
//! Always the oldest: whatever takes something away stands behind what put it there, so nothing in the oldest
//! segment is needed any more to keep something away that is older. That a topic was cleared is the exception: it
//! keeps away a smaller version that came later. Such a record is copied once; when its copy is in the oldest
//! segment, all that was in the log before it is gone.

use std::io;

use hexmq_broker::{Record, RecordReader};

use super::Store;
use super::fetch::message_bytes_max;
use crate::block::{BlockKind, Header, STORE_SHARD};
use crate::disk::Disk;
use crate::error::Damage;
use crate::image::{Entry, Fingerprint};
use crate::log::Segment;
use crate::log::scan::{Scan, ScanFault, has_records};
use crate::segment;

/// The file that holds room ready for cleaning a full disk.
pub(super) const RESERVE: &str = "reserve";
/// Bytes read in one step, about.
const STEP_READ_BYTES: u64 = 1 << 20;
/// Bytes copied in one step, about.
const STEP_COPY_BYTES: usize = 256 << 10;
/// Bytes of the reserve that are written at once.
const RESERVE_STEP: usize = 1 << 20;

/// A segment that is being cleaned.
#[derive(Debug)]
pub(super) struct Cleaning {
    segment: Segment,
    scan: Scan,
    /// Everything that counts was copied, or nothing counts: what says so ends here.
    copied: Option<u64>,
}

/// What a step of cleaning came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleaned {
    /// There is nothing to clean.
    Nothing,
    /// There is more to do.
    More,
    /// The oldest segment is gone.
    Removed {
        /// Its number.
        segment: u64,
    },
    /// What was to be copied is not what was written. The segment stays.
    Damaged(Damage),
}

impl<D: Disk> Store<D> {
    /// Whether [`Store::clean_step`] has something to do. `pressed`: the disk is full, so less is enough.
    pub fn wants_cleaning(&self, pressed: bool) -> bool {
        if self.damaged {
            return false;
        }
        if self.cleaning.is_some() {
            return true;
        }
        let (bytes, live) = (self.log.bytes(), self.image.live.bytes());
        let tolerated = if pressed { live + live / 8 + 4096 } else { 2 * live + self.slack_bytes };
        bytes > tolerated && self.log.oldest().is_some()
    }

    /// Cleans a little: reads a megabyte of the oldest segment, copies what counts of it. The last step of a segment
    /// writes and syncs everything and removes it.
    pub fn clean_step(&mut self, pressed: bool) -> io::Result<Cleaned> {
        self.settle();
        if !self.wants_cleaning(pressed) || !self.image.unsettled.is_empty() {
            return Ok(Cleaned::Nothing);
        }
        let mut cleaning = match self.cleaning.take() {
            Some(cleaning) => cleaning,
            None => {
                let Some((segment, end)) = self.log.oldest() else { return Ok(Cleaned::Nothing) };
                let limit = segment::HEADER_BYTES + (end - segment.start);
                let scan = Scan::new(segment::name(segment.number), self.log.salt(), segment.start, limit);
                // If nothing in it counts, it need not even be read.
                let copied = self.image.live.dead_since(segment.start, end);
                Cleaning { segment, scan, copied }
            }
        };
        let outcome = self.clean_some(&mut cleaning);
        if matches!(outcome, Ok(Cleaned::More) | Err(_)) {
            self.cleaning = Some(cleaning);
        }
        outcome
    }

    fn clean_some(&mut self, cleaning: &mut Cleaning) -> io::Result<Cleaned> {
        if cleaning.copied.is_none() {
            let before = cleaning.scan.offset();
            let mut copies = std::mem::take(&mut self.copies);
            let gathered = self.gather(cleaning, &mut copies);
            if gathered.is_ok() && !copies.is_empty() {
                // They were read just now, so they can be read.
                let _ = self.put(STORE_SHARD, BlockKind::Copies, &copies);
                self.settle();
            } else if gathered.is_err() {
                cleaning.scan.seek(before);
            }
            copies.clear();
            self.copies = copies;
            match gathered {
                Ok(()) => {}
                Err(ScanFault::Disk(error)) => return Err(error),
                Err(ScanFault::Bad { offset, what }) => {
                    let file = cleaning.scan.name().to_owned();
                    self.damaged = true;
                    return Ok(Cleaned::Damaged(Damage { file, offset, what: what.to_owned() }));
                }
            }
            if cleaning.scan.rest() > 0 {
                return Ok(Cleaned::More);
            }
            cleaning.copied = Some(self.log.end());
        }
        // Nothing is removed before what makes it needless is safe: copies, or the end of what it was about.
        if cleaning.copied.is_none_or(|copied| copied > self.log.synced()) {
            self.flush()?;
            self.sync()?;
        }
        let before = self.log.segments().front().map(|first| first.number);
        self.log.remove_oldest()?;
        let after = self.log.segments().front().map(|first| first.number);
        if before == after {
            // The segment behind it is not safe yet; the next write sees to that.
            return Ok(Cleaned::More);
        }
        self.image.live.drop_before(self.log.start());
        self.cleaned_segments += 1;
        self.copies.shrink_to(STEP_COPY_BYTES);
        Ok(Cleaned::Removed { segment: cleaning.segment.number })
    }

    /// Copies what counts of the next blocks into `copies`.
    fn gather(&mut self, cleaning: &mut Cleaning, copies: &mut Vec<u8>) -> Result<(), ScanFault> {
        let end = cleaning.scan.offset() + STEP_READ_BYTES;
        let mut body = Vec::new();
        while cleaning.scan.offset() < end && copies.len() < STEP_COPY_BYTES {
            let offset = cleaning.scan.offset();
            let (header, position) = match cleaning.scan.next(&mut self.log.disk)? {
                None => break,
                Some((header, found, position)) => {
                    body.clear();
                    body.extend_from_slice(found);
                    (header, position)
                }
            };
            if has_records(header.kind) {
                self.copy_live(&header, &body, position, copies).map_err(|fault| match fault {
                    ScanFault::Bad { offset: inside, what } => {
                        ScanFault::Bad { offset: offset + crate::block::HEADER_BYTES as u64 + inside, what }
                    }
                    fault => fault,
                })?;
            }
        }
        Ok(())
    }

    fn copy_live(
        &mut self,
        header: &Header,
        body: &[u8],
        start: u64,
        copies: &mut Vec<u8>,
    ) -> Result<(), ScanFault> {
        let mut reader = RecordReader::new(body);
        while let Some(read) = reader.next() {
            let what = "a record of it makes no sense";
            let record = read.map_err(|error| ScanFault::Bad { offset: error.offset as u64, what })?;
            let fate = self.fate(&record, header.kind);
            let position = start + reader.offset() as u64;
            match fate {
                Fate::Gone => {}
                Fate::At(known) if known == position => copies.extend_from_slice(reader.raw()),
                Fate::At(_) => {}
                Fate::Queued(entry) if entry.position() == position => {
                    self.copy_entry(&entry, copies).map_err(ScanFault::Disk)?;
                }
                Fate::Queued(_) => {}
                Fate::Retained(slot) => {
                    let fingerprint = self.topic_of_slot(slot, body, start).map_err(ScanFault::Disk)?;
                    let topic = fingerprint.and_then(|fingerprint| self.image.retained.get(fingerprint));
                    if topic.is_some_and(|topic| topic.position == position) {
                        copies.extend_from_slice(reader.raw());
                    }
                }
                Fate::Cleared(fingerprint, known) => {
                    if known == position {
                        self.image.forget_cleared(fingerprint);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a record still counts.
enum Fate {
    /// It does not, wherever it is.
    Gone,
    /// If it is the one at this position.
    At(u64),
    /// If it is the one the entry names; then with what was said of it since.
    Queued(Entry),
    /// If the topic of the message in this slot names it.
    Retained(u32),
    /// It has been copied once, and need not be again.
    Cleared(Fingerprint, u64),
}

impl<D: Disk> Store<D> {
    fn fate(&self, record: &Record<'_>, kind: BlockKind) -> Fate {
        let image = &self.image;
        let session = |serial: &hexmq_broker::Serial| image.sessions.get(&serial.0);
        let known = match record {
            Record::Message { serial, .. } => image
                .messages
                .find(serial.0)
                .and_then(|slot| image.body_of(slot))
                .map(|(_, position)| position),
            Record::Queued { session: serial, place, .. } => {
                let entry = session(serial).and_then(|session| session.queue.get(*place));
                return entry.map_or(Fate::Gone, |entry| Fate::Queued(*entry));
            }
            Record::Session { session: serial, .. } => {
                session(serial).and_then(|session| session.terms).map(|span| span.position)
            }
            Record::Subscribed { session: serial, filter, .. } => session(serial)
                .and_then(|session| session.subscriptions.get(image.fingerprints.filter(filter)))
                .map(|span| span.position),
            Record::Incoming { session: serial, identifier } => image.incoming(serial.0, *identifier),
            Record::Will { session: serial, .. } => {
                session(serial).and_then(|session| session.will.as_ref()).map(|will| will.span.position)
            }
            Record::Forwarded { message, to } => {
                image.transits.get(&(message.0, to.shard.0, to.group)).map(|transit| transit.span.position)
            }
            Record::Retained { message, .. } => {
                return image.messages.find(message.0).map_or(Fate::Gone, Fate::Retained);
            }
            Record::RetainedCleared { namespace, topic, .. } => {
                let fingerprint = image.topic(*namespace, topic);
                let cleared = image.retained.get(fingerprint).filter(|topic| topic.message.is_none());
                match (cleared, kind) {
                    (Some(topic), BlockKind::Copies) => return Fate::Cleared(fingerprint, topic.position),
                    (cleared, _) => cleared.map(|topic| topic.position),
                }
            }
            Record::SessionEnded { .. }
            | Record::Unsubscribed { .. }
            | Record::Sent { .. }
            | Record::TakenOver { .. }
            | Record::Done { .. }
            | Record::Released { .. }
            | Record::Arrived { .. }
            | Record::WillGone { .. } => None,
        };
        known.map_or(Fate::Gone, Fate::At)
    }

    /// The topic of a message, from the block it may be in or from where it is.
    fn topic_of_slot(&mut self, slot: u32, body: &[u8], start: u64) -> io::Result<Option<Fingerprint>> {
        if let Some(fingerprint) = self.image.topic_in(slot, body, start) {
            return Ok(Some(fingerprint));
        }
        let Some((body, position)) = self.image.body_of(slot) else { return Ok(None) };
        let bytes = self.log.read(position, message_bytes_max(body.size))?;
        Ok(self.image.topic_of(bytes))
    }

    /// A step of cleaning is due for so many bytes of commits, so that the log grows no further meanwhile.
    pub fn clean_every_bytes(&self) -> u64 {
        (self.log.segment_bytes() / 16).clamp(512, 512 << 10)
    }

    /// Writes a part of the reserve; whether there is more to write.
    pub fn reserve_step(&mut self) -> io::Result<bool> {
        if self.reserved >= self.reserve_bytes {
            return Ok(false);
        }
        if self.reserved == 0 {
            match self.log.disk.create(RESERVE) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let bytes = RESERVE_STEP.min((self.reserve_bytes - self.reserved) as usize);
        if let Err(error) = self.log.disk.write(RESERVE, self.reserved, &vec![0; bytes]) {
            // It must not be what fills the disk.
            self.reserved = 0;
            self.log.disk.remove(RESERVE)?;
            return Err(error);
        }
        self.reserved += bytes as u64;
        if self.reserved < self.reserve_bytes {
            return Ok(true);
        }
        self.log.disk.sync(RESERVE)?;
        Ok(false)
    }

    /// The disk is full: gives the reserve up if cleaning would win room. Whether there is anything to try now.
    pub fn make_room(&mut self) -> bool {
        self.log.sweep();
        let worth_it = self.wants_cleaning(true);
        if worth_it && self.reserved > 0 && self.log.disk.remove(RESERVE).is_ok() {
            self.reserved = 0;
        }
        worth_it
    }
}
