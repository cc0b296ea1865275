//! Each rule broken once: name, statement, place, and what a server does.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

mod common;

use Version::{V3, V4, V5};
use common::{explain, find, hex, listed, read};
use hexmq_wire::{ControlPacket, FaultCode, Frame, Leniency, NoTrace, ReasonCode, Severity, Version, decode};

type Listed = (&'static str, Option<&'static str>, usize, usize);

/// Explaining finds exactly these; a server refuses with the first one.
#[track_caller]
fn assert_faults(version: Version, bytes: &str, expected: &[Listed]) {
    let bytes = hex(bytes);
    let (recorder, _) = explain(&bytes, version);
    assert_eq!(listed(&recorder.faults), expected);
    let refused = read(&bytes, version).unwrap_err();
    let first = recorder.faults.iter().find(|fault| fault.severity == Severity::Fault);
    assert_eq!(Some(&refused), first);
}

/// Explaining finds exactly these warnings; a server reads on.
#[track_caller]
fn assert_warnings(version: Version, bytes: &str, expected: &[Listed]) {
    let bytes = hex(bytes);
    let (recorder, explained) = explain(&bytes, version);
    assert_eq!(listed(&recorder.faults), expected);
    assert!(recorder.faults.iter().all(|fault| fault.severity == Severity::Warning));
    assert_eq!(read(&bytes, version), explained);
    assert!(explained.is_ok());
}

/// [V4 MQTT-2.2.2-1, V4 MQTT-2.2.2-2, V4 MQTT-3.6.1-1, V4 MQTT-3.8.1-1, V4 MQTT-3.10.1-1, V4 MQTT-3.14.1-1]
/// [V5 MQTT-2.1.3-1, V5 MQTT-3.6.1-1, V5 MQTT-3.8.1-1, V5 MQTT-3.10.1-1, V5 MQTT-3.14.1-1, V5 MQTT-3.15.1-1]
#[test]
fn reserved_flags() {
    let cases = [
        ("60 02 0001", "MQTT-3.6.1-1", "MQTT-3.6.1-1"),
        ("80 06 0001 0001 61 00", "MQTT-3.8.1-1", ""),
        ("80 07 0001 00 0001 61 00", "", "MQTT-3.8.1-1"),
        ("a0 05 0001 0001 61", "MQTT-3.10.1-1", ""),
        ("a3 06 0001 00 0001 61", "", "MQTT-3.10.1-1"),
        ("e1 00", "MQTT-3.14.1-1", "MQTT-3.14.1-1"),
        ("c8 00", "MQTT-2.2.2-1", "MQTT-2.1.3-1"),
        ("42 02 0001", "MQTT-2.2.2-1", "MQTT-2.1.3-1"),
        ("f2 00", "", "MQTT-3.15.1-1"),
    ];
    for (bytes, v4, v5) in cases {
        for (version, statement) in [(V4, v4), (V5, v5)] {
            if !statement.is_empty() {
                assert_faults(version, bytes, &[("reserved_flags", Some(statement), 0, 1)]);
            }
        }
    }
    assert_faults(
        V4,
        "18 0d 0004 4d515454 04 02 003c 0001 61",
        &[("reserved_flags", Some("MQTT-2.2.2-1"), 0, 1)],
    );
}

/// 3.1 has DUP, QoS and RETAIN in every packet; SUBSCRIBE, UNSUBSCRIBE and PUBREL have QoS 1.
#[test]
fn flags_of_3_1() {
    assert_warnings(V3, "8a 06 0001 0001 61 00", &[]);
    assert_warnings(V3, "aa 05 0001 0001 61", &[]);
    assert_warnings(V3, "6b 02 0001", &[]);
    assert_warnings(V3, "c8 00", &[("reserved_flags", None, 0, 1)]);
    assert_faults(V3, "80 06 0001 0001 61 00", &[("reserved_flags", Some("MQTT-3.8.1-1"), 0, 1)]);
}

#[test]
fn leniency_serves_zero_flags() {
    let leniency = Leniency { reserved_flags: true };
    for bytes in ["80 06 0001 0001 61 00", "a0 05 0001 0001 61", "60 02 0001"] {
        let bytes = hex(bytes);
        assert!(read(&bytes, V4).is_err());
        assert!(decode(Frame::new(&bytes), V4, &leniency, &mut NoTrace).is_ok());
        // It is noted all the same.
        let mut strict = common::Recorder { strict: true, ..Default::default() };
        assert!(decode(Frame::new(&bytes), V4, &leniency, &mut strict).is_ok());
        assert_eq!(strict.faults.len(), 1);
    }
    for bytes in ["81 06 0001 0001 61 00", "c2 00"] {
        assert!(decode(Frame::new(&hex(bytes)), V4, &leniency, &mut NoTrace).is_err());
    }
}

#[test]
fn packet_types_that_do_not_exist() {
    assert_faults(V4, "00 01 07", &[("unexpected_packet_type", None, 0, 1)]);
    assert_faults(V4, "f0 02 18 00", &[("unexpected_packet_type", None, 0, 1)]);
    assert_faults(V5, "00 00", &[("unexpected_packet_type", None, 0, 1)]);
}

#[test]
fn lengths() {
    assert_faults(V4, "", &[("truncated", None, 0, 0)]);
    assert_faults(V4, "30", &[("truncated", None, 1, 0)]);
    assert_faults(V4, "30 80", &[("truncated", None, 1, 1)]);
    assert_faults(V4, "30 80 80 80 80 01", &[("remaining_length_too_long", None, 1, 5)]);
    assert_faults(V4, "40 01 00", &[("truncated", None, 2, 1)]);
    assert_faults(V4, "40 03 0001 00", &[("trailing_bytes", None, 4, 1)]);
    assert_faults(V4, "c0 01 00", &[("trailing_bytes", None, 2, 1)]);
    // The eye should fall on the length that promises too much.
    assert_faults(V4, "30 03 0005 61", &[("truncated", None, 2, 2)]);
    // The frame ends before the packet does.
    assert_faults(V4, "30 07 0001 61", &[("truncated", None, 5, 0)]);
    // The packet ends before the frame does.
    assert_faults(V4, "c0 00 00", &[("trailing_bytes", None, 2, 1)]);
    assert_faults(V5, "c0 80 00", &[("non_minimal_length", Some("MQTT-1.5.5-1"), 1, 2)]);
    assert_warnings(V3, "c0 80 00", &[("non_minimal_length", None, 1, 2)]);
}

/// [V4 MQTT-1.5.3-1, V4 MQTT-1.5.3-2, V5 MQTT-1.5.4-1, V5 MQTT-1.5.4-2, V5 MQTT-1.5.7-1]
#[test]
fn text() {
    assert_faults(V4, "30 05 0003 61ff62", &[("invalid_utf8", Some("MQTT-1.5.3-1"), 5, 1)]);
    assert_faults(V4, "30 05 0003 eda080", &[("invalid_utf8", Some("MQTT-1.5.3-1"), 4, 1)]);
    assert_faults(V5, "30 05 0002 c0af 00", &[("invalid_utf8", Some("MQTT-1.5.4-1"), 4, 1)]);
    // A character cut off by the end of the string.
    assert_faults(V4, "30 05 0003 61e6bc", &[("invalid_utf8", Some("MQTT-1.5.3-1"), 5, 2)]);
    assert_faults(V4, "30 05 0003 610062", &[("nul_in_utf8", Some("MQTT-1.5.3-2"), 5, 1)]);
    assert_faults(V5, "30 06 0003 610062 00", &[("nul_in_utf8", Some("MQTT-1.5.4-2"), 5, 1)]);
    assert_faults(V4, "82 07 0001 0002 0061 00", &[("nul_in_utf8", Some("MQTT-1.5.3-2"), 6, 1)]);
    let pair = "30 0c 0001 61 08 26 0001 ff 0002 6200";
    let statement = Some("MQTT-1.5.4-1");
    let nul = Some("MQTT-1.5.4-2");
    assert_faults(V5, pair, &[("invalid_utf8", statement, 9, 1), ("nul_in_utf8", nul, 13, 1)]);
}

/// Once per field, at the first such character.
#[test]
fn text_that_is_unwise() {
    assert_warnings(V4, "30 06 0004 610a0d62", &[("control_character_in_utf8", None, 5, 1)]);
    assert_warnings(V4, "30 04 0002 c285", &[("control_character_in_utf8", None, 4, 2)]);
    assert_warnings(V4, "30 05 0003 efbfbf", &[("non_character_in_utf8", None, 4, 3)]);
    assert_warnings(V4, "30 06 0004 f09fbfbf", &[("non_character_in_utf8", None, 4, 4)]);
}

/// [V4 MQTT-3.1.2-1, V4 MQTT-3.1.2-2, V5 MQTT-3.1.2-1, V5 MQTT-3.1.2-2]
#[test]
fn protocol_name_and_version() {
    let version = |offset| ("protocol_version", Some("MQTT-3.1.2-2"), offset, 1);
    let name = |length| ("protocol_name", Some("MQTT-3.1.2-1"), 2, length);
    assert_faults(V4, "10 0d 0004 4d515458 04 02 003c 0001 61", &[name(6)]);
    assert_faults(V4, "10 0d 0004 4d515454 03 02 003c 0001 61", &[version(8)]);
    assert_faults(V4, "10 0e 0004 4d515454 06 02 003c 00 0001 61", &[version(8)]);
    assert_faults(V4, "10 0f 0006 4d5149736470 04 02 003c 0001 61", &[version(10)]);
    assert_faults(V4, "10 0a 0001 4d 09 02 003c 00 0000", &[name(3), version(5)]);
    let fault = read(&hex("10 0d 0004 4d515454 84 02 003c 0001 61"), V4).unwrap_err();
    assert_eq!(fault.reason_code(), ReasonCode::UnsupportedProtocolVersion);
    assert_eq!(fault.reason_code().return_code(), Some(1));
}

/// [V4 MQTT-3.1.2-3, V4 MQTT-3.1.2-11, V4 MQTT-3.1.2-13, V4 MQTT-3.1.2-14, V4 MQTT-3.1.2-15, V4 MQTT-3.1.2-22]
/// [V5 MQTT-3.1.2-3, V5 MQTT-3.1.2-11, V5 MQTT-3.1.2-12, V5 MQTT-3.1.2-13]
#[test]
fn connect_flags() {
    let three = |flags: &str| format!("10 0d 0004 4d515454 04 {flags} 003c 0001 61");
    let five = |flags: &str| format!("10 0e 0004 4d515454 05 {flags} 003c 00 0001 61");
    let will = "will_flags_without_will";
    assert_faults(V4, &three("03"), &[("connect_flags_reserved", Some("MQTT-3.1.2-3"), 9, 1)]);
    assert_faults(V4, &five("03"), &[("connect_flags_reserved", Some("MQTT-3.1.2-3"), 9, 1)]);
    assert_faults(V4, &three("22"), &[(will, Some("MQTT-3.1.2-15"), 9, 1)]);
    assert_faults(V4, &five("22"), &[(will, Some("MQTT-3.1.2-13"), 9, 1)]);
    assert_faults(V4, &three("0a"), &[(will, Some("MQTT-3.1.2-13"), 9, 1)]);
    assert_faults(V4, &five("0a"), &[(will, Some("MQTT-3.1.2-11"), 9, 1)]);
    let password = "10 10 0004 4d515454 04 42 003c 0001 61 0001 70";
    assert_faults(V4, password, &[("password_without_user_name", Some("MQTT-3.1.2-22"), 9, 1)]);
    let will_qos = "10 13 0004 4d515454 04 1e 003c 0001 61 0001 77 0001 78";
    assert_faults(V4, will_qos, &[("will_qos", Some("MQTT-3.1.2-14"), 9, 1)]);
    let will_qos = "10 15 0004 4d515454 05 1e 003c 00 0001 61 00 0001 77 0001 78";
    assert_faults(V4, will_qos, &[("will_qos", Some("MQTT-3.1.2-12"), 9, 1)]);
    // 3.1 calls these bits unused.
    assert_warnings(V4, "10 0f 0006 4d5149736470 03 23 003c 0001 61", &[(will, None, 11, 1)]);
}

/// Flags promise fields. [V4 MQTT-3.1.2-9, V4 MQTT-3.1.2-19, V4 MQTT-3.1.2-21, V4 MQTT-3.1.3-3, V4 MQTT-3.1.4-1]
/// [V5 MQTT-3.1.2-9, V5 MQTT-3.1.2-17, V5 MQTT-3.1.2-19, V5 MQTT-3.1.3-3, V5 MQTT-3.1.4-1]
#[test]
fn connect_fields() {
    let missing = |statement, offset| [("truncated", Some(statement), offset, 0)];
    assert_faults(V4, "10 0a 0004 4d515454 04 02 003c", &missing("MQTT-3.1.3-3", 12));
    assert_faults(V4, "10 0d 0004 4d515454 04 06 003c 0001 61", &missing("MQTT-3.1.2-9", 15));
    assert_faults(V4, "10 0d 0004 4d515454 04 82 003c 0001 61", &missing("MQTT-3.1.2-19", 15));
    assert_faults(V4, "10 10 0004 4d515454 04 c2 003c 0001 61 0001 75", &missing("MQTT-3.1.2-21", 18));
    assert_faults(V4, "10 0e 0004 4d515454 05 82 003c 00 0001 61", &missing("MQTT-3.1.2-17", 16));
    assert_faults(V4, "10 0e 0004 4d515454 05 42 003c 00 0001 61", &missing("MQTT-3.1.2-19", 16));
    assert_faults(V4, "10 0e 0004 4d515454 05 06 003c 00 0001 61", &missing("MQTT-3.1.2-9", 16));
    let trailing = "10 0e 0004 4d515454 04 02 003c 0001 61 00";
    assert_faults(V4, trailing, &[("trailing_bytes", Some("MQTT-3.1.4-1"), 15, 1)]);
    let empty = "10 12 0004 4d515454 04 06 003c 0001 61 0000 0001 78";
    assert_faults(V4, empty, &[("empty_topic_name", Some("MQTT-4.7.3-1"), 15, 2)]);
    let wildcard = "10 13 0004 4d515454 04 06 003c 0001 61 0001 2b 0001 78";
    assert_faults(V4, wildcard, &[("wildcard_in_topic_name", Some("MQTT-4.7.1-1"), 17, 1)]);
}

/// [V4 MQTT-3.2.2-4, V5 MQTT-3.2.2-1, V5 MQTT-3.2.2-6, V5 MQTT-3.2.2-8]
#[test]
fn connack() {
    let present = "session_present_with_error";
    assert_faults(V4, "20 02 01 05", &[(present, Some("MQTT-3.2.2-4"), 2, 1)]);
    assert_faults(V5, "20 03 01 87 00", &[(present, Some("MQTT-3.2.2-6"), 2, 1)]);
    assert_faults(V5, "20 03 02 00 00", &[("connack_flags_reserved", Some("MQTT-3.2.2-1"), 2, 1)]);
    assert_faults(V4, "20 02 80 00", &[("connack_flags_reserved", None, 2, 1)]);
    assert_faults(V4, "20 02 00 06", &[("unknown_reason_code", None, 3, 1)]);
    assert_faults(V5, "20 03 00 8e 00", &[("unknown_reason_code", Some("MQTT-3.2.2-8"), 3, 1)]);
    assert_warnings(V3, "20 02 81 05", &[]);
}

/// [V4 MQTT-3.3.1-2, V4 MQTT-3.3.1-4, V4 MQTT-3.3.2-2, V4 MQTT-4.7.3-1, V4 MQTT-2.3.1-1]
/// [V5 MQTT-3.3.1-2, V5 MQTT-3.3.1-4, V5 MQTT-3.3.2-2, V5 MQTT-4.7.3-1, V5 MQTT-2.2.1-3]
#[test]
fn publish() {
    assert_faults(V4, "36 05 0001 61 0001", &[("invalid_qos", Some("MQTT-3.3.1-4"), 0, 1)]);
    assert_faults(V4, "38 03 0001 61", &[("dup_at_qos0", Some("MQTT-3.3.1-2"), 0, 1)]);
    assert_warnings(V3, "38 03 0001 61", &[("dup_at_qos0", None, 0, 1)]);
    for wildcard in ["2b", "23"] {
        let bytes = format!("30 05 0003 612f{wildcard}");
        assert_faults(V4, &bytes, &[("wildcard_in_topic_name", Some("MQTT-3.3.2-2"), 6, 1)]);
    }
    assert_faults(V4, "30 03 0000 61", &[("empty_topic_name", Some("MQTT-4.7.3-1"), 2, 2)]);
    assert_faults(V5, "30 04 0000 00 61", &[("empty_topic_name", Some("MQTT-4.7.3-1"), 2, 2)]);
    assert_faults(V4, "32 05 0001 61 0000", &[("packet_identifier_zero", Some("MQTT-2.3.1-1"), 5, 2)]);
    assert_faults(V5, "32 06 0001 61 0000 00", &[("packet_identifier_zero", Some("MQTT-2.2.1-3"), 5, 2)]);
}

/// [V4 MQTT-2.3.1-1, V4 MQTT-2.3.1-6, V4 MQTT-2.3.1-7, V5 MQTT-2.2.1-5, V5 MQTT-2.2.1-6]
#[test]
fn packet_identifiers() {
    let zero = |statement| [("packet_identifier_zero", Some(statement), 2, 2)];
    assert_faults(V4, "40 02 0000", &zero("MQTT-2.3.1-6"));
    assert_faults(V5, "62 02 0000", &zero("MQTT-2.2.1-5"));
    assert_faults(V4, "82 06 0000 0001 61 00", &zero("MQTT-2.3.1-1"));
    assert_faults(V4, "b0 02 0000", &zero("MQTT-2.3.1-7"));
    assert_faults(V5, "90 04 0000 00 00", &zero("MQTT-2.2.1-6"));
}

/// [V4 MQTT-3.8.3-3, V4 MQTT-3.8.3-4, V4 MQTT-3.10.3-2, V4 MQTT-3.9.3-2]
/// [V5 MQTT-3.8.3-2, V5 MQTT-3.8.3-4, V5 MQTT-3.8.3-5, V5 MQTT-3.10.3-2, V5 MQTT-3.9.3-2, V5 MQTT-3.11.3-2]
#[test]
fn subscriptions() {
    let empty = |statement, offset| [("empty_payload", Some(statement), offset, 0)];
    assert_faults(V4, "82 02 0001", &empty("MQTT-3.8.3-3", 4));
    assert_faults(V5, "82 03 0001 00", &empty("MQTT-3.8.3-2", 5));
    assert_faults(V4, "a2 02 0001", &empty("MQTT-3.10.3-2", 4));
    assert_faults(V5, "a2 03 0001 00", &empty("MQTT-3.10.3-2", 5));
    assert_faults(V4, "90 02 0001", &empty("MQTT-3.8.4-5", 4));
    assert_faults(V5, "b0 03 0001 00", &empty("MQTT-3.11.3-2", 5));
    let reserved = "subscription_options_reserved";
    assert_faults(V4, "82 06 0001 0001 61 04", &[(reserved, Some("MQTT-3.8.3-4"), 7, 1)]);
    assert_faults(V5, "82 07 0001 00 0001 61 40", &[(reserved, Some("MQTT-3.8.3-5"), 8, 1)]);
    assert_faults(V4, "82 06 0001 0001 61 03", &[("requested_qos", Some("MQTT-3.8.3-4"), 7, 1)]);
    assert_faults(V5, "82 07 0001 00 0001 61 03", &[("requested_qos", None, 8, 1)]);
    assert_faults(V5, "82 07 0001 00 0001 61 30", &[("retain_handling", None, 8, 1)]);
    let shared = "82 10 0001 00 000a 2473686172652f672f61 04";
    assert_faults(V5, shared, &[("no_local_on_shared", Some("MQTT-3.8.3-4"), 17, 1)]);
    assert_faults(V4, "82 05 0001 0001 61", &[("truncated", None, 7, 0)]);
    assert_faults(V4, "90 04 0001 00 03", &[("unknown_reason_code", Some("MQTT-3.9.3-2"), 5, 1)]);
    assert_faults(V5, "90 04 0001 00 82", &[("unknown_reason_code", Some("MQTT-3.9.3-2"), 5, 1)]);
    assert_faults(V5, "b0 04 0001 00 01", &[("unknown_reason_code", Some("MQTT-3.11.3-2"), 5, 1)]);
}

/// [V5 MQTT-3.4.2-1, V5 MQTT-3.5.2-1, V5 MQTT-3.6.2-1, V5 MQTT-3.7.2-1, V5 MQTT-3.14.2-1, V5 MQTT-3.15.2-1]
#[test]
fn reason_codes() {
    for (bytes, statement, offset) in [
        ("40 03 0001 92", "MQTT-3.4.2-1", 4),
        ("50 03 0001 7f", "MQTT-3.5.2-1", 4),
        ("62 03 0001 80", "MQTT-3.6.2-1", 4),
        ("70 03 0001 10", "MQTT-3.7.2-1", 4),
        ("e0 01 01", "MQTT-3.14.2-1", 2),
    ] {
        assert_faults(V5, bytes, &[("unknown_reason_code", Some(statement), offset, 1)]);
    }
    let auth = "f0 06 01 04 150001 4d";
    assert_faults(V5, auth, &[("unknown_reason_code", Some("MQTT-3.15.2-1"), 2, 1)]);
    assert_faults(V5, "f0 02 18 00", &[("missing_authentication_method", None, 3, 0)]);
}

/// 5.0 section 2.2.2 and the sections of the properties.
/// [V5 MQTT-3.3.2-8, V5 MQTT-3.3.2-14, V5 MQTT-1.5.5-1]
#[test]
fn properties() {
    let publish = |properties: &str| {
        let properties = hex(properties);
        let body: String = properties.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("30 {:02x} 0001 61 {:02x} {body}", 4 + properties.len(), properties.len())
    };
    let none = |code, offset, length| [(code, None, offset, length)];
    assert_faults(V5, &publish("7f00"), &none("unknown_property", 6, 1));
    assert_faults(V5, &publish("8001"), &none("unknown_property", 6, 1));
    assert_faults(V5, &publish("1100000001"), &none("property_not_allowed", 6, 5));
    assert_faults(V5, &publish("0101 0100"), &none("duplicate_property", 8, 2));
    assert_faults(V5, &publish("0102"), &none("property_value", 6, 2));
    assert_faults(V5, &publish("0b00"), &none("property_value", 6, 2));
    assert_faults(V5, &publish("0b8100"), &[("non_minimal_length", Some("MQTT-1.5.5-1"), 7, 2)]);
    assert_faults(V5, &publish("0bffffffff01"), &none("property_value", 6, 6));
    assert_faults(V5, &publish("230000"), &[("topic_alias_zero", Some("MQTT-3.3.2-8"), 6, 3)]);
    assert_faults(V5, &publish("0200"), &none("property_length", 6, 2));
    assert_faults(V5, &publish("080003 612f23"), &[("wildcard_in_topic_name", Some("MQTT-3.3.2-14"), 11, 1)]);
    assert_faults(V5, &publish("080000"), &[("empty_topic_name", Some("MQTT-4.7.3-1"), 7, 2)]);
    assert_faults(V5, "30 05 0001 61 05 00", &none("property_length", 5, 1));
    assert_faults(V5, "30 03 0001 61", &none("truncated", 5, 0));
    assert_faults(V5, "30 08 0001 61 8080808001", &none("property_length", 5, 5));
    let fault = read(&hex(&publish("230000")), V5).unwrap_err();
    assert_eq!(fault.reason_code(), ReasonCode::TopicAliasInvalid);
    let connect = |properties: &str, length: u8| {
        format!("10 {:02x} 0004 4d515454 05 02 003c {length:02x} {properties} 0001 61", 14 + length)
    };
    assert_faults(V5, &connect("210000", 3), &none("property_value", 13, 3));
    assert_faults(V5, &connect("2700000000", 5), &none("property_value", 13, 5));
    assert_faults(V5, &connect("1902", 2), &none("property_value", 13, 2));
    assert_faults(V5, &connect("1702", 2), &none("property_value", 13, 2));
    assert_faults(V5, &connect("1800000001", 5), &none("property_not_allowed", 13, 5));
    let alone = none("authentication_data_without_method", 13, 4);
    assert_faults(V5, &connect("160001 00", 4), &alone);
    // Many in PUBLISH, one in SUBSCRIBE.
    assert_warnings(V5, &publish("0b01 0b02"), &[]);
    assert_faults(V5, "82 0b 0001 04 0b01 0b02 0001 61 00", &none("duplicate_property", 7, 2));
}

/// After a fault the rest of the packet is still shown.
#[test]
fn explaining_goes_on() {
    let bytes = hex("36 0a 0001 ff 0000 00 68656c6c");
    let (recorder, result) = explain(&bytes, V5);
    assert_eq!(
        listed(&recorder.faults),
        [
            ("invalid_qos", Some("MQTT-3.3.1-4"), 0, 1),
            ("invalid_utf8", Some("MQTT-1.5.4-1"), 4, 1),
            ("packet_identifier_zero", Some("MQTT-2.2.1-3"), 5, 2),
        ]
    );
    assert_eq!(result.unwrap_err().code, FaultCode::InvalidQos);
    assert_eq!(find(&recorder.fields, "payload").map(|node| (node.offset, node.length)), Some((8, 4)));
    // What leaves the packet its meaning is read in spite of it.
    let bytes = hex("38 03 0001 61");
    let Ok(ControlPacket::Publish(publish)) = explain(&bytes, V4).1 else { panic!() };
    assert!(!publish.dup);
}

#[test]
fn every_code_has_a_name_of_its_own() {
    for &code in FaultCode::ALL {
        assert_eq!(FaultCode::from_name(code.name()), Some(code));
        assert!(code.reason_code().is_error());
        assert!(!code.about().is_empty());
    }
    let fault = read(&hex("c2 00"), V4).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "reserved bits of the first byte have another value (reserved at byte 0) [MQTT-2.2.2-1]"
    );
}
