//! What the rules about several packets say.

use crate::language::{Text, text};
use crate::lint::LintRule;

/// The rule and the way out.
pub(crate) fn dialogue_text(rule: LintRule) -> Text {
    connection_text(rule)
        .or_else(|| session_text(rule))
        .or_else(|| flow_text(rule))
        .or_else(|| clock_text(rule))
        .unwrap_or_else(|| limit_text(rule))
}

fn connection_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::FirstPacketNotConnect => text(
            "The first packet of a connection is CONNECT; the server closes without an answer.",
            "连接上的第一个报文必须是 CONNECT；否则服务端不作回答直接断开。",
        ),
        LintRule::SecondConnect => text(
            "A connection has one CONNECT. A second one makes the server close it: open a new connection to log in again.",
            "一个连接只能有一个 CONNECT。再发一次服务端就会断开：要重新登录请新建连接。",
        ),
        LintRule::SecondConnack => text("A connection has one CONNACK.", "一个连接只能有一个 CONNACK。"),
        LintRule::BeforeConnack => {
            text("The first packet of the server is CONNACK.", "服务端发送的第一个报文必须是 CONNACK。")
        }
        LintRule::SentBeforeRefusal => text(
            "Sent before the CONNACK, which then refused: the server did not look at it. Wait for CONNACK 0.",
            "在 CONNACK 之前就发送了，而随后的 CONNACK 是拒绝：服务端不会处理它。请等到返回码为 0 的 CONNACK。",
        ),
        LintRule::AfterRefusal => text(
            "Behind a refusing CONNACK the server closes and sends nothing more.",
            "拒绝连接的 CONNACK 之后服务端必须断开，不再发送任何报文。",
        ),
        LintRule::AfterDisconnect => text(
            "Behind DISCONNECT its sender sends nothing more and closes the connection.",
            "DISCONNECT 之后发送方不得再发送任何报文，应关闭连接。",
        ),
        LintRule::ClientIdentifierTwice => text(
            "Another connection with this client identifier is still open; the server ends it. Two devices with one identifier \
             push each other out without end: give each its own.",
            "用同一客户端标识符的另一个连接还开着，服务端会把它断开。两台设备共用一个标识符会不停地互相踢下线：请各用各的。",
        ),
        _ => return None,
    })
}

fn session_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::SessionPresentAfterCleanSession => text(
            "The CONNECT asked for a clean session, so there is none that could be present: the byte is 00.",
            "CONNECT 要求清理会话，因此不可能有已存在的会话：这个字节应为 00。",
        ),
        LintRule::SessionPresentNeverKept => text(
            "The connection before had a session that ends with it, so nothing was kept that could be present now.",
            "上一个连接的会话随连接结束，没有留下任何可以恢复的会话。",
        ),
        LintRule::SessionLost => text(
            "The connection before left a session to be kept, and the server has none: subscriptions and waiting messages are \
             gone. The client must subscribe again.",
            "上一个连接留下了应当保存的会话，而服务端没有：订阅和待发消息都丢失了。客户端必须重新订阅。",
        ),
        LintRule::GrantedQosAboveRequested => text(
            "The server grants a higher QoS than was asked for. The standard lets it grant less, it does not speak of more \
             (Aliyun does this): do not compare the granted QoS with the requested one.",
            "服务端授予的 QoS 高于请求的 QoS。标准只说可以授予更低的，没有说更高（阿里云就是这样）：不要拿授予值与请求值作相等比较。",
        ),
        LintRule::SubackCount => text(
            "A SUBACK has one code for each filter of its SUBSCRIBE.",
            "SUBACK 对 SUBSCRIBE 的每个过滤器各有一个返回码。",
        ),
        LintRule::UnsubackCount => text(
            "In 5.0 an UNSUBACK has one code for each filter of its UNSUBSCRIBE.",
            "5.0 的 UNSUBACK 对 UNSUBSCRIBE 的每个过滤器各有一个原因码。",
        ),
        LintRule::SubscriptionIdentifierUnasked => text(
            "No subscription of this connection was given this identifier.",
            "这个连接上没有任何订阅使用过这个订阅标识符。",
        ),
        LintRule::SubscriptionUnavailable => text(
            "The CONNACK said that the server has no such subscriptions.",
            "CONNACK 已经说明服务端不支持这种订阅。",
        ),
        _ => return None,
    })
}

fn flow_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::AcknowledgementForNothing => text(
            "Nothing with this packet identifier waits for this acknowledgement: it repeats the identifier of what it answers.",
            "没有哪个报文带着这个标识符在等这个确认：确认必须使用被确认报文的标识符。",
        ),
        LintRule::AcknowledgementOfOtherKind => text(
            "QoS 1 is acknowledged with PUBACK (40), QoS 2 with PUBREC (50); a SUBSCRIBE with SUBACK, an UNSUBSCRIBE with \
             UNSUBACK.",
            "QoS 1 用 PUBACK（40）确认，QoS 2 用 PUBREC（50）；SUBSCRIBE 用 SUBACK，UNSUBSCRIBE 用 UNSUBACK。",
        ),
        LintRule::AcknowledgementMissing => {
            text("It was never answered on this connection.", "在这个连接上它始终没有得到应答。")
        }
        LintRule::Qos2OutOfOrder => text(
            "The order of QoS 2 is PUBLISH, PUBREC, PUBREL, PUBCOMP; each waits for the one before.",
            "QoS 2 的顺序是 PUBLISH、PUBREC、PUBREL、PUBCOMP；每一步都要等到前一步。",
        ),
        LintRule::PublishAfterPubrel => text(
            "Once the PUBREL is sent the PUBLISH is not sent again: the receiver takes it for a new message.",
            "发出 PUBREL 之后不能再重发 PUBLISH：接收方会把它当成新消息。",
        ),
        LintRule::PacketIdentifierInUse => text(
            "This packet identifier is still in use by something that is not acknowledged. Count on to a free one.",
            "这个报文标识符还被一个未确认的报文占用。请换用空闲的标识符。",
        ),
        LintRule::DupMissing => text(
            "The same message with the same identifier again: a repetition has DUP set (bit 3 of the first byte).",
            "同一标识符的同一条消息又发了一次：重发必须置 DUP 位（首字节第 3 位）。",
        ),
        LintRule::DupOnFirst => text(
            "DUP marks a repetition, but this connection has not seen the message before.",
            "DUP 表示重发，而这个连接之前没有出现过这条消息。",
        ),
        LintRule::RepeatedInConnection => text(
            "In 5.0 a message is sent again only after a new connection; within one TCP takes care of it.",
            "5.0 只有在重新连接之后才能重发消息；同一连接内由 TCP 保证送达。",
        ),
        _ => return None,
    })
}

fn clock_text(rule: LintRule) -> Option<Text> {
    Some(match rule {
        LintRule::KeepAliveExceeded => text(
            "The client was silent for more than one and a half times its Keep Alive; the server closes such a connection. Send \
             PINGREQ (c0 00) before the time is over.",
            "客户端静默超过了保持连接时间的一倍半；服务端会断开这样的连接。请在到时之前发送 PINGREQ（c0 00）。",
        ),
        LintRule::PingreqUnanswered => text(
            "The server did not answer this PINGREQ with PINGRESP.",
            "服务端没有用 PINGRESP 回答这个 PINGREQ。",
        ),
        LintRule::PingrespUnasked => {
            text("There was no PINGREQ that it could answer.", "没有与它对应的 PINGREQ。")
        }
        _ => return None,
    })
}

fn limit_text(rule: LintRule) -> Text {
    match rule {
        LintRule::TopicAliasUnknown => text(
            "The topic name is empty and this alias was never given one on this connection: aliases do not outlive it.",
            "主题名为空，而这个别名在本连接上从未对应过主题：别名不会跨连接保留。",
        ),
        LintRule::TopicAliasAboveMaximum => text(
            "The receiver allowed no such alias: its Topic Alias Maximum is lower, or 0 where it said nothing.",
            "接收方不允许这么大的别名：它的主题别名最大值更小；没有声明时为 0。",
        ),
        LintRule::ReceiveMaximumExceeded => text(
            "More QoS 1 and 2 messages are unacknowledged than the receiver's Receive Maximum allows.",
            "未确认的 QoS 1、2 消息超过了接收方的接收最大值。",
        ),
        LintRule::MaximumPacketSizeExceeded => text(
            "The packet is larger than the receiver's Maximum Packet Size.",
            "报文超过了接收方声明的最大报文长度。",
        ),
        LintRule::MaximumQosExceeded => text(
            "The CONNACK said that the server takes no message of this QoS.",
            "CONNACK 已经说明服务端不接受这个 QoS 的消息。",
        ),
        LintRule::RetainUnavailable => text(
            "The CONNACK said that the server keeps no retained messages.",
            "CONNACK 已经说明服务端不支持保留消息。",
        ),
        LintRule::AuthUnasked => text(
            "The CONNECT named no Authentication Method, so there is no AUTH.",
            "CONNECT 没有给出认证方法，因此不能有 AUTH。",
        ),
        LintRule::ReasonStringUnasked => text(
            "The CONNECT asked for no problem information: Reason String and User Properties are only for PUBLISH, CONNACK and \
             DISCONNECT then.",
            "CONNECT 不要求问题信息：此时原因字符串和用户属性只能出现在 PUBLISH、CONNACK、DISCONNECT 中。",
        ),
        LintRule::ResponseInformationUnasked => {
            text("The CONNECT did not ask for Response Information.", "CONNECT 没有请求响应信息。")
        }
        // Every other rule has its text above, as the test shows.
        _ => text("A rule of dialogues is broken here.", "这里违反了一条对话规则。"),
    }
}
