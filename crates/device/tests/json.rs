//! JSON with places: what is read, where it stands, and what is refused where.

use hexmq_device::Span;
use hexmq_device::json::{DEPTH_MAX, JsonErrorKind, Node, NodeKind, VALUES_MAX, parse};
use proptest::prelude::*;

fn error(text: &str) -> (usize, JsonErrorKind) {
    let error = parse(text.as_bytes()).expect_err(text);
    (error.offset, error.kind)
}

#[test]
fn every_value_knows_its_place() {
    let text = " {\"a\" : [1, -2.5e3, true,null], \"\\u4e2d\\n\":\"\\ud83d\\ude00\", \"a\":{}} ";
    let node = parse(text.as_bytes()).expect("JSON");
    assert_eq!(node.span, Span::new(1, text.len() - 2));
    let members = node.members().expect("an object");
    assert_eq!(members.iter().map(|member| member.name.as_ref()).collect::<Vec<_>>(), ["a", "中\n", "a"]);
    assert_eq!(members[0].name_span.of(text.as_bytes()), b"\"a\"");
    let texts: Vec<&[u8]> = members[0]
        .value
        .elements()
        .expect("an array")
        .iter()
        .map(|node| node.span.of(text.as_bytes()))
        .collect();
    assert_eq!(texts, [b"1" as &[u8], b"-2.5e3", b"true", b"null"]);
    assert_eq!(members[1].value.text(), Some("😀"));
    assert_eq!(node.member("a").and_then(Node::elements).map(<[_]>::len), Some(4));
    assert_eq!(parse(b"\"\\ud83d!\"").expect("JSON").text(), Some("\u{FFFD}!"));
}

#[test]
fn what_is_no_json_is_refused_at_its_byte() {
    use JsonErrorKind::*;
    for (text, offset, kind) in [
        ("", 0, Ends),
        ("{\"a\":}", 5, NoValue),
        ("{\"a\":1", 6, Ends),
        ("{\"a\" 1}", 5, Unexpected),
        ("{a:1}", 1, Unexpected),
        ("{\"a\":1,}", 7, Unexpected),
        ("[1 2]", 3, Unexpected),
        ("01", 0, Number),
        ("[1.]", 1, Number),
        ("-", 0, Number),
        ("nul", 0, NoValue),
        ("\"a\nb\"", 2, Control),
        ("\"a", 2, Ends),
        ("\"\\x\"", 1, Escape),
        ("\"\\u12g4\"", 1, Escape),
        ("{}\0", 2, Trailing),
        ("{} {}", 3, Trailing),
    ] {
        assert_eq!(error(text), (offset, kind), "{text:?}");
    }
    assert_eq!(parse(b"\"\xFF\"").map_err(|error| (error.offset, error.kind)), Err((1, NotUtf8)));
    let deep = "[".repeat(DEPTH_MAX + 1);
    assert_eq!(error(&deep), (DEPTH_MAX, TooDeep));
    let deep = "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX);
    assert!(parse(deep.as_bytes()).is_ok());
    let many = format!("[{}0]", "0,".repeat(VALUES_MAX - 2));
    assert!(parse(many.as_bytes()).is_ok());
    let too_many = format!("[{}0]", "0,".repeat(VALUES_MAX - 1));
    assert_eq!(error(&too_many), (1 + 2 * (VALUES_MAX - 1), TooMany));
}

fn check_spans(node: &Node<'_>, outer: Span) {
    assert!(node.span.offset >= outer.offset && node.span.end() <= outer.end(), "{node:?} in {outer:?}");
    match &node.kind {
        NodeKind::Array(elements) => elements.iter().for_each(|element| check_spans(element, node.span)),
        NodeKind::Object(members) => members.iter().for_each(|member| {
            assert!(member.name_span.end() < member.value.span.offset + 1);
            check_spans(&member.value, node.span);
        }),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_and_errors_lie_inside(
        text in proptest::collection::vec(
            proptest::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\\", "u", "1", "-", ".", "e", "a", "中",
                "null", "\\u0041", "\n", " ", "\"a\":"]),
            0..24,
        )
    ) {
        let text = text.concat();
        match parse(text.as_bytes()) {
            Ok(node) => check_spans(&node, Span::new(0, text.len())),
            Err(error) => prop_assert!(error.offset <= text.len()),
        }
    }
}

#[test]
fn a_value_without_its_places_is_the_same_value() {
    let text = "{\"a\":[1,-2.5,true,null,\"\\u4e2d\"],\"b\":1,\"b\":{\"c\":18446744073709551615}}";
    let json = parse(text.as_bytes()).expect("JSON").to_json();
    assert_eq!(json, serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
    let large = parse(b"[1e999,123456789012345678901]").expect("JSON").to_json();
    assert_eq!(large, serde_json::json!([null, 123_456_789_012_345_678_901_f64]));
}
