//! Packets without a fault, of every type and version, with what people put into them.

use std::num::NonZeroU16;

use hexmq_wire::{
    Ack, Auth, Connack, Connect, ControlPacket, Delivery, Disconnect, PacketType, Place, PropertiesBuf,
    Property, PropertyId, PropertyType, Publish, QoS, ReasonCode, Suback, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, TopicFiltersBuf, Unsuback, Unsubscribe, Version, Will, property_rows,
};

/// Numbers from a seed: splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    /// A seed from any bytes.
    pub(crate) fn new(input: &[u8]) -> Dice {
        Dice(input.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.next() as u8).collect()
    }

    /// A word without blanks at its ends.
    fn word(&mut self) -> String {
        const LETTERS: [&str; 16] =
            ["a", "b", "Z", "0", "7", "_", "-", ".", "x", "dev", "ä", "温", "度", "😀", "1", "node"];
        (0..=self.below(5)).map(|_| self.one_of(&LETTERS)).collect()
    }

    fn topic(&mut self) -> String {
        let levels: Vec<String> = (0..=self.below(4)).map(|_| self.word()).collect();
        let lead = self.one_of(&["", "", "/", "$sys/", "sensors/"]);
        lead.to_owned() + &levels.join("/")
    }

    fn filter(&mut self, version: Version) -> String {
        let mut filter = self.topic();
        if self.flag() {
            filter += self.one_of(&["/#", "/+", "/+/x", "/+/+/#"]);
        }
        match (version, self.below(6)) {
            (Version::V5, 0) => format!("$share/{}/{filter}", self.word()),
            (_, 1) => "#".to_owned(),
            (_, 2) => format!("+/{filter}"),
            _ => filter,
        }
    }

    /// What is published: measurements, JSON, text, other bytes, nothing.
    fn payload(&mut self) -> Vec<u8> {
        match self.below(7) {
            0 => Vec::new(),
            1 => format!("{}.{}", self.below(100), self.below(10)).into_bytes(),
            2 => format!("{{\"{}\":{},\"on\":true}}", self.word(), self.below(1000)).into_bytes(),
            3 => format!("[{},{{\"x\":\"{}\"}}]\r\n", self.below(9), self.word()).into_bytes(),
            4 => format!("{} {}", self.word(), self.word()).into_bytes(),
            5 => [&[3, 0, 7][..], b"{\"a\":1}"].concat(),
            _ => self.bytes(64),
        }
    }

    fn identifier(&mut self) -> NonZeroU16 {
        NonZeroU16::new(self.next() as u16).unwrap_or(NonZeroU16::MIN)
    }

    fn qos(&mut self) -> QoS {
        self.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }
}

/// A packet that breaks no rule and hurts nobody, from the side asked for.
pub(crate) fn packet(dice: &mut Dice, version: Version, from_client: bool) -> Vec<u8> {
    use PacketType as P;
    let both = [P::Publish, P::Publish, P::Publish, P::Puback, P::Pubrec, P::Pubrel, P::Pubcomp];
    let client =
        [P::Connect, P::Connect, P::Subscribe, P::Subscribe, P::Unsubscribe, P::Pingreq, P::Disconnect];
    let server = [P::Connack, P::Suback, P::Unsuback, P::Pingresp];
    let of_5_0 = [P::Disconnect, P::Auth];
    let mut choices = both.to_vec();
    choices.extend(if from_client { &client[..] } else { &server[..] });
    if version == Version::V5 {
        choices.extend(of_5_0);
    }
    let packet_type = dice.one_of(&choices);
    let mut bytes = Vec::new();
    let maker = Maker { version, from_client, packet_type };
    maker.make(dice, |packet| packet.encode(version, &mut bytes).expect("it has an encoding"));
    bytes
}

struct Maker {
    version: Version,
    from_client: bool,
    packet_type: PacketType,
}

impl Maker {
    fn make(&self, dice: &mut Dice, eat: impl FnOnce(ControlPacket<'_>)) {
        let buf = self.properties(dice, Place::Packet(self.packet_type));
        let properties = buf.as_properties();
        let packet_identifier = dice.identifier();
        let reason_code = self.code(dice);
        let ack = Ack { packet_identifier, reason_code, properties };
        match self.packet_type {
            PacketType::Connect => self.connect(dice, &buf, eat),
            PacketType::Connack => {
                let session_present =
                    dice.flag() && self.version != Version::V3 && reason_code == ReasonCode::Success;
                eat(ControlPacket::Connack(Connack { session_present, reason_code, properties }));
            }
            PacketType::Publish => self.publish(dice, &buf, eat),
            PacketType::Puback => eat(ControlPacket::Puback(ack)),
            PacketType::Pubrec => eat(ControlPacket::Pubrec(ack)),
            PacketType::Pubrel => eat(ControlPacket::Pubrel(ack)),
            PacketType::Pubcomp => eat(ControlPacket::Pubcomp(ack)),
            PacketType::Subscribe => {
                let mut list = SubscriptionsBuf::new();
                for _ in 0..=dice.below(3) {
                    let filter = dice.filter(self.version);
                    let options = dice.one_of(&[0u8, 1, 2, 0x11, 0x2A]);
                    let no_local = if filter.starts_with("$share/") { 0 } else { dice.one_of(&[0, 4]) };
                    let options =
                        SubscriptionOptions::from_byte(options | no_local).expect("options that exist");
                    list.push(&filter, options, self.version).expect("short filters");
                }
                let subscriptions = list.as_subscriptions();
                eat(ControlPacket::Subscribe(Subscribe { packet_identifier, properties, subscriptions }));
            }
            PacketType::Unsubscribe => {
                let mut list = TopicFiltersBuf::new();
                for _ in 0..=dice.below(3) {
                    list.push(&dice.filter(self.version)).expect("short filters");
                }
                let topic_filters = list.as_topic_filters();
                eat(ControlPacket::Unsubscribe(Unsubscribe { packet_identifier, properties, topic_filters }));
            }
            PacketType::Suback => {
                let codes: Vec<u8> = (0..=dice.below(3)).map(|_| self.code(dice).as_u8()).collect();
                eat(ControlPacket::Suback(Suback { packet_identifier, properties, reason_codes: &codes }));
            }
            PacketType::Unsuback => {
                let count = if self.version == Version::V5 { 1 + dice.below(3) } else { 0 };
                let codes: Vec<u8> = (0..count).map(|_| self.code(dice).as_u8()).collect();
                eat(ControlPacket::Unsuback(Unsuback {
                    packet_identifier,
                    properties,
                    reason_codes: &codes,
                }));
            }
            PacketType::Pingreq => eat(ControlPacket::Pingreq),
            PacketType::Pingresp => eat(ControlPacket::Pingresp),
            PacketType::Disconnect => eat(ControlPacket::Disconnect(Disconnect { reason_code, properties })),
            PacketType::Auth => eat(ControlPacket::Auth(Auth { reason_code, properties })),
        }
    }

    fn publish(&self, dice: &mut Dice, buf: &PropertiesBuf, eat: impl FnOnce(ControlPacket<'_>)) {
        let properties = buf.as_properties();
        let topic = dice.topic();
        let by_alias = properties.topic_alias().is_some() && dice.flag();
        let payload = dice.payload();
        let delivery = match dice.qos() {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(dice.identifier()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(dice.identifier()),
        };
        let topic_name = if by_alias { "" } else { &topic };
        let dup = dice.flag() && delivery != Delivery::AtMostOnce;
        let retain = dice.flag();
        eat(ControlPacket::Publish(Publish {
            dup,
            delivery,
            retain,
            topic_name,
            properties,
            payload: &payload,
        }));
    }

    fn connect(&self, dice: &mut Dice, buf: &PropertiesBuf, eat: impl FnOnce(ControlPacket<'_>)) {
        let will_buf = self.properties(dice, Place::Will);
        let (topic, payload, name) = (dice.topic(), dice.payload(), dice.word());
        let password = dice.word().into_bytes();
        let client_identifier = dice.word();
        let will = dice.flag().then(|| Will {
            topic: &topic,
            payload: &payload,
            qos: dice.qos(),
            retain: dice.flag(),
            properties: will_buf.as_properties(),
        });
        let user_name = dice.flag().then_some(name.as_str());
        let may_have_password = user_name.is_some() || self.version == Version::V5;
        let clean_start = dice.flag();
        // 3.1 allows 23 characters.
        let shortened: String = client_identifier.chars().take(23).collect();
        eat(ControlPacket::Connect(Connect {
            version: self.version,
            clean_start,
            keep_alive_s: 10 + dice.below(60_000) as u16,
            client_identifier: if clean_start && self.version > Version::V3 && dice.below(4) == 0 {
                ""
            } else {
                &shortened
            },
            will,
            user_name,
            password: (may_have_password && dice.flag()).then_some(&password),
            properties: buf.as_properties(),
        }));
    }

    /// A code this side may send.
    fn code(&self, dice: &mut Dice) -> ReasonCode {
        let packet_type = self.packet_type;
        let codes: Vec<ReasonCode> = ReasonCode::ALL
            .iter()
            .copied()
            .filter(|code| match (self.version, packet_type) {
                (Version::V5, PacketType::Disconnect) if self.from_client => {
                    matches!(code.as_u8(), 0 | 4 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
                }
                (Version::V5, PacketType::Disconnect) => code.allowed_in(packet_type) && code.as_u8() != 4,
                (Version::V5, PacketType::Auth) => {
                    matches!((code.as_u8(), self.from_client), (0x18, _) | (0x19, true) | (0, false))
                }
                (Version::V5, _) => code.allowed_in(packet_type),
                (_, PacketType::Connack) => {
                    code.return_code().and_then(ReasonCode::from_return_code) == Some(*code)
                }
                (_, PacketType::Suback) => matches!(code.as_u8(), 0 | 1 | 2 | 0x80),
                _ => *code == ReasonCode::Success,
            })
            .collect();
        codes.get(dice.below(codes.len())).copied().unwrap_or(ReasonCode::Success)
    }

    /// Properties that may stand here and come from this side.
    fn properties(&self, dice: &mut Dice, place: Place) -> PropertiesBuf {
        let mut buf = PropertiesBuf::new();
        if self.version != Version::V5 {
            return buf;
        }
        for _ in 0..dice.below(8) {
            let row = &property_rows()[dice.below(property_rows().len())];
            let seen = buf.as_properties().iter().any(|property| property.id() == row.id);
            let mine = match (row.id, place) {
                (PropertyId::SubscriptionIdentifier, Place::Packet(PacketType::Publish))
                | (PropertyId::ServerReference, _) => !self.from_client,
                (PropertyId::SessionExpiryInterval, Place::Packet(PacketType::Disconnect)) => {
                    self.from_client
                }
                _ => true,
            };
            if mine && row.allowed.contains(place) && (!seen || row.repeat.allows_many(place)) {
                push(dice, row.id, &mut buf);
            }
        }
        let made = buf.as_properties();
        let data_alone = made.authentication_data().is_some() && made.authentication_method().is_none();
        let in_auth = place == Place::Packet(PacketType::Auth) && made.authentication_method().is_none();
        if data_alone || in_auth {
            buf.push(Property::AuthenticationMethod("SCRAM-SHA-1")).expect("short");
        }
        buf
    }
}

/// A legal value.
fn push(dice: &mut Dice, id: PropertyId, buf: &mut PropertiesBuf) {
    let (word, bytes, number) = (dice.word(), dice.bytes(12), dice.next() as u32);
    let property = match id.row().ty {
        PropertyType::Byte => Property::from_number(id, number & 1),
        PropertyType::TwoByteInteger => Property::from_number(id, (number & 0xFFFF).max(1)),
        PropertyType::FourByteInteger => Property::from_number(id, number.max(1)),
        PropertyType::VariableByteInteger => Property::from_number(id, (number >> 4).max(1)),
        PropertyType::Utf8String => Property::from_bytes(id, word.as_bytes()),
        PropertyType::BinaryData => Property::from_bytes(id, &bytes),
        PropertyType::Utf8StringPair => Some(Property::UserProperty(&word, "value")),
    };
    buf.push(property.expect("a legal value")).expect("short");
}
