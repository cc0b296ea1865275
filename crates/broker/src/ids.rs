//! Names for what a broker keeps, small enough to copy anywhere.
//!
//! A slot is used again after its owner is gone; the generation next to it tells the new owner
//! from the old one, so a late answer or a stale subscription is noticed instead of obeyed.

use std::fmt;

/// A shard: one thread's worth of connections and sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShardId(pub u16);

/// A connection within its shard, given by `Shard::open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// Place in the shard's table.
    pub slot: u32,
    /// Which user of that place.
    pub generation: u32,
}

/// A session, seen from any shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRef {
    /// The shard the session lives on.
    pub shard: ShardId,
    /// Place in that shard's session table.
    pub slot: u32,
    /// Which user of that place.
    pub generation: u32,
}

/// Whose clients and topics these are: subscriptions and retained messages never cross from one
/// namespace to another. 0 is that of plain clients; a product of devices has its number, counted from 1.
///
/// The namespace of a session is never another's, so two products may have devices of the same name. Its
/// topics are those of [`Namespace::topics`]: a product whose devices share the topics of plain clients has the
/// top bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Namespace(pub u32);

impl Namespace {
    /// The namespace of plain MQTT clients.
    pub const PLAIN: Namespace = Namespace(0);
    /// The namespace of the server's own sessions: the inboxes.
    pub const INBOX: Namespace = Namespace(u32::MAX);
    /// Set where the devices of a product share the topics of plain clients.
    pub const SHARED_TOPICS: u32 = 1 << 31;

    /// The namespace of a product's devices; `number` counts from 1 and leaves the top bit free.
    /// `shared_topics`: their topics are those of plain clients.
    pub const fn of_product(number: u32, shared_topics: bool) -> Namespace {
        Namespace(if shared_topics { number | Namespace::SHARED_TOPICS } else { number })
    }

    /// The number of the product; `None` for plain clients and the server's own sessions.
    pub const fn product(self) -> Option<u32> {
        match self {
            Namespace::PLAIN | Namespace::INBOX => None,
            Namespace(number) => Some(number & !Namespace::SHARED_TOPICS),
        }
    }

    /// The namespace of the topics that its sessions publish and subscribe to.
    #[inline]
    pub const fn topics(self) -> Namespace {
        if self.0 & Namespace::SHARED_TOPICS != 0 { Namespace::PLAIN } else { self }
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.shard, self.slot, self.generation)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
