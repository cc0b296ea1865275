//! What devices are told; and orders as JSON: how a command is kept, shown, and read again when it is sent later.

use serde_json::{Map, Value as Json, json};

use crate::{DeviceRef, Offer, Shadow, mac};

/// Something a device is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// Properties to set, by name.
    Set(Json),
    /// Properties to read.
    Get(Vec<String>),
    /// A service to call.
    Invoke {
        /// Service identifier.
        service: String,
        /// Its inputs.
        params: Json,
        /// The answer is waited for: the dialect's synchronous form, if it has one.
        sync: bool,
    },
    /// The shadow has desired values for it.
    Shadow(Shadow),
    /// A message on a topic.
    Publish {
        /// Topic name.
        topic: String,
        /// Application message.
        payload: Vec<u8>,
        /// 0, 1 or 2.
        qos: u8,
    },
    /// Firmware to fetch.
    Firmware(Offer),
    /// A configuration to fetch.
    Config(Offer),
    /// Devices are to be bound to it.
    TopologyNotify(Vec<DeviceRef>),
    /// Devices behind it were bound (0), unbound (1), enabled (2) or disabled (8).
    TopologyChange(u8, Vec<DeviceRef>),
    /// It is enabled, disabled or deleted: `enable`, `disable`, `delete`.
    Lifecycle(&'static str),
}

/// A dialect has no way to say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderError {
    /// Stable name.
    pub code: &'static str,
    /// In a sentence, with what to do.
    pub message: String,
}

/// A message to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Downlink {
    /// Topic name.
    pub topic: String,
    /// Application message.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// It is sent only if a subscription of the device matches (or it counts as subscribed).
    pub if_subscribed: bool,
    /// What an answer will carry to find its order.
    pub correlation: Option<String>,
    /// For the device's log.
    pub meaning: String,
}

/// The service names that mean properties.
const SET: &str = "set";
const GET: &str = "get";

impl Order {
    /// For keeping and for people: `{"payload_hex":…}`, `{"service":"set","params":{…}}`, or an object with one
    /// member that names what it is.
    pub fn to_json(&self) -> Json {
        match self {
            Order::Raw(bytes) => json!({"payload_hex": mac::to_hex(bytes)}),
            Order::Set(params) => json!({"service": SET, "params": params}),
            Order::Get(names) => json!({"service": GET, "params": names}),
            Order::Invoke { service, params, sync } => {
                json!({"service": service, "params": params, "sync": sync})
            }
            Order::Shadow(shadow) => json!({"shadow": shadow.to_json()}),
            Order::Publish { topic, payload, qos } => {
                json!({"topic": topic, "payload_hex": mac::to_hex(payload), "qos": qos})
            }
            Order::Firmware(offer) => json!({"firmware": offer.to_json()}),
            Order::Config(offer) => json!({"config": offer.to_json()}),
            Order::TopologyNotify(devices) => json!({"topology_notify": references(devices)}),
            Order::TopologyChange(status, devices) => {
                json!({"topology_change": {"status": status, "devices": references(devices)}})
            }
            Order::Lifecycle(what) => json!({"lifecycle": what}),
        }
    }

    /// The order that [`Order::to_json`] has written; `None` if it has not.
    pub fn of_json(json: &Json) -> Option<Order> {
        let object = json.as_object()?;
        if let Some(service) = object.get("service") {
            return invocation(service.as_str()?, object);
        }
        if let Some(topic) = object.get("topic") {
            let qos = object.get("qos").and_then(Json::as_u64).unwrap_or(0);
            let topic = topic.as_str()?.to_owned();
            return Some(Order::Publish { topic, payload: hex(object)?, qos: u8::try_from(qos).ok()? });
        }
        if object.contains_key("payload_hex") {
            return hex(object).map(Order::Raw);
        }
        let (name, value) = object.iter().next()?;
        Some(match name.as_str() {
            "shadow" => Order::Shadow(Shadow::of_json(value)?),
            "firmware" => Order::Firmware(Offer::of_json(value)?),
            "config" => Order::Config(Offer::of_json(value)?),
            "topology_notify" => Order::TopologyNotify(devices(value)?),
            "topology_change" => {
                let status = u8::try_from(value.get("status")?.as_u64()?).ok()?;
                Order::TopologyChange(status, devices(value.get("devices")?)?)
            }
            "lifecycle" => {
                let what = value.as_str()?;
                Order::Lifecycle(["enable", "disable", "delete"].into_iter().find(|known| *known == what)?)
            }
            _ => return None,
        })
    }

    /// In a few words, for a log: `property set`, `service reboot` …
    pub fn meaning(&self) -> String {
        match self {
            Order::Raw(bytes) => format!("command of {} bytes", bytes.len()),
            Order::Set(_) => "property set".to_owned(),
            Order::Get(names) => format!("property get, {} names", names.len()),
            Order::Invoke { service, .. } => format!("service {service}"),
            Order::Shadow(_) => "desired values".to_owned(),
            Order::Publish { topic, .. } => format!("message on {topic}"),
            Order::Firmware(offer) => format!("firmware {} {}", offer.module, offer.version),
            Order::Config(_) => "configuration".to_owned(),
            Order::TopologyNotify(devices) => format!("{} devices to be bound", devices.len()),
            Order::TopologyChange(status, devices) => {
                format!("topology change {status} of {} devices", devices.len())
            }
            Order::Lifecycle(what) => (*what).to_owned(),
        }
    }
}

impl Offer {
    /// All of it.
    pub fn to_json(&self) -> Json {
        let Offer { id, version, module, size, url, sha256, md5 } = self;
        json!({"id": id, "version": version, "module": module, "size": size, "url": url, "sha256": sha256, "md5": md5})
    }

    /// The offer that [`Offer::to_json`] has written; `None` if it has not.
    pub fn of_json(json: &Json) -> Option<Offer> {
        let text = |name: &str| json.get(name)?.as_str().map(str::to_owned);
        Some(Offer {
            id: text("id")?,
            version: text("version")?,
            module: text("module")?,
            size: json.get("size")?.as_u64()?,
            url: text("url")?,
            sha256: text("sha256")?,
            md5: text("md5")?,
        })
    }
}

impl DeviceRef {
    /// `{"product":…,"device":…}`
    pub fn to_json(&self) -> Json {
        json!({"product": self.product, "device": self.device})
    }

    /// The reference that [`DeviceRef::to_json`] has written; `None` if it has not.
    pub fn of_json(json: &Json) -> Option<DeviceRef> {
        Some(DeviceRef::new(json.get("product")?.as_str()?, json.get("device")?.as_str()?))
    }
}

fn invocation(service: &str, object: &Map<String, Json>) -> Option<Order> {
    let params = object.get("params").cloned().unwrap_or_else(|| json!({}));
    Some(match service {
        SET => Order::Set(params),
        GET => Order::Get(
            params.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        ),
        _ => Order::Invoke {
            service: service.to_owned(),
            params,
            sync: object.get("sync").and_then(Json::as_bool).unwrap_or(false),
        },
    })
}

fn hex(object: &Map<String, Json>) -> Option<Vec<u8>> {
    mac::from_hex(object.get("payload_hex")?.as_str()?.as_bytes())
}

fn references(devices: &[DeviceRef]) -> Vec<Json> {
    devices.iter().map(DeviceRef::to_json).collect()
}

fn devices(json: &Json) -> Option<Vec<DeviceRef>> {
    json.as_array()?.iter().map(DeviceRef::of_json).collect()
}
