//! What a store tells those who watch over it.

use std::fmt;

use hexmq_broker::ShardId;

use crate::error::{Cut, Damage};

/// Something that whoever runs the server should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// Nothing can be written: nothing durable is acknowledged until it can be again.
    Stuck {
        /// Whether the disk is full.
        full: bool,
        /// What the disk says.
        error: String,
    },
    /// It can be written again, and all that waited is.
    Resumed {
        /// For so many milliseconds it could not be.
        after_ms: u64,
    },
    /// Something cannot be read now; it is tried again.
    CannotRead {
        /// What the disk says.
        error: String,
    },
    /// A sync took longer than a second.
    Slow {
        /// So many milliseconds.
        sync_ms: u64,
    },
    /// The end of the log was not whole when the store was opened.
    TailCut(Cut),
    /// A segment was cleaned and is gone.
    Cleaned {
        /// Its number.
        segment: u64,
    },
    /// A segment cannot be cleaned, since it is not what was written.
    Damaged(Damage),
    /// A shard handed over what are no records; what stood before them was kept.
    Refused {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        error: String,
    },
}

impl StoreEvent {
    /// Its stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            StoreEvent::Stuck { .. } => "store_stuck",
            StoreEvent::Resumed { .. } => "store_resumed",
            StoreEvent::CannotRead { .. } => "store_cannot_read",
            StoreEvent::Slow { .. } => "store_slow",
            StoreEvent::TailCut(_) => "store_tail_cut",
            StoreEvent::Cleaned { .. } => "store_cleaned",
            StoreEvent::Damaged(_) => "store_damaged",
            StoreEvent::Refused { .. } => "store_refused",
        }
    }
}

impl fmt::Display for StoreEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreEvent::Stuck { full: true, error } => {
                write!(
                    f,
                    "the disk is full ({error}): nothing durable is acknowledged until there is room again"
                )
            }
            StoreEvent::Stuck { full: false, error } => {
                write!(
                    f,
                    "the store cannot be written ({error}): nothing durable is acknowledged until it can be"
                )
            }
            StoreEvent::Resumed { after_ms } => write!(f, "the store is written again after {after_ms} ms"),
            StoreEvent::CannotRead { error } => write!(f, "the store cannot be read ({error}); trying again"),
            StoreEvent::Slow { sync_ms } => write!(f, "the disk took {sync_ms} ms for one sync"),
            StoreEvent::TailCut(cut) => write!(f, "{cut}: it was being written when the server stopped"),
            StoreEvent::Cleaned { segment } => write!(f, "segment {segment} of the store was cleaned"),
            StoreEvent::Damaged(damage) => {
                write!(f, "{damage}; it stays as it is. Stop the server and run `hexmq store check`")
            }
            StoreEvent::Refused { shard, error } => {
                write!(f, "shard {shard} handed over what are no records: {error}")
            }
        }
    }
}
