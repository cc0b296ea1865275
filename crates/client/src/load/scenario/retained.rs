//! Retained messages: CPU time to store and to fetch one, and its memory.

use hexmq_wire::{ControlPacket, Delivery, QoS, Version};

use super::{LIMIT, NUMBER_SIZE};
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{
    expect_accepted, number_in, put_number, send_connect, send_publish, send_subscribe,
};
use crate::load::report::{FETCH_HALVES, STORE_HALVES, Stretch};
use crate::load::{Report, Target};

/// Clients that store.
const PUBLISHERS: usize = 10;
/// Messages between two questions whether the server has got so far.
const CHUNK: usize = 100;

/// Retained messages on a topic each.
#[derive(Clone, Copy, Debug)]
pub struct Retained {
    /// Messages.
    pub messages: usize,
    /// Bytes of a payload, 8 at least.
    pub size: usize,
    /// They are stored and left there.
    pub keep: bool,
}

impl Retained {
    /// Stores all, lets one subscriber fetch all, and clears them.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let count = self.messages as u64;
        let payload = vec![b'.'; self.size.max(NUMBER_SIZE)];
        let stretch = Stretch::begin(target)?;
        store(target, self.messages, &payload)?;
        let stored = stretch.end()?;
        let mut report = Report::new("retained");
        report.count("messages", count).count("size", payload.len());
        report
            .measure_if_known("store_cpu_us", stored.cpu_us_each(count))
            .halves(&STORE_HALVES, &stored)
            .measure_if_known("bytes_per_message", stored.bytes_each(count))
            .measure("store_wall_s", stored.wall_s);
        if self.keep {
            return Ok(report);
        }
        let stretch = Stretch::begin(target)?;
        fetch(target, "bench/retained/#", self.messages, payload.len())?;
        let fetched = stretch.end()?;
        clear(target, self.messages)?;
        report
            .measure_if_known("fetch_cpu_us", fetched.cpu_us_each(count))
            .halves(&FETCH_HALVES, &fetched)
            .measure("fetch_wall_s", fetched.wall_s);
        Ok(report)
    }
}

/// Stores so many messages.
pub(super) fn store(target: &Target, messages: usize, payload: &[u8]) -> Result<(), String> {
    Fleet::new(target.address, PUBLISHERS, LIMIT)?.run(&mut Store::new(messages, payload.to_vec()))
}

/// Forgets them.
pub(super) fn clear(target: &Target, messages: usize) -> Result<(), String> {
    store(target, messages, &[])
}

/// Subscribes to this filter and takes them all, each once, payloads of so many bytes.
pub(super) fn fetch(target: &Target, filter: &str, messages: usize, size: usize) -> Result<(), String> {
    let mut fetch = Fetch { filter, size, seen: vec![false; messages], received: 0 };
    Fleet::new(target.address, 1, LIMIT)?.run(&mut fetch)
}

fn topic(message: usize) -> String {
    format!("bench/retained/{}/{}", message / 1000, message % 1000)
}

/// The message that is retained on this topic.
fn message_on(topic_name: &str) -> Option<usize> {
    let (thousand, rest) = topic_name.strip_prefix("bench/retained/")?.split_once('/')?;
    let (thousand, rest): (usize, usize) = (thousand.parse().ok()?, rest.parse().ok()?);
    (rest < 1000).then(|| thousand * 1000 + rest)
}

/// Publishes with RETAIN and QoS 0; a PINGREQ behind each chunk tells when the server has it. With an
/// empty payload the messages are cleared.
struct Store {
    payload: Vec<u8>,
    messages: usize,
    /// The next message of each client.
    next: Vec<usize>,
    finished: usize,
}

impl Store {
    fn new(messages: usize, payload: Vec<u8>) -> Store {
        Store { payload, messages, next: (0..PUBLISHERS).collect(), finished: 0 }
    }

    fn store_chunk(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        if self.next[client] >= self.messages {
            self.finished += 1;
            return Ok(());
        }
        for message in (self.next[client]..self.messages).step_by(PUBLISHERS).take(CHUNK) {
            put_number(&mut self.payload, message as u64);
            send_publish(out, client, &topic(message), &self.payload, Delivery::AtMostOnce, true)?;
            self.next[client] = message + PUBLISHERS;
        }
        out.send(client, &ControlPacket::Pingreq)
    }
}

impl Script for Store {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-store-{client}"), true)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match packet {
            ControlPacket::Connack(_) | ControlPacket::Pingresp => self.store_chunk(client, out),
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    fn is_done(&self) -> bool {
        self.finished == PUBLISHERS
    }

    fn progress(&self) -> String {
        format!("{} of {PUBLISHERS} publishers have stored their messages", self.finished)
    }
}

struct Fetch<'a> {
    filter: &'a str,
    size: usize,
    seen: Vec<bool>,
    received: usize,
}

impl Script for Fetch<'_> {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, "bench-fetch", true)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        let publish = match packet {
            ControlPacket::Connack(_) => {
                return send_subscribe(out, client, Version::V4, [self.filter], QoS::AtMostOnce);
            }
            ControlPacket::Suback(_) => return Ok(()),
            ControlPacket::Publish(publish) => publish,
            other => return Err(format!("client {client} got {other:?}")),
        };
        // A filter that is wide enough brings live messages of others too.
        if !publish.retain && !publish.topic_name.starts_with("bench/retained/") {
            return Ok(());
        }
        let message = message_on(publish.topic_name).filter(|message| {
            publish.retain
                && publish.payload.len() == self.size
                && number_in(publish.payload) == Some(*message as u64)
        });
        match message.and_then(|message| self.seen.get_mut(message)) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return Err(format!("{} came twice", publish.topic_name)),
            None => return Err(format!("this was not stored: {publish:?}")),
        }
        self.received += 1;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.received == self.seen.len()
    }

    fn progress(&self) -> String {
        format!("{} of {} retained messages fetched", self.received, self.seen.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_tells_its_message() {
        for message in [0, 7, 999, 1000, 123_456] {
            assert_eq!(message_on(&topic(message)), Some(message));
        }
        for topic_name in ["bench/retained/1", "bench/retained/1/1000", "bench/pairs/1", "bench/retained/x/1"]
        {
            assert_eq!(message_on(topic_name), None, "{topic_name}");
        }
    }
}
