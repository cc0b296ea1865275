//! What a packet costs: `cargo bench -p hexmq-wire --bench packets [-- WORD]`.
//!
//! ns per packet; under callgrind the counts are exact, see `cargo xtask instructions`.

use std::hint::black_box;
use std::num::NonZeroU16;
use std::ops::ControlFlow;

use hexmq_wire::{
    Ack, Connack, Connect, ControlPacket, Delivery, Frame, Framer, Leniency, NoTrace, Properties,
    PropertiesBuf, Property, Publish, PublishParts, QoS, ReasonCode, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, Version, Will, decode, decode_publish, encode_publish,
};
use scenario::Scenario;

mod scenario;

/// Packets of one turn.
const MANY: u32 = 100;
/// Packets of one count.
const COUNT: u32 = 10_000;
/// The buffer a shard reads into.
const READ_BYTES: usize = 64 << 10;

const TOPIC: &str = "fleet/7/device42/telemetry";
const IDENTIFIER: NonZeroU16 = NonZeroU16::MIN;
const Q0: Delivery = Delivery::AtMostOnce;
const Q1: Delivery = Delivery::AtLeastOnce(IDENTIFIER);

fn main() {
    let mut scenarios = decoding();
    scenarios.extend(encoding());
    scenarios.push(framing("frame-whole", READ_BYTES));
    scenarios.push(framing("frame-cut", 1_000));
    scenario::main(&scenarios);
}

fn decoding() -> Vec<Scenario> {
    let (v4, v5) = (Version::V4, Version::V5);
    let puback = || ControlPacket::Puback(Ack::success(IDENTIFIER));
    vec![
        decoded("decode-publish-q0-v4", v4, || bytes(&publish(Q0, Properties::EMPTY), Version::V4)),
        decoded("decode-publish-q1-v4", v4, || bytes(&publish(Q1, Properties::EMPTY), Version::V4)),
        decoded("decode-publish-q0-v5", v5, || bytes(&publish(Q0, Properties::EMPTY), Version::V5)),
        decoded("decode-publish-q1-v5", v5, || bytes(&publish(Q1, Properties::EMPTY), Version::V5)),
        decoded("decode-publish-q0-properties", v5, || {
            bytes(&publish(Q0, request().as_properties()), Version::V5)
        }),
        decoded("decode-publish-q1-properties", v5, || {
            bytes(&publish(Q1, request().as_properties()), Version::V5)
        }),
        known(),
        decoded("decode-puback-v4", v4, move || bytes(&puback(), Version::V4)),
        decoded("decode-puback-v5", v5, move || bytes(&puback(), Version::V5)),
        decoded("decode-connect-v4", v4, || connect(Version::V4)),
        decoded("decode-connect-v5", v5, || connect(Version::V5)),
        decoded("decode-subscribe-v4", v4, || subscribe(Version::V4)),
        decoded("decode-subscribe-v5", v5, || subscribe(Version::V5)),
    ]
}

fn decoded(name: &'static str, version: Version, make: impl Fn() -> Vec<u8> + 'static) -> Scenario {
    Scenario::new(name, COUNT, MANY, move |_| {
        let packet = make();
        Box::new(move |_| {
            (0..MANY)
                .filter(|_| {
                    let frame = Frame::new(black_box(&packet));
                    black_box(decode(frame, version, &Leniency::default(), &mut NoTrace)).is_ok()
                })
                .count() as u32
        })
    })
}

/// A PUBLISH with the topic that its publisher sent last.
fn known() -> Scenario {
    Scenario::new("decode-publish-known-q0-v4", COUNT, MANY, move |_| {
        let packet = bytes(&publish(Q0, Properties::EMPTY), Version::V4);
        Box::new(move |_| {
            (0..MANY)
                .filter(|_| {
                    let frame = Frame::new(black_box(&packet)).knowing(TOPIC);
                    black_box(decode_publish(frame, Version::V4, &mut NoTrace)).is_ok()
                })
                .count() as u32
        })
    })
}

fn encoding() -> Vec<Scenario> {
    let (v4, v5) = (Version::V4, Version::V5);
    vec![
        encoded("encode-publish-q0-v4", move || {
            move |out| publish(Q0, Properties::EMPTY).encode(v4, out).is_ok()
        }),
        encoded("encode-publish-q1-properties", move || {
            let properties = request();
            move |out| publish(Q1, properties.as_properties()).encode(v5, out).is_ok()
        }),
        encoded("encode-delivery-q1-v4", move || move |out| delivery(Properties::EMPTY, v4, out)),
        encoded("encode-delivery-q1-properties", move || {
            let properties = request();
            move |out| delivery(properties.as_properties(), v5, out)
        }),
        encoded("encode-puback-v4", move || {
            move |out| ControlPacket::Puback(Ack::success(black_box(IDENTIFIER))).encode(v4, out).is_ok()
        }),
        encoded("encode-connack-v4", move || move |out| connack(Properties::EMPTY).encode(v4, out).is_ok()),
        encoded("encode-connack-v5", move || {
            let properties = made_of(&[
                Property::ReceiveMaximum(1024),
                Property::TopicAliasMaximum(64),
                Property::AssignedClientIdentifier("hexmq-0123456789abcdef"),
            ]);
            move |out| connack(properties.as_properties()).encode(v5, out).is_ok()
        }),
    ]
}

/// `prepare` gives what appends one packet and says whether it could.
fn encoded<E: Fn(&mut Vec<u8>) -> bool + 'static>(
    name: &'static str,
    prepare: impl Fn() -> E + 'static,
) -> Scenario {
    Scenario::new(name, COUNT, MANY, move |_| {
        let encode = prepare();
        let mut out = Vec::new();
        Box::new(move |_| {
            out.clear();
            let done = (0..MANY).filter(|_| encode(black_box(&mut out))).count() as u32;
            black_box(&out);
            done
        })
    })
}

/// A buffer full of packets of 80 bytes, in reads of so many bytes.
fn framing(name: &'static str, read_bytes: usize) -> Scenario {
    let packet = bytes(&sized_80(), Version::V4);
    assert_eq!(packet.len(), 80);
    let buffer = packet.repeat(READ_BYTES / 80);
    let per_turn = (READ_BYTES / 80) as u32;
    Scenario::new(name, 20 * per_turn, per_turn, move |_| {
        let buffer = buffer.clone();
        let mut framer = Framer::new(u32::MAX);
        Box::new(move |_| {
            let mut frames = 0;
            for read in buffer.chunks(read_bytes) {
                let fed = framer.feed::<()>(black_box(read), |frame| {
                    frames += 1;
                    black_box(frame);
                    ControlFlow::Continue(())
                });
                assert!(fed.is_ok_and(|fed| fed.consumed == read.len()), "packets without a fault");
            }
            frames
        })
    })
}

fn publish(delivery: Delivery, properties: Properties<'_>) -> ControlPacket<'_> {
    ControlPacket::Publish(Publish {
        dup: false,
        delivery,
        retain: false,
        topic_name: TOPIC,
        properties,
        payload: &[b'x'; 64],
    })
}

fn sized_80() -> ControlPacket<'static> {
    ControlPacket::Publish(Publish {
        dup: false,
        delivery: Q0,
        retain: false,
        topic_name: "load/0000/data",
        properties: Properties::EMPTY,
        payload: &[b'x'; 62],
    })
}

/// As a server sends it.
fn delivery(properties: Properties<'_>, version: Version, out: &mut Vec<u8>) -> bool {
    let parts = PublishParts {
        topic_name: TOPIC,
        qos: QoS::AtLeastOnce,
        dup: false,
        retain: false,
        properties,
        message_expiry_interval: None,
        topic_alias: None,
        subscription_identifiers: &[],
        payload: &[b'x'; 64],
    };
    encode_publish(black_box(&parts), version, out).is_ok()
}

/// What a request carries.
fn request() -> PropertiesBuf {
    made_of(&[
        Property::PayloadFormatIndicator(1),
        Property::ContentType("application/json"),
        Property::ResponseTopic("fleet/7/device42/answer"),
        Property::CorrelationData(b"0123456789abcdef"),
        Property::UserProperty("trace", "4bf92f3577b34da6"),
    ])
}

fn made_of(properties: &[Property<'_>]) -> PropertiesBuf {
    let mut buf = PropertiesBuf::new();
    properties.iter().for_each(|&property| buf.push(property).expect("it fits"));
    buf
}

fn connack(properties: Properties<'_>) -> ControlPacket<'_> {
    ControlPacket::Connack(Connack {
        session_present: false,
        reason_code: black_box(ReasonCode::Success),
        properties,
    })
}

fn connect(version: Version) -> Vec<u8> {
    let properties = match version {
        Version::V5 => made_of(&[Property::SessionExpiryInterval(3600), Property::ReceiveMaximum(100)]),
        _ => PropertiesBuf::new(),
    };
    let connect = Connect {
        version,
        clean_start: false,
        keep_alive_s: 60,
        client_identifier: "fleet-7-device42",
        will: Some(Will {
            topic: "fleet/7/device42/status",
            payload: b"offline",
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        user_name: Some("device42"),
        password: Some(b"correct horse battery staple"),
        properties: properties.as_properties(),
    };
    bytes(&ControlPacket::Connect(connect), version)
}

/// Three filters.
fn subscribe(version: Version) -> Vec<u8> {
    let mut subscriptions = SubscriptionsBuf::new();
    for filter in ["fleet/7/device42/command", "fleet/7/+/notice", "fleet/7/#"] {
        let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() };
        subscriptions.push(filter, options, version).expect("it fits");
    }
    let subscribe = Subscribe {
        packet_identifier: IDENTIFIER,
        properties: Properties::EMPTY,
        subscriptions: subscriptions.as_subscriptions(),
    };
    bytes(&ControlPacket::Subscribe(subscribe), version)
}

fn bytes(packet: &ControlPacket<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).expect("it fits");
    bytes
}
