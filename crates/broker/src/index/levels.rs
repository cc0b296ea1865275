//! Interned topic levels: each text is kept once, under a number, as long as a node uses it.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::slab::Slab;
use super::table::Table;

/// Longest text kept without memory of its own: fills the level up to 24 bytes.
const SHORT: usize = 18;

#[derive(Debug)]
pub(super) struct Levels {
    texts: Slab<Level>,
    /// Numbers of `texts` by their text.
    table: Table,
    hasher: FixedState,
}

#[derive(Debug)]
pub(super) enum Level {
    Short { uses: u32, len: u8, text: [u8; SHORT] },
    Long { uses: u32, text: Box<[u8]> },
}

/// The first level of a topic, and what stands behind its `/`. Levels are short: a loop over bytes is
/// faster than a search made for long texts.
#[inline]
pub(super) fn split_level(topic: &[u8]) -> (&[u8], Option<&[u8]>) {
    match topic.iter().position(|&byte| byte == b'/') {
        Some(at) => (topic.get(..at).unwrap_or_default(), topic.get(at + 1..)),
        None => (topic, None),
    }
}

impl Levels {
    pub(super) fn new(hasher: FixedState) -> Levels {
        Levels { texts: Slab::new(), table: Table::new(), hasher }
    }

    /// Different texts in use.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    #[inline]
    pub(super) fn hash(&self, text: &[u8]) -> u64 {
        self.hasher.hash_one(text)
    }

    /// The text of a number.
    #[inline]
    pub(super) fn text(&self, id: u32) -> &[u8] {
        self.texts.get(id).map_or(&[], Level::text)
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Level> {
        self.texts.get(id)
    }

    /// The number of a text with this hash, counting one more use of it.
    pub(super) fn acquire(&mut self, text: &[u8], hash: u64) -> u32 {
        if let Some(id) = self.table.find(hash, |id| self.text(id) == text) {
            if let Some(level) = self.texts.get_mut(id) {
                *level.uses() += 1;
            }
            return id;
        }
        let id = self.texts.insert(Level::new(text));
        self.table.insert(hash, id);
        id
    }

    /// Counts one use less and frees a text no longer used.
    pub(super) fn release(&mut self, id: u32) {
        let Some(level) = self.texts.get_mut(id) else { return };
        let uses = level.uses();
        *uses -= 1;
        if *uses == 0 {
            let hash = self.hasher.hash_one(level.text());
            self.table.remove(hash, id);
            self.texts.remove(id, Level::new(b""));
        }
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

    /// Reads the memory a comparison with its text would read first.
    #[inline]
    pub(super) fn peek(&self) -> u32 {
        matches!(self, Level::Short { .. }).into()
    }

    #[inline]
    pub(super) fn text(&self) -> &[u8] {
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
