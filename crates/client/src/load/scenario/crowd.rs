//! Many clients at once, of all versions: each subscribes to a topic of its own and publishes to its
//! neighbour's at every QoS; each gets exactly what was sent to it, and leaves.

use hexmq_wire::{ControlPacket, Publish, QoS, Version};

use super::LIMIT;
use crate::load::fleet::{Fleet, Outbox, Script, Then};
use crate::load::packets::{
    delivery, expect_accepted, send_connect, send_disconnect, send_publish, send_subscribe,
};
use crate::load::process::raise_descriptor_limit;
use crate::load::report::Stretch;
use crate::load::{Report, Target};

/// Messages of each client: one per QoS.
const MESSAGES: u8 = 3;

/// Clients that all subscribe and publish.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Clients.
    pub clients: usize,
}

impl Crowd {
    /// Connects all, lets each publish to its neighbour, and lets them leave.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        raise_descriptor_limit();
        let stretch = Stretch::begin(target)?;
        let mut run = Run {
            members: vec![Member::default(); self.clients],
            phase: Phase::Subscribing,
            subscribed: 0,
            finished: 0,
            left: 0,
        };
        let mut fleet = Fleet::new(target.address, self.clients, LIMIT)?;
        fleet.run(&mut run)?;
        let idle = stretch.end()?;
        run.phase = Phase::Publishing;
        fleet.begin(|out| (0..self.clients).try_for_each(|client| run.publish(client, out)))?;
        fleet.run(&mut run)?;
        run.phase = Phase::Leaving;
        fleet.begin(|out| (0..self.clients).try_for_each(|client| send_disconnect(out, client)))?;
        fleet.run(&mut run)?;
        let mut report = Report::new("crowd");
        report
            .count("clients", self.clients)
            .count("delivered", self.clients * usize::from(MESSAGES))
            .measure_if_known("bytes_per_connection", idle.bytes_each(self.clients as u64))
            .measure("wall_s", stretch.end()?.wall_s);
        Ok(report)
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
        let mut identifier = 10;
        for (number, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
            let payload = format!("{client} {number}");
            let delivery = delivery(qos, &mut identifier);
            send_publish(out, client, &topic, payload.as_bytes(), delivery, false)?;
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
        send_connect(out, client, version(client), &format!("bench-crowd-{client}"), true)
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
                return send_subscribe(out, client, version(client), [topic(client)], QoS::ExactlyOnce);
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

    fn closed(&mut self, client: usize) -> Result<Then, String> {
        if self.phase != Phase::Leaving {
            return Err(format!("the server closed client {client}"));
        }
        self.left += 1;
        Ok(Then::StaysAway)
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
