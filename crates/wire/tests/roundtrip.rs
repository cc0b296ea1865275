//! What holds for every packet, and for every sequence of bytes.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod common;

use common::packets::ingredients;
use common::{Node, Recorder, explain, read};
use hexmq_wire::{
    ControlPacket, Frame, FrameStatus, Leniency, PacketType, PublishParts, QoS, Version, decode,
    encode_publish, patch_packet_identifier, scan_frame,
};
use proptest::prelude::*;

fn encoded(packet: &ControlPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = vec![0xEE];
    packet.encode(version, &mut out).unwrap();
    // What was in the buffer stays.
    assert_eq!(out.remove(0), 0xEE);
    out
}

/// First bit and number of bits of every field without fields, in the order told.
fn leaves(nodes: &[Node], into: &mut Vec<(&'static str, usize, usize)>) {
    for node in nodes {
        if node.group {
            leaves(&node.fields, into);
        } else if let Some((low, width)) = node.bits {
            into.push((node.name, node.offset * 8 + 8 - usize::from(low + width), usize::from(width)));
        } else {
            into.push((node.name, node.offset * 8, node.length * 8));
        }
    }
}

/// Every bit belongs to exactly one field, in order.
fn assert_tiles(recorder: &Recorder, length: usize) {
    let mut fields = Vec::new();
    leaves(&recorder.fields, &mut fields);
    let mut at = 0;
    for (name, begin, bits) in fields {
        assert_eq!(begin, at, "{name} begins at bit {begin}, not at {at}");
        at += bits;
    }
    assert_eq!(at, length * 8);
}

/// Every group spans what it holds.
fn assert_groups_span(nodes: &[Node]) {
    for node in nodes.iter().filter(|node| node.group && node.bits.is_none()) {
        if let (Some(first), Some(last)) = (node.fields.first(), node.fields.last()) {
            assert_eq!(node.offset, first.offset, "{}", node.name);
            assert_eq!(node.offset + node.length, last.offset + last.length, "{}", node.name);
        }
        assert_groups_span(&node.fields);
    }
}

/// The strict reader with fields and the one without say the same.
fn assert_traces_agree(bytes: &[u8], version: Version) {
    let mut recorder = Recorder { strict: true, ..Recorder::default() };
    let traced = decode(Frame::new(bytes), version, &Leniency::default(), &mut recorder);
    assert_eq!(traced, read(bytes, version));
}

/// Whatever is read writes back to something that reads the same.
fn assert_reads_back(bytes: &[u8], version: Version) {
    let Ok(packet) = read(bytes, version) else { return };
    let again = encoded(&packet, version);
    assert_eq!(read(&again, version), Ok(packet));
    assert!(again.len() <= bytes.len(), "the shortest form is not longer");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(ingredients in ingredients()) {
        ingredients.cook(|packet| {
            let version = ingredients.version;
            let bytes = encoded(&packet, version);
            assert_eq!(packet.encoded_size(version), bytes.len() as u64);
            assert_eq!(scan_frame(&bytes, u32::MAX), Ok(FrameStatus::Whole { length: bytes.len() }));
            assert_eq!(read(&bytes, version), Ok(packet));
            let (recorder, result) = explain(&bytes, version);
            assert_eq!(result, Ok(packet));
            assert_eq!(recorder.faults, []);
            assert_eq!(recorder.wrong_ends, []);
            assert_tiles(&recorder, bytes.len());
            assert_groups_span(&recorder.fields);
        });
    }

    /// A packet with some bytes changed, cut short, or with more behind it.
    #[test]
    fn damaged_packets_are_read_safely(
        ingredients in ingredients(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u8>(), 0..3),
        version in 0..3usize,
    ) {
        let mut bytes = ingredients.cook(|packet| encoded(&packet, ingredients.version));
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let cut = cut.index(2 * bytes.len());
        if cut < bytes.len() {
            bytes.truncate(cut);
        }
        bytes.extend(more);
        for version in [ingredients.version, common::VERSIONS[version]] {
            assert_traces_agree(&bytes, version);
            assert_reads_back(&bytes, version);
            let (recorder, explained) = explain(&bytes, version);
            // Explaining fails only where serving fails.
            if let Ok(packet) = read(&bytes, version) {
                assert_eq!(explained, Ok(packet));
            }
            for fault in recorder.faults {
                assert!(fault.offset + fault.length <= bytes.len(), "{fault:?}");
            }
        }
    }

    #[test]
    fn any_bytes_are_read_safely(bytes in prop::collection::vec(any::<u8>(), 0..64), version in 0..3usize) {
        let version = common::VERSIONS[version];
        assert_traces_agree(&bytes, version);
        assert_reads_back(&bytes, version);
        let _ = explain(&bytes, version);
    }

    /// The parts a server sends are the packet they stand for.
    #[test]
    fn publish_parts_are_a_publish(
        ingredients in ingredients(),
        expiry: Option<u32>,
        alias: Option<std::num::NonZeroU16>,
        identifiers in prop::collection::vec(1..=268_435_455u32, 0..3),
        packet_identifier: std::num::NonZeroU16,
    ) {
        let ingredients = ingredients.with_type(PacketType::Publish);
        ingredients.cook(|packet| {
            let ControlPacket::Publish(publish) = packet else { return };
            let mut forwarded = Vec::new();
            publish.properties.copy_forwarded(&mut forwarded);
            let parts = PublishParts {
                // An alias that stands for the name has been looked up.
                topic_name: if publish.topic_name.is_empty() { "a" } else { publish.topic_name },
                qos: publish.qos(),
                dup: publish.dup,
                retain: publish.retain,
                properties: hexmq_wire::Properties::from_stored(&forwarded),
                message_expiry_interval: expiry,
                topic_alias: alias.map(Into::into),
                subscription_identifiers: &identifiers,
                payload: publish.payload,
            };
            let mut out = vec![1, 2, 3];
            let offset = encode_publish(&parts, ingredients.version, &mut out).unwrap();
            assert_eq!(offset.is_some(), parts.qos != QoS::AtMostOnce);
            if let Some(offset) = offset {
                patch_packet_identifier(&mut out, offset, packet_identifier);
            }
            let Ok(ControlPacket::Publish(sent)) = read(&out[3..], ingredients.version) else {
                panic!("{:?}", read(&out[3..], ingredients.version));
            };
            assert_eq!((sent.topic_name, sent.payload), (parts.topic_name, publish.payload));
            assert_eq!((sent.dup, sent.retain, sent.qos()), (publish.dup, publish.retain, publish.qos()));
            assert_eq!(sent.delivery.packet_identifier(), offset.map(|_| packet_identifier));
            if ingredients.version == Version::V5 {
                assert_eq!(sent.properties.message_expiry_interval(), expiry);
                assert_eq!(sent.properties.topic_alias(), alias.map(Into::into));
                assert!(sent.properties.subscription_identifiers().eq(identifiers.iter().copied()));
                assert!(sent.properties.user_properties().eq(publish.properties.user_properties()));
                assert_eq!(sent.properties.content_type(), publish.properties.content_type());
                assert_eq!(sent.properties.correlation_data(), publish.properties.correlation_data());
            } else {
                assert!(sent.properties.is_empty());
            }
        });
    }

    /// Properties go on as they are where a copy without those of one hop would be the same.
    #[test]
    fn forwarded_is_all_or_less(ingredients in ingredients()) {
        ingredients.with_type(PacketType::Publish).cook(|packet| {
            let ControlPacket::Publish(publish) = packet else { return };
            let mut forwarded = Vec::new();
            publish.properties.copy_forwarded(&mut forwarded);
            assert_eq!(publish.properties.are_forwarded(), forwarded == publish.properties.as_bytes());
        });
    }

    /// A known topic name changes nothing but the work: not what the same name, another one, or any bytes mean.
    #[test]
    fn a_known_topic_changes_no_meaning(
        ingredients in ingredients(),
        other in "[a-z/]{0,6}",
        garble in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let ingredients = ingredients.with_type(PacketType::Publish);
        ingredients.cook(|packet| {
            let ControlPacket::Publish(publish) = packet else { return };
            let mut bytes = encoded(&packet, ingredients.version);
            if let Some((place, byte)) = &garble {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            let lenient = Leniency::default();
            let plain = decode(Frame::new(&bytes), ingredients.version, &lenient, &mut hexmq_wire::NoTrace);
            for known in [publish.topic_name, &other, ""] {
                let frame = Frame::new(&bytes).knowing(known);
                let knowing = decode(frame, ingredients.version, &lenient, &mut hexmq_wire::NoTrace);
                assert_eq!(format!("{plain:?}"), format!("{knowing:?}"), "known: {known:?}");
            }
        });
    }
}
