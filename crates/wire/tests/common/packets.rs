//! Arbitrary packets: ingredients that proptest can shrink, and what is cooked from them.

use std::num::NonZeroU16;

use hexmq_wire::{
    Ack, Auth, Connack, Connect, ControlPacket, Delivery, Disconnect, PacketIdentifier, PacketType, Place,
    Properties, PropertiesBuf, Property, PropertyId, PropertyType, Publish, QoS, ReasonCode, Suback,
    Subscribe, SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf, Unsuback, Unsubscribe, Version, Will,
    property_rows,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// One property to be: which row, and values of every type.
#[derive(Clone, Debug)]
pub struct PropertySeed {
    row: usize,
    number: u32,
    name: String,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Ingredients {
    pub version: Version,
    packet_type: usize,
    identifier: NonZeroU16,
    flags: u8,
    number: u16,
    code: usize,
    topic: String,
    texts: [String; 2],
    bytes: Vec<u8>,
    properties: Vec<PropertySeed>,
    will_properties: Vec<PropertySeed>,
    filters: Vec<(String, u8)>,
    codes: Vec<usize>,
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 /+#ä漢😀\u{feff}]{0,12}"
}

fn seed() -> impl Strategy<Value = PropertySeed> {
    (0..27usize, any::<u32>(), text(), vec(any::<u8>(), 0..12))
        .prop_map(|(row, number, name, bytes)| PropertySeed { row, number, name, bytes })
}

pub fn ingredients() -> impl Strategy<Value = Ingredients> {
    let head = (0..3usize, 0..15usize, 1..=u16::MAX, any::<u8>(), any::<u16>(), any::<usize>());
    let body = ("[a-zä/$]{1,12}", [text(), text()], vec(any::<u8>(), 0..200));
    let lists =
        (vec(seed(), 0..8), vec(seed(), 0..4), vec((text(), any::<u8>()), 1..5), vec(any::<usize>(), 1..5));
    (head, body, lists).prop_map(|(head, body, lists)| Ingredients {
        version: super::VERSIONS[head.0],
        packet_type: head.1,
        identifier: NonZeroU16::new(head.2).unwrap(),
        flags: head.3,
        number: head.4,
        code: head.5,
        topic: body.0,
        texts: body.1,
        bytes: body.2,
        properties: lists.0,
        will_properties: lists.1,
        filters: lists.2,
        codes: lists.3,
    })
}

/// A legal value for the property.
fn property(id: PropertyId, seed: &PropertySeed) -> Property<'_> {
    let row = id.row();
    match row.ty {
        PropertyType::Byte => Property::from_number(id, seed.number & 1),
        PropertyType::TwoByteInteger => Property::from_number(id, (seed.number & 0xFFFF).max(1)),
        PropertyType::FourByteInteger => Property::from_number(id, seed.number.max(1)),
        PropertyType::VariableByteInteger => Property::from_number(id, (seed.number >> 4).max(1)),
        PropertyType::Utf8String if id == PropertyId::ResponseTopic => Some(Property::ResponseTopic("a/b")),
        PropertyType::Utf8String => Property::from_bytes(id, seed.name.as_bytes()),
        PropertyType::BinaryData => Property::from_bytes(id, &seed.bytes),
        PropertyType::Utf8StringPair => Some(Property::UserProperty(&seed.name, "value")),
    }
    .unwrap()
}

/// The properties that are legal in this place, in the order of their seeds.
fn properties(seeds: &[PropertySeed], place: Place, version: Version) -> PropertiesBuf {
    let mut buf = PropertiesBuf::new();
    if version != Version::V5 {
        return buf;
    }
    for seed in seeds {
        let row = &property_rows()[seed.row];
        let seen = buf.as_properties().iter().any(|property| property.id() == row.id);
        if row.allowed.contains(place) && (!seen || row.repeat.allows_many(place)) {
            buf.push(property(row.id, seed)).unwrap();
        }
    }
    let made = buf.as_properties();
    let data_alone = made.authentication_data().is_some() && made.authentication_method().is_none();
    let in_auth = place == Place::Packet(PacketType::Auth) && made.authentication_method().is_none();
    if data_alone || in_auth {
        buf.push(Property::AuthenticationMethod("SCRAM")).unwrap();
    }
    buf
}

impl Ingredients {
    fn bit(&self, bit: u8) -> bool {
        self.flags >> bit & 1 != 0
    }

    fn qos(&self) -> QoS {
        QoS::from_bits(self.flags % 3).unwrap()
    }

    /// The same for another packet.
    pub fn with_type(mut self, packet_type: PacketType) -> Ingredients {
        self.packet_type = packet_type as usize - 1;
        self
    }

    fn packet_type(&self) -> PacketType {
        let packet_type = PacketType::ALL[self.packet_type];
        if packet_type.exists_in(self.version) { packet_type } else { PacketType::Publish }
    }

    fn reason(&self, choice: usize, packet_type: PacketType) -> ReasonCode {
        let codes: Vec<ReasonCode> = ReasonCode::ALL
            .iter()
            .copied()
            .filter(|code| match (self.version, packet_type) {
                (Version::V5, _) => code.allowed_in(packet_type),
                (_, PacketType::Connack) => {
                    code.return_code().and_then(ReasonCode::from_return_code) == Some(*code)
                }
                (_, PacketType::Suback) => matches!(code.as_u8(), 0 | 1 | 2 | 0x80),
                _ => *code == ReasonCode::Success,
            })
            .collect();
        // CONNECT and others have no code; theirs is not used.
        codes.get(choice % codes.len().max(1)).copied().unwrap_or(ReasonCode::Success)
    }

    fn codes(&self, packet_type: PacketType) -> Vec<u8> {
        self.codes.iter().map(|&code| self.reason(code, packet_type).as_u8()).collect()
    }

    /// Makes the packet and hands it to `eat`.
    pub fn cook<R>(&self, eat: impl FnOnce(ControlPacket<'_>) -> R) -> R {
        let version = self.version;
        let packet_type = self.packet_type();
        let buf = properties(&self.properties, Place::Packet(packet_type), version);
        let properties = buf.as_properties();
        let packet_identifier: PacketIdentifier = self.identifier;
        let reason_code = self.reason(self.code, packet_type);
        let ack = Ack { packet_identifier, reason_code, properties };
        match packet_type {
            PacketType::Connect => self.connect(properties, eat),
            PacketType::Connack => {
                let session_present =
                    self.bit(0) && version != Version::V3 && reason_code == ReasonCode::Success;
                eat(ControlPacket::Connack(Connack { session_present, reason_code, properties }))
            }
            PacketType::Publish => eat(ControlPacket::Publish(self.publish(properties))),
            PacketType::Puback => eat(ControlPacket::Puback(ack)),
            PacketType::Pubrec => eat(ControlPacket::Pubrec(ack)),
            PacketType::Pubrel => eat(ControlPacket::Pubrel(ack)),
            PacketType::Pubcomp => eat(ControlPacket::Pubcomp(ack)),
            PacketType::Subscribe => {
                let mut subscriptions = SubscriptionsBuf::new();
                for (filter, options) in &self.filters {
                    let options = SubscriptionOptions::from_byte(options & 0b0001_1001).unwrap();
                    subscriptions.push(filter, options, version).unwrap();
                }
                let subscriptions = subscriptions.as_subscriptions();
                eat(ControlPacket::Subscribe(Subscribe { packet_identifier, properties, subscriptions }))
            }
            PacketType::Suback => {
                let reason_codes = &self.codes(packet_type);
                eat(ControlPacket::Suback(Suback { packet_identifier, properties, reason_codes }))
            }
            PacketType::Unsubscribe => {
                let mut filters = TopicFiltersBuf::new();
                for (filter, _) in &self.filters {
                    filters.push(filter).unwrap();
                }
                let topic_filters = filters.as_topic_filters();
                eat(ControlPacket::Unsubscribe(Unsubscribe { packet_identifier, properties, topic_filters }))
            }
            PacketType::Unsuback => {
                let codes = if version == Version::V5 { self.codes(packet_type) } else { Vec::new() };
                eat(ControlPacket::Unsuback(Unsuback { packet_identifier, properties, reason_codes: &codes }))
            }
            PacketType::Pingreq => eat(ControlPacket::Pingreq),
            PacketType::Pingresp => eat(ControlPacket::Pingresp),
            PacketType::Disconnect => eat(ControlPacket::Disconnect(Disconnect { reason_code, properties })),
            PacketType::Auth => eat(ControlPacket::Auth(Auth { reason_code, properties })),
        }
    }

    fn publish<'a>(&'a self, properties: Properties<'a>) -> Publish<'a> {
        let delivery = match self.qos() {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(self.identifier),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(self.identifier),
        };
        let aliased = properties.topic_alias().is_some() && self.bit(4);
        Publish {
            dup: self.bit(5) && self.qos() != QoS::AtMostOnce,
            delivery,
            retain: self.bit(6),
            topic_name: if aliased { "" } else { &self.topic },
            properties,
            payload: &self.bytes,
        }
    }

    fn connect<R>(&self, connect_properties: Properties<'_>, eat: impl FnOnce(ControlPacket<'_>) -> R) -> R {
        let buf = properties(&self.will_properties, Place::Will, self.version);
        let will = self.bit(2).then(|| Will {
            topic: &self.topic,
            payload: &self.bytes,
            qos: self.qos(),
            retain: self.bit(3),
            properties: buf.as_properties(),
        });
        let user_name = self.bit(4).then_some(self.texts[1].as_str());
        let may_have_password = user_name.is_some() || self.version == Version::V5;
        eat(ControlPacket::Connect(Connect {
            version: self.version,
            clean_start: self.bit(0),
            keep_alive_s: self.number,
            client_identifier: &self.texts[0],
            will,
            user_name,
            password: (self.bit(5) && may_have_password).then_some(self.bytes.as_slice()),
            properties: connect_properties,
        }))
    }
}
