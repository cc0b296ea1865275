//! A segment: a file with a stretch of the log, and the header that says which.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `HexMQlog` |
//! | 8 | 4 | version of the format |
//! | 12 | 4 | CRC-32C of everything behind it, begun with the store's salt |
//! | 16 | 8 | number |
//! | 24 | 8 | position of its first block: an earlier segment ends here, whatever it goes on with |
//! | 32 | 8 | larger than every [`Serial`](hexmq_broker::Serial) given out before |
//! | 40 | 8 | larger than every version of a retained message before |
//! | 48 | 8 | seed of the store |
//! | 56 | 8 | when the store was made, in milliseconds since 1970 UTC |

use crate::block::{eight, four};

/// Bytes before the first block.
pub(crate) const HEADER_BYTES: u64 = 64;
/// The version this code writes, and the newest it reads.
pub(crate) const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"HexMQlog";
/// The name of a segment that replaces the end of another, until it is whole.
pub(crate) const NEW_NAME: &str = "segment.new";
const PREFIX: &str = "segment-";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) start: u64,
    pub(crate) next_serial: u64,
    pub(crate) next_version: u64,
    /// As in the manifest, which can be made again with them.
    pub(crate) seed: u64,
    pub(crate) created: u64,
}

/// Why a header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It is short, or its checksum is wrong.
    Broken,
    /// A version this code does not know.
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self, salt: u32) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        let fields = [self.number, self.start, self.next_serial, self.next_version, self.seed, self.created];
        let mut body = [0; HEADER_BYTES as usize - 16];
        for (place, field) in body.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc32c::crc32c_append(salt, &body);
        let parts: [&[u8]; 4] = [&MAGIC, &VERSION.to_le_bytes(), &crc.to_le_bytes(), &body];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8], salt: u32) -> Result<SegmentHeader, HeaderFault> {
        let body = bytes.get(16..HEADER_BYTES as usize).ok_or(HeaderFault::Broken)?;
        if bytes.first_chunk() != Some(&MAGIC) {
            return Err(HeaderFault::Broken);
        }
        let version = u32::from_le_bytes(four(bytes, 8));
        if crc32c::crc32c_append(salt, body) != u32::from_le_bytes(four(bytes, 12)) {
            return Err(HeaderFault::Broken);
        }
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        Ok(SegmentHeader {
            number: eight(body, 0),
            start: eight(body, 8),
            next_serial: eight(body, 16),
            next_version: eight(body, 24),
            seed: eight(body, 32),
            created: eight(body, 40),
        })
    }
}

/// The seed that the header of a segment names, if it is whole.
pub(crate) fn seed(bytes: &[u8]) -> Option<(u64, u64)> {
    let seed = eight(bytes, 48);
    let header = SegmentHeader::from_bytes(bytes, salt(seed)).ok()?;
    Some((seed, header.created))
}

/// Where the checksums of a store begin, so that files of another store are not taken for its own.
pub(crate) fn salt(seed: u64) -> u32 {
    crc32c::crc32c(&seed.to_le_bytes())
}

/// The name of a segment's file.
pub(crate) fn name(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}

/// The number of a segment from the name of its file.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX).filter(|digits| digits.len() == 16)?;
    let plain = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}
