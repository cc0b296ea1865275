//! What the shards of a server have in common, and how it is counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hexmq_session::Now;

use crate::index::Index;
use crate::retained::{Retained, RetainedBounds};
use crate::{Limits, Numbers};

/// The state all shards see. Everything else has one owner.
#[derive(Debug)]
pub struct Shared {
    /// Subscriptions of all sessions.
    pub index: Index,
    /// Retained messages.
    pub retained: Retained,
    /// Shards of this server.
    pub shards: u16,
    /// For hash maps and [`home`](crate::home); random in production since identifiers and topics are
    /// chosen by strangers.
    pub seed: u64,
    /// The numbers that stored sessions and messages get begin here; `None`: the server stores nothing.
    pub first_serial: Option<u64>,
    /// What an acknowledgement promises, for `$SYS/broker/durability`: `disk`, `process` or `memory`.
    pub durability: &'static str,
    /// There is a platform: messages of devices are kept for it and handed up.
    pub upstairs: bool,
    /// When the server started, for `$SYS/broker/uptime`.
    pub started: Now,
    tallies: Box<[Tally]>,
}

impl Shared {
    /// For a server of so many shards (at least one).
    pub fn new(shards: u16, limits: &Limits, seed: u64, started: Now) -> Shared {
        let shards = shards.max(1);
        let bounds = RetainedBounds {
            messages_max: usize::try_from(limits.retained_messages).unwrap_or(usize::MAX),
            bytes_max: usize::try_from(limits.retained_bytes).unwrap_or(usize::MAX),
            memory_bytes_max: usize::try_from(limits.retained_memory_bytes).unwrap_or(usize::MAX),
        };
        Shared {
            index: Index::new(seed),
            retained: Retained::new(bounds),
            shards,
            seed,
            first_serial: None,
            durability: "memory",
            upstairs: false,
            started,
            tallies: (0..shards).map(|_| Tally::default()).collect(),
        }
    }

    /// The same for a server with a store, which goes on counting where it stopped.
    #[must_use]
    pub fn with_store(mut self, numbers: &Numbers, durability: &'static str) -> Shared {
        self.durability = durability;
        self.first_serial = Some(numbers.next_serial);
        self.retained.count_from(numbers.next_version);
        self
    }

    /// The same for a server with a platform above it.
    #[must_use]
    pub fn with_upstairs(mut self) -> Shared {
        self.upstairs = true;
        self
    }

    /// Leaves a shard's counts where the shard that publishes `$SYS` finds them.
    pub(crate) fn leave(&self, shard: u16, census: &Census) {
        if let Some(tally) = self.tallies.get(usize::from(shard)) {
            for (cell, value) in tally.0.iter().zip(census.values()) {
                cell.store(value, Relaxed);
            }
        }
    }

    /// The sum of what the shards left last.
    pub(crate) fn total(&self) -> Census {
        let mut total = Census::default();
        for tally in &self.tallies {
            for (sum, cell) in total.values_mut().into_iter().zip(&tally.0) {
                *sum += cell.load(Relaxed);
            }
        }
        total
    }
}

macro_rules! census {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// What a shard counts. Counters grow from its start; gauges say what is there now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Census { $($(#[$doc])* pub $field: u64,)+ }
        const CENSUS_FIELDS: usize = [$(stringify!($field)),+].len();
        impl Census {
            /// The names of the counts, in the order of [`Census::values`].
            pub const NAMES: [&'static str; CENSUS_FIELDS] = [$(stringify!($field)),+];
            /// The counts.
            pub fn values(&self) -> [u64; CENSUS_FIELDS] { [$(self.$field),+] }
            fn values_mut(&mut self) -> [&mut u64; CENSUS_FIELDS] { [$(&mut self.$field),+] }
            /// Adds the counts of another shard.
            pub fn add(&mut self, other: &Census) { $(self.$field += other.$field;)+ }
        }
    };
}

census! {
    /// Gauge: connected clients.
    clients_connected,
    /// Gauge: sessions, with or without a connection.
    sessions,
    /// Gauge: subscriptions.
    subscriptions,
    /// Gauge: shared subscriptions among them.
    subscriptions_shared,
    /// Gauge: messages waiting in session queues.
    messages_queued,
    /// Gauge: messages sent and not yet acknowledged.
    messages_in_flight,
    /// Gauge: message bodies kept, of messages that wait or may have to be sent again.
    messages_stored,
    /// Gauge: bytes of message bodies kept.
    messages_stored_bytes,
    /// Sessions that ended because their Session Expiry Interval had passed.
    sessions_expired,
    /// Connections opened.
    connections_opened,
    /// CONNECT packets accepted.
    connects_accepted,
    /// CONNECT packets refused.
    connects_refused,
    /// Control Packets received.
    packets_received,
    /// Control Packets sent.
    packets_sent,
    /// Bytes received in whole packets.
    bytes_received,
    /// Bytes sent.
    bytes_sent,
    /// PUBLISH packets received.
    publish_received,
    /// PUBLISH packets sent.
    publish_sent,
    /// Payload bytes of PUBLISH packets received.
    publish_bytes_received,
    /// Payload bytes of PUBLISH packets sent.
    publish_bytes_sent,
    /// Messages that did not reach a session.
    publish_dropped,
    /// Gauge: messages of devices kept for the platform, those included that it has been handed.
    uplinks_waiting,
    /// Gauge: bytes of them.
    uplinks_waiting_bytes,
    /// Messages of devices for the platform.
    uplinks_received,
    /// Messages of devices handed to the platform, repetitions after a restart included.
    uplinks_handed_up,
    /// Messages of devices that the platform has done with.
    uplinks_done,
    /// QoS 0 messages of devices for which there was no room.
    uplinks_dropped,
}

#[derive(Debug)]
struct Tally([AtomicU64; CENSUS_FIELDS]);

impl Default for Tally {
    fn default() -> Self {
        Tally(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}
