//! Memory of the server per idle connection.

use hexmq_wire::{ControlPacket, QoS, Version};

use super::LIMIT;
use crate::load::fleet::{Fleet, Outbox, Script};
use crate::load::packets::{expect_accepted, send_connect, send_subscribe};
use crate::load::process::raise_descriptor_limit;
use crate::load::report::{HALVES, Stretch};
use crate::load::{Report, Target};

/// Connections with one subscription each and no traffic.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Connections.
    pub clients: usize,
}

impl Idle {
    /// Connects and subscribes all, and looks at the memory.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        raise_descriptor_limit();
        let stretch = Stretch::begin(target)?;
        let fleet = waiting(target, self.clients)?;
        let taken = stretch.end()?;
        drop(fleet);
        let count = self.clients as u64;
        let mut report = Report::new("idle");
        report
            .count("clients", self.clients)
            .measure_if_known("bytes_per_connection", taken.bytes_each(count))
            .measure_if_known("cpu_us_per_connection", taken.cpu_us_each(count))
            .halves(&HALVES, &taken)
            .measure("wall_s", taken.wall_s);
        Ok(report)
    }
}

/// Connects and subscribes so many; they stay as long as what this gives.
pub(super) fn waiting(target: &Target, clients: usize) -> Result<Fleet, String> {
    let mut fleet = Fleet::new(target.address, clients, LIMIT)?;
    fleet.run(&mut Waiting { subscribed: 0, clients })?;
    Ok(fleet)
}

struct Waiting {
    clients: usize,
    subscribed: usize,
}

impl Script for Waiting {
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("bench-idle-{client}"), true)
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
                let filter = format!("bench/idle/{client}");
                send_subscribe(out, client, Version::V4, [filter], QoS::AtMostOnce)
            }
            ControlPacket::Suback(_) => {
                self.subscribed += 1;
                Ok(())
            }
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    fn is_done(&self) -> bool {
        self.subscribed == self.clients
    }

    fn progress(&self) -> String {
        format!("{} of {} subscribed", self.subscribed, self.clients)
    }
}
