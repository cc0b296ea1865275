//! The vendor's HTTP API for devices: registration with the secret of the product.
//!
//! Every answer has HTTP status 200 and its own code in the body, as the device libraries expect it.

use hexmq_device::port::{
    Platform, PortError, PortErrorKind, PortResult, RestRequest, RestResponse, VendorApi,
};
use hexmq_device::{Device, DeviceRef, DialectName, Product, Secret};

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
        let product = |id: &str| platform.product(id);
        let device = |device: &DeviceRef| platform.device(device);
        let body = match secret_of(&request.body, product, device) {
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
fn secret_of(
    body: &[u8],
    product_of: impl Fn(&str) -> PortResult<Product>,
    device_of: impl Fn(&DeviceRef) -> PortResult<Device>,
) -> Result<(DeviceRef, Secret), Refusal> {
    let body = std::str::from_utf8(body).map_err(|_| refusal(PARAMETERS, "the form is not UTF-8"))?;
    let form = Form::parse(body).map_err(|error| match error {
        FormError::Missing(name) => refusal(PARAMETERS, format!("{name} is missing")),
        FormError::Escape => refusal(PARAMETERS, "a % is not followed by two hexadecimal digits"),
    })?;
    let unknown = || refusal(6250, format!("no product {} is registered", form.product_key));
    let product = product_of(&form.product_key).map_err(|error| of_port(&error, unknown()))?;
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
    let found = device_of(&device).map_err(|error| of_port(&error, unknown))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{register_content, sign};
    use hexmq_device::mac::HashName;
    use hexmq_device::{Presence, Validation};

    const KEY: &str = "ProdSecret01234567";

    fn product() -> Product {
        Product {
            id: "a1TestPk001".to_owned(),
            name: String::new(),
            dialect: DialectName::Aliyun,
            secret: Some(Secret(KEY.to_owned())),
            number: 1,
            created_at_ms: 0,
            zone_minutes: 480,
            validation: Validation::Off,
            dynamic_registration: true,
            history_days: None,
            switches: std::collections::BTreeMap::new(),
        }
    }

    fn device() -> Device {
        Device {
            product: "a1TestPk001".to_owned(),
            id: "dev09".to_owned(),
            name: String::new(),
            secret: Some(Secret("s3cret".to_owned())),
            password: None,
            tags: std::collections::BTreeMap::new(),
            disabled: false,
            created_at_ms: 0,
            activated_at_ms: None,
            presence: Presence::default(),
            extra: serde_json::Value::Null,
        }
    }

    fn form(name: &str, method: &str) -> String {
        let signed = sign(HashName::Sha1, KEY, &register_content(name, "a1TestPk001", "r1"));
        format!("productKey=a1TestPk001&deviceName={name}&random=r1&sign={signed}&signMethod={method}")
    }

    /// The code for this form, with what is registered.
    fn code(body: &str, product: &Product, device: &Device) -> u16 {
        let missing = || PortError::new(PortErrorKind::NotFound, "missing", "it is not there");
        let found = secret_of(
            body.as_bytes(),
            |id| if id == product.id { Ok(product.clone()) } else { Err(missing()) },
            |it| if it.device == device.id { Ok(device.clone()) } else { Err(missing()) },
        );
        match found {
            Ok((named, secret)) => {
                assert_eq!((named, secret), (device.reference(), Secret("s3cret".to_owned())));
                200
            }
            Err((code, message)) => {
                assert!(!message.is_empty());
                code
            }
        }
    }

    #[test]
    fn a_device_gets_its_secret_or_the_vendors_code() {
        let good = form("dev09", "hmacsha1");
        let with = |change: fn(&mut Product)| {
            let mut product = product();
            change(&mut product);
            code(&good, &product, &device())
        };
        let of = |change: fn(&mut Device)| {
            let mut device = device();
            change(&mut device);
            code(&good, &product(), &device)
        };
        assert_eq!(with(|_| {}), 200);
        assert_eq!(with(|it| it.dynamic_registration = false), 6288);
        assert_eq!(with(|it| it.dialect = DialectName::Plain), 6250);
        assert_eq!(with(|it| it.secret = Some(Secret("another".to_owned()))), 6600);
        assert_eq!(with(|it| it.secret = None), 6600);
        assert_eq!(with(|it| it.id = "other".to_owned()), 6250);
        assert_eq!(of(|it| it.activated_at_ms = Some(1)), 6289);
        assert_eq!(of(|it| it.disabled = true), 6204);
        assert_eq!(of(|it| it.secret = None), 500);
        for (body, expected) in [
            (form("dev08", "hmacsha1"), 6100),
            (form("dev09", "md4"), 6292),
            (form("dev09", "hmacsha256"), 6600),
            ("productKey=a".to_owned(), 460),
            ("productKey=%zz".to_owned(), 460),
            (String::new(), 460),
        ] {
            assert_eq!(code(&body, &product(), &device()), expected, "{body}");
        }
        let again = |it: &mut Product| {
            it.switches.insert("aliyun_register_again".to_owned(), true);
        };
        let mut product = product();
        again(&mut product);
        assert_eq!(code(&good, &product, &Device { activated_at_ms: Some(1), ..device() }), 200);
    }

    #[test]
    fn a_registry_that_is_away_is_no_refusal_of_the_device() {
        let away = || PortError::new(PortErrorKind::Unavailable, "away", "the data base does not answer");
        let found = secret_of(form("dev09", "hmacsha1").as_bytes(), |_| Err(away()), |_| Err(away()));
        assert_eq!(found, Err((500, "the data base does not answer".to_owned())));
        let found = secret_of(b"\xFF", |_| Err(away()), |_| Err(away()));
        assert_eq!(found.map_err(|(code, _)| code), Err(460));
    }
}
