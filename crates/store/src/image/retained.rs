//! The retained messages: for each topic, known by its fingerprint alone, the message or that there is none.

use hashbrown::HashTable;
use hexmq_broker::Namespace;

/// 96 bits of a keyed hash stand for a topic, so that a million topics need not be in memory. Two
/// topics share them by chance once in 2^57 pairs of a million stores, and nobody outside knows the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u32; 3]);

/// Makes fingerprints.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprints {
    first: foldhash::quality::FixedState,
    second: foldhash::quality::FixedState,
}

impl Fingerprints {
    pub(crate) fn new(seed: u64) -> Fingerprints {
        Fingerprints {
            first: foldhash::quality::FixedState::with_seed(seed),
            second: foldhash::quality::FixedState::with_seed(!seed.rotate_left(32)),
        }
    }

    pub(crate) fn topic(&self, namespace: Namespace, topic: &str) -> Fingerprint {
        self.of((namespace, topic))
    }

    pub(crate) fn filter(&self, filter: &str) -> Fingerprint {
        self.of(filter)
    }

    fn of(&self, what: impl std::hash::Hash) -> Fingerprint {
        use std::hash::BuildHasher as _;
        let (first, second) = (self.first.hash_one(&what), self.second.hash_one(&what));
        Fingerprint([first as u32, (first >> 32) as u32, second as u32])
    }
}

impl Fingerprint {
    pub(crate) fn folded(self) -> u64 {
        let [low, high, _] = self.0;
        u64::from(high) << 32 | u64::from(low)
    }
}

/// What is known of one topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topic {
    pub(crate) fingerprint: Fingerprint,
    /// Its message in the table of messages; `None`: it was cleared, which is remembered for a while.
    pub(crate) message: Option<Slot>,
    /// The version that counts.
    pub(crate) version: u64,
    /// Where the record that says so is.
    pub(crate) position: u64,
}

/// A slot of [`Messages`](super::messages::Messages), never `u32::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(std::num::NonZeroU32);

impl Slot {
    pub(crate) fn new(slot: u32) -> Option<Slot> {
        std::num::NonZeroU32::new(slot.wrapping_add(1)).map(Slot)
    }

    pub(crate) fn get(self) -> u32 {
        self.0.get() - 1
    }
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    topics: Vec<Topic>,
    index: HashTable<u32>,
    /// How many have a message.
    messages: usize,
}

impl Retained {
    /// How many topics have a message.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// All topics, in no order.
    pub(crate) fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn find(&self, fingerprint: Fingerprint) -> Option<u32> {
        let topics = &self.topics;
        let same = |&at: &u32| topics.get(at as usize).is_some_and(|topic| topic.fingerprint == fingerprint);
        self.index.find(fingerprint.folded(), same).copied()
    }

    pub(crate) fn get(&self, fingerprint: Fingerprint) -> Option<&Topic> {
        self.topics.get(self.find(fingerprint)? as usize)
    }

    /// Puts what is known of a topic in the place of what was.
    pub(crate) fn set(&mut self, topic: Topic) -> Option<Topic> {
        self.messages += usize::from(topic.message.is_some());
        if let Some(place) = self.find(topic.fingerprint).and_then(|at| self.topics.get_mut(at as usize)) {
            let before = std::mem::replace(place, topic);
            self.messages -= usize::from(before.message.is_some());
            return Some(before);
        }
        self.topics.push(topic);
        let at = (self.topics.len() - 1) as u32;
        let topics = &self.topics;
        self.index.insert_unique(topic.fingerprint.folded(), at, |&at| {
            topics.get(at as usize).map_or(0, |topic| topic.fingerprint.folded())
        });
        None
    }

    /// Forgets a topic.
    pub(crate) fn forget(&mut self, fingerprint: Fingerprint) {
        let Some(at) = self.find(fingerprint) else { return };
        if let Ok(entry) = self.index.find_entry(fingerprint.folded(), |&other| other == at) {
            entry.remove();
        }
        if at as usize >= self.topics.len() {
            return;
        }
        let gone = self.topics.swap_remove(at as usize);
        self.messages -= usize::from(gone.message.is_some());
        // The last one has moved into its place.
        let moved = self.topics.len() as u32;
        if let Some(topic) = self.topics.get(at as usize)
            && let Some(place) = self.index.find_mut(topic.fingerprint.folded(), |&other| other == moved)
        {
            *place = at;
        }
    }
}
