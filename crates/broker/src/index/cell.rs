//! The memory of the tree: cells of 32 bytes, none of which lies in two cache lines. A node is one, and so is what
//! hangs on it; what is made for one filter is made together and mostly lies together, so that a walk that comes to
//! the one does not wait for the other.
//!
//! A node that has nothing but one record is a leaf: both lie in one cell. Most filters of a fleet end in a level
//! that only one device has, and whoever comes to such a node has come to the subscription as well. Whoever asks a
//! leaf for its node gets one on whose list hangs the leaf itself; asked for its record it gives that. Links say
//! what else a cell is.

use super::record::Record;
use super::tree::{List, NONE, Node};

/// A node, a record, or both, as numbers.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Cell([u32; 8]);

/// The last word of a leaf whose record is for its level and all below. A node has 0 there, and a record options
/// of which this would be none.
const LEAF_BELOW: u32 = u32::MAX - 1;
/// The last word of a leaf whose record is for its very level.
const LEAF_EXACT: u32 = u32::MAX;

impl Cell {
    /// One that is not used.
    pub(super) const NOTHING: Cell = Cell([0; 8]);

    /// This node with its only record.
    pub(super) fn leaf(&self, record: &Record) -> Cell {
        let [low, high, slot, generation, options] = record.what();
        let mark = if record.list().below { LEAF_BELOW } else { LEAF_EXACT };
        Cell([self.parent(), self.level(), low, high, slot, generation, options, mark])
    }

    #[inline]
    pub(super) fn is_leaf(&self) -> bool {
        let Cell([.., mark]) = *self;
        mark >= LEAF_BELOW
    }

    /// The node above, if it is a node.
    #[inline]
    pub(super) fn parent(&self) -> u32 {
        let Cell([parent, ..]) = *self;
        parent
    }

    /// The interned level, if it is a node.
    #[inline]
    pub(super) fn level(&self) -> u32 {
        let Cell([_, level, ..]) = *self;
        level
    }

    /// The node, if this cell has that number.
    #[inline]
    pub(super) fn node(&self, id: u32) -> Node {
        let Cell([parent, level, children, only, plus, exact, below, mark]) = *self;
        match mark {
            LEAF_EXACT => Node { exact: id, ..Node::new(parent, level) },
            LEAF_BELOW => Node { below: id, ..Node::new(parent, level) },
            _ => Node { parent, level, children, only, plus, exact, below },
        }
    }

    /// The record, if this cell has that number.
    #[inline]
    pub(super) fn record(&self, id: u32) -> Record {
        let Cell([low, high, slot, generation, list, next, previous, options]) = *self;
        if !self.is_leaf() {
            return Record::of([low, high, slot, generation, options], list, next, previous);
        }
        let Cell([_, _, low, high, slot, generation, options, mark]) = *self;
        let list = List { node: id, below: mark == LEAF_BELOW };
        Record::of([low, high, slot, generation, options], list.pack(), NONE, NONE)
    }
}

impl From<Node> for Cell {
    #[inline]
    fn from(Node { parent, level, children, only, plus, exact, below }: Node) -> Cell {
        Cell([parent, level, children, only, plus, exact, below, 0])
    }
}

impl From<Record> for Cell {
    #[inline]
    fn from(record: Record) -> Cell {
        let [low, high, slot, generation, options] = record.what();
        Cell([low, high, slot, generation, record.list, record.next, record.previous, options])
    }
}
