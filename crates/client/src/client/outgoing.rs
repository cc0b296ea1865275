//! Publishing: from the application to the wire, and again after a reconnection.

use std::collections::VecDeque;

use hexmq_session::{InFlight, Mono, Resend};
use hexmq_topic::TopicName;
use hexmq_wire::{
    ControlPacket, Delivery, PacketIdentifier, Properties, PropertiesBuf, Publish, QoS, ReasonCode,
};

use super::{Client, Event, Message, PublishError, Server, State, Ticket};
use crate::Options;

/// A message that is kept: it waits, or it is in flight.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) ticket: Ticket,
    topic_name: Box<str>,
    payload: Box<[u8]>,
    qos: QoS,
    retain: bool,
    properties: PropertiesBuf,
}

impl Client {
    /// Publishes a message: sends it now, or keeps it until there is room in flight or a
    /// connection. A message of QoS 0 is done with that; others are done at
    /// [`Event::Published`].
    ///
    /// # Errors
    /// The message is not taken.
    pub fn publish(
        &mut self,
        message: Message<'_>,
        now: Mono,
        out: &mut Vec<u8>,
    ) -> Result<Ticket, PublishError> {
        TopicName::parse(message.topic_name).map_err(|_| PublishError::TopicName)?;
        if self.is_connected() {
            // Without a connection its limits are not known yet: the message waits and is judged
            // when it is sent.
            self.server.accepts(&message, &self.options)?;
        }
        let ticket = Ticket(self.tickets);
        let must_wait = !self.is_connected()
            || !self.queue.is_empty()
            || (message.qos != QoS::AtMostOnce && !self.in_flight.has_room());
        if must_wait {
            if self.queue.len() >= self.options.queue_messages_max {
                return Err(PublishError::QueueFull);
            }
            self.queue.push_back(Outgoing::new(ticket, message));
        } else if message.qos == QoS::AtMostOnce {
            self.write(&message, Delivery::AtMostOnce, false, now, out);
        } else if let Some(identifier) = self.in_flight.begin(message.qos, Outgoing::new(ticket, message)) {
            self.write(&message, delivery(message.qos, identifier), false, now, out);
        }
        self.tickets += 1;
        Ok(ticket)
    }

    /// Sends what may be sent now: first what was in flight on an older connection, then what
    /// waits. [V4 MQTT-4.6.0-1, V5 MQTT-4.6.0-1]
    pub(super) fn pump(&mut self, now: Mono, out: &mut Vec<u8>) {
        if self.state != State::Connected {
            return;
        }
        let version = self.options.version;
        while let Some(resend) = self.in_flight.next_resend() {
            let packet = match resend {
                Resend::Publish { identifier, qos, message } => {
                    ControlPacket::Publish(message.message().packet(delivery(qos, identifier), true))
                }
                Resend::Pubrel { identifier } => ControlPacket::Pubrel(hexmq_wire::Ack::success(identifier)),
            };
            // It was sent before, so it can be encoded.
            packet.encode(version, out).ok();
            self.last_sent = now;
        }
        while let Some(first) = self.queue.front() {
            if first.qos != QoS::AtMostOnce && !self.in_flight.has_room() {
                return;
            }
            let Some(first) = self.queue.pop_front() else { return };
            self.send_waiting(first, now, out);
        }
    }

    fn send_waiting(&mut self, waiting: Outgoing, now: Mono, out: &mut Vec<u8>) {
        if let Err(error) = self.server.accepts(&waiting.message(), &self.options) {
            self.untold.push_back(Event::GivenUp { ticket: waiting.ticket, error });
            return;
        }
        if waiting.qos == QoS::AtMostOnce {
            self.write(&waiting.message(), Delivery::AtMostOnce, false, now, out);
            return;
        }
        let qos = waiting.qos;
        let Some(identifier) = self.in_flight.begin(qos, waiting) else { return };
        if let Some(message) = self.in_flight.get(identifier) {
            let packet = message.message().packet(delivery(qos, identifier), false);
            ControlPacket::Publish(packet).encode(self.options.version, out).ok();
            self.last_sent = now;
        }
    }

    fn write(&mut self, message: &Message<'_>, delivery: Delivery, dup: bool, now: Mono, out: &mut Vec<u8>) {
        // `Server::accepts` has looked at the size, so it can be encoded.
        ControlPacket::Publish(message.packet(delivery, dup)).encode(self.options.version, out).ok();
        self.last_sent = now;
    }

    /// The server has no session: what was in flight is published anew, before what waits. A
    /// message between PUBREC and PUBCOMP was taken over by the server and is done.
    /// [V5 MQTT-3.2.2-5]
    pub(super) fn begin_session(&mut self) {
        let window = self.in_flight.window();
        let old = std::mem::replace(&mut self.in_flight, InFlight::new(window));
        let mut anew: VecDeque<Outgoing> = old.drain().filter_map(|(_, _, message)| message).collect();
        anew.append(&mut self.queue);
        self.queue = anew;
        self.received.clear();
        for (_, ticket) in self.releasing.drain(..) {
            let properties = Properties::EMPTY;
            self.untold.push_back(Event::Published { ticket, reason_code: ReasonCode::Success, properties });
        }
    }
}

impl Outgoing {
    fn new(ticket: Ticket, message: Message<'_>) -> Outgoing {
        Outgoing {
            ticket,
            topic_name: message.topic_name.into(),
            payload: message.payload.into(),
            qos: message.qos,
            retain: message.retain,
            properties: {
                let mut properties = PropertiesBuf::new();
                for property in message.properties.iter() {
                    // It was in a buffer of the same kind, so it fits again.
                    properties.push(property).ok();
                }
                properties
            },
        }
    }

    fn message(&self) -> Message<'_> {
        Message {
            topic_name: &self.topic_name,
            payload: &self.payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.as_properties(),
        }
    }
}

impl<'a> Message<'a> {
    fn packet(&self, delivery: Delivery, dup: bool) -> Publish<'a> {
        Publish {
            dup,
            delivery,
            retain: self.retain,
            topic_name: self.topic_name,
            properties: self.properties,
            payload: self.payload,
        }
    }
}

impl Server {
    /// Whether the server takes this message.
    /// [V5 MQTT-3.2.2-11, V5 MQTT-3.2.2-14, V5 MQTT-3.2.2-15, V5 MQTT-3.2.2-17, V5 MQTT-3.3.4-6]
    fn accepts(&self, message: &Message<'_>, options: &Options) -> Result<(), PublishError> {
        if message.qos > self.maximum_qos {
            return Err(PublishError::QoSNotSupported { maximum: self.maximum_qos });
        }
        if message.retain && !self.retain_available {
            return Err(PublishError::RetainNotSupported);
        }
        // [V5 MQTT-3.2.2-17, V5 MQTT-3.2.2-18, V5 MQTT-3.3.2-9]
        let maximum = self.topic_alias_maximum;
        if message.properties.topic_alias().is_some_and(|alias| alias == 0 || alias > maximum) {
            return Err(PublishError::TopicAliasInvalid { maximum });
        }
        if message.properties.subscription_identifiers().next().is_some() {
            return Err(PublishError::SubscriptionIdentifier);
        }
        // Any identifier has the same size.
        let packet = message.packet(delivery(message.qos, PacketIdentifier::MIN), false);
        let size = ControlPacket::Publish(packet).encoded_size(options.version);
        if size > self.maximum_packet_size {
            return Err(PublishError::PacketTooLarge { size, maximum: self.maximum_packet_size });
        }
        Ok(())
    }
}

const fn delivery(qos: QoS, identifier: PacketIdentifier) -> Delivery {
    match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(identifier),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(identifier),
    }
}
