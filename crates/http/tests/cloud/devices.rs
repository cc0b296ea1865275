//! Products, devices and what they do.

use hexmq_device::{DeviceRef, SignIn};
use hexmq_observe::recorder::Refused;
use serde_json::{Value, json};

use crate::world::{ADMIN, World};

const DEVICE: &str = "/api/v1/products/greenhouse/devices/sensor";

fn greenhouse(world: &World) {
    let product = r#"{"id":"greenhouse","name":"Greenhouse","dialect":"onenet","secret":"master=="}"#;
    let made = world.must("POST", "/api/v1/products", product, 201);
    assert_eq!((&made["zone"], &made["validation"]), (&json!("+08:00"), &json!("report")));
    assert!(made.get("secret").is_none(), "it was not made here: {made}");
    let device = r#"{"id":"sensor","secret":"auth","tags":{"house":"north"}}"#;
    world.must("POST", "/api/v1/products/greenhouse/devices", device, 201);
}

#[test]
fn what_is_left_out_is_made_and_told_once() {
    let world = World::new();
    let product = world.must("POST", "/api/v1/products", r#"{"dialect":"aliyun"}"#, 201);
    let id = product["id"].as_str().expect("an id");
    let device = world.must("POST", &format!("/api/v1/products/{id}/devices"), "{}", 201);
    assert!(device["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert!(device["secret"].as_str().is_some_and(|secret| secret.len() > 8), "{device}");
    let path = format!("/api/v1/products/{id}/devices/{}", device["id"].as_str().expect("an id"));
    assert!(world.get(&path).get("secret").is_none());
    assert_eq!(world.get(&path)["status"], "never");
}

#[test]
fn changes_touch_what_they_name() {
    let world = World::new();
    greenhouse(&world);
    let changed = world.must("PATCH", DEVICE, r#"{"name":"Bed","tags":{"row":"2","house":null}}"#, 200);
    assert_eq!((&changed["name"], &changed["tags"]), (&json!("Bed"), &json!({"row": "2"})));
    assert_eq!(changed["has_secret"], true);
    let changed = world.must("PATCH", DEVICE, r#"{"disabled":true,"secret":null}"#, 200);
    assert_eq!((&changed["status"], &changed["has_secret"]), (&json!("disabled"), &json!(false)));
    let path = "/api/v1/products/greenhouse";
    let changed = world.must("PATCH", path, r#"{"history_days":30,"zone":"-03:30"}"#, 200);
    assert_eq!((&changed["history_days"], &changed["zone"]), (&json!(30), &json!("-03:30")));
    let changed = world.must("PATCH", path, r#"{"history_days":null}"#, 200);
    assert_eq!((&changed["history_days"], &changed["zone"]), (&Value::Null, &json!("-03:30")));
    let quirks = world.get(&format!("{path}/quirks"));
    let quirk = quirks["items"][0].clone();
    let (name, on) = (quirk["name"].as_str().expect("a name"), quirk["on"].as_bool().expect("a switch"));
    world.must("PATCH", path, &json!({"switches": {name: !on}}).to_string(), 200);
    assert_eq!(world.get(&format!("{path}/quirks"))["items"][0]["on"], !on);
    world.must("DELETE", path, "", 204);
    world.must("GET", DEVICE, "", 404);
}

#[test]
fn an_export_is_an_import_elsewhere_and_each_line_is_reported() {
    let here = World::new();
    greenhouse(&here);
    let csv = "\u{feff}id,name,secret,tags,disabled\r\n\
               a,\"one, two\",s1,house=north;row=2,false\r\n\
               sensor,again,,,\r\n\
               no/id,,,,\r\n\
               b,,s2,,true\r\n\
               c,,,,perhaps\r\n";
    let target = "/api/v1/products/greenhouse/devices:import";
    let report = here.call("POST", target, &[ADMIN, "Content-Type: text/csv"], csv.as_bytes()).json();
    assert_eq!((&report["created"], &report["failed"]), (&json!(2), &json!(3)), "{report}");
    let line = |n: usize| &report["lines"][n];
    assert_eq!(line(1)["line"], 3);
    assert_eq!(line(1)["error"]["code"], "device_exists");
    assert_eq!(line(2)["error"]["code"], "bad_id");
    assert_eq!(line(4)["error"]["code"], "bad_line");
    let skipped = here.call(
        "POST",
        &format!("{target}?existing=skip"),
        &[ADMIN, "Content-Type: text/csv"],
        b"id\nsensor\n",
    );
    assert_eq!(skipped.json()["skipped"], 1);
    for format in ["csv", "json"] {
        let export = format!("/api/v1/products/greenhouse/devices:export?format={format}&reveal=true");
        let exported = here.call("GET", &export, &[ADMIN], b"");
        let kind = exported.headers.get("content-type").and_then(|kind| kind.to_str().ok()).expect("a kind");
        let there = World::new();
        there.must("POST", "/api/v1/products", r#"{"id":"greenhouse","dialect":"onenet"}"#, 201);
        let kind = format!("Content-Type: {kind}");
        let report = there.call("POST", target, &[ADMIN, &kind], &exported.body).json();
        assert_eq!((&report["created"], &report["failed"]), (&json!(3), &json!(0)), "{report}");
        for device in ["a", "b", "sensor"] {
            let path = format!("/api/v1/products/greenhouse/devices/{device}?reveal=true");
            let (left, right) = (here.get(&path), there.get(&path));
            for member in ["name", "secret", "tags", "disabled"] {
                assert_eq!(left[member], right[member], "{device} {member}");
            }
        }
    }
}

#[test]
fn lists_page_and_filter() {
    let world = World::new();
    world.must("POST", "/api/v1/products", r#"{"id":"p","dialect":"plain"}"#, 201);
    let devices: Vec<Value> =
        (0..25).map(|n| json!({"id": format!("d{n:02}"), "tags": {"odd": (n % 2).to_string()}})).collect();
    world.must("POST", "/api/v1/products/p/devices:import", &json!(devices).to_string(), 200);
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/api/v1/products/p/devices?limit=10&count=true&tag=odd:1{cursor}"));
        assert_eq!(page["total"], 12);
        found.extend(page["items"].as_array().expect("items").iter().map(|device| device["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={}", next.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    }
    let expected: Vec<Value> = (0..25).filter(|n| n % 2 == 1).map(|n| json!(format!("d{n:02}"))).collect();
    assert_eq!(found, expected);
    assert_eq!(
        world.get("/api/v1/devices?text=D1")["items"].as_array().map(Vec::len).unwrap_or_default() % 10,
        0
    );
    assert_eq!(world.get("/api/v1/devices?ids=d03,d04")["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.get("/api/v1/devices?status=online")["items"], json!([]));
}

#[test]
fn values_are_kept_with_their_times_and_summarised() {
    let world = World::new();
    greenhouse(&world);
    let csv =
        "id,at,value\nt,2026-11-23T01:00:00Z,10\nt,2026-11-23T01:30:00Z,20\nt,2026-11-23T02:00:00Z,40\n";
    let path = format!("{DEVICE}/properties");
    let posted = world.call("POST", &path, &[ADMIN, "Content-Type: text/csv"], csv.as_bytes());
    assert_eq!(posted.json()["posted"], 3, "{}", posted.text());
    let body =
        r#"{"values":{"on":true,"name":"x"},"at":1795399800,"points":[{"id":"raw","value_hex":"00 FF"}]}"#;
    world.must("POST", &path, body, 200);
    world.settle();
    let latest = world.get(&path);
    let of = |id: &str| {
        latest["items"].as_array().expect("items").iter().find(|item| item["id"] == id).cloned().expect(id)
    };
    assert_eq!(of("t")["value"], 40);
    assert_eq!((&of("raw")["value"], &of("raw")["value_hex"]), (&Value::Null, &json!("00ff")));
    assert_eq!(of("on")["at"], "2026-11-23T02:10:00.000Z");
    assert!(of("t").get("value_hex").is_none());
    let values = |query: &str| {
        let list = world.get(&format!("{DEVICE}/history?id=t{query}"));
        list["items"].as_array().expect("items").iter().map(|item| item["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(values(""), [10, 20, 40]);
    assert_eq!(values("&order=desc&limit=2"), [40, 20]);
    assert_eq!(values("&from=2026-11-23T01:30:00Z&to=2026-11-23T10:00:00%2B08:00"), [20]);
    let summary = world.get(&format!("{DEVICE}/history?id=t&step=1h"));
    let first = &summary["items"][0];
    assert_eq!(
        (&first["count"], &first["avg"], &first["max"]),
        (&json!(2), &json!(15.0), &json!(20.0)),
        "{summary}"
    );
    world.must("DELETE", &format!("{DEVICE}/history?id=t"), "", 204);
    assert_eq!(values(""), [0; 0]);
}

#[test]
fn a_command_is_refused_offline_kept_or_sent() {
    let world = World::new();
    greenhouse(&world);
    let path = format!("{DEVICE}/commands");
    let taken = world.must("POST", &path, r#"{"payload":"on","timeout_s":0}"#, 202);
    let shown = world.get(&format!("{path}/{}?wait=5", taken["id"].as_str().expect("an id")));
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("refused"), &json!("offline")), "{shown}");
    let kept = world.must("POST", &path, r#"{"payload_hex":"00ff","timeout_s":60}"#, 202);
    let shown = world.get(&format!("{path}/{}", kept["id"].as_str().expect("an id")));
    assert_eq!((&shown["state"], &shown["order"]["payload_hex"]), (&json!("created"), &json!("00ff")));
    world.fleet.here.lock().expect("a lock").push("sensor".to_owned());
    let number = world.platform().product("greenhouse").expect("a product").number;
    assert!(number > 0);
    let sent = world.must("POST", &path, r#"{"payload":{"led":1},"timeout_s":60}"#, 202);
    assert!(["created", "sent"].contains(&sent["state"].as_str().expect("a state")), "{sent}");
    let other =
        format!("/api/v1/products/greenhouse/devices/none/commands/{}", sent["id"].as_str().expect("an id"));
    world.must("GET", &other, "", 404);
    world.settle();
    let list = world.get(&format!("{path}?state=refused"));
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    let body = r#"{"payload":"a","service":"set"}"#;
    assert_eq!(world.must("POST", &path, body, 400)["error"]["code"], "bad_request");
}

/// CONNECT of 3.1.1 with these strings.
fn connect(client: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\xc2\0\x78".to_vec();
    for text in [client, user, password] {
        body.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    [&[0x10, u8::try_from(body.len()).expect("short")][..], &body].concat()
}

#[test]
fn the_doctor_looks_at_bytes_at_strings_and_at_each_refused_connection() {
    let world = World::new();
    greenhouse(&world);
    let right = connect("sensor", "greenhouse", "auth");
    let wrong = connect("sensor", "greenhouse", "guess");
    let examine = |bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        world.must("POST", "/api/v1/doctor", &json!({"hex": hex}).to_string(), 200)
    };
    let healthy = examine(&right);
    assert_eq!((&healthy["admitted"], &healthy["code"]), (&json!(true), &json!("ok")), "{healthy}");
    let ill = examine(&wrong);
    assert_eq!(ill["admitted"], false, "{ill}");
    assert!(!ill.to_string().contains("auth\""), "the secret is not told: {ill}");
    let strings = r#"{"client_id":"sensor","user_name":"greenhouse","password":"guess"}"#;
    assert_eq!(world.must("POST", "/api/v1/doctor", strings, 200)["code"], ill["code"]);

    let peer =
        hexmq_broker::Peer { address: "192.0.2.7:1".into(), loopback: false, listener: 0, secure: false };
    world.observer.recorder.refused(&Refused {
        peer: &peer,
        client_identifier: Some("sensor"),
        refused: true,
        reason: "bad_user_name_or_password",
        fault: None,
        layer: None,
        version: None,
        bytes: &wrong,
        sent: wrong.len(),
    });
    let list = world.get("/api/v1/rejections");
    let item = &list["items"][0];
    assert_eq!(item["doctor"]["code"], ill["code"], "{item}");
    assert!(item["doctor"]["ingredients"].as_array().is_some_and(|all| !all.is_empty()));
    assert!(!item.to_string().contains("guess"), "{item}");
    let hex = item["hex"].as_str().expect("hex");
    assert!(hex.ends_with("2a2a2a2a2a") || hex.ends_with("2a 2a 2a 2a 2a"), "{hex}");

    let sign_in = SignIn {
        client_identifier: "sensor",
        user_name: Some("greenhouse"),
        password: Some(b"auth"),
        level: 4,
        ..SignIn::default()
    };
    let found = world.platform().diagnose(&sign_in, Some(&DeviceRef::new("greenhouse", "sensor")));
    assert!(found.is_ok_and(|found| found.admitted));
}

#[test]
fn status_and_metrics_tell_of_the_platform() {
    let world = World::new();
    greenhouse(&world);
    let status = world.get("/api/v1/status");
    assert_eq!((&status["cloud"]["products"], &status["cloud"]["database"]), (&json!(1), &json!("well")));
    let page = world.call("GET", "/metrics", &[ADMIN], b"").text();
    assert!(page.contains("\nhexmq_cloud_products 1\n"), "{page}");
}
