//! Requests to the HTTP API and a world they are asked of.

use hexmq_device::port::{RestRequest, RestResponse, VendorApi};
use hexmq_device::{Datum, Device, DeviceRef, DialectName, Point, Product};
use hexmq_dialect_onenet::Api;
use serde_json::{Value as Json, json};

use super::fake::Fake;
use super::{NOW_MS, device, product};

pub const MASTER: &str = "dpsO9ruH0aTZublG9g5SvBtFSEQ=";
pub const DEVICE_KEY: &str = "Zm9yIHRoaXMgZGV2aWNlIG9ubHk=";
pub const ACCESS_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub fn legacy() -> Product {
    product("491644", DialectName::Onenet, MASTER)
}

pub fn online(id: &str) -> Device {
    let mut device = device("491644", id, "123456");
    device.presence.online = true;
    device.extra = json!({"secret": {"keys": [{"key": DEVICE_KEY, "title": "own"}]}});
    device
}

pub fn world() -> Fake {
    let studio = product("123123", DialectName::OnenetToken, ACCESS_KEY);
    let foreign = product("a1pk", DialectName::Aliyun, MASTER);
    let mut away = device("491644", "901505825", "654321");
    away.tags.insert("china".into(), String::new());
    let mut named = device("123123", "mydev", ACCESS_KEY);
    named.presence.online = true;
    Fake::of(vec![foreign, legacy(), studio], vec![online("901505824"), away, named])
}

pub struct Request(pub RestRequest);

pub fn call(method: &str, target: &str) -> Request {
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
    pub fn key(mut self, key: &str) -> Request {
        self.0.headers = vec![("api-key".into(), key.into())];
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.0.headers = vec![(name.into(), value.into())];
        self
    }

    pub fn also(mut self, name: &str, value: &str) -> Request {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Request {
        self.0.body = body.as_ref().to_vec();
        self
    }

    pub fn json(self, body: &Json) -> Request {
        self.body(body.to_string())
    }

    pub fn raw(self, fake: &Fake) -> RestResponse {
        let response = Api.answer(&self.0, fake).expect("a path of the vendor");
        assert_eq!(response.status, 200, "always");
        response
    }

    pub fn answer(self, fake: &Fake) -> Json {
        let response = self.raw(fake);
        assert_eq!(response.content_type, "application/json");
        serde_json::from_slice(&response.body).expect("JSON")
    }

    /// `data` of an answer that says it is done.
    pub fn data(self, fake: &Fake) -> Json {
        let what = format!("{} {}", self.0.method, self.0.path);
        let answer = self.answer(fake);
        assert_eq!((&answer["errno"], &answer["error"]), (&json!(0), &json!("succ")), "{what}: {answer}");
        answer["data"].clone()
    }

    pub fn errno(self, fake: &Fake) -> u64 {
        let answer = self.answer(fake);
        assert!(answer.get("data").is_none() && !answer["error"].as_str().expect("text").is_empty());
        answer["errno"].as_u64().expect("a number")
    }
}

pub fn points(fake: &Fake) -> Vec<(String, Datum, i64)> {
    fake.with(|known| known.points.iter().map(|it| (it.id.clone(), it.value.clone(), it.at_ms)).collect())
}

pub fn posted(streams: &[(&str, i64, i64)]) -> Fake {
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
pub const START_MS: i64 = 1_420_848_035_000;
