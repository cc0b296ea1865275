//! Every packet of the vectors is explained with the fields and the faults given there.

use std::path::Path;

use hexmq_wire::Version;
use hexmq_workbench::{Dialogue, Finding, Options, Outcome, Severity, Side, explain, parse_hex};
use serde_json::{Value, json};

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

fn packets(vectors: &Value) -> Vec<&Value> {
    ["tutorial_packets", "firmware_packets"]
        .iter()
        .flat_map(|list| vectors[list].as_array().expect("the shape of the vectors"))
        .collect()
}

fn side(direction: &Value) -> Option<Side> {
    match direction.as_str() {
        Some("C->S") => Some(Side::Client),
        Some("S->C") => Some(Side::Server),
        _ => None,
    }
}

/// The explanation of a hex string as JSON, read as 3.1.1.
fn explained(hex: &Value, direction: &Value, version: Version) -> Value {
    let bytes = parse_hex(hex.as_str().expect("the shape of the vectors")).expect("the shape of the vectors");
    let options = Options { from: side(direction), version: Some(version), ..Options::default() };
    explain(&bytes, &options).to_json()
}

/// All values of the fields of this name, at any depth.
fn values<'a>(fields: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    for field in fields.as_array().expect("the shape of the vectors") {
        if field["name"] == name {
            found.push(&field["value"]);
        }
        values(&field["fields"], name, found);
    }
}

fn all<'a>(packet: &'a Value, name: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    values(&packet["fields"], name, &mut found);
    found
}

#[test]
fn fields_are_those_of_the_vectors() {
    let vectors = vectors();
    for vector in packets(&vectors) {
        let explanation = explained(&vector["hex"], &vector["direction"], Version::V4);
        let id = &vector["id"];
        assert_eq!(explanation["packets"].as_array().expect("the shape of the vectors").len(), 1, "{id}");
        assert_eq!(explanation["rest"], Value::Null, "{id}");
        let packet = &explanation["packets"][0];
        for (name, expected) in vector["decoded"].as_object().expect("the shape of the vectors") {
            check_field(id, packet, name, expected);
        }
    }
}

fn check_field(id: &Value, packet: &Value, name: &str, expected: &Value) {
    match name {
        "type" | "version" => assert_eq!(&packet[name], expected, "{id} {name}"),
        "remaining_length_bytes" | "payload_hex" => {}
        "flags" | "connect_flags" => {
            for (flag, expected) in expected
                .as_object()
                .expect("the shape of the vectors")
                .iter()
                .filter(|(flag, _)| *flag != "value")
            {
                assert!(all(packet, flag).contains(&expected), "{id} {name} {flag}");
            }
        }
        "subscriptions" => {
            for (key, name) in [("topic_filter", "topic_filter"), ("requested_qos", "requested_qos")] {
                let expected: Vec<_> = expected
                    .as_array()
                    .expect("the shape of the vectors")
                    .iter()
                    .map(|entry| &entry[key])
                    .collect();
                assert_eq!(all(packet, name), expected, "{id} {name}");
            }
        }
        "topic_filters" => {
            assert_eq!(json!(all(packet, "topic_filter")), *expected, "{id} {name}");
        }
        "return_codes" => assert_eq!(json!(all(packet, "return_code")), *expected, "{id} {name}"),
        "payload" if expected == "" => assert!(all(packet, "payload").is_empty(), "{id} {name}"),
        _ => assert_eq!(all(packet, name), [expected], "{id} {name}"),
    }
}

#[test]
fn faults_and_warnings_are_exactly_those_of_the_vectors() {
    let vectors = vectors();
    for vector in packets(&vectors) {
        let explanation = explained(&vector["hex"], &vector["direction"], Version::V4);
        let lint = vector["lint"].as_array().expect("the shape of the vectors");
        check_findings(&vector["id"], &explanation["packets"][0]["faults"], lint, Version::V4);
    }
}

#[test]
fn an_overlong_length_is_a_fault_only_in_5_0() {
    let vectors = vectors();
    for odd in vectors["remaining_length"]["odd"].as_array().expect("the shape of the vectors") {
        let example = &odd["example"];
        for (level, lint) in example["lint_by_version"].as_object().expect("the shape of the vectors") {
            let version = Version::from_level(level.parse().expect("the shape of the vectors"))
                .expect("the shape of the vectors");
            let explanation = explained(&example["hex"], &example["direction"], version);
            check_findings(
                level,
                &explanation["packets"][0]["faults"],
                lint.as_array().expect("the shape of the vectors"),
                version,
            );
        }
    }
}

fn check_findings(id: impl std::fmt::Display, found: &Value, lint: &[Value], version: Version) {
    let expected = lint;
    let found = found.as_array().expect("the shape of the vectors");
    assert_eq!(found.len(), expected.len(), "{id}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        for key in ["code", "severity", "statement", "offset", "length", "repair_hex"] {
            assert_eq!(found[key], expected[key], "{id} {key}");
        }
        let repaired = parse_hex(found["repair_hex"].as_str().expect("the shape of the vectors"))
            .expect("the shape of the vectors");
        let options = Options { version: Some(version), ..Options::default() };
        let explanation = explain(&repaired, &options);
        assert_eq!(explanation.findings().count(), 0, "{id}: the repair is clean");
        assert_eq!(explanation.outcome(), Outcome::Clean, "{id}");
    }
}

#[test]
fn the_version_and_the_sides_are_found_out() {
    let vectors = vectors();
    for vector in packets(&vectors) {
        let bytes = parse_hex(vector["hex"].as_str().expect("the shape of the vectors"))
            .expect("the shape of the vectors");
        let explanation = explain(&bytes, &Options::default());
        let packet = &explanation.packets[0];
        assert_eq!(packet.version, Version::V4, "{}", vector["id"]);
        if let (Some(found), Some(side)) = (packet.from, side(&vector["direction"])) {
            assert_eq!(found, side, "{}", vector["id"]);
        }
        let worst = explanation.findings().map(|finding| finding.severity).max();
        assert_eq!(
            explanation.outcome() == Outcome::Clean,
            worst < Some(Severity::Suspicion),
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn all_packets_together_are_one_stream() {
    let vectors = vectors();
    let list: Vec<&Value> = packets(&vectors)
        .into_iter()
        .filter(|vector| vector["lint"].as_array().expect("the shape of the vectors").is_empty())
        .collect();
    let mut bytes = Vec::new();
    let mut offsets = Vec::new();
    for vector in &list {
        offsets.push(bytes.len());
        bytes.extend(
            parse_hex(vector["hex"].as_str().expect("the shape of the vectors"))
                .expect("the shape of the vectors"),
        );
    }
    let explanation = explain(&bytes, &Options { version: Some(Version::V4), ..Options::default() });
    let found: Vec<usize> = explanation.packets.iter().map(|packet| packet.offset).collect();
    assert_eq!(found, offsets);
    assert!(explanation.skipped.is_empty() && explanation.rest.is_none());
    let by_dialogue = ["session_present_after_clean_session", "granted_qos_above_requested"];
    for finding in explanation.findings() {
        assert!(by_dialogue.contains(&finding.code), "each packet alone is clean: {finding:?}");
    }
}

#[test]
fn what_a_dialogue_shows_is_exactly_that_of_the_vectors() {
    let vectors = vectors();
    let list = packets(&vectors);
    let by_id =
        |id: &Value| list.iter().find(|vector| vector["id"] == *id).expect("the shape of the vectors");
    for entry in vectors["dialogue_lint"].as_array().expect("the shape of the vectors") {
        let said: Vec<&&Value> =
            entry["packets"].as_array().expect("the shape of the vectors").iter().map(by_id).collect();
        let bytes: Vec<Vec<u8>> = said
            .iter()
            .map(|vector| parse_hex(vector["hex"].as_str().expect("the shape of the vectors")).expect("hex"))
            .collect();
        // Fed packet by packet, with the sides known.
        let mut dialogue = Dialogue::joined(Version::V4);
        let mut found = Vec::new();
        for (vector, frame) in said.iter().zip(&bytes) {
            found.extend(dialogue.packet(side(&vector["direction"]).expect("a side"), None, frame));
        }
        let at_fault = said.iter().position(|vector| vector["id"] == entry["packet"]).expect("a packet");
        assert_eq!(found.len(), 1, "{entry}: {found:?}");
        assert_eq!(found[0].packet as usize, at_fault, "{entry}");
        let finding = found[0].to_finding(0, Default::default());
        check_dialogue_finding(entry, &finding, 0);
        // Pasted as one stream, with the sides found out.
        let stream = bytes.concat();
        let explanation = explain(&stream, &Options::default());
        let offset: usize = bytes[..at_fault].iter().map(Vec::len).sum();
        let all: Vec<_> = explanation.findings().collect();
        assert_eq!(all.len(), 1, "{entry}: {all:?}");
        assert_eq!(explanation.packets[at_fault].findings.len(), 1, "{entry}");
        check_dialogue_finding(entry, all[0], offset);
        assert_eq!(explanation.outcome(), Outcome::Faulty);
    }
}

fn check_dialogue_finding(entry: &Value, finding: &Finding, offset: usize) {
    assert_eq!(entry["code"], finding.code, "{entry}");
    assert_eq!(entry["severity"], finding.severity.name(), "{entry}");
    assert_eq!(entry["statement"], json!(finding.statement), "{entry}");
    assert_eq!(entry["offset"], json!(finding.offset - offset), "{entry}");
    assert_eq!(entry["length"], json!(finding.length), "{entry}");
    let repair = finding.repair.as_deref().map(hexmq_workbench::plain_hex);
    assert_eq!(entry["repair_hex"], json!(repair), "{entry}");
}
