//! API keys of devices: made, listed, changed and removed with the product's master key.
//!
//! A key is for one device and perhaps only for some HTTP methods. It stands with its device; what it may be used
//! for is looked at wherever it is shown. Keys for single data streams are not offered.

use hexmq_device::mac::HashName;
use hexmq_device::port::DeviceQuery;
use hexmq_device::{Device, Product};
use serde_json::{Map, Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::{Call, text_of};
use super::device_list::walk;
use super::grant::{Grant, Need, grant};
use crate::secret;

/// Keys of one device, at most.
const KEYS_MAX: usize = 20;

/// A new key of a device: nobody can guess it who does not know the product's master key.
pub(super) fn made(product: &Product, device: &str, of: &str) -> Result<String, Fault> {
    let master = product.secret.as_ref().filter(|secret| !secret.0.is_empty());
    let master = master.ok_or_else(|| {
        Fault::internal("the product has no master key, from which keys are made: give it a secret")
    })?;
    let mac = HashName::Sha1.hmac(master.0.as_bytes(), format!("api-key\n{device}\n{of}").as_bytes());
    // The vendor's keys have = where base64 has characters that a path cannot have.
    Ok(crate::token::base64(&mac).replace(['+', '/'], "="))
}

/// Gives a device a key.
pub(super) fn attach(device: &mut Device, key: &str, title: &str, methods: Option<Json>) {
    let mut entry = json!({"key": key, "title": title});
    if let (Some(methods), Some(entry)) = (methods, entry.as_object_mut()) {
        entry.insert("methods".into(), methods);
    }
    secret::change(device, |extra| match extra.get_mut("keys").and_then(Json::as_array_mut) {
        Some(keys) => keys.push(entry),
        None => drop(extra.insert("keys".to_owned(), json!([entry]))),
    });
}

/// What a body wants a key for: the device, and the methods if not all.
fn permissions(members: &Map<String, Json>) -> Result<(Option<String>, Option<Json>), Fault> {
    let Some(permissions) = members.get("permissions").and_then(Json::as_array) else {
        return Ok((text_of(members, "device_id"), None));
    };
    let [permission] = permissions.as_slice() else {
        return Err(Fault::not_offered("a key has exactly one permission here"));
    };
    let resources = permission.get("resources").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    if resources.iter().any(|resource| resource.get("ds_id").is_some()) {
        return Err(Fault::not_offered("keys for single data streams are not offered: leave ds_id out"));
    }
    let device = match resources {
        [] => None,
        [one] => one.as_object().and_then(|one| text_of(one, "dev_id")),
        _ => return Err(Fault::not_offered("a key is for one device here: name one dev_id")),
    };
    let methods = permission.get("access_methods").and_then(Json::as_array);
    Ok((device, methods.map(|methods| json!(methods))))
}

pub(super) fn create(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let members = call.object()?;
    let title = text_of(&members, "title").unwrap_or_default();
    let (device, methods) = permissions(&members)?;
    let id = device.ok_or_else(|| {
        Fault::not_offered("a key is for one device here: permissions[0].resources[0].dev_id names it")
    })?;
    let mut device = grant.device(call, &id)?;
    let held = secret::device_keys(&device).count();
    if held >= KEYS_MAX {
        return Err(Fault::wrong(format!("a device has {KEYS_MAX} keys at most")));
    }
    let key = made(&grant.product, &id, &format!("{title}\n{}\n{held}", call.platform.now_ms()))?;
    attach(&mut device, &key, &title, methods);
    call.platform.update_device(device)?;
    Ok(Answer::Data(json!({"key": key})))
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    if !grant.sees_secrets {
        return Err(Fault::auth_failed());
    }
    let page = call.number("page", 1, 1..=10_000)?;
    let per_page = call.number("per_page", 30, 1..=100)?;
    let first = (page as usize - 1).saturating_mul(per_page as usize);
    let wanted = call.text("key");
    let query = DeviceQuery {
        product: Some(grant.product.id.clone()),
        ids: call.text("device_id").map(|id| vec![id.to_owned()]),
        ..DeviceQuery::default()
    };
    let (mut found, mut shown) = (0_usize, Vec::new());
    walk(call, &query, |device| {
        for (key, title) in secret::device_keys(&device).filter(|(key, _)| wanted.is_none_or(|it| it == *key))
        {
            if (first..first.saturating_add(per_page as usize)).contains(&found) {
                let resources = json!([{"dev_id": device.id}]);
                shown.push(json!({"title": title, "key": key, "permissions": [{"resources": resources}]}));
            }
            found += 1;
        }
        true
    })?;
    Ok(Answer::Data(json!({"total_count": found, "page": page, "per_page": per_page, "items": shown})))
}

/// The device that has this key.
fn holder(call: &Call<'_>, grant: &Grant, key: &str) -> Result<Device, Fault> {
    let query = DeviceQuery { product: Some(grant.product.id.clone()), ..DeviceQuery::default() };
    let mut holder = None;
    walk(call, &query, |device| {
        if secret::is_device_key(&device, key.as_bytes()) {
            holder = Some(device);
        }
        holder.is_none()
    })?;
    holder.ok_or_else(|| Fault::missing("key not found"))
}

/// Changes the entry of a key; it goes if `change` says that it is not to stay.
fn change(device: &mut Device, key: &str, change: impl Fn(&mut Map<String, Json>) -> bool) {
    secret::change(device, |extra| {
        if let Some(keys) = extra.get_mut("keys").and_then(Json::as_array_mut) {
            keys.retain_mut(|entry| match entry.as_object_mut() {
                Some(entry) if entry.get("key").and_then(Json::as_str) == Some(key) => change(entry),
                _ => true,
            });
        }
    });
}

pub(super) fn update(call: &Call<'_>, key: &str) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let members = call.object()?;
    let mut device = holder(call, &grant, key)?;
    let (other, methods) = permissions(&members)?;
    if other.is_some_and(|other| other != device.id) {
        return Err(Fault::not_offered("a key stays with its device: make another one"));
    }
    let title = text_of(&members, "title");
    change(&mut device, key, |entry| {
        entry.extend(title.iter().map(|title| ("title".to_owned(), json!(title))));
        entry.extend(methods.iter().map(|methods| ("methods".to_owned(), methods.clone())));
        true
    });
    call.platform.update_device(device)?;
    Ok(Answer::Done)
}

pub(super) fn delete(call: &Call<'_>, key: &str) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let mut device = holder(call, &grant, key)?;
    change(&mut device, key, |_| false);
    call.platform.update_device(device)?;
    Ok(Answer::Done)
}
