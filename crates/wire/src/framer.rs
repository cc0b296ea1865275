//! Finds packets in a byte stream.
//!
//! Guarantees: bytes one at a time or all at once give the same frames; a frame that lies whole
//! inside one input is handed out in place; never more than the maximum packet size is kept.
//! A Remaining Length is judged as soon as its bytes are there, so a packet that is too large is
//! refused before its body is read.
//!
//! Where it comes from: section 2.2.3 of 3.1.1, 1.5.5 and 2.1.4 of 5.0.

use std::fmt;
use std::ops::ControlFlow;

use crate::fixed_header::{FixedHeader, PacketType, VariableByteInteger, read_variable_byte_integer};
use crate::frames::Frames;
use crate::{FaultCode, ReasonCode};

/// What the start of a byte stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameStatus {
    /// A whole packet of `length` bytes, fixed header included.
    Whole {
        /// Bytes of the packet.
        length: usize,
    },
    /// Not yet.
    Needs {
        /// Bytes that are missing at least: 1 or more. Exact once the Remaining Length is whole.
        at_least: usize,
    },
}

/// Why the stream cannot be framed. There is no way to go on behind this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The Remaining Length has a fifth byte.
    RemainingLengthTooLong,
    /// The packet is larger than allowed.
    PacketTooLarge {
        /// Bytes of the packet, fixed header included.
        length: u64,
        /// Bytes allowed.
        maximum: u32,
    },
}

impl FrameError {
    /// The reason code to close with.
    pub const fn reason_code(self) -> ReasonCode {
        self.fault_code().reason_code()
    }

    /// The rule that is broken.
    pub const fn fault_code(self) -> FaultCode {
        match self {
            FrameError::RemainingLengthTooLong => FaultCode::RemainingLengthTooLong,
            FrameError::PacketTooLarge { .. } => FaultCode::PacketTooLarge,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::RemainingLengthTooLong => {
                f.write_str("the Remaining Length has more than four bytes")
            }
            FrameError::PacketTooLarge { length, maximum } => {
                write!(f, "a packet of {length} bytes where {maximum} are allowed")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Looks at the start of `bytes`. `maximum_packet_size` counts the whole packet, fixed header
/// included. Never allocates.
/// [V5 U-2.1.4-1, V5 U-3.2.2.3.6-4]
#[inline]
pub fn scan_frame(bytes: &[u8], maximum_packet_size: u32) -> Result<FrameStatus, FrameError> {
    let Some((_, after_first)) = bytes.split_first() else {
        return Ok(FrameStatus::Needs { at_least: 2 });
    };
    match read_variable_byte_integer(after_first) {
        VariableByteInteger::Value { value, size } => {
            let length = u64::from(value) + u64::from(size) + 1;
            if length > u64::from(maximum_packet_size) {
                return Err(FrameError::PacketTooLarge { length, maximum: maximum_packet_size });
            }
            let length = length as usize;
            Ok(match length.checked_sub(bytes.len()) {
                None | Some(0) => FrameStatus::Whole { length },
                Some(at_least) => FrameStatus::Needs { at_least },
            })
        }
        VariableByteInteger::Incomplete => Ok(FrameStatus::Needs { at_least: 1 }),
        VariableByteInteger::TooLong => Err(FrameError::RemainingLengthTooLong),
    }
}

/// The bytes of one packet, fixed header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// All bytes.
    pub bytes: &'a [u8],
    pub(crate) known_topic: &'a str,
}

impl<'a> Frame<'a> {
    /// Takes `bytes` as one packet. They are not judged here: [`crate::decode`] reports what is
    /// missing or too much.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Frame<'a> {
        Frame { bytes, known_topic: "" }
    }

    /// The same, where a topic name is known that was read without a fault before: a PUBLISH that names it
    /// again is not judged anew, so a publisher that stays with a topic has it read once.
    #[inline]
    #[must_use]
    pub const fn knowing(self, topic: &'a str) -> Frame<'a> {
        Frame { bytes: self.bytes, known_topic: topic }
    }

    /// The packet type; `None` for the reserved type 0 and for no bytes.
    #[inline]
    pub fn packet_type(self) -> Option<PacketType> {
        self.bytes.first().and_then(|&first| PacketType::from_u8(first >> 4))
    }

    /// The fixed header; `None` for the reserved type 0 and for a Remaining Length that is not
    /// whole or too long.
    pub fn header(self) -> Option<FixedHeader> {
        let (&first, after_first) = self.bytes.split_first()?;
        let packet_type = PacketType::from_u8(first >> 4)?;
        match read_variable_byte_integer(after_first) {
            VariableByteInteger::Value { value, size } => Some(FixedHeader {
                packet_type,
                flags: first & 0x0F,
                remaining_length: value,
                size: size + 1,
            }),
            VariableByteInteger::Incomplete | VariableByteInteger::TooLong => None,
        }
    }
}

/// How far [`Framer::feed`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed<B> {
    /// Bytes of the input that were taken. All of them, unless a frame's handler broke off: then
    /// the caller keeps the others and feeds them later.
    pub consumed: usize,
    /// What the handler broke off with.
    pub stopped: Option<B>,
}

/// Cuts a byte stream into frames and keeps the beginning of one that is not whole yet.
#[derive(Debug)]
pub struct Framer {
    /// The beginning of a frame; empty and without capacity between frames, so that an idle
    /// connection costs nothing.
    rest: Vec<u8>,
    maximum_packet_size: u32,
}

impl Framer {
    /// A framer for packets of at most `maximum_packet_size` bytes, fixed header included.
    pub const fn new(maximum_packet_size: u32) -> Framer {
        Framer { rest: Vec::new(), maximum_packet_size }
    }

    /// Another maximum from the next frame on; one that has begun is judged by it too.
    pub fn set_maximum(&mut self, maximum_packet_size: u32) {
        self.maximum_packet_size = maximum_packet_size;
    }

    /// Bytes kept: the beginning of a frame that is not whole yet.
    pub fn buffered(&self) -> usize {
        self.rest.len()
    }

    /// Bytes of memory held for it: 0 between frames.
    pub fn capacity(&self) -> usize {
        self.rest.capacity()
    }

    /// The beginning of a frame that is not whole yet.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Takes in `input` and hands each frame that becomes whole to `on_frame`, until that breaks
    /// off. After an error the stream cannot be read any further.
    pub fn feed<B>(
        &mut self,
        input: &[u8],
        mut on_frame: impl FnMut(Frame<'_>) -> ControlFlow<B>,
    ) -> Result<Fed<B>, FrameError> {
        let mut behind = input;
        let begun = self.complete(&mut behind)?;
        let mut frames = Frames::behind(begun.as_deref(), behind, self.maximum_packet_size);
        while let Some(frame) = frames.next() {
            if let ControlFlow::Break(stopped) = on_frame(frame) {
                return Ok(Fed { consumed: input.len() - frames.rest().len(), stopped: Some(stopped) });
            }
        }
        frames.status()?;
        self.keep(frames.rest());
        Ok(Fed { consumed: input.len(), stopped: None })
    }

    /// Takes from the front of `input` what the frame that is kept lacks, and gives it out once it is whole.
    /// `None`: nothing was kept, or all of `input` was taken and more is needed. After an error the stream
    /// cannot be read any further.
    pub fn complete(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        Ok(self.complete_rest(input)?.then(|| std::mem::take(&mut self.rest)))
    }

    /// Keeps the beginning of a frame: what [`Frames`] leaves when nothing was kept before.
    pub fn keep(&mut self, beginning: &[u8]) {
        self.rest.extend_from_slice(beginning);
    }

    /// Moves from `input` what the frame begun in `rest` lacks. Says whether it is whole.
    fn complete_rest(&mut self, input: &mut &[u8]) -> Result<bool, FrameError> {
        loop {
            let lacking = match scan_frame(&self.rest, self.maximum_packet_size)? {
                FrameStatus::Whole { .. } => return Ok(true),
                // Of a header that is not whole only the next byte is known to belong to it.
                FrameStatus::Needs { at_least } => at_least,
            };
            if input.is_empty() {
                return Ok(false);
            }
            let (part, behind) = input.split_at_checked(lacking).unwrap_or((input, &[]));
            self.make_room(part.len(), lacking);
            self.rest.extend_from_slice(part);
            *input = behind;
        }
    }

    /// Room for `part` more bytes of the `lacking` ones. Capacity doubles but does not exceed the
    /// frame: what is announced is not believed before it arrives.
    fn make_room(&mut self, part: usize, lacking: usize) {
        if self.rest.capacity() - self.rest.len() < part {
            let doubled = self.rest.capacity().max(64);
            self.rest.reserve_exact(part.max(doubled.min(lacking)));
        }
    }
}
