//! Every OneNET vector: payloads with their data points, wrong ones with their byte, tokens.

use std::path::Path;

use hexmq_device::mac::HashName;
use hexmq_device::{CivilTime, Span, Time, Value, mac};
use hexmq_dialect_onenet::dp::{self, DpRule, NoticeKind, Point, Separators};
use hexmq_dialect_onenet::token::{self, Denied, Token};
use serde_json::Value as Json;

fn vectors() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().expect("the shape of the vectors")
}

fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn bytes(value: &Json, name: &str) -> Vec<u8> {
    mac::from_hex(text(value, name).as_bytes()).expect("hex")
}

/// A value as the vectors write it.
fn as_json(value: &Value<'_>) -> Json {
    match value {
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::Json(text) => serde_json::from_str(text).expect("what was read as JSON"),
        Value::Binary(_) => Json::Null,
    }
}

fn check_points(id: &str, points: &[Point<'_>], expected: &[Json]) {
    assert_eq!(points.len(), expected.len(), "{id}: {points:#?}");
    for (point, expected) in points.iter().zip(expected) {
        assert_eq!(point.stream, text(expected, "datastream"), "{id}");
        let value = as_json(&point.value);
        // 34 and 34.0 are the same number.
        assert!(
            value == expected["value"] || value.is_number() && value.as_f64() == expected["value"].as_f64(),
            "{id}: {value} is not {}",
            expected["value"]
        );
        let at = expected["at"].as_str().map(|at| Time::Civil(CivilTime::parse(at).expect("a time")));
        assert_eq!(point.at, at, "{id}");
        assert_eq!(point.description.as_deref(), expected["desc"].as_str(), "{id}");
        if let Value::Binary(found) = &point.value {
            assert_eq!(*found, bytes(expected, "binary_hex"), "{id}");
        } else {
            assert!(expected["binary_hex"].is_null(), "{id}");
        }
    }
}

#[test]
fn payloads_are_the_points_they_are() {
    let vectors = vectors();
    for vector in list(&vectors, "onenet_dp") {
        let id = text(vector, "id");
        let payload = bytes(vector, "payload_hex");
        let mut told = Vec::new();
        let upload = dp::decode_telling(&payload, false, &mut |part, span| told.push((part, span)))
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(Json::from(upload.data_type.number()), vector["type"], "{id}");
        assert_eq!(upload.notices, [], "{id}");
        check_points(id, &upload.points, list(vector, "points"));
        assert_eq!(dp::decode_leniently(&payload).as_ref(), Ok(&upload), "{id}");
        let end = told.iter().fold(0, |at, (part, span)| {
            assert_eq!(span.offset, at, "{id}: {part:?} follows without a gap");
            span.end()
        });
        assert_eq!(end, payload.len(), "{id}: every byte is told");
    }
}

#[test]
fn wrong_payloads_are_refused_at_their_byte() {
    let vectors = vectors();
    let expected = [
        ("dp-err-empty", DpRule::Empty, Span::new(0, 0)),
        ("dp-err-len", DpRule::Length, Span::new(1, 2)),
        ("dp-err-json", DpRule::Json, Span::new(8, 1)),
        ("dp-err-type", DpRule::Type, Span::new(0, 1)),
        ("dp-err-float-trunc", DpRule::Count, Span::new(3, 2)),
        ("dp-raw-json", DpRule::Type, Span::new(0, 1)),
    ];
    let list = list(&vectors, "onenet_dp_errors");
    assert_eq!(list.len(), expected.len());
    for (vector, (id, rule, span)) in list.iter().zip(expected) {
        assert_eq!(text(vector, "id"), id);
        let payload = bytes(vector, "payload_hex");
        let error = dp::decode(&payload).expect_err(id);
        assert_eq!((error.rule, error.span), (rule, span), "{id}");
        let message = text(vector, "error");
        let said = error.to_string();
        let said = said
            .split_once(": ")
            .filter(|(head, _)| head.starts_with("byte "))
            .map_or(said.as_str(), |it| it.1);
        match rule {
            DpRule::Type if id == "dp-raw-json" => {
                assert!(message.contains("type 59") && said == "unknown type 59")
            }
            DpRule::Count => {
                assert_eq!((message, said), ("count 3, one float present", "count 3, 1 floats present"))
            }
            DpRule::Json => assert!(said.starts_with(message), "{said}"),
            _ => assert!(message.starts_with(said), "{id}: {said}"),
        }
        let lenient = dp::decode_leniently(&payload);
        match vector.get("lenient_points") {
            Some(points) => {
                let upload = lenient.expect(id);
                assert_eq!(
                    upload.notices.iter().map(|n| n.kind).collect::<Vec<_>>(),
                    [NoticeKind::HeaderMissing]
                );
                check_points(id, &upload.points, points.as_array().expect("points"));
            }
            None => assert_eq!(lenient, Err(error), "{id}"),
        }
    }
}

/// The vectors that our own encoder writes the same way, to the byte.
#[test]
fn points_become_the_payloads_of_the_vectors() {
    let vectors = vectors();
    let mut same = Vec::new();
    for vector in list(&vectors, "onenet_dp") {
        let payload = bytes(vector, "payload_hex");
        let upload = dp::decode(&payload).expect("read above");
        let separators = match text(vector, "id") {
            "dp5-other-separators" => Separators { inner: '#', outer: '@' },
            _ => Separators::default(),
        };
        let written = dp::encode(upload.data_type, &upload.points, upload.time, separators)
            .unwrap_or_else(|error| panic!("{}: {error}", vector["id"]));
        let again = dp::decode(&written).expect("what was written");
        let strip = |points: &[Point<'_>]| -> Vec<_> {
            points.iter().map(|p| (p.stream.to_string(), format!("{:?}", p.value), p.at)).collect()
        };
        assert_eq!(strip(&again.points), strip(&upload.points), "{}", vector["id"]);
        if written == payload {
            same.push(text(vector, "id").to_owned());
        }
    }
    for id in [
        "dp2-min",
        "dp3-tutorial",
        "dp3-sdk",
        "dp3-mixed",
        "dp4-sdk",
        "dp4-empty-time",
        "dp7-notime",
        "dp7-time",
        "dp8-allinone",
    ] {
        assert!(same.iter().any(|it| it == id), "{id} is written differently; the same are {same:?}");
    }
}

#[test]
fn tokens_are_signed_and_verified() {
    let vectors = vectors();
    for vector in list(&vectors["onenet_tokens"], "accept") {
        let id = text(vector, "id");
        let key = text(vector, "access_key_base64");
        let method =
            HashName::ALL.into_iter().find(|hash| hash.name() == text(vector, "method")).expect("a method");
        let expiry = vector["et"].as_i64().expect("seconds");
        let made = token::sign(key, text(vector, "version"), text(vector, "res"), expiry, method);
        assert_eq!(made, text(vector, "token"), "{id}");
        for form in ["token", "token_res_unescaped"] {
            assert!(token::is_meant(text(vector, form)));
            let token = Token::parse(text(vector, form)).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!(token.string_to_sign(), text(vector, "string_to_sign"), "{id}");
            assert_eq!((token.method, token.expiry), (method, expiry), "{id}");
            assert!(token.is_signed_with(key), "{id}");
            assert!(!token.is_signed_with("MDEyMw=="), "{id}");
            assert_eq!(token.slip(key), None, "{id}");
        }
    }
}

#[test]
fn tokens_that_must_be_refused_are() {
    let vectors = vectors();
    const NOW: i64 = 1_800_000_000;
    for vector in list(&vectors["onenet_tokens"], "edge") {
        let id = text(vector, "id");
        let token = Token::parse(text(vector, "token")).unwrap_or_else(|error| panic!("{id}: {error}"));
        let device = vector["client_id"].as_str().unwrap_or("mydev");
        let expected = match id {
            "expired" => Err(Denied::Expired),
            "wrong-key" => Err(Denied::Sign),
            "other-device" => Err(Denied::Resource),
            "plus-as-space" => Ok(()),
            _ => panic!("{id} is new"),
        };
        assert_eq!(token.admits("123123", device, &[text(vector, "key")], NOW), expected, "{id}");
    }
}
