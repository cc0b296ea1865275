//! The plain dialect: what its devices say and are told.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use hexmq_device::{
    Ask, Datum, Desired, Device, DeviceRef, Dialect, DialectName, Order, Outcome, Plain, Problem,
    ProblemKind, Product, Reach, RefusedCode, Secret, SignIn, Understood, Uplink, UplinkError,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn product() -> Product {
    Product {
        id: "p".to_owned(),
        name: String::new(),
        dialect: DialectName::Plain,
        secret: None,
        number: 1,
        created_at_ms: 0,
        zone_minutes: 480,
        validation: Default::default(),
        dynamic_registration: false,
        history_days: None,
        switches: Default::default(),
    }
}

fn uplink(topic: &str, payload: &[u8]) -> Result<Understood, UplinkError> {
    let (product, device) = (product(), DeviceRef::new("p", "d"));
    Plain.uplink(&Uplink { product: &product, device: &device, topic, payload, qos: 1, received_at_ms: 0 })
}

fn ask(topic: &str, payload: &str) -> Ask {
    uplink(topic, payload.as_bytes()).unwrap().requests.remove(0).ask
}

#[test]
fn a_device_signs_in_with_its_secret_or_its_password() {
    let device = Device {
        product: "p".to_owned(),
        id: "d".to_owned(),
        name: String::new(),
        secret: Some(Secret("s".to_owned())),
        password: Some(Secret("old".to_owned())),
        tags: Default::default(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Default::default(),
        extra: json!({}),
    };
    let with = |password| SignIn {
        client_identifier: "d",
        user_name: Some("p"),
        password,
        level: 5,
        secure: false,
        keep_alive_s: 0,
    };
    let code = |password, device: Option<&Device>| {
        Plain.verify(&with(password), &product(), device, 0).map(drop).map_err(|refused| refused.code)
    };
    assert_eq!(code(Some(&b"s"[..]), Some(&device)), Ok(()));
    assert_eq!(code(Some(&b"old"[..]), Some(&device)), Ok(()));
    assert_eq!(code(Some(&b"S"[..]), Some(&device)), Err(RefusedCode::Credentials));
    assert_eq!(code(Some(&b""[..]), Some(&device)), Err(RefusedCode::Credentials));
    assert_eq!(code(None, Some(&device)), Err(RefusedCode::Credentials));
    assert_eq!(code(Some(&b"s"[..]), None), Err(RefusedCode::Identifier));
    let disabled = Device { disabled: true, ..device.clone() };
    assert_eq!(code(Some(&b"s"[..]), Some(&disabled)), Err(RefusedCode::NotAuthorized));
    let empty = Device { secret: Some(Secret(String::new())), password: None, ..device };
    assert_eq!(code(Some(&b""[..]), Some(&empty)), Err(RefusedCode::Credentials), "nobody has no secret");
    assert_eq!(Plain.claim(&with(None)), Some(DeviceRef::new("p", "d")));
    assert_eq!(Plain.claim(&SignIn { user_name: None, ..with(None) }), None);
    assert_eq!(Plain.claim(&SignIn { client_identifier: "", ..with(None) }), None);
    let rules = Plain.verify(&with(Some(b"s")), &product(), Some(&disabled_not(&disabled)), 0).unwrap().rules;
    let last = rules.last().unwrap();
    assert_eq!((&*last.filter, last.publish, last.reach), ("#", true, Reach::Topics));
    let others = rules.iter().find(|rule| rule.filter == "devices/#").unwrap();
    assert!(!others.publish && !others.subscribe);
}

fn disabled_not(device: &Device) -> Device {
    Device { disabled: false, ..device.clone() }
}

#[test]
fn values_with_and_without_their_time() {
    let Ask::Post { points, .. } = ask(
        "devices/d/properties",
        r#"{"a":1,"b":{"value":2,"time":3},"c":{"value":{"x":1}},"d":{"value":1,"unit":"m"},"e":{"value":1,"time":"x"}}"#,
    ) else {
        panic!("no post")
    };
    let shown: Vec<_> =
        points.into_iter().map(|point| (point.id, point.value.to_json(), point.at_ms)).collect();
    let expected = [
        ("a", json!(1), None),
        ("b", json!(2), Some(3)),
        ("c", json!({"x": 1}), None),
        ("d", json!({"value": 1, "unit": "m"}), None),
        ("e", json!({"value": 1, "time": "x"}), None),
    ];
    assert_eq!(shown, expected.map(|(id, value, at)| (id.to_owned(), value, at)));
}

#[test]
fn what_is_wrong_is_told_with_its_byte() {
    let error = |topic, payload: &str| uplink(topic, payload.as_bytes()).unwrap_err();
    let json = error("devices/d/properties", r#"{"a":tru}"#);
    assert_eq!((json.rule, json.offset), ("json", 5));
    let told: Json = serde_json::from_slice(&json.replies[0].payload).unwrap();
    assert_eq!((told["rule"].clone(), told["offset"].clone()), (json!("json"), json!(5)));
    assert_eq!(json.replies[0].topic, "devices/d/errors");
    assert_eq!(error("devices/d/properties", "[]").rule, "object");
    assert_eq!(error("devices/d/properties", r#"{"a":null}"#).rule, "value");
    assert_eq!(error("devices/d/weather", "{}").rule, "topic");
    assert_eq!(error("devices/e/properties", "{}").rule, "topic");
    assert_eq!(error("devices/d/firmware/version", "{}").rule, "version");
    assert_eq!(error("devices/d/firmware/progress", r#"{"step":99999999999}"#).rule, "step");
}

#[test]
fn everything_that_devices_ask() {
    let Ask::Answered(answered) = ask("devices/d/commands/c1/reply", r#"{"code":200,"data":{"x":1}}"#) else {
        panic!("no answer")
    };
    assert_eq!(
        (&*answered.correlation, answered.code, answered.data),
        ("c1", Some(200), Some(json!({"x": 1})))
    );
    let Ask::Answered(bare) = ask("devices/d/commands/c1/reply", "ok") else { panic!("no answer") };
    assert_eq!((&bare.payload[..], bare.code, bare.data), (&b"ok"[..], None, None));
    assert_eq!(ask("devices/d/desired/get", ""), Ask::DesiredGet(vec![]));
    assert_eq!(ask("devices/d/config/get", ""), Ask::ConfigGet);
    let module = "default".to_owned();
    assert_eq!(ask("devices/d/firmware/get", ""), Ask::FirmwareGet { module: module.clone() });
    let version = Ask::FirmwareIs { module: module.clone(), version: "1.0".to_owned() };
    assert_eq!(ask("devices/d/firmware/version", r#"{"version":"1.0"}"#), version);
    let progress = Ask::FirmwareProgress { module, step: -1, text: "x".to_owned() };
    assert_eq!(ask("devices/d/firmware/progress", r#"{"step":-1,"text":"x"}"#), progress);
    let Ask::Post { events, .. } = ask("devices/d/events/alarm", "") else { panic!("no event") };
    assert_eq!((&*events[0].id, &events[0].params), ("alarm", &json!({})));
}

#[test]
fn answers_and_orders() {
    let receipt = uplink("devices/d/desired/get", b"").unwrap().requests.remove(0).receipt.unwrap();
    let desired = Outcome::Desired([("on".to_owned(), Desired { value: json!(1), version: 2 })].into());
    let reply = Plain.reply(&receipt, &desired).unwrap();
    assert_eq!(
        (&*reply.topic, &reply.payload[..]),
        ("devices/d/desired", &br#"{"on":{"value":1,"version":2}}"#[..])
    );
    let refused = Outcome::Refused(Problem::new(ProblemKind::Unavailable, "later"));
    assert_eq!(Plain.reply(&receipt, &refused).unwrap().topic, "devices/d/errors");
    assert_eq!(Plain.reply(&receipt, &Outcome::Done), None);

    let device = DeviceRef::new("p", "d");
    let order = |order: &Order| Plain.downlink(&product(), &device, order, "c1", 7);
    let raw = order(&Order::Raw(vec![1, 2])).unwrap();
    assert_eq!((&*raw.topic, &raw.payload[..]), ("devices/d/commands/c1", &[1, 2][..]));
    assert_eq!(raw.correlation.as_deref(), Some("c1"));
    let set = order(&Order::Set(json!({"on": 1}))).unwrap();
    let body: Json = serde_json::from_slice(&set.payload).unwrap();
    assert_eq!(body, json!({"id": "c1", "service": "set", "params": {"on": 1}}));
    assert_eq!(order(&Order::Lifecycle("enable")).unwrap_err().code, "no_such_order");
}

proptest! {
    #[test]
    fn no_message_breaks_it(
        topic in prop_oneof![
            Just("devices/d/properties"), Just("devices/d/events/x"), Just("devices/d/commands/c/reply"),
            Just("devices/d/firmware/progress"), Just("devices/d/"), Just(""),
        ],
        payload in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "[\\[\\]{}:,\"a-z0-9.e-]{0,64}".prop_map(String::into_bytes),
        ],
    ) {
        match uplink(topic, &payload) {
            Ok(understood) => prop_assert!(!understood.meaning.is_empty()),
            Err(error) => prop_assert!(error.offset <= payload.len() && !error.message.is_empty()),
        }
    }

    #[test]
    fn a_posted_number_is_kept_as_it_is(value in any::<i64>()) {
        let Ask::Post { points, .. } = ask("devices/d/properties", &format!("{{\"n\":{value}}}")) else {
            panic!("no post")
        };
        prop_assert_eq!(&points[0].value, &Datum::Integer(value));
    }
}
