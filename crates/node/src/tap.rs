//! What the loop tells to whoever listens: the events of the core, and its own notices.

use std::fmt;
use std::io;

use hexmq_broker::{Address, Caller, Event, Level, ShardId};
use hexmq_transport::LayerError;

use crate::tape::Tape;
use crate::witness::Rejection;

/// Listens to a server. Called on the shards' threads: it must not wait.
pub trait Tap: Send + Sync + 'static {
    /// Something happened in the core.
    fn event(&self, shard: ShardId, event: &Event<'_>);
    /// Something happened in the loop around it.
    fn notice(&self, shard: ShardId, notice: &Notice<'_>);

    /// A connection was refused, or closed for what it had sent. It follows the event that tells so.
    fn rejected(&self, _shard: ShardId, _rejection: &Rejection<'_>) {}

    /// Whether what crosses a connection is to be recorded. Asked only while
    /// [`Handle::retape`](crate::Handle::retape) says that something may be: when the connection is
    /// accepted, again when its CONNECT has been read, and when the rules change; not while it is
    /// recorded, since its tape is asked then.
    ///
    /// `first` is what the client has sent up to now where that is at hand, from its CONNECT on. Who is
    /// returned records from now on.
    fn tape(&self, _shard: ShardId, _caller: Caller<'_>, _first: &[u8]) -> Option<Box<dyn Tape>> {
        None
    }
}

/// What happens outside the core.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// Descriptors or memory ran out: accepting pauses.
    AcceptPaused {
        /// What the system says.
        error: &'a io::Error,
        /// Waiting connections that were closed at once.
        shed: u32,
        /// Milliseconds until the next attempt.
        pause_ms: u64,
    },
    /// Accepting goes on after a pause.
    AcceptResumed,
    /// One connection failed while it was accepted.
    AcceptFailed {
        /// What the system says.
        error: &'a io::Error,
    },
    /// TLS or WebSocket did not come about on a connection, or broke.
    LayerFailed {
        /// Where from.
        peer: &'a Address,
        /// Why.
        error: &'a LayerError,
    },
    /// As many clients as allowed: a new connection was closed at once.
    ClientsFull {
        /// The bound.
        limit: usize,
    },
    /// The threads that check passwords have no room: a CONNECT is refused with "unavailable".
    AuthorityBusy,
    /// The lane to another shard is full: connections that feed it are paused.
    LaneFull {
        /// The other shard.
        to: ShardId,
    },
    /// The loop itself failed and its thread ends.
    LoopFailed {
        /// What the system says.
        error: &'a io::Error,
    },
}

impl Notice<'_> {
    /// The stable name in snake_case.
    pub fn name(&self) -> &'static str {
        match self {
            Notice::AcceptPaused { .. } => "accept_paused",
            Notice::AcceptResumed => "accept_resumed",
            Notice::AcceptFailed { .. } => "accept_failed",
            Notice::LayerFailed { .. } => "layer_failed",
            Notice::ClientsFull { .. } => "clients_full",
            Notice::AuthorityBusy => "authority_busy",
            Notice::LaneFull { .. } => "lane_full",
            Notice::LoopFailed { .. } => "loop_failed",
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::LoopFailed { .. } => Level::Error,
            Notice::AcceptPaused { .. }
            | Notice::LayerFailed { .. }
            | Notice::ClientsFull { .. }
            | Notice::AuthorityBusy => Level::Warn,
            Notice::AcceptResumed => Level::Info,
            Notice::AcceptFailed { .. } | Notice::LaneFull { .. } => Level::Debug,
        }
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::AcceptPaused { error, shed, pause_ms } => write!(
                f,
                "cannot accept connections: {error}; {shed} that waited were closed, trying again in {pause_ms} \
                 ms; raise the limit of open files (ulimit -n, LimitNOFILE=) or lower `clients`"
            ),
            Notice::AcceptResumed => f.write_str("accepting connections again"),
            Notice::AcceptFailed { error } => write!(f, "a connection failed while it was accepted: {error}"),
            Notice::LayerFailed { peer, error } => {
                let layer = if error.rule.is_tls() { "TLS" } else { "WebSocket" };
                write!(f, "no {layer} with {peer}: {error}")
            }
            Notice::ClientsFull { limit } => {
                write!(f, "a connection was closed at once: `clients` allows {limit}")
            }
            Notice::AuthorityBusy => f.write_str(
                "a CONNECT was refused: too many passwords wait to be checked; the client may retry",
            ),
            Notice::LaneFull { to } => {
                write!(f, "the lane to shard {to} is full; the connections that feed it are paused")
            }
            Notice::LoopFailed { error } => write!(f, "a shard's loop failed: {error}"),
        }
    }
}
