//! What a value means: the sentence beside a field, from the value and the packet it stands in.

use hexmq_wire::{PacketType, PropertyId, ReasonCode, Version};

use super::fields::field_text;
use super::flags::flag_meaning;
use super::properties::property_text;
use super::reasons::{reason_text, return_code_text};
use crate::Language;
use crate::explanation::{Field, FieldValue};
use crate::language::say;

/// Where a field stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// The packet; `None` for the reserved type 0.
    pub packet_type: Option<PacketType>,
    /// The version it is read with.
    pub version: Version,
    /// The language of the sentence.
    pub language: Language,
}

/// The label for people.
pub(crate) fn label(name: &str, language: Language) -> String {
    if let Some(row) = field_text(name) {
        return row.label.in_language(language).to_owned();
    }
    if let Some(label) = crate::dialect::text::label(name) {
        return label.in_language(language).to_owned();
    }
    match PropertyId::from_name(name) {
        Some(id) => property_text(id).label.in_language(language).to_owned(),
        // A name the tables lack is shown as it is; the tests see to it that none is lacking.
        None => name.to_owned(),
    }
}

/// The plain meaning of a field with its value.
pub(crate) fn meaning(field: &Field, context: Context) -> String {
    let of_value = match &field.value {
        FieldValue::Number(value) if field.name == "reserved" => Some(reserved(*value, field.bits, context)),
        FieldValue::Number(value) => of_number(field.name, *value, context),
        FieldValue::Flag(value) => flag_meaning(field.name, *value, context.language),
        FieldValue::Text(value) => of_text(field.name, value, context),
        FieldValue::Group | FieldValue::Bytes(_) => of_bytes(field, context),
        FieldValue::Real(_) => None,
    };
    of_value.unwrap_or_else(|| about(field.name, context.language))
}

/// What the field does whatever its value.
fn about(name: &str, language: Language) -> String {
    if let Some(row) = field_text(name) {
        return row.about.in_language(language).to_owned();
    }
    match PropertyId::from_name(name) {
        Some(id) => property_text(id).about.in_language(language).to_owned(),
        None => String::new(),
    }
}

fn of_number(name: &str, value: u64, context: Context) -> Option<String> {
    let language = context.language;
    Some(match name {
        "packet_type" => packet_type(value, language),
        "remaining_length" => remaining_length(value, language),
        "protocol_version" => protocol_version(value, language),
        "keep_alive" | "server_keep_alive" => keep_alive(name, value, language),
        "qos" => qos(value, language),
        "will_qos" => will_qos(value, language),
        "requested_qos" => requested_qos(value, language),
        "retain_handling" => retain_handling(value, language)?,
        "return_code" | "return_codes" | "reason_code" | "reason_codes" => code(value, context),
        "identifier" => property_identifier(value, language)?,
        "packet_identifier" => packet_identifier(context)?,
        _ => property_number(name, value, language)?,
    })
}

fn packet_type(value: u64, language: Language) -> String {
    match u8::try_from(value).ok().and_then(PacketType::from_u8) {
        Some(packet_type) => {
            let name = packet_type.name();
            say!(
                language,
                "The upper four bits say which packet this is: {value} is {name}.",
                "高四位说明这是哪种报文：{value} 就是 {name}。",
            )
        }
        None => say!(language, "{value} is reserved: no packet has it.", "{value} 是保留值，没有这种报文。"),
    }
}

fn remaining_length(value: u64, language: Language) -> String {
    let size = hexmq_wire::remaining_length_size(u32::try_from(value).unwrap_or(u32::MAX));
    if value == 0 {
        say!(language, "Nothing follows.", "后面没有内容。")
    } else if size == 1 {
        say!(
            language,
            "{value} bytes follow after this one. Below 128 one byte is enough.",
            "此字节之后还有 {value} 个字节。小于 128 时一个字节就够。",
        )
    } else {
        let sum = sevens(value);
        say!(
            language,
            "{value} bytes follow: {sum}. Seven bits per byte, lowest first; 80 or more says \"one more length byte\".",
            "后面还有 {value} 个字节：{sum}。每字节七位，低位在前；大于等于 80 表示后面还有长度字节。",
        )
    }
}

/// 321 as `65 + 2×128`.
fn sevens(value: u64) -> String {
    let mut sum = (value & 0x7F).to_string();
    let (mut rest, mut weight) = (value >> 7, 128u64);
    while rest > 0 {
        sum += &format!(" + {}×{weight}", rest & 0x7F);
        (rest, weight) = (rest >> 7, weight << 7);
    }
    sum
}

fn protocol_version(value: u64, language: Language) -> String {
    match value {
        3 => say!(
            language,
            "Level 3 is MQTT 3.1 (protocol name MQIsdp).",
            "级别 3 是 MQTT 3.1（协议名 MQIsdp）。"
        ),
        4 => say!(language, "Level 4 is MQTT 3.1.1.", "级别 4 是 MQTT 3.1.1。"),
        5 => say!(language, "Version 5 is MQTT 5.0.", "版本 5 是 MQTT 5.0。"),
        _ => say!(language, "There is no MQTT of level {value}.", "没有级别为 {value} 的 MQTT。"),
    }
}

fn keep_alive(name: &str, value: u64, language: Language) -> String {
    if value == 0 {
        return say!(
            language,
            "0 turns the check off: a dead connection is noticed only when TCP does.",
            "0 表示关闭检查：连接断了，要等 TCP 自己发现。",
        );
    }
    let limit = value * 3 / 2;
    let half = if value % 2 == 1 { ".5" } else { "" };
    let whose = if name == "server_keep_alive" {
        say!(language, "The server's value replaces the client's. ", "以服务端的值为准。")
    } else {
        String::new()
    };
    whose
        + &say!(
            language,
            "The client sends something at least every {value} s (PINGREQ if need be); after {limit}{half} s of silence \
             (one and a half times) the server closes.",
            "客户端至少每 {value} 秒发一个报文（没有数据就发 PINGREQ）；静默 {limit}{half} 秒（1.5 倍）后服务端断开连接。",
        )
}

fn qos(value: u64, language: Language) -> String {
    match value {
        0 => say!(
            language,
            "At most once: sent and forgotten; no answer, no packet identifier.",
            "最多一次：发完就忘，没有应答，也没有报文标识符。"
        ),
        1 => say!(
            language,
            "At least once: the receiver answers PUBACK; without it the message is sent again, so it may come twice.",
            "至少一次：接收方回 PUBACK；没有回应就会重发，因此可能收到两次。",
        ),
        2 => say!(
            language,
            "Exactly once, in four steps: PUBLISH, PUBREC, PUBREL, PUBCOMP.",
            "恰好一次，共四步：PUBLISH、PUBREC、PUBREL、PUBCOMP。",
        ),
        _ => say!(language, "QoS {value} does not exist.", "不存在 QoS {value}。"),
    }
}

fn will_qos(value: u64, language: Language) -> String {
    match value {
        0..=2 => say!(
            language,
            "The will, if there is one, is published with QoS {value}.",
            "若有遗嘱，则以 QoS {value} 发布。"
        ),
        _ => say!(language, "QoS {value} does not exist.", "不存在 QoS {value}。"),
    }
}

fn requested_qos(value: u64, language: Language) -> String {
    match value {
        0..=2 => say!(
            language,
            "Messages come with at most QoS {value}: the lower of this and the publisher's.",
            "消息最高以 QoS {value} 送达：取它与发布时 QoS 中较低的一个。",
        ),
        _ => say!(language, "QoS {value} does not exist.", "不存在 QoS {value}。"),
    }
}

fn retain_handling(value: u64, language: Language) -> Option<String> {
    Some(match value {
        0 => say!(language, "Retained messages are sent at once.", "订阅后立即发送保留消息。"),
        1 => say!(
            language,
            "Retained messages are sent only if the subscription is new.",
            "只有新订阅才发送保留消息。"
        ),
        2 => say!(language, "No retained messages are sent on subscribing.", "订阅时不发送保留消息。"),
        _ => return None,
    })
}

fn code(value: u64, context: Context) -> String {
    let language = context.language;
    let number = u8::try_from(value).unwrap_or(u8::MAX);
    let packet_type = context.packet_type.unwrap_or(PacketType::Connack);
    if packet_type == PacketType::Connack && context.version < Version::V5 {
        return match return_code_text(number) {
            Some(text) => text.in_language(language).to_owned(),
            None => say!(language, "Reserved: no meaning is defined.", "保留值，没有定义含义。"),
        };
    }
    if packet_type == PacketType::Suback && context.version < Version::V5 && number == 0x80 {
        return say!(
            language,
            "Refused: there is no subscription for this filter.",
            "失败：这个过滤器没有订阅成功。",
        );
    }
    match ReasonCode::from_u8(number) {
        Some(code) => {
            let name = code.name_in(packet_type);
            format!(
                "{name}{}{}",
                say!(language, ": ", "："),
                reason_text(code, packet_type).in_language(language)
            )
        }
        None => say!(language, "No such code is defined.", "没有定义这个代码。"),
    }
}

fn property_identifier(value: u64, language: Language) -> Option<String> {
    let id = PropertyId::from_u8(u8::try_from(value).ok()?)?;
    let label = property_text(id).label.in_language(language);
    Some(say!(language, "{value} is {label}.", "{value} 表示{label}。"))
}

fn packet_identifier(context: Context) -> Option<String> {
    let language = context.language;
    Some(match context.packet_type? {
        PacketType::Publish => say!(
            language,
            "The acknowledgement (PUBACK or PUBREC) must carry the same number.",
            "确认报文（PUBACK 或 PUBREC）必须带上同样的编号。",
        ),
        PacketType::Subscribe => {
            say!(language, "The SUBACK will carry the same number.", "SUBACK 会带回同样的编号。")
        }
        PacketType::Unsubscribe => {
            say!(language, "The UNSUBACK will carry the same number.", "UNSUBACK 会带回同样的编号。")
        }
        PacketType::Suback => {
            say!(language, "The number of the SUBSCRIBE this answers.", "对应 SUBSCRIBE 中的编号。")
        }
        PacketType::Unsuback => {
            say!(language, "The number of the UNSUBSCRIBE this answers.", "对应 UNSUBSCRIBE 中的编号。")
        }
        _ => say!(language, "The number of the PUBLISH this belongs to.", "对应 PUBLISH 中的编号。"),
    })
}

/// Reserved bits: those of the fixed header have a value per packet type, all others are 0.
fn reserved(value: u64, bits: Option<(u8, u8)>, context: Context) -> String {
    let language = context.language;
    let of_type = context.packet_type.and_then(PacketType::reserved_flags).filter(|_| bits == Some((0, 4)));
    match of_type {
        Some(fixed) if u64::from(fixed) == value => {
            say!(language, "Always {fixed:04b} in this packet.", "这种报文总是 {fixed:04b}。")
        }
        Some(fixed) => say!(language, "Must be {fixed:04b} in this packet.", "这种报文必须是 {fixed:04b}。"),
        None if value == 0 => say!(language, "No meaning; always 0.", "没有含义，总是 0。"),
        None => say!(language, "No meaning; should be 0.", "没有含义，应为 0。"),
    }
}

/// Properties whose number deserves a sentence of its own.
fn property_number(name: &str, value: u64, language: Language) -> Option<String> {
    const NEVER: u64 = u32::MAX as u64;
    Some(match (PropertyId::from_name(name)?, value) {
        (PropertyId::SessionExpiryInterval, 0) => {
            say!(language, "The session ends with the connection.", "连接断开，会话就结束。")
        }
        (PropertyId::SessionExpiryInterval, NEVER) => {
            say!(language, "The session never expires.", "会话永不过期。")
        }
        (PropertyId::SessionExpiryInterval, _) => say!(
            language,
            "Subscriptions and queued messages are kept for {value} s after the connection is gone.",
            "连接断开后，订阅和排队的消息还保留 {value} 秒。",
        ),
        (PropertyId::MessageExpiryInterval, _) => {
            say!(language, "Thrown away if not delivered within {value} s.", "{value} 秒内没有送达就丢弃。",)
        }
        (PropertyId::WillDelayInterval, _) => say!(
            language,
            "The will is published {value} s after the connection is lost, unless the client is back by then.",
            "失联 {value} 秒后才发布遗嘱；客户端在此之前回来就不发布。",
        ),
        (PropertyId::PayloadFormatIndicator, 0) => say!(language, "Just bytes.", "普通字节。"),
        (PropertyId::PayloadFormatIndicator, 1) => {
            say!(language, "The payload is UTF-8 text.", "载荷是 UTF-8 文本。")
        }
        (PropertyId::ReceiveMaximum, _) => say!(
            language,
            "At most {value} QoS 1 and 2 messages may wait for an acknowledgement at the same time.",
            "同时等待确认的 QoS 1 和 QoS 2 消息最多 {value} 条。",
        ),
        (PropertyId::MaximumPacketSize, _) => {
            say!(
                language,
                "Packets above {value} bytes must not be sent to this side.",
                "不得向这一方发送超过 {value} 字节的报文。"
            )
        }
        (PropertyId::TopicAliasMaximum, 0) => {
            say!(language, "No topic aliases are accepted.", "不接受主题别名。")
        }
        (PropertyId::TopicAliasMaximum, _) => {
            say!(language, "Topic aliases 1 to {value} are accepted.", "接受主题别名 1 到 {value}。")
        }
        (
            id @ (PropertyId::RetainAvailable
            | PropertyId::WildcardSubscriptionAvailable
            | PropertyId::SubscriptionIdentifierAvailable
            | PropertyId::SharedSubscriptionAvailable),
            0 | 1,
        ) => available(id, value == 1, language),
        (PropertyId::MaximumQoS, _) => {
            say!(language, "Publish with QoS {value} at most.", "发布时 QoS 最高为 {value}。")
        }
        _ => return None,
    })
}

/// What a server can or cannot do.
fn available(id: PropertyId, is: bool, language: Language) -> String {
    let about = property_text(id).about.in_language(language);
    if is {
        say!(language, "Yes. {about}", "是。{about}")
    } else {
        say!(language, "No. {about}", "否。{about}")
    }
}

fn of_text(name: &str, value: &str, context: Context) -> Option<String> {
    let language = context.language;
    let bytes = value.len();
    Some(match (name, value) {
        ("protocol_name", "MQTT" | "MQIsdp") => return None,
        ("client_identifier", "") => say!(
            language,
            "Empty: the server assigns an identifier (3.1.1: only with Clean Session 1).",
            "为空：由服务端分配标识符（3.1.1 中必须同时设置清理会话）。",
        ),
        ("topic_name", "") => say!(
            language,
            "Empty: in MQTT 5.0 the Topic Alias stands for it.",
            "为空：MQTT 5.0 中由主题别名代替。",
        ),
        ("topic_filter", filter) => return topic_filter(filter, language),
        ("client_identifier" | "user_name" | "topic_name" | "will_topic", _) => {
            let about = about(name, language);
            let counted = say!(
                language,
                "Length {bytes} (2 bytes), then the text. ",
                "先是两字节长度 {bytes}，然后是文本。"
            );
            counted + &about
        }
        _ => return None,
    })
}

fn topic_filter(filter: &str, language: Language) -> Option<String> {
    let bytes = filter.len();
    let counted = say!(
        language,
        "Length {bytes} (2 bytes), then the filter. ",
        "先是两字节长度 {bytes}，然后是过滤器。"
    );
    let kind = if filter.starts_with("$share/") {
        say!(
            language,
            "A shared subscription: each message goes to one member of the group.",
            "共享订阅：每条消息只发给组内一个成员。",
        )
    } else if filter == "#" {
        say!(
            language,
            "# matches every topic, except those beginning with $.",
            "# 匹配所有主题，以 $ 开头的除外。"
        )
    } else if filter.ends_with('#') {
        say!(language, "# at the end matches this level and all below.", "末尾的 # 匹配该层及其下所有层。")
    } else if filter.contains('+') {
        say!(language, "+ matches exactly one level.", "+ 恰好匹配一层。")
    } else {
        say!(language, "No wildcard: exactly this topic.", "没有通配符：只匹配这一个主题。")
    };
    Some(counted + &kind)
}

fn of_bytes(field: &Field, context: Context) -> Option<String> {
    let language = context.language;
    match (field.name, &field.value) {
        ("payload", FieldValue::Bytes(bytes)) if bytes.is_empty() => Some(say!(
            language,
            "Empty. With RETAIN it deletes the kept message.",
            "为空。与 RETAIN 一起表示删除已保存的消息。"
        )),
        ("payload", FieldValue::Bytes(bytes)) => {
            let count = bytes.len();
            Some(say!(
                language,
                "{count} bytes: the message itself. It has no length of its own: it is what the Remaining Length leaves.",
                "{count} 字节：消息本身。它没有自己的长度，就是剩余长度余下的部分。",
            ))
        }
        ("password", FieldValue::Bytes(bytes)) => {
            let count = bytes.len();
            let about = about("password", language);
            Some(
                say!(
                    language,
                    "Length {count} (2 bytes), then the bytes. ",
                    "先是两字节长度 {count}，然后是内容。"
                ) + &about,
            )
        }
        _ => None,
    }
}
