//! Each packet with its bytes written out, in the versions that differ.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod common;

use std::num::NonZeroU16;

use common::{Owned, explain, find, hex, read};
use hexmq_wire::{
    Ack, Auth, Connack, Connect, ControlPacket, Delivery, Disconnect, EncodeError, PacketIdentifier,
    PacketType, Properties, PropertiesBuf, Property, Publish, QoS, ReasonCode, RetainHandling, Suback,
    Subscribe, SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf, Unsuback, Unsubscribe, Version, Will,
};

fn id(number: u16) -> PacketIdentifier {
    NonZeroU16::new(number).unwrap()
}

/// The bytes read as the packet and the packet writes the bytes.
#[track_caller]
fn assert_same(version: Version, bytes: &str, packet: ControlPacket<'_>) {
    let bytes = hex(bytes);
    assert_eq!(read(&bytes, version), Ok(packet));
    let mut out = Vec::new();
    packet.encode(version, &mut out).unwrap();
    assert_eq!(out, bytes);
    assert_eq!(packet.encoded_size(version), bytes.len() as u64);
}

fn connect(version: Version, client_identifier: &str) -> Connect<'_> {
    Connect {
        version,
        clean_start: true,
        keep_alive_s: 60,
        client_identifier,
        will: None,
        user_name: None,
        password: None,
        properties: Properties::EMPTY,
    }
}

/// [V4 MQTT-3.1.3-1, V4 MQTT-3.1.2-9, V4 MQTT-3.1.2-19, V4 MQTT-3.1.2-21]
#[test]
fn connect_3() {
    assert_same(
        Version::V4,
        "10 0d 0004 4d515454 04 02 003c 0001 61",
        ControlPacket::Connect(connect(Version::V4, "a")),
    );
    assert_same(
        Version::V3,
        "10 0f 0006 4d5149736470 03 02 003c 0001 61",
        ControlPacket::Connect(connect(Version::V3, "a")),
    );
    let full = Connect {
        clean_start: false,
        keep_alive_s: 0x1234,
        will: Some(Will {
            topic: "w",
            payload: &[0, 0xFF],
            qos: QoS::ExactlyOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        user_name: Some("u"),
        password: Some(&[0x80]),
        ..connect(Version::V4, "")
    };
    let bytes = "10 19 0004 4d515454 04 f4 1234 0000 0001 77 0002 00ff 0001 75 0001 80";
    assert_same(Version::V4, bytes, ControlPacket::Connect(full));
}

/// [V5 MQTT-3.1.3-1, V5 MQTT-3.1.2-9, V5 MQTT-3.1.2-17, V5 MQTT-3.1.2-19, V5 MQTT-2.2.2-1]
#[test]
fn connect_5() {
    assert_same(
        Version::V5,
        "10 0e 0004 4d515454 05 02 003c 00 0001 61",
        ControlPacket::Connect(connect(Version::V5, "a")),
    );
    let mut properties = PropertiesBuf::new();
    properties.push(Property::SessionExpiryInterval(300)).unwrap();
    properties.push(Property::UserProperty("k", "v")).unwrap();
    let mut will_properties = PropertiesBuf::new();
    will_properties.push(Property::WillDelayInterval(5)).unwrap();
    let full = Connect {
        will: Some(Will {
            topic: "w",
            payload: b"x",
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: will_properties.as_properties(),
        }),
        // 5.0 allows a password alone.
        password: Some(b"p"),
        properties: properties.as_properties(),
        ..connect(Version::V5, "a")
    };
    let bytes = "10 29 0004 4d515454 05 4e 003c 0c 110000012c 26 0001 6b 0001 76 \
                 0001 61 05 1800000005 0001 77 0001 78 0001 70";
    assert_same(Version::V5, bytes, ControlPacket::Connect(full));
    let bytes = hex(bytes);
    let ControlPacket::Connect(read) = read(&bytes, Version::V3).unwrap() else { panic!() };
    assert_eq!(read.properties.session_expiry_interval(), Some(300));
    assert_eq!(read.properties.user_properties().collect::<Vec<_>>(), [("k", "v")]);
    assert_eq!(read.will.unwrap().properties.will_delay_interval(), Some(5));
}

/// The flags of user name and password may promise too much in 3.1, where the Remaining Length
/// takes precedence; not so later. [V4 MQTT-3.1.2-19]
#[test]
fn connect_3_1_may_leave_out_credentials() {
    let bytes = hex("10 0f 0006 4d5149736470 03 c2 003c 0001 61");
    let ControlPacket::Connect(connect) = read(&bytes, Version::V4).unwrap() else { panic!() };
    assert_eq!((connect.version, connect.user_name, connect.password), (Version::V3, None, None));
    let fault = read(&hex("10 0d 0004 4d515454 04 c2 003c 0001 61"), Version::V4).unwrap_err();
    assert_eq!((fault.code.name(), fault.statement), ("truncated", Some("MQTT-3.1.2-19")));
}

#[test]
fn connack() {
    let answer = |session_present, reason_code| {
        ControlPacket::Connack(Connack { session_present, reason_code, properties: Properties::EMPTY })
    };
    assert_same(Version::V4, "20 02 01 00", answer(true, ReasonCode::Success));
    assert_same(Version::V4, "20 02 00 05", answer(false, ReasonCode::NotAuthorized));
    assert_same(Version::V5, "20 03 00 87 00", answer(false, ReasonCode::NotAuthorized));
    assert_same(Version::V5, "20 03 01 00 00", answer(true, ReasonCode::Success));
    // The byte is reserved in 3.1.
    assert_eq!(read(&hex("20 02 01 00"), Version::V3), Ok(answer(false, ReasonCode::Success)));
    let mut out = Vec::new();
    answer(true, ReasonCode::Success).encode(Version::V3, &mut out).unwrap();
    assert_eq!(out, hex("20 02 00 00"));
}

/// [V4 MQTT-3.2.2-6]
#[test]
fn connack_3_has_six_return_codes() {
    for number in 0..=5 {
        let code = ReasonCode::from_return_code(number).unwrap();
        assert_eq!(code.return_code(), Some(number));
        assert!(code.allowed_in(PacketType::Connack));
    }
    assert_eq!(ReasonCode::from_return_code(6), None);
    assert_eq!(ReasonCode::Banned.return_code(), Some(5));
    assert_eq!(ReasonCode::ServerBusy.return_code(), Some(3));
    let reason_code = ReasonCode::PacketTooLarge;
    let packet = ControlPacket::Connack(Connack {
        session_present: false,
        reason_code,
        properties: Properties::EMPTY,
    });
    let mut out = Vec::new();
    assert_eq!(packet.encode(Version::V4, &mut out), Err(EncodeError::NoReturnCode(reason_code)));
    assert!(out.is_empty());
}

/// [V4 MQTT-2.3.1-5, V4 MQTT-3.3.2-1, V5 MQTT-2.2.1-2, V5 MQTT-3.3.2-1]
#[test]
fn publish() {
    let publish = |delivery, dup, retain, payload| {
        ControlPacket::Publish(Publish {
            dup,
            delivery,
            retain,
            topic_name: "a/b",
            properties: Properties::EMPTY,
            payload,
        })
    };
    let q0 = publish(Delivery::AtMostOnce, false, true, b"hi");
    assert_same(Version::V4, "31 07 0003 612f62 6869", q0);
    assert_same(Version::V5, "31 08 0003 612f62 00 6869", q0);
    let q1 = publish(Delivery::AtLeastOnce(id(10)), true, false, b"");
    assert_same(Version::V3, "3a 07 0003 612f62 000a", q1);
    assert_same(Version::V5, "3a 08 0003 612f62 000a 00", q1);
    let q2 = publish(Delivery::ExactlyOnce(id(0xFFFF)), false, false, &[0]);
    assert_same(Version::V4, "34 08 0003 612f62 ffff 00", q2);
    let long = vec![7; 200];
    let bytes = format!("30 cd01 0003 612f62 {}", "07".repeat(200));
    assert_same(Version::V4, &bytes, publish(Delivery::AtMostOnce, false, false, &long));
}

#[test]
fn publish_5_with_properties() {
    let mut properties = PropertiesBuf::new();
    properties.push(Property::TopicAlias(7)).unwrap();
    properties.push(Property::SubscriptionIdentifier(200)).unwrap();
    properties.push(Property::SubscriptionIdentifier(1)).unwrap();
    properties.push(Property::CorrelationData(&[1, 2])).unwrap();
    let packet = Publish {
        dup: false,
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic_name: "",
        properties: properties.as_properties(),
        payload: b"",
    };
    assert_same(Version::V5, "30 10 0000 0d 230007 0bc801 0b01 090002 0102", ControlPacket::Publish(packet));
    assert_eq!(packet.properties.topic_alias(), Some(7));
    assert_eq!(packet.properties.subscription_identifiers().collect::<Vec<_>>(), [200, 1]);
    assert_eq!(packet.properties.correlation_data(), Some(&[1, 2][..]));
    assert_eq!(packet.properties.message_expiry_interval(), None);
}

/// Reason code and properties are left out where they say nothing (5.0 section 3.4.2).
#[test]
fn acknowledgements() {
    let success = Ack::success(id(258));
    assert_same(Version::V4, "40 02 0102", ControlPacket::Puback(success));
    assert_same(Version::V5, "50 02 0102", ControlPacket::Pubrec(success));
    assert_same(Version::V3, "62 02 0102", ControlPacket::Pubrel(success));
    assert_same(Version::V4, "70 02 0102", ControlPacket::Pubcomp(success));
    let refused = Ack::with_reason(id(1), ReasonCode::QuotaExceeded);
    assert_same(Version::V5, "40 03 0001 97", ControlPacket::Puback(refused));
    let mut properties = PropertiesBuf::new();
    properties.push(Property::ReasonString("no")).unwrap();
    let told = Ack { properties: properties.as_properties(), ..Ack::success(id(1)) };
    assert_same(Version::V5, "40 09 0001 00 05 1f 0002 6e6f", ControlPacket::Puback(told));
    assert_eq!(told.properties.reason_string(), Some("no"));
    // Longer forms of the same are read.
    for bytes in ["40 03 0001 00", "40 04 0001 00 00"] {
        assert_eq!(read(&hex(bytes), Version::V5), Ok(ControlPacket::Puback(Ack::success(id(1)))));
    }
    let mut out = Vec::new();
    ControlPacket::Puback(refused).encode(Version::V4, &mut out).unwrap();
    assert_eq!(out, hex("40 02 0001"));
}

/// [V4 MQTT-3.8.1-1, V4 MQTT-3.8.3-1, V5 MQTT-3.8.1-1, V5 MQTT-3.8.3-1]
#[test]
fn subscribe() {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let mut five = SubscriptionsBuf::new();
    five.push("a/+", options, Version::V5).unwrap();
    five.push("#", SubscriptionOptions::with_qos(QoS::ExactlyOnce), Version::V5).unwrap();
    let mut three = SubscriptionsBuf::new();
    three.push("a/+", options, Version::V4).unwrap();
    three.push("#", SubscriptionOptions::with_qos(QoS::ExactlyOnce), Version::V4).unwrap();
    let packet = |subscriptions| {
        ControlPacket::Subscribe(Subscribe {
            packet_identifier: id(10),
            properties: Properties::EMPTY,
            subscriptions,
        })
    };
    let (five, three) = (five.as_subscriptions(), three.as_subscriptions());
    assert_same(Version::V5, "82 0d 000a 00 0003 612f2b 2d 0001 23 02", packet(five));
    assert_same(Version::V4, "82 0c 000a 0003 612f2b 01 0001 23 02", packet(three));
    let first = five.iter().next().unwrap();
    assert_eq!((first.topic_filter, first.options, five.len()), ("a/+", options, 2));
    // The options 3.x lacks are left out.
    let mut out = Vec::new();
    packet(five).encode(Version::V4, &mut out).unwrap();
    assert_eq!(out, hex("82 0c 000a 0003 612f2b 01 0001 23 02"));
}

/// [V4 MQTT-3.9.3-2, V5 MQTT-3.9.3-2]
#[test]
fn suback() {
    let packet = |reason_codes| {
        ControlPacket::Suback(Suback {
            packet_identifier: id(1),
            properties: Properties::EMPTY,
            reason_codes,
        })
    };
    assert_same(Version::V4, "90 06 0001 00 01 02 80", packet(&[0, 1, 2, 0x80]));
    assert_same(Version::V5, "90 05 0001 00 02 a2", packet(&[2, 0xA2]));
    let mut out = Vec::new();
    packet(&[2, 0xA2]).encode(Version::V4, &mut out).unwrap();
    assert_eq!(out, hex("90 04 0001 02 80"));
}

#[test]
fn unsubscribe_and_unsuback() {
    let mut filters = TopicFiltersBuf::new();
    filters.push("a").unwrap();
    filters.push("b/#").unwrap();
    let topic_filters = filters.as_topic_filters();
    let unsubscribe = ControlPacket::Unsubscribe(Unsubscribe {
        packet_identifier: id(2),
        properties: Properties::EMPTY,
        topic_filters,
    });
    assert_same(Version::V4, "a2 0a 0002 0001 61 0003 622f23", unsubscribe);
    assert_same(Version::V5, "a2 0b 0002 00 0001 61 0003 622f23", unsubscribe);
    assert_eq!(topic_filters.iter().collect::<Vec<_>>(), ["a", "b/#"]);
    let unsuback = |reason_codes| {
        ControlPacket::Unsuback(Unsuback {
            packet_identifier: id(2),
            properties: Properties::EMPTY,
            reason_codes,
        })
    };
    assert_same(Version::V4, "b0 02 0002", unsuback(&[]));
    assert_same(Version::V5, "b0 05 0002 00 00 11", unsuback(&[0, 0x11]));
}

#[test]
fn pings_disconnect_and_auth() {
    for version in common::VERSIONS {
        assert_same(version, "c0 00", ControlPacket::Pingreq);
        assert_same(version, "d0 00", ControlPacket::Pingresp);
        let normal = Disconnect::with_reason(ReasonCode::NormalDisconnection);
        assert_same(version, "e0 00", ControlPacket::Disconnect(normal));
    }
    let taken_over = Disconnect::with_reason(ReasonCode::SessionTakenOver);
    assert_same(Version::V5, "e0 01 8e", ControlPacket::Disconnect(taken_over));
    let mut properties = PropertiesBuf::new();
    properties.push(Property::AuthenticationMethod("M")).unwrap();
    properties.push(Property::AuthenticationData(&[9])).unwrap();
    let auth =
        Auth { reason_code: ReasonCode::ContinueAuthentication, properties: properties.as_properties() };
    assert_same(Version::V5, "f0 0a 18 08 150001 4d 160001 09", ControlPacket::Auth(auth));
    let empty = Auth { reason_code: ReasonCode::Success, properties: Properties::EMPTY };
    assert_same(Version::V5, "f0 00", ControlPacket::Auth(empty));
    let mut out = Vec::new();
    let refused = ControlPacket::Auth(auth).encode(Version::V4, &mut out);
    assert_eq!(refused, Err(EncodeError::NotInVersion(PacketType::Auth)));
}

/// U+FEFF is a character like any other, surrogates are none.
/// [V4 MQTT-1.5.3-1, V4 MQTT-1.5.3-3, V5 MQTT-1.5.4-1, V5 MQTT-1.5.4-3]
#[test]
fn a_byte_order_mark_is_kept() {
    let bytes = hex("30 06 0004 efbbbf61");
    let ControlPacket::Publish(publish) = read(&bytes, Version::V4).unwrap() else { panic!() };
    assert_eq!(publish.topic_name, "\u{feff}a");
    assert_eq!(read(&hex("30 05 0003 eda080"), Version::V4).unwrap_err().code.name(), "invalid_utf8");
}

#[test]
fn what_is_too_long_has_no_encoding() {
    let topic = "a".repeat(65_536);
    let publish = Publish {
        dup: false,
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic_name: &topic,
        properties: Properties::EMPTY,
        payload: b"",
    };
    let too_long = EncodeError::StringTooLong { field: "topic_name", length: 65_536 };
    let mut out = Vec::new();
    assert_eq!(ControlPacket::Publish(publish).encode(Version::V4, &mut out), Err(too_long));
    let connect = connect(Version::V4, &topic);
    let field = "client_identifier";
    let too_long = EncodeError::StringTooLong { field, length: 65_536 };
    assert_eq!(ControlPacket::Connect(connect).encode(Version::V4, &mut out), Err(too_long));
    assert!(out.is_empty());
    let mut properties = PropertiesBuf::new();
    assert!(properties.push(Property::ReasonString(&topic)).is_err());
    assert!(properties.push(Property::UserProperty("k", &topic)).is_err());
    assert!(properties.is_empty());
    assert!(SubscriptionsBuf::new().push(&topic, SubscriptionOptions::default(), Version::V5).is_err());
    assert!(TopicFiltersBuf::new().push(&topic).is_err());
}

/// Fields carry the standard's names, places, values and sections.
#[test]
fn explaining_a_connect() {
    let bytes = hex("10 29 0004 4d515454 05 4e 003c 0c 110000012c 26 0001 6b 0001 76 \
                     0001 61 05 1800000005 0001 77 0001 78 0001 70");
    let (recorder, _) = explain(&bytes, Version::V5);
    let at = |name: &str| find(&recorder.fields, name).map(|node| (node.offset, node.length)).unwrap();
    assert_eq!(at("remaining_length"), (1, 1));
    assert_eq!(at("protocol_name"), (2, 6));
    assert_eq!(at("connect_flags"), (9, 1));
    assert_eq!(at("keep_alive"), (10, 2));
    assert_eq!(at("properties"), (12, 13));
    assert_eq!(at("user_property"), (18, 7));
    assert_eq!(at("client_identifier"), (25, 3));
    assert_eq!(at("will_properties"), (28, 6));
    assert_eq!(at("will_payload"), (37, 3));
    let properties = find(&recorder.fields, "properties").unwrap();
    let names: Vec<_> = properties.fields.iter().map(|node| node.name).collect();
    assert_eq!(names, ["property_length", "session_expiry_interval", "user_property"]);
    let expiry = properties.find("session_expiry_interval").unwrap();
    assert_eq!((&expiry.value, expiry.section.v5), (&Owned::Number(300), "3.1.2.11.2"));
    assert_eq!(expiry.find("identifier").unwrap().value, Owned::Number(17));
    assert_eq!(expiry.find("value").map(|node| (node.offset, node.length)), Some((14, 4)));
    let flags = find(&recorder.fields, "connect_flags").unwrap();
    let will_qos = flags.find("will_qos").unwrap();
    assert_eq!((&will_qos.value, will_qos.bits), (&Owned::Number(1), Some((3, 2))));
}

/// The table of 5.0 section 2.2.2.2, by identifier, with the packets as it lists them.
#[test]
fn the_property_table() {
    use hexmq_wire::{Place, PropertyType as T, Repeat, property_rows};
    let answers = "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH";
    let everywhere = "CONNECT CONNACK PUBLISH will PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE \
                      UNSUBACK DISCONNECT AUTH";
    let expected = [
        (0x01, "payload_format_indicator", T::Byte, "PUBLISH will"),
        (0x02, "message_expiry_interval", T::FourByteInteger, "PUBLISH will"),
        (0x03, "content_type", T::Utf8String, "PUBLISH will"),
        (0x08, "response_topic", T::Utf8String, "PUBLISH will"),
        (0x09, "correlation_data", T::BinaryData, "PUBLISH will"),
        (0x0B, "subscription_identifier", T::VariableByteInteger, "PUBLISH SUBSCRIBE"),
        (0x11, "session_expiry_interval", T::FourByteInteger, "CONNECT CONNACK DISCONNECT"),
        (0x12, "assigned_client_identifier", T::Utf8String, "CONNACK"),
        (0x13, "server_keep_alive", T::TwoByteInteger, "CONNACK"),
        (0x15, "authentication_method", T::Utf8String, "CONNECT CONNACK AUTH"),
        (0x16, "authentication_data", T::BinaryData, "CONNECT CONNACK AUTH"),
        (0x17, "request_problem_information", T::Byte, "CONNECT"),
        (0x18, "will_delay_interval", T::FourByteInteger, "will"),
        (0x19, "request_response_information", T::Byte, "CONNECT"),
        (0x1A, "response_information", T::Utf8String, "CONNACK"),
        (0x1C, "server_reference", T::Utf8String, "CONNACK DISCONNECT"),
        (0x1F, "reason_string", T::Utf8String, answers),
        (0x21, "receive_maximum", T::TwoByteInteger, "CONNECT CONNACK"),
        (0x22, "topic_alias_maximum", T::TwoByteInteger, "CONNECT CONNACK"),
        (0x23, "topic_alias", T::TwoByteInteger, "PUBLISH"),
        (0x24, "maximum_qos", T::Byte, "CONNACK"),
        (0x25, "retain_available", T::Byte, "CONNACK"),
        (0x26, "user_property", T::Utf8StringPair, everywhere),
        (0x27, "maximum_packet_size", T::FourByteInteger, "CONNECT CONNACK"),
        (0x28, "wildcard_subscription_available", T::Byte, "CONNACK"),
        (0x29, "subscription_identifier_available", T::Byte, "CONNACK"),
        (0x2A, "shared_subscription_available", T::Byte, "CONNACK"),
    ];
    let places = PacketType::ALL.map(|packet_type| (packet_type.name(), Place::Packet(packet_type)));
    for (row, (number, name, ty, listed)) in property_rows().iter().zip(expected) {
        assert_eq!((row.id as u8, row.name, row.ty), (number, name, ty));
        for (packet, place) in places.iter().copied().chain([("will", Place::Will)]) {
            let allowed = listed.split_whitespace().any(|listed| listed == packet);
            assert_eq!(row.allowed.contains(place), allowed, "{name} in {packet}");
        }
        let repeat = match name {
            "user_property" => Repeat::Many,
            "subscription_identifier" => Repeat::ManyInPublish,
            _ => Repeat::Once,
        };
        assert_eq!(row.repeat, repeat, "{name}");
        assert!(row.section.starts_with("3."), "{name}");
    }
}

/// The tables of reason codes of 5.0, packet by packet.
#[test]
fn the_reason_code_table() {
    let tables: [(PacketType, &[u8]); 9] = [
        (
            PacketType::Connack,
            &[
                0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ],
        ),
        (PacketType::Puback, &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
        (PacketType::Pubrec, &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
        (PacketType::Pubrel, &[0, 0x92]),
        (PacketType::Pubcomp, &[0, 0x92]),
        (PacketType::Suback, &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
        (PacketType::Unsuback, &[0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
        (
            PacketType::Disconnect,
            &[
                0, 4, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
                0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
            ],
        ),
        (PacketType::Auth, &[0, 0x18, 0x19]),
    ];
    for (packet_type, expected) in tables {
        let codes = ReasonCode::ALL.iter().filter(|code| code.allowed_in(packet_type));
        let codes: Vec<u8> = codes.map(|code| code.as_u8()).collect();
        assert_eq!(codes, expected, "{}", packet_type.name());
    }
    for number in 0..=u8::MAX {
        let code = ReasonCode::from_u8(number);
        assert_eq!(
            code.map(ReasonCode::as_u8),
            ReasonCode::ALL.iter().any(|c| c.as_u8() == number).then_some(number)
        );
    }
}
