//! What the store's thread does.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use hexmq_broker::{Condition, Fetch, ShardId};

use super::inbox::Taken;
use super::{KeeperOptions, Shared, Tell};
use crate::disk::Disk;
use crate::event::StoreEvent;
use crate::store::{Cleaned, Store};

/// Bytes of commits that are written at once, about; as much may wait when nothing can be written.
const ROUND_BYTES: u64 = 8 << 20;
/// Enough bytes to write that no more are waited for.
const LINGER_BYTES: u64 = 1 << 20;
/// Time that answering questions may take between two rounds.
const FETCH_TIME: Duration = Duration::from_millis(2);
/// A sync that takes longer is told of.
const SLOW: Duration = Duration::from_secs(1);
/// When the reserve cannot be made, it is tried again after so long.
const RESERVE_RETRY: Duration = Duration::from_secs(30);
/// How often figures are made while there is much to do.
const FIGURES_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Work<D> {
    store: Store<D>,
    options: KeeperOptions,
    shared: Arc<Shared>,
    tell: Tell,
    taken: Taken,
    /// Commits that are not safe: where each ends in the log, its shard, number and bytes.
    unsafe_yet: VecDeque<Unsafe>,
    /// The last safe commit of each shard, as far as it was not told yet.
    told: Vec<(ShardId, u64)>,
    condition: Condition,
    /// Since when nothing can be written, and when it is tried again.
    stuck: Option<(Instant, Instant)>,
    /// Questions that could not be answered, and when they are asked again.
    fetch_again: Option<Instant>,
    clean_again: Option<Instant>,
    reserve_again: Option<Instant>,
    /// Bytes that came since the last step of cleaning.
    since_cleaning: u64,
    figures_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Unsafe {
    end: u64,
    shard: ShardId,
    number: u64,
    bytes: u64,
}

impl<D: Disk> Work<D> {
    pub(super) fn new(store: Store<D>, options: KeeperOptions, shared: Arc<Shared>, tell: Tell) -> Work<D> {
        Work {
            store,
            options,
            shared,
            tell,
            taken: Taken::default(),
            unsafe_yet: VecDeque::new(),
            told: Vec::new(),
            condition: Condition::Well,
            stuck: None,
            fetch_again: None,
            clean_again: None,
            reserve_again: Some(Instant::now()),
            since_cleaning: 0,
            figures_at: Instant::now(),
        }
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        // What was found at the end of the log is made safe first.
        self.make_safe();
        loop {
            let room = ROUND_BYTES.saturating_sub(self.store.unwritten());
            let patience = self.patience();
            let shared = Arc::clone(&self.shared);
            shared.inbox.take(&mut self.taken, room, patience);
            if !self.options.sync_delay.is_zero()
                && !self.taken.commits.is_empty()
                && !self.taken.stop
                && self.stuck.is_none()
            {
                let taken: u64 = self.taken.commits.iter().map(|commit| commit.records.len() as u64).sum();
                if taken < LINGER_BYTES {
                    shared.inbox.linger(self.options.sync_delay, LINGER_BYTES - taken);
                    shared.inbox.take(&mut self.taken, room.saturating_sub(taken), Some(Duration::ZERO));
                }
            }
            self.append();
            if self.taken.stop {
                return self.finish();
            }
            if self.may_try() {
                self.make_safe();
            }
            self.answer();
            self.care();
            self.show();
        }
    }

    /// How long to wait for something to do.
    fn patience(&self) -> Option<Duration> {
        if self.may_clean() {
            return Some(Duration::ZERO);
        }
        let stuck = self.stuck.map(|(_, again)| again);
        let again = [stuck, self.fetch_again, self.clean_again, self.reserve_again];
        let next = again.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn may_clean(&self) -> bool {
        self.stuck.is_none()
            && self.clean_again.is_none_or(|again| Instant::now() >= again)
            && self.store.wants_cleaning(false)
    }

    fn may_try(&self) -> bool {
        self.stuck.is_none_or(|(_, again)| Instant::now() >= again)
    }

    /// Puts what was taken into the store's buffer.
    fn append(&mut self) {
        for commit in &self.taken.commits {
            let bytes = commit.records.len() as u64;
            self.since_cleaning += bytes;
            if let Err(bad) = self.store.append(commit.shard, &commit.records) {
                let error = bad.error.to_string();
                (self.tell)(StoreEvent::Refused { shard: commit.shard, error });
            }
            let (shard, number) = (commit.shard, commit.number);
            self.unsafe_yet.push_back(Unsafe { end: self.store.end(), shard, number, bytes });
        }
        self.shared.inbox.give_back(&mut self.taken.commits);
    }

    /// Writes and syncs, and tells the shards.
    fn make_safe(&mut self) {
        if self.unsafe_yet.is_empty() && self.store.unwritten() == 0 && self.stuck.is_none() {
            return;
        }
        let begin = Instant::now();
        match self.store.make_safe() {
            Ok(()) => {
                self.measure(begin.elapsed());
                self.resume();
            }
            Err(error) => self.get_stuck(&error),
        }
        self.tell_safe();
        self.announce();
    }

    fn resume(&mut self) {
        if let Some((since, _)) = self.stuck.take() {
            (self.tell)(StoreEvent::Resumed { after_ms: since.elapsed().as_millis() as u64 });
        }
    }

    fn measure(&mut self, took: Duration) {
        let us = took.as_micros() as u64;
        self.shared.rounds.fetch_add(1, Ordering::Relaxed);
        self.shared.last_round_us.store(us, Ordering::Relaxed);
        self.shared.longest_round_us.fetch_max(us, Ordering::Relaxed);
        if took >= SLOW {
            (self.tell)(StoreEvent::Slow { sync_ms: took.as_millis() as u64 });
        }
    }

    fn get_stuck(&mut self, error: &io::Error) {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let again = Instant::now() + self.options.retry;
        match &mut self.stuck {
            Some((_, next)) => *next = again,
            None => {
                self.stuck = Some((Instant::now(), again));
                (self.tell)(StoreEvent::Stuck { full, error: error.to_string() });
            }
        }
        if full && self.store.make_room() {
            self.clean_full_disk();
        }
    }

    /// Cleans segment by segment until there is room for what waits, or nothing is won any more.
    fn clean_full_disk(&mut self) {
        loop {
            match self.store.clean_step(true) {
                Ok(Cleaned::More) => {}
                Ok(Cleaned::Removed { segment }) => {
                    (self.tell)(StoreEvent::Cleaned { segment });
                    if self.store.make_safe().is_ok() {
                        self.resume();
                        self.reserve_again = Some(Instant::now());
                        return;
                    }
                }
                Ok(Cleaned::Damaged(damage)) => (self.tell)(StoreEvent::Damaged(damage)),
                Ok(Cleaned::Nothing) | Err(_) => return,
            }
        }
    }

    fn tell_safe(&mut self) {
        let safe = self.store.safe();
        let mut bytes = 0;
        let mut commits = 0;
        while let Some(first) = self.unsafe_yet.front().filter(|first| first.end <= safe) {
            bytes += first.bytes;
            commits += 1;
            match self.told.iter_mut().find(|(shard, _)| *shard == first.shard) {
                Some((_, number)) => *number = first.number,
                None => self.told.push((first.shard, first.number)),
            }
            self.unsafe_yet.pop_front();
        }
        self.shared.inbox.safe(bytes);
        self.shared.commits.fetch_add(commits, Ordering::Relaxed);
        for (shard, number) in self.told.drain(..) {
            if let Some(listener) = self.shared.listener.get() {
                listener.safe(shard, number);
            }
        }
    }

    fn announce(&mut self) {
        let (condition, news) = self.shared.inbox.judge(self.stuck.is_some());
        if news || condition != self.condition {
            self.condition = condition;
            if let Some(listener) = self.shared.listener.get() {
                listener.condition(condition);
            }
        }
    }

    /// Answers questions for a while.
    fn answer(&mut self) {
        if self.fetch_again.is_some_and(|again| Instant::now() < again) {
            return;
        }
        let begin = Instant::now();
        while let Some((shard, fetch)) = self.taken.fetches.pop_front() {
            match self.store.fetch(&fetch) {
                Ok(fetched) => {
                    self.fetch_again = None;
                    if let Some(listener) = self.shared.listener.get() {
                        listener.fetched(shard, fetched);
                    }
                }
                Err(error) => {
                    self.ask_again(shard, fetch, &error);
                    return;
                }
            }
            if begin.elapsed() > FETCH_TIME {
                break;
            }
        }
        if !self.taken.fetches.is_empty() {
            // There are more: no waiting.
            self.fetch_again = Some(Instant::now());
        }
    }

    fn ask_again(&mut self, shard: ShardId, fetch: Fetch, error: &io::Error) {
        if self.fetch_again.is_none() {
            (self.tell)(StoreEvent::CannotRead { error: error.to_string() });
        }
        // Behind the others: it may be this one alone that cannot be read.
        self.taken.fetches.push_back((shard, fetch));
        self.fetch_again = Some(Instant::now() + self.options.retry);
    }

    /// Cleaning and the reserve, when there is time or need.
    fn care(&mut self) {
        if self.stuck.is_some() {
            return;
        }
        let idle = self.unsafe_yet.is_empty() && self.shared.inbox.is_empty();
        if self.may_clean() && (idle || self.since_cleaning >= self.store.clean_every_bytes()) {
            self.since_cleaning = 0;
            self.clean_again = None;
            match self.store.clean_step(false) {
                Ok(Cleaned::More) => {}
                Ok(Cleaned::Removed { segment }) => (self.tell)(StoreEvent::Cleaned { segment }),
                Ok(Cleaned::Damaged(damage)) => (self.tell)(StoreEvent::Damaged(damage)),
                Ok(Cleaned::Nothing) => self.clean_again = Some(Instant::now() + self.options.retry),
                Err(error) if self.store.safe() < self.store.end() => self.get_stuck(&error),
                Err(error) => {
                    self.clean_again = Some(Instant::now() + self.options.retry);
                    (self.tell)(StoreEvent::CannotRead { error: error.to_string() });
                }
            }
            self.tell_safe();
            self.announce();
        }
        if !self.may_clean() && self.reserve_again.is_some_and(|again| Instant::now() >= again) {
            self.reserve_again = match self.store.reserve_step() {
                Ok(true) => Some(Instant::now()),
                Ok(false) => None,
                Err(_) => Some(Instant::now() + RESERVE_RETRY),
            };
        }
    }

    fn show(&mut self) {
        let now = Instant::now();
        if now >= self.figures_at || self.unsafe_yet.is_empty() && self.shared.inbox.is_empty() {
            self.figures_at = now + FIGURES_EVERY;
            *self.shared.figures.lock().unwrap_or_else(PoisonError::into_inner) = self.store.figures();
        }
    }

    /// Everything that was handed over is made safe, and the log says so.
    fn finish(mut self) -> io::Result<()> {
        let end = Instant::now() + self.options.stop_patience;
        let shared = Arc::clone(&self.shared);
        loop {
            let result = self.store.close();
            self.tell_safe();
            match result {
                Ok(()) if !shared.inbox.has_commits() => return Ok(()),
                Ok(()) => {}
                Err(error) if Instant::now() >= end => return Err(error),
                Err(_) => std::thread::park_timeout(self.options.retry.min(Duration::from_millis(100))),
            }
            let room = ROUND_BYTES.saturating_sub(self.store.unwritten());
            shared.inbox.take(&mut self.taken, room, Some(Duration::ZERO));
            self.append();
        }
    }
}
