//! The packets of a piece of a byte stream, cut one after the other, in place.

use crate::framer::{Frame, FrameError, FrameStatus, scan_frame};

/// Cuts whole packets from the front of what was received. What is left when it gives no further one is the
/// beginning of a packet, or cannot be framed: [`Frames::status`] tells which.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    begun: Option<&'a [u8]>,
    rest: &'a [u8],
    latest: &'a [u8],
    maximum_packet_size: u32,
}

impl<'a> Frames<'a> {
    /// Those of `bytes`, none longer than `maximum_packet_size` bytes, fixed header included.
    #[inline]
    pub const fn new(bytes: &'a [u8], maximum_packet_size: u32) -> Frames<'a> {
        Frames::behind(None, bytes, maximum_packet_size)
    }

    /// The same behind a packet that began in an earlier piece and has become whole since: see
    /// [`Framer::complete`](crate::Framer::complete).
    #[inline]
    pub const fn behind(begun: Option<&'a [u8]>, bytes: &'a [u8], maximum_packet_size: u32) -> Frames<'a> {
        Frames { begun, rest: bytes, latest: &[], maximum_packet_size }
    }

    /// This packet alone.
    #[inline]
    pub const fn one(frame: Frame<'a>) -> Frames<'a> {
        Frames::behind(Some(frame.bytes), &[], u32::MAX)
    }

    /// What has not been cut yet.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The packet that was cut last; empty before the first one.
    #[inline]
    pub const fn latest(&self) -> &'a [u8] {
        self.latest
    }

    /// What the front of the rest is.
    pub fn status(&self) -> Result<FrameStatus, FrameError> {
        scan_frame(self.rest, self.maximum_packet_size)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        let bytes = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let Ok(FrameStatus::Whole { length }) = scan_frame(self.rest, self.maximum_packet_size)
                else {
                    return None;
                };
                let (bytes, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                bytes
            }
        };
        self.latest = bytes;
        Some(Frame::new(bytes))
    }
}
