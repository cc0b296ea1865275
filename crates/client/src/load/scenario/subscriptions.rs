//! Many subscriptions: the memory of one, and CPU time of the server per publish among them.

use hexmq_wire::{ControlPacket, Delivery, QoS, Version};

use super::{LIMIT, NUMBER_SIZE};
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{
    expect_accepted, number_in, put_number, send_connect, send_publish, send_subscribe,
};
use crate::load::report::{HALVES, Stretch};
use crate::load::{Report, Target};

/// Clients for each kind of filter.
const CLIENTS_PER_KIND: usize = 6;
/// Kinds of filters: one device, its wildcard, and all devices of every other group.
const KINDS: usize = 3;
/// The last client publishes.
const PUBLISHER: usize = KINDS * CLIENTS_PER_KIND;
/// Filters in one SUBSCRIBE.
const CHUNK: usize = 200;
/// Devices of a group; fewer where there would not be ten groups, so that two or three filters match whatever
/// the number of subscriptions.
const GROUP_MAX: usize = 1000;
const GROUPS_MIN: usize = 10;
/// Messages on the way.
const WINDOW: u64 = 256;

/// Many subscriptions of which a few match each message.
#[derive(Clone, Copy, Debug)]
pub struct Subscriptions {
    /// Subscriptions, about.
    pub filters: usize,
    /// Messages published.
    pub messages: u64,
    /// Where to.
    pub topics: Topics,
}

/// The topics of messages among many subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topics {
    /// One of each device, devices far apart one after the other; 2.5 filters match on average.
    Spread,
    /// The same, but of so many devices only.
    Hot(usize),
    /// Each message goes to a topic that no other had, so that no cache knows it; one filter matches.
    Fresh,
}

impl Subscriptions {
    /// Subscribes and publishes.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let mut run = Run {
            plan: Plan::new(self),
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
        let reads_before = fleet.reads();
        fleet.begin(|out| run.publish_more(out))?;
        fleet.run(&mut run)?;
        let published = stretch.end()?;
        let reads = (fleet.reads() - reads_before).max(1);
        let mut report = Report::new("subscriptions");
        report
            .count("filters", run.filters)
            .count("messages", run.completed)
            .count("delivered", run.deliveries)
            .measure("deliveries_per_publish", run.deliveries as f64 / run.completed.max(1) as f64)
            .measure("deliveries_per_read", run.deliveries as f64 / reads as f64)
            .measure_if_known("subscribe_cpu_us", subscribed.cpu_us_each(run.filters))
            .measure_if_known("bytes_per_subscription", subscribed.bytes_each(run.filters))
            .measure_if_known("cpu_us_per_publish", published.cpu_us_each(run.completed))
            .halves(&HALVES, &published)
            .measure("subscribe_wall_s", subscribed.wall_s)
            .measure("publish_wall_s", published.wall_s);
        Ok(report)
    }
}

/// Which device is in which group, and which gets which message.
#[derive(Clone, Copy, Debug)]
struct Plan {
    devices: usize,
    group: usize,
    topics: Topics,
}

impl Plan {
    fn new(subscriptions: &Subscriptions) -> Plan {
        let devices = (subscriptions.filters / 2).max(1);
        let group = (devices / GROUPS_MIN).clamp(1, GROUP_MAX);
        Plan { devices, group, topics: subscriptions.topics }
    }

    fn device_topic(self, device: usize) -> String {
        format!("bench/s/{}/{}/v", device / self.group, device % self.group)
    }

    /// The filter of a kind with this number.
    fn filter(self, kind: usize, number: usize) -> String {
        match kind {
            0 => self.device_topic(number),
            1 => format!("bench/s/{}/{}/+", number / self.group, number % self.group),
            _ => format!("bench/s/{}/+/v", 2 * number),
        }
    }

    fn filters(self, kind: usize) -> usize {
        if kind == 2 { self.devices.div_ceil(2 * self.group) } else { self.devices }
    }

    /// Neighbouring messages go to devices far apart, so that no processor cache has seen them.
    fn device(self, message: u64) -> usize {
        const STRIDE: u64 = 0x9E37_79B1;
        let message = match self.topics {
            Topics::Hot(topics) => message % topics.max(1) as u64,
            Topics::Spread | Topics::Fresh => message,
        };
        (message.wrapping_mul(STRIDE) % self.devices as u64) as usize
    }

    fn topic(self, message: u64) -> String {
        let device = self.device(message);
        match self.topics {
            Topics::Fresh => format!("bench/s/{}/{}/{message}", device / self.group, device % self.group),
            Topics::Spread | Topics::Hot(_) => self.device_topic(device),
        }
    }

    /// The kinds of filters that match a message, one bit each.
    fn kinds(self, message: u64) -> u8 {
        let group = self.device(message) / self.group;
        match self.topics {
            Topics::Fresh => 0b010,
            Topics::Spread | Topics::Hot(_) if group.is_multiple_of(2) => 0b111,
            Topics::Spread | Topics::Hot(_) => 0b011,
        }
    }
}

struct Run {
    plan: Plan,
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
        let first = self.next[client];
        let filters: Vec<String> = (first..self.plan.filters(kind))
            .step_by(CLIENTS_PER_KIND)
            .take(CHUNK)
            .map(|number| self.plan.filter(kind, number))
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
            self.missing.push(self.plan.kinds(number));
            put_number(&mut self.payload, number);
            let topic = self.plan.topic(number);
            send_publish(out, PUBLISHER, &topic, &self.payload, Delivery::AtMostOnce, false)?;
        }
        Ok(())
    }

    fn delivered(&mut self, client: usize, topic_name: &str, payload: &[u8]) -> Result<(), String> {
        let bit = 1 << (client / CLIENTS_PER_KIND);
        let number = number_in(payload).unwrap_or(u64::MAX);
        match self.missing.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) {
            Some(missing) if *missing & bit != 0 && topic_name == self.plan.topic(number) => {
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn plan(filters: usize, topics: Topics) -> Plan {
        Plan::new(&Subscriptions { filters, messages: 0, topics })
    }

    #[test]
    fn as_many_filters_match_whatever_their_number() {
        for filters in [1_000, 10_000, 100_000, 1_000_000] {
            let plan = plan(filters, Topics::Spread);
            let matching: u32 = (0..50_000).map(|message| plan.kinds(message).count_ones()).sum();
            let each = f64::from(matching) / 50_000.0;
            assert!((each - 2.5).abs() < 0.01, "{filters} filters: {each}");
        }
    }

    #[test]
    fn the_filters_of_a_kind_match_as_the_plan_says() {
        let plan = plan(100, Topics::Spread);
        for message in 0..50 {
            let (device, topic) = (plan.device(message), plan.topic(message));
            assert_eq!(topic, plan.filter(0, device));
            assert_eq!(
                topic.rsplit_once('/').map(|(start, _)| format!("{start}/+")),
                Some(plan.filter(1, device))
            );
            let group = device / plan.group;
            let of_group =
                (0..plan.filters(2)).any(|number| plan.filter(2, number) == format!("bench/s/{group}/+/v"));
            assert_eq!(plan.kinds(message) & 0b100 != 0, of_group);
        }
    }

    #[test]
    fn hot_topics_are_few_and_fresh_ones_all_different() {
        let distinct = |topics| {
            let plan = plan(10_000, topics);
            (0..3000).map(|message| plan.topic(message)).collect::<HashSet<_>>().len()
        };
        assert_eq!(distinct(Topics::Hot(64)), 64);
        assert_eq!(distinct(Topics::Spread), 3000);
        assert_eq!(distinct(Topics::Fresh), 3000);
        assert_eq!(plan(10, Topics::Fresh).kinds(3), 0b010);
    }
}
