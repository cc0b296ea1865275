//! Packets from the server.

use hexmq_wire::{Ack, ControlPacket, Delivery, PacketIdentifier, Publish, QoS, ReasonCode, Version};

use super::{Device, Heard, Io, Request, State};
use crate::history::{Arrival, Event};
use crate::payload;

impl Device {
    /// Does what the packet asks for and says what it means.
    pub(crate) fn receive(&mut self, packet: &ControlPacket<'_>, io: &mut Io<'_>) -> Heard {
        if let ControlPacket::Connack(connack) = packet {
            return self.connack(connack.session_present, connack.reason_code, io);
        }
        if self.state != State::Connected {
            return self.nonsense(packet.packet_type().name(), "before CONNACK", io);
        }
        match packet {
            ControlPacket::Publish(publish) => self.delivered(publish, io),
            ControlPacket::Puback(_) | ControlPacket::Pubrec(_) | ControlPacket::Pubcomp(_) => {
                self.answered(packet, io)
            }
            ControlPacket::Pubrel(ack) => {
                let known = self.incoming.remove(&ack.packet_identifier).is_some();
                let reason = if known || self.version != Version::V5 {
                    ReasonCode::Success
                } else {
                    ReasonCode::PacketIdentifierNotFound
                };
                self.acknowledge(ControlPacket::Pubcomp(Ack::with_reason(ack.packet_identifier, reason)), io);
                Heard::Nothing
            }
            ControlPacket::Suback(suback) => {
                let refused = suback.reason_codes.iter().any(|&code| code >= 0x80);
                self.subscribed(suback.packet_identifier, refused, io)
            }
            ControlPacket::Unsuback(unsuback) => self.unsubscribed(unsuback.packet_identifier, io),
            ControlPacket::Pingresp => Heard::Alive,
            ControlPacket::Disconnect(disconnect) => Heard::SentAway(disconnect.reason_code),
            other => self.nonsense(other.packet_type().name(), "from a server", io),
        }
    }

    fn connack(&mut self, session_present: bool, reason_code: ReasonCode, io: &mut Io<'_>) -> Heard {
        if self.state != State::Connecting {
            return self.nonsense("CONNACK", "twice", io);
        }
        if reason_code.is_error() {
            return Heard::SentAway(reason_code);
        }
        self.state = State::Connected;
        io.tell(&Event::Connack { client: self.id, session_present });
        if session_present {
            self.send_again(io)
        } else {
            self.begin_session(io)
        }
        Heard::Connected { session_present }
    }

    fn delivered(&mut self, publish: &Publish<'_>, io: &mut Io<'_>) -> Heard {
        let read = payload::read(publish.payload);
        let is_empty = publish.payload.is_empty();
        if read.is_none() && !is_empty {
            self.nonsense("PUBLISH", "with a payload nobody sent", io);
        }
        let message = read.map(|(message, _)| message);
        let qos = publish.qos();
        match publish.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(identifier) => {
                self.acknowledge(ControlPacket::Puback(Ack::success(identifier)), io);
            }
            Delivery::ExactlyOnce(identifier) => {
                let known = self.incoming.get(&identifier).copied();
                self.incoming.entry(identifier).or_insert(message);
                self.acknowledge(ControlPacket::Pubrec(Ack::success(identifier)), io);
                if let Some(known) = known {
                    if known != message {
                        self.nonsense("another message", "with an identifier that is in use", io);
                    } else if !publish.dup {
                        self.nonsense("a repeated PUBLISH", "without DUP", io);
                    }
                    return Heard::Nothing;
                }
            }
        }
        if qos == QoS::AtMostOnce && publish.dup {
            self.nonsense("PUBLISH", "with QoS 0 and DUP", io);
        }
        let is_will = read.is_some_and(|(_, is_will)| is_will);
        let arrival = Arrival { topic: publish.topic_name, qos, retain: publish.retain, message, is_will };
        io.tell(&Event::Delivered { client: self.id, arrival });
        Heard::Delivered
    }

    fn subscribed(&mut self, identifier: PacketIdentifier, refused: bool, io: &mut Io<'_>) -> Heard {
        match self.request.take() {
            Some(Request::Subscribe(asked, filters)) if asked == identifier => {
                if refused {
                    return self.nonsense("SUBACK", "with a refusal", io);
                }
                for filter in &filters {
                    io.tell(&Event::Suback { client: self.id, filter });
                }
                Heard::Granted(filters)
            }
            other => {
                self.request = other;
                self.nonsense("SUBACK", "for nothing", io)
            }
        }
    }

    fn unsubscribed(&mut self, identifier: PacketIdentifier, io: &mut Io<'_>) -> Heard {
        match self.request.take() {
            Some(Request::Unsubscribe(asked, filter)) if asked == identifier => {
                io.tell(&Event::Unsuback { client: self.id, filter: &filter });
                Heard::Unsubscribed(filter)
            }
            other => {
                self.request = other;
                self.nonsense("UNSUBACK", "for nothing", io)
            }
        }
    }

    fn nonsense(&self, what: &str, how: &str, io: &mut Io<'_>) -> Heard {
        let what = format!("{what} {how}");
        io.tell(&Event::Nonsense { client: self.id, what: &what });
        Heard::Nothing
    }
}
