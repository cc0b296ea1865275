//! A block: what is written, checked and cut as a whole. Each commit is one.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `HMqB` |
//! | 4 | 4 | bytes of the body |
//! | 8 | 4 | CRC-32C of everything behind it, begun with the store's salt |
//! | 12 | 2 | shard; 65,535: the store itself |
//! | 14 | 1 | kind |
//! | 15 | 1 | 0 |
//! | 16 | 8 | its position in the log |
//! | 24 | 8 | position up to which all was safe when it was made |
//! | 32 | | body |
//!
//! All numbers are little-endian. Since a block says where in the log it belongs, nothing that was left over
//! from another time is taken for a part of it.

/// Bytes before the body.
pub(crate) const HEADER_BYTES: usize = 32;
/// Bodies are smaller than this.
pub(crate) const BODY_BYTES_MAX: u32 = 1 << 31;
/// The shard of blocks that the store makes by itself.
pub(crate) const STORE_SHARD: u16 = u16::MAX;
pub(crate) const MAGIC: [u8; 4] = *b"HMqB";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// The records of a turn.
    Commit,
    /// Records that moved here from the oldest segment.
    Copies,
    /// Nothing: it tells that all before it was safe.
    Mark,
    /// Nothing: it fills a place where damage was repaired.
    Hole,
}

impl BlockKind {
    const fn from_byte(byte: u8) -> Option<BlockKind> {
        match byte {
            0 => Some(BlockKind::Commit),
            1 => Some(BlockKind::Copies),
            2 => Some(BlockKind::Mark),
            3 => Some(BlockKind::Hole),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) shard: u16,
    pub(crate) kind: BlockKind,
    pub(crate) position: u64,
    pub(crate) safe: u64,
    pub(crate) body_bytes: u32,
}

impl Header {
    pub(crate) const fn size(&self) -> u64 {
        HEADER_BYTES as u64 + self.body_bytes as u64
    }
}

/// Appends a block. The body must be shorter than [`BODY_BYTES_MAX`].
pub(crate) fn put(out: &mut Vec<u8>, salt: u32, header: &Header, body: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&header.body_bytes.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&header.shard.to_le_bytes());
    out.extend_from_slice(&[header.kind as u8, 0]);
    out.extend_from_slice(&header.position.to_le_bytes());
    out.extend_from_slice(&header.safe.to_le_bytes());
    out.extend_from_slice(body);
    let crc = out.get(start + 12..).map_or(0, |checked| crc32c::crc32c_append(salt, checked));
    if let Some(place) = out.get_mut(start + 8..start + 12) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

/// What bytes that should begin with a block are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    Whole(Header, &'a [u8]),
    /// So many bytes are needed to tell.
    Short(usize),
    Bad(&'static str),
}

/// Reads the block at the beginning of `bytes`, which is at this position in the log.
pub(crate) fn parse(bytes: &[u8], salt: u32, position: u64) -> Parsed<'_> {
    let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { return Parsed::Short(HEADER_BYTES) };
    let header = match header(head) {
        Ok(header) => header,
        Err(what) => return Parsed::Bad(what),
    };
    if header.position != position {
        return Parsed::Bad("a block that belongs elsewhere");
    }
    let size = HEADER_BYTES + header.body_bytes as usize;
    let Some(checked) = bytes.get(12..size) else { return Parsed::Short(size) };
    if crc32c::crc32c_append(salt, checked) != u32::from_le_bytes(four(head, 8)) {
        return Parsed::Bad("the checksum is wrong");
    }
    match bytes.get(HEADER_BYTES..size) {
        Some(body) => Parsed::Whole(header, body),
        None => Parsed::Short(size),
    }
}

/// Reads a header without knowing whether it is true.
pub(crate) fn header(head: &[u8; HEADER_BYTES]) -> Result<Header, &'static str> {
    if head.first_chunk() != Some(&MAGIC) {
        return Err("no block begins here");
    }
    let body_bytes = u32::from_le_bytes(four(head, 4));
    let [shard_low, shard_high, kind, zero] = four(head, 12);
    let kind = BlockKind::from_byte(kind).filter(|_| zero == 0).ok_or("an unknown kind of block")?;
    if body_bytes >= BODY_BYTES_MAX {
        return Err("a block of impossible length");
    }
    Ok(Header {
        shard: u16::from_le_bytes([shard_low, shard_high]),
        kind,
        position: eight(head, 16),
        safe: eight(head, 24),
        body_bytes,
    })
}

/// Four bytes at an offset; zeros where there are none.
pub(crate) fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// A little-endian number at an offset; 0 where there is none.
pub(crate) fn eight(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default())
}
