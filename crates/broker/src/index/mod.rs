//! Who subscribes to what: one index of all subscriptions, shared by all shards.
//!
//! A tree of topic levels per namespace, kept flat: levels are interned, a node is a few numbers,
//! and all edges live in one table of node numbers. What is not used any more is
//! freed at once, so churn leaves nothing behind. See [`tree`] for the layout.
//!
//! Every change gives the index a new generation. A match says which generation it saw, and a
//! subscription says in which one it began, so that a receiver can tell a message that was
//! matched before its subscription existed.

mod ahead;
mod cell;
mod changes;
mod group;
mod levels;
mod record;
mod slab;
mod table;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use hexmq_topic::{SubscriptionFilter, TopicName};
use hexmq_wire::{QoS, SubscriptionOptions};

pub use ahead::Foreseen;
pub(crate) use ahead::TOGETHER;
pub(crate) use changes::Beginnings;
pub use group::{Group, Member};

use crate::ids::{Namespace, SessionRef};
use crate::room::Room;
use changes::Changes;
use tree::Tree;

/// The subscription index.
#[derive(Debug)]
pub struct Index {
    tree: RwLock<Tree>,
    /// Changed only while the tree is locked for writing.
    generation: AtomicU64,
    changes: Changes,
}

/// A subscription as it is found by a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub session: SessionRef,
    /// The largest QoS it is granted.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// The Subscription Identifier of the SUBSCRIBE that made it, 1 to 268,435,455.
    pub subscription_identifier: Option<NonZeroU32>,
    /// The session outlives its connection, and its messages a crash.
    pub stored: bool,
    /// The generation of the index in which it began; a replacement keeps it.
    pub since: u64,
}

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Whose it is.
    pub session: SessionRef,
    /// Its options.
    pub options: SubscriptionOptions,
    /// The Subscription Identifier of the SUBSCRIBE.
    pub subscription_identifier: Option<NonZeroU32>,
    /// The session outlives its connection, and its messages a crash.
    pub stored: bool,
    /// For a shared subscription: where the session shows whether it can take a message.
    pub room: Option<Room>,
}

/// What a subscribe did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// The session had no subscription with this filter.
    New,
    /// It had; its options are the new ones now. [V4 MQTT-3.8.4-3, V5 MQTT-3.8.4-3]
    Replaced,
}

/// One thing a topic matched.
#[derive(Clone, Copy, Debug)]
pub enum Match<'a> {
    /// A subscription of one session.
    Plain(&'a Entry),
    /// A shared subscription: one of its members is to get the message. [V5 MQTT-4.8.2-4]
    Shared(&'a Group),
}

/// How much the index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexCensus {
    /// Subscriptions that are not shared.
    pub plain: usize,
    /// Members of shared subscriptions.
    pub shared: usize,
    /// Shared subscriptions: different pairs of ShareName and filter.
    pub groups: usize,
    /// Nodes of the tree; none is left when there are no subscriptions.
    pub nodes: usize,
    /// Different topic levels; none is left when there are no subscriptions.
    pub levels: usize,
}

impl Index {
    /// An empty index, hashing with `seed`: topics are chosen by strangers.
    pub fn new(seed: u64) -> Index {
        let generation = 1;
        Index {
            tree: RwLock::new(Tree::new(seed)),
            generation: AtomicU64::new(generation),
            changes: Changes::new(seed, generation),
        }
    }

    /// The present generation. It grows with every change.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes or replaces a subscription.
    pub fn subscribe(
        &self,
        namespace: Namespace,
        filter: SubscriptionFilter<'_>,
        entry: NewEntry,
    ) -> Subscribed {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let since = self.generation.load(Ordering::Relaxed) + 1;
        let done = tree.subscribe(namespace, filter, entry, since);
        self.tell(namespace, filter, since);
        done
    }

    /// Ends a subscription; whether there was one.
    pub fn unsubscribe(
        &self,
        namespace: Namespace,
        filter: SubscriptionFilter<'_>,
        session: SessionRef,
    ) -> bool {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let found = tree.unsubscribe(namespace, filter, session);
        if found {
            self.tell(namespace, filter, self.generation.load(Ordering::Relaxed) + 1);
        }
        found
    }

    /// A filter has changed; the tree is still locked for writing.
    fn tell(&self, namespace: Namespace, filter: SubscriptionFilter<'_>, generation: u64) {
        self.changes.note(namespace, filter.filter, generation);
        self.generation.store(generation, Ordering::Release);
    }

    /// How this topic begins, for [`Index::changed_since`].
    pub(crate) fn beginnings(&self, namespace: Namespace, topic: &str) -> Beginnings {
        self.changes.beginnings(namespace, topic)
    }

    /// Whether what a topic with these beginnings matches may be another in the present generation, which was asked
    /// for before, than in an earlier one.
    #[inline]
    pub(crate) fn changed_since(&self, generation: u64, beginnings: &Beginnings) -> bool {
        self.changes.since(generation, beginnings)
    }

    /// Whether what a topic matched in an earlier generation is what it matches now.
    #[inline]
    pub(crate) fn is_unchanged(&self, generation: u64, namespace: Namespace, topic: &str) -> bool {
        self.generation() == generation || !self.changed_since(generation, &self.beginnings(namespace, topic))
    }

    /// Visits every subscription a topic matches and gives the generation in which it did so.
    /// A session whose filters overlap is visited once for each of them.
    ///
    /// The index is locked for reading meanwhile: the visitor must not change it.
    pub fn matches(
        &self,
        namespace: Namespace,
        topic: TopicName<'_>,
        visit: &mut impl FnMut(Match<'_>),
    ) -> u64 {
        let tree = self.read();
        tree.matches(namespace, topic.as_str(), visit);
        // Read under the lock, so no change can have come between the walk and this.
        self.generation.load(Ordering::Relaxed)
    }

    /// Walks for these topics, 16 at most, side by side, and remembers what they come to in `foreseen` for
    /// [`Index::matches_foreseen`]. Changes nothing.
    pub fn look_ahead(&self, namespace: Namespace, topics: &[&[u8]], foreseen: &mut Foreseen) {
        let tree = self.read();
        // Read under the lock, so no change can come between this and the walks.
        let known = foreseen.begin(self.generation.load(Ordering::Relaxed), namespace, topics);
        tree.look_ahead(foreseen, known);
    }

    /// [`Index::matches`] without a walk, if the topic was foreseen and the index has not changed since. The topic
    /// was judged where it came from: this is asked for every message.
    pub fn matches_foreseen(
        &self,
        namespace: Namespace,
        topic: &str,
        foreseen: &mut Foreseen,
        visit: &mut impl FnMut(Match<'_>),
    ) -> u64 {
        let tree = self.read();
        let generation = self.generation.load(Ordering::Relaxed);
        tree.matches_foreseen(generation, namespace, topic, foreseen, visit);
        generation
    }

    /// Subscriptions, members of shared ones included.
    pub fn len(&self) -> usize {
        let census = self.census();
        census.plain + census.shared
    }

    /// Whether there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the index holds.
    pub fn census(&self) -> IndexCensus {
        self.read().census()
    }

    // A poisoned lock means that a visitor panicked while reading; the tree itself is whole.
    fn read(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }
}
