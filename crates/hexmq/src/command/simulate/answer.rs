//! How simulated devices answer orders.

use std::str::FromStr;

use serde_json::Value;

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The order itself, or its parameters.
    Echo,
    /// That it is done.
    Ok,
    /// This.
    Value(Value),
    /// That it cannot be done, with this code.
    Code(i64),
    /// Nothing.
    None,
}

impl Answer {
    /// The code in the JSON of the clouds that have one.
    pub(super) fn code(&self) -> i64 {
        match self {
            Answer::Code(code) => *code,
            _ => 200,
        }
    }

    /// The bytes, where a cloud's answers are bytes and nothing more.
    pub(super) fn bytes(&self, order: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Answer::Echo => order.to_vec(),
            Answer::Ok => b"ok".to_vec(),
            Answer::Value(Value::String(text)) => text.clone().into_bytes(),
            Answer::Value(value) => value.to_string().into_bytes(),
            Answer::Code(code) => code.to_string().into_bytes(),
            Answer::None => return None,
        })
    }
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Answer, String> {
        Ok(match text.split_once(':') {
            None if text == "echo" => Answer::Echo,
            None if text == "ok" => Answer::Ok,
            None if text == "none" => Answer::None,
            Some(("code", code)) => Answer::Code(code.parse().map_err(|_| format!("{code:?} is no code"))?),
            Some(("value", value)) => {
                Answer::Value(serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())))
            }
            _ => return Err("expected echo, ok, none, code:NUMBER or value:JSON-or-text".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_read() {
        let answer = |text: &str| text.parse::<Answer>();
        assert_eq!(answer("echo"), Ok(Answer::Echo));
        assert_eq!(answer("code:460"), Ok(Answer::Code(460)));
        assert_eq!(answer("value:{\"a\":1}"), Ok(Answer::Value(json!({"a": 1}))));
        assert_eq!(answer("value:done"), Ok(Answer::Value(json!("done"))));
        assert!(answer("maybe").is_err() && answer("code:x").is_err());
        assert_eq!(Answer::Echo.bytes(b"red:0"), Some(b"red:0".to_vec()));
        assert_eq!(Answer::Value(json!(5)).bytes(b""), Some(b"5".to_vec()));
        assert_eq!(Answer::None.bytes(b"x"), None);
        assert_eq!((Answer::Ok.code(), Answer::Code(5).code()), (200, 5));
    }
}
