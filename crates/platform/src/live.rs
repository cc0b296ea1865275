//! The commands that are in memory: those that something has happened to lately.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{Command, CommandState, DeviceRef, Downlink};

use crate::core::lock;

/// So long the caller of a new command waits to hear whether it could be sent.
pub(crate) const FIRST_WORD: Duration = Duration::from_secs(2);
/// A command that rests stays in memory for so long.
const REST_MS: i64 = 60_000;
/// Commands that have been sent and not answered stay in memory for so long.
pub(crate) const AWAIT_MS: i64 = 600_000;
/// Commands in memory.
const LIVE_MAX: usize = 200_000;

/// The commands that something has happened to lately.
#[derive(Default)]
pub(crate) struct Commands {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) changed: Condvar,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) live: HashMap<String, Live>,
    pub(crate) by_correlation: HashMap<(DeviceRef, String), String>,
    pub(crate) by_token: HashMap<u64, String>,
    last_token: u64,
    /// When which command is to be looked at.
    pub(crate) agenda: BinaryHeap<Reverse<(i64, String)>>,
}

pub(crate) struct Live {
    pub(crate) command: Command,
    pub(crate) is_written: bool,
    pub(crate) touched_ms: i64,
    pub(crate) tries: u32,
    /// It is on its way to the connection, and nobody knows yet whether it gets there.
    is_trying: bool,
    /// It was on its way at least once, and it is known what came of that.
    was_tried: bool,
    /// The sign-in during which it was sent last.
    sent_during: Option<u64>,
    correlations: Vec<String>,
    tokens: Vec<u64>,
}

impl Commands {
    /// A command that the data base has.
    pub(crate) fn insert(&self, command: Command, now_ms: i64) -> PortResult<()> {
        let mut inner = lock(&self.inner);
        if inner.live.len() >= LIVE_MAX && !inner.live.contains_key(&command.id) {
            let message = format!("more than {LIVE_MAX} commands are on their way");
            return Err(PortError::new(PortErrorKind::Full, "too_many_commands", message));
        }
        let live = || Live {
            is_written: true,
            touched_ms: now_ms,
            tries: 0,
            is_trying: false,
            was_tried: false,
            sent_during: None,
            correlations: Vec::new(),
            tokens: Vec::new(),
            command: command.clone(),
        };
        inner.live.entry(command.id.clone()).or_insert_with(live);
        if command.deadline_ms.saturating_sub(now_ms) < AWAIT_MS {
            inner.agenda.push(Reverse((command.deadline_ms, command.id)));
        }
        Ok(())
    }

    pub(crate) fn get(&self, id: &str) -> Option<Command> {
        lock(&self.inner).live.get(id).map(|live| live.command.clone())
    }

    pub(crate) fn forget(&self, id: &str) {
        lock(&self.inner).live.remove(id);
    }

    /// The keeper has written a command.
    pub(crate) fn written(&self, command: &Command) {
        if let Some(live) = lock(&self.inner).live.get_mut(&command.id)
            && live.command == *command
        {
            live.is_written = true;
        }
    }

    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Whether it may be sent now: not while it is on its way, and once during a sign-in.
    pub(crate) fn begins(&self, id: &str, sign_in: u64) -> bool {
        let mut inner = lock(&self.inner);
        let Some(live) = inner.live.get_mut(id) else { return false };
        let was_sent = live.command.state != CommandState::Created && live.sent_during == Some(sign_in);
        let begins = !live.is_trying && !was_sent && !live.command.state.is_final();
        live.is_trying |= begins;
        begins
    }

    pub(crate) fn tried(&self, id: &str, sent_during: Option<u64>) {
        if let Some(live) = lock(&self.inner).live.get_mut(id) {
            live.is_trying = false;
            live.was_tried = true;
            live.sent_during = sent_during.or(live.sent_during);
        }
    }

    /// An answer or an acknowledgement of this attempt will find the command.
    pub(crate) fn expect(&self, id: &str, downlink: &Downlink) -> Option<u64> {
        let mut inner = lock(&self.inner);
        inner.last_token += 1;
        let token = (downlink.qos > 0).then_some(inner.last_token);
        let live = inner.live.get_mut(id)?;
        live.tokens.extend(token);
        let device = live.command.device.clone();
        if let Some(correlation) = &downlink.correlation {
            live.correlations.push(correlation.clone());
            inner.by_correlation.insert((device, correlation.clone()), id.to_owned());
        }
        if let Some(token) = token {
            inner.by_token.insert(token, id.to_owned());
        }
        token
    }

    /// Whether its first attempt is still under way: however short a command is valid, that has its time.
    pub(crate) fn is_begun(&self, id: &str, now_ms: i64) -> bool {
        let inner = lock(&self.inner);
        let patience_ms = i64::try_from(FIRST_WORD.as_millis()).unwrap_or(i64::MAX);
        inner.live.get(id).is_some_and(|live| {
            live.command.state == CommandState::Created
                && !live.was_tried
                && now_ms.saturating_sub(live.touched_ms) < patience_ms
        })
    }

    pub(crate) fn remind(&self, id: &str, at_ms: i64) {
        lock(&self.inner).agenda.push(Reverse((at_ms, id.to_owned())));
    }

    /// Commands whose time has come.
    pub(crate) fn due(&self, now_ms: i64) -> Vec<String> {
        let mut inner = lock(&self.inner);
        let mut due = Vec::new();
        while inner.agenda.peek().is_some_and(|Reverse((at_ms, _))| *at_ms <= now_ms) {
            due.extend(inner.agenda.pop().map(|Reverse((_, id))| id));
        }
        due
    }

    /// Forgets what rests and is written.
    pub(crate) fn tidy(&self, now_ms: i64) {
        let mut inner = lock(&self.inner);
        let rests = |live: &Live| {
            let waits = matches!(live.command.state, CommandState::Sent | CommandState::Acked);
            let rest_ms = if waits { AWAIT_MS } else { REST_MS };
            live.is_written && now_ms.saturating_sub(live.touched_ms) > rest_ms
        };
        let gone: Vec<String> =
            inner.live.iter().filter(|(_, live)| rests(live)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            let Some(live) = inner.live.remove(&id) else { continue };
            for correlation in live.correlations {
                inner.by_correlation.remove(&(live.command.device.clone(), correlation));
            }
            for token in live.tokens {
                inner.by_token.remove(&token);
            }
        }
    }
}
