//! One device: created, shown, changed, deleted.
//!
//! What the platform has no word for (description, place, visibility, whatever else an application keeps) stands
//! in the device's `extra` under the vendor's names.

use std::collections::BTreeMap;

use hexmq_device::mac::HashName;
use hexmq_device::port::PortErrorKind;
use hexmq_device::{Device, DialectName, Presence, Product, Secret, is_id};
use serde_json::{Map, Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::{Call, text_of};
use super::clock;
use super::grant::{Grant, Need, grant};
use super::stream;
use crate::secret;

/// Members of a description that are kept as they are.
const KEPT: [&str; 5] = ["desc", "location", "private", "other", "protocol"];

/// A new device that nothing is known of.
pub(super) fn blank(product: &Product, id: String, title: String) -> Device {
    Device {
        product: product.id.clone(),
        id,
        name: title,
        secret: None,
        password: None,
        tags: BTreeMap::new(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: Json::Object(Map::new()),
    }
}

/// The id for a device that has none yet: nine digits that depend on what is said of it and on the attempt.
pub(super) fn id_for(product: &Product, of: &str, attempt: u32) -> String {
    let mac = HashName::Sha256.hmac(product.id.as_bytes(), format!("{of}\n{attempt}").as_bytes());
    let number = mac.iter().take(4).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    (100_000_000 + number % 900_000_000).to_string()
}

/// Attempts to find an id that is not taken.
pub(super) const ATTEMPTS: u32 = 32;

pub(super) fn create(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let members = call.object()?;
    let title = text_of(&members, "title").filter(|title| !title.trim().is_empty());
    let title = title.ok_or_else(|| Fault::wrong("title required"))?;
    let mut device = blank(&grant.product, String::new(), title.clone());
    describe(&mut device, &members)?;
    let by_name = grant.product.dialect == DialectName::OnenetToken;
    if by_name && !is_id(&title) {
        return Err(Fault::wrong(
            "title is the device's name in this product: 1 to 64 letters, digits, _ and -",
        ));
    }
    let seed = format!("{title}\n{}", call.platform.now_ms());
    for attempt in 0..ATTEMPTS {
        device.id = if by_name { title.clone() } else { id_for(&grant.product, &seed, attempt) };
        match call.platform.create_devices(vec![device.clone()])?.pop() {
            Some(Ok(made)) => return Ok(Answer::Data(json!({"device_id": made.id}))),
            Some(Err(error)) if error.kind == PortErrorKind::Conflict && !by_name => {}
            Some(Err(error)) => return Err(error.into()),
            None => break,
        }
    }
    Err(Fault::internal("no free device id was found"))
}

/// Takes over what a body says of a device; members that are not there change nothing.
fn describe(device: &mut Device, members: &Map<String, Json>) -> Result<(), Fault> {
    if let Some(title) = text_of(members, "title") {
        device.name = title;
    }
    match members.get("auth_info") {
        None | Some(Json::Null) => {}
        Some(Json::String(text)) if text.is_empty() => {}
        Some(Json::String(text)) => device.secret = Some(Secret(text.clone())),
        Some(other) => device.secret = Some(Secret(other.to_string())),
    }
    if let Some(tags) = members.get("tags") {
        let tags = tags.as_array().ok_or_else(|| Fault::wrong("tags is an array of texts"))?;
        let text = |tag: &Json| tag.as_str().map(|tag| (tag.to_owned(), String::new()));
        device.tags = tags.iter().filter_map(text).collect();
    }
    change_extra(device, |extra| {
        for name in KEPT {
            match members.get(name) {
                None => {}
                Some(Json::Null) => drop(extra.remove(name)),
                Some(value) => drop(extra.insert(name.to_owned(), value.clone())),
            }
        }
    });
    Ok(())
}

/// Changes what only this API knows of a device.
pub(super) fn change_extra(device: &mut Device, change: impl FnOnce(&mut Map<String, Json>)) {
    let mut members = match std::mem::take(&mut device.extra) {
        Json::Object(members) => members,
        _ => Map::new(),
    };
    change(&mut members);
    device.extra = Json::Object(members);
}

/// What every list shows of a device.
pub(super) fn summary(device: &Device, grant: &Grant) -> Map<String, Json> {
    let mut shown = Map::new();
    let extra = |name: &str| device.extra.get(name).cloned();
    let mut put = |name: &str, value: Json| drop(shown.insert(name.to_owned(), value));
    put("id", json!(device.id));
    put("title", json!(device.name));
    put("desc", extra("desc").unwrap_or_else(|| json!("")));
    put("protocol", extra("protocol").unwrap_or_else(|| json!("MQTT")));
    put("create_time", json!(clock::without_ms(device.created_at_ms, grant.product.zone_minutes)));
    put("online", json!(is_online(device)));
    put("private", extra("private").unwrap_or(Json::Bool(true)));
    put("tags", device.tags.keys().map(|tag| json!(tag)).collect());
    for name in ["location", "other"] {
        if let Some(value) = extra(name) {
            put(name, value);
        }
    }
    if let Some(secret) = device.secret.as_ref().filter(|_| grant.sees_secrets) {
        put("auth_info", json!(secret.0));
    }
    shown
}

pub(super) fn is_online(device: &Device) -> bool {
    device.presence.online && !device.disabled
}

pub(super) fn show(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    let mut shown = summary(&device, &grant);
    if grant.sees_secrets {
        let keys = secret::device_keys(&device).map(|(key, title)| json!({"title": title, "key": key}));
        shown.insert("keys".into(), keys.collect());
    }
    shown.insert("datastreams".into(), stream::described(call, &grant, &device)?);
    Ok(Answer::Data(Json::Object(shown)))
}

pub(super) fn update(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Write, Some(id))?;
    let mut device = grant.device(call, id)?;
    let members = call.object()?;
    if members.contains_key("auth_info") && !grant.sees_secrets {
        return Err(Fault::auth_failed());
    }
    describe(&mut device, &members)?;
    call.platform.update_device(device)?;
    Ok(Answer::Done)
}

pub(super) fn delete(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Manage, Some(id))?;
    let device = grant.device(call, id)?;
    call.platform.delete_device(&device.reference())?;
    Ok(Answer::Done)
}
