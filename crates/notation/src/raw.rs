//! Raw bytes: `hex 10 len( str("MQTT") 05 … )`.

use hexmq_wire::{REMAINING_LENGTH_MAX, encode_remaining_length};

use crate::ParseError;
use crate::text::{Content, hex_digits, read_quoted, repeat};
use crate::word::Span;

/// Deepest nesting of `len(…)` and `str(…)`.
const DEPTH_MAX: usize = 16;

/// The bytes after `hex`, if the line has raw bytes.
pub(crate) fn raw(rest: Span<'_>) -> Result<Option<Vec<u8>>, ParseError> {
    match rest.text.strip_prefix("hex") {
        Some(after) if after.is_empty() || after.starts_with(char::is_whitespace) => {
            let bytes = parse_raw(rest.from(3))?;
            if bytes.is_empty() { Err(rest.error("expected bytes after `hex`")) } else { Ok(Some(bytes)) }
        }
        _ => Ok(None),
    }
}

/// Reads what stands after the word `hex`.
fn parse_raw(span: Span<'_>) -> Result<Vec<u8>, ParseError> {
    let mut bytes = Vec::new();
    let rest = read_items(span, &mut bytes, 0)?;
    match rest.text {
        "" => Ok(bytes),
        _ => Err(rest.error("expected hex digits in pairs, `\"…\"`, `str(…)` or `len(…)`")),
    }
}

/// Reads until the end of the line, a comment, or a `)` of the caller's.
fn read_items<'a>(span: Span<'a>, bytes: &mut Vec<u8>, depth: usize) -> Result<Span<'a>, ParseError> {
    let mut rest = span;
    loop {
        let at = rest.text.len() - rest.text.trim_start().len();
        rest = rest.from(at);
        if rest.text.is_empty() || rest.text.starts_with(')') && depth > 0 {
            return Ok(rest);
        }
        if rest.text.starts_with('#') {
            return Ok(rest.from(rest.text.len()));
        }
        rest = read_item(rest, bytes, depth)?;
    }
}

fn read_item<'a>(span: Span<'a>, bytes: &mut Vec<u8>, depth: usize) -> Result<Span<'a>, ParseError> {
    let start = bytes.len();
    if span.text.starts_with('"') {
        let (quoted, rest) = read_quoted(span, Content::Binary)?;
        bytes.extend_from_slice(&quoted);
        return read_repeat(rest, bytes, start);
    }
    if span.text.starts_with("str(") {
        let (inner, rest) = read_call(span, depth)?;
        let length =
            u16::try_from(inner.len()).map_err(|_| span.error("expected at most 65535 bytes in `str(…)`"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&inner);
        return Ok(rest);
    }
    if span.text.starts_with("len(") {
        let (inner, rest) = read_call(span, depth)?;
        let length = u32::try_from(inner.len()).ok().filter(|&length| length <= REMAINING_LENGTH_MAX);
        encode_remaining_length(
            length.ok_or_else(|| span.error("expected at most 268435455 bytes in `len(…)`"))?,
            bytes,
        );
        bytes.extend_from_slice(&inner);
        return Ok(rest);
    }
    let digits = span.text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(span.text.len());
    let pairs = span.text.get(..digits).and_then(hex_digits);
    bytes.extend(
        pairs.ok_or_else(|| span.error("expected hex digits in pairs, `\"…\"`, `str(…)` or `len(…)`"))?,
    );
    let last = bytes.len() - 1;
    read_repeat(span.from(digits), bytes, last)
}

/// Reads `name( … )`.
fn read_call(span: Span<'_>, depth: usize) -> Result<(Vec<u8>, Span<'_>), ParseError> {
    if depth >= DEPTH_MAX {
        return Err(span.error(format!("expected at most {DEPTH_MAX} parentheses in one another")));
    }
    let mut inner = Vec::new();
    let rest = read_items(span.from(4), &mut inner, depth + 1)?;
    match rest.text.strip_prefix(')') {
        Some(_) => Ok((inner, rest.from(1))),
        None => Err(span.error("expected a closing `)` on this line")),
    }
}

/// Reads `*N`, which repeats the bytes from `start` on.
fn read_repeat<'a>(span: Span<'a>, bytes: &mut Vec<u8>, start: usize) -> Result<Span<'a>, ParseError> {
    let Some(text) = span.text.strip_prefix('*') else {
        return Ok(span);
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = bytes.split_off(start);
    let repeated = repeat(&unit, text.get(..digits).unwrap_or_default());
    bytes.extend(repeated.ok_or_else(|| span.error("expected `*` and how often"))?);
    Ok(span.from(1 + digits))
}
