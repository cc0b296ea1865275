//! The payload of `$dp`: header, lengths, data points.

use hexmq_device::{Span, Time};
use hexmq_dialect_onenet::dp::{
    DataType, Detail, DpError, DpRule, NoticeKind, Part, Point, decode, decode_leniently, decode_telling,
};

use super::DP;
use crate::Language;
use crate::dialect::json::of_value;
use crate::dialect::site::{Blame, Carrier, Site, replaced};
use crate::dialect::text::{date, json_error};
use crate::explanation::{Field, FieldValue, Severity};
use crate::language::say;

/// Data points of one payload that are shown.
const POINTS_MOST: usize = 512;

pub(super) fn explain(site: &mut Site<'_>, payload: &Carrier<'_>) {
    let language = site.language;
    let mut parts = Vec::new();
    let strict = decode_telling(payload.content, false, &mut |part, span| parts.push((part, span)));
    let lenient = decode_leniently(payload.content);
    if strict.is_err() && lenient.is_ok() {
        parts.clear();
        let _ = decode_telling(payload.content, true, &mut |part, span| parts.push((part, span)));
    }
    let mut fields = Vec::new();
    // A value that could be read is told as the data point it is.
    let is_point = |part: Part| lenient.is_ok() && matches!(part, Part::Float | Part::ItemValue);
    for &(part, span) in parts.iter().filter(|(part, _)| !is_point(*part)) {
        layout(&mut fields, payload, part, span, language);
    }
    match &lenient {
        Ok(upload) => {
            for point in upload.points.iter().take(POINTS_MOST) {
                place(&mut fields, data_point(payload, point, language));
            }
            for notice in &upload.notices {
                noticed(site, payload, notice.kind, notice.span);
            }
        }
        Err(error) => refused(site, payload, error),
    }
    site.put(payload, DP, fields);
}

/// Puts a point into the part that holds it, or behind the parts.
fn place(fields: &mut Vec<Field>, point: Field) {
    let holder = fields.iter_mut().find(|field| {
        field.bits.is_none()
            && matches!(field.name, "dp_json" | "dp_text")
            && field.offset <= point.offset
            && point.offset + point.length <= field.offset + field.length
    });
    match holder {
        Some(holder) => holder.fields.push(point),
        None => {
            let behind = fields.iter().position(|field| field.offset > point.offset).unwrap_or(fields.len());
            fields.insert(behind, point);
        }
    }
}

fn data_point(payload: &Carrier<'_>, point: &Point<'_>, language: Language) -> Field {
    let stream = &point.stream;
    let text = match point.at {
        None => say!(
            language,
            "Data stream {stream}; its time is when the server receives it.",
            "数据流 {stream}，以服务器收到的时间为准。",
        ),
        Some(Time::Civil(time)) => {
            say!(language, "Data stream {stream}, measured at {time}.", "数据流 {stream}，采集时间 {time}。")
        }
        Some(Time::UnixMs(ms)) => {
            let time = date(ms / 1000);
            say!(
                language,
                "Data stream {stream}, measured at {time} UTC.",
                "数据流 {stream}，采集时间 {time} UTC。"
            )
        }
    };
    let about = say!(language, "The name of the data stream.", "数据流的名称。");
    let mut field = payload.field("data_point", point.span, of_value(&point.value), text);
    let name = FieldValue::Text(stream.clone().into_owned());
    field.fields = vec![payload.field("stream", point.span, name, about)];
    if let Some(at) = point.at {
        let at = match at {
            Time::Civil(time) => time.to_string(),
            Time::UnixMs(ms) => ms.to_string(),
        };
        let about = say!(language, "When it was measured.", "采集时间。");
        field.fields.push(payload.field("at", point.span, FieldValue::Text(at), about));
    }
    field
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The fields of one part of the layout.
fn layout(fields: &mut Vec<Field>, payload: &Carrier<'_>, part: Part, span: Span, language: Language) {
    let bytes = span.of(payload.content);
    if part == Part::FirstByte {
        return first_byte(fields, payload, bytes.first().copied().unwrap_or(0), language);
    }
    let value = match part {
        Part::Time => match *bytes {
            [year, month, day, hour, minute, second] => {
                FieldValue::Text(format!("20{year:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
            }
            _ => FieldValue::Bytes(bytes.to_vec()),
        },
        Part::Json | Part::Text | Part::ItemName => {
            let bare = bytes.strip_suffix(b"\0").unwrap_or(bytes);
            match std::str::from_utf8(bare) {
                Ok(text) => FieldValue::Text(text.to_owned()),
                Err(_) => FieldValue::Bytes(bytes.to_vec()),
            }
        }
        Part::Binary | Part::ItemValue | Part::Float => FieldValue::Bytes(bytes.to_vec()),
        _ => FieldValue::Number(number(bytes)),
    };
    let (name, text) = about(part, &value, language);
    fields.push(payload.field(name, span, value, text));
}

fn first_byte(fields: &mut Vec<Field>, payload: &Carrier<'_>, byte: u8, language: Language) {
    let mut bits = |name, lowest: u8, width: u8, value, text| {
        let mut field = payload.field(name, Span::new(0, 1), value, text);
        field.bits = Some((lowest, width));
        fields.push(field);
    };
    let timed = byte & 0x80 != 0;
    let text = if timed {
        say!(language, "Six bytes of time follow (types 6 and 7).", "后面有六字节时间（类型 6 和 7）。")
    } else {
        say!(language, "No time in the header.", "头部没有时间。")
    };
    bits("dp_time_flag", 7, 1, FieldValue::Flag(timed), text);
    let text = say!(language, "Reserved; 0.", "保留，应为 0。");
    bits("dp_reserved", 6, 1, FieldValue::Number(u64::from(byte >> 6 & 1)), text);
    let number = byte & 0x3F;
    let text = data_type(number, language);
    bits("dp_type", 0, 6, FieldValue::Number(u64::from(number)), text);
}

fn data_type(number: u8, language: Language) -> String {
    match DataType::from_number(number) {
        Some(DataType::DataStreams) => say!(
            language,
            "JSON with data streams, points and times: {{\"datastreams\":[...]}}.",
            "JSON 格式 1：{{\"datastreams\":[...]}}，含数据流、数据点和时间。",
        ),
        Some(DataType::Binary) => {
            say!(language, "A JSON descriptor, then raw bytes.", "先是 JSON 描述，然后是二进制数据。")
        }
        Some(DataType::StreamValues) => say!(
            language,
            "JSON with a value per data stream: {{\"stream\":value}}.",
            "JSON 格式 2：{{\"数据流\":值}}。",
        ),
        Some(DataType::StreamTimes) => say!(
            language,
            "JSON with times and values per data stream: {{\"stream\":{{\"time\":value}}}}.",
            "JSON 格式 3：{{\"数据流\":{{\"时间\":值}}}}。",
        ),
        Some(DataType::Text) => {
            say!(language, "Text with separators of its own.", "自定义分隔符的文本。")
        }
        Some(DataType::TimedText) => say!(
            language,
            "Text with separators of its own; a time may stand in front.",
            "自定义分隔符的文本，前面可带时间。",
        ),
        Some(DataType::Floats) => say!(
            language,
            "Groups of single-precision numbers for numbered data streams.",
            "按编号数据流分组的单精度浮点数。",
        ),
        Some(DataType::Block) => say!(
            language,
            "The packed block of the vendor's all-in-one library.",
            "厂商 all-in-one SDK 的打包格式。",
        ),
        None => {
            say!(language, "There is no type {number}: 1 to 8 exist.", "没有类型 {number}：只有 1 到 8。")
        }
    }
}

fn about(part: Part, value: &FieldValue, language: Language) -> (&'static str, String) {
    let count = match value {
        FieldValue::Number(number) => *number,
        FieldValue::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        _ => 0,
    };
    match part {
        Part::FirstByte => ("dp_type", String::new()),
        Part::Time => (
            "dp_time",
            say!(
                language,
                "Year since 2000, month, day, hour, minute, second: one byte each, not BCD.",
                "年（减 2000）、月、日、时、分、秒，各一字节，不是 BCD。",
            ),
        ),
        Part::Length => {
            ("dp_length", say!(language, "{count} bytes of content follow.", "后面的内容有 {count} 个字节。"))
        }
        Part::Json => ("dp_json", say!(language, "The data points as JSON.", "JSON 形式的数据点。")),
        Part::Text => (
            "dp_text",
            say!(
                language,
                "Two separators (inside a field, between fields), then the fields.",
                "先是两个分隔符（字段内、字段间），然后是各字段。",
            ),
        ),
        Part::BinaryLength => {
            ("dp_binary_length", say!(language, "{count} raw bytes follow.", "后面有 {count} 个二进制字节。"))
        }
        Part::Binary => ("dp_binary", say!(language, "{count} raw bytes.", "{count} 个二进制字节。")),
        Part::StartStream => (
            "dp_start_stream",
            say!(
                language,
                "The values go to data stream {count} and those after it.",
                "各值依次属于数据流 {count} 及其后的编号。",
            ),
        ),
        Part::Count => (
            "dp_count",
            say!(
                language,
                "Values that follow: {count}, four bytes each, low byte first.",
                "后面有 {count} 个值，每个四字节，低位在前。",
            ),
        ),
        _ => block(part, count, language),
    }
}

/// The parts of type 8.
fn block(part: Part, count: u64, language: Language) -> (&'static str, String) {
    match part {
        Part::BlockMark => ("dp_block_mark", say!(language, "Always 8.", "总是 8。")),
        Part::BlockFlag => (
            "dp_block_flag",
            say!(language, "1: four bytes of Unix seconds follow.", "1 表示后面有四字节 Unix 秒。"),
        ),
        Part::BlockTime => ("dp_block_time", say!(language, "Unix seconds.", "Unix 秒。")),
        Part::BlockCount => {
            ("dp_block_count", say!(language, "{count} items follow.", "后面有 {count} 项。"))
        }
        Part::ItemKind => (
            "dp_item_kind",
            say!(
                language,
                "1 whole number, 2 double, 3 text, 4 bytes, 5 JSON.",
                "1 整数，2 双精度，3 文本，4 字节串，5 JSON。",
            ),
        ),
        Part::ItemName => {
            ("dp_item_name", say!(language, "The data stream, with NUL behind.", "数据流名，以 NUL 结尾。"))
        }
        Part::ItemLength => {
            ("dp_item_length", say!(language, "{count} bytes follow.", "后面有 {count} 个字节。"))
        }
        _ => ("dp_item_value", say!(language, "The value.", "值。")),
    }
}

fn noticed(site: &mut Site<'_>, payload: &Carrier<'_>, kind: NoticeKind, span: Span) {
    let language = site.language;
    let (severity, message) = match kind {
        NoticeKind::HeaderMissing => (
            Severity::Fault,
            say!(
                language,
                "JSON alone: the type byte 03 and two length bytes belong in front of it.",
                "只有 JSON：前面缺少类型字节 03 和两个长度字节。",
            ),
        ),
        NoticeKind::TimeFlagMissing => (
            Severity::Warning,
            say!(
                language,
                "Six bytes of time follow, but bit 7 of the first byte does not say so: 86 instead of 06.",
                "后面有六字节时间，但首字节的第 7 位没有置 1：应为 86 而不是 06。",
            ),
        ),
        NoticeKind::TimeFlagUnused => (
            Severity::Warning,
            say!(
                language,
                "Bit 7 announces a time, but this type has none.",
                "第 7 位表示后面有时间，但这种类型没有时间。",
            ),
        ),
        NoticeKind::ReservedBit => {
            (Severity::Warning, say!(language, "Bit 6 is reserved and 0.", "第 6 位保留，应为 0。"))
        }
        NoticeKind::TimeUnreadable => (
            Severity::Warning,
            say!(
                language,
                "No such date or time of day (YYYY-MM-DD HH:MM:SS): the value counts as measured now.",
                "不是有效的时间（YYYY-MM-DD HH:MM:SS）：该值按当前时间处理。",
            ),
        ),
        NoticeKind::NoValue => (
            Severity::Warning,
            say!(
                language,
                "Not a value that can be kept: the data point is left out.",
                "不是可保存的值：该数据点被忽略。",
            ),
        ),
        NoticeKind::StreamZero => (
            Severity::Hint,
            say!(language, "The document numbers data streams from 1.", "文档中数据流编号从 1 开始。"),
        ),
        NoticeKind::TooManyFloats => (
            Severity::Warning,
            say!(language, "More than 500 values in one upload.", "一次上传超过 500 个值。"),
        ),
    };
    let right_content = match kind {
        NoticeKind::HeaderMissing => measured(payload.content),
        NoticeKind::TimeFlagMissing => Some(with_first(payload, 0x80, 0)),
        NoticeKind::TimeFlagUnused => Some(with_first(payload, 0, 0x80)),
        NoticeKind::ReservedBit => Some(with_first(payload, 0, 0x40)),
        _ => None,
    };
    let (code, carrier, rule) = (kind.name(), payload, DP);
    site.blame(Blame { code, severity, rule, carrier, span, message, right_content });
}

/// The content with bits of its first byte set and cleared.
fn with_first(payload: &Carrier<'_>, set: u8, clear: u8) -> Vec<u8> {
    let mut content = payload.content.to_vec();
    if let Some(first) = content.first_mut() {
        *first = (*first | set) & !clear;
    }
    content
}

/// JSON with the header of type 3.
fn measured(json: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(json.len()).ok()?;
    let mut content = vec![DataType::StreamValues.number()];
    content.extend(length.to_be_bytes());
    content.extend_from_slice(json);
    Some(content)
}

fn refused(site: &mut Site<'_>, payload: &Carrier<'_>, error: &DpError) {
    let language = site.language;
    let message = match (error.rule, error.detail) {
        (DpRule::Empty, _) => {
            say!(language, "Empty: an upload begins with its type.", "载荷为空：上传内容以类型字节开头。")
        }
        (DpRule::Type, Detail::Type(number)) => {
            say!(language, "There is no type {number}: 1 to 8 exist.", "没有类型 {number}：只有 1 到 8。")
        }
        (DpRule::Count, Detail::Counted { declared, present }) => say!(
            language,
            "The count says {declared} values, but only {present} are there (four bytes each).",
            "个数写的是 {declared}，实际只有 {present} 个值（每个四字节）。",
        ),
        (_, Detail::Counted { declared, present }) => say!(
            language,
            "The length says {declared}, but {present} bytes are there.",
            "长度写的是 {declared}，实际有 {present} 个字节。",
        ),
        (_, Detail::Json(kind)) => json_error(kind, language),
        (DpRule::Shape, Detail::Expected(what)) => {
            say!(
                language,
                "The JSON lacks what its type needs: {what}.",
                "JSON 缺少该类型需要的内容：{what}。"
            )
        }
        (_, Detail::Expected(what)) => say!(language, "Expected here: {what}.", "此处应为：{what}。"),
        (rule, _) => {
            let name = rule.name();
            say!(language, "The rule {name} is broken.", "违反规则 {name}。")
        }
    };
    let right_content = match error.detail {
        Detail::Counted { present, .. } => right_count(payload, error, present),
        _ => None,
    };
    let (code, severity) = (error.rule.name(), Severity::Fault);
    let (carrier, rule, span) = (payload, DP, error.span);
    site.blame(Blame { code, severity, rule, carrier, span, message, right_content });
}

/// The content with the length or count that fits, if it is right then.
fn right_count(payload: &Carrier<'_>, error: &DpError, present: usize) -> Option<Vec<u8>> {
    let bytes = u32::try_from(present).ok()?.to_be_bytes();
    let right = bytes.get(4_usize.checked_sub(error.span.length)?..)?;
    let content = replaced(payload.content, error.span, right);
    decode(&content).is_ok().then_some(content)
}
