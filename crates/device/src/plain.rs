//! Devices of no cloud: JSON on topics of HexMQ's own.
//!
//! User name = product id, client identifier = device id, password = device secret. Every product is a world of
//! its own: what is not listed here and does not begin with `$` goes from device to device of the same product.
//!
//! | topic | who | what |
//! |---|---|---|
//! | `devices/{device}/properties` | device | `{"temperature":21.5}` or `{"temperature":{"value":21.5,"time":ms}}` |
//! | `devices/{device}/events/{event}` | device | any JSON |
//! | `devices/{device}/commands/{command}` | platform | bytes, or `{"service":…,"params":…}` |
//! | `devices/{device}/commands/{command}/reply` | device | any bytes; `{"code":…,"data":…}` is understood |
//! | `devices/{device}/desired/get` → `devices/{device}/desired` | both | desired values |
//! | `devices/{device}/config/get` → `devices/{device}/config` | both | where the configuration is |
//! | `devices/{device}/firmware` | platform | firmware to fetch; `…/get`, `…/version` and `…/progress` come up |
//! | `devices/{device}/errors` | platform | why a message was not taken |

use serde_json::{Value as Json, json};

use crate::{
    Admission, Answered, Ask, Datum, Device, DeviceRef, Diagnosis, Dialect, DialectName, Downlink,
    Ingredient, NewEvent, NewPoint, Order, OrderError, Outcome, Problem, Product, Quirk, Reach, Receipt,
    Refused, RefusedCode, Registration, Request, Secret, SignIn, TopicRule, Understood, Uplink, UplinkError,
    is_id,
};

/// HexMQ's own dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Dialect for Plain {
    fn name(&self) -> DialectName {
        DialectName::Plain
    }

    fn quirks(&self) -> &'static [Quirk] {
        &[]
    }

    fn claim(&self, sign_in: &SignIn<'_>) -> Option<DeviceRef> {
        let product = sign_in.user_name?;
        let named = is_id(product) && is_id(sign_in.client_identifier);
        named.then(|| DeviceRef::new(product, sign_in.client_identifier))
    }

    fn verify(
        &self,
        sign_in: &SignIn<'_>,
        _product: &Product,
        device: Option<&Device>,
        _now_ms: i64,
    ) -> Result<Admission, Refused> {
        match judge(sign_in, device) {
            Ok(device) => {
                Ok(Admission { rules: rules(&device.id), subscribed: false, ..Admission::default() })
            }
            Err((code, rule, message)) => Err(Refused { code, rule, message: message.to_owned() }),
        }
    }

    fn diagnose(
        &self,
        sign_in: &SignIn<'_>,
        product: Option<&Product>,
        device: Option<&Device>,
        _now_ms: i64,
    ) -> Diagnosis {
        let verdict = match product {
            Some(_) => judge(sign_in, device).map(drop),
            None => Err(UNKNOWN_PRODUCT),
        };
        let (code, message) = match verdict {
            Ok(()) => ("ok", "The device would be let in."),
            Err((_, rule, message)) => (rule, message),
        };
        Diagnosis {
            admitted: verdict.is_ok(),
            code,
            message: message.to_owned(),
            hint: hint(code).to_owned(),
            ingredients: ingredients(sign_in, product, device),
        }
    }

    fn uplink(&self, uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
        let prefix = format!("devices/{}/", uplink.device.device);
        let Some(rest) = uplink.topic.strip_prefix(&prefix) else {
            return Err(wrong(uplink, "topic", 0, format!("{} is no topic of this device", uplink.topic)));
        };
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["properties"] => properties(uplink),
            ["events", event] => self::event(uplink, event),
            ["commands", command, "reply"] => Ok(answered(uplink, command)),
            ["desired", "get"] => Ok(asks(uplink, "desired get", Ask::DesiredGet(Vec::new()), "desired")),
            ["config", "get"] => Ok(asks(uplink, "configuration get", Ask::ConfigGet, "config")),
            ["firmware", what] => firmware(uplink, what),
            _ => Err(wrong(uplink, "topic", 0, format!("the platform knows no topic {}", uplink.topic))),
        }
    }

    fn registered(&self, _: &SignIn<'_>, registration: &Registration, secret: &Secret) -> Downlink {
        let topic = format!("devices/{}/registered", registration.device.device);
        down(topic, &json!({"secret": secret.0}), 0, false, "registered")
    }

    fn reply(&self, receipt: &Receipt, outcome: &Outcome) -> Option<Downlink> {
        let body = match outcome {
            Outcome::Posted(faults) if faults.is_empty() => return None,
            Outcome::Posted(faults) => {
                let faults =
                    faults.iter().map(|fault| json!({"id": fault.identifier, "message": fault.message}));
                return Some(error(receipt, "model", &json!({"values": faults.collect::<Vec<_>>()})));
            }
            Outcome::Desired(values) => {
                let value = |(name, desired): (&String, &crate::Desired)| {
                    (name.clone(), json!({"value": desired.value, "version": desired.version}))
                };
                Json::Object(values.iter().map(value).collect())
            }
            Outcome::Config(offer) | Outcome::Firmware(offer) => {
                offer.as_ref().map_or(Json::Null, crate::Offer::to_json)
            }
            Outcome::Refused(Problem { message, .. }) => {
                return Some(error(receipt, "refused", &json!({"message": message})));
            }
            _ => return None,
        };
        Some(down(receipt.topic.clone(), &body, 0, true, receipt.form))
    }

    fn downlink(
        &self,
        _: &Product,
        device: &DeviceRef,
        order: &Order,
        command: &str,
        _number: u32,
    ) -> Result<Downlink, OrderError> {
        let base = format!("devices/{}", device.device);
        let invocation = |service: &str, params: &Json| {
            let body = json!({"id": command, "service": service, "params": params});
            let topic = format!("{base}/commands/{command}");
            let downlink = down(topic, &body, 1, true, &order.meaning());
            Downlink { correlation: Some(command.to_owned()), ..downlink }
        };
        Ok(match order {
            Order::Raw(bytes) => Downlink {
                topic: format!("{base}/commands/{command}"),
                payload: bytes.clone(),
                qos: 1,
                if_subscribed: true,
                correlation: Some(command.to_owned()),
                meaning: order.meaning(),
            },
            Order::Set(params) => invocation("set", params),
            Order::Get(names) => invocation("get", &json!(names)),
            Order::Invoke { service, params, .. } => invocation(service, params),
            Order::Shadow(shadow) => {
                let value = |(name, (value, _)): (&String, &(Json, i64))| {
                    (name.clone(), json!({"value": value, "version": shadow.version}))
                };
                let body = Json::Object(shadow.desired.iter().map(value).collect());
                down(format!("{base}/desired"), &body, 1, true, "desired values")
            }
            Order::Firmware(offer) => down(format!("{base}/firmware"), &offer.to_json(), 1, true, "firmware"),
            Order::Config(offer) => {
                down(format!("{base}/config"), &offer.to_json(), 1, true, "configuration")
            }
            Order::Publish { topic, payload, qos } => Downlink {
                topic: topic.clone(),
                payload: payload.clone(),
                qos: *qos,
                if_subscribed: true,
                correlation: None,
                meaning: order.meaning(),
            },
            Order::TopologyNotify(_) | Order::TopologyChange(..) | Order::Lifecycle(_) => {
                return Err(OrderError {
                    code: "no_such_order",
                    message: format!(
                        "plain devices cannot be told: {}; send a command instead",
                        order.meaning()
                    ),
                });
            }
        })
    }
}

type Wrong = (RefusedCode, &'static str, &'static str);

const UNKNOWN_PRODUCT: Wrong = (
    RefusedCode::Credentials,
    "unknown_product",
    "The user name has to be the id of a product, and there is none of this id.",
);

/// The device that this is, or why it is none.
fn judge<'a>(sign_in: &SignIn<'_>, device: Option<&'a Device>) -> Result<&'a Device, Wrong> {
    let Some(device) = device else {
        return Err((
            RefusedCode::Identifier,
            "unknown_device",
            "The client identifier has to be the id of a device of this product, and there is none of this id.",
        ));
    };
    if device.disabled {
        return Err((RefusedCode::NotAuthorized, "device_disabled", "The device is disabled."));
    }
    let Some(password) = sign_in.password else {
        return Err((
            RefusedCode::Credentials,
            "password_missing",
            "A device signs in with its secret as password.",
        ));
    };
    let secrets = [&device.secret, &device.password];
    let right = secrets.into_iter().flatten().any(|secret| same(secret.0.as_bytes(), password));
    if !right {
        return Err((RefusedCode::Credentials, "wrong_secret", "The password is not the device's secret."));
    }
    Ok(device)
}

/// Whether both are the same, in a time that does not depend on where they differ.
fn same(secret: &[u8], password: &[u8]) -> bool {
    let differ = secret.iter().zip(password).fold(0, |sum, (a, b)| sum | (a ^ b));
    !secret.is_empty() && secret.len() == password.len() && differ == 0
}

const fn hint(code: &str) -> &'static str {
    match code.as_bytes() {
        b"ok" => "",
        b"unknown_product" => "Create the product, or correct the user name.",
        b"unknown_device" => "Create the device, or correct the client identifier.",
        b"device_disabled" => "Enable the device.",
        b"password_missing" => "Send the device's secret as password.",
        _ => "Compare the password with the device's secret, letter by letter.",
    }
}

fn ingredients(sign_in: &SignIn<'_>, product: Option<&Product>, device: Option<&Device>) -> Vec<Ingredient> {
    let named = |name, sent: Option<&str>, right| Ingredient {
        name,
        sent: sent.map(str::to_owned),
        expected: None,
        right,
        note: None,
    };
    let secret = device.zip(sign_in.password).map(|(device, password)| {
        let secrets = [&device.secret, &device.password];
        secrets.into_iter().flatten().any(|secret| same(secret.0.as_bytes(), password))
    });
    vec![
        named("product", sign_in.user_name, Some(product.is_some())),
        named("device", Some(sign_in.client_identifier), product.map(|_| device.is_some())),
        named("secret", None, secret),
    ]
}

/// What a device may do. The first rule that fits decides: its own topics, then nobody else's, then everything.
fn rules(device: &str) -> Vec<TopicRule> {
    let rule = |filter: String, publish, subscribe, reach| TopicRule { filter, publish, subscribe, reach };
    let up = |rest: &str| rule(format!("devices/{device}/{rest}"), true, false, Reach::Platform);
    let down = |rest: &str| rule(format!("devices/{device}/{rest}"), false, true, Reach::Platform);
    vec![
        up("properties"),
        up("events/+"),
        up("commands/+/reply"),
        up("desired/get"),
        up("config/get"),
        up("firmware/+"),
        down("#"),
        // Nobody speaks in the name of another device.
        rule("devices/#".to_owned(), false, false, Reach::Platform),
        rule("#".to_owned(), true, true, Reach::Topics),
    ]
}

fn properties(uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
    let json = parse(uplink)?;
    let Json::Object(members) = json else {
        return Err(wrong(uplink, "object", 0, "a JSON object of values is expected".to_owned()));
    };
    let mut points = Vec::with_capacity(members.len());
    for (id, value) in members {
        let (value, at_ms) = timed(value);
        let Some(value) = Datum::of_json(value) else {
            return Err(wrong(uplink, "value", 0, format!("{id} is null, which is no value")));
        };
        points.push(NewPoint { id, value, at_ms });
    }
    let meaning = format!("properties, {} values", points.len());
    Ok(asks(uplink, &meaning, Ask::Post { points, events: Vec::new() }, "errors"))
}

/// `{"value":…,"time":ms}` and `{"value":…}` are a value with and without its time; every other object is a value.
fn timed(json: Json) -> (Json, Option<i64>) {
    let Json::Object(mut members) = json else { return (json, None) };
    let time = members.get("time").and_then(Json::as_i64);
    let known = if time.is_some() { 2 } else { 1 };
    match members.remove("value") {
        Some(value) if members.len() + 1 == known => (value, time),
        Some(value) => {
            members.insert("value".to_owned(), value);
            (Json::Object(members), None)
        }
        None => (Json::Object(members), None),
    }
}

fn event(uplink: &Uplink<'_>, id: &str) -> Result<Understood, UplinkError> {
    let params = if uplink.payload.is_empty() { json!({}) } else { parse(uplink)? };
    let events = vec![NewEvent { id: id.to_owned(), params, at_ms: None }];
    Ok(asks(uplink, &format!("event {id}"), Ask::Post { points: Vec::new(), events }, "errors"))
}

fn answered(uplink: &Uplink<'_>, command: &str) -> Understood {
    // Whatever a device answers is an answer; only an object can have a code and data.
    let json: Option<Json> = serde_json::from_slice(uplink.payload).ok();
    let member = |name: &str| json.as_ref().and_then(|json| json.get(name));
    let answered = Answered {
        correlation: command.to_owned(),
        payload: uplink.payload.to_vec(),
        code: member("code").and_then(Json::as_i64),
        data: member("data").cloned(),
    };
    Understood {
        meaning: format!("answer to command {command}"),
        requests: vec![Request {
            device: uplink.device.clone(),
            ask: Ask::Answered(answered),
            receipt: None,
        }],
        ..Understood::default()
    }
}

fn firmware(uplink: &Uplink<'_>, what: &str) -> Result<Understood, UplinkError> {
    let json = if uplink.payload.is_empty() { json!({}) } else { parse(uplink)? };
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let module = text("module").unwrap_or_else(|| "default".to_owned());
    match what {
        "get" => Ok(asks(uplink, "firmware get", Ask::FirmwareGet { module }, "firmware")),
        "version" => {
            let Some(version) = text("version") else {
                return Err(wrong(uplink, "version", 0, "a text \"version\" is expected".to_owned()));
            };
            let meaning = format!("firmware is {version}");
            Ok(asks(uplink, &meaning, Ask::FirmwareIs { module, version }, "errors"))
        }
        "progress" => {
            let step = json.get("step").and_then(Json::as_i64).and_then(|step| i32::try_from(step).ok());
            let Some(step) = step else {
                return Err(wrong(uplink, "step", 0, "a number \"step\" is expected".to_owned()));
            };
            let text = text("text").unwrap_or_default();
            let meaning = format!("firmware progress {step}");
            Ok(asks(uplink, &meaning, Ask::FirmwareProgress { module, step, text }, "errors"))
        }
        _ => Err(wrong(uplink, "topic", 0, format!("the platform knows no topic {}", uplink.topic))),
    }
}

/// One request, answered on a topic of the device.
fn asks(uplink: &Uplink<'_>, meaning: &str, ask: Ask, form: &'static str) -> Understood {
    let topic = format!("devices/{}/{form}", uplink.device.device);
    let receipt = Receipt { topic, form, more: json!(uplink.topic), ..Receipt::default() };
    Understood {
        meaning: meaning.to_owned(),
        requests: vec![Request { device: uplink.device.clone(), ask, receipt: Some(receipt) }],
        ..Understood::default()
    }
}

fn parse(uplink: &Uplink<'_>) -> Result<Json, UplinkError> {
    let node = crate::json::parse(uplink.payload)
        .map_err(|error| wrong(uplink, "json", error.offset, "this is no JSON".to_owned()))?;
    Ok(node.to_json())
}

fn wrong(uplink: &Uplink<'_>, rule: &'static str, offset: usize, message: String) -> UplinkError {
    let topic = format!("devices/{}/errors", uplink.device.device);
    let body = json!({"topic": uplink.topic, "rule": rule, "offset": offset, "message": message});
    let replies = vec![down(topic, &body, 0, true, "error")];
    UplinkError { rule, offset, length: usize::from(offset < uplink.payload.len()), message, replies }
}

/// What a device is told of a request that was not taken, or not wholly.
fn error(receipt: &Receipt, rule: &str, what: &Json) -> Downlink {
    let base = receipt.topic.strip_suffix(receipt.form).unwrap_or(&receipt.topic);
    let body = json!({"topic": receipt.more, "rule": rule, "what": what});
    down(format!("{base}errors"), &body, 0, true, "error")
}

fn down(topic: String, body: &Json, qos: u8, if_subscribed: bool, meaning: &str) -> Downlink {
    let payload = body.to_string().into_bytes();
    Downlink { topic, payload, qos, if_subscribed, correlation: None, meaning: meaning.to_owned() }
}
