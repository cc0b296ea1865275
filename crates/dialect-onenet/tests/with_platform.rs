//! The tutorials' flows over the real platform and a data base in memory: a device signs in, uploads, is told
//! something and answers; an application sees all of it at the vendor's paths.

mod support;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hexmq_device::port::{Fleet, Platform, RestRequest, Sent, VendorApi};
use hexmq_device::{DialectName, Downlink, TopicRule};
use hexmq_dialect_onenet::{Api, Onenet, OnenetToken};
use hexmq_platform::{Cloud, Handed, Settings, Setup};
use serde_json::{Value as Json, json};
use support::{NOW_MS, product, sign_in};

const MASTER: &str = "dpsO9ruH0aTZublG9g5SvBtFSEQ=";

/// Keeps what devices are sent.
#[derive(Default)]
struct Wire {
    sent: Mutex<Vec<(String, Downlink)>>,
}

impl Fleet for Wire {
    fn send(
        &self,
        _: u32,
        device: &str,
        downlink: &Downlink,
        _: Option<u64>,
        done: Box<dyn FnOnce(Sent) + Send>,
    ) {
        self.sent.lock().expect("nobody panics inside").push((device.to_owned(), downlink.clone()));
        done(Sent::Sent);
    }
    fn publish(&self, _: u32, _: &str, _: &[u8], _: u8, _: bool) {}
    fn set_rules(&self, _: u32, _: &str, _: Vec<TopicRule>) {}
    fn disconnect(&self, _: u32, _: &str, _: bool) {}
    fn done(&self, _: &str, _: u64) {}
    fn subscribers(&self, _: u32, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn subscriptions(&self, _: u32, _: &str) -> Vec<String> {
        Vec::new()
    }
}

struct World {
    cloud: Arc<Cloud>,
    platform: Arc<dyn Platform>,
    wire: Arc<Wire>,
    number: u32,
    places: u64,
    clock: Arc<AtomicI64>,
}

impl World {
    fn new() -> World {
        let base = hexmq_registry::open(&hexmq_registry::Location::Memory).expect("a data base in memory");
        let clock = Arc::new(AtomicI64::new(NOW_MS));
        let reads = Arc::clone(&clock);
        let cloud = Cloud::start(Setup {
            registry: base.registry,
            history: base.history,
            dialects: vec![Arc::new(Onenet), Arc::new(OnenetToken)],
            clock: Arc::new(move || reads.load(Ordering::Relaxed)),
            settings: Settings::default(),
        })
        .expect("it starts");
        let wire = Arc::new(Wire::default());
        cloud.attach(Arc::clone(&wire) as Arc<dyn Fleet>);
        let platform = cloud.platform();
        let made =
            platform.create_product(product("491644", DialectName::Onenet, MASTER)).expect("a product");
        World { cloud, platform, wire, number: made.number, places: 0, clock }
    }

    fn call(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let request = RestRequest {
            method: method.into(),
            path: path.into(),
            query: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            headers: vec![("api-key".into(), MASTER.into())],
            body: body.into(),
        };
        Api.answer(&request, &*self.platform).expect("a path of the vendor").body
    }

    fn data(&self, method: &str, target: &str, body: &[u8]) -> Json {
        let answer: Json = serde_json::from_slice(&self.call(method, target, body)).expect("JSON");
        assert_eq!(answer["errno"], 0, "{method} {target}: {answer}");
        answer["data"].clone()
    }

    fn up(&mut self, device: &str, topic: &str, payload: &[u8]) {
        self.places += 1;
        self.cloud.uplinks(vec![Handed {
            inbox: "one".into(),
            place: self.places,
            number: self.number,
            device: device.into(),
            topic: topic.into(),
            payload: payload.into(),
            qos: 1,
            received_at_ms: self.clock.load(Ordering::Relaxed),
        }]);
        assert!(self.cloud.settle(Duration::from_secs(20)), "it is kept");
    }
}

/// Type, length and JSON.
fn type_3(json: &str) -> Vec<u8> {
    let length = u16::try_from(json.len()).expect("short").to_be_bytes();
    [&[3], &length[..], json.as_bytes()].concat()
}

#[test]
fn a_lamp_is_registered_uploads_and_is_switched() {
    let mut world = World::new();
    let made = world.data("POST", "/devices", br#"{"title":"lamp","auth_info":"123456","tags":["china"]}"#);
    let id = made["device_id"].as_str().expect("text").to_owned();

    let connect = sign_in(&id, Some("491644"), Some("123456"));
    let claimed = world.cloud.claim(&connect).expect("a product that is known");
    assert_eq!((claimed.number, &*claimed.device), (world.number, &*id));
    assert!(world.cloud.admit(&connect, &claimed).is_ok());
    assert!(world.cloud.admit(&sign_in(&id, Some("491644"), Some("x")), &claimed).is_err());
    let offline: Json =
        serde_json::from_slice(&world.call("POST", &format!("/cmds?device_id={id}"), b"redled:0"))
            .expect("JSON");
    assert_eq!(offline, json!({"errno": 10, "error": format!("device not online: {id}")}));
    world.cloud.connected(world.number, &id, "192.0.2.1:6002");

    world.up(&id, "$dp", &type_3(r#"{"Red_Led":1,"Green_Led":1,"Yellow_Led":1,"Blue_Led":1}"#));
    let streams =
        world.data("GET", &format!("/devices/{id}/datastreams?datastream_ids=Blue_Led,Red_Led"), b"");
    assert_eq!((&streams[0]["id"], &streams[0]["current_value"]), (&json!("Blue_Led"), &json!(1)));
    assert_eq!(streams[1]["update_at"], "2026-11-23 08:00:00");
    assert_eq!(world.data("GET", "/devices?online=true&tag=china", b"")["total_count"], 1);

    let sent = world.data("POST", &format!("/cmds?device_id={id}"), b"redled:0");
    let uuid = sent["cmd_uuid"].as_str().expect("text").to_owned();
    let (to, down) = world.wire.sent.lock().expect("a wire").pop().expect("a command");
    assert_eq!((&*to, &*down.topic, &*down.payload), (&*id, &*format!("$creq/{uuid}"), &b"redled:0"[..]));
    assert_eq!((down.topic.len(), down.qos, down.if_subscribed), ("$creq/".len() + 36, 0, false));
    let status = |world: &World| world.data("GET", &format!("/cmds/{uuid}"), b"")["status"].clone();
    assert_eq!(status(&world), 2);
    world.up(&id, &format!("$crsp/{uuid}"), b"redled:0");
    assert_eq!(status(&world), 4);
    assert_eq!(world.call("GET", &format!("/cmds/{uuid}/resp"), b""), b"redled:0");
    world.up(&id, &format!("$crsp/{uuid}"), b"");
    assert_eq!(world.call("GET", &format!("/cmds/{uuid}/resp"), b""), b"", "the last answer counts");
    let history = world.data("GET", &format!("/cmds/history/{id}?status=4"), b"");
    assert_eq!((&history["count"], &history["items"][0]["body"]), (&json!(1), &json!("redled:0")));
    world.cloud.stop();
}

#[test]
fn points_go_on_where_the_cursor_says() {
    let mut world = World::new();
    let made = world.data("POST", "/devices", br#"{"title":"sensor"}"#);
    let id = made["device_id"].as_str().expect("text").to_owned();
    for value in 0..5 {
        world.clock.fetch_add(1000, Ordering::Relaxed);
        world.up(&id, "$dp", &type_3(&json!({"t": value, "u": -value}).to_string()));
    }
    let mut values = Vec::new();
    let mut cursor = String::new();
    for _ in 0..5 {
        let target =
            format!("/devices/{id}/datapoints?datastream_id=t&start=2026-11-23T08:00:02&limit=2{cursor}");
        let data = world.data("GET", &target, b"");
        let points = data["datastreams"][0]["datapoints"].as_array().expect("points").clone();
        values.extend(points.iter().map(|point| point["value"].as_i64().expect("a number")));
        let Some(next) = data["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(values, [1, 2, 3, 4], "from the second second on, each once");
    let newest = world.data("GET", &format!("/devices/{id}/datapoints?sort=DESC&limit=2"), b"");
    assert_eq!(newest["count"], 2);
    world.data("DELETE", &format!("/devices/{id}/datastreams/t"), b"");
    let left = world.data("GET", &format!("/devices/{id}/datapoints"), b"");
    assert_eq!((&left["count"], &left["datastreams"][0]["id"]), (&json!(5), &json!("u")));
    world.cloud.stop();
}

#[test]
fn firmware_registers_itself_and_connects() {
    let world = World::new();
    let target = format!("/register_de?register_code={MASTER}");
    let answer = world.data("POST", &target, br#"{"sn":"201608160001","title":"0001"}"#);
    let id = answer["device_id"].as_str().expect("text");
    for password in ["201608160001", answer["key"].as_str().expect("text")] {
        let connect = sign_in(id, Some("491644"), Some(password));
        let claimed = world.cloud.claim(&connect).expect("a product that is known");
        assert!(world.cloud.admit(&connect, &claimed).is_ok(), "{password}");
    }
    world.data("PUT", "/register_attr", br#"{"allow_dup":true}"#);
    assert_eq!(world.data("POST", &target, br#"{"sn":"201608160001"}"#), answer);
    world.cloud.stop();
}

#[test]
fn the_doctor_tells_the_access_by_its_form() {
    let world = World::new();
    let token = "version=2018-10-31&res=products%2F1%2Fdevices%2Fd&et=1&method=md5&sign=eA%3D%3D";
    let found = world.platform.diagnose(&sign_in("d", Some("1"), Some(token)), None).expect("a diagnosis");
    assert_eq!((found.admitted, found.code), (false, "unknown_product"));
    assert!(found.ingredients.iter().any(|ingredient| ingredient.name == "resource"), "read as a token");
    let found = world.platform.diagnose(&sign_in("901505824", Some("491644"), Some("x")), None).expect("one");
    assert_eq!(found.code, "unknown_device");
    world.cloud.stop();
}
