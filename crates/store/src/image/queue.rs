//! The queue of a session: places in order, in chunks, so that whatever comes or goes moves little.

use std::collections::VecDeque;
use std::num::NonZeroU16;

/// Entries in a chunk at most.
const CHUNK: usize = 128;

/// No body: taken over, or unknown.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// One message that waits for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: u64,
    position_low: u32,
    position_high: u32,
    /// Its message in the table; [`NO_SLOT`] if it was taken over.
    pub(crate) slot: u32,
    /// The Packet Identifier it was sent with.
    pub(crate) sent: Option<NonZeroU16>,
    /// Bytes of its record; 255 stands for more.
    pub(crate) record_bytes: u8,
    /// PUBREC came.
    pub(crate) taken_over: bool,
}

impl Entry {
    pub(crate) fn new(place: u64, position: u64, record_bytes: usize, slot: u32) -> Entry {
        let record_bytes = u8::try_from(record_bytes).unwrap_or(u8::MAX);
        let mut entry = Entry {
            place,
            position_low: 0,
            position_high: 0,
            slot,
            sent: None,
            record_bytes,
            taken_over: false,
        };
        entry.set_position(position);
        entry
    }

    /// Where its record is.
    pub(crate) fn position(&self) -> u64 {
        u64::from(self.position_high) << 32 | u64::from(self.position_low)
    }

    // In halves, since an entry as a whole is then a multiple of four and not of eight bytes.
    pub(crate) fn set_position(&mut self, position: u64) {
        self.position_low = position as u32;
        self.position_high = (position >> 32) as u32;
    }
}

/// See the head of this file. Empty, it owns no memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// None of them is empty.
    chunks: VecDeque<VecDeque<Entry>>,
    len: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn first(&self) -> Option<&Entry> {
        self.chunks.front()?.front()
    }

    /// The chunk a place is in or would go into.
    fn chunk_of(&self, place: u64) -> usize {
        let is_before = |chunk: &VecDeque<Entry>| chunk.front().is_some_and(|first| first.place <= place);
        // Nearly all come at the end and go at the beginning.
        match self.chunks.back() {
            Some(last) if is_before(last) => self.chunks.len() - 1,
            _ if self.chunks.get(1).is_none_or(|second| !is_before(second)) => 0,
            _ => self.chunks.partition_point(is_before).saturating_sub(1),
        }
    }

    fn find(&self, place: u64) -> Option<(usize, usize)> {
        let at = self.chunk_of(place);
        let chunk = self.chunks.get(at)?;
        if chunk.front().is_some_and(|first| first.place == place) {
            return Some((at, 0));
        }
        let inside = chunk.binary_search_by_key(&place, |entry| entry.place).ok()?;
        Some((at, inside))
    }

    pub(crate) fn get(&self, place: u64) -> Option<&Entry> {
        let (chunk, inside) = self.find(place)?;
        self.chunks.get(chunk)?.get(inside)
    }

    pub(crate) fn get_mut(&mut self, place: u64) -> Option<&mut Entry> {
        let (chunk, inside) = self.find(place)?;
        self.chunks.get_mut(chunk)?.get_mut(inside)
    }

    /// Puts an entry in its place, which must be free.
    pub(crate) fn insert(&mut self, entry: Entry) {
        self.len += 1;
        let at = self.chunk_of(entry.place);
        let Some(chunk) = self.chunks.get_mut(at) else {
            // Most queues are short: no room for more than one chunk yet.
            self.chunks = VecDeque::from([VecDeque::from([entry])]);
            return;
        };
        if chunk.back().is_none_or(|last| last.place < entry.place) {
            if chunk.len() < CHUNK {
                if chunk.len() == chunk.capacity() {
                    // By a half, not to twice as much: there may be a hundred thousand short queues.
                    chunk.reserve_exact((chunk.len() / 2).max(3));
                }
                chunk.push_back(entry);
            } else {
                let mut next = VecDeque::with_capacity(CHUNK);
                next.push_back(entry);
                self.chunks.insert(at + 1, next);
            }
            return;
        }
        let inside = chunk.partition_point(|other| other.place < entry.place);
        chunk.insert(inside, entry);
        if chunk.len() > CHUNK {
            let rest = chunk.split_off(CHUNK / 2);
            self.chunks.insert(at + 1, rest);
        }
    }

    pub(crate) fn remove(&mut self, place: u64) -> Option<Entry> {
        let (at, inside) = self.find(place)?;
        let chunk = self.chunks.get_mut(at)?;
        let entry = chunk.remove(inside)?;
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        if self.len == 0 {
            // A session that has caught up gives its memory back but for a little.
            self.chunks.shrink_to(4);
        }
        Some(entry)
    }

    /// Takes any entry out; for a queue whose session is gone.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let chunk = self.chunks.back_mut()?;
        let entry = chunk.pop_back();
        self.len = self.len.saturating_sub(1);
        if chunk.is_empty() {
            self.chunks.pop_back();
        }
        entry
    }

    /// The entries from a place on.
    pub(crate) fn from(&self, place: u64) -> impl Iterator<Item = &Entry> {
        let at = self.chunk_of(place);
        let inside =
            self.chunks.get(at).map_or(0, |chunk| chunk.partition_point(|entry| entry.place < place));
        self.chunks.range(at.min(self.chunks.len())..).flatten().skip(inside)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_map(steps in prop::collection::vec((0..4_u8, 0..600_u64), 0..1500)) {
            let mut queue = Queue::default();
            let mut model = BTreeMap::new();
            let mut next = 600;
            for (step, place) in steps {
                let place = if step == 0 { next } else { place };
                match step {
                    0 | 1 if !model.contains_key(&place) => {
                        next = next.max(place + 1);
                        let entry = Entry::new(place, place << 20, 10, 1);
                        queue.insert(entry);
                        model.insert(place, entry);
                    }
                    2 => prop_assert_eq!(queue.remove(place), model.remove(&place)),
                    3 => {
                        let first = model.keys().next().copied().unwrap_or_default();
                        prop_assert_eq!(queue.remove(first), model.remove(&first));
                    }
                    _ => prop_assert_eq!(queue.get(place), model.get(&place)),
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.first(), model.values().next());
            }
            for from in [0, 1, 100, 300, 599, 2000] {
                prop_assert!(queue.from(from).eq(model.range(from..).map(|(_, entry)| entry)));
            }
            while queue.pop().is_some() {}
            prop_assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 24);
        assert_eq!(Entry::new(1, u64::MAX - 5, 300, 2).position(), u64::MAX - 5);
    }
}
