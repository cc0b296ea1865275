//! The log: one sequence of blocks in segments. A *position* counts its bytes from the beginning of the store, and
//! stays the same wherever they lie.
//!
//! What was handed over is in a buffer until it is as safe as promised, at the positions and with the bytes it will
//! have on disk whatever fails in between. After a failed sync nothing behind the last good one is trusted: a new
//! segment begins there and gets the same bytes again.

pub(crate) mod find;
mod read;
pub(crate) mod scan;
mod write;

use std::collections::VecDeque;
use std::io;

use crate::disk::Disk;
use crate::manifest::Manifest;
use crate::segment;

pub(crate) use read::Window;
pub(crate) use write::NextNumbers;

/// A buffer larger than this is given back when it is empty.
const BUFFER_KEEP_BYTES: usize = 8 << 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Of its file; 0 as long as it has none.
    pub(crate) number: u64,
    /// Position of its first block.
    pub(crate) start: u64,
    /// Whether it was begun in this run: files of an earlier one are not written again.
    pub(crate) ours: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Log<D> {
    pub(crate) disk: D,
    pub(crate) manifest: Manifest,
    salt: u32,
    segments: VecDeque<Segment>,
    segment_bytes: u64,
    /// Whether blocks stay in the buffer until they are synced.
    synced_mode: bool,
    buffer: Vec<u8>,
    /// Position of the first byte of the buffer.
    buffer_start: u64,
    /// Up to here it was written.
    written: u64,
    /// Up to here it was synced.
    synced: u64,
    /// A segment was made whose name may be lost.
    names_dirty: bool,
    /// The next segment must not go on in a file that exists.
    next_number: u64,
    /// The last block in the log is a mark, or there is none.
    marked: bool,
    /// The blocks up to here were found at the end and are to be written again; see [`Log::new`].
    tail_end: Option<u64>,
    /// Files that belong to nothing any more.
    debris: Vec<String>,
    pub(crate) window: Window,
}

/// What was found on disk, as the log begins with it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    pub(crate) segments: VecDeque<Segment>,
    /// Position behind the last whole block.
    pub(crate) end: u64,
    /// Position up to which it was synced for sure.
    pub(crate) safe: u64,
    pub(crate) next_number: u64,
    pub(crate) debris: Vec<String>,
}

impl<D: Disk> Log<D> {
    /// Goes on behind what was found. If blocks are kept until they are synced, those at the end of which nobody knows
    /// whether they were are written again, into a new segment: the operating system may show what the disk does not have.
    pub(crate) fn new(disk: D, found: Found, segment_bytes: u64, synced_mode: bool) -> io::Result<Log<D>> {
        let mut log = Log {
            disk,
            manifest: found.manifest,
            salt: found.manifest.salt(),
            segments: found.segments,
            segment_bytes,
            synced_mode,
            buffer: Vec::new(),
            buffer_start: found.end,
            written: found.end,
            synced: found.safe,
            names_dirty: true,
            next_number: found.next_number,
            marked: false,
            tail_end: None,
            debris: found.debris,
            window: Window::default(),
        };
        if synced_mode && found.safe < found.end {
            let bytes = (found.end - found.safe) as usize;
            let tail = log.read(found.safe, bytes)?.to_vec();
            log.window.clear();
            log.buffer = tail;
            log.buffer_start = found.safe;
            log.tail_end = Some(found.end);
        }
        Ok(log)
    }

    /// Position behind the last block, written or not.
    pub(crate) fn end(&self) -> u64 {
        self.buffer_start + self.buffer.len() as u64
    }

    /// The largest size of a segment, unless one commit is larger.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Whether blocks stay in memory until they are synced.
    pub(crate) fn keeps_until_synced(&self) -> bool {
        self.synced_mode
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    /// Position of the first block.
    pub(crate) fn start(&self) -> u64 {
        self.segments.front().map_or(self.end(), |segment| segment.start)
    }

    pub(crate) fn salt(&self) -> u32 {
        self.salt
    }

    pub(crate) fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// The oldest segment and where it ends, if it is not the one that is being written.
    pub(crate) fn oldest(&self) -> Option<(Segment, u64)> {
        let (first, second) = (self.segments.front()?, self.segments.get(1)?);
        (second.number != 0 && second.start <= self.written).then_some((*first, second.start))
    }

    /// Bytes on disk, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.end() - self.start() + self.segments.len() as u64 * segment::HEADER_BYTES
    }

    /// Removes the oldest segment, of which nothing counts any more. Copies of what does must be synced.
    pub(crate) fn remove_oldest(&mut self) -> io::Result<()> {
        let (Some(&first), Some(&next)) = (self.segments.front(), self.segments.get(1)) else {
            return Ok(());
        };
        // Its own header and name must be safe before it is the first.
        if next.number == 0 || next.start >= self.synced {
            return Ok(());
        }
        let manifest = Manifest { first: next.number, start: next.start, ..self.manifest };
        manifest.write(&mut self.disk)?;
        self.manifest = manifest;
        self.segments.pop_front();
        // It does not count any more, whether or not it can be removed now.
        let name = segment::name(first.number);
        if self.disk.remove(&name).is_err() {
            self.debris.push(name);
        }
        Ok(())
    }

    /// Removes files that belong to nothing, as far as that is possible now.
    pub(crate) fn sweep(&mut self) {
        let disk = &mut self.disk;
        self.names_dirty |= !self.debris.is_empty();
        self.debris
            .retain(|name| disk.remove(name).is_err_and(|error| error.kind() != io::ErrorKind::NotFound));
    }
}
