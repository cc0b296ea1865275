//! The steps of a case.

use std::time::Duration;

use hexmq_wire::Version;

use crate::{Pattern, Record};

/// One step, with the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Line, from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// What happens in a step. Connections are named by the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `a @ …`: opens the connection.
    Open {
        /// The connection.
        connection: String,
        /// Where it comes from.
        origin: Origin,
    },
    /// `a > PACKET`: the client sends bytes, on a new connection if there is none.
    Send {
        /// The connection.
        connection: String,
        /// What goes out.
        bytes: Vec<u8>,
        /// The packet, where it was written as one.
        packet: Option<Record>,
        /// How the connection is read from here on.
        version: Version,
    },
    /// `a < PACKET`: the next packet on one of the connections.
    Expect {
        /// One name, or those of which exactly one gets it.
        connections: Vec<String>,
        /// `<~`: in any order with its neighbours.
        any_order: bool,
        /// What it has to be.
        expected: Expectation,
    },
    /// `a < nothing`.
    Nothing {
        /// The connection.
        connection: String,
    },
    /// `a < anything`.
    Anything {
        /// The connection.
        connection: String,
    },
    /// `a ! closed`.
    Closed {
        /// The connection.
        connection: String,
    },
    /// `a ~ drop`, `a ~ close`.
    Leave {
        /// The connection.
        connection: String,
        /// In which way.
        departure: Departure,
    },
    /// `a ~ stall`, `a ~ resume`.
    Reading {
        /// The connection.
        connection: String,
        /// Whether the client reads.
        on: bool,
    },
    /// `+90s`.
    Wait(Duration),
    /// `server ~ stop`.
    StopServer,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A loopback address.
    #[default]
    Loopback,
    /// Another address.
    Remote,
}

/// How a client leaves without DISCONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The connection is reset.
    Drop,
    /// The client ends the stream.
    Close,
}

/// What a packet has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Compared field by field.
    Packet(Pattern),
    /// One whole packet, compared byte by byte.
    Bytes {
        /// Its bytes.
        bytes: Vec<u8>,
        /// How to print what came instead.
        version: Version,
    },
}

impl Expectation {
    /// The version in which what came is read.
    pub fn version(&self) -> Version {
        match self {
            Expectation::Packet(pattern) => pattern.version(),
            Expectation::Bytes { version, .. } => *version,
        }
    }

    /// Whether one whole packet in bytes is as expected; if not, the first difference in words.
    pub fn matches(&self, packet: &[u8]) -> Result<(), String> {
        use hexmq_wire::{Frame, Leniency, NoTrace, decode};
        match self {
            Expectation::Bytes { bytes, .. } => match bytes == packet {
                true => Ok(()),
                false => Err(first_difference(bytes, packet)),
            },
            Expectation::Packet(pattern) => {
                let decoded =
                    decode(Frame::new(packet), pattern.version(), &Leniency::default(), &mut NoTrace)
                        .map_err(|fault| format!("expected a well-formed packet, got {fault:?}"))?;
                pattern.matches(&Record::from_packet(&decoded, pattern.version()))
            }
        }
    }
}

fn first_difference(expected: &[u8], got: &[u8]) -> String {
    let same = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    match (expected.get(same), got.get(same)) {
        (Some(a), Some(b)) => format!("byte {same}: expected {a:02x}, got {b:02x}"),
        _ => format!("expected {} bytes, got {}", expected.len(), got.len()),
    }
}
