//! The accesses by token as the platform sees them.

mod support;

use std::collections::BTreeMap;

use hexmq_device::mac::HashName;
use hexmq_device::{
    Ask, Datum, Desired, Device, DeviceRef, Dialect, DialectName, Downlink, ModelFault, ModelFaultKind,
    NewEvent, NewPoint, Order, Outcome, Problem, ProblemKind, Product, Reach, RefusedCode, Secret, Shadow,
    SubDevice, Understood, UplinkError,
};
use hexmq_dialect_onenet::topic::{Direction, ENTRIES, Topic};
use hexmq_dialect_onenet::{OnenetToken, thing, token};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::{NOW_MS, device, list, product, sign_in, switched, text, uplink, vectors};

const DEVICE_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PRODUCT_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn studio() -> Product {
    product("123123", DialectName::OnenetToken, PRODUCT_KEY)
}

fn own() -> DeviceRef {
    DeviceRef::new("123123", "mydev")
}

fn verdict(product: &Product, device: &Device, password: &str) -> Result<(), (RefusedCode, &'static str)> {
    let user = product.id.clone();
    let id = device.id.clone();
    let sign_in = sign_in(&id, Some(&user), Some(password));
    let verdict = OnenetToken.verify(&sign_in, product, Some(device), NOW_MS);
    let diagnosis = OnenetToken.diagnose(&sign_in, Some(product), Some(device), NOW_MS);
    assert_eq!(diagnosis.admitted, verdict.is_ok(), "{diagnosis:?}");
    assert!(!format!("{diagnosis:?}").contains(DEVICE_KEY), "keys are not shown");
    verdict.map(drop).map_err(|refused| (refused.code, refused.rule))
}

#[test]
fn tokens_of_the_vectors() {
    let vectors = vectors();
    let mut devices = 0;
    for vector in list(&vectors["onenet_tokens"], "accept") {
        let resource: Vec<&str> = text(vector, "res").split('/').collect();
        let key = text(vector, "access_key_base64");
        let (product, device) = match resource.as_slice() {
            ["products", id, "devices", name] => {
                (product(id, DialectName::OnenetToken, ""), device(id, name, key))
            }
            ["products", id] => (product(id, DialectName::OnenetToken, key), device(id, "any", "")),
            _ => continue,
        };
        devices += 1;
        for form in ["token", "token_res_unescaped"] {
            assert_eq!(verdict(&product, &device, text(vector, form)), Ok(()), "{} {form}", vector["id"]);
        }
    }
    assert_eq!(devices, 5);
    for vector in list(&vectors["onenet_tokens"], "edge") {
        let name = vector["client_id"].as_str().unwrap_or("mydev");
        let known = device("123123", name, text(vector, "key"));
        let bare = Product { secret: None, ..studio() };
        let refused = |rule| Err((RefusedCode::NotAuthorized, rule));
        let expected = match text(vector, "id") {
            "expired" => refused("token_expired"),
            "wrong-key" => refused("token_signature"),
            "other-device" => refused("token_resource"),
            "plus-as-space" => Ok(()),
            other => panic!("what is {other}?"),
        };
        assert_eq!(verdict(&bare, &known, text(vector, "token")), expected, "{}", vector["id"]);
    }
}

fn signed(key: &str, resource: &str, expiry: i64) -> String {
    token::sign(key, token::VERSION, resource, expiry, HashName::Sha256)
}

#[test]
fn either_key_signs_either_resource_unless_that_is_switched_off() {
    let known = device("123123", "mydev", DEVICE_KEY);
    let later = NOW_MS / 1000 + 60;
    let strict = switched(&studio(), "product_key", false);
    for resource in ["products/123123/devices/mydev", "products/123123"] {
        for key in [DEVICE_KEY, PRODUCT_KEY] {
            assert_eq!(verdict(&studio(), &known, &signed(key, resource, later)), Ok(()), "{resource}");
        }
        let refused = Err((RefusedCode::NotAuthorized, "token_signature"));
        assert_eq!(verdict(&strict, &known, &signed(PRODUCT_KEY, resource, later)), refused);
        assert_eq!(verdict(&strict, &known, &signed(DEVICE_KEY, resource, later)), Ok(()));
    }
    let raw = Device { secret: Some(Secret("not base64!".into())), ..known };
    let token = signed("not base64!", "products/123123/devices/mydev", later);
    let user = sign_in("mydev", Some("123123"), Some(&token));
    let admission = OnenetToken.verify(&user, &studio(), Some(&raw), NOW_MS).expect("its text is the key");
    assert_eq!(admission.notices[0].0, "key_not_base64");
}

#[test]
fn expiry_and_the_switch_for_clocks_that_are_behind() {
    let known = device("123123", "mydev", DEVICE_KEY);
    let forgiving = switched(&studio(), "clock_skew", true);
    let at = |product: &Product, expiry| {
        verdict(product, &known, &signed(DEVICE_KEY, "products/123123/devices/mydev", expiry))
    };
    let now = NOW_MS / 1000;
    let expired = Err((RefusedCode::NotAuthorized, "token_expired"));
    assert_eq!((at(&studio(), now), at(&studio(), now - 1)), (Ok(()), expired));
    assert_eq!((at(&forgiving, now - 300), at(&forgiving, now - 301)), (Ok(()), expired));
}

#[test]
fn who_is_refused_and_with_which_code() {
    let known = device("123123", "mydev", DEVICE_KEY);
    let good = signed(DEVICE_KEY, "products/123123/devices/mydev", NOW_MS / 1000 + 60);
    let sign_in = sign_in("other", Some("123123"), Some(&good));
    let refused = OnenetToken.verify(&sign_in, &studio(), None, NOW_MS).expect_err("unknown");
    assert_eq!((refused.code, refused.rule), (RefusedCode::Identifier, "unknown_device"));
    let five = |rule| Err((RefusedCode::NotAuthorized, rule));
    assert_eq!(verdict(&studio(), &known, ""), five("token_missing"));
    assert_eq!(verdict(&studio(), &known, "123456"), five("token_missing"));
    assert_eq!(verdict(&studio(), &known, &good.replace("sha256", "sha512")), five("token_method"));
    assert_eq!(verdict(&studio(), &known, &good.replace("&et=", "&et=x")), five("token_expiry"));
    let disabled = Device { disabled: true, ..known.clone() };
    assert_eq!(verdict(&studio(), &disabled, &good), five("device_disabled"));
    let lost = Device { password: Some(Secret("as it is".into())), ..known };
    assert_eq!(verdict(&studio(), &lost, "as it is"), Ok(()));
}

#[test]
fn the_doctor_knows_the_slips_of_signers() {
    let known = device("123123", "mydev", DEVICE_KEY);
    let later = NOW_MS / 1000 + 60;
    let resource = "products/123123/devices/mydev";
    let good = signed(DEVICE_KEY, resource, later);
    let check = |client: &str, user: &str, password: &str| {
        let sign_in = sign_in(client, Some(user), Some(password));
        let found = OnenetToken.diagnose(&sign_in, Some(&studio()), Some(&known), NOW_MS);
        assert!(found.admitted || !found.hint.is_empty());
        found.code
    };
    assert_eq!(check("mydev", "123123", &good), "ok");
    assert_eq!(check("123123", "mydev", &good), "swapped");
    assert_eq!(check("MyDev", "123123", &good), "letter_case");
    assert_eq!(check("mydev ", "123123", &good), "blanks");
    assert_eq!(check("mydev", "123123", DEVICE_KEY), "token_missing");
    assert_eq!(check("mydev", "123123", &signed(DEVICE_KEY, resource, 1)), "token_expired");
    assert_eq!(
        check("mydev", "123123", &signed(DEVICE_KEY, "products/123123/devices/x", later)),
        "token_resource"
    );
    assert_eq!(check("mydev", "123123", &signed("c29tZXRoaW5nIGVsc2U=", resource, later)), "wrong_secret");
    // The bytes of the key's text, base64 once more: what a signer does that forgets to decode.
    let text_as_key = "TURFeU16UTFOamM0T1dGaVkyUmxaakF4TWpNME5UWTNPRGxoWW1Oa1pXWT0=";
    assert_eq!(check("mydev", "123123", &signed(text_as_key, resource, later)), "key_not_decoded");
    let strict = switched(&studio(), "product_key", false);
    let of_product = signed(PRODUCT_KEY, resource, later);
    let user = sign_in("mydev", Some("123123"), Some(&of_product));
    assert_eq!(OnenetToken.diagnose(&user, Some(&strict), Some(&known), NOW_MS).code, "product_key_off");
}

#[test]
fn a_device_has_its_own_topics_and_is_never_echoed() {
    let known = device("123123", "mydev", DEVICE_KEY);
    let good = signed(DEVICE_KEY, "products/123123", NOW_MS / 1000 + 60);
    let sign_in = sign_in("mydev", Some("123123"), Some(&good));
    let rules = OnenetToken.verify(&sign_in, &studio(), Some(&known), NOW_MS).expect("right").rules;
    let [rule] = rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!(rule.filter, "$sys/123123/mydev/#");
    assert_eq!((rule.publish, rule.subscribe, rule.reach), (true, true, Reach::Platform));
    let open = switched(&studio(), "topics_between_devices", true);
    assert_eq!(OnenetToken.verify(&sign_in, &open, Some(&known), NOW_MS).expect("right").rules.len(), 2);
}

fn up(path: &str, payload: &Json) -> Result<Understood, UplinkError> {
    let topic = format!("$sys/123123/mydev/{path}");
    OnenetToken.uplink(&uplink(&studio(), &own(), &topic, payload.to_string().as_bytes()))
}

/// What is asked, and the answer to it.
fn asked(path: &str, payload: &Json, outcome: &Outcome) -> (Ask, Option<Downlink>) {
    let understood = up(path, payload).expect("a right one");
    let [request] = understood.requests.as_slice() else { panic!("{understood:?}") };
    assert_eq!(request.device, own());
    let reply = request.receipt.as_ref().and_then(|receipt| OnenetToken.reply(receipt, outcome));
    (request.ask.clone(), reply)
}

fn body(down: &Downlink) -> Json {
    serde_json::from_slice(&down.payload).expect("JSON")
}

/// An answer on this path, as JSON; it keeps the rules that libraries of devices depend on.
fn reply(reply: Option<Downlink>, path: &str) -> Json {
    let reply = reply.expect("an answer");
    assert_eq!(reply.topic, format!("$sys/123123/mydev/{path}"));
    assert!(reply.if_subscribed && reply.qos == 0);
    let Some(Topic::System(system)) = Topic::parse(&reply.topic) else { panic!("{reply:?}") };
    let entry = system.entry.expect("a topic of the platform");
    assert_eq!((entry.direction, thing::faults(&reply.payload, entry)), (Direction::Down, Vec::new()));
    body(&reply)
}

fn point(id: &str, value: Datum, at_ms: Option<i64>) -> NewPoint {
    NewPoint { id: id.into(), value, at_ms }
}

fn fault(kind: ModelFaultKind) -> Outcome {
    let fault = ModelFault { identifier: "power".into(), kind, message: "power is wrong".into() };
    Outcome::Posted(vec![fault])
}

#[test]
fn data_points_are_accepted_or_rejected_with_their_number() {
    let payload = json!({"id": 123, "dp": {
        "temperature": [{"v": 30, "t": 1552289676}], "power": [{"v": 4.5}],
        "status": [{"v": {"color": "blue"}, "t": 1552289677123_i64}],
    }});
    let (ask, answer) = asked("dp/post/json", &payload, &Outcome::Done);
    let points = vec![
        point("temperature", Datum::Integer(30), Some(1_552_289_676_000)),
        point("power", Datum::Real(4.5), None),
        point("status", Datum::Json(json!({"color": "blue"})), Some(1_552_289_677_123)),
    ];
    assert_eq!(ask, Ask::Post { points, events: Vec::new() });
    assert_eq!(reply(answer, "dp/post/json/accepted"), json!({"id": 123}));
    let zero = json!({"id": 0, "dp": {}});
    let refused = Outcome::Refused(Problem::new(ProblemKind::Unavailable, "not now"));
    let answer = reply(asked("dp/post/json", &zero, &refused).1, "dp/post/json/rejected");
    assert_eq!(answer, json!({"id": 0, "err_code": 2305, "err_msg": "not now"}));
    let wrong = up("dp/post/json", &json!({"id": 7, "dp": {"a": 1}})).expect_err("no array");
    assert_eq!((wrong.rule, wrong.offset, wrong.length), ("thing_data_points", 18, 1));
    assert_eq!(reply(wrong.replies.first().cloned(), "dp/post/json/rejected")["id"], 7);
    let none = up("dp/post/json", &json!({"dp": {"a": [{"v": 1}]}})).expect("kept without an answer");
    assert_eq!((none.requests[0].receipt.is_none(), none.notices[0].0), (true, "thing_id_missing"));
}

#[test]
fn commands_go_out_and_answers_find_them() {
    let id = "e8b6c9b6-225b-57dc-abaa-246ba58761d8";
    let order = Order::Raw(b"on".to_vec());
    let down = OnenetToken.downlink(&studio(), &own(), &order, id, 9).expect("a command");
    assert_eq!(down.topic, format!("$sys/123123/mydev/cmd/request/{id}"));
    assert!(down.if_subscribed && down.payload == b"on" && down.correlation.as_deref() == Some(id));
    let (ask, answer) = asked(&format!("cmd/response/{id}"), &json!("done"), &Outcome::Done);
    let Ask::Answered(answered) = ask else { panic!("{ask:?}") };
    assert_eq!((answered.correlation.as_str(), &*answered.payload), (id, &b"\"done\""[..]));
    let answer = answer.expect("accepted");
    assert_eq!(answer.topic, format!("$sys/123123/mydev/cmd/response/{id}/accepted"));
    assert!(answer.payload.is_empty() && answer.if_subscribed);
    let refused = Outcome::Refused(Problem::new(ProblemKind::Missing, "no such command"));
    let answer = asked(&format!("cmd/response/{id}"), &json!(1), &refused).1.expect("rejected");
    assert!(answer.topic.ends_with("/rejected") && body(&answer)["err_msg"] == "no such command");
}

#[test]
fn properties_and_events_of_the_thing_model() {
    let payload = json!({"id": "123", "version": "1.0", "params": {
        "power": {"value": "on", "time": 1524448722123_i64}, "temp": {"value": 23.6},
        "place": {"value": {"lon": 1}}, "bare": 7, "none": {"value": null},
    }});
    let understood = up("thing/property/post", &payload).expect("a right one");
    let names: Vec<_> = understood.notices.iter().map(|notice| notice.0).collect();
    assert_eq!(names, ["thing_value_plain", "thing_no_value"]);
    let (ask, answer) = asked("thing/property/post", &payload, &Outcome::Posted(Vec::new()));
    let points = vec![
        point("power", Datum::Text("on".into()), Some(1_524_448_722_123)),
        point("temp", Datum::Real(23.6), None),
        point("place", Datum::Json(json!({"lon": 1})), None),
        point("bare", Datum::Integer(7), None),
    ];
    assert_eq!(ask, Ask::Post { points, events: Vec::new() });
    let success = json!({"id": "123", "code": 200, "msg": "success"});
    assert_eq!(reply(answer, "thing/property/post/reply"), success);
    for (kind, code) in [(ModelFaultKind::Unknown, 404), (ModelFaultKind::Real, 460)] {
        let answer = asked("thing/property/post", &payload, &fault(kind)).1;
        let answer = reply(answer, "thing/property/post/reply");
        assert_eq!((&answer["code"], &answer["msg"]), (&json!(code), &json!("power is wrong")));
    }
    let payload = json!({"id": "9", "params": {"alarm": {"value": {"code": 3}, "time": 1524448722000_i64}}});
    let (ask, answer) = asked("thing/event/post", &payload, &Outcome::Done);
    let event = NewEvent { id: "alarm".into(), params: json!({"code": 3}), at_ms: Some(1_524_448_722_000) };
    assert_eq!(ask, Ask::Post { points: Vec::new(), events: vec![event] });
    assert_eq!(reply(answer, "thing/event/post/reply")["code"], 200);
}

#[test]
fn packs_and_histories_are_of_several_devices() {
    let payload = json!({"id": "5", "params": [
        {"identity": {"productID": "p2", "deviceName": "sub"},
         "properties": {"t": [{"value": 1, "time": 1524448722000_i64}, {"value": 2, "time": 1524448723000_i64}]}},
        {"events": {"alarm": {"value": {}}}},
    ]});
    let (ask, answer) = asked("thing/history/post", &payload, &Outcome::Posted(Vec::new()));
    let points = vec![
        point("t", Datum::Integer(1), Some(1_524_448_722_000)),
        point("t", Datum::Integer(2), Some(1_524_448_723_000)),
    ];
    let event = NewEvent { id: "alarm".into(), params: json!({}), at_ms: None };
    let sub = (DeviceRef::new("p2", "sub"), points, Vec::new());
    assert_eq!(ask, Ask::PostAll(vec![sub, (own(), Vec::new(), vec![event])]));
    assert_eq!(reply(answer, "thing/history/post/reply")["code"], 200);
    assert!(matches!(asked("thing/pack/post", &payload, &Outcome::Done).0, Ask::PostAll(_)));
}

#[test]
fn desired_values_are_read_and_cleared() {
    let payload = json!({"id": "1", "params": ["power"]});
    let desired = Desired { value: json!("on"), version: 3 };
    let outcome = Outcome::Desired(BTreeMap::from([("power".into(), desired)]));
    let (ask, answer) = asked("thing/property/desired/get", &payload, &outcome);
    assert_eq!(ask, Ask::DesiredGet(vec!["power".into()]));
    let answer = reply(answer, "thing/property/desired/get/reply");
    assert_eq!(answer["data"], json!({"power": {"value": "on", "version": 3}}));
    let payload = json!({"id": "1", "params": {"power": {}, "level": {"version": 4}}});
    let (ask, answer) = asked("thing/property/desired/delete", &payload, &Outcome::Done);
    assert_eq!(ask, Ask::DesiredDelete(vec![("power".into(), None), ("level".into(), Some(4))]));
    assert_eq!(reply(answer, "thing/property/desired/delete/reply")["code"], 200);
}

#[test]
fn a_gateway_speaks_for_its_devices() {
    let sub = DeviceRef::new("p2", "sub");
    let named = json!({"productID": "p2", "deviceName": "sub"});
    let signed_in = Outcome::Devices(vec![sub.clone()]);
    let (ask, answer) = asked("thing/sub/login", &json!({"id": "1", "params": named}), &signed_in);
    assert_eq!(ask, Ask::SubLogin(vec![SubDevice { device: sub.clone(), sign: None }]));
    let success = json!({"id": "1", "code": 200, "msg": "success"});
    assert_eq!(reply(answer, "thing/sub/login/reply"), success);
    let (ask, _) = asked("thing/sub/logout", &json!({"id": "1", "params": [named]}), &Outcome::Done);
    assert_eq!(ask, Ask::SubLogout(vec![sub.clone()]));

    let with = |token: String| json!({"id": "1", "params": {"productID": "p2", "deviceName": "sub", "sasToken": token}});
    let later = NOW_MS / 1000 + 60;
    let payload = with(signed(DEVICE_KEY, "products/p2/devices/sub", later));
    let (ask, answer) = asked("thing/sub/topo/add", &payload, &Outcome::Done);
    let Ask::TopologyAdd(devices) = ask else { panic!("{ask:?}") };
    let sign = devices[0].sign.as_ref().expect("a token");
    assert!(
        sign.is_signed_with(&Secret(DEVICE_KEY.into())) && !sign.is_signed_with(&Secret(PRODUCT_KEY.into()))
    );
    assert!(!sign.with_product_secret);
    assert_eq!(reply(answer, "thing/sub/topo/add/reply")["code"], 200);
    for (token, rule) in [
        (signed(DEVICE_KEY, "products/p2/devices/sub", 1), "token_expired"),
        (signed(DEVICE_KEY, "products/p2/devices/other", later), "token_resource"),
        ("nonsense".into(), "token_missing"),
    ] {
        let wrong = up("thing/sub/topo/add", &with(token)).expect_err(rule);
        assert_eq!(wrong.rule, rule);
        assert_eq!(reply(wrong.replies.first().cloned(), "thing/sub/topo/add/reply")["code"], 400);
    }
    let bare = json!({"id": "1", "params": named});
    assert_eq!(up("thing/sub/topo/add", &bare).expect_err("nobody vouches").rule, "token_missing");
    let (ask, answer) =
        asked("thing/sub/topo/get", &json!({"id": "8", "version": "1.0"}), &Outcome::Devices(vec![sub]));
    assert_eq!(ask, Ask::TopologyGet);
    let data = &reply(answer, "thing/sub/topo/get/reply")["data"];
    assert_eq!(*data, json!([{"deviceName": "sub", "productID": "p2"}]));
}

#[test]
fn orders_carry_an_id_that_firmware_has_room_for() {
    let write = |order: &Order| OnenetToken.downlink(&studio(), &own(), order, "uuid", u32::MAX);
    let shadow =
        Shadow { desired: BTreeMap::from([("power".into(), (json!("on"), 1))]), ..Shadow::default() };
    let invoke = Order::Invoke { service: "reboot".into(), params: Json::Null, sync: true };
    for (order, path, params) in [
        (Order::Set(json!({"power": "on"})), "thing/property/set", json!({"power": "on"})),
        (Order::Get(vec!["power".into()]), "thing/property/get", json!(["power"])),
        (invoke, "thing/service/reboot/invoke", json!({})),
        (Order::Shadow(shadow), "thing/property/set", json!({"power": "on"})),
    ] {
        let down = write(&order).expect(path);
        let body = reply(Some(down.clone()), path);
        assert_eq!((&body["params"], body["id"].as_str()), (&params, down.correlation.as_deref()));
        assert!(down.correlation.is_some_and(|id| id.len() <= thing::ID_MAX));
        let answered = json!({"id": body["id"], "code": 200, "msg": "ok", "data": {"power": "on"}});
        let (ask, answer) = asked(&format!("{path}_reply"), &answered, &Outcome::Done);
        let Ask::Answered(found) = ask else { panic!("{ask:?}") };
        assert_eq!((Some(found.correlation.as_str()), found.code), (body["id"].as_str(), Some(200)));
        assert_eq!((found.data, answer), (Some(json!({"power": "on"})), None));
    }
    for order in [
        Order::Set(json!([1])),
        Order::Get(Vec::new()),
        Order::Invoke { service: "a/b".into(), params: json!({}), sync: false },
        Order::Shadow(Shadow::default()),
        Order::TopologyChange(0, vec![own()]),
        Order::Lifecycle("delete"),
    ] {
        assert!(!write(&order).expect_err("no way to say it").message.is_empty());
    }
}

#[test]
fn what_is_not_understood_is_said_and_answered() {
    let wrong = OnenetToken
        .uplink(&uplink(&studio(), &own(), "$sys/123123/mydev/thing/property/post", b"{\"id\":\"1\",}"))
        .expect_err("no JSON");
    assert_eq!((wrong.rule, wrong.offset, wrong.length), ("thing_json", 10, 1));
    let wrong = up("thing/property/post", &json!({"id": "1"})).expect_err("no params");
    assert_eq!((wrong.rule, wrong.offset, wrong.length), ("thing_params_missing", 9, 0));
    assert_eq!(reply(wrong.replies.first().cloned(), "thing/property/post/reply")["code"], 400);
    let wrong = up("thing/property/post", &json!({"id": "1", "params": [1]})).expect_err("an array");
    assert_eq!((wrong.rule, wrong.offset, wrong.length), ("thing_params", 19, 3));
    let wrong = up("thing/property/set", &json!({})).expect_err("the platform's own");
    assert_eq!(wrong.rule, "topic_direction");
    let kept = up("custome/up", &json!({})).expect("bytes for the application");
    assert!(matches!(kept.requests[0].ask, Ask::Raw { .. }) && kept.notices[0].0 == "topic_unknown");
    let topic = "$sys/123123/other/thing/property/post";
    let kept = OnenetToken.uplink(&uplink(&studio(), &own(), topic, b"{}")).expect("never another device's");
    assert!(matches!(kept.requests[0].ask, Ask::Raw { .. }));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(entry in 0..ENTRIES.len(), payload: Vec<u8>, name in "[a-z+/]{0,9}") {
        let topic = format!("$sys/123123/mydev/{}", ENTRIES[entry].path.replace('+', &name));
        let read = OnenetToken.uplink(&uplink(&studio(), &own(), &topic, &payload));
        if let Err(error) = read {
            prop_assert!(error.offset + error.length <= payload.len());
        }
    }

    #[test]
    fn no_json_makes_it_panic(entry in 0..ENTRIES.len(), params in json_text(), id in json_text()) {
        let topic = format!("$sys/123123/mydev/{}", ENTRIES[entry].path.replace('+', "x"));
        let payload = format!("{{\"id\":{id},\"dp\":{params},\"code\":{id},\"params\":{params}}}");
        let read = OnenetToken.uplink(&uplink(&studio(), &own(), &topic, payload.as_bytes()));
        let replies = match read {
            Ok(understood) => understood.requests.iter().filter_map(|request| {
                OnenetToken.reply(request.receipt.as_ref()?, &Outcome::Done)
            }).collect(),
            Err(error) => {
                prop_assert!(error.offset + error.length <= payload.len());
                error.replies
            }
        };
        for reply in replies {
            prop_assert!(reply.payload.is_empty() || serde_json::from_slice::<Json>(&reply.payload).is_ok());
        }
    }

    #[test]
    fn no_password_makes_it_panic(password in "(version=)?[a-z0-9&=%/+]{0,80}", client in ".{0,9}") {
        let known = device("123123", &client, DEVICE_KEY);
        let user = sign_in(&client, Some("123123"), Some(&password));
        prop_assert!(OnenetToken.verify(&user, &studio(), Some(&known), NOW_MS).is_err());
        prop_assert!(!OnenetToken.diagnose(&user, Some(&studio()), Some(&known), NOW_MS).admitted);
    }
}

/// JSON with the names that matter.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("1e400".to_owned()),
        "[a-z]{0,4}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            Just("value"),
            Just("time"),
            Just("identity"),
            Just("properties"),
            Just("events"),
            Just("v"),
            Just("productID"),
            Just("deviceName"),
            Just("sasToken"),
            Just("x"),
        ];
        let member = (name, inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|items| format!("{{{}}}", items.join(","))),
        ]
    })
}
