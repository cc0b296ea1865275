//! The doctor of the legacy access.

use hexmq_device::{Device, Diagnosis, Ingredient, Product, SignIn};

use super::admission;
use super::quirk;
use crate::doctor::{Finding, Findings};
use crate::{secret, token};

pub(super) fn diagnose(
    sign_in: &SignIn<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
) -> Diagnosis {
    let mut findings = Findings::default();
    findings.identity(sign_in, product, device);
    let wrong = match (product, device) {
        (Some(product), Some(device)) => secret_finding(sign_in, product, device),
        _ => None,
    };
    let is_judged = product.is_some() && device.is_some();
    let ingredient = Ingredient {
        name: "secret",
        sent: sign_in.password.map(|password| format!("{} bytes", password.len())),
        expected: None,
        right: is_judged.then_some(wrong.is_none()),
        note: None,
    };
    findings.add(ingredient, wrong);
    findings.enabled(device);
    let refused = match (product, findings.is_clean()) {
        (Some(product), true) => admission::verify(sign_in, product, device).err(),
        _ => None,
    };
    findings.close(refused)
}

fn secret_finding(sign_in: &SignIn<'_>, product: &Product, device: &Device) -> Option<Finding> {
    let Some(password) = sign_in.password else {
        let message = "no password";
        return Some(Finding::new("password_missing", message, "send the auth info or an API key"));
    };
    if admission::is_right(product, device, password) {
        return None;
    }
    let text = String::from_utf8_lossy(password);
    let is_key = secret::is_device_key(device, password) || secret::is_master_key(product, password);
    if is_key {
        let switch = quirk::API_KEY_AS_PASSWORD.name;
        let hint = format!("send the auth info, or switch {switch} on for the product");
        return Some(Finding::new("api_key_off", "an API key, which this product does not take", hint));
    }
    if admission::is_right(product, device, text.trim().as_bytes()) {
        let message = "the password has blanks or a line feed around it";
        return Some(Finding::new("blanks", message, "remove them"));
    }
    let stored = [&device.secret, &device.password, &product.secret];
    if stored.into_iter().flatten().any(|stored| stored.0.eq_ignore_ascii_case(&text)) {
        let message = "the password has other letter case than the secret";
        return Some(Finding::new("letter_case", message, "send it as it is written"));
    }
    if token::is_meant(&text) {
        let message = "the password is a token, but the product has the legacy access";
        let hint = "send the auth info, or register the product with the dialect onenet-token";
        return Some(Finding::new("token_for_legacy", message, hint));
    }
    if text == device.id || text == product.id {
        let message = "the password is the id of the device or product";
        return Some(Finding::new("wrong_secret", message, "send the auth info or an API key"));
    }
    let message = "the password is neither the auth info nor an API key of the device";
    let hint = "compare it with the device's secret in the registry, or set that to what the firmware sends";
    Some(Finding::new("wrong_secret", message, hint))
}
