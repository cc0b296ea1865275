//! Answers as the vendor's device libraries read them.
//!
//! `id`, `code`, `data` and `message` are always there: one library throws where one of them is missing.

use hexmq_device::{
    DeviceRef, Downlink, ModelFault, Offer, Outcome, Problem, ProblemKind, Receipt, Secret, Shadow,
};
use serde_json::{Map, Value as Json, json};

use crate::codes;

/// What is needed to answer.
pub(crate) fn receipt(topic: String, id: Json, method: Option<String>, form: &'static str) -> Receipt {
    Receipt { topic, id, method, form, more: Json::Null }
}

/// `{"productKey":…,"deviceName":…}`
pub(crate) fn identity(device: &DeviceRef) -> Json {
    json!({ "productKey": device.product, "deviceName": device.device })
}

fn downlink(topic: String, payload: &Json, meaning: String) -> Downlink {
    Downlink {
        topic,
        payload: payload.to_string().into_bytes(),
        qos: 0,
        if_subscribed: true,
        correlation: None,
        meaning,
    }
}

/// An Alink answer.
pub(crate) fn answer(receipt: &Receipt, code: u32, data: &Json, message: &str) -> Downlink {
    // Who sends no identifier gets an empty one: the member must be there.
    let id = if receipt.id.is_null() { &Json::String(String::new()) } else { &receipt.id };
    let mut payload = json!({ "id": id, "code": code, "data": data, "message": message });
    if let (Json::Object(members), Some(method)) = (&mut payload, &receipt.method) {
        members.insert("method".to_owned(), Json::from(method.as_str()));
    }
    if let Json::Object(members) = &mut payload {
        members.insert("version".to_owned(), Json::from("1.0"));
    }
    downlink(receipt.topic.clone(), &payload, format!("answer, code {code}"))
}

/// An Alink answer that refuses.
pub(crate) fn refusal(receipt: &Receipt, code: u32, message: &str) -> Downlink {
    answer(receipt, code, &Json::Object(Map::new()), message)
}

/// See [`hexmq_device::Dialect::reply`].
pub(crate) fn reply(receipt: &Receipt, outcome: &Outcome) -> Option<Downlink> {
    match receipt.form {
        "shadow_update" => Some(shadow(receipt, outcome)),
        "ota_request" => match outcome {
            Outcome::Firmware(offer) => Some(announced(receipt, offer.as_ref()?)),
            _ => None,
        },
        _ => Some(alink(receipt, outcome)),
    }
}

fn alink(receipt: &Receipt, outcome: &Outcome) -> Downlink {
    let empty = || Json::Object(Map::new());
    let data = match outcome {
        Outcome::Refused(problem) => {
            let code = codes::of_problem(receipt.form, problem.kind);
            return refusal(receipt, code, &problem.message);
        }
        Outcome::Posted(faults) => return posted(receipt, faults),
        Outcome::Secrets(secrets) => return registered(receipt, secrets),
        Outcome::Model(None) => return refusal(receipt, codes::NO_MODEL, "the product has no thing model"),
        Outcome::Config(None) => return refusal(receipt, codes::NO_CONFIG, "there is no configuration"),
        Outcome::Devices(devices) => match (receipt.form, devices.as_slice()) {
            ("sub_login" | "sub_logout", [device]) => identity(device),
            _ => devices.iter().map(identity).collect(),
        },
        Outcome::Desired(desired) => desired
            .iter()
            .map(|(name, desired)| {
                (name.clone(), json!({ "value": desired.value, "version": desired.version }))
            })
            .collect::<Map<_, _>>()
            .into(),
        Outcome::Model(Some(tsl)) => tsl.clone(),
        Outcome::Config(Some(offer)) => configuration(offer),
        Outcome::Firmware(Some(offer)) => firmware(offer),
        Outcome::Done => match (receipt.form, &receipt.more) {
            ("sub_login" | "sub_logout", Json::Array(devices)) => {
                devices.first().cloned().unwrap_or_else(empty)
            }
            ("sub_batch_login" | "sub_batch_logout", devices @ Json::Array(_)) => devices.clone(),
            _ => empty(),
        },
        Outcome::Shadow { .. } | Outcome::Firmware(None) => empty(),
    };
    answer(receipt, codes::SUCCESS, &data, "success")
}

fn posted(receipt: &Receipt, faults: &[ModelFault]) -> Downlink {
    let refused: Map<String, Json> = faults
        .iter()
        .map(|fault| {
            let code = codes::of_fault(receipt.form, fault.kind);
            (fault.identifier.clone(), json!({ "code": code, "message": fault.message }))
        })
        .collect();
    match faults.first() {
        // An event is taken or it is not; values are taken one by one.
        Some(fault) if receipt.form == "event_post" || receipt.more == Json::Bool(false) => {
            let code = codes::of_fault(receipt.form, fault.kind);
            let message = format!("{}: {}", fault.identifier, fault.message);
            answer(receipt, code, &Json::Object(refused), &message)
        }
        _ => answer(receipt, codes::SUCCESS, &Json::Object(refused), "success"),
    }
}

fn registered(receipt: &Receipt, secrets: &[(DeviceRef, Result<Secret, Problem>)]) -> Downlink {
    let mut successes = Vec::new();
    let mut failures = Vec::new();
    for (device, secret) in secrets {
        let mut entry = identity(device);
        let Json::Object(members) = &mut entry else { continue };
        match secret {
            Ok(Secret(secret)) => {
                members
                    .insert("iotId".to_owned(), Json::from(format!("{}.{}", device.product, device.device)));
                members.insert("deviceSecret".to_owned(), Json::from(secret.as_str()));
                successes.push(entry);
            }
            Err(problem) => {
                let code = codes::of_problem(receipt.form, problem.kind);
                members.insert("code".to_owned(), Json::from(code));
                members.insert("message".to_owned(), Json::from(problem.message.as_str()));
                failures.push(entry);
            }
        }
    }
    if receipt.form == "product_register" {
        let data = json!({ "successes": successes, "failures": failures });
        return answer(receipt, codes::SUCCESS, &data, "success");
    }
    let first = secrets.iter().find_map(|(device, secret)| Some((device, secret.as_ref().err()?)));
    match first {
        Some((device, problem)) if successes.is_empty() => {
            let code = codes::of_problem(receipt.form, problem.kind);
            refusal(receipt, code, &format!("{device}: {}", problem.message))
        }
        _ => answer(receipt, codes::SUCCESS, &Json::Array(successes), "success"),
    }
}

/// A configuration file as the vendor describes it.
pub(crate) fn configuration(offer: &Offer) -> Json {
    json!({
        "configId": offer.id,
        "configSize": offer.size,
        "sign": offer.sha256,
        "signMethod": "Sha256",
        "url": offer.url,
        "getType": "file",
    })
}

/// A firmware file as the vendor describes it; the module without a name has none.
pub(crate) fn firmware(offer: &Offer) -> Json {
    let mut data = json!({
        "size": offer.size,
        "version": offer.version,
        "isDiff": 0,
        "url": offer.url,
        "signMethod": "SHA256",
        "sign": offer.sha256,
        "md5": offer.md5,
        "extData": {},
    });
    if let (Json::Object(members), false) = (&mut data, offer.module.is_empty() || offer.module == "default")
    {
        members.insert("module".to_owned(), Json::from(offer.module.as_str()));
    }
    data
}

/// Firmware as it is announced: the code is text here.
pub(crate) fn announcement(id: &Json, offer: &Offer) -> Json {
    json!({ "id": id, "code": "1000", "message": "success", "data": firmware(offer) })
}

fn announced(receipt: &Receipt, offer: &Offer) -> Downlink {
    let id = if receipt.id.is_null() { Json::from("0") } else { receipt.id.clone() };
    downlink(receipt.topic.clone(), &announcement(&id, offer), format!("firmware {}", offer.version))
}

/// What a gateway is told of a device behind it that is not signed in any more.
pub(crate) fn signed_out(gateway: &DeviceRef, device: &DeviceRef, reason: &str) -> Option<Downlink> {
    let (code, message) = match reason {
        "disabled" => (codes::BEHIND_DISABLED, "the device is disabled"),
        "deleted" => (codes::BEHIND_DELETED, "the device is deleted"),
        "unbound" => (codes::NOT_BOUND, "the device is not bound to the gateway any more"),
        "signed_in_elsewhere" => (codes::KICKED, "the device has signed in elsewhere"),
        _ => return None,
    };
    let payload = json!({ "id": "0", "code": code, "message": message, "data": identity(device) });
    let topic = format!("/ext/error/{}/{}", gateway.product, gateway.device);
    Some(downlink(topic, &payload, format!("{device}: {message}")))
}

/// Seconds, as the vendor writes times of a shadow.
fn seconds(at_ms: i64) -> i64 {
    at_ms.div_euclid(1000)
}

/// The state of a shadow and when each value was set.
pub(crate) fn shadow_state(shadow: &Shadow) -> (Json, Json) {
    let (mut state, mut metadata) = (Map::new(), Map::new());
    for (name, values) in [("reported", &shadow.reported), ("desired", &shadow.desired)] {
        if values.is_empty() {
            continue;
        }
        let (mut plain, mut times) = (Map::new(), Map::new());
        for (id, (value, at_ms)) in values {
            plain.insert(id.clone(), value.clone());
            times.insert(id.clone(), json!({ "timestamp": seconds(*at_ms) }));
        }
        state.insert(name.to_owned(), Json::Object(plain));
        metadata.insert(name.to_owned(), Json::Object(times));
    }
    (Json::Object(state), Json::Object(metadata))
}

fn shadow(receipt: &Receipt, outcome: &Outcome) -> Downlink {
    match outcome {
        Outcome::Shadow { shadow, with_state: true } => {
            let (state, metadata) = shadow_state(shadow);
            let payload = json!({
                "method": "reply",
                "payload": { "status": "success", "state": state, "metadata": metadata },
                "version": shadow.version,
                "timestamp": at_s(receipt),
            });
            downlink(receipt.topic.clone(), &payload, format!("shadow, version {}", shadow.version))
        }
        Outcome::Shadow { shadow, with_state: false } => {
            let payload = json!({
                "method": "reply",
                "payload": { "status": "success", "version": shadow.version },
                "timestamp": at_s(receipt),
            });
            downlink(receipt.topic.clone(), &payload, format!("shadow kept, version {}", shadow.version))
        }
        Outcome::Refused(problem) => {
            let code = match problem.kind {
                ProblemKind::OldVersion => 409,
                ProblemKind::TooMany => 408,
                ProblemKind::Missing => 407,
                ProblemKind::BadRequest => 400,
                _ => 500,
            };
            shadow_error(receipt, code, &problem.message)
        }
        _ => {
            let payload =
                json!({ "method": "reply", "payload": { "status": "success" }, "timestamp": at_s(receipt) });
            downlink(receipt.topic.clone(), &payload, "shadow kept".to_owned())
        }
    }
}

fn at_s(receipt: &Receipt) -> i64 {
    seconds(receipt.more.get("at_ms").and_then(Json::as_i64).unwrap_or_default())
}

/// The refusal of what was asked of a shadow.
pub(crate) fn shadow_error(receipt: &Receipt, code: u32, message: &str) -> Downlink {
    let payload = json!({
        "method": "reply",
        "payload": {
            "status": "error",
            "content": { "errorcode": code.to_string(), "errormessage": message },
        },
        "timestamp": at_s(receipt),
    });
    downlink(receipt.topic.clone(), &payload, format!("shadow refused, code {code}"))
}
