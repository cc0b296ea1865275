//! What a data point holds.

use std::borrow::Cow;

use crate::json::{Node, NodeKind};

/// A value that a device reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A whole number.
    Integer(i64),
    /// Any other number; finite unless a device sends single-precision bytes that are not.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Text.
    Text(Cow<'a, str>),
    /// An object or an array, as its JSON text.
    Json(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The number that JSON text of a number means: whole where it is written so and fits 64 bits.
    /// `None` if the text is no JSON number, or one that no double can hold.
    pub fn number(text: &str) -> Option<Value<'a>> {
        if !crate::json::is_number(text) {
            return None;
        }
        if let Ok(integer) = text.parse() {
            return Some(Value::Integer(integer));
        }
        text.parse().ok().filter(|real: &f64| real.is_finite()).map(Value::Real)
    }

    /// The value of a JSON node; `source` is the text it was read from. `None` for `null` and for a
    /// number that no double can hold.
    pub fn of_json(node: &Node<'a>, source: &'a str) -> Option<Value<'a>> {
        Some(match &node.kind {
            NodeKind::Null => return None,
            NodeKind::Boolean(value) => Value::Boolean(*value),
            NodeKind::Number(text) => return Value::number(text),
            NodeKind::String(text) => Value::Text(text.clone()),
            NodeKind::Array(_) | NodeKind::Object(_) => {
                Value::Json(source.get(node.span.offset..node.span.end())?)
            }
        })
    }
}
