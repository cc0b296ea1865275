//! A client that does everything as the standard says: it keeps its half of the session over every crash of
//! the server, sends again what was not acknowledged, with the same identifiers and in the same order, and takes
//! a QoS 2 message once.

mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use hexmq_wire::{
    Connect, ControlPacket, Disconnect, PacketIdentifier, Properties, PropertiesBuf, Property, QoS,
    ReasonCode, Subscribe, SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf, Unsubscribe, Version,
    Will,
};

use crate::checker::Checker;
use crate::history::{ClientId, Event, Keeps, MessageId, WillTerms};
use crate::payload::payload;
use outgoing::Outgoing;

/// Session Expiry Interval that never ends.
const FOREVER_S: u32 = u32::MAX;

/// Where a device's bytes and news go.
pub(crate) struct Io<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) checker: &'a mut Checker,
    pub(crate) now_ms: u64,
}

impl Io<'_> {
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        self.checker.tell(self.now_ms, event);
    }
}

/// What a packet of the server means to whoever leads the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Connected {
        session_present: bool,
    },
    /// CONNACK or DISCONNECT: the server does not want us.
    SentAway(ReasonCode),
    Granted(Vec<String>),
    Unsubscribed(String),
    /// QoS 1 or 2: the server has answered for the message, or refused it.
    Acknowledged(MessageId),
    Refused(MessageId, ReasonCode),
    Delivered,
    Alive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Connecting,
    Connected,
}

/// SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
#[derive(Clone, Debug)]
enum Request {
    Subscribe(PacketIdentifier, Vec<String>),
    Unsubscribe(PacketIdentifier, String),
}

/// A Will that goes with a CONNECT.
#[derive(Clone, Debug)]
pub(crate) struct WillOffer {
    pub(crate) terms: WillTerms,
    pub(crate) topic: String,
    pub(crate) qos: QoS,
}

/// The client.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: ClientId,
    pub(crate) name: String,
    pub(crate) version: Version,
    /// How long the server is asked to keep the session.
    pub(crate) keeps: Keeps,
    /// 5.0: what it allows on the way to it at once; 0: as the server likes.
    pub(crate) receive_maximum: u16,
    /// Acknowledgements wait up to so many milliseconds.
    pub(crate) slowness_ms: u64,
    state: State,
    identifier: u16,
    in_flight: VecDeque<Outgoing>,
    /// QoS 2 messages between PUBLISH and PUBREL.
    incoming: BTreeMap<PacketIdentifier, Option<MessageId>>,
    request: Option<Request>,
    /// Acknowledgements that were held back, in their order.
    held: Vec<ControlPacket<'static>>,
    held_since_ms: u64,
}

impl Device {
    pub(crate) fn new(id: ClientId, name: &str, version: Version, keeps: Keeps) -> Device {
        Device {
            id,
            name: name.to_owned(),
            version,
            keeps,
            receive_maximum: 0,
            slowness_ms: 0,
            state: State::Closed,
            identifier: 0,
            in_flight: VecDeque::new(),
            incoming: BTreeMap::new(),
            request: None,
            held: Vec::new(),
            held_since_ms: 0,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Messages the server has not answered to the end.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether a SUBSCRIBE or UNSUBSCRIBE waits for its answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.request.is_some()
    }

    /// Writes CONNECT. A 3.x client with `clean_start` asks for a session that ends with the connection.
    pub(crate) fn connect(&mut self, clean_start: bool, will: Option<&WillOffer>, io: &mut Io<'_>) {
        let keeps = match self.version {
            Version::V5 => self.keeps,
            _ if clean_start => Keeps::Nothing,
            _ => Keeps::Forever,
        };
        let mut properties = PropertiesBuf::new();
        let mut will_properties = PropertiesBuf::new();
        if self.version == Version::V5 {
            let expiry_s = match keeps {
                Keeps::Nothing => 0,
                Keeps::ForMs(ms) => u32::try_from(ms / 1000).unwrap_or(FOREVER_S),
                Keeps::Forever => FOREVER_S,
            };
            let _ = properties.push(Property::SessionExpiryInterval(expiry_s));
            if self.receive_maximum > 0 {
                let _ = properties.push(Property::ReceiveMaximum(self.receive_maximum));
            }
            let delay_s = will.map_or(0, |will| will.terms.delay_ms / 1000);
            let delay_s = u32::try_from(delay_s).unwrap_or(FOREVER_S);
            let _ = will_properties.push(Property::WillDelayInterval(delay_s));
        }
        let number = will.map(|will| MessageId { publisher: self.id, number: will.terms.number });
        let will_payload = number.map(|message| payload(message, true)).unwrap_or_default();
        let connect = Connect {
            version: self.version,
            clean_start,
            keep_alive_s: 0,
            client_identifier: &self.name,
            will: will.map(|will| Will {
                topic: &will.topic,
                payload: &will_payload,
                qos: will.qos,
                retain: false,
                properties: will_properties.as_properties(),
            }),
            user_name: None,
            password: None,
            properties: properties.as_properties(),
        };
        self.write(&ControlPacket::Connect(connect), io);
        self.state = State::Connecting;
        let will = will.map(|will| will.terms);
        io.tell(&Event::ConnectSent { client: self.id, clean_start, keeps, will });
    }

    /// Writes SUBSCRIBE for filters with their QoS.
    pub(crate) fn subscribe(&mut self, filters: &[(String, QoS)], io: &mut Io<'_>) {
        let mut subscriptions = SubscriptionsBuf::new();
        for (filter, qos) in filters {
            let _ = subscriptions.push(filter, SubscriptionOptions::with_qos(*qos), self.version);
        }
        let packet_identifier = self.next_identifier();
        self.write(
            &ControlPacket::Subscribe(Subscribe {
                packet_identifier,
                properties: Properties::EMPTY,
                subscriptions: subscriptions.as_subscriptions(),
            }),
            io,
        );
        for (filter, qos) in filters {
            io.tell(&Event::SubscribeSent { client: self.id, filter, qos: *qos });
        }
        let filters = filters.iter().map(|(filter, _)| filter.clone()).collect();
        self.request = Some(Request::Subscribe(packet_identifier, filters));
    }

    /// Writes UNSUBSCRIBE.
    pub(crate) fn unsubscribe(&mut self, filter: &str, io: &mut Io<'_>) {
        let mut filters = TopicFiltersBuf::new();
        let _ = filters.push(filter);
        let packet_identifier = self.next_identifier();
        self.write(
            &ControlPacket::Unsubscribe(Unsubscribe {
                packet_identifier,
                properties: Properties::EMPTY,
                topic_filters: filters.as_topic_filters(),
            }),
            io,
        );
        io.tell(&Event::UnsubscribeSent { client: self.id, filter });
        self.request = Some(Request::Unsubscribe(packet_identifier, filter.to_owned()));
    }

    /// Writes DISCONNECT; with `ends_session` (5.0 only) the session is to end at once.
    pub(crate) fn disconnect(&mut self, ends_session: bool, io: &mut Io<'_>) {
        let mut properties = PropertiesBuf::new();
        if ends_session {
            let _ = properties.push(Property::SessionExpiryInterval(0));
        }
        let reason_code = ReasonCode::Success;
        let disconnect = Disconnect { reason_code, properties: properties.as_properties() };
        self.write(&ControlPacket::Disconnect(disconnect), io);
        io.tell(&Event::DisconnectSent { client: self.id, ends_session });
        self.lost();
    }

    /// The connection is gone. What was held back is forgotten with it, the session is not.
    pub(crate) fn lost(&mut self) {
        self.state = State::Closed;
        self.request = None;
        self.held.clear();
    }

    /// Writes what was held back, if it is time.
    pub(crate) fn tick(&mut self, io: &mut Io<'_>) {
        if !self.held.is_empty() && io.now_ms >= self.held_since_ms + self.slowness_ms {
            for packet in std::mem::take(&mut self.held) {
                self.write(&packet, io);
            }
        }
    }

    /// Writes an acknowledgement, now or later; their order is kept.
    fn acknowledge(&mut self, packet: ControlPacket<'static>, io: &mut Io<'_>) {
        if self.slowness_ms == 0 {
            return self.write(&packet, io);
        }
        if self.held.is_empty() {
            self.held_since_ms = io.now_ms;
        }
        self.held.push(packet);
    }

    fn write(&self, packet: &ControlPacket<'_>, io: &mut Io<'_>) {
        // All strings are short, so it can be encoded.
        let encoded = packet.encode(self.version, io.out);
        debug_assert!(encoded.is_ok(), "{packet:?}");
    }

    fn next_identifier(&mut self) -> PacketIdentifier {
        loop {
            self.identifier = self.identifier.wrapping_add(1);
            let Some(identifier) = PacketIdentifier::new(self.identifier) else { continue };
            let is_requested = match &self.request {
                Some(Request::Subscribe(used, _) | Request::Unsubscribe(used, _)) => *used == identifier,
                None => false,
            };
            if !is_requested && self.in_flight.iter().all(|outgoing| outgoing.identifier != identifier) {
                return identifier;
            }
        }
    }
}
