//! Where what is found goes.

use hexmq_wire::{ControlPacket, Fault, PacketType, Version};

use super::connection::Connection;
use super::note::Note;
use crate::Side;
use crate::recording::Timestamp;

/// An MQTT packet of a capture.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// When the packet of the capture came that made it whole.
    pub at: Timestamp,
    /// The number of that packet in the capture, from 1.
    pub packet: u64,
    /// Who sent it.
    pub from: Side,
    /// The version it is read with.
    pub version: Version,
    /// All its bytes.
    pub bytes: &'a [u8],
    /// What it says, or the fault for which a server would not accept it.
    pub decoded: Result<ControlPacket<'a>, Fault>,
}

impl Packet<'_> {
    /// Its type; `None` for the reserved type 0.
    pub fn packet_type(&self) -> Option<PacketType> {
        self.bytes.first().and_then(|first| PacketType::from_u8(first >> 4))
    }
}

/// Receives what is found in a capture, in the order of its packets. Whatever is not wanted may be
/// left as it is.
pub trait Sink {
    /// Whether connections are to be followed. Otherwise only headers are read: the limit that reading
    /// them is measured against.
    const FOLLOWS: bool = true;
    /// A connection was recognised. Its first packets may have come before.
    fn opened(&mut self, _connection: &Connection) {}
    /// Bytes of MQTT, in order, without what carries them. Together they are the stream of that side
    /// but for what is told in notes.
    fn bytes(&mut self, _connection: &Connection, _at: Timestamp, _from: Side, _bytes: &[u8]) {}
    /// A whole packet. Its bytes were told before.
    fn packet(&mut self, _connection: &Connection, _packet: &Packet<'_>) {}
    /// Something else to know.
    fn note(&mut self, _connection: &Connection, _note: &Note) {}
    /// A connection is no more, or the capture ends.
    fn closed(&mut self, _connection: &Connection) {}
}

/// Wants nothing but the counters.
impl Sink for () {}

/// Wants not even connections: only headers are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadersOnly;

impl Sink for HeadersOnly {
    const FOLLOWS: bool = false;
}
