//! The packets of the tutorials and of vendors' firmware, as an independent decoder read them.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod common;

use common::{Node, Owned, explain, find, hex};
use hexmq_wire::{
    FrameError, FrameStatus, PacketType, Severity, Version, encode_remaining_length, scan_frame,
};
use serde_json::Value as Json;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap()
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}"))
}

/// Both lists of packets.
fn packets(vectors: &Json) -> Vec<&Json> {
    let lists = [&vectors["tutorial_packets"], &vectors["firmware_packets"]];
    lists.into_iter().flat_map(|list| list.as_array().unwrap()).collect()
}

fn version(json: &Json) -> Version {
    Version::from_level(json.as_u64().unwrap() as u8).unwrap()
}

fn equals(value: &Owned, expected: &Json) -> bool {
    match value {
        Owned::Group => false,
        Owned::Number(number) => expected.as_u64() == Some(*number),
        Owned::Flag(flag) => expected.as_bool() == Some(*flag),
        Owned::Text(text) => expected.as_str() == Some(text),
        Owned::Bytes(bytes) => expected.as_str().map(str::as_bytes) == Some(bytes),
    }
}

fn assert_field(id: &str, fields: &[Node], name: &str, expected: &Json) {
    let node = find(fields, name).unwrap_or_else(|| panic!("{id}: no field {name}"));
    assert!(equals(&node.value, expected), "{id}: {name} is {:?}, not {expected}", node.value);
}

/// Bit fields are listed as an object, `value` in hex among them.
fn assert_bits(id: &str, group: &Node, expected: &Json) {
    for (name, value) in expected.as_object().unwrap() {
        if name == "value" {
            let byte = hex(value.as_str().unwrap())[0];
            assert_eq!(group.value, Owned::Number(u64::from(byte)), "{id}");
        } else {
            assert_field(id, &group.fields, name, value);
        }
    }
}

/// Lists are groups of groups, or of fields.
fn assert_list(id: &str, group: &Node, expected: &[Json]) {
    assert_eq!(group.fields.len(), expected.len(), "{id}: entries of {}", group.name);
    for (node, entry) in group.fields.iter().zip(expected) {
        match entry.as_object() {
            Some(entry) => {
                for (name, value) in entry {
                    assert_field(id, &node.fields, name, value);
                }
            }
            None => assert!(equals(&node.value, entry), "{id}: {:?} is not {entry}", node.value),
        }
    }
}

fn assert_decoded(id: &str, bytes: &[u8], fields: &[Node], decoded: &Json) {
    for (name, expected) in decoded.as_object().unwrap() {
        match (name.as_str(), expected) {
            // Not fields: how the packet was read.
            ("version", _) => {}
            ("type", _) => {
                let number = find(fields, "packet_type").map(|node| node.value.clone());
                let packet_type = PacketType::from_name(expected.as_str().unwrap()).unwrap();
                assert_eq!(number, Some(Owned::Number(packet_type as u64)), "{id}");
            }
            ("remaining_length_bytes", _) => {
                let node = find(fields, "remaining_length").unwrap();
                assert_eq!(
                    bytes[node.offset..node.offset + node.length],
                    hex(expected.as_str().unwrap()),
                    "{id}"
                );
            }
            ("payload_hex", _) => {
                let payload = find(fields, "payload").map(|node| node.value.clone());
                let expected = hex(expected.as_str().unwrap());
                assert_eq!(payload.unwrap_or(Owned::Bytes(Vec::new())), Owned::Bytes(expected), "{id}");
            }
            // An empty payload has no byte to show.
            ("payload", Json::String(payload)) if payload.is_empty() => {}
            (name, Json::Object(_)) => assert_bits(id, find(fields, name).unwrap(), expected),
            (name, Json::Array(entries)) => assert_list(id, find(fields, name).unwrap(), entries),
            (name, _) => assert_field(id, fields, name, expected),
        }
    }
}

/// Entries of `lint` the decoder answers for: suspicions are the workbench's.
fn expected_faults(lint: &Json) -> Vec<(String, String, Option<String>, u64, u64)> {
    let entries = lint.as_array().unwrap().iter();
    entries
        .filter(|entry| matches!(text(entry, "severity"), "fault" | "warning"))
        .map(|entry| {
            (
                text(entry, "code").to_owned(),
                text(entry, "severity").to_owned(),
                entry["statement"].as_str().map(str::to_owned),
                entry["offset"].as_u64().unwrap(),
                entry["length"].as_u64().unwrap(),
            )
        })
        .collect()
}

fn found_faults(faults: &[hexmq_wire::Fault]) -> Vec<(String, String, Option<String>, u64, u64)> {
    let entry = |fault: &hexmq_wire::Fault| {
        let severity = if fault.severity == Severity::Fault { "fault" } else { "warning" };
        (
            fault.code.name().to_owned(),
            severity.to_owned(),
            fault.statement.map(str::to_owned),
            fault.offset as u64,
            fault.length as u64,
        )
    };
    faults.iter().map(entry).collect()
}

#[test]
fn every_packet_has_the_fields_given() {
    let vectors = vectors();
    let packets = packets(&vectors);
    assert!(packets.len() > 60, "{} packets", packets.len());
    for packet in packets {
        let (id, bytes) = (text(packet, "id"), hex(text(packet, "hex")));
        let (recorder, result) = explain(&bytes, version(&packet["decoded"]["version"]));
        assert_decoded(id, &bytes, &recorder.fields, &packet["decoded"]);
        assert!(result.is_ok(), "{id}: {result:?}");
        assert_eq!(recorder.open_groups(), 0, "{id}");
    }
}

#[test]
fn every_packet_has_the_faults_listed_and_no_others() {
    let vectors = vectors();
    for packet in packets(&vectors) {
        let (id, bytes) = (text(packet, "id"), hex(text(packet, "hex")));
        let (recorder, _) = explain(&bytes, version(&packet["decoded"]["version"]));
        assert_eq!(found_faults(&recorder.faults), expected_faults(&packet["lint"]), "{id}");
    }
}

/// Each packet of a dialogue that is wrong only as a whole is clean by itself.
#[test]
fn faults_of_dialogues_are_not_the_decoders() {
    let vectors = vectors();
    for dialogue in vectors["dialogue_lint"].as_array().unwrap() {
        let id = text(dialogue, "packet");
        let packet = packets(&vectors).into_iter().find(|packet| text(packet, "id") == id).unwrap();
        let (recorder, _) = explain(&hex(text(packet, "hex")), Version::V4);
        assert_eq!(recorder.faults, [], "{id}");
    }
}

/// A packet of type 0 with this Remaining Length, and a body of `body` bytes.
fn with_length(length: &[u8], body: usize) -> Vec<u8> {
    [&[0x30][..], length, &vec![0; body]].concat()
}

#[test]
fn remaining_lengths_that_are_valid() {
    for entry in vectors()["remaining_length"]["valid"].as_array().unwrap() {
        let (value, bytes) = (entry["value"].as_u64().unwrap() as u32, hex(text(entry, "hex")));
        let mut encoded = Vec::new();
        encode_remaining_length(value, &mut encoded);
        assert_eq!(encoded, bytes);
        let status = scan_frame(&with_length(&bytes, 0), u32::MAX);
        let length = 1 + bytes.len() + value as usize;
        let expected = if value == 0 {
            FrameStatus::Whole { length }
        } else {
            FrameStatus::Needs { at_least: value as usize }
        };
        assert_eq!(status, Ok(expected));
    }
}

#[test]
fn remaining_lengths_that_are_not() {
    for entry in vectors()["remaining_length"]["invalid"].as_array().unwrap() {
        let status = scan_frame(&with_length(&hex(text(entry, "hex")), 0), u32::MAX);
        if text(entry, "why").contains("five bytes") {
            assert_eq!(status, Err(FrameError::RemainingLengthTooLong), "{entry}");
        } else {
            assert_eq!(status, Ok(FrameStatus::Needs { at_least: 1 }), "{entry}");
        }
    }
}

/// [V5 MQTT-1.5.5-1]
#[test]
fn remaining_lengths_that_are_odd() {
    for entry in vectors()["remaining_length"]["odd"].as_array().unwrap() {
        let bytes = hex(text(&entry["example"], "hex"));
        for (level, lint) in entry["example"]["lint_by_version"].as_object().unwrap() {
            let version = Version::from_level(level.parse().unwrap()).unwrap();
            let (recorder, _) = explain(&bytes, version);
            assert_eq!(found_faults(&recorder.faults), expected_faults(lint), "version {level}");
            let accepted = common::read(&bytes, version).is_ok();
            assert_eq!(Some(accepted), entry["accepted"][level].as_bool(), "version {level}");
        }
    }
}
