//! The thread that keeps commits: all that shards have handed over goes into one write and one sync, and meanwhile
//! the next gathers.

mod inbox;
mod work;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hexmq_broker::{Condition, Fetch, Journal, Listener, ShardId};

use crate::disk::Disk;
use crate::event::StoreEvent;
use crate::store::{Figures, Store};

use inbox::Inbox;
use work::Work;

/// How commits are kept.
#[derive(Clone, Copy, Debug)]
pub struct KeeperOptions {
    /// How long a commit waits for others before it is written: fewer syncs for a longer way. 0: not at all; what comes
    /// while one sync runs goes into the next anyway.
    pub sync_delay: Duration,
    /// When more bytes than this wait to be safe, the shards are asked to read less.
    pub backlog_bytes_max: u64,
    /// How long to wait before something that failed is tried again.
    pub retry: Duration,
    /// How long a stop tries to write what is left.
    pub stop_patience: Duration,
}

impl Default for KeeperOptions {
    fn default() -> KeeperOptions {
        KeeperOptions {
            sync_delay: Duration::ZERO,
            backlog_bytes_max: 64 << 20,
            retry: Duration::from_millis(500),
            stop_patience: Duration::from_secs(5),
        }
    }
}

/// Who is told of events, on the store's thread.
pub type Tell = Box<dyn FnMut(StoreEvent) + Send>;

/// What a running store can tell of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeeperFigures {
    /// Of the store, when it was last looked at.
    pub store: Figures,
    /// Bytes handed over that are not safe.
    pub backlog_bytes: u64,
    /// Commits that are safe.
    pub commits: u64,
    /// Times all that was there was made safe at once.
    pub rounds: u64,
    /// Microseconds the last write and sync took.
    pub last_round_us: u64,
    /// Microseconds the longest took.
    pub longest_round_us: u64,
}

/// A running store. Dropped, it stops as [`Keeper::stop`] does.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

struct Shared {
    inbox: Inbox,
    listener: OnceLock<Arc<dyn Listener>>,
    figures: Mutex<Figures>,
    commits: AtomicU64,
    rounds: AtomicU64,
    last_round_us: AtomicU64,
    longest_round_us: AtomicU64,
}

impl Keeper {
    /// Starts the thread. Fails if the operating system gives none.
    pub fn start<D: Disk>(store: Store<D>, options: KeeperOptions, tell: Tell) -> io::Result<Keeper> {
        let shared = Arc::new(Shared {
            inbox: Inbox::new(options.backlog_bytes_max),
            listener: OnceLock::new(),
            figures: Mutex::new(store.figures()),
            commits: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            last_round_us: AtomicU64::new(0),
            longest_round_us: AtomicU64::new(0),
        });
        let work = Work::new(store, options, Arc::clone(&shared), tell);
        let thread = std::thread::Builder::new().name("hexmq-store".to_owned()).spawn(move || work.run())?;
        Ok(Keeper { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Writes everything that was handed over, makes it safe and ends the thread. What is handed over later is lost.
    ///
    /// An error says that not everything could be written; that was not acknowledged.
    pub fn stop(&self) -> io::Result<()> {
        self.shared.inbox.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the store's thread has panicked")),
        }
    }

    /// What it can tell of itself.
    pub fn figures(&self) -> KeeperFigures {
        let shared = &self.shared;
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        KeeperFigures {
            store: *shared.figures.lock().unwrap_or_else(PoisonError::into_inner),
            backlog_bytes: shared.inbox.backlog(),
            commits: read(&shared.commits),
            rounds: read(&shared.rounds),
            last_round_us: read(&shared.last_round_us),
            longest_round_us: read(&shared.longest_round_us),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.stop();
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

impl Journal for Keeper {
    fn attach(&self, listener: Arc<dyn Listener>) {
        // A second one is not attached: the first has promises to keep.
        let _ = self.shared.listener.set(listener);
    }

    fn commit(&self, shard: ShardId, records: &mut Vec<u8>) -> u64 {
        self.shared.inbox.commit(shard, records)
    }

    fn fetch(&self, shard: ShardId, fetch: Fetch) {
        self.shared.inbox.fetch(shard, fetch);
    }

    fn condition(&self) -> Condition {
        self.shared.inbox.condition()
    }
}
