//! A value that is kept: what a data point holds, independent of the message it came in.

use serde_json::{Value as Json, json};

use crate::Value;

/// A value as it is stored, shown and compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Text.
    Text(String),
    /// An object or an array.
    Json(Json),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Datum {
    /// The value of JSON; `None` for `null`.
    pub fn of_json(json: Json) -> Option<Datum> {
        Some(match json {
            Json::Null => return None,
            Json::Bool(value) => Datum::Boolean(value),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Datum::Integer(integer),
                None => Datum::Real(number.as_f64()?),
            },
            Json::String(text) => Datum::Text(text),
            other => Datum::Json(other),
        })
    }

    /// As JSON. Binary values and numbers that are not finite have none: they are `null`.
    pub fn to_json(&self) -> Json {
        match self {
            Datum::Integer(value) => json!(value),
            Datum::Real(value) => json!(value),
            Datum::Boolean(value) => json!(value),
            Datum::Text(text) => json!(text),
            Datum::Json(value) => value.clone(),
            Datum::Binary(_) => Json::Null,
        }
    }

    /// The bytes of a binary value.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Datum::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number to draw and to summarise: numbers, and booleans as 0 and 1.
    pub fn number(&self) -> Option<f64> {
        match self {
            Datum::Integer(value) => Some(*value as f64),
            Datum::Real(value) => Some(*value).filter(|value| value.is_finite()),
            Datum::Boolean(value) => Some(f64::from(u8::from(*value))),
            _ => None,
        }
    }

    /// Stable name of the kind: `integer`, `real`, `boolean`, `text`, `json` or `binary`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Datum::Integer(_) => "integer",
            Datum::Real(_) => "real",
            Datum::Boolean(_) => "boolean",
            Datum::Text(_) => "text",
            Datum::Json(_) => "json",
            Datum::Binary(_) => "binary",
        }
    }
}

impl From<&Value<'_>> for Datum {
    fn from(value: &Value<'_>) -> Datum {
        match value {
            Value::Integer(value) => Datum::Integer(*value),
            Value::Real(value) => Datum::Real(*value),
            Value::Boolean(value) => Datum::Boolean(*value),
            Value::Text(text) => Datum::Text(text.clone().into_owned()),
            // The text was read as JSON before; if serde reads it otherwise it stays text.
            Value::Json(text) => match serde_json::from_str(text) {
                Ok(json) => Datum::Json(json),
                Err(_) => Datum::Text((*text).to_owned()),
            },
            Value::Binary(bytes) => Datum::Binary(bytes.to_vec()),
        }
    }
}
