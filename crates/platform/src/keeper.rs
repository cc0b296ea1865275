//! The one thread that writes history: rows are gathered for a moment and kept together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hexmq_device::port::{PortError, PortResult};
use hexmq_device::{Answered, Batch, Command, DeviceRef, Event, LogLine, Point, Presence, PresenceChange};

use crate::core::{Core, count, is_passing, lock};
use crate::settings::Settings;

const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What one uplink, or something else that happened, leaves behind. It is kept as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) points: Vec<Point>,
    pub(crate) events: Vec<Event>,
    pub(crate) log: Vec<LogLine>,
    /// Answers to commands that are not in memory any more.
    pub(crate) answers: Vec<LateAnswer>,
    /// The uplink that is done with it.
    pub(crate) done: Option<(Arc<str>, u64)>,
}

/// An answer whose command has to be looked up.
#[derive(Clone, Debug)]
pub(crate) struct LateAnswer {
    pub(crate) device: DeviceRef,
    pub(crate) answered: Answered,
    pub(crate) at_ms: i64,
}

impl Effects {
    fn rows(&self) -> usize {
        self.points.len() + self.events.len() + self.log.len() + 1
    }
}

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Keeper {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    effects: VecDeque<Effects>,
    rows: usize,
    /// Of these, rows that no uplink stands for.
    loose_rows: usize,
    dropped: u64,
    /// Who is here, by device: only how it is now counts.
    presence: HashMap<DeviceRef, Presence>,
    /// Commands as they are now.
    commands: BTreeMap<String, Command>,
    /// Uplinks among the effects, and in the hands of the thread.
    uplinks: usize,
    busy: bool,
    stop_at: Option<Instant>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.effects.is_empty() && self.presence.is_empty() && self.commands.is_empty()
    }
}

/// What is written together.
#[derive(Default)]
struct Group {
    effects: Vec<Effects>,
    presence: Vec<PresenceChange>,
    commands: Vec<Command>,
}

impl Keeper {
    /// Takes over what is to be kept. Rows that no uplink stands for are dropped beyond their bound.
    pub(crate) fn push(&self, effects: Effects, settings: &Settings) {
        let mut waiting = lock(&self.waiting);
        let rows = effects.rows();
        if effects.done.is_none() {
            if waiting.loose_rows.saturating_add(rows) > settings.loose_rows {
                waiting.dropped += 1;
                return;
            }
            waiting.loose_rows += rows;
        } else {
            waiting.uplinks += 1;
        }
        waiting.rows += rows;
        let wakes = waiting.effects.is_empty() || waiting.rows >= settings.group_rows;
        waiting.effects.push_back(effects);
        drop(waiting);
        if wakes {
            self.wake.notify_all();
        }
    }

    pub(crate) fn presence(&self, device: DeviceRef, presence: Presence) {
        lock(&self.waiting).presence.insert(device, presence);
        self.wake.notify_all();
    }

    pub(crate) fn command(&self, command: Command) {
        lock(&self.waiting).commands.insert(command.id.clone(), command);
        self.wake.notify_all();
    }

    /// Forgets what waits for devices of a product that is removed.
    pub(crate) fn forget_product(&self, product: &str) {
        lock(&self.waiting).presence.retain(|device, _| device.product != product);
    }

    /// Uplinks that are not kept yet.
    pub(crate) fn backlog(&self) -> usize {
        lock(&self.waiting).uplinks
    }

    /// Whether everything is written.
    pub(crate) fn is_idle(&self) -> bool {
        let waiting = lock(&self.waiting);
        waiting.is_empty() && !waiting.busy
    }

    pub(crate) fn await_change(&self, patience: Duration) {
        drop(self.wake.wait_timeout(lock(&self.waiting), patience));
    }

    /// Waits until everything is written, but not longer than this; then the thread ends.
    pub(crate) fn stop(&self, patience: Duration) {
        let mut waiting = lock(&self.waiting);
        waiting.stop_at.get_or_insert(Instant::now() + patience);
        self.wake.notify_all();
        let unwritten = |waiting: &mut Waiting| waiting.busy || !waiting.is_empty();
        drop(self.wake.wait_timeout_while(waiting, patience, unwritten));
    }

    /// The next group; `None`: it is over.
    fn next(&self, settings: &Settings) -> Option<Group> {
        let mut waiting = lock(&self.waiting);
        waiting.busy = false;
        if waiting.is_empty() {
            self.wake.notify_all();
        }
        while waiting.is_empty() {
            if waiting.stop_at.is_some() {
                return None;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        // What comes within a moment is written with it.
        let gathers = |waiting: &mut Waiting| waiting.rows < settings.group_rows && waiting.stop_at.is_none();
        let gathered = self.wake.wait_timeout_while(waiting, settings.group_time, gathers);
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        if waiting.stop_at.is_some_and(|stop_at| Instant::now() >= stop_at) {
            return None;
        }
        Some(waiting.take(settings))
    }

    fn gives_up(&self) -> bool {
        lock(&self.waiting).stop_at.is_some_and(|stop_at| Instant::now() >= stop_at)
    }

    /// Pauses, but not beyond the end.
    fn pause(&self, pause: Duration) {
        let waiting = lock(&self.waiting);
        let until_end = waiting.stop_at.map(|stop_at| stop_at.saturating_duration_since(Instant::now()));
        let pause = until_end.map_or(pause, |end| pause.min(end));
        let is_running = waiting.stop_at.is_none();
        drop(self.wake.wait_timeout_while(waiting, pause, |waiting| waiting.stop_at.is_none() == is_running));
    }

    fn written(&self, uplinks: usize) {
        let mut waiting = lock(&self.waiting);
        waiting.uplinks = waiting.uplinks.saturating_sub(uplinks);
    }
}

impl Waiting {
    fn take(&mut self, settings: &Settings) -> Group {
        let mut group = Group::default();
        let mut rows = 0;
        while rows < settings.group_rows {
            let Some(effects) = self.effects.pop_front() else { break };
            rows += effects.rows();
            if effects.done.is_none() {
                self.loose_rows = self.loose_rows.saturating_sub(effects.rows());
            }
            group.effects.push(effects);
        }
        self.rows = self.rows.saturating_sub(rows);
        let presence = std::mem::take(&mut self.presence);
        group.presence =
            presence.into_iter().map(|(device, presence)| PresenceChange { device, presence }).collect();
        group.commands = std::mem::take(&mut self.commands).into_values().collect();
        self.busy = true;
        if self.dropped > 0 {
            tracing::warn!(
                lines = self.dropped,
                "log lines of devices were dropped: the data base does not keep up"
            );
            self.dropped = 0;
        }
        group
    }
}

impl Core {
    /// The life of the thread that writes.
    pub(crate) fn keep_rows(self: &Arc<Self>) {
        // Who is here is only true after everybody was gone.
        while !self.is_booted() {
            if self.keeper.gives_up() || self.bell.rings_within(Duration::from_millis(20)) {
                return;
            }
        }
        while let Some(group) = self.keeper.next(&self.settings) {
            let Group { effects, presence, mut commands } = group;
            let mut presence = Some(presence);
            // Everything is written again if a part of it fails: all of it may be written twice.
            let kept = self.until_kept(|| self.write_commands(&mut commands, &effects))
                && self.keep_effects(effects, &mut presence);
            if !kept {
                return;
            }
        }
    }

    /// Tries until it succeeds; whether it has before the end.
    fn until_kept(&self, mut attempt: impl FnMut() -> PortResult<()>) -> bool {
        let mut pause = self.settings.first_pause;
        loop {
            match attempt() {
                Ok(()) => {
                    if self.counts.database_away.swap(false, Ordering::Relaxed) {
                        tracing::info!("the data base of the device cloud answers again");
                    }
                    return true;
                }
                Err(error) => {
                    count(&self.counts.keep_failures, 1);
                    if !self.counts.database_away.swap(true, Ordering::Relaxed) {
                        tracing::warn!(%error, "the data base of the device cloud takes nothing; it is tried until it does");
                    }
                }
            }
            if self.keeper.gives_up() {
                return false;
            }
            self.keeper.pause(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn write_commands(&self, commands: &mut Vec<Command>, effects: &[Effects]) -> PortResult<()> {
        for answer in effects.iter().flat_map(|effects| &effects.answers) {
            self.late_answer(answer)?;
        }
        while let Some(command) = commands.last() {
            match self.history.put_command(command) {
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => tracing::error!(%error, id = command.id, "a command cannot be kept"),
                Ok(()) => {}
            }
            self.commands.written(command);
            commands.pop();
        }
        Ok(())
    }

    /// Keeps effects together, or one by one where the data base takes them not together; whether it is done.
    fn keep_effects(&self, effects: Vec<Effects>, presence: &mut Option<Vec<PresenceChange>>) -> bool {
        let uplinks = effects.iter().filter(|effects| effects.done.is_some()).count();
        let all = batch(&effects, presence.take().unwrap_or_default());
        match self.keep_batch(&all) {
            Kept::Yes => {}
            Kept::GivenUp => return false,
            Kept::Never(error) if effects.len() > 1 || !all.presence.is_empty() => {
                tracing::warn!(%error, "rows are written one by one");
                if !all.presence.is_empty() {
                    let alone = Batch { presence: all.presence, ..Batch::default() };
                    if let Kept::Never(error) = self.keep_batch(&alone) {
                        tracing::error!(%error, "who is here cannot be kept");
                    }
                }
                for effects in effects {
                    if !self.keep_effects(vec![effects], &mut None) {
                        return false;
                    }
                }
                return true;
            }
            Kept::Never(error) => {
                tracing::error!(%error, "the rows of an uplink cannot be kept and are given up");
                let done = Batch { done: all.done, ..Batch::default() };
                if matches!(self.keep_batch(&done), Kept::GivenUp) {
                    return false;
                }
                self.done(&done);
            }
        }
        self.keeper.written(uplinks);
        true
    }

    fn keep_batch(&self, batch: &Batch) -> Kept {
        let mut never = None;
        let kept = self.until_kept(|| match self.history.keep(batch) {
            Err(error) if !is_passing(&error) => {
                never = Some(error);
                Ok(())
            }
            result => result,
        });
        match never {
            _ if !kept => Kept::GivenUp,
            Some(error) => Kept::Never(error),
            None => {
                count(&self.counts.points, batch.points.len());
                self.done(batch);
                Kept::Yes
            }
        }
    }

    /// The shards may forget what is kept.
    fn done(&self, batch: &Batch) {
        if let Some(fleet) = self.fleet.get() {
            for (inbox, place) in &batch.done {
                fleet.done(inbox, *place);
            }
        }
    }
}

enum Kept {
    Yes,
    Never(PortError),
    GivenUp,
}

fn batch(effects: &[Effects], presence: Vec<PresenceChange>) -> Batch {
    let mut batch = Batch { presence, ..Batch::default() };
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for effects in effects {
        batch.points.extend(effects.points.iter().cloned());
        batch.events.extend(effects.events.iter().cloned());
        batch.log.extend(effects.log.iter().cloned());
        if let Some((inbox, place)) = &effects.done {
            let highest = done.entry(inbox).or_insert(*place);
            *highest = (*highest).max(*place);
        }
    }
    batch.done = done.into_iter().map(|(inbox, place)| (inbox.to_owned(), place)).collect();
    batch
}
