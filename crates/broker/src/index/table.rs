//! A hash table of 32-bit numbers, for keys that are kept elsewhere.
//!
//! Each place holds 32 bits of the hash next to the number, so a look-up touches one piece of
//! memory before it touches the key, and growing reads no keys at all. Places are in the order of
//! their hashes: a search ends at the first larger one, and growing is one pass. The table is cut
//! into segments that grow one at a time, so that no single insertion pays for all the others,
//! while everybody waits for the lock.

/// Segments; which one is said by the low bits of the hash, the place in it by the high ones.
const SEGMENTS: usize = 64;
const EMPTY: u64 = u64::MAX;
/// Places of a segment in use at most, of eight.
const LOAD: usize = 6;
const SMALLEST: usize = 8;

#[derive(Debug)]
pub(super) struct Table {
    segments: Box<[Segment]>,
    len: usize,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    /// Hash and number, or [`EMPTY`]. Longer than `homes` where the last ones spilled over.
    places: Vec<u64>,
    /// Places a hash can point to.
    homes: usize,
    len: usize,
}

impl Table {
    pub(super) fn new() -> Table {
        Table { segments: vec![Segment::default(); SEGMENTS].into(), len: 0 }
    }

    /// The number under this hash for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let segment = self.segments.get(segment_of(hash))?;
        let tag = tag_of(hash);
        let from = segment.home(tag);
        for &place in segment.places.get(from..)? {
            match (place >> 32).cmp(&tag) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal if is_it(place as u32) => return Some(place as u32),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    /// Reads the place where a search for this hash would begin.
    #[inline]
    pub(super) fn peek(&self, hash: u64) -> u32 {
        let place = self
            .segments
            .get(segment_of(hash))
            .and_then(|segment| segment.places.get(segment.home(tag_of(hash))));
        place.map_or(0, |&place| place as u32)
    }

    /// The first number under this hash, or under one that is the same in 32 bits.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a number that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        let Some(segment) = self.segments.get_mut(segment_of(hash)) else { return };
        if segment.len >= segment.homes / 8 * LOAD {
            segment.grow();
        }
        segment.put(tag_of(hash) << 32 | u64::from(number));
        self.len += 1;
    }

    /// Takes a number out. An empty table gives its memory back.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        let Some(segment) = self.segments.get_mut(segment_of(hash)) else { return };
        if !segment.take(tag_of(hash) << 32 | u64::from(number)) {
            return;
        }
        self.len -= 1;
        if segment.len == 0 {
            *segment = Segment::default();
        }
    }
}

impl Segment {
    /// Where the search for a hash begins. The order of homes is the order of hashes.
    #[inline]
    fn home(&self, tag: u64) -> usize {
        ((tag * self.homes as u64) >> 32) as usize
    }

    /// Puts a value before the first larger one, moving those behind it up to the next gap.
    fn put(&mut self, value: u64) {
        let mut carried = value;
        let mut at = self.home(value >> 32);
        while let Some(place) = self.places.get_mut(at) {
            if *place > carried {
                std::mem::swap(place, &mut carried);
            }
            if carried == EMPTY {
                break;
            }
            at += 1;
        }
        if carried != EMPTY {
            self.places.push(carried);
        }
        self.len += 1;
    }

    /// Takes a value out and moves those behind it back that are not at home.
    fn take(&mut self, value: u64) -> bool {
        let from = self.home(value >> 32);
        let after = self.places.get(from..).unwrap_or_default();
        let Some(found) = after.iter().take_while(|&&place| place <= value).position(|&place| place == value)
        else {
            return false;
        };
        let mut gap = from + found;
        while let Some(&next) =
            self.places.get(gap + 1).filter(|&&next| next != EMPTY && self.home(next >> 32) <= gap)
        {
            self.set(gap, next);
            gap += 1;
        }
        self.set(gap, EMPTY);
        self.len -= 1;
        true
    }

    fn set(&mut self, at: usize, value: u64) {
        if let Some(place) = self.places.get_mut(at) {
            *place = value;
        }
    }

    /// Half as large again. Values come in the order of their hashes and find their places so.
    fn grow(&mut self) {
        // A multiple of eight, for the load to be counted without loss.
        let homes = (self.homes + self.homes / 2).next_multiple_of(8).max(SMALLEST);
        let old = std::mem::take(&mut self.places);
        *self = Segment { places: vec![EMPTY; homes], homes, len: 0 };
        for value in old.into_iter().filter(|&value| value != EMPTY) {
            self.put(value);
        }
    }
}

fn segment_of(hash: u64) -> usize {
    hash as usize & (SEGMENTS - 1)
}

/// 32 bits of the hash, never all ones: so no value is [`EMPTY`].
#[inline]
fn tag_of(hash: u64) -> u64 {
    (hash >> 32).min(u64::from(u32::MAX) - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Few different hashes, so that places run over each other and over the end.
        #[test]
        fn agrees_with_a_set(changes in prop::collection::vec((any::<bool>(), 0..12_u64, 0..200_u32), 1..2000)) {
            let hash_of = |high: u64, number: u32| (high * 0x1745_d174 + u64::from(number % 7)) << 32;
            let mut table = Table::new();
            let mut model = BTreeSet::new();
            for (insert, high, number) in changes {
                let hash = hash_of(high, number);
                let known = table.find(hash, |other| other == number).is_some();
                prop_assert_eq!(known, model.contains(&(hash, number)));
                if insert && !known {
                    table.insert(hash, number);
                    model.insert((hash, number));
                } else {
                    table.remove(hash, number);
                    model.remove(&(hash, number));
                }
                prop_assert_eq!(table.len, model.len());
            }
            for &(hash, number) in &model {
                prop_assert_eq!(table.find(hash, |other| other == number), Some(number));
                table.remove(hash, number);
            }
            prop_assert!(table.segments.iter().all(|segment| segment.places.capacity() == 0));
        }
    }
}
