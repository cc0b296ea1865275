//! The mistakes people make, each with the finding that names it and the bytes that were meant.

use hexmq_wire::Version;
use hexmq_workbench::{
    Explanation, Finding, Options, Outcome, Side, explain, parse_hex, plain_hex, spaced_hex,
};

/// `'text'` becomes its bytes, `len` behind the first byte the Remaining Length; the rest is hex.
fn bytes(text: &str) -> Vec<u8> {
    if let Some((first, body)) = text.split_once(" len ") {
        let (mut packet, body) = (bytes(first), bytes(body));
        hexmq_wire::encode_remaining_length(body.len() as u32, &mut packet);
        packet.extend(body);
        return packet;
    }
    let parts = text.split('\'').enumerate();
    parts
        .flat_map(
            |(index, part)| {
                if index % 2 == 1 { part.as_bytes().to_vec() } else { parse_hex(part).expect("hex") }
            },
        )
        .collect()
}

fn explained(text: &str, version: Version) -> Explanation {
    let options = Options { version: Some(version), from: Some(Side::Client), ..Options::default() };
    explain(&bytes(text), &options)
}

/// All findings, those of begun packets and strays too.
fn findings(explanation: &Explanation) -> Vec<&Finding> {
    let rest = explanation.rest.iter();
    let begun = rest.clone().filter_map(|rest| rest.begun.as_ref()).flat_map(|packet| &packet.findings);
    let strays = explanation.skipped.iter().flat_map(|stray| &stray.findings);
    explanation.findings().chain(begun).chain(strays).chain(rest.flat_map(|rest| &rest.findings)).collect()
}

/// Wrong bytes, what they are called, and the right bytes.
type Case = (&'static str, &'static str, &'static str);

#[track_caller]
fn check(cases: &[Case], version: Version) {
    for (wrong, code, right) in cases {
        let explanation = explained(wrong, version);
        let all = findings(&explanation);
        let found = all.iter().find(|finding| finding.code == *code);
        let Some(found) = found else { panic!("{wrong}: no {code} in {all:#?}") };
        let repair = found.repair.as_deref().map(plain_hex);
        assert_eq!(repair, Some(plain_hex(&bytes(right))), "{wrong}: {found:#?}");
        assert!(found.message.len() > 20, "{found:?}");
        let options = Options { version: Some(version), from: Some(Side::Client), ..Options::default() };
        let again = explain(&bytes(right), &options);
        assert_eq!(again.outcome(), Outcome::Clean, "{right}: {again:#?}");
        assert_eq!(again.findings().count(), 0, "{right}: {again:#?}");
    }
}

const CONNECT: &str = "10 len 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'";
const SUBSCRIBE: &str = "82 len 0001 0009 'kfb_topic' 00";
const UNSUBSCRIBE: &str = "a2 len 0001 0009 'kfb_topic'";
const JSON: &str = "32 len 0005 'a/b/c' 0001 '{\"t\":23.5}'";

#[test]
fn remaining_lengths() {
    check(
        &[
            // With the header, without it, and off by one.
            (
                "10 27 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_counts_header",
                CONNECT,
            ),
            (
                "10 23 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_too_small",
                CONNECT,
            ),
            (
                "10 26 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_too_large",
                CONNECT,
            ),
            (
                "10 24 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_too_small",
                CONNECT,
            ),
            // 37 as decimal digits, 74 hex digits, halves exchanged, left out.
            (
                "10 37 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_in_decimal",
                CONNECT,
            ),
            (
                "10 4a 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_in_hex_digits",
                CONNECT,
            ),
            (
                "10 52 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "length_nibbles_swapped",
                CONNECT,
            ),
            (
                "10 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_missing",
                CONNECT,
            ),
            (
                "10 0025 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "remaining_length_not_encoded",
                CONNECT,
            ),
            ("82 10 0001 0009 'kfb_topic' 00", "remaining_length_counts_header", SUBSCRIBE),
            ("82 0d 0001 0009 'kfb_topic' 00", "remaining_length_too_small", SUBSCRIBE),
            ("32 11 0005 'a/b/c' 0001 '{\"t\":23.5}'", "remaining_length_too_small", JSON),
            ("32 15 0005 'a/b/c' 0001 '{\"t\":23.5}'", "remaining_length_counts_header", JSON),
            ("32 19 0005 'a/b/c' 0001 '{\"t\":23.5}'", "remaining_length_in_decimal", JSON),
            // 19 characters, 23 bytes.
            (
                "30 13 0007 'a/b/c/d' '{\"t\":\"温度\"}'",
                "remaining_length_in_characters",
                "30 len 0007 'a/b/c/d' '{\"t\":\"温度\"}'",
            ),
        ],
        Version::V4,
    );
}

#[test]
fn a_remaining_length_that_is_a_plain_number() {
    // 178 as one plain byte.
    let topic = "x".repeat(173);
    let right = format!("82 b2 01 0001 00ad '{topic}' 00");
    for wrong in [format!("82 b2 0001 00ad '{topic}' 00"), format!("82 00b2 0001 00ad '{topic}' 00")] {
        let explanation = explained(&wrong, Version::V4);
        let all = findings(&explanation);
        let found = all.iter().find(|finding| finding.code == "remaining_length_not_encoded").expect("found");
        assert_eq!(found.repair, Some(bytes(&right)), "{wrong}");
    }
}

#[test]
fn text_at_the_end_may_belong_to_the_message_before() {
    let explanation = explained("30 0d 0009 'kfb_topic' '1234'", Version::V4);
    assert_eq!(explanation.findings().count(), 0, "nobody knows: {explanation:?}");
    let rest = explanation.rest.expect("a rest");
    assert_eq!(rest.findings[0].code, "remaining_length_too_small");
    assert_eq!(rest.findings[0].repair, Some(bytes("30 0f 0009 'kfb_topic' '1234'")));
    // The beginning of a packet that is no text.
    let explanation = explained("30 0f 0009 'kfb_topic' '1234' 30 0f 00", Version::V4);
    assert!(explanation.rest.expect("a rest").findings.is_empty());
}

#[test]
fn lengths_of_strings() {
    check(
        &[
            // 51 as decimal digits where 33 is its hex.
            (
                "82 len 0001 0051 '/sys/gukv3BQLi1G/camera1/thing/service/property/set' 00",
                "length_in_decimal",
                "82 len 0001 0033 '/sys/gukv3BQLi1G/camera1/thing/service/property/set' 00",
            ),
            (
                "82 56 0001 0051 '/sys/gukv3BQLi1G/camera1/thing/service/property/set' 00",
                "length_in_decimal",
                "82 len 0001 0033 '/sys/gukv3BQLi1G/camera1/thing/service/property/set' 00",
            ),
            ("82 len 0001 0004 '温度/x' 00", "length_in_characters", "82 len 0001 0008 '温度/x' 00"),
            ("82 09 0001 0004 '温度/x' 00", "length_in_characters", "82 len 0001 0008 '温度/x' 00"),
            ("30 len 0004 '温度/x' '{\"a\":1}'", "length_in_characters", "30 len 0008 '温度/x' '{\"a\":1}'"),
            ("82 len 0001 000a 'kfb_topic' 00", "length_counts_qos_byte", SUBSCRIBE),
            ("82 len 0001 000b 'kfb_topic' 00", "length_counts_itself", SUBSCRIBE),
            ("82 len 0001 0012 'kfb_topic' 00", "length_in_hex_digits", SUBSCRIBE),
            ("82 len 0001 0900 'kfb_topic' 00", "length_bytes_swapped", SUBSCRIBE),
            ("82 len 0001 0090 'kfb_topic' 00", "length_nibbles_swapped", SUBSCRIBE),
            ("a2 len 0001 0007 'kfb_topic'", "length_wrong", UNSUBSCRIBE),
            (
                "10 len 0004 'MQTT' 04 c2 0078 0008 '901505824' 0006 '491644' 0006 '123456'",
                "length_wrong",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 c2 0078 0009 '901505824' 000c '491644' 0006 '123456'",
                "length_in_hex_digits",
                CONNECT,
            ),
            // Left out, of one byte, and twice.
            ("82 len 0001 'kfb_topic' 00", "length_missing", SUBSCRIBE),
            ("82 len 0001 09 'kfb_topic' 00", "length_missing", SUBSCRIBE),
            (
                "10 len 0004 'MQTT' 04 c2 0078 '901505824' 0006 '491644' 0006 '123456'",
                "length_missing",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 c2 0078 09 '901505824' 0006 '491644' 0006 '123456'",
                "length_missing",
                CONNECT,
            ),
            ("82 len 0001 000b 0009 'kfb_topic' 00", "length_doubled", SUBSCRIBE),
            ("32 len 'a/b/c' 0001 '{\"t\":23.5}'", "length_missing", JSON),
            (
                "30 len 0005 'a/b/c' 0007 '{\"a\":1}'",
                "payload_length_prefix",
                "30 len 0005 'a/b/c' '{\"a\":1}'",
            ),
        ],
        Version::V4,
    );
}

#[test]
fn identifiers_and_qos_bytes() {
    check(
        &[
            ("32 len 0005 'a/b/c' '{\"t\":23.5}'", "missing_packet_identifier", JSON),
            ("82 len 0009 'kfb_topic' 00", "missing_packet_identifier", SUBSCRIBE),
            ("a2 len 0009 'kfb_topic'", "missing_packet_identifier", UNSUBSCRIBE),
            (
                "32 len 0003 '$dp' 03 0007 '{\"a\":1}'",
                "missing_packet_identifier",
                "32 len 0003 '$dp' 0001 03 0007 '{\"a\":1}'",
            ),
            ("32 len 0005 'a/b/c' '1'", "missing_packet_identifier", "32 len 0005 'a/b/c' 0001 '1'"),
            (
                "30 len 0005 'a/b/c' 0003 '{\"t\":23}'",
                "packet_identifier_at_qos0",
                "30 len 0005 'a/b/c' '{\"t\":23}'",
            ),
            ("82 len 0001 0009 'kfb_topic'", "qos_byte_missing", SUBSCRIBE),
            ("a2 len 0001 0009 'kfb_topic' 00", "qos_byte_in_unsubscribe", UNSUBSCRIBE),
        ],
        Version::V4,
    );
}

#[test]
fn the_head_of_connect() {
    check(
        &[
            (
                "10 len 0004 'MQTT' c2 04 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_fields_swapped",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 0078 c2 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_fields_swapped",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 c2 78 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_field_missing",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_field_missing",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_field_missing",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 c2 000078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_field_extra",
                CONNECT,
            ),
            (
                "10 len 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "protocol_name_mangled",
                CONNECT,
            ),
            (
                "10 len 04 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "protocol_name_mangled",
                CONNECT,
            ),
            (
                "10 len 0004 'MQT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "protocol_name_mangled",
                CONNECT,
            ),
        ],
        Version::V4,
    );
}

#[test]
fn flags_identifier_and_keep_alive_of_connect() {
    check(
        &[
            (
                "10 len 0004 'MQTT' 04 02 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "connect_flags_unfit",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 c2 0078 0009 '901505824'",
                "connect_flags_unfit",
                "10 len 0004 'MQTT' 04 02 0078 0009 '901505824'",
            ),
            (
                "10 len 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644'",
                "connect_flags_unfit",
                "10 len 0004 'MQTT' 04 82 0078 0009 '901505824' 0006 '491644'",
            ),
            (
                "10 len 0004 'MQTT' 04 00 0078 0000",
                "client_identifier_empty",
                "10 len 0004 'MQTT' 04 02 0078 0000",
            ),
            (
                "10 len 0004 'MQTT' 04 02 0000 0004 'dev1'",
                "keep_alive_off",
                "10 len 0004 'MQTT' 04 02 003c 0004 'dev1'",
            ),
            (
                "10 len 0004 'MQTT' 04 02 0003 0004 'dev1'",
                "keep_alive_tiny",
                "10 len 0004 'MQTT' 04 02 003c 0004 'dev1'",
            ),
        ],
        Version::V4,
    );
}

#[test]
fn text_that_ends_wrong() {
    check(
        &[
            ("82 len 0001 000a 'kfb_topic ' 00", "trailing_space", SUBSCRIBE),
            ("30 len 0006 'a/b/c ' '{\"a\":1}'", "trailing_space", "30 len 0005 'a/b/c' '{\"a\":1}'"),
            (
                "10 len 0004 'MQTT' 04 c2 0078 000a '901505824 ' 0006 '491644' 0006 '123456'",
                "trailing_space",
                CONNECT,
            ),
            (
                "10 len 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0007 '123456' 00",
                "trailing_nul",
                CONNECT,
            ),
            ("82 len 0001 000a 'kfb_topic' 00 00", "nul_in_utf8", SUBSCRIBE),
            ("32 len 0005 'a/b/c' 0001 '{\"t\":23.5}' 00", "trailing_nul", JSON),
            ("32 len 0005 'a/b/c' 0001 efbbbf '{\"t\":23.5}'", "byte_order_mark", JSON),
            ("82 len 0001 000c efbbbf 'kfb_topic' 00", "byte_order_mark", SUBSCRIBE),
        ],
        Version::V4,
    );
}

#[test]
fn filters_and_commands() {
    check(
        &[
            ("82 len 0001 0002 'a#' 00", "topic_filter_invalid", "82 len 0001 0003 'a/#' 00"),
            ("82 len 0001 0005 'a/#/b' 01", "topic_filter_invalid", "82 len 0001 0005 'a/+/b' 01"),
            ("31 len 000a 'lamp/1/set' 'off'", "retained_command", "30 len 000a 'lamp/1/set' 'off'"),
        ],
        Version::V4,
    );
}

#[test]
fn what_tools_do() {
    check(
        &[
            ("28 len 0001 0009 'kfb_topic' 00", "nibbles_swapped", SUBSCRIBE),
            (
                "01 25 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456'",
                "nibbles_swapped",
                CONNECT,
            ),
            ("0c 00", "nibbles_swapped", "c0 00"),
            ("82 len 0001 0009 'kfb_topic' 00 0d0a", "line_end_appended", SUBSCRIBE),
            (
                "10 len 0004 'MQTT' 04 c2 0078 0009 '901505824' 0006 '491644' 0006 '123456' 0d0a",
                "line_end_appended",
                CONNECT,
            ),
            ("'c000'", "hex_digits_as_text", "c0 00"),
            ("'82 0E 00 01 00 09 6B 66 62 5F 74 6F 70 69 63 00' 0d0a", "hex_digits_as_text", SUBSCRIBE),
        ],
        Version::V4,
    );
    for (stray, code) in
        [("0d0a", "line_end_appended"), ("0a", "line_end_appended"), ("0d0a 'SEND OK' 0d0a", "serial_text")]
    {
        for behind in ["", "c000"] {
            let stream = [bytes(SUBSCRIBE), bytes(stray), bytes(behind)].concat();
            let explanation = explained(&spaced_hex(&stream), Version::V4);
            let found: Vec<&str> = findings(&explanation).iter().map(|finding| finding.code).collect();
            assert_eq!(found, [code], "{stray} {behind}");
            assert_eq!(explanation.outcome(), Outcome::Faulty);
        }
    }
    let stream = [bytes("efbbbf"), bytes(CONNECT)].concat();
    let explanation = explained(&spaced_hex(&stream), Version::V4);
    assert_eq!(findings(&explanation)[0].code, "byte_order_mark");
    assert_eq!(explanation.packets.len(), 1);
}

#[test]
fn packets_of_5_0_written_as_3_1_1() {
    check(
        &[
            (
                "82 len 0001 0009 'kfb_topic' 00",
                "property_length_missing",
                "82 len 0001 00 0009 'kfb_topic' 00",
            ),
            (
                "10 len 0004 'MQTT' 05 02 003c 0004 'dev1'",
                "property_length_missing",
                "10 len 0004 'MQTT' 05 02 003c 00 0004 'dev1'",
            ),
            (
                "32 len 0005 'a/b/c' 00 '{\"t\":23.5}'",
                "missing_packet_identifier",
                "32 len 0005 'a/b/c' 0001 00 '{\"t\":23.5}'",
            ),
        ],
        Version::V5,
    );
}

#[test]
fn content_of_the_other_side() {
    let codes = |text: &str, from| {
        let options = Options { version: Some(Version::V5), from: Some(from), ..Options::default() };
        let explanation = explain(&bytes(text), &options);
        explanation.findings().map(|finding| (finding.code, finding.statement)).collect::<Vec<_>>()
    };
    let wrong = |statement| vec![("wrong_direction", statement)];
    for (packet, side, statement) in [
        ("e0 len 8e 00", Side::Client, None),
        ("e0 len 04 00", Side::Server, None),
        ("e0 len 00 05 11 00000005", Side::Server, Some("MQTT-3.14.2-2")),
        ("30 len 0001 'a' 02 0b05 'x'", Side::Client, Some("MQTT-3.3.4-6")),
        ("f0 len 19 06 15 0003 'abc'", Side::Server, Some("MQTT-3.15.2-1")),
    ] {
        assert_eq!(codes(packet, side), wrong(statement), "{packet}");
        let right = if side == Side::Client { Side::Server } else { Side::Client };
        assert_eq!(codes(packet, right), [], "{packet}");
    }
}
