//! Memory of the server per idle connection.

use std::time::Duration;

use hexmq_wire::{ControlPacket, QoS, Version};
use serde_json::{Value, json};

use super::{expect_accepted, send_connect, send_subscribe};
use crate::fleet::{Fleet, Outbox, Script};
use crate::process::Server;

/// Connections with one subscription each.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Idle {
    /// Connections.
    #[arg(long, default_value_t = 5000)]
    clients: usize,
}

impl Idle {
    pub(crate) fn run(&self, server: &Server) -> Result<Value, String> {
        let before = server.resident_bytes().ok_or("the memory of the server needs its --pid")?;
        let mut fleet = Fleet::new(server.address, self.clients, Duration::from_secs(120))?;
        fleet.run(&mut Waiting { subscribed: 0, clients: self.clients })?;
        let after = server.resident_bytes().ok_or("the server is gone")?;
        let per_connection = after.saturating_sub(before) as f64 / self.clients as f64;
        Ok(json!({ "scenario": "idle", "clients": self.clients, "resident_bytes_before": before,
            "resident_bytes_after": after, "bytes_per_connection": per_connection }))
    }
}

struct Waiting {
    clients: usize,
    subscribed: usize,
}

impl Script for Waiting {
    fn version(&self, _: usize) -> Version {
        Version::V4
    }

    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String> {
        send_connect(out, client, Version::V4, &format!("idle-{client}"))
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
                send_subscribe(out, client, Version::V4, &format!("bench/idle/{client}"), QoS::AtMostOnce)
            }
            ControlPacket::Suback(_) => {
                self.subscribed += 1;
                Ok(())
            }
            other => Err(format!("client {client} got {other:?}")),
        }
    }

    fn closed(&mut self, client: usize) -> Result<(), String> {
        Err(format!("the server closed client {client}"))
    }

    fn is_done(&self) -> bool {
        self.subscribed == self.clients
    }

    fn progress(&self) -> String {
        format!("{} of {} subscribed", self.subscribed, self.clients)
    }
}
