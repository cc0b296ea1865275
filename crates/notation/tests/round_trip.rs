//! Any packet prints to a line that reads back to the same packet.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hexmq_notation::{parse_packet, print_packet};
use hexmq_wire::{
    Ack, Auth, Connack, Connect, ControlPacket, Delivery, Disconnect, Frame, Leniency, NoTrace,
    PacketIdentifier, PropertiesBuf, Property, PropertyId, PropertyType, Publish, QoS, ReasonCode,
    RetainHandling, Suback, Subscribe, SubscriptionOptions, SubscriptionsBuf, TopicFiltersBuf, Unsuback,
    Unsubscribe, Version, Will, decode, property_rows,
};
use proptest::prelude::*;

/// Everything a packet may be made of.
#[derive(Clone, Debug)]
struct Parts {
    version: Version,
    packet_type: u8,
    text: [String; 3],
    binary: [Vec<u8>; 2],
    pid: PacketIdentifier,
    keep_alive_s: u16,
    code: usize,
    qos: [QoS; 2],
    flags: [bool; 6],
    properties: [Vec<Filled>; 2],
    subscriptions: Vec<(String, QoS, u8)>,
}

/// A property before its bytes are borrowed.
#[derive(Clone, Debug)]
struct Filled {
    row: usize,
    number: u32,
    text: [String; 2],
    binary: Vec<u8>,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("*".to_owned()),
        Just("0x41".to_owned()),
        Just("a b\"\\=,:#".to_owned()),
        "[a-z/+#$:]{0,12}",
        any::<String>(),
    ]
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..20), text().prop_map(String::into_bytes)]
}

fn filled() -> impl Strategy<Value = Filled> {
    (0..27usize, any::<u32>(), [text(), text()], binary()).prop_map(|(row, number, text, binary)| Filled {
        row,
        number,
        text,
        binary,
    })
}

fn qos() -> impl Strategy<Value = QoS> {
    (0..3u8).prop_map(|bits| QoS::from_bits(bits).unwrap())
}

fn parts() -> impl Strategy<Value = Parts> {
    let properties = || proptest::collection::vec(filled(), 0..5);
    let subscriptions = proptest::collection::vec((text(), qos(), any::<u8>()), 1..4);
    let words = ([text(), text(), text()], [binary(), binary()], [properties(), properties()], subscriptions);
    let numbers = (3..=5u8, 0..15u8, any::<PacketIdentifier>(), any::<u16>(), any::<usize>(), [qos(), qos()]);
    (words, numbers, any::<[bool; 6]>()).prop_map(|(words, numbers, flags)| Parts {
        version: Version::from_level(numbers.0).unwrap(),
        packet_type: numbers.1,
        text: words.0,
        binary: words.1,
        pid: numbers.2,
        keep_alive_s: numbers.3,
        code: numbers.4,
        qos: numbers.5,
        flags,
        properties: words.2,
        subscriptions: words.3,
    })
}

fn property(filled: &Filled) -> Option<Property<'_>> {
    let row = property_rows().get(filled.row)?;
    match row.ty {
        PropertyType::Byte => Property::from_number(row.id, filled.number & 0xff),
        PropertyType::TwoByteInteger => Property::from_number(row.id, filled.number & 0xffff),
        PropertyType::FourByteInteger => Property::from_number(row.id, filled.number),
        PropertyType::VariableByteInteger => Property::from_number(row.id, filled.number & 0xfff_ffff),
        PropertyType::Utf8String => Property::from_bytes(row.id, filled.text[0].as_bytes()),
        PropertyType::BinaryData => Property::from_bytes(row.id, &filled.binary),
        PropertyType::Utf8StringPair => Some(Property::UserProperty(&filled.text[0], &filled.text[1])),
    }
}

fn properties(parts: &Parts, index: usize) -> PropertiesBuf {
    let mut buf = PropertiesBuf::new();
    if parts.version == Version::V5 {
        for filled in &parts.properties[index] {
            let property = property(filled).unwrap();
            // The decoder is not asked here, so any property may stand anywhere.
            assert_eq!(PropertyId::from_u8(property.id() as u8), Some(property.id()));
            buf.push(property).unwrap();
        }
    }
    buf
}

fn reason(parts: &Parts, codes: &[ReasonCode]) -> ReasonCode {
    codes[parts.code % codes.len()]
}

/// Builds the packet of the parts and hands it to `check`.
fn with_packet<R>(parts: &Parts, check: impl FnOnce(&ControlPacket<'_>) -> R) -> R {
    let (own, will_properties) = (properties(parts, 0), properties(parts, 1));
    let properties = own.as_properties();
    let v5 = parts.version == Version::V5;
    let packet_identifier = parts.pid;
    let reason_code = if v5 { reason(parts, ReasonCode::ALL) } else { ReasonCode::Success };
    let ack = Ack { packet_identifier, reason_code, properties };
    let codes = if v5 { vec![0x00, 0x8F, 0x11] } else { vec![0x80, 0x02] };
    let mut subscriptions = SubscriptionsBuf::new();
    let mut filters = TopicFiltersBuf::new();
    for (filter, qos, bits) in &parts.subscriptions {
        let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
        let options = SubscriptionOptions {
            qos: *qos,
            no_local: v5 && bits & 4 != 0,
            retain_as_published: v5 && bits & 8 != 0,
            retain_handling: if v5 { handling[usize::from(bits >> 4) % 3] } else { RetainHandling::Send },
        };
        subscriptions.push(filter, options, parts.version).unwrap();
        filters.push(filter).unwrap();
    }
    let packet = match parts.packet_type {
        0 => return check(&ControlPacket::Connect(connect(parts, &own, &will_properties))),
        1 => {
            let known: Vec<ReasonCode> = (0..6).filter_map(ReasonCode::from_return_code).collect();
            let reason_code = if v5 { reason_code } else { reason(parts, &known) };
            // The byte is reserved in 3.1.
            let session_present = parts.flags[0] && parts.version != Version::V3;
            ControlPacket::Connack(Connack { session_present, reason_code, properties })
        }
        2 => ControlPacket::Publish(publish(parts, &own)),
        3 => ControlPacket::Puback(ack),
        4 => ControlPacket::Pubrec(ack),
        5 => ControlPacket::Pubrel(ack),
        6 => ControlPacket::Pubcomp(ack),
        7 => {
            let subscriptions = subscriptions.as_subscriptions();
            ControlPacket::Subscribe(Subscribe { packet_identifier, properties, subscriptions })
        }
        8 => ControlPacket::Suback(Suback { packet_identifier, properties, reason_codes: &codes }),
        9 => {
            let topic_filters = filters.as_topic_filters();
            ControlPacket::Unsubscribe(Unsubscribe { packet_identifier, properties, topic_filters })
        }
        10 => {
            let reason_codes = if v5 { codes.as_slice() } else { &[] };
            ControlPacket::Unsuback(Unsuback { packet_identifier, properties, reason_codes })
        }
        11 => ControlPacket::Pingreq,
        12 => ControlPacket::Pingresp,
        13 => ControlPacket::Disconnect(Disconnect { reason_code, properties }),
        _ if v5 => ControlPacket::Auth(Auth { reason_code, properties }),
        _ => ControlPacket::Pingreq,
    };
    check(&packet)
}

fn connect<'a>(parts: &'a Parts, own: &'a PropertiesBuf, will_properties: &'a PropertiesBuf) -> Connect<'a> {
    let will = Will {
        topic: &parts.text[1],
        payload: &parts.binary[0],
        qos: parts.qos[1],
        retain: parts.flags[1],
        properties: will_properties.as_properties(),
    };
    Connect {
        version: parts.version,
        clean_start: parts.flags[2],
        keep_alive_s: parts.keep_alive_s,
        client_identifier: &parts.text[0],
        will: parts.flags[3].then_some(will),
        user_name: parts.flags[4].then_some(parts.text[2].as_str()),
        password: parts.flags[5].then_some(parts.binary[1].as_slice()),
        properties: own.as_properties(),
    }
}

fn publish<'a>(parts: &'a Parts, own: &'a PropertiesBuf) -> Publish<'a> {
    let delivery = match parts.qos[0] {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(parts.pid),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(parts.pid),
    };
    Publish {
        dup: parts.flags[0] && delivery != Delivery::AtMostOnce,
        delivery,
        retain: parts.flags[1],
        topic_name: &parts.text[0],
        properties: own.as_properties(),
        payload: &parts.binary[0],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_printed_packet_reads_back(parts in parts()) {
        with_packet(&parts, |packet| {
            let line = print_packet(packet, parts.version);
            let record = parse_packet(&line, parts.version).map_err(|error| TestCaseError::fail(format!("{line}\n{error}")))?;
            prop_assert_eq!(&record.to_string(), &line);
            let mut bytes = Vec::new();
            packet.encode(parts.version, &mut bytes).unwrap();
            prop_assert_eq!(record.encode().unwrap(), bytes.clone(), "{}", line);
            // Where the packet is a lawful one, decoding agrees as well.
            if let Ok(decoded) = decode(Frame::new(&bytes), parts.version, &Leniency::default(), &mut NoTrace) {
                prop_assert_eq!(print_packet(&decoded, parts.version), line);
            }
            Ok(())
        })?;
    }

    #[test]
    fn any_text_is_read_or_refused(line in "(CONNECT v5|PUBLISH|SUBSCRIBE|SUBACK|hex)?( ?(id|topic|pid|filter|codes|user_property|\\.\\.\\.|v4|=|\"|0x|\\*|[0-9]{1,3}|#|\\\\|\\PC)){0,12}") {
        let _ = parse_packet(&line, Version::V5);
        let _ = hexmq_notation::parse_pattern(&line, Version::V4);
        let _ = hexmq_notation::Transcript::parse("any", &format!("=== x\na > {line}\na < {line}\n{line}"));
    }
}
