//! Alink JSON inside a PUBLISH: its envelope, and the devices a gateway signs for.

use hexmq_device::json::{Node, parse};
use hexmq_dialect_aliyun::alink::{AlinkFault, AlinkRule, faults};
use hexmq_dialect_aliyun::sign::sign;
use hexmq_dialect_aliyun::subdevice::{SignedDevice, signed_devices};
use hexmq_dialect_aliyun::topic::{Content, Entry};

use super::{ALINK, SIGN};
use crate::dialect::json::JsonFields;
use crate::dialect::site::{Blame, Carrier, Site, replaced};
use crate::dialect::text::json_error;
use crate::explanation::{Field, FieldValue, Severity};
use crate::language::say;

/// Signed devices of one message that are told; the platform takes 50.
const SIGNED_MOST: usize = 64;

pub(super) fn explain(site: &mut Site<'_>, payload: &Carrier<'_>, entry: &Entry, identifier: Option<&str>) {
    // A synchronous call is Alink JSON as well, where it is not any bytes.
    let is_json = entry.content != Content::Raw || payload.content.first() == Some(&b'{');
    if let Ok(root) = parse(payload.content) {
        if is_json {
            let fields = members(site, payload, &root);
            site.put(payload, ALINK, fields);
        }
        if let Some(params) = root.member("params") {
            for device in signed_devices(params).into_iter().take(SIGNED_MOST) {
                signature(site, payload, &device);
            }
        }
    }
    for fault in faults(payload.content, entry, identifier) {
        blame(site, payload, entry, identifier, fault);
    }
}

fn members(site: &Site<'_>, payload: &Carrier<'_>, root: &Node<'_>) -> Vec<Field> {
    let language = site.language;
    let mut json = JsonFields::new(payload, 0, language);
    let mut fields: Vec<Field> = Vec::new();
    for member in root.members().unwrap_or_default() {
        let (name, about) = match member.name.as_ref() {
            "id" => (
                "message_id",
                say!(
                    language,
                    "The answer carries the same id, letter for letter.",
                    "应答原样带回同样的 id。"
                ),
            ),
            "version" => ("message_version", say!(language, "1.0; nobody checks it.", "1.0，没有人检查。")),
            "method" => (
                "message_method",
                say!(
                    language,
                    "What is asked for, as the topic says it too.",
                    "请求的方法，与主题的含义一致。"
                ),
            ),
            "params" => ("message_params", say!(language, "What the request is about.", "请求的内容。")),
            "sys" => {
                ("message_sys", say!(language, "ack 0: no answer is wanted.", "ack 为 0 表示不需要应答。"))
            }
            "code" => ("message_code", code(&member.value, site)),
            "data" => ("message_data", say!(language, "What the answer brings.", "应答的内容。")),
            "message" => ("message_text", say!(language, "The answer in words.", "应答的文字说明。")),
            _ => ("json_member", String::new()),
        };
        let mut field = json.member(member, name);
        if !about.is_empty() {
            field.text = about;
        }
        fields.push(field);
    }
    fields
}

fn code(value: &Node<'_>, site: &Site<'_>) -> String {
    let language = site.language;
    match value.text_or_number() {
        Some("200") => say!(language, "200: success.", "200：成功。"),
        Some("400") => say!(language, "400: the request is wrong.", "400：请求错误。"),
        Some("401") => say!(language, "401: the signature is wrong.", "401：签名错误。"),
        Some("429") => say!(language, "429: too many requests.", "429：请求过于频繁。"),
        Some("460") => say!(language, "460: a parameter is wrong.", "460：请求参数错误。"),
        Some("500") => say!(language, "500: the platform failed.", "500：系统错误。"),
        Some("6207") => say!(language, "6207: the data is no valid JSON.", "6207：数据不是合法的 JSON。"),
        Some("6289") => say!(language, "6289: the device is active already.", "6289：设备已激活。"),
        Some("6600") => say!(language, "6600: the signature is wrong.", "6600：签名错误。"),
        _ => say!(
            language,
            "200 is success; other codes name what failed.",
            "200 表示成功，其他代码表示失败原因。"
        ),
    }
}

/// What is signed for a sub-device, and whether it fits a known secret.
fn signature(site: &mut Site<'_>, payload: &Carrier<'_>, device: &SignedDevice<'_>) {
    let language = site.language;
    let (product, name) = (device.product_key, device.device_name);
    let mut about = say!(
        language,
        "What is signed for sub-device {name} of product {product}.",
        "为产品 {product} 的子设备 {name} 签名的内容。",
    );
    let fits = site.knowledge.secret.as_deref().map(|secret| device.is_signed_with(secret));
    match fits {
        Some(true) => {
            about +=
                &say!(language, " With the given secret the signature fits.", "用给定的密钥验证，签名正确。")
        }
        Some(false) => {
            about += &say!(
                language,
                " With the given secret the signature does not fit.",
                "用给定的密钥验证，签名不符。"
            );
        }
        None => {}
    }
    let content = FieldValue::Text(device.content.clone());
    let field = payload.field("string_to_sign", device.sign_span, content, about);
    site.put(payload, SIGN, vec![field]);
    let (Some(false), Some(secret)) = (fits, site.knowledge.secret.as_deref()) else { return };
    let message = say!(
        language,
        "The signature for sub-device {name} does not fit the given secret.",
        "子设备 {name} 的签名与给定的密钥不符。",
    );
    let right = device.method().map(|method| {
        let quoted = format!("\"{}\"", sign(method, secret, &device.content));
        replaced(payload.content, device.sign_span, quoted.as_bytes())
    });
    site.blame(Blame {
        code: "signature",
        severity: Severity::Fault,
        rule: SIGN,
        carrier: payload,
        span: device.sign_span,
        message,
        right_content: right,
    });
}

fn blame(
    site: &mut Site<'_>,
    payload: &Carrier<'_>,
    entry: &Entry,
    identifier: Option<&str>,
    fault: AlinkFault,
) {
    let expected = entry.method_for(identifier).unwrap_or_default();
    let message = message(site, entry, &expected, fault.rule);
    let severity = if fault.rule.is_survived() { Severity::Warning } else { Severity::Fault };
    let right_content = right_content(payload, &expected, fault);
    let (code, rule, carrier, span) = (fault.rule.name(), ALINK, payload, fault.span);
    site.blame(Blame { code, severity, rule, carrier, span, message, right_content });
}

fn right_content(payload: &Carrier<'_>, expected: &str, fault: AlinkFault) -> Option<Vec<u8>> {
    let AlinkFault { rule, span } = fault;
    let with = |text: &str| Some(replaced(payload.content, span, text.as_bytes()));
    match rule {
        AlinkRule::MethodTopic => with(&format!("\"{expected}\"")),
        AlinkRule::MethodMissing => with(&format!(",\"method\":\"{expected}\"")),
        AlinkRule::IdText => {
            let written = std::str::from_utf8(span.of(payload.content)).ok()?;
            let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { with(&format!("\"{written}\"")) } else { None }
        }
        AlinkRule::ParamsMissing => with(",\"params\":{}"),
        AlinkRule::DataMissing => with(",\"data\":{}"),
        _ => None,
    }
    .filter(|content| parse(content).is_ok())
}

fn message(site: &Site<'_>, entry: &Entry, expected: &str, rule: AlinkRule) -> String {
    let language = site.language;
    match rule {
        AlinkRule::Json(kind) => json_error(kind, language),
        AlinkRule::Object => say!(language, "The payload is no JSON object.", "载荷不是 JSON 对象。"),
        AlinkRule::IdMissing => say!(
            language,
            "There is no id: nobody can tell which answer belongs to it.",
            "缺少 id：无法匹配请求和应答。",
        ),
        AlinkRule::IdText => say!(language, "The id must be text: \"123\".", "id 必须是字符串：\"123\"。"),
        AlinkRule::IdDigits => say!(
            language,
            "An id of the platform is digits that fit 32 bits: one device library reads it as a number.",
            "平台下发的 id 应为 32 位以内的数字：有的设备 SDK 会把它当作数字解析。",
        ),
        AlinkRule::ParamsMissing => say!(language, "A request has params.", "请求必须有 params。"),
        AlinkRule::ParamsKind if entry.content == Content::RequestArray => {
            say!(language, "On this topic params is an array.", "这个主题的 params 是数组。")
        }
        AlinkRule::ParamsKind => {
            say!(language, "On this topic params is an object.", "这个主题的 params 是对象。")
        }
        AlinkRule::MethodMissing => say!(
            language,
            "A request of the platform has a method, here {expected}: device libraries read it.",
            "平台下发的请求必须有 method，这里应为 {expected}：设备 SDK 会读取它。",
        ),
        AlinkRule::MethodTopic => say!(
            language,
            "The method does not fit the topic: here it is {expected}. The platform lets it pass and goes by the topic.",
            "method 与主题不符：这里应为 {expected}。平台会放行，并以主题为准。",
        ),
        AlinkRule::CodeMissing => say!(language, "An answer has a code.", "应答必须有 code。"),
        AlinkRule::CodeNumber => say!(language, "The code must be a number.", "code 必须是数字。"),
        AlinkRule::DataMissing => say!(
            language,
            "An answer has data, {{}} if there is none: a device library fails without it.",
            "应答应有 data，没有内容时为 {{}}：缺少时有的设备 SDK 会出错。",
        ),
        AlinkRule::MessageMissing => say!(
            language,
            "An answer of the platform has a message: a device library fails without it.",
            "平台的应答必须有 message：缺少时有的设备 SDK 会出错。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use hexmq_device::Span;

    use super::*;

    #[test]
    fn what_is_missing_is_put_before_the_closing_brace() {
        let carrier = Carrier { name: "payload", content: br#"{"id":"1"}"#, at: 0 };
        let fault = AlinkFault { rule: AlinkRule::ParamsMissing, span: Span::new(9, 0) };
        assert_eq!(
            right_content(&carrier, "", fault).as_deref(),
            Some(br#"{"id":"1","params":{}}"# as &[u8])
        );
        let carrier = Carrier { name: "payload", content: b"{}", at: 0 };
        let fault = AlinkFault { rule: AlinkRule::ParamsMissing, span: Span::new(1, 0) };
        assert_eq!(right_content(&carrier, "", fault), None, "a comma alone would be wrong");
    }
}
