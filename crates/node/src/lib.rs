//! The shard loop: sockets, threads and clocks around the deciding core.
//!
//! A hand is a thread with a readiness loop that takes the turns of one or more shards (`Hand`, `ShardLoop`):
//! as few hands as can do the work. Every hand accepts; a connection
//! waits in the lobby until its first packet shows where its session lives, and is handed there
//! with what was read. Between shards go batches of messages in bounded lanes.
//!
//! Guarantees: nothing in a turn waits; one write per touched connection and turn; every queue is
//! bounded, and a full lane pauses what feeds it instead of dropping; an idle connection owns no
//! buffer; a receiver that takes nothing is given up in bounded time.
//!
//! Not here: what a packet means (`hexmq-broker`), users, logs, HTTP.

mod alarm;
mod authority;
mod clock;
mod commits;
mod gate;
mod hand;
mod layers;
mod link;
mod links;
mod lobby;
mod mail;
mod mailbox;
mod meter;
mod node;
mod polled;
mod pool;
mod shard_loop;
mod table;
mod tap;
mod tape;
mod upstairs;
mod witness;

pub use authority::{Authority, Decision};
pub use clock::Clock;
pub use link::LINK_BYTES;
pub use meter::Placement;
pub use node::{Counted, Handle, Node, OpenStore, Setup, StoreSetup};
pub use tap::{Notice, Tap};
pub use tape::Tape;
pub use upstairs::{Downlink, Upstairs};
pub use witness::{Grounds, Rejection};
