//! The HTTP API: values, streams, commands, topics and bytes, over a platform in memory.

mod support;

use hexmq_device::{CommandState, Datum, DeviceRef, Point};
use serde_json::json;
use support::asking::{ACCESS_KEY, DEVICE_KEY, START_MS, call, legacy, points, posted, world};
use support::{NOW_MS, switched};

#[test]
fn points_are_posted_in_the_forms_of_the_uploads() {
    let fake = world();
    let post =
        |kind: &str, body: &str| call("POST", &format!("/devices/901505824/datapoints{kind}")).body(body);
    let at = 1_482_416_542_000;
    let one = r#"{"datastreams":[{"id":"t","datapoints":[{"at":"2016-12-22 22:22:22","value":36.5}]}]}"#;
    post("", one).data(&fake);
    post("?type=0", one).data(&fake);
    post("?type=3", r#"{"u":"text"}"#).data(&fake);
    post("?type=4", r#"{"v":{"2016-12-22T22:22:22":true}}"#).data(&fake);
    post("?type=5", ",;w,2016-12-22 22:22:22,22.5;102").data(&fake);
    let real = |value| Datum::Real(value);
    let expected = vec![
        ("t".to_owned(), real(36.5), at),
        ("t".to_owned(), real(36.5), at),
        ("u".to_owned(), Datum::Text("text".into()), NOW_MS),
        ("v".to_owned(), Datum::Boolean(true), at),
        ("w".to_owned(), real(22.5), at),
        ("1".to_owned(), Datum::Integer(102), NOW_MS),
    ];
    assert_eq!(points(&fake), expected);
    let wrong = post("?type=3", r#"{"u":}"#).answer(&fake);
    assert_eq!(wrong["errno"], 3);
    assert!(wrong["error"].as_str().expect("text").contains("byte 5"), "{wrong}");
    assert_eq!(post("?type=7", "{}").errno(&fake), 3);
    assert_eq!(points(&fake).len(), 6);
    // More than the two length bytes of an upload could say.
    let long = json!({"long": "x".repeat(100_000)}).to_string();
    post("?type=3", &long).data(&fake);
    assert_eq!(points(&fake).len(), 7);
}

#[test]
fn points_are_asked_for_by_time() {
    let second = |number: i64| START_MS + number * 1000;
    let fake =
        posted(&[("a", 0, second(0)), ("b", 1, second(1)), ("a", 2, second(2) + 203), ("a", 3, second(60))]);
    let ask = |query: &str| call("GET", &format!("/devices/901505824/datapoints?{query}")).data(&fake);
    assert_eq!(
        ask("start=2015-01-10T08:00:35&end=2015-01-10T08:00:37"),
        json!({"count": 3, "datastreams": [
            {"id": "a", "datapoints": [
                {"at": "2015-01-10 08:00:35.000", "value": 0}, {"at": "2015-01-10 08:00:37.203", "value": 2},
            ]},
            {"id": "b", "datapoints": [{"at": "2015-01-10 08:00:36.000", "value": 1}]},
        ]})
    );
    let values = |query: &str| {
        let data = ask(query);
        let points = data["datastreams"].as_array().expect("streams").iter().flat_map(|stream| {
            stream["datapoints"]
                .as_array()
                .expect("points")
                .iter()
                .map(|it| it["value"].as_i64().expect("number"))
        });
        (points.collect::<Vec<_>>(), data["cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(values("datastream_id=a"), (vec![0, 2, 3], None));
    assert_eq!(values("datastream_id=a&sort=DESC"), (vec![3, 2, 0], None));
    assert_eq!(values("datastream_id=b,a&start=2015-01-10T08:00:36"), (vec![1, 2, 3], None));
    assert_eq!(values("start=2015-01-10T08:00:35&duration=1&datastream_id=a,b"), (vec![0, 1], None));
    assert_eq!(values("end=2015-01-10T08:01:35&duration=2"), (vec![3], None));
    let (first, cursor) = values("datastream_id=a&limit=2");
    assert_eq!(first, [0, 2]);
    let cursor = cursor.expect("more is there");
    assert_eq!(values(&format!("datastream_id=a&limit=2&cursor={cursor}")), (vec![3], None));
    for wrong in ["limit=0", "limit=6001", "sort=up", "start=yesterday", "duration=-1"] {
        assert_eq!(call("GET", &format!("/devices/901505824/datapoints?{wrong}")).errno(&fake), 3, "{wrong}");
    }
}

#[test]
fn the_newest_points_where_that_is_switched_on() {
    let fake = posted(&[("b", 1, 1000), ("a", 2, 2000), ("a", 3, 3000)]);
    let on = switched(&legacy(), "newest_without_start", true);
    fake.with(|known| known.products[1] = on);
    let ask = |query: &str| call("GET", &format!("/devices/901505824/datapoints{query}")).data(&fake);
    let newest = ask("?datastream_id=b,a&limit=2");
    assert_eq!(
        (&newest["count"], &newest["datastreams"][1]["datapoints"][0]["value"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(ask("")["datastreams"][0]["datapoints"][0]["value"], 3, "one of each");
    assert_eq!(ask("?sort=ASC")["datastreams"][1]["datapoints"][0]["value"], 2, "as the document has it");
}

#[test]
fn the_newest_value_of_every_stream() {
    let fake = posted(&[("a", 1, 1000), ("a", 2, 2000), ("b", 3, 3000)]);
    let latest = call("GET", "/devices/datapoints?devIds=901505824,901505825").data(&fake);
    assert_eq!(
        latest["devices"][0]["datastreams"],
        json!([
            {"id": "a", "at": "1970-01-01 08:00:02.000", "value": 2},
            {"id": "b", "at": "1970-01-01 08:00:03.000", "value": 3},
        ])
    );
    assert_eq!(latest["devices"][1]["datastreams"], json!([]));
    let own = call("GET", "/devices/datapoints?devIds=901505824").key(DEVICE_KEY).data(&fake);
    assert_eq!(own["devices"].as_array().map(Vec::len), Some(1));
}

#[test]
fn streams_are_described() {
    let fake = posted(&[("a", 1, 1000)]);
    let base = "/devices/901505824/datastreams";
    let body = json!({"id": "temperature", "unit": "celsius", "unit_symbol": "C", "tags": ["t"]});
    let made = call("POST", base).json(&body).data(&fake);
    assert_eq!(made["ds_uuid"].as_str().map(str::len), Some(36));
    assert_eq!(call("POST", base).json(&body).errno(&fake), 6);
    assert_eq!(call("POST", base).body("{}").errno(&fake), 3);
    let one = call("GET", &format!("{base}/temperature")).data(&fake);
    assert_eq!(
        (&one["unit"], &one["tags"], one.get("current_value")),
        (&json!("celsius"), &json!(["t"]), None)
    );
    call("PUT", &format!("{base}/a")).json(&json!({"unit": "lux"})).data(&fake);
    let both = call("GET", &format!("{base}?datastream_ids=temperature,a,none")).data(&fake);
    let names: Vec<_> = both.as_array().expect("streams").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(json!(names), json!(["temperature", "a"]), "in the order that was asked in");
    assert_eq!((&both[1]["current_value"], &both[1]["unit"]), (&json!(1), &json!("lux")));
    assert_eq!(both[1]["update_at"], "1970-01-01 08:00:01");
    let shown = call("GET", "/devices/901505824").data(&fake);
    assert_eq!(shown["datastreams"].as_array().map(Vec::len), Some(2));
    call("DELETE", &format!("{base}/a")).data(&fake);
    assert!(points(&fake).is_empty());
    assert_eq!(call("GET", &format!("{base}/a")).errno(&fake), 4);
    assert_eq!(call("PUT", &format!("{base}/a")).body("{}").errno(&fake), 4);
    assert_eq!(call("DELETE", &format!("{base}/a")).errno(&fake), 4);
    fake.with(|known| {
        let point = Point {
            device: DeviceRef::new("491644", "901505824"),
            id: "温度".into(),
            value: Datum::Real(1.5),
            at_ms: 0,
            received_at_ms: 0,
        };
        known.points.push(point);
    });
    let named = call("GET", &format!("{base}/%E6%B8%A9%E5%BA%A6")).data(&fake);
    assert_eq!((&named["id"], &named["current_value"]), (&json!("温度"), &json!(1.5)));
}

#[test]
fn a_command_is_sent_and_looked_after() {
    let fake = world();
    let offline = call("POST", "/cmds?device_id=901505825").body("x").answer(&fake);
    assert_eq!(offline, json!({"errno": 10, "error": "device not online: 901505825"}));
    let kept = call("POST", "/cmds?device_id=901505825&timeout=60&qos=1").body("x").data(&fake);
    let kept = kept["cmd_uuid"].as_str().expect("an id").to_owned();
    let state = |id: &str| call("GET", &format!("/cmds/{id}")).data(&fake);
    assert_eq!(state(&kept), json!({"status": 1, "desc": "command created"}));
    assert!(fake.with(|known| known.commands[0].again));
    let sent = call("POST", "/cmds?device_id=901505824").key(DEVICE_KEY).body("redled:0").data(&fake);
    let sent = sent["cmd_uuid"].as_str().expect("an id").to_owned();
    assert_eq!(sent.len(), 36);
    assert_eq!(state(&sent), json!({"status": 2, "desc": "command sent"}));
    let reply = |id: &str| call("GET", &format!("/cmds/{id}/resp")).raw(&fake).body;
    assert!(reply(&sent).is_empty());
    fake.with(|known| {
        known.commands[1].state = CommandState::Answered;
        known.commands[1].reply = Some(vec![0, 255, b'k']);
        known.commands[1].answered_at_ms = Some(NOW_MS + 203);
    });
    assert_eq!(state(&sent), json!({"status": 4, "desc": "command response received"}));
    assert_eq!(reply(&sent), [0, 255, b'k'], "the bytes and nothing else");
    let own = call("GET", &format!("/cmds/{sent}")).key(DEVICE_KEY);
    assert_eq!(own.data(&fake)["status"], 4);
    assert_eq!(call("GET", &format!("/cmds/{kept}")).key(DEVICE_KEY).errno(&fake), 1);
    assert_eq!(call("GET", &format!("/cmds/{kept}")).key(ACCESS_KEY).errno(&fake), 4, "another product's");
    assert_eq!(call("GET", "/cmds/none").errno(&fake), 4);
    let history = call("GET", "/cmds/history/901505824?status=4").data(&fake);
    let item = &history["items"][0];
    assert_eq!(
        (&history["count"], &item["cmd_uuid"], &item["body"]),
        (&json!(1), &json!(sent), &json!("redled:0"))
    );
    assert_eq!((&item["dev_id"], &item["status"]), (&json!("901505824"), &json!(4)));
    assert_eq!(item["confirm_time"], "2026-11-23 08:00:00.203");
    for wrong in ["device_id=901505824&timeout=2678401", "device_id=901505824&qos=2", "timeout=1"] {
        assert_eq!(call("POST", &format!("/cmds?{wrong}")).errno(&fake), 3, "{wrong}");
    }
    let long = vec![b'x'; 65_536];
    assert_eq!(call("POST", "/cmds?device_id=901505824").body(long).errno(&fake), 3);
}

#[test]
fn an_answer_is_waited_for() {
    let fake = world();
    let ask = || call("POST", "/v1/synccmds?device_id=mydev&timeout=5").key(ACCESS_KEY).body("on");
    assert_eq!(ask().errno(&fake), 5, "no answer in time");
    fake.with(|known| known.answer = Some(b"done".to_vec()));
    let data = ask().data(&fake);
    assert_eq!((data["cmd_uuid"].as_str().map(str::len), &data["cmd_resp"]), (Some(36), &json!("ZG9uZQ==")));
    fake.with(|known| known.devices[2].presence.online = false);
    assert_eq!(ask().errno(&fake), 10);
    assert_eq!(call("POST", "/v1/synccmds?device_id=mydev&timeout=31").key(ACCESS_KEY).errno(&fake), 3);
}

#[test]
fn topics_between_devices() {
    let fake = world();
    call("POST", "/mqtt?topic=house/1").body([0, 1]).data(&fake);
    let published = fake.with(|known| known.published.clone());
    assert_eq!(published, [("491644".to_owned(), "house/1".to_owned(), vec![0, 1])]);
    for wrong in ["/mqtt", "/mqtt?topic=$dp", "/mqtt?topic=a/+"] {
        assert_eq!(call("POST", wrong).errno(&fake), 3, "{wrong}");
    }
    assert_eq!(call("POST", "/mqtt?topic=a").body(vec![0; 65_537]).errno(&fake), 3);
    assert_eq!(call("POST", "/mqtt?topic=a").key(DEVICE_KEY).errno(&fake), 1, "needs the master key");
    call("POST", "/mqtt/topic").json(&json!({"name": "house/1"})).data(&fake);
    assert_eq!(call("POST", "/mqtt/topic").json(&json!({"name": "house/1"})).errno(&fake), 6);
    assert_eq!(call("POST", "/mqtt/topic").json(&json!({"name": "$creq"})).errno(&fake), 3);
    assert_eq!(call("GET", "/mqtt/topic").data(&fake), json!(["house/1"]));
    let who = call("GET", "/mqtt/topic_device?topic=house/1&page=1&per_page=10").data(&fake);
    assert_eq!((&who["total_count"], &who["devices"][0]["id"]), (&json!(2), &json!("901505824")));
    assert_eq!(call("GET", "/mqtt/device_topic/901505824").data(&fake), json!(["house/#"]));
    call("DELETE", "/mqtt/topic?name=house/1").data(&fake);
    assert_eq!(call("DELETE", "/mqtt/topic?name=house/1").errno(&fake), 4);
    assert_eq!(call("GET", "/mqtt/topic").data(&fake), json!([]));
    for number in 0..100 {
        call("POST", "/mqtt/topic").json(&json!({"name": format!("t{number}")})).data(&fake);
    }
    assert_eq!(call("POST", "/mqtt/topic").json(&json!({"name": "one more"})).errno(&fake), 3);
}

#[test]
fn bytes_are_uploaded_and_fetched() {
    let fake = world();
    let target = "/bindata?device_id=901505824&datastream_id=image";
    let index = call("POST", target).key(DEVICE_KEY).body([1, 0, 255]).data(&fake)["index"].clone();
    let path = format!("/bindata/{}", index.as_str().expect("text"));
    let fetched = call("GET", &path).raw(&fake);
    assert_eq!((&*fetched.content_type, &*fetched.body), ("application/octet-stream", &[1, 0, 255][..]));
    assert_eq!(call("GET", &path).key(ACCESS_KEY).errno(&fake), 4, "another product's");
    let shown = call("GET", "/devices/901505824/datapoints").data(&fake);
    assert_eq!(shown["datastreams"][0]["datapoints"][0]["value"], json!({"index": index}));
    for wrong in ["/bindata/x", "/bindata/901505824~x~image", "/bindata/901505824~1~image"] {
        assert_eq!(call("GET", wrong).errno(&fake), 4, "{wrong}");
    }
    let body = "--b\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b--\r\n";
    let parts = call("POST", target).also("content-type", "multipart/form-data; boundary=b").body(body);
    let path = format!("/bindata/{}", parts.data(&fake)["index"].as_str().expect("text"));
    assert!(fake.with(|known| known.points.iter().any(|it| it.value == Datum::Binary(b"PNG".to_vec()))));
    assert!(!call("GET", &path).raw(&fake).body.is_empty());
    assert_eq!(call("POST", "/bindata?device_id=901505824").errno(&fake), 3);
}
