//! The table of a packet: one row per field, bytes on the left, words on the right.

use std::fmt::Write as _;

use hexmq_wire::{PacketType, PropertyId};

use super::Layout;
use crate::Language;
use crate::dialect::text::{is_said_by, own_name, repeats_bytes};
use crate::explanation::{Field, FieldValue, Packet, Severity};
use crate::hex::spaced_hex;
use crate::language::say;
use crate::stream::part;
use crate::text::meaning::label;
use crate::width::{pad, width, wrap};

/// Bytes in one line of the left side.
const BYTES_PER_LINE: usize = 8;
/// Lines of bytes a field may take before its middle is left out.
const LINES_MOST: usize = 4;
/// Marker, offset and blanks before the bytes.
const MARGIN: usize = 3 + 5 + 2;
/// The left side: bytes and the gap behind them.
const LEFT: usize = BYTES_PER_LINE * 3 - 1 + 2;

/// Appends the rows of a packet's fields.
pub(super) fn table(page: &mut String, bytes: &[u8], packet: &Packet, layout: &Layout) {
    let mut rows = Vec::new();
    for field in &packet.fields {
        collect(field, 0, &mut rows);
    }
    let mut table = Table { page, bytes, packet, layout, byte_shown: None };
    for row in rows {
        table.row(row.field, row.depth);
    }
}

struct Row<'a> {
    field: &'a Field,
    depth: usize,
}

/// A field in words, for other pages than the terminal's.
pub(crate) struct Told<'a> {
    pub(crate) field: &'a Field,
    /// How deep it stands in others.
    pub(crate) depth: usize,
    pub(crate) label: String,
    /// `None` for a group without a value of its own.
    pub(crate) value: Option<String>,
}

/// The fields of a packet that get a row, in order.
pub(crate) fn told(packet: &Packet, language: Language) -> Vec<Told<'_>> {
    let mut rows = Vec::new();
    for field in &packet.fields {
        collect(field, 0, &mut rows);
    }
    rows.into_iter()
        .map(|Row { field, depth }| {
            let label = own_name(field).map_or_else(|| label(field.name, language), str::to_owned);
            Told { field, depth, label, value: value(field, language) }
        })
        .collect()
}

/// The fields that get a row, in order.
fn collect<'a>(field: &'a Field, depth: usize, rows: &mut Vec<Row<'a>>) {
    // The value of a property says what its identifier and value bytes say.
    if PropertyId::from_name(field.name).is_some() {
        return rows.push(Row { field, depth });
    }
    let is_frame_only = field.bits.is_some() && !field.fields.is_empty()
        || matches!(
            field.name,
            "subscriptions" | "subscription" | "topic_filters" | "return_codes" | "reason_codes"
        ) && field.value == FieldValue::Group;
    let inner = if is_frame_only { depth } else { depth + 1 };
    if !is_frame_only {
        rows.push(Row { field, depth });
    }
    for inside in field.fields.iter().filter(|inside| !is_said_by(inside, field)) {
        collect(inside, inner, rows);
    }
}

struct Table<'a> {
    page: &'a mut String,
    bytes: &'a [u8],
    packet: &'a Packet,
    layout: &'a Layout,
    /// The byte whose hex stands already above the bits that are shown.
    byte_shown: Option<usize>,
}

impl Table<'_> {
    fn row(&mut self, field: &Field, depth: usize) {
        let left = self.left(field);
        let right = self.right(field, depth);
        let style = self.layout.style();
        let (mark, severity) = self.mark(field);
        let offset = if left.first().is_some_and(|line| !line.starts_with(' ') && !line.is_empty()) {
            field.offset.to_string()
        } else {
            String::new()
        };
        for index in 0..left.len().max(right.len()) {
            let first = index == 0;
            let mark = pad(if first { mark } else { "" }, 3);
            let mark =
                if severity == Some(Severity::Fault) { style.fault(&mark) } else { style.warning(&mark) };
            let offset = if first { offset.as_str() } else { "" };
            let bytes = left.get(index).map_or("", String::as_str);
            let line = match right.get(index) {
                Some(line) => format!("{}{}", style.hex(&pad(bytes, LEFT)), line.paint(self.layout)),
                None => style.hex(bytes),
            };
            let _ = writeln!(self.page, "{mark}{offset:>5}  {line}");
        }
    }

    /// The bytes, or the bits in their byte.
    fn left(&mut self, field: &Field) -> Vec<String> {
        if repeats_bytes(field.name) {
            return Vec::new();
        }
        let bytes = part(self.bytes, field.offset, field.length);
        if let (Some(bits), Some(&byte)) = (field.bits, bytes.first()) {
            let shown = self.byte_shown.replace(field.offset) == Some(field.offset);
            let hex = if shown { "  ".to_owned() } else { format!("{byte:02x}") };
            return vec![format!("{hex}  {}", bit_picture(byte, bits))];
        }
        if !field.fields.is_empty()
            && field.value == FieldValue::Group
            && PropertyId::from_name(field.name).is_none()
        {
            return Vec::new();
        }
        if field.length == 1 {
            self.byte_shown = Some(field.offset);
        }
        let lines: Vec<String> = bytes.chunks(BYTES_PER_LINE).map(spaced_hex).collect();
        if self.layout.whole || lines.len() <= LINES_MOST {
            return lines;
        }
        shorten(&lines, bytes.len())
    }

    /// Label and value with the section at the end of the line; under it the meaning.
    fn right(&self, field: &Field, depth: usize) -> Vec<Line> {
        let columns = self.layout.columns() - MARGIN - LEFT;
        let indent = 2 * depth;
        let section = if field.section.is_empty() { String::new() } else { format!("[{}]", field.section) };
        let label = own_name(field).map_or_else(|| label(field.name, self.layout.language), str::to_owned);
        let head = match value(field, self.layout.language) {
            Some(value) => format!("{label} = {value}"),
            None => label,
        };
        let mut lines: Vec<Line> = Vec::new();
        for text in wrap(&head, columns.saturating_sub(indent + width(&section) + 1)) {
            lines.push(Line { indent, text, section: String::new(), columns, is_head: true });
        }
        if let Some(line) = lines.first_mut() {
            line.section = section;
        }
        for text in wrap(&field.text, columns.saturating_sub(indent + 2)) {
            lines.push(Line { indent: indent + 2, text, section: String::new(), columns, is_head: false });
        }
        lines
    }

    /// The mark of the worst finding about this very field.
    fn mark(&self, field: &Field) -> (&'static str, Option<Severity>) {
        let of_dialect = self.packet.dialect.iter().flat_map(|layer| &layer.findings);
        let about = self.packet.findings.iter().chain(of_dialect).filter(|finding| {
            let inside = finding.offset < field.offset + field.length
                && field.offset < finding.offset + finding.length.max(1);
            let leaf = field.fields.iter().all(|inside| is_said_by(inside, field))
                || PropertyId::from_name(field.name).is_some();
            let same = finding.field == field.name;
            inside && leaf && (field.bits.is_none() || same)
        });
        match about.map(|finding| finding.severity).max() {
            Some(Severity::Fault) => ("!!", Some(Severity::Fault)),
            Some(severity) => ("!", Some(severity)),
            None => ("", None),
        }
    }
}

/// A line of the right side.
struct Line {
    indent: usize,
    text: String,
    section: String,
    columns: usize,
    is_head: bool,
}

impl Line {
    fn paint(&self, layout: &Layout) -> String {
        let style = layout.style();
        let text = if self.is_head { style.name(&self.text) } else { self.text.clone() };
        let gap = self.columns.saturating_sub(self.indent + width(&self.text) + width(&self.section));
        let blanks = if self.section.is_empty() { 0 } else { gap };
        format!("{}{text}{}{}", " ".repeat(self.indent), " ".repeat(blanks), style.quiet(&self.section))
    }
}

/// First lines, how much is left out, last line.
fn shorten(lines: &[String], count: usize) -> Vec<String> {
    let (Some(head), Some(last)) = (lines.get(..LINES_MOST - 2), lines.last()) else { return Vec::new() };
    let mut short = head.to_vec();
    let shown = head.len() * BYTES_PER_LINE + (count - 1) % BYTES_PER_LINE + 1;
    short.push(format!("... +{} ...", count - shown));
    short.push(last.clone());
    short
}

/// `.1.. ....`: the bits of a field in their byte.
fn bit_picture(byte: u8, (lowest, count): (u8, u8)) -> String {
    let mut picture = String::with_capacity(9);
    for bit in (0..8u8).rev() {
        let own = (lowest..lowest + count).contains(&bit);
        picture.push(match (own, byte >> bit & 1) {
            (false, _) => '.',
            (true, 0) => '0',
            (true, _) => '1',
        });
        if bit == 4 {
            picture.push(' ');
        }
    }
    picture
}

/// The value for the eye; `None` for a group without one.
fn value(field: &Field, language: Language) -> Option<String> {
    const LONGEST: usize = 160;
    let quoted = |text: &str| {
        let mut shown: String = text.chars().take(LONGEST).flat_map(visible).collect();
        if text.chars().nth(LONGEST).is_some() {
            shown += "...";
        }
        format!("\"{shown}\"")
    };
    Some(match &field.value {
        FieldValue::Group if PropertyId::from_name(field.name).is_some() => pair(field, language),
        FieldValue::Group => return None,
        FieldValue::Number(number) => match field.name {
            "connect_flags"
            | "connect_acknowledge_flags"
            | "subscription_options"
            | "return_code"
            | "reason_code" => {
                format!("{number:#04x}")
            }
            "keep_alive"
            | "server_keep_alive"
            | "session_expiry_interval"
            | "message_expiry_interval"
            | "will_delay_interval" => say!(language, "{number} s", "{number} 秒"),
            "packet_type" => packet_type(*number),
            "reserved" if field.bits == Some((0, 4)) => format!("{number:04b}"),
            _ => number.to_string(),
        },
        FieldValue::Real(number) => number.to_string(),
        FieldValue::Flag(flag) => u8::from(*flag).to_string(),
        FieldValue::Text(text) => quoted(text),
        FieldValue::Bytes(bytes) => match FieldValue::is_printable(bytes) {
            Some(text) => quoted(text),
            None => spaced_hex(bytes.get(..8).unwrap_or(bytes)) + if bytes.len() > 8 { " ..." } else { "" },
        },
    })
}

/// `1 (CONNECT)`
fn packet_type(number: u64) -> String {
    match u8::try_from(number).ok().and_then(PacketType::from_u8) {
        Some(packet_type) => format!("{number} ({})", packet_type.name()),
        None => number.to_string(),
    }
}

/// A user property: both strings.
fn pair(field: &Field, language: Language) -> String {
    let side = |name: &str| {
        let inner = field.fields.iter().find(|inner| inner.name == name);
        inner.and_then(|inner| value(inner, language)).unwrap_or_default()
    };
    format!("{}: {}", side("name"), side("value"))
}

/// Control characters by their escape.
fn visible(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}
