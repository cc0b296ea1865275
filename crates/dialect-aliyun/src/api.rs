//! The vendor's HTTP API for devices: registration with the secret of the product.
//!
//! Every answer has HTTP status 200 and its own code in the body, as the device libraries expect it.

use hexmq_device::port::{Platform, PortError, PortErrorKind, RestRequest, RestResponse, VendorApi};
use hexmq_device::{Device, DeviceRef, DialectName, Secret};

use crate::codes::{PARAMETERS, of_problem};
use crate::quirks::REGISTER_AGAIN;
use crate::register::{self, Form, FormError};

/// `POST /auth/register/device`
#[derive(Clone, Copy, Debug, Default)]
pub struct Api;

impl VendorApi for Api {
    fn answer(&self, request: &RestRequest, platform: &dyn Platform) -> Option<RestResponse> {
        if request.path != register::PATH {
            return None;
        }
        if request.method != "POST" {
            let mut response = json(405, register::refusal(405, "register with POST"));
            response.headers.push(("allow".to_owned(), "POST".to_owned()));
            return Some(response);
        }
        let body = match secret_of(request, platform) {
            Ok((device, Secret(secret))) => register::answer(&device.product, &device.device, &secret),
            Err((code, message)) => register::refusal(code, &message),
        };
        Some(json(200, body))
    }
}

fn json(status: u16, body: String) -> RestResponse {
    RestResponse {
        status,
        content_type: "application/json;charset=UTF-8".to_owned(),
        headers: Vec::new(),
        body: body.into_bytes(),
    }
}

/// The vendor's code and a sentence.
type Refusal = (u16, String);

fn refusal(code: u32, message: impl Into<String>) -> Refusal {
    (u16::try_from(code).unwrap_or(500), message.into())
}

/// The secret that the request asks for, if it may have it.
fn secret_of(request: &RestRequest, platform: &dyn Platform) -> Result<(DeviceRef, Secret), Refusal> {
    let body =
        std::str::from_utf8(&request.body).map_err(|_| refusal(PARAMETERS, "the form is not UTF-8"))?;
    let form = Form::parse(body).map_err(|error| match error {
        FormError::Missing(name) => refusal(PARAMETERS, format!("{name} is missing")),
        FormError::Escape => refusal(PARAMETERS, "a % is not followed by two hexadecimal digits"),
    })?;
    let unknown = || refusal(6250, format!("no product {} is registered", form.product_key));
    let product = platform.product(&form.product_key).map_err(|error| of_port(&error, unknown()))?;
    if product.dialect != DialectName::Aliyun {
        return Err(unknown());
    }
    if !product.dynamic_registration {
        return Err(refusal(6288, "devices of this product do not register themselves"));
    }
    let Some(Secret(key)) = &product.secret else {
        return Err((
            register::CODE_SIGN,
            "the product has no secret to compare the signature with".to_owned(),
        ));
    };
    form.verify(key).map_err(|code| match code {
        register::CODE_SIGN_METHOD => {
            (code, "signMethod is none of hmacmd5, hmacsha1 and hmacsha256".to_owned())
        }
        _ => (code, "sign is not the signature under the secret of the product".to_owned()),
    })?;
    let device = DeviceRef::new(&*product.id, &*form.device_name);
    let unknown = refusal(6100, format!("no device {} is registered in this product", form.device_name));
    let found = platform.device(&device).map_err(|error| of_port(&error, unknown))?;
    let again = product.switch(&REGISTER_AGAIN);
    may_have(&found, again)?;
    let secret = found.secret.ok_or_else(|| refusal(500, "the registry has no secret of this device"))?;
    Ok((device, secret))
}

fn may_have(device: &Device, again: bool) -> Result<(), Refusal> {
    if device.disabled {
        return Err(refusal(6204, "the device is disabled"));
    }
    if device.activated_at_ms.is_some() && !again {
        return Err((register::CODE_ALREADY_ACTIVE, "the device has connected before".to_owned()));
    }
    Ok(())
}

fn of_port(error: &PortError, missing: Refusal) -> Refusal {
    match error.kind {
        PortErrorKind::NotFound | PortErrorKind::Invalid => missing,
        _ => refusal(of_problem("", hexmq_device::ProblemKind::Unavailable), error.message.clone()),
    }
}
