//! A subscriber that stops reading while publishers send as fast as they can: the server's memory, what others
//! notice, and that each message is either delivered or counted as dropped.

use std::time::{Duration, Instant};

use hexmq_wire::{ControlPacket, Publish, QoS, Version};

use super::bystanders::{Bystanders, tell};
use super::{LIMIT, NUMBER_SIZE};
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{
    delivery, expect_accepted, number_in, put_number, send_connect, send_publish, send_subscribe,
};
use crate::load::process::raise_descriptor_limit;
use crate::load::report::Stretch;
use crate::load::{Report, Target};

/// The subscriber.
const RECEIVER: usize = 0;
/// Reads the server's own count of dropped messages.
const WATCHER: usize = 1;
/// The publishers come behind.
const OTHERS: usize = 2;
const TOPIC: &str = "bench/overload";
const DROPPED: &str = "$SYS/broker/publish/messages/dropped";
/// QoS 0 messages between two questions whether the server has got so far.
const CHUNK: u64 = 100;
/// Such chunks of one publisher on the way.
const CHUNKS: u64 = 2;
/// Number of the message and of its publisher.
const PAYLOAD_MIN: usize = NUMBER_SIZE + 4;
/// The server tells its counts from time to time; after this long it has.
const PATIENCE: Duration = Duration::from_secs(30);

/// Publishers to one topic, whose only subscriber is stuck, beside pairs.
#[derive(Clone, Copy, Debug)]
pub struct Overload {
    /// Publishers to the topic.
    pub publishers: usize,
    /// Messages of all of them together, about.
    pub messages: u64,
    /// QoS of messages and subscription: 0 or 1.
    pub qos: QoS,
    /// Messages of QoS 1 that each publisher has on the way.
    pub window: u64,
    /// Bytes of a payload, 12 at least.
    pub size: usize,
    /// The pairs.
    pub bystanders: Bystanders,
}

impl Overload {
    /// Measures the pairs, measures them again under the overload, and lets the subscriber take what is left for it.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        raise_descriptor_limit();
        let flow = self.bystanders.flow();
        let before = flow.run(target)?;
        let mut fleet = Fleet::new(target.address, OTHERS + self.publishers.max(1), LIMIT)?;
        let mut run = Run::new(self);
        fleet.run(&mut run)?;
        let memory = Stretch::begin(target)?;
        let (during, flooded) = flow.run_beside(target, || {
            let stretch = Stretch::begin(target)?;
            run.phase = Phase::Flooding;
            fleet.begin(|out| run.begin(out))?;
            fleet.run(&mut run)?;
            stretch.end()
        })?;
        let stuck = memory.end()?;
        run.phase = Phase::Draining;
        run.flooded_at = Instant::now();
        fleet.begin(|out| {
            out.read_again(RECEIVER);
            out.send(RECEIVER, &ControlPacket::Pingreq)
        })?;
        fleet.run(&mut run)?;
        drop(fleet);
        let after = memory.end()?;
        let mut report = Report::new("overload");
        report
            .count("publishers", run.publishers.len())
            .count("qos", self.qos as u8)
            .count("size", run.payload.len())
            .count("published", run.published())
            .count("received", run.received);
        if let Some(dropped) = run.dropped() {
            report.count("dropped_by_its_own_count", dropped);
        }
        report
            .measure("published_per_s", run.published() as f64 / flooded.wall_s)
            .measure("wall_s", flooded.wall_s)
            .measure_if_known("resident_before_bytes", memory.resident_bytes())
            .measure_if_known("peak_growth_bytes", stuck.peak_bytes)
            .measure_if_known("stuck_growth_bytes", stuck.bytes)
            .measure_if_known("after_growth_bytes", after.bytes)
            .count("pairs", self.bystanders.pairs)
            .count("rate", self.bystanders.rate);
        tell(&mut report, &before, &during);
        Ok(report)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    /// The subscriber is stuck.
    Flooding,
    /// It takes what is left, behind which each publisher puts a last message.
    Draining,
}

#[derive(Clone, Copy, Debug, Default)]
struct Publisher {
    sent: u64,
    confirmed: u64,
    identifier: u16,
    /// The number that may arrive next, or a later one.
    arriving: u64,
}

struct Run {
    qos: QoS,
    /// Messages of each publisher, the last one not counted.
    quota: u64,
    window: u64,
    payload: Vec<u8>,
    publishers: Vec<Publisher>,
    phase: Phase,
    ready: usize,
    finished: usize,
    /// Publishers whose last message has arrived.
    complete: usize,
    received: u64,
    /// The server's count of dropped messages: before the flood, and now.
    dropped_before: Option<u64>,
    dropped_now: Option<u64>,
    flooded_at: Instant,
}

impl Run {
    fn new(overload: &Overload) -> Run {
        let publishers = overload.publishers.max(1);
        Run {
            qos: overload.qos,
            quota: (overload.messages / publishers as u64).max(1),
            window: overload.window.max(1),
            payload: vec![b'.'; overload.size.max(PAYLOAD_MIN)],
            publishers: vec![Publisher::default(); publishers],
            phase: Phase::Connecting,
            ready: 0,
            finished: 0,
            complete: 0,
            received: 0,
            dropped_before: None,
            dropped_now: None,
            flooded_at: Instant::now(),
        }
    }

    fn begin(&mut self, out: &mut Outbox) -> Result<(), String> {
        self.dropped_before = self.dropped_now;
        out.stop_reading(RECEIVER);
        (0..self.publishers.len()).try_for_each(|publisher| match self.qos {
            QoS::AtMostOnce => (0..CHUNKS).try_for_each(|_| self.publish_chunk(publisher, out)),
            _ => self.fill_window(publisher, out),
        })
    }

    fn publish(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        let state = &mut self.publishers[publisher];
        put_number(&mut self.payload, state.sent);
        self.payload[NUMBER_SIZE..][..4].copy_from_slice(&(publisher as u32).to_be_bytes());
        let delivery = delivery(self.qos, &mut state.identifier);
        state.sent += 1;
        send_publish(out, OTHERS + publisher, TOPIC, &self.payload, delivery, false)
    }

    /// QoS 0 is not acknowledged: a PINGRESP says that the server has read what was before the PINGREQ.
    fn publish_chunk(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        let left = self.quota - self.publishers[publisher].sent;
        if left == 0 {
            return Ok(());
        }
        (0..left.min(CHUNK)).try_for_each(|_| self.publish(publisher, out))?;
        out.send(OTHERS + publisher, &ControlPacket::Pingreq)
    }

    fn fill_window(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        loop {
            let Publisher { sent, confirmed, .. } = self.publishers[publisher];
            if sent == self.quota || sent - confirmed == self.window {
                return Ok(());
            }
            self.publish(publisher, out)?;
        }
    }

    /// The server has one more message, or chunk of them.
    fn confirm(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        let state = &mut self.publishers[publisher];
        let chunk = if self.qos == QoS::AtMostOnce { CHUNK } else { 1 };
        state.confirmed = (state.confirmed + chunk).min(state.sent);
        if self.phase != Phase::Flooding {
            return Ok(());
        }
        self.finished += usize::from(state.confirmed == self.quota);
        match self.qos {
            QoS::AtMostOnce => self.publish_chunk(publisher, out),
            _ => self.fill_window(publisher, out),
        }
    }

    /// Messages may be missing, but none comes twice or before an older one.
    fn arrived(&mut self, publish: &Publish<'_>) -> Result<(), String> {
        let payload = publish.payload;
        let publisher = payload.get(NUMBER_SIZE..).and_then(|rest| rest.first_chunk());
        let publisher = publisher.map_or(usize::MAX, |bytes| u32::from_be_bytes(*bytes) as usize);
        let number = number_in(payload).unwrap_or(u64::MAX);
        let state = self.publishers.get_mut(publisher).filter(|state| {
            number < state.sent
                && payload.len() == self.payload.len()
                && publish.topic_name == TOPIC
                && publish.qos() == self.qos
                && !publish.dup
                && !publish.retain
        });
        let Some(state) = state else { return Err(format!("nobody sent this so: {publish:?}")) };
        if number < state.arriving {
            return Err(format!(
                "message {number} of publisher {publisher} came behind {}",
                state.arriving - 1
            ));
        }
        state.arriving = number + 1;
        self.received += 1;
        self.complete += usize::from(number == self.quota);
        Ok(())
    }

    fn published(&self) -> u64 {
        self.publishers.iter().map(|publisher| publisher.sent).sum()
    }

    /// What the server says it dropped, where it says such things.
    fn dropped(&self) -> Option<u64> {
        Some(self.dropped_now?.saturating_sub(self.dropped_before.unwrap_or(0)))
    }

    fn accounts_for_all(&self) -> bool {
        self.dropped().is_some_and(|dropped| self.received + dropped == self.published())
    }
}

impl Script for Run {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-overload-{client}"), true)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match packet {
            ControlPacket::Connack(_) if client == RECEIVER => {
                send_subscribe(out, client, Version::V4, [TOPIC], self.qos)
            }
            ControlPacket::Connack(_) if client == WATCHER => {
                send_subscribe(out, client, Version::V4, [DROPPED], QoS::AtMostOnce)
            }
            // What is retained there comes before the answer to this.
            ControlPacket::Suback(_) if client == WATCHER => out.send(client, &ControlPacket::Pingreq),
            ControlPacket::Pingresp if client == RECEIVER => {
                (0..self.publishers.len()).try_for_each(|publisher| self.publish(publisher, out))
            }
            ControlPacket::Connack(_) | ControlPacket::Suback(_) | ControlPacket::Pingresp
                if self.phase == Phase::Connecting =>
            {
                self.ready += 1;
                Ok(())
            }
            ControlPacket::Publish(publish) if client == WATCHER => {
                let count = str::from_utf8(publish.payload).ok().and_then(|text| text.parse().ok());
                self.dropped_now = count.or(self.dropped_now);
                Ok(())
            }
            ControlPacket::Publish(publish) if client == RECEIVER => {
                self.arrived(publish)?;
                out.acknowledge(client, packet)
            }
            ControlPacket::Pingresp | ControlPacket::Puback(_) if client >= OTHERS => {
                self.confirm(client - OTHERS, out)
            }
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    /// A server that tells no counts is believed; one that does must account for every message.
    fn turn(&mut self, _out: &mut Outbox) -> Result<(), String> {
        if self.phase != Phase::Draining || self.flooded_at.elapsed() < PATIENCE {
            return Ok(());
        }
        match self.dropped() {
            Some(dropped) if !self.accounts_for_all() => Err(format!(
                "of {} messages {} came and the server counts {dropped} as dropped",
                self.published(),
                self.received
            )),
            _ => Ok(()),
        }
    }

    fn is_done(&self) -> bool {
        match self.phase {
            Phase::Connecting => self.ready == OTHERS + self.publishers.len(),
            Phase::Flooding => self.finished == self.publishers.len(),
            Phase::Draining => {
                self.complete == self.publishers.len()
                    && (self.accounts_for_all()
                        || (self.dropped_now.is_none() && self.flooded_at.elapsed() >= PATIENCE))
            }
        }
    }

    fn progress(&self) -> String {
        let Run { phase, ready, finished, received, complete, .. } = self;
        format!(
            "{phase:?}: {ready} clients ready, {finished} publishers finished, {received} messages received, the last \
             of {complete} publishers"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hexmq_wire::{Delivery, Properties};

    use super::*;

    fn run_with_sent(sent: u64) -> Run {
        let bystanders = Bystanders { pairs: 1, rate: 1, messages: 1 };
        let mut run = Run::new(&Overload {
            publishers: 1,
            messages: 100,
            qos: QoS::AtMostOnce,
            window: 1,
            size: PAYLOAD_MIN,
            bystanders,
        });
        run.publishers[0].sent = sent;
        run
    }

    fn arrive(run: &mut Run, number: u64) -> Result<(), String> {
        let mut payload = [0; PAYLOAD_MIN];
        put_number(&mut payload, number);
        run.arrived(&Publish {
            dup: false,
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic_name: TOPIC,
            properties: Properties::EMPTY,
            payload: &payload,
        })
    }

    #[test]
    fn messages_may_be_missing_but_none_comes_twice_or_late() {
        let mut run = run_with_sent(10);
        arrive(&mut run, 0).unwrap();
        arrive(&mut run, 4).unwrap();
        assert!(arrive(&mut run, 4).unwrap_err().contains("came behind 4"));
        assert!(arrive(&mut run, 1).is_err());
        assert!(arrive(&mut run, 10).is_err(), "it was not sent yet");
        assert_eq!(run.received, 2);
    }

    #[test]
    fn what_is_missing_must_be_what_the_server_counts() {
        let mut run = run_with_sent(3);
        arrive(&mut run, 0).unwrap();
        assert!(!run.accounts_for_all(), "the server has told nothing");
        (run.dropped_before, run.dropped_now) = (Some(5), Some(6));
        assert!(!run.accounts_for_all());
        run.dropped_now = Some(7);
        assert!(run.accounts_for_all());
    }
}
