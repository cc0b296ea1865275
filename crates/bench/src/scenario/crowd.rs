//! Many clients at once, of all versions: each subscribes to a topic of its own and publishes to its
//! neighbour's at every QoS; each gets exactly what was sent to it, and leaves.

use std::time::{Duration, Instant};

use hexmq_wire::{
    ControlPacket, Delivery, Disconnect, PacketIdentifier, Properties, Publish, QoS, ReasonCode, Version,
};
use serde_json::{Value, json};

use super::{expect_accepted, qos_of, send_connect, send_subscribe};
use crate::fleet::{Fleet, Outbox, Script};
use crate::process::Server;

/// Messages of each client: one per QoS.
const MESSAGES: u8 = 3;

/// Clients that all subscribe and publish.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Crowd {
    /// Clients.
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
}

impl Crowd {
    pub(crate) fn run(&self, server: &Server) -> Result<Value, String> {
        let begun = Instant::now();
        let before = server.resident_bytes();
        let mut run = Run {
            members: vec![Member::default(); self.clients],
            phase: Phase::Subscribing,
            subscribed: 0,
            finished: 0,
            left: 0,
        };
        let mut fleet = Fleet::new(server.address, self.clients, Duration::from_secs(180))?;
        fleet.run(&mut run)?;
        let idle = server.resident_bytes();
        run.phase = Phase::Publishing;
        fleet.begin(|out| (0..self.clients).try_for_each(|client| run.publish(client, out)))?;
        fleet.run(&mut run)?;
        run.phase = Phase::Leaving;
        fleet.begin(|out| (0..self.clients).try_for_each(|client| leave(client, out)))?;
        fleet.run(&mut run)?;
        let per_connection =
            before.zip(idle).map(|(before, idle)| idle.saturating_sub(before) / self.clients as u64);
        Ok(json!({ "scenario": "crowd", "clients": self.clients,
            "delivered": self.clients * usize::from(MESSAGES), "bytes_per_connection": per_connection,
            "wall_s": begun.elapsed().as_secs_f64() }))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Subscribing,
    Publishing,
    Leaving,
}

#[derive(Clone, Copy, Debug, Default)]
struct Member {
    /// One bit per QoS: the message of the neighbour came.
    received: u8,
    /// QoS 1 and 2 exchanges that are complete.
    acknowledged: u8,
}

struct Run {
    members: Vec<Member>,
    phase: Phase,
    subscribed: usize,
    finished: usize,
    left: usize,
}

impl Run {
    fn publish(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let neighbour = (client + 1) % self.members.len();
        let topic = topic(neighbour);
        for number in 0..MESSAGES {
            let identifier = PacketIdentifier::new(u16::from(number) + 10).unwrap_or(PacketIdentifier::MIN);
            let delivery = match qos_of(number)? {
                QoS::AtMostOnce => Delivery::AtMostOnce,
                QoS::AtLeastOnce => Delivery::AtLeastOnce(identifier),
                QoS::ExactlyOnce => Delivery::ExactlyOnce(identifier),
            };
            let payload = format!("{client} {number}");
            let publish = Publish {
                dup: false,
                delivery,
                retain: false,
                topic_name: &topic,
                properties: Properties::EMPTY,
                payload: payload.as_bytes(),
            };
            out.send(client, &ControlPacket::Publish(publish))?;
        }
        Ok(())
    }

    fn delivered(&mut self, client: usize, publish: &Publish<'_>) -> Result<(), String> {
        let sender = (client + self.members.len() - 1) % self.members.len();
        let number = publish.qos() as u8;
        let is_right = publish.payload == format!("{sender} {number}").as_bytes();
        if !is_right || publish.topic_name != topic(client) || publish.retain {
            return Err(format!("client {client} got a message that nobody sent: {publish:?}"));
        }
        if self.members[client].received & 1 << number != 0 {
            return Err(format!("client {client} got its QoS {number} message twice"));
        }
        self.members[client].received |= 1 << number;
        Ok(())
    }
}

fn leave(client: usize, out: &mut Outbox) -> Result<(), String> {
    out.send(client, &ControlPacket::Disconnect(Disconnect::with_reason(ReasonCode::Success)))
}

fn topic(client: usize) -> String {
    format!("bench/crowd/{client}")
}

fn version(client: usize) -> Version {
    [Version::V3, Version::V4, Version::V5][client % 3]
}

impl Script for Run {
    fn version(&self, client: usize) -> Version {
        version(client)
    }

    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, version(client), &format!("crowd-{client}"))
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match packet {
            ControlPacket::Connack(_) => {
                return send_subscribe(out, client, version(client), &topic(client), QoS::ExactlyOnce);
            }
            ControlPacket::Suback(_) => {
                self.subscribed += 1;
                return Ok(());
            }
            ControlPacket::Publish(publish) => self.delivered(client, publish)?,
            ControlPacket::Puback(_) | ControlPacket::Pubcomp(_) => self.members[client].acknowledged += 1,
            _ => return out.acknowledge(client, packet),
        }
        let member = self.members[client];
        self.finished +=
            usize::from(member.received == (1 << MESSAGES) - 1 && member.acknowledged == MESSAGES - 1);
        out.acknowledge(client, packet)
    }

    fn closed(&mut self, client: usize) -> Result<(), String> {
        if self.phase != Phase::Leaving {
            return Err(format!("the server closed client {client}"));
        }
        self.left += 1;
        Ok(())
    }

    fn is_done(&self) -> bool {
        let reached = match self.phase {
            Phase::Subscribing => self.subscribed,
            Phase::Publishing => self.finished,
            Phase::Leaving => self.left,
        };
        reached == self.members.len()
    }

    fn progress(&self) -> String {
        let Run { phase, subscribed, finished, left, .. } = self;
        format!("{phase:?}: {subscribed} subscribed, {finished} finished, {left} left")
    }
}
