//! Words of the dialect layers: labels of their fields, what topics are for, what is wrong with JSON.

pub(super) mod aliyun;
pub(super) mod onenet;

use hexmq_device::json::JsonErrorKind;

use crate::Language;
use crate::explanation::{Field, FieldValue};
use crate::language::{Text, say, text};

/// The label of a dialect's field; `None` for fields of the packet.
pub(crate) fn label(name: &str) -> Option<&'static Text> {
    LABELS.iter().find(|(of, _)| *of == name).map(|(_, label)| label)
}

/// What a field calls itself in one line: a data point by its stream, a member by its name. Its first
/// field says it, and needs no row of its own.
pub(crate) fn own_name(field: &Field) -> Option<&str> {
    let named = match field.name {
        "data_point" => "stream",
        "json_member" => "name",
        _ => return None,
    };
    match &field.fields.first().filter(|first| first.name == named)?.value {
        FieldValue::Text(text) => Some(text),
        _ => None,
    }
}

/// Whether the field only repeats what the row of `outer` says.
pub(crate) fn is_said_by(field: &Field, outer: &Field) -> bool {
    match outer.name {
        "data_point" => matches!(field.name, "stream" | "at"),
        _ => field.name == "name" && label(outer.name).is_some(),
    }
}

/// Whether a field is read out of bytes that stand in the rows around it anyway.
pub(crate) fn repeats_bytes(name: &str) -> bool {
    matches!(name, "cloud_topic" | "string_to_sign")
}

static LABELS: &[(&str, Text)] = &[
    ("cloud_topic", text("Topic of the cloud", "云平台主题")),
    ("product_id", text("Product id", "产品 ID")),
    ("product_key", text("ProductKey", "ProductKey")),
    ("device_id", text("Device id", "设备 ID")),
    ("device_name", text("Device name", "设备名称")),
    ("auth_info", text("Auth info", "鉴权信息")),
    ("api_key", text("API key", "API Key")),
    ("token_version", text("Token: version", "token：version")),
    ("token_resource", text("Token: res", "token：res")),
    ("token_expiry", text("Token: et", "token：et")),
    ("token_method", text("Token: method", "token：method")),
    ("token_sign", text("Token: sign", "token：sign")),
    ("token_parameter", text("Token: another parameter", "token：其他参数")),
    ("string_to_sign", text("String to sign", "待签名字符串")),
    ("signature", text("Signature", "签名")),
    ("device_token", text("Device token", "deviceToken")),
    ("client_id", text("Client id", "clientId")),
    ("client_parameter", text("Parameter", "扩展参数")),
    ("securemode", text("securemode", "securemode")),
    ("signmethod", text("signmethod", "signmethod")),
    ("timestamp", text("timestamp", "timestamp")),
    ("auth_type", text("authType", "authType")),
    ("random", text("random", "random")),
    ("auto_subscribe", text("_ss", "_ss")),
    ("command", text("Command", "命令")),
    ("command_answer", text("Answer to a command", "命令应答")),
    ("command_id", text("Identifier of the command", "命令标识")),
    ("identifier", text("Identifier", "标识符")),
    ("dp_time_flag", text("Time flag", "时间标志")),
    ("dp_reserved", text("Reserved", "保留")),
    ("dp_type", text("Type of upload", "上传类型")),
    ("dp_time", text("Time", "时间")),
    ("dp_length", text("Length", "长度")),
    ("dp_json", text("JSON", "JSON")),
    ("dp_text", text("Text", "文本")),
    ("dp_binary_length", text("Length of the bytes", "二进制长度")),
    ("dp_binary", text("Bytes", "二进制数据")),
    ("dp_start_stream", text("First data stream", "起始数据流")),
    ("dp_count", text("Number of values", "值的个数")),
    ("dp_block_mark", text("Mark", "标记")),
    ("dp_block_flag", text("Time follows", "带时间标志")),
    ("dp_block_time", text("Time", "时间")),
    ("dp_block_count", text("Number of items", "项数")),
    ("dp_item_kind", text("Kind of value", "值的种类")),
    ("dp_item_name", text("Data stream", "数据流")),
    ("dp_item_length", text("Length", "长度")),
    ("dp_item_value", text("Value", "值")),
    ("data_point", text("Data point", "数据点")),
    ("stream", text("Data stream", "数据流")),
    ("at", text("Time", "时间")),
    ("json_member", text("Member", "成员")),
    ("json_element", text("Element", "元素")),
    ("message_id", text("id", "id")),
    ("message_version", text("version", "version")),
    ("message_method", text("method", "method")),
    ("message_params", text("params", "params")),
    ("message_sys", text("sys", "sys")),
    ("message_code", text("code", "code")),
    ("message_data", text("data", "data")),
    ("message_text", text("message", "message")),
    ("message_data_points", text("dp", "dp")),
];

pub(super) fn up_text(language: Language) -> String {
    say!(language, " Devices publish to it.", "由设备发布。")
}

pub(super) fn down_text(language: Language) -> String {
    say!(language, " The platform publishes to it.", "由平台发布。")
}

/// What is wrong with JSON.
pub(super) fn json_error(kind: JsonErrorKind, language: Language) -> String {
    let what = match kind {
        JsonErrorKind::NotUtf8 => say!(language, "bytes that are not UTF-8", "此处不是 UTF-8"),
        JsonErrorKind::Ends => say!(language, "the text ends too early", "文本提前结束"),
        JsonErrorKind::NoValue => say!(language, "no value begins here", "此处不是值的开头"),
        JsonErrorKind::Unexpected => say!(
            language,
            "a comma, a colon, a bracket or a name in quotes is expected here",
            "此处应为逗号、冒号、括号或带引号的名字"
        ),
        JsonErrorKind::Number => say!(language, "no number of JSON", "不是 JSON 数字"),
        JsonErrorKind::Control => say!(language, "a control character inside a string", "字符串中有控制字符"),
        JsonErrorKind::Escape => say!(language, "no such escape", "没有这种转义"),
        JsonErrorKind::TooDeep => say!(language, "too many objects and arrays in each other", "嵌套层数过多"),
        JsonErrorKind::TooMany => say!(language, "too many values", "值的数量过多"),
        JsonErrorKind::Trailing => say!(language, "something stands behind the JSON", "JSON 之后还有内容"),
    };
    say!(language, "This is not JSON: {what}.", "不是 JSON：{what}。")
}

/// Unix seconds as a date and time of day in UTC.
pub(super) fn date(unix_seconds: i64) -> String {
    let (days, seconds) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
    // Days counted from 0000-03-01, in eras of 400 years of which each has 146,097 days.
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (1_537_255_523, "2018-09-18 07:25:23"),
            (1_893_456_000, "2030-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn no_label_is_there_twice() {
        for (index, (name, _)) in LABELS.iter().enumerate() {
            assert!(LABELS.iter().skip(index + 1).all(|(other, _)| other != name), "{name}");
        }
    }
}
