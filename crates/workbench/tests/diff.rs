//! Differences: none where there is none, the right one where there is one, and nothing ever panics.

#[path = "../../wire/tests/common/packets.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests of the decoder")]
mod packets;

use hexmq_wire::Version;
use hexmq_workbench::Language;
use hexmq_workbench::build::{Assumed, drafts_from_json};
use hexmq_workbench::diff::{Diff, DiffOptions, Row};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the arbitrary packets are made for.
const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

fn build(json: &Value) -> Vec<u8> {
    let drafts = drafts_from_json(json, Assumed::default()).expect("a description");
    drafts.iter().flat_map(|draft| draft.to_bytes().expect("a packet")).collect()
}

fn diff(a: &Value, b: &Value) -> Diff {
    Diff::of_bytes(&build(a), &build(b), &DiffOptions::default())
}

/// The paths of the only row, which is a changed one.
fn paths(diff: &Diff) -> Vec<&str> {
    match diff.dialogues[0].rows.as_slice() {
        [Row::Changed { fields, .. }] => fields.iter().map(|field| field.path.as_str()).collect(),
        rows => panic!("{rows:?}"),
    }
}

#[test]
fn only_the_fields_that_differ_are_named() {
    let connect = json!({"type": "CONNECT", "version": 5, "id": "a", "user_name": "u",
        "properties": {"receive_maximum": 1, "user_property": [["k", "v"], ["k", "w"]]}});
    for (change, expected) in [
        (json!({"keep_alive": 5}), &["keep_alive"][..]),
        (json!({"id": "b"}), &["client_identifier"]),
        (json!({"id": "bb"}), &["remaining_length", "client_identifier"]),
        (json!({"clean_start": false}), &["connect_flags.clean_start"]),
        (json!({"password": "x"}), &["remaining_length", "connect_flags.password_flag", "password"]),
        (
            json!({"properties": {"receive_maximum": 1, "user_property": [["k", "v"], ["k", "x"]]}}),
            &["properties.user_property[1].value"],
        ),
        (
            json!({"properties": {"user_property": [["k", "v"], ["k", "w"]], "topic_alias_maximum": 1}}),
            &["properties.receive_maximum", "properties.topic_alias_maximum"],
        ),
        // The same fields in another order.
        (json!({"properties": {"user_property": [["k", "v"], ["k", "w"]], "receive_maximum": 1}}), &[]),
    ] {
        let mut changed = connect.clone();
        for (name, value) in change.as_object().expect("an object") {
            changed[name] = value.clone();
        }
        let diff = diff(&connect, &changed);
        assert_eq!(paths(&diff), expected, "{change}");
        assert!(!diff.is_equal());
        for language in [Language::English, Language::Chinese] {
            let page = diff.to_text(language, false);
            assert!(expected.iter().all(|path| page.contains(path)), "{page}");
        }
    }
}

#[test]
fn entries_of_lists_are_told_apart() {
    let subscribe = |filters: Value| json!({"type": "SUBSCRIBE", "subscriptions": filters});
    let diff = diff(&subscribe(json!(["a", "b"])), &subscribe(json!(["a", "c"])));
    assert_eq!(paths(&diff), ["subscriptions.subscription[1].topic_filter"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_packet_is_equal_to_itself_and_different_from_another(
        one in packets::ingredients(),
        other in packets::ingredients(),
    ) {
        let bytes = |ingredients: &packets::Ingredients| {
            let mut bytes = Vec::new();
            ingredients.cook(|packet| packet.encode(ingredients.version, &mut bytes)).expect("a packet");
            bytes
        };
        let (a, b) = (bytes(&one), bytes(&other));
        let options = DiffOptions { version: Some(one.version), ..DiffOptions::default() };
        prop_assert!(Diff::of_bytes(&a, &a, &options).is_equal());
        prop_assert_eq!(Diff::of_bytes(&a, &b, &options).is_equal(), a == b);
    }

    #[test]
    fn any_bytes_can_be_compared(
        a in proptest::collection::vec(any::<u8>(), 0..60),
        b in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let diff = Diff::of_bytes(&a, &b, &DiffOptions::default());
        prop_assert_eq!(diff.is_equal(), a == b);
        prop_assert!(!diff.to_text(Language::Chinese, true).is_empty());
        let rows = &diff.dialogues[0].rows;
        let sizes = |wanted: fn(&Row) -> Option<usize>| rows.iter().filter_map(wanted).sum::<usize>();
        // Every byte of either input stands in a row.
        let of_a = sizes(|row| match row {
            Row::Same(a, _) | Row::Changed { a, .. } | Row::OnlyA(a) => Some(a.bytes.len()),
            Row::OnlyB(_) => None,
        });
        let of_b = sizes(|row| match row {
            Row::Same(_, b) | Row::Changed { b, .. } | Row::OnlyB(b) => Some(b.bytes.len()),
            Row::OnlyA(_) => None,
        });
        prop_assert_eq!((of_a, of_b), (a.len(), b.len()));
    }
}
