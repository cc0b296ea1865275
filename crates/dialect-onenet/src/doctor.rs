//! Why somebody is not let in: the ingredients of a sign-in one by one, and the finding that decides.
//!
//! Secrets are compared, never shown.

use hexmq_device::{Device, Diagnosis, Ingredient, Product, SignIn};

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    ingredients: Vec<Ingredient>,
    decisive: Option<Finding>,
}

/// One thing that keeps a device out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Stable name.
    pub(crate) code: &'static str,
    /// In a sentence.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}

impl Finding {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { code, message: message.into(), hint: hint.into() }
    }
}

impl Findings {
    /// An ingredient, and what is wrong with it; the first that is wrong decides.
    pub(crate) fn add(&mut self, ingredient: Ingredient, finding: Option<Finding>) {
        let ingredient = match (&finding, ingredient.note) {
            (Some(finding), None) => Ingredient { note: Some(finding.message.clone()), ..ingredient },
            (_, note) => Ingredient { note, ..ingredient },
        };
        self.ingredients.push(ingredient);
        self.blame(finding);
    }

    /// Something wrong that is no ingredient's.
    pub(crate) fn blame(&mut self, finding: Option<Finding>) {
        self.decisive = self.decisive.take().or(finding);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.decisive.is_none()
    }

    /// The diagnosis; `refused`: what the check itself says, for a case that no finding explains.
    pub(crate) fn close(self, refused: Option<hexmq_device::Refused>) -> Diagnosis {
        let refused = refused.map(|refused| {
            Finding::new(refused.rule, refused.message, "see the ingredients for what was expected")
        });
        match self.decisive.or(refused) {
            Some(Finding { code, message, hint }) => {
                Diagnosis { admitted: false, code, message, hint, ingredients: self.ingredients }
            }
            None => Diagnosis {
                admitted: true,
                code: "ok",
                message: "everything is right: the device would be let in".into(),
                hint: String::new(),
                ingredients: self.ingredients,
            },
        }
    }

    /// Judges the user name as the product and the client identifier as the device.
    pub(crate) fn identity(
        &mut self,
        sign_in: &SignIn<'_>,
        product: Option<&Product>,
        device: Option<&Device>,
    ) {
        let wrong = product_finding(sign_in, product, device);
        let known = product.map(|product| product.id.clone());
        self.add(
            Ingredient {
                name: "product",
                sent: sign_in.user_name.map(str::to_owned),
                expected: known,
                right: Some(wrong.is_none()),
                note: None,
            },
            wrong,
        );
        let wrong = device_finding(sign_in, product, device);
        self.add(
            Ingredient {
                name: "device",
                sent: Some(sign_in.client_identifier.to_owned()),
                expected: device.map(|device| device.id.clone()),
                right: product.map(|_| wrong.is_none()),
                note: None,
            },
            wrong.filter(|_| product.is_some()),
        );
    }

    /// Judges whether the device may connect at all; asked last, as the check asks it.
    pub(crate) fn enabled(&mut self, device: Option<&Device>) {
        let Some(device) = device else { return };
        let disabled = device.disabled.then(|| {
            Finding::new(
                "device_disabled",
                format!("device {} is disabled", device.id),
                "enable the device in the registry",
            )
        });
        let right = Some(!device.disabled);
        self.add(Ingredient { name: "enabled", sent: None, expected: None, right, note: None }, disabled);
    }
}

const SWAPPED: &str =
    "OneNET takes the product id as user name and the device as client identifier: swap them";

fn product_finding(
    sign_in: &SignIn<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
) -> Option<Finding> {
    let Some(user_name) = sign_in.user_name.filter(|name| !name.is_empty()) else {
        return Some(Finding::new(
            "user_name_missing",
            "no user name: such a CONNECT is a plain client's, never a device's",
            "set the user name to the product id",
        ));
    };
    let Some(product) = product else {
        let blanks = user_name.trim() != user_name;
        let hint = if blanks {
            "there are blanks around the user name: remove them"
        } else {
            "register the product, or correct the user name: it is the product id, and the client identifier is \
             the device"
        };
        return Some(Finding::new("unknown_product", format!("no product is called \"{user_name}\""), hint));
    };
    if user_name == product.id {
        return None;
    }
    let is_swapped = sign_in.client_identifier == product.id || device.is_some_and(|it| it.id == user_name);
    Some(if is_swapped {
        Finding::new("swapped", "user name and client identifier are the wrong way round", SWAPPED)
    } else {
        differs("product", "the user name", user_name, &product.id)
    })
}

fn device_finding(
    sign_in: &SignIn<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
) -> Option<Finding> {
    let sent = sign_in.client_identifier;
    if let Some(device) = device {
        return (device.id != sent).then(|| differs("device", "the client identifier", sent, &device.id));
    }
    let product = product.map_or("", |product| &*product.id);
    if sent == product {
        return Some(Finding::new("swapped", "the client identifier is the product id", SWAPPED));
    }
    let hint = if sent.trim() == sent {
        "register the device, or correct the client identifier; letter case counts"
    } else {
        "there are blanks around the client identifier: remove them"
    };
    let message = format!("product {product} has no device \"{sent}\"");
    Some(Finding::new("unknown_device", message, hint))
}

/// How what was sent differs from what it would have to be.
fn differs(ingredient: &'static str, what: &str, sent: &str, expected: &str) -> Finding {
    if sent.trim() == expected {
        let message = format!("{what} has blanks around it");
        return Finding::new("blanks", message, format!("send \"{expected}\" and nothing else"));
    }
    if sent.eq_ignore_ascii_case(expected) {
        let message = format!("{what} has other letter case than the {ingredient}");
        return Finding::new("letter_case", message, format!("send \"{expected}\" as it is written"));
    }
    let code = if ingredient == "product" { "wrong_product" } else { "wrong_device" };
    Finding::new(code, format!("{what} is not {expected}"), format!("send \"{expected}\""))
}
