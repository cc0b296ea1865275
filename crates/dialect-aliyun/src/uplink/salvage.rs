//! The `id` of a message that is no JSON as a whole: whoever sent it waits for an answer with it.

use hexmq_device::json::{NodeKind, parse};
use serde_json::Value as Json;

/// Bytes of an identifier that are looked at.
const ID_BYTES_MAX: usize = 256;

/// The value behind the first `"id":`, if it is a whole string or a number.
pub(super) fn id(payload: &[u8]) -> Option<Json> {
    const NAME: &[u8] = b"\"id\"";
    let at = payload.windows(NAME.len()).position(|window| window == NAME)?;
    let behind = payload.get(at + NAME.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let length = match behind.split_first()? {
        (b'"', rest) => 2 + rest.iter().take(ID_BYTES_MAX).position(|&byte| byte == b'"')?,
        _ => behind.iter().take(ID_BYTES_MAX).take_while(|byte| byte.is_ascii_digit()).count(),
    };
    let node = parse(behind.get(..length)?).ok()?;
    matches!(node.kind, NodeKind::String(_) | NodeKind::Number(_)).then(|| node.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_where_the_rest_is_broken() {
        for (payload, expected) in [
            (r#"{"id":"12","params":{"#, Some(Json::from("12"))),
            (r#"{"params":{,"id" : 7}"#, Some(Json::from(7))),
            (r#"{"id":"12"#, None),
            (r#"{"id":{}}"#, None),
            (r#"{"id""#, None),
            ("", None),
        ] {
            assert_eq!(id(payload.as_bytes()), expected, "{payload}");
        }
    }
}
