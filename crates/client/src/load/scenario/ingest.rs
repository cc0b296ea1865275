//! Much work for the server and little for the generator: messages to ever new topics among many subscriptions, of
//! which few match. What a server gains from more processors shows here, and nowhere that the generator needs one
//! of two itself.

use std::time::{Duration, Instant};

use hexmq_wire::{ControlPacket, Delivery, Properties, Publish, QoS, Version};

use super::{LIMIT, NUMBER_SIZE};
use crate::load::account::Lane;
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{expect_accepted, number_in, put_number, send_connect, send_subscribe};
use crate::load::process::raise_descriptor_limit;
use crate::load::report::{HALVES, Stretch, Taken};
use crate::load::{Report, Target};

/// Gets every message that is delivered.
const RECEIVER: usize = 0;
/// Clients that hold the other subscriptions, which match nothing.
const HOLDERS: usize = 10;
/// The publishers come behind.
const OTHERS: usize = 1 + HOLDERS;
/// One of so many messages is delivered.
const DELIVERED_EACH: u64 = 100;
/// Messages in one write, and between two questions whether the server has handled them.
const CHUNK: u64 = 2 * DELIVERED_EACH;
/// Such chunks of one publisher on the way, so that the server never waits for the generator.
const CHUNKS: usize = 2;
/// Filters in one SUBSCRIBE.
const FILTERS: usize = 200;
/// What is delivered, whatever the other levels are.
const RECEIVED: &str = "bench/ingest/+/+/+/+/hit";
/// Number of the message and of its publisher.
const PAYLOAD: usize = NUMBER_SIZE + 4;
/// Hexadecimal digits of the number in a topic.
const DIGITS: usize = 8;

/// Publishers at QoS 0 to ever new topics among subscriptions.
#[derive(Clone, Copy, Debug)]
pub struct Ingest {
    /// Publishers.
    pub publishers: usize,
    /// Subscriptions, about; every level of a topic but the last two is in them by its name and as `+`.
    pub filters: usize,
    /// Time before the measurement, for the server to place its work.
    pub warm_up: Duration,
    /// Time of the measurement.
    pub length: Duration,
}

impl Ingest {
    /// Subscribes, publishes without a pause, measures after the warm-up, and waits for all to be handled.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        raise_descriptor_limit();
        let limit = LIMIT + self.warm_up + self.length;
        let mut run = Run::new(self)?;
        let mut fleet = Fleet::new(target.address, OTHERS + run.publishers.len(), limit)?;
        fleet.run(&mut run)?;
        run.phase = Phase::Publishing { until: Instant::now() + self.warm_up };
        fleet.begin(|out| {
            (0..run.publishers.len() * CHUNKS).for_each(|turn| run.publish_chunk(turn / CHUNKS, out));
            Ok(())
        })?;
        fleet.run(&mut run)?;
        let handled_before = run.handled;
        let stretch = Stretch::begin(target)?;
        run.phase = Phase::Publishing { until: Instant::now() + self.length };
        fleet.run(&mut run)?;
        let taken = stretch.end()?;
        let handled = run.handled - handled_before;
        run.phase = Phase::Ending;
        fleet.run(&mut run)?;
        Ok(self.report(&run, handled, &taken))
    }

    fn report(&self, run: &Run, handled: u64, taken: &Taken) -> Report {
        let processors = |us: f64| us / 1e6 / taken.wall_s;
        let mut report = Report::new("ingest");
        report
            .count("publishers", run.publishers.len())
            .count("filters", run.plan.filters())
            .measure("warm_up_s", self.warm_up.as_secs_f64())
            .count("messages", handled)
            .count("published", run.handled)
            .count("delivered", run.delivered)
            .measure("wall_s", taken.wall_s)
            .measure("messages_per_s", handled as f64 / taken.wall_s)
            .measure_if_known("cpu_us_per_message", taken.cpu_us_each(handled))
            .halves(&HALVES, taken)
            .measure_if_known("processors", taken.cpu_us.map(processors))
            .measure("generator_cpu_us_per_message", taken.own_cpu_us / handled.max(1) as f64)
            .measure("generator_processors", processors(taken.own_cpu_us));
        report
    }
}

/// Which topics and filters there are.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Names at each of the three levels that filters tell apart; `+` is one more.
    names: usize,
}

impl Plan {
    /// With about so many filters.
    fn new(filters: usize) -> Plan {
        let names = (1..).take_while(|names| (names + 1_usize).saturating_pow(3) <= filters).last();
        Plan { names: names.unwrap_or(1) }
    }

    fn filters(self) -> usize {
        (self.names + 1).pow(3)
    }

    /// The filter with this number. It matches nothing: no topic ends so.
    fn filter(self, number: usize) -> String {
        let kinds = self.names + 1;
        let level = |place: u32| match number / kinds.pow(place) % kinds {
            0 => "+".to_owned(),
            name => format!("{:02}", name - 1),
        };
        format!("bench/ingest/{}/{}/{}/+/no", level(0), level(1), level(2))
    }

    /// The topic of a message. Only the number in it is another one in each chunk, always in the same place.
    fn topic(self, publisher: usize, message: u64) -> String {
        const STRIDE: u64 = 0x9E37_79B1;
        let names = self.names as u64;
        let mixed = (publisher as u64 * CHUNK + message % CHUNK).wrapping_mul(STRIDE) >> 8;
        let (first, second, third) = (mixed % names, mixed / names % names, mixed / names / names % names);
        let end = if is_delivered(message) { "hit" } else { "off" };
        let number = message & u64::from(u32::MAX);
        format!("bench/ingest/{first:02}/{second:02}/{third:02}/{publisher:x}-{number:08x}/{end}")
    }
}

fn is_delivered(message: u64) -> bool {
    message % DELIVERED_EACH == DELIVERED_EACH - 1
}

/// The packets of a publisher's next chunk, a PINGREQ behind them, as they are written.
struct Packets {
    bytes: Vec<u8>,
    /// Where the digits of each message are, and its number in the payload.
    places: Vec<(usize, usize)>,
}

impl Packets {
    fn new(plan: Plan, publisher: usize) -> Result<Packets, String> {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for message in 0..CHUNK {
            let topic_name = plan.topic(publisher, message);
            let mut payload = [0; PAYLOAD];
            payload[NUMBER_SIZE..].copy_from_slice(&(publisher as u32).to_be_bytes());
            let publish = Publish {
                dup: false,
                delivery: Delivery::AtMostOnce,
                retain: false,
                topic_name: &topic_name,
                properties: Properties::EMPTY,
                payload: &payload,
            };
            let packet = ControlPacket::Publish(publish);
            packet.encode(Version::V4, &mut bytes).map_err(|error| error.to_string())?;
            let payload_at = bytes.len() - PAYLOAD;
            places.push((payload_at - "/end".len() - DIGITS, payload_at));
        }
        ControlPacket::Pingreq.encode(Version::V4, &mut bytes).map_err(|error| error.to_string())?;
        Ok(Packets { bytes, places })
    }

    /// The chunk that begins with this message.
    fn chunk(&mut self, first: u64) -> &[u8] {
        for (message, &(digits_at, payload_at)) in (first..).zip(&self.places) {
            put_digits(&mut self.bytes[digits_at..][..DIGITS], message as u32);
            put_number(&mut self.bytes[payload_at..], message);
        }
        &self.bytes
    }
}

/// Hexadecimal digits of all of the number.
fn put_digits(place: &mut [u8], number: u32) {
    const NIBBLES: &[u8; 16] = b"0123456789abcdef";
    for (digit, nibble) in place.iter_mut().rev().zip(0..) {
        *digit = NIBBLES[(number >> (4 * nibble) & 15) as usize];
    }
}

struct Publisher {
    packets: Packets,
    sent: u64,
    /// Messages that the server has read, for it has answered the PINGREQ behind them.
    handled: u64,
    /// Those of them that were delivered.
    lane: Lane,
}

impl Publisher {
    fn is_complete(&self) -> bool {
        self.handled == self.sent && self.lane.count() == self.sent / DELIVERED_EACH
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Gathering,
    Publishing {
        until: Instant,
    },
    /// Nothing more is sent; what is on its way is waited for.
    Ending,
}

struct Run {
    plan: Plan,
    publishers: Vec<Publisher>,
    /// The next filter of each holder.
    next: [usize; HOLDERS],
    /// Clients that are where they should be.
    ready: usize,
    handled: u64,
    delivered: u64,
    phase: Phase,
}

impl Run {
    fn new(ingest: &Ingest) -> Result<Run, String> {
        let plan = Plan::new(ingest.filters);
        let publisher = |publisher| {
            let packets = Packets::new(plan, publisher)?;
            Ok(Publisher { packets, sent: 0, handled: 0, lane: Lane::default() })
        };
        Ok(Run {
            plan,
            publishers: (0..ingest.publishers.max(1)).map(publisher).collect::<Result<_, String>>()?,
            next: std::array::from_fn(|holder| holder),
            ready: 0,
            handled: 0,
            delivered: 0,
            phase: Phase::Gathering,
        })
    }

    /// Asks for the next filters of this holder.
    fn subscribe_more(&mut self, holder: usize, out: &mut Outbox) -> Result<(), String> {
        let first = self.next[holder];
        let numbers = (first..self.plan.filters()).step_by(HOLDERS).take(FILTERS);
        let filters: Vec<String> = numbers.map(|number| self.plan.filter(number)).collect();
        if filters.is_empty() {
            self.ready += 1;
            return Ok(());
        }
        self.next[holder] = first + filters.len() * HOLDERS;
        send_subscribe(out, 1 + holder, Version::V4, filters, QoS::AtMostOnce)
    }

    fn publish_chunk(&mut self, publisher: usize, out: &mut Outbox) {
        let state = &mut self.publishers[publisher];
        out.send_encoded(OTHERS + publisher, state.packets.chunk(state.sent));
        state.sent += CHUNK;
    }

    /// The server has read one more chunk.
    fn confirm(&mut self, publisher: usize, out: &mut Outbox) -> Result<(), String> {
        let state = &mut self.publishers[publisher];
        if state.handled == state.sent {
            return Err(format!("publisher {publisher} was answered what it did not ask"));
        }
        state.handled += CHUNK;
        self.handled += CHUNK;
        if self.phase != Phase::Ending {
            self.publish_chunk(publisher, out);
        }
        Ok(())
    }

    fn arrived(&mut self, publish: &Publish<'_>) -> Result<(), String> {
        let payload = publish.payload;
        let publisher = payload.get(NUMBER_SIZE..).and_then(|rest| rest.first_chunk());
        let publisher = publisher.map_or(usize::MAX, |bytes| u32::from_be_bytes(*bytes) as usize);
        let number = number_in(payload).unwrap_or(u64::MAX);
        let plan = self.plan;
        let state = self.publishers.get_mut(publisher).filter(|state| {
            number < state.sent
                && is_delivered(number)
                && payload.len() == PAYLOAD
                && publish.topic_name == plan.topic(publisher, number)
                && publish.qos() == QoS::AtMostOnce
                && !publish.retain
        });
        let Some(state) = state else { return Err(format!("nobody sent this so: {publish:?}")) };
        let arrived = state.lane.arrive(number / DELIVERED_EACH);
        arrived.map_err(|error| format!("publisher {publisher}, of those to be delivered: {error}"))?;
        self.delivered += 1;
        Ok(())
    }
}

impl Script for Run {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-ingest-{client}"), true)
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
                send_subscribe(out, client, Version::V4, [RECEIVED], QoS::AtMostOnce)
            }
            ControlPacket::Connack(_) | ControlPacket::Suback(_) if (1..OTHERS).contains(&client) => {
                self.subscribe_more(client - 1, out)
            }
            ControlPacket::Connack(_) | ControlPacket::Suback(_) => {
                self.ready += 1;
                Ok(())
            }
            ControlPacket::Pingresp if client >= OTHERS => self.confirm(client - OTHERS, out),
            ControlPacket::Publish(publish) if client == RECEIVER => self.arrived(publish),
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    fn is_done(&self) -> bool {
        match self.phase {
            Phase::Gathering => self.ready == OTHERS + self.publishers.len(),
            Phase::Publishing { until } => Instant::now() >= until,
            Phase::Ending => self.publishers.iter().all(Publisher::is_complete),
        }
    }

    fn progress(&self) -> String {
        let Run { ready, handled, delivered, phase, .. } = self;
        format!("{phase:?}: {ready} clients ready, {handled} messages handled, {delivered} delivered")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use hexmq_wire::{Framer, Leniency, NoTrace, REMAINING_LENGTH_MAX, decode};

    use super::*;

    /// Topics and payloads of the PUBLISH packets in these bytes.
    fn messages_in(bytes: &[u8]) -> Vec<(String, u64)> {
        let mut messages = Vec::new();
        let mut pings = 0;
        let fed = Framer::new(REMAINING_LENGTH_MAX).feed(bytes, |frame| {
            match decode(frame, Version::V4, &Leniency::default(), &mut NoTrace).unwrap() {
                ControlPacket::Publish(publish) => {
                    messages.push((publish.topic_name.to_owned(), number_in(publish.payload).unwrap()));
                }
                _ => pings += 1,
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
        assert!(fed.is_ok() && pings == 1);
        messages
    }

    #[test]
    fn packets_made_once_are_those_of_the_plan_in_every_chunk() {
        for (filters, publisher) in [(8, 0), (1_000, 7), (100_000, 99), (1_000_000, 4_711)] {
            let plan = Plan::new(filters);
            let mut packets = Packets::new(plan, publisher).unwrap();
            for first in [0, CHUNK, 0xABCDE * CHUNK] {
                let messages = messages_in(packets.chunk(first));
                let planned = (first..first + CHUNK).map(|message| (plan.topic(publisher, message), message));
                assert_eq!(messages, planned.collect::<Vec<_>>());
                assert_eq!(messages.iter().filter(|(topic, _)| topic.ends_with("/hit")).count(), 2);
            }
        }
    }

    #[test]
    fn topics_and_filters_are_all_different_and_as_many_as_asked_for() {
        for (filters, made) in [(0, 8), (8, 8), (1_000, 1_000), (100_000, 97_336), (1_000_000, 1_000_000)] {
            assert_eq!(Plan::new(filters).filters(), made);
        }
        let plan = Plan::new(1_000);
        assert_eq!((0..1_000).map(|number| plan.filter(number)).collect::<HashSet<_>>().len(), 1_000);
        let topics =
            (0..10).flat_map(|publisher| (0..1_000).map(move |message| plan.topic(publisher, message)));
        assert_eq!(topics.collect::<HashSet<_>>().len(), 10_000);
    }

    #[test]
    fn each_message_that_is_due_comes_once_and_in_order() {
        let size = Ingest { publishers: 2, filters: 8, warm_up: Duration::ZERO, length: Duration::ZERO };
        let mut run = Run::new(&size).unwrap();
        run.publishers[1].sent = CHUNK;
        let mut arrive = |publisher: usize, number: u64| {
            let mut payload = [0; PAYLOAD];
            put_number(&mut payload, number);
            payload[NUMBER_SIZE..].copy_from_slice(&(publisher as u32).to_be_bytes());
            let topic_name = Plan::new(8).topic(publisher, number);
            let properties = Properties::EMPTY;
            let delivery = Delivery::AtMostOnce;
            let publish = Publish {
                dup: false,
                delivery,
                retain: false,
                topic_name: &topic_name,
                properties,
                payload: &payload,
            };
            run.arrived(&publish)
        };
        assert!(arrive(1, 199).unwrap_err().contains("1 came where 0 was due"));
        arrive(1, 99).unwrap();
        assert!(arrive(1, 99).is_err(), "it came twice");
        assert!(arrive(1, 100).is_err(), "nobody subscribed to it");
        assert!(arrive(0, 99).is_err(), "it was not sent yet");
        assert!(arrive(2, 99).is_err(), "there is no such publisher");
        arrive(1, 199).unwrap();
        assert!(!run.publishers[1].is_complete(), "the server has not answered");
        run.publishers[1].handled = CHUNK;
        assert!(run.publishers[1].is_complete() && run.delivered == 2);
    }
}
