//! Who is let in with which token, and what a device may do then.

use hexmq_device::{Admission, Device, Manners, Product, Reach, Refused, RefusedCode, SignIn, TopicRule};

use super::quirk;
use crate::secret;
use crate::token::{Denied, Token, key_bytes};

pub(super) fn verify(
    sign_in: &SignIn<'_>,
    product: &Product,
    device: Option<&Device>,
    now_ms: i64,
) -> Result<Admission, Refused> {
    let device = device.ok_or_else(|| crate::connect::unknown_device(sign_in, product))?;
    let password = sign_in.password.unwrap_or_default();
    let mut notices = Vec::new();
    if !secret::is_override(device, password) {
        let token = read(password)?;
        judge(&token, product, device, now_ms)?;
        notices = oddities(&token, product, device, now_ms);
    }
    if device.disabled {
        return Err(crate::connect::disabled(device));
    }
    let manners = Manners { no_retain: product.switch(&quirk::NO_RETAIN), ..Manners::default() };
    Ok(Admission { rules: rules(product, device), manners, notices, ..Admission::default() })
}

/// The keys that may have signed, the device's own first.
pub(super) fn keys<'a>(product: &'a Product, device: &'a Device) -> Vec<&'a str> {
    let of_product = product.secret.as_ref().filter(|_| product.switch(&quirk::PRODUCT_KEY));
    let keys = [device.secret.as_ref(), of_product].into_iter().flatten();
    keys.map(|secret| secret.0.as_str()).filter(|key| !key.is_empty()).collect()
}

/// Now in Unix seconds, as far back as the product's switch allows.
pub(super) fn forgiving_now(product: &Product, now_ms: i64) -> i64 {
    let skew = if product.switch(&quirk::CLOCK_SKEW) { quirk::SKEW_S } else { 0 };
    now_ms.div_euclid(1000).saturating_sub(skew)
}

fn refused(rule: &'static str, message: String) -> Refused {
    Refused { code: RefusedCode::NotAuthorized, rule, message }
}

fn read(password: &[u8]) -> Result<Token<'_>, Refused> {
    let unreadable =
        || refused("token_missing", "the password is no token: version=…&res=…&et=…&method=…&sign=…".into());
    let text = std::str::from_utf8(password).map_err(|_| unreadable())?;
    if !crate::token::is_meant(text) {
        return Err(unreadable());
    }
    Token::parse(text).map_err(|error| refused(error.rule.name(), format!("the token: {error}")))
}

fn judge(token: &Token<'_>, product: &Product, device: &Device, now_ms: i64) -> Result<(), Refused> {
    let now = forgiving_now(product, now_ms);
    token.admits(&product.id, &device.id, &keys(product, device), now).map_err(|denied| match denied {
        Denied::Expired => refused(
            "token_expired",
            format!(
                "the token expired at {} (Unix seconds), {} s ago",
                token.expiry,
                now_ms / 1000 - token.expiry
            ),
        ),
        Denied::Resource => refused(
            "token_resource",
            format!(
                "the token is for \"{}\", not for device {} of product {}",
                token.resource, device.id, product.id
            ),
        ),
        Denied::Sign => {
            refused("token_signature", "the sign fits neither the device's key nor the product's".into())
        }
    })
}

fn oddities(
    token: &Token<'_>,
    product: &Product,
    device: &Device,
    now_ms: i64,
) -> Vec<(&'static str, String)> {
    let mut notices = Vec::new();
    if token.expiry < now_ms.div_euclid(1000) {
        notices.push((
            "token_expired",
            format!("the token expired at {}, but for less than 300 s", token.expiry),
        ));
    }
    let used = keys(product, device).into_iter().find(|key| token.is_signed_with(key));
    if used.is_some_and(|key| !key_bytes(key).1) {
        notices
            .push(("key_not_base64", "the access key is not base64: its text was taken as the key".into()));
    }
    notices
}

fn rules(product: &Product, device: &Device) -> Vec<TopicRule> {
    // What a device publishes there is for the platform alone: an echo would match its own wildcard, and a
    // library of the vendor crashes on it.
    let own = format!("$sys/{}/{}/#", product.id, device.id);
    let mut rules = vec![TopicRule { filter: own, publish: true, subscribe: true, reach: Reach::Platform }];
    if product.switch(&quirk::TOPICS_BETWEEN_DEVICES) {
        rules.push(TopicRule { filter: "#".into(), publish: true, subscribe: true, reach: Reach::Both });
    }
    rules
}
