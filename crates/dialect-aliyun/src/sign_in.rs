//! Whether a device is who it says it is, and what it may do then.
//!
//! Lenient to run: a client identifier that is not of the form is served if the signature is right, and the
//! device's log tells what is odd.

use hexmq_device::{
    Admission, Device, DeviceRef, Downlink, Manners, Product, Refused, RefusedCode, Registration,
    RegistrationStyle, Secret, SignIn, is_id,
};

use crate::connect::{Connect, ConnectRule, Place, SignIn as Way, Slip, UserName};
use crate::quirks::{AUTO_SUBSCRIBE, KEEP_ALIVE, REGISTER_AGAIN, SUBACK_QOS_1, SUBSCRIBE_ALL};
use crate::register::{self, TOPIC, TOPIC_UNLISTED};
use crate::rules;

/// Seconds of keep-alive that the cloud accepts.
pub(crate) const KEEP_ALIVE_S: std::ops::RangeInclusive<u16> = 30..=1200;

/// The product and device of a user name `{deviceName}&{productKey}`.
pub(crate) fn claim(sign_in: &SignIn<'_>) -> Option<DeviceRef> {
    let UserName { device_name, product_key } = UserName::parse(sign_in.user_name?)?;
    Some(DeviceRef::new(product_key, device_name))
}

pub(crate) fn read<'a>(sign_in: &SignIn<'a>) -> Connect<'a> {
    Connect::read(sign_in.client_identifier, sign_in.user_name, sign_in.password)
}

pub(crate) fn refused(code: RefusedCode, rule: &'static str, message: impl Into<String>) -> Refused {
    Refused { code, rule, message: message.into() }
}

/// See [`hexmq_device::Dialect::verify`].
pub(crate) fn verify(
    sign_in: &SignIn<'_>,
    product: &Product,
    device: Option<&Device>,
) -> Result<Admission, Refused> {
    let connect = read(sign_in);
    let Some(names) = connect.user_name else {
        return Err(refused(RefusedCode::Credentials, "user_name_form", USER_NAME));
    };
    if product.switch(&KEEP_ALIVE) && !KEEP_ALIVE_S.contains(&sign_in.keep_alive_s) {
        let message = format!("keep-alive {} s is outside of 30 to 1200 s", sign_in.keep_alive_s);
        return Err(refused(RefusedCode::NotAuthorized, "keep_alive_range", message));
    }
    let way = connect.sign_in();
    if matches!(way, Way::Register | Way::RegisterUnlisted) {
        return registers(&connect, way, names, product, device);
    }
    let Some(device) = device else {
        let message = format!("no device {} is registered in product {}", names.device_name, product.id);
        return Err(refused(RefusedCode::Credentials, "unknown_device", message));
    };
    if device.disabled {
        return Err(refused(RefusedCode::NotAuthorized, "device_disabled", "the device is disabled"));
    }
    if !has_password(&connect, device) {
        match way {
            Way::Token => {
                let message = "the password is not the token that the device was given";
                return Err(refused(RefusedCode::Credentials, "wrong_token", message));
            }
            _ => signed(&connect, device.secret.as_ref())?,
        }
    }
    let subscribed = product.switch(&SUBSCRIBE_ALL)
        || product.switch(&AUTO_SUBSCRIBE) && connect.client_identifier.wants_subscriptions();
    Ok(Admission {
        rules: rules::rules(&DeviceRef::new(names.product_key, names.device_name), &[]),
        manners: Manners { grants_qos_1: product.switch(&SUBACK_QOS_1), ..Manners::default() },
        subscribed,
        notices: notices(sign_in, &connect),
        ..Admission::default()
    })
}

const USER_NAME: &str = "the user name is not {deviceName}&{productKey}";

/// Whether the password is the one that replaces the device's signature. The time does not depend on where
/// they differ.
pub(crate) fn has_password(connect: &Connect<'_>, device: &Device) -> bool {
    let (Some(sent), Some(Secret(kept))) = (connect.password, &device.password) else { return false };
    let different = sent.bytes().zip(kept.bytes()).fold(0, |different, (a, b)| different | (a ^ b));
    different == 0 && sent.len() == kept.len() && !kept.is_empty()
}

/// Whether the password is the signature under this secret; if not, why not.
fn signed(connect: &Connect<'_>, secret: Option<&Secret>) -> Result<(), Refused> {
    let Some(Secret(secret)) = secret else {
        let message = "the registry has no secret to compare the signature with";
        return Err(refused(RefusedCode::Credentials, "no_secret", message));
    };
    if connect.is_signed_with(secret) == Some(true) {
        return Ok(());
    }
    let faults = connect.faults();
    if faults.iter().any(|fault| fault.rule == ConnectRule::PasswordMissing) {
        return Err(refused(RefusedCode::NotAuthorized, "password_missing", "there is no password"));
    }
    if let Some(slip) = connect.slip(secret) {
        let message = format!("the signature is wrong: {}", slip_text(slip));
        return Err(refused(RefusedCode::Credentials, slip_code(slip), message));
    }
    match faults.first() {
        Some(fault) if fault.place == Place::ClientIdentifier => {
            let message = format!("{}, at byte {}", rule_text(fault.rule), fault.span.offset);
            Err(refused(RefusedCode::Identifier, fault.rule.name(), message))
        }
        Some(fault) => Err(refused(RefusedCode::Credentials, fault.rule.name(), rule_text(fault.rule))),
        None => {
            let message = "the password is not the signature under the registered secret";
            Err(refused(RefusedCode::Credentials, "wrong_secret", message))
        }
    }
}

/// A device that connects to register.
fn registers(
    connect: &Connect<'_>,
    way: Way,
    names: UserName<'_>,
    product: &Product,
    device: Option<&Device>,
) -> Result<Admission, Refused> {
    let deny = |rule, message: &str| Err(refused(RefusedCode::NotAuthorized, rule, message));
    if !product.dynamic_registration {
        return deny("registration_off", "devices of this product do not register themselves (6288)");
    }
    signed(connect, product.secret.as_ref())?;
    if !is_id(names.device_name) {
        return deny("device_name", "the device name is not 1 to 64 of A-Z a-z 0-9 _ - . : @");
    }
    let listed = way == Way::Register;
    match device {
        None if listed => {
            let message = format!("no device {} is registered to get its secret", names.device_name);
            return Err(refused(RefusedCode::Credentials, "unknown_device", message));
        }
        Some(device) if device.disabled => return deny("device_disabled", "the device is disabled"),
        Some(device) if device.activated_at_ms.is_some() && !product.switch(&REGISTER_AGAIN) => {
            return deny("already_active", "the device has connected before (6289)");
        }
        _ => {}
    }
    let style = if listed { RegistrationStyle::Secret } else { RegistrationStyle::Token };
    Ok(Admission {
        rules: rules::registration().to_vec(),
        registration: Some(Registration {
            device: DeviceRef::new(names.product_key, names.device_name),
            style,
        }),
        ..Admission::default()
    })
}

/// See [`hexmq_device::Dialect::registered`].
pub(crate) fn registered(sign_in: &SignIn<'_>, registration: &Registration, secret: &Secret) -> Downlink {
    let DeviceRef { product, device } = &registration.device;
    let (topic, payload) = match registration.style {
        RegistrationStyle::Secret => (TOPIC, register::secret(product, device, &secret.0)),
        RegistrationStyle::Token => {
            let client = read(sign_in).client_identifier.client_id;
            (TOPIC_UNLISTED, register::token(client, product, device, &secret.0))
        }
    };
    Downlink {
        topic: topic.to_owned(),
        payload: payload.into_bytes(),
        qos: 0,
        if_subscribed: false,
        correlation: None,
        meaning: "registered".to_owned(),
    }
}

/// What is odd about a sign-in that is served.
fn notices(sign_in: &SignIn<'_>, connect: &Connect<'_>) -> Vec<(&'static str, String)> {
    let mut notices: Vec<(&'static str, String)> = Vec::new();
    for fault in connect.faults() {
        // A password that replaces the signature need not look like one.
        if fault.place == Place::ClientIdentifier {
            notices.push((
                fault.rule.name(),
                format!("{}, at byte {}", rule_text(fault.rule), fault.span.offset),
            ));
        }
    }
    let client = &connect.client_identifier;
    if client.text.contains(|c: char| c.is_ascii_control()) {
        notices.push(("client_id_control", "the client identifier contains control characters".to_owned()));
    }
    match client.value("securemode") {
        Some(mode @ ("2" | "-1")) if !sign_in.secure => {
            notices
                .push(("securemode", format!("securemode={mode} announces TLS, but it came over plain TCP")));
        }
        Some("3") if sign_in.secure => {
            notices.push(("securemode", "securemode=3 announces plain TCP, but it came over TLS".to_owned()));
        }
        _ => {}
    }
    if !KEEP_ALIVE_S.contains(&sign_in.keep_alive_s) {
        let message = format!(
            "keep-alive {} s: the cloud refuses what is outside of 30 to 1200 s",
            sign_in.keep_alive_s
        );
        notices.push(("keep_alive_range", message));
    }
    notices
}

/// A broken rule in a sentence.
pub(crate) const fn rule_text(rule: ConnectRule) -> &'static str {
    match rule {
        ConnectRule::ExtensionOpen => "the parameters of the client identifier do not stand between two |",
        ConnectRule::ExtensionSurplus => "something stands behind the last | of the client identifier",
        ConnectRule::Parameter => "a parameter of the client identifier is not name=value",
        ConnectRule::SignMethod => "signmethod is none of hmacmd5, hmacsha1 and hmacsha256",
        ConnectRule::Timestamp => "timestamp is not digits",
        ConnectRule::Random => "a registration needs random= in the client identifier",
        ConnectRule::UserName => USER_NAME,
        ConnectRule::PasswordMissing => "there is no password",
        ConnectRule::PasswordHex => "the password is not hexadecimal",
        ConnectRule::PasswordLength => "the password is not as long as its sign method makes it",
    }
}

/// The stable name of a slip.
const fn slip_code(slip: Slip) -> &'static str {
    match slip {
        Slip::OtherMethod(_) => "wrong_sign_method",
        Slip::TimestampLeftOut => "timestamp_not_signed",
        Slip::WholeClientIdentifier => "whole_client_id_signed",
        Slip::NamesSwapped => "names_swapped",
        Slip::SecretCase => "secret_case",
        Slip::SecretBlanks => "secret_blanks",
    }
}

/// A slip in a sentence.
fn slip_text(slip: Slip) -> String {
    match slip {
        Slip::OtherMethod(hash) => {
            format!("it was made with hmac{}, not with the signmethod named", hash.name())
        }
        Slip::TimestampLeftOut => "the timestamp of the client identifier was not signed".to_owned(),
        Slip::WholeClientIdentifier => {
            "the whole client identifier was signed instead of the part before the first |".to_owned()
        }
        Slip::NamesSwapped => "device name and product key were signed in each other's place".to_owned(),
        Slip::SecretCase => "the secret was used in other letter case".to_owned(),
        Slip::SecretBlanks => "the secret was used with blanks or a line end around it".to_owned(),
    }
}
