//! The flight recorder: the last refused connections with their bytes, and everything that crosses
//! connections that are watched.
//!
//! Guarantees: what is kept is bounded in items and bytes, what does not fit pushes out the oldest and
//! is counted; nobody who reads can hold up who writes, since locks are held for moments and readers
//! hold places, not copies. Bytes are kept as they came, passwords included: whoever shows them masks
//! them.

mod ring;
mod rule;
mod shelf;
mod track;
mod watch;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use hexmq_broker::{Caller, Peer};
use hexmq_wire::{Fault, Version};

pub use ring::Ring;
pub use rule::{Network, Rule};
pub use shelf::{Audience, Follower, News, Shelf};
pub use track::Track;
pub use watch::{Connection, Crossed, Entry, Watch, WatchError};

/// What the recorder may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderBounds {
    /// Refused connections. More push out the oldest; 0 keeps none.
    pub rejections: usize,
    /// Bytes of all refused connections together.
    pub rejections_bytes: usize,
    /// Bytes of one watch.
    pub watch_bytes: usize,
    /// Bytes of all watches together: the oldest of any goes.
    pub watches_bytes: usize,
    /// Watches at once.
    pub watches: usize,
    /// Readers of live streams at once.
    pub followers: usize,
}

impl Default for RecorderBounds {
    fn default() -> Self {
        RecorderBounds {
            rejections: 1000,
            rejections_bytes: 16 << 20,
            watch_bytes: 8 << 20,
            watches_bytes: 64 << 20,
            watches: 64,
            followers: 32,
        }
    }
}

/// A connection that was refused, or closed for what it had sent.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Where from: `192.0.2.7:40312`, `unix:/run/x`.
    pub peer: Box<str>,
    /// The URL of the listener that accepted it.
    pub listener: Box<str>,
    /// It came over TLS.
    pub secure: bool,
    /// Client Identifier, as far as it is known.
    pub client_id: Option<Box<str>>,
    /// `true`: there never was a session. `false`: it was connected, and closed later.
    pub refused: bool,
    /// The stable name of the reason.
    pub reason: &'static str,
    /// The rule that was broken, if one was.
    pub fault: Option<Fault>,
    /// The version of the connection, where it was agreed on.
    pub version: Option<Version>,
    /// What it had sent: the packet at fault, as far as it came and is kept.
    pub bytes: Box<[u8]>,
    /// Bytes it had sent, kept or not.
    pub sent: usize,
    /// What went wrong in TLS or WebSocket under it: the stable name of the rule and the circumstances. The bytes
    /// then are those of the network.
    pub layer: Option<(&'static str, Box<str>)>,
}

/// What is known of a connection when it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Where from.
    pub peer: &'a Peer,
    /// Client Identifier, as far as it is known.
    pub client_identifier: Option<&'a str>,
    /// As in [`Rejection::refused`].
    pub refused: bool,
    /// The stable name of the reason.
    pub reason: &'static str,
    /// The rule that was broken, if one was.
    pub fault: Option<Fault>,
    /// The version of the connection, where it was agreed on.
    pub version: Option<Version>,
    /// What it had sent.
    pub bytes: &'a [u8],
    /// Bytes it had sent, kept or not.
    pub sent: usize,
    /// As in [`Rejection::layer`].
    pub layer: Option<(&'static str, &'a str)>,
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    bounds: RecorderBounds,
    listeners: Box<[Box<str>]>,
    rejections: Arc<Shelf<Arc<Rejection>>>,
    rejections_pushed_out: AtomicU64,
    watches: RwLock<Vec<Arc<Watch>>>,
    connections: AtomicU64,
    watches_named: AtomicU64,
    /// Bytes on all watches' shelves.
    bytes: AtomicIsize,
    pushed_out: AtomicU64,
    audience: Arc<Audience>,
}

/// What one rejection costs besides its bytes.
const REJECTION_OVERHEAD: usize = 320;

impl Recorder {
    /// A recorder of a server with these listeners, by the number their connections carry.
    pub fn new(bounds: RecorderBounds, listeners: Vec<Box<str>>) -> Recorder {
        Recorder {
            bounds,
            listeners: listeners.into(),
            rejections: Arc::new(Shelf::new(bounds.rejections, bounds.rejections_bytes)),
            rejections_pushed_out: AtomicU64::new(0),
            watches: RwLock::default(),
            connections: AtomicU64::new(0),
            watches_named: AtomicU64::new(0),
            bytes: AtomicIsize::new(0),
            pushed_out: AtomicU64::new(0),
            audience: Arc::default(),
        }
    }

    /// What it may keep.
    pub fn bounds(&self) -> &RecorderBounds {
        &self.bounds
    }

    /// The URLs of the listeners, by their number.
    pub fn listeners(&self) -> &[Box<str>] {
        &self.listeners
    }

    /// The URL of a listener.
    pub fn listener(&self, number: u16) -> &str {
        self.listeners.get(usize::from(number)).map_or("", |url| url)
    }

    /// Keeps a refused connection, here and in the watches it fits.
    pub fn refused(&self, refused: &Refused<'_>) {
        let rejection = Arc::new(Rejection {
            at_ms: now_ns() / 1_000_000,
            peer: refused.peer.address.to_string().into(),
            listener: self.listener(refused.peer.listener).into(),
            secure: refused.peer.secure,
            client_id: refused.client_identifier.map(Into::into),
            refused: refused.refused,
            reason: refused.reason,
            fault: refused.fault,
            version: refused.version,
            bytes: refused.bytes.into(),
            sent: refused.sent,
            layer: refused.layer.map(|(rule, detail)| (rule, detail.into())),
        });
        self.note_refused(refused, &rejection);
        let size = REJECTION_OVERHEAD + rejection.bytes.len();
        let (_, gone) = self.rejections.push(rejection, size);
        self.rejections_pushed_out.fetch_add(gone, Relaxed);
    }

    /// The refused connections before that number, newest first, that `wanted` wants; at most `most`.
    pub fn rejections(
        &self,
        before: u64,
        most: usize,
        wanted: impl Fn(&Rejection) -> bool,
    ) -> Vec<(u64, Arc<Rejection>)> {
        self.rejections.look(|ring| {
            let items = ring.before(before).filter(|(_, rejection)| wanted(rejection));
            items.take(most).map(|(number, rejection)| (number, Arc::clone(rejection))).collect()
        })
    }

    /// Follows the refused connections, from that number on or from now. `None`: too many follow.
    pub fn follow_rejections(&self, from: Option<u64>) -> Option<Follower<Arc<Rejection>>> {
        Follower::new(Arc::clone(&self.rejections), from, &self.audience, self.bounds.followers)
    }

    /// Ends all that follow something, for the server stops.
    pub fn end_followers(&self) {
        self.rejections.end_followers();
        for watch in self.watches() {
            watch.shelf().end_followers();
        }
    }

    fn any_watches(&self) -> bool {
        !self.watches.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn fitting(&self, caller: Caller<'_>) -> Vec<Arc<Watch>> {
        let watches = self.watches.read().unwrap_or_else(PoisonError::into_inner);
        watches.iter().filter(|watch| watch.rule().fits(caller)).cloned().collect()
    }

    fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }

    /// The state of the recorder for a page of metrics.
    pub fn render(&self, page: &mut String) {
        let (kept, kept_bytes, next) =
            self.rejections.look(|ring| (ring.len() as u64, ring.bytes() as u64, ring.next()));
        let watches = self.watches();
        let entries: u64 = watches.iter().map(|watch| watch.shelf().look(Ring::len) as u64).sum();
        for (name, kind, value) in [
            ("rejections_kept", "gauge", kept),
            ("rejections_kept_bytes", "gauge", kept_bytes),
            ("rejections_total", "counter", next),
            ("rejections_pushed_out_total", "counter", self.rejections_pushed_out.load(Relaxed)),
            ("recorder_watches", "gauge", watches.len() as u64),
            ("recorder_entries", "gauge", entries),
            ("recorder_bytes", "gauge", self.bytes() as u64),
            ("recorder_pushed_out_total", "counter", self.pushed_out.load(Relaxed)),
            ("recorder_streams", "gauge", self.audience.followers() as u64),
            ("recorder_streams_missed_total", "counter", self.audience.missed()),
        ] {
            // Writing to a `String` cannot fail.
            let _ = writeln!(page, "# TYPE hexmq_{name} {kind}\nhexmq_{name} {value}");
        }
    }
}

/// Of a server without listeners.
impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new(RecorderBounds::default(), Vec::new())
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
