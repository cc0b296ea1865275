//! Reasons that are no fault of a byte: who it is, when it came, and what came instead.

use hexmq_wire::{FaultCode, PacketType, Version};

use super::{Case, Found, template};
use crate::language::{Text, say, text};
use crate::{Language, Rest, Severity};

/// What a reason means, where it shows, and what to do about it.
pub(super) fn found(case: &Case<'_>) -> Found {
    match case.rejected.reason {
        "bad_user_name_or_password" => credentials(case),
        "anonymous_not_allowed" => {
            let place = case.place("connect_flags");
            from_text(case, ANONYMOUS, place, None, template::with_credentials(case))
        }
        "client_identifier_not_valid" => client_identifier(case),
        "not_authorized" => from_text(case, NOT_AUTHORIZED, case.place("will_topic"), None, None),
        "bad_authentication_method" => {
            let place = case.place("authentication_method").or_else(|| case.place("properties"));
            from_text(case, AUTHENTICATION_METHOD, place, Some("MQTT-4.12.0-1"), None)
        }
        "topic_name_invalid" => {
            let place = case.place("will_topic").or_else(|| case.place("topic_name"));
            from_text(case, TOPIC_NAME, place, None, None)
        }
        "server_unavailable" => from_text(case, UNAVAILABLE, None, None, None),
        "server_shutting_down" => from_text(case, SHUTTING_DOWN, None, None, None),
        "connect_expected" => connect_expected(case),
        "connect_incomplete" | "connection_closed" | "connection_reset" => incomplete(case),
        "receive_maximum_exceeded" => {
            from_text(case, RECEIVE_MAXIMUM, case.place("packet_identifier"), Some("MQTT-3.3.4-7"), None)
        }
        "topic_alias_invalid" => {
            let place = case.place("topic_alias").or_else(|| case.place("topic_name"));
            from_text(case, TOPIC_ALIAS, place, Some("MQTT-3.3.2-9"), None)
        }
        "packet_too_large" => {
            from_text(case, TOO_LARGE_FOR_CLIENT, case.place("maximum_packet_size"), None, None)
        }
        _ => out_of_turn(case),
    }
}

fn from_text(
    case: &Case<'_>,
    (message, hint): (Text, Text),
    place: Option<(usize, usize)>,
    statement: Option<&'static str>,
    repair: Option<Vec<u8>>,
) -> Found {
    Found {
        rule: case.rejected.reason.to_owned(),
        statement,
        place: place.map(|(offset, length)| case.within(offset, length)),
        message: message.in_language(case.language).to_owned(),
        hint: hint.in_language(case.language).to_owned(),
        repair,
    }
}

/// From the user name to the end of the password, or to where they should be.
fn credentials(case: &Case<'_>) -> Found {
    let user = case.place("user_name");
    let password = case.place("password");
    let place = match (user, password) {
        (Some((offset, _)), Some((last, length))) => Some((offset, last + length - offset)),
        (one, other) => one.or(other).or_else(|| case.place("connect_flags")),
    };
    from_text(case, CREDENTIALS, place, None, template::with_credentials(case))
}

fn client_identifier(case: &Case<'_>) -> Found {
    let version = case.packet().map(|packet| packet.version);
    let place = case.place("client_identifier");
    match version {
        Some(Version::V4) => {
            from_text(case, NO_IDENTIFIER, place, Some("MQTT-3.1.3-8"), template::with_client(case))
        }
        _ => from_text(case, BAD_IDENTIFIER, place, None, template::with_client(case)),
    }
}

/// Another packet came first.
fn connect_expected(case: &Case<'_>) -> Found {
    let name = case.packet().map_or("RESERVED", |packet| packet.type_name());
    let first = case.rejected.bytes.first().copied().unwrap_or_default();
    let mut found = from_text(case, CONNECT_EXPECTED, Some((0, 1)), Some("MQTT-3.1.0-1"), None);
    found.message = say!(
        case.language,
        "The first byte is {first:02x}, the beginning of a {name}; a connection begins with a CONNECT, whose first byte is 10.",
        "首字节是 {first:02x}，即 {name} 的开头；连接必须以 CONNECT 开始，其首字节为 10。",
    );
    found
}

/// No whole CONNECT: nothing, or too few bytes, or a Remaining Length that claims too many.
fn incomplete(case: &Case<'_>) -> Found {
    let language = case.language;
    let received = case.rejected.sent;
    if received == 0 {
        return from_text(case, SILENT, None, None, None);
    }
    let waited = case.rejected.reason == "connect_incomplete";
    let hint = if waited { INCOMPLETE_HINT } else { GAVE_UP_HINT };
    let mut found = Found {
        rule: case.rejected.reason.to_owned(),
        statement: None,
        place: Some((received, 0)),
        message: String::new(),
        hint: hint.in_language(language).to_owned(),
        repair: None,
    };
    // One that is cut off, or whole but for a Remaining Length that promises more.
    let is_cut = |rest: &&Rest| rest.needs.is_some() && (rest.offset == 0 || rest.length == 0);
    let Some((rest, packet)) = case.real.rest.as_ref().filter(is_cut).zip(case.packet()) else {
        // A whole CONNECT whose exchange did not come to an end.
        found.message = say!(
            language,
            "{received} bytes came, and the client did not go on.",
            "收到 {received} 个字节后，客户端没有继续。",
        );
        return found;
    };
    let needs = rest.needs.unwrap_or_default();
    let is_connect = packet.packet_type == Some(PacketType::Connect);
    let at_least = packet.length < 2;
    let length = packet.findings.iter().find(|finding| finding.field == "remaining_length");
    found.message = match (is_connect, at_least) {
        (false, _) => say!(
            language,
            "{received} bytes came that do not begin a CONNECT, whose first byte is 10; of the packet they begin, {needs} bytes are missing.",
            "收到 {received} 个字节，但不是 CONNECT 的开头（首字节应为 10）；按它们所属的报文算，还缺 {needs} 个字节。",
        ),
        (true, true) => say!(
            language,
            "{received} bytes of a CONNECT came; at least {needs} are missing.",
            "收到 CONNECT 的 {received} 个字节，至少还缺 {needs} 个。",
        ),
        (true, false) => say!(
            language,
            "{received} bytes of a CONNECT came; its Remaining Length promises {needs} more.",
            "收到 CONNECT 的 {received} 个字节；按剩余长度还应有 {needs} 个。",
        ),
    };
    if !is_connect {
        found.place = Some((0, 1));
        found.statement = Some("MQTT-3.1.0-1");
    } else if let Some(repair) = length.and_then(|finding| finding.repair.clone()) {
        found.place = case.place("remaining_length").or(found.place);
        found.hint = LENGTH_HINT.in_language(language).to_owned();
        found.repair = Some(repair);
    }
    found
}

/// A packet that may not come now, or from this side.
fn out_of_turn(case: &Case<'_>) -> Found {
    let packet_type = case.packet().and_then(|packet| packet.packet_type);
    if case.rejected.connected && packet_type == Some(PacketType::Connect) {
        return from_text(case, SECOND_CONNECT, Some((0, 1)), Some("MQTT-3.1.0-2"), None);
    }
    if let Some(found) = case.of_finding(Severity::Fault) {
        return found;
    }
    from_text(case, OUT_OF_TURN, case.packet().map(|_| (0, 1)), None, None)
}

/// What to do about a broken rule of the standard.
pub(super) fn hint_of_fault(code: FaultCode, repaired: bool, language: Language) -> String {
    let hint = match code {
        FaultCode::PacketTooLarge => TOO_LARGE_HINT,
        FaultCode::ProtocolVersion => VERSION_HINT,
        _ => return hint_of_repair(repaired, language),
    };
    hint.in_language(language).to_owned()
}

/// Where the right bytes are, or how to find them.
pub(super) fn hint_of_repair(repaired: bool, language: Language) -> String {
    let hint = if repaired { REPAIR_HINT } else { EXPLAIN_HINT };
    hint.in_language(language).to_owned()
}

const CREDENTIALS: (Text, Text) = (
    text("There is no such user, or the password is not theirs.", "没有这个用户，或者密码不对。"),
    text(
        "compare user name and password with [[user]] in the configuration (hash from `hexmq user hash`); in `repair_hex` \
         the right password belongs where 2a stands",
        "请与配置文件 [[user]] 中的用户名和密码核对（哈希由 `hexmq user hash` 生成）；`repair_hex` 中 2a 的位置应填正确的密码",
    ),
);
const ANONYMOUS: (Text, Text) = (
    text(
        "The CONNECT has neither user name nor password, and clients without them may come from this machine only.",
        "CONNECT 中既没有用户名也没有密码，而没有凭据的客户端只能从本机连接。",
    ),
    text(
        "give the client a user ([[user]] in the configuration, hash from `hexmq user hash`), as in `repair_hex`, or start \
         the server with --allow-anonymous",
        "请给客户端配置用户（配置文件中的 [[user]]，哈希由 `hexmq user hash` 生成），格式见 `repair_hex`；或者用 --allow-anonymous \
         启动服务器",
    ),
);
const NO_IDENTIFIER: (Text, Text) = (
    text(
        "The Client Identifier is empty and Clean Session is 0: a session that is kept needs a name.",
        "客户端标识符为空，而 Clean Session 为 0：要保留的会话必须有名字。",
    ),
    text(
        "give the client an identifier, or set Clean Session (bit 1 of the connect flags) as in `repair_hex`",
        "请设置客户端标识符，或者像 `repair_hex` 那样把 Clean Session（连接标志第 1 位）置 1",
    ),
);
const BAD_IDENTIFIER: (Text, Text) = (
    text(
        "This Client Identifier is not allowed; MQTT 3.1 wants 1 to 23 characters.",
        "不允许使用这个客户端标识符；MQTT 3.1 要求 1 到 23 个字符。",
    ),
    text("give the client an identifier of its own", "请给客户端设置自己的标识符"),
);
const NOT_AUTHORIZED: (Text, Text) = (
    text(
        "The credentials do not allow this; topics that begin with $ are the server's own, also for a will.",
        "凭据不允许这样做；以 $ 开头的主题属于服务端，遗嘱也不能使用。",
    ),
    text("choose another will topic, or ask for the permission", "请更换遗嘱主题，或申请权限"),
);
const AUTHENTICATION_METHOD: (Text, Text) = (
    text("The server does not know this Authentication Method.", "服务端不支持这种认证方法。"),
    text("leave the property out and send user name and password", "请去掉这个属性，改用用户名和密码"),
);
const TOPIC_NAME: (Text, Text) = (
    text("The topic has more levels than the server allows.", "主题的层数超过了服务端的限制。"),
    text("use fewer levels, or raise `topic_depth`", "请减少层数，或调大 `topic_depth`"),
);
const UNAVAILABLE: (Text, Text) = (
    text(
        "The server could not decide in time who this is: too many passwords were waiting to be checked.",
        "服务端来不及确认身份：等待校验的密码太多。",
    ),
    text("try again, with a pause that grows", "请稍后重试，并逐次加长间隔"),
);
const SHUTTING_DOWN: (Text, Text) = (
    text("The server was stopping.", "服务端正在停止。"),
    text("try again when it is back", "请在它恢复后重试"),
);
const CONNECT_EXPECTED: (Text, Text) = (
    text("The first packet is not a CONNECT.", "第一个报文不是 CONNECT。"),
    text(
        "send the CONNECT first and wait for its CONNACK (20 02 00 00)",
        "请先发送 CONNECT，并等待 CONNACK（20 02 00 00）",
    ),
);
const SILENT: (Text, Text) = (
    text("The connection was opened and nothing was sent on it.", "连接建立后没有发送任何内容。"),
    text(
        "send a CONNECT within `connect_timeout`; a client that waits for the server to speak first does not speak MQTT",
        "请在 `connect_timeout` 内发送 CONNECT；如果客户端在等服务端先发话，那它说的不是 MQTT",
    ),
);
const RECEIVE_MAXIMUM: (Text, Text) = (
    text(
        "More PUBLISH packets with QoS 1 and 2 are unacknowledged than the Receive Maximum of the CONNACK allows.",
        "未确认的 QoS 1、2 PUBLISH 数量超过了 CONNACK 中的接收最大值。",
    ),
    text("wait for PUBACK or PUBCOMP before sending more", "请等收到 PUBACK 或 PUBCOMP 后再继续发送"),
);
const TOPIC_ALIAS: (Text, Text) = (
    text(
        "The Topic Alias is larger than the Topic Alias Maximum of the CONNACK, or stands for no topic yet.",
        "主题别名超过了 CONNACK 中的主题别名最大值，或者还没有对应的主题。",
    ),
    text("send the topic name along with the alias first", "请先把主题名和别名一起发送"),
);
const TOO_LARGE_FOR_CLIENT: (Text, Text) = (
    text(
        "The client's Maximum Packet Size leaves no room for the CONNACK.",
        "客户端的最大报文长度太小，放不下 CONNACK。",
    ),
    text("allow larger packets, or leave the property out", "请调大该值，或去掉这个属性"),
);
const SECOND_CONNECT: (Text, Text) = (
    text("A second CONNECT on the same connection.", "同一个连接上出现了第二个 CONNECT。"),
    text(
        "send CONNECT once; to begin anew, close the network connection first",
        "CONNECT 只能发送一次；要重新开始，请先关闭网络连接",
    ),
);
const OUT_OF_TURN: (Text, Text) = (
    text(
        "The packet is well formed, and may not come at this point of the conversation.",
        "报文本身正确，但不能在会话的这个阶段出现。",
    ),
    text(
        "record the connection (POST /api/v1/recorder/watches) to see what led to it",
        "请录制该连接（POST /api/v1/recorder/watches）查看前后经过",
    ),
);
const INCOMPLETE_HINT: Text = text(
    "send the rest, or correct the Remaining Length (the second byte: the number of bytes that follow it)",
    "请补齐其余字节，或更正剩余长度（第二个字节：它后面的字节数）",
);
const GAVE_UP_HINT: Text = text(
    "the client closed the connection itself, before its CONNECT was whole: send all of it, then wait for the answer",
    "客户端在 CONNECT 发完之前自己关闭了连接：请发完整，再等待应答",
);
const LENGTH_HINT: Text = text(
    "the Remaining Length is too large: with the one in `repair_hex` the packet is whole",
    "剩余长度写大了：改成 `repair_hex` 中的值，报文就是完整的",
);
const TOO_LARGE_HINT: Text = text(
    "send less in one packet, or raise `maximum_packet_size`; a first packet may have 640 KiB at most",
    "请减小单个报文，或调大 `maximum_packet_size`；第一个报文最多 640 KiB",
);
const VERSION_HINT: Text = text(
    "the server speaks 3.1 (\"MQIsdp\", level 3), 3.1.1 (\"MQTT\", level 4) and 5.0 (\"MQTT\", level 5)",
    "服务端支持 3.1（“MQIsdp”，级别 3）、3.1.1（“MQTT”，级别 4）和 5.0（“MQTT”，级别 5）",
);
const REPAIR_HINT: Text =
    text("`repair_hex` is the packet as it would be right", "`repair_hex` 是改正后的报文");
const EXPLAIN_HINT: Text = text(
    "`hexmq explain` with these bytes shows the packet field by field",
    "用 `hexmq explain` 解释这些字节，可以逐字段查看",
);
