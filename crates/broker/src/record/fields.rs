//! Numbers and texts inside a record: LEB128 varints, and bytes with their length before them.

use super::RecordFault;

/// Bytes a varint of 64 bits takes at most.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Appends a varint: seven bits a byte, the lowest first.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes [`put_varint`] takes for this value.
#[inline]
pub(super) const fn varint_size(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is left of a record's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Fields<'a> {
        Fields { rest }
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, RecordFault> {
        let (&byte, rest) = self.rest.split_first().ok_or(RecordFault::Short)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, RecordFault> {
        let mut value = 0_u64;
        for (index, &byte) in self.rest.iter().take(VARINT_BYTES_MAX).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if index + 1 == VARINT_BYTES_MAX && bits > 1 {
                return Err(RecordFault::Number);
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < VARINT_BYTES_MAX { RecordFault::Short } else { RecordFault::Number })
    }

    /// A varint that fits into a narrower type.
    #[inline]
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, RecordFault> {
        T::try_from(self.varint()?).map_err(|_| RecordFault::Number)
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RecordFault> {
        let length: usize = self.narrow()?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(RecordFault::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'a str, RecordFault> {
        str::from_utf8(self.bytes()?).map_err(|_| RecordFault::Text)
    }

    pub(super) fn end(self) -> Result<(), RecordFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(RecordFault::Long) }
    }
}
