//! Appending, writing and syncing.

use std::io;

use super::{BUFFER_KEEP_BYTES, Log, Segment};
use crate::block::{self, BlockKind, Header};
use crate::disk::Disk;
use crate::manifest::Manifest;
use crate::segment::{self, SegmentHeader};

/// What a new segment's header says besides where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextNumbers {
    pub(crate) serial: u64,
    pub(crate) version: u64,
}

impl NextNumbers {
    fn header(self, number: u64, start: u64, manifest: &Manifest) -> SegmentHeader {
        SegmentHeader {
            number,
            start,
            next_serial: self.serial,
            next_version: self.version,
            seed: manifest.seed,
            created: manifest.created.0,
        }
    }
}

impl<D: Disk> Log<D> {
    /// Where the next block begins, and whether a segment begins with it.
    pub(crate) fn room_for(&mut self, body_bytes: usize) -> (u64, bool) {
        let position = self.end();
        let behind = position + (block::HEADER_BYTES + body_bytes) as u64;
        let fits = self.segments.back().is_some_and(|last| {
            last.ours && (position == last.start || behind - last.start <= self.segment_bytes)
        });
        if !fits {
            self.segments.push_back(Segment { number: 0, start: position, ours: true });
        }
        (position, !fits)
    }

    /// Puts a block into the buffer, at the position that [`Log::room_for`] gave.
    pub(crate) fn append(&mut self, shard: u16, kind: BlockKind, body: &[u8]) {
        let header =
            Header { shard, kind, position: self.end(), safe: self.synced, body_bytes: body.len() as u32 };
        block::put(&mut self.buffer, self.salt, &header, body);
        self.marked = kind == BlockKind::Mark;
    }

    /// Whether the log ends with a mark and all of it is synced: there is nothing to say at a clean stop.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked && self.synced == self.end()
    }

    /// Bytes that are not written yet.
    pub(crate) fn unwritten(&self) -> u64 {
        self.end() - if self.tail_end.is_some() { self.synced } else { self.written }
    }

    /// Writes what is in the buffer. After an error the same is tried again the next time.
    pub(crate) fn write(&mut self, numbers: NextNumbers) -> io::Result<()> {
        self.write_tail(numbers)?;
        while self.written < self.end() {
            let at = self.segments.partition_point(|segment| segment.start <= self.written).saturating_sub(1);
            let Some(&segment) = self.segments.get(at) else { break };
            if segment.number == 0 {
                // What is before a segment is safe before there is the segment: only the last may have a torn end.
                self.sync()?;
                self.make(at, numbers)?;
                continue;
            }
            let end = self.segments.get(at + 1).map_or(self.end(), |next| next.start);
            let from = (self.written - self.buffer_start) as usize;
            let to = (end - self.buffer_start) as usize;
            let bytes = self.buffer.get(from..to).unwrap_or_default();
            let offset = segment::HEADER_BYTES + (self.written - segment.start);
            self.disk.write(&segment::name(segment.number), offset, bytes)?;
            self.written = end;
        }
        if !self.synced_mode {
            self.forget(self.written);
        }
        Ok(())
    }

    /// Writes the blocks again that were found at the end. They may be promised to somebody, so the segment they were in
    /// counts until the new one is there whole and safe.
    fn write_tail(&mut self, numbers: NextNumbers) -> io::Result<()> {
        let Some(end) = self.tail_end else { return Ok(()) };
        let number = self.next_number;
        let start = self.synced;
        let header = numbers.header(number, start, &self.manifest);
        let mut bytes = header.to_bytes(self.salt).to_vec();
        bytes.extend_from_slice(self.buffer.get(..(end - start) as usize).unwrap_or_default());
        match self.disk.create(segment::NEW_NAME) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.truncate(segment::NEW_NAME, 0)?;
            }
            result => result?,
        }
        self.disk.write(segment::NEW_NAME, 0, &bytes)?;
        self.disk.sync(segment::NEW_NAME)?;
        self.next_number += 1;
        self.disk.rename(segment::NEW_NAME, &segment::name(number))?;
        self.disk.sync_directory()?;
        let at = self.segments.partition_point(|segment| segment.start < start);
        if let Some(place) = self.segments.get(at).filter(|place| place.start == start).copied() {
            self.debris.push(segment::name(place.number));
            self.segments.remove(at);
        }
        self.segments.insert(at, Segment { number, start, ours: true });
        self.tail_end = None;
        self.synced = end;
        self.forget(end);
        Ok(())
    }

    /// Makes the file of a segment, with its header.
    fn make(&mut self, at: usize, numbers: NextNumbers) -> io::Result<()> {
        let Some(segment) = self.segments.get_mut(at) else { return Ok(()) };
        let number = self.next_number;
        self.next_number += 1;
        let header = numbers.header(number, segment.start, &self.manifest);
        let name = segment::name(number);
        self.disk.create(&name)?;
        if let Err(error) = self.disk.write(&name, 0, &header.to_bytes(self.salt)) {
            self.debris.push(name);
            self.sweep();
            return Err(error);
        }
        segment.number = number;
        self.names_dirty = true;
        Ok(())
    }

    /// Makes what was written safe. After an error nothing of it is trusted: it will be written again,
    /// into a new segment. (Unless blocks are not kept until they are synced.)
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.synced == self.written || self.tail_end.is_some() {
            return Ok(());
        }
        let last = self.segments.iter().rev().find(|segment| segment.number != 0).copied();
        let Some(last) = last else { return Ok(()) };
        let result = self
            .disk
            .sync(&segment::name(last.number))
            .and_then(|()| if self.names_dirty { self.disk.sync_directory() } else { Ok(()) });
        if let Err(error) = result {
            if self.synced_mode {
                self.distrust(last);
            } else {
                self.synced = self.written;
            }
            return Err(error);
        }
        self.names_dirty = false;
        self.synced = self.written;
        self.forget(self.written);
        Ok(())
    }

    /// Syncs the names of files, if there is something to sync.
    pub(crate) fn sync_names(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.names_dirty) {
            let result = self.disk.sync_directory();
            self.names_dirty = result.is_err();
            return result;
        }
        Ok(())
    }

    /// The file of this segment is not trusted behind what was synced.
    fn distrust(&mut self, last: Segment) {
        let Some(at) = self.segments.iter().position(|segment| segment.number == last.number) else { return };
        let again = Segment { number: 0, start: self.synced, ours: true };
        if last.start >= self.synced {
            self.debris.push(segment::name(last.number));
            if let Some(place) = self.segments.get_mut(at) {
                *place = again;
            }
        } else {
            self.segments.insert(at + 1, again);
        }
        self.written = self.synced;
    }

    /// Drops from the buffer what need not be written again.
    fn forget(&mut self, before: u64) {
        let count = (before - self.buffer_start) as usize;
        if count >= self.buffer.len() {
            self.buffer.clear();
            self.buffer.shrink_to(BUFFER_KEEP_BYTES);
        } else {
            self.buffer.drain(..count);
        }
        self.buffer_start = before;
    }

    /// Bytes of the buffer from a position on.
    pub(super) fn buffered(&self, position: u64) -> Option<&[u8]> {
        let from = usize::try_from(position.checked_sub(self.buffer_start)?).ok()?;
        self.buffer.get(from..)
    }
}
