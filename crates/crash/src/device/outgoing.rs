//! Messages of the device and how far they are.

use hexmq_wire::{Ack, ControlPacket, Delivery, PacketIdentifier, Properties, Publish, QoS};

use super::{Device, Heard, Io};
use crate::history::{Event, Keeps, MessageId};
use crate::payload::payload;

/// A message in flight.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) identifier: PacketIdentifier,
    message: MessageId,
    topic: String,
    qos: QoS,
    retain: bool,
    /// An empty payload: the retained message is cleared.
    clears: bool,
    /// PUBREC has come: PUBREL is what is sent again.
    is_released: bool,
}

impl Device {
    /// Publishes a message for the first time.
    pub(crate) fn publish(
        &mut self,
        message: MessageId,
        topic: &str,
        qos: QoS,
        (retain, clears): (bool, bool),
        io: &mut Io<'_>,
    ) {
        let identifier = self.next_identifier();
        let topic = topic.to_owned();
        let outgoing = Outgoing { identifier, message, topic, qos, retain, clears, is_released: false };
        self.write_publish(&outgoing, false, io);
        io.tell(&Event::PublishSent { message, topic: &outgoing.topic, qos, retain, clears });
        if qos != QoS::AtMostOnce {
            self.in_flight.push_back(outgoing);
        }
    }

    fn write_publish(&self, outgoing: &Outgoing, dup: bool, io: &mut Io<'_>) {
        let payload = if outgoing.clears { Vec::new() } else { payload(outgoing.message, false) };
        let delivery = match outgoing.qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(outgoing.identifier),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(outgoing.identifier),
        };
        let publish = Publish {
            dup,
            delivery,
            retain: outgoing.retain,
            topic_name: &outgoing.topic,
            properties: Properties::EMPTY,
            payload: &payload,
        };
        self.write(&ControlPacket::Publish(publish), io);
    }

    /// The server has the session: what it has not answered goes again, as it was and in its order.
    pub(super) fn send_again(&mut self, io: &mut Io<'_>) {
        for outgoing in &self.in_flight {
            if outgoing.is_released {
                self.write(&ControlPacket::Pubrel(Ack::success(outgoing.identifier)), io);
            } else {
                self.write_publish(outgoing, true, io);
            }
        }
    }

    /// The server has no session. A client that wanted none forgets; another publishes anew.
    pub(super) fn begin_session(&mut self, io: &mut Io<'_>) {
        self.incoming.clear();
        self.in_flight.retain(|outgoing| !outgoing.is_released);
        if self.keeps == Keeps::Nothing {
            self.in_flight.clear();
        }
        for outgoing in &self.in_flight {
            io.tell(&Event::PublishedAnew { message: outgoing.message });
            self.write_publish(outgoing, false, io);
        }
    }

    /// PUBACK, PUBREC or PUBCOMP.
    pub(super) fn answered(&mut self, packet: &ControlPacket<'_>, io: &mut Io<'_>) -> Heard {
        let (ack, qos, completes) = match packet {
            ControlPacket::Puback(ack) => (ack, QoS::AtLeastOnce, false),
            ControlPacket::Pubrec(ack) => (ack, QoS::ExactlyOnce, false),
            ControlPacket::Pubcomp(ack) => (ack, QoS::ExactlyOnce, true),
            _ => return Heard::Nothing,
        };
        let identifier = ack.packet_identifier;
        let found = self.in_flight.iter().position(|outgoing| {
            outgoing.identifier == identifier && outgoing.qos == qos && outgoing.is_released == completes
        });
        let Some(place) = found else {
            let what = format!("{} {} for nothing", packet.packet_type().name(), identifier.get());
            io.tell(&Event::Nonsense { client: self.id, what: &what });
            return Heard::Nothing;
        };
        if completes {
            self.in_flight.remove(place);
            return Heard::Nothing;
        }
        let Some(outgoing) = self.in_flight.get_mut(place) else { return Heard::Nothing };
        let message = outgoing.message;
        if ack.reason_code.is_error() {
            self.in_flight.remove(place);
            io.tell(&Event::Refused { message });
            return Heard::Refused(message, ack.reason_code);
        }
        io.tell(&Event::Acknowledged { message });
        if qos == QoS::ExactlyOnce {
            outgoing.is_released = true;
            self.write(&ControlPacket::Pubrel(Ack::success(identifier)), io);
        } else {
            self.in_flight.remove(place);
        }
        Heard::Acknowledged(message)
    }
}
