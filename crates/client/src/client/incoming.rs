//! Packets from the server.

use hexmq_session::{AckError, Mono};
use hexmq_wire::{
    Ack, Connack, ControlPacket, Delivery, Frame, Leniency, NoTrace, PacketIdentifier, PacketType,
    Properties, Publish, QoS, ReasonCode, Version, decode,
};

use super::{Client, Event, Failure, Server, State};

impl Client {
    /// One packet of the server: says what it means and writes the answer it demands.
    ///
    /// # Errors
    /// The connection is to be closed once `out` is sent.
    /// [V5 U-3.13.4-1]
    pub fn receive<'a>(
        &'a mut self,
        frame: Frame<'a>,
        now: Mono,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Failure> {
        let packet = decode(frame, self.options.version, &Leniency::default(), &mut NoTrace)
            .map_err(|fault| self.fail(Failure::Malformed(fault), out))?;
        if self.state != State::Closed && self.is_unwanted(&packet) {
            return Err(self.fail(Failure::ProblemInformation(packet.packet_type()), out));
        }
        match (self.state, packet) {
            (State::Connecting { .. }, ControlPacket::Connack(connack)) => self.connack(connack, now, out),
            (State::Connected, ControlPacket::Publish(publish)) => self.publish_received(publish, now, out),
            (State::Connected, ControlPacket::Puback(ack)) => self.puback(ack, now, out),
            (State::Connected, ControlPacket::Pubrec(ack)) => self.pubrec(ack, now, out),
            (State::Connected, ControlPacket::Pubrel(ack)) => {
                // Also for an identifier that is not known: the server waits for an answer.
                let known = self.received.remove(ack.packet_identifier);
                self.answer(ControlPacket::Pubcomp, ack.packet_identifier, known, now, out);
                Ok(Event::Nothing)
            }
            (State::Connected, ControlPacket::Pubcomp(ack)) => self.pubcomp(ack, now, out),
            (State::Connected, ControlPacket::Suback(suback)) => {
                self.answered(suback.packet_identifier, PacketType::Subscribe);
                Ok(Event::Subscribed(suback))
            }
            (State::Connected, ControlPacket::Unsuback(unsuback)) => {
                self.answered(unsuback.packet_identifier, PacketType::Unsubscribe);
                Ok(Event::Unsubscribed(unsuback))
            }
            (State::Connected, ControlPacket::Pingresp) => {
                self.ping_sent = None;
                Ok(Event::Nothing)
            }
            (State::Connected, ControlPacket::Disconnect(disconnect))
                if self.options.version == Version::V5 =>
            {
                self.lost();
                Ok(Event::Disconnected(disconnect))
            }
            (State::Connecting { .. } | State::Connected, ControlPacket::Auth(_)) => {
                Err(self.fail(Failure::Authentication, out))
            }
            // After DISCONNECT or a failure nothing is read any more.
            (State::Closed, _) => Ok(Event::Nothing),
            (_, packet) => Err(self.fail(Failure::Unexpected(packet.packet_type()), out)),
        }
    }

    /// What became of messages at the beginning of a connection: given up, or done because the
    /// server had taken them over. To be asked after [`Event::Connected`] until there is no more.
    pub fn take_untold(&mut self) -> Option<Event<'static>> {
        self.untold.pop_front()
    }

    /// [V4 MQTT-3.1.3-2, V5 U-3.2.2.3.3-3, V5 U-3.2.2.3.8-2, V5 U-3.2.2.3.4-3, V5 U-3.2.2.3.5-3]
    fn connack<'a>(
        &mut self,
        connack: Connack<'a>,
        now: Mono,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Failure> {
        if connack.reason_code != ReasonCode::Success {
            self.lost();
            return Ok(Event::Refused(connack));
        }
        if connack.session_present && self.options.clean_start {
            // A session that was to be dropped. [V5 MQTT-3.2.2-4]
            return Err(self.fail(Failure::Unexpected(PacketType::Connack), out));
        }
        let properties = connack.properties;
        let unlimited = Server::unlimited(self.options.keep_alive_s);
        self.server = Server {
            // [V5 MQTT-3.2.2-21]
            keep_alive_s: properties.server_keep_alive().unwrap_or(self.options.keep_alive_s),
            maximum_packet_size: properties
                .maximum_packet_size()
                .map_or(unlimited.maximum_packet_size, |size| {
                    unlimited.maximum_packet_size.min(u64::from(size))
                }),
            maximum_qos: properties.maximum_qos().and_then(QoS::from_bits).unwrap_or(QoS::ExactlyOnce),
            retain_available: properties.retain_available() != Some(0),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
        };
        if let Some(assigned) = properties.assigned_client_identifier() {
            // The next connection asks for the same session. [V5 MQTT-3.1.2-4]
            self.options.client_identifier = assigned.to_owned();
        }
        // [V5 MQTT-4.9.0-1]
        let receive_maximum = properties.receive_maximum().unwrap_or(u16::MAX);
        self.in_flight.set_window(receive_maximum.min(self.options.in_flight_max).max(1));
        self.state = State::Connected;
        self.last_sent = now;
        if connack.session_present {
            self.in_flight.rewind();
        } else {
            self.begin_session();
        }
        self.pump(now, out);
        Ok(Event::Connected(connack))
    }

    /// Acknowledgements leave in the order of arrival, since each is written at once.
    /// [V4 MQTT-4.5.0-2, V4 MQTT-4.6.0-2, V4 MQTT-4.6.0-3, V5 MQTT-4.5.0-2, V5 MQTT-4.6.0-2, V5 MQTT-4.6.0-3]
    /// [V5 U-3.3.4-7]
    fn publish_received<'a>(
        &'a mut self,
        mut publish: Publish<'a>,
        now: Mono,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Failure> {
        if self.full {
            return Ok(Event::Nothing);
        }
        if let Delivery::ExactlyOnce(identifier) = publish.delivery
            && !self.received.contains(identifier)
            && self.received.len() >= self.receive_maximum()
        {
            return Err(self.fail(Failure::ReceiveMaximumExceeded, out));
        }
        if let Some(alias) = publish.properties.topic_alias()
            && let Err(failure) = self.learn_alias(alias, publish.topic_name)
        {
            return Err(self.fail(failure, out));
        }
        match publish.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(identifier) => {
                self.answer(ControlPacket::Puback, identifier, true, now, out)
            }
            Delivery::ExactlyOnce(identifier) => {
                let is_new = self.received.insert(identifier);
                self.answer(ControlPacket::Pubrec, identifier, true, now, out);
                if !is_new {
                    return Ok(Event::Nothing);
                }
            }
        }
        if publish.topic_name.is_empty()
            && let Some(name) = publish.properties.topic_alias().and_then(|alias| self.aliases.get(alias))
        {
            publish.topic_name = name;
        }
        Ok(Event::Message(publish))
    }

    /// Whether the packet explains itself although the CONNECT said not to.
    fn is_unwanted(&self, packet: &ControlPacket<'_>) -> bool {
        if self.options.properties.as_properties().request_problem_information() != Some(0) {
            return false;
        }
        let properties = match packet {
            ControlPacket::Puback(ack)
            | ControlPacket::Pubrec(ack)
            | ControlPacket::Pubrel(ack)
            | ControlPacket::Pubcomp(ack) => ack.properties,
            ControlPacket::Suback(suback) => suback.properties,
            ControlPacket::Unsuback(unsuback) => unsuback.properties,
            ControlPacket::Auth(auth) => auth.properties,
            // There it is allowed all the same.
            _ => return false,
        };
        properties.reason_string().is_some() || properties.user_properties().next().is_some()
    }

    fn receive_maximum(&self) -> usize {
        self.options.properties.as_properties().receive_maximum().unwrap_or(u16::MAX).into()
    }

    /// Sets the alias, or sees to it that it is set. [V5 MQTT-3.3.2-10]
    fn learn_alias(&mut self, alias: u16, topic_name: &str) -> Result<(), Failure> {
        let known = if topic_name.is_empty() {
            self.aliases.get(alias).is_some()
        } else {
            self.aliases.set(alias, topic_name).is_ok()
        };
        if known { Ok(()) } else { Err(Failure::TopicAlias(alias)) }
    }

    fn puback<'a>(&mut self, ack: Ack<'a>, now: Mono, out: &mut Vec<u8>) -> Result<Event<'a>, Failure> {
        match self.in_flight.puback(ack.packet_identifier) {
            Ok(message) => {
                self.pump(now, out);
                Ok(Event::Published {
                    ticket: message.ticket,
                    reason_code: ack.reason_code,
                    properties: ack.properties,
                })
            }
            Err(error) => self.stray(error, ack.packet_identifier, out),
        }
    }

    /// PUBREL leaves at once, so in the order of the PUBRECs. [V4 MQTT-4.6.0-4, V5 MQTT-4.6.0-4]
    fn pubrec<'a>(&mut self, ack: Ack<'a>, now: Mono, out: &mut Vec<u8>) -> Result<Event<'a>, Failure> {
        let accepted = !ack.reason_code.is_error();
        match self.in_flight.pubrec(ack.packet_identifier, accepted) {
            Ok(message) if accepted => {
                if let Some(message) = message {
                    self.releasing.push((ack.packet_identifier, message.ticket));
                }
                self.answer(ControlPacket::Pubrel, ack.packet_identifier, true, now, out);
                Ok(Event::Nothing)
            }
            Ok(message) => {
                self.pump(now, out);
                Ok(message.map_or(Event::Nothing, |message| Event::Published {
                    ticket: message.ticket,
                    reason_code: ack.reason_code,
                    properties: ack.properties,
                }))
            }
            Err(AckError::Unknown) if accepted => {
                // The server remembers what this process does not: let it finish.
                self.answer(ControlPacket::Pubrel, ack.packet_identifier, false, now, out);
                Ok(Event::Nothing)
            }
            Err(error) => self.stray(error, ack.packet_identifier, out),
        }
    }

    fn pubcomp<'a>(&mut self, ack: Ack<'a>, now: Mono, out: &mut Vec<u8>) -> Result<Event<'a>, Failure> {
        match self.in_flight.pubcomp(ack.packet_identifier) {
            Ok(()) => {
                self.pump(now, out);
                let place =
                    self.releasing.iter().position(|(identifier, _)| *identifier == ack.packet_identifier);
                Ok(place.map_or(Event::Nothing, |place| Event::Published {
                    ticket: self.releasing.swap_remove(place).1,
                    // PUBCOMP can only say that the identifier is unknown: delivered all the same.
                    reason_code: ReasonCode::Success,
                    properties: ack.properties,
                }))
            }
            Err(error) => self.stray(error, ack.packet_identifier, out),
        }
    }

    /// An acknowledgement of something that is not in flight is survived: it may answer what an
    /// older process sent. One that contradicts what is in flight is not.
    fn stray<'a>(
        &mut self,
        error: AckError,
        identifier: PacketIdentifier,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Failure> {
        match error {
            AckError::Unknown => Ok(Event::Nothing),
            AckError::WrongQoS | AckError::OutOfTurn => Err(self.fail(Failure::Identifier(identifier), out)),
        }
    }

    fn answered(&mut self, identifier: PacketIdentifier, packet_type: PacketType) {
        let waiting = self.requests.len();
        self.requests.retain(|request| *request != (identifier, packet_type));
        if self.requests.len() < waiting {
            self.in_flight.release_identifier(identifier);
        }
    }

    /// Writes an acknowledgement; in 5.0 it says so if the identifier is not known.
    fn answer(
        &mut self,
        packet: impl FnOnce(Ack<'static>) -> ControlPacket<'static>,
        identifier: PacketIdentifier,
        known: bool,
        now: Mono,
        out: &mut Vec<u8>,
    ) {
        let reason_code = if known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        let ack = Ack { packet_identifier: identifier, reason_code, properties: Properties::EMPTY };
        // Four bytes always fit.
        packet(ack).encode(self.options.version, out).ok();
        self.last_sent = now;
    }
}
