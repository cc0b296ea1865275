//! What is built is what is explained: field by field, byte by byte, and defect by defect.

#[path = "../../wire/tests/common/packets.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests of the decoder")]
mod packets;

use hexmq_wire::Version;
use hexmq_workbench::build::{Assumed, Defect, Draft, drafts_from_json};
use hexmq_workbench::{Explanation, Options, explain, parse_hex, plain_hex};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the arbitrary packets are made for.
const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

fn explained(bytes: &[u8], version: Version) -> Explanation {
    explain(bytes, &Options { version: Some(version), ..Options::default() })
}

fn build(json: &Value) -> Vec<u8> {
    let drafts = drafts_from_json(json, Assumed::default()).expect("a description");
    drafts.iter().flat_map(|draft| draft.to_bytes().expect("a packet")).collect()
}

fn refused(json: Value) -> String {
    let drafts = match drafts_from_json(&json, Assumed::default()) {
        Err(error) => return error.to_string(),
        Ok(drafts) => drafts,
    };
    let bytes: Result<Vec<_>, _> = drafts.iter().map(Draft::to_bytes).collect();
    bytes.expect_err(&json.to_string()).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    /// The fields of any packet, as they are explained, are that packet; so what is built from them
    /// is explained by the same fields. The packets come from the encoder that serves.
    #[test]
    fn an_explanation_builds_the_packet_it_explains(ingredients in packets::ingredients()) {
        let version = ingredients.version;
        let mut bytes = Vec::new();
        ingredients.cook(|packet| packet.encode(version, &mut bytes)).expect("a packet");
        let json = explained(&bytes, version).to_json();
        let mut built = build(&json);
        prop_assert_eq!(plain_hex(&built), plain_hex(&bytes), "from {}", json);
        // One packet alone, and its bare list of fields.
        built = build(&json["packets"][0]);
        prop_assert_eq!(plain_hex(&built), plain_hex(&bytes));
        let assumed = Assumed { packet_type: None, version: Some(version) };
        let drafts = drafts_from_json(&json["packets"][0]["fields"], assumed).expect("fields");
        prop_assert_eq!(plain_hex(&drafts[0].to_bytes().expect("a packet")), plain_hex(&bytes));
        prop_assert_eq!(explained(&built, version).to_json(), json);
    }

    /// Faults included, as long as every byte still belongs to a field and the length is right.
    #[test]
    fn wrong_fields_are_built_as_they_are_explained(
        ingredients in packets::ingredients(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let version = ingredients.version;
        let mut bytes = Vec::new();
        ingredients.cook(|packet| packet.encode(version, &mut bytes)).expect("a packet");
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let json = explained(&bytes, version).to_json();
        let packets = json["packets"].as_array().expect("packets");
        prop_assume!(packets.len() == 1 && json["rest"].is_null() && packets[0]["offset"] == 0);
        prop_assume!(packets[0]["length"] == bytes.len() && packets[0]["type"] != "RESERVED");
        let faults = packets[0]["faults"].as_array().expect("faults");
        let cut = ["truncated", "property_length", "non_minimal_length", "remaining_length_too_long", "unexpected_packet_type", "unknown_property"];
        prop_assume!(!faults.iter().any(|fault| cut.contains(&fault["code"].as_str().expect("a code"))));
        let built: Vec<u8> = match drafts_from_json(&json, Assumed::default()) {
            Ok(drafts) => drafts.iter().flat_map(|draft| draft.to_bytes().expect("a packet")).collect(),
            // A number that cannot be read is explained by its bytes, and no number is built from those.
            Err(error) => {
                prop_assert!(error.to_string().contains("was expected"), "{}: {}", error, json);
                return Ok(());
            }
        };
        prop_assert_eq!(plain_hex(&built), plain_hex(&bytes), "from {}", json);
    }
}

#[test]
fn the_decoded_form_of_every_vector_builds_its_bytes() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tests/data/vectors.json")).expect("JSON");
    let mut built = 0;
    for list in ["tutorial_packets", "firmware_packets"] {
        for packet in vectors[list].as_array().expect("a list") {
            // What the bytes lack no list of fields shows.
            if packet["lint"]
                .as_array()
                .is_some_and(|lint| lint.iter().any(|finding| finding["code"] == "missing_packet_identifier"))
            {
                continue;
            }
            assert_eq!(plain_hex(&build(&packet["decoded"])), packet["hex"], "{}", packet["id"]);
            built += 1;
        }
    }
    assert!(built > 60, "{built} packets");
}

#[test]
fn a_flat_object_is_enough() {
    let connect = json!({"type": "connect", "id": "dev1", "user_name": "ann", "password_hex": "00ff"});
    assert_eq!(plain_hex(&build(&connect)), "101900044d51545404c2003c0004646576310003616e6e000200ff");
    let will = json!({"type": "CONNECT", "version": "5.0", "clean_start": false, "keep_alive": 0,
        "will_topic": "gone", "will_payload": "x", "will_qos": 1, "will_retain": true,
        "will_properties": {"will_delay_interval": 5},
        "properties": {"receive_maximum": 20, "user_property": {"a": "b"}}});
    assert_eq!(
        plain_hex(&build(&will)),
        "102600044d515454052c00000a2100142600016100016200000518000000050004676f6e65000178"
    );
    let publish = json!({"type": "PUBLISH", "qos": 1, "topic": "a/b", "payload": "hi"});
    assert_eq!(plain_hex(&build(&publish)), "320900036 12f6200016869".replace(' ', ""));
    let subscribe = json!({"type": "SUBSCRIBE", "pid": 7, "topic_filter": ["a", "b"], "qos": 1});
    assert_eq!(plain_hex(&build(&subscribe)), "820a00070001610100016201");
    let subscribe = json!({"type": "SUBSCRIBE", "version": 5, "subscriptions": [
        {"topic_filter": "a", "requested_qos": 2, "no_local": true, "retain_handling": 2}, "b"]});
    assert_eq!(plain_hex(&build(&subscribe)), "820b0001000001612600016200");
    let suback = json!({"type": "SUBACK", "packet_identifier": 1, "return_codes": [1, 128]});
    assert_eq!(plain_hex(&build(&suback)), "900400010180");
    assert_eq!(plain_hex(&build(&json!({"type": "PUBACK", "version": 5}))), "40020001");
    assert_eq!(plain_hex(&build(&json!({"type": "PUBACK", "reason_code": 0}))), "4003000100");
    assert_eq!(plain_hex(&build(&json!({"type": "DISCONNECT"}))), "e000");
    let auth = json!({"type": "AUTH", "reason_code": "0x18", "properties": {"authentication_method": "S"}});
    assert_eq!(plain_hex(&build(&auth)), "f006180415000153");
    let flags = json!({"type": "CONNECT", "connect_flags": "0xC0", "user_name": "", "password": ""});
    assert_eq!(plain_hex(&build(&flags)), "101000044d51545404c0003c000000000000");
}

#[test]
fn several_packets_are_built_in_a_row() {
    let both = json!([{"type": "PINGREQ"}, {"type": "DISCONNECT"}]);
    assert_eq!(plain_hex(&build(&both)), "c000e000");
}

#[test]
fn what_cannot_be_built_is_refused_by_its_field() {
    for (json, message) in [
        (json!("CONNECT"), "a packet as a JSON object was expected"),
        (json!({}), "type: the name of the packet was expected, such as CONNECT"),
        (json!({"type": "CONECT"}), "type: \"CONECT\" is no packet; CONNECT is one"),
        (
            json!({"type": "CONNECT", "keep_alive": 65536}),
            "keep_alive: a number from 0 to 65535 was expected, not 65536",
        ),
        (
            json!({"type": "CONNECT", "keepalive": 1}),
            "keepalive: CONNECT has no field of this name; did you mean `keep_alive`?",
        ),
        (json!({"type": "PINGREQ", "payload": "x"}), "payload: PINGREQ has no such field"),
        (
            json!({"type": "PUBLISH", "version": 4, "properties": {"topic_alias": 1}}),
            "properties: only MQTT 5.0 has this field, and the packet is one of MQTT 3.1.1",
        ),
        (
            json!({"type": "PUBLISH", "properties": {"topik_alias": 1}}),
            "properties.topik_alias: there is no property `topik_alias`; did you mean `topic_alias`?",
        ),
        (
            json!({"type": "PUBLISH", "properties": {"topic_alias": "x"}}),
            "properties.topic_alias: a number from 0 to 65535 was expected, not \"x\"",
        ),
        (
            json!({"type": "PUBLISH", "packet_identifier": 3}),
            "packet_identifier: a PUBLISH of QoS 0 has no Packet Identifier",
        ),
        (json!({"type": "PUBLISH", "qos": 4}), "qos: a number from 0 to 3 was expected, not 4"),
        (
            json!({"type": "PUBLISH", "payload_hex": "0g"}),
            "payload: line 1, column 2: 'g' is no hex digit; 0-9 or A-F was expected; perhaps the digit 9 was meant",
        ),
        (
            json!({"type": "PUBLISH", "topic": "x".repeat(65536)}),
            "topic_name: 65536 bytes where 65535 are possible",
        ),
        (
            json!({"type": "SUBSCRIBE", "requested_qos": 1}),
            "requested_qos: there is no `topic_filter` it belongs to",
        ),
        (json!({"type": "CONNECT", "version": 6}), "version: 6 is none of 3 (3.1), 4 (3.1.1) and 5 (5.0)"),
        (
            json!([{"type": "PINGREQ"}, {"type": "PINGREQ", "qos": 1}]),
            "packets[1].qos: PINGREQ has no such field",
        ),
    ] {
        let found = refused(json.clone());
        assert!(
            found.ends_with(message) || found.replace("payload_hex", "payload").ends_with(message),
            "{json}\n{found}"
        );
    }
}

/// Right packets in which together every defect can be made.
fn right_packets() -> Vec<(Version, Vec<u8>)> {
    let long = "/sys/i5drb0tO5li/D001/thing/service/property/set";
    let flat = [
        json!({"type": "CONNECT", "id": "a-device-001", "user_name": "ann", "password": "secret"}),
        json!({"type": "CONNECT", "id": "设备一", "will_topic": "gone", "will_message": "x"}),
        json!({"type": "CONNECT", "id": "dev", "user_name": "u".repeat(100), "password": "p".repeat(64)}),
        json!({"type": "CONNACK"}),
        json!({"type": "PUBLISH", "topic": long, "payload": "{\"a\":1}", "qos": 1}),
        json!({"type": "PUBLISH", "topic": "a/b", "payload": "hello"}),
        json!({"type": "PUBACK", "pid": 9}),
        json!({"type": "PUBREC", "pid": 9}),
        json!({"type": "PUBREL", "pid": 9}),
        json!({"type": "PUBCOMP", "pid": 9}),
        json!({"type": "SUBSCRIBE", "topic_filter": [long, "a/b"], "qos": 1}),
        json!({"type": "SUBSCRIBE", "topic_filter": "$share/g/a"}),
        json!({"type": "SUBACK", "codes": [0, 1]}),
        json!({"type": "UNSUBSCRIBE", "topic_filters": [long]}),
        json!({"type": "UNSUBACK", "codes": [0]}),
        json!({"type": "PINGREQ"}),
        json!({"type": "PINGRESP"}),
        json!({"type": "DISCONNECT", "code": 0}),
        json!({"type": "AUTH", "reason_code": 24, "properties": {"authentication_method": "SCRAM"}}),
    ];
    let mut packets = Vec::new();
    for version in VERSIONS {
        for object in &flat {
            let mut object = object.clone();
            object["version"] = version.level().into();
            let kind = object["type"].as_str().expect("a type").to_owned();
            // What 3.x does not have.
            if version != Version::V5 {
                if kind == "AUTH" {
                    continue;
                }
                if kind == "UNSUBACK" || kind == "DISCONNECT" {
                    let members = object.as_object_mut().expect("an object");
                    members.remove("codes");
                    members.remove("code");
                }
            }
            let bytes = build(&object);
            let explanation = explained(&bytes, version);
            assert!(
                explanation.findings().next().is_none(),
                "{object} {:#?}",
                explanation.packets[0].findings
            );
            packets.push((version, bytes));
        }
    }
    packets
}

#[test]
fn every_defect_is_found_by_one_of_its_codes() {
    let packets = right_packets();
    let mut unfound = Vec::new();
    for defect in Defect::all() {
        let (mut made, mut seen) = (0, false);
        for (version, frame) in &packets {
            let Ok(spoiled) = defect.apply(frame, *version) else { continue };
            made += 1;
            let explanation = explained(&spoiled, *version);
            let codes: Vec<&str> = explanation.findings().map(|finding| finding.code).collect();
            let stray = explanation.rest.is_some() || !explanation.skipped.is_empty();
            let found = defect.finds.iter().any(|code| codes.contains(code) || *code == "rest" && stray);
            seen |= found;
            if !found && defect.always {
                let (right, wrong) = (plain_hex(frame), plain_hex(&spoiled));
                unfound.push(format!("{} in {right} ({version:?}): {wrong} -> {codes:?}", defect.name));
            }
        }
        assert!(made > 0, "{} can be made in none", defect.name);
        if !seen && !defect.finds.is_empty() {
            unfound.push(format!("{} in any packet", defect.name));
        }
    }
    assert!(unfound.is_empty(), "{}", unfound.join("\n"));
}

#[test]
fn defects_have_names_of_their_own_and_texts_in_both_languages() {
    let mut names: Vec<&str> = Defect::all().map(|defect| defect.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Defect::all().count());
    for defect in Defect::all() {
        assert!(defect.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        assert!(!defect.about.en.is_empty() && !defect.about.zh.is_empty(), "{}", defect.name);
    }
}

#[test]
fn a_defect_changes_what_it_names_and_nothing_else() {
    let spoil = |name: &str, hex: &str| {
        let defect = Defect::from_name(name).expect("a defect");
        plain_hex(&defect.apply(&parse_hex(hex).expect("hex"), Version::V4).expect("it applies"))
    };
    let publish = "32 09 00 03 61 2f 62 00 01 68 69";
    assert_eq!(spoil("missing-packet-id", publish), "32070003612f626869");
    assert_eq!(spoil("packet-id-zero", publish), "32090003612f6200006869");
    assert_eq!(spoil("qos-3", publish), "36090003612f6200016869");
    assert_eq!(spoil("nul-in-topic", publish), "320a0004612f620000016869");
    assert_eq!(spoil("truncated", publish), "32090003612f62000168");
    let connect = "10 17 00 04 4d 51 54 54 04 c2 00 3c 00 04 64 65 76 31 00 02 68 69 00 01 78";
    assert_eq!(spoil("c0-flags", connect), plain_hex(&parse_hex(&connect.replace("c2", "c0")).expect("hex")));
    assert_eq!(spoil("swapped-user-password", connect), "101700044d51545404c2003c00046465763100017800026869");
    assert_eq!(
        spoil("swapped-client-user", connect),
        "101700044d51545404c2003c0002686900046465763100017 8".replace(' ', "")
    );
    assert_eq!(
        spoil("wrong-protocol-name", connect),
        plain_hex(&parse_hex(&connect.replace("4d 51 54 54", "6d 71 74 74")).expect("hex"))
    );
    let defect = Defect::from_name("qos-3").expect("a defect");
    let error = defect.apply(&[0xC0, 0x00], Version::V4).expect_err("a PINGREQ has no QoS");
    assert_eq!(
        error.to_string(),
        "the defect `qos-3` cannot be made in this packet: it needs a PUBLISH of QoS 1 or 2"
    );
}

#[test]
fn right_packets_are_those_of_the_encoder_that_serves() {
    for (version, frame) in right_packets() {
        let line = hexmq_notation::print_bytes(&frame, version);
        if line.starts_with("hex") || line.starts_with("DISCONNECT") {
            continue;
        }
        let record = hexmq_notation::parse_packet(&line, version).expect("its own line");
        assert_eq!(plain_hex(&record.encode().expect("bytes")), plain_hex(&frame), "{line}");
    }
}
