//! What is done for devices that have just come, by a thread that may wait for the data base.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use hexmq_device::port::{PageAsk, PortResult, TimeQuery};
use hexmq_device::{Command, CommandState, DeviceRef};

use crate::core::{Core, is_passing, lock};

const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Commands that were sent and are to be sent again: the newest so many are looked at.
const AGAIN_MAX: usize = 1000;
/// Commands that wait for a device, in one page.
const PAGE: usize = 500;

/// Devices that something is to be done for: each at most once of each kind, so as many as there are devices.
#[derive(Default)]
pub(crate) struct Dispatch {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    duties: VecDeque<Duty>,
    known: HashSet<Duty>,
    stops: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Duty {
    /// Commands wait for it.
    Pending(DeviceRef),
    /// It is here for the first time.
    Activate(DeviceRef),
}

impl Dispatch {
    pub(crate) fn pending(&self, device: DeviceRef) {
        self.push(Duty::Pending(device));
    }

    pub(crate) fn activate(&self, device: DeviceRef) {
        self.push(Duty::Activate(device));
    }

    fn push(&self, duty: Duty) {
        let mut waiting = lock(&self.waiting);
        if waiting.known.insert(duty.clone()) {
            waiting.duties.push_back(duty);
            self.wake.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        lock(&self.waiting).stops = true;
        self.wake.notify_all();
    }

    fn next(&self) -> Option<Duty> {
        let idle = |waiting: &mut Waiting| waiting.duties.is_empty() && !waiting.stops;
        let waited = self.wake.wait_while(lock(&self.waiting), idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.stops {
            return None;
        }
        let duty = waiting.duties.pop_front()?;
        waiting.known.remove(&duty);
        Some(duty)
    }

    fn stops_within(&self, pause: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(lock(&self.waiting), pause, |waiting| !waiting.stops);
        waited.unwrap_or_else(PoisonError::into_inner).0.stops
    }
}

impl Core {
    /// The life of the thread.
    pub(crate) fn dispatch_commands(self: &Arc<Self>) {
        while let Some(duty) = self.dispatch.next() {
            let mut pause = PAUSE;
            loop {
                let result = match &duty {
                    Duty::Pending(device) => self.send_pending(device),
                    Duty::Activate(device) => self.mark_active(device),
                };
                match result {
                    Ok(()) => break,
                    Err(error) if is_passing(&error) => {
                        if self.dispatch.stops_within(pause) {
                            return;
                        }
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "what waits for a device that has come is left out");
                        break;
                    }
                }
            }
        }
    }

    /// Sends what waits for a device, in the order it was ordered.
    fn send_pending(self: &Arc<Self>, device: &DeviceRef) -> PortResult<()> {
        if !self.is_here(device) {
            return Ok(());
        }
        let mut commands = self.commands_again(device)?;
        let mut page = PageAsk { limit: PAGE, cursor: None };
        loop {
            let states = [CommandState::Created];
            let found = self.history.commands(&query(device, &states, false, page))?;
            commands.extend(found.items);
            match found.next {
                Some(next) => page = PageAsk { limit: PAGE, cursor: Some(next) },
                None => break,
            }
        }
        commands.sort_by_key(|command| command.created_at_ms);
        self.as_they_are(&mut commands);
        let now_ms = self.now_ms();
        for command in commands {
            if command.goes_out(now_ms) {
                self.send_stored(command);
            }
        }
        Ok(())
    }

    fn commands_again(&self, device: &DeviceRef) -> PortResult<Vec<Command>> {
        let states = [CommandState::Sent, CommandState::Acked];
        let page = PageAsk { limit: AGAIN_MAX, cursor: None };
        let mut commands = self.history.commands(&query(device, &states, true, page))?.items;
        commands.retain(|command| command.again);
        commands.reverse();
        Ok(commands)
    }

    fn mark_active(&self, device: &DeviceRef) -> PortResult<()> {
        let _edit = lock(&self.edits);
        let Some(mut stored) = self.registry.device(device)? else { return Ok(()) };
        if stored.activated_at_ms.is_none() {
            stored.activated_at_ms = Some(self.now_ms());
            self.registry.update_device(&stored)?;
            lock(&self.credentials).put(device.clone(), stored);
        }
        Ok(())
    }
}

fn query(device: &DeviceRef, states: &[CommandState], newest_first: bool, page: PageAsk) -> TimeQuery {
    TimeQuery {
        product: device.product.clone(),
        device: Some(device.device.clone()),
        ids: Some(states.iter().map(|state| state.name().to_owned()).collect()),
        newest_first,
        page,
        ..TimeQuery::default()
    }
}
