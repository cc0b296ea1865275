//! The tree of topic levels, laid out flat.
//!
//! A node knows its parent and its level; one table finds a node by these two and holds nothing
//! but node numbers and bits of hashes. A look-up needs no interned level: the table is asked by
//! parent and text, so going down a level is one probe and one node, and the text that is
//! compared. An only child, as most nodes in a tree of devices are, is a link in its parent and
//! not in the table. `+` is a link of its own. `#` has no node: who subscribes to `a/#` hangs on
//! the second list of `a`. A namespace is a child of nothing.
//!
//! What hangs on a list is a chain of records, each found by its list and session in a second
//! table, so that replacing and ending a subscription take constant time however many sessions
//! share a filter.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hexmq_topic::{SubscriptionFilter, TopicFilter};

use super::group::Group;
use super::levels::Levels;
use super::record::{Kind, Record};
use super::slab::Slab;
use super::table::Table;
use super::{IndexCensus, NewEntry, Subscribed};
use crate::ids::{Namespace, SessionRef};

/// No node, no record.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Tree {
    pub(super) levels: Levels,
    pub(super) nodes: Slab<Node>,
    /// Nodes by parent and level.
    pub(super) edges: Table,
    pub(super) records: Slab<Record>,
    /// Records of plain subscriptions by list and session, those of groups by list and ShareName.
    owners: Table,
    pub(super) groups: Slab<Option<Box<Group>>>,
    shared: usize,
    hasher: FixedState,
}

/// 28 bytes, aligned so that none lies in two cache lines.
#[derive(Clone, Debug)]
#[repr(align(32))]
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

/// One of the two lists of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct List {
    node: u32,
    below: bool,
}

impl Tree {
    pub(super) fn new(seed: u64) -> Tree {
        let hasher = FixedState::with_seed(seed);
        Tree {
            levels: Levels::new(hasher.clone()),
            nodes: Slab::new(),
            edges: Table::new(),
            records: Slab::new(),
            owners: Table::new(),
            groups: Slab::new(),
            shared: 0,
            hasher,
        }
    }

    pub(super) fn census(&self) -> IndexCensus {
        let groups = self.groups.len();
        IndexCensus {
            plain: self.records.len() - groups,
            shared: self.shared,
            groups,
            nodes: self.nodes.len(),
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

    fn subscribe_plain(&mut self, list: List, new: &NewEntry, since: u64) -> Subscribed {
        let hash = self.hash_plain(list, new.session);
        if let Some(record) = self.find_plain(hash, list, new.session).and_then(|id| self.records.get_mut(id))
        {
            record.replace(new);
            return Subscribed::Replaced;
        }
        self.add_record(hash, Record::plain(list, new, since), list);
        Subscribed::New
    }

    fn subscribe_shared(
        &mut self,
        list: List,
        share_name: &str,
        number: u64,
        filter: TopicFilter<'_>,
        new: NewEntry,
        since: u64,
    ) -> Subscribed {
        let hash = self.hash_group(list, share_name);
        let id = match self.find_group(hash, list, share_name) {
            Some(id) => id,
            None => {
                let group = Group::new(number, share_name, filter.as_str());
                let group = self.groups.insert(Some(Box::new(group)));
                self.add_record(hash, Record::group(list, group), list)
            }
        };
        let Some((group, hasher)) = self.group_mut(id) else { return Subscribed::New };
        let done = group.subscribe(new, since, hasher);
        self.shared += usize::from(done == Subscribed::New);
        done
    }

    // Nodes.

    #[inline]
    pub(super) fn root(&self, namespace: Namespace) -> Option<u32> {
        self.edges.find(hash_root(&self.hasher, namespace.0), |id| {
            self.nodes.get(id).is_some_and(|node| node.parent == NONE && node.level == namespace.0)
        })
    }

    /// The child of a node by its text and the hash of that, which an only child does not need.
    #[inline]
    pub(super) fn child(&self, parent: u32, text: &[u8], text_hash: impl FnOnce() -> u64) -> Option<u32> {
        let node = self.nodes.get(parent)?;
        if node.only != NONE {
            return Some(node.only).filter(|&only| self.is_text(only, text));
        }
        if node.children == 0 {
            return None;
        }
        self.find_edge(parent, text, self.hash_edge(parent, text_hash()))
    }

    /// The child in the table, by the hash of its edge.
    #[inline]
    pub(super) fn find_edge(&self, parent: u32, text: &[u8], hash: u64) -> Option<u32> {
        self.edges.find(hash, |id| {
            self.nodes.get(id).is_some_and(|node| node.parent == parent) && self.is_text(id, text)
        })
    }

    #[inline]
    pub(super) fn is_text(&self, id: u32, text: &[u8]) -> bool {
        self.nodes.get(id).is_some_and(|node| self.levels.text(node.level) == text)
    }

    fn find_list(&self, namespace: Namespace, filter: TopicFilter<'_>) -> Option<List> {
        let mut node = self.root(namespace)?;
        for text in levels(filter) {
            node = match text {
                b"#" => return Some(List { node, below: true }),
                b"+" => Some(self.nodes.get(node)?.plus).filter(|&plus| plus != NONE)?,
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
        let id = self.nodes.insert(Node::new(parent, level));
        let Some(above) = self.nodes.get_mut(parent) else { return id };
        above.children += 1;
        if above.children == 1 {
            above.only = id;
            return id;
        }
        // The second child: the first one moves to the table too.
        let first = std::mem::replace(&mut above.only, NONE);
        self.add_edge(first);
        self.add_edge(id);
        id
    }

    fn make_plus(&mut self, parent: u32) -> u32 {
        if let Some(plus) = self.nodes.get(parent).map(|node| node.plus).filter(|&plus| plus != NONE) {
            return plus;
        }
        let plus = self.nodes.insert(Node::new(parent, NONE));
        if let Some(parent) = self.nodes.get_mut(parent) {
            parent.plus = plus;
        }
        plus
    }

    fn add_root(&mut self, namespace: Namespace) -> u32 {
        let id = self.nodes.insert(Node::new(NONE, namespace.0));
        self.edges.insert(hash_root(&self.hasher, namespace.0), id);
        id
    }

    fn add_edge(&mut self, id: u32) {
        if let Some(hash) = self.nodes.get(id).map(|node| self.hash_of_edge(node)) {
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
        while let Some(node) = self.nodes.get(id).filter(|node| node.is_bare()) {
            let Node { parent, level, .. } = *node;
            let is_plus = level == NONE && parent != NONE;
            let is_only = self.nodes.get(parent).is_some_and(|above| above.only == id);
            if !is_plus && !is_only {
                self.edges.remove(self.hash_of_edge(node), id);
            }
            self.nodes.remove(id, Node::new(NONE, NONE));
            if let Some(above) = self.nodes.get_mut(parent) {
                if is_plus {
                    above.plus = NONE;
                } else {
                    above.children -= 1;
                    above.only = if is_only { NONE } else { above.only };
                    self.levels.release(level);
                }
            }
            id = parent;
        }
    }

    // Records.

    fn hash_plain(&self, list: List, session: SessionRef) -> u64 {
        self.hasher.hash_one((list, session))
    }

    fn hash_group(&self, list: List, share_name: &str) -> u64 {
        self.hasher.hash_one((list, share_name))
    }

    fn find_plain(&self, hash: u64, list: List, session: SessionRef) -> Option<u32> {
        let is_it = |id: u32| self.records.get(id).is_some_and(|record| record.is_plain_of(list, session));
        self.owners.find(hash, is_it)
    }

    fn find_group(&self, hash: u64, list: List, share_name: &str) -> Option<u32> {
        let is_it = |id: u32| {
            let Some(record) = self.records.get(id) else { return false };
            record.list() == list
                && group_of(&self.groups, record).is_some_and(|group| *group.share_name == *share_name)
        };
        self.owners.find(hash, is_it)
    }

    fn group_mut(&mut self, record: u32) -> Option<(&mut Group, &FixedState)> {
        let Kind::Group(group) = self.records.get(record)?.kind() else { return None };
        Some((self.groups.get_mut(group)?.as_deref_mut()?, &self.hasher))
    }

    /// Adds a record at the head of its list.
    fn add_record(&mut self, hash: u64, mut record: Record, list: List) -> u32 {
        let head = self.head(list);
        record.next = head;
        let id = self.records.insert(record);
        if let Some(next) = self.records.get_mut(head) {
            next.previous = id;
        }
        self.set_head(list, id);
        self.owners.insert(hash, id);
        id
    }

    fn remove_record(&mut self, hash: u64, id: u32, list: List) {
        self.owners.remove(hash, id);
        let Some(record) = self.records.remove(id, Record::nothing()) else { return };
        if let Kind::Group(group) = record.kind() {
            self.groups.remove(group, None);
        }
        if let Some(next) = self.records.get_mut(record.next) {
            next.previous = record.previous;
        }
        match self.records.get_mut(record.previous) {
            Some(previous) => previous.next = record.next,
            None => self.set_head(list, record.next),
        }
    }

    fn head(&self, list: List) -> u32 {
        self.nodes.get(list.node).map_or(NONE, |node| if list.below { node.below } else { node.exact })
    }

    fn set_head(&mut self, list: List, record: u32) {
        if let Some(node) = self.nodes.get_mut(list.node) {
            *if list.below { &mut node.below } else { &mut node.exact } = record;
        }
    }
}

impl Node {
    pub(super) const fn new(parent: u32, level: u32) -> Node {
        Node { parent, level, children: 0, only: NONE, plus: NONE, exact: NONE, below: NONE }
    }

    fn is_bare(&self) -> bool {
        self.children == 0 && self.plus == NONE && self.exact == NONE && self.below == NONE
    }
}

impl List {
    /// Both parts in 32 bits.
    pub(super) fn pack(self) -> u32 {
        self.node << 1 | u32::from(self.below)
    }

    pub(super) fn unpack(packed: u32) -> List {
        List { node: packed >> 1, below: packed & 1 != 0 }
    }
}

/// Levels are short, as in [`split_level`](super::levels::split_level).
fn levels(filter: TopicFilter<'_>) -> impl Iterator<Item = &[u8]> {
    filter.as_str().as_bytes().split(|&byte| byte == b'/')
}

fn hash_root(hasher: &FixedState, namespace: u32) -> u64 {
    hasher.hash_one((NONE, namespace))
}

pub(super) fn group_of<'g>(groups: &'g Slab<Option<Box<Group>>>, record: &Record) -> Option<&'g Group> {
    match record.kind() {
        Kind::Group(group) => groups.get(group)?.as_deref(),
        Kind::Plain => None,
    }
}
