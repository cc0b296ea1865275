//! Memory for very many small pieces of bytes of many sizes, each with a label.
//!
//! A shelf holds cells of one size side by side in one piece of memory, and their labels in
//! another; both are touched only as far as they were ever used. Sizes are classes an eighth
//! apart, so a cell wastes less than that. What is too large for a class has a shelf of its own, of
//! exactly its size. A shelf that is emptied is given back, but for one of each class.

/// A piece is found by the number of its shelf and its place there, so there is room for 16 million
/// shelves: 64 GiB of the largest pieces that might have one each.
const PLACE_BITS: u32 = 8;
const PLACES: usize = 1 << PLACE_BITS;
/// Bytes of the cells of one shelf, at most.
const SHELF_BYTES: usize = 16 << 10;
/// Larger pieces have a shelf of their own.
const CELL_MAX: usize = 4096;
/// Classes from a size to its double, as a power of two.
const FINENESS: u32 = 3;
/// Up to here classes are no finer than eight bytes.
const SMALL: usize = 127;

/// Pieces of bytes and their labels.
#[derive(Debug)]
pub(crate) struct Shelves<L> {
    shelves: Vec<Shelf<L>>,
    /// Numbers of shelves that were given back.
    spare: Vec<u32>,
    classes: Vec<Class>,
}

#[derive(Debug)]
struct Shelf<L> {
    labels: Vec<L>,
    cells: Vec<u8>,
    /// Places that were used and are free again.
    free: Vec<u8>,
    /// Bytes of a cell.
    cell: u32,
    /// Its place among the open ones of its class.
    open_at: u32,
}

#[derive(Clone, Debug, Default)]
struct Class {
    /// Shelves with a free place.
    open: Vec<u32>,
    /// Those of them that have nothing but free places.
    empty: u32,
}

impl<L> Default for Shelves<L> {
    fn default() -> Self {
        Shelves { shelves: Vec::new(), spare: Vec::new(), classes: Vec::new() }
    }
}

impl<L> Shelves<L> {
    /// Puts a piece in, made of parts that are `len` bytes together: the number by which it is found.
    pub(crate) fn put<const N: usize>(&mut self, label: L, len: usize, parts: [&[u8]; N]) -> u32 {
        let number = match self.class_mut(len).and_then(|class| class.open.last().copied()) {
            Some(number) => number,
            None => self.add(len),
        };
        let Some(shelf) = self.shelves.get_mut(number as usize) else { return u32::MAX };
        let was_empty = shelf.used() == 0;
        let place = shelf.put(label, parts);
        let is_full = shelf.used() == shelf.places();
        if let Some(class) = self.class_mut(len) {
            class.empty -= u32::from(was_empty);
            if is_full {
                // It is the last one of the open ones.
                class.open.pop();
            }
        }
        number << PLACE_BITS | place as u32
    }

    /// A piece, with whatever lies in the rest of its cell, and its label.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<(&L, &[u8])> {
        let shelf = self.shelves.get((id >> PLACE_BITS) as usize)?;
        let (place, cell) = (id as usize & (PLACES - 1), shelf.cell as usize);
        Some((shelf.labels.get(place)?, shelf.cells.get(place * cell..(place + 1) * cell)?))
    }

    /// The label of a piece.
    #[inline]
    pub(crate) fn label_mut(&mut self, id: u32) -> Option<&mut L> {
        let shelf = self.shelves.get_mut((id >> PLACE_BITS) as usize)?;
        shelf.labels.get_mut(id as usize & (PLACES - 1))
    }

    /// Takes a piece away. It must be there.
    pub(crate) fn clear(&mut self, id: u32) {
        let number = id >> PLACE_BITS;
        let Some(shelf) = self.shelves.get_mut(number as usize) else { return };
        let was_full = shelf.used() == shelf.places();
        shelf.free.push((id as usize & (PLACES - 1)) as u8);
        let (is_empty, len) = (shelf.used() == 0, shelf.cell as usize);
        let Some(class) = self.class_mut(len) else {
            self.give_back(number);
            return;
        };
        class.empty += u32::from(is_empty);
        let (open_at, empty) = (class.open.len() as u32, class.empty);
        if was_full {
            class.open.push(number);
        }
        let Some(shelf) = self.shelves.get_mut(number as usize) else { return };
        if was_full {
            shelf.open_at = open_at;
        }
        if is_empty && empty > 1 {
            self.close(number);
        } else if is_empty {
            shelf.start_anew();
        }
    }

    /// Shelves in use.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.shelves.len() - self.spare.len()
    }

    /// The class of pieces of so many bytes, unless they are too large for any.
    fn class_mut(&mut self, len: usize) -> Option<&mut Class> {
        let index = class_of(len)?;
        if self.classes.len() <= index {
            self.classes.resize(index + 1, Class::default());
        }
        self.classes.get_mut(index)
    }

    /// One more shelf for pieces of so many bytes.
    #[cold]
    fn add(&mut self, len: usize) -> u32 {
        let shelf = Shelf::new(if len > CELL_MAX { len } else { cell_of(len) });
        let number = match self.spare.pop() {
            Some(number) => {
                if let Some(place) = self.shelves.get_mut(number as usize) {
                    *place = shelf;
                }
                number
            }
            None => {
                self.shelves.push(shelf);
                (self.shelves.len() - 1) as u32
            }
        };
        if let Some(class) = self.class_mut(len) {
            class.empty += 1;
            class.open.push(number);
            let open_at = class.open.len() - 1;
            if let Some(shelf) = self.shelves.get_mut(number as usize) {
                shelf.open_at = open_at as u32;
            }
        }
        number
    }

    /// Strikes an empty shelf from its class and gives it back.
    #[cold]
    fn close(&mut self, number: u32) {
        let Some(&Shelf { open_at, cell, .. }) = self.shelves.get(number as usize) else { return };
        if let Some(class) = self.class_mut(cell as usize) {
            class.empty -= 1;
            class.open.swap_remove(open_at as usize);
            let moved = class.open.get(open_at as usize).copied();
            if let Some(moved) = moved.and_then(|moved| self.shelves.get_mut(moved as usize)) {
                moved.open_at = open_at;
            }
        }
        self.give_back(number);
    }

    fn give_back(&mut self, number: u32) {
        if let Some(shelf) = self.shelves.get_mut(number as usize) {
            *shelf = Shelf::nothing();
            self.spare.push(number);
        }
    }
}

impl<L> Shelf<L> {
    fn nothing() -> Shelf<L> {
        Shelf { labels: Vec::new(), cells: Vec::new(), free: Vec::new(), cell: 0, open_at: 0 }
    }

    fn new(cell: usize) -> Shelf<L> {
        let shelf = Shelf { cell: cell as u32, ..Shelf::nothing() };
        let places = shelf.places();
        Shelf { labels: Vec::with_capacity(places), cells: Vec::with_capacity(places * cell), ..shelf }
    }

    fn places(&self) -> usize {
        match self.cell as usize {
            cell @ 1..=CELL_MAX => (SHELF_BYTES / cell).min(PLACES),
            _ => 1,
        }
    }

    fn used(&self) -> usize {
        self.labels.len() - self.free.len()
    }

    /// Puts a piece into a free place.
    fn put<const N: usize>(&mut self, label: L, parts: [&[u8]; N]) -> usize {
        let Some(place) = self.free.pop().map(usize::from) else {
            let place = self.labels.len();
            self.labels.push(label);
            parts.iter().for_each(|part| self.cells.extend_from_slice(part));
            self.cells.resize((place + 1) * self.cell as usize, 0);
            return place;
        };
        if let Some(old) = self.labels.get_mut(place) {
            *old = label;
        }
        let mut at = place * self.cell as usize;
        for part in parts {
            if let Some(room) = self.cells.get_mut(at..at + part.len()) {
                room.copy_from_slice(part);
            }
            at += part.len();
        }
        place
    }

    /// Nothing is left: it is filled from the beginning again.
    fn start_anew(&mut self) {
        self.labels.clear();
        self.cells.clear();
        self.free.clear();
    }
}

/// How far the sizes of classes near this one are apart, as a power of two.
#[inline]
fn step_of(last: usize) -> u32 {
    (last | SMALL).ilog2() - FINENESS
}

/// The number of the class of pieces of so many bytes; `None`: they are too large for any.
#[inline]
fn class_of(len: usize) -> Option<usize> {
    let last = len.saturating_sub(1);
    let step = step_of(last);
    (len <= CELL_MAX).then_some(((step - step_of(0)) << FINENESS) as usize + (last >> step))
}

/// Bytes of a cell of that class.
#[inline]
fn cell_of(len: usize) -> usize {
    let last = len.saturating_sub(1);
    ((last >> step_of(last)) + 1) << step_of(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_class_has_one_size_and_wastes_less_than_an_eighth() {
        let mut before = (0, 8);
        for len in 1..=CELL_MAX {
            let (class, cell) = (class_of(len).expect("there is one"), cell_of(len));
            assert_eq!((class_of(cell), cell_of(cell)), (Some(class), cell), "a cell is of its own class");
            assert!(cell >= len && cell - len < 8.max(len / 8 + 1), "{len} in {cell}");
            assert!((class, cell) == before || class == before.0 + 1 && cell > before.1, "{len}");
            before = (class, cell);
        }
        assert_eq!((class_of(0), cell_of(0)), (Some(0), 8));
        assert_eq!(class_of(CELL_MAX + 1), None);
    }

    #[test]
    fn what_was_emptied_is_given_back() {
        let mut shelves = Shelves::default();
        let ids: Vec<u32> = (0..10_000_u32).map(|n| shelves.put(n, 79, [&[7; 79]])).collect();
        let large = shelves.put(0, 5000, [&[7; 5000]]);
        assert_eq!(shelves.len(), 10_000_usize.div_ceil(SHELF_BYTES / 80) + 1);
        shelves.clear(large);
        ids.into_iter().for_each(|id| shelves.clear(id));
        assert_eq!(shelves.len(), 1, "one for what comes next");
        let held: usize = shelves.shelves.iter().map(|shelf| shelf.cells.capacity()).sum();
        assert!(held <= SHELF_BYTES, "{held} bytes");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn agrees_with_a_list(
            steps in prop::collection::vec((0..5_usize, 0..10_000_usize, any::<bool>()), 1..800)
        ) {
            let sizes = [3, 79, 800, 4096, 4097];
            let mut shelves = Shelves::default();
            let mut list: Vec<(u32, u64, usize)> = Vec::new();
            for (number, (size, pick, put)) in steps.into_iter().enumerate() {
                if put || list.is_empty() {
                    let (len, number) = (sizes[size], number as u64);
                    let bytes = vec![number as u8; len];
                    let (head, tail) = bytes.split_at(len / 3);
                    list.push((shelves.put(number, len, [head, tail]), number, len));
                } else {
                    let (id, ..) = list.swap_remove(pick % list.len());
                    shelves.clear(id);
                }
            }
            for &(id, number, len) in &list {
                let (label, cell) = shelves.get(id).expect("it is there");
                prop_assert_eq!(*label, number);
                prop_assert!(cell[..len].iter().all(|&byte| byte == number as u8));
            }
            list.into_iter().for_each(|(id, ..)| shelves.clear(id));
            prop_assert!(shelves.len() < sizes.len());
            for class in &shelves.classes {
                prop_assert!(class.open.len() == class.empty as usize && class.empty <= 1);
            }
        }
    }
}
