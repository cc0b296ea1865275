//! Writing packets and patterns as lines.

use std::fmt;

use hexmq_wire::{PacketType, Version};

use crate::pattern::{Expected, Pattern};
use crate::record::{Name, Record, Value};
use crate::text::{write_binary, write_pair, write_text};

/// Longest value in a message about a difference, in characters.
const SHOWN_MAX: usize = 120;

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.packet_type.name().to_owned();
        for (name, value) in &self.fields {
            write_field(&mut line, self.packet_type, name, value);
        }
        f.write_str(&line)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.packet_type.name().to_owned();
        for (name, expected) in &self.fields {
            match expected {
                Expected::Is(value) => write_field(&mut line, self.packet_type, name, value),
                other => line.push_str(&format!(" {name}={}", other.shown())),
            }
        }
        line.push_str(if self.open { " ..." } else { "" });
        f.write_str(&line)
    }
}

fn write_field(line: &mut String, packet_type: PacketType, name: &Name, value: &Value) {
    let silent_code = !matches!(packet_type, PacketType::Connack | PacketType::Auth);
    match value {
        Value::Code(0) if silent_code => {}
        Value::Number(0) if name.text == "retain_handling" => {}
        Value::Flag => line.push_str(&format!(" {name}")),
        Value::Version(_) | Value::Code(_) => {
            line.push(' ');
            value.write(line);
        }
        _ => {
            line.push_str(&format!(" {name}="));
            value.write(line);
        }
    }
}

impl Value {
    fn write(&self, out: &mut String) {
        match self {
            Value::Version(version) => out.push_str(match version {
                Version::V3 => "v3",
                Version::V4 => "v4",
                Version::V5 => "v5",
            }),
            Value::Flag => out.push_str("set"),
            Value::Code(code) => out.push_str(&format!("0x{code:02X}")),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Text(text) => write_text(out, text),
            Value::Binary(bytes) => write_binary(out, bytes),
            Value::Pair(key, value) => write_pair(out, key, value),
            Value::Codes(codes) => {
                let codes: Vec<String> = codes.iter().map(|code| format!("0x{code:02X}")).collect();
                out.push_str(&codes.join(","));
            }
        }
    }

    /// For a message: as written, shortened.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        match text.char_indices().nth(SHOWN_MAX) {
            Some((at, _)) => {
                format!("{}… ({} characters)", text.get(..at).unwrap_or_default(), text.chars().count())
            }
            None => text,
        }
    }
}

impl Expected {
    pub(crate) fn shown(&self) -> String {
        match self {
            Expected::Is(value) => value.shown(),
            Expected::Any => "*".to_owned(),
            Expected::Between(low, high) => format!("{low}..{high}"),
        }
    }
}
