//! The sessions of a shard by their key. It holds slots only: the key stands in the session.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::SessionKey;
use crate::session::Session;
use crate::slots::Slots;

/// Where a session is found again.
#[derive(Debug)]
pub(crate) struct Directory {
    slots: HashTable<u32>,
    hasher: foldhash::quality::FixedState,
}

impl Directory {
    pub(crate) fn new(seed: u64) -> Directory {
        Directory { slots: HashTable::new(), hasher: foldhash::quality::FixedState::with_seed(seed) }
    }

    /// A number by which a client is known again without its name.
    pub(crate) fn mark(&self, key: &SessionKey) -> u64 {
        self.hasher.hash_one(key).max(1)
    }

    pub(crate) fn find(&self, key: &SessionKey, sessions: &Slots<Session>) -> Option<u32> {
        let same = |&slot: &u32| sessions.at(slot).is_some_and(|session| session.key == *key);
        self.slots.find(self.hasher.hash_one(key), same).copied()
    }

    /// Lists a session that is in the table and not in the directory yet.
    pub(crate) fn insert(&mut self, slot: u32, sessions: &Slots<Session>) {
        let Directory { slots, hasher } = self;
        let hash_of = |slot: u32| sessions.at(slot).map_or(0, |session| hasher.hash_one(&session.key));
        slots.insert_unique(hash_of(slot), slot, |&slot| hash_of(slot));
    }

    /// Strikes out a session whose key was this.
    pub(crate) fn remove(&mut self, slot: u32, key: &SessionKey) {
        if let Ok(listed) = self.slots.find_entry(self.hasher.hash_one(key), |&listed| listed == slot) {
            listed.remove();
        }
    }
}
