//! Watches: what is recorded, switched on and off at run time.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, PoisonError};

use hexmq_broker::CloseReason;
use hexmq_wire::Version;

use super::shelf::Shelf;
use super::{Follower, Recorder, Ring, Rule, now_ns};

/// What one entry costs besides its bytes.
const ENTRY_OVERHEAD: usize = 96;

/// A rule, and what crossed the connections that fit it.
#[derive(Debug)]
pub struct Watch {
    id: Box<str>,
    rule: Rule,
    created_ns: u64,
    shelf: Arc<Shelf<Entry>>,
}

/// A connection that is recorded.
#[derive(Debug)]
pub struct Connection {
    /// Its number, unique while the server runs.
    pub number: u64,
    /// Where from: `192.0.2.7:40312`, `unix:/run/x`.
    pub peer: Box<str>,
    /// The listener that accepted it, by its number.
    pub listener: u16,
    /// The Client Identifier, once it is known.
    pub client_id: OnceLock<Box<str>>,
    /// The protocol version, once there is a session.
    pub version: OnceLock<Version>,
}

/// Something that happened on a recorded connection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// The connection.
    pub connection: Arc<Connection>,
    /// What.
    pub what: Crossed,
}

/// What happened on a recorded connection.
#[derive(Clone, Debug)]
pub enum Crossed {
    /// Recording begins; `true` with the connection's first byte.
    Opened {
        /// Nothing crossed before.
        whole: bool,
    },
    /// The client sent this.
    Received {
        /// The bytes, as they were read.
        bytes: Arc<[u8]>,
        /// The server had not said anything yet: the bytes may be part of a CONNECT.
        greeting: bool,
    },
    /// The server sent this.
    Sent(Arc<[u8]>),
    /// The server refused it, or closes it for what was sent.
    Refused(Arc<super::Rejection>),
    /// It ended; `None` if recording ended without a word.
    Closed(Option<CloseReason>),
}

impl Crossed {
    fn size(&self) -> usize {
        match self {
            Crossed::Received { bytes, .. } | Crossed::Sent(bytes) => ENTRY_OVERHEAD + bytes.len(),
            Crossed::Opened { .. } | Crossed::Refused(_) | Crossed::Closed(_) => ENTRY_OVERHEAD,
        }
    }
}

impl Watch {
    /// Its name in the API.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The connections it is about.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// When it was made, in nanoseconds since 1970.
    pub fn created_ns(&self) -> u64 {
        self.created_ns
    }

    /// What was recorded.
    pub fn shelf(&self) -> &Shelf<Entry> {
        &self.shelf
    }
}

/// Why there is no such watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchError {
    /// The rule would fit every connection.
    EmptyRule,
    /// The id is empty, too long, or has characters other than letters, digits, `-`, `_` and `.`.
    BadId,
    /// There is a watch of this id.
    Exists,
    /// There are as many watches as there may be.
    TooMany {
        /// The bound.
        limit: usize,
    },
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WatchError::EmptyRule => f.write_str("the watch does not say what is watched"),
            WatchError::BadId => f.write_str("the id is not 1 to 64 letters, digits, `-`, `_` or `.`"),
            WatchError::Exists => f.write_str("there is a watch of this id already"),
            WatchError::TooMany { limit } => write!(f, "there are {limit} watches already"),
        }
    }
}

impl std::error::Error for WatchError {}

fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&id.len()) && id.bytes().all(fits)
}

impl Recorder {
    /// The watches, oldest first.
    pub fn watches(&self) -> Vec<Arc<Watch>> {
        self.watches.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The watch of this id.
    pub fn watch(&self, id: &str) -> Option<Arc<Watch>> {
        let watches = self.watches.read().unwrap_or_else(PoisonError::into_inner);
        watches.iter().find(|watch| &*watch.id == id).cloned()
    }

    /// Watches what fits the rule, under this id or one of its own making. Connections that are there
    /// already are recorded once they are asked about.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn add_watch(&self, id: Option<&str>, rule: Rule) -> Result<Arc<Watch>, WatchError> {
        if rule.is_empty() {
            return Err(WatchError::EmptyRule);
        }
        if id.is_some_and(|id| !is_id(id)) {
            return Err(WatchError::BadId);
        }
        let mut watches = self.watches.write().unwrap_or_else(PoisonError::into_inner);
        if watches.len() >= self.bounds.watches {
            return Err(WatchError::TooMany { limit: self.bounds.watches });
        }
        let taken = |id: &str| watches.iter().any(|watch| &*watch.id == id);
        let id: Box<str> = match id {
            Some(id) if taken(id) => return Err(WatchError::Exists),
            Some(id) => id.into(),
            None => loop {
                let id = format!("w{}", self.watches_named.fetch_add(1, Relaxed) + 1);
                if !taken(&id) {
                    break id.into();
                }
            },
        };
        let shelf = Arc::new(Shelf::new(usize::MAX, self.bounds.watch_bytes));
        let watch = Arc::new(Watch { id, rule, created_ns: now_ns(), shelf });
        watches.push(Arc::clone(&watch));
        Ok(watch)
    }

    /// Ends a watch and forgets what it recorded. `false`: there is none of this id.
    pub fn remove_watch(&self, id: &str) -> bool {
        let removed = {
            let mut watches = self.watches.write().unwrap_or_else(PoisonError::into_inner);
            let place = watches.iter().position(|watch| &*watch.id == id);
            place.map(|place| watches.remove(place))
        };
        let Some(watch) = removed else { return false };
        self.bytes.fetch_sub(watch.shelf.close() as isize, Relaxed);
        true
    }

    /// Follows a watch, from that entry on or from now. `None`: too many follow something.
    pub fn follow_watch(&self, watch: &Watch, from: Option<u64>) -> Option<Follower<Entry>> {
        Follower::new(Arc::clone(&watch.shelf), from, &self.audience, self.bounds.followers)
    }

    /// Puts an entry into a watch; what does not fit pushes out the oldest, of this watch first and
    /// then of any.
    pub(super) fn enter(&self, watch: &Watch, connection: &Arc<Connection>, what: Crossed) {
        let size = what.size();
        let entry = Entry { at_ns: now_ns(), connection: Arc::clone(connection), what };
        let (change, gone) = watch.shelf.push(entry, size);
        self.pushed_out.fetch_add(gone, Relaxed);
        self.bytes.fetch_add(change, Relaxed);
        while self.bytes() > self.bounds.watches_bytes {
            if !self.push_out_oldest() {
                return;
            }
        }
    }

    /// Bytes of all watches. For a moment less than nothing, while one ends that is written to.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.bytes.load(Relaxed)).unwrap_or(0)
    }

    fn push_out_oldest(&self) -> bool {
        let watches = self.watches();
        let age = |watch: &&Arc<Watch>| watch.shelf.look(|ring: &Ring<Entry>| ring.oldest().map(|e| e.at_ns));
        let oldest = watches.iter().filter(|watch| age(watch).is_some()).min_by_key(age);
        let Some(size) = oldest.and_then(|watch| watch.shelf.pop()) else { return false };
        self.bytes.fetch_sub(size as isize, Relaxed);
        self.pushed_out.fetch_add(1, Relaxed);
        true
    }
}
