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

/// A world of topics of its own: subscriptions and retained messages never cross from one
/// namespace to another. 0 is the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Namespace(pub u32);

impl Namespace {
    /// The namespace of plain MQTT clients.
    pub const PLAIN: Namespace = Namespace(0);
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
