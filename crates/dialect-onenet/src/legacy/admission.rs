//! Who is let in, and what a device may do then.

use hexmq_device::{Admission, Device, Manners, Product, Reach, Refused, RefusedCode, SignIn, TopicRule};

use super::quirk;
use crate::secret;

/// The checks in the document's order: device (2), secret (4), disabled (5).
pub(super) fn verify(
    sign_in: &SignIn<'_>,
    product: &Product,
    device: Option<&Device>,
) -> Result<Admission, Refused> {
    let device = device.ok_or_else(|| crate::connect::unknown_device(sign_in, product))?;
    let Some(password) = sign_in.password else {
        return Err(Refused {
            code: RefusedCode::Credentials,
            rule: "password_missing",
            message: "no password: it is the device's auth info, or an API key".into(),
        });
    };
    if !is_right(product, device, password) {
        return Err(Refused {
            code: RefusedCode::Credentials,
            rule: "wrong_secret",
            message: format!(
                "the password is neither the auth info of device {} nor an API key that it may use",
                device.id
            ),
        });
    }
    if device.disabled {
        return Err(crate::connect::disabled(device));
    }
    Ok(Admission { rules: rules(product), manners: manners(product), ..Admission::default() })
}

/// Whether the password is one that this device may use.
pub(super) fn is_right(product: &Product, device: &Device, password: &[u8]) -> bool {
    let keys = product.switch(&quirk::API_KEY_AS_PASSWORD)
        && (secret::is_device_key(device, password) || secret::is_master_key(product, password));
    keys || secret::is_device_secret(device, password) || secret::is_override(device, password)
}

fn rules(product: &Product) -> Vec<TopicRule> {
    let rule = |filter: &str, publish, subscribe, reach| TopicRule {
        filter: filter.to_owned(),
        publish,
        subscribe,
        reach,
    };
    let mut rules = vec![
        rule(crate::dp::TOPIC, true, false, Reach::Platform),
        rule("$crsp/#", true, false, Reach::Platform),
    ];
    if product.switch(&quirk::COMMAND_FILTER_GRANTED) {
        rules.push(rule("$creq/#", false, true, Reach::Platform));
    }
    // A wildcard at the beginning does not match `$` topics: whatever else begins with `$` is forbidden.
    rules.push(rule("#", true, true, Reach::Both));
    rules
}

fn manners(product: &Product) -> Manners {
    Manners {
        zero_flags: product.switch(&quirk::ZERO_FLAGS),
        pubrel_as_pubcomp: product.switch(&quirk::PUBREL_AS_PUBCOMP),
        packet_gap_ms: product.switch(&quirk::ONE_PACKET_PER_SEGMENT).then_some(quirk::PACKET_GAP_MS),
        no_retain: product.switch(&quirk::NO_RETAIN),
        largest_qos: if product.switch(&quirk::HOLD_QOS_2) { 1 } else { 2 },
        ..Manners::default()
    }
}
