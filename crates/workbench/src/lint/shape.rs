//! Packets that do not fit together: the one mistake that explains it, if there is one.

use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, PacketType, Publish, Version, decode};

use super::evidence::{is_readable, is_whole_payload};
use super::guess::{Broken, Guess, LONGEST_SEARCHED};
use super::length::in_decimal;
use super::{LintRule, Remark, Said, connect_head, length};
use crate::explain::is_clean;
use crate::explanation::Side;
use crate::repair::find;
use crate::stream::{behind_plain_number, packet_of, part};
use crate::tree::{Reading, read};

/// A packet as it stands in the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    /// The packet, and the bytes behind it that belong to no other.
    pub(crate) bytes: &'a [u8],
    /// Bytes of the packet as its Remaining Length has it; all there are of one that is cut off.
    pub(crate) framed: usize,
    /// The packet as it is read.
    pub(crate) reading: &'a Reading,
    /// Who sent it.
    pub(crate) from: Option<Side>,
}

/// The mistake that explains everything, and how many of the bytes belong to the packet then.
pub(crate) fn remarks_on_shape(shape: &Shape<'_>) -> Option<(Remark, usize)> {
    if shape.bytes.len() > LONGEST_SEARCHED || shape.bytes.len() < 2 {
        return None;
    }
    let version = shape.reading.version;
    let frame = part(shape.bytes, 0, shape.framed);
    let framed = shape.framed.min(shape.bytes.len());
    let is_whole = scan_is_whole(frame);
    if let Some(guess) = remaining_length(shape) {
        return Some((guess.into_remark(version), shape.bytes.len()));
    }
    if is_whole && let Some(guess) = inside(frame, shape.reading, shape.from) {
        return Some((guess.into_remark(version), framed));
    }
    if is_whole && framed == shape.bytes.len() {
        return None;
    }
    // The Remaining Length is wrong as well: it is made to fit, then looked inside.
    let header = usize::from(Frame::new(shape.bytes).header()?.size);
    let fitted = packet_of(*shape.bytes.first()?, shape.bytes.get(header..)?)?;
    let reading = read(&fitted, version);
    let guess = inside(&fitted, &reading, shape.from)?;
    if framed == shape.bytes.len() && !is_twice_the_same(shape, header, &guess) {
        return None;
    }
    let moved = fitted.len() as isize - shape.bytes.len() as isize;
    let offset = guess.offset.checked_add_signed(-moved)?;
    Some((Guess { offset, ..guess }.into_remark(version), shape.bytes.len()))
}

/// A packet that is cut off may become anything. Only somebody who wrote the Remaining Length in the
/// wrong way, and a length inside in the same way, is recognised by both.
fn is_twice_the_same(shape: &Shape<'_>, header: usize, guess: &Guess) -> bool {
    let Some(says) = Frame::new(shape.bytes).header().map(|header| header.remaining_length as usize) else {
        return false;
    };
    let outer = kind(shape.bytes, header, says, shape.bytes.len() - header);
    matches!(
        (outer, guess.rule),
        (LintRule::RemainingLengthInDecimal, LintRule::LengthInDecimal)
            | (LintRule::RemainingLengthInHexDigits, LintRule::LengthInHexDigits)
    )
}

fn scan_is_whole(frame: &[u8]) -> bool {
    hexmq_wire::scan_frame(frame, u32::MAX) == Ok(hexmq_wire::FrameStatus::Whole { length: frame.len() })
}

/// A mistake inside a packet whose Remaining Length fits.
fn inside(frame: &[u8], reading: &Reading, from: Option<Side>) -> Option<Guess> {
    if reading.faults.iter().all(|fault| fault.severity == hexmq_wire::Severity::Warning) {
        return None;
    }
    let broken = Broken { frame, reading, from };
    nibbles(&broken)
        .or_else(|| line_end(&broken))
        .or_else(|| connect_head::protocol_name(&broken))
        .or_else(|| connect_head::swapped(&broken))
        .or_else(|| missing_identifier(&broken))
        .or_else(|| qos_bytes(&broken))
        .or_else(|| length::known_mistake(&broken))
        .or_else(|| connect_head::flags(&broken))
        .or_else(|| connect_head::missing(&broken))
        .or_else(|| connect_head::extra(&broken))
        .or_else(|| property_length(&broken))
        .or_else(|| length::prefix(&broken))
        .or_else(|| length::only_length(&broken))
        .or_else(|| length::no_prefix(&broken))
}

/// The first byte with its halves exchanged: `28` for `82`.
fn nibbles(broken: &Broken<'_>) -> Option<Guess> {
    let written = broken.first_byte()?;
    let right = written.rotate_left(4);
    let mut repaired = broken.frame.to_vec();
    *repaired.first_mut()? = right;
    // A PUBLISH takes nearly anything.
    let is_publish = right >> 4 == PacketType::Publish as u8;
    if is_publish && publish_of(&repaired, broken.version()).is_none_or(|publish| !is_believable(&publish)) {
        return None;
    }
    let said = Said::Bytes { written: vec![written], right: vec![right] };
    let guess =
        Guess { rule: LintRule::NibblesSwapped, field: "packet_type", offset: 0, length: 1, said, repaired };
    broken.mends(&guess.repaired).then_some(guess)
}

/// A line end behind everything, counted in the Remaining Length.
fn line_end(broken: &Broken<'_>) -> Option<Guess> {
    let count = broken.frame.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let offset = broken.frame.len() - count;
    if count == 0 || broken.reading.packet_type == Some(PacketType::Publish) {
        return None;
    }
    let repaired = broken.edit(offset, count, &[]).filter(|repaired| broken.mends(repaired))?;
    let said = Said::Bytes { written: part(broken.frame, offset, count).to_vec(), right: Vec::new() };
    Some(Guess { rule: LintRule::LineEndAppended, field: "unknown", offset, length: count, said, repaired })
}

/// SUBSCRIBE, UNSUBSCRIBE or PUBLISH without the Packet Identifier it must have.
fn missing_identifier(broken: &Broken<'_>) -> Option<Guess> {
    const FIRST: [u8; 2] = [0, 1];
    let packet_type = broken.reading.packet_type?;
    let at = match packet_type {
        PacketType::Subscribe | PacketType::Unsubscribe => broken.header()?,
        PacketType::Publish if broken.first_byte()? & 0b0110 != 0 => {
            let topic = find(&broken.reading.fields, "topic_name")?;
            topic.offset + topic.length
        }
        _ => return None,
    };
    let repaired = broken.edit(at, 0, &FIRST).filter(|repaired| broken.mends(repaired))?;
    if packet_type == PacketType::Publish {
        let publish = publish_of(&repaired, broken.version())?;
        let left = broken.frame.len() - at.min(broken.frame.len());
        if left >= 2 && !is_whole_payload(publish.topic_name, publish.payload) {
            return None;
        }
    }
    let said = Said::Missing(FIRST.to_vec());
    let rule = LintRule::MissingPacketIdentifier;
    Some(Guess { rule, field: "packet_identifier", offset: at, length: 0, said, repaired })
}

/// A SUBSCRIBE whose filters lack their QoS, an UNSUBSCRIBE whose filters have one.
fn qos_bytes(broken: &Broken<'_>) -> Option<Guess> {
    let other = match broken.reading.packet_type? {
        PacketType::Subscribe => 0xA2,
        PacketType::Unsubscribe => 0x82,
        _ => return None,
    };
    let mut twin = broken.frame.to_vec();
    *twin.first_mut()? = other;
    let mut repaired = broken.frame.get(broken.header()?..)?.to_vec();
    let packet = decode(Frame::new(&twin), broken.version(), &Leniency::default(), &mut NoTrace).ok()?;
    let (rule, field, list, filters) = match packet {
        ControlPacket::Unsubscribe(unsubscribe) => {
            let filters: Vec<&str> = unsubscribe.topic_filters.iter().collect();
            (LintRule::QosByteMissing, "requested_qos", unsubscribe.topic_filters.as_bytes().len(), filters)
        }
        ControlPacket::Subscribe(subscribe) => {
            let filters: Vec<&str> = subscribe.subscriptions.iter().map(|entry| entry.topic_filter).collect();
            (
                LintRule::QosByteInUnsubscribe,
                "topic_filter",
                subscribe.subscriptions.as_bytes().len(),
                filters,
            )
        }
        _ => return None,
    };
    repaired.truncate(repaired.len().checked_sub(list)?);
    for filter in &filters {
        repaired.extend_from_slice(&u16::try_from(filter.len()).ok()?.to_be_bytes());
        repaired.extend_from_slice(filter.as_bytes());
        if rule == LintRule::QosByteMissing {
            repaired.push(0);
        }
    }
    let repaired = packet_of(broken.first_byte()?, &repaired).filter(|repaired| broken.mends(repaired))?;
    let first_end = broken.frame.len() - list + 2 + filters.first()?.len();
    let (length, said) = match rule {
        LintRule::QosByteMissing => (0, Said::Missing(vec![0])),
        _ => (1, Said::Bytes { written: part(broken.frame, first_end, 1).to_vec(), right: Vec::new() }),
    };
    Some(Guess { rule, field, offset: first_end, length, said, repaired })
}

/// A packet of 5.0 without Property Length, as 3.1.1 has it.
fn property_length(broken: &Broken<'_>) -> Option<Guess> {
    if broken.version() != Version::V5 {
        return None;
    }
    let group = find(&broken.reading.fields, "properties")?;
    let repaired = broken.edit(group.offset, 0, &[0]).filter(|repaired| broken.mends(repaired))?;
    if let Some(publish) = publish_of(&repaired, Version::V5)
        && !is_believable(&publish)
    {
        return None;
    }
    let said = Said::Missing(vec![0]);
    let rule = LintRule::PropertyLengthMissing;
    Some(Guess { rule, field: "property_length", offset: group.offset, length: 0, said, repaired })
}

/// The packet as a PUBLISH.
fn publish_of(bytes: &[u8], version: Version) -> Option<Publish<'_>> {
    match decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Publish(publish)) => Some(publish),
        _ => None,
    }
}

/// A PUBLISH takes any bytes as topic and payload. Whether these look as if they were meant.
fn is_believable(publish: &Publish<'_>) -> bool {
    is_whole_payload(publish.topic_name, publish.payload)
        || !publish.payload.is_empty()
            && is_readable(publish.payload)
            && !publish.topic_name.chars().any(char::is_control)
}

// ---- Remaining Length ---------------------------------------------------------------------------

/// A Remaining Length that is wrong, left out or not written in its own way, with all bytes there
/// are as one packet.
fn remaining_length(shape: &Shape<'_>) -> Option<Guess> {
    let bytes = shape.bytes;
    let (&first, behind) = bytes.split_first()?;
    let header = Frame::new(bytes).header();
    if let Some(header) = header {
        let (size, says) = (usize::from(header.size), header.remaining_length as usize);
        let fits = bytes.len() - size.min(bytes.len());
        if says != fits {
            let body = bytes.get(size..)?;
            let rule = kind(bytes, size, says, fits);
            let guess = remaining_guess(rule, bytes, (1, size - 1), says, packet_of(first, body)?);
            if is_meant(shape, &guess) {
                return Some(guess);
            }
        }
    }
    let plain = |digits: usize| {
        let body = behind_plain_number(behind, digits)?;
        let rule = LintRule::RemainingLengthNotEncoded;
        let guess = remaining_guess(rule, bytes, (1, digits), body.len(), packet_of(first, body)?);
        (guess.repaired != bytes && is_meant(shape, &guess)).then_some(guess)
    };
    plain(1).or_else(|| plain(2)).or_else(|| {
        let guess =
            remaining_guess(LintRule::RemainingLengthMissing, bytes, (1, 0), 0, packet_of(first, behind)?);
        is_meant(shape, &guess).then_some(guess)
    })
}

fn remaining_guess(
    rule: LintRule,
    bytes: &[u8],
    span: (usize, usize),
    says: usize,
    repaired: Vec<u8>,
) -> Guess {
    let right = match Frame::new(&repaired).header() {
        Some(header) => part(&repaired, 1, usize::from(header.size) - 1).to_vec(),
        None => Vec::new(),
    };
    let fits = repaired.len() - 1 - right.len();
    let written = part(bytes, span.0, span.1).to_vec();
    let said = if span.1 == 0 {
        Said::Missing(right)
    } else {
        Said::Length { written, says: says as u64, fits: fits as u64, right }
    };
    Guess { rule, field: "remaining_length", offset: span.0, length: span.1, said, repaired }
}

/// By which mistake `says` may have come about where `fits` is right.
fn kind(bytes: &[u8], header: usize, says: usize, fits: usize) -> LintRule {
    let continuations = bytes.iter().skip(header).filter(|byte| **byte & 0xC0 == 0x80).count();
    let written = if header == 2 { bytes.get(1).copied().map(usize::from) } else { None };
    if written.and_then(in_decimal) == Some(fits) {
        LintRule::RemainingLengthInDecimal
    } else if says == 2 * fits && fits > 0 {
        LintRule::RemainingLengthInHexDigits
    } else if says == fits + header {
        LintRule::RemainingLengthCountsHeader
    } else if continuations > 0 && says + continuations == fits {
        LintRule::RemainingLengthInCharacters
    } else if written.is_some_and(|byte| usize::from((byte as u8).rotate_left(4)) == fits) {
        LintRule::LengthNibblesSwapped
    } else if says > fits {
        LintRule::RemainingLengthTooLarge
    } else {
        LintRule::RemainingLengthTooSmall
    }
}

/// Whether the guess is clean and, since a PUBLISH may end anywhere, whether such a one ends where
/// its content does.
fn is_meant(shape: &Shape<'_>, guess: &Guess) -> bool {
    let version = shape.reading.version;
    if !is_clean(&guess.repaired, version, shape.from) {
        return false;
    }
    let Some(publish) = publish_of(&guess.repaired, version) else { return true };
    let before = publish_of(part(shape.bytes, 0, shape.framed), version);
    if before.is_some_and(|before| is_whole_payload(before.topic_name, before.payload)) {
        return false;
    }
    if is_whole_payload(publish.topic_name, publish.payload) {
        return true;
    }
    let known = !matches!(
        guess.rule,
        LintRule::RemainingLengthTooLarge
            | LintRule::RemainingLengthTooSmall
            | LintRule::RemainingLengthMissing
    );
    let stray = shape.bytes.get(shape.framed..).unwrap_or_default();
    let continues = !stray.is_empty() && is_readable(publish.payload) && !stray.trim_ascii().is_empty();
    is_believable(&publish) && (known || continues)
}

/// Whether nothing that may still come could make this beginning a right packet: with what is there
/// it ends where its type must end.
pub(crate) fn is_complete_at(frame: &[u8], reading: &Reading) -> bool {
    let has_one_end = match reading.packet_type {
        // In 3.1 user name and password may be left out although their flags are set.
        Some(PacketType::Connect) => reading.version != Version::V3,
        Some(PacketType::Pingreq | PacketType::Pingresp) => true,
        Some(
            PacketType::Connack
            | PacketType::Puback
            | PacketType::Pubrec
            | PacketType::Pubrel
            | PacketType::Pubcomp
            | PacketType::Unsuback
            | PacketType::Disconnect,
        ) => reading.version != Version::V5,
        _ => false,
    };
    let body = Frame::new(frame).header().and_then(|header| frame.get(usize::from(header.size)..));
    let fitted = body.and_then(|body| packet_of(*frame.first()?, body));
    has_one_end && fitted.is_some_and(|fitted| is_clean(&fitted, reading.version, None))
}

/// Whether the repaired packet has content that is whole only with all the bytes.
pub(crate) fn is_whole_with(shape: &Shape<'_>, remark: &Remark) -> bool {
    let Some(repaired) = &remark.repair else { return false };
    match publish_of(repaired, shape.reading.version) {
        Some(publish) => is_whole_payload(publish.topic_name, publish.payload),
        None => true,
    }
}
