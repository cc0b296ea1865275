//! A record as the bytes of its packet.

use hexmq_wire::{
    Ack, Auth, Connack, Connect, ControlPacket, Delivery, Disconnect, EncodeError, PacketIdentifier,
    PacketType, Properties, Publish, QoS, ReasonCode, RetainHandling, Suback, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, TopicFiltersBuf, Unsuback, Unsubscribe, Version, Will,
};

use crate::property::properties;
use crate::record::{Record, Value};

impl Record {
    /// The bytes of the packet. Fails only for what has no encoding: strings above 65,535 bytes,
    /// packets above 256 MiB.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let properties_buf = properties(self, false)?;
        let properties = properties_buf.as_properties();
        match self.packet_type {
            PacketType::Connect => self.encode_connect(properties, &mut bytes)?,
            PacketType::Subscribe => self.encode_subscribe(properties, &mut bytes)?,
            PacketType::Unsubscribe => self.encode_unsubscribe(properties, &mut bytes)?,
            _ => self.plain_packet(properties).encode(self.version, &mut bytes)?,
        }
        Ok(bytes)
    }

    /// The packets that need nothing built.
    fn plain_packet<'a>(&'a self, properties: Properties<'a>) -> ControlPacket<'a> {
        let packet_identifier = self.pid();
        let reason_code = self.reason_code();
        let ack = Ack { packet_identifier, reason_code, properties };
        match self.packet_type {
            PacketType::Connack => {
                let session_present = self.number(false, "session_present") != 0;
                ControlPacket::Connack(Connack { session_present, reason_code, properties })
            }
            PacketType::Puback => ControlPacket::Puback(ack),
            PacketType::Pubrec => ControlPacket::Pubrec(ack),
            PacketType::Pubrel => ControlPacket::Pubrel(ack),
            PacketType::Pubcomp => ControlPacket::Pubcomp(ack),
            PacketType::Suback => {
                ControlPacket::Suback(Suback { packet_identifier, properties, reason_codes: self.codes() })
            }
            PacketType::Unsuback => ControlPacket::Unsuback(Unsuback {
                packet_identifier,
                properties,
                reason_codes: self.codes(),
            }),
            PacketType::Pingreq => ControlPacket::Pingreq,
            PacketType::Pingresp => ControlPacket::Pingresp,
            PacketType::Disconnect => ControlPacket::Disconnect(Disconnect { reason_code, properties }),
            PacketType::Auth => ControlPacket::Auth(Auth { reason_code, properties }),
            PacketType::Publish | PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe => {
                self.publish(properties)
            }
        }
    }

    fn publish<'a>(&'a self, properties: Properties<'a>) -> ControlPacket<'a> {
        let delivery = match self.qos(false) {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(self.pid()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(self.pid()),
        };
        ControlPacket::Publish(Publish {
            dup: self.flag(false, "dup"),
            delivery,
            retain: self.flag(false, "retain"),
            topic_name: self.text(false, "topic").unwrap_or_default(),
            properties,
            payload: self.binary(false, "payload").unwrap_or_default(),
        })
    }

    fn encode_connect(&self, own: Properties<'_>, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        let will_properties = properties(self, true)?;
        let will = self.text(true, "topic").map(|topic| Will {
            topic,
            payload: self.binary(true, "payload").unwrap_or_default(),
            qos: self.qos(true),
            retain: self.flag(true, "retain"),
            properties: will_properties.as_properties(),
        });
        let connect = Connect {
            version: self.version,
            clean_start: self.flag(false, "clean_start"),
            keep_alive_s: u16::try_from(self.number(false, "keep_alive")).unwrap_or(u16::MAX),
            client_identifier: self.text(false, "id").unwrap_or_default(),
            will,
            user_name: self.text(false, "user_name"),
            password: self.binary(false, "password"),
            properties: own,
        };
        ControlPacket::Connect(connect).encode(self.version, bytes)
    }

    fn encode_subscribe(&self, properties: Properties<'_>, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut subscriptions = SubscriptionsBuf::new();
        let mut filter: Option<&str> = None;
        let mut options = SubscriptionOptions::default();
        for (name, value) in self.fields.iter().filter(|(name, _)| !name.property) {
            match (name.text, value) {
                ("filter", Value::Text(next)) => {
                    if let Some(filter) = filter.replace(next) {
                        subscriptions.push(filter, std::mem::take(&mut options), self.version)?;
                    }
                }
                ("qos", Value::Number(bits)) => options.qos = qos(*bits),
                ("no_local", _) => options.no_local = true,
                ("retain_as_published", _) => options.retain_as_published = true,
                ("retain_handling", Value::Number(bits)) => options.retain_handling = retain_handling(*bits),
                _ => {}
            }
        }
        if let Some(filter) = filter {
            subscriptions.push(filter, options, self.version)?;
        }
        let packet_identifier = self.pid();
        let subscriptions = subscriptions.as_subscriptions();
        ControlPacket::Subscribe(Subscribe { packet_identifier, properties, subscriptions })
            .encode(self.version, bytes)
    }

    fn encode_unsubscribe(&self, properties: Properties<'_>, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut filters = TopicFiltersBuf::new();
        for (name, value) in &self.fields {
            if let ("filter", Value::Text(filter)) = (name.text, value) {
                filters.push(filter)?;
            }
        }
        let packet_identifier = self.pid();
        let topic_filters = filters.as_topic_filters();
        ControlPacket::Unsubscribe(Unsubscribe { packet_identifier, properties, topic_filters })
            .encode(self.version, bytes)
    }

    /// Reading has made sure that it is there where it is needed, and not 0.
    fn pid(&self) -> PacketIdentifier {
        let number = u16::try_from(self.number(false, "pid")).unwrap_or_default();
        PacketIdentifier::new(number).unwrap_or(PacketIdentifier::MIN)
    }

    fn qos(&self, will: bool) -> QoS {
        qos(self.number(will, "qos"))
    }

    /// Reading has made sure that the code exists.
    fn reason_code(&self) -> ReasonCode {
        let code = self.code();
        let known = match (self.version, self.packet_type) {
            (Version::V3 | Version::V4, PacketType::Connack) => ReasonCode::from_return_code(code),
            _ => ReasonCode::from_u8(code),
        };
        known.unwrap_or(ReasonCode::UnspecifiedError)
    }
}

fn qos(bits: u64) -> QoS {
    u8::try_from(bits).ok().and_then(QoS::from_bits).unwrap_or_default()
}

fn retain_handling(bits: u64) -> RetainHandling {
    match bits {
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => RetainHandling::Send,
    }
}
