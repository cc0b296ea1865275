//! Products and their devices: what is registered, and what is known of it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

/// Which cloud's words the devices of a product speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialectName {
    /// China Mobile OneNET, legacy access: numbers and API keys, `$dp` and `$creq`.
    Onenet,
    /// China Mobile OneNET, access by token: `$sys/…`.
    OnenetToken,
    /// Aliyun IoT Platform: signed triples and Alink JSON.
    Aliyun,
    /// No cloud's: JSON on topics of HexMQ's own.
    Plain,
}

impl DialectName {
    /// All of them.
    pub const ALL: [DialectName; 4] =
        [DialectName::Onenet, DialectName::OnenetToken, DialectName::Aliyun, DialectName::Plain];

    /// The stable name: `onenet`, `onenet-token`, `aliyun` or `plain`.
    pub const fn name(self) -> &'static str {
        match self {
            DialectName::Onenet => "onenet",
            DialectName::OnenetToken => "onenet-token",
            DialectName::Aliyun => "aliyun",
            DialectName::Plain => "plain",
        }
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<DialectName> {
        DialectName::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

impl fmt::Display for DialectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What proves an identity. It is compared and signed with, and shown only to an administrator who asks.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What happens to a value that the thing model does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// It is stored, nothing is said.
    Off,
    /// It is stored, and the device's log says what is wrong.
    #[default]
    Report,
    /// It is not stored, and the device is told as its cloud tells it.
    Refuse,
}

impl Validation {
    /// The stable name: `off`, `report` or `refuse`.
    pub const fn name(self) -> &'static str {
        match self {
            Validation::Off => "off",
            Validation::Report => "report",
            Validation::Refuse => "refuse",
        }
    }

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Validation> {
        [Validation::Off, Validation::Report, Validation::Refuse].into_iter().find(|rule| rule.name() == name)
    }
}

/// A product: devices of one kind, which speak one dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Product id or ProductKey, 1 to 64 of `A-Z a-z 0-9 _ - . : @`.
    pub id: String,
    /// For people.
    pub name: String,
    /// What its devices speak.
    pub dialect: DialectName,
    /// Master API key, base64 access key or ProductSecret.
    pub secret: Option<Secret>,
    /// Given by the registry and never given again: the namespace of its sessions and topics.
    pub number: u32,
    /// Milliseconds since 1970 UTC.
    pub created_at_ms: i64,
    /// Zone of device times that name none, in minutes east of Greenwich; 480 if nothing else was said.
    pub zone_minutes: i16,
    /// What happens to values that its thing model does not allow.
    pub validation: Validation,
    /// Whether devices may register themselves as their cloud does it.
    pub dynamic_registration: bool,
    /// Days that points, events and commands are kept; `None`: for ever.
    pub history_days: Option<u32>,
    /// Quirks of the dialect switched on or off, by their stable names; what is not named is at its default.
    pub switches: BTreeMap<String, bool>,
}

impl Product {
    /// Whether a quirk is on: as switched, or by its default.
    pub fn switch(&self, quirk: &Quirk) -> bool {
        self.switches.get(quirk.name).copied().unwrap_or(quirk.default)
    }
}

/// A deviation that firmware of a cloud depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// Stable, in snake_case.
    pub name: &'static str,
    /// Whether it is on where the product does not say.
    pub default: bool,
    /// What it does.
    pub what: &'static str,
    /// Where it is known from.
    pub source: &'static str,
}

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceRef {
    /// Its product's id.
    pub product: String,
    /// Its own id.
    pub device: String,
}

impl DeviceRef {
    /// The device of that product.
    pub fn new(product: impl Into<String>, device: impl Into<String>) -> DeviceRef {
        DeviceRef { product: product.into(), device: device.into() }
    }
}

impl fmt::Display for DeviceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product, self.device)
    }
}

/// A registered device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its product's id.
    pub product: String,
    /// Device id or DeviceName, unique in the product; 1 to 64 of `A-Z a-z 0-9 _ - . : @`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Auth info, access key or DeviceSecret.
    pub secret: Option<Secret>,
    /// Accepted as it is in place of whatever the dialect asks for: for devices whose secret is lost.
    pub password: Option<Secret>,
    /// Tags; those of clouds that know no values have empty ones.
    pub tags: BTreeMap<String, String>,
    /// It may not connect.
    pub disabled: bool,
    /// Milliseconds since 1970 UTC.
    pub created_at_ms: i64,
    /// When it connected or registered first.
    pub activated_at_ms: Option<i64>,
    /// Whether it is here.
    pub presence: Presence,
    /// What only its cloud's API knows of: description, location … What stands in its member `secret` (API keys
    /// of the device, a serial number that lets it in) is shown only where secrets are.
    pub extra: Json,
}

impl Device {
    /// Which device this is.
    pub fn reference(&self) -> DeviceRef {
        DeviceRef::new(&*self.product, &*self.id)
    }

    /// [`Device::extra`] without what is secret.
    pub fn public_extra(&self) -> Json {
        let mut extra = self.extra.clone();
        if let Some(members) = extra.as_object_mut() {
            members.shift_remove("secret");
        }
        extra
    }

    /// Takes other extras; what is secret stays, unless it is among them.
    pub fn set_extra(&mut self, extra: Json) {
        let secret = self.extra.as_object_mut().and_then(|members| members.shift_remove("secret"));
        self.extra = extra;
        if let Some(secret) = secret {
            match &mut self.extra {
                Json::Object(members) => drop(members.entry("secret").or_insert(secret)),
                extra @ Json::Null => *extra = serde_json::json!({"secret": secret}),
                _ => {}
            }
        }
    }

    /// The stable name of its state: `never`, `online`, `offline` or `disabled`.
    pub fn status(&self) -> &'static str {
        match (self.disabled, &self.presence) {
            (true, _) => "disabled",
            (_, Presence { online: true, .. }) => "online",
            (_, Presence { since_ms: None, .. }) => "never",
            _ => "offline",
        }
    }
}

/// Whether a device is here, since when and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// It is connected, or its gateway has signed it in.
    pub online: bool,
    /// When that became so; `None`: it was never here.
    pub since_ms: Option<i64>,
    /// Why it is away: the stable name of a reason such as `keep_alive_timeout`.
    pub reason: Option<String>,
    /// Where it connects from, or `gateway PRODUCT/DEVICE`.
    pub peer: Option<String>,
}

/// Whether a text may be the id of a product or a device. `raw` may not: `$hexmq/{product}/raw/…` is where a
/// product's messages are shown as they are.
pub fn is_id(text: &str) -> bool {
    text != "raw"
        && (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn device(extra: Json) -> Device {
        Device {
            product: "p".into(),
            id: "d".into(),
            name: String::new(),
            secret: None,
            password: None,
            tags: BTreeMap::new(),
            disabled: false,
            created_at_ms: 0,
            activated_at_ms: None,
            presence: Presence::default(),
            extra,
        }
    }

    #[test]
    fn what_is_secret_among_the_extras_is_not_shown_and_not_lost() {
        let mut known = device(json!({"desc": "x", "secret": {"keys": [1]}}));
        assert_eq!(known.public_extra(), json!({"desc": "x"}));
        known.set_extra(json!({"desc": "y"}));
        assert_eq!(known.extra, json!({"desc": "y", "secret": {"keys": [1]}}));
        known.set_extra(json!({"secret": {}}));
        assert_eq!(known.extra, json!({"secret": {}}));
        known.set_extra(Json::Null);
        assert_eq!((known.extra.clone(), known.public_extra()), (json!({"secret": {}}), json!({})));
        assert_eq!(device(Json::Null).public_extra(), Json::Null);
    }
}
