//! What the tests of both accesses share: the vectors, and registered things.
#![allow(dead_code, unreachable_pub)]

pub mod asking;
pub mod fake;

use std::collections::BTreeMap;
use std::path::Path;

use hexmq_device::{
    Device, DeviceRef, DialectName, Presence, Product, Secret, SignIn, Uplink, Validation, mac,
};
use serde_json::Value as Json;

/// 2026-11-23 00:00:00 UTC.
pub const NOW_MS: i64 = 1_795_392_000_000;

pub fn vectors() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

pub fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().expect("the shape of the vectors")
}

pub fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

pub fn bytes(value: &Json, name: &str) -> Vec<u8> {
    mac::from_hex(text(value, name).as_bytes()).expect("hex")
}

pub fn product(id: &str, dialect: DialectName, secret: &str) -> Product {
    Product {
        id: id.into(),
        name: "a product".into(),
        dialect,
        secret: Some(Secret(secret.into())),
        number: 1,
        created_at_ms: 0,
        zone_minutes: 480,
        validation: Validation::Report,
        dynamic_registration: true,
        history_days: None,
        switches: BTreeMap::new(),
    }
}

pub fn switched(product: &Product, name: &str, on: bool) -> Product {
    let mut product = product.clone();
    product.switches.insert(name.into(), on);
    product
}

pub fn device(product: &str, id: &str, secret: &str) -> Device {
    Device {
        product: product.into(),
        id: id.into(),
        name: "a device".into(),
        secret: Some(Secret(secret.into())),
        password: None,
        tags: BTreeMap::new(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: Json::Null,
    }
}

pub fn sign_in<'a>(client: &'a str, user: Option<&'a str>, password: Option<&'a str>) -> SignIn<'a> {
    SignIn {
        client_identifier: client,
        user_name: user,
        password: password.map(str::as_bytes),
        level: 4,
        keep_alive_s: 120,
        secure: false,
    }
}

pub fn uplink<'a>(
    product: &'a Product,
    device: &'a DeviceRef,
    topic: &'a str,
    payload: &'a [u8],
) -> Uplink<'a> {
    Uplink { product, device, topic, payload, qos: 1, received_at_ms: NOW_MS }
}
