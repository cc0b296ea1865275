//! A difference as text for a terminal. The mark in front of a line says it all; there is no colour.

use std::fmt::Write as _;

use super::{DialogueDiff, Diff, FieldChange, Item, Row, Spot};
use crate::explanation::FieldValue;
use crate::hex::spaced_hex;
use crate::language::say;
use crate::{Language, Side};

/// Characters of a packet's line, and of a value.
const LINE_MOST: usize = 120;
const VALUE_MOST: usize = 60;
/// Bytes shown of binary values.
const BYTES_MOST: usize = 16;

impl Diff {
    /// The page: `=` the same, `~` changed, `-` only in the first input, `+` only in the second. Rows that
    /// are the same are counted, and shown where `all` asks for them.
    pub fn to_text(&self, language: Language, all: bool) -> String {
        let mut page = String::new();
        for dialogue in &self.dialogues {
            if self.dialogues.len() > 1 || dialogue.a.is_some() || dialogue.b.is_some() {
                let _ = writeln!(page, "{}", title(dialogue, language));
            }
            for (number, row) in dialogue.rows.iter().enumerate() {
                write_row(&mut page, number + 1, row, language, all);
            }
        }
        page.push_str(&self.summary(language));
        page
    }

    fn summary(&self, language: Language) -> String {
        let rows = || self.dialogues.iter().flat_map(|dialogue| &dialogue.rows);
        let count = |wanted: fn(&Row) -> bool| rows().filter(|row| wanted(row)).count();
        let same = count(|row| matches!(row, Row::Same(..)));
        let changed = count(|row| matches!(row, Row::Changed { .. }));
        let (only_a, only_b) =
            (count(|row| matches!(row, Row::OnlyA(_))), count(|row| matches!(row, Row::OnlyB(_))));
        say!(
            language,
            "{same} the same, {changed} changed, {only_a} only in A, {only_b} only in B\n",
            "{same} 个相同，{changed} 个不同，{only_a} 个仅 A 有，{only_b} 个仅 B 有\n",
        )
    }
}

fn title(dialogue: &DialogueDiff, language: Language) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let (a, b) = (number(dialogue.a), number(dialogue.b));
    say!(language, "== connection {a} of A, {b} of B ==", "== A 的连接 {a}，B 的连接 {b} ==")
}

fn write_row(page: &mut String, number: usize, row: &Row, language: Language, all: bool) {
    let _ = match row {
        Row::Same(..) if !all => Ok(()),
        Row::Same(a, _) => writeln!(page, "= {number:>4}  {}", head(a, language)),
        Row::OnlyA(a) => writeln!(page, "- {number:>4}  {}", head(a, language)),
        Row::OnlyB(b) => writeln!(page, "+ {number:>4}  {}", head(b, language)),
        Row::Changed { a, b, fields, bytes } => {
            let _ = writeln!(page, "~ {number:>4}  {}", head(a, language));
            if a.from != b.from {
                let (a, b) = (way(a.from, language), way(b.from, language));
                let _ = writeln!(page, "{}", say!(language, "        A {a}, B {b}", "        A {a}，B {b}"));
            }
            for change in fields {
                write_change(page, change, language);
            }
            let ranges: Vec<String> =
                bytes.iter().map(|change| format!("A {} B {}", range(change.a), range(change.b))).collect();
            let ranges = ranges.join(", ");
            let what = if fields.is_empty() {
                say!(language, "the same fields in other bytes", "字段相同，字节写法不同")
            } else {
                say!(language, "bytes of the packet", "报文内字节")
            };
            writeln!(page, "        {what}: {ranges}")
        }
    };
}

/// `PUBLISH topic=a/b payload=hi  (client -> server, 9 bytes at 0)`
fn head(item: &Item, language: Language) -> String {
    let line = shortened(&item.line(), LINE_MOST);
    let length = item.bytes.len();
    let way = way(item.from, language);
    match item.offset {
        Some(offset) => say!(
            language,
            "{line}  ({way}, {length} bytes at {offset})",
            "{line}  （{way}，从第 {offset} 字节起共 {length} 字节）",
        ),
        None => say!(language, "{line}  ({way}, {length} bytes)", "{line}  （{way}，{length} 字节）"),
    }
}

fn way(from: Option<Side>, language: Language) -> String {
    match from {
        Some(Side::Client) => say!(language, "client -> server", "客户端 -> 服务端"),
        Some(Side::Server) => say!(language, "server -> client", "服务端 -> 客户端"),
        None => say!(language, "either direction", "双向均可"),
    }
}

fn write_change(page: &mut String, change: &FieldChange, language: Language) {
    let (path, label) = (&change.path, &change.label);
    let _ = writeln!(page, "{}", say!(language, "        {path} ({label})", "        {path}（{label}）"));
    for (mark, spot) in [("A", &change.a), ("B", &change.b)] {
        let _ = match spot {
            Some(spot) => writeln!(page, "          {mark} {}", place(spot, language)),
            None => {
                let none = say!(language, "has no such field", "没有该字段");
                writeln!(page, "          {mark} {none}")
            }
        };
    }
}

/// The value, the bytes it stands in, what it means.
fn place(spot: &Spot, language: Language) -> String {
    let value = shown(&spot.value);
    let bytes = range((spot.offset, spot.length));
    let text = &spot.text;
    match spot.bits {
        Some((bit, width)) => {
            let bits = if width == 1 { bit.to_string() } else { format!("{}-{bit}", bit + width - 1) };
            say!(
                language,
                "{value}  [bytes {bytes}, bit {bits}]  {text}",
                "{value}  [字节 {bytes}，位 {bits}]  {text}",
            )
        }
        None => say!(language, "{value}  [bytes {bytes}]  {text}", "{value}  [字节 {bytes}]  {text}"),
    }
}

/// `5..9`: the first byte, and the one behind the last.
fn range((offset, length): (usize, usize)) -> String {
    format!("{offset}..{}", offset + length)
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Flag(flag) => u8::from(*flag).to_string(),
        FieldValue::Text(text) => format!("\"{}\"", shortened(&text.escape_debug().to_string(), VALUE_MOST)),
        FieldValue::Bytes(bytes) => match FieldValue::is_printable(bytes) {
            Some(text) => format!("\"{}\"", shortened(text, VALUE_MOST)),
            None => {
                let more = if bytes.len() > BYTES_MOST { " ..." } else { "" };
                spaced_hex(bytes.get(..BYTES_MOST).unwrap_or(bytes)) + more
            }
        },
        FieldValue::Real(number) => number.to_string(),
        FieldValue::Group => String::new(),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
