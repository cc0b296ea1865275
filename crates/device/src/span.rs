//! A place in bytes.

/// A run of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub offset: usize,
    /// Bytes; 0 for a place where something is missing.
    pub length: usize,
}

impl Span {
    /// `length` bytes from `offset` on.
    pub const fn new(offset: usize, length: usize) -> Span {
        Span { offset, length }
    }

    /// From `offset` up to and without `end`; empty if `end` lies before.
    pub const fn between(offset: usize, end: usize) -> Span {
        Span { offset, length: end.saturating_sub(offset) }
    }

    /// The byte behind the last one.
    pub const fn end(self) -> usize {
        self.offset.saturating_add(self.length)
    }

    /// The same bytes, counted from a start that lies `by` bytes earlier.
    #[must_use]
    pub const fn shifted(self, by: usize) -> Span {
        Span { offset: self.offset.saturating_add(by), length: self.length }
    }

    /// The bytes themselves; what lies outside of `bytes` is left out.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let end = self.end().min(bytes.len());
        bytes.get(self.offset..end).unwrap_or_default()
    }
}
