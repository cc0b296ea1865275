//! The doctor of the accesses by token.

use hexmq_device::{Device, Diagnosis, Ingredient, Product, SignIn};

use super::admission;
use crate::doctor::{Finding, Findings};
use crate::secret;
use crate::token::{Resource, Slip, Token, TokenRule};

pub(super) fn diagnose(
    sign_in: &SignIn<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
    now_ms: i64,
) -> Diagnosis {
    let mut findings = Findings::default();
    findings.identity(sign_in, product, device);
    let password = sign_in.password.unwrap_or_default();
    let text = String::from_utf8_lossy(password);
    let is_override = device.is_some_and(|device| secret::is_override(device, password));
    if !is_override {
        match Token::parse(&text) {
            Ok(token) => ingredients(&mut findings, &token, product, device, now_ms),
            Err(error) => {
                let wrong = no_token(&text, error.rule, error.parameter, error.to_string());
                findings.add(ingredient("token", None, None, Some(false)), Some(wrong));
            }
        }
    }
    findings.enabled(device);
    let refused = match (product, findings.is_clean()) {
        (Some(product), true) => admission::verify(sign_in, product, device, now_ms).err(),
        _ => None,
    };
    findings.close(refused)
}

fn ingredient(
    name: &'static str,
    sent: Option<String>,
    expected: Option<String>,
    right: Option<bool>,
) -> Ingredient {
    Ingredient { name, sent, expected, right, note: None }
}

fn no_token(text: &str, rule: TokenRule, parameter: &str, said: String) -> Finding {
    if text.is_empty() {
        return Finding::new(
            "token_missing",
            "no password",
            "send a token: version=…&res=…&et=…&method=…&sign=…",
        );
    }
    if !crate::token::is_meant(text) {
        let message = "the password is no token";
        let hint =
            "compute a token from the access key; the key itself, or an auth info, is for the legacy access";
        return Finding::new("token_missing", message, hint);
    }
    let hint = match rule {
        TokenRule::Missing => format!("add {parameter}"),
        TokenRule::Escape => format!("write each % in {parameter} as %25, or leave the escapes out"),
        TokenRule::Expiry => "write et as Unix seconds".to_owned(),
        TokenRule::Method => "use md5, sha1 or sha256".to_owned(),
        TokenRule::Sign => "write the HMAC in base64, not in hexadecimal".to_owned(),
    };
    Finding::new(rule.name(), said, hint)
}

fn ingredients(
    findings: &mut Findings,
    token: &Token<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
    now_ms: i64,
) {
    let wrong = resource_finding(token, product, device);
    let expected = product.zip(device).map(|(p, d)| format!("products/{}/devices/{}", p.id, d.id));
    let right = product.map(|_| wrong.is_none());
    findings.add(ingredient("resource", Some(token.resource.to_string()), expected, right), wrong);

    let now = product.map_or(now_ms.div_euclid(1000), |product| admission::forgiving_now(product, now_ms));
    let expired = (token.expiry < now).then(|| {
        let ago = now_ms.div_euclid(1000).saturating_sub(token.expiry);
        let message = format!("the token expired {ago} s ago");
        Finding::new("token_expired", message, "compute a new token; check the clock of who computes it")
    });
    let expected = Some(format!("at least {now}"));
    let right = Some(expired.is_none());
    findings.add(ingredient("expiry", Some(token.expiry.to_string()), expected, right), expired);

    findings.add(ingredient("method", Some(token.method.name().to_owned()), None, Some(true)), None);
    if let Some((product, device)) = product.zip(device) {
        let wrong = sign_finding(token, product, device);
        findings.add(ingredient("signature", None, None, Some(wrong.is_none())), wrong);
    }
}

fn resource_finding(
    token: &Token<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
) -> Option<Finding> {
    let (of, named) = match token.resource() {
        Some(Resource::Device { product, device }) => (product, Some(device)),
        Some(Resource::Product { product }) => (product, None),
        Some(Resource::User { .. }) => {
            let message = "the token is a user's, for the open API";
            let hint = "sign products/{product}/devices/{device}";
            return Some(Finding::new("token_resource", message, hint));
        }
        None => {
            let message = format!("\"{}\" is no resource", token.resource);
            return Some(Finding::new(
                "token_resource",
                message,
                "write products/{product}/devices/{device}",
            ));
        }
    };
    let differs = |what: &str, said: &str, known: &str| {
        let hint = if said.eq_ignore_ascii_case(known) {
            format!("letter case counts: sign \"{known}\"")
        } else {
            format!("sign a resource with \"{known}\"")
        };
        Finding::new("token_resource", format!("the token is for {what} \"{said}\""), hint)
    };
    if let Some(product) = product.filter(|product| product.id != of) {
        return Some(differs("product", of, &product.id));
    }
    let device = device.filter(|device| named.is_some_and(|named| named != device.id))?;
    Some(differs("device", named.unwrap_or_default(), &device.id))
}

fn sign_finding(token: &Token<'_>, product: &Product, device: &Device) -> Option<Finding> {
    let keys = admission::keys(product, device);
    if keys.iter().any(|key| token.is_signed_with(key)) {
        return None;
    }
    if keys.is_empty() {
        let message = "neither the device nor the product has an access key";
        return Some(Finding::new("key_missing", message, "register the access key as the device's secret"));
    }
    let slip = keys.iter().find_map(|key| token.slip(key));
    let (code, message, hint) = match slip {
        Some(Slip::KeyNotDecoded) => (
            "key_not_decoded",
            "signed with the text of the key instead of what it is in base64",
            "decode the access key from base64 before signing",
        ),
        Some(Slip::OtherMethod(_)) => (
            "sign_method",
            "signed with another hash function than the token names",
            "sign with the method that the token names, and sign that name",
        ),
        Some(Slip::ResourceEscaped) => (
            "resource_escaped",
            "the resource was signed with its escapes",
            "sign the plain resource; escape only in the token",
        ),
        Some(Slip::LineFeedAtEnd) => (
            "line_feed",
            "a line feed behind the last value was signed too",
            "put line feeds between the values only",
        ),
        Some(Slip::NoLineFeeds) => (
            "no_line_feeds",
            "the line feeds between the values were left out",
            "sign et, method, res and version with line feeds in between",
        ),
        None => of_another_key(token, product),
    };
    Some(Finding::new(code, message, hint))
}

/// The product's key is known even where it is not accepted.
fn of_another_key(token: &Token<'_>, product: &Product) -> (&'static str, &'static str, &'static str) {
    let is_of_product = product.secret.as_ref().is_some_and(|key| token.is_signed_with(&key.0));
    if is_of_product {
        (
            "product_key_off",
            "signed with the product's key, which this product does not take",
            "sign with the device's key, or switch product_key on for the product",
        )
    } else {
        (
            "wrong_secret",
            "the sign fits neither the device's key nor the product's",
            "compare the access key with the device's secret in the registry",
        )
    }
}
