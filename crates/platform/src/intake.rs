//! Uplinks on their way from the shards to what they mean.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::cloud::Handed;
use crate::core::{Core, count, lock};
use crate::keeper::Effects;

/// Lanes of uplinks; those of one inbox stay in order because they stay in one lane.
///
/// A shard has one inbox at a time, but after a restart there are older ones: an inbox that is new here is read after
/// everything that came before it, in whatever lane, so that the uplinks of a device stay in order.
pub(crate) struct Intake {
    lanes: Vec<Lane>,
    known: Mutex<HashSet<Arc<str>>>,
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Bounded by what the shards hand up before they hear that it is done.
    items: VecDeque<Item>,
    /// Uplinks that ever came, and that were ever read.
    came: u64,
    read: u64,
    stops: bool,
}

enum Item {
    Uplink(Handed),
    /// What follows is read when each lane has read so many.
    After(Vec<u64>),
}

impl Intake {
    pub(crate) fn new(lanes: usize) -> Intake {
        Intake { lanes: (0..lanes.max(1)).map(|_| Lane::default()).collect(), known: Mutex::default() }
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Uplinks that are not read yet.
    pub(crate) fn waiting(&self) -> u64 {
        let waits = |lane: &Lane| {
            let waiting = lock(&lane.waiting);
            waiting.came.saturating_sub(waiting.read)
        };
        self.lanes.iter().map(waits).sum()
    }

    pub(crate) fn stop(&self) {
        for lane in &self.lanes {
            lock(&lane.waiting).stops = true;
            lane.wake.notify_all();
        }
    }

    fn push(&self, uplink: Handed) {
        let at = self.lane_of(&uplink.inbox);
        let Some(lane) = self.lanes.get(at) else { return };
        let after = {
            let mut known = lock(&self.known);
            let is_new = known.insert(Arc::clone(&uplink.inbox));
            // Not its own lane: what came before it there is before it anyway.
            let came = |(lane, other): (usize, &Lane)| if lane == at { 0 } else { lock(&other.waiting).came };
            is_new.then(|| self.lanes.iter().enumerate().map(came).collect::<Vec<_>>())
        };
        let mut waiting = lock(&lane.waiting);
        waiting.items.extend(after.map(Item::After));
        waiting.items.push_back(Item::Uplink(uplink));
        waiting.came += 1;
        drop(waiting);
        lane.wake.notify_all();
    }

    fn lane_of(&self, inbox: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        inbox.hash(&mut hasher);
        usize::try_from(hasher.finish() % self.lanes.len().max(1) as u64).unwrap_or(0)
    }

    fn has_stopped(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_none_or(|lane| lock(&lane.waiting).stops)
    }

    /// Everything that waits in a lane; `None` when it is over.
    fn take(&self, lane: usize) -> Option<VecDeque<Item>> {
        let lane = self.lanes.get(lane)?;
        let idle = |waiting: &mut Waiting| waiting.items.is_empty() && !waiting.stops;
        let waited = lane.wake.wait_while(lock(&lane.waiting), idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        // What is not read at the end is handed up again after the next start.
        if waiting.stops { None } else { Some(std::mem::take(&mut waiting.items)) }
    }

    fn has_read(&self, lane: usize) {
        if let Some(lane) = self.lanes.get(lane) {
            lock(&lane.waiting).read += 1;
            lane.wake.notify_all();
        }
    }

    /// Waits until each lane has read so many; false if the platform stops before.
    fn wait_for(&self, counts: &[u64]) -> bool {
        self.lanes.iter().zip(counts).all(|(lane, count)| {
            let is_behind = |waiting: &mut Waiting| waiting.read < *count && !waiting.stops;
            let waited = lane.wake.wait_while(lock(&lane.waiting), is_behind);
            !waited.unwrap_or_else(PoisonError::into_inner).stops
        })
    }
}

impl Core {
    pub(crate) fn take_uplinks(&self, uplinks: Vec<Handed>) {
        count(&self.counts.uplinks, uplinks.len());
        uplinks.into_iter().for_each(|uplink| self.intake.push(uplink));
    }

    /// The life of a thread that reads uplinks.
    pub(crate) fn read_uplinks(self: &Arc<Self>, lane: usize) {
        let mut places = Places::default();
        while let Some(items) = self.intake.take(lane) {
            for item in items {
                let uplink = match item {
                    Item::Uplink(uplink) => uplink,
                    Item::After(counts) if self.intake.wait_for(&counts) => continue,
                    Item::After(_) => return,
                };
                match places.is_new(self, lane, &uplink) {
                    Some(true) => self.read_uplink(&uplink, &|| self.intake.has_stopped(lane)),
                    Some(false) => self.done_already(&uplink, &places),
                    None => return,
                }
                self.intake.has_read(lane);
                if self.intake.has_stopped(lane) {
                    return;
                }
            }
        }
    }

    /// It was kept before a restart, and the shard has not heard.
    fn done_already(&self, uplink: &Handed, places: &Places) {
        if let (Some(fleet), Some(&kept)) = (self.fleet.get(), places.kept.get(&uplink.inbox)) {
            // Not beyond what is kept: what was read since then may still be on its way.
            fleet.done(&uplink.inbox, uplink.place.min(kept));
        }
    }

    fn read_uplink(self: &Arc<Self>, uplink: &Handed, stops: &dyn Fn() -> bool) {
        let (mut effects, mut replies) = (Effects::default(), Vec::new());
        // Whatever one message does to its dialect, the messages behind it are read.
        let reading =
            std::panic::AssertUnwindSafe(|| self.understand(uplink, &mut effects, &mut replies, stops));
        match std::panic::catch_unwind(reading) {
            // It is handed up again after the next start.
            Ok(false) => return,
            Ok(true) => {}
            Err(_) => {
                count(&self.counts.uplinks_refused, 1);
                tracing::error!(topic = &*uplink.topic, "reading an uplink has panicked; it is left out");
                (effects, replies) = (Effects::default(), Vec::new());
            }
        }
        effects.done = Some((Arc::clone(&uplink.inbox), uplink.place));
        self.keeper.push(effects, &self.settings);
        // Behind what they answer to, so that the log tells it in this order.
        self.answer(uplink, replies);
    }
}

/// Up to where inboxes were done when this process began, and up to where they were read since.
#[derive(Default)]
struct Places {
    kept: HashMap<Arc<str>, u64>,
    read: HashMap<Arc<str>, u64>,
}

impl Places {
    /// Whether this uplink is to be read; `None`: the platform stops before that is known.
    fn is_new(&mut self, core: &Core, lane: usize, uplink: &Handed) -> Option<bool> {
        if !self.read.contains_key(&uplink.inbox) {
            let kept = self.look_up(core, lane, &uplink.inbox)?;
            if let Some(kept) = kept {
                self.kept.insert(Arc::clone(&uplink.inbox), kept);
                self.read.insert(Arc::clone(&uplink.inbox), kept);
            }
        }
        let is_new = self.read.get(&uplink.inbox).is_none_or(|&read| uplink.place > read);
        if is_new {
            self.read.insert(Arc::clone(&uplink.inbox), uplink.place);
        }
        Some(is_new)
    }

    /// Asks until the data base answers: without its word an uplink might be stored twice.
    fn look_up(&self, core: &Core, lane: usize, inbox: &str) -> Option<Option<u64>> {
        loop {
            match core.history.done(inbox) {
                Ok(kept) => return Some(kept),
                Err(error) => {
                    core.counts.database_away.store(true, Ordering::Relaxed);
                    tracing::debug!(%error, inbox, "uplinks wait for the data base");
                }
            }
            if core.intake.has_stopped(lane) || core.bell.rings_within(Duration::from_millis(200)) {
                return None;
            }
        }
    }
}
