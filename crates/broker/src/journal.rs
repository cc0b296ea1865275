//! The durable store, as the shards see it.

use std::sync::Arc;

use crate::{Serial, SessionRef, ShardId};

/// Keeps commits. Called on the shards' threads: no call waits.
///
/// A commit is the [`Record`](crate::Record)s of one turn of one shard, encoded one behind the other. After a crash a
/// commit is there whole or not at all, and never without those of the same shard before it, nor
/// without those of other shards that were handed over before.
pub trait Journal: Send + Sync + 'static {
    /// Who is to hear of what becomes of the commits. Called once, before the first commit.
    fn attach(&self, listener: Arc<dyn Listener>);
    /// Takes the commit of a turn and gives its number; a shard's numbers are 1, 2, 3 …
    /// `records` is empty afterwards and may have other memory.
    fn commit(&self, shard: ShardId, records: &mut Vec<u8>) -> u64;
    /// Reads back. The answer comes through [`Listener::fetched`]; it knows the commits handed over
    /// before, except those that could not be written yet.
    fn fetch(&self, shard: ShardId, fetch: Fetch);
    /// What it can do now. Costs as much as reading a variable.
    fn condition(&self) -> Condition;
}

/// Hears from a [`Journal`], on its thread: no call waits.
pub trait Listener: Send + Sync + 'static {
    /// All commits of this shard up to this number are as safe as the server promises.
    fn safe(&self, shard: ShardId, commit: u64);
    /// What a shard asked for.
    fn fetched(&self, shard: ShardId, fetched: Fetched);
    /// [`Journal::condition`] has changed.
    fn condition(&self, condition: Condition);
}

/// What a journal can do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// It keeps up.
    #[default]
    Well,
    /// More waits to be written than it should: read on only from who adds nothing.
    Behind,
    /// It cannot write (full, read-only, failing) and tries again from time to time. What was handed over
    /// waits and is not lost while the server runs.
    Stuck,
}

/// A question for what is only in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// The oldest messages that wait for a session.
    Queue {
        /// Who asks.
        session: SessionRef,
        /// The number of the session.
        serial: Serial,
        /// Only messages with this place or a later one.
        from_place: u64,
        /// So many messages at most, at least one.
        messages_max: u32,
        /// So many bytes of records at most, but at least one message.
        bytes_max: u64,
    },
    /// Message bodies.
    Bodies {
        /// Who asks.
        session: SessionRef,
        /// Which; at most 256.
        messages: Vec<Serial>,
    },
}

/// The answer to a [`Fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Who asked.
    pub session: SessionRef,
    /// Which question.
    pub what: FetchKind,
    /// Encoded records. For a queue, in the order of places, for each message:
    /// [`Record::Message`](crate::Record::Message) unless it stands earlier in the same answer or was
    /// taken over, [`Record::Queued`](crate::Record::Queued) with its identifier if it was sent, and
    /// [`Record::TakenOver`](crate::Record::TakenOver) if it was. For bodies: `Message` records in the order
    /// asked for; those that are gone are left out.
    pub records: Vec<u8>,
}

/// Which [`Fetch`] was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchKind {
    /// [`Fetch::Queue`].
    Queue,
    /// [`Fetch::Bodies`].
    Bodies,
}
