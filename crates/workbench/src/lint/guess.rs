//! What somebody may have meant by bytes that do not decode: one edit, and what it would mend.

use hexmq_topic::SubscriptionFilter;
use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, Version, decode};

use super::{LintRule, Remark, Said};
use crate::explain::is_clean;
use crate::explanation::{Field, FieldValue, Side};
use crate::stream::packet_of;
use crate::tree::Reading;

/// Longer packets are not searched: each guess is a whole decode.
pub(super) const LONGEST_SEARCHED: usize = 4096;

/// Longer packets are not searched for a length that nothing hints at: one decode per byte.
pub(super) const LONGEST_SCANNED: usize = 512;

/// A packet that does not decode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken<'a> {
    pub(super) frame: &'a [u8],
    pub(super) reading: &'a Reading,
    pub(super) from: Option<Side>,
}

/// One edit. Offsets count from the start of the broken packet.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    pub(super) rule: LintRule,
    pub(super) field: &'static str,
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) said: Said,
    pub(super) repaired: Vec<u8>,
}

impl Guess {
    pub(super) fn into_remark(self, version: Version) -> Remark {
        Remark {
            rule: self.rule,
            statement: self.rule.statement(version),
            field: self.field,
            offset: self.offset,
            length: self.length,
            repair: Some(self.repaired),
            said: self.said,
        }
    }
}

impl<'a> Broken<'a> {
    pub(super) fn version(&self) -> Version {
        self.reading.version
    }

    /// Bytes of the fixed header.
    pub(super) fn header(&self) -> Option<usize> {
        Frame::new(self.frame).header().map(|header| usize::from(header.size))
    }

    pub(super) fn first_byte(&self) -> Option<u8> {
        self.frame.first().copied()
    }

    /// The packet with `bytes` in place of `length` ones at `offset` and a Remaining Length that
    /// fits; lengths inside stay as they are.
    pub(super) fn edit(&self, offset: usize, length: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let header = self.header()?;
        let mut body = self.frame.get(header..offset)?.to_vec();
        body.extend_from_slice(bytes);
        body.extend_from_slice(self.frame.get(offset + length..)?);
        packet_of(self.first_byte()?, &body)
    }

    /// The packet with another two-byte length at `offset`.
    pub(super) fn with_length(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let bytes = u16::try_from(length).ok()?.to_be_bytes();
        self.edit(offset, 2, &bytes)
    }

    /// Whether these bytes are what may have been meant: clean, with filters that are some.
    pub(super) fn mends(&self, repaired: &[u8]) -> bool {
        repaired != self.frame
            && is_clean(repaired, self.version(), self.from)
            && has_filters_that_are_some(repaired, self.version())
    }

    /// The two bytes at `offset` as a number.
    pub(super) fn number(&self, offset: usize) -> Option<usize> {
        let bytes = self.frame.get(offset..offset + 2)?;
        Some(bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    /// The strings whose place is certain: those up to the first fault, with their two-byte length.
    pub(super) fn strings(&self) -> Vec<&'a Field> {
        const MOST: usize = 16;
        let mut strings = Vec::new();
        collect(&self.reading.fields, &mut strings);
        let first_fault = self.reading.faults.iter().map(|fault| fault.offset + fault.length).min();
        strings.retain(|field| first_fault.is_none_or(|fault| field.offset <= fault));
        strings.truncate(MOST);
        strings
    }
}

/// The decoder leaves the wildcards of filters to the receiver; a guess is measured by them too.
pub(crate) fn has_filters_that_are_some(frame: &[u8], version: Version) -> bool {
    let is_some = |filter: &str| SubscriptionFilter::parse(filter).is_ok();
    match decode(Frame::new(frame), version, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Subscribe(subscribe)) => {
            subscribe.subscriptions.iter().all(|entry| is_some(entry.topic_filter))
        }
        Ok(ControlPacket::Unsubscribe(unsubscribe)) => unsubscribe.topic_filters.iter().all(is_some),
        _ => true,
    }
}

fn collect<'a>(fields: &'a [Field], strings: &mut Vec<&'a Field>) {
    for field in fields {
        let is_string = matches!(field.value, FieldValue::Text(_) | FieldValue::Bytes(_));
        let is_prefixed =
            !matches!(field.name, "payload" | "unknown" | "remaining_length" | "property_length");
        if field.fields.is_empty() && is_string && is_prefixed && field.length >= 2 {
            strings.push(field);
        }
        collect(&field.fields, strings);
    }
}
