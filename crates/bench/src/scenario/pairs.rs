//! Publishers and subscribers in pairs: CPU time of the server per delivered message.

use std::time::{Duration, Instant};

use hexmq_wire::{ControlPacket, Delivery, PacketIdentifier, Properties, Publish, QoS, Version};
use serde_json::{Value, json};

use super::{expect_accepted, qos_of, send_connect, send_subscribe};
use crate::fleet::{Fleet, Outbox, Script, identifier_after};
use crate::process::Server;

/// Bytes of the sequence number at the start of each payload.
const NUMBER_SIZE: usize = 8;

/// One publisher and one subscriber per topic.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Pairs {
    /// Pairs.
    #[arg(long, default_value_t = 50)]
    pairs: usize,
    /// QoS of messages and subscriptions.
    #[arg(long, default_value_t = 0)]
    qos: u8,
    /// Messages of each publisher on the way at once.
    #[arg(long, default_value_t = 16)]
    window: u64,
    /// Messages in all.
    #[arg(long, default_value_t = 200_000)]
    messages: u64,
    /// Bytes of a payload, 8 at least.
    #[arg(long, default_value_t = 64)]
    size: usize,
}

impl Pairs {
    pub(crate) fn run(&self, server: &Server) -> Result<Value, String> {
        let quota = (self.messages / self.pairs.max(1) as u64).max(1);
        let mut run = Run {
            pairs: self.pairs,
            qos: qos_of(self.qos)?,
            window: self.window.max(1),
            quota,
            payload: vec![b'.'; self.size.max(NUMBER_SIZE)],
            states: vec![State::default(); self.pairs],
            ready: 0,
            finished: 0,
            is_publishing: false,
        };
        let mut fleet = Fleet::new(server.address, 2 * self.pairs, Duration::from_secs(300))?;
        fleet.run(&mut run)?;
        run.is_publishing = true;
        let (cpu_before, begun) = (server.cpu_ns(), Instant::now());
        fleet.begin(|out| (0..self.pairs).try_for_each(|pair| run.publish_more(pair, out)))?;
        fleet.run(&mut run)?;
        let wall_s = begun.elapsed().as_secs_f64();
        let delivered = quota * self.pairs as u64;
        let cpu_us = cpu_before
            .zip(server.cpu_ns())
            .map(|(before, after)| (after - before) as f64 / 1000.0 / delivered as f64);
        Ok(json!({ "scenario": "pairs", "pairs": self.pairs, "qos": self.qos, "window": self.window,
            "size": self.size, "delivered": delivered, "wall_s": wall_s,
            "messages_per_s": delivered as f64 / wall_s, "cpu_us_per_message": cpu_us }))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    sent: u64,
    acknowledged: u64,
    received: u64,
    identifier: u16,
}

/// Clients below `pairs` subscribe, the others publish.
struct Run {
    pairs: usize,
    qos: QoS,
    window: u64,
    quota: u64,
    payload: Vec<u8>,
    states: Vec<State>,
    /// Subscribers with a SUBACK and publishers with a CONNACK.
    ready: usize,
    finished: usize,
    is_publishing: bool,
}

impl Run {
    fn publish_more(&mut self, pair: usize, out: &mut Outbox) -> Result<(), String> {
        let topic = topic(pair);
        let state = &mut self.states[pair];
        let done =
            if self.qos == QoS::AtMostOnce { state.received } else { state.received.min(state.acknowledged) };
        while state.sent < self.quota && state.sent - done < self.window {
            let delivery = match self.qos {
                QoS::AtMostOnce => Delivery::AtMostOnce,
                QoS::AtLeastOnce => Delivery::AtLeastOnce(next(&mut state.identifier)),
                QoS::ExactlyOnce => Delivery::ExactlyOnce(next(&mut state.identifier)),
            };
            self.payload[..NUMBER_SIZE].copy_from_slice(&state.sent.to_be_bytes());
            let publish = Publish {
                dup: false,
                delivery,
                retain: false,
                topic_name: &topic,
                properties: Properties::EMPTY,
                payload: &self.payload,
            };
            out.send(self.pairs + pair, &ControlPacket::Publish(publish))?;
            state.sent += 1;
        }
        Ok(())
    }

    fn delivered(&mut self, pair: usize, publish: &Publish<'_>) -> Result<(), String> {
        let expected = self.states[pair].received;
        let number = publish.payload.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        if number != Some(expected) || publish.payload.len() != self.payload.len() {
            return Err(format!("pair {pair}: message {number:?} came where {expected} was due"));
        }
        if publish.qos() != self.qos || publish.dup || publish.topic_name != topic(pair) {
            return Err(format!("pair {pair}: message {expected} is not as it was sent: {publish:?}"));
        }
        self.states[pair].received += 1;
        Ok(())
    }

    fn count_finished(&mut self, pair: usize) {
        let state = &self.states[pair];
        let acknowledged = self.qos == QoS::AtMostOnce || state.acknowledged == self.quota;
        self.finished += usize::from(state.received == self.quota && acknowledged);
    }
}

fn next(identifier: &mut u16) -> PacketIdentifier {
    let next = identifier_after(*identifier);
    *identifier = next.get();
    next
}

fn topic(pair: usize) -> String {
    format!("bench/pairs/{pair}")
}

impl Script for Run {
    fn version(&self, _: usize) -> Version {
        Version::V4
    }

    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("pairs-{client}"))
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        let is_subscriber = client < self.pairs;
        let pair = if is_subscriber { client } else { client - self.pairs };
        match packet {
            ControlPacket::Connack(_) if is_subscriber => {
                return send_subscribe(out, client, Version::V4, &topic(pair), self.qos);
            }
            ControlPacket::Connack(_) | ControlPacket::Suback(_) => {
                self.ready += 1;
                return Ok(());
            }
            ControlPacket::Publish(publish) => self.delivered(pair, publish)?,
            ControlPacket::Puback(_) | ControlPacket::Pubcomp(_) => self.states[pair].acknowledged += 1,
            _ => return out.acknowledge(client, packet),
        }
        out.acknowledge(client, packet)?;
        self.count_finished(pair);
        self.publish_more(pair, out)
    }

    fn closed(&mut self, client: usize) -> Result<(), String> {
        Err(format!("the server closed client {client}"))
    }

    fn is_done(&self) -> bool {
        if self.is_publishing { self.finished == self.pairs } else { self.ready == 2 * self.pairs }
    }

    fn progress(&self) -> String {
        let received: u64 = self.states.iter().map(|state| state.received).sum();
        let (ready, finished) = (self.ready, self.finished);
        format!("{ready} clients ready, {received} messages received, {finished} pairs finished")
    }
}
