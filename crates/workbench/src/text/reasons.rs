//! What a reason code means for the one who receives it and what to do about it.

use hexmq_wire::{PacketType, ReasonCode};

use crate::language::{Text, text};

/// The meaning of a 5.0 reason code, or of the 3.x SUBACK codes, in a packet of this type.
pub(crate) fn reason_text(code: ReasonCode, packet_type: PacketType) -> Text {
    match (code, packet_type) {
        (ReasonCode::Success, PacketType::Suback) => {
            text("Subscribed; messages come with QoS 0 at most.", "订阅成功；消息最高以 QoS 0 送达。")
        }
        (ReasonCode::Success, PacketType::Disconnect) => {
            text("Normal good-bye: the will is not published.", "正常断开：遗嘱不会发布。")
        }
        (ReasonCode::Success, PacketType::Connack) => {
            text("Accepted: the connection is open.", "接受：连接已建立。")
        }
        (ReasonCode::Success, PacketType::Auth) => text("The authentication is complete.", "认证完成。"),
        (ReasonCode::Success, _) => text("Done.", "成功。"),
        _ => success_text(code).unwrap_or_else(|| refusal_text(code)),
    }
}

/// Codes below 0x80 other than 0.
fn success_text(code: ReasonCode) -> Option<Text> {
    Some(match code {
        ReasonCode::GrantedQoS1 => text(
            "Subscribed; messages come with QoS 1 at most, so acknowledge each with PUBACK.",
            "订阅成功；消息最高以 QoS 1 送达，每条都要回 PUBACK。",
        ),
        ReasonCode::GrantedQoS2 => text(
            "Subscribed; messages come with QoS 2 at most (PUBREC, PUBREL, PUBCOMP).",
            "订阅成功；消息最高以 QoS 2 送达（PUBREC、PUBREL、PUBCOMP）。",
        ),
        ReasonCode::DisconnectWithWillMessage => text(
            "The client leaves and wants its will published all the same.",
            "客户端离开，但仍要求服务端发布遗嘱。",
        ),
        ReasonCode::NoMatchingSubscribers => text(
            "Accepted, but nobody has subscribed to this topic at the moment.",
            "已接受，但目前没有人订阅这个主题。",
        ),
        ReasonCode::NoSubscriptionExisted => text(
            "There was no such subscription; check the spelling of the filter.",
            "并没有这个订阅；请检查过滤器的拼写。",
        ),
        ReasonCode::ContinueAuthentication => text(
            "One more round: answer the authentication data with an AUTH of your own.",
            "认证还要再来一轮：请用 AUTH 回答对方的认证数据。",
        ),
        ReasonCode::ReAuthenticate => text(
            "The client starts a new authentication on the open connection.",
            "客户端在现有连接上重新开始认证。",
        ),
        _ => return None,
    })
}

/// Codes from 0x80: something was refused.
fn refusal_text(code: ReasonCode) -> Text {
    match code {
        ReasonCode::UnspecifiedError => text(
            "Refused, and the other side does not say why; its log may.",
            "被拒绝，对方没有说明原因；可查看对方日志。",
        ),
        ReasonCode::MalformedPacket => text(
            "The bytes could not be parsed: some length or flag does not fit the rest.",
            "字节无法解析：某个长度或标志与其余内容不符。",
        ),
        ReasonCode::ProtocolError => text(
            "Readable, but not allowed at this moment or in this combination.",
            "能读懂，但此刻或这种组合不被协议允许。",
        ),
        ReasonCode::ImplementationSpecificError => {
            text("Valid MQTT, but this server does not accept it.", "符合 MQTT，但这个服务端不接受。")
        }
        ReasonCode::UnsupportedProtocolVersion => text(
            "The server does not speak this protocol version; try level 4 (3.1.1).",
            "服务端不支持这个协议版本；可改用级别 4（3.1.1）。",
        ),
        ReasonCode::ClientIdentifierNotValid => text(
            "The client identifier is well-formed but not allowed here: too long, unknown, or forbidden.",
            "客户端标识符格式正确但不被允许：过长、未登记或被禁止。",
        ),
        ReasonCode::BadUserNameOrPassword => text(
            "User name or password is wrong. For clouds the password is often a signature: check its ingredients.",
            "用户名或密码错误。在云平台上密码常常是签名：请检查签名的各个成分。",
        ),
        ReasonCode::NotAuthorized => text(
            "Known perhaps, but not allowed to do this; or credentials were missing.",
            "身份也许正确，但无权这样做；或者缺少用户名和密码。",
        ),
        ReasonCode::ServerUnavailable => {
            text("The server cannot serve at the moment; try again later.", "服务端暂时不可用；请稍后再试。")
        }
        ReasonCode::ServerBusy => text("The server is busy; try again later.", "服务端忙；请稍后再试。"),
        ReasonCode::Banned => {
            text("This client is shut out by an administrator.", "该客户端已被管理员禁止。")
        }
        ReasonCode::ServerShuttingDown => {
            text("The server stops; reconnect after a while.", "服务端正在停机；请过一会儿重连。")
        }
        ReasonCode::BadAuthenticationMethod => text(
            "The authentication method is not supported, or not the one this connection began with.",
            "不支持该认证方法，或与连接开始时的方法不同。",
        ),
        ReasonCode::KeepAliveTimeout => text(
            "Nothing came for one and a half times the Keep Alive: send PINGREQ in time.",
            "超过 1.5 倍保持连接时间没有收到报文：请按时发送 PINGREQ。",
        ),
        ReasonCode::SessionTakenOver => text(
            "Another connection came with the same client identifier; each device needs its own.",
            "另一个连接使用了相同的客户端标识符；每台设备应有自己的标识符。",
        ),
        _ => limit_text(code),
    }
}

/// Codes about topics, identifiers, limits and what a server lacks.
fn limit_text(code: ReasonCode) -> Text {
    match code {
        ReasonCode::TopicFilterInvalid => text(
            "The topic filter is well-formed but not accepted here.",
            "主题过滤器格式正确，但此处不接受。",
        ),
        ReasonCode::TopicNameInvalid => {
            text("The topic name is well-formed but not accepted here.", "主题名格式正确，但此处不接受。")
        }
        ReasonCode::PacketIdentifierInUse => text(
            "The packet identifier still belongs to an exchange that is not finished; take another.",
            "该报文标识符所属的交互尚未结束；请换一个。",
        ),
        ReasonCode::PacketIdentifierNotFound => text(
            "The packet identifier is unknown: the two sides do not agree about their session.",
            "未知的报文标识符：双方对会话状态的认识不一致。",
        ),
        ReasonCode::ReceiveMaximumExceeded => text(
            "More unacknowledged messages than the Receive Maximum allows; wait for acknowledgements.",
            "未确认的消息数超过了接收最大值；请等待确认。",
        ),
        ReasonCode::TopicAliasInvalid => text(
            "A topic alias of 0, above the agreed maximum, or never defined.",
            "主题别名为 0、超过约定的最大值，或从未定义过。",
        ),
        ReasonCode::PacketTooLarge => text(
            "The packet is larger than the Maximum Packet Size the receiver announced.",
            "报文大于接收方声明的最大报文长度。",
        ),
        ReasonCode::MessageRateTooHigh => {
            text("Too many messages per second; slow down.", "消息发送过快；请降低频率。")
        }
        ReasonCode::QuotaExceeded => {
            text("A limit set by the administrator is reached.", "达到了管理员设定的配额。")
        }
        ReasonCode::AdministrativeAction => {
            text("An administrator closed the connection.", "管理员关闭了连接。")
        }
        ReasonCode::PayloadFormatInvalid => text(
            "The payload is not UTF-8 although the Payload Format Indicator says so.",
            "载荷格式指示声明为 UTF-8，但内容并不是。",
        ),
        ReasonCode::RetainNotSupported => text(
            "The server keeps no retained messages; clear the RETAIN flag.",
            "服务端不支持保留消息；请清除 RETAIN 标志。",
        ),
        ReasonCode::QoSNotSupported => {
            text("The QoS is above the Maximum QoS of the CONNACK.", "QoS 高于 CONNACK 中声明的最大 QoS。")
        }
        ReasonCode::UseAnotherServer => text(
            "Use another server for now; Server Reference may name it.",
            "请暂时改用另一台服务器；服务端参考中可能给出地址。",
        ),
        ReasonCode::ServerMoved => text(
            "The server has moved for good; Server Reference may name the new one.",
            "服务器已永久迁移；服务端参考中可能给出新地址。",
        ),
        ReasonCode::SharedSubscriptionsNotSupported => {
            text("The server has no shared subscriptions ($share).", "服务端不支持共享订阅（$share）。")
        }
        ReasonCode::ConnectionRateExceeded => text(
            "Too many connections in too short a time; wait before reconnecting.",
            "短时间内连接过多；请等待后再重连。",
        ),
        ReasonCode::MaximumConnectTime => text(
            "The time allowed for one connection is over; connect again.",
            "单次连接允许的时长已到；请重新连接。",
        ),
        ReasonCode::SubscriptionIdentifiersNotSupported => {
            text("The server has no subscription identifiers.", "服务端不支持订阅标识符。")
        }
        ReasonCode::WildcardSubscriptionsNotSupported => {
            text("The server accepts no filters with + or #.", "服务端不接受含 + 或 # 的过滤器。")
        }
        // The other codes have their texts above; a code without one would say its name twice.
        _ => text(
            "The standard gives this code no further meaning here.",
            "标准没有对此处的这个代码作进一步说明。",
        ),
    }
}

/// The meaning of a Connect Return code of 3.x; `None` for the reserved ones.
pub(crate) fn return_code_text(code: u8) -> Option<Text> {
    Some(match code {
        0 => text("Accepted: the connection is open.", "接受：连接已建立。"),
        1 => text(
            "Refused: the server does not speak this protocol level. Level 4 is MQTT 3.1.1.",
            "拒绝：服务端不支持该协议级别。级别 4 就是 MQTT 3.1.1。",
        ),
        2 => text(
            "Refused: the client identifier is not allowed: unknown device, too long, or empty with Clean Session 0.",
            "拒绝：客户端标识符不被允许：设备未登记、过长，或为空却没有设置清理会话。",
        ),
        3 => text("Refused: the server is not available at the moment.", "拒绝：服务端暂不可用。"),
        4 => text(
            "Refused: bad user name or password. For clouds the password is often a signature: check its ingredients.",
            "拒绝：用户名或密码错误。在云平台上密码常常是签名：请检查签名的各个成分。",
        ),
        5 => text(
            "Refused: not authorized: credentials are missing or this client may not connect.",
            "拒绝：未授权：缺少用户名和密码，或该客户端无权连接。",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_code_has_its_own_text_in_both_languages() {
        let general = limit_text(ReasonCode::Success);
        let mut seen = std::collections::BTreeSet::new();
        for &code in ReasonCode::ALL {
            let packet_type =
                PacketType::ALL.into_iter().find(|&t| code.allowed_in(t)).expect("used somewhere");
            let said = reason_text(code, packet_type);
            assert_ne!(said, general, "{code:?} has no text");
            assert!(seen.insert(said.en) && seen.insert(said.zh), "{code:?} repeats a text");
        }
    }

    #[test]
    fn the_six_return_codes_have_texts_and_the_reserved_ones_none() {
        assert!((0..6).all(|code| return_code_text(code).is_some()));
        assert!((6..=255).all(|code| return_code_text(code).is_none()));
    }
}
