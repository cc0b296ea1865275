//! Interned topic levels: each text is kept once, under a number, as long as a node uses it.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::slab::Slab;

/// Longest text kept without memory of its own: fills the level up to 24 bytes.
const SHORT: usize = 18;

#[derive(Debug)]
pub(super) struct Levels {
    texts: Slab<Level>,
    /// Numbers of `texts` by their text.
    table: HashTable<u32>,
    hasher: FixedState,
}

#[derive(Debug)]
enum Level {
    Short { uses: u32, len: u8, text: [u8; SHORT] },
    Long { uses: u32, text: Box<[u8]> },
}

impl Levels {
    pub(super) fn new(hasher: FixedState) -> Levels {
        Levels { texts: Slab::new(), table: HashTable::new(), hasher }
    }

    /// Different texts in use.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    #[inline]
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        let text = text.as_bytes();
        self.table.find(self.hasher.hash_one(text), |&id| self.is(id, text)).copied()
    }

    /// The number of a text, counting one more use of it.
    pub(super) fn acquire(&mut self, text: &str) -> u32 {
        if let Some(id) = self.find(text) {
            if let Some(level) = self.texts.get_mut(id) {
                *level.uses() += 1;
            }
            return id;
        }
        let bytes = text.as_bytes();
        let id = self.texts.insert(Level::new(bytes));
        let (texts, hasher) = (&self.texts, &self.hasher);
        let hash_of = |&id: &u32| hasher.hash_one(texts.get(id).map_or(&[][..], Level::text));
        self.table.insert_unique(hasher.hash_one(bytes), id, hash_of);
        id
    }

    /// Counts one use less and frees a text no longer used.
    pub(super) fn release(&mut self, id: u32) {
        let Some(level) = self.texts.get_mut(id) else { return };
        let uses = level.uses();
        *uses -= 1;
        if *uses > 0 {
            return;
        }
        let hash = self.hasher.hash_one(level.text());
        if let Ok(found) = self.table.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        self.texts.remove(id, Level::new(b""));
        if self.table.is_empty() {
            self.table = HashTable::new();
        }
    }

    #[inline]
    fn is(&self, id: u32, text: &[u8]) -> bool {
        self.texts.get(id).is_some_and(|level| level.text() == text)
    }
}

impl Level {
    fn new(bytes: &[u8]) -> Level {
        let mut text = [0; SHORT];
        match text.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Level::Short { uses: 1, len: bytes.len() as u8, text }
            }
            None => Level::Long { uses: 1, text: bytes.into() },
        }
    }

    #[inline]
    fn text(&self) -> &[u8] {
        match self {
            Level::Short { len, text, .. } => text.get(..usize::from(*len)).unwrap_or_default(),
            Level::Long { text, .. } => text,
        }
    }

    fn uses(&mut self) -> &mut u32 {
        match self {
            Level::Short { uses, .. } | Level::Long { uses, .. } => uses,
        }
    }
}
