//! Looking ahead: walks for several topics side by side.
//!
//! Among very many subscriptions a walk waits for memory, not for the processor: each level is a
//! place of the table, then a node, then a record, each known only by the one before. Walks of
//! several topics side by side wait for all of theirs at once, if little but reads stands between
//! the reads. What they come to is remembered for as long as the index does not change.

use std::hint::black_box;
use std::mem::swap;

use super::Match;
use super::cell::Cell;
use super::levels::{Level, split_level};
use super::tree::{NONE, Node, Tree};
use crate::ids::Namespace;

/// Topics that are looked at together: about as many reads as a processor has on the way at once.
pub(crate) const TOGETHER: usize = 16;
/// Nodes of one depth that are followed.
const FOLLOWED: usize = 4 * TOGETHER;
/// Lists of one topic that are remembered.
const LISTS: usize = 8;
/// Bytes of a topic that is looked at.
const TOPIC_BYTES_MAX: usize = 256;

/// What the walks of some topics come to, in one generation of the index.
#[derive(Debug, Default)]
pub struct Foreseen {
    generation: u64,
    namespace: Namespace,
    /// The topics, one behind the other.
    bytes: Vec<u8>,
    topics: Vec<Topic>,
    /// The topic that probably is wanted next: they come in the order in which they were looked at.
    next: usize,
}

/// A topic that was looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Topic {
    /// Where it stands among the bytes.
    begin: usize,
    end: usize,
    /// The heads of the lists it reaches.
    lists: Few<u32, LISTS>,
}

/// As many values as there is place for.
#[derive(Clone, Copy, Debug)]
struct Few<T, const N: usize> {
    values: [T; N],
    len: usize,
    /// There was no place for some, or it is not known whether there are more.
    overflown: bool,
}

/// A topic on its way down.
#[derive(Clone, Copy, Default)]
struct Way<'t> {
    /// What is left of it; `None` behind its last level.
    rest: Option<&'t [u8]>,
    /// The level that is looked for now; `None` behind the last one.
    level: Option<&'t [u8]>,
    /// A leading wildcard does not see it.
    is_dollar: bool,
    lists: Few<u32, LISTS>,
}

/// A node that agrees with a topic so far, or may do so.
#[derive(Clone, Copy)]
struct Reached<'n> {
    /// The topic.
    number: u32,
    id: u32,
    cell: &'n Cell,
    /// The node above, if it was found in the table; [`NONE`] if by a link.
    parent: u32,
    /// Its level, once that was asked for; none for `+`.
    level: Option<&'n Level>,
}

/// A child that is to be found in the table.
#[derive(Clone, Copy, Default)]
struct Sought {
    number: u32,
    parent: u32,
    hash: u64,
}

impl Foreseen {
    /// Forgets what was foreseen but the last topic, which is the one to be received next, and takes these, of which
    /// too long ones are left out. Says how many topics there were.
    pub(super) fn begin(&mut self, generation: u64, namespace: Namespace, topics: &[&[u8]]) -> usize {
        let last = self.topics.pop().filter(|_| self.is_of(generation, namespace));
        (self.generation, self.namespace, self.next) = (generation, namespace, 0);
        let (begin, end) = last.map_or((0, 0), |last| (last.begin, last.end));
        self.bytes.truncate(end);
        self.bytes.drain(..begin);
        self.topics.clear();
        self.topics.extend(last.map(|last| Topic { begin: 0, end: end - begin, ..last }));
        let known = self.topics.len();
        for topic in topics.iter().filter(|topic| topic.len() <= TOPIC_BYTES_MAX).take(TOGETHER) {
            let begin = self.bytes.len();
            self.bytes.extend_from_slice(topic);
            self.topics.push(Topic { begin, end: self.bytes.len(), ..Topic::default() });
        }
        known
    }

    fn is_of(&self, generation: u64, namespace: Namespace) -> bool {
        self.generation == generation && self.namespace == namespace
    }

    /// The heads of the lists a topic reaches; `None` if that is not known of this generation.
    pub(super) fn lists_of(&mut self, generation: u64, namespace: Namespace, topic: &[u8]) -> Option<&[u32]> {
        if !self.is_of(generation, namespace) {
            return None;
        }
        let Foreseen { bytes, topics, next, .. } = self;
        let coming = topics.get(*next..)?;
        let is_it = |known: &Topic| bytes.get(known.begin..known.end) == Some(topic);
        let place = coming.iter().position(is_it)?;
        *next += place + 1;
        coming.get(place).map(|known| &known.lists).filter(|lists| !lists.overflown).map(Few::as_slice)
    }
}

impl Tree {
    /// Walks for the topics of `foreseen` behind the first `known`, level by level and side by side.
    pub(super) fn look_ahead(&self, foreseen: &mut Foreseen, known: usize) {
        let Foreseen { bytes, topics, namespace, .. } = foreseen;
        let Some((id, cell)) = self.root(*namespace).and_then(|id| Some((id, self.cells.get(id)?))) else {
            return;
        };
        let mut ways = [Way::default(); TOGETHER];
        let (mut here, mut next) = (&mut Few::default(), &mut Few::default());
        for ((number, way), topic) in (0..).zip(&mut ways).zip(topics.iter().skip(known)) {
            way.rest = bytes.get(topic.begin..topic.end);
            way.is_dollar = way.rest.is_some_and(|topic| topic.first() == Some(&b'$'));
            here.push(Reached { number, id, cell, parent: NONE, level: None });
        }
        let mut sought = Few::default();
        while here.len > 0 {
            ways.iter_mut().for_each(Way::advance);
            for reached in here.as_slice() {
                if let Some(way) = ways.get_mut(reached.number as usize) {
                    self.step(reached, way, next, &mut sought);
                }
            }
            self.settle(&mut ways, next, &sought);
            if next.overflown || sought.overflown {
                ways.iter_mut().for_each(|way| way.lists.overflown = true);
                break;
            }
            ways.iter_mut().for_each(|way| way.is_dollar = false);
            swap(&mut here, &mut next);
            (next.len, sought.len) = (0, 0);
        }
        let mut read = 0;
        for (topic, way) in topics.iter_mut().skip(known).zip(&ways) {
            topic.lists = way.lists;
            let heads = way.lists.as_slice().iter().filter_map(|&head| self.record(head));
            heads.for_each(|record| read ^= record.next);
        }
        black_box(read);
    }

    /// One node that agrees with a topic so far. The same as a step of [`Tree::matches`].
    #[inline]
    fn step<'n>(
        &'n self,
        reached: &Reached<'n>,
        way: &mut Way<'_>,
        next: &mut Few<Reached<'n>, FOLLOWED>,
        sought: &mut Few<Sought, FOLLOWED>,
    ) {
        let Reached { number, id, .. } = *reached;
        let node = reached.node();
        let Some(level) = way.level else {
            way.lists.push_link(node.exact);
            way.lists.push_link(node.below);
            return;
        };
        // [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
        if !way.is_dollar {
            way.lists.push_link(node.below);
            self.reach(number, node.plus, NONE, next);
        }
        if node.only != NONE {
            self.reach(number, node.only, NONE, next);
        } else if node.children > 0 {
            let hash = self.hash_edge(id, self.levels.hash(level));
            sought.push(Sought { number, parent: id, hash });
        }
    }

    /// Finds out which nodes are the next ones indeed: first the memory of all of them is read, then each is judged.
    #[inline]
    fn settle<'n>(
        &'n self,
        ways: &mut [Way<'_>],
        next: &mut Few<Reached<'n>, FOLLOWED>,
        sought: &Few<Sought, FOLLOWED>,
    ) {
        // Every value read goes in here, or the compiler would see that nobody needs it.
        let mut read = 0;
        sought.as_slice().iter().for_each(|sought| read ^= self.edges.peek(sought.hash));
        for &Sought { number, parent, hash } in sought.as_slice() {
            if let Some(id) = self.edges.guess(hash) {
                self.reach(number, id, parent, next);
            }
        }
        next.as_slice().iter().for_each(|reached| read ^= reached.cell.level());
        for reached in next.as_mut_slice() {
            reached.level = self.levels.get(reached.cell.level());
            read ^= reached.level.map_or(0, Level::peek);
        }
        black_box(read);
        next.retain(|reached| {
            let Reached { number, parent, level, .. } = *reached;
            let (Some(way), Some(level)) = (ways.get_mut(number as usize), level) else { return true };
            let is_it =
                (parent == NONE || parent == reached.cell.parent()) && way.level == Some(level.text());
            // Where another one has its place in the table a walk of its own finds out.
            way.lists.overflown |= !is_it && parent != NONE;
            is_it
        });
    }

    #[inline]
    fn reach<'n>(&'n self, number: u32, id: u32, parent: u32, into: &mut Few<Reached<'n>, FOLLOWED>) {
        if id != NONE
            && let Some(cell) = self.cells.get(id)
        {
            into.push(Reached { number, id, cell, parent, level: None });
        }
    }

    /// [`Tree::matches`], by what was foreseen if that is known.
    pub(super) fn matches_foreseen(
        &self,
        generation: u64,
        namespace: Namespace,
        topic: &str,
        foreseen: &mut Foreseen,
        visit: &mut impl FnMut(Match<'_>),
    ) {
        match foreseen.lists_of(generation, namespace, topic.as_bytes()) {
            Some(lists) => lists.iter().for_each(|&list| self.visit_list(list, visit)),
            None => self.matches(namespace, topic, visit),
        }
    }
}

impl Way<'_> {
    #[inline]
    fn advance(&mut self) {
        let (level, rest) = self.rest.map(split_level).unzip();
        self.level = level;
        self.rest = rest.flatten();
    }
}

impl Reached<'_> {
    #[inline]
    fn node(&self) -> Node {
        self.cell.node(self.id)
    }
}

impl Default for Reached<'_> {
    fn default() -> Self {
        Reached { number: 0, id: NONE, cell: &Cell::NOTHING, parent: NONE, level: None }
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Few { values: [T::default(); N], len: 0, overflown: false }
    }
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    #[inline]
    fn push(&mut self, value: T) {
        match self.values.get_mut(self.len) {
            Some(place) => {
                *place = value;
                self.len += 1;
            }
            None => self.overflown = true,
        }
    }

    /// Keeps those for which `is_it` holds, in their order.
    #[inline]
    fn retain(&mut self, mut is_it: impl FnMut(&T) -> bool) {
        let mut kept = 0;
        for at in 0..self.len {
            if let Some(&value) = self.values.get(at).filter(|value| is_it(value))
                && let Some(place) = self.values.get_mut(kept)
            {
                *place = value;
                kept += 1;
            }
        }
        self.len = kept;
    }

    #[inline]
    fn as_slice(&self) -> &[T] {
        self.values.get(..self.len).unwrap_or_default()
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [T] {
        self.values.get_mut(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Few<u32, N> {
    #[inline]
    fn push_link(&mut self, link: u32) {
        if link != NONE {
            self.push(link);
        }
    }
}
