//! The messages of the store: where each body is, how large it is, and how many refer to it.

use hashbrown::HashTable;

/// Where the record of a message is that was referred to but not seen yet.
const UNKNOWN: u64 = u64::MAX;
/// Live bytes of a message besides its body, about.
const OVERHEAD: u64 = 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) serial: u64,
    /// Where its record is; [`UNKNOWN`].
    position: u64,
    /// Bytes of topic, properties and payload.
    pub(crate) size: u32,
    /// How many refer to it. In a free slot: the next free slot.
    refs: u32,
}

impl Body {
    /// Where its record is, if it was seen.
    pub(crate) fn position(&self) -> Option<u64> {
        (self.position != UNKNOWN).then_some(self.position)
    }

    /// What it counts for in the log.
    pub(crate) fn live_bytes(&self) -> u64 {
        u64::from(self.size) + OVERHEAD
    }
}

/// A table of slots, found by their serial.
#[derive(Debug)]
pub(crate) struct Messages {
    bodies: Vec<Body>,
    index: HashTable<u32>,
    /// The first free slot; `u32::MAX`: none.
    free: u32,
    seed: u64,
    /// The last one looked up: what refers to a message comes right behind it.
    last: (u64, u32),
}

/// Serials count up, and messages that come together are asked for together: blocks of 64 serials lie side by
/// side in the table, and the blocks are spread over it. A live set with one message in each block, however
/// strangers arrange that, is found in a few steps more.
#[inline]
fn hash(serial: u64, seed: u64) -> u64 {
    const WITHIN: u64 = 63;
    let product = u128::from((serial | WITHIN) ^ seed) * 0x9e37_79b9_7f4a_7c15_u128;
    let spread = (product >> 64) as u64 ^ product as u64;
    // The table tells the entries of a neighbourhood apart by the highest bits.
    (spread & !WITHIN | serial & WITHIN) ^ (serial << 57)
}

impl Messages {
    pub(crate) fn new(seed: u64) -> Messages {
        Messages { bodies: Vec::new(), index: HashTable::new(), free: u32::MAX, seed, last: (0, u32::MAX) }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Body> {
        self.bodies.get(slot as usize)
    }

    #[inline]
    pub(crate) fn find(&self, serial: u64) -> Option<u32> {
        if self.last.0 == serial && self.last.1 != u32::MAX {
            return Some(self.last.1);
        }
        let bodies = &self.bodies;
        self.index
            .find(hash(serial, self.seed), |&slot| {
                bodies.get(slot as usize).is_some_and(|body| body.serial == serial)
            })
            .copied()
    }

    /// The slot of a message, made if there is none; somebody refers to it from now on.
    #[inline]
    pub(crate) fn refer(&mut self, serial: u64) -> u32 {
        let slot = match self.find(serial) {
            Some(slot) => slot,
            None => self.insert(serial),
        };
        if let Some(body) = self.bodies.get_mut(slot as usize) {
            body.refs = body.refs.saturating_add(1);
        }
        self.last = (serial, slot);
        slot
    }

    fn insert(&mut self, serial: u64) -> u32 {
        let body = Body { serial, position: UNKNOWN, size: 0, refs: 0 };
        let slot = match self.bodies.get_mut(self.free as usize) {
            Some(place) => {
                let slot = std::mem::replace(&mut self.free, place.refs);
                *place = body;
                slot
            }
            None => {
                self.bodies.push(body);
                (self.bodies.len() - 1) as u32
            }
        };
        let (bodies, seed) = (&self.bodies, self.seed);
        self.index.insert_unique(hash(serial, seed), slot, |&slot| {
            bodies.get(slot as usize).map_or(0, |body| hash(body.serial, seed))
        });
        slot
    }

    /// Says where a message is; gives what was known before.
    #[inline]
    pub(crate) fn place(&mut self, slot: u32, position: u64, size: u32) -> Option<Body> {
        let body = self.bodies.get_mut(slot as usize)?;
        let before = *body;
        body.position = position;
        body.size = size;
        before.position().is_some().then_some(before)
    }

    /// One reference less; the body if it was the last.
    #[inline]
    pub(crate) fn release(&mut self, slot: u32) -> Option<Body> {
        let body = self.bodies.get_mut(slot as usize)?;
        body.refs = body.refs.saturating_sub(1);
        if body.refs > 0 {
            return None;
        }
        let gone = *body;
        let bodies = &self.bodies;
        let found = self.index.find_entry(hash(gone.serial, self.seed), |&other| other == slot);
        if let Ok(entry) = found {
            entry.remove();
        }
        debug_assert!(!bodies.is_empty());
        if let Some(body) = self.bodies.get_mut(slot as usize) {
            body.refs = self.free;
            self.free = slot;
        }
        if self.last.1 == slot {
            self.last = (0, u32::MAX);
        }
        Some(gone)
    }

    /// Gives memory back when most of it is not used any more.
    pub(crate) fn tidy(&mut self) {
        if self.index.is_empty() && self.bodies.capacity() > 1 << 16 {
            *self = Messages::new(self.seed);
        }
    }
}
