//! What a session, a message or a retained topic must outlive a crash with, as a list of changes.
//!
//! A shard hands each change to [`Sink::persist`](crate::Sink::persist) in the turn it happens; a
//! store keeps them in order. Whoever applies them in that order has the durable state, whether it
//! is the store of a running server or of one that starts again.

mod code;
mod fields;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use hexmq_session::Wall;
use hexmq_wire::{PacketIdentifier, QoS, SubscriptionOptions};

use crate::{Message, Namespace, ShardId};

pub use code::{MESSAGE_OVERHEAD_MAX, RecordError, RecordFault, RecordReader};

/// The number of a stored session or message. Never 0, and never used twice in one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(pub u64);

/// One change of durable state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record<'a> {
    /// A session exists, on these terms; replaces what was said of its terms before.
    Session {
        /// The session.
        session: Serial,
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier.
        identifier: &'a str,
        /// Session Expiry Interval in seconds, never 0; `None`: for ever.
        expiry_s: Option<u32>,
        /// When it ends, while it has no connection; `None` while it has one, or for ever.
        ends_at: Option<Wall>,
    },
    /// A session is over, with everything that was said of it.
    SessionEnded {
        /// The session.
        session: Serial,
    },
    /// A subscription is made or replaced.
    Subscribed {
        /// The session.
        session: Serial,
        /// The filter as sent, `$share/…` included.
        filter: &'a str,
        /// Its options.
        options: SubscriptionOptions,
        /// Subscription Identifier.
        identifier: Option<NonZeroU32>,
    },
    /// A subscription is ended.
    Unsubscribed {
        /// The session.
        session: Serial,
        /// The filter as sent.
        filter: &'a str,
    },
    /// A message others refer to. It lives as long as somebody does. What refers to it first stands in
    /// the same commit.
    Message {
        /// Its number.
        serial: Serial,
        /// The message; its publisher is not kept.
        message: Message<'a>,
    },
    /// A message waits for a session from now on.
    Queued {
        /// The session.
        session: Serial,
        /// Its place: messages are sent in the order of their places. Grows within a session.
        place: u64,
        /// The message.
        message: Serial,
        /// How it is sent.
        terms: QueuedTerms<'a>,
        /// The Packet Identifier it goes out with at once, as if [`Record::Sent`] followed.
        sent: Option<PacketIdentifier>,
    },
    /// A queued message was given this Packet Identifier and goes out.
    Sent {
        /// The session.
        session: Serial,
        /// Its place.
        place: u64,
        /// The identifier.
        identifier: PacketIdentifier,
    },
    /// PUBREC came for a QoS 2 message: PUBREL is owed, the body is not needed any more.
    TakenOver {
        /// The session.
        session: Serial,
        /// Its place.
        place: u64,
    },
    /// A queued message is delivered or dropped.
    Done {
        /// The session.
        session: Serial,
        /// Its place.
        place: u64,
    },
    /// A QoS 2 message from the client was taken over: its identifier is in use until PUBREL.
    Incoming {
        /// The session.
        session: Serial,
        /// Its identifier.
        identifier: PacketIdentifier,
    },
    /// PUBREL came for it, or it was refused.
    Released {
        /// The session.
        session: Serial,
        /// Its identifier.
        identifier: PacketIdentifier,
    },
    /// A message is the retained one of its topic (which the message names).
    Retained {
        /// Orders changes of all topics, across shards: the largest is the last. A smaller one that comes
        /// later is not obeyed.
        version: u64,
        /// The message.
        message: Serial,
        /// A mark of the client that published it, for No Local.
        publisher: u64,
    },
    /// A topic has no retained message any more.
    RetainedCleared {
        /// See [`Record::Retained`].
        version: u64,
        /// Whose topic.
        namespace: Namespace,
        /// The topic.
        topic: &'a str,
    },
    /// A message is on its way to the sessions of another shard. What it means there is not known yet:
    /// if the server ends first, it is delivered to those sessions when it starts again.
    Forwarded {
        /// The message.
        message: Serial,
        /// To whom.
        to: Destination,
    },
    /// It has arrived there: what it means stands in the same commit.
    Arrived {
        /// The message.
        message: Serial,
        /// The shard it was forwarded to,
        shard: ShardId,
        /// and the group, which tells two ways of one message to one shard apart; see [`Destination`].
        group: u64,
    },
    /// A Will is to be published for a session that has lost, or may lose, its connection.
    /// A later one replaces it.
    Will {
        /// The session.
        session: Serial,
        /// The Will Message.
        message: Serial,
        /// Will Delay Interval in seconds.
        delay_s: u32,
        /// When it is due; `None` while there is a connection.
        due: Option<Wall>,
        /// Message Expiry Interval in seconds, which begins when it is published.
        expiry_s: Option<u32>,
    },
    /// The Will was published or taken away.
    WillGone {
        /// The session.
        session: Serial,
    },
}

/// The sessions a message is forwarded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The shard that is their home,
    pub shard: ShardId,
    /// in a server of so many.
    pub shards: u16,
    /// One member of this shared subscription; 0: every session with a matching subscription.
    pub group: u64,
}

/// How a queued message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedTerms<'a> {
    /// QoS 1 or 2.
    pub qos: QoS,
    /// RETAIN flag.
    pub retain: bool,
    /// The shared subscription it was sent for; 0: none.
    pub group: u64,
    /// Subscription Identifiers, 1 to 268,435,455.
    pub subscription_identifiers: &'a [u32],
}
