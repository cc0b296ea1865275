//! The legacy access as the platform sees it: who is let in, what uploads mean, how commands go out.

mod support;

use hexmq_device::{
    Ask, CivilTime, Datum, DeviceRef, Dialect, DialectName, NewPoint, Order, Reach, RefusedCode, Secret,
    TopicRule,
};
use hexmq_dialect_onenet::Onenet;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::{NOW_MS, bytes, device, list, product, sign_in, switched, text, uplink, vectors};

const MASTER: &str = "dpsO9ruH0aTZublG9g5SvBtFSEQ=";

fn legacy() -> hexmq_device::Product {
    product("491644", DialectName::Onenet, MASTER)
}

#[test]
fn a_connect_names_product_and_device() {
    let claim = |user| Onenet.claim(&sign_in("901505824", user, Some("123456")));
    assert_eq!(claim(Some("491644")), Some(DeviceRef::new("491644", "901505824")));
    assert_eq!(claim(None), None, "without a user name it is a plain client");
    assert_eq!(claim(Some("")), None);
}

#[test]
fn the_checks_and_their_codes() {
    let product = legacy();
    let mut known = device("491644", "901505824", "123456");
    known.extra = json!({"secret": {"keys": [{"key": "Zm9yIHRoaXMgZGV2aWNlIG9ubHk=", "title": "auto"}]}});
    let try_with = |password: Option<&str>, device: Option<&hexmq_device::Device>| {
        let sign_in = sign_in("901505824", Some("491644"), password);
        Onenet.verify(&sign_in, &product, device, NOW_MS).map_err(|refused| (refused.code, refused.rule))
    };
    for password in ["123456", MASTER, "Zm9yIHRoaXMgZGV2aWNlIG9ubHk="] {
        assert!(try_with(Some(password), Some(&known)).is_ok(), "{password}");
    }
    let credentials = |rule| Err((RefusedCode::Credentials, rule));
    assert_eq!(try_with(Some("123456"), None), Err((RefusedCode::Identifier, "unknown_device")));
    assert_eq!(try_with(Some("12345"), Some(&known)), credentials("wrong_secret"));
    assert_eq!(try_with(Some(""), Some(&known)), credentials("wrong_secret"));
    assert_eq!(try_with(None, Some(&known)), credentials("password_missing"));
    let disabled = hexmq_device::Device { disabled: true, ..known.clone() };
    assert_eq!(
        try_with(Some("123456"), Some(&disabled)),
        Err((RefusedCode::NotAuthorized, "device_disabled"))
    );
    assert_eq!(try_with(Some("12345"), Some(&disabled)), credentials("wrong_secret"));
    let lost = hexmq_device::Device {
        secret: None,
        password: Some(Secret("what it sends".into())),
        ..known.clone()
    };
    assert!(try_with(Some("what it sends"), Some(&lost)).is_ok());
    let empty = hexmq_device::Device { secret: Some(Secret(String::new())), ..known };
    assert_eq!(try_with(Some(""), Some(&empty)), credentials("wrong_secret"), "no secret opens nothing");
}

#[test]
fn keys_are_no_passwords_where_that_is_switched_off() {
    let product = switched(&legacy(), "api_key_as_password", false);
    let known = device("491644", "901505824", "123456");
    let sign_in = sign_in("901505824", Some("491644"), Some(MASTER));
    let refused = Onenet.verify(&sign_in, &product, Some(&known), NOW_MS).expect_err("switched off");
    assert_eq!(refused.rule, "wrong_secret");
    let found = Onenet.diagnose(&sign_in, Some(&product), Some(&known), NOW_MS);
    assert_eq!((found.admitted, found.code), (false, "api_key_off"));
}

#[test]
fn what_a_device_may_do() {
    let known = device("491644", "901505824", "123456");
    let sign_in = sign_in("901505824", Some("491644"), Some("123456"));
    let admission = Onenet.verify(&sign_in, &legacy(), Some(&known), NOW_MS).expect("right");
    let rule = |filter: &str, publish, subscribe, reach| TopicRule {
        filter: filter.into(),
        publish,
        subscribe,
        reach,
    };
    let expected = [
        rule("$dp", true, false, Reach::Platform),
        rule("$crsp/#", true, false, Reach::Platform),
        rule("$creq/#", false, true, Reach::Platform),
        rule("#", true, true, Reach::Both),
    ];
    assert_eq!(admission.rules, expected);
    assert!(!admission.subscribed && admission.greeting.is_empty() && admission.registration.is_none());
    let off = switched(&legacy(), "command_filter_granted", false);
    let admission = Onenet.verify(&sign_in, &off, Some(&known), NOW_MS).expect("right");
    assert_eq!(admission.rules.len(), 3);
}

#[test]
fn each_quirk_has_its_switch() {
    let known = device("491644", "901505824", "123456");
    let sign_in = sign_in("901505824", Some("491644"), Some("123456"));
    let manners = |product: &hexmq_device::Product| {
        Onenet.verify(&sign_in, product, Some(&known), NOW_MS).expect("right").manners
    };
    let default = manners(&legacy());
    assert!(default.zero_flags && default.pubrel_as_pubcomp && default.no_retain && !default.grants_qos_1);
    assert_eq!((default.packet_gap_ms, default.largest_qos), (Some(50), 2));
    let off = |name| manners(&switched(&legacy(), name, false));
    assert!(!off("zero_flags").zero_flags);
    assert!(!off("pubrel_as_pubcomp").pubrel_as_pubcomp);
    assert!(!off("no_retain").no_retain);
    assert_eq!(off("one_packet_per_segment").packet_gap_ms, None);
    assert_eq!(manners(&switched(&legacy(), "hold_qos_2", true)).largest_qos, 1);
    let names: Vec<_> = Onenet.quirks().iter().map(|quirk| quirk.name).collect();
    assert_eq!(names.len(), 9);
    assert!(Onenet.quirks().iter().all(|quirk| !quirk.what.is_empty() && !quirk.source.is_empty()));
}

/// A point as the vectors write it, with its time in Beijing.
fn expected(point: &Json) -> NewPoint {
    let value = match point["binary_hex"].as_str() {
        Some(_) => Datum::Binary(bytes(point, "binary_hex")),
        None => Datum::of_json(point["value"].clone()).expect("a value"),
    };
    let at = point["at"].as_str().map(|at| CivilTime::parse(at).expect("a time").unix_ms(480));
    NewPoint { id: text(point, "datastream").into(), value, at_ms: at }
}

fn same(found: &NewPoint, expected: &NewPoint) -> bool {
    // 34 and 34.0 are the same number.
    let value = found.value == expected.value
        || found.value.number().is_some_and(|it| expected.value.number() == Some(it));
    value && (&found.id, found.at_ms) == (&expected.id, expected.at_ms)
}

#[test]
fn uploads_are_the_points_they_are() {
    let (product, from) = (legacy(), DeviceRef::new("491644", "901505824"));
    let vectors = vectors();
    for vector in list(&vectors, "onenet_dp") {
        let payload = bytes(vector, "payload_hex");
        let understood = Onenet.uplink(&uplink(&product, &from, "$dp", &payload)).expect("a right one");
        let [request] = understood.requests.as_slice() else { panic!("{understood:?}") };
        assert_eq!((&request.device, &request.receipt), (&from, &None));
        let Ask::Post { points, events } = &request.ask else { panic!("{request:?}") };
        let wanted: Vec<_> = list(vector, "points").iter().map(expected).collect();
        assert!(
            points.len() == wanted.len()
                && points.iter().zip(&wanted).all(|(found, wanted)| same(found, wanted)),
            "{}: {points:?} is not {wanted:?}",
            vector["id"]
        );
        assert!(events.is_empty() && understood.replies.is_empty() && understood.notices.is_empty());
    }
}

#[test]
fn wrong_uploads_name_rule_and_byte() {
    let (product, from) = (legacy(), DeviceRef::new("491644", "901505824"));
    let strict = switched(&product, "lenient_data_points", false);
    let vectors = vectors();
    let rules = [
        ("dp-err-empty", "dp_empty", 0, 0),
        ("dp-err-len", "dp_length", 1, 2),
        ("dp-err-json", "dp_json", 8, 1),
        ("dp-err-type", "dp_type", 0, 1),
        ("dp-err-float-trunc", "dp_count", 3, 2),
        ("dp-raw-json", "dp_type", 0, 1),
    ];
    for (vector, (id, rule, offset, length)) in list(&vectors, "onenet_dp_errors").iter().zip(rules) {
        let payload = bytes(vector, "payload_hex");
        let error = Onenet.uplink(&uplink(&strict, &from, "$dp", &payload)).expect_err(id);
        assert_eq!((text(vector, "id"), error.rule, error.offset, error.length), (id, rule, offset, length));
        assert!(error.replies.is_empty(), "a PUBACK is the only answer");
        let taken = Onenet.uplink(&uplink(&product, &from, "$dp", &payload));
        match vector.get("lenient_points") {
            None => assert_eq!(taken, Err(error), "{id}"),
            Some(points) => {
                let taken = taken.expect("taken as type 3");
                let points: Vec<_> = points.as_array().expect("points").iter().map(expected).collect();
                assert_eq!(taken.requests[0].ask, Ask::Post { points, events: Vec::new() });
                assert_eq!(taken.notices[0].0, "dp_header_missing");
            }
        }
    }
}

#[test]
fn the_time_in_front_holds_in_the_zone_of_the_product() {
    let from = DeviceRef::new("491644", "901505824");
    let payload = [0x87, 0x11, 8, 12, 13, 30, 45, 0, 1, 0, 2, 0, 0, 8, 0x42, 0x66, 0x66, 0xA2, 0xC1];
    let at = |zone| {
        let mut product = legacy();
        product.zone_minutes = zone;
        let understood = Onenet.uplink(&uplink(&product, &from, "$dp", &payload)).expect("a right one");
        let Ask::Post { points, .. } = &understood.requests[0].ask else { panic!("{understood:?}") };
        assert_eq!(points[1].value, Datum::Real(-20.299_999_237_060_547));
        points.iter().map(|point| point.at_ms.expect("a time")).collect::<Vec<_>>()
    };
    assert_eq!(at(0), [1_502_544_645_000; 2]);
    assert_eq!(at(480), [1_502_544_645_000 - 8 * 3_600_000; 2]);
}

#[test]
fn a_command_goes_out_and_its_answer_finds_it() {
    let (product, to) = (legacy(), DeviceRef::new("491644", "901505824"));
    let id = "e8b6c9b6-225b-57dc-abaa-246ba58761d8";
    let order = Order::Raw(b"redled:0".to_vec());
    let down = Onenet.downlink(&product, &to, &order, id, 7).expect("a command");
    assert_eq!(
        (&*down.topic, &*down.payload),
        ("$creq/e8b6c9b6-225b-57dc-abaa-246ba58761d8", &b"redled:0"[..])
    );
    assert_eq!((down.qos, down.if_subscribed, down.correlation.as_deref()), (0, false, Some(id)));
    // fw-crsp
    let up = Onenet
        .uplink(&uplink(&product, &to, &down.topic.replace("$creq", "$crsp"), b"ok"))
        .expect("an answer");
    let Ask::Answered(answered) = &up.requests[0].ask else { panic!("{up:?}") };
    assert_eq!((answered.correlation.as_str(), &*answered.payload), (id, &b"ok"[..]));
    let up = Onenet.uplink(&uplink(&product, &to, "$crsp/a/b", b"")).expect("an answer");
    let Ask::Answered(answered) = &up.requests[0].ask else { panic!("{up:?}") };
    assert_eq!(answered.correlation, "a/b", "the whole rest of the topic");
}

#[test]
fn what_cannot_be_said_says_what_to_do() {
    let (product, to) = (legacy(), DeviceRef::new("491644", "901505824"));
    for order in [Order::Set(json!({"led": 1})), Order::Get(vec!["led".into()]), Order::Lifecycle("enable")] {
        let error = Onenet.downlink(&product, &to, &order, "id", 1).expect_err("no way to say it");
        assert!(!error.message.is_empty());
    }
    let publish = |topic: &str| {
        let order = Order::Publish { topic: topic.into(), payload: vec![1], qos: 1 };
        Onenet.downlink(&product, &to, &order, "id", 1).map(|down| (down.topic, down.qos, down.if_subscribed))
    };
    assert_eq!(publish("house/1"), Ok(("house/1".into(), 1, true)));
    assert_eq!(publish("$dp").map_err(|error| error.code), Err("reserved_topic"));
}

#[test]
fn the_doctor_names_the_ingredient() {
    let product = legacy();
    let known = device("491644", "901505824", "Secret-1");
    let check =
        |client, user, password, of: Option<&hexmq_device::Product>, d: Option<&hexmq_device::Device>| {
            let found = Onenet.diagnose(&sign_in(client, user, password), of, d, NOW_MS);
            assert!(found.admitted == (found.code == "ok"));
            assert!(found.admitted || !found.hint.is_empty(), "{found:?}");
            assert!(!format!("{found:?}").contains("Secret-1"), "secrets are not shown");
            found.code
        };
    let (user, id) = (Some("491644"), "901505824");
    let (p, d) = (Some(&product), Some(&known));
    assert_eq!(check(id, user, Some("Secret-1"), p, d), "ok");
    assert_eq!(check(id, None, Some("Secret-1"), p, d), "user_name_missing");
    assert_eq!(check(id, Some("49164"), Some("Secret-1"), None, None), "unknown_product");
    assert_eq!(check("491644", Some(id), Some("Secret-1"), p, d), "swapped");
    assert_eq!(check(id, Some(" 491644"), Some("Secret-1"), p, d), "blanks");
    assert_eq!(check("9015058245", user, Some("Secret-1"), p, None), "unknown_device");
    assert_eq!(check("901505824 ", user, Some("Secret-1"), p, d), "blanks");
    assert_eq!(check(id, user, None, p, d), "password_missing");
    assert_eq!(check(id, user, Some("secret-1"), p, d), "letter_case");
    assert_eq!(check(id, user, Some("Secret-1\n"), p, d), "blanks");
    assert_eq!(check(id, user, Some("491644"), p, d), "wrong_secret");
    assert_eq!(check(id, user, Some("version=1&res=2&et=3&method=4&sign=5"), p, d), "token_for_legacy");
    let disabled = hexmq_device::Device { disabled: true, ..known.clone() };
    assert_eq!(check(id, user, Some("Secret-1"), p, Some(&disabled)), "device_disabled");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(topic in "(\\$dp|\\$crsp/.*|\\$creq/.*|.*)", payload: Vec<u8>) {
        let (product, from) = (legacy(), DeviceRef::new("491644", "901505824"));
        let read = Onenet.uplink(&uplink(&product, &from, &topic, &payload));
        if let Err(error) = read {
            prop_assert!(error.offset <= payload.len() && error.offset + error.length <= payload.len().max(error.offset));
        }
    }

    #[test]
    fn nobody_is_let_in_by_chance(client in ".{0,20}", user in ".{0,20}", password: Vec<u8>) {
        let product = legacy();
        let known = device("491644", "901505824", "a secret of more bytes than chance has");
        let sign_in = hexmq_device::SignIn {
            client_identifier: &client, user_name: Some(&user), password: Some(&password), level: 4, keep_alive_s: 120, secure: false,
        };
        prop_assert!(Onenet.verify(&sign_in, &product, Some(&known), NOW_MS).is_err());
        prop_assert!(!Onenet.diagnose(&sign_in, Some(&product), Some(&known), NOW_MS).admitted);
    }
}
