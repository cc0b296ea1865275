//! The order of the retained messages: namespace, then topic level by level.

use crate::ids::Namespace;

/// What takes the place of `/` in a key: below every byte a topic may contain
/// [V4 MQTT-1.5.3-2, V5 MQTT-1.5.4-2], so `a`, `a/b`, `a!` sort in this order.
pub(super) const SEPARATOR: u8 = 0;
/// Bytes of the namespace before the topic.
pub(super) const NAMESPACE_LEN: usize = 4;

/// Appends the key of a topic.
pub(super) fn write(namespace: Namespace, topic: &str, key: &mut Vec<u8>) {
    key.reserve(NAMESPACE_LEN + topic.len());
    key.extend_from_slice(&namespace.0.to_be_bytes());
    let begin = key.len();
    key.extend_from_slice(topic.as_bytes());
    exchange(key.get_mut(begin..).unwrap_or_default(), b'/', SEPARATOR);
}

/// The topic of a key, in a text that is used again. The bytes came from a `str` and only ASCII
/// was exchanged, so they are one still.
pub(super) fn topic<'t>(key: &[u8], text: &'t mut Vec<u8>) -> &'t str {
    text.clear();
    text.extend_from_slice(key.get(NAMESPACE_LEN..).unwrap_or_default());
    exchange(text, SEPARATOR, b'/');
    std::str::from_utf8(text).unwrap_or_default()
}

/// The namespace of a key.
pub(super) fn namespace(key: &[u8]) -> Namespace {
    Namespace(key.first_chunk::<NAMESPACE_LEN>().map_or(0, |bytes| u32::from_be_bytes(*bytes)))
}

/// One byte for another, many at a time.
fn exchange(bytes: &mut [u8], from: u8, to: u8) {
    bytes.iter_mut().for_each(|byte| *byte = if *byte == from { to } else { *byte });
}
