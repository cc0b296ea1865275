//! Where shards leave their commits and questions.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hexmq_broker::{Condition, Fetch, ShardId};

/// Emptied commits that are kept for their memory, and how large they may be.
const SPARE_MAX: usize = 64;
const SPARE_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) shard: ShardId,
    pub(super) number: u64,
    pub(super) records: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    commits: VecDeque<Commit>,
    fetches: VecDeque<(ShardId, Fetch)>,
    /// The last number given, per shard.
    numbers: Vec<u64>,
    spare: Vec<Vec<u8>>,
    /// Bytes in `commits`.
    bytes: u64,
    /// The thread waits to be woken.
    waiting: bool,
    stop: bool,
}

/// Shared by the shards and the store's thread.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    wake: Condvar,
    /// Bytes handed over that are not safe.
    backlog: AtomicU64,
    backlog_max: u64,
    condition: AtomicU8,
}

/// What there is to do.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) commits: Vec<Commit>,
    pub(super) fetches: VecDeque<(ShardId, Fetch)>,
    pub(super) stop: bool,
}

impl Inbox {
    pub(super) fn new(backlog_max: u64) -> Inbox {
        Inbox {
            state: Mutex::default(),
            wake: Condvar::new(),
            backlog: AtomicU64::new(0),
            backlog_max,
            condition: AtomicU8::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is called with the lock held, so what is behind it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn commit(&self, shard: ShardId, records: &mut Vec<u8>) -> u64 {
        let bytes = records.len() as u64;
        let backlog = self.backlog.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if backlog > self.backlog_max {
            // The thread says it to the others; this shard sees it at once.
            let well = Condition::Well as u8;
            let behind = Condition::Behind as u8;
            let _ = self.condition.compare_exchange(well, behind, Ordering::Relaxed, Ordering::Relaxed);
        }
        let mut state = self.state();
        let spare = state.spare.pop().unwrap_or_default();
        let at = usize::from(shard.0);
        if state.numbers.len() <= at {
            state.numbers.resize(at + 1, 0);
        }
        let number = state.numbers.get_mut(at).map_or(0, |last| {
            *last += 1;
            *last
        });
        state.commits.push_back(Commit { shard, number, records: std::mem::replace(records, spare) });
        state.bytes += bytes;
        self.wake(state);
        number
    }

    pub(super) fn fetch(&self, shard: ShardId, fetch: Fetch) {
        let mut state = self.state();
        state.fetches.push_back((shard, fetch));
        self.wake(state);
    }

    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stop = true;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if waiting {
            self.wake.notify_one();
        }
    }

    /// Takes what is there, up to so many bytes of commits, and waits for something if there is nothing: at most so
    /// long; `None`: as long as it takes.
    pub(super) fn take(&self, into: &mut Taken, bytes_max: u64, patience: Option<Duration>) {
        let mut state = self.state();
        let idle = |state: &State| {
            (state.commits.is_empty() || bytes_max == 0) && state.fetches.is_empty() && !state.stop
        };
        if idle(&state) {
            state = self.wait(state, patience);
        }
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(commit) = state.commits.pop_front()
        {
            bytes += commit.records.len() as u64;
            into.commits.push(commit);
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        if into.fetches.is_empty() {
            std::mem::swap(&mut into.fetches, &mut state.fetches);
        } else {
            into.fetches.append(&mut state.fetches);
        }
        into.stop = state.stop;
    }

    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        state.waiting = true;
        let mut state = match patience {
            None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(Duration::ZERO) => state,
            Some(patience) => {
                self.wake.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.waiting = false;
        state
    }

    /// Waits so long for more commits to come, unless so many bytes are there.
    pub(super) fn linger(&self, time: Duration, bytes_enough: u64) {
        let end = std::time::Instant::now() + time;
        let mut state = self.state();
        while state.bytes < bytes_enough && !state.stop {
            let rest = end.saturating_duration_since(std::time::Instant::now());
            if rest.is_zero() {
                break;
            }
            state = self.wait(state, Some(rest));
        }
    }

    /// Whether commits wait to be taken.
    pub(super) fn has_commits(&self) -> bool {
        !self.state().commits.is_empty()
    }

    /// Whether nothing waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state();
        state.commits.is_empty() && state.fetches.is_empty()
    }

    /// Gives the memory of commits back for the next ones.
    pub(super) fn give_back(&self, commits: &mut Vec<Commit>) {
        let mut state = self.state();
        for commit in commits.drain(..) {
            let mut records = commit.records;
            if state.spare.len() < SPARE_MAX && records.capacity() <= SPARE_BYTES {
                records.clear();
                state.spare.push(records);
            }
        }
    }

    /// So many bytes more are safe.
    pub(super) fn safe(&self, bytes: u64) {
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes handed over that are not safe.
    pub(super) fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    pub(super) fn condition(&self) -> Condition {
        match self.condition.load(Ordering::Relaxed) {
            0 => Condition::Well,
            1 => Condition::Behind,
            _ => Condition::Stuck,
        }
    }

    /// What it should be now, and whether that is news: shards may have seen it become worse already. It gets better only
    /// when there is much room again.
    pub(super) fn judge(&self, stuck: bool) -> (Condition, bool) {
        let backlog = self.backlog();
        let before = self.condition();
        let behind = match before {
            Condition::Well => backlog > self.backlog_max,
            Condition::Behind | Condition::Stuck => backlog > self.backlog_max / 2,
        };
        let condition = match (stuck, behind) {
            (true, _) => Condition::Stuck,
            (false, true) => Condition::Behind,
            (false, false) => Condition::Well,
        };
        self.condition.store(condition as u8, Ordering::Relaxed);
        (condition, condition != before)
    }
}
