//! Answers in the form that the vendor's libraries read, and orders with the answers that belong to them.

mod support;

use hexmq_device::{
    Ask, Desired, DeviceRef, Dialect as _, Downlink, ModelFault, ModelFaultKind, Offer, Order, Outcome,
    Problem, ProblemKind, Receipt, Secret, Shadow,
};
use hexmq_dialect_aliyun::Aliyun;
use serde_json::{Value as Json, json};
use support::{RECEIVED_AT_MS, asked, json, product, sent, sent_by, switched, sys, text, vectors};

fn receipt(path: &str, params: Json) -> Receipt {
    let payload = json!({"id":"7","params":params}).to_string();
    asked(sent(&sys(path), &payload).expect(path)).receipt.expect("an answer is awaited")
}

fn answer(path: &str, params: Json, outcome: &Outcome) -> Json {
    let answer = Aliyun.reply(&receipt(path, params), outcome).expect("an answer");
    assert_eq!((answer.topic, answer.qos, answer.if_subscribed), (sys(&format!("{path}_reply")), 0, true));
    serde_json::from_slice(&answer.payload).expect("JSON")
}

fn offer() -> Offer {
    Offer {
        id: "f1".to_owned(),
        version: "2.0.0".to_owned(),
        module: "default".to_owned(),
        size: 1234,
        url: "http://127.0.0.1/files/firmware/f1?token=t".to_owned(),
        sha256: "ab".repeat(32),
        md5: "cd".repeat(16),
    }
}

fn sub(name: &str) -> DeviceRef {
    DeviceRef::new("a1Sub00001", name)
}

/// One library throws if `id`, `code`, `data` or `message` is missing; another compares `id` and topic.
#[test]
fn every_recorded_request_is_answered_as_its_library_reads_it() {
    let vectors = vectors();
    let mut answered = 0;
    for message in vectors["aliyun_captured_messages"].as_array().expect("messages") {
        let (topic, payload) = (text(message, "topic"), text(message, "payload"));
        let envelope: Json = serde_json::from_str(payload).expect("JSON");
        let Some(receipt) = asked(sent(topic, payload).expect(topic)).receipt else { continue };
        for outcome in [
            Outcome::Done,
            Outcome::Posted(vec![]),
            Outcome::Devices(vec![sub("sub1")]),
            Outcome::Refused(Problem::new(ProblemKind::Unavailable, "away")),
        ] {
            let answer = Aliyun.reply(&receipt, &outcome).expect("an answer");
            let body = json(&answer);
            if topic.starts_with("/shadow/") {
                assert_eq!((&body["method"], body["timestamp"].is_i64()), (&json!("reply"), true), "{body}");
                assert!(body["payload"]["status"].is_string(), "{body}");
                continue;
            }
            assert_eq!(answer.topic, format!("{topic}_reply"));
            assert_eq!(body["id"], envelope["id"], "{topic}");
            assert!(body["code"].is_u64() && body["message"].is_string(), "{body}");
            assert!(!body["data"].is_null(), "{body}");
            assert_eq!(body["code"] == 200, !matches!(outcome, Outcome::Refused(_)), "{body}");
            answered += 1;
        }
    }
    assert_eq!(answered, 18 * 4);
}

#[test]
fn a_post_is_answered_with_the_refused_values_in_its_data() {
    let path = "thing/event/property/post";
    let whole = answer(path, json!({"a":1}), &Outcome::Posted(vec![]));
    assert_eq!(
        whole,
        json!({"id":"7","code":200,"data":{},"message":"success","method":"thing.event.property.post","version":"1.0"})
    );
    let fault = |identifier: &str, kind| ModelFault {
        identifier: identifier.to_owned(),
        kind,
        message: "out of range".to_owned(),
    };
    let kinds = [
        (ModelFaultKind::Integer, 6306),
        (ModelFaultKind::Real, 6307),
        (ModelFaultKind::Boolean, 6308),
        (ModelFaultKind::Text, 6309),
        (ModelFaultKind::Date, 6310),
        (ModelFaultKind::Structure, 6311),
        (ModelFaultKind::Array, 6312),
        (ModelFaultKind::Enumeration, 6324),
        (ModelFaultKind::Unknown, 6317),
        (ModelFaultKind::Missing, 6302),
        (ModelFaultKind::Access, 460),
        (ModelFaultKind::Time, 460),
    ];
    for (kind, code) in kinds {
        let faults = Outcome::Posted(vec![fault("a", kind)]);
        let body = answer(path, json!({"a":1}), &faults);
        assert_eq!(
            (&body["code"], &body["data"]),
            (&json!(200), &json!({"a":{"code":code,"message":"out of range"}}))
        );
        let event = answer("thing/event/alarm/post", json!({"a":1}), &faults);
        let expected = if kind == ModelFaultKind::Unknown { 6313 } else { code };
        assert_eq!(event["code"], expected);
    }
    let strict = switched("a1TestPk001", "aliyun_post_answers_200", false);
    let sent = sent_by(&strict, &sys(path), br#"{"id":"7","params":{"a":1}}"#).expect("a post");
    let receipt = asked(sent).receipt.expect("an answer");
    let refused = Aliyun.reply(&receipt, &Outcome::Posted(vec![fault("a", ModelFaultKind::Integer)]));
    assert_eq!(json(&refused.expect("an answer"))["code"], 6306);
    let taken = Aliyun.reply(&receipt, &Outcome::Posted(vec![]));
    assert_eq!(json(&taken.expect("an answer"))["code"], 200);
}

#[test]
fn what_is_asked_for_comes_in_data() {
    let desired = Desired { value: json!("on"), version: 2 };
    let desired = Outcome::Desired([("power".to_owned(), desired)].into());
    let body = answer("thing/property/desired/get", json!(["power"]), &desired);
    assert_eq!(body["data"], json!({"power":{"value":"on","version":2}}));

    let devices = Outcome::Devices(vec![sub("s1"), sub("s2")]);
    let body = answer("thing/topo/get", json!({}), &devices);
    assert_eq!(body["data"][1], json!({"productKey":"a1Sub00001","deviceName":"s2"}));
    assert_eq!(answer("thing/topo/get", json!({}), &Outcome::Devices(vec![]))["data"], json!([]));

    let tsl = json!({"properties":[]});
    assert_eq!(answer("thing/dsltemplate/get", json!({}), &Outcome::Model(Some(tsl.clone())))["data"], tsl);
    assert_eq!(answer("thing/dsltemplate/get", json!({}), &Outcome::Model(None))["code"], 5159);

    let body = answer("thing/config/get", json!({}), &Outcome::Config(Some(offer())));
    assert_eq!(
        body["data"],
        json!({"configId":"f1","configSize":1234,"sign":"ab".repeat(32),"signMethod":"Sha256",
            "url":"http://127.0.0.1/files/firmware/f1?token=t","getType":"file"})
    );
    assert_eq!(answer("thing/config/get", json!({}), &Outcome::Config(None))["code"], 6710);

    let body = answer("thing/ota/firmware/get", json!({}), &Outcome::Firmware(Some(offer())));
    assert_eq!((&body["code"], &body["data"]["size"]), (&json!(200), &json!(1234)));
    assert_eq!((&body["data"]["signMethod"], body["data"].get("module")), (&json!("SHA256"), None));
    assert_eq!(answer("thing/ota/firmware/get", json!({}), &Outcome::Firmware(None))["data"], json!({}));
}

#[test]
fn the_older_question_for_firmware_is_answered_like_an_announcement() {
    let topic = "/ota/device/request/a1TestPk001/dev01";
    let request = asked(sent(topic, r#"{"id":"7","params":{"version":"1"}}"#).expect("a question"));
    assert_eq!(request.ask, Ask::FirmwareGet { module: "default".to_owned() });
    let receipt = request.receipt.expect("an answer");
    let modular = Offer { module: "mcu".to_owned(), ..offer() };
    let answer = Aliyun.reply(&receipt, &Outcome::Firmware(Some(modular.clone()))).expect("an answer");
    assert_eq!(answer.topic, "/ota/device/upgrade/a1TestPk001/dev01");
    let body = json(&answer);
    assert_eq!(
        (&body["code"], &body["id"], &body["data"]["module"]),
        (&json!("1000"), &json!("7"), &json!("mcu"))
    );
    assert_eq!(Aliyun.reply(&receipt, &Outcome::Firmware(None)), None);
    let order = order(&Order::Firmware(modular));
    assert_eq!((order.topic, order.correlation), (answer.topic, None));
    assert_eq!(serde_json::from_slice::<Json>(&order.payload).expect("JSON")["data"], body["data"]);
}

#[test]
fn gateways_are_answered_device_by_device() {
    let device = json!({"productKey":"a1Sub00001","deviceName":"s1"});
    let mut signed = device.clone();
    signed["clientId"] = json!("c");
    signed["sign"] = json!("00");
    let login = |path: &str, params: Json, outcome: &Outcome| {
        let topic = format!("/ext/session/a1TestPk001/dev01/combine/{path}");
        let payload = json!({"id":"7","params":params}).to_string();
        let receipt = asked(sent(&topic, &payload).expect(path)).receipt.expect("an answer");
        json(&Aliyun.reply(&receipt, outcome).expect("an answer"))
    };
    for outcome in [Outcome::Done, Outcome::Devices(vec![sub("s1")])] {
        assert_eq!(login("login", signed.clone(), &outcome)["data"], device);
        assert_eq!(login("logout", device.clone(), &outcome)["data"], device);
        let list = json!({"signMethod":"hmacSha256","deviceList":[signed]});
        assert_eq!(login("batch_login", list, &outcome)["data"], json!([device]));
        assert_eq!(login("batch_logout", json!([device]), &outcome)["data"], json!([device]));
    }
    let refused = |kind| Outcome::Refused(Problem::new(kind, "no"));
    for (kind, login_code, add_code) in [
        (ProblemKind::BadSignature, 6287, 401),
        (ProblemKind::UnknownDevice, 6100, 6100),
        (ProblemKind::DeviceDisabled, 6204, 6204),
        (ProblemKind::NotBound, 6401, 6401),
        (ProblemKind::BoundElsewhere, 6619, 6619),
        (ProblemKind::TooMany, 428, 6400),
        (ProblemKind::Unavailable, 500, 500),
    ] {
        let body = login("login", signed.clone(), &refused(kind));
        assert_eq!((&body["code"], &body["data"]), (&json!(login_code), &json!({})));
        assert_eq!(answer("thing/topo/add", json!([signed]), &refused(kind))["code"], add_code);
    }
    assert_eq!(login("logout", device.clone(), &refused(ProblemKind::NotSignedIn))["code"], 520);
}

#[test]
fn a_gateway_hears_who_is_not_behind_it_any_more() {
    let gateway = DeviceRef::new("a1TestPk001", "dev01");
    for (reason, code) in
        [("disabled", 522), ("deleted", 521), ("unbound", 6401), ("signed_in_elsewhere", 427)]
    {
        let told = Aliyun.signed_out(&gateway, &sub("s1"), reason).expect(reason);
        assert_eq!((&*told.topic, told.if_subscribed), ("/ext/error/a1TestPk001/dev01", true));
        let body = json(&told);
        assert_eq!((&body["code"], body["id"].is_string()), (&json!(code), true));
        assert_eq!(body["data"], json!({"productKey":"a1Sub00001","deviceName":"s1"}));
    }
    for own in ["signed_out", "gateway_gone"] {
        assert_eq!(Aliyun.signed_out(&gateway, &sub("s1"), own), None);
    }
}

#[test]
fn secrets_are_told_and_refusals_listed() {
    let secret = |name: &str| (sub(name), Ok(Secret("s3cret".to_owned())));
    let refused = |name: &str, kind| (sub(name), Err(Problem::new(kind, "no")));
    let params = json!([{"productKey":"a1Sub00001","deviceName":"s1"}]);
    let told = answer("thing/sub/register", params.clone(), &Outcome::Secrets(vec![secret("s1")]));
    let expected = json!([{"productKey":"a1Sub00001","deviceName":"s1","iotId":"a1Sub00001.s1","deviceSecret":"s3cret"}]);
    assert_eq!((&told["code"], &told["data"]), (&json!(200), &expected));
    for (kind, code) in [
        (ProblemKind::RegistrationOff, 6288),
        (ProblemKind::AlreadyActive, 6289),
        (ProblemKind::UnknownProduct, 5005),
        (ProblemKind::BoundElsewhere, 6619),
    ] {
        let none = Outcome::Secrets(vec![refused("s1", kind)]);
        assert_eq!(answer("thing/sub/register", params.clone(), &none)["code"], code);
    }
    let path = "thing/proxy/provisioning/product_register";
    let params = json!({"proxieds":[{"productKey":"a1Sub00001","deviceName":"s1","random":"r","signMethod":"hmacSha256","sign":"00"}]});
    let both = Outcome::Secrets(vec![secret("s1"), refused("s2", ProblemKind::BadSignature)]);
    let told = answer(path, params, &both);
    assert_eq!(told["data"]["successes"], expected);
    let failure = json!([{"productKey":"a1Sub00001","deviceName":"s2","code":6600,"message":"no"}]);
    assert_eq!(told["data"]["failures"], failure);
}

#[test]
fn the_shadow_is_answered_and_told() {
    let shadow = Shadow {
        reported: [("a".to_owned(), (json!(1), 5_000))].into(),
        desired: [("a".to_owned(), (json!(2), 6_999))].into(),
        version: 3,
        at_ms: 7_000,
    };
    let request = |payload: &str| {
        let topic = "/shadow/update/a1TestPk001/dev01";
        asked(sent(topic, payload).expect(payload)).receipt.expect("an answer")
    };
    let get = request(r#"{"method":"get"}"#);
    let state = json!({"reported":{"a":1},"desired":{"a":2}});
    let metadata = json!({"reported":{"a":{"timestamp":5}},"desired":{"a":{"timestamp":6}}});
    let outcome = Outcome::Shadow { shadow: shadow.clone(), with_state: true };
    assert_eq!(
        json(&Aliyun.reply(&get, &outcome).expect("an answer")),
        json!({"method":"reply","payload":{"status":"success","state":state,"metadata":metadata},
            "version":3,"timestamp":RECEIVED_AT_MS / 1000})
    );
    let outcome = Outcome::Shadow { shadow: shadow.clone(), with_state: false };
    assert_eq!(
        json(&Aliyun.reply(&get, &outcome).expect("an answer")),
        json!({"method":"reply","payload":{"status":"success","version":3},"timestamp":RECEIVED_AT_MS / 1000})
    );
    let old = Outcome::Refused(Problem::new(ProblemKind::OldVersion, "version 3 is there"));
    let body = json(&Aliyun.reply(&get, &old).expect("an answer"));
    assert_eq!(
        body["payload"],
        json!({"status":"error","content":{"errorcode":"409","errormessage":"version 3 is there"}})
    );
    let told = order(&Order::Shadow(shadow));
    assert_eq!((&*told.topic, &told.correlation), ("/shadow/get/a1TestPk001/dev01", &None));
    assert_eq!(
        json(&told),
        json!({"method":"control","payload":{"status":"success","state":state,"metadata":metadata},
            "version":3,"timestamp":7})
    );
}

#[test]
fn transparent_bytes_are_acknowledged() {
    for (payload, id) in [(&b"\x01\x02"[..], "0"), (br#"{"id":"5"}"#, "5")] {
        let product = product("a1TestPk001");
        let request = asked(sent_by(&product, &sys("thing/model/up_raw"), payload).expect("bytes"));
        assert_eq!(request.ask, Ask::Raw { topic: sys("thing/model/up_raw"), payload: payload.to_vec() });
        let answer = Aliyun.reply(&request.receipt.expect("an answer"), &Outcome::Done).expect("an answer");
        assert_eq!(answer.topic, sys("thing/model/up_raw_reply"));
        let body = json(&answer);
        assert_eq!((&body["id"], &body["code"], &body["data"]), (&json!(id), &json!(200), &json!({})));
    }
    let understood = sent(&sys("thing/config/log/get"), r#"{"id":"5","params":{}}"#).expect("a question");
    let body = json(&understood.replies[0]);
    assert_eq!((&body["id"], &body["data"]["content"]["mode"]), (&json!("5"), &json!(0)));
    assert_eq!(understood.replies[0].topic, sys("thing/config/log/get_reply"));
}

const NUMBER: u32 = 1_993_907_181;

fn order(order: &Order) -> Downlink {
    order_of(&product("a1TestPk001"), order)
}

fn order_of(product: &hexmq_device::Product, order: &Order) -> Downlink {
    let device = DeviceRef::new("a1TestPk001", "dev01");
    Aliyun
        .downlink(product, &device, order, "00000000-0000-4000-8000-000000000000", NUMBER)
        .expect("an order")
}

/// What the device answers finds the order again, by the identifier the order carried.
fn answered(order: &Downlink, topic: &str, payload: &str) {
    let Ask::Answered(answer) = support::ask(topic, payload) else { panic!("{topic} is an answer") };
    assert_eq!(Some(&answer.correlation), order.correlation.as_ref(), "{topic}");
    assert_eq!(answer.payload, payload.as_bytes());
    assert_eq!((answer.code, answer.data), (Some(200), Some(json!({"x":1}))), "{topic}");
}

/// Every order that is an Alink request: digits for an identifier, a method, the answer on `_reply`.
#[test]
fn orders_are_requests_whose_answers_find_them() {
    let device = sub("s1");
    let invoke = |sync| Order::Invoke { service: "reboot".to_owned(), params: json!({"delay":1}), sync };
    let orders = [
        (
            Order::Set(json!({"a":0})),
            "thing/service/property/set",
            "thing.service.property.set",
            json!({"a":0}),
        ),
        (
            Order::Get(vec!["a".to_owned()]),
            "thing/service/property/get",
            "thing.service.property.get",
            json!(["a"]),
        ),
        (invoke(false), "thing/service/reboot", "thing.service.reboot", json!({"delay":1})),
        (
            Order::TopologyNotify(vec![device.clone()]),
            "thing/topo/add/notify",
            "thing.topo.add.notify",
            json!({"deviceList":[{"productKey":"a1Sub00001","deviceName":"s1"}]}),
        ),
        (
            Order::TopologyChange(8, vec![device]),
            "thing/topo/change",
            "thing.topo.change",
            json!({"status":8,"subList":[{"productKey":"a1Sub00001","deviceName":"s1"}]}),
        ),
        (Order::Lifecycle("disable"), "thing/disable", "thing.disable", json!({})),
    ];
    for (wanted, path, method, params) in orders {
        let order = order(&wanted);
        assert_eq!((&*order.topic, order.if_subscribed), (&*sys(path), true));
        let body = json(&order);
        assert_eq!(
            (&body["id"], &body["method"], &body["params"]),
            (&json!("1993907181"), &json!(method), &params)
        );
        assert_eq!(body["version"], "1.0.0");
        answered(&order, &sys(&format!("{path}_reply")), r#"{"id":"1993907181","code":200,"data":{"x":1}}"#);
    }
    let sync = order(&invoke(true));
    assert_eq!(sync.topic, sys("rrpc/request/1993907181"));
    assert_eq!(json(&sync)["method"], "thing.service.reboot");
    answered(&sync, &sys("rrpc/response/1993907181"), r#"{"id":"1","code":200,"data":{"x":1}}"#);
    let ext = order_of(&switched("a1TestPk001", "aliyun_rrpc_ext", true), &invoke(true));
    assert_eq!(ext.topic, format!("/ext/rrpc/1993907181{}", sys("thing/service/reboot")));
    answered(&ext, &ext.topic, r#"{"id":"1993907181","code":200,"data":{"x":1}}"#);
    let config = order(&Order::Config(offer()));
    assert_eq!(
        (&*config.topic, &json(&config)["params"]["configId"]),
        (&*sys("thing/config/push"), &json!("f1"))
    );
    answered(&config, &sys("thing/config/push_reply"), r#"{"id":"1993907181","code":"200","data":{"x":1}}"#);
}

#[test]
fn orders_of_bytes_go_out_as_they_are() {
    let raw = order(&Order::Raw(vec![1, 2]));
    assert_eq!((&*raw.topic, &*raw.payload), (&*sys("thing/model/down_raw"), &[1, 2][..]));
    answered(&raw, &sys("thing/model/down_raw_reply"), r#"{"id":"1","code":200,"data":{"x":1}}"#);

    let publish = |topic: &str| Order::Publish { topic: topic.to_owned(), payload: b"hi".to_vec(), qos: 1 };
    let plain = order(&publish("/a1TestPk001/dev01/user/get"));
    assert_eq!(
        (&*plain.topic, plain.correlation.clone(), plain.qos),
        ("/a1TestPk001/dev01/user/get", None, 1)
    );
    let rrpc = order(&publish("/ext/rrpc/+//a1TestPk001/dev01/user/get"));
    assert_eq!(rrpc.topic, "/ext/rrpc/1993907181//a1TestPk001/dev01/user/get");
    let Ask::Answered(answer) = support::ask(&rrpc.topic, r#"{"ok":true}"#) else { panic!("an answer") };
    assert_eq!(Some(answer.correlation), rrpc.correlation);
    assert_eq!((answer.code, answer.data), (None, Some(json!({"ok":true}))));
    let Ask::Answered(answer) = support::ask(&rrpc.topic, "done") else { panic!("an answer") };
    assert_eq!((answer.payload, answer.data), (b"done".to_vec(), None));
}

#[test]
fn what_cannot_be_said_is_refused_with_a_reason() {
    let invoke = |service: &str, params| Order::Invoke { service: service.to_owned(), params, sync: false };
    let publish = |topic: &str| Order::Publish { topic: topic.to_owned(), payload: vec![], qos: 0 };
    for (order, code) in [
        (Order::Set(json!([1])), "params_no_object"),
        (invoke("reboot", json!(1)), "params_no_object"),
        (invoke("", json!({})), "service_name"),
        (invoke("a/b", json!({})), "service_name"),
        (invoke("#", json!({})), "service_name"),
        (publish(""), "topic_name"),
        (publish("/a/+"), "topic_name"),
        (publish("/ext/rrpc/+/#"), "topic_name"),
        (Order::Lifecycle("explode"), "lifecycle"),
    ] {
        let device = DeviceRef::new("a1TestPk001", "dev01");
        let refused = Aliyun.downlink(&product("a1TestPk001"), &device, &order, "", 1);
        assert_eq!(refused.map_err(|error| error.code), Err(code), "{order:?}");
    }
    assert_eq!(json(&order(&invoke("a", Json::Null)))["params"], json!({}));
    // An identifier that fits 31 bits, whatever the number is.
    let device = DeviceRef::new("a1TestPk001", "dev01");
    let large = Aliyun.downlink(&product("a1TestPk001"), &device, &Order::Set(json!({})), "", u32::MAX);
    assert_eq!(json(&large.expect("an order"))["id"], "2147483647");
}
