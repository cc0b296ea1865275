//! The MQTT of a connection: its two directions as packets.

use hexmq_wire::{ControlPacket, Fault, Frame, Leniency, NoTrace, PacketType, Version, decode};

use super::connection::Connection;
use super::frames::{Found, Frames, Reading};
use super::note::NoteKind;
use super::scene::Scene;
use super::sink::{Packet, Sink};
use crate::Side;
use crate::explanation::{Field, FieldValue};
use crate::tree::{read, version_of};

/// The packets of both directions.
#[derive(Debug)]
pub(crate) struct Talk {
    client: Frames,
    server: Frames,
}

impl Talk {
    /// Tells for each direction whether its first byte begins a packet.
    pub(crate) fn new(client_at_packet: bool, server_at_packet: bool) -> Talk {
        Talk { client: Frames::new(client_at_packet), server: Frames::new(server_at_packet) }
    }

    fn frames(&mut self, from: Side) -> &mut Frames {
        match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Bytes that come next.
    #[inline]
    pub(crate) fn feed<S: Sink>(
        &mut self,
        connection: &mut Connection,
        from: Side,
        bytes: &[u8],
        scene: &mut Scene<'_, S>,
    ) {
        connection.by_mut(from).bytes += bytes.len() as u64;
        scene.sink.bytes(connection, scene.at, from, bytes);
        let (moment, sink) = (scene.moment(), &mut *scene.sink);
        let mut with = Reading {
            version: connection.version,
            packet_max: scene.settings.packet_bytes_max,
            budget: scene.budget,
        };
        self.frames(from).feed(bytes, &mut with, &mut |found| match found {
            Found::Packet(bytes) => packet(connection, from, bytes, moment, sink),
            other => sink.note(connection, &moment.note(Some(from), note(other))),
        });
    }

    /// Bytes are missing here.
    pub(crate) fn gap<S: Sink>(
        &mut self,
        connection: &Connection,
        from: Side,
        missing: u64,
        scene: &mut Scene<'_, S>,
    ) {
        let (moment, sink) = (scene.moment(), &mut *scene.sink);
        let mut with = Reading {
            version: connection.version,
            packet_max: scene.settings.packet_bytes_max,
            budget: scene.budget,
        };
        self.frames(from).gap(missing, &mut with, &mut |found| {
            sink.note(connection, &moment.note(Some(from), note(found)));
        });
    }

    /// Lets go of what is kept.
    pub(crate) fn forget<S>(&mut self, scene: &mut Scene<'_, S>) {
        self.client.forget(scene.budget);
        self.server.forget(scene.budget);
    }

    /// Nothing comes any more: what is left over is told.
    pub(crate) fn finish<S: Sink>(&mut self, connection: &Connection, scene: &mut Scene<'_, S>) {
        for from in [Side::Client, Side::Server] {
            let frames = self.frames(from);
            let (passed, begun) = frames.left_over();
            let bytes = passed + begun as u64;
            frames.forget(scene.budget);
            if bytes > 0 {
                let note = scene.moment().note(Some(from), NoteKind::LeftOver { bytes });
                scene.sink.note(connection, &note);
            }
        }
    }
}

fn note(found: Found<'_>) -> NoteKind {
    const SHOWN: usize = 16;
    match found {
        Found::Packet(bytes) | Found::Stray(bytes) => {
            NoteKind::Stray { bytes: bytes.get(..SHOWN).unwrap_or(bytes).to_vec() }
        }
        Found::Incomplete { first, length } => {
            NoteKind::Incomplete { packet_type: PacketType::from_u8(first >> 4), length: length as u64 }
        }
        Found::TooLarge { first, length } => {
            NoteKind::TooLarge { packet_type: PacketType::from_u8(first >> 4), length: length as u64 }
        }
        Found::Resumed { passed } => NoteKind::Resumed { passed },
    }
}

/// Counts a packet and tells it.
#[inline]
fn packet<S: Sink>(
    connection: &mut Connection,
    from: Side,
    bytes: &[u8],
    moment: super::scene::Moment,
    sink: &mut S,
) {
    let (version, decoded) = match connection.version {
        Some(version) => (version, read_as(bytes, version)),
        None => guess(connection, bytes),
    };
    let traffic = connection.by_mut(from);
    let kind = bytes.first().map_or(0, |first| usize::from(first >> 4));
    if let Some(count) = traffic.packets.get_mut(kind) {
        *count = count.saturating_add(1);
    }
    match &decoded {
        Ok(ControlPacket::Publish(_)) => {}
        Ok(packet) => learn(connection, from, packet),
        Err(_) => {
            traffic.faulty = traffic.faulty.saturating_add(1);
            learn_from_faulty(connection, bytes);
        }
    }
    let version =
        if kind == PacketType::Connect as usize { connection.version.unwrap_or(version) } else { version };
    let packet = Packet { at: moment.at, packet: moment.packet, from, version, bytes, decoded };
    sink.packet(connection, &packet);
}

#[inline]
fn read_as(bytes: &[u8], version: Version) -> Result<ControlPacket<'_>, Fault> {
    decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace)
}

/// Reads a packet of a connection whose CONNECT was not seen, and keeps the version if this packet
/// tells it.
#[cold]
fn guess<'a>(connection: &mut Connection, bytes: &'a [u8]) -> (Version, Result<ControlPacket<'a>, Fault>) {
    let (older, newer) = (read_as(bytes, Version::V4), read_as(bytes, Version::V5));
    match (&older, &newer) {
        // Most acknowledgements are the same in both. Where properties stand in all others, 3.1.1 has
        // text, which hardly ever reads as properties by chance.
        (
            Ok(_),
            Ok(ControlPacket::Publish(_) | ControlPacket::Subscribe(_) | ControlPacket::Unsubscribe(_)),
        )
        | (Err(_), Ok(_)) => {
            connection.version = Some(Version::V5);
            (Version::V5, newer)
        }
        (Ok(_), Err(_)) => {
            connection.version = Some(Version::V4);
            (Version::V4, older)
        }
        _ => (Version::V4, older),
    }
}

/// What a packet tells of its connection.
fn learn(connection: &mut Connection, from: Side, packet: &ControlPacket<'_>) {
    match packet {
        ControlPacket::Connect(connect) => {
            connection.version = Some(connect.version);
            connection.name(connect.client_identifier);
        }
        ControlPacket::Connack(connack) => connection.connack = Some(connack.reason_code),
        ControlPacket::Disconnect(disconnect) => {
            connection.disconnect.get_or_insert((from, disconnect.reason_code));
        }
        _ => {}
    }
}

/// A CONNECT that no server accepts still says who it is from.
#[cold]
fn learn_from_faulty(connection: &mut Connection, bytes: &[u8]) {
    let frame = Frame::new(bytes);
    if frame.packet_type() != Some(PacketType::Connect) {
        return;
    }
    connection.version = Some(version_of(frame, Version::V4));
    let reading = read(bytes, Version::V4);
    if let Some(text) = client_identifier(&reading.fields) {
        connection.name(text);
    }
}

fn client_identifier(fields: &[Field]) -> Option<&str> {
    fields.iter().find_map(|field| match &field.value {
        FieldValue::Text(text) if field.name == "client_identifier" => Some(text.as_str()),
        _ => client_identifier(&field.fields),
    })
}
