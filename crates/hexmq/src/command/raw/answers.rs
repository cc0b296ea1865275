//! What a packet of one side asks of the other.

use hexmq_wire::{Ack, ControlPacket, Delivery, Frame, Leniency, NoTrace, PacketType, Version, decode};

/// Answers that have not come yet.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    due: Vec<(PacketType, u16)>,
    /// Bytes were sent of which nobody knows what they are answered with.
    unclear: bool,
}

/// More than a connection can have in flight.
const DUE_MAX: usize = 200_000;

impl Outstanding {
    /// The client has sent this.
    pub(crate) fn sent(&mut self, bytes: &[u8], version: Version) {
        let decoded = decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace);
        let Ok(packet) = decoded else {
            self.unclear = true;
            return;
        };
        let due = match packet {
            ControlPacket::Connect(_) => (PacketType::Connack, 0),
            ControlPacket::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => return,
                Delivery::AtLeastOnce(id) => (PacketType::Puback, id.get()),
                Delivery::ExactlyOnce(id) => (PacketType::Pubrec, id.get()),
            },
            ControlPacket::Pubrel(ack) => (PacketType::Pubcomp, ack.packet_identifier.get()),
            ControlPacket::Subscribe(subscribe) => (PacketType::Suback, subscribe.packet_identifier.get()),
            ControlPacket::Unsubscribe(it) => (PacketType::Unsuback, it.packet_identifier.get()),
            ControlPacket::Pingreq => (PacketType::Pingresp, 0),
            _ => return,
        };
        if self.due.len() < DUE_MAX {
            self.due.push(due);
        }
    }

    /// The client has sent bytes that are no packet.
    pub(crate) fn sent_unclear(&mut self) {
        self.unclear = true;
    }

    /// The server has sent this.
    pub(crate) fn received(&mut self, bytes: &[u8], version: Version) {
        let Ok(packet) = decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace) else {
            return;
        };
        let id = match packet {
            ControlPacket::Puback(ack) | ControlPacket::Pubrec(ack) | ControlPacket::Pubcomp(ack) => {
                ack.packet_identifier.get()
            }
            ControlPacket::Suback(suback) => suback.packet_identifier.get(),
            ControlPacket::Unsuback(unsuback) => unsuback.packet_identifier.get(),
            _ => 0,
        };
        let answered = (packet.packet_type(), id);
        if let Some(at) = self.due.iter().position(|due| *due == answered) {
            self.due.remove(at);
        }
    }

    /// Nothing is waited for: the connection is another, or no more.
    pub(crate) fn forget(&mut self) {
        *self = Outstanding::default();
    }

    /// Whether every answer is there.
    pub(crate) fn is_settled(&self) -> bool {
        self.due.is_empty() && !self.unclear
    }

    /// `SUBACK pid=1, PINGRESP`
    pub(crate) fn describe(&self) -> String {
        const SHOWN: usize = 5;
        let name = |&(packet_type, id): &(PacketType, u16)| match id {
            0 => packet_type.name().to_owned(),
            _ => format!("{} pid={id}", packet_type.name()),
        };
        let mut text = self.due.iter().take(SHOWN).map(name).collect::<Vec<_>>().join(", ");
        if self.due.len() > SHOWN {
            text += ", …";
        }
        text
    }
}

/// The acknowledgement that a client owes for this packet of the server; `None` where it owes none.
pub(crate) fn acknowledgement(bytes: &[u8], version: Version) -> Option<Vec<u8>> {
    let packet = decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace).ok()?;
    let answer = match packet {
        ControlPacket::Publish(publish) => match publish.delivery {
            Delivery::AtMostOnce => return None,
            Delivery::AtLeastOnce(id) => ControlPacket::Puback(Ack::success(id)),
            Delivery::ExactlyOnce(id) => ControlPacket::Pubrec(Ack::success(id)),
        },
        // A refused PUBLISH of QoS 2 ends with its PUBREC.
        ControlPacket::Pubrec(ack) if !ack.reason_code.is_error() => {
            ControlPacket::Pubrel(Ack::success(ack.packet_identifier))
        }
        ControlPacket::Pubrel(ack) => ControlPacket::Pubcomp(Ack::success(ack.packet_identifier)),
        _ => return None,
    };
    let mut out = Vec::new();
    answer.encode(version, &mut out).ok()?;
    Some(out)
}

/// The Keep Alive of a CONNECT, or the one a CONNACK of 5.0 sets instead.
pub(crate) fn keep_alive(bytes: &[u8], version: Version) -> Option<u16> {
    match decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace).ok()? {
        ControlPacket::Connect(connect) => Some(connect.keep_alive_s),
        ControlPacket::Connack(connack) => connack.properties.server_keep_alive(),
        _ => None,
    }
}
