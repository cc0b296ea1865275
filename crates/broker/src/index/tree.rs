//! The tree of topic levels, laid out flat.
//!
//! Nodes, and the records that hang on them, are [cells](super::cell) of one slab.
//! A node knows its parent and its level; one table finds a node by these two and holds nothing
//! but node numbers and bits of hashes. A look-up needs no interned level: the table is asked by
//! parent and text, so going down a level is one probe and one node, and the text that is
//! compared. An only child, as most nodes in a tree of devices are, is a link in its parent and
//! not in the table. `+` is a link of its own. `#` has no node: who subscribes to `a/#` hangs on
//! the second list of `a`. A namespace is a child of nothing.

mod lists;

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hexmq_topic::{SubscriptionFilter, TopicFilter};

pub(super) use lists::{List, group_of};

use super::cell::Cell;
use super::group::Group;
use super::levels::Levels;
use super::record::Record;
use super::slab::Slab;
use super::table::Table;
use super::{IndexCensus, NewEntry, Subscribed};
use crate::ids::{Namespace, SessionRef};

/// No node, no record.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Tree {
    pub(super) levels: Levels,
    pub(super) cells: Slab<Cell>,
    /// Nodes by parent and level.
    pub(super) edges: Table,
    nodes: usize,
    records: usize,
    /// Records of plain subscriptions by list and session, those of groups by list and ShareName.
    owners: Table,
    pub(super) groups: Slab<Option<Box<Group>>>,
    shared: usize,
    hasher: FixedState,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The node above; [`NONE`] for the root of a namespace.
    pub(super) parent: u32,
    /// The interned level; the namespace for a root; [`NONE`] for `+`.
    pub(super) level: u32,
    /// Children, `+` not counted.
    pub(super) children: u32,
    /// The only child there has been since there was none; such a child has no edge in the table.
    pub(super) only: u32,
    /// The child `+`.
    pub(super) plus: u32,
    /// First record of those subscribed to this very level.
    pub(super) exact: u32,
    /// First record of those subscribed to this level and all below it, with `#`.
    pub(super) below: u32,
}

impl Tree {
    pub(super) fn new(seed: u64) -> Tree {
        let hasher = FixedState::with_seed(seed);
        Tree {
            levels: Levels::new(hasher.clone()),
            cells: Slab::new(),
            edges: Table::new(),
            nodes: 0,
            records: 0,
            owners: Table::new(),
            groups: Slab::new(),
            shared: 0,
            hasher,
        }
    }

    pub(super) fn census(&self) -> IndexCensus {
        let groups = self.groups.len();
        IndexCensus {
            plain: self.records - groups,
            shared: self.shared,
            groups,
            nodes: self.nodes,
            levels: self.levels.len(),
        }
    }

    pub(super) fn subscribe(
        &mut self,
        namespace: Namespace,
        filter: SubscriptionFilter<'_>,
        new: NewEntry,
        since: u64,
    ) -> Subscribed {
        let list = self.make_list(namespace, filter.filter);
        match filter.share_name {
            Some(share_name) => {
                let id = self.hasher.hash_one((namespace.0, share_name, filter.filter.as_str())).max(1);
                self.subscribe_shared(list, share_name, id, filter.filter, new, since)
            }
            None => self.subscribe_plain(list, &new, since),
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        namespace: Namespace,
        filter: SubscriptionFilter<'_>,
        session: SessionRef,
    ) -> bool {
        let Some(list) = self.find_list(namespace, filter.filter) else { return false };
        let (hash, id) = match filter.share_name {
            Some(share_name) => {
                let hash = self.hash_group(list, share_name);
                let Some(id) = self.find_group(hash, list, share_name) else { return false };
                let Some(group) = self.group_mut(id) else { return false };
                if !group.0.unsubscribe(session, group.1) {
                    return false;
                }
                let empty = group.0.members.is_empty();
                self.shared -= 1;
                if !empty {
                    return true;
                }
                (hash, id)
            }
            None => {
                let hash = self.hash_plain(list, session);
                let Some(id) = self.find_plain(hash, list, session) else { return false };
                (hash, id)
            }
        };
        self.remove_record(hash, id, list);
        self.prune(list.node);
        true
    }

    // Cells.

    #[inline]
    pub(super) fn node(&self, id: u32) -> Option<Node> {
        self.cells.get(id).map(|cell| cell.node(id))
    }

    #[inline]
    pub(super) fn record(&self, id: u32) -> Option<Record> {
        self.cells.get(id).map(|cell| cell.record(id))
    }

    /// Changes a node, which is a leaf no longer; [`NONE`] is no node.
    fn change_node(&mut self, id: u32, change: impl FnOnce(&mut Node)) {
        self.unfold(id);
        if let Some(cell) = self.cells.get_mut(id) {
            let mut node = cell.node(id);
            change(&mut node);
            *cell = node.into();
        }
    }

    /// Changes a record; of a leaf only what it is, not where it hangs. [`NONE`] is no record.
    fn change_record(&mut self, id: u32, change: impl FnOnce(&mut Record)) {
        if let Some(cell) = self.cells.get_mut(id) {
            let mut record = cell.record(id);
            change(&mut record);
            *cell = match cell.is_leaf() {
                true => cell.leaf(&record),
                false => record.into(),
            };
        }
    }

    /// Gives the record of a leaf a cell of its own.
    #[inline]
    fn unfold(&mut self, id: u32) {
        if let Some(&leaf) = self.cells.get(id).filter(|cell| cell.is_leaf()) {
            self.unfold_leaf(id, leaf);
        }
    }

    fn add_node(&mut self, parent: u32, level: u32) -> u32 {
        self.nodes += 1;
        self.cells.insert(Node::new(parent, level).into())
    }

    // Nodes.

    #[inline]
    pub(super) fn root(&self, namespace: Namespace) -> Option<u32> {
        self.edges.find(hash_root(&self.hasher, namespace.0), |id| {
            self.cells.get(id).is_some_and(|root| root.parent() == NONE && root.level() == namespace.0)
        })
    }

    /// The child of a node by its text and the hash of that, which an only child does not need.
    #[inline]
    pub(super) fn child(&self, parent: u32, text: &[u8], text_hash: impl FnOnce() -> u64) -> Option<u32> {
        let node = self.node(parent)?;
        if node.only != NONE {
            let only = self.cells.get(node.only)?;
            return (self.levels.text(only.level()) == text).then_some(node.only);
        }
        if node.children == 0 {
            return None;
        }
        self.find_edge(parent, text, self.hash_edge(parent, text_hash()))
    }

    /// The child in the table, by the hash of its edge.
    #[inline]
    pub(super) fn find_edge(&self, parent: u32, text: &[u8], hash: u64) -> Option<u32> {
        let is_it = |cell: &Cell| cell.parent() == parent && self.levels.text(cell.level()) == text;
        self.edges.find(hash, |id| self.cells.get(id).is_some_and(is_it))
    }

    fn find_list(&self, namespace: Namespace, filter: TopicFilter<'_>) -> Option<List> {
        let mut node = self.root(namespace)?;
        for text in levels(filter) {
            node = match text {
                b"#" => return Some(List { node, below: true }),
                b"+" => Some(self.node(node)?.plus).filter(|&plus| plus != NONE)?,
                _ => self.child(node, text, || self.levels.hash(text))?,
            };
        }
        Some(List { node, below: false })
    }

    fn make_list(&mut self, namespace: Namespace, filter: TopicFilter<'_>) -> List {
        let mut node = match self.root(namespace) {
            Some(root) => root,
            None => self.add_root(namespace),
        };
        for text in levels(filter) {
            node = match text {
                b"#" => return List { node, below: true },
                b"+" => self.make_plus(node),
                _ => self.make_child(node, text),
            };
        }
        List { node, below: false }
    }

    fn make_child(&mut self, parent: u32, text: &[u8]) -> u32 {
        let text_hash = self.levels.hash(text);
        if let Some(child) = self.child(parent, text, || text_hash) {
            return child;
        }
        let level = self.levels.acquire(text, text_hash);
        let id = self.add_node(parent, level);
        let Some(Node { children, only, .. }) = self.node(parent) else { return id };
        self.change_node(parent, |above| {
            above.children = children + 1;
            above.only = if children == 0 { id } else { NONE };
        });
        if children > 0 {
            // The second child: the first one moves to the table too.
            self.add_edge(only);
            self.add_edge(id);
        }
        id
    }

    fn make_plus(&mut self, parent: u32) -> u32 {
        if let Some(plus) = self.node(parent).map(|node| node.plus).filter(|&plus| plus != NONE) {
            return plus;
        }
        let plus = self.add_node(parent, NONE);
        self.change_node(parent, |parent| parent.plus = plus);
        plus
    }

    fn add_root(&mut self, namespace: Namespace) -> u32 {
        let id = self.add_node(NONE, namespace.0);
        self.edges.insert(hash_root(&self.hasher, namespace.0), id);
        id
    }

    fn add_edge(&mut self, id: u32) {
        if let Some(hash) = self.node(id).map(|node| self.hash_of_edge(&node)) {
            self.edges.insert(hash, id);
        }
    }

    #[inline]
    pub(super) fn hash_edge(&self, parent: u32, text_hash: u64) -> u64 {
        self.hasher.hash_one((parent, text_hash))
    }

    fn hash_of_edge(&self, node: &Node) -> u64 {
        match node.parent {
            NONE => hash_root(&self.hasher, node.level),
            parent => self.hash_edge(parent, self.levels.hash(self.levels.text(node.level))),
        }
    }

    /// Frees a node nobody needs, then those above it that nobody needs any more.
    fn prune(&mut self, mut id: u32) {
        while let Some(node) = self.node(id).filter(Node::is_bare) {
            let Node { parent, level, .. } = node;
            let is_plus = level == NONE && parent != NONE;
            let is_only = self.node(parent).is_some_and(|above| above.only == id);
            if !is_plus && !is_only {
                self.edges.remove(self.hash_of_edge(&node), id);
            }
            self.cells.remove(id, Cell::NOTHING);
            self.nodes -= 1;
            if parent != NONE && !is_plus {
                self.levels.release(level);
            }
            self.change_node(parent, |above| {
                if is_plus {
                    above.plus = NONE;
                } else {
                    above.children -= 1;
                    above.only = if is_only { NONE } else { above.only };
                }
            });
            id = parent;
        }
    }
}

impl Node {
    pub(super) const fn new(parent: u32, level: u32) -> Node {
        Node { parent, level, children: 0, only: NONE, plus: NONE, exact: NONE, below: NONE }
    }

    /// The head of one of its lists.
    fn head_mut(&mut self, list: List) -> &mut u32 {
        if list.below { &mut self.below } else { &mut self.exact }
    }

    fn is_bare(&self) -> bool {
        self.children == 0 && self.plus == NONE && self.exact == NONE && self.below == NONE
    }
}

/// Levels are short, as in [`split_level`](super::levels::split_level).
fn levels(filter: TopicFilter<'_>) -> impl Iterator<Item = &[u8]> {
    filter.as_str().as_bytes().split(|&byte| byte == b'/')
}

fn hash_root(hasher: &FixedState, namespace: u32) -> u64 {
    hasher.hash_one((NONE, namespace))
}
