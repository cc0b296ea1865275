//! The JSON of the accesses by token inside a PUBLISH.

use hexmq_device::json::parse;
use hexmq_dialect_onenet::thing::{ID_MAX, ThingFault, ThingRule, faults};
use hexmq_dialect_onenet::topic::{Content, Entry};

use super::THING;
use crate::dialect::json::JsonFields;
use crate::dialect::site::{Blame, Carrier, Site};
use crate::dialect::text::json_error;
use crate::explanation::Severity;
use crate::language::say;

pub(super) fn explain(site: &mut Site<'_>, payload: &Carrier<'_>, entry: &Entry) {
    if entry.content == Content::Raw {
        return;
    }
    if let Ok(root) = parse(payload.content) {
        let mut json = JsonFields::new(payload, 0, site.language);
        let members = root.members().unwrap_or_default();
        let fields = members.iter().map(|member| json.member(member, field_name(&member.name))).collect();
        site.put(payload, THING, fields);
    }
    for fault in faults(payload.content, entry) {
        blame(site, payload, fault);
    }
}

fn field_name(name: &str) -> &'static str {
    match name {
        "id" => "message_id",
        "version" => "message_version",
        "params" => "message_params",
        "method" => "message_method",
        "code" => "message_code",
        "msg" => "message_text",
        "data" => "message_data",
        "dp" => "message_data_points",
        _ => "json_member",
    }
}

fn blame(site: &mut Site<'_>, payload: &Carrier<'_>, fault: ThingFault) {
    let language = site.language;
    let message = match fault.rule {
        ThingRule::Json(kind) => json_error(kind, language),
        ThingRule::Object => say!(language, "The payload is no JSON object.", "载荷不是 JSON 对象。"),
        ThingRule::IdMissing => {
            say!(language, "There is no id: the answer cannot be matched.", "缺少 id：无法匹配应答。")
        }
        ThingRule::IdText => {
            say!(language, "The id must be text of digits: \"123\".", "id 必须是数字组成的字符串：\"123\"。")
        }
        ThingRule::IdNumber => say!(language, "The id must be a number here.", "此处 id 必须是数字。"),
        ThingRule::IdLength => say!(
            language,
            "The id has more than {ID_MAX} characters: the vendor's device library copies it into 16 bytes.",
            "id 超过 {ID_MAX} 个字符：厂商的设备 SDK 会把它复制到 16 字节的缓冲区。",
        ),
        ThingRule::ParamsMissing => say!(language, "A request has params.", "请求必须有 params。"),
        ThingRule::CodeMissing => say!(
            language,
            "A reply has a code: the vendor's device library crashes without it.",
            "应答必须有 code：缺少时厂商的设备 SDK 会崩溃。",
        ),
        ThingRule::CodeNumber => say!(language, "The code must be a number.", "code 必须是数字。"),
        ThingRule::DataPoints => say!(
            language,
            "dp must be an object with an array of {{\"v\":...,\"t\":...}} for each data stream.",
            "dp 必须是对象，每个数据流对应一个由 {{\"v\":...,\"t\":...}} 组成的数组。",
        ),
    };
    site.blame(Blame {
        code: fault.rule.name(),
        severity: Severity::Fault,
        rule: THING,
        carrier: payload,
        span: fault.span,
        message,
        right_content: None,
    });
}
