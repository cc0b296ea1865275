//! Streams that begin, break and end anywhere; directions; repairs; what never may happen.

use hexmq_wire::Version;
use hexmq_workbench::{
    Explanation, Field, Language, Layout, LintRule, Options, Outcome, Side, explain, parse_hex, render,
};
use proptest::prelude::*;

const CONNECT: &str = "10 25 00 04 4d 51 54 54 04 c2 00 78 00 09 61 61 61 61 61 35 31 38 38 00 06 62 62 62 62 62 35 \
                       00 06 63 63 63 63 63 63";
const SUBSCRIBE: &str = "82 0e 00 01 00 09 6b 66 62 5f 74 6f 70 69 63 00";

fn explained(hex: &str) -> Explanation {
    explain(&parse_hex(hex).expect("hex"), &Options::default())
}

fn types(explanation: &Explanation) -> Vec<&'static str> {
    explanation.packets.iter().map(|packet| packet.type_name()).collect()
}

fn codes(explanation: &Explanation) -> Vec<&'static str> {
    explanation.findings().map(|finding| finding.code).collect()
}

#[test]
fn packets_in_a_row_are_explained_one_by_one() {
    let explanation = explained(&format!("{CONNECT} {SUBSCRIBE} c000"));
    assert_eq!(types(&explanation), ["CONNECT", "SUBSCRIBE", "PINGREQ"]);
    assert_eq!(explanation.packets[1].offset, 39);
    assert!(explanation.packets.iter().all(|packet| packet.from == Some(Side::Client)));
    assert_eq!(explanation.outcome(), Outcome::Clean);
}

#[test]
fn a_cut_packet_says_how_many_bytes_it_needs_and_shows_what_is_there() {
    let whole = parse_hex(CONNECT).expect("hex");
    let explanation = explain(&whole[..27], &Options::default());
    let rest = explanation.rest.as_ref().expect("a rest");
    assert_eq!((rest.offset, rest.length, rest.needs), (0, 27, Some(12)));
    assert_eq!(rest.reason, "needs 12 more bytes");
    let begun = rest.begun.as_ref().expect("fields");
    assert!(begun.fields.iter().any(|field| field.name == "client_identifier"));
    assert!(begun.findings.is_empty());
    assert_eq!(explanation.outcome(), Outcome::NothingDecodable);
    for cut in 1..whole.len() {
        let rest = explain(&whole[..cut], &Options::default()).rest.expect("a rest");
        assert!(rest.begun.expect("fields").findings.is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_cut_packet_behind_whole_ones_is_the_rest() {
    let explanation = explained(&format!("{CONNECT} 82 0e 00"));
    assert_eq!(types(&explanation), ["CONNECT"]);
    assert_eq!(explanation.rest.as_ref().map(|rest| (rest.offset, rest.needs)), Some((39, Some(13))));
    assert_eq!(explanation.outcome(), Outcome::Clean);
}

#[test]
fn garbage_is_passed_over_and_told() {
    let explanation = explained(&format!("00 0d 0a {CONNECT} 00 00 00 {SUBSCRIBE}"));
    assert_eq!(types(&explanation), ["CONNECT", "SUBSCRIBE"]);
    let skipped: Vec<_> = explanation.skipped.iter().map(|stray| (stray.offset, stray.length)).collect();
    assert_eq!(skipped, [(0, 3), (42, 3)]);
    assert_eq!(explanation.outcome(), Outcome::Faulty);
    let explanation = explained(&format!("{CONNECT} 00 00 00"));
    assert_eq!(explanation.rest.as_ref().map(|rest| (rest.offset, rest.needs)), Some((39, None)));
    assert_eq!(explanation.outcome(), Outcome::Faulty);
}

#[test]
fn nothing_decodable_is_told() {
    for hex in ["", "00", "00 00", "10"] {
        assert_eq!(explained(hex).outcome(), Outcome::NothingDecodable, "{hex}");
    }
}

#[test]
fn a_cut_packet_does_not_swallow_what_follows() {
    let explanation = explained(&format!("30 7f 00 03 61 2f 62 {CONNECT} {SUBSCRIBE}"));
    assert_eq!(types(&explanation), ["CONNECT", "SUBSCRIBE"]);
    assert_eq!(explanation.skipped.len(), 1);
}

#[test]
fn a_remaining_length_that_is_too_small_is_repaired() {
    let wrong = CONNECT.replacen("25", "23", 1);
    let explanation = explained(&format!("{wrong} {SUBSCRIBE}"));
    assert_eq!(types(&explanation), ["CONNECT", "SUBSCRIBE"]);
    assert_eq!(codes(&explanation), ["truncated", "remaining_length_too_small"]);
    for finding in &explanation.packets[0].findings {
        assert_eq!(finding.repair, Some(parse_hex(CONNECT).expect("hex")));
    }
    assert_eq!(explanation.skipped.iter().map(|stray| stray.length).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_remaining_length_that_is_left_out_is_put_in() {
    let explanation = explained(&CONNECT.replacen("25", "", 1));
    assert_eq!(codes(&explanation), ["truncated", "remaining_length_missing"]);
    assert_eq!(explanation.packets[0].findings[0].repair, Some(parse_hex(CONNECT).expect("hex")));
}

#[test]
fn a_wrong_length_that_shifts_what_follows_is_found() {
    let explanation = explained(&CONNECT.replacen("00 09", "00 08", 1));
    assert_eq!(codes(&explanation), ["truncated", "length_wrong"]);
    let findings = &explanation.packets[0].findings;
    assert_eq!(findings[0].repair, None, "the fault names another field");
    assert_eq!((findings[1].field, findings[1].offset, findings[1].length), ("client_identifier", 12, 2));
    assert_eq!(findings[1].repair, Some(parse_hex(CONNECT).expect("hex")));
}

#[test]
fn a_remaining_length_that_is_too_large_is_suspected() {
    let explanation = explained(&CONNECT.replacen("25", "27", 1));
    assert_eq!(codes(&explanation), ["remaining_length_counts_header"]);
    assert_eq!(explanation.packets[0].findings[0].repair, Some(parse_hex(CONNECT).expect("hex")));
    let rest = explanation.rest.as_ref().expect("a rest");
    assert_eq!((rest.offset, rest.length, rest.needs), (39, 0, Some(2)));
    assert!(rest.reason.starts_with("needs 2 more bytes; or "), "{}", rest.reason);
    assert_eq!(explanation.outcome(), Outcome::Faulty);
}

#[test]
fn the_wrong_direction_is_a_fault() {
    let bytes = parse_hex("20 02 00 00").expect("hex");
    let from = |side| Options { from: Some(side), ..Options::default() };
    assert_eq!(codes(&explain(&bytes, &from(Side::Client))), ["wrong_direction"]);
    assert!(codes(&explain(&bytes, &from(Side::Server))).is_empty());
    let bytes = parse_hex(CONNECT).expect("hex");
    assert_eq!(codes(&explain(&bytes, &from(Side::Server))), ["wrong_direction"]);
}

#[test]
fn a_repair_cannot_turn_a_packet_round() {
    // UNSUBACK whose Remaining Length leaves out two bytes, and it comes from the wrong side.
    let options = Options { from: Some(Side::Client), ..Options::default() };
    let explanation = explain(&parse_hex("b0 00 00 01").expect("hex"), &options);
    assert!(codes(&explanation).contains(&"wrong_direction"));
    assert!(explanation.findings().all(|finding| finding.repair.is_none()));
}

#[test]
fn the_version_is_that_of_the_connect_or_the_one_that_fits() {
    let version = |hex: &str| explained(hex).packets[0].version;
    assert_eq!(version("20 03 00 00 00"), Version::V5);
    assert_eq!(version("20 02 00 00"), Version::V4);
    assert_eq!(version("e0 01 8e"), Version::V5);
    assert_eq!(version("10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 61"), Version::V3);
    let stream = explained("10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 61 82 07 00 01 00 00 01 61 00");
    assert!(stream.packets.iter().all(|packet| packet.version == Version::V5));
    assert_eq!(stream.outcome(), Outcome::Clean);
}

/// Wrong packet, version, code, right packet.
const REPAIRS: &[(&str, Version, &str, &str)] = &[
    ("80 06 00 01 00 01 61 00", Version::V4, "reserved_flags", "82 06 00 01 00 01 61 00"),
    ("60 02 00 07", Version::V5, "reserved_flags", "62 02 00 07"),
    ("38 04 00 01 61 62", Version::V4, "dup_at_qos0", "30 04 00 01 61 62"),
    ("32 06 00 01 61 00 00 62", Version::V4, "packet_identifier_zero", "32 06 00 01 61 00 01 62"),
    ("c0 01 00", Version::V4, "trailing_bytes", "c0 00"),
    ("82 06 00 01 00 01 61 40", Version::V4, "subscription_options_reserved", "82 06 00 01 00 01 61 00"),
    ("20 02 01 05", Version::V4, "session_present_with_error", "20 02 00 05"),
    ("20 02 02 00", Version::V4, "connack_flags_reserved", "20 02 00 00"),
    (
        "10 0d 00 04 4d 51 54 54 04 03 00 3c 00 01 61",
        Version::V4,
        "connect_flags_reserved",
        "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61",
    ),
    (
        "10 0d 00 04 4d 51 54 54 04 22 00 3c 00 01 61",
        Version::V4,
        "will_flags_without_will",
        "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61",
    ),
    (
        "10 0d 00 04 4d 51 54 54 07 02 00 3c 00 01 61",
        Version::V4,
        "protocol_version",
        "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61",
    ),
    (
        "10 0d 00 04 6d 71 74 74 04 02 00 3c 00 01 61",
        Version::V4,
        "protocol_name",
        "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61",
    ),
    (
        "10 13 00 04 4d 51 54 54 04 42 00 3c 00 01 61 00 01 62 00 01 63",
        Version::V4,
        "password_without_user_name",
        "10 13 00 04 4d 51 54 54 04 c2 00 3c 00 01 61 00 01 62 00 01 63",
    ),
    (
        "10 13 00 04 4d 51 54 54 04 02 00 3c 00 01 61 00 01 62 00 01 63",
        Version::V4,
        "trailing_bytes",
        "10 13 00 04 4d 51 54 54 04 c2 00 3c 00 01 61 00 01 62 00 01 63",
    ),
    ("30 06 00 03 61 00 62 78", Version::V4, "nul_in_utf8", "30 05 00 02 61 62 78"),
    ("82 0a 00 01 00 51 61 62 63 2f 64 00", Version::V4, "truncated", "82 0a 00 01 00 05 61 62 63 2f 64 00"),
    ("30 09 00 01 61 04 01 00 01 01 78", Version::V5, "duplicate_property", "30 07 00 01 61 02 01 00 78"),
    ("82 09 00 01 02 01 01 00 01 61 00", Version::V5, "property_not_allowed", "82 07 00 01 00 00 01 61 00"),
    (
        "82 0a 00 01 03 0b 81 00 00 01 61 00",
        Version::V5,
        "non_minimal_length",
        "82 09 00 01 02 0b 01 00 01 61 00",
    ),
];

#[test]
fn what_can_be_repaired_is() {
    for &(wrong, version, code, right) in REPAIRS {
        let options = Options { version: Some(version), ..Options::default() };
        let explanation = explain(&parse_hex(wrong).expect("hex"), &options);
        let found: Vec<_> = explanation.findings().collect();
        assert!(found.iter().any(|finding| finding.code == code), "{wrong}: {found:#?}");
        let repair =
            found.iter().find(|finding| finding.code == code).and_then(|finding| finding.repair.clone());
        let repair = repair.or_else(|| explanation.packets[0].repair.clone());
        assert_eq!(repair, Some(parse_hex(right).expect("hex")), "{wrong}: {found:#?}");
    }
}

#[test]
fn several_faults_are_repaired_together() {
    // No identifier, and reserved flags.
    let explanation = explained("80 06 00 00 00 01 61 00");
    assert_eq!(codes(&explanation), ["reserved_flags", "packet_identifier_zero"]);
    assert!(explanation.findings().all(|finding| finding.repair.is_none()));
    assert_eq!(explanation.packets[0].repair, Some(parse_hex("82 06 00 01 00 01 61 00").expect("hex")));
}

#[test]
fn what_cannot_be_known_is_not_repaired() {
    // QoS 3 may have been meant as 0, 1 or 2.
    let explanation = explained("36 06 00 01 61 00 01 62");
    assert_eq!(codes(&explanation), ["invalid_qos"]);
    assert_eq!(explanation.packets[0].findings[0].repair, None);
    assert_eq!(explanation.packets[0].repair, None);
}

fn check_spans(fields: &[Field], first: usize, end: usize) {
    for field in fields {
        assert!(field.offset >= first && field.offset + field.length <= end, "{field:?} in {first}..{end}");
        assert!(!field.text.is_empty(), "{field:?} has no meaning");
        check_spans(&field.fields, first, end);
    }
}

fn check_explanation(bytes: &[u8], options: &Options) {
    let explanation = explain(bytes, options);
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for packet in &explanation.packets {
        let end = packet.offset + packet.length;
        pieces.push((packet.offset, packet.length));
        check_spans(&packet.fields, packet.offset, end);
        for finding in &packet.findings {
            // A length that is wrong may stand in bytes that the packet as framed leaves out.
            let end = end + packet.forgotten;
            assert!(finding.offset >= packet.offset && finding.offset + finding.length <= end, "{finding:?}");
            if let Some(repair) = &finding.repair {
                let again = explain(repair, &Options { version: Some(packet.version), ..*options });
                assert_eq!(again.packets.len(), 1, "{finding:?}");
                for left in again.findings() {
                    // It decodes clean; what is merely unwise in it is no part of what was repaired.
                    assert!(LintRule::from_name(left.code).is_some(), "{finding:?} leaves {left:?}");
                    assert_ne!(left.code, finding.code, "{finding:?} is not repaired");
                }
                assert!(again.rest.is_none() && again.skipped.is_empty());
            }
        }
    }
    pieces.extend(explanation.skipped.iter().map(|stray| (stray.offset, stray.length)));
    pieces.extend(explanation.rest.iter().map(|rest| (rest.offset, rest.length)));
    pieces.sort_unstable();
    let end = pieces.iter().fold(0, |at, &(offset, length)| {
        assert_eq!(at, offset, "no byte is told twice or not at all");
        offset + length
    });
    assert_eq!(end, bytes.len());
    for language in [Language::English, Language::Chinese] {
        render(bytes, &explanation, &Layout { width: 80, colour: true, language, whole: false });
    }
    explanation.to_json();
}

/// Bytes that resemble packets: a real first byte, a length that nearly fits, and a body of
/// likely pieces.
fn nearly_packets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(vec![0, 4, b'M', b'Q', b'T', b'T', 4]),
        Just(vec![0, 4, b'M', b'Q', b'T', b'T', 5, 0xC2, 0, 60]),
        Just(vec![0, 3, b'a', b'/', b'b']),
        Just(vec![0, 1]),
        Just(vec![2, 1, 1]),
        Just(vec![5, 17, 0, 0, 0, 1]),
        Just(vec![0]),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    let packet =
        (any::<u8>(), proptest::collection::vec(piece, 0..5), -2i8..3).prop_map(|(first, body, off)| {
            let body = body.concat();
            let mut packet = vec![first, (body.len() as i8).saturating_add(off).clamp(0, 127) as u8];
            packet.extend(body);
            packet
        });
    proptest::collection::vec(packet, 0..4).prop_map(|packets| packets.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_explained_without_a_gap(
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..80), nearly_packets()],
        version in prop_oneof![
            Just(None), Just(Some(Version::V3)), Just(Some(Version::V4)), Just(Some(Version::V5)),
        ],
        from in prop_oneof![Just(None), Just(Some(Side::Client)), Just(Some(Side::Server))],
    ) {
        check_explanation(&bytes, &Options { from, version, language: Language::Chinese });
    }
}

#[test]
fn hostile_input_takes_linear_time() {
    // Each byte claims to begin a packet that holds the rest; the search may not read it for each.
    let bytes: Vec<u8> = [0x31, 0xF0, 0x7F].iter().copied().cycle().take(300_000).collect();
    let explanation = explain(&bytes, &Options::default());
    assert!(explanation.packets.len() <= bytes.len());
}
