//! Device, product and credential in a CONNECT to OneNET.

use hexmq_device::Span;
use hexmq_dialect_onenet::connect::{Access, Claim, claim};
use hexmq_dialect_onenet::token::{self, Resource, Slip, Token, TokenError, TokenRule, parameters};

use super::{LEGACY, TOKEN};
use crate::Language;
use crate::dialect::site::{Blame, Carrier, Site, replaced};
use crate::dialect::text::date;
use crate::explanation::{Dialect, Field, FieldValue, Severity};
use crate::language::say;

pub(in crate::dialect) fn explain(site: &mut Site<'_>) -> Option<Dialect> {
    let client = site.carrier("client_identifier")?;
    let user = site.carrier("user_name")?;
    let password = site.carrier("password")?;
    let claim = claim(client.text(), Some(user.text()), Some(password.content))?;
    match claim.looks_like()? {
        Access::Legacy => legacy(site, &claim, &client, &user, &password),
        Access::Token => by_token(site, &claim, &client, &user, &password),
    }
    Some(Dialect::OneNet)
}

/// Plain clients may be called by numbers as well, so this is told as what it may be.
fn legacy(
    site: &mut Site<'_>,
    claim: &Claim<'_>,
    client: &Carrier<'_>,
    user: &Carrier<'_>,
    password: &Carrier<'_>,
) {
    let language = site.language;
    let text = |value: &str| FieldValue::Text(value.to_owned());
    let about = say!(
        language,
        "If the server is OneNET's legacy access: the device id that the platform gave out.",
        "若服务器是 OneNET 旧版接入：平台分配的设备 ID。",
    );
    let device = client.field("device_id", client.whole(), text(claim.device), about);
    site.put(client, LEGACY, vec![device]);
    let about = say!(
        language,
        "If the server is OneNET's legacy access: the product id.",
        "若服务器是 OneNET 旧版接入：产品 ID。",
    );
    let product = user.field("product_id", user.whole(), text(claim.product), about);
    site.put(user, LEGACY, vec![product]);
    let (name, about) = if claim.is_api_key() {
        let about = say!(
            language,
            "28 characters of base64: on OneNET an API key, of the device or of the whole product.",
            "28 个 base64 字符：在 OneNET 上是设备或整个产品的 API Key。",
        );
        ("api_key", about)
    } else {
        let about = say!(
            language,
            "On OneNET the auth info: free text, unique within the product.",
            "在 OneNET 上是鉴权信息：自定文本，在产品内唯一。",
        );
        ("auth_info", about)
    };
    let credential = password.field(name, password.whole(), text(claim.password), about);
    site.put(password, LEGACY, vec![credential]);
}

fn by_token(
    site: &mut Site<'_>,
    claim: &Claim<'_>,
    client: &Carrier<'_>,
    user: &Carrier<'_>,
    password: &Carrier<'_>,
) {
    let language = site.language;
    let text = |value: &str| FieldValue::Text(value.to_owned());
    let about = say!(language, "The device name, unique within its product.", "设备名称，在产品内唯一。");
    let device = client.field("device_name", client.whole(), text(claim.device), about);
    site.put(client, TOKEN, vec![device]);
    let about = say!(language, "The product id.", "产品 ID。");
    let product = user.field("product_id", user.whole(), text(claim.product), about);
    site.put(user, TOKEN, vec![product]);
    let mut fields: Vec<Field> = parameters(claim.password)
        .map(|parameter| {
            let name = parameter_field(parameter.name);
            let about = parameter_about(name, &parameter.value, site);
            password.field(name, parameter.value_span, text(&parameter.value), about)
        })
        .collect();
    let token = Token::parse(claim.password);
    if let Ok(token) = &token {
        let about = string_to_sign_about(token, site);
        let span = sign_span(claim.password);
        fields.push(password.field("string_to_sign", span, text(&token.string_to_sign()), about));
    }
    site.put(password, TOKEN, fields);
    match token {
        Ok(token) => judge(site, claim, &token, password),
        Err(error) => malformed(site, &error, password),
    }
}

fn sign_span(text: &str) -> Span {
    parameters(text).find(|it| it.name == "sign").map_or(Span::new(text.len(), 0), |it| it.value_span)
}

fn parameter_field(name: &str) -> &'static str {
    match name {
        "version" => "token_version",
        "res" => "token_resource",
        "et" => "token_expiry",
        "method" => "token_method",
        "sign" => "token_sign",
        _ => "token_parameter",
    }
}

fn parameter_about(name: &str, value: &str, site: &Site<'_>) -> String {
    let language = site.language;
    match name {
        "token_version" => {
            say!(language, "2018-10-31 for devices and products.", "设备和产品级 token 为 2018-10-31。",)
        }
        "token_resource" => say!(
            language,
            "What the token gives access to: a device, a whole product, or a user's.",
            "token 可访问的资源：一个设备、整个产品或某个用户。",
        ),
        "token_expiry" => expiry_about(value, site),
        "token_method" => say!(language, "The hash function of the HMAC.", "HMAC 所用的哈希算法。"),
        "token_sign" => say!(
            language,
            "Base64 of the HMAC over the string to sign, keyed with the decoded access key.",
            "对待签名字符串求 HMAC（密钥为 base64 解码后的 access key），再做 base64。",
        ),
        _ => say!(language, "Not part of a token; it is passed over.", "不是 token 的参数，会被忽略。"),
    }
}

fn expiry_about(value: &str, site: &Site<'_>) -> String {
    let language = site.language;
    let Ok(expiry) = value.parse::<i64>() else {
        return say!(language, "When the token expires, in Unix seconds.", "token 的过期时间，Unix 秒。");
    };
    let when = date(expiry);
    let verdict = match site.knowledge.now {
        Some(now) if expiry < now => say!(language, "; that is over", "，已过期"),
        _ => String::new(),
    };
    say!(
        language,
        "When the token expires, in Unix seconds: {when} UTC{verdict}.",
        "token 的过期时间，Unix 秒：{when} UTC{verdict}。",
    )
}

fn string_to_sign_about(token: &Token<'_>, site: &Site<'_>) -> String {
    let language = site.language;
    let about = say!(
        language,
        "What is signed: the values of et, method, res and version, with line feeds in between, without escapes.",
        "被签名的内容：et、method、res、version 的值，以换行分隔，不带转义。",
    );
    let Some(secret) = &site.knowledge.secret else { return about };
    let verdict = if token.is_signed_with(secret) {
        say!(language, " With the given key the signature fits.", "用给定的密钥验证，签名正确。")
    } else {
        say!(language, " With the given key the signature does not fit.", "用给定的密钥验证，签名不符。")
    };
    about + &verdict
}

fn malformed(site: &mut Site<'_>, error: &TokenError, password: &Carrier<'_>) {
    let (language, parameter) = (site.language, error.parameter);
    let message = match error.rule {
        TokenRule::Missing => say!(
            language,
            "The token has no {parameter}: a token is version, res, et, method and sign.",
            "token 中缺少 {parameter}：token 由 version、res、et、method、sign 组成。",
        ),
        TokenRule::Escape => say!(
            language,
            "In {parameter} a % is not followed by two hexadecimal digits.",
            "{parameter} 中的 % 之后不是两位十六进制数字。",
        ),
        TokenRule::Expiry => say!(language, "et is not a number of Unix seconds.", "et 不是 Unix 秒数。",),
        TokenRule::Method => say!(
            language,
            "The method is none of md5, sha1 and sha256.",
            "method 不是 md5、sha1、sha256 之一。",
        ),
        TokenRule::Sign => say!(language, "The sign is not base64.", "sign 不是 base64。",),
    };
    site.blame(Blame {
        code: error.rule.name(),
        severity: Severity::Fault,
        rule: TOKEN,
        carrier: password,
        span: error.span,
        message,
        right_content: None,
    });
}

/// What the token says against the rest of the CONNECT, the time and the key.
fn judge(site: &mut Site<'_>, claim: &Claim<'_>, token: &Token<'_>, password: &Carrier<'_>) {
    let language = site.language;
    let span_of = |name: &str| {
        parameters(claim.password).find(|it| it.name == name).map_or(password.whole(), |it| it.value_span)
    };
    let mut found = Vec::new();
    let (product, device, resource) = (claim.product, claim.device, &token.resource);
    let fits = match token.resource() {
        Some(Resource::Device { product: of, device: named }) => of == product && named == device,
        Some(Resource::Product { product: of }) => of == product,
        Some(Resource::User { .. }) | None => false,
    };
    if !fits {
        let message = say!(
            language,
            "The resource is {resource}, but device {device} of product {product} signs in: it should be \
             products/{product}/devices/{device}. The sign must be made again for it.",
            "资源是 {resource}，而登录的是产品 {product} 的设备 {device}：应为 products/{product}/devices/{device}，\
             并重新计算签名。",
        );
        found.push(("token_resource", span_of("res"), message));
    }
    if let Some(now) = site.knowledge.now.filter(|&now| token.expiry < now) {
        let (expiry, now) = (date(token.expiry), date(now));
        let message = say!(
            language,
            "The token expired at {expiry} UTC; it is {now} UTC. A new one with a later et is needed.",
            "token 已于 {expiry} UTC 过期，现在是 {now} UTC。需要 et 更晚的新 token。",
        );
        found.push(("token_expired", span_of("et"), message));
    }
    for (code, span, message) in found {
        let (severity, rule) = (Severity::Fault, TOKEN);
        site.blame(Blame { code, severity, rule, carrier: password, span, message, right_content: None });
    }
    signature(site, token, password, span_of("sign"));
}

fn signature(site: &mut Site<'_>, token: &Token<'_>, password: &Carrier<'_>, span: Span) {
    let language = site.language;
    let Some(secret) = site.knowledge.secret.as_deref() else { return };
    if token.is_signed_with(secret) {
        return;
    }
    let message = say!(language, "The signature does not fit the given key. ", "签名与给定的密钥不符。")
        + &slip(token.slip(secret), language);
    let right = token::sign(secret, &token.version, &token.resource, token.expiry, token.method);
    let right = right.rsplit_once("sign=").map(|(_, sign)| replaced(password.content, span, sign.as_bytes()));
    site.blame(Blame {
        code: "signature",
        severity: Severity::Fault,
        rule: TOKEN,
        carrier: password,
        span,
        message,
        right_content: right,
    });
}

fn slip(slip: Option<Slip>, language: Language) -> String {
    match slip {
        Some(Slip::KeyNotDecoded) => say!(
            language,
            "It was made with the text of the key: decode the key from base64 first.",
            "它是直接用密钥文本计算的：应先对密钥做 base64 解码。",
        ),
        Some(Slip::OtherMethod(hash)) => {
            let name = hash.name();
            say!(
                language,
                "It was made with {name}, which is not the method the token names.",
                "它是用 {name} 计算的，与 token 中的 method 不同。",
            )
        }
        Some(Slip::ResourceEscaped) => say!(
            language,
            "The escaped resource was signed: sign it with its slashes.",
            "签名时使用了转义后的 res：应使用带斜杠的原文。",
        ),
        Some(Slip::LineFeedAtEnd) => say!(
            language,
            "A line feed at the end was signed too: the string ends with the version.",
            "签名内容末尾多了一个换行：应以 version 结束。",
        ),
        Some(Slip::NoLineFeeds) => say!(
            language,
            "The values were signed without line feeds in between.",
            "签名时各值之间没有换行。",
        ),
        None => say!(
            language,
            "The key is another one, or the values were put together differently.",
            "密钥不同，或各值的拼接方式不同。",
        ),
    }
}
