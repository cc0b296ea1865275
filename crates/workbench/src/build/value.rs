//! Values of a description: JSON, or text from a command line, by the type of the field.

use serde_json::Value;

use super::BuildError;
use crate::hex::parse_hex;

/// A number up to `largest`: a JSON number, or decimal or 0x text.
pub(super) fn number(value: &Value, path: &str, largest: u64) -> Result<u64, BuildError> {
    let read = match value {
        Value::Number(number) => number.as_u64(),
        Value::Bool(flag) => Some(u64::from(*flag)),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
        _ => None,
    };
    let expected = format!("a number from 0 to {largest} was expected, not {}", shown(value));
    read.filter(|&number| number <= largest).ok_or_else(|| BuildError::new(path, expected))
}

/// A number of one byte.
pub(super) fn byte(value: &Value, path: &str) -> Result<u8, BuildError> {
    Ok(u8::try_from(number(value, path, 0xFF)?).unwrap_or(u8::MAX))
}

/// A number of two bytes.
pub(super) fn two_bytes(value: &Value, path: &str) -> Result<u16, BuildError> {
    Ok(u16::try_from(number(value, path, 0xFFFF)?).unwrap_or(u16::MAX))
}

/// A flag: `true`, `false`, 1 or 0.
pub(super) fn flag(value: &Value, path: &str) -> Result<bool, BuildError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => number(value, path, 1)
            .map(|bit| bit == 1)
            .map_err(|_| BuildError::new(path, format!("true or false was expected, not {}", shown(value)))),
    }
}

/// A string or binary field: text, or `{"value": "00ff", "encoding": "hex"}`, or, where `is_hex`
/// says so, hex text.
pub(super) fn bytes(value: &Value, path: &str, is_hex: bool) -> Result<Vec<u8>, BuildError> {
    match value {
        Value::String(text) if is_hex => {
            parse_hex(text).map_err(|error| BuildError::new(path, error.message(crate::Language::English)))
        }
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Object(object) => {
            let inner = object.get("value").unwrap_or(&Value::Null);
            match object.get("encoding").and_then(Value::as_str) {
                Some("hex") => bytes(inner, path, true),
                None => bytes(inner, path, is_hex),
                Some(other) => {
                    Err(BuildError::new(path, format!("the encoding `{other}` is not known, only hex")))
                }
            }
        }
        // An empty field of an explanation, and numbers where a person forgot the quotes.
        Value::Null => Ok(Vec::new()),
        Value::Number(number) if !is_hex => Ok(number.to_string().into_bytes()),
        _ => Err(BuildError::new(path, format!("a string was expected, not {}", shown(value)))),
    }
}

/// The members of a list; a single value is a list of one.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        single => std::slice::from_ref(single),
    }
}

/// A value for an error message, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    const LONGEST: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
