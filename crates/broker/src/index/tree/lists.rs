//! What hangs on the nodes: two lists of records each.
//!
//! A list is a chain of records, each found by its list and session in a table of its own, so that replacing and
//! ending a subscription take constant time however many sessions share a filter. The only record of a node that
//! has nothing else lies in the [cell](crate::index::cell) of the node.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hexmq_topic::TopicFilter;

use super::{NONE, Node, Tree};
use crate::ids::SessionRef;
use crate::index::cell::Cell;
use crate::index::group::Group;
use crate::index::record::{Kind, Record};
use crate::index::slab::Slab;
use crate::index::{NewEntry, Subscribed};

/// One of the two lists of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::index) struct List {
    pub(in crate::index) node: u32,
    pub(in crate::index) below: bool,
}

impl Tree {
    pub(super) fn subscribe_plain(&mut self, list: List, new: &NewEntry, since: u64) -> Subscribed {
        let hash = self.hash_plain(list, new.session);
        if let Some(id) = self.find_plain(hash, list, new.session) {
            self.change_record(id, |record| record.replace(new));
            return Subscribed::Replaced;
        }
        self.add_record(hash, Record::plain(list, new, since), list);
        Subscribed::New
    }

    pub(super) fn subscribe_shared(
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

    pub(super) fn hash_plain(&self, list: List, session: SessionRef) -> u64 {
        self.hasher.hash_one((list, session))
    }

    pub(super) fn hash_group(&self, list: List, share_name: &str) -> u64 {
        self.hasher.hash_one((list, share_name))
    }

    fn hash_of_record(&self, record: &Record) -> Option<u64> {
        match record.kind() {
            Kind::Plain => Some(self.hash_plain(record.list(), record.session())),
            Kind::Group(_) => {
                group_of(&self.groups, record).map(|group| self.hash_group(record.list(), &group.share_name))
            }
        }
    }

    pub(super) fn find_plain(&self, hash: u64, list: List, session: SessionRef) -> Option<u32> {
        let is_it = |id: u32| self.record(id).is_some_and(|record| record.is_plain_of(list, session));
        self.owners.find(hash, is_it)
    }

    pub(super) fn find_group(&self, hash: u64, list: List, share_name: &str) -> Option<u32> {
        let is_it = |id: u32| {
            let Some(record) = self.record(id) else { return false };
            record.list() == list
                && group_of(&self.groups, &record).is_some_and(|group| *group.share_name == *share_name)
        };
        self.owners.find(hash, is_it)
    }

    pub(super) fn group_mut(&mut self, record: u32) -> Option<(&mut Group, &FixedState)> {
        let Kind::Group(group) = self.record(record)?.kind() else { return None };
        Some((self.groups.get_mut(group)?.as_deref_mut()?, &self.hasher))
    }

    /// Adds a record at the head of its list.
    fn add_record(&mut self, hash: u64, mut record: Record, list: List) -> u32 {
        self.records += 1;
        let id = match self.cells.get_mut(list.node) {
            Some(cell) if cell.node(list.node).is_bare() => {
                *cell = cell.leaf(&record);
                list.node
            }
            _ => {
                self.unfold(list.node);
                record.next = self.head(list);
                let id = self.cells.insert(record.into());
                self.change_record(record.next, |next| next.previous = id);
                self.set_head(list, id);
                id
            }
        };
        self.owners.insert(hash, id);
        id
    }

    pub(super) fn remove_record(&mut self, hash: u64, id: u32, list: List) {
        self.owners.remove(hash, id);
        let Some(record) = self.record(id) else { return };
        self.records -= 1;
        if let Kind::Group(group) = record.kind() {
            self.groups.remove(group, None);
        }
        if let Some(leaf) = self.cells.get_mut(id).filter(|cell| cell.is_leaf()) {
            *leaf = Node::new(leaf.parent(), leaf.level()).into();
            return;
        }
        self.cells.remove(id, Cell::NOTHING);
        self.change_record(record.next, |next| next.previous = record.previous);
        match record.previous {
            NONE => self.set_head(list, record.next),
            previous => self.change_record(previous, |previous| previous.next = record.next),
        }
    }

    fn head(&self, list: List) -> u32 {
        self.node(list.node).map_or(NONE, |mut node| *node.head_mut(list))
    }

    fn set_head(&mut self, list: List, record: u32) {
        self.change_node(list.node, |node| *node.head_mut(list) = record);
    }

    #[cold]
    pub(super) fn unfold_leaf(&mut self, id: u32, leaf: Cell) {
        let record = leaf.record(id);
        let own = self.cells.insert(record.into());
        if let Some(hash) = self.hash_of_record(&record) {
            self.owners.remove(hash, id);
            self.owners.insert(hash, own);
        }
        let mut node = Node::new(leaf.parent(), leaf.level());
        *node.head_mut(record.list()) = own;
        if let Some(cell) = self.cells.get_mut(id) {
            *cell = node.into();
        }
    }
}

impl List {
    /// Both parts in 32 bits.
    pub(in crate::index) fn pack(self) -> u32 {
        self.node << 1 | u32::from(self.below)
    }

    pub(in crate::index) fn unpack(packed: u32) -> List {
        List { node: packed >> 1, below: packed & 1 != 0 }
    }
}

pub(in crate::index) fn group_of<'g>(
    groups: &'g Slab<Option<Box<Group>>>,
    record: &Record,
) -> Option<&'g Group> {
    match record.kind() {
        Kind::Group(group) => groups.get(group)?.as_deref(),
        Kind::Plain => None,
    }
}
