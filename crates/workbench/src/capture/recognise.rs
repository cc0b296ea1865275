//! What a connection carries, told from its first bytes. Ports are a hint at most: devices and
//! test servers use any.

use super::plausible::chain;
use super::tls;
use super::websocket::{self, Request};
use crate::Side;

/// As much is kept of an undecided direction at most.
pub(crate) const KEPT_MAX: usize = 16 * 1024;
/// After so many segments without a sign it is something else.
pub(crate) const SEGMENTS_MAX: u32 = 64;

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Mqtt,
    WebSocket,
    Tls,
    Other,
    /// More bytes are needed.
    Undecided,
}

/// The first bytes that the client of a connection sends. `forced`: its port says MQTT.
pub(crate) fn from_start(bytes: &[u8], forced: bool) -> Verdict {
    let Some(&first) = bytes.first() else { return Verdict::Undecided };
    match tls::begins_hello(bytes) {
        Some(true) => return Verdict::Tls,
        None if first == 0x16 => return Verdict::Undecided,
        _ => {}
    }
    // Behind TLS, whose first byte looks the same.
    if first >> 4 == 1 {
        return connect(bytes, forced);
    }
    if first == b'G' {
        return http(bytes, forced);
    }
    if forced {
        return Verdict::Mqtt;
    }
    // A server hears CONNECT first; whoever sends something else must show more of it.
    packets(bytes, false)
}

/// A first byte as of CONNECT.
fn connect(bytes: &[u8], forced: bool) -> Verdict {
    /// Header of five bytes, length of two, protocol name.
    const ENOUGH: usize = 16;
    let named = bytes.get(..ENOUGH).unwrap_or(bytes);
    let has = |name: &[u8]| named.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
    if forced || has(b"MQTT") || has(b"MQIsdp") {
        return Verdict::Mqtt;
    }
    match bytes.len() {
        0..ENOUGH if packets(bytes, true) != Verdict::Other => Verdict::Undecided,
        _ => packets(bytes, true),
    }
}

fn http(bytes: &[u8], forced: bool) -> Verdict {
    const GET: &[u8] = b"GET ";
    let begun = bytes.get(..GET.len()).unwrap_or(bytes);
    if !GET.starts_with(begun) {
        return if forced { Verdict::Mqtt } else { packets(bytes, false) };
    }
    match websocket::request(bytes, forced) {
        Request::Unfinished => Verdict::Undecided,
        Request::Mqtt => Verdict::WebSocket,
        Request::Other => Verdict::Other,
    }
}

/// Whether they are a row of MQTT packets. `patient`: the first of them is waited for.
fn packets(bytes: &[u8], patient: bool) -> Verdict {
    const ENOUGH: u32 = 6;
    const WAITED_FOR_MAX: usize = 8 * 1024;
    let chain = chain(bytes, None, ENOUGH);
    if chain.strength >= ENOUGH {
        return Verdict::Mqtt;
    }
    let worth = patient || chain.strength > 0;
    let may_come = worth && (chain.at_end || chain.needs.is_some_and(|needs| needs <= WAITED_FOR_MAX));
    if may_come { Verdict::Undecided } else { Verdict::Other }
}

/// Bytes of a connection whose start is not in the capture, and who sends them if they tell.
pub(crate) fn from_middle(bytes: &[u8], forced: bool) -> (Verdict, Option<Side>) {
    if bytes.is_empty() {
        return (Verdict::Undecided, None);
    }
    if tls::begins_record(bytes) == Some(true) && bytes.first().is_some_and(|&first| first >= 0x16) {
        return (Verdict::Tls, None);
    }
    let from = chain(bytes, None, u32::MAX).from;
    if forced { (Verdict::Mqtt, from) } else { (packets(bytes, true), from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_it_is() {
        let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd";
        assert_eq!(from_start(connect, false), Verdict::Mqtt);
        assert_eq!(from_start(b"\x10\x80\x01\x00\x06MQIsdp", false), Verdict::Mqtt);
        // A length that is wrong makes it no less a CONNECT.
        assert_eq!(from_start(b"\x10\x25\x00\x05mqttx", false), Verdict::Mqtt);
        assert_eq!(from_start(&connect[..1], false), Verdict::Undecided);
        assert_eq!(from_start(b"\x16\x03\x01\x02\x00\x01\x00", false), Verdict::Tls);
        assert_eq!(from_start(b"\x16\x03", false), Verdict::Undecided);
        assert_eq!(from_start(b"SSH-2.0-OpenSSH_9.2\r\n", false), Verdict::Other);
        assert_eq!(from_start(b"GET / HTTP/1.1\r\n\r\n", false), Verdict::Other);
        assert_eq!(from_start(b"GET / HT", false), Verdict::Undecided);
        assert_eq!(from_start(b"POST / HTTP/1.1\r\n\r\n", false), Verdict::Other);
        assert_eq!(from_start(b"\x00\x01\x02", false), Verdict::Other);
        assert_eq!(from_start(b"\x00\x01\x02", true), Verdict::Mqtt);
        assert_eq!(from_start(&[0x10; 40], false), Verdict::Other);
    }

    #[test]
    fn a_stream_is_recognised_in_the_middle() {
        let publish = b"\x30\x08\x00\x03a/bxyz";
        let row = publish.repeat(2);
        assert_eq!(from_middle(&row, false), (Verdict::Mqtt, None));
        assert_eq!(
            from_middle(b"\x82\x06\x00\x01\x00\x01a\x00\xc0\x00", false),
            (Verdict::Mqtt, Some(Side::Client))
        );
        assert_eq!(from_middle(b"\xd0\x00", false), (Verdict::Undecided, Some(Side::Server)));
        assert_eq!(from_middle(b"hello world, this is text", false).0, Verdict::Other);
        assert_eq!(from_middle(b"\x17\x03\x03\x00\x20abc", false).0, Verdict::Tls);
    }
}
