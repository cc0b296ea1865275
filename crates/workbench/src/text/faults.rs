//! What each fault means: what is wrong, and what the author of the bytes should do.

use hexmq_wire::FaultCode;

use crate::language::{Text, text};

/// The rule behind a fault code and the way out.
pub(crate) fn fault_text(code: FaultCode) -> Text {
    fixed_header_text(code)
        .or_else(|| string_text(code))
        .or_else(|| connect_text(code))
        .or_else(|| message_text(code))
        .or_else(|| subscription_text(code))
        .unwrap_or_else(|| property_text(code))
}

/// Fixed header and the fit of lengths.
fn fixed_header_text(code: FaultCode) -> Option<Text> {
    Some(match code {
        FaultCode::ReservedFlags => text(
            "The low four bits of the first byte are fixed for this packet type. The receiver must close the connection.",
            "首字节的低四位对这种报文是固定值。接收方必须断开连接。",
        ),
        FaultCode::NonMinimalLength => text(
            "The length is written with more bytes than it needs: a byte 80 followed by 00 adds nothing. Write it short; \
             MQTT 5.0 forbids the long form.",
            "长度用了多余的字节：80 后面跟 00 并不增加任何数值。请用最短写法；MQTT 5.0 禁止这种长写法。",
        ),
        FaultCode::RemainingLengthTooLong => text(
            "The Remaining Length has at most four bytes; the fourth must be below 80. Nothing behind it can be read.",
            "剩余长度最多四个字节，第四个字节必须小于 80。其后的内容无法解析。",
        ),
        FaultCode::Truncated => text(
            "The packet ends inside a field: the Remaining Length is too small, or the field's own length (its two \
             bytes in front) is too large.",
            "报文在字段中间就结束了：要么剩余长度写小了，要么这个字段前面的两字节长度写大了。",
        ),
        FaultCode::TrailingBytes => text(
            "All fields are read, and bytes are left over: the Remaining Length is too large, a flag that announces a \
             field is missing, or a field's length is too small.",
            "所有字段读完后还剩字节：剩余长度写大了，或者宣告某字段的标志没有置位，或者某个字段的长度写小了。",
        ),
        FaultCode::PacketTooLarge => {
            text("The packet is larger than the receiver accepts.", "报文超过了接收方允许的大小。")
        }
        FaultCode::UnexpectedPacketType => text(
            "No such packet exists in this version: the upper four bits of the first byte must be 1 to 14, in MQTT 5.0 \
             also 15.",
            "该版本没有这种报文：首字节高四位必须是 1 到 14，MQTT 5.0 还可以是 15。",
        ),
        FaultCode::WrongDirection => text(
            "This side never sends this packet. Were the bytes copied from the receive window, or the answer typed \
             instead of the request?",
            "这一方从不发送这种报文。是不是把接收窗口的内容当成发送内容，或把应答当成了请求？",
        ),
        _ => return None,
    })
}

/// UTF-8 strings.
fn string_text(code: FaultCode) -> Option<Text> {
    Some(match code {
        FaultCode::InvalidUtf8 => text(
            "The string is not UTF-8. Text in another encoding (GBK, Latin-1) must be converted first; a wrong length \
             in front of the string also cuts characters apart.",
            "字符串不是 UTF-8。GBK 等编码的文字要先转换；字符串前面的长度写错也会把一个字符切成两半。",
        ),
        FaultCode::NulInUtf8 => text(
            "The string contains the character U+0000. Often the closing NUL of a C string was counted: use strlen, not \
             sizeof.",
            "字符串里有 U+0000。常见原因是把 C 字符串结尾的 NUL 也算进了长度：应使用 strlen，而不是 sizeof。",
        ),
        FaultCode::ControlCharacterInUtf8 => text(
            "The string contains a control character (below U+0020, or U+007F to U+009F), often a line end that was \
             copied along. Allowed, but a receiver may close the connection for it.",
            "字符串里有控制字符（U+0020 以下，或 U+007F 至 U+009F），多半是复制时带进来的换行。虽然允许，但接收方可以因此断开连接。",
        ),
        FaultCode::NonCharacterInUtf8 => text(
            "The string contains a code point that Unicode reserves for internal use, such as U+FFFF. A receiver may \
             close the connection for it.",
            "字符串里有 Unicode 保留作内部用途的码位（如 U+FFFF）。接收方可以因此断开连接。",
        ),
        _ => return None,
    })
}

/// CONNECT and CONNACK.
fn connect_text(code: FaultCode) -> Option<Text> {
    Some(match code {
        FaultCode::ProtocolName => text(
            "The protocol name is exactly \"MQTT\" in capitals (00 04 4d 51 54 54), or \"MQIsdp\" in MQTT 3.1.",
            "协议名必须正好是大写的“MQTT”（00 04 4d 51 54 54）；MQTT 3.1 则是“MQIsdp”。",
        ),
        FaultCode::ProtocolVersion => text(
            "The level must be 4 (3.1.1) or 5 (5.0) with \"MQTT\", and 3 with \"MQIsdp\". The server refuses others.",
            "协议名为“MQTT”时级别必须是 4（3.1.1）或 5（5.0），为“MQIsdp”时必须是 3。其他值会被服务端拒绝。",
        ),
        FaultCode::ConnectFlagsReserved => text(
            "Bit 0 of the connect flags must be 0. The server closes the connection without an answer.",
            "连接标志的第 0 位必须为 0。服务端会不作回答直接断开。",
        ),
        FaultCode::WillFlagsWithoutWill => text(
            "Will QoS and Will Retain must be 0 when the Will Flag (bit 2) is 0: there is no will they could belong to.",
            "遗嘱标志（第 2 位）为 0 时，遗嘱 QoS 和遗嘱保留都必须为 0：没有遗嘱，它们就没有对象。",
        ),
        FaultCode::WillQos => text(
            "The Will QoS is 0, 1 or 2; 3 (both bits set) does not exist.",
            "遗嘱 QoS 只能是 0、1、2；3（两位全为 1）不存在。",
        ),
        FaultCode::PasswordWithoutUserName => text(
            "With the User Name Flag 0 the Password Flag must be 0 too. For both, set bits 7 and 6: c2 instead of 42.",
            "用户名标志为 0 时密码标志也必须为 0。两者都要时应置第 7、6 位：例如 c2 而不是 42。",
        ),
        FaultCode::ConnackFlagsReserved => text(
            "Bits 7 to 1 of the acknowledge flags must be 0; only bit 0, Session Present, has a meaning.",
            "连接确认标志的第 7 至 1 位必须为 0；只有第 0 位“会话存在”有含义。",
        ),
        FaultCode::SessionPresentWithError => text(
            "A refusal cannot resume a session: with a code other than 0, Session Present must be 0.",
            "拒绝连接时不存在恢复会话：返回码不为 0 时，“会话存在”必须为 0。",
        ),
        FaultCode::AuthenticationDataWithoutMethod => text(
            "Authentication Data has no meaning without an Authentication Method that says how to read it.",
            "没有认证方法就有认证数据，这些数据无从解释。",
        ),
        FaultCode::MissingAuthenticationMethod => text(
            "This packet belongs to an extended authentication and must name its Authentication Method.",
            "这个报文属于扩展认证，必须写明认证方法。",
        ),
        _ => return None,
    })
}

/// PUBLISH and its acknowledgements.
fn message_text(code: FaultCode) -> Option<Text> {
    Some(match code {
        FaultCode::PacketIdentifierZero => text(
            "A packet identifier is 1 to 65535; 0 would mean \"none\". Count up from 1.",
            "报文标识符是 1 到 65535；0 表示“没有”。请从 1 开始递增。",
        ),
        FaultCode::MissingPacketIdentifier => text(
            "QoS 1 and 2 need two bytes of packet identifier behind the topic name; they seem to be left out.",
            "QoS 1 和 2 在主题名之后需要两字节报文标识符；这里似乎漏掉了。",
        ),
        FaultCode::InvalidQos => text(
            "Both QoS bits are set: QoS 3 does not exist. Use 30 (QoS 0), 32 (QoS 1) or 34 (QoS 2).",
            "两个 QoS 位都为 1：不存在 QoS 3。请用 30（QoS 0）、32（QoS 1）或 34（QoS 2）。",
        ),
        FaultCode::DupAtQos0 => text(
            "DUP marks a repetition, and QoS 0 is never repeated: bit 3 must be 0.",
            "DUP 表示重发，而 QoS 0 从不重发：第 3 位必须为 0。",
        ),
        FaultCode::WildcardInTopicName => text(
            "A message goes to one topic: + and # are only for filters in SUBSCRIBE.",
            "消息只能发到一个确定的主题：+ 和 # 只能用在 SUBSCRIBE 的过滤器里。",
        ),
        FaultCode::EmptyTopicName => text("A topic has at least one character.", "主题至少要有一个字符。"),
        _ => return None,
    })
}

/// SUBSCRIBE, UNSUBSCRIBE and their answers.
fn subscription_text(code: FaultCode) -> Option<Text> {
    Some(match code {
        FaultCode::EmptyPayload => text(
            "The list is empty: at least one entry must follow the packet identifier.",
            "列表为空：报文标识符之后至少要有一项。",
        ),
        FaultCode::SubscriptionOptionsReserved => text(
            "The upper bits of the options byte are reserved and must be 0; in 3.x only the two lowest bits, the QoS, \
             may be set.",
            "选项字节的高位保留，必须为 0；3.x 中只有最低两位（QoS）可以使用。",
        ),
        FaultCode::RequestedQos => {
            text("The requested QoS is 0, 1 or 2; 3 does not exist.", "请求的 QoS 只能是 0、1、2；3 不存在。")
        }
        FaultCode::RetainHandling => text(
            "Retain Handling is 0 (send), 1 (send if new) or 2 (do not send); 3 does not exist.",
            "保留消息处理只能是 0（发送）、1（新订阅才发送）或 2（不发送）；3 不存在。",
        ),
        FaultCode::NoLocalOnShared => text(
            "A shared subscription ($share/…) cannot have No Local: which member gets a message is the server's choice.",
            "共享订阅（$share/…）不能设置 No Local：消息发给哪个成员由服务端决定。",
        ),
        FaultCode::UnknownReasonCode => {
            text("The table of this packet has no such code.", "这种报文的代码表里没有这个值。")
        }
        _ => return None,
    })
}

/// Properties of 5.0.
fn property_text(code: FaultCode) -> Text {
    match code {
        FaultCode::PropertyLength => text(
            "The Property Length does not end where a property ends, or reaches behind the packet.",
            "属性长度没有在某个属性的末尾结束，或者超出了报文。",
        ),
        FaultCode::UnknownProperty => text(
            "No property has this identifier. If the packet was meant for 3.1.1, it is read with the wrong version: 3.x \
             has no properties.",
            "没有这个标识符的属性。如果这是 3.1.1 报文，那就是用错了版本来解析：3.x 没有属性。",
        ),
        FaultCode::PropertyNotAllowed => text(
            "This property exists, but does not belong into this packet.",
            "这个属性存在，但不能放在这种报文里。",
        ),
        FaultCode::DuplicateProperty => {
            text("This property may stand here only once.", "这个属性在此处只能出现一次。")
        }
        FaultCode::PropertyValue => {
            text("The value is outside of what this property allows.", "取值超出了这个属性允许的范围。")
        }
        FaultCode::TopicAliasZero => {
            text("A topic alias is 1 or more; 0 is not an alias.", "主题别名从 1 开始；0 不是别名。")
        }
        // Every other code has its text above, as the test shows.
        _ => text("A rule of the standard is broken here.", "这里违反了标准的一条规则。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_text_in_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for &code in FaultCode::ALL {
            let said = fault_text(code);
            assert!(!said.en.starts_with("A rule of"), "{} has no text", code.name());
            assert!(seen.insert(said.en) && seen.insert(said.zh), "{} repeats a text", code.name());
        }
    }
}
