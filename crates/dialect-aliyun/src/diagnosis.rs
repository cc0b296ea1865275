//! The credential doctor: which ingredient of a sign-in is wrong.
//!
//! It shows what was sent and what would be right where that is no secret; it never shows a secret, a password
//! or a signature that would be right.

use hexmq_device::mac::HashName;
use hexmq_device::{Device, Diagnosis, Ingredient, Product, Secret, SignIn};

use crate::connect::{Connect, ConnectFault, ConnectRule, Place, SignIn as Way, UserName};
use crate::sign::{connect_content, method_name, register_content, verify};
use crate::sign_in::{self, KEEP_ALIVE_S, rule_text};
use crate::topic::is_product_key;

/// The constant that the vendor's C library and its like sign in place of a time.
const CONSTANT_TIMESTAMP: &str = "2524608000000";

/// What is decisive: stable name, sentence, what to do.
struct Finding {
    code: &'static str,
    message: String,
    hint: &'static str,
}

fn finding(code: &'static str, message: impl Into<String>, hint: &'static str) -> Finding {
    Finding { code, message: message.into(), hint }
}

/// See [`hexmq_device::Dialect::diagnose`].
pub(crate) fn diagnose(
    sign_in: &SignIn<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
) -> Diagnosis {
    let connect = sign_in::read(sign_in);
    let decisive = decide(sign_in, &connect, product, device);
    let ingredients = ingredients(sign_in, &connect, product, device, &decisive);
    match decisive {
        None => Diagnosis {
            admitted: true,
            code: "ok",
            message: "everything fits: the device would be let in".to_owned(),
            hint: String::new(),
            ingredients,
        },
        Some(Finding { code, message, hint }) => {
            Diagnosis { admitted: false, code, message, hint: hint.to_owned(), ingredients }
        }
    }
}

fn decide(
    sign_in: &SignIn<'_>,
    connect: &Connect<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
) -> Option<Finding> {
    let Some(names) = connect.user_name else {
        let hint = "send {deviceName}&{productKey} as user name";
        return Some(finding("user_name_form", "the user name is not {deviceName}&{productKey}", hint));
    };
    if let Some(found) = misnamed(names, product, device) {
        return Some(found);
    }
    let Some(product) = product else {
        let message = format!("no product {} is registered", names.product_key);
        let hint =
            "register the product under its ProductKey, or correct the part of the user name behind the &";
        return Some(finding("unknown_product", message, hint));
    };
    let refused = sign_in::verify(sign_in, product, device).err()?;
    let registers = matches!(connect.sign_in(), Way::Register | Way::RegisterUnlisted);
    let secret = if registers { product.secret.as_ref() } else { device.and_then(|it| it.secret.as_ref()) };
    let guessed = ["wrong_secret", "password_not_hex", "password_length"].contains(&refused.rule);
    if let Some(found) =
        secret.filter(|_| guessed).and_then(|key| guess(connect, key, names, product, device))
    {
        return Some(found);
    }
    Some(Finding { code: refused.rule, message: refused.message, hint: hint(refused.rule) })
}

/// The user name against what is known from elsewhere.
fn misnamed(names: UserName<'_>, product: Option<&Product>, device: Option<&Device>) -> Option<Finding> {
    let order = "the product key stands in front of the &, and the device name behind it";
    let hint_order = "send {deviceName}&{productKey}: the device name comes first";
    let hint_case = "write it as it is registered: letter case counts";
    match (product, device) {
        (Some(product), _) if product.id == names.product_key => {}
        (Some(product), _) if product.id == names.device_name => {
            return Some(finding("user_name_order", order, hint_order));
        }
        (Some(product), _) if product.id.eq_ignore_ascii_case(names.product_key) => {
            let message = format!("the product key is {}, in this letter case", product.id);
            return Some(finding("product_key_case", message, hint_case));
        }
        (None, _) if is_product_key(names.device_name) && !is_product_key(names.product_key) => {
            return Some(finding("user_name_order", order, hint_order));
        }
        _ => {}
    }
    let device = device?;
    if device.id != names.device_name && device.id.eq_ignore_ascii_case(names.device_name) {
        let message = format!("the device name is {}, in this letter case", device.id);
        return Some(finding("device_name_case", message, hint_case));
    }
    None
}

/// What was signed, or with what, if it was not what the vendor asks for.
fn guess(
    connect: &Connect<'_>,
    Secret(secret): &Secret,
    names: UserName<'_>,
    product: &Product,
    device: Option<&Device>,
) -> Option<Finding> {
    let password = connect.password?;
    if password == secret {
        let hint = "send the signature in hexadecimal, made with the secret";
        return Some(finding("secret_as_password", "the password is the secret itself", hint));
    }
    let UserName { device_name: dn, product_key: pk } = names;
    let client = &connect.client_identifier;
    let fits = |secret: &str, content: &str| {
        HashName::ALL.into_iter().any(|hash| verify(hash, secret, content, password))
    };
    let registers = connect.sign_in() != Way::Secret;
    let content = connect.content()?;
    let (other, code, text, hint) = if registers {
        let own = device.and_then(|device| device.secret.as_ref());
        let text = "it was signed with the secret of the device";
        (own, "device_secret_used", text, "sign a registration with the secret of the product")
    } else {
        let text = "it was signed with the secret of the product";
        (product.secret.as_ref(), "product_secret_used", text, "sign with the secret of the device")
    };
    if other.is_some_and(|Secret(other)| fits(other, &content)) {
        return Some(finding(code, text, hint));
    }
    if registers {
        let signed_like_connect = connect_content(client.client_id, dn, pk, client.value("timestamp"));
        let hint = "sign deviceName{deviceName}productKey{productKey}random{random}";
        return fits(secret, &signed_like_connect).then(|| {
            finding("connect_content_signed", "it was signed like a sign-in, not like a registration", hint)
        });
    }
    if let Some(random) = client.value("random")
        && fits(secret, &register_content(dn, pk, random))
    {
        let hint = "sign clientId{clientId}deviceName{deviceName}productKey{productKey}";
        return Some(finding("register_content_signed", "it was signed like a registration", hint));
    }
    guess_content(client.client_id, names, client.value("timestamp"), |content| fits(secret, content))
}

fn guess_content(
    id: &str,
    UserName { device_name: dn, product_key: pk }: UserName<'_>,
    timestamp: Option<&str>,
    fits: impl Fn(&str) -> bool,
) -> Option<Finding> {
    if timestamp != Some(CONSTANT_TIMESTAMP) && fits(&connect_content(id, dn, pk, Some(CONSTANT_TIMESTAMP))) {
        let message = format!(
            "timestamp {CONSTANT_TIMESTAMP} was signed, but the client identifier has another or none"
        );
        let hint = "put the timestamp that is signed into the client identifier as timestamp=";
        return Some(finding("timestamp_missing", message, hint));
    }
    let others = [
        dn.to_owned(),
        pk.to_owned(),
        format!("{pk}.{dn}"),
        format!("{pk}&{dn}"),
        format!("{dn}&{pk}"),
        format!("{dn}.{pk}"),
    ];
    if let Some(other) = others.iter().find(|other| fits(&connect_content(other, dn, pk, timestamp))) {
        let message = format!("clientId {other} was signed, but the client identifier begins with {id}");
        let hint = "sign what stands in front of the first | of the client identifier";
        return Some(finding("other_client_id", message, hint));
    }
    let tail = timestamp.map_or(String::new(), |timestamp| format!("timestamp{timestamp}"));
    let unsorted = [
        format!("clientId{id}productKey{pk}deviceName{dn}{tail}"),
        format!("productKey{pk}deviceName{dn}clientId{id}{tail}"),
        format!("deviceName{dn}productKey{pk}clientId{id}{tail}"),
        format!("{id}{dn}{pk}{}", timestamp.unwrap_or_default()),
    ];
    unsorted.iter().any(|content| fits(content)).then(|| {
        let message = "names and values were signed in another order, or values without their names";
        let hint = "sign clientId{..}deviceName{..}productKey{..}timestamp{..}: in the order of the names, nothing between";
        finding("content_order", message, hint)
    })
}

fn hint(rule: &str) -> &'static str {
    match rule {
        "unknown_device" => "register the device, or correct the part of the user name in front of the &",
        "device_disabled" => "enable the device",
        "registration_off" => "switch dynamic registration on for the product, or give the device its secret",
        "already_active" => {
            "use the secret the device got, or switch aliyun_register_again on for the product"
        }
        "no_secret" => "give the device (for a registration: the product) its secret",
        "password_missing" => "send the signature as password",
        "wrong_token" => "register the device again, or set its password to the token it has",
        "wrong_secret" => {
            "compare the secret in the device with the registered one; if it is lost, set a password"
        }
        "keep_alive_range" => "use 30 to 1200 seconds, or switch aliyun_keep_alive_range off for the product",
        "client_id_not_closed" => "write {clientId}|securemode=3,signmethod=hmacsha1| with both |",
        "sign_method" => "use hmacmd5, hmacsha1 or hmacsha256",
        "random_missing" => "add random= to the client identifier of a registration",
        "wrong_sign_method" => "name in signmethod= what the signature is made with",
        "timestamp_not_signed" => "sign the timestamp too, or leave it out of the client identifier",
        "whole_client_id_signed" => "sign what stands in front of the first | only",
        "names_swapped" => "sign deviceName{deviceName}productKey{productKey}",
        "secret_case" => "use the secret in the letter case in which it is registered",
        "secret_blanks" => "use the secret without blanks and line ends around it",
        _ => "compare what is sent with what is registered",
    }
}

fn ingredient(name: &'static str, sent: Option<&str>, right: Option<bool>) -> Ingredient {
    Ingredient { name, sent: sent.map(str::to_owned), expected: None, right, note: None }
}

fn ingredients(
    sign_in: &SignIn<'_>,
    connect: &Connect<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
    decisive: &Option<Finding>,
) -> Vec<Ingredient> {
    let faults = connect.faults();
    let names = connect.user_name;
    let expected = product.zip(device).map(|(product, device)| format!("{}&{}", device.id, product.id));
    let key_right = product.map(|product| names.is_some_and(|names| names.product_key == product.id));
    let name_right = device.map(|device| names.is_some_and(|names| names.device_name == device.id));
    let mut list = vec![
        Ingredient {
            right: Some(names.is_some() && key_right != Some(false) && name_right != Some(false)),
            expected,
            ..ingredient("user_name", sign_in.user_name, None)
        },
        Ingredient {
            expected: product.map(|product| product.id.clone()),
            right: Some(key_right.unwrap_or(false)),
            ..ingredient("product", names.map(|names| names.product_key), None)
        },
        Ingredient {
            expected: device.map(|device| device.id.clone()),
            right: product.map(|_| name_right.unwrap_or(false)),
            note: device.filter(|device| device.disabled).map(|_| "the device is disabled".to_owned()),
            ..ingredient("device", names.map(|names| names.device_name), None)
        },
        client_identifier(sign_in, &faults),
    ];
    list.extend(method_and_time(connect, decisive));
    list.push(signature(connect, product, device, decisive));
    if let Some(mode) = connect.client_identifier.value("securemode") {
        let fits = matches!((mode, sign_in.secure), ("2" | "-1", true) | ("3", false) | ("-2", _));
        let transport = if sign_in.secure { "TLS" } else { "plain TCP" };
        list.push(Ingredient {
            note: Some(format!("it came over {transport}; the mode is not enforced")),
            ..ingredient("securemode", Some(mode), Some(fits))
        });
    }
    let right = KEEP_ALIVE_S.contains(&sign_in.keep_alive_s);
    list.push(Ingredient {
        expected: Some("30 to 1200".to_owned()),
        ..ingredient("keep_alive", Some(&sign_in.keep_alive_s.to_string()), Some(right))
    });
    list
}

fn client_identifier(sign_in: &SignIn<'_>, faults: &[ConnectFault]) -> Ingredient {
    let fault = faults.iter().find(|fault| {
        fault.place == Place::ClientIdentifier
            && !matches!(fault.rule, ConnectRule::SignMethod | ConnectRule::Timestamp)
    });
    Ingredient {
        note: fault.map(|fault| format!("{}, at byte {}", rule_text(fault.rule), fault.span.offset)),
        expected: fault.map(|_| "{clientId}|securemode=3,signmethod=hmacsha1|".to_owned()),
        ..ingredient("client_id", Some(sign_in.client_identifier), Some(fault.is_none()))
    }
}

fn method_and_time(connect: &Connect<'_>, decisive: &Option<Finding>) -> [Ingredient; 2] {
    let code = decisive.as_ref().map(|found| found.code);
    let client = &connect.client_identifier;
    let named = client.value("signmethod");
    let method = connect.method();
    let made = connect.password.map(str::len).and_then(|length| HashName::of_length(length / 2));
    let fits = match (method, made) {
        (None, _) => Some(false),
        (Some(method), Some(made)) => Some(method == made && code != Some("wrong_sign_method")),
        (Some(_), None) => None,
    };
    let timestamp = client.value("timestamp");
    let digits = timestamp.is_none_or(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let wrong = matches!(code, Some("timestamp_not_signed" | "timestamp_missing"));
    [
        Ingredient {
            expected: made.filter(|_| fits == Some(false)).map(|made| method_name(made).to_owned()),
            note: named.is_none().then(|| "hmacmd5 is meant where none is named".to_owned()),
            ..ingredient("sign_method", named, fits)
        },
        Ingredient {
            note: Some("it need not be there and may be of any time; if it is there it is signed".to_owned()),
            ..ingredient("timestamp", timestamp, Some(digits && !wrong))
        },
    ]
}

/// The signature: what is signed is told, what it would have to be is not.
fn signature(
    connect: &Connect<'_>,
    product: Option<&Product>,
    device: Option<&Device>,
    decisive: &Option<Finding>,
) -> Ingredient {
    let registers = matches!(connect.sign_in(), Way::Register | Way::RegisterUnlisted);
    let secret = if registers {
        product.and_then(|it| it.secret.as_ref())
    } else {
        device.and_then(|it| it.secret.as_ref())
    };
    let replaced = device.is_some_and(|device| sign_in::has_password(connect, device));
    let right = match secret {
        _ if replaced => Some(true),
        Some(Secret(secret)) => Some(connect.is_signed_with(secret).unwrap_or(false)),
        None => None,
    };
    let mut note = connect.content().map(|content| format!("signed is: {content}"));
    if replaced {
        note = Some("the password is the one that replaces the signature".to_owned());
    } else if let (Some(false), Some(found)) = (right, decisive) {
        let signed = note.map(|note| format!("; {note}")).unwrap_or_default();
        note = Some(format!("{}{signed}", found.message));
    }
    Ingredient { note, ..ingredient("signature", None, right) }
}
