//! Bytes with what they mean beside them, as text that is still hex.

use std::fmt::Write as _;

use hexmq_wire::PropertyId;

use crate::explanation::{Explanation, Field, FieldValue, Packet};
use crate::hex::spaced_hex;
use crate::language::say;
use crate::stream::part;
use crate::text::meaning::label;
use crate::width::pad;
use crate::{Language, explain};

/// Bytes on one line.
const PER_LINE: usize = 8;

/// Each field on its own line: its bytes, and behind `#` its name and meaning. What reads hex text
/// ([`parse_hex`](crate::parse_hex), so `hexmq explain`) reads the same bytes from it.
pub fn annotated(bytes: &[u8], options: &crate::Options) -> String {
    let explanation: Explanation = explain(bytes, options);
    let mut lines = Lines { text: String::new(), bytes, done: 0 };
    for packet in &explanation.packets {
        lines.up_to(packet.offset, "?");
        lines.packet(packet, options.language);
    }
    if let Some(begun) = explanation.rest.as_ref().and_then(|rest| rest.begun.as_ref()) {
        lines.up_to(begun.offset, "?");
        lines.packet(begun, options.language);
    }
    lines.up_to(bytes.len(), "?");
    lines.text
}

struct Lines<'a> {
    text: String,
    bytes: &'a [u8],
    /// Bytes that stand there already.
    done: usize,
}

impl Lines<'_> {
    fn packet(&mut self, packet: &Packet, language: Language) {
        let (name, length) = (packet.type_name(), packet.length);
        let _ = match language {
            Language::English => writeln!(self.text, "# {name}, {length} bytes"),
            Language::Chinese => writeln!(self.text, "# {name}，{length} 字节"),
        };
        for field in &packet.fields {
            self.field(field, language, 0);
        }
        self.up_to(packet.offset + packet.length, "?");
    }

    /// One line per field that has bytes of its own; bits share the line of their byte.
    fn field(&mut self, field: &Field, language: Language, depth: usize) {
        let is_property = PropertyId::from_name(field.name).is_some();
        let is_group = field.value == FieldValue::Group && !is_property;
        if is_group {
            for inner in &field.fields {
                self.field(inner, language, depth + 1);
            }
            return;
        }
        let end = field.offset + field.length;
        let what = describe(field, language);
        if end <= self.done {
            // The bits of a byte that stands already.
            if field.bits.is_some() && field.fields.is_empty() {
                let _ = writeln!(self.text, "{}  # {}{what}", blanks(), "  ".repeat(depth.max(1)));
            }
        } else {
            self.up_to(field.offset, "?");
            self.up_to(end, &format!("{}{what}", "  ".repeat(depth)));
        }
        if !is_property {
            for inner in &field.fields {
                self.field(inner, language, depth + 1);
            }
        }
    }

    /// The bytes up to `end`, the first line with a remark.
    fn up_to(&mut self, end: usize, remark: &str) {
        let bytes = part(self.bytes, self.done, end.saturating_sub(self.done));
        for (index, line) in bytes.chunks(PER_LINE).enumerate() {
            let hex = spaced_hex(line);
            let _ = match index {
                0 => writeln!(self.text, "{}  # {remark}", pad(&hex, PER_LINE * 3 - 1)),
                _ => writeln!(self.text, "{hex}"),
            };
        }
        self.done = self.done.max(end);
    }
}

fn blanks() -> String {
    " ".repeat(PER_LINE * 3 - 1)
}

/// `Keep Alive: the server closes after …`, on one line.
fn describe(field: &Field, language: Language) -> String {
    let label = label(field.name, language);
    let text = field.text.replace(['\n', '\r'], " ");
    say!(language, "{label}: {text}", "{label}：{text}")
}
