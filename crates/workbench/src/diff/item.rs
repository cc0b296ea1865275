//! The things that are compared: packets, and bytes between them that are none.

use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, PacketType, Version, decode};

use super::DiffOptions;
use crate::recording::{Conversation, Event};
use crate::stream::{Piece, part, pieces};
use crate::tree::version_of;
use crate::{Explanation, Language, Options, Side, explain};

/// One packet of an input, or bytes that are none.
#[derive(Clone, Debug)]
pub struct Item {
    /// First byte in a stream; `None` in a recording.
    pub offset: Option<usize>,
    /// Who sent it; `None` if either may have.
    pub from: Option<Side>,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The version to read them with.
    pub version: Version,
    /// Whether they are a packet, whole or begun.
    pub is_packet: bool,
}

impl Item {
    /// Its type; `None` for bytes that are no packet and for the reserved type 0.
    pub fn packet_type(&self) -> Option<PacketType> {
        Frame::new(&self.bytes).packet_type().filter(|_| self.is_packet)
    }

    /// `CONNECT`; `bytes` for what is no packet.
    pub fn name(&self) -> &'static str {
        match (self.is_packet, self.packet_type()) {
            (true, Some(packet_type)) => packet_type.name(),
            (true, None) => "RESERVED",
            (false, _) => "bytes",
        }
    }

    /// The packet on one line of the notation; what is none in hex.
    pub fn line(&self) -> String {
        if self.is_packet {
            hexmq_notation::print_bytes(&self.bytes, self.version)
        } else {
            hexmq_notation::print_hex(&self.bytes)
        }
    }

    pub(super) fn explain(&self, language: Language) -> Explanation {
        explain(&self.bytes, &Options { from: self.from, version: Some(self.version), language })
    }

    /// What makes two packets of one type the same matter: the topic, the first filter.
    pub(super) fn subject(&self) -> Option<&str> {
        if !self.is_packet {
            return None;
        }
        match decode(Frame::new(&self.bytes), self.version, &Leniency::default(), &mut NoTrace).ok()? {
            ControlPacket::Publish(publish) => Some(publish.topic_name),
            ControlPacket::Subscribe(subscribe) => {
                subscribe.subscriptions.iter().next().map(|subscription| subscription.topic_filter)
            }
            ControlPacket::Unsubscribe(unsubscribe) => unsubscribe.topic_filters.iter().next(),
            _ => None,
        }
    }
}

/// The packets of a stream.
pub(super) fn of_bytes(bytes: &[u8], options: &DiffOptions) -> Vec<Item> {
    let mut items = Vec::new();
    let reading = Options { from: options.from, version: options.version, language: options.language };
    let explanation = explain(bytes, &reading);
    let side = |offset: usize| {
        let begun = explanation.rest.as_ref().and_then(|rest| rest.begun.as_ref());
        let mut packets = explanation.packets.iter().chain(begun);
        packets.find(|packet| packet.offset == offset).and_then(|packet| packet.from)
    };
    let mut put = |offset: usize, length: usize, version: Version, is_packet: bool| {
        let bytes = part(bytes, offset, length).to_vec();
        let version = version_of(Frame::new(&bytes), version);
        items.push(Item { offset: Some(offset), from: side(offset), bytes, version, is_packet });
    };
    let mut last = options.version.unwrap_or(Version::V4);
    for piece in pieces(bytes, options.version) {
        match piece {
            Piece::Packet { offset, length, version } => {
                last = version;
                put(offset, length, version, true);
            }
            Piece::Begun { offset, version, .. } => put(offset, usize::MAX, version, true),
            Piece::Forgotten { offset, length } | Piece::Garbage { offset, length } => {
                put(offset, length, last, false);
            }
            Piece::Unknown { offset } => put(offset, usize::MAX, last, false),
        }
    }
    items
}

/// The packets of one connection of a recording.
pub(super) fn of_conversation(conversation: &Conversation) -> Vec<Item> {
    let mut items = Vec::new();
    for moment in &conversation.moments {
        let (from, bytes, version, is_packet) = match &moment.event {
            Event::Packet(spoken) => (spoken.from, &spoken.bytes, spoken.version, true),
            Event::Begun { from, bytes, .. } => (*from, bytes, conversation.version, true),
            Event::Strays { from, bytes } => (*from, bytes, conversation.version, false),
            Event::Open(_) | Event::Note(_) | Event::Close(_) => continue,
        };
        items.push(Item { offset: None, from: Some(from), bytes: bytes.clone(), version, is_packet });
    }
    items
}
