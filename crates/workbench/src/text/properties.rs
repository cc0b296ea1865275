//! What each property of 5.0 is for.

use hexmq_wire::PropertyId;

use crate::language::{Text, text};

/// Name for people, and meaning.
pub(crate) struct PropertyText {
    /// The standard's name.
    pub label: Text,
    /// What it does.
    pub about: Text,
}

macro_rules! row {
    ($label_en:literal, $label_zh:literal, $en:literal, $zh:literal) => {
        PropertyText { label: text($label_en, $label_zh), about: text($en, $zh) }
    };
}

/// The text of a property.
pub(crate) fn property_text(id: PropertyId) -> PropertyText {
    use PropertyId as P;
    match id {
        P::PayloadFormatIndicator => row!(
            "Payload Format Indicator",
            "载荷格式指示",
            "Says whether the payload is UTF-8 text (1) or just bytes (0).",
            "说明有效载荷是 UTF-8 文本（1）还是普通字节（0）。"
        ),
        P::MessageExpiryInterval => row!(
            "Message Expiry Interval",
            "消息过期间隔",
            "Seconds this message stays useful. The server throws it away when it could not be delivered by then, and \
             hands it on with the time that is left.",
            "消息有效的秒数。到时仍未送达，服务端就丢弃它；转发时写入剩余的时间。"
        ),
        P::ContentType => row!(
            "Content Type",
            "内容类型",
            "Says what the payload is, usually a MIME type such as application/json.",
            "说明载荷的类型，通常是 MIME 类型，例如 application/json。"
        ),
        P::ResponseTopic => row!(
            "Response Topic",
            "响应主题",
            "The topic on which the sender waits for an answer; it makes this message a request.",
            "发送方在这个主题上等待回答；有了它，这条消息就成了一个请求。"
        ),
        P::CorrelationData => row!(
            "Correlation Data",
            "关联数据",
            "The answer carries the same bytes, so the requester knows which request it belongs to.",
            "回答要带上同样的字节，请求方据此知道它对应哪个请求。"
        ),
        P::SubscriptionIdentifier => row!(
            "Subscription Identifier",
            "订阅标识符",
            "A number the client gives to a subscription; every message that matches it carries the number back.",
            "客户端给订阅起的编号；每条匹配的消息都会带回这个编号。"
        ),
        P::SessionExpiryInterval => row!(
            "Session Expiry Interval",
            "会话过期间隔",
            "Seconds the session (subscriptions, queued messages) outlives the connection.",
            "连接断开后会话（订阅、排队的消息）还保留多少秒。"
        ),
        P::AssignedClientIdentifier => row!(
            "Assigned Client Identifier",
            "分配的客户端标识符",
            "The client came with an empty identifier and is called this from now on.",
            "客户端的标识符为空，服务端分配了这一个，今后就用它。"
        ),
        P::ServerKeepAlive => row!(
            "Server Keep Alive",
            "服务端保持连接",
            "The server's Keep Alive in seconds replaces the one of the CONNECT.",
            "服务端指定的保持连接秒数，取代 CONNECT 中的值。"
        ),
        P::AuthenticationMethod => row!(
            "Authentication Method",
            "认证方法",
            "Name of the extended authentication, for example SCRAM-SHA-256.",
            "扩展认证的名称，例如 SCRAM-SHA-256。"
        ),
        P::AuthenticationData => row!(
            "Authentication Data",
            "认证数据",
            "Bytes that only the authentication method understands.",
            "只有认证方法才懂的字节。"
        ),
        P::RequestProblemInformation => row!(
            "Request Problem Information",
            "请求问题信息",
            "1: the server may send reason strings and user properties with any packet. 0: only where it must.",
            "1：服务端可以在任何报文里附带原因字符串和用户属性。0：只在必要处。"
        ),
        P::WillDelayInterval => row!(
            "Will Delay Interval",
            "遗嘱延迟间隔",
            "Seconds the server waits with the will; a client that is back by then gets no obituary.",
            "服务端推迟多少秒才发布遗嘱；客户端及时回来就不发布。"
        ),
        P::RequestResponseInformation => row!(
            "Request Response Information",
            "请求响应信息",
            "1: please tell in the CONNACK where answers may be sent (Response Information).",
            "1：请在 CONNACK 中告知可用于回答的主题（响应信息）。"
        ),
        P::ResponseInformation => row!(
            "Response Information",
            "响应信息",
            "What the client may build response topics from.",
            "客户端可以据此构造响应主题。"
        ),
        P::ServerReference => row!(
            "Server Reference",
            "服务端参考",
            "Another server the client should use.",
            "客户端应改用的另一台服务器。"
        ),
        P::ReasonString => row!(
            "Reason String",
            "原因字符串",
            "The reason in words, for logs; programs must not parse it.",
            "用文字说明原因，供日志查看；程序不应解析它。"
        ),
        P::ReceiveMaximum => row!(
            "Receive Maximum",
            "接收最大值",
            "How many QoS 1 and 2 messages the sender of this packet takes before it has acknowledged any of them.",
            "本报文的发送方最多允许多少条尚未确认的 QoS 1 和 QoS 2 消息。"
        ),
        P::TopicAliasMaximum => row!(
            "Topic Alias Maximum",
            "主题别名最大值",
            "The highest topic alias the sender of this packet accepts; 0 or absent: none.",
            "本报文的发送方接受的最大主题别名；为 0 或没有此属性表示不接受。"
        ),
        P::TopicAlias => row!(
            "Topic Alias",
            "主题别名",
            "A number that stands for the topic name: sent once together with it, later instead of it.",
            "代替主题名的编号：第一次与主题名一起发送，以后可以只发编号。"
        ),
        P::MaximumQoS => row!(
            "Maximum QoS",
            "最大 QoS",
            "The highest QoS the server accepts in PUBLISH; without this property 2.",
            "服务端在 PUBLISH 中接受的最高 QoS；没有此属性表示 2。"
        ),
        P::RetainAvailable => row!(
            "Retain Available",
            "支持保留消息",
            "Whether the server keeps retained messages.",
            "服务端是否支持保留消息。"
        ),
        P::UserProperty => row!(
            "User Property",
            "用户属性",
            "A name and a value for the applications; MQTT hands it on and does not look at it.",
            "给应用使用的名称和值；MQTT 原样转交，不作解释。"
        ),
        P::MaximumPacketSize => row!(
            "Maximum Packet Size",
            "最大报文长度",
            "The largest packet in bytes, fixed header included, that the sender of this packet accepts.",
            "本报文的发送方能接受的最大报文字节数（含固定报头）。"
        ),
        P::WildcardSubscriptionAvailable => row!(
            "Wildcard Subscription Available",
            "支持通配符订阅",
            "Whether filters with + and # may be subscribed.",
            "是否可以订阅含 + 和 # 的过滤器。"
        ),
        P::SubscriptionIdentifierAvailable => row!(
            "Subscription Identifier Available",
            "支持订阅标识符",
            "Whether subscriptions may carry an identifier.",
            "订阅是否可以带标识符。"
        ),
        P::SharedSubscriptionAvailable => row!(
            "Shared Subscription Available",
            "支持共享订阅",
            "Whether $share/group/filter may be subscribed.",
            "是否可以订阅 $share/组/过滤器。"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_its_own_label_and_meaning() {
        let mut seen = std::collections::BTreeSet::new();
        for row in hexmq_wire::property_rows() {
            let PropertyText { label, about } = property_text(row.id);
            for said in [label.en, label.zh, about.en, about.zh] {
                assert!(seen.insert(said), "{}: {said:?} stands twice", row.name);
            }
            // The label is the name of the standard: in snake_case it is the name of the field.
            assert_eq!(label.en.to_lowercase().replace(' ', "_"), row.name);
        }
    }
}
