//! How a device is told to do something.
//!
//! Identifiers are decimal digits that fit 31 bits: one library reads them as a number of 32 bits, another as
//! a quoted number. A request always names its method: one library finds the service by it.

use hexmq_device::{DeviceRef, Downlink, Offer, Order, OrderError, Product, Shadow};
use serde_json::{Map, Value as Json, json};

use crate::quirks::RRPC_EXT;
use crate::reply;

/// See [`hexmq_device::Dialect::downlink`].
pub(crate) fn downlink(
    product: &Product,
    device: &DeviceRef,
    order: &Order,
    number: u32,
) -> Result<Downlink, OrderError> {
    let to = To { device, number };
    match order {
        Order::Raw(bytes) => Ok(Downlink {
            correlation: Some("down_raw".to_owned()),
            ..to.message(to.sys("thing/model/down_raw"), bytes.clone(), "transparent bytes")
        }),
        Order::Set(params) => {
            let params = object(params, "properties to set")?;
            Ok(to.request("thing/service/property/set", "thing.service.property.set", params, "property set"))
        }
        Order::Get(names) => {
            let params = Json::from(names.as_slice());
            Ok(to.request("thing/service/property/get", "thing.service.property.get", params, "property get"))
        }
        Order::Invoke { service, params, sync } => invoke(product, to, service, params, *sync),
        Order::Shadow(shadow) => Ok(control(to, shadow)),
        Order::Publish { topic, payload, qos } => publish(to, topic, payload, *qos),
        Order::Firmware(offer) => {
            let topic = format!("/ota/device/upgrade/{}/{}", device.product, device.device);
            let payload = reply::announcement(&Json::from(to.id()), offer);
            let meaning = format!("firmware {} of module {}", offer.version, offer.module);
            Ok(to.message(topic, payload.to_string().into_bytes(), &meaning))
        }
        Order::Config(offer) => Ok(config(to, offer)),
        Order::TopologyNotify(devices) => {
            let params = json!({ "deviceList": devices.iter().map(reply::identity).collect::<Json>() });
            Ok(to.request("thing/topo/add/notify", "thing.topo.add.notify", params, "devices to be bound"))
        }
        Order::TopologyChange(status, devices) => {
            let list: Json = devices.iter().map(reply::identity).collect();
            let params = json!({ "status": status, "subList": list });
            Ok(to.request("thing/topo/change", "thing.topo.change", params, "topology changed"))
        }
        Order::Lifecycle(what) => lifecycle(to, what),
    }
}

/// Whom a message is for, and the number it gets.
#[derive(Clone, Copy)]
struct To<'a> {
    device: &'a DeviceRef,
    number: u32,
}

impl To<'_> {
    /// The number as text, within 31 bits.
    fn id(self) -> String {
        (self.number & 0x7FFF_FFFF).to_string()
    }

    fn sys(self, path: &str) -> String {
        format!("/sys/{}/{}/{path}", self.device.product, self.device.device)
    }

    fn message(self, topic: String, payload: Vec<u8>, meaning: &str) -> Downlink {
        Downlink {
            topic,
            payload,
            qos: 1,
            if_subscribed: true,
            correlation: None,
            meaning: meaning.to_owned(),
        }
    }

    /// An Alink request, which is answered on the same topic with `_reply`.
    fn request(self, path: &str, method: &str, params: Json, meaning: &str) -> Downlink {
        self.request_on(self.sys(path), method, params, meaning)
    }

    fn request_on(self, topic: String, method: &str, params: Json, meaning: &str) -> Downlink {
        let payload = json!({ "method": method, "id": self.id(), "params": params, "version": "1.0.0" });
        Downlink {
            correlation: Some(self.id()),
            ..self.message(topic, payload.to_string().into_bytes(), meaning)
        }
    }
}

fn wrong(code: &'static str, message: impl Into<String>) -> OrderError {
    OrderError { code, message: message.into() }
}

fn object(params: &Json, what: &str) -> Result<Json, OrderError> {
    match params {
        Json::Object(_) => Ok(params.clone()),
        Json::Null => Ok(Json::Object(Map::new())),
        _ => Err(wrong("params_no_object", format!("{what} must be a JSON object"))),
    }
}

fn invoke(
    product: &Product,
    to: To<'_>,
    service: &str,
    params: &Json,
    sync: bool,
) -> Result<Downlink, OrderError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if service.is_empty() || service.len() > 128 || !service.chars().all(allowed) {
        let message = "a service has a name of 1 to 128 letters, digits, _ - . and :";
        return Err(wrong("service_name", message));
    }
    let params = object(params, "inputs of a service")?;
    let method = format!("thing.service.{service}");
    let path = format!("thing/service/{service}");
    let meaning = format!("service {service}");
    let topic = match (sync, product.switch(&RRPC_EXT)) {
        (false, _) => to.sys(&path),
        (true, false) => to.sys(&format!("rrpc/request/{}", to.id())),
        (true, true) => format!("/ext/rrpc/{}{}", to.id(), to.sys(&path)),
    };
    Ok(to.request_on(topic, &method, params, &meaning))
}

/// The shadow has desired values. One library reads `status` of every message on this topic.
fn control(to: To<'_>, shadow: &Shadow) -> Downlink {
    let (state, metadata) = reply::shadow_state(shadow);
    let payload = json!({
        "method": "control",
        "payload": { "status": "success", "state": state, "metadata": metadata },
        "version": shadow.version,
        "timestamp": shadow.at_ms.div_euclid(1000),
    });
    let topic = format!("/shadow/get/{}/{}", to.device.product, to.device.device);
    to.message(topic, payload.to_string().into_bytes(), "desired values of the shadow")
}

fn config(to: To<'_>, offer: &Offer) -> Downlink {
    to.request("thing/config/push", "thing.config.push", reply::configuration(offer), "configuration")
}

/// A message on any topic. In `/ext/rrpc/+/…` the number of the message takes the place of the `+`; the
/// device answers on the very topic.
fn publish(to: To<'_>, topic: &str, payload: &[u8], qos: u8) -> Result<Downlink, OrderError> {
    let rrpc = topic.strip_prefix("/ext/rrpc/+/").map(|rest| format!("/ext/rrpc/{}/{rest}", to.id()));
    let correlation = rrpc.is_some().then(|| to.id());
    let topic = rrpc.unwrap_or_else(|| topic.to_owned());
    if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.len() > usize::from(u16::MAX) {
        return Err(wrong("topic_name", "a topic has 1 to 65535 bytes and no +, # or U+0000"));
    }
    let meaning = if correlation.is_some() { "message to be answered" } else { "message" };
    Ok(Downlink { qos: qos.min(2), correlation, ..to.message(topic, payload.to_vec(), meaning) })
}

fn lifecycle(to: To<'_>, what: &str) -> Result<Downlink, OrderError> {
    if !["enable", "disable", "delete"].contains(&what) {
        return Err(wrong("lifecycle", format!("{what:?} is none of enable, disable and delete")));
    }
    let empty = Json::Object(Map::new());
    Ok(to.request(&format!("thing/{what}"), &format!("thing.{what}"), empty, what))
}
