//! The store itself: a log, and the image of what in it counts. No thread and no clock: [`Keeper`](crate::Keeper) has
//! them.

mod clean;
mod fetch;
mod open;
mod stored;

use std::io;

use hexmq_broker::{RecordError, ShardId};

use crate::block::{BODY_BYTES_MAX, BlockKind, STORE_SHARD};
use crate::disk::Disk;
use crate::image::Image;
use crate::log::{Log, NextNumbers};

pub use clean::Cleaned;
pub use open::{Mode, Opened, Options};
pub(crate) use open::{Step, manifest_error, walk};

use clean::Cleaning;

/// See the head of this file.
#[derive(Debug)]
pub struct Store<D> {
    log: Log<D>,
    image: Image,
    cleaning: Option<Cleaning>,
    /// The log may be larger than what counts in it by as much again and this.
    slack_bytes: u64,
    reserve_bytes: u64,
    /// Bytes of the file that is given up when a full disk must be cleaned; 0: there is none.
    reserved: u64,
    /// Where a copied block is put together.
    copies: Vec<u8>,
    cleaned_segments: u64,
    /// The oldest segment cannot be cleaned.
    damaged: bool,
}

/// What a store can tell of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Bytes of it that count, about.
    pub live_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Segments cleaned and removed in this run.
    pub cleaned_segments: u64,
    /// Stored sessions.
    pub sessions: u64,
    /// Bodies of messages, whoever refers to them.
    pub messages: u64,
    /// Messages that wait for sessions.
    pub queued: u64,
    /// Retained messages.
    pub retained: u64,
    /// Messages on their way between shards.
    pub transits: u64,
    /// Position behind what was handed over.
    pub end: u64,
    /// Position behind what was synced.
    pub synced: u64,
}

/// A commit that is not what records look like; what stands before the place was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCommit {
    /// What is wrong, and where.
    pub error: RecordError,
}

impl<D: Disk> Store<D> {
    /// Takes a commit: the records of a turn of this shard. It is not written yet.
    ///
    /// Gives the position behind it in the log: when [`Store::safe`] has reached it, it is safe.
    /// An error means that its writer is wrong; what stands before the error is kept.
    pub fn append(&mut self, shard: ShardId, records: &[u8]) -> Result<u64, BadCommit> {
        let outcome = self.put(shard.0, BlockKind::Commit, records);
        self.settle();
        self.image.bury();
        match outcome {
            Ok(()) => Ok(self.log.end()),
            Err(error) => Err(BadCommit { error }),
        }
    }

    /// Applies a block and puts it into the log's buffer.
    fn put(&mut self, shard: u16, kind: BlockKind, body: &[u8]) -> Result<(), RecordError> {
        let fits = body.len() < BODY_BYTES_MAX as usize;
        debug_assert!(fits, "shards bound what a turn hands over");
        if body.is_empty() || !fits {
            return Ok(());
        }
        let (position, began) = self.log.room_for(body.len());
        if began {
            self.image.live.begin(position);
        }
        let start = position + crate::block::HEADER_BYTES as u64;
        let outcome = self.image.apply(body, start, kind == BlockKind::Copies);
        let good = match outcome {
            Ok(()) => body,
            Err(error) => body.get(..error.offset).unwrap_or_default(),
        };
        self.log.append(shard, kind, good);
        outcome
    }

    /// Retained messages whose topic was not told by the block they came in.
    fn settle(&mut self) {
        while let Some(unsettled) = self.image.unsettled.pop() {
            let place = self.image.body_of(unsettled.slot).map(|(body, position)| (position, body.size));
            let read = match place {
                None => Ok(None),
                Some((position, size)) => self
                    .log
                    .read(position, fetch::message_bytes_max(size))
                    .map(|bytes| self.image.topic_of(bytes)),
            };
            match read {
                Ok(fingerprint) => self.image.settle(unsettled, fingerprint),
                Err(_) => {
                    // The disk cannot be read now: it is asked again with the next commit.
                    self.image.unsettled.push(unsettled);
                    return;
                }
            }
        }
    }

    /// Writes what was handed over. After an error the same is tried again by the next call, at the same place and
    /// with the same bytes.
    pub fn flush(&mut self) -> io::Result<()> {
        let numbers = NextNumbers { serial: self.image.next_serial, version: self.image.next_version };
        self.log.write(numbers)
    }

    /// Makes what was written safe against a power cut. After an error what was written since the last success is not
    /// trusted any more; the next [`Store::flush`] writes it again, into a new segment.
    pub fn sync(&mut self) -> io::Result<()> {
        self.log.sync()
    }

    /// Writes, and syncs if the mode asks for it. What is safe then, [`Store::safe`] tells.
    pub fn make_safe(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.log.keeps_until_synced() { self.sync() } else { Ok(()) }
    }

    /// The position behind what was handed over.
    pub fn end(&self) -> u64 {
        self.log.end()
    }

    /// What was handed over up to here is as safe as the mode promises.
    pub fn safe(&self) -> u64 {
        if self.log.keeps_until_synced() { self.log.synced() } else { self.log.written() }
    }

    /// Bytes handed over that are not written yet.
    pub fn unwritten(&self) -> u64 {
        self.log.unwritten()
    }

    /// Writes and syncs everything, and says so in the log, so that the next start can tell damage from what was being
    /// written.
    pub fn close(&mut self) -> io::Result<()> {
        self.log.sweep();
        self.flush()?;
        self.sync()?;
        if !self.log.is_marked() && !self.log.segments().is_empty() {
            let (position, began) = self.log.room_for(0);
            if began {
                self.image.live.begin(position);
            }
            self.log.append(STORE_SHARD, BlockKind::Mark, &[]);
            self.flush()?;
            self.sync()?;
        }
        self.log.sync_names()
    }

    /// From now on larger numbers are given out than these.
    pub(crate) fn count_from(&mut self, next_serial: u64, next_version: u64) {
        self.image.next_serial = self.image.next_serial.max(next_serial);
        self.image.next_version = self.image.next_version.max(next_version);
    }

    /// What it can tell of itself.
    pub fn figures(&self) -> Figures {
        Figures {
            log_bytes: self.log.bytes(),
            live_bytes: self.image.live.bytes(),
            segments: self.log.segments().len() as u64,
            cleaned_segments: self.cleaned_segments,
            sessions: self.image.sessions.len() as u64,
            messages: self.image.messages.len() as u64,
            queued: self.image.queued,
            retained: self.image.retained.messages() as u64,
            transits: self.image.transits.len() as u64,
            end: self.log.end(),
            synced: self.log.synced(),
        }
    }
}
