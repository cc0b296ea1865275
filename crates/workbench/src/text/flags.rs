//! What each flag means when it is set and when it is not.

use crate::Language;
use crate::language::say;

/// What a flag says in each of its two states.
pub(crate) fn flag_meaning(name: &str, set: bool, language: Language) -> Option<String> {
    Some(match (name, set) {
        ("user_name_flag", true) => {
            say!(language, "A user name follows in the payload.", "有效载荷里有用户名。")
        }
        ("user_name_flag", false) => say!(language, "No user name.", "没有用户名。"),
        ("password_flag", true) => say!(language, "A password follows in the payload.", "有效载荷里有密码。"),
        ("password_flag", false) => say!(language, "No password.", "没有密码。"),
        ("will_flag", true) => say!(
            language,
            "The server publishes the will (topic and message follow) if the client vanishes without DISCONNECT.",
            "客户端没有发送 DISCONNECT 就消失时，服务端发布遗嘱（主题和消息在后面）。",
        ),
        ("will_flag", false) => say!(language, "No will.", "没有遗嘱。"),
        ("will_retain", true) => {
            say!(language, "The will is kept as a retained message.", "遗嘱会作为保留消息保存。")
        }
        ("will_retain", false) => {
            say!(language, "The will, if any, is not retained.", "遗嘱（若有）不保留。")
        }
        ("clean_session", true) => say!(
            language,
            "Begin empty: the server forgets what it kept for this client, and keeps nothing after the connection.",
            "从空白开始：服务端丢弃为该客户端保存的一切，断开后也不保留。",
        ),
        ("clean_session", false) => say!(
            language,
            "Resume: subscriptions and missed QoS 1 and 2 messages of this client identifier are kept.",
            "继续上次会话：保留该客户端标识符的订阅，以及错过的 QoS 1 和 QoS 2 消息。",
        ),
        ("clean_start", true) => say!(
            language,
            "Begin empty; how long the session then lives is said by the Session Expiry Interval.",
            "从空白开始；会话保留多久由会话过期间隔决定。",
        ),
        ("clean_start", false) => {
            say!(
                language,
                "Resume the session of this client identifier if there is one.",
                "若有该客户端标识符的会话就继续使用。"
            )
        }
        _ => message_flag(name, set, language)?,
    })
}

/// Flags of messages, subscriptions and answers.
fn message_flag(name: &str, set: bool, language: Language) -> Option<String> {
    Some(match (name, set) {
        ("dup", true) => say!(
            language,
            "Sent again: the first attempt was not acknowledged. The receiver may have it already.",
            "再次发送：第一次没有得到确认。接收方可能已经收到过。",
        ),
        ("dup", false) => say!(language, "The first attempt.", "第一次发送。"),
        ("retain", true) => say!(
            language,
            "To the server: keep this as the topic's last message (an empty payload deletes it). To a subscriber: this \
             was kept from earlier.",
            "发给服务端：保存为该主题的最后一条消息（空载荷表示删除）。发给订阅者：这是以前保存的消息。",
        ),
        ("retain", false) => say!(
            language,
            "Not kept: only those subscribed now receive it.",
            "不保存：只有此刻已订阅者能收到。"
        ),
        ("session_present", true) => {
            say!(
                language,
                "The server resumes a stored session; subscriptions are still there.",
                "服务端恢复了保存的会话，订阅仍然有效。"
            )
        }
        ("session_present", false) => {
            say!(
                language,
                "No stored session: subscribe again once connected.",
                "没有保存的会话：连接成功后需要重新订阅。"
            )
        }
        ("no_local", true) => say!(
            language,
            "Messages of this very client are not sent back to it.",
            "自己发布的消息不会发回给自己。"
        ),
        ("no_local", false) => {
            say!(language, "Own messages come back too, if they match.", "自己发布的消息若匹配也会收到。")
        }
        ("retain_as_published", true) => {
            say!(language, "RETAIN arrives as it was published.", "RETAIN 标志保持发布时的值。")
        }
        ("retain_as_published", false) => {
            say!(
                language,
                "RETAIN is cleared, except on messages kept from earlier.",
                "转发时清除 RETAIN，订阅时发送的保留消息除外。"
            )
        }
        _ => return None,
    })
}
