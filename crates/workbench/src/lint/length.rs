//! Wrong lengths in front of strings, and the mistakes that make them.

use hexmq_wire::{PacketType, Version};

use super::evidence::{is_printable_ascii, is_whole_json};
use super::guess::{Broken, Guess, LONGEST_SCANNED};
use super::{LintRule, Said};
use crate::explanation::Field;

/// The first known mistake in one length that explains everything.
pub(super) fn known_mistake(broken: &Broken<'_>) -> Option<Guess> {
    broken.strings().into_iter().find_map(|field| {
        let mistakes = mistakes(broken, field);
        mistakes.into_iter().find_map(|(rule, fits)| with_length(broken, field, rule, fits))
    })
}

/// The lengths that may have been meant at this string, by the ways in which people get it wrong.
fn mistakes(broken: &Broken<'_>, field: &Field) -> Vec<(LintRule, usize)> {
    let Some(written) = broken.number(field.offset) else { return Vec::new() };
    let text = broken.frame.get(field.offset + 2..).unwrap_or_default();
    let mut mistakes = Vec::new();
    mistakes.extend(in_decimal(written).map(|fits| (LintRule::LengthInDecimal, fits)));
    mistakes.extend(in_characters(text, written).map(|fits| (LintRule::LengthInCharacters, fits)));
    if field.name == "topic_filter" && broken.reading.packet_type == Some(PacketType::Subscribe) {
        mistakes.extend(written.checked_sub(1).map(|fits| (LintRule::LengthCountsQosByte, fits)));
    }
    mistakes.extend(written.checked_sub(2).map(|fits| (LintRule::LengthCountsItself, fits)));
    if written % 2 == 0 && written > 0 {
        mistakes.push((LintRule::LengthInHexDigits, written / 2));
    }
    let (high, low) = (written >> 8, written & 0xFF);
    if low != high {
        mistakes.push((LintRule::LengthBytesSwapped, low << 8 | high));
    }
    if high == 0 {
        mistakes.push((LintRule::LengthNibblesSwapped, low >> 4 | (low & 0x0F) << 4));
    }
    mistakes
}

/// `51` written where 51 = 33 in hex was meant.
pub(super) fn in_decimal(written: usize) -> Option<usize> {
    format!("{written:x}").parse().ok().filter(|&fits| fits != written)
}

/// As many bytes as the first `count` characters have.
fn in_characters(text: &[u8], count: usize) -> Option<usize> {
    let valid = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(text.get(..error.valid_up_to())?).ok()?,
    };
    let mut ends = valid.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.nth(count.checked_sub(1)?)?;
    (end != count).then_some(end)
}

fn with_length(broken: &Broken<'_>, field: &Field, rule: LintRule, fits: usize) -> Option<Guess> {
    let repaired = broken.with_length(field.offset, fits).filter(|repaired| broken.mends(repaired))?;
    length_guess(broken, field, rule, fits, repaired)
}

fn length_guess(
    broken: &Broken<'_>,
    field: &Field,
    rule: LintRule,
    fits: usize,
    repaired: Vec<u8>,
) -> Option<Guess> {
    let written = broken.frame.get(field.offset..field.offset + 2)?.to_vec();
    let says = broken.number(field.offset)? as u64;
    let right = u16::try_from(fits).ok()?.to_be_bytes().to_vec();
    let said = Said::Length { written, says, fits: fits as u64, right };
    Some(Guess { rule, field: field.name, offset: field.offset, length: 2, said, repaired })
}

/// The one length of one string that explains everything, whatever the mistake was.
pub(super) fn only_length(broken: &Broken<'_>) -> Option<Guess> {
    if broken.frame.len() > LONGEST_SCANNED {
        return None;
    }
    if broken.reading.packet_type == Some(PacketType::Publish) {
        return topic_before_json(broken);
    }
    let mut found = None;
    for field in broken.strings().into_iter().filter(|field| !begins_with_text(broken, field)) {
        let behind = broken.frame.len().saturating_sub(field.offset + 2);
        for fits in 0..=behind {
            let Some(guess) = with_length(broken, field, LintRule::LengthWrong, fits) else { continue };
            if found.replace(guess).is_some() {
                return None;
            }
        }
    }
    found
}

/// A topic name whose length is wrong, in front of a payload that is JSON.
fn topic_before_json(broken: &Broken<'_>) -> Option<Guess> {
    let mut strings = broken.strings().into_iter();
    let topic = strings.find(|field| field.name == "topic_name" && !begins_with_text(broken, field))?;
    let fits = json_at(broken, topic.offset + 2)?.checked_sub(identifier_size(broken))?;
    with_length(broken, topic, LintRule::LengthWrong, fits)
}

/// Bytes from `start` to a JSON value that reaches the end of the packet.
fn json_at(broken: &Broken<'_>, start: usize) -> Option<usize> {
    let behind = broken.frame.get(start..)?;
    let at = behind.iter().position(|byte| matches!(byte, b'{' | b'['))?;
    (broken.version() != Version::V5 && is_whole_json(behind.get(at..)?)).then_some(at)
}

/// Bytes of the Packet Identifier of a PUBLISH.
fn identifier_size(broken: &Broken<'_>) -> usize {
    if broken.first_byte().is_some_and(|first| first & 0b0110 != 0) { 2 } else { 0 }
}

/// A string with one byte of its length, or with a length twice.
pub(super) fn prefix(broken: &Broken<'_>) -> Option<Guess> {
    let strings = broken.strings();
    strings.iter().find_map(|field| one_byte_prefix(broken, field).or_else(|| doubled_prefix(broken, field)))
}

/// A string without its length: letters stand in its place.
pub(super) fn no_prefix(broken: &Broken<'_>) -> Option<Guess> {
    let is_publish = broken.reading.packet_type == Some(PacketType::Publish);
    broken.strings().iter().filter(|field| begins_with_text(broken, field)).find_map(|field| {
        if is_publish { topic_without_prefix(broken, field) } else { missing_prefix(broken, field) }
    })
}

/// Letters where a length should be.
fn begins_with_text(broken: &Broken<'_>, field: &Field) -> bool {
    broken.frame.get(field.offset..field.offset + 2).is_some_and(is_printable_ascii)
}

fn one_byte_prefix(broken: &Broken<'_>, field: &Field) -> Option<Guess> {
    let repaired = broken.edit(field.offset, 0, &[0]).filter(|repaired| broken.mends(repaired))?;
    let said = Said::Missing(vec![0]);
    let rule = LintRule::LengthMissing;
    // A PUBLISH fits whatever the topic is; only one that can be read was meant.
    let believable = broken.reading.packet_type != Some(PacketType::Publish) || {
        let length = usize::from(*broken.frame.get(field.offset)?);
        let topic = broken.frame.get(field.offset + 1..field.offset + 1 + length)?;
        topic.len() > 2 && is_printable_ascii(topic)
    };
    believable.then_some(Guess { rule, field: field.name, offset: field.offset, length: 0, said, repaired })
}

/// `00 0b 00 09 …`: the inner length was counted as part of the string, or written twice.
fn doubled_prefix(broken: &Broken<'_>, field: &Field) -> Option<Guess> {
    let (outer, inner) = (broken.number(field.offset)?, broken.number(field.offset + 2)?);
    if inner == 0 || outer != inner && outer != inner + 2 {
        return None;
    }
    let repaired = broken.edit(field.offset, 2, &[]).filter(|repaired| broken.mends(repaired))?;
    let written = broken.frame.get(field.offset..field.offset + 2)?.to_vec();
    let said = Said::Bytes { written, right: Vec::new() };
    let rule = LintRule::LengthDoubled;
    Some(Guess { rule, field: field.name, offset: field.offset, length: 2, said, repaired })
}

/// The one length that, put in front of the string, explains everything.
fn missing_prefix(broken: &Broken<'_>, field: &Field) -> Option<Guess> {
    if broken.frame.len() > LONGEST_SCANNED {
        return None;
    }
    let behind = broken.frame.len().saturating_sub(field.offset);
    let fitting = (1..=behind).filter_map(|length| put_in(broken, field, length));
    let mut fitting = fitting.take(2);
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

fn topic_without_prefix(broken: &Broken<'_>, field: &Field) -> Option<Guess> {
    let length = json_at(broken, field.offset)?.checked_sub(identifier_size(broken))?;
    put_in(broken, field, length)
}

fn put_in(broken: &Broken<'_>, field: &Field, length: usize) -> Option<Guess> {
    let prefix = u16::try_from(length).ok()?.to_be_bytes();
    let repaired = broken.edit(field.offset, 0, &prefix).filter(|repaired| broken.mends(repaired))?;
    let said = Said::Missing(prefix.to_vec());
    let rule = LintRule::LengthMissing;
    Some(Guess { rule, field: field.name, offset: field.offset, length: 0, said, repaired })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_read_as_hex() {
        assert_eq!(in_decimal(0x51), Some(51));
        assert_eq!(in_decimal(0x100), Some(100));
        assert_eq!(in_decimal(9), None, "9 is 9");
        assert_eq!(in_decimal(0x5A), None, "no decimal number");
    }

    #[test]
    fn characters_have_bytes() {
        assert_eq!(in_characters("温度/a".as_bytes(), 2), Some(6));
        assert_eq!(in_characters("温度/a".as_bytes(), 4), Some(8));
        assert_eq!(in_characters(b"abc", 2), None, "each has one byte");
        assert_eq!(in_characters("温".as_bytes(), 2), None, "there are not as many");
        assert_eq!(in_characters("温".as_bytes(), 0), None);
    }
}
