//! What messages of devices mean: those recorded from the vendor's libraries, every form of a post, and what
//! is broken.

mod support;

use hexmq_device::{Answered, Ask, Datum, DeviceRef, Dialect as _, NewEvent, NewPoint, ShadowAsk, Uplink};
use hexmq_dialect_aliyun::Aliyun;
use serde_json::{Value as Json, json};
use support::{RECEIVED_AT_MS, ask, asked, product, sent, sent_by, switched, sys, text, vectors};

fn point(id: &str, value: impl Into<Json>, at_ms: Option<i64>) -> NewPoint {
    NewPoint { id: id.to_owned(), value: Datum::of_json(value.into()).expect("a value"), at_ms }
}

fn event(id: &str, params: Json, at_ms: Option<i64>) -> NewEvent {
    NewEvent { id: id.to_owned(), params, at_ms }
}

fn post(points: Vec<NewPoint>, events: Vec<NewEvent>) -> Ask {
    Ask::Post { points, events }
}

fn sub(name: &str) -> DeviceRef {
    DeviceRef::new("a1Sub00001", name)
}

/// What the libraries sent is understood as what they meant, and answered where they wait.
#[test]
fn recorded_messages_are_understood() {
    let vectors = vectors();
    let messages = vectors["aliyun_captured_messages"].as_array().expect("messages");
    for message in messages {
        let (topic, payload) = (text(message, "topic"), text(message, "payload"));
        let envelope: Json = serde_json::from_str(payload).expect("JSON");
        let mut levels = topic.split('/').skip(if topic.starts_with("/sys/") { 2 } else { 3 });
        let own = DeviceRef::new(levels.next().expect(topic), levels.next().expect(topic));
        let product = product(&own.product);
        let uplink = Uplink {
            product: &product,
            device: &own,
            topic,
            payload: payload.as_bytes(),
            qos: 1,
            received_at_ms: RECEIVED_AT_MS,
        };
        let understood = Aliyun.uplink(&uplink).expect(topic);
        assert_eq!(understood.notices, [], "{topic}");
        assert!(!understood.meaning.is_empty());
        let request = asked(understood);
        let expected = match topic.rsplit_once('/').expect(topic).1 {
            "post" if topic.contains("/alarm/") => {
                post(vec![], vec![event("alarm", json!({"code":3}), None)])
            }
            "post" if own.product == "a1Sub00001" => post(vec![point("T", 1, None)], vec![]),
            "post" => post(vec![point("PowerSwitch", 1, None)], vec![]),
            "set_reply" => Ask::Answered(Answered {
                correlation: "1993907181".to_owned(),
                payload: payload.as_bytes().to_vec(),
                code: Some(200),
                data: Some(json!({})),
            }),
            "update" => Ask::TagsUpdate(vec![("k".to_owned(), "v".to_owned())]),
            "logout" | "batch_logout" => Ask::SubLogout(vec![sub("sub1")]),
            _ if topic.ends_with("topo/get") => Ask::TopologyGet,
            _ if topic.ends_with("config/get") => Ask::ConfigGet,
            _ if topic.starts_with("/shadow/") && envelope["method"] == "get" => Ask::Shadow(ShadowAsk::Get),
            _ if topic.starts_with("/shadow/") => Ask::Shadow(ShadowAsk::Update {
                reported: [("a".to_owned(), Some(json!(1)))].into(),
                version: envelope["version"].as_i64().expect("a version"),
                clear_desired: false,
            }),
            _ => {
                signed(&request.ask, message, topic);
                request.ask.clone()
            }
        };
        assert_eq!(request.ask, expected, "{topic}");
        assert_eq!(request.device, own, "{topic}");
        if topic.ends_with("_reply") {
            assert_eq!(request.receipt, None, "{topic}");
            continue;
        }
        let receipt = request.receipt.expect("an answer is awaited");
        if topic.starts_with("/shadow/") {
            assert_eq!(receipt.topic, topic.replace("update", "get"));
        } else {
            assert_eq!((receipt.topic, &receipt.id), (format!("{topic}_reply"), &envelope["id"]));
        }
    }
    assert_eq!(messages.len(), 23);
}

/// Devices that a gateway names, with the signatures that the vectors verify.
fn signed(ask: &Ask, message: &Json, topic: &str) {
    let subs = match ask {
        Ask::TopologyAdd(subs) if topic.ends_with("topo/add") => subs,
        Ask::SubLogin(subs) if topic.ends_with("login") => subs,
        Ask::SubRegister(subs) if topic.ends_with("register") => subs,
        other => panic!("{topic}: {other:?}"),
    };
    let [named] = subs.as_slice() else { panic!("{topic}: {subs:?}") };
    assert_eq!(named.device.product, "a1Sub00001");
    match message["sign_content"].as_str() {
        None => assert_eq!(named.sign, None),
        Some(content) => {
            let sign = named.sign.as_ref().expect("a signature");
            assert_eq!(sign.content, content);
            let key = hexmq_device::Secret(text(message, "sign_key").to_owned());
            assert!(sign.is_signed_with(&key));
            assert!(!sign.is_signed_with(&hexmq_device::Secret("another".to_owned())));
            assert_eq!(sign.with_product_secret, topic.ends_with("product_register"));
        }
    }
}

#[test]
fn values_are_posted_plain_and_with_their_time() {
    let topic = sys("thing/event/property/post");
    for (params, points) in [
        (
            json!({"a":1,"b":2.5,"c":"x"}),
            vec![point("a", 1, None), point("b", 2.5, None), point("c", "x", None)],
        ),
        (json!({"a":{"value":1,"time":1524448722000_i64}}), vec![point("a", 1, Some(1_524_448_722_000))]),
        (
            json!({"a":{"value":{"x":1},"time":"1524448722000"}}),
            vec![point("a", json!({"x":1}), Some(1_524_448_722_000))],
        ),
        (json!({"a":{"value":true}}), vec![point("a", true, None)]),
        // Structures that merely resemble the form.
        (json!({"a":{"value":1,"unit":"V"}}), vec![point("a", json!({"value":1,"unit":"V"}), None)]),
        (json!({"a":{"value":1,"time":"noon"}}), vec![point("a", json!({"value":1,"time":"noon"}), None)]),
        (json!({"a":{"time":5}}), vec![point("a", json!({"time":5}), None)]),
        (json!({"a":null,"b":[1]}), vec![point("b", json!([1]), None)]),
        (json!({}), vec![]),
    ] {
        let payload = json!({"id":"1","params":params}).to_string();
        assert_eq!(ask(&topic, &payload), post(points, vec![]), "{payload}");
    }
    let structured = switched("a1TestPk001", "aliyun_timed_values", false);
    let payload = br#"{"id":"1","params":{"a":{"value":1,"time":2}}}"#;
    let request = asked(sent_by(&structured, &topic, payload).expect("a post"));
    assert_eq!(request.ask, post(vec![point("a", json!({"value":1,"time":2}), None)], vec![]));
}

#[test]
fn an_event_comes_in_three_forms() {
    let topic = sys("thing/event/alarm/post");
    let params = json!({"code":3});
    for (sent, at_ms) in [
        (json!({"value":{"code":3},"time":1524448722000_i64}), Some(1_524_448_722_000)),
        (json!({"value":{"code":3}}), None),
        (json!({"code":3}), None),
    ] {
        let payload = json!({"id":"1","params":sent}).to_string();
        assert_eq!(
            ask(&topic, &payload),
            post(vec![], vec![event("alarm", params.clone(), at_ms)]),
            "{payload}"
        );
    }
    // An output that is called `value` is not the form of the documentation.
    let payload = r#"{"id":"1","params":{"value":3}}"#;
    assert_eq!(ask(&topic, payload), post(vec![], vec![event("alarm", json!({"value":3}), None)]));
    assert_eq!(ask(&topic, r#"{"id":"1"}"#), post(vec![], vec![event("alarm", json!({}), None)]));
    let block = sys("thing/event/block:alarm/post");
    assert_eq!(
        ask(&block, r#"{"id":"1","params":{}}"#),
        post(vec![], vec![event("block:alarm", json!({}), None)])
    );
}

#[test]
fn batches_packs_and_histories_are_taken_apart() {
    let properties =
        json!({"Power":[{"value":1,"time":5},{"value":2,"time":6}],"Mode":{"value":"x","time":7}});
    let events = json!({"alarm":[{"value":{"code":1},"time":8}]});
    let points = vec![point("Power", 1, Some(5)), point("Power", 2, Some(6)), point("Mode", "x", Some(7))];
    let happened = vec![event("alarm", json!({"code":1}), Some(8))];
    let payload = json!({"id":"1","params":{"properties":properties,"events":events}}).to_string();
    let batch = ask(&sys("thing/event/property/batch/post"), &payload);
    assert_eq!(batch, post(points.clone(), happened.clone()));

    let identity = json!({"productKey":"a1Sub00001","deviceName":"s1"});
    let pack = json!({"id":"1","params":{"properties":{"Own":{"value":1,"time":2}},"events":{},"subDevices":[
        {"identity":identity,"properties":properties,"events":events}]}});
    let own = DeviceRef::new("a1TestPk001", "dev01");
    let all =
        vec![(own, vec![point("Own", 1, Some(2))], vec![]), (sub("s1"), points.clone(), happened.clone())];
    assert_eq!(ask(&sys("thing/event/property/pack/post"), &pack.to_string()), Ask::PostAll(all));

    let history = json!({"id":"1","params":[{"identity":identity,
        "properties":[{"Power":{"value":1,"time":5}},{"Power":{"value":2,"time":6}},{"Mode":{"value":"x","time":7}}],
        "events":[{"alarm":{"value":{"code":1},"time":8}}]}]});
    let all = vec![(sub("s1"), points, happened)];
    assert_eq!(ask(&sys("thing/event/property/history/post"), &history.to_string()), Ask::PostAll(all));

    let nobody = r#"{"id":"1","params":[{"properties":[]}]}"#;
    let error = sent(&sys("thing/event/property/history/post"), nobody).expect_err("no identity");
    assert_eq!((error.rule, error.offset, error.length), ("alink_identity", 20, 17));
    assert_eq!(support::json(&error.replies[0])["code"], 460);
}

#[test]
fn what_devices_ask_of_the_platform() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    for (path, params, expected) in [
        ("thing/property/desired/get", json!(["a", "b"]), Ask::DesiredGet(names(&["a", "b"]))),
        ("thing/property/desired/get", json!([]), Ask::DesiredGet(vec![])),
        (
            "thing/property/desired/delete",
            json!({"a":{"version":1},"b":{}}),
            Ask::DesiredDelete(vec![("a".to_owned(), Some(1)), ("b".to_owned(), None)]),
        ),
        (
            "thing/deviceinfo/update",
            json!([{"attrKey":"k","attrValue":7,"domain":"SYSTEM"}]),
            Ask::TagsUpdate(vec![("k".to_owned(), "7".to_owned())]),
        ),
        ("thing/deviceinfo/delete", json!([{"attrKey":"k"}]), Ask::TagsDelete(names(&["k"]))),
        ("thing/dsltemplate/get", json!({}), Ask::ModelGet),
        ("thing/dynamicTsl/get", json!({}), Ask::ModelGet),
        ("thing/log/post", json!(["line"]), Ask::Log(json!(["line"]))),
        ("_thing/diag/post", json!({"x":1}), Ask::Note { name: "network_diagnosis", params: json!({"x":1}) }),
        ("thing/ota/firmware/get", json!({"module":"mcu"}), Ask::FirmwareGet { module: "mcu".to_owned() }),
        ("thing/ota/firmware/get", json!({}), Ask::FirmwareGet { module: "default".to_owned() }),
        (
            "thing/topo/delete",
            json!([{"productKey":"a1Sub00001","deviceName":"s1"}]),
            Ask::TopologyDelete(vec![sub("s1")]),
        ),
        (
            "thing/list/found",
            json!([{"productKey":"a1Sub00001","deviceName":"s1"}]),
            Ask::Found(vec![sub("s1")]),
        ),
    ] {
        assert_eq!(ask(&sys(path), &json!({"id":"1","params":params}).to_string()), expected, "{path}");
    }
    assert_eq!(ask(&sys("thing/property/desired/get"), r#"{"id":"1"}"#), Ask::DesiredGet(vec![]));
    for (topic, payload, expected) in [
        (
            "/ota/device/inform/a1TestPk001/dev01",
            r#"{"id":"1","params":{"version":"1.0.0"}}"#,
            Ask::FirmwareIs { module: "default".to_owned(), version: "1.0.0".to_owned() },
        ),
        (
            "/ota/device/progress/a1TestPk001/dev01",
            r#"{"id":"1","params":{"step":"-2","desc":"no route","module":"mcu"}}"#,
            Ask::FirmwareProgress { module: "mcu".to_owned(), step: -2, text: "no route".to_owned() },
        ),
        (
            "/a1TestPk001/dev01/user/update",
            "anything",
            Ask::Raw { topic: "/a1TestPk001/dev01/user/update".to_owned(), payload: b"anything".to_vec() },
        ),
        (
            "/a1TestPk001/dev01/get",
            "",
            Ask::Raw { topic: "/a1TestPk001/dev01/get".to_owned(), payload: vec![] },
        ),
    ] {
        let request = asked(sent(topic, payload).expect(topic));
        assert_eq!((request.ask, request.receipt), (expected, None), "{topic}");
    }
}

#[test]
fn the_time_of_day_needs_nobody() {
    for sent_time in [json!("1571724098000"), json!(1_571_724_098_000_i64)] {
        let payload = json!({"deviceSendTime":sent_time}).to_string();
        let understood = sent("/ext/ntp/a1TestPk001/dev01/request", &payload).expect("a question");
        let [reply] = understood.replies.as_slice() else { panic!("one answer") };
        assert_eq!(reply.topic, "/ext/ntp/a1TestPk001/dev01/response");
        let expected = json!({"deviceSendTime":"1571724098000","serverRecvTime":"1795382825586",
            "serverSendTime":"1795382825586"});
        assert_eq!((support::json(reply), understood.requests), (expected, vec![]));
    }
    let error = sent("/ext/ntp/a1TestPk001/dev01/request", "{}").expect_err("no time");
    assert_eq!((error.rule, error.replies), ("ntp_device_time", vec![]));
}

#[test]
fn the_shadow_is_updated_emptied_and_refused() {
    let topic = "/shadow/update/a1TestPk001/dev01";
    for (payload, expected) in [
        (
            r#"{"method":"update","state":{"reported":{"a":1,"b":null},"desired":"null"},"version":-1}"#,
            ShadowAsk::Update {
                reported: [("a".to_owned(), Some(json!(1))), ("b".to_owned(), None)].into(),
                version: -1,
                clear_desired: true,
            },
        ),
        (
            r#"{"method":"update","state":{"desired":"null"},"version":"7"}"#,
            ShadowAsk::Update { reported: [].into(), version: 7, clear_desired: true },
        ),
        (
            r#"{"method":"delete","state":{"reported":{"a":"null"}},"version":2}"#,
            ShadowAsk::Delete { names: Some(vec!["a".to_owned()]), version: 2 },
        ),
        (
            r#"{"method":"delete","state":{"reported":"null"},"version":2}"#,
            ShadowAsk::Delete { names: None, version: 2 },
        ),
    ] {
        assert_eq!(ask(topic, payload), Ask::Shadow(expected), "{payload}");
    }
    for (payload, code, offset) in [
        (r#"{"state":{}}"#, "401", 0),
        (r#"{"method":"put"}"#, "406", 10),
        (r#"{"method":"update"}"#, "402", 0),
        (r#"{"method":"update","state":{}}"#, "404", 27),
        (r#"{"method":"update","state":{"reported":{}}}"#, "403", 0),
        (r#"{"method":"update","state":{"reported":{}},"version":"x"}"#, "403", 53),
        (r#"{"method":"delete","state":{"reported":3},"version":1}"#, "404", 39),
    ] {
        let error = sent(topic, payload).expect_err(payload);
        assert_eq!((error.rule, error.offset), ("shadow_form", offset), "{payload}");
        let reply = &error.replies[0];
        assert_eq!(reply.topic, "/shadow/get/a1TestPk001/dev01");
        let body = support::json(reply);
        assert_eq!((&body["method"], &body["payload"]["status"]), (&json!("reply"), &json!("error")));
        assert_eq!(body["payload"]["content"]["errorcode"], code, "{payload}");
        assert_eq!(body["timestamp"], RECEIVED_AT_MS / 1000);
    }
}

#[test]
fn what_is_broken_is_refused_at_its_byte_and_answered_if_it_has_an_id() {
    let post = sys("thing/event/property/post");
    for (topic, payload, rule, offset, code) in [
        (&*post, r#"{"id":"9","params":{"a":}}"#, "alink_json", 24, Some(6207)),
        (&*post, r#"{"params":{"a":}}"#, "alink_json", 15, None),
        (&*post, "\u{0}\u{1}", "alink_json", 0, None),
        (&*post, "[]", "alink_object", 0, None),
        (&*post, r#"{"id":"9"}"#, "alink_params_missing", 9, Some(460)),
        (&*post, r#"{"id":"9","params":[]}"#, "alink_params_kind", 19, Some(460)),
        (&*sys("thing/nothing/get"), r#"{"id":"9"}"#, "alink_topic", 0, Some(6203)),
        (&*sys("thing/service/property/set"), r#"{"id":"9"}"#, "alink_topic_direction", 0, None),
        (
            &*sys("thing/topo/add"),
            r#"{"id":"9","params":[{"productKey":"a"}]}"#,
            "alink_device",
            20,
            Some(460),
        ),
        (
            &*sys("thing/topo/add"),
            r#"{"id":"9","params":[{"productKey":"a","deviceName":"d","clientId":"c","sign":"00","signmethod":"md4"}]}"#,
            "alink_sign_method",
            20,
            Some(6292),
        ),
        (
            &*sys("thing/topo/add"),
            r#"{"id":"9","params":[{"productKey":"a1TestPk001","deviceName":"dev01","clientId":"c","sign":"00"}]}"#,
            "alink_gateway_itself",
            20,
            Some(6402),
        ),
        (&*sys("thing/deviceinfo/update"), r#"{"id":"9","params":[{}]}"#, "alink_attribute", 20, Some(460)),
        (
            "/ext/session/a1TestPk001/dev01/combine/login",
            r#"{"id":"9","params":{}}"#,
            "alink_device",
            19,
            Some(460),
        ),
        ("/ota/device/inform/a1TestPk001/dev01", r#"{"id":"9","params":{}}"#, "ota_version", 19, None),
    ] {
        let error = sent(topic, payload).expect_err(payload);
        assert_eq!((error.rule, error.offset), (rule, offset), "{topic} {payload}");
        assert!(offset + error.length <= payload.len(), "{payload}");
        let codes: Vec<_> = error.replies.iter().map(|reply| support::json(reply)["code"].clone()).collect();
        assert_eq!(codes, code.map(Json::from).into_iter().collect::<Vec<_>>(), "{topic} {payload}");
        for reply in &error.replies {
            assert_eq!(
                (&*reply.topic, support::json(reply)["id"].clone()),
                (&*format!("{topic}_reply"), json!("9"))
            );
        }
    }
}

#[test]
fn oddities_are_survived_and_noted() {
    let post_topic = sys("thing/event/property/post");
    for (payload, rule) in [
        (
            r#"{"method":"thing.service.property.set","id":"1","params":{"a":0},"version":"1.0.0"}"#,
            "alink_method_topic",
        ),
        (r#"{"params":{"a":0}}"#, "alink_id_missing"),
        (r#"{"id":1,"params":{"a":0}}"#, "alink_id_text"),
    ] {
        let understood = sent(&post_topic, payload).expect(payload);
        let rules: Vec<_> = understood.notices.iter().map(|(rule, _)| *rule).collect();
        assert_eq!(rules, [rule], "{payload}");
        assert_eq!(asked(understood).ask, post(vec![point("a", 0, None)], vec![]), "{payload}");
    }
    for (id, back) in [
        (r#""1|exp-topic|/sys/x/y""#, json!("1|exp-topic|/sys/x/y")),
        ("17", json!(17)),
        ("123456789012345678901234567890", json!("123456789012345678901234567890")),
        (r#""\u4e2d\"""#, json!("中\"")),
        ("null", Json::Null),
    ] {
        let payload = format!(r#"{{"id":{id},"params":{{}}}}"#);
        let request = asked(sent(&post_topic, &payload).expect(&payload));
        assert_eq!(request.receipt.expect("an answer").id, back, "{id}");
    }
}

#[test]
fn a_device_that_wants_no_answer_gets_none() {
    let payload = br#"{"id":"1","sys":{"ack":0},"params":{"a":1}}"#;
    let topic = sys("thing/event/property/post");
    let receipt =
        |product: &hexmq_device::Product| asked(sent_by(product, &topic, payload).expect("a post")).receipt;
    assert_eq!(receipt(&product("a1TestPk001")), None);
    assert!(receipt(&switched("a1TestPk001", "aliyun_silent_ack0", false)).is_some());
    assert!(
        asked(sent(&topic, r#"{"id":"1","sys":{"ack":1},"params":{}}"#).expect("a post")).receipt.is_some()
    );
}

#[test]
fn the_vendors_bounds_are_a_switch() {
    let many =
        |count: usize| (0..count).map(|at| (format!("p{at}"), json!(at))).collect::<serde_json::Map<_, _>>();
    let limited = switched("a1TestPk001", "aliyun_batch_limits", true);
    let sub = |at: usize| json!({"identity":{"productKey":"a1Sub00001","deviceName":format!("s{at}")},"properties":{}});
    let events: Json = (0..201).map(|_| json!({"value":{},"time":1})).collect();
    for (path, params, code) in [
        ("thing/event/property/post", Json::Object(many(201)), 6106),
        ("thing/event/property/batch/post", json!({"events":{"alarm":events}}), 6356),
        ("thing/event/property/pack/post", json!({"subDevices":(0..21).map(sub).collect::<Json>()}), 6357),
    ] {
        let payload = json!({"id":"1","params":params}).to_string();
        let error = sent_by(&limited, &sys(path), payload.as_bytes()).expect_err(path);
        assert_eq!(support::json(&error.replies[0])["code"], code, "{path}");
        assert!(sent(&sys(path), &payload).is_ok(), "{path}");
    }
    let payload = json!({"id":"1","params":many(200)}).to_string();
    assert!(sent_by(&limited, &sys("thing/event/property/post"), payload.as_bytes()).is_ok());
}
