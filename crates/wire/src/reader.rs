//! Reads fields off a frame, tells the trace about each, and judges what holds for every field:
//! that it is whole, and that text is text.
//!
//! After a fault on which the trace lets it go on, the reader continues with a stand-in value and
//! remembers that the packet cannot be trusted, so that `decode` returns the fault in the end.

use std::num::NonZeroU16;

use crate::fixed_header::{VariableByteInteger, read_variable_byte_integer};
use crate::{
    Fault, FaultCode, Field, PacketIdentifier, PacketType, Section, Severity, Trace, Value, Verdict, Version,
};

/// A field's name and the sections that define it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) name: &'static str,
    pub(crate) section: Section,
}

/// The name of a field: `field("keep_alive", "3.1.2.10", "3.1.2.10")`.
pub(crate) const fn field(name: &'static str, v4: &'static str, v5: &'static str) -> Name {
    Name { name, section: Section { v4, v5 } }
}

/// The place of bits in a byte: lowest bit and width.
pub(crate) type Bits = (u8, u8);

pub(crate) struct Reader<'a, 't, T> {
    /// The frame, cut off where the field group being read ends.
    bytes: &'a [u8],
    /// Offset of the next byte.
    at: usize,
    pub(crate) version: Version,
    /// `None` for the reserved type 0.
    pub(crate) packet_type: Option<PacketType>,
    trace: &'t mut T,
    /// The first fault that leaves the packet without meaning.
    unsound: Option<Fault>,
}

impl<'a, 't, T: Trace> Reader<'a, 't, T> {
    #[inline]
    pub(crate) fn new(
        bytes: &'a [u8],
        at: usize,
        version: Version,
        packet_type: Option<PacketType>,
        trace: &'t mut T,
    ) -> Reader<'a, 't, T> {
        Reader { bytes, at, version, packet_type, trace, unsound: None }
    }

    /// Offset of the next byte.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Offset behind the last byte that may be read.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Reads no further than `end` until [`Reader::unlimit`] is given what this returns.
    pub(crate) fn limit(&mut self, end: usize) -> &'a [u8] {
        let all = self.bytes;
        self.bytes = all.get(..end).unwrap_or(all);
        all
    }

    pub(crate) fn unlimit(&mut self, all: &'a [u8]) {
        self.bytes = all;
    }

    /// The fault that leaves the packet without meaning, if there was one.
    #[inline]
    pub(crate) fn unsound(&self) -> Option<Fault> {
        self.unsound
    }

    // ---- faults -----------------------------------------------------------------------------

    /// Reports a broken rule; `Err` if decoding stops here.
    #[cold]
    pub(crate) fn fault(
        &mut self,
        code: FaultCode,
        name: Name,
        offset: usize,
        length: usize,
    ) -> Result<(), Fault> {
        self.fault_of(code, code.severity(self.version), name, offset, length)
    }

    /// Reports a broken rule whose severity depends on more than the version.
    #[cold]
    pub(crate) fn fault_of(
        &mut self,
        code: FaultCode,
        severity: Severity,
        name: Name,
        offset: usize,
        length: usize,
    ) -> Result<(), Fault> {
        let fault = self.make_fault(code, severity, name, offset, length);
        match self.trace.fault(fault) {
            Verdict::Stop => Err(fault),
            Verdict::GoOn => {
                if !code.leaves_packet_sound() && self.unsound.is_none() {
                    self.unsound = Some(fault);
                }
                Ok(())
            }
        }
    }

    /// Reports a broken rule that is served all the same, whatever the trace answers.
    #[cold]
    pub(crate) fn survived(&mut self, code: FaultCode, name: Name, offset: usize, length: usize) {
        let fault = self.make_fault(code, code.severity(self.version), name, offset, length);
        let _ = self.trace.fault(fault);
    }

    /// Reports a broken rule behind which nothing can be read.
    #[cold]
    pub(crate) fn dead_end(&mut self, code: FaultCode, name: Name, offset: usize, length: usize) -> Fault {
        let fault = self.make_fault(code, code.severity(self.version), name, offset, length);
        let _ = self.trace.fault(fault);
        self.unsound.unwrap_or(fault)
    }

    fn make_fault(
        &self,
        code: FaultCode,
        severity: Severity,
        name: Name,
        offset: usize,
        length: usize,
    ) -> Fault {
        let statement = match severity {
            Severity::Fault => code.statement(self.version, self.packet_type, name.name),
            Severity::Warning => None,
        };
        Fault { code, severity, version: self.version, field: name.name, offset, length, statement }
    }

    // ---- trace ------------------------------------------------------------------------------

    #[inline]
    pub(crate) fn tell(&mut self, name: Name, offset: usize, length: usize, value: Value<'_>) {
        if T::FIELDS {
            self.trace.field(Field {
                name: name.name,
                offset,
                length,
                bits: None,
                value,
                section: name.section,
            });
        }
    }

    /// Tells of bits in the byte at `offset`.
    #[inline]
    pub(crate) fn tell_bits(&mut self, name: Name, offset: usize, bits: Bits, value: Value<'_>) {
        if T::FIELDS {
            self.trace.field(Field {
                name: name.name,
                offset,
                length: 1,
                bits: Some(bits),
                value,
                section: name.section,
            });
        }
    }

    /// A group of `length` bytes begins at `offset`.
    #[inline]
    pub(crate) fn open(
        &mut self,
        name: Name,
        offset: usize,
        length: usize,
        bits: Option<Bits>,
        value: Value<'_>,
    ) {
        if T::FIELDS {
            self.trace.open(Field { name: name.name, offset, length, bits, value, section: name.section });
        }
    }

    /// The innermost group ends before `end`.
    #[inline]
    pub(crate) fn close(&mut self, end: usize) {
        if T::FIELDS {
            self.trace.close(end);
        }
    }

    // ---- fields -----------------------------------------------------------------------------

    /// What is left of a field that is not whole, for the eye; then the fault.
    #[cold]
    fn truncated(&mut self, name: Name, offset: usize, length: usize) -> Fault {
        let rest = self.rest();
        if !rest.is_empty() {
            self.tell(name, self.at, rest.len(), Value::Bytes(rest));
        }
        self.at = self.end();
        self.dead_end(FaultCode::Truncated, name, offset, length)
    }

    /// The next byte, not yet told of.
    #[inline(always)]
    pub(crate) fn raw_byte(&mut self, name: Name) -> Result<u8, Fault> {
        match self.bytes.get(self.at) {
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => Err(self.truncated(name, self.at, 0)),
        }
    }

    #[inline]
    pub(crate) fn byte(&mut self, name: Name) -> Result<u8, Fault> {
        let value = self.raw_byte(name)?;
        self.tell(name, self.at - 1, 1, Value::Number(u64::from(value)));
        Ok(value)
    }

    /// [V5 U-1.5.2-1]
    #[inline(always)]
    pub(crate) fn two_bytes(&mut self, name: Name) -> Result<u16, Fault> {
        match self.rest().first_chunk::<2>() {
            Some(bytes) => {
                let value = u16::from_be_bytes(*bytes);
                self.tell(name, self.at, 2, Value::Number(u64::from(value)));
                self.at += 2;
                Ok(value)
            }
            None => {
                let length = self.rest().len();
                Err(self.truncated(name, self.at, length))
            }
        }
    }

    /// A Variable Byte Integer; a longer form than needed is a fault in 5.0 and a warning before.
    /// `None` if it is not whole or too long: nothing is told then. [V5 MQTT-1.5.5-1]
    #[inline(always)]
    pub(crate) fn variable_byte_integer(&mut self, name: Name) -> Result<Option<u32>, Fault> {
        let VariableByteInteger::Value { value, size } = read_variable_byte_integer(self.rest()) else {
            return Ok(None);
        };
        let (offset, size) = (self.at, usize::from(size));
        self.at += size;
        self.tell(name, offset, size, Value::Number(u64::from(value)));
        if size != crate::remaining_length_size(value) {
            self.fault(FaultCode::NonMinimalLength, name, offset, size)?;
        }
        Ok(Some(value))
    }

    /// Never zero. [V4 MQTT-2.3.1-1, V5 MQTT-2.2.1-3, V5 MQTT-2.2.1-4]
    #[inline]
    pub(crate) fn packet_identifier(&mut self, name: Name) -> Result<PacketIdentifier, Fault> {
        let value = self.two_bytes(name)?;
        match NonZeroU16::new(value) {
            Some(packet_identifier) => Ok(packet_identifier),
            None => {
                self.fault(FaultCode::PacketIdentifierZero, name, self.at - 2, 2)?;
                Ok(NonZeroU16::MIN)
            }
        }
    }

    /// A two-byte length and as many bytes, not yet told of.
    /// [V5 U-1.5.4-1, V5 U-1.5.6-1]
    #[inline(always)]
    pub(crate) fn raw_prefixed(&mut self, name: Name) -> Result<&'a [u8], Fault> {
        let rest = self.rest();
        let Some((length, behind)) = rest.split_first_chunk::<2>() else {
            return Err(self.truncated(name, self.at, rest.len()));
        };
        match behind.get(..usize::from(u16::from_be_bytes(*length))) {
            Some(bytes) => {
                self.at += 2 + bytes.len();
                Ok(bytes)
            }
            // The length is what the eye should fall on.
            None => Err(self.truncated(name, self.at, 2)),
        }
    }

    /// Binary data with its two-byte length.
    #[inline]
    pub(crate) fn binary(&mut self, name: Name) -> Result<&'a [u8], Fault> {
        let offset = self.at;
        let bytes = self.raw_prefixed(name)?;
        self.tell(name, offset, 2 + bytes.len(), Value::Bytes(bytes));
        Ok(bytes)
    }

    /// A string with its two-byte length.
    #[inline]
    pub(crate) fn text(&mut self, name: Name) -> Result<&'a str, Fault> {
        let offset = self.at;
        let bytes = self.raw_prefixed(name)?;
        self.judge_text(name, offset, bytes)
    }

    /// Tells of a string whose length prefix stands at `offset`, and judges it.
    #[inline]
    pub(crate) fn judge_text(
        &mut self,
        name: Name,
        offset: usize,
        bytes: &'a [u8],
    ) -> Result<&'a str, Fault> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.tell(name, offset, 2 + bytes.len(), Value::Text(text));
                self.judge_characters(name, offset + 2, text)?;
                Ok(text)
            }
            Err(error) => {
                self.tell(name, offset, 2 + bytes.len(), Value::Bytes(bytes));
                self.invalid_utf8(name, offset + 2, bytes, error)?;
                Ok("")
            }
        }
    }

    /// Surrogates are ill-formed as any other wrong sequence is. [V4 MQTT-1.5.3-1, V5 MQTT-1.5.4-1]
    /// [V5 U-1.5.4-2]
    #[cold]
    pub(crate) fn invalid_utf8(
        &mut self,
        name: Name,
        offset: usize,
        bytes: &[u8],
        error: std::str::Utf8Error,
    ) -> Result<(), Fault> {
        let valid = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - valid);
        self.fault(FaultCode::InvalidUtf8, name, offset + valid, length)
    }

    /// U+0000 is forbidden [V4 MQTT-1.5.3-2, V5 MQTT-1.5.4-2]; other control characters and
    /// non-characters are unwise. U+FEFF is a character like any other
    /// [V4 MQTT-1.5.3-3, V5 MQTT-1.5.4-3].
    #[inline]
    pub(crate) fn judge_characters(&mut self, name: Name, offset: usize, text: &str) -> Result<(), Fault> {
        if has_any(text.as_bytes(), |byte| byte == 0) {
            self.nul(name, offset, text)?;
        }
        if T::WARNINGS {
            self.warn_of_characters(name, offset, text)?;
        }
        Ok(())
    }

    /// [V5 U-1.5.4-3]
    #[cold]
    pub(crate) fn nul(&mut self, name: Name, offset: usize, text: &str) -> Result<(), Fault> {
        match text.find('\0') {
            Some(at) => self.fault(FaultCode::NulInUtf8, name, offset + at, 1),
            None => Ok(()),
        }
    }

    /// [V5 U-1.5.4-4]
    pub(crate) fn warn_of_characters(&mut self, name: Name, offset: usize, text: &str) -> Result<(), Fault> {
        if !has_any(text.as_bytes(), |byte| !is_printable_ascii(byte)) {
            return Ok(());
        }
        let first = |wanted: fn(char) -> bool| text.char_indices().find(|&(_, char)| wanted(char));
        if let Some((at, char)) = first(|char| char != '\0' && char.is_control()) {
            self.fault(FaultCode::ControlCharacterInUtf8, name, offset + at, char.len_utf8())?;
        }
        if let Some((at, char)) = first(is_non_character) {
            self.fault(FaultCode::NonCharacterInUtf8, name, offset + at, char.len_utf8())?;
        }
        Ok(())
    }

    /// A topic name that is sent to: no wildcards. One that is `known` was judged before.
    /// [V4 MQTT-3.3.2-2, V5 MQTT-3.3.2-2, V4 MQTT-4.7.1-1, V5 MQTT-4.7.0-1]
    #[inline(always)]
    pub(crate) fn topic_name(&mut self, name: Name, known: &'a str) -> Result<&'a str, Fault> {
        let offset = self.at;
        let bytes = self.raw_prefixed(name)?;
        if !T::FIELDS && bytes == known.as_bytes() {
            return Ok(known);
        }
        self.judge_topic_name(name, offset, bytes)
    }

    #[inline(never)]
    fn judge_topic_name(&mut self, name: Name, offset: usize, bytes: &'a [u8]) -> Result<&'a str, Fault> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => return self.judge_text(name, offset, bytes),
        };
        self.tell(name, offset, 2 + bytes.len(), Value::Text(text));
        // One look for all that wants a closer one: most topic names are printable ASCII.
        if has_any(bytes, |byte| !is_printable_ascii(byte) || is_wildcard(byte)) {
            self.nul(name, offset + 2, text)?;
            self.judge_wildcards(name, offset + 2, bytes)?;
            if T::WARNINGS {
                self.warn_of_characters(name, offset + 2, text)?;
            }
        }
        Ok(text)
    }

    /// Of text, as its bytes.
    #[inline]
    pub(crate) fn judge_wildcards(&mut self, name: Name, offset: usize, text: &[u8]) -> Result<(), Fault> {
        if !has_any(text, is_wildcard) {
            return Ok(());
        }
        let at = text.iter().position(|&byte| is_wildcard(byte)).unwrap_or_default();
        self.fault(FaultCode::WildcardInTopicName, name, offset + at, 1)
    }

    /// Everything up to the end.
    #[inline]
    pub(crate) fn remaining(&mut self) -> &'a [u8] {
        let rest = self.rest();
        self.at = self.end();
        rest
    }

    /// Moves on by `count` bytes, not beyond the end.
    pub(crate) fn skip(&mut self, count: usize) {
        self.at = self.end().min(self.at + count);
    }
}

#[inline]
fn is_wildcard(byte: u8) -> bool {
    byte == b'+' || byte == b'#'
}

#[inline]
pub(crate) fn is_printable_ascii(byte: u8) -> bool {
    (b' '..0x7F).contains(&byte)
}

/// Whether any byte is wanted. Without an early exit, which lets the compiler look at many bytes
/// at a time.
#[inline]
pub(crate) fn has_any(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |found, &byte| found | wanted(byte))
}

/// U+FDD0 to U+FDEF and the last two code points of each plane.
fn is_non_character(char: char) -> bool {
    let code = u32::from(char);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}
