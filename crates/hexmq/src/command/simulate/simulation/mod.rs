//! The devices: when each posts, what it waits for, and how it comes back.

mod script;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hexmq_client::load::Outbox;
use hexmq_wire::{
    ControlPacket, Delivery, Disconnect, PacketIdentifier, Properties, Publish, QoS, ReasonCode, Version,
};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::random::Random;
use super::tally::Tally;
use super::value::{Memory, Property};
use super::words::{Message, Speaker, Words};

/// Posts of a device that may wait for an acknowledgement or an answer.
const OPEN_MAX: usize = 64;
/// The first and the longest wait before a device that was refused or lost its connection comes back.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often a person is told.
const TELL: Duration = Duration::from_secs(10);

/// What all devices do.
pub(super) struct Plan {
    pub(super) words: Box<dyn Words>,
    pub(super) version: Version,
    pub(super) qos: QoS,
    pub(super) clean: bool,
    pub(super) keep_alive_s: u16,
    pub(super) properties: Vec<Property>,
    pub(super) every: Duration,
    /// A post is up to so much later than it is due.
    pub(super) jitter: Duration,
    /// Posts of each device.
    pub(super) messages: Option<u64>,
    /// The run ends after this.
    pub(super) length: Option<Duration>,
    /// Devices come over this time, not at once.
    pub(super) ramp: Duration,
    pub(super) answer: Answer,
    pub(super) answer_delay: Duration,
    /// The likelihood that a connection breaks when a post is due.
    pub(super) drop_rate: f64,
    /// A device breaks its connection this often.
    pub(super) reconnect: Option<Duration>,
    /// How long what was sent last may take.
    pub(super) patience: Duration,
    pub(super) tells: bool,
}

/// One device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) secret: String,
}

struct State {
    device: Device,
    random: Random,
    memory: Vec<Memory>,
    stage: Stage,
    /// When it began to connect.
    began: Instant,
    failures: u32,
    /// Its posts, pings and breaks are scheduled.
    has_begun: bool,
    identifier: u16,
    posted: u32,
    open: VecDeque<Open>,
    answers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Away,
    Connecting,
    Online,
}

/// A post on its way.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: u32,
    identifier: Option<PacketIdentifier>,
    at: Instant,
    acked: bool,
    replied: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Due {
    Connect,
    Post,
    Ping,
    Break,
    Answer(Message),
}

/// Something that is due; the order of entries is that of time, and of making where times are equal.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: Instant,
    serial: u64,
    client: usize,
    due: Due,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// No more posts; what is on its way has until then.
    Draining(Instant),
    Done,
}

/// All devices.
pub(super) struct Simulation {
    plan: Plan,
    devices: Vec<State>,
    entries: BinaryHeap<Reverse<Entry>>,
    serial: u64,
    begun: Instant,
    phase: Phase,
    online: usize,
    /// Devices that have sent all they had to send.
    finished: usize,
    told: Instant,
    stop: Arc<AtomicBool>,
    pub(super) tally: Tally,
}

impl Simulation {
    /// These devices, away yet. `stop` ends the run early.
    pub(super) fn new(plan: Plan, devices: Vec<Device>, seed: u64, stop: Arc<AtomicBool>) -> Simulation {
        let begun = Instant::now();
        let count = devices.len();
        let properties = plan.properties.len();
        let state = |device: Device| State {
            random: Random::new(seed ^ device.number.wrapping_mul(0xD6E8_FEB8_6659_FD93)),
            memory: vec![Memory::default(); properties],
            stage: Stage::Away,
            began: begun,
            failures: 0,
            has_begun: false,
            // The first one is for SUBSCRIBE.
            identifier: PacketIdentifier::MIN.get(),
            posted: 0,
            open: VecDeque::new(),
            answers: 0,
            device,
        };
        let mut simulation = Simulation {
            devices: devices.into_iter().map(state).collect(),
            entries: BinaryHeap::with_capacity(4 * count),
            serial: 0,
            begun,
            phase: Phase::Running,
            online: 0,
            finished: 0,
            told: begun,
            stop,
            tally: Tally::default(),
            plan,
        };
        for client in 0..count {
            let share = client as f64 / count.max(1) as f64;
            simulation.schedule(begun + simulation.plan.ramp.mul_f64(share), client, Due::Connect);
        }
        simulation
    }

    fn schedule(&mut self, at: Instant, client: usize, due: Due) {
        self.serial += 1;
        self.entries.push(Reverse(Entry { at, serial: self.serial, client, due }));
    }

    fn next_due(&mut self, now: Instant) -> Option<Entry> {
        let is_due = self.entries.peek().is_some_and(|entry| entry.0.at <= now);
        if is_due { self.entries.pop().map(|entry| entry.0) } else { None }
    }

    /// The chains that go on whether the device is here or not begin with its first connection.
    fn begin_chains(&mut self, client: usize, now: Instant) {
        let every = self.plan.every;
        let Some(state) = self.devices.get_mut(client) else { return };
        // Spread over the first period: devices in a house were not switched on in one moment.
        let first = if self.plan.messages.is_some_and(|messages| messages <= 1) {
            Duration::ZERO
        } else {
            every.mul_f64(state.random.share())
        };
        let apart = state.random.share();
        self.schedule(now + first, client, Due::Post);
        if let Some(period) = self.plan.reconnect {
            self.schedule(now + period.mul_f64(0.5 + apart), client, Due::Break);
        }
        if let Some(period) = self.ping_period() {
            self.schedule(now + period, client, Due::Ping);
        }
    }

    fn ping_period(&self) -> Option<Duration> {
        let keep_alive = Duration::from_secs(self.plan.keep_alive_s.into());
        (!keep_alive.is_zero()).then(|| keep_alive.mul_f64(0.7))
    }

    fn happen(&mut self, entry: Entry, now: Instant, out: &mut Outbox) -> Result<(), String> {
        let client = entry.client;
        let Some(state) = self.devices.get_mut(client) else { return Ok(()) };
        match entry.due {
            Due::Connect => {
                if state.stage == Stage::Away {
                    state.stage = Stage::Connecting;
                    state.began = now;
                    out.connect(client);
                }
            }
            Due::Post => self.post_due(client, entry.at, now, out)?,
            Due::Ping => {
                if state.stage == Stage::Online {
                    out.send(client, &ControlPacket::Pingreq)?;
                }
                if let Some(period) = self.ping_period() {
                    self.schedule(now + period, client, Due::Ping);
                }
            }
            Due::Break => {
                if state.stage == Stage::Online {
                    self.break_off(client, out);
                }
                if let Some(period) = self.plan.reconnect {
                    self.schedule(now + period, client, Due::Break);
                }
            }
            Due::Answer(message) => {
                state.answers = state.answers.saturating_sub(1);
                if state.stage == Stage::Online {
                    self.publish(client, &message, out)?;
                    self.tally.answered += 1;
                }
            }
        }
        Ok(())
    }

    /// A post is due: it leaves, or is missed, and the next one is scheduled.
    fn post_due(&mut self, client: usize, at: Instant, now: Instant, out: &mut Outbox) -> Result<(), String> {
        if self.phase != Phase::Running {
            return Ok(());
        }
        let drop_rate = self.plan.drop_rate;
        let Some(state) = self.devices.get_mut(client) else { return Ok(()) };
        let breaks = drop_rate > 0.0 && state.random.share() < drop_rate;
        match state.stage {
            Stage::Online if breaks => self.break_off(client, out),
            Stage::Online => self.post(client, now, out)?,
            _ => self.tally.missed += 1,
        }
        let jitter = self.plan.jitter;
        let Some(state) = self.devices.get_mut(client) else { return Ok(()) };
        if self.plan.messages.is_some_and(|messages| u64::from(state.posted) >= messages) {
            self.finished += 1;
            return Ok(());
        }
        // From when it was due and not from now: being late once does not shift all that follows. A clock
        // that has fallen behind by more than a period starts anew instead of catching up.
        let next = (at + self.plan.every).max(now.checked_sub(self.plan.every).unwrap_or(now));
        let late = jitter.mul_f64(state.random.share());
        self.schedule(next + late, client, Due::Post);
        Ok(())
    }

    fn post(&mut self, client: usize, now: Instant, out: &mut Outbox) -> Result<(), String> {
        let values = self.values(client, now);
        let Some(state) = self.devices.get_mut(client) else { return Ok(()) };
        state.posted = state.posted.wrapping_add(1);
        let number = state.posted;
        let speaker = speaker(&state.device);
        let message = match self.plan.words.post(speaker, number, &values) {
            Ok(message) => message,
            Err(error) => {
                self.tally.error(&error);
                return Ok(());
            }
        };
        let identifier = self.publish(client, &message, out)?;
        self.tally.sent += 1;
        let open = Open {
            number,
            identifier,
            at: now,
            acked: identifier.is_none(),
            replied: !self.plan.words.is_answered(),
        };
        let Some(state) = self.devices.get_mut(client) else { return Ok(()) };
        if open.acked && open.replied {
            return Ok(());
        }
        if state.open.len() >= OPEN_MAX {
            state.open.pop_front();
            self.tally.lost += 1;
        }
        state.open.push_back(open);
        Ok(())
    }

    fn values(&mut self, client: usize, now: Instant) -> Map<String, Value> {
        let elapsed = now.saturating_duration_since(self.begun);
        let phase = client as f64 / self.devices.len().max(1) as f64;
        let Some(state) = self.devices.get_mut(client) else { return Map::new() };
        let State { memory, random, .. } = state;
        let values = self.plan.properties.iter().zip(memory);
        values
            .map(|(property, memory)| (property.name.clone(), property.value(memory, random, elapsed, phase)))
            .collect()
    }

    fn publish(
        &mut self,
        client: usize,
        message: &Message,
        out: &mut Outbox,
    ) -> Result<Option<PacketIdentifier>, String> {
        let Some(state) = self.devices.get_mut(client) else { return Ok(None) };
        let mut next = || {
            let identifier =
                PacketIdentifier::new(state.identifier.wrapping_add(1)).unwrap_or(PacketIdentifier::MIN);
            state.identifier = identifier.get();
            identifier
        };
        let (delivery, identifier) = match self.plan.qos {
            QoS::AtMostOnce => (Delivery::AtMostOnce, None),
            QoS::AtLeastOnce => {
                let identifier = next();
                (Delivery::AtLeastOnce(identifier), Some(identifier))
            }
            QoS::ExactlyOnce => {
                let identifier = next();
                (Delivery::ExactlyOnce(identifier), Some(identifier))
            }
        };
        let publish = Publish {
            dup: false,
            delivery,
            retain: false,
            topic_name: &message.topic,
            properties: Properties::EMPTY,
            payload: &message.payload,
        };
        out.send(client, &ControlPacket::Publish(publish))?;
        Ok(identifier)
    }

    /// The device's own doing: it comes back at once.
    fn break_off(&mut self, client: usize, out: &mut Outbox) {
        self.tally.cut += 1;
        out.cut(client);
        self.went(client);
        let soon = Instant::now() + Duration::from_millis(10);
        self.schedule(soon, client, Due::Connect);
    }

    /// The device is not here any more.
    fn went(&mut self, client: usize) {
        let Some(state) = self.devices.get_mut(client) else { return };
        if state.stage == Stage::Online {
            self.online -= 1;
        }
        state.stage = Stage::Away;
        self.tally.lost += state.open.len() as u64;
        state.open.clear();
    }

    /// It comes back later; the longer, the more often it has failed in a row.
    fn come_back(&mut self, client: usize) {
        if self.phase != Phase::Running {
            return;
        }
        let Some(state) = self.devices.get_mut(client) else { return };
        let wait = BACKOFF.0.saturating_mul(1 << state.failures.min(5)).min(BACKOFF.1);
        state.failures = state.failures.saturating_add(1);
        let wait = wait.mul_f64(0.5 + 0.5 * state.random.share());
        self.schedule(Instant::now() + wait, client, Due::Connect);
    }

    /// Goes from phase to phase.
    fn advance(&mut self, now: Instant, out: &mut Outbox) -> Result<(), String> {
        let elapsed = now.saturating_duration_since(self.begun);
        if self.plan.tells && now.saturating_duration_since(self.told) >= TELL {
            self.told = now;
            eprintln!("{}", self.tally.line(elapsed, self.online));
        }
        let is_stopped = self.stop.load(Ordering::Relaxed);
        match self.phase {
            Phase::Running => {
                let is_over = self.plan.length.is_some_and(|length| elapsed >= length);
                if is_over || is_stopped || self.finished == self.devices.len() {
                    self.phase = Phase::Draining(now + self.plan.patience);
                }
            }
            Phase::Draining(until) => {
                let is_empty = self.devices.iter().all(|state| state.open.is_empty() && state.answers == 0);
                if is_empty || now >= until {
                    self.phase = Phase::Done;
                    self.say_goodbye(out)?;
                }
            }
            Phase::Done => {}
        }
        Ok(())
    }

    fn say_goodbye(&mut self, out: &mut Outbox) -> Result<(), String> {
        for (client, state) in self.devices.iter_mut().enumerate() {
            self.tally.lost += state.open.len() as u64;
            state.open.clear();
            if state.stage == Stage::Online {
                let goodbye = Disconnect::with_reason(ReasonCode::Success);
                out.send(client, &ControlPacket::Disconnect(goodbye))?;
            }
        }
        Ok(())
    }
}

fn speaker(device: &Device) -> Speaker<'_> {
    Speaker { number: device.number, device: &device.id, secret: &device.secret }
}
