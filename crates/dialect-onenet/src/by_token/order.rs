//! How a device is told to do something.
//!
//! The `id` of a message of the thing model is the command's number in digits: at most ten of the fifteen
//! characters that the vendor's library has room for.

use hexmq_device::{DeviceRef, Downlink, Offer, Order, OrderError};
use serde_json::{Map, Value as Json, json};

pub(super) fn write(
    device: &DeviceRef,
    order: &Order,
    command: &str,
    number: u32,
) -> Result<Downlink, OrderError> {
    let base = format!("$sys/{}/{}", device.product, device.device);
    let thing = |path: &str, params: Json, meaning: String| {
        let id = number.to_string();
        Downlink {
            topic: format!("{base}/{path}"),
            payload: json!({"id": id, "version": "1.0", "params": params}).to_string().into_bytes(),
            qos: 0,
            if_subscribed: true,
            correlation: Some(id),
            meaning,
        }
    };
    match order {
        Order::Raw(payload) => Ok(Downlink {
            topic: format!("{base}/cmd/request/{command}"),
            payload: payload.clone(),
            qos: 0,
            if_subscribed: true,
            correlation: Some(command.to_owned()),
            meaning: format!("command, {} bytes", payload.len()),
        }),
        Order::Set(params) if params.is_object() => {
            Ok(thing("thing/property/set", params.clone(), order.meaning()))
        }
        Order::Set(_) => {
            Err(wrong("params_not_object", "a property set needs an object of names and values"))
        }
        Order::Get(names) if names.is_empty() => {
            Err(wrong("names_missing", "name the properties to be read: OneNET has no way to ask for all"))
        }
        Order::Get(names) => Ok(thing("thing/property/get", json!(names), order.meaning())),
        Order::Invoke { service, params, .. } => {
            if service.is_empty() || service.contains(['/', '+', '#', '\0']) {
                return Err(wrong("service_name", "a service's identifier has no /, + or #"));
            }
            let params = if params.is_null() { json!({}) } else { params.clone() };
            Ok(thing(&format!("thing/service/{service}/invoke"), params, order.meaning()))
        }
        Order::Shadow(shadow) if shadow.desired.is_empty() => {
            Err(wrong("nothing_desired", "there are no desired values to send"))
        }
        Order::Shadow(shadow) => {
            let values = shadow.desired.iter().map(|(name, (value, _))| (name.clone(), value.clone()));
            Ok(thing("thing/property/set", Json::Object(values.collect::<Map<_, _>>()), order.meaning()))
        }
        Order::Firmware(offer) => Ok(thing("ota/inform", firmware(offer), order.meaning())),
        Order::Publish { topic, payload, qos } => crate::connect::publish(topic, payload, *qos),
        Order::Config(_) => Err(wrong(
            "no_configuration",
            "OneNET has no remote configuration: set properties, or send a command",
        )),
        Order::TopologyNotify(_) | Order::TopologyChange(..) => Err(wrong(
            "whole_topology",
            "OneNET tells a gateway its whole list, not a change: it learns of this when it asks with sub/topo/get",
        )),
        Order::Lifecycle(_) => Err(wrong("not_said", "OneNET has no message for this; nothing is sent")),
    }
}

fn wrong(code: &'static str, message: &str) -> OrderError {
    OrderError { code, message: message.to_owned() }
}

/// The vendor's message only says that there is something; the device would ask its file service. Here it says
/// at once what and where.
fn firmware(offer: &Offer) -> Json {
    json!({
        "module": offer.module, "version": offer.version, "size": offer.size, "url": offer.url, "md5": offer.md5,
        "sha256": offer.sha256,
    })
}
