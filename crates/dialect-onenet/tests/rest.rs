//! The HTTP API: who may ask what, devices, keys and registration, over a platform in memory.

mod support;

use hexmq_device::mac::HashName;
use hexmq_device::port::{RestRequest, VendorApi};
use hexmq_device::{ApiKey, Dialect, DialectName, Scope};
use hexmq_dialect_onenet::{Api, Onenet, OnenetToken, token};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::asking::{ACCESS_KEY, DEVICE_KEY, MASTER, Request, call, legacy, posted, world};
use support::{NOW_MS, product, sign_in};

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
    for code in ["nonsense", "491644"] {
        assert_eq!(
            register(code, &body).answer(&fake),
            json!({"errno": 1, "error": "auth failed"}),
            "{code}"
        );
    }
    let answer = register(MASTER, &body).raw(&fake);
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
    assert_eq!(register(MASTER, &body).errno(&fake), 6, "only once");
    call("PUT", "/register_attr")
        .json(&json!({"allow_dup": true, "register_code": "cba89peVvQ7p28sD"}))
        .data(&fake);
    assert_eq!(register(MASTER, &body).errno(&fake), 1, "there is a code now");
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
