//! Clients that speak something else: TLS, HTTP, the name of a proxy, or hex written out as text.

use hexmq_wire::Version;

use super::{Case, Found, Rejected};
use crate::explain::is_clean;
use crate::hex::parse_hex;
use crate::language::{Text, say, text};
use crate::recording::mask_passwords;
use crate::{FieldValue, Side};

const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE "];

/// The signature of version 2 of the PROXY protocol.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a first packet is instead of MQTT.
pub(super) fn found(case: &Case<'_>) -> Option<Found> {
    let rejected = case.rejected;
    if rejected.connected || rejected.reason == "server_shutting_down" {
        return None;
    }
    let bytes = rejected.bytes;
    let (rule, words, hint) = if is_tls(bytes) {
        ("tls_on_plain_listener", TLS, TLS_HINT)
    } else if METHODS.iter().any(|method| bytes.starts_with(method)) {
        ("http_on_mqtt_listener", HTTP, HTTP_HINT)
    } else if bytes.starts_with(b"PROXY ") || bytes.starts_with(PROXY_V2) {
        ("proxy_header", PROXY, PROXY_HINT)
    } else if bytes.starts_with(b"SSH-") {
        ("ssh_on_mqtt_listener", SSH, HTTP_HINT)
    } else {
        return hex_as_text(case);
    };
    let line = bytes.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let line = line.get(..line.len().min(80)).unwrap_or_default();
    let message = match FieldValue::is_printable(line) {
        Some(line) if !line.is_empty() && !is_tls(bytes) => {
            let words = words.in_language(case.language);
            say!(case.language, "{words} It begins with: {line}", "{words}开头是：{line}")
        }
        _ => words.in_language(case.language).to_owned(),
    };
    Some(Found {
        rule: rule.to_owned(),
        statement: Some("MQTT-3.1.0-1"),
        place: Some((0, bytes.len().min(if is_tls(bytes) { 5 } else { line.len() }))),
        message,
        hint: hint.in_language(case.language).to_owned(),
        repair: None,
    })
}

/// A TLS record with a handshake of SSL 3.0 to TLS 1.3.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 3, 0..=4, ..])
}

/// Text such as `10 25 00 04`: a packet written out in hex digits and sent as letters.
fn hex_as_text(case: &Case<'_>) -> Option<Found> {
    let written = written(case.rejected.bytes)?;
    let repair = Some(written).filter(|packet| is_clean(packet, Version::V4, Some(Side::Client)));
    let first = case.rejected.bytes.first().copied().unwrap_or_default();
    let letter = char::from(first);
    let message = say!(
        case.language,
        "The bytes are the letters of hex digits, not what they stand for: the first one is {first:02x}, the letter '{letter}'.",
        "发送的是十六进制数字的字符本身，而不是它们表示的字节：第一个字节是 {first:02x}，即字符“{letter}”。",
    );
    Some(Found {
        rule: "hex_sent_as_text".to_owned(),
        statement: Some("MQTT-3.1.0-1"),
        place: Some((0, case.rejected.bytes.len())),
        message,
        hint: HEX_HINT.in_language(case.language).to_owned(),
        repair,
    })
}

/// The packet that is written out in hex digits, if this is one: a CONNECT, as far as it came.
fn written(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
    if !plain || text.trim_ascii_start().as_bytes().first() != Some(&b'1') {
        return None;
    }
    let packet = parse_hex(text).ok()?;
    matches!(packet.as_slice(), [0x10, ..] if packet.len() >= 4).then_some(packet)
}

/// The bytes with passwords masked, also where the packet is written out as text: its digits then are
/// `2a` as well.
pub(super) fn mask(rejected: &Rejected<'_>) -> Vec<u8> {
    let bytes = rejected.bytes;
    let Some(packet) = Some(bytes).filter(|_| !rejected.connected).and_then(written) else {
        return mask_passwords(bytes);
    };
    let masked = mask_passwords(&packet);
    let mut text = bytes.to_vec();
    let digits = text.iter_mut().filter(|byte| byte.is_ascii_hexdigit());
    for (n, digit) in digits.enumerate() {
        if packet.get(n / 2) != masked.get(n / 2) {
            *digit = if n % 2 == 0 { b'2' } else { b'a' };
        }
    }
    text
}

const TLS: Text = text(
    "TLS bytes on a plain listener (a handshake record, 16 03 …).",
    "向明文监听端口发送了 TLS 字节（握手记录，16 03 …）。",
);
const TLS_HINT: Text = text(
    "use mqtts:// or auto:// for this client, or turn TLS off in it",
    "请为这个客户端改用 mqtts:// 或 auto:// 监听端口，或在客户端关闭 TLS",
);
const HTTP: Text =
    text("This is an HTTP request, and the listener speaks MQTT.", "这是 HTTP 请求，而这个监听端口是 MQTT。");
const HTTP_HINT: Text = text(
    "send it to the right port: the API is where `listening http://` was printed at start, MQTT over WebSocket needs \
     a ws:// listener",
    "请发到正确的端口：API 在启动时打印的 `listening http://` 处，MQTT over WebSocket 需要 ws:// 监听端口",
);
const PROXY: Text = text(
    "This is the header of the PROXY protocol, which the listener does not expect.",
    "这是 PROXY 协议头，这个监听端口并不接受。",
);
const PROXY_HINT: Text =
    text("turn the PROXY protocol off in the load balancer", "在负载均衡器上关闭 PROXY 协议");
const SSH: Text = text("This is SSH, and the listener speaks MQTT.", "这是 SSH，而这个监听端口是 MQTT。");
const HEX_HINT: Text = text(
    "switch the debug assistant to hex mode before sending (\"HEX\", \"send as hex\"); `repair_hex` is what was meant",
    "发送前请把调试助手切换到十六进制发送（“HEX 发送”）；`repair_hex` 就是想发送的字节",
);
