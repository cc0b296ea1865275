//! Reading single records back.

use std::io;

use super::Log;
use crate::disk::Disk;
use crate::segment;

/// Bytes read at once when records are asked for in order.
const AHEAD_BYTES: usize = 128 << 10;
/// Bytes read at once for a record that stands alone.
const ALONE_BYTES: usize = 4 << 10;

/// The part of the log that was read last.
#[derive(Debug, Default)]
pub(crate) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn holds(&self, position: u64, bytes: usize) -> Option<&[u8]> {
        let from = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(bytes)?)
    }

    /// Gives its memory back.
    pub(crate) fn clear(&mut self) {
        *self = Window::default();
    }
}

impl<D: Disk> Log<D> {
    /// The bytes from a position on: as many as asked for, or fewer at the end of a segment. The position must
    /// be one that records were seen at.
    pub(crate) fn read(&mut self, position: u64, bytes: usize) -> io::Result<&[u8]> {
        if position >= self.buffer_start {
            let buffered = self.buffered(position).unwrap_or_default();
            return Ok(buffered.get(..bytes).unwrap_or(buffered));
        }
        let at = self.segments.partition_point(|segment| segment.start <= position);
        let segment = at.checked_sub(1).and_then(|at| self.segments.get(at));
        let Some(segment) = segment.filter(|segment| segment.number != 0) else {
            return Err(io::Error::other(format!("position {position} is not in the log")));
        };
        let end = self.segments.get(at).map_or(self.buffer_start, |next| next.start.min(self.buffer_start));
        let bytes = bytes.min(usize::try_from(end - position).unwrap_or(usize::MAX));
        if self.window.holds(position, bytes).is_none() {
            let behind = self.window.start + self.window.bytes.len() as u64;
            let goes_on = position >= self.window.start && position <= behind + AHEAD_BYTES as u64;
            let wanted = bytes.max(if goes_on { AHEAD_BYTES } else { ALONE_BYTES });
            let wanted = wanted.min(usize::try_from(end - position).unwrap_or(usize::MAX));
            // Until all of it is read nothing of it counts.
            self.window.start = position;
            let mut into = std::mem::take(&mut self.window.bytes);
            into.resize(wanted, 0);
            let offset = segment::HEADER_BYTES + (position - segment.start);
            let read = self.disk.read(&segment::name(segment.number), offset, &mut into)?;
            if read < bytes {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            into.truncate(read);
            into.shrink_to(AHEAD_BYTES.max(read));
            self.window.bytes = into;
        }
        Ok(self.window.holds(position, bytes).unwrap_or_default())
    }
}
