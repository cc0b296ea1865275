//! The three strings of a CONNECT to Aliyun: client identifier with its extension, names, signature.

use hexmq_device::Span;
use hexmq_device::mac::HashName;
use hexmq_dialect_aliyun::connect::{
    ClientIdentifier, Connect, ConnectFault, ConnectRule, Parameter, Place, SignIn, Slip,
};
use hexmq_dialect_aliyun::sign::{method_name, sign};
use hexmq_dialect_aliyun::topic::is_product_key;

use super::{LIMITS, SIGN, SIGN_IN};
use crate::Language;
use crate::dialect::site::{Blame, Carrier, Site, replaced};
use crate::dialect::text::aliyun::{parameter_field, parameter_text};
use crate::explanation::{Dialect, FieldValue, Severity};
use crate::language::say;

/// Seconds that the platform takes as a keep-alive.
const KEEP_ALIVE: std::ops::RangeInclusive<u64> = 30..=1200;

pub(in crate::dialect) fn explain(site: &mut Site<'_>) -> Option<Dialect> {
    let client = site.carrier("client_identifier")?;
    if !Connect::is_meant(client.text()) {
        return None;
    }
    let user = site.carrier("user_name");
    let password = site.carrier("password");
    let user_text = user.as_ref().map(Carrier::text);
    let connect = Connect::read(client.text(), user_text, password.as_ref().map(|it| it.content));
    client_fields(site, &client, &connect.client_identifier);
    if let Some(user) = &user {
        user_fields(site, user, &connect);
    }
    if let Some(password) = &password {
        password_fields(site, password, &connect);
    }
    for fault in connect.faults() {
        malformed(site, &connect, &fault, [Some(&client), user.as_ref(), password.as_ref()]);
    }
    if let Some(user) = &user {
        swapped_names(site, &connect, user);
    }
    if let Some(password) = &password {
        signature(site, &connect, password);
    }
    limits(site);
    Some(Dialect::Aliyun)
}

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.to_owned())
}

fn client_fields(site: &mut Site<'_>, client: &Carrier<'_>, parsed: &ClientIdentifier<'_>) {
    let language = site.language;
    let about = say!(
        language,
        "The device's own id, of any form; it takes part in the signature.",
        "设备自定的 clientId，形式任意；参与签名。",
    );
    let span = Span::new(0, parsed.client_id.len());
    let mut fields = vec![client.field("client_id", span, text(parsed.client_id), about)];
    for parameter in &parsed.parameters {
        let name = parameter_field(parameter.name);
        let about = parameter_text(name, parameter.value, language);
        fields.push(match name {
            "client_parameter" => {
                let Parameter { name: own, value, .. } = parameter;
                client.field(name, parameter.span, FieldValue::Text(format!("{own}={value}")), about)
            }
            _ => client.field(name, parameter.span, text(parameter.value), about),
        });
    }
    site.put(client, SIGN_IN, fields);
}

fn user_fields(site: &mut Site<'_>, user: &Carrier<'_>, connect: &Connect<'_>) {
    let language = site.language;
    let Some(names) = connect.user_name else { return };
    let about =
        say!(language, "DeviceName: the device within its product.", "DeviceName：产品内的设备名称。");
    let span = Span::new(0, names.device_name.len());
    let device = user.field("device_name", span, text(names.device_name), about);
    let about = say!(
        language,
        "ProductKey: with the device name it is who the device is; the client id text is not.",
        "ProductKey：它与设备名称一起确定设备身份，与 clientId 文本无关。",
    );
    let span = Span::between(names.device_name.len() + 1, user.content.len());
    let product = user.field("product_key", span, text(names.product_key), about);
    site.put(user, SIGN_IN, vec![device, product]);
}

fn password_fields(site: &mut Site<'_>, password: &Carrier<'_>, connect: &Connect<'_>) {
    let language = site.language;
    let Some(value) = connect.password else { return };
    if connect.sign_in() == SignIn::Token {
        let about = say!(
            language,
            "The device token from the registration, as it was given: nothing is signed.",
            "动态注册得到的 deviceToken，原样填写，不做签名。",
        );
        let token = password.field("device_token", password.whole(), text(value), about);
        return site.put(password, SIGN_IN, vec![token]);
    }
    let method = connect.method().map_or("?", method_name);
    let whose = match connect.sign_in() {
        SignIn::Secret => say!(language, "the device's secret", "设备密钥 DeviceSecret"),
        _ => say!(language, "the product's secret", "产品密钥 ProductSecret"),
    };
    let about = say!(
        language,
        "The {method} of the string to sign, keyed with {whose}, in hexadecimal of either case.",
        "对待签名字符串用{whose}做 {method}，十六进制表示，大小写均可。",
    );
    let mut fields = vec![password.field("signature", password.whole(), text(value), about)];
    if let Some(content) = connect.content() {
        let about = say!(
            language,
            "What is signed: names and values in alphabetical order, nothing in between.",
            "被签名的内容：按名称字母顺序拼接名称和值，中间没有分隔符。",
        );
        let about = about + &verdict(site, connect);
        fields.push(password.field("string_to_sign", password.whole(), text(&content), about));
    }
    site.put(password, SIGN, fields);
}

/// Whether the signature fits the secret, if one is known.
fn verdict(site: &Site<'_>, connect: &Connect<'_>) -> String {
    let language = site.language;
    match site.knowledge.secret.as_deref().and_then(|secret| connect.is_signed_with(secret)) {
        None => String::new(),
        Some(true) => {
            say!(language, " With the given secret the signature fits.", "用给定的密钥验证，签名正确。")
        }
        Some(false) => {
            say!(
                language,
                " With the given secret the signature does not fit.",
                "用给定的密钥验证，签名不符。"
            )
        }
    }
}

fn malformed(
    site: &mut Site<'_>,
    connect: &Connect<'_>,
    fault: &ConnectFault,
    [client, user, password]: [Option<&Carrier<'_>>; 3],
) {
    let (carrier, field) = match fault.place {
        Place::ClientIdentifier => (client, "client_identifier"),
        Place::UserName => (user, "user_name"),
        Place::Password => (password, "password"),
    };
    let message = form_message(connect, fault, site.language);
    let (code, severity) = (fault.rule.name(), Severity::Fault);
    let Some(carrier) = carrier else {
        // The field is not there at all: the flags say so.
        let flag = if field == "user_name" { "user_name_flag" } else { "password_flag" };
        return site.blame_field(flag, code, severity, SIGN_IN, message);
    };
    let right_content = match fault.rule {
        ConnectRule::ExtensionOpen if connect.client_identifier.extension.is_some() => {
            Some(replaced(carrier.content, fault.span, b"|"))
        }
        ConnectRule::ExtensionSurplus => Some(replaced(carrier.content, fault.span, b"")),
        _ => None,
    };
    let span = if fault.rule == ConnectRule::UserName { carrier.whole() } else { fault.span };
    site.blame(Blame { code, severity, rule: SIGN_IN, carrier, span, message, right_content });
}

fn form_message(connect: &Connect<'_>, fault: &ConnectFault, language: Language) -> String {
    match fault.rule {
        ConnectRule::ExtensionOpen => say!(
            language,
            "The extension stands between two bars: clientId|securemode=3,signmethod=hmacsha1|. One is missing.",
            "扩展参数要写在两个竖线之间：clientId|securemode=3,signmethod=hmacsha1|。缺少竖线。",
        ),
        ConnectRule::ExtensionSurplus => {
            say!(language, "Nothing belongs behind the last bar.", "最后一个竖线之后不应再有内容。")
        }
        ConnectRule::Parameter => say!(
            language,
            "A parameter is name=value; here one of them is missing.",
            "参数的形式是 名称=值，这里缺少其一。",
        ),
        ConnectRule::SignMethod => say!(
            language,
            "The sign method is none of hmacmd5, hmacsha1 and hmacsha256.",
            "signmethod 不是 hmacmd5、hmacsha1、hmacsha256 之一。",
        ),
        ConnectRule::Timestamp => say!(language, "The timestamp must be digits.", "timestamp 必须是数字。"),
        ConnectRule::Random => {
            say!(
                language,
                "A registration needs random=... in the extension.",
                "动态注册需要在扩展参数中写 random=...。"
            )
        }
        ConnectRule::UserName => say!(
            language,
            "The user name must be DeviceName&ProductKey.",
            "用户名必须是 DeviceName&ProductKey。",
        ),
        ConnectRule::PasswordMissing => {
            say!(language, "There is no password: the signature is missing.", "没有密码：缺少签名。")
        }
        ConnectRule::PasswordHex => say!(
            language,
            "The signature must be hexadecimal; this is no digit of it.",
            "签名必须是十六进制，此处不是十六进制数字。",
        ),
        ConnectRule::PasswordLength => password_length(connect, language),
    }
}

fn password_length(connect: &Connect<'_>, language: Language) -> String {
    let length = connect.password.map_or(0, str::len);
    let method = connect.method().unwrap_or(HashName::Md5);
    let (name, right) = (method_name(method), method.length() * 2);
    let other = HashName::of_length(length / 2).filter(|_| length.is_multiple_of(2)).map(method_name);
    let hint = match other {
        Some(other) => say!(language, " It is as long as {other} makes it.", "这个长度像是 {other} 的结果。"),
        None => String::new(),
    };
    say!(
        language,
        "The signature has {length} digits; {name} makes {right}.",
        "签名有 {length} 位，{name} 应为 {right} 位。",
    ) + &hint
}

/// A product key where the device name belongs.
fn swapped_names(site: &mut Site<'_>, connect: &Connect<'_>, user: &Carrier<'_>) {
    let Some(names) = connect.user_name else { return };
    if !is_product_key(names.device_name) || is_product_key(names.product_key) {
        return;
    }
    // The client id often repeats both, in the order of the console: `{ProductKey}.{DeviceName}`.
    let repeats = connect.client_identifier.client_id.starts_with(names.device_name);
    if !repeats {
        return;
    }
    let language = site.language;
    let right = format!("{}&{}", names.product_key, names.device_name);
    let message = say!(
        language,
        "This looks like ProductKey&DeviceName; the order is DeviceName&ProductKey: {right}.",
        "看起来写成了 ProductKey&DeviceName；顺序应为 DeviceName&ProductKey：{right}。",
    );
    site.blame(Blame {
        code: "user_name_order",
        severity: Severity::Suspicion,
        rule: SIGN_IN,
        carrier: user,
        span: user.whole(),
        message,
        right_content: Some(right.into_bytes()),
    });
}

fn signature(site: &mut Site<'_>, connect: &Connect<'_>, password: &Carrier<'_>) {
    let language = site.language;
    let Some(secret) = site.knowledge.secret.as_deref() else { return };
    let (Some(false), Some(content)) = (connect.is_signed_with(secret), connect.content()) else { return };
    let message = say!(language, "The signature does not fit the given secret. ", "签名与给定的密钥不符。")
        + &slip(connect.slip(secret), language);
    let right = connect.method().map(|method| sign(method, secret, &content).into_bytes());
    site.blame(Blame {
        code: "signature",
        severity: Severity::Fault,
        rule: SIGN,
        carrier: password,
        span: password.whole(),
        message,
        right_content: right,
    });
}

fn slip(slip: Option<Slip>, language: Language) -> String {
    match slip {
        Some(Slip::OtherMethod(hash)) => {
            let name = method_name(hash);
            say!(
                language,
                "It was made with {name}, which is not what signmethod says.",
                "它是用 {name} 计算的，与 signmethod 不同。",
            )
        }
        Some(Slip::TimestampLeftOut) => say!(
            language,
            "The timestamp of the extension was not signed; it must be, or be left out of both.",
            "扩展参数中有 timestamp，却没有参与签名；要么都写，要么都不写。",
        ),
        Some(Slip::WholeClientIdentifier) => say!(
            language,
            "The whole client identifier was signed; only the part before the first bar is.",
            "签名时用了整个客户端标识符；只应使用第一个竖线之前的部分。",
        ),
        Some(Slip::NamesSwapped) => say!(
            language,
            "Device name and product key were signed in each other's place.",
            "签名时设备名称和 ProductKey 写反了。",
        ),
        Some(Slip::SecretCase) => {
            say!(language, "The secret was used in other letter case.", "签名时密钥的大小写不对。",)
        }
        Some(Slip::SecretBlanks) => say!(
            language,
            "The secret was used with a blank or a line end around it.",
            "签名时密钥前后多了空格或换行。",
        ),
        None => say!(
            language,
            "The secret is another one, or the string was put together differently.",
            "密钥不同，或待签名字符串的拼接方式不同。",
        ),
    }
}

/// What the platform does not take or does not have.
fn limits(site: &mut Site<'_>) {
    let language = site.language;
    if let Some(seconds) = site.number("keep_alive").filter(|seconds| !KEEP_ALIVE.contains(seconds)) {
        let message = say!(
            language,
            "The platform takes a keep-alive of 30 to 1200 s and refuses {seconds}.",
            "平台只接受 30 到 1200 秒的保活时间，{seconds} 会被拒绝。",
        );
        site.blame_field("keep_alive", "keep_alive_range", Severity::Warning, LIMITS, message);
    }
    if site.number("will_flag") == Some(1) {
        let message = say!(
            language,
            "The platform has no will messages: nobody would get it.",
            "平台不支持遗嘱消息，不会有人收到。",
        );
        site.blame_field("will_flag", "will_unsupported", Severity::Warning, LIMITS, message);
    }
}
