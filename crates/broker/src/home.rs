//! Where a session lives.

use std::hash::BuildHasher;

use hexmq_wire::Connect;

use crate::{Namespace, ShardId};

/// What makes a session the same session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Whose clients these are.
    pub namespace: Namespace,
    /// The Client Identifier of a plain client.
    pub identifier: Box<str>,
}

/// The session a CONNECT asks for; `None` when the server assigns the identifier, which any shard
/// does so that the session is at home there.
pub fn claim(connect: &Connect<'_>) -> Option<SessionKey> {
    (!connect.client_identifier.is_empty())
        .then(|| SessionKey { namespace: Namespace::PLAIN, identifier: connect.client_identifier.into() })
}

/// The shard a session lives on. All shards of a server use the same seed.
pub fn home(key: &SessionKey, shards: u16, seed: u64) -> ShardId {
    let hasher = foldhash::quality::FixedState::with_seed(seed);
    let hash = hasher.hash_one((key.namespace, &*key.identifier));
    // The high half times the count: even for counts that are no power of two.
    ShardId((((hash >> 32) * u64::from(shards.max(1))) >> 32) as u16)
}
