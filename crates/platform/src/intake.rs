//! Uplinks on their way from the shards to what they mean.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::cloud::Handed;
use crate::core::{Core, count, lock};
use crate::keeper::Effects;

/// Lanes of uplinks; those of one inbox stay in order because they stay in one lane.
pub(crate) struct Intake {
    lanes: Vec<Lane>,
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Bounded by what the shards hand up before they hear that it is done.
    uplinks: VecDeque<Handed>,
    /// Some have been taken and are not read yet.
    busy: bool,
    stops: bool,
}

impl Intake {
    pub(crate) fn new(lanes: usize) -> Intake {
        Intake { lanes: (0..lanes.max(1)).map(|_| Lane::default()).collect() }
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Uplinks that nobody has read yet.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lock(&lane.waiting).uplinks.len()).sum()
    }

    pub(crate) fn stop(&self) {
        for lane in &self.lanes {
            lock(&lane.waiting).stops = true;
            lane.wake.notify_all();
        }
    }

    fn has_stopped(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_none_or(|lane| lock(&lane.waiting).stops)
    }

    fn lane_of(&self, inbox: &str) -> Option<&Lane> {
        let mut hasher = DefaultHasher::new();
        inbox.hash(&mut hasher);
        let at = hasher.finish() % self.lanes.len() as u64;
        self.lanes.get(usize::try_from(at).unwrap_or(0))
    }

    /// Everything that waits in a lane; `None` when it is over.
    fn take(&self, lane: usize) -> Option<VecDeque<Handed>> {
        let lane = self.lanes.get(lane)?;
        let mut waiting = lock(&lane.waiting);
        waiting.busy = false;
        let idle = |waiting: &mut Waiting| waiting.uplinks.is_empty() && !waiting.stops;
        let mut waiting = lane.wake.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
        // What is not read at the end is handed up again after the next start.
        if waiting.stops {
            return None;
        }
        waiting.busy = true;
        Some(std::mem::take(&mut waiting.uplinks))
    }

    /// Whether everything is read.
    pub(crate) fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| {
            let waiting = lock(&lane.waiting);
            waiting.uplinks.is_empty() && !waiting.busy
        })
    }
}

impl Core {
    pub(crate) fn take_uplinks(&self, uplinks: Vec<Handed>) {
        count(&self.counts.uplinks, uplinks.len());
        for uplink in uplinks {
            if let Some(lane) = self.intake.lane_of(&uplink.inbox) {
                lock(&lane.waiting).uplinks.push_back(uplink);
                lane.wake.notify_one();
            }
        }
    }

    /// The life of a thread that reads uplinks.
    pub(crate) fn read_uplinks(self: &Arc<Self>, lane: usize) {
        let mut places = Places::default();
        while let Some(uplinks) = self.intake.take(lane) {
            for uplink in uplinks {
                match places.is_new(self, lane, &uplink) {
                    Some(true) => self.read_uplink(&uplink, &|| self.intake.has_stopped(lane)),
                    Some(false) => self.done_already(&uplink, &places),
                    None => return,
                }
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
