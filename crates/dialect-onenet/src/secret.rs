//! What a device or an application proves itself with.

use hexmq_device::mac::HashName;
use hexmq_device::{Device, Product, Secret};
use serde_json::{Map, Value as Json};

/// Whether `sent` is this secret. The time does not depend on where they differ.
pub(crate) fn is(secret: &Secret, sent: &[u8]) -> bool {
    same(secret.0.as_bytes(), sent)
}

/// Whether two texts are the same. The time does not depend on where they differ.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    HashName::Sha256.verify(&[], one, &HashName::Sha256.hmac(&[], other))
}

/// What is secret among what only this cloud's API knows of a device.
const SECRET: &str = "secret";

fn entries(device: &Device) -> &[Json] {
    let keys = device.extra.get(SECRET).and_then(|secret| secret.get("keys"));
    keys.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// Changes what is secret among what only this cloud's API knows of a device.
pub(crate) fn change(device: &mut Device, change: impl FnOnce(&mut Map<String, Json>)) {
    let mut members = match std::mem::take(&mut device.extra) {
        Json::Object(members) => members,
        _ => Map::new(),
    };
    let mut secret = match members.shift_remove(SECRET) {
        Some(Json::Object(secret)) => secret,
        _ => Map::new(),
    };
    change(&mut secret);
    members.insert(SECRET.to_owned(), Json::Object(secret));
    device.extra = Json::Object(members);
}

/// The serial number that a device has registered itself with.
pub(crate) fn serial(device: &Device) -> Option<&str> {
    device.extra.get(SECRET)?.get("sn")?.as_str()
}

/// The API keys of a device, each with its title: `{"secret":{"keys":[{"key":…,"title":…}]}}` in its extras.
pub(crate) fn device_keys(device: &Device) -> impl Iterator<Item = (&str, &str)> {
    entries(device).iter().filter_map(|key| {
        let title = key.get("title").and_then(|title| title.as_str()).unwrap_or_default();
        Some((key.get("key")?.as_str()?, title))
    })
}

/// Whether `sent` is one of the device's API keys.
pub(crate) fn is_device_key(device: &Device, sent: &[u8]) -> bool {
    device_keys(device).any(|(key, _)| !key.is_empty() && same(key.as_bytes(), sent))
}

/// Whether `sent` is one of the device's API keys, and that key is for requests of this HTTP method: a key may
/// name its `methods`.
pub(crate) fn device_key_allows(device: &Device, sent: &[u8], method: &str) -> bool {
    entries(device).iter().any(|key| {
        let text = key.get("key").and_then(|key| key.as_str()).unwrap_or_default();
        let methods = key.get("methods").and_then(|methods| methods.as_array());
        let allows = methods.is_none_or(|methods| {
            methods.iter().filter_map(|name| name.as_str()).any(|name| name.eq_ignore_ascii_case(method))
        });
        allows && !text.is_empty() && same(text.as_bytes(), sent)
    })
}

/// Whether `sent` is the product's master key.
pub(crate) fn is_master_key(product: &Product, sent: &[u8]) -> bool {
    product.secret.as_ref().is_some_and(|secret| !secret.0.is_empty() && is(secret, sent))
}

/// Whether `sent` is what was registered to be accepted in place of anything else.
pub(crate) fn is_override(device: &Device, sent: &[u8]) -> bool {
    device.password.as_ref().is_some_and(|secret| !secret.0.is_empty() && is(secret, sent))
}

/// Whether `sent` is the device's own secret.
pub(crate) fn is_device_secret(device: &Device, sent: &[u8]) -> bool {
    device.secret.as_ref().is_some_and(|secret| !secret.0.is_empty() && is(secret, sent))
}
