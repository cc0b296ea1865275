//! Names for people, and meanings, of the fields that are not properties.

use crate::language::{Text, text};

/// One field: its name on the wire tree, the label for people, and what it is for whatever its
/// value.
#[derive(Debug)]
pub(crate) struct FieldText {
    /// The standard's name in snake_case.
    pub name: &'static str,
    /// The label.
    pub label: Text,
    /// What it does.
    pub about: Text,
}

const fn row(
    name: &'static str,
    label_en: &'static str,
    label_zh: &'static str,
    en: &'static str,
    zh: &'static str,
) -> FieldText {
    FieldText { name, label: text(label_en, label_zh), about: text(en, zh) }
}

/// The text of the field with this name.
pub(crate) fn field_text(name: &str) -> Option<&'static FieldText> {
    FIELDS.iter().find(|row| row.name == name)
}

/// All rows, in the order in which packets bring them.
pub(crate) static FIELDS: &[FieldText] = &[
    // Fixed header.
    row(
        "packet_type",
        "Packet type",
        "报文类型",
        "The upper four bits say which packet this is.",
        "高四位说明这是哪种报文。",
    ),
    row("flags", "Flags", "标志", "The lower four bits of the first byte.", "首字节的低四位。"),
    row(
        "reserved",
        "Reserved",
        "保留",
        "These bits have a fixed value and no meaning.",
        "这些位取固定值，没有含义。",
    ),
    row(
        "dup",
        "DUP",
        "重发标志 DUP",
        "Set when the sender sends this message again because no acknowledgement came.",
        "没有等到确认而再次发送时置 1。",
    ),
    row("qos", "QoS", "服务质量 QoS", "How hard sender and receiver try.", "收发双方保证到什么程度。"),
    row(
        "retain",
        "RETAIN",
        "保留标志 RETAIN",
        "Whether the server keeps this message for later subscribers.",
        "服务端是否为以后的订阅者保存这条消息。",
    ),
    row(
        "remaining_length",
        "Remaining Length",
        "剩余长度",
        "How many bytes follow. Seven bits per byte, lowest first; a byte of 80 or more says that another one comes.",
        "后面还有多少字节。每字节用七位，低位在前；字节大于等于 80 表示后面还有一个长度字节。",
    ),
    // CONNECT.
    row(
        "protocol_name",
        "Protocol Name",
        "协议名",
        "Lets a receiver notice at once that this is MQTT. Two length bytes, then the letters.",
        "让接收方立刻认出这是 MQTT。先是两字节长度，然后是字母。",
    ),
    row(
        "protocol_version",
        "Protocol Version",
        "协议级别",
        "3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0.",
        "3 是 MQTT 3.1，4 是 3.1.1，5 是 5.0。",
    ),
    row(
        "connect_flags",
        "Connect Flags",
        "连接标志",
        "Eight switches: which fields follow in the payload, and how the session begins.",
        "八个开关：有效载荷里有哪些字段，会话如何开始。",
    ),
    row(
        "user_name_flag",
        "User Name Flag",
        "用户名标志",
        "Whether a user name follows.",
        "后面是否有用户名。",
    ),
    row("password_flag", "Password Flag", "密码标志", "Whether a password follows.", "后面是否有密码。"),
    row(
        "will_retain",
        "Will Retain",
        "遗嘱保留",
        "Whether the will is published as a retained message.",
        "遗嘱是否作为保留消息发布。",
    ),
    row(
        "will_qos",
        "Will QoS",
        "遗嘱 QoS",
        "The QoS with which the will is published.",
        "发布遗嘱时使用的 QoS。",
    ),
    row("will_flag", "Will Flag", "遗嘱标志", "Whether there is a will.", "是否有遗嘱。"),
    row(
        "clean_session",
        "Clean Session",
        "清理会话",
        "Whether the session begins empty.",
        "会话是否从空白开始。",
    ),
    row(
        "clean_start",
        "Clean Start",
        "全新开始",
        "Whether the session begins empty.",
        "会话是否从空白开始。",
    ),
    row(
        "keep_alive",
        "Keep Alive",
        "保持连接",
        "Seconds of silence the client promises not to exceed.",
        "客户端承诺静默不超过这么多秒。",
    ),
    row(
        "client_identifier",
        "Client Identifier",
        "客户端标识符",
        "Who this is. The server keeps the session under it; two clients with the same one throw each other out.",
        "我是谁。服务端用它保存会话；两个客户端用同一个标识符会互相踢下线。",
    ),
    row("will_topic", "Will Topic", "遗嘱主题", "Where the will is published.", "遗嘱发布到这个主题。"),
    row(
        "will_message",
        "Will Message",
        "遗嘱消息",
        "Published by the server when this client is lost without a DISCONNECT.",
        "客户端没有发送 DISCONNECT 就失联时，由服务端代为发布。",
    ),
    row(
        "will_payload",
        "Will Payload",
        "遗嘱载荷",
        "Published by the server when this client is lost without a DISCONNECT.",
        "客户端没有正常断开就失联时，由服务端代为发布。",
    ),
    row(
        "user_name",
        "User Name",
        "用户名",
        "For the server's access check. On clouds often the product.",
        "供服务端鉴权。在云平台上常常是产品 ID。",
    ),
    row(
        "password",
        "Password",
        "密码",
        "For the server's access check; any bytes. On clouds often a signature or a token.",
        "供服务端鉴权，可以是任意字节。在云平台上常常是签名或令牌。",
    ),
    // CONNACK and other answers.
    row(
        "connect_acknowledge_flags",
        "Acknowledge Flags",
        "连接确认标志",
        "Only bit 0 has a meaning.",
        "只有第 0 位有含义。",
    ),
    row(
        "session_present",
        "Session Present",
        "会话存在",
        "Whether the server resumes a stored session.",
        "服务端是否恢复了保存的会话。",
    ),
    row("return_code", "Return Code", "返回码", "How the request ended.", "请求的结果。"),
    row("reason_code", "Reason Code", "原因码", "How the request ended.", "请求的结果。"),
    row(
        "return_codes",
        "Return Codes",
        "返回码列表",
        "One code per topic filter, in the order of the SUBSCRIBE.",
        "每个主题过滤器一个返回码，顺序与 SUBSCRIBE 相同。",
    ),
    row(
        "reason_codes",
        "Reason Codes",
        "原因码列表",
        "One code per topic filter, in the order of the request.",
        "每个主题过滤器一个原因码，顺序与请求相同。",
    ),
    // PUBLISH and what follows it.
    row(
        "topic_name",
        "Topic Name",
        "主题名",
        "What the message is about; levels are separated by /. Upper and lower case differ.",
        "这条消息关于什么；各层用 / 分隔，区分大小写。",
    ),
    row(
        "packet_identifier",
        "Packet Identifier",
        "报文标识符",
        "Ties request and answer together; the sender chooses it and may use it again once the answer is there.",
        "把请求和应答对应起来；由发送方选定，收到应答后可以再用。",
    ),
    row(
        "payload",
        "Payload",
        "有效载荷",
        "The message itself: any bytes. Its length is what the Remaining Length leaves over.",
        "消息本身，可以是任意字节。它没有自己的长度，就是剩余长度余下的部分。",
    ),
    // SUBSCRIBE and UNSUBSCRIBE.
    row(
        "subscription",
        "Subscription",
        "订阅",
        "One topic filter with its options.",
        "一个主题过滤器及其选项。",
    ),
    row(
        "subscriptions",
        "Subscriptions",
        "订阅列表",
        "Topic filters with their options.",
        "主题过滤器及其选项。",
    ),
    row("topic_filters", "Topic Filters", "主题过滤器列表", "The subscriptions to end.", "要取消的订阅。"),
    row(
        "topic_filter",
        "Topic Filter",
        "主题过滤器",
        "Which topics: + stands for one level, # at the end for all that follow.",
        "匹配哪些主题：+ 代表一层，末尾的 # 代表其后所有层。",
    ),
    row(
        "subscription_options",
        "Subscription Options",
        "订阅选项",
        "How messages for this filter are delivered.",
        "与该过滤器匹配的消息如何送达。",
    ),
    row(
        "requested_qos",
        "Requested QoS",
        "请求的 QoS",
        "The highest QoS with which messages are to come.",
        "希望消息最高以什么 QoS 送达。",
    ),
    row(
        "no_local",
        "No Local",
        "不接收自己的消息",
        "Whether the client's own messages are left out.",
        "是否不接收自己发布的消息。",
    ),
    row(
        "retain_as_published",
        "Retain As Published",
        "保留标志原样",
        "Whether the RETAIN flag arrives as it was published.",
        "转发时 RETAIN 标志是否保持发布时的值。",
    ),
    row(
        "retain_handling",
        "Retain Handling",
        "保留消息处理",
        "Whether retained messages are sent on subscribing.",
        "订阅时是否发送保留消息。",
    ),
    // Properties.
    row(
        "properties",
        "Properties",
        "属性",
        "Additions of MQTT 5.0: a length, then identifiers with values.",
        "MQTT 5.0 的附加项：先是长度，然后是一个个标识符和值。",
    ),
    row("will_properties", "Will Properties", "遗嘱属性", "Properties of the will.", "遗嘱的属性。"),
    row(
        "property_length",
        "Property Length",
        "属性长度",
        "Bytes of the properties that follow.",
        "后面的属性共有多少字节。",
    ),
    row("identifier", "Identifier", "属性标识符", "Which property this is.", "这是哪一个属性。"),
    row("name", "Name", "名称", "The name the value goes under.", "键值对的名称。"),
    row("value", "Value", "值", "What the property says.", "属性的取值。"),
    // What fits nowhere.
    row("unknown", "Not understood", "无法理解", "Bytes that belong to no field.", "不属于任何字段的字节。"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_texts_are_sentences() {
        let mut seen = std::collections::BTreeSet::new();
        for row in FIELDS {
            assert!(seen.insert(row.name), "{} stands twice", row.name);
            assert!(!row.label.en.is_empty() && !row.label.zh.is_empty());
            assert!(row.about.en.ends_with('.') && row.about.zh.ends_with('。'), "{}", row.name);
        }
    }
}
