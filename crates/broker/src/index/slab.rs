//! Numbered places in pieces of fixed size: growing copies nothing and wastes at most one piece.

const PIECE_BITS: u32 = 12;
const PIECE: usize = 1 << PIECE_BITS;
/// Places kept when none is in use.
const FEW: usize = 8;

/// Values under 32-bit numbers that are used again once freed.
#[derive(Debug)]
pub(super) struct Slab<T> {
    pieces: Vec<Vec<T>>,
    free: Vec<u32>,
    len: usize,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { pieces: Vec::new(), free: Vec::new(), len: 0 }
    }

    /// Values in use.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.get_mut(id) {
                *place = value;
            }
            return id;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            // The first piece grows as it needs to: most brokers are small.
            let capacity = if self.pieces.is_empty() { 0 } else { PIECE };
            self.pieces.push(Vec::with_capacity(capacity));
        }
        let before = (self.pieces.len() - 1) << PIECE_BITS;
        match self.pieces.last_mut() {
            Some(piece) => {
                piece.push(value);
                (before + piece.len() - 1) as u32
            }
            None => 0,
        }
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.pieces.get((id >> PIECE_BITS) as usize)?.get(id as usize & (PIECE - 1))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.pieces.get_mut((id >> PIECE_BITS) as usize)?.get_mut(id as usize & (PIECE - 1))
    }

    /// Frees a place and leaves `rest` in it. Once nothing is in use all memory is given back but a little, which
    /// is for those whose only value comes and goes.
    pub(super) fn remove(&mut self, id: u32, rest: T) -> Option<T> {
        let value = std::mem::replace(self.get_mut(id)?, rest);
        self.len -= 1;
        if self.len == 0 {
            self.pieces.truncate(1);
            if let Some(first) = self.pieces.first_mut() {
                first.clear();
                first.shrink_to(FEW);
            }
            self.free = Vec::new();
        } else {
            self.free.push(id);
        }
        Some(value)
    }
}
