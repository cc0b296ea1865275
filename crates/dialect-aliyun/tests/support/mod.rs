//! A product, its devices, and what a device would send and read.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;

use hexmq_device::{
    Ask, Device, DeviceRef, Dialect as _, DialectName, Downlink, Presence, Product, Request, Secret, SignIn,
    Understood, Uplink, UplinkError, Validation,
};
use hexmq_dialect_aliyun::Aliyun;
use serde_json::Value as Json;

pub(crate) const RECEIVED_AT_MS: i64 = 1_795_382_825_586;

pub(crate) fn vectors() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

pub(crate) fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

pub(crate) fn product(key: &str) -> Product {
    Product {
        id: key.to_owned(),
        name: String::new(),
        dialect: DialectName::Aliyun,
        secret: Some(Secret("ProdSecret01234567".to_owned())),
        number: 1,
        created_at_ms: 0,
        zone_minutes: 480,
        validation: Validation::Report,
        dynamic_registration: false,
        history_days: None,
        switches: BTreeMap::new(),
    }
}

pub(crate) fn switched(key: &str, switch: &str, on: bool) -> Product {
    let mut product = product(key);
    product.switches.insert(switch.to_owned(), on);
    product
}

pub(crate) fn device(key: &str, name: &str, secret: &str) -> Device {
    Device {
        product: key.to_owned(),
        id: name.to_owned(),
        name: String::new(),
        secret: Some(Secret(secret.to_owned())),
        password: None,
        tags: BTreeMap::new(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: Json::Null,
    }
}

pub(crate) fn sign_in<'a>(client_identifier: &'a str, user_name: &'a str, password: &'a str) -> SignIn<'a> {
    SignIn {
        client_identifier,
        user_name: Some(user_name),
        password: Some(password.as_bytes()),
        level: 4,
        secure: false,
        keep_alive_s: 60,
    }
}

/// A message of the device `a1TestPk001/dev01` on a topic of its own, of which the path is given.
pub(crate) fn sent_by(product: &Product, topic: &str, payload: &[u8]) -> Result<Understood, UplinkError> {
    let device = DeviceRef::new(&*product.id, "dev01");
    let uplink = Uplink { product, device: &device, topic, payload, qos: 0, received_at_ms: RECEIVED_AT_MS };
    Aliyun.uplink(&uplink)
}

pub(crate) fn sent(topic: &str, payload: &str) -> Result<Understood, UplinkError> {
    sent_by(&product("a1TestPk001"), topic, payload.as_bytes())
}

pub(crate) fn sys(path: &str) -> String {
    format!("/sys/a1TestPk001/dev01/{path}")
}

/// The one thing that the device wants.
pub(crate) fn asked(understood: Understood) -> Request {
    let [request] = <[Request; 1]>::try_from(understood.requests).expect("one request");
    request
}

/// What it wants, and nothing of how it is answered.
pub(crate) fn ask(topic: &str, payload: &str) -> Ask {
    asked(sent(topic, payload).expect(payload)).ask
}

pub(crate) fn json(downlink: &Downlink) -> Json {
    serde_json::from_slice(&downlink.payload).expect("JSON")
}
