//! Publishers and subscribers: CPU time of the server per delivered message, and latency.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use hexmq_wire::{ControlPacket, Publish, QoS, Version};

use super::churn::Visits;
use super::{LIMIT, NUMBER_SIZE};
use crate::load::account::{Lane, Window};
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{
    delivery, expect_accepted, number_in, put_number, send_connect, send_publish, send_subscribe,
};
use crate::load::process::raise_descriptor_limit;
use crate::load::report::{HALVES, Stretch, Taken};
use crate::load::{Histogram, Report, Target};

/// Number of the message, number of its publisher, and when it was due.
const PAYLOAD_MIN: usize = NUMBER_SIZE + 4 + 8;

/// Who publishes to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many topics with one publisher and one subscriber each.
    Pairs(usize),
    /// So many publishers to one topic with one subscriber.
    FanIn(usize),
    /// One publisher to one topic with so many subscribers.
    FanOut(usize),
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Pairs(_) => "pairs",
            Shape::FanIn(_) => "fan-in",
            Shape::FanOut(_) => "fan-out",
        }
    }

    fn publishers(self) -> usize {
        match self {
            Shape::Pairs(count) | Shape::FanIn(count) => count.max(1),
            Shape::FanOut(_) => 1,
        }
    }

    fn subscribers(self) -> usize {
        match self {
            Shape::Pairs(count) | Shape::FanOut(count) => count.max(1),
            Shape::FanIn(_) => 1,
        }
    }

    /// Subscribers that get each message.
    fn receivers(self) -> usize {
        if self.publishers() == 1 { self.subscribers() } else { 1 }
    }

    fn topics(self) -> usize {
        self.publishers().min(self.subscribers())
    }
}

/// Messages from publishers to subscribers.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Who publishes to whom.
    pub shape: Shape,
    /// QoS of messages and subscriptions.
    pub qos: QoS,
    /// Messages of each publisher on the way at once.
    pub window: usize,
    /// Messages per second of all publishers together; without it, as fast as the window lets them.
    pub rate: Option<u32>,
    /// Deliveries in all, about.
    pub deliveries: u64,
    /// Bytes of a payload, 20 at least.
    pub size: usize,
    /// The sessions of the subscribers outlive their connections; they are discarded in the end.
    pub durable: bool,
}

impl Flow {
    /// Connects all, subscribes, and lets the messages flow.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let mut run = Run::new(self);
        let mut fleet = self.gather(target, &mut run)?;
        let stretch = Stretch::begin(target)?;
        run.begun = Some(Instant::now());
        if self.rate.is_none() {
            fleet.begin(|out| {
                (0..self.shape.publishers()).try_for_each(|publisher| run.publish_more(publisher, out))
            })?;
        }
        fleet.run(&mut run)?;
        let report = self.report(&run, stretch.end()?);
        drop(fleet);
        if self.durable {
            let sessions = self.shape.subscribers();
            let mut discard = Visits::new(self.shape.name(), sessions, sessions);
            Fleet::new(target.address, sessions, LIMIT)?.run(&mut discard)?;
        }
        Ok(report)
    }

    /// Lets messages flow at the fixed rate for as long as something else is done; what came of both.
    pub(super) fn run_beside<T: Send>(
        &self,
        target: &Target,
        work: impl FnOnce() -> Result<T, String> + Send,
    ) -> Result<(Report, T), String> {
        let busy = Arc::new(());
        let mut run = Run::new(&Flow { deliveries: u64::MAX, ..*self });
        run.beside = Some(Arc::downgrade(&busy));
        let mut fleet = self.gather(target, &mut run)?;
        thread::scope(|scope| {
            let work = scope.spawn(move || {
                let _busy = busy;
                work()
            });
            let stretch = Stretch::begin(target)?;
            run.begun = Some(Instant::now());
            fleet.run(&mut run)?;
            let report = self.report(&run, stretch.end()?);
            let done = work.join().map_err(|_| "the load beside the pairs broke".to_owned())?;
            done.map(|done| (report, done))
        })
    }

    /// Connects and subscribes all.
    fn gather(&self, target: &Target, run: &mut Run) -> Result<Fleet, String> {
        raise_descriptor_limit();
        let clients = self.shape.subscribers() + self.shape.publishers();
        let mut fleet = Fleet::new(target.address, clients, LIMIT)?;
        fleet.run(run)?;
        if let Some(rate) = self.rate.filter(|rate| *rate > 0) {
            fleet.beat(Duration::from_secs(1) / rate)?;
        }
        Ok(fleet)
    }

    fn report(&self, run: &Run, taken: Taken) -> Report {
        let delivered: u64 = run.lanes.iter().map(Lane::count).sum();
        let mut report = Report::new(self.shape.name());
        report
            .count("publishers", self.shape.publishers())
            .count("subscribers", self.shape.subscribers())
            .count("qos", self.qos as u8)
            .count("window", self.window)
            .count("size", run.payload.len())
            .count("delivered", delivered)
            .measure("wall_s", taken.wall_s)
            .measure("messages_per_s", delivered as f64 / taken.wall_s)
            .measure_if_known("cpu_us_per_message", taken.cpu_us_each(delivered))
            .halves(&HALVES, &taken)
            .measure("generator_cpu_us_per_message", taken.own_cpu_us / delivered.max(1) as f64);
        if let Some(rate) = self.rate {
            report.count("rate", rate);
            let quantile = |share| run.latencies.quantile(share).map(|ns| ns as f64 / 1000.0);
            report
                .measure_if_known("latency_p50_us", quantile(0.5))
                .measure_if_known("latency_p99_us", quantile(0.99))
                .measure_if_known("latency_p999_us", quantile(0.999))
                .measure("latency_max_us", run.latencies.maximum() as f64 / 1000.0);
        }
        report
    }
}

struct Publisher {
    window: Window,
    identifier: u16,
    is_done: bool,
}

/// The first clients subscribe, the others publish.
struct Run {
    shape: Shape,
    qos: QoS,
    rate: Option<u32>,
    durable: bool,
    /// Messages of each publisher.
    quota: u64,
    topics: Vec<String>,
    payload: Vec<u8>,
    publishers: Vec<Publisher>,
    /// One for each publisher and subscriber that have a topic in common.
    lanes: Vec<Lane>,
    /// Subscribers with a SUBACK and publishers with a CONNACK.
    ready: usize,
    finished: usize,
    /// When the first message was due.
    begun: Option<Instant>,
    /// Messages sent at a fixed rate.
    paced: u64,
    /// When nobody holds it any more, nothing more is sent.
    beside: Option<Weak<()>>,
    is_closing: bool,
    latencies: Histogram,
}

impl Run {
    fn new(flow: &Flow) -> Run {
        let shape = flow.shape;
        let receivers = shape.receivers();
        let quota = flow.deliveries / (shape.publishers() * receivers) as u64;
        let publisher = || Publisher {
            window: Window::new(flow.window, u32::try_from(receivers).unwrap_or(u32::MAX)),
            identifier: 0,
            is_done: false,
        };
        Run {
            shape,
            qos: flow.qos,
            rate: flow.rate.filter(|rate| *rate > 0),
            durable: flow.durable,
            quota: quota.max(1),
            topics: (0..shape.topics()).map(|topic| format!("bench/{}/{topic}", shape.name())).collect(),
            payload: vec![b'.'; flow.size.max(PAYLOAD_MIN)],
            publishers: (0..shape.publishers()).map(|_| publisher()).collect(),
            lanes: vec![Lane::default(); shape.publishers().max(shape.subscribers())],
            ready: 0,
            finished: 0,
            begun: None,
            paced: 0,
            beside: None,
            is_closing: false,
            latencies: Histogram::default(),
        }
    }

    fn is_acknowledged(&self) -> bool {
        self.qos != QoS::AtMostOnce
    }

    fn publish_more(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        while self.publish(publisher, 0, out)? {}
        Ok(())
    }

    /// Publishes the next message, if there is one and the window has room.
    fn publish(&mut self, publisher: usize, due_ns: u64, out: &mut Outbox) -> Result<bool, String> {
        let is_acknowledged = self.is_acknowledged();
        let state = &mut self.publishers[publisher];
        if self.is_closing || state.window.sent() == self.quota {
            return Ok(false);
        }
        let Some(number) = state.window.send(is_acknowledged) else { return Ok(false) };
        put_number(&mut self.payload, number);
        self.payload[NUMBER_SIZE..][..4].copy_from_slice(&(publisher as u32).to_be_bytes());
        put_number(&mut self.payload[NUMBER_SIZE + 4..], due_ns);
        let client = self.shape.subscribers() + publisher;
        let topic = &self.topics[publisher % self.topics.len()];
        let delivery = delivery(self.qos, &mut state.identifier);
        send_publish(out, client, topic, &self.payload, delivery, false)?;
        Ok(true)
    }

    /// A message came to a subscriber; its publisher.
    fn delivered(&mut self, subscriber: usize, publish: &Publish<'_>) -> Result<usize, String> {
        let payload = publish.payload;
        let publisher = payload.get(NUMBER_SIZE..).and_then(|rest| rest.first_chunk());
        let publisher = publisher.map_or(usize::MAX, |bytes| u32::from_be_bytes(*bytes) as usize);
        let is_right = payload.len() == self.payload.len()
            && publish.qos() == self.qos
            && !publish.dup
            && !publish.retain
            && publisher < self.publishers.len()
            && publish.topic_name == self.topics[subscriber % self.topics.len()]
            && (!matches!(self.shape, Shape::Pairs(_)) || publisher == subscriber);
        if !is_right {
            return Err(format!("subscriber {subscriber} got what nobody sent so: {publish:?}"));
        }
        let number = number_in(payload).unwrap_or(u64::MAX);
        self.lanes[publisher.max(subscriber)]
            .arrive(number)
            .and_then(|()| self.publishers[publisher].window.arrive(number))
            .map_err(|error| format!("publisher {publisher}, subscriber {subscriber}: {error}"))?;
        if self.rate.is_some() {
            let due_ns = number_in(&payload[NUMBER_SIZE + 4..]).unwrap_or_default();
            self.latencies.record(self.elapsed_ns().saturating_sub(due_ns));
        }
        Ok(publisher)
    }

    fn elapsed_ns(&self) -> u64 {
        self.begun.map_or(0, |begun| u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn go_on(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        if self.rate.is_none() {
            self.publish_more(publisher, out)?;
        }
        self.finish(publisher);
        Ok(())
    }

    /// Sees whether a publisher has done its part.
    fn finish(&mut self, publisher: usize) {
        let is_acknowledged = self.is_acknowledged();
        let state = &mut self.publishers[publisher];
        let wanted = if self.is_closing { state.window.sent() } else { self.quota };
        if !state.is_done && state.window.done(is_acknowledged) == wanted {
            state.is_done = true;
            self.finished += 1;
        }
    }

    /// What was done beside it is over: only what is on its way is waited for.
    fn close_in_time(&mut self) {
        if !self.is_closing && self.beside.as_ref().is_some_and(|beside| beside.strong_count() == 0) {
            self.is_closing = true;
            (0..self.publishers.len()).for_each(|publisher| self.finish(publisher));
        }
    }
}

impl Script for Run {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let identifier = format!("bench-{}-{client}", self.shape.name());
        let is_durable = self.durable && client < self.shape.subscribers();
        send_connect(out, client, Version::V4, &identifier, !is_durable)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        let subscribers = self.shape.subscribers();
        let publisher = match packet {
            ControlPacket::Publish(publish) if client < subscribers => self.delivered(client, publish)?,
            ControlPacket::Puback(_) | ControlPacket::Pubcomp(_) if client >= subscribers => {
                self.publishers[client - subscribers].window.acknowledge()?;
                client - subscribers
            }
            ControlPacket::Connack(_) if client < subscribers => {
                expect_accepted(client, packet)?;
                let topic = &self.topics[client % self.topics.len()];
                return send_subscribe(out, client, Version::V4, [topic], self.qos);
            }
            ControlPacket::Connack(_) | ControlPacket::Suback(_) => {
                self.ready += 1;
                return expect_accepted(client, packet);
            }
            ControlPacket::Pubrec(_) | ControlPacket::Pubrel(_) => return out.acknowledge(client, packet),
            other => return Err(format!("client {client} got {other:?}")),
        };
        out.acknowledge(client, packet)?;
        self.go_on(publisher, out)
    }

    /// Sends what is due. A publisher without room stops the clock of nobody: what waits for it is
    /// late, and counted so.
    fn turn(&mut self, out: &mut Outbox) -> Result<(), String> {
        let (Some(rate), Some(_)) = (self.rate, self.begun) else { return Ok(()) };
        self.close_in_time();
        let now_ns = self.elapsed_ns();
        loop {
            let due_ns = self.paced * 1_000_000_000 / u64::from(rate);
            let publisher = (self.paced % self.publishers.len() as u64) as usize;
            if due_ns > now_ns || !self.publish(publisher, due_ns, out)? {
                return Ok(());
            }
            self.paced += 1;
        }
    }

    fn is_done(&self) -> bool {
        if self.begun.is_some() {
            self.finished == self.publishers.len()
        } else {
            self.ready == self.shape.subscribers() + self.publishers.len()
        }
    }

    fn progress(&self) -> String {
        let received: u64 = self.lanes.iter().map(Lane::count).sum();
        let (ready, finished) = (self.ready, self.finished);
        format!("{ready} clients ready, {received} messages received, {finished} publishers finished")
    }
}
