//! A sink that keeps everything, for comparing.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use hexmq_workbench::Side;
use hexmq_workbench::capture::{Capture, Connection, Note, NoteKind, Packet, Settings, Sink, Totals};
use hexmq_workbench::recording::Timestamp;

#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) opened: Vec<Connection>,
    pub(crate) closed: Vec<Connection>,
    /// Connection, side, bytes.
    pub(crate) packets: Vec<(u64, Side, Vec<u8>)>,
    pub(crate) faulty: usize,
    pub(crate) notes: Vec<(u64, Note)>,
    /// The streams: connection, then client and server.
    pub(crate) streams: std::collections::BTreeMap<u64, [Vec<u8>; 2]>,
    pub(crate) times: Vec<Timestamp>,
    pub(crate) totals: Totals,
    pub(crate) error: Option<String>,
}

impl Gathered {
    pub(crate) fn packets_of(&self, connection: u64, side: Side) -> Vec<&[u8]> {
        let of = self.packets.iter().filter(|packet| packet.0 == connection && packet.1 == side);
        of.map(|packet| packet.2.as_slice()).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<&NoteKind> {
        self.notes.iter().map(|note| &note.1.kind).collect()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.notes.iter().map(|note| note.1.kind.name()).collect()
    }
}

impl Sink for Gathered {
    fn opened(&mut self, connection: &Connection) {
        self.opened.push(connection.clone());
    }

    fn bytes(&mut self, connection: &Connection, _: Timestamp, from: Side, bytes: &[u8]) {
        let [client, server] = self.streams.entry(connection.number).or_default();
        if from == Side::Client { client } else { server }.extend_from_slice(bytes);
    }

    fn packet(&mut self, connection: &Connection, packet: &Packet<'_>) {
        self.faulty += usize::from(packet.decoded.is_err());
        self.times.push(packet.at);
        self.packets.push((connection.number, packet.from, packet.bytes.to_vec()));
    }

    fn note(&mut self, connection: &Connection, note: &Note) {
        self.notes.push((connection.number, note.clone()));
    }

    fn closed(&mut self, connection: &Connection) {
        self.closed.push(connection.clone());
    }
}

/// Reads a capture whole.
pub(crate) fn gather_with(bytes: &[u8], settings: Settings) -> Gathered {
    let mut gathered = Gathered::default();
    let mut capture = Capture::new(settings);
    gathered.error =
        capture.read(&mut &bytes[..], &mut gathered, |_| true).err().map(|error| error.to_string());
    capture.finish(&mut gathered);
    gathered.totals = capture.totals();
    gathered
}

pub(crate) fn gather(bytes: &[u8]) -> Gathered {
    gather_with(bytes, Settings::default())
}

/// A CONNECT of 3.1.1 with this Client Identifier.
pub(crate) fn connect(id: &str) -> Vec<u8> {
    let body = [b"\x00\x04MQTT\x04\x02\x00\x3c".as_slice(), &(id.len() as u16).to_be_bytes(), id.as_bytes()];
    let body = body.concat();
    [&[0x10, body.len() as u8][..], &body].concat()
}

/// A PUBLISH of QoS 0.
pub(crate) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let length = 2 + topic.len() + payload.len();
    let mut packet = vec![0x30];
    let mut left = length;
    loop {
        let more = if left > 127 { 0x80 } else { 0 };
        packet.push((left & 127) as u8 | more);
        left >>= 7;
        if left == 0 {
            break;
        }
    }
    packet.extend((topic.len() as u16).to_be_bytes());
    packet.extend(topic.as_bytes());
    packet.extend(payload);
    packet
}

pub(crate) const CONNACK: &[u8] = b"\x20\x02\x00\x00";
