//! Messages that wait for sessions off line: CPU time to store and to drain one, and its memory.

use hexmq_wire::{ControlPacket, QoS, Version};

use super::churn::Visits;
use super::{LIMIT, NUMBER_SIZE};
use crate::load::account::Lane;
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{delivery, expect_accepted, number_in, put_number, send_connect, send_publish};
use crate::load::report::{DRAIN_HALVES, STORE_HALVES, Stretch};
use crate::load::{Report, Target};

/// Identifiers of the sessions are made from it.
const SESSIONS: &str = "queued";

/// QoS 1 messages for stored sessions.
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    /// Stored sessions.
    pub sessions: usize,
    /// Messages for each.
    pub messages: u64,
    /// Bytes of a payload, 8 at least.
    pub size: usize,
    /// Clients that publish.
    pub publishers: usize,
    /// Messages of each of them on the way.
    pub window: u64,
    /// Which half is run.
    pub part: Part,
}

/// The halves of the scenario; between them the server may be started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Both, and the sessions are gone in the end.
    Whole,
    /// The sessions and their queues are made and left.
    Store,
    /// What was left is taken, and the sessions are discarded.
    Drain,
}

impl Queued {
    /// Makes the sessions, fills their queues while they are off line, lets them come and take all,
    /// and discards them.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let sessions = self.sessions.max(1);
        let mut report = Report::new("queued");
        report
            .count("sessions", sessions)
            .count("messages", sessions as u64 * self.messages)
            .count("size", self.size.max(NUMBER_SIZE));
        if self.part != Part::Drain {
            self.store(sessions, target, &mut report)?;
        }
        if self.part != Part::Store {
            self.drain(sessions, target, &mut report)?;
        }
        Ok(report)
    }

    fn store(&self, sessions: usize, target: &Target, report: &mut Report) -> Result<(), String> {
        let count = sessions as u64 * self.messages;
        let publishers = self.publishers.max(1);
        let mut visits = Visits::new(SESSIONS, sessions, sessions);
        visits.clean_start = false;
        visits.filter = Some(topic);
        Fleet::new(target.address, sessions, LIMIT)?.run(&mut visits)?;
        let stretch = Stretch::begin(target)?;
        Fleet::new(target.address, publishers, LIMIT)?.run(&mut Store::new(self, sessions))?;
        let stored = stretch.end()?;
        report
            .count("publishers", publishers)
            .count("window", self.window)
            .measure_if_known("store_cpu_us", stored.cpu_us_each(count))
            .halves(&STORE_HALVES, &stored)
            .measure_if_known("bytes_per_message", stored.bytes_each(count))
            .measure("store_wall_s", stored.wall_s)
            .measure("acknowledged_per_s", count as f64 / stored.wall_s);
        Ok(())
    }

    fn drain(&self, sessions: usize, target: &Target, report: &mut Report) -> Result<(), String> {
        let count = sessions as u64 * self.messages;
        let size = self.size.max(NUMBER_SIZE);
        let lanes = vec![Lane::default(); sessions];
        let mut drain = Drain { size, messages: self.messages, lanes, done: 0 };
        let stretch = Stretch::begin(target)?;
        Fleet::new(target.address, sessions, LIMIT)?.run(&mut drain)?;
        let drained = stretch.end()?;
        Fleet::new(target.address, sessions, LIMIT)?.run(&mut Visits::new(SESSIONS, sessions, sessions))?;
        report
            .measure_if_known("drain_cpu_us", drained.cpu_us_each(count))
            .halves(&DRAIN_HALVES, &drained)
            .measure("drain_wall_s", drained.wall_s)
            .measure_if_known("drain_peak_bytes", drained.peak_bytes);
        Ok(())
    }
}

fn topic(session: usize) -> String {
    format!("bench/queued/{session}")
}

/// Each publisher fills the queues of some sessions, one message to each in turn.
struct Store {
    sessions: usize,
    messages: u64,
    window: u64,
    payload: Vec<u8>,
    publishers: Vec<Publisher>,
    finished: usize,
}

#[derive(Clone, Copy)]
struct Publisher {
    session: usize,
    number: u64,
    on_the_way: u64,
    identifier: u16,
}

impl Store {
    fn new(queued: &Queued, sessions: usize) -> Store {
        let publisher = |session| Publisher { session, number: 0, on_the_way: 0, identifier: 0 };
        Store {
            sessions,
            messages: queued.messages,
            window: queued.window.max(1),
            payload: vec![b'.'; queued.size.max(NUMBER_SIZE)],
            publishers: (0..queued.publishers.max(1)).map(publisher).collect(),
            finished: 0,
        }
    }

    fn publish_more(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let Publisher { mut session, mut number, mut on_the_way, mut identifier } = self.publishers[client];
        // A publisher beyond the last session has nothing to do.
        let messages = if client < self.sessions { self.messages } else { 0 };
        while on_the_way < self.window && number < messages {
            put_number(&mut self.payload, number);
            let delivery = delivery(QoS::AtLeastOnce, &mut identifier);
            send_publish(out, client, &topic(session), &self.payload, delivery, false)?;
            on_the_way += 1;
            session += self.publishers.len();
            if session >= self.sessions {
                (session, number) = (client, number + 1);
            }
        }
        self.publishers[client] = Publisher { session, number, on_the_way, identifier };
        self.finished += usize::from(on_the_way == 0 && number == messages);
        Ok(())
    }
}

impl Script for Store {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-queue-store-{client}"), true)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match packet {
            ControlPacket::Connack(_) => {}
            ControlPacket::Puback(_) if self.publishers[client].on_the_way > 0 => {
                self.publishers[client].on_the_way -= 1;
            }
            other => return Err(format!("client {client} got {other:?}")),
        }
        self.publish_more(client, out)
    }

    fn is_done(&self) -> bool {
        self.finished == self.publishers.len()
    }

    fn progress(&self) -> String {
        format!("{} of {} publishers have stored their messages", self.finished, self.publishers.len())
    }
}

/// The sessions come back.
struct Drain {
    size: usize,
    /// For each session.
    messages: u64,
    lanes: Vec<Lane>,
    done: usize,
}

impl Script for Drain {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-{SESSIONS}-{client}"), false)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match packet {
            ControlPacket::Connack(connack) if connack.session_present => {
                self.done += usize::from(self.messages == 0);
                Ok(())
            }
            ControlPacket::Connack(_) => Err(format!("session {client} was not kept")),
            ControlPacket::Publish(publish) => {
                let is_right = publish.payload.len() == self.size
                    && publish.topic_name == topic(client)
                    && publish.qos() == QoS::AtLeastOnce
                    && !publish.dup;
                if !is_right {
                    return Err(format!("session {client} got what nobody sent so: {publish:?}"));
                }
                let number = number_in(publish.payload).unwrap_or(u64::MAX);
                let lane = &mut self.lanes[client];
                lane.arrive(number).map_err(|error| format!("session {client}: {error}"))?;
                self.done += usize::from(lane.count() == self.messages);
                out.acknowledge(client, packet)
            }
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    fn is_done(&self) -> bool {
        self.done == self.lanes.len()
    }

    fn progress(&self) -> String {
        let received: u64 = self.lanes.iter().map(Lane::count).sum();
        format!("{received} messages received, {} sessions have all of theirs", self.done)
    }
}
