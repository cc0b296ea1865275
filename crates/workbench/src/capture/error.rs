//! Why a capture cannot be read any further, and where.

use std::fmt;

/// The place where reading ended. Everything before it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureError {
    /// Bytes of the file before the record that is wrong.
    pub offset: u64,
    /// The number the packet there would have, from 1.
    pub packet: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// There are no bytes at all.
    Empty,
    /// The first bytes belong to no format that is known here.
    NoCapture {
        /// The first bytes.
        magic: [u8; 4],
    },
    /// A pcap of another format version than 2.
    FormatVersion {
        /// Its version.
        major: u16,
    },
    /// A record or block says it is longer than any can be.
    RecordTooLong {
        /// Bytes it announces.
        length: u64,
    },
    /// A block's length is below 12 or no multiple of four.
    BlockLength {
        /// Bytes it announces.
        length: u64,
    },
    /// A block's length stands at both ends, and they differ.
    BlockLengths {
        /// At the front.
        front: u64,
        /// At the back.
        back: u64,
    },
    /// A block is too short for what it must hold.
    BlockTooShort,
    /// A section header without its byte-order mark.
    ByteOrder,
    /// A packet of an interface that was not described.
    UnknownInterface {
        /// Its number, from 0.
        interface: u32,
    },
    /// More interfaces than a capture has.
    TooManyInterfaces,
    /// The file ends inside a record.
    Truncated {
        /// Bytes that are missing at least.
        missing: usize,
    },
}

impl CaptureError {
    /// Whether the file merely ends too early: what there is of it is good.
    pub fn is_truncation(&self) -> bool {
        matches!(self.problem, Problem::Truncated { .. })
    }

    /// Whether the input is no capture at all.
    pub fn is_foreign(&self) -> bool {
        matches!(self.problem, Problem::NoCapture { .. } | Problem::Empty)
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_foreign() {
            write!(f, "byte {}, packet {}: ", self.offset, self.packet)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for CaptureError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Empty => f.write_str("it is empty: a capture begins with a header"),
            Problem::NoCapture { magic } => foreign(f, *magic),
            Problem::FormatVersion { major } => {
                write!(f, "a pcap file of format version {major}; only version 2 is known")
            }
            Problem::RecordTooLong { length } => write!(
                f,
                "a record of {length} bytes is announced, more than any packet has: the file is damaged here"
            ),
            Problem::BlockLength { length } => {
                write!(f, "a block of {length} bytes is announced, which cannot be: the file is damaged here")
            }
            Problem::BlockLengths { front, back } => write!(
                f,
                "a block says {front} bytes at its front and {back} at its back: the file is damaged here"
            ),
            Problem::BlockTooShort => f.write_str("a block is too short for what it must hold"),
            Problem::ByteOrder => f.write_str("a section header without its byte-order mark"),
            Problem::UnknownInterface { interface } => {
                write!(f, "a packet of interface {interface}, which no block describes")
            }
            Problem::TooManyInterfaces => f.write_str("more than 65536 interfaces in one section"),
            Problem::Truncated { missing } => {
                write!(f, "the file ends inside a record; at least {missing} more bytes belong to it")
            }
        }
    }
}

/// What else the file may be, and what to do with it then.
fn foreign(f: &mut fmt::Formatter<'_>, magic: [u8; 4]) -> fmt::Result {
    let advice = match magic {
        [0x1F, 0x8B, ..] => "it is compressed with gzip: gunzip -c FILE | hexmq capture -",
        [0x28, 0xB5, 0x2F, 0xFD] => "it is compressed with zstd: zstd -dc FILE | hexmq capture -",
        [0xFD, b'7', b'z', b'X'] => "it is compressed with xz: xz -dc FILE | hexmq capture -",
        [b'B', b'Z', b'h', _] => "it is compressed with bzip2: bunzip2 -c FILE | hexmq capture -",
        [0x04, 0x22, 0x4D, 0x18] => "it is compressed with lz4: lz4 -dc FILE | hexmq capture -",
        [b'P', b'K', 3, 4] => "it is a ZIP archive: unpack it first",
        [b's', b'n', b'o', b'o'] => "it is a snoop capture: editcap -F pcapng FILE new.pcapng",
        [0x34, 0xCD, 0xB2, 0xA1] | [0xA1, 0xB2, 0xCD, 0x34] => {
            "it is a pcap with extra fields: editcap -F pcapng FILE new.pcapng"
        }
        [b'{', ..] => "it looks like a recording or other JSON: hexmq explain --file FILE reads recordings",
        _ => {
            let [a, b, c, d] = magic;
            return write!(
                f,
                "no pcap or pcapng file: it begins with {a:02x} {b:02x} {c:02x} {d:02x}; \
                 hex or raw MQTT bytes are for hexmq explain"
            );
        }
    };
    f.write_str(advice)
}
