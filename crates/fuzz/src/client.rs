//! Packets of clients that are made from bytes: mostly legal, some not.

use std::num::NonZeroU16;

use hexmq_wire::{
    Ack, Auth, Connect, ControlPacket, Delivery, Disconnect, PacketIdentifier, Properties, PropertiesBuf,
    Property, Publish, QoS, ReasonCode, Subscribe, SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf,
    Unsubscribe, Version, Will,
};

use crate::bytes::Bytes;

const TOPICS: [&str; 8] = ["a", "b", "a/b", "a/b/c", "$SYS/x", "", "a/b/c/d/e", "$hexmq/x"];
const FILTERS: [&str; 10] =
    ["a", "+", "#", "a/+", "a/#", "$share/g/a", "$share/g/#", "$SYS/#", "a/#/b", "$share//a"];
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A few identifiers, so that they meet.
fn identifier(bytes: &mut Bytes<'_>) -> PacketIdentifier {
    NonZeroU16::new(bytes.below(6) as u16).unwrap_or(NonZeroU16::MAX)
}

/// The bytes of one packet.
pub(crate) fn packet(bytes: &mut Bytes<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    let encoded = match bytes.below(10) {
        0 => connect(bytes, &mut out),
        1 => subscribe(bytes, version, &mut out),
        2 => unsubscribe(bytes, version, &mut out),
        3 | 4 => publish(bytes, version, &mut out),
        5 => acknowledge(bytes, version, &mut out),
        6 => ControlPacket::Pingreq.encode(version, &mut out),
        7 => farewell(bytes, version, &mut out),
        8 => auth(bytes, version, &mut out),
        _ => {
            let length = bytes.below(40);
            out.extend_from_slice(bytes.take(length));
            Ok(())
        }
    };
    // AUTH has no encoding in 3.x.
    if encoded.is_err() {
        out.clear();
    }
    out
}

type Encoded = Result<(), hexmq_wire::EncodeError>;

fn push(properties: &mut PropertiesBuf, property: Property<'_>) {
    // All values here are short.
    let _ = properties.push(property);
}

fn connect(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Encoded {
    let version = bytes.one_of(&[Version::V3, Version::V4, Version::V5]);
    let mut properties = PropertiesBuf::new();
    let wanted = bytes.byte();
    if wanted & 1 != 0 {
        push(&mut properties, Property::SessionExpiryInterval(bytes.one_of(&[0, 1, 50, u32::MAX])));
    }
    if wanted & 2 != 0 {
        push(&mut properties, Property::ReceiveMaximum(bytes.one_of(&[1, 2, 65_535])));
    }
    if wanted & 4 != 0 {
        push(&mut properties, Property::MaximumPacketSize(bytes.one_of(&[1, 20, 60, 4_096])));
    }
    if wanted & 8 != 0 {
        push(&mut properties, Property::TopicAliasMaximum(bytes.one_of(&[0, 1, 3])));
    }
    if wanted & 16 != 0 {
        push(&mut properties, Property::RequestProblemInformation(0));
    }
    if wanted & 32 != 0 {
        push(&mut properties, Property::AuthenticationMethod("M"));
    }
    let mut will_properties = PropertiesBuf::new();
    if bytes.flag() {
        push(&mut will_properties, Property::WillDelayInterval(bytes.one_of(&[0, 5, 200])));
        push(&mut will_properties, Property::MessageExpiryInterval(10));
    }
    let will = bytes.flag().then(|| Will {
        topic: bytes.one_of(&["a", "a/b", "$SYS/x"]),
        payload: b"gone",
        qos: bytes.one_of(&QOS),
        retain: bytes.flag(),
        properties: will_properties.as_properties(),
    });
    let connect = Connect {
        version,
        clean_start: bytes.flag(),
        keep_alive_s: bytes.one_of(&[0, 1, 60, 65_535]),
        client_identifier: bytes.one_of(&["x", "y", "z", ""]),
        will,
        user_name: None,
        password: None,
        properties: properties.as_properties(),
    };
    ControlPacket::Connect(connect).encode(version, out)
}

fn subscribe(bytes: &mut Bytes<'_>, version: Version, out: &mut Vec<u8>) -> Encoded {
    let mut subscriptions = SubscriptionsBuf::new();
    for _ in 0..=bytes.below(3) {
        let options = SubscriptionOptions::from_byte(bytes.byte() & 0b0011_1111).unwrap_or_default();
        subscriptions.push(bytes.one_of(&FILTERS), options, version)?;
    }
    let mut properties = PropertiesBuf::new();
    if bytes.flag() {
        push(&mut properties, Property::SubscriptionIdentifier(bytes.one_of(&[1, 200, 268_435_455])));
    }
    let subscribe = Subscribe {
        packet_identifier: identifier(bytes),
        properties: properties.as_properties(),
        subscriptions: subscriptions.as_subscriptions(),
    };
    ControlPacket::Subscribe(subscribe).encode(version, out)
}

fn unsubscribe(bytes: &mut Bytes<'_>, version: Version, out: &mut Vec<u8>) -> Encoded {
    let mut filters = TopicFiltersBuf::new();
    filters.push(bytes.one_of(&FILTERS))?;
    let unsubscribe = Unsubscribe {
        packet_identifier: identifier(bytes),
        properties: Properties::EMPTY,
        topic_filters: filters.as_topic_filters(),
    };
    ControlPacket::Unsubscribe(unsubscribe).encode(version, out)
}

fn publish(bytes: &mut Bytes<'_>, version: Version, out: &mut Vec<u8>) -> Encoded {
    let mut properties = PropertiesBuf::new();
    let wanted = bytes.byte();
    if wanted & 1 != 0 {
        push(&mut properties, Property::TopicAlias(bytes.one_of(&[1, 2, 3])));
    }
    if wanted & 2 != 0 {
        push(&mut properties, Property::MessageExpiryInterval(bytes.one_of(&[0, 1, 100])));
    }
    if wanted & 4 != 0 {
        push(&mut properties, Property::UserProperty("k", "v"));
        push(&mut properties, Property::ResponseTopic("r"));
    }
    let delivery = match bytes.one_of(&QOS) {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(identifier(bytes)),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(identifier(bytes)),
    };
    let publish = Publish {
        dup: bytes.flag() && delivery.qos() != QoS::AtMostOnce,
        delivery,
        retain: bytes.flag(),
        topic_name: bytes.one_of(&TOPICS),
        properties: properties.as_properties(),
        payload: bytes.one_of(&[&b""[..], b"hello", &[b'x'; 300]]),
    };
    ControlPacket::Publish(publish).encode(version, out)
}

fn acknowledge(bytes: &mut Bytes<'_>, version: Version, out: &mut Vec<u8>) -> Encoded {
    let make = bytes.one_of::<fn(Ack<'static>) -> ControlPacket<'static>>(&[
        ControlPacket::Puback,
        ControlPacket::Pubrec,
        ControlPacket::Pubrel,
        ControlPacket::Pubcomp,
    ]);
    let packet_identifier = identifier(bytes);
    let reason_code = bytes.one_of(&[
        ReasonCode::Success,
        ReasonCode::UnspecifiedError,
        ReasonCode::PacketIdentifierNotFound,
    ]);
    make(Ack::with_reason(packet_identifier, reason_code)).encode(version, out)
}

fn farewell(bytes: &mut Bytes<'_>, version: Version, out: &mut Vec<u8>) -> Encoded {
    let reason_code = bytes.one_of(&[
        ReasonCode::NormalDisconnection,
        ReasonCode::DisconnectWithWillMessage,
        ReasonCode::UnspecifiedError,
        ReasonCode::ServerBusy,
    ]);
    let mut properties = PropertiesBuf::new();
    if bytes.flag() {
        push(&mut properties, Property::SessionExpiryInterval(bytes.one_of(&[0, 10, u32::MAX])));
    }
    let disconnect = Disconnect { reason_code, properties: properties.as_properties() };
    ControlPacket::Disconnect(disconnect).encode(version, out)
}

fn auth(bytes: &mut Bytes<'_>, version: Version, out: &mut Vec<u8>) -> Encoded {
    let mut properties = PropertiesBuf::new();
    push(&mut properties, Property::AuthenticationMethod(bytes.one_of(&["M", "N"])));
    let reason_code =
        bytes.one_of(&[ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate, ReasonCode::Success]);
    ControlPacket::Auth(Auth { reason_code, properties: properties.as_properties() }).encode(version, out)
}
