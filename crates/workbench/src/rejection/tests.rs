//! What is said of refused bytes.

use hexmq_wire::{Frame, Leniency, Severity, Trace, Verdict as Goes, decode};

use super::*;
use crate::explain::is_clean;
use crate::parse_hex;

/// CONNECT of 3.1.1 with user name and password.
const CONNECT: &str =
    "10 25 0004 4d515454 04 c2 0078 0009 616161616135313838 0006 626262626235 0006 636363636363";

struct Serve;

impl Trace for Serve {
    const FIELDS: bool = false;
    fn fault(&mut self, fault: Fault) -> Goes {
        if fault.severity == Severity::Fault { Goes::Stop } else { Goes::GoOn }
    }
}

fn hex(text: &str) -> Vec<u8> {
    parse_hex(text).expect("hex")
}

/// Judges a first packet as the server does.
fn judge(bytes: &[u8], reason: &str, reveal: bool) -> Verdict {
    let fault = decode(Frame::new(bytes), Version::V5, &Leniency::default(), &mut Serve).err();
    let fault = fault.filter(|_| !reason.starts_with("connect"));
    let rejected = Rejected {
        bytes,
        sent: bytes.len(),
        reason,
        connected: false,
        fault: fault.as_ref(),
        version: None,
        layer: None,
    };
    judge_rejection(&rejected, reveal, Language::English)
}

#[test]
fn a_wrong_byte_is_placed_named_and_repaired_and_the_password_is_masked() {
    let right = hex(CONNECT);
    let masked = [&right[..33], &b"******"[..]].concat();
    for (at, value, rule, statement, place) in [
        (0, 0x11, "reserved_flags", Some("MQTT-2.2.2-1"), (0, 1)),
        (5, b'X', "protocol_name", Some("MQTT-3.1.2-1"), (2, 6)),
        (8, 9, "protocol_version", Some("MQTT-3.1.2-2"), (8, 1)),
        (9, 0xC3, "connect_flags_reserved", Some("MQTT-3.1.2-3"), (9, 1)),
    ] {
        let mut wrong = right.clone();
        wrong[at] = value;
        let verdict = judge(&wrong, "malformed_packet", false);
        assert_eq!(verdict.rule, rule);
        assert_eq!(verdict.statement, statement, "{rule}");
        assert_eq!(verdict.place, Some(place), "{rule}");
        assert_eq!(verdict.bytes[33..], *b"******", "{rule}");
        assert!(verdict.masked && !verdict.message.is_empty());
        if rule != "protocol_version" {
            assert_eq!(verdict.repair.as_deref(), Some(&*masked), "{rule}");
        }
        let revealed = judge(&wrong, "malformed_packet", true);
        assert_eq!(revealed.bytes, wrong);
        assert!(!revealed.masked);
    }
}

#[test]
fn a_wrong_remaining_length_is_repaired_in_both_directions() {
    let right = hex(CONNECT);
    let masked = [&right[..33], &b"******"[..]].concat();
    let mut too_small = right.clone();
    too_small[1] = 0x24;
    let mut framed = Rejected {
        bytes: &too_small,
        sent: too_small.len(),
        reason: "malformed_packet",
        connected: false,
        fault: None,
        version: None,
        layer: None,
    };
    let fault = decode(Frame::new(&too_small[..38]), Version::V5, &Leniency::default(), &mut Serve).err();
    framed.fault = fault.as_ref();
    let verdict = judge_rejection(&framed, false, Language::English);
    assert_eq!(verdict.rule, "truncated");
    assert_eq!(verdict.repair.as_deref(), Some(&*masked), "{verdict:?}");
    let mut too_large = right.clone();
    too_large[1] = 0x26;
    let verdict = judge(&too_large, "connect_incomplete", false);
    assert_eq!(verdict.repair.as_deref(), Some(&*masked), "{verdict:?}");
    assert_eq!(verdict.place, Some((1, 1)));
}

#[test]
fn who_is_not_let_in_learns_where_the_credentials_belong() {
    let right = hex(CONNECT);
    let verdict = judge(&right, "bad_user_name_or_password", false);
    assert_eq!(verdict.place, Some((23, 16)));
    assert_eq!(verdict.repair.as_deref(), Some(&*verdict.bytes));
    let anonymous = hex("10 0e 0004 4d515454 04 02 0078 0002 6161");
    let verdict = judge(&anonymous, "anonymous_not_allowed", false);
    assert_eq!(verdict.place, Some((9, 1)));
    assert!(!verdict.masked);
    let repair = verdict.repair.expect("a repair");
    assert!(is_clean(&repair, Version::V4, Some(Side::Client)));
    assert_eq!(repair[9], 0xC2);
    assert!(repair.ends_with(b"\0\x04user\0\x08********"), "{repair:02x?}");
    // A user name alone, and an empty password.
    for more in ["0004 75736572", "0004 75736572 0000"] {
        let flags = if more.len() > 13 { "c2" } else { "82" };
        let body = hex(&format!("0004 4d515454 04 {flags} 0078 0002 6161 {more}"));
        let packet = [&[0x10, body.len() as u8], &*body].concat();
        let repair = judge(&packet, "bad_user_name_or_password", false).repair.expect("a repair");
        assert!(repair.ends_with(b"\0\x04user\0\x08********"), "{repair:02x?}");
    }
}

#[test]
fn a_client_without_a_name_gets_one_or_a_clean_session() {
    let verdict = judge(&hex("10 0c 0004 4d515454 04 00 0000 0000"), "client_identifier_not_valid", false);
    assert_eq!(verdict.statement, Some("MQTT-3.1.3-8"));
    assert_eq!(verdict.place, Some((12, 2)));
    assert_eq!(verdict.repair, Some(hex("10 0c 0004 4d515454 04 02 0000 0000")));
    let old = hex("10 0e 0006 4d5149736470 03 02 0000 0000");
    let repair = judge(&old, "client_identifier_not_valid", false).repair.expect("a repair");
    assert!(is_clean(&repair, Version::V3, Some(Side::Client)) && repair.ends_with(b"\0\x07device1"));
}

#[test]
fn other_protocols_are_called_by_their_names() {
    let tls = hex("16 03 01 02 00 01 00 01 fc 03 03");
    for (bytes, reason, rule) in [
        (&*tls, "malformed_packet", "tls_on_plain_listener"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "connect_incomplete", "http_on_mqtt_listener"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "connect_expected", "proxy_header"),
        (b"SSH-2.0-x\r\n", "connection_closed", "ssh_on_mqtt_listener"),
    ] {
        let verdict = judge(bytes, reason, false);
        assert_eq!(verdict.rule, rule);
        assert_eq!(verdict.statement, Some("MQTT-3.1.0-1"));
        assert!(verdict.hint.len() > 20 && verdict.repair.is_none(), "{rule}");
    }
    assert!(judge(b"GET /x HTTP/1.1\r\n", "connect_incomplete", false).message.ends_with("GET /x HTTP/1.1"));
}

#[test]
fn hex_sent_as_text_is_read_and_masked_as_what_it_says() {
    let text = CONNECT.to_uppercase() + "\r\n";
    let verdict = judge(text.as_bytes(), "connect_incomplete", false);
    assert_eq!(verdict.rule, "hex_sent_as_text");
    let masked = CONNECT
        .replace("636363636363", "2a2a2a2a2a2a")
        .to_uppercase()
        .replace("2A2A2A2A2A2A", "2a2a2a2a2a2a");
    assert_eq!(String::from_utf8(verdict.bytes).expect("text"), masked.clone() + "\r\n");
    assert_eq!(verdict.repair, Some(hex(&masked)));
}

#[test]
fn what_is_missing_is_counted() {
    let verdict = judge(&hex(CONNECT)[..20], "connect_incomplete", false);
    assert!(
        verdict.message.contains("20 bytes") && verdict.message.contains("19 more"),
        "{}",
        verdict.message
    );
    assert_eq!(verdict.place, Some((20, 0)));
    let verdict = judge(&[], "connect_incomplete", false);
    assert!(verdict.message.contains("nothing was sent") && verdict.place.is_none());
    let verdict = judge(&[0x10], "connect_incomplete", false);
    assert!(verdict.message.contains("at least 1 "), "{}", verdict.message);
    let verdict = judge(&[0x30, 0x20, 0], "connect_incomplete", false);
    assert_eq!((verdict.place, verdict.statement), (Some((0, 1)), Some("MQTT-3.1.0-1")));
}

#[test]
fn later_packets_are_judged_with_the_version_of_their_connection() {
    let judge = |text: &str, reason: &str, version| {
        let bytes = hex(text);
        let fault = decode(Frame::new(&bytes), version, &Leniency::default(), &mut Serve).err();
        let rejected = Rejected {
            bytes: &bytes,
            sent: bytes.len(),
            reason,
            connected: true,
            fault: fault.as_ref(),
            version: Some(version),
            layer: None,
        };
        judge_rejection(&rejected, false, Language::Chinese)
    };
    let verdict = judge("80 06 0001 0001 61 00", "malformed_packet", Version::V4);
    assert_eq!(verdict.statement, Some("MQTT-3.8.1-1"));
    assert_eq!(verdict.repair, Some(hex("82 06 0001 0001 61 00")));
    let verdict = judge("20 02 00 00", "protocol_error", Version::V4);
    assert_eq!(verdict.rule, "wrong_direction");
    let verdict = judge(CONNECT, "protocol_error", Version::V4);
    assert_eq!(verdict.statement, Some("MQTT-3.1.0-2"));
    assert!(verdict.masked);
    let verdict = judge("32 08 0001 61 0001 00 6161", "receive_maximum_exceeded", Version::V5);
    assert_eq!((verdict.statement, verdict.place), (Some("MQTT-3.3.4-7"), Some((5, 2))));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_places_are_within(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
        connect in proptest::prelude::any::<bool>(),
        at in 0_usize..39,
        connected in proptest::prelude::any::<bool>(),
    ) {
        let mut sent = bytes.clone();
        if connect {
            sent = hex(CONNECT);
            sent[at] = bytes.first().copied().unwrap_or(0);
        }
        let fault = decode(Frame::new(&sent), Version::V4, &Leniency::default(), &mut Serve).err();
        for (reason, fault) in [("malformed_packet", fault.as_ref()), ("connect_incomplete", None), ("x", None)] {
            let rejected = Rejected {
                bytes: &sent, sent: sent.len(), reason, connected, fault, version: None, layer: None,
            };
            let verdict = judge_rejection(&rejected, false, Language::English);
            proptest::prop_assert_eq!(verdict.bytes.len(), sent.len());
            if let Some((offset, length)) = verdict.place {
                proptest::prop_assert!(offset + length <= sent.len());
            }
            if let Some(repair) = verdict.repair {
                let version = [Version::V3, Version::V4, Version::V5];
                proptest::prop_assert!(version.iter().any(|&v| is_clean(&repair, v, Some(Side::Client))));
            }
        }
    }
}

#[test]
fn what_goes_wrong_under_mqtt_has_words_of_its_own() {
    let hello = [0x16, 3, 1, 2, 0, 1];
    let mut said = std::collections::BTreeSet::new();
    for (rule, bytes) in [
        ("not_tls", &hex(CONNECT)[..]),
        ("not_tls", b"?"),
        ("tls_incomplete", &hello),
        ("tls_client_certificate_missing", &hello),
        ("tls_client_certificate_refused", &hello),
        ("tls_server_not_trusted", &hello),
        ("tls_nothing_in_common", &hello),
        ("tls_broken", &hello),
        ("not_websocket", &hello),
        ("not_websocket", &hex(CONNECT)[..]),
        ("not_websocket", b"?"),
        ("websocket_incomplete", b"GET"),
        ("websocket_refused", b"GET / HTTP/1.1\r\n\r\n"),
        ("websocket_frame", b""),
    ] {
        for language in [Language::English, Language::Chinese] {
            let rejected = Rejected {
                bytes,
                sent: bytes.len(),
                reason: "tls_failed",
                connected: false,
                fault: None,
                version: None,
                layer: Some((rule, "the circumstances")),
            };
            let verdict = judge_rejection(&rejected, false, language);
            assert_eq!(verdict.rule, rule);
            assert!(verdict.message.contains("the circumstances") && !verdict.hint.is_empty(), "{rule}");
            assert!(said.insert(verdict.message.clone()), "{rule}: {}", verdict.message);
            assert_eq!(verdict.place.is_none(), bytes.is_empty());
            let shows_password = verdict.bytes.windows(6).any(|six| six == b"cccccc");
            assert!(!shows_password, "{rule}");
        }
    }
}
