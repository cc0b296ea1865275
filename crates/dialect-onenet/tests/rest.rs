//! The HTTP API: paths, parameters and answers, over a platform in memory.

mod support;

use hexmq_device::mac::HashName;
use hexmq_device::port::{RestRequest, RestResponse, VendorApi};
use hexmq_device::{
    ApiKey, CommandState, Datum, Device, DeviceRef, Dialect, DialectName, Point, Product, Scope,
};
use hexmq_dialect_onenet::{Api, Onenet, OnenetToken, token};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::fake::Fake;
use support::{NOW_MS, device, product, sign_in, switched};

const MASTER: &str = "dpsO9ruH0aTZublG9g5SvBtFSEQ=";
const DEVICE_KEY: &str = "Zm9yIHRoaXMgZGV2aWNlIG9ubHk=";
const ACCESS_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn legacy() -> Product {
    product("491644", DialectName::Onenet, MASTER)
}

fn online(id: &str) -> Device {
    let mut device = device("491644", id, "123456");
    device.presence.online = true;
    device.extra = json!({"secret": {"keys": [{"key": DEVICE_KEY, "title": "own"}]}});
    device
}

fn world() -> Fake {
    let studio = product("123123", DialectName::OnenetToken, ACCESS_KEY);
    let foreign = product("a1pk", DialectName::Aliyun, MASTER);
    let mut away = device("491644", "901505825", "654321");
    away.tags.insert("china".into(), String::new());
    let mut named = device("123123", "mydev", ACCESS_KEY);
    named.presence.online = true;
    Fake::of(vec![foreign, legacy(), studio], vec![online("901505824"), away, named])
}

struct Request(RestRequest);

fn call(method: &str, target: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Request(RestRequest {
        method: method.into(),
        path: path.into(),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        headers: vec![("api-key".into(), MASTER.into())],
        body: Vec::new(),
    })
}

impl Request {
    fn key(mut self, key: &str) -> Request {
        self.0.headers = vec![("api-key".into(), key.into())];
        self
    }

    fn header(mut self, name: &str, value: &str) -> Request {
        self.0.headers = vec![(name.into(), value.into())];
        self
    }

    fn also(mut self, name: &str, value: &str) -> Request {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    fn body(mut self, body: impl AsRef<[u8]>) -> Request {
        self.0.body = body.as_ref().to_vec();
        self
    }

    fn json(self, body: &Json) -> Request {
        self.body(body.to_string())
    }

    fn raw(self, fake: &Fake) -> RestResponse {
        let response = Api.answer(&self.0, fake).expect("a path of the vendor");
        assert_eq!(response.status, 200, "always");
        response
    }

    fn answer(self, fake: &Fake) -> Json {
        let response = self.raw(fake);
        assert_eq!(response.content_type, "application/json");
        serde_json::from_slice(&response.body).expect("JSON")
    }

    /// `data` of an answer that says it is done.
    fn data(self, fake: &Fake) -> Json {
        let what = format!("{} {}", self.0.method, self.0.path);
        let answer = self.answer(fake);
        assert_eq!((&answer["errno"], &answer["error"]), (&json!(0), &json!("succ")), "{what}: {answer}");
        answer["data"].clone()
    }

    fn errno(self, fake: &Fake) -> u64 {
        let answer = self.answer(fake);
        assert!(answer.get("data").is_none() && !answer["error"].as_str().expect("text").is_empty());
        answer["errno"].as_u64().expect("a number")
    }
}

#[test]
fn only_paths_of_the_vendor_are_taken() {
    let fake = world();
    let taken = |request: Request| Api.answer(&request.0, &fake).is_some();
    for path in ["/devices", "/cmds", "/mqtt", "/keys", "/triggers", "/bindata", "/v1/synccmds"] {
        assert!(taken(call("POST", path)), "{path}");
        assert!(!taken(call("POST", path).header("content-type", "x")), "{path} without a key");
        assert!(!taken(call("POST", path).header("authorization", "Bearer x")), "{path} of our own API");
    }
    for path in ["/", "/api/v1/products", "/console", "/v1/other", "/device", "//devices", "devices"] {
        assert!(!taken(call("GET", path)), "{path}");
    }
    assert!(taken(call("POST", "/register_de?register_code=x").header("host", "api.heclouds.com")));
    assert_eq!(call("PATCH", "/devices/901505824").errno(&fake), 8);
    assert_eq!(call("POST", "/triggers").errno(&fake), 8);
    assert_eq!(call("GET", "/devices/901505824/lbs/latestWifiLocation").errno(&fake), 8);
}

#[test]
fn who_may_ask() {
    let fake = world();
    let show = |id: &str| call("GET", &format!("/devices/{id}"));
    let failed = show("901505824").key("nonsense").answer(&fake);
    assert_eq!(failed, json!({"errno": 1, "error": "auth failed"}));
    assert_eq!(show("901505824").data(&fake)["id"], "901505824");
    assert_eq!(show("901505824").key(DEVICE_KEY).data(&fake)["id"], "901505824");
    assert_eq!(show("901505825").key(DEVICE_KEY).errno(&fake), 1, "a key of another device");
    assert_eq!(call("DELETE", "/devices/901505824").key(DEVICE_KEY).errno(&fake), 1);
    assert_eq!(show("901505824").key("123456").errno(&fake), 1, "an auth info is no key");
    assert_eq!(show("no").errno(&fake), 4);
    assert_eq!(call("GET", "/devices").key(ACCESS_KEY).data(&fake)["devices"][0]["id"], "mydev");
    fake.with(|known| known.away = true);
    assert_eq!(show("901505824").errno(&fake), 7);
}

#[test]
fn tokens_and_keys_of_this_server() {
    let fake = world();
    let later = NOW_MS / 1000 + 60;
    let sign = |key: &str, resource: &str, at| token::sign(key, token::VERSION, resource, at, HashName::Sha1);
    let of_product = sign(ACCESS_KEY, "products/123123", later);
    let of_device = sign(ACCESS_KEY, "products/123123/devices/mydev", later);
    for (name, token) in
        [("authorization", &of_product), ("authorization", &of_device), ("api-key", &of_product)]
    {
        assert_eq!(call("GET", "/devices/mydev").header(name, token).data(&fake)["id"], "mydev");
    }
    let other = || call("GET", "/devices/901505824");
    assert_eq!(other().header("authorization", &of_device).errno(&fake), 1);
    let expired = sign(ACCESS_KEY, "products/123123", NOW_MS / 1000 - 1);
    for wrong in
        [&*expired, &sign(MASTER, "products/123123", later), "version=1&res=2&et=3&method=md5&sign=5"]
    {
        assert_eq!(call("GET", "/devices/mydev").header("authorization", wrong).errno(&fake), 1);
    }
    let key = |scopes: &[Scope], device: Option<&str>| ApiKey {
        id: "k".into(),
        name: String::new(),
        sha256: String::new(),
        scopes: scopes.to_vec(),
        product: Some("491644".into()),
        device: device.map(str::to_owned),
        created_at_ms: 0,
        expires_at_ms: None,
    };
    fake.with(|known| {
        known.keys = vec![
            ("reader".into(), key(&[Scope::Read], None)),
            ("one".into(), key(&[Scope::Read, Scope::Write], Some("901505824"))),
        ];
    });
    let seen = other().key("reader").data(&fake);
    assert!(
        seen.get("auth_info").is_none() && seen.get("keys").is_none(),
        "secrets are for those who manage"
    );
    let post = |key| call("POST", "/devices/901505824/datapoints?type=3").key(key).body(r#"{"a":1}"#);
    assert_eq!(post("reader").errno(&fake), 1);
    assert_eq!(post("one").data(&fake), Json::Null);
    assert_eq!(call("GET", "/devices/901505825").key("one").errno(&fake), 1);
}

#[test]
fn a_device_is_created_shown_changed_and_deleted() {
    let fake = world();
    assert_eq!(call("POST", "/devices").body("{}").errno(&fake), 3);
    assert_eq!(call("POST", "/devices").body("{").errno(&fake), 3);
    let body = json!({
        "title": "test_device", "desc": "test_desc", "tags": ["china", "mobile"], "protocol": "MQTT",
        "location": {"lon": 109, "lat": 23.54}, "auth_info": "tes01235n82105",
        "other": {"version": "1.0.0"}, "private": false,
    });
    let made = call("POST", "/devices").json(&body).data(&fake);
    let id = made["device_id"].as_str().expect("ids are texts").to_owned();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    let path = format!("/devices/{id}");
    let shown = call("GET", &path).data(&fake);
    for name in ["title", "desc", "tags", "protocol", "location", "auth_info", "other", "private"] {
        assert_eq!(shown[name], body[name], "{name}");
    }
    assert_eq!((&shown["online"], &shown["create_time"]), (&json!(false), &json!("2026-11-23 08:00:00")));
    call("PUT", &path).json(&json!({"title": "other", "desc": null})).data(&fake);
    let shown = call("GET", &path).data(&fake);
    assert_eq!((&shown["title"], &shown["desc"]), (&json!("other"), &json!("")));
    assert_eq!(shown["auth_info"], "tes01235n82105", "what is not said stays");
    // It signs in with what the API was told.
    let registered = fake.with(|known| known.devices.iter().find(|it| it.id == id).cloned()).expect("it");
    let sign_in = sign_in(&id, Some("491644"), Some("tes01235n82105"));
    assert!(Onenet.verify(&sign_in, &legacy(), Some(&registered), NOW_MS).is_ok());
    call("DELETE", &path).data(&fake);
    assert_eq!(call("GET", &path).errno(&fake), 4);
    let named = call("POST", "/devices").key(ACCESS_KEY).json(&json!({"title": "dev_2"})).data(&fake);
    assert_eq!(named["device_id"], "dev_2");
    assert_eq!(call("POST", "/devices").key(ACCESS_KEY).json(&json!({"title": "dev_2"})).errno(&fake), 6);
    assert_eq!(call("POST", "/devices").key(ACCESS_KEY).json(&json!({"title": "设备"})).errno(&fake), 3);
}

#[test]
fn devices_are_found_and_counted() {
    let fake = world();
    let ids = |target: &str| {
        let data = call("GET", target).data(&fake);
        let ids: Vec<_> =
            data["devices"].as_array().expect("devices").iter().map(|it| it["id"].clone()).collect();
        (data["total_count"].as_u64().expect("a count"), json!(ids))
    };
    assert_eq!(ids("/devices"), (2, json!(["901505824", "901505825"])));
    assert_eq!(ids("/devices?page=2&per_page=1"), (2, json!(["901505825"])));
    assert_eq!(ids("/devices?online=true"), (1, json!(["901505824"])));
    assert_eq!(ids("/devices?online=false"), (1, json!(["901505825"])));
    assert_eq!(ids("/devices?auth_info=654321"), (1, json!(["901505825"])));
    assert_eq!(ids("/devices?tag=china"), (1, json!(["901505825"])));
    assert_eq!(ids("/devices?private=false").0, 0);
    assert_eq!(ids("/devices?device_id=901505825,x"), (1, json!(["901505825"])));
    assert_eq!(ids("/devices?begin=1970-01-01&end=1970-01-01").0, 2);
    assert_eq!(ids("/devices?begin=1970-01-02").0, 0);
    assert_eq!(call("GET", "/devices?per_page=101").errno(&fake), 3);
    assert_eq!(call("GET", "/devices?begin=yesterday").errno(&fake), 3);
    let status = call("GET", "/devices/status?devIds=901505825,901505824,9").data(&fake);
    assert_eq!(
        status,
        json!({"total_count": 2, "devices": [
            {"id": "901505825", "title": "a device", "online": false},
            {"id": "901505824", "title": "a device", "online": true},
        ]})
    );
    let many = vec!["1"; 1001].join(",");
    assert_eq!(call("GET", &format!("/devices/status?devIds={many}")).errno(&fake), 3);
}

fn points(fake: &Fake) -> Vec<(String, Datum, i64)> {
    fake.with(|known| known.points.iter().map(|it| (it.id.clone(), it.value.clone(), it.at_ms)).collect())
}

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

fn posted(streams: &[(&str, i64, i64)]) -> Fake {
    let fake = world();
    fake.with(|known| {
        known.points = streams
            .iter()
            .map(|&(id, value, at_ms)| Point {
                device: DeviceRef::new("491644", "901505824"),
                id: id.into(),
                value: Datum::Integer(value),
                at_ms,
                received_at_ms: NOW_MS,
            })
            .collect();
    });
    fake
}

/// 2015-01-10 08:00:35 in Beijing.
const START_MS: i64 = 1_420_848_035_000;

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

#[test]
fn keys_of_devices() {
    let fake = world();
    let permissions = |methods: Json| {
        json!({"title": "app", "permissions": [
            {"resources": [{"dev_id": "901505825"}], "access_methods": methods}
        ]})
    };
    let key = call("POST", "/keys").json(&permissions(json!(["get"]))).data(&fake)["key"].clone();
    let key = key.as_str().expect("text").to_owned();
    assert_eq!(key.len(), 28, "as the vendor's");
    assert_eq!(call("GET", "/devices/901505825").key(&key).data(&fake)["id"], "901505825");
    let post = || call("POST", "/devices/901505825/datapoints?type=3").key(&key).body("{}");
    assert_eq!(post().errno(&fake), 1, "for reading only");
    call("PUT", &format!("/keys/{key}")).json(&permissions(json!(["GET", "POST"]))).data(&fake);
    post().data(&fake);
    let listed = call("GET", &format!("/keys?key={key}")).data(&fake);
    assert_eq!((&listed["total_count"], &listed["items"][0]["title"]), (&json!(1), &json!("app")));
    assert_eq!(call("GET", "/keys").data(&fake)["total_count"], 2);
    assert_eq!(call("GET", "/keys").key(DEVICE_KEY).errno(&fake), 1);
    fake.with(|known| known.devices[1].extra["secret"]["keys"][0]["key"] = json!("a/b"));
    call("PUT", "/keys/a/b").json(&json!({"title": "with a slash"})).data(&fake);
    fake.with(|known| known.devices[1].extra["secret"]["keys"][0]["key"] = json!(key));
    call("DELETE", &format!("/keys/{key}")).data(&fake);
    assert_eq!(call("GET", "/devices/901505825").key(&key).errno(&fake), 1);
    assert_eq!(call("DELETE", &format!("/keys/{key}")).errno(&fake), 4);
    assert_eq!(call("POST", "/keys").json(&json!({"title": "all"})).errno(&fake), 8);
}

#[test]
fn devices_register_themselves_in_an_answer_that_firmware_can_read() {
    let fake = world();
    let register = |code: &str, body: &Json| {
        call("POST", &format!("/register_de?register_code={code}"))
            .header("host", "api.heclouds.com")
            .json(body)
    };
    let body = json!({"sn": "201608160001", "title": "0001"});
    assert_eq!(register("nonsense", &body).answer(&fake), json!({"errno": 1, "error": "auth failed"}));
    let answer = register("491644", &body).raw(&fake);
    let text = String::from_utf8(answer.body).expect("text");
    assert!(text.len() + answer.content_type.len() < 200 && text.contains("succ"), "fits into 320 bytes");
    // device_id":"%[^"]","key":"%[^"]"
    let rest = text.split_once("device_id\":\"").expect("the id").1;
    let (id, rest) = rest.split_once('"').expect("its end");
    let (key, _) =
        rest.strip_prefix(",\"key\":\"").expect("right behind it").split_once('"').expect("its end");
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()) && key.len() == 28, "{text}");
    // The serial number is the auth info, and the key is good for the API.
    let made = fake.with(|known| known.devices.iter().find(|it| it.id == id).cloned()).expect("registered");
    for password in ["201608160001", key] {
        let sign_in = sign_in(id, Some("491644"), Some(password));
        assert!(Onenet.verify(&sign_in, &legacy(), Some(&made), NOW_MS).is_ok(), "{password}");
    }
    assert_eq!(call("GET", &format!("/devices/{id}")).key(key).data(&fake)["title"], "0001");
    assert_eq!(register("491644", &body).errno(&fake), 6, "only once");
    call("PUT", "/register_attr")
        .json(&json!({"allow_dup": true, "register_code": "cba89peVvQ7p28sD"}))
        .data(&fake);
    assert_eq!(register("491644", &body).errno(&fake), 1, "there is a code now");
    let again = register("cba89peVvQ7p28sD", &body).data(&fake);
    assert_eq!(again, json!({"device_id": id, "key": key}));
    let other = register("cba89peVvQ7p28sD", &json!({"mac": "A1B2"})).data(&fake);
    assert_ne!(other["device_id"], json!(id));
    assert_eq!(register("cba89peVvQ7p28sD", &json!({"title": "x"})).errno(&fake), 3);
    call("DELETE", &format!("/keys/{key}")).data(&fake);
    assert_eq!(register("cba89peVvQ7p28sD", &body).errno(&fake), 4, "a key that was taken away stays away");
    fake.with(|known| known.products[1].dynamic_registration = false);
    assert_eq!(register("cba89peVvQ7p28sD", &json!({"sn": "2"})).errno(&fake), 1);
    assert_eq!(call("PUT", "/register_attr").body("{}").errno(&fake), 3);
}

#[test]
fn devices_of_the_suite_register_by_name() {
    let fake = world();
    let token =
        token::sign(ACCESS_KEY, token::VERSION, "products/123123", NOW_MS / 1000 + 9, HashName::Sha256);
    let register = |body: &Json| {
        call("POST", "/mqtt/v1/devices/reg").header("authorization", &token).json(body).answer(&fake)
    };
    let made = register(&json!({"name": "IMEI123", "desc": "d", "key": "5h2QzmpEqD7IqaOYNoj2kuNNm1Q="}));
    assert_eq!((&made["code_no"], &made["code"]), (&json!("000000"), &json!("onenet_common_success")));
    assert_eq!(
        made["data"],
        json!({"device_id": "IMEI123", "name": "IMEI123", "pid": 123123, "key": "5h2QzmpEqD7IqaOYNoj2kuNNm1Q="})
    );
    assert_eq!(register(&json!({"name": "IMEI123"}))["data"], made["data"], "the one there is");
    assert_eq!(register(&json!({"name": "other"}))["data"]["key"], "made by the platform");
    let wrong = register(&json!({"name": "a b"}));
    assert_eq!((&wrong["code_no"], &wrong["data"]), (&json!("000003"), &Json::Null));
    let device = fake.with(|known| known.devices.iter().find(|it| it.id == "IMEI123").cloned()).expect("it");
    let password = token::sign(
        "5h2QzmpEqD7IqaOYNoj2kuNNm1Q=",
        token::VERSION,
        "products/123123/devices/IMEI123",
        NOW_MS / 1000 + 9,
        HashName::Md5,
    );
    let studio = product("123123", DialectName::OnenetToken, ACCESS_KEY);
    let sign_in = sign_in("IMEI123", Some("123123"), Some(&password));
    assert!(OnenetToken.verify(&sign_in, &studio, Some(&device), NOW_MS).is_ok());
}

proptest! {
    /// Whatever is asked: an envelope, and never a panic.
    #[test]
    fn nothing_that_is_asked_makes_it_panic(
        method in prop_oneof![Just("GET"), Just("POST"), Just("PUT"), Just("DELETE"), Just("X")],
        path in path(),
        query in prop::collection::vec((parameter(), value()), 0..5),
        body in prop_oneof![any::<Vec<u8>>(), "[{}\",:\\[\\]a-z0-9]{0,30}".prop_map(String::into_bytes)],
        key in prop_oneof![Just(MASTER), Just(DEVICE_KEY), Just(ACCESS_KEY), Just("x")],
    ) {
        let fake = posted(&[("a", 1, 1000), ("b", 2, 2000)]);
        let request = RestRequest {
            method: method.into(),
            path,
            query: query.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            headers: vec![("api-key".into(), key.into())],
            body,
        };
        if let Some(response) = Api.answer(&request, &fake) {
            prop_assert_eq!(response.status, 200);
            if response.content_type == "application/json" {
                let answer: Json = serde_json::from_slice(&response.body).expect("JSON");
                prop_assert!(answer.get("errno").is_some() || answer.get("code_no").is_some());
            }
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        Just("devices"),
        Just("datapoints"),
        Just("datastreams"),
        Just("cmds"),
        Just("resp"),
        Just("history"),
        Just("mqtt"),
        Just("topic"),
        Just("bindata"),
        Just("keys"),
        Just("register_de"),
        Just("register_attr"),
        Just("v1"),
        Just("synccmds"),
        Just("reg"),
        Just("901505824"),
        Just("a"),
        Just("%zz"),
        Just("%E6%B8%A9"),
        Just(""),
        Just("901505824~1~a"),
        Just("status"),
        Just("topic_device"),
        Just("device_topic"),
    ];
    prop::collection::vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn parameter() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("device_id"),
        Just("datastream_id"),
        Just("start"),
        Just("end"),
        Just("duration"),
        Just("limit"),
        Just("page"),
        Just("per_page"),
        Just("topic"),
        Just("type"),
        Just("timeout"),
        Just("devIds"),
        Just("sort"),
        Just("register_code"),
        Just("begin"),
        Just("online"),
        Just("status"),
        Just("name"),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("901505824".to_owned()),
        Just("491644".to_owned()),
        Just("a,b".to_owned()),
        Just("2015-01-10T08:00:35".to_owned()),
        Just("9999-12-31".to_owned()),
        any::<u32>().prop_map(|n| n.to_string()),
        Just("1".to_owned()),
        ".{0,8}",
    ]
}
