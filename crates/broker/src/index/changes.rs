//! When filters changed, by how they begin.
//!
//! A topic matches a filter only if it begins with the levels of the filter that stand before its first
//! wildcard. So what was found for a topic stays true until a filter changes that begins as the topic does,
//! however many others come and go. A change is noted under the beginning of its filter, [`LEVELS`] at most; a
//! topic looks under each beginning of its own. Beginnings may share a place: then the change of one makes the
//! others be looked up anew, and no more than that.

use std::hash::BuildHasher;
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::FixedState;
use hexmq_topic::TopicFilter;

use super::levels::split_level;
use crate::ids::Namespace;

/// Levels of a beginning at most.
const LEVELS: usize = 3;
/// Beginnings that are told apart at best: 32 KiB.
const PLACES: usize = 1 << 12;

/// For each beginning the generation of the index in which a filter with it changed last.
#[derive(Debug)]
pub(super) struct Changes {
    places: Box<[AtomicU64]>,
    hasher: FixedState,
}

/// The places of the beginnings of a topic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beginnings([u16; LEVELS + 1]);

impl Changes {
    /// Everything changed in this generation.
    pub(super) fn new(seed: u64, generation: u64) -> Changes {
        let places = iter::repeat_with(|| AtomicU64::new(generation)).take(PLACES).collect();
        Changes { places, hasher: FixedState::with_seed(seed) }
    }

    /// A filter changed, which is not yet told by the generation of the index: whoever sees that one sees this
    /// too, since the one is stored with [`Ordering::Release`] after this and loaded with [`Ordering::Acquire`]
    /// before [`Changes::since`] is asked.
    pub(super) fn note(&self, namespace: Namespace, filter: TopicFilter<'_>, generation: u64) {
        // A wildcard is a whole level.
        let is_literal = |beginning: &&[u8]| !matches!(beginning.last(), Some(b'+' | b'#'));
        let literal = beginnings(filter.as_str().as_bytes()).take_while(is_literal).last();
        let place = self.place(namespace, literal.unwrap_or_default());
        if let Some(place) = self.places.get(usize::from(place)) {
            place.store(generation, Ordering::Relaxed);
        }
    }

    pub(super) fn beginnings(&self, namespace: Namespace, topic: &str) -> Beginnings {
        let mut places = Beginnings([self.place(namespace, b""); LEVELS + 1]);
        for (place, beginning) in places.0.iter_mut().zip(beginnings(topic.as_bytes())) {
            *place = self.place(namespace, beginning);
        }
        places
    }

    /// Whether a filter may have changed after this generation that matches a topic with these beginnings.
    ///
    /// The present generation of the index was loaded before, so no change up to that one is missed here. A younger
    /// one that is seen already only makes the answer a careful one.
    #[inline]
    pub(super) fn since(&self, generation: u64, beginnings: &Beginnings) -> bool {
        let latest = |&place: &u16| self.places.get(usize::from(place)).map(|at| at.load(Ordering::Relaxed));
        beginnings.0.iter().any(|place| latest(place).is_none_or(|latest| latest > generation))
    }

    fn place(&self, namespace: Namespace, beginning: &[u8]) -> u16 {
        (self.hasher.hash_one((namespace, beginning)) as usize % PLACES) as u16
    }
}

/// Nothing, the first level, the first two, and so on.
fn beginnings(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    let ends = iter::from_fn(move || {
        let (_, behind) = split_level(rest?);
        rest = behind;
        Some(text.len() - behind.map_or(0, |behind| behind.len() + 1))
    });
    iter::once(0).chain(ends).take(LEVELS + 1).map(|end| text.get(..end).unwrap_or_default())
}
