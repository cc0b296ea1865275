//! Text and binary values: bare, quoted or hex, read and written.

use crate::ParseError;
use crate::word::Span;

/// Most bytes one value may grow to by repetition: the largest Remaining Length.
const REPEATED_MAX: usize = hexmq_wire::REMAINING_LENGTH_MAX as usize;

/// Whether quoted content may be any bytes or must be text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Text,
    Binary,
}

/// Reads a whole span as text.
pub(crate) fn read_text(span: Span<'_>) -> Result<String, ParseError> {
    if span.text == "*" || span.text.starts_with("0x") {
        return Err(span.error("expected quotes around `*` and around text that begins with `0x`"));
    }
    let bytes = read_whole(span, Content::Text)?;
    String::from_utf8(bytes).map_err(|_| span.error("expected UTF-8 text"))
}

/// Reads a whole span as binary: `0x…`, quoted or bare text.
pub(crate) fn read_binary(span: Span<'_>) -> Result<Vec<u8>, ParseError> {
    match span.text.strip_prefix("0x") {
        Some(digits) => {
            hex_digits(digits).ok_or_else(|| span.error("expected an even number of hex digits after `0x`"))
        }
        None => read_whole(span, Content::Binary),
    }
}

/// Reads `key:value`.
pub(crate) fn read_pair(span: Span<'_>) -> Result<(String, String), ParseError> {
    let (key, rest) = if span.text.starts_with('"') {
        let (bytes, rest) = read_quoted(span, Content::Text)?;
        (String::from_utf8(bytes).map_err(|_| span.error("expected UTF-8 text"))?, rest)
    } else {
        let end = span.text.find(':').ok_or_else(|| span.error("expected `key:value`"))?;
        let key = Span { text: span.text.get(..end).unwrap_or_default(), ..span };
        (read_text(key)?, span.from(end))
    };
    match rest.text.strip_prefix(':') {
        Some(_) => Ok((key, read_text(rest.from(1))?)),
        None => Err(rest.error("expected `:` between key and value")),
    }
}

fn read_whole(span: Span<'_>, content: Content) -> Result<Vec<u8>, ParseError> {
    if !span.text.starts_with('"') {
        return read_bare(span);
    }
    let (bytes, rest) = read_quoted(span, content)?;
    match rest.text {
        "" => Ok(bytes),
        text => match text.strip_prefix('*') {
            Some(count) => repeat(&bytes, count).ok_or_else(|| rest.error("expected `*` and how often")),
            None => Err(rest.error("expected a blank after the closing `\"`")),
        },
    }
}

fn read_bare(span: Span<'_>) -> Result<Vec<u8>, ParseError> {
    if span.text.is_empty() {
        return Err(span.error("expected a value (an empty one is `\"\"`)"));
    }
    match span.text.char_indices().find(|&(_, c)| c == '"' || c == '\\' || c.is_control()) {
        Some((at, c)) => Err(span.from(at).error(format!("expected a quoted value, since it holds {c:?}"))),
        None => Ok(span.text.as_bytes().to_vec()),
    }
}

/// `bytes` so many times; `None` if the count is no number or the result too long.
pub(crate) fn repeat(bytes: &[u8], count: &str) -> Option<Vec<u8>> {
    let count: usize = count.parse().ok()?;
    let total = bytes.len().checked_mul(count)?;
    (total <= REPEATED_MAX).then(|| bytes.repeat(count))
}

/// Pairs of hex digits.
pub(crate) fn hex_digits(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(*pair.first()?)? << 4 | nibble(*pair.get(1)?)?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Reads from the opening quote to the closing one; gives the bytes and what follows.
pub(crate) fn read_quoted(span: Span<'_>, content: Content) -> Result<(Vec<u8>, Span<'_>), ParseError> {
    let mut bytes = Vec::new();
    let mut at = 1;
    loop {
        let rest = span.from(at);
        let mut chars = rest.text.chars();
        match chars.next() {
            None => return Err(rest.error("expected a closing `\"`")),
            Some('"') => return Ok((bytes, span.from(at + 1))),
            Some('\\') => at += read_escape(rest, content, &mut bytes)?,
            Some(c) => {
                push_char(&mut bytes, c);
                at += c.len_utf8();
            }
        }
    }
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads one escape, whose backslash begins `span`; gives its length in bytes.
fn read_escape(span: Span<'_>, content: Content, bytes: &mut Vec<u8>) -> Result<usize, ParseError> {
    let after = span.from(1).text;
    let simple = match after.chars().next() {
        Some('"') => b'"',
        Some('\\') => b'\\',
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('x') if content == Content::Binary => {
            let byte = after.get(1..3).and_then(hex_digits).and_then(|pair| pair.first().copied());
            bytes.push(byte.ok_or_else(|| span.error("expected two hex digits after `\\x`"))?);
            return Ok(4);
        }
        Some('u') => {
            let (c, length) = unicode_escape(after)
                .ok_or_else(|| span.error("expected `\\u{…}` with the hex of a character"))?;
            push_char(bytes, c);
            return Ok(1 + length);
        }
        _ => {
            return Err(span.error(
                "expected one of the escapes \\\" \\\\ \\n \\r \\t \\0 \\u{…} (and \\xNN in binary)",
            ));
        }
    };
    bytes.push(simple);
    Ok(2)
}

fn unicode_escape(after: &str) -> Option<(char, usize)> {
    let digits = after.strip_prefix("u{")?;
    let end = digits.find('}')?;
    let c = char::from_u32(u32::from_str_radix(digits.get(..end)?, 16).ok()?)?;
    Some((c, end + 3))
}

/// Writes text, bare where that reads back to the same.
pub(crate) fn write_text(out: &mut String, text: &str) {
    if is_bare(text) { out.push_str(text) } else { write_quoted(out, text) }
}

/// Writes binary: as text where a person can read it, else in hex.
pub(crate) fn write_binary(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')) => {
            write_text(out, text)
        }
        _ => {
            out.push_str("0x");
            write_hex(out, bytes, "");
        }
    }
}

/// Writes `key:value`.
pub(crate) fn write_pair(out: &mut String, key: &str, value: &str) {
    if is_bare(key) && !key.contains(':') {
        out.push_str(key)
    } else {
        write_quoted(out, key)
    }
    out.push(':');
    write_text(out, value);
}

/// Writes bytes as lower-case hex with `between` between them.
pub(crate) fn write_hex(out: &mut String, bytes: &[u8], between: &str) {
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        out.push_str(&format!("{byte:02x}"));
    }
}

/// Text that needs no quotes, and that no reader would take for something else.
fn is_bare(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || (c.is_ascii_graphic() && c != '"' && c != '\\');
    !text.is_empty() && text != "*" && !text.starts_with("0x") && text.chars().all(plain)
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            ' ' => out.push(c),
            c if c.is_control() || c.is_whitespace() || is_invisible(c) => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Characters that print as nothing or turn the line around.
fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xfff0..=0xfffb | 0xe0000..
    ) || u32::from(c) & 0xfffe == 0xfffe
}
