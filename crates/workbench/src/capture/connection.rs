//! What is known of a connection: the counters of its summary.

use std::net::SocketAddr;

use hexmq_wire::{ReasonCode, Version};

use super::half::Delivery;
use super::note::Encrypted;
use crate::Side;
use crate::recording::{Timestamp, Via};

/// A connection of MQTT, or an encrypted one that may be.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its number, from 1, in the order in which connections were recognised.
    pub number: u64,
    /// The client's end.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// What carries the MQTT bytes.
    pub via: Via,
    /// When its first packet came.
    pub opened: Timestamp,
    /// When its last packet came.
    pub last: Timestamp,
    /// Whether its beginning is in the capture.
    pub from_start: bool,
    /// The protocol version, once it is known.
    pub version: Option<Version>,
    /// The Client Identifier of its CONNECT, at most 1,024 bytes of it.
    pub client_identifier: Option<Box<str>>,
    /// The code of its CONNACK.
    pub connack: Option<ReasonCode>,
    /// Who sent a DISCONNECT, and its code.
    pub disconnect: Option<(Side, ReasonCode)>,
    /// What the client sent.
    pub by_client: Traffic,
    /// What the server sent.
    pub by_server: Traffic,
    /// Why it cannot be read.
    pub encrypted: Option<Encrypted>,
    /// The name the client asked for in its TLS handshake.
    pub server_name: Option<Box<str>>,
    /// How it ended; `None` while it goes on.
    pub end: Option<End>,
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// MQTT bytes.
    pub bytes: u64,
    /// Packets by type: the index is the number in the fixed header.
    pub packets: [u32; 16],
    /// Packets that the decoder does not accept.
    pub faulty: u32,
    /// How TCP brought it.
    pub delivery: Delivery,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both sides closed; the one that did so first.
    Closed(Side),
    /// This side broke it off.
    Reset(Side),
    /// A new connection has the same addresses and ports.
    Replaced,
    /// Too many connections at once: the one that was silent for longest is not followed any more.
    SetAside,
    /// The capture ends.
    CaptureEnds,
}

impl End {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            End::Closed(_) => "closed",
            End::Reset(_) => "reset",
            End::Replaced => "replaced",
            End::SetAside => "set_aside",
            End::CaptureEnds => "capture_ends",
        }
    }

    /// Who ended it.
    pub const fn by(self) -> Option<Side> {
        match self {
            End::Closed(side) | End::Reset(side) => Some(side),
            End::Replaced | End::SetAside | End::CaptureEnds => None,
        }
    }
}

impl Connection {
    /// What `side` sent.
    pub const fn by(&self, side: Side) -> &Traffic {
        match side {
            Side::Client => &self.by_client,
            Side::Server => &self.by_server,
        }
    }

    pub(crate) const fn by_mut(&mut self, side: Side) -> &mut Traffic {
        match side {
            Side::Client => &mut self.by_client,
            Side::Server => &mut self.by_server,
        }
    }

    /// MQTT packets of both directions.
    pub fn packets(&self) -> u64 {
        self.by_client.count() + self.by_server.count()
    }

    /// Packets that the decoder does not accept.
    pub const fn faulty(&self) -> u64 {
        self.by_client.faulty as u64 + self.by_server.faulty as u64
    }

    /// Keeps what of the Client Identifier is kept.
    pub(crate) fn name(&mut self, client_identifier: &str) {
        const KEPT: usize = 1_024;
        let mut end = client_identifier.len().min(KEPT);
        while !client_identifier.is_char_boundary(end) {
            end -= 1;
        }
        self.client_identifier = client_identifier.get(..end).map(Box::from);
    }
}

impl Traffic {
    /// Packets of all types.
    pub fn count(&self) -> u64 {
        self.packets.iter().map(|&count| u64::from(count)).sum()
    }
}
