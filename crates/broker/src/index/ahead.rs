//! Looking ahead: walks for several topics side by side.
//!
//! Among very many subscriptions a walk waits for memory, not for the processor: each level is a
//! place of the table, then a node, then a record, each known only by the one before. Walks of
//! several topics side by side wait for all of theirs at once, if little but reads stands between
//! the reads. What they come to is remembered for as long as the index does not change.

use std::hint::black_box;

use hexmq_topic::TopicName;

use super::Match;
use super::levels::split_level;
use super::tree::{NONE, Tree};
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
    /// 0: nothing is foreseen.
    generation: u64,
    namespace: Namespace,
    /// The topics, one behind the other.
    bytes: Vec<u8>,
    ends: [usize; TOGETHER],
    lists: [Few<u32, LISTS>; TOGETHER],
    topics: usize,
}

/// As many values as there is place for.
#[derive(Clone, Copy, Debug)]
struct Few<T, const N: usize> {
    values: [T; N],
    len: usize,
    /// There was no place for some.
    overflown: bool,
}

/// A topic on its way down.
#[derive(Clone, Copy, Default)]
struct Way<'a> {
    /// What is left of it; `None` behind its last level.
    rest: Option<&'a [u8]>,
    /// The level that is looked for now; `None` behind the last one.
    level: Option<&'a [u8]>,
    /// A leading wildcard does not see it.
    is_dollar: bool,
}

/// A node that may be the child of another by the level of a topic.
#[derive(Clone, Copy, Default)]
struct Guess {
    number: u8,
    parent: u32,
    /// The node; before it is known, nothing.
    child: u32,
    hash: u64,
}

/// A node, with the number of the topic it was found for.
type Reached = (u8, u32);

impl Foreseen {
    /// Forgets what was foreseen, and takes these topics, of which too long ones are left out.
    pub(super) fn begin(&mut self, namespace: Namespace, topics: &[&[u8]]) {
        self.generation = 0;
        self.namespace = namespace;
        self.bytes.clear();
        self.topics = 0;
        for topic in topics.iter().filter(|topic| topic.len() <= TOPIC_BYTES_MAX) {
            let (Some(end), Some(lists)) = (self.ends.get_mut(self.topics), self.lists.get_mut(self.topics))
            else {
                return;
            };
            self.bytes.extend_from_slice(topic);
            *end = self.bytes.len();
            *lists = Few::default();
            self.topics += 1;
        }
    }

    /// The walks are done, in this generation.
    pub(super) fn end(&mut self, generation: u64) {
        self.generation = generation;
    }

    fn topic(&self, number: usize) -> Option<&[u8]> {
        let begin = number.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(begin..*self.ends.get(number)?)
    }

    /// The heads of the lists a topic reaches; `None` if that is not known of this generation.
    fn lists_of(&self, generation: u64, namespace: Namespace, topic: &[u8]) -> Option<&[u32]> {
        if self.generation != generation || self.namespace != namespace {
            return None;
        }
        let number = (0..self.topics).find(|&number| self.topic(number) == Some(topic))?;
        self.lists.get(number).filter(|lists| !lists.overflown).map(Few::as_slice)
    }
}

impl Tree {
    /// Walks for the topics of `foreseen`, level by level and side by side.
    pub(super) fn look_ahead(&self, foreseen: &mut Foreseen) {
        let Some(root) = self.root(foreseen.namespace) else { return };
        let Foreseen { bytes, ends, lists, topics, .. } = foreseen;
        let mut ways = [Way::default(); TOGETHER];
        let mut nodes: Few<Reached, FOLLOWED> = Few::default();
        let mut begin = 0;
        for ((number, way), &end) in (0..).zip(&mut ways).zip(ends.iter()).take(*topics) {
            let topic = bytes.get(begin..end).unwrap_or_default();
            *way = Way { rest: Some(topic), level: None, is_dollar: topic.first() == Some(&b'$') };
            nodes.push((number, root));
            begin = end;
        }
        let mut next: Few<Reached, FOLLOWED> = Few::default();
        let mut guesses: Few<Guess, FOLLOWED> = Few::default();
        while nodes.len > 0 {
            ways.iter_mut().for_each(Way::advance);
            for &(number, id) in nodes.as_slice() {
                let place = usize::from(number);
                let (Some(way), Some(lists)) = (ways.get(place), lists.get_mut(place)) else { continue };
                self.step(number, id, way, lists, &mut next, &mut guesses);
            }
            self.settle(&mut guesses, &ways, &mut next);
            if next.overflown || guesses.overflown {
                lists.iter_mut().for_each(|lists| lists.overflown = true);
            }
            ways.iter_mut().for_each(|way| way.is_dollar = false);
            (guesses, nodes, next) = (Few::default(), next, Few::default());
        }
        let head = |&head: &u32| self.records.get(head).map_or(0, |record| record.next);
        let lists = lists.iter().flat_map(|lists| lists.as_slice());
        black_box(lists.fold(0, |read, list| read ^ head(list)));
    }

    /// One node that agrees with a topic so far. The same as a step of [`Tree::matches`].
    #[inline]
    fn step(
        &self,
        number: u8,
        id: u32,
        way: &Way<'_>,
        lists: &mut Few<u32, LISTS>,
        next: &mut Few<Reached, FOLLOWED>,
        guesses: &mut Few<Guess, FOLLOWED>,
    ) {
        let Some(node) = self.nodes.get(id) else { return };
        let Some(level) = way.level else {
            lists.push_link(node.exact);
            lists.push_link(node.below);
            return;
        };
        // [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
        if !way.is_dollar {
            lists.push_link(node.below);
            if node.plus != NONE {
                next.push((number, node.plus));
            }
        }
        if node.only != NONE {
            guesses.push(Guess { number, parent: NONE, child: node.only, hash: 0 });
        } else if node.children > 0 {
            let hash = self.hash_edge(id, self.levels.hash(level));
            guesses.push(Guess { number, parent: id, child: NONE, hash });
        }
    }

    /// Finds out which of the guesses are children indeed: first the memory of all of them is read, then each is
    /// judged.
    #[inline]
    fn settle(
        &self,
        guesses: &mut Few<Guess, FOLLOWED>,
        ways: &[Way<'_>],
        next: &mut Few<Reached, FOLLOWED>,
    ) {
        // Every value read goes in here, or the compiler would see that nobody needs it.
        let mut read = 0;
        for guess in guesses.as_slice().iter().filter(|guess| guess.child == NONE) {
            read ^= self.edges.peek(guess.hash);
        }
        for guess in guesses.as_mut_slice().iter_mut().filter(|guess| guess.child == NONE) {
            guess.child = self.edges.guess(guess.hash).unwrap_or(NONE);
        }
        let level_of = |id: u32| self.nodes.get(id).map_or(NONE, |node| node.level);
        guesses.as_slice().iter().for_each(|guess| read ^= level_of(guess.child));
        next.as_slice().iter().for_each(|&(_, id)| read ^= level_of(id));
        guesses.as_slice().iter().for_each(|guess| read ^= self.levels.peek(level_of(guess.child)));
        black_box(read);
        for guess in guesses.as_slice() {
            let Some(level) = ways.get(usize::from(guess.number)).and_then(|way| way.level) else { continue };
            let child = match guess.parent {
                NONE => Some(guess.child).filter(|&only| self.is_text(only, level)),
                parent => self.find_edge(parent, level, guess.hash),
            };
            if let Some(child) = child {
                next.push((guess.number, child));
            }
        }
    }

    /// [`Tree::matches`], by what was foreseen if that is known.
    pub(super) fn matches_foreseen(
        &self,
        generation: u64,
        namespace: Namespace,
        topic: TopicName<'_>,
        foreseen: &Foreseen,
        visit: &mut dyn FnMut(Match<'_>),
    ) {
        match foreseen.lists_of(generation, namespace, topic.as_str().as_bytes()) {
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
