//! Places that are used again, with a generation that tells the new user from the old one.

const PIECE_BITS: u32 = 6;
const PIECE: usize = 1 << PIECE_BITS;

/// A table of values by slot. It grows by pieces of fixed size: nothing is copied, and no more is
/// held than is needed but for one piece.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    pieces: Vec<Vec<Place<T>>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { pieces: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Slots<T> {
    /// What a value takes in the table.
    pub(crate) const PLACE_BYTES: usize = size_of::<Place<T>>();

    /// Puts a value into a free place: its slot and generation.
    pub(crate) fn insert(&mut self, value: T) -> (u32, u32) {
        self.len += 1;
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.place_mut(slot)
        {
            place.value = Some(value);
            return (slot, place.generation);
        }
        let place = Place { generation: 0, value: Some(value) };
        match self.pieces.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(place),
            None => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(place);
                self.pieces.push(piece);
            }
        }
        let before = (self.pieces.len() - 1) << PIECE_BITS;
        let last = self.pieces.last().map_or(0, |piece| piece.len() - 1);
        ((before + last) as u32, 0)
    }

    #[inline]
    fn place(&self, slot: u32) -> Option<&Place<T>> {
        self.pieces.get((slot >> PIECE_BITS) as usize)?.get(slot as usize & (PIECE - 1))
    }

    #[inline]
    fn place_mut(&mut self, slot: u32) -> Option<&mut Place<T>> {
        self.pieces.get_mut((slot >> PIECE_BITS) as usize)?.get_mut(slot as usize & (PIECE - 1))
    }

    /// The value, whoever's it is.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&T> {
        self.place(slot)?.value.as_ref()
    }

    /// The value, whoever's it is.
    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.place_mut(slot)?.value.as_mut()
    }

    /// The value, if it is still the one of that generation.
    #[inline]
    pub(crate) fn get(&self, slot: u32, generation: u32) -> Option<&T> {
        self.place(slot).filter(|place| place.generation == generation)?.value.as_ref()
    }

    /// The value, if it is still the one of that generation.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32, generation: u32) -> Option<&mut T> {
        self.place_mut(slot).filter(|place| place.generation == generation)?.value.as_mut()
    }

    /// The value, whoever's it is, and its generation.
    #[inline]
    pub(crate) fn current_mut(&mut self, slot: u32) -> Option<(u32, &mut T)> {
        let place = self.place_mut(slot)?;
        Some((place.generation, place.value.as_mut()?))
    }

    /// The generation of a place.
    pub(crate) fn generation(&self, slot: u32) -> u32 {
        self.place(slot).map_or(0, |place| place.generation)
    }

    /// Takes the value out and frees the place for the next generation.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let place = self.place_mut(slot)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        self.len -= 1;
        Some(value)
    }

    /// Values in the table.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Slots in use, in order.
    pub(crate) fn slots(&self) -> Vec<u32> {
        let used = |(slot, place): (usize, &Place<T>)| place.value.is_some().then_some(slot as u32);
        self.pieces.iter().flatten().enumerate().filter_map(used).collect()
    }
}
