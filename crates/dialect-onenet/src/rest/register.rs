//! Devices that register themselves over HTTP.
//!
//! `/register_de` needs no key but the product's registration code: the document `register_code` of the product,
//! or its master key where there is none, since whoever knows a product's id must not be able to join it. A serial
//! number becomes the device's auth info, as the vendor does it, and always leads to the same device id, so that
//! two requests at once cannot make two devices.

use hexmq_device::port::PortErrorKind;
use hexmq_device::{Device, DeviceRef, DialectName, Product, Secret, is_id};
use serde_json::{Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::{Call, text_of};
use super::device::{self, ATTEMPTS, blank, id_for};
use super::grant::{Need, grant, products};
use super::{key, stream};
use crate::secret;

/// `{"code":…,"allow_dup":…}`
const DOCUMENT: &str = "register_code";

const SERIAL_BYTES_MAX: usize = 512;
const TITLE_CHARACTERS_MAX: usize = 64;

/// The product of a registration code, and whether a serial number may register again.
fn product_of(call: &Call<'_>, code: &str) -> Result<(Product, bool), Fault> {
    for product in products(call)? {
        if product.dialect != DialectName::Onenet || !product.dynamic_registration {
            continue;
        }
        let (document, _) = call.document(&DeviceRef::new(&*product.id, ""), DOCUMENT)?;
        let master_key = product.secret.as_ref().map(|secret| secret.0.as_str());
        let Some(known) = document.get("code").and_then(Json::as_str).or(master_key) else { continue };
        if secret::same(known.as_bytes(), code.as_bytes()) {
            let again = document.get("allow_dup").and_then(Json::as_bool).unwrap_or(false);
            return Ok((product, again));
        }
    }
    Err(Fault::auth_failed())
}

pub(super) fn register(call: &Call<'_>) -> Reply {
    let (product, again) = product_of(call, call.required("register_code")?)?;
    let members = call.object()?;
    let serial = text_of(&members, "sn").or_else(|| text_of(&members, "mac"));
    let serial = serial.filter(|serial| !serial.is_empty()).ok_or_else(|| Fault::wrong("sn required"))?;
    if serial.len() > SERIAL_BYTES_MAX {
        return Err(Fault::wrong(format!("sn has more than {SERIAL_BYTES_MAX} bytes")));
    }
    let title = text_of(&members, "title").filter(|title| !title.is_empty());
    let title = title.unwrap_or_else(|| "auto_register".to_owned());
    let title: String = title.chars().take(TITLE_CHARACTERS_MAX).collect();
    for attempt in 0..ATTEMPTS {
        let id = id_for(&product, &serial, attempt);
        let key = key::made(&product, &id, &serial)?;
        let device = new_device(&product, &id, &title, &serial, &key);
        match call.platform.create_devices(vec![device])?.pop() {
            Some(Ok(_)) => return Ok(registered(&id, &key)),
            Some(Err(error)) if error.kind == PortErrorKind::Conflict => {
                let there = call.platform.device(&DeviceRef::new(&*product.id, &*id))?;
                if secret::serial(&there) == Some(&serial) {
                    return if again { known(&there) } else { Err(taken(&serial)) };
                }
            }
            Some(Err(error)) => return Err(error.into()),
            None => break,
        }
    }
    Err(Fault::internal("no free device id was found"))
}

fn new_device(product: &Product, id: &str, title: &str, serial: &str, key: &str) -> Device {
    let mut device = blank(product, id.to_owned(), title.to_owned());
    device.secret = Some(Secret(serial.to_owned()));
    secret::change(&mut device, |extra| drop(extra.insert("sn".to_owned(), json!(serial))));
    key::attach(&mut device, key, "auto_register", None);
    device
}

fn taken(serial: &str) -> Fault {
    Fault::exists(format!("sn is registered already: {serial}"))
}

/// Firmware reads this with `device_id":"%[^"]","key":"%[^"]"`: the two stand next to each other.
fn registered(id: &str, key: &str) -> Answer {
    Answer::Data(json!({"device_id": id, "key": key}))
}

/// The device that has registered before, with the key it got. A key that was taken from it stays away.
fn known(device: &Device) -> Reply {
    let key = secret::device_keys(device).next();
    let (key, _) = key.ok_or_else(|| Fault::missing(format!("device {} has no key any more", device.id)))?;
    Ok(registered(&device.id, key))
}

/// `{"allow_dup":true}`, and ours: `{"register_code":"…"}`.
pub(super) fn attributes(call: &Call<'_>) -> Reply {
    let grant = grant(call, Need::Manage, None)?;
    let members = call.object()?;
    let again = match members.get("allow_dup") {
        None => None,
        Some(Json::Bool(again)) => Some(*again),
        Some(_) => return Err(Fault::wrong("allow_dup is true or false")),
    };
    let code = text_of(&members, "register_code").filter(|code| !code.is_empty());
    if again.is_none() && code.is_none() {
        return Err(Fault::wrong("allow_dup required"));
    }
    call.change_document(&DeviceRef::new(&*grant.product.id, ""), DOCUMENT, |document| {
        if !document.is_object() {
            *document = json!({});
        }
        if let Some(members) = document.as_object_mut() {
            members.extend(again.map(|again| ("allow_dup".to_owned(), json!(again))));
            members.extend(code.iter().map(|code| ("code".to_owned(), json!(code))));
        }
        Ok(())
    })?;
    Ok(Answer::Done)
}

/// `/mqtt/v1/devices/reg`: by the name of the device, with the product's token; a name that is there already
/// gives the device that has it.
pub(super) fn by_name(call: &Call<'_>) -> Reply {
    match name_registered(call) {
        Ok((grant_product, device)) => Ok(Answer::Own(envelope(call, &grant_product, &device))),
        Err(fault) => {
            let request_id = request_id(call, &fault.error);
            Ok(Answer::Own(json!({
                "request_id": request_id,
                "code_no": format!("{:06}", fault.errno),
                "code": "onenet_common_failure",
                "message": fault.error,
                "data": null,
            })))
        }
    }
}

fn name_registered(call: &Call<'_>) -> Result<(Product, Device), Fault> {
    let grant = grant(call, Need::Manage, None)?;
    let members = call.object()?;
    let name = text_of(&members, "name").ok_or_else(|| Fault::wrong("name required"))?;
    if !is_id(&name) {
        return Err(Fault::wrong("name has 1 to 64 letters, digits, _ and -"));
    }
    let mut new = blank(&grant.product, name.clone(), name.clone());
    if let Some(key) = text_of(&members, "key").filter(|key| !key.is_empty()) {
        if !crate::token::key_bytes(&key).1 {
            return Err(Fault::wrong("key is not base64"));
        }
        new.secret = Some(Secret(key));
    }
    let desc = text_of(&members, "desc");
    device::change_extra(&mut new, |extra| {
        extra.extend(desc.map(|desc| ("desc".to_owned(), json!(desc))));
    });
    let device = match call.platform.create_devices(vec![new])?.pop() {
        Some(Ok(device)) => device,
        Some(Err(error)) if error.kind == PortErrorKind::Conflict => grant.device(call, &name)?,
        Some(Err(error)) => return Err(error.into()),
        None => return Err(Fault::internal("the device was not registered")),
    };
    Ok((grant.product, device))
}

fn envelope(call: &Call<'_>, product: &Product, device: &Device) -> Json {
    let pid = product.id.parse::<u64>().map_or_else(|_| json!(product.id), |number| json!(number));
    json!({
        "request_id": request_id(call, &device.id),
        "code_no": "000000",
        "code": "onenet_common_success",
        "message": null,
        "data": {
            "device_id": device.id,
            "name": device.id,
            "pid": pid,
            "key": device.secret.as_ref().map_or("", |secret| secret.0.as_str()),
        },
    })
}

fn request_id(call: &Call<'_>, of: &str) -> String {
    stream::uuid(&format!("{of}\n{}", call.platform.now_ms()))
}
