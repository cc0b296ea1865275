//! CPU time of the server for a client that comes and goes.

use hexmq_wire::{ControlPacket, QoS, Version};

use super::LIMIT;
use super::idle::waiting;
use crate::load::fleet::{Fleet, Outbox, Script, Then};
use crate::load::packets::{expect_accepted, send_connect, send_disconnect, send_subscribe};
use crate::load::process::raise_descriptor_limit;
use crate::load::report::{HALVES, Stretch};
use crate::load::{Report, Target};

/// Clients that connect, say goodbye and connect again.
#[derive(Clone, Copy, Debug)]
pub struct Churn {
    /// Clients at once.
    pub clients: usize,
    /// Connections in all.
    pub connections: usize,
    /// Other connections, with a subscription each, that the server holds meanwhile.
    pub held: usize,
}

impl Churn {
    /// Connects and disconnects; the server closes each connection. Those that it holds are made before.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        raise_descriptor_limit();
        let clients = self.clients.clamp(1, self.connections.max(1));
        let held = waiting(target, self.held)?;
        let stretch = Stretch::begin(target)?;
        let mut visits = Visits::new("connect", clients, self.connections.max(1));
        Fleet::new(target.address, clients, LIMIT)?.run(&mut visits)?;
        let taken = stretch.end()?;
        drop(held);
        let count = visits.connections as u64;
        let mut report = Report::new("connect");
        report
            .count("clients", clients)
            .count("connections", count)
            .count("held", self.held)
            .measure_if_known("cpu_us_per_connection", taken.cpu_us_each(count))
            .halves(&HALVES, &taken)
            .measure("wall_s", taken.wall_s)
            .measure("connections_per_s", count as f64 / taken.wall_s);
        Ok(report)
    }
}

/// Each client connects, subscribes if there is something to, and disconnects.
pub(super) struct Visits {
    /// Identifiers are made from it.
    pub(super) name: &'static str,
    pub(super) clean_start: bool,
    /// The filter of a client, for QoS 1.
    pub(super) filter: Option<fn(usize) -> String>,
    connections: usize,
    /// Connections begun or about to begin.
    begun: usize,
    goodbyes: usize,
    ended: usize,
}

impl Visits {
    /// So many clients, that come again until there were so many connections.
    pub(super) fn new(name: &'static str, clients: usize, connections: usize) -> Visits {
        let (filter, clean_start) = (None, true);
        Visits { name, clean_start, filter, connections, begun: clients, goodbyes: 0, ended: 0 }
    }
}

impl Script for Visits {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        let identifier = format!("bench-{}-{client}", self.name);
        send_connect(out, client, Version::V4, &identifier, self.clean_start)
    }

    fn received(
        &mut self,
        client: usize,
        packet: &ControlPacket<'_>,
        out: &mut Outbox,
    ) -> Result<(), String> {
        expect_accepted(client, packet)?;
        match (packet, self.filter) {
            (ControlPacket::Connack(_), Some(filter)) => {
                send_subscribe(out, client, Version::V4, [filter(client)], QoS::AtLeastOnce)
            }
            (ControlPacket::Connack(_), None) | (ControlPacket::Suback(_), Some(_)) => {
                self.goodbyes += 1;
                send_disconnect(out, client)
            }
            (other, _) => Err(format!("client {client} got {other:?}")),
        }
    }

    fn closed(&mut self, client: usize) -> Result<Then, String> {
        self.ended += 1;
        if self.ended > self.goodbyes {
            return Err(format!("the server closed client {client} before its DISCONNECT"));
        }
        if self.begun == self.connections {
            return Ok(Then::StaysAway);
        }
        self.begun += 1;
        Ok(Then::ConnectsAgain)
    }

    fn is_done(&self) -> bool {
        self.ended == self.connections
    }

    fn progress(&self) -> String {
        format!("{} connections begun, {} ended", self.begun, self.ended)
    }
}
