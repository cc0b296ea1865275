//! The deciding core of a client: a state, packets in, bytes and events out.
//!
//! The owner calls [`Client::connected`] when a network connection is there, gives every frame to
//! [`Client::receive`], calls [`Client::timeout`] when [`Client::next_timeout`] has come, and
//! [`Client::lost`] when the network connection is gone. What is to be sent is appended to `out`,
//! whole packets at a time.
//!
//! The session outlives connections: what is in flight is sent again with DUP if the server kept
//! the session, and published anew if it did not.

mod event;
mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

pub use event::{Event, Failure, Message, PublishError, RequestError, Ticket};

use std::collections::VecDeque;

use hexmq_session::{AliasesIn, InFlight, Mono, Received};
use hexmq_wire::{
    Connect, ControlPacket, Disconnect, PacketIdentifier, PacketType, Properties, QoS, REMAINING_LENGTH_MAX,
    ReasonCode, SubscriptionsBuf, TopicFiltersBuf, Version, Will,
};

use crate::Options;
use outgoing::Outgoing;

/// An MQTT client without a socket.
/// [V4 MQTT-2.3.1-3, V5 U-4.1-9]
#[derive(Debug)]
pub struct Client {
    options: Options,
    state: State,
    server: Server,
    in_flight: InFlight<Outgoing>,
    received: Received,
    aliases: AliasesIn,
    /// SUBSCRIBE and UNSUBSCRIBE that wait for their answer.
    requests: Vec<(PacketIdentifier, PacketType)>,
    /// QoS 2 messages between PUBREC and PUBCOMP.
    releasing: Vec<(PacketIdentifier, Ticket)>,
    /// Messages that wait for a connection or for room in flight, in the order of publishing.
    queue: VecDeque<Outgoing>,
    /// What became of messages at the beginning of a connection, not yet told.
    untold: VecDeque<Event<'static>>,
    tickets: u64,
    /// New messages are left with the server.
    full: bool,
    /// When the last packet was written.
    last_sent: Mono,
    /// When the PINGREQ was written that has no answer yet.
    ping_sent: Option<Mono>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No network connection, or none worth speaking on.
    Closed,
    /// CONNECT was written.
    Connecting { since: Mono },
    /// CONNACK with success came.
    Connected,
}

/// What the CONNACK says the server can do.
#[derive(Clone, Copy, Debug)]
struct Server {
    keep_alive_s: u16,
    maximum_packet_size: u64,
    maximum_qos: QoS,
    retain_available: bool,
    topic_alias_maximum: u16,
}

impl Client {
    /// A client that has never been connected.
    pub fn new(options: Options) -> Client {
        let properties = options.properties.as_properties();
        let aliases = AliasesIn::new(properties.topic_alias_maximum().unwrap_or(0));
        Client {
            state: State::Closed,
            server: Server::unlimited(options.keep_alive_s),
            in_flight: InFlight::new(options.in_flight_max.max(1)),
            received: Received::new(),
            aliases,
            requests: Vec::new(),
            releasing: Vec::new(),
            queue: VecDeque::new(),
            untold: VecDeque::new(),
            tickets: 0,
            full: false,
            last_sent: Mono::default(),
            ping_sent: None,
            options,
        }
    }

    /// What the client connects with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether the server has accepted the connection and it is not ended.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Messages published and not done: waiting, or in flight.
    pub fn pending(&self) -> usize {
        self.queue.len() + self.in_flight.len()
    }

    /// Messages that wait for room in flight or for a connection.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// QoS 2 messages received and answered whose PUBREL has not come. A client that ends with
    /// some will get those messages again if its session is kept.
    pub fn unreleased(&self) -> usize {
        self.received.len()
    }

    /// Takes no more messages: from now on a PUBLISH is neither told nor acknowledged, so that a
    /// server that keeps the session sends it again to the next connection. Exchanges that have
    /// begun go on. For a client that is about to leave.
    pub fn take_no_more(&mut self) {
        self.full = true;
    }

    /// The largest packet the server may send, in bytes.
    /// [V5 U-3.1.2.11.4-4]
    pub fn maximum_packet_size(&self) -> u32 {
        let largest = REMAINING_LENGTH_MAX + 5;
        self.options.properties.as_properties().maximum_packet_size().unwrap_or(largest).min(largest)
    }

    /// A network connection is there: writes CONNECT, the first packet.
    /// [V4 MQTT-3.1.0-1, V5 MQTT-3.1.0-1]
    ///
    /// # Errors
    /// A string of the options is longer than 65,535 bytes.
    pub fn connected(&mut self, now: Mono, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.lost();
        let options = &self.options;
        self.aliases = AliasesIn::new(options.properties.as_properties().topic_alias_maximum().unwrap_or(0));
        self.server = Server::unlimited(options.keep_alive_s);
        let connect = Connect {
            version: options.version,
            clean_start: options.clean_start,
            keep_alive_s: options.keep_alive_s,
            client_identifier: &options.client_identifier,
            will: options.will.as_ref().map(|will| Will {
                topic: &will.topic,
                payload: &will.payload,
                qos: will.qos,
                retain: will.retain,
                properties: will.properties.as_properties(),
            }),
            user_name: options.user_name.as_deref(),
            password: options.password.as_deref(),
            properties: options.properties.as_properties(),
        };
        ControlPacket::Connect(connect).encode(options.version, out).map_err(Failure::Connect)?;
        self.state = State::Connecting { since: now };
        self.last_sent = now;
        Ok(())
    }

    /// The network connection is gone. Messages are kept for the next one; requests are not.
    pub fn lost(&mut self) {
        self.state = State::Closed;
        self.ping_sent = None;
        for (identifier, _) in self.requests.drain(..) {
            self.in_flight.release_identifier(identifier);
        }
    }

    /// Asks for subscriptions; the answer is [`Event::Subscribed`] with the same identifier.
    ///
    /// # Errors
    /// Nothing is sent then.
    pub fn subscribe(
        &mut self,
        subscriptions: &SubscriptionsBuf,
        properties: Properties<'_>,
        now: Mono,
        out: &mut Vec<u8>,
    ) -> Result<PacketIdentifier, RequestError> {
        self.request(PacketType::Subscribe, now, out, |packet_identifier| {
            ControlPacket::Subscribe(hexmq_wire::Subscribe {
                packet_identifier,
                properties,
                subscriptions: subscriptions.as_subscriptions(),
            })
        })
    }

    /// Ends subscriptions; the answer is [`Event::Unsubscribed`] with the same identifier.
    ///
    /// # Errors
    /// Nothing is sent then.
    pub fn unsubscribe(
        &mut self,
        topic_filters: &TopicFiltersBuf,
        properties: Properties<'_>,
        now: Mono,
        out: &mut Vec<u8>,
    ) -> Result<PacketIdentifier, RequestError> {
        self.request(PacketType::Unsubscribe, now, out, |packet_identifier| {
            ControlPacket::Unsubscribe(hexmq_wire::Unsubscribe {
                packet_identifier,
                properties,
                topic_filters: topic_filters.as_topic_filters(),
            })
        })
    }

    fn request<'a>(
        &mut self,
        packet_type: PacketType,
        now: Mono,
        out: &mut Vec<u8>,
        packet: impl FnOnce(PacketIdentifier) -> ControlPacket<'a>,
    ) -> Result<PacketIdentifier, RequestError> {
        if !self.is_connected() {
            return Err(RequestError::NotConnected);
        }
        let identifier = self.in_flight.allocate_identifier().ok_or(RequestError::NoIdentifier)?;
        let packet = packet(identifier);
        let version = self.options.version;
        let fits = packet.encoded_size(version) <= self.server.maximum_packet_size;
        if !fits || packet.encode(version, out).is_err() {
            self.in_flight.release_identifier(identifier);
            return Err(RequestError::PacketTooLarge);
        }
        self.last_sent = now;
        self.requests.push((identifier, packet_type));
        Ok(identifier)
    }

    /// Ends the conversation: writes DISCONNECT, after which nothing is written on this
    /// connection. [V4 MQTT-3.14.4-2, V5 MQTT-3.14.4-1]
    pub fn disconnect(&mut self, reason_code: ReasonCode, properties: Properties<'_>, out: &mut Vec<u8>) {
        if self.state != State::Closed {
            let disconnect = Disconnect { reason_code, properties };
            // Only a string that is too long can fail; then the reason must do without it.
            if ControlPacket::Disconnect(disconnect).encode(self.options.version, out).is_err() {
                let plain = ControlPacket::Disconnect(Disconnect::with_reason(reason_code));
                plain.encode(self.options.version, out).ok();
            }
        }
        self.lost();
    }

    /// When [`Client::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Mono> {
        match self.state {
            State::Closed => None,
            State::Connecting { since } => Some(since.plus_ms(self.options.connack_timeout_ms)),
            State::Connected if self.server.keep_alive_s == 0 => None,
            State::Connected => {
                let since = self.ping_sent.unwrap_or(self.last_sent);
                Some(since.plus_s(u64::from(self.server.keep_alive_s)))
            }
        }
    }

    /// Time has passed: writes PINGREQ when nothing was sent for the Keep Alive.
    /// [V4 MQTT-3.1.2-23, V5 MQTT-3.1.2-20]
    ///
    /// # Errors
    /// The server has been silent for too long; the connection is to be closed.
    /// [V5 U-3.1.2.10-3, V5 U-3.2-1]
    pub fn timeout(&mut self, now: Mono, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.next_timeout().is_none_or(|due| now < due) {
            return Ok(());
        }
        match self.state {
            State::Closed => Ok(()),
            State::Connecting { .. } => {
                // Before CONNACK there is no connection that a DISCONNECT could end.
                self.lost();
                Err(Failure::NoConnack)
            }
            State::Connected if self.ping_sent.is_some() => Err(self.fail(Failure::NoPingresp, out)),
            State::Connected => {
                ControlPacket::Pingreq.encode(self.options.version, out).ok();
                self.last_sent = now;
                self.ping_sent = Some(now);
                Ok(())
            }
        }
    }

    /// Ends the connection because of `failure`, with a DISCONNECT where the version has one for
    /// it. [V4 MQTT-4.8.0-1, V5 MQTT-4.13.2-1]
    /// [V5 U-4.13.1-4]
    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) -> Failure {
        if self.options.version == Version::V5 && self.state != State::Closed {
            let disconnect = ControlPacket::Disconnect(Disconnect::with_reason(failure.reason_code()));
            disconnect.encode(Version::V5, out).ok();
        }
        self.lost();
        failure
    }

    /// The network delivered what cannot be framed.
    /// [V5 U-3.1.2.11.4-4, V5 U-4.13.1-4]
    pub fn unframed(&mut self, error: hexmq_wire::FrameError, out: &mut Vec<u8>) -> Failure {
        self.fail(Failure::Unframed(error), out)
    }
}

impl Server {
    /// Before CONNACK, and where it says nothing.
    /// [V5 U-3.2.2.3.3-3, V5 U-3.2.2.3.4-3, V5 U-3.2.2.3.5-3, V5 U-3.2.2.3.6-3, V5 U-3.2.2.3.11-3]
    /// [V5 U-3.2.2.3.12-3, V5 U-3.2.2.3.13-3]
    fn unlimited(keep_alive_s: u16) -> Server {
        Server {
            keep_alive_s,
            maximum_packet_size: u64::from(REMAINING_LENGTH_MAX) + 5,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            topic_alias_maximum: u16::MAX,
        }
    }
}
