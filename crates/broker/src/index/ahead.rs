//! Looking ahead: the memory that walks for some topics will need is read for all of them together.
//!
//! Among very many subscriptions a walk waits for memory, not for the processor: each level is a
//! place of the table, then a node, then a record, each known only by the one before. Walks of
//! several topics side by side wait for all of theirs at once, if little but reads stands between
//! the reads. What is found so is only a guess, unchecked and thrown away: the walks that follow
//! decide, and find their memory in the cache.

use std::hint::black_box;

use super::levels::split_level;
use super::tree::{NONE, Tree};
use crate::ids::Namespace;

/// Topics that are looked at together: about as many reads as a processor has on the way at once.
pub(crate) const TOGETHER: usize = 16;
/// Nodes of one depth that are followed; the walks themselves find the others.
const FOLLOWED: usize = 4 * TOGETHER;

/// As many values as there is place for.
struct Few<T> {
    values: [T; FOLLOWED],
    len: usize,
}

/// A topic on its way down.
#[derive(Clone, Copy, Default)]
struct Way<'a> {
    /// What is left of it; `None` behind its last level.
    rest: Option<&'a [u8]>,
    /// The level that is looked for now; `None` behind the last one.
    level: Option<&'a [u8]>,
}

/// A node or the hash of an edge, with the number of the topic it was found for.
type Of<T> = (u8, T);

impl Tree {
    /// Reads what the walks for these topics will probably read.
    pub(super) fn look_ahead(&self, namespace: Namespace, topics: &[&[u8]]) {
        let Some(root) = self.root(namespace) else { return };
        let mut ways = [Way::default(); TOGETHER];
        let mut nodes: Few<Of<u32>> = Few::new();
        let mut next: Few<Of<u32>> = Few::new();
        let mut edges: Few<Of<u64>> = Few::new();
        let mut records: Few<u32> = Few::new();
        for ((number, way), topic) in (0..).zip(&mut ways).zip(topics) {
            way.rest = Some(topic);
            nodes.push((number, root));
        }
        // Every value read goes in here, or the compiler would see that nobody needs it.
        let mut read = 0;
        while nodes.len > 0 {
            ways.iter_mut().for_each(Way::advance);
            for &(number, id) in nodes.as_slice() {
                let (Some(node), Some(way)) = (self.nodes.get(id), ways.get(usize::from(number))) else {
                    continue;
                };
                records.push_link(node.below);
                let Some(level) = way.level else {
                    records.push_link(node.exact);
                    continue;
                };
                if node.plus != NONE {
                    next.push((number, node.plus));
                }
                if node.only != NONE {
                    next.push((number, node.only));
                } else if node.children > 0 {
                    edges.push((number, self.hash_edge(id, self.levels.hash(level))));
                }
            }
            edges.as_slice().iter().for_each(|&(_, hash)| read ^= self.edges.peek(hash));
            for &(number, hash) in edges.as_slice() {
                if let Some(node) = self.edges.guess(hash) {
                    next.push((number, node));
                }
            }
            let read_node = |&(_, id): &Of<u32>| self.nodes.get(id).map_or(0, |node| node.level);
            next.as_slice().iter().for_each(|node| read ^= read_node(node));
            next.as_slice().iter().for_each(|node| read ^= self.levels.peek(read_node(node)));
            let read_record = |&id: &u32| self.records.get(id).map_or(0, |record| record.next);
            records.as_slice().iter().for_each(|record| read ^= read_record(record));
            edges.len = 0;
            records.len = 0;
            nodes.len = 0;
            std::mem::swap(&mut nodes, &mut next);
        }
        black_box(read);
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

impl<T: Copy + Default> Few<T> {
    fn new() -> Few<T> {
        Few { values: [T::default(); FOLLOWED], len: 0 }
    }

    #[inline]
    fn push(&mut self, value: T) {
        if let Some(place) = self.values.get_mut(self.len) {
            *place = value;
            self.len += 1;
        }
    }

    #[inline]
    fn as_slice(&self) -> &[T] {
        self.values.get(..self.len).unwrap_or_default()
    }
}

impl Few<u32> {
    #[inline]
    fn push_link(&mut self, link: u32) {
        if link != NONE {
            self.push(link);
        }
    }
}
