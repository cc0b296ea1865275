//! Dynamic registration: a device that knows only its product's secret asks for its own.
//!
//! Over HTTP it posts a form to `/auth/register/device`; over MQTT it connects with `authType=register`
//! or `regnwl` (see [`crate::connect`]) and is sent the answer without asking for it.

use std::borrow::Cow;

use hexmq_device::json::write_string;
use hexmq_device::percent::form_decoded;

use crate::sign::{method_named, register_content, verify};

/// The path of the HTTP call.
pub const PATH: &str = "/auth/register/device";
/// Where a registered device is sent its secret.
pub const TOPIC: &str = "/ext/register";
/// Where a device that nobody registered is sent its token.
pub const TOPIC_UNLISTED: &str = "/ext/regnwl";

/// The code for a device that was activated before.
pub const CODE_ALREADY_ACTIVE: u16 = 6289;
/// The code for an unknown sign method.
pub const CODE_SIGN_METHOD: u16 = 6292;
/// The code for a wrong signature.
pub const CODE_SIGN: u16 = 6600;

/// The form of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form<'a> {
    /// `productKey`
    pub product_key: Cow<'a, str>,
    /// `deviceName`
    pub device_name: Cow<'a, str>,
    /// `random`
    pub random: Cow<'a, str>,
    /// `sign`
    pub sign: Cow<'a, str>,
    /// `signMethod`
    pub sign_method: Cow<'a, str>,
}

/// Why a body is no such form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormError {
    /// This field is missing.
    Missing(&'static str),
    /// A `%` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
    Escape,
}

impl<'a> Form<'a> {
    /// Reads a body of `application/x-www-form-urlencoded`.
    pub fn parse(body: &'a str) -> Result<Form<'a>, FormError> {
        let find = |name: &'static str| {
            let raw = body
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
                .ok_or(FormError::Missing(name))?;
            form_decoded(raw).ok_or(FormError::Escape)
        };
        Ok(Form {
            product_key: find("productKey")?,
            device_name: find("deviceName")?,
            random: find("random")?,
            sign: find("sign")?,
            sign_method: find("signMethod")?,
        })
    }

    /// Whether it is signed with the product's secret; the error is the code to answer with.
    pub fn verify(&self, product_secret: &str) -> Result<(), u16> {
        let method = method_named(&self.sign_method).ok_or(CODE_SIGN_METHOD)?;
        let content = register_content(&self.device_name, &self.product_key, &self.random);
        if verify(method, product_secret, &content, &self.sign) { Ok(()) } else { Err(CODE_SIGN) }
    }
}

fn object(members: &[(&str, &str)]) -> String {
    let mut json = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write_string(&mut json, name);
        json.push(':');
        write_string(&mut json, value);
    }
    json.push('}');
    json
}

/// The body that tells a device its secret over HTTP.
pub fn answer(product_key: &str, device_name: &str, device_secret: &str) -> String {
    format!(
        "{{\"code\":200,\"data\":{},\"message\":\"success\"}}",
        secret(product_key, device_name, device_secret)
    )
}

/// The body that refuses over HTTP.
pub fn refusal(code: u16, message: &str) -> String {
    let mut text = String::new();
    write_string(&mut text, message);
    format!("{{\"code\":{code},\"data\":{{}},\"message\":{text}}}")
}

/// The payload to [`TOPIC`].
pub fn secret(product_key: &str, device_name: &str, device_secret: &str) -> String {
    object(&[("productKey", product_key), ("deviceName", device_name), ("deviceSecret", device_secret)])
}

/// The payload to [`TOPIC_UNLISTED`].
pub fn token(client_id: &str, product_key: &str, device_name: &str, device_token: &str) -> String {
    object(&[
        ("clientId", client_id),
        ("productKey", product_key),
        ("deviceName", device_name),
        ("deviceToken", device_token),
    ])
}
