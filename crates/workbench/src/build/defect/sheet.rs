//! A right packet with its fields, to be spoiled at one place.

use hexmq_wire::{Frame, PacketType, Version, encode_remaining_length};

use crate::explanation::{Field, FieldValue};
use crate::repair::{find, splice};
use crate::stream::packet_of;
use crate::tree::{Reading, read, version_of};

/// A packet and what the decoder reads in it.
pub(super) struct Sheet<'a> {
    pub(super) frame: &'a [u8],
    pub(super) version: Version,
    pub(super) packet_type: PacketType,
    reading: Reading,
}

impl<'a> Sheet<'a> {
    /// `None` for bytes of no packet type.
    pub(super) fn new(frame: &'a [u8], version: Version) -> Option<Sheet<'a>> {
        let version = version_of(Frame::new(frame), version);
        let packet_type = Frame::new(frame).packet_type()?;
        Some(Sheet { frame, version, packet_type, reading: read(frame, version) })
    }

    /// The first field of this name, at any depth.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        find(&self.reading.fields, name)
    }

    /// The number in a field.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.field(name)?.value {
            FieldValue::Number(number) => Some(number),
            FieldValue::Flag(flag) => Some(flag.into()),
            _ => None,
        }
    }

    /// The strings and binary fields in front of which a length stands, in their order.
    pub(super) fn strings(&self) -> Vec<&Field> {
        let mut strings = Vec::new();
        collect_strings(&self.reading.fields, &mut strings);
        strings
    }

    /// The content of a field that has a length in front.
    pub(super) fn content(&self, field: &Field) -> &'a [u8] {
        self.frame.get(field.offset + 2..field.offset + field.length).unwrap_or_default()
    }

    /// Bytes of the fixed header.
    pub(super) fn header_size(&self) -> usize {
        Frame::new(self.frame).header().map_or(2, |header| usize::from(header.size))
    }

    /// What follows the fixed header.
    pub(super) fn body(&self) -> &'a [u8] {
        self.frame.get(self.header_size()..).unwrap_or_default()
    }

    /// Other bytes in place of `length` ones at `offset`; all lengths around them are adjusted.
    pub(super) fn replace(&self, offset: usize, length: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        self.replace_in(self.frame, offset, length, bytes)
    }

    /// The same in a copy of the packet whose fields stand where they stood.
    pub(super) fn replace_in(
        &self,
        frame: &[u8],
        offset: usize,
        length: usize,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        splice(frame, &self.reading.fields, offset, length, bytes)
    }

    /// A string with another content and the length that fits it.
    pub(super) fn with_content(&self, field: &Field, content: &[u8]) -> Option<Vec<u8>> {
        let mut string = u16::try_from(content.len()).ok()?.to_be_bytes().to_vec();
        string.extend_from_slice(content);
        self.replace(field.offset, field.length, &string)
    }

    /// Another length in front of a string, which stays as it is.
    pub(super) fn with_length(&self, field: &Field, length: usize) -> Option<Vec<u8>> {
        let mut frame = self.frame.to_vec();
        let prefix = frame.get_mut(field.offset..field.offset + 2)?;
        prefix.copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
        (frame != self.frame).then_some(frame)
    }

    /// One byte changed; `None` if it is the same then.
    pub(super) fn with_byte(&self, offset: usize, change: impl FnOnce(u8) -> u8) -> Option<Vec<u8>> {
        let mut frame = self.frame.to_vec();
        let byte = frame.get_mut(offset)?;
        *byte = change(*byte);
        (frame != self.frame).then_some(frame)
    }

    /// The byte of a field changed.
    pub(super) fn with_field(&self, name: &str, change: impl FnOnce(u8) -> u8) -> Option<Vec<u8>> {
        self.with_byte(self.field(name)?.offset, change)
    }

    /// Another number as Remaining Length, whatever follows.
    pub(super) fn with_remaining_length(&self, length: usize) -> Option<Vec<u8>> {
        let mut frame = vec![*self.frame.first()?];
        encode_remaining_length(u32::try_from(length).ok()?, &mut frame);
        frame.extend_from_slice(self.body());
        Some(frame)
    }

    /// Other bytes behind the fixed header, and the Remaining Length that fits them.
    pub(super) fn with_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        packet_of(*self.frame.first()?, body)
    }

    /// Properties put in front of those that are there; where 5.0 left the section out it is put in.
    pub(super) fn with_properties(&self, properties: &[u8]) -> Option<Vec<u8>> {
        if self.version != Version::V5 {
            return None;
        }
        if let Some(length) = self.field("property_length") {
            if length.value != FieldValue::Number(0) {
                return self.replace(length.offset + length.length, 0, properties);
            }
            let mut section = Vec::new();
            encode_remaining_length(u32::try_from(properties.len()).ok()?, &mut section);
            section.extend_from_slice(properties);
            return self.replace(length.offset, length.length, &section);
        }
        let section_may_be_missing = matches!(
            self.packet_type,
            PacketType::Puback
                | PacketType::Pubrec
                | PacketType::Pubrel
                | PacketType::Pubcomp
                | PacketType::Disconnect
        );
        if !section_may_be_missing {
            return None;
        }
        let mut body = self.body().to_vec();
        if self.field("reason_code").is_none() {
            body.push(0);
        }
        encode_remaining_length(u32::try_from(properties.len()).ok()?, &mut body);
        body.extend_from_slice(properties);
        self.with_body(&body)
    }
}

fn collect_strings<'a>(fields: &'a [Field], strings: &mut Vec<&'a Field>) {
    for field in fields {
        match field.value {
            // Properties have their own defects.
            _ if matches!(field.name, "properties" | "will_properties" | "payload" | "unknown") => {}
            FieldValue::Text(_) | FieldValue::Bytes(_) => strings.push(field),
            _ => collect_strings(&field.fields, strings),
        }
    }
}
