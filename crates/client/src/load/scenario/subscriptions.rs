//! Many subscriptions: the memory of one, and CPU time of the server per publish among them.

use hexmq_wire::{ControlPacket, Delivery, QoS, Version};

use super::{LIMIT, NUMBER_SIZE};
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{
    expect_accepted, number_in, put_number, send_connect, send_publish, send_subscribe,
};
use crate::load::report::Stretch;
use crate::load::{Report, Target};

/// Clients for each kind of filter.
const CLIENTS_PER_KIND: usize = 6;
/// Kinds of filters: one device, its wildcard, and all devices of every other group.
const KINDS: usize = 3;
/// The last client publishes.
const PUBLISHER: usize = KINDS * CLIENTS_PER_KIND;
/// Filters in one SUBSCRIBE.
const CHUNK: usize = 200;
/// Devices of a group.
const GROUP: usize = 1000;
/// Messages on the way.
const WINDOW: u64 = 256;

/// Many subscriptions of which two or three match each message.
#[derive(Clone, Copy, Debug)]
pub struct Subscriptions {
    /// Subscriptions, about.
    pub filters: usize,
    /// Messages published.
    pub messages: u64,
}

impl Subscriptions {
    /// Subscribes and publishes.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let mut run = Run {
            devices: (self.filters / 2).max(1),
            next: (0..PUBLISHER).map(|client| client % CLIENTS_PER_KIND).collect(),
            filters: 0,
            ready: 0,
            messages: self.messages,
            payload: [0; NUMBER_SIZE],
            missing: Vec::new(),
            completed: 0,
            deliveries: 0,
            is_publishing: false,
        };
        let mut fleet = Fleet::new(target.address, PUBLISHER + 1, LIMIT)?;
        let stretch = Stretch::begin(target)?;
        fleet.run(&mut run)?;
        let subscribed = stretch.end()?;
        run.is_publishing = true;
        let stretch = Stretch::begin(target)?;
        fleet.begin(|out| run.publish_more(out))?;
        fleet.run(&mut run)?;
        let published = stretch.end()?;
        let mut report = Report::new("subscriptions");
        report
            .count("filters", run.filters)
            .count("messages", run.completed)
            .count("delivered", run.deliveries)
            .measure_if_known("subscribe_cpu_us", subscribed.cpu_us_each(run.filters))
            .measure_if_known("bytes_per_subscription", subscribed.bytes_each(run.filters))
            .measure_if_known("cpu_us_per_publish", published.cpu_us_each(run.completed))
            .measure("subscribe_wall_s", subscribed.wall_s)
            .measure("publish_wall_s", published.wall_s);
        Ok(report)
    }
}

fn topic(device: usize) -> String {
    format!("bench/s/{}/{}/v", device / GROUP, device % GROUP)
}

struct Run {
    devices: usize,
    /// The next device (or group) of each subscriber.
    next: Vec<usize>,
    filters: u64,
    /// Clients that are where they should be.
    ready: usize,
    messages: u64,
    payload: [u8; NUMBER_SIZE],
    /// Kinds of filters that still owe a message, one bit each, by number.
    missing: Vec<u8>,
    completed: u64,
    deliveries: u64,
    is_publishing: bool,
}

impl Run {
    /// Asks for the next filters of this client.
    fn subscribe_more(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let kind = client / CLIENTS_PER_KIND;
        let of_this_kind = if kind == 2 { self.devices.div_ceil(2 * GROUP) } else { self.devices };
        let first = self.next[client];
        let filters: Vec<String> = (first..of_this_kind)
            .step_by(CLIENTS_PER_KIND)
            .take(CHUNK)
            .map(|index| match kind {
                0 => topic(index),
                1 => format!("bench/s/{}/{}/+", index / GROUP, index % GROUP),
                _ => format!("bench/s/{}/+/v", 2 * index),
            })
            .collect();
        if filters.is_empty() {
            self.ready += 1;
            return Ok(());
        }
        self.next[client] = first + filters.len() * CLIENTS_PER_KIND;
        self.filters += filters.len() as u64;
        send_subscribe(out, client, Version::V4, filters, QoS::AtMostOnce)
    }

    fn publish_more(&mut self, out: &mut Outbox) -> Result<(), String> {
        while (self.missing.len() as u64) < self.messages.min(self.completed + WINDOW) {
            let number = self.missing.len() as u64;
            let device = self.device(number);
            self.missing.push(if (device / GROUP).is_multiple_of(2) { 0b111 } else { 0b011 });
            put_number(&mut self.payload, number);
            send_publish(out, PUBLISHER, &topic(device), &self.payload, Delivery::AtMostOnce, false)?;
        }
        Ok(())
    }

    /// Neighbouring messages go to devices far apart, so that no cache has seen them.
    fn device(&self, number: u64) -> usize {
        const STRIDE: u64 = 0x9E37_79B1;
        (number.wrapping_mul(STRIDE) % self.devices as u64) as usize
    }

    fn delivered(&mut self, client: usize, topic_name: &str, payload: &[u8]) -> Result<(), String> {
        let bit = 1 << (client / CLIENTS_PER_KIND);
        let number = number_in(payload).unwrap_or(u64::MAX);
        let device = self.device(number);
        match self.missing.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) {
            Some(missing) if *missing & bit != 0 && topic_name == topic(device) => {
                *missing &= !bit;
                self.completed += u64::from(*missing == 0);
                self.deliveries += 1;
                Ok(())
            }
            _ => Err(format!("client {client} got message {number} on {topic_name}, which is not due")),
        }
    }
}

impl Script for Run {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-subscriptions-{client}"), true)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match packet {
            ControlPacket::Connack(_) if client == PUBLISHER => {
                self.ready += 1;
                Ok(())
            }
            ControlPacket::Connack(_) | ControlPacket::Suback(_) => self.subscribe_more(client, out),
            ControlPacket::Publish(publish) => {
                self.delivered(client, publish.topic_name, publish.payload)?;
                self.publish_more(out)
            }
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    fn is_done(&self) -> bool {
        if self.is_publishing { self.completed == self.messages } else { self.ready == PUBLISHER + 1 }
    }

    fn progress(&self) -> String {
        let Run { filters, ready, completed, .. } = self;
        format!("{filters} filters, {ready} clients ready, {completed} messages delivered to all")
    }
}
