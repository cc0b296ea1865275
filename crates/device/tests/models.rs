//! Thing models: what is read, what is judged, what is learnt.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use hexmq_device::model::{Draft, Model, too_late};
use hexmq_device::{Datum, ModelFaultKind as Kind, NewEvent, NewPoint, Order};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn point(id: &str, value: Json) -> NewPoint {
    NewPoint { id: id.to_owned(), value: Datum::of_json(value).unwrap(), at_ms: None }
}

fn property(id: &str, kind: Json) -> Json {
    json!({"identifier": id, "accessMode": "rw", "dataType": kind})
}

/// One property of each type, in the words of one cloud and of the other.
fn model() -> Model {
    let member = |id: &str| json!({"identifier": id, "required": true, "dataType": {"type": "int", "specs": {"max": "9"}}});
    Model::parse(&json!({
        "schema": "https://…",
        "profile": {"version": "1.0", "productKey": "k"},
        "properties": [
            property("int", json!({"type": "int", "specs": {"min": "-5", "max": "5", "step": "1", "unit": ""}})),
            property("int64", json!({"type": "int64", "specs": {"min": 0, "max": 10}})),
            property("float", json!({"type": "float", "specs": {"min": "-1.5", "max": "1.5"}})),
            property("bool", json!({"type": "bool", "specs": {"0": "off", "1": "on"}})),
            property("enum", json!({"type": "enum", "specs": {"0": "a", "7": "b"}})),
            property("text", json!({"type": "text", "specs": {"length": "4"}})),
            property("string", json!({"type": "string", "specs": {"length": 4}})),
            property("date", json!({"type": "date", "specs": {}})),
            property("struct", json!({"type": "struct", "specs": [member("a"), {"identifier": "b", "dataType": {"type": "bool", "specs": {}}}]})),
            property("array", json!({"type": "array", "specs": {"size": "2", "item": {"type": "int"}}})),
            property("array2", json!({"type": "array", "specs": {"length": 2, "type": "int32", "specs": {}}})),
            {"identifier": "sensor", "accessMode": "r", "dataType": {"type": "int", "specs": {}}},
            {"identifier": "button", "accessMode": "w", "dataType": {"type": "int", "specs": {}}},
        ],
        "events": [
            {"identifier": "post", "outputData": [{"identifier": "int", "dataType": {"type": "int", "specs": {}}}]},
            {"identifier": "alarm", "type": "alert", "outputData": [member("code")]},
        ],
        "services": [
            {"identifier": "set", "inputData": [{"identifier": "int", "dataType": {"type": "int", "specs": {}}}]},
            {"identifier": "get", "inputData": ["int"]},
            {"identifier": "reboot", "inputData": [member("delay")]},
            {"identifier": "blink", "input": [member("times")]},
        ],
    }))
    .unwrap()
}

#[test]
fn values_of_every_type_are_judged() {
    let cases = [
        ("int", json!(5), None),
        ("int", json!(5.0), None),
        ("int", json!(6), Some(Kind::Integer)),
        ("int", json!(1.5), Some(Kind::Integer)),
        ("int", json!("1"), Some(Kind::Integer)),
        ("int64", json!(-1), Some(Kind::Integer)),
        ("float", json!(1), None),
        ("float", json!(1.6), Some(Kind::Real)),
        ("float", json!(true), Some(Kind::Real)),
        ("bool", json!(true), None),
        ("bool", json!(0), None),
        ("bool", json!(2), Some(Kind::Boolean)),
        ("enum", json!(7), None),
        ("enum", json!("7"), None),
        ("enum", json!(1), Some(Kind::Enumeration)),
        ("text", json!("äöüß"), None),
        ("text", json!("abcde"), Some(Kind::Text)),
        ("text", json!(1), Some(Kind::Text)),
        ("string", json!("abcde"), Some(Kind::Text)),
        ("date", json!("1524448722000"), None),
        ("date", json!(1_524_448_722_000_i64), None),
        ("date", json!("yesterday"), Some(Kind::Date)),
        ("struct", json!({"a": 1}), None),
        ("struct", json!({"a": 1, "b": true}), None),
        ("struct", json!({"b": true}), Some(Kind::Structure)),
        ("struct", json!({"a": 10}), Some(Kind::Structure)),
        ("struct", json!({"a": 1, "c": 1}), Some(Kind::Structure)),
        ("struct", json!([1]), Some(Kind::Structure)),
        ("array", json!([1, 2]), None),
        ("array", json!([1, 2, 3]), Some(Kind::Array)),
        ("array", json!(["x"]), Some(Kind::Array)),
        ("array2", json!(["x"]), Some(Kind::Array)),
        ("nothing", json!(1), Some(Kind::Unknown)),
    ];
    let model = model();
    for (id, value, expected) in cases {
        let fault = model.judge_point(&point(id, value.clone()));
        assert_eq!(fault.as_ref().map(|fault| fault.kind), expected, "{id} = {value}: {fault:?}");
        if let Some(fault) = fault {
            assert!(fault.identifier == id && !fault.message.is_empty());
        }
    }
    let bytes = NewPoint { value: Datum::Binary(vec![1]), ..point("int", json!(1)) };
    assert!(model.judge_point(&bytes).is_some());
    let range = model.judge_point(&point("int", json!(6))).unwrap();
    assert_eq!(range.message, "6 is out of range: from -5 to 5 is expected");
    let member = model.judge_point(&point("struct", json!({"a": "x"}))).unwrap();
    assert_eq!(member.message, "a: a whole number is expected, this is \"x\"");
}

#[test]
fn events_and_orders_are_judged() {
    let model = model();
    let event = |id: &str, params| NewEvent { id: id.to_owned(), params, at_ms: None };
    assert!(model.judge_event(&event("alarm", json!({"code": 1}))).is_empty());
    let faults = model.judge_event(&event("alarm", json!({"other": 1})));
    let kinds: Vec<_> = faults.iter().map(|fault| (&*fault.identifier, fault.kind)).collect();
    assert_eq!(kinds, [("alarm.other", Kind::Unknown), ("alarm.code", Kind::Missing)]);
    assert_eq!(model.judge_event(&event("post", json!({})))[0].kind, Kind::Unknown);
    assert_eq!(model.judge_event(&event("alarm", json!(1)))[0].kind, Kind::Structure);

    let kinds = |order: &Order| model.judge_order(order).iter().map(|fault| fault.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&Order::Set(json!({"int": 1, "button": 1}))), []);
    assert_eq!(
        kinds(&Order::Set(json!({"int": 9, "sensor": 1, "x": 1}))),
        [Kind::Integer, Kind::Access, Kind::Unknown]
    );
    assert_eq!(kinds(&Order::Set(json!([]))), [Kind::Structure]);
    assert_eq!(
        kinds(&Order::Get(vec!["int".to_owned(), "button".to_owned(), "x".to_owned()])),
        [Kind::Access, Kind::Unknown]
    );
    let invoke = |service: &str, params| Order::Invoke { service: service.to_owned(), params, sync: false };
    assert_eq!(kinds(&invoke("reboot", json!({"delay": 1}))), []);
    assert_eq!(kinds(&invoke("blink", json!({"times": 10}))), [Kind::Integer]);
    assert_eq!(kinds(&invoke("dance", json!({}))), [Kind::Unknown]);
    assert_eq!(kinds(&Order::Raw(vec![1])), []);
}

#[test]
fn a_time_may_be_a_day_ahead() {
    assert_eq!(too_late("x", None, 0), None);
    assert_eq!(too_late("x", Some(86_400_000), 0), None);
    assert_eq!(too_late("x", Some(86_400_001), 0).unwrap().kind, Kind::Time);
    assert_eq!(too_late("x", Some(i64::MAX), i64::MAX), None);
}

#[test]
fn what_is_no_model_is_told_with_its_place() {
    let path = |tsl: Json| Model::parse(&tsl).unwrap_err().path;
    assert_eq!(path(json!([])), "thing model");
    assert_eq!(path(json!({"properties": {}})), "properties");
    assert_eq!(path(json!({"properties": [{}]})), "properties[0]");
    let ok = property("a", json!({"type": "int", "specs": {}}));
    assert_eq!(path(json!({"properties": [ok, ok]})), "properties[1]");
    assert_eq!(
        path(json!({"properties": [ok, property("b", json!({"type": "color"}))]})),
        "properties[1].dataType"
    );
    let nested = json!({"type": "struct", "specs": [{"identifier": "m", "dataType": {"type": "enum", "specs": {"x": ""}}}]});
    assert_eq!(
        path(json!({"properties": [property("b", nested)]})),
        "properties[0].dataType.specs[0].dataType"
    );
    let mut deep = json!({"type": "int", "specs": {}});
    for _ in 0..20 {
        deep = json!({"type": "struct", "specs": [{"identifier": "m", "dataType": deep}]});
    }
    assert!(Model::parse(&json!({"properties": [property("d", deep)]})).is_err());
    assert_eq!(
        path(json!({"properties": [property("b", json!({"type": "int", "specs": {"min": "low"}}))]})),
        "properties[0].dataType"
    );
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        (-1.0e6..1.0e6).prop_map(|real: f64| json!(real)),
        "[a-z]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn points() -> impl Strategy<Value = Vec<NewPoint>> {
    prop::collection::vec(("[a-c]", value()).prop_map(|(id, value)| point(&id, value)), 0..40)
}

fn learnt(points: &[NewPoint]) -> Draft {
    let mut draft = Draft::default();
    points.iter().for_each(|point| draft.learn_point(point));
    draft
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However what was seen is divided among drafts, they add up to the same.
    #[test]
    fn drafts_add_up(a in points(), b in points(), c in points()) {
        let whole = learnt(&[a.clone(), b.clone(), c.clone()].concat());
        let (mut left, mut right) = (learnt(&a), learnt(&c));
        left.merge(&learnt(&b));
        left.merge(&learnt(&c));
        right.merge(&learnt(&b));
        right.merge(&learnt(&a));
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&right, &whole);
        prop_assert_eq!(Draft::of_json(&whole.to_json()), Some(whole));
    }

    /// A draft is a model, and takes the values of one plain kind that it was learnt from.
    #[test]
    fn a_draft_takes_what_it_was_learnt_from(
        integers in prop::collection::vec(any::<i32>(), 1..80),
        reals in prop::collection::vec(-1.0e9..1.0e9_f64, 1..80),
        switches in prop::collection::vec(0..2_i32, 1..80),
        texts in prop::collection::vec("[a-zäö]{0,40}", 1..10),
    ) {
        let mut points: Vec<NewPoint> = Vec::new();
        points.extend(integers.iter().map(|value| point("i", json!(value))));
        points.extend(reals.iter().map(|value| point("r", json!(value))));
        points.extend(switches.iter().map(|value| point("s", json!(value))));
        points.extend(texts.iter().map(|value| point("t", json!(value))));
        points.extend(integers.iter().map(|value| point("o", json!({"x": value, "l": [value]}))));
        let draft = learnt(&points);
        let model = Model::parse(&draft.to_tsl("p")).unwrap();
        for point in &points {
            prop_assert_eq!(model.judge_point(point), None);
        }
    }

    #[test]
    fn any_json_is_a_model_or_an_error(json in value()) {
        let _ = Model::parse(&json!({"properties": [{"identifier": "a", "dataType": json}]}));
        let _ = Model::parse(&json!({"properties": [{"identifier": "a", "dataType": {"type": "enum", "specs": json}}]}));
        let _ = Draft::of_json(&json);
    }
}
