//! What a store gives back when a server starts.

use std::num::NonZeroU32;

use hexmq_session::Wall;
use hexmq_wire::{PacketIdentifier, SubscriptionOptions};

use crate::record::{Destination, Serial};
use crate::{Namespace, SessionKey};

/// A session as it was when the server ended. Its messages stay in the store until they are
/// [fetched](crate::Fetch::Queue).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its number.
    pub serial: Serial,
    /// Whose it is.
    pub key: SessionKey,
    /// Session Expiry Interval in seconds; `None`: for ever.
    pub expiry_s: Option<u32>,
    /// When it ends; `None` if it had a connection, or lives for ever.
    pub ends_at: Option<Wall>,
    /// Its subscriptions: filter as sent, options, Subscription Identifier.
    pub subscriptions: Vec<(Box<str>, SubscriptionOptions, Option<NonZeroU32>)>,
    /// Identifiers of QoS 2 messages taken over from the client.
    pub incoming: Vec<PacketIdentifier>,
    /// Its Will, if one is owed.
    pub will: Option<StoredWill>,
    /// Messages that wait, sent and not acknowledged ones included.
    pub waiting: u64,
    /// Bytes of their topics, properties and payloads.
    pub waiting_bytes: u64,
    /// The place of the oldest of them.
    pub first_place: u64,
    /// The place the next message gets: larger than any ever given.
    pub next_place: u64,
}

/// A Will that was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWill {
    /// The encoded [`Record::Message`](crate::Record::Message).
    pub message: Vec<u8>,
    /// Will Delay Interval in seconds.
    pub delay_s: u32,
    /// When it is due; `None` if the session had a connection.
    pub due: Option<Wall>,
    /// Message Expiry Interval in seconds.
    pub expiry_s: Option<u32>,
}

/// A retained message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRetained<'a> {
    /// The number of the message.
    pub serial: Serial,
    /// Whose topic.
    pub namespace: Namespace,
    /// The encoded [`Record::Message`](crate::Record::Message).
    pub message: &'a [u8],
    /// A mark of the client that published it.
    pub publisher: u64,
}

/// A message that was on its way between shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransit {
    /// The number of the message.
    pub serial: Serial,
    /// The encoded [`Record::Message`](crate::Record::Message).
    pub message: Vec<u8>,
    /// To whom it was forwarded.
    pub to: Destination,
}

/// The numbers a store has given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Larger than every [`Serial`] in the store.
    pub next_serial: u64,
    /// Larger than every version of a retained message.
    pub next_version: u64,
    /// The seed of hashes that must stay the same: homes, marks, groups. Random when the store is made.
    pub seed: u64,
}
