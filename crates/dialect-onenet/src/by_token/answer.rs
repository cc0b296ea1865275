//! What a device is answered.
//!
//! In the thing model every answer has `id` and `code`: the vendor's library for devices reads both without
//! looking whether they are there.

use hexmq_device::{DeviceRef, Downlink, ModelFault, ModelFaultKind, Outcome, Problem, ProblemKind, Receipt};
use serde_json::{Map, Value as Json, json};

/// `…/accepted` or `…/rejected` for data points; the receipt's topic is that of the upload.
pub(super) const DATA_POINTS: &str = "data_points";
/// `…/accepted` or `…/rejected` for the answer to a command.
pub(super) const COMMAND: &str = "command";
/// `…/reply` of the thing model.
pub(super) const THING: &str = "thing";
/// The same where the vendor returns nothing but the code.
pub(super) const THING_DONE: &str = "thing_done";

/// The number that the suite gives for a payload it cannot use.
const ILLEGAL_PAYLOAD: i64 = 2305;

pub(super) fn write(receipt: &Receipt, outcome: &Outcome) -> Option<Downlink> {
    let topic = &*receipt.topic;
    Some(match receipt.form {
        DATA_POINTS => verdict(topic, Some(&receipt.id), complaint(outcome)),
        COMMAND => verdict(topic, None, complaint(outcome)),
        THING | THING_DONE => {
            let (code, message, data) = result(outcome);
            thing(topic, &receipt.id, code, &message, data.filter(|_| receipt.form == THING))
        }
        _ => return None,
    })
}

/// What is wrong, if anything is.
fn complaint(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Refused(problem) => Some(problem.message.clone()),
        Outcome::Posted(faults) if !faults.is_empty() => Some(messages(faults)),
        _ => None,
    }
}

fn messages(faults: &[ModelFault]) -> String {
    // A device's buffer is small, and one example says what to look for.
    const SHOWN: usize = 3;
    let mut text: Vec<&str> = faults.iter().take(SHOWN).map(|fault| fault.message.as_str()).collect();
    if faults.len() > SHOWN {
        text.push("…");
    }
    text.join("; ")
}

/// `accepted` or `rejected` of the suite; those of commands are empty when all is well.
pub(super) fn verdict(topic: &str, id: Option<&Json>, complaint: Option<String>) -> Downlink {
    let mut body = Map::new();
    body.extend(id.map(|id| ("id".to_owned(), id.clone())));
    let (verdict, meaning) = match complaint {
        None => ("accepted", "accepted".to_owned()),
        Some(message) => {
            body.insert("err_code".into(), json!(ILLEGAL_PAYLOAD));
            body.insert("err_msg".into(), json!(message));
            ("rejected", format!("rejected: {message}"))
        }
    };
    let payload = if body.is_empty() { Vec::new() } else { Json::Object(body).to_string().into_bytes() };
    down(format!("{topic}/{verdict}"), payload, meaning)
}

/// An answer of the thing model.
pub(super) fn thing(topic: &str, id: &Json, code: u16, message: &str, data: Option<Json>) -> Downlink {
    let mut body = json!({"id": id, "code": code, "msg": message});
    if let (Some(data), Some(body)) = (data, body.as_object_mut()) {
        body.insert("data".into(), data);
    }
    down(format!("{topic}/reply"), body.to_string().into_bytes(), format!("{code} {message}"))
}

fn down(topic: String, payload: Vec<u8>, meaning: String) -> Downlink {
    Downlink { topic, payload, qos: 0, if_subscribed: true, correlation: None, meaning }
}

fn result(outcome: &Outcome) -> (u16, String, Option<Json>) {
    let data = match outcome {
        Outcome::Refused(Problem { kind, message }) => return (code_of(*kind), message.clone(), None),
        Outcome::Posted(faults) => {
            let Some(first) = faults.first() else { return (200, "success".into(), None) };
            let code = if first.kind == ModelFaultKind::Unknown { 404 } else { 460 };
            return (code, messages(faults), None);
        }
        Outcome::Desired(values) => {
            let value = |(name, desired): (&String, &hexmq_device::Desired)| {
                (name.clone(), json!({"value": desired.value, "version": desired.version}))
            };
            Some(Json::Object(values.iter().map(value).collect()))
        }
        Outcome::Devices(devices) => Some(devices.iter().map(named).collect()),
        Outcome::Model(model) => model.clone(),
        _ => None,
    };
    (200, "success".into(), data)
}

/// A device as gateways name it.
pub(super) fn named(device: &DeviceRef) -> Json {
    json!({"deviceName": device.device, "productID": device.product})
}

/// Beyond 200 the vendor's codes are not confirmed; libraries only tell 200 from the rest.
fn code_of(kind: ProblemKind) -> u16 {
    match kind {
        ProblemKind::BadRequest | ProblemKind::OldVersion => 460,
        ProblemKind::BadSignature => 401,
        ProblemKind::Forbidden
        | ProblemKind::DeviceDisabled
        | ProblemKind::RegistrationOff
        | ProblemKind::NotBound
        | ProblemKind::BoundElsewhere
        | ProblemKind::NotSignedIn => 403,
        ProblemKind::UnknownProduct | ProblemKind::UnknownDevice | ProblemKind::Missing => 404,
        ProblemKind::AlreadyActive => 409,
        ProblemKind::TooMany => 429,
        ProblemKind::Unavailable => 500,
    }
}
