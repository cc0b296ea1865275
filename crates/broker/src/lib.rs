//! The deciding core of the MQTT server: no I/O, no clock, one owner per state.
//!
//! A [`Shard`] owns connections and sessions. It takes packets and a time and writes what follows
//! to a [`Sink`]. What shards share stands in [`Shared`]: the subscription index and the retained
//! messages, each behind one narrow type. Everything here is deterministic: the same inputs give
//! the same outputs, since time, randomness and hash seeds are inputs.
//!
//! Not here: sockets, framing, threads, users and passwords (a question to the [`Sink`]).

mod batch;
mod connection;
mod directory;
mod downlink;
mod event;
mod home;
mod ids;
mod index;
mod journal;
mod layout;
mod limits;
mod matches;
mod message;
mod outgoing;
mod peer;
mod port;
mod pump;
mod record;
mod residents;
mod retained;
mod room;
mod session;
mod shard;
mod shared;
mod shelf;
mod slots;
mod store_side;
mod stored;
mod terms;
mod uplink;
mod wheel;

pub use batch::{Addressee, Audience, Batch, Forwarded, Message};
pub use downlink::{Delivered, Downlink};
pub use event::{CloseReason, DropReason, Event, Level, Quirk, Refusal};
pub use home::{SessionKey, claim, home};
pub use ids::{ConnId, Namespace, SessionRef, ShardId};
pub use journal::{Condition, Fetch, FetchKind, Fetched, Journal, Listener};
pub use limits::Limits;
pub use peer::{Address, Peer};
pub use port::{Answer, AuthStep, Flow, HoldId, Partial, Question, Sink};
pub use record::{
    Destination, MESSAGE_OVERHEAD_MAX, QueuedTerms, Record, RecordError, RecordFault, RecordReader, Serial,
};
pub use shard::{Caller, Lost, Restore, Restorer, Shard};
pub use shared::{Census, Shared};
pub use stored::{Numbers, StoredRetained, StoredSession, StoredTransit, StoredWill};
pub use terms::{DeviceTerms, Greeting, Manners, Permit, Reach, TopicRule};
pub use uplink::HandedUp;

/// The stores, open to benches and simulation.
pub mod store {
    pub use crate::index::*;
    pub use crate::retained::*;
    pub use crate::room::*;
    pub use crate::wheel::*;
}
