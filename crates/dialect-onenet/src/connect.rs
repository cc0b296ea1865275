//! What a CONNECT says of a device: the client identifier names it, the user name its product.
//!
//! Which access a product has is a field of its record; nothing in a CONNECT proves it. Here is what
//! the three strings claim, and what they look like.

use hexmq_device::{
    Ask, Device, DeviceRef, Downlink, OrderError, Product, Refused, RefusedCode, Request, SignIn, Understood,
    Uplink,
};

use crate::token;

/// What a client says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Product id: the user name.
    pub product: &'a str,
    /// Device id, or device name where the access is by token: the client identifier.
    pub device: &'a str,
    /// Auth info, API key or token: the password.
    pub password: &'a str,
}

/// How a device signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// With auth info or an API key, by numbers for device and product.
    Legacy,
    /// With a token, by names.
    Token,
}

/// The claim of a CONNECT; `None` without user name or password: then it is a plain client.
pub fn claim<'a>(
    client_identifier: &'a str,
    user_name: Option<&'a str>,
    password: Option<&'a [u8]>,
) -> Option<Claim<'a>> {
    let password = std::str::from_utf8(password?).ok()?;
    Some(Claim { product: user_name?, device: client_identifier, password })
}

impl Claim<'_> {
    /// The access that the strings look like; `None` if they do not look like OneNET at all. It is
    /// a guess for whoever reads the bytes without knowing the product.
    pub fn looks_like(&self) -> Option<Access> {
        let is_number =
            |text: &str| (4..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if token::is_meant(self.password) {
            Some(Access::Token)
        } else if is_number(self.product) && is_number(self.device) && !self.password.is_empty() {
            Some(Access::Legacy)
        } else {
            None
        }
    }

    /// Whether the password looks like an API key: 28 characters of base64.
    pub fn is_api_key(&self) -> bool {
        let (bytes, is_base64) = token::key_bytes(self.password);
        self.password.len() == 28 && is_base64 && bytes.len() == 20
    }
}

/// The product and device that a CONNECT names: its user name and its client identifier. Without a user name
/// it is a plain client's.
pub(crate) fn identity(sign_in: &SignIn<'_>) -> Option<DeviceRef> {
    Some(DeviceRef::new(sign_in.user_name.filter(|name| !name.is_empty())?, sign_in.client_identifier))
}

/// The access that a sign-in looks like. A guess: only tokens are OneNET's alone.
pub(crate) fn looks_like(sign_in: &SignIn<'_>) -> Option<Access> {
    claim(sign_in.client_identifier, sign_in.user_name, sign_in.password)?.looks_like()
}

pub(crate) fn unknown_device(sign_in: &SignIn<'_>, product: &Product) -> Refused {
    Refused {
        code: RefusedCode::Identifier,
        rule: "unknown_device",
        message: format!(
            "product {} has no device \"{}\" (client identifier)",
            product.id, sign_in.client_identifier
        ),
    }
}

pub(crate) fn disabled(device: &Device) -> Refused {
    Refused {
        code: RefusedCode::NotAuthorized,
        rule: "device_disabled",
        message: format!("device {} is disabled", device.id),
    }
}

/// A message to a topic between devices.
pub(crate) fn between_devices(uplink: &Uplink<'_>) -> Understood {
    let raw = Ask::Raw { topic: uplink.topic.to_owned(), payload: uplink.payload.to_owned() };
    Understood {
        meaning: format!("message to {}, {} bytes", uplink.topic, uplink.payload.len()),
        requests: vec![Request { device: uplink.device.clone(), ask: raw, receipt: None }],
        ..Understood::default()
    }
}

/// The name of an order to a topic that is the platform's own.
const RESERVED_TOPIC: &str = "reserved_topic";

/// A message on a topic of the application's choice.
pub(crate) fn publish(topic: &str, payload: &[u8], qos: u8) -> Result<Downlink, OrderError> {
    if topic.starts_with('$') || topic.is_empty() {
        return Err(OrderError {
            code: RESERVED_TOPIC,
            message: format!(
                "\"{topic}\" is not a topic between devices: choose one that does not begin with $"
            ),
        });
    }
    Ok(Downlink {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
        qos,
        if_subscribed: true,
        correlation: None,
        meaning: format!("message, {} bytes", payload.len()),
    })
}

/// OneNET devices register over HTTP; a message that nobody is subscribed to says nothing.
pub(crate) fn no_registration(sign_in: &SignIn<'_>) -> Downlink {
    Downlink {
        topic: format!("$creq/{}", sign_in.client_identifier),
        payload: Vec::new(),
        qos: 0,
        if_subscribed: true,
        correlation: None,
        meaning: "nothing: devices register over HTTP".into(),
    }
}
