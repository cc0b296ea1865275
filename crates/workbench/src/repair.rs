//! Packets as they would be right. A repair changes only what its fault names and decodes clean;
//! where the right bytes cannot be known (which QoS was meant by 3?) there is none.

use hexmq_wire::{Fault, FaultCode, PacketType, Version, encode_remaining_length};

use crate::explain::is_clean;
use crate::explanation::{Field, FieldValue, Side};
use crate::lint::has_filters_that_are_some;
use crate::stream::{packet_of, part, with_remaining_length};
use crate::tree::{Reading, read};

/// Longer packets are not searched for a wrong length: each length is a whole decode.
const LONGEST_SEARCHED: usize = 512;

/// The packet without this fault, if that is all that is wrong with it.
pub(crate) fn repair(frame: &[u8], reading: &Reading, fault: &Fault, from: Option<Side>) -> Option<Vec<u8>> {
    candidates(frame, reading, fault).into_iter().find(|repaired| is_clean(repaired, reading.version, from))
}

/// The packet without any of its faults: each repaired after the other, or the one wrong length
/// in it that made the others follow.
pub(crate) fn repair_all(frame: &[u8], version: Version, from: Option<Side>) -> Option<Vec<u8>> {
    one_by_one(frame, version, from).or_else(|| wrong_length(frame, version, from))
}

fn one_by_one(frame: &[u8], version: Version, from: Option<Side>) -> Option<Vec<u8>> {
    const ROUNDS: usize = 8;
    let mut repaired = frame.to_vec();
    for _ in 0..ROUNDS {
        let reading = read(&repaired, version);
        let Some(fault) = reading.faults.first() else { break };
        let before = reading.faults.len();
        repaired = candidates(&repaired, &reading, fault)
            .into_iter()
            .find(|candidate| read(candidate, version).faults.len() < before)?;
    }
    (repaired != frame && is_clean(&repaired, version, from)).then_some(repaired)
}

/// A wrong length in front of one string shifts everything behind it. If exactly one other length
/// of exactly one string makes the packet clean, that was it.
fn wrong_length(frame: &[u8], version: Version, from: Option<Side>) -> Option<Vec<u8>> {
    let reading = read(frame, version);
    let is_shifted = |fault: &Fault| matches!(fault.code, FaultCode::Truncated | FaultCode::TrailingBytes);
    if !reading.faults.iter().any(is_shifted) || frame.len() > LONGEST_SEARCHED {
        return None;
    }
    let strings = reading.fields.iter().filter(|field| field.name != "payload" && field.fields.is_empty());
    let places = strings.filter(|field| matches!(field.value, FieldValue::Text(_) | FieldValue::Bytes(_)));
    let mut repairs = places.flat_map(|field| with_lengths(frame, field.offset, version, from));
    let only = repairs.next()?;
    repairs.next().is_none().then_some(only)
}

/// The clean packets that differ from `frame` in the two-byte length at `at` alone.
fn with_lengths(
    frame: &[u8],
    at: usize,
    version: Version,
    from: Option<Side>,
) -> impl Iterator<Item = Vec<u8>> + '_ {
    let behind = frame.len().saturating_sub(at + 2);
    (0..=behind).filter_map(move |length| {
        let mut repaired = frame.to_vec();
        let prefix = repaired.get_mut(at..at + 2)?;
        prefix.copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
        let is_it = repaired != frame
            && is_clean(&repaired, version, from)
            && has_filters_that_are_some(&repaired, version);
        is_it.then_some(repaired)
    })
}

/// What might be meant, likeliest first. Each still has to prove itself.
fn candidates(frame: &[u8], reading: &Reading, fault: &Fault) -> Vec<Vec<u8>> {
    let edits = Edits { frame, reading, fault };
    match fault.code {
        FaultCode::ReservedFlags => {
            let fixed = reading.packet_type.and_then(PacketType::reserved_flags);
            fixed.map(|fixed| edits.with_bits(0x0F, fixed)).into_iter().flatten().collect()
        }
        FaultCode::DupAtQos0 => edits.with_bits(0b1000, 0).into_iter().collect(),
        FaultCode::NonMinimalLength => edits.shortest_length().into_iter().collect(),
        FaultCode::ConnectFlagsReserved | FaultCode::SessionPresentWithError => {
            edits.with_bits(1, 0).into_iter().collect()
        }
        FaultCode::WillFlagsWithoutWill => edits.with_bits(0b0011_1000, 0).into_iter().collect(),
        FaultCode::PasswordWithoutUserName => {
            edits.with_bits(0x80, 0x80).into_iter().chain(edits.with_bits(0x40, 0)).collect()
        }
        FaultCode::ConnackFlagsReserved => edits.with_bits(0xFE, 0).into_iter().collect(),
        FaultCode::SubscriptionOptionsReserved => {
            let reserved = if reading.version == Version::V5 { 0xC0 } else { 0xFC };
            edits.with_bits(reserved, 0).into_iter().collect()
        }
        FaultCode::NoLocalOnShared => edits.with_bits(0b100, 0).into_iter().collect(),
        FaultCode::PacketIdentifierZero => edits.with_bytes(&[0, 1]).into_iter().collect(),
        FaultCode::ProtocolName => edits.with_string(b"MQTT").into_iter().collect(),
        FaultCode::ProtocolVersion => edits.protocol_versions(),
        FaultCode::NulInUtf8 => edits.without_characters(|c| c == '\0').into_iter().collect(),
        FaultCode::ControlCharacterInUtf8 => edits.without_characters(char::is_control).into_iter().collect(),
        FaultCode::TrailingBytes => edits.connect_flags().chain(edits.without_bytes()).collect(),
        FaultCode::DuplicateProperty | FaultCode::PropertyNotAllowed => {
            edits.without_bytes().into_iter().collect()
        }
        FaultCode::Truncated => edits.fitting_length().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The packet, and the place where it is changed.
struct Edits<'a> {
    frame: &'a [u8],
    reading: &'a Reading,
    fault: &'a Fault,
}

impl Edits<'_> {
    /// The first byte concerned with the bits of `mask` as in `bits`.
    fn with_bits(&self, mask: u8, bits: u8) -> Option<Vec<u8>> {
        let mut repaired = self.frame.to_vec();
        let byte = repaired.get_mut(self.fault.offset)?;
        *byte = *byte & !mask | bits & mask;
        Some(repaired)
    }

    /// Other bytes in place of those concerned.
    fn with_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.replace(self.fault.offset, self.fault.length, bytes)
    }

    fn without_bytes(&self) -> Option<Vec<u8>> {
        self.with_bytes(&[])
    }

    /// Another string, with its length, in place of the field concerned.
    fn with_string(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.with_bytes(&prefixed(text)?)
    }

    /// The Variable Byte Integer concerned in its shortest form.
    fn shortest_length(&self) -> Option<Vec<u8>> {
        if self.fault.offset == 1 {
            return with_remaining_length(self.frame);
        }
        let long = part(self.frame, self.fault.offset, self.fault.length);
        let value = long.iter().rev().fold(0u32, |value, byte| value << 7 | u32::from(byte & 0x7F));
        let mut short = Vec::new();
        encode_remaining_length(value, &mut short);
        self.with_bytes(&short)
    }

    /// The level that goes with the protocol name.
    fn protocol_versions(&self) -> Vec<Vec<u8>> {
        let known: &[u8] = if self.reading.version == Version::V3 { &[3] } else { &[4, 5] };
        known.iter().filter_map(|&level| self.with_bytes(&[level])).collect()
    }

    /// The string concerned without the characters that are not wanted.
    fn without_characters(&self, unwanted: impl Fn(char) -> bool) -> Option<Vec<u8>> {
        let field = innermost_text(&self.reading.fields, self.fault.offset)?;
        let FieldValue::Text(text) = &field.value else { return None };
        let kept: String = text.chars().filter(|&c| !unwanted(c)).collect();
        self.replace(field.offset, field.length, &prefixed(kept.as_bytes())?)
    }

    /// A CONNECT with bytes left over whose flags keep silent about the credentials or the will
    /// that stand there.
    fn connect_flags(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        const ANNOUNCED: [u8; 5] = [0xC0, 0x80, 0x40, 0x04, 0xC4];
        let flags = find(&self.reading.fields, "connect_flags").map(|field| field.offset);
        ANNOUNCED.into_iter().filter_map(move |bits| {
            let mut repaired = self.frame.to_vec();
            *repaired.get_mut(flags?)? |= bits;
            Some(repaired)
        })
    }

    /// The length in front of the string concerned that makes everything behind it fit; only if
    /// there is exactly one.
    fn fitting_length(&self) -> Option<Vec<u8>> {
        if self.fault.length != 2 || self.frame.len() > LONGEST_SEARCHED {
            return None;
        }
        let mut fitting = with_lengths(self.frame, self.fault.offset, self.reading.version, None);
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }

    /// Puts `bytes` in place of `length` ones at `offset`.
    fn replace(&self, offset: usize, length: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        splice(self.frame, &self.reading.fields, offset, length, bytes)
    }
}

/// The packet with `bytes` in place of `length` ones at `offset`, and with the Property Length and
/// the Remaining Length around them adjusted.
pub(crate) fn splice(
    frame: &[u8],
    fields: &[Field],
    offset: usize,
    length: usize,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let header = hexmq_wire::Frame::new(frame).header()?;
    let start = usize::from(header.size);
    let mut body = Vec::with_capacity(frame.len() + bytes.len());
    let before = frame.get(start..offset)?;
    let after = frame.get(offset + length..)?;
    match group_around(fields, offset) {
        Some(group) if bytes.len() != length => {
            let announced = group.fields.first().filter(|field| field.name == "property_length")?;
            let content = group.length - announced.length + bytes.len();
            body.extend_from_slice(frame.get(start..announced.offset)?);
            encode_remaining_length(u32::try_from(content.checked_sub(length)?).ok()?, &mut body);
            body.extend_from_slice(frame.get(announced.offset + announced.length..offset)?);
        }
        _ => body.extend_from_slice(before),
    }
    body.extend_from_slice(bytes);
    body.extend_from_slice(after);
    packet_of(*frame.first()?, &body)
}

/// A two-byte length and the bytes.
pub(crate) fn prefixed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut field = u16::try_from(bytes.len()).ok()?.to_be_bytes().to_vec();
    field.extend_from_slice(bytes);
    Some(field)
}

fn contains(field: &Field, offset: usize) -> bool {
    (field.offset..field.offset + field.length).contains(&offset)
}

/// The string without further fields that holds the byte at `offset`.
fn innermost_text(fields: &[Field], offset: usize) -> Option<&Field> {
    fields.iter().find_map(|field| {
        if !contains(field, offset) {
            None
        } else if field.fields.is_empty() {
            matches!(field.value, FieldValue::Text(_)).then_some(field)
        } else {
            innermost_text(&field.fields, offset)
        }
    })
}

/// The property section that holds the byte at `offset`, its own length aside.
fn group_around(fields: &[Field], offset: usize) -> Option<&Field> {
    fields.iter().find(|field| {
        matches!(field.name, "properties" | "will_properties")
            && contains(field, offset)
            && field.fields.first().is_some_and(|length| !contains(length, offset))
    })
}

/// The first field of this name, at any depth.
pub(crate) fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find_map(|field| if field.name == name { Some(field) } else { find(&field.fields, name) })
}
