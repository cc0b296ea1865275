//! What went wrong under MQTT: in TLS, or in WebSocket.

use super::{Case, Found, Rejected};
use crate::language::{Text, say, text};

/// Whether the bytes are those of TLS or WebSocket: no CONNECT, and so no password.
pub(super) fn is_no_mqtt(rejected: &Rejected<'_>) -> bool {
    rejected.layer.is_some() && rejected.bytes.first() != Some(&0x10)
}

/// Words for what a layer gave up for.
pub(super) fn found(case: &Case<'_>) -> Option<Found> {
    let (rule, detail) = case.rejected.layer?;
    let bytes = case.rejected.bytes;
    let (words, hint) = words(rule, bytes)?;
    let mut message = words.in_language(case.language).to_owned();
    if !detail.is_empty() {
        message = say!(case.language, "{message} ({detail})", "{message}（{detail}）");
    }
    let length = match rule {
        "not_tls" | "not_websocket" => 1,
        _ => bytes.len(),
    };
    Some(Found {
        rule: rule.to_owned(),
        statement: None,
        place: (!bytes.is_empty()).then(|| case.within(0, length)),
        message,
        hint: hint.in_language(case.language).to_owned(),
        repair: None,
    })
}

fn words(rule: &str, bytes: &[u8]) -> Option<(Text, Text)> {
    let first = bytes.first().copied().unwrap_or_default();
    Some(match rule {
        "not_tls" if first == 0x10 => (PLAIN_MQTT_ON_TLS, PLAIN_HINT),
        "not_tls" => (NOT_TLS, PLAIN_HINT),
        "tls_incomplete" => (TLS_INCOMPLETE, TLS_INCOMPLETE_HINT),
        "tls_client_certificate_missing" => (CERTIFICATE_MISSING, CERTIFICATE_MISSING_HINT),
        "tls_client_certificate_refused" => (CERTIFICATE_REFUSED, CERTIFICATE_REFUSED_HINT),
        "tls_server_not_trusted" => (NOT_TRUSTED, NOT_TRUSTED_HINT),
        "tls_nothing_in_common" => (NOTHING_IN_COMMON, NOTHING_IN_COMMON_HINT),
        "tls_broken" => (TLS_BROKEN, TLS_BROKEN_HINT),
        "not_websocket" if first == 0x16 => (TLS_ON_WEBSOCKET, TLS_ON_WEBSOCKET_HINT),
        "not_websocket" if first == 0x10 => (PLAIN_MQTT_ON_WEBSOCKET, NOT_WEBSOCKET_HINT),
        "not_websocket" => (NOT_WEBSOCKET, NOT_WEBSOCKET_HINT),
        "websocket_incomplete" => (WEBSOCKET_INCOMPLETE, WEBSOCKET_INCOMPLETE_HINT),
        "websocket_refused" => (WEBSOCKET_REFUSED, WEBSOCKET_REFUSED_HINT),
        "websocket_frame" => (WEBSOCKET_FRAME, WEBSOCKET_FRAME_HINT),
        _ => return None,
    })
}

const PLAIN_MQTT_ON_TLS: Text = text(
    "Plain MQTT on a TLS listener: the first byte is 10, that of a CONNECT, where TLS begins with 16.",
    "向 TLS 监听端口发送了明文 MQTT：首字节是 10（CONNECT），而 TLS 以 16 开头。",
);
const NOT_TLS: Text = text(
    "The bytes do not begin TLS, whose first one is 16, and the listener speaks nothing else.",
    "这些字节不是 TLS 的开头（首字节应为 16），而这个监听端口只接受 TLS。",
);
const PLAIN_HINT: Text = text(
    "turn TLS on in the client, or use mqtt:// or auto:// for it",
    "在客户端打开 TLS，或改用 mqtt:// 或 auto:// 监听端口",
);
const TLS_INCOMPLETE: Text = text("The TLS handshake was not finished.", "TLS 握手没有完成。");
const TLS_INCOMPLETE_HINT: Text = text(
    "a client that gives up here often does not trust the certificate: give it the authority's (CA file), and connect to a name that stands in the certificate; or it needs more than `connect_timeout`",
    "在这里放弃的客户端多半不信任证书：请给它 CA 证书，并使用证书中的名称连接；也可能握手超过了 `connect_timeout`",
);
const CERTIFICATE_MISSING: Text = text(
    "The listener asks for a client certificate, and none was shown.",
    "监听端口要求客户端证书，而客户端没有出示。",
);
const CERTIFICATE_MISSING_HINT: Text = text(
    "give the client a certificate and its key, or take `tls_client_ca` away from this listener",
    "给客户端配置证书和私钥，或去掉这个监听端口的 `tls_client_ca`",
);
const CERTIFICATE_REFUSED: Text = text("The client's certificate is refused.", "客户端证书被拒绝。");
const CERTIFICATE_REFUSED_HINT: Text = text(
    "it must be signed by an authority in `tls_client_ca` and be valid now; compare the clocks of both",
    "它必须由 `tls_client_ca` 中的 CA 签发且在有效期内；请核对两边的时钟",
);
const NOT_TRUSTED: Text =
    text("The client does not accept the server's certificate.", "客户端不接受服务端证书。");
const NOT_TRUSTED_HINT: Text = text(
    "give the client the authority that signed it (CA file), check that it has not expired, and that the name the client connects to stands in it",
    "把签发它的 CA 证书交给客户端，检查是否过期，以及客户端连接所用的名称是否在证书中",
);
const NOTHING_IN_COMMON: Text = text(
    "Client and server have no TLS version, cipher suite or kind of key in common.",
    "客户端与服务端没有共同的 TLS 版本、密码套件或密钥类型。",
);
const NOTHING_IN_COMMON_HINT: Text = text(
    "the server speaks TLS 1.2 and 1.3 with ECDHE and AES-GCM or ChaCha20; old clients need newer firmware, or mqtt:// or auto:// without TLS",
    "服务端支持 TLS 1.2、1.3（ECDHE，AES-GCM 或 ChaCha20）；旧客户端需要升级固件，或改用不加密的 mqtt:// 或 auto://",
);
const TLS_BROKEN: Text = text("TLS failed.", "TLS 失败。");
const TLS_BROKEN_HINT: Text = text(
    "look at what is between client and server (a proxy, a load balancer), and at the client's TLS library",
    "请检查客户端与服务端之间的设备（代理、负载均衡），以及客户端的 TLS 库",
);
const TLS_ON_WEBSOCKET: Text = text("TLS bytes on a ws:// listener.", "向 ws:// 监听端口发送了 TLS 字节。");
const TLS_ON_WEBSOCKET_HINT: Text = text("use wss://", "请使用 wss://");
const PLAIN_MQTT_ON_WEBSOCKET: Text = text(
    "MQTT without WebSocket: the first byte is 10, that of a CONNECT, where an HTTP request is expected.",
    "没有经过 WebSocket 的 MQTT：首字节是 10（CONNECT），而这里应为 HTTP 请求。",
);
const NOT_WEBSOCKET: Text = text(
    "The bytes are no HTTP request, with which WebSocket begins.",
    "这些字节不是 HTTP 请求，而 WebSocket 以 HTTP 请求开始。",
);
const NOT_WEBSOCKET_HINT: Text = text(
    "turn WebSocket on in the client, or use mqtt:// or mqtts://",
    "在客户端打开 WebSocket，或改用 mqtt:// 或 mqtts:// 监听端口",
);
const WEBSOCKET_INCOMPLETE: Text =
    text("The HTTP request that begins WebSocket was not finished.", "开始 WebSocket 的 HTTP 请求没有发完。");
const WEBSOCKET_INCOMPLETE_HINT: Text =
    text("it ends with an empty line (0d 0a 0d 0a)", "它以空行结尾（0d 0a 0d 0a）");
const WEBSOCKET_REFUSED: Text = text(
    "The HTTP request does not lead to MQTT over WebSocket.",
    "这个 HTTP 请求不能建立 MQTT over WebSocket。",
);
const WEBSOCKET_REFUSED_HINT: Text = text(
    "the client needs the listener's path (`listening ws://…/mqtt`) and the sub-protocol `mqtt`",
    "客户端需要监听端口的路径（`listening ws://…/mqtt`）和子协议 `mqtt`",
);
const WEBSOCKET_FRAME: Text = text(
    "A WebSocket frame breaks the rules of RFC 6455, or of MQTT over WebSocket.",
    "WebSocket 帧违反了 RFC 6455 或 MQTT over WebSocket 的规则。",
);
const WEBSOCKET_FRAME_HINT: Text = text(
    "MQTT travels in masked binary frames of at most `maximum_packet_size`",
    "MQTT 使用带掩码的二进制帧，长度不超过 `maximum_packet_size`",
);
