//! Reading a segment block by block.

use std::io;
use std::ops::Range;

use crate::block::{self, BlockKind, HEADER_BYTES, Header, Parsed};
use crate::disk::Disk;
use crate::segment;

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

const ENDS: &str = "the file ends in the middle of a block";

/// Reads the blocks of one segment in order. Memory: a megabyte, or the largest block.
#[derive(Debug)]
pub(crate) struct Scan {
    name: String,
    salt: u32,
    /// Position of the segment's first block.
    start: u64,
    /// The next block begins here in the file.
    offset: u64,
    /// What counts of the file ends here.
    end: u64,
    /// A part of the file, from this offset on.
    bytes: Vec<u8>,
    from: u64,
}

/// A block: its header, its body, and the position of its body.
pub(crate) type BlockAt<'a> = (Header, &'a [u8], u64);

/// Why a block cannot be read.
#[derive(Debug)]
pub(crate) enum ScanFault {
    /// The disk.
    Disk(io::Error),
    /// There is no whole block at this offset.
    Bad { offset: u64, what: &'static str },
}

impl Scan {
    /// For a segment that begins at a position and whose file counts up to `end` bytes.
    pub(crate) fn new(name: String, salt: u32, start: u64, end: u64) -> Scan {
        Scan { name, salt, start, offset: segment::HEADER_BYTES, end, bytes: Vec::new(), from: 0 }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the next block begins in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that were not read yet.
    pub(crate) fn rest(&self) -> u64 {
        self.end.saturating_sub(self.offset)
    }

    /// Goes on at another offset.
    pub(crate) fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// The position in the log of an offset in the file.
    pub(crate) fn position(&self, offset: u64) -> u64 {
        self.start.wrapping_add(offset.wrapping_sub(segment::HEADER_BYTES))
    }

    /// The next block, and the position of its body. After a fault it is at the same place.
    pub(crate) fn next(&mut self, disk: &mut dyn Disk) -> Result<Option<BlockAt<'_>>, ScanFault> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let (offset, position) = (self.offset, self.position(self.offset));
        let bad = |what| ScanFault::Bad { offset, what };
        let head = self.fill(disk, offset, HEADER_BYTES).map_err(ScanFault::Disk)?;
        let head = self.bytes.get(head).and_then(|head| head.first_chunk()).ok_or(bad(ENDS))?;
        let size = block::header(head).map_err(bad)?.size();
        if size > self.end - offset {
            return Err(bad(ENDS));
        }
        let range = self.fill(disk, offset, size as usize).map_err(ScanFault::Disk)?;
        let bytes = self.bytes.get(range).unwrap_or_default();
        match block::parse(bytes, self.salt, position) {
            Parsed::Whole(header, body) => {
                self.offset += size;
                Ok(Some((header, body, position + HEADER_BYTES as u64)))
            }
            Parsed::Short(_) => Err(bad(ENDS)),
            Parsed::Bad(what) => Err(bad(what)),
        }
    }

    /// Sees to it that so many bytes from an offset on are in `bytes`, and says where; fewer at the end.
    fn fill(&mut self, disk: &mut dyn Disk, offset: u64, bytes: usize) -> io::Result<Range<usize>> {
        let rest = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = bytes.min(rest);
        let skip = offset.checked_sub(self.from).and_then(|skip| usize::try_from(skip).ok());
        if let Some(skip) = skip.filter(|skip| skip + bytes <= self.bytes.len()) {
            return Ok(skip..skip + bytes);
        }
        self.bytes.resize(bytes.max(READ_BYTES).min(rest), 0);
        self.from = offset;
        match disk.read(&self.name, offset, &mut self.bytes) {
            Ok(read) => {
                self.bytes.truncate(read);
                Ok(0..bytes.min(read))
            }
            Err(error) => {
                self.bytes.clear();
                Err(error)
            }
        }
    }

    fn view_at(&mut self, disk: &mut dyn Disk, offset: u64, bytes: usize) -> io::Result<&[u8]> {
        let range = self.fill(disk, offset, bytes)?;
        Ok(self.bytes.get(range).unwrap_or_default())
    }

    /// The offset of the first whole block at `after` or behind it, and its header.
    pub(crate) fn find(&mut self, disk: &mut dyn Disk, after: u64) -> io::Result<Option<(u64, Header)>> {
        self.search(disk, after, true)
    }

    /// The same when it is not known where in the log the segment is.
    pub(crate) fn find_any(&mut self, disk: &mut dyn Disk, after: u64) -> io::Result<Option<(u64, Header)>> {
        self.search(disk, after, false)
    }

    fn search(&mut self, disk: &mut dyn Disk, after: u64, placed: bool) -> io::Result<Option<(u64, Header)>> {
        let mut offset = after;
        while offset < self.end {
            let view = self.view_at(disk, offset, READ_BYTES)?;
            let Some(skip) = view.windows(4).position(|four| *four == block::MAGIC) else {
                let seen = view.len() as u64;
                // A mark that is cut in two by the end of the view is found from its beginning.
                offset += if seen > 3 { seen - 3 } else { self.end - offset };
                continue;
            };
            offset += skip as u64;
            if let Some(header) = self.whole_at(disk, offset, placed)? {
                return Ok(Some((offset, header)));
            }
            offset += 1;
        }
        Ok(None)
    }

    fn whole_at(&mut self, disk: &mut dyn Disk, offset: u64, placed: bool) -> io::Result<Option<Header>> {
        let (salt, position) = (self.salt, self.position(offset));
        let Some(head) = self.view_at(disk, offset, HEADER_BYTES)?.first_chunk() else { return Ok(None) };
        let Ok(header) = block::header(head) else { return Ok(None) };
        if placed && header.position != position || header.size() > self.end - offset {
            return Ok(None);
        }
        let bytes = self.view_at(disk, offset, header.size() as usize)?;
        match block::parse(bytes, salt, header.position) {
            Parsed::Whole(header, _) => Ok(Some(header)),
            _ => Ok(None),
        }
    }
}

/// Whether the records of a block are to be applied.
pub(crate) fn has_records(kind: BlockKind) -> bool {
    matches!(kind, BlockKind::Commit | BlockKind::Copies)
}
