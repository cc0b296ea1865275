//! Bytes that are no packet: what serial tools, modules and editors put between packets.

use hexmq_wire::{FrameStatus, PacketType, Version, scan_frame};

use super::content::BOM;
use super::evidence::is_printable_ascii;
use super::{LintRule, Remark, Said};
use crate::explain::is_clean;

/// What the whole input is, if it is something else than packets: hex digits sent as text.
pub(crate) fn about_input(bytes: &[u8]) -> Option<Remark> {
    const DIGITS_LEAST: usize = 4;
    let mut digits = Vec::new();
    for byte in bytes {
        match char::from(*byte).to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if byte.is_ascii_whitespace() => {}
            None => return None,
        }
    }
    if digits.len() < DIGITS_LEAST || digits.len() % 2 == 1 {
        return None;
    }
    let meant: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let count = packets(&meant)?;
    let repair = (count == 1).then_some(meant);
    Some(remark(LintRule::HexDigitsAsText, bytes.len(), repair))
}

/// How many clean packets these bytes are, if they are nothing else.
fn packets(bytes: &[u8]) -> Option<usize> {
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let Ok(FrameStatus::Whole { length }) = scan_frame(rest, u32::MAX) else { return None };
        let (frame, behind) = rest.split_at_checked(length)?;
        if !is_clean(frame, Version::V4, None) && !is_clean(frame, Version::V5, None) {
            return None;
        }
        (rest, count) = (behind, count + 1);
    }
    Some(count)
}

/// What bytes between or behind packets probably are.
pub(crate) fn about_stray(bytes: &[u8], version: Version) -> Option<Remark> {
    if bytes.is_empty() {
        return None;
    }
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        return Some(remark(LintRule::LineEndAppended, bytes.len(), None));
    }
    if bytes == BOM {
        return Some(remark(LintRule::ByteOrderMark, bytes.len(), None));
    }
    if is_serial_text(bytes) {
        return Some(remark(LintRule::SerialText, bytes.len(), None));
    }
    let repair = swapped(bytes, version)?;
    Some(remark(LintRule::NibblesSwapped, bytes.len(), Some(repair)))
}

/// A line such as `OK` or `+IPD,4:`: the answers of modules to AT commands.
fn is_serial_text(bytes: &[u8]) -> bool {
    const ANSWERS: [&str; 10] =
        ["OK", "ERROR", "SEND OK", "+IPD,", "CONNECT", "CLOSED", "AT+", ">", "Recv", "busy"];
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let lines: Vec<&str> = text.split(['\r', '\n']).filter(|line| !line.is_empty()).collect();
    lines.iter().all(|line| is_printable_ascii(line.as_bytes()))
        && lines.iter().any(|line| ANSWERS.iter().any(|answer| line.trim_start().starts_with(answer)))
}

/// The bytes with the halves of the first, or of all, exchanged, if that is a packet. One that takes
/// any bytes proves nothing.
fn swapped(bytes: &[u8], version: Version) -> Option<Vec<u8>> {
    const LONGEST: usize = 4096;
    if bytes.len() < 2 || bytes.len() > LONGEST {
        return None;
    }
    let mut first = bytes.to_vec();
    if let Some(byte) = first.first_mut() {
        *byte = byte.rotate_left(4);
    }
    let all = bytes.iter().map(|byte| byte.rotate_left(4)).collect();
    [first, all].into_iter().find(|meant: &Vec<u8>| {
        let is_publish = meant.first().is_some_and(|first| first >> 4 == PacketType::Publish as u8);
        let is_readable = meant
            .get(2..)
            .is_some_and(|body| body.iter().filter(|byte| **byte >= b' ').count() + 3 > body.len());
        (!is_publish || is_readable) && is_clean(meant, version, None)
    })
}

fn remark(rule: LintRule, length: usize, repair: Option<Vec<u8>>) -> Remark {
    Remark { rule, statement: None, field: "unknown", offset: 0, length, repair, said: Said::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(bytes: &[u8]) -> Option<&'static str> {
        about_stray(bytes, Version::V4).map(|remark| remark.rule.name())
    }

    #[test]
    fn strays_are_recognised() {
        assert_eq!(rule(b"\r\n"), Some("line_end_appended"));
        assert_eq!(rule(b"\xEF\xBB\xBF"), Some("byte_order_mark"));
        assert_eq!(rule(b"\r\nSEND OK\r\n"), Some("serial_text"));
        assert_eq!(rule(b"\r\n+IPD,4:"), Some("serial_text"));
        assert_eq!(rule(b"\x0C\x00"), Some("nibbles_swapped"));
        assert_eq!(rule(b"\x00\x00\x00"), None);
        assert_eq!(rule(b"\x04\xFF"), None);
    }

    #[test]
    fn hex_digits_are_taken_for_what_they_say() {
        let remark = about_input(b"C0 00\r\n").expect("hex digits");
        assert_eq!(remark.repair, Some(vec![0xC0, 0]));
        assert_eq!(about_input(b"c000d000").expect("hex digits").repair, None, "two packets");
        assert_eq!(about_input(b"c0 0"), None);
        assert_eq!(about_input(b"1234"), None, "no packet");
        assert_eq!(about_input(b""), None);
    }
}
