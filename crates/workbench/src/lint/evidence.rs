//! What bytes look like to somebody who knows what people send.

use serde::de::IgnoredAny;

/// Longer payloads are not looked into: a second look at each byte would cost more than it finds.
const LONGEST_JSON: usize = 1 << 20;

/// One whole JSON object or array; blanks around it are allowed.
pub(super) fn is_whole_json(bytes: &[u8]) -> bool {
    let trimmed = bytes.trim_ascii();
    matches!((trimmed.first(), trimmed.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
        && trimmed.len() <= LONGEST_JSON
        && serde_json::from_slice::<IgnoredAny>(trimmed).is_ok()
}

/// Text that a person can read: UTF-8 with no control characters but blanks and line ends.
pub(super) fn is_readable(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')))
}

/// Printable ASCII.
pub(crate) fn is_printable_ascii(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// A payload that is whole as it is: JSON, or the frame of a `$dp` message with its own length.
pub(super) fn is_whole_payload(topic: &str, payload: &[u8]) -> bool {
    is_whole_json(payload) || topic == "$dp" && is_whole_dp(payload)
}

/// A `$dp` message of the types 1 to 7: type, two bytes of length where the type has them, content.
/// Only those with a length can be told from other bytes.
fn is_whole_dp(payload: &[u8]) -> bool {
    let Some((&kind, rest)) = payload.split_first() else { return false };
    let Some((length, content)) = rest.split_first_chunk::<2>() else { return false };
    matches!(kind, 1 | 3..=6)
        && usize::from(u16::from_be_bytes(*length)) == content.len()
        && !content.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_whole_or_not() {
        for whole in ["{}", "[]", " {\"a\":1}\r\n", "[1,{\"b\":[2]}]"] {
            assert!(is_whole_json(whole.as_bytes()), "{whole}");
        }
        for broken in ["", "{", "\"a\":1}", "{\"a\":1", "1", "\"text\"", "{\"a\":1}}", "{'a':1}"] {
            assert!(!is_whole_json(broken.as_bytes()), "{broken}");
        }
    }

    #[test]
    fn a_dp_message_has_the_length_it_says() {
        assert!(is_whole_dp(b"\x03\x00\x07{\"a\":1}"));
        assert!(!is_whole_dp(b"\x03\x00\x08{\"a\":1}"));
        assert!(!is_whole_dp(b"\x00\x07{\"a\":1}"));
        assert!(!is_whole_dp(b"\x03\x00"));
    }

    #[test]
    fn readable_is_text_with_its_line_ends() {
        assert!(is_readable("温度 23.5\r\n".as_bytes()));
        assert!(!is_readable(b"a\0"));
        assert!(!is_readable(&[0xFF, 0xFE]));
    }
}
