//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use crate::encode::{EncodeError, STRING_MAX, push_prefixed};
use crate::{PacketIdentifier, Properties, ReasonCode};

/// A request to end subscriptions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unsubscribe<'a> {
    /// Packet Identifier.
    pub packet_identifier: PacketIdentifier,
    /// 5.0: User Property.
    pub properties: Properties<'a>,
    /// At least one. [V4 MQTT-3.10.3-2, V5 MQTT-3.10.3-2]
    pub topic_filters: TopicFilters<'a>,
}

/// The payload of UNSUBSCRIBE: validated bytes, read by iterating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicFilters<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> TopicFilters<'a> {
    /// The filters in their order, `$share/…` included.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut bytes = self.bytes;
        std::iter::from_fn(move || {
            let (length, rest) = bytes.split_first_chunk()?;
            let (filter, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            bytes = rest;
            std::str::from_utf8(filter).ok()
        })
    }

    /// How many there are. One walk.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none; a decoded UNSUBSCRIBE has at least one.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes as on the wire.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Builds the payload of UNSUBSCRIBE.
#[derive(Clone, Debug, Default)]
pub struct TopicFiltersBuf {
    pub(crate) bytes: Vec<u8>,
}

impl TopicFiltersBuf {
    /// No filters, nothing allocated.
    pub const fn new() -> TopicFiltersBuf {
        TopicFiltersBuf { bytes: Vec::new() }
    }

    /// Appends a filter. Fails, and appends nothing, if it is longer than 65,535 bytes.
    pub fn push(&mut self, topic_filter: &str) -> Result<(), EncodeError> {
        if topic_filter.len() > STRING_MAX {
            return Err(EncodeError::StringTooLong { field: "topic_filter", length: topic_filter.len() });
        }
        push_prefixed(topic_filter.as_bytes(), &mut self.bytes);
        Ok(())
    }

    /// The filters so far.
    pub fn as_topic_filters(&self) -> TopicFilters<'_> {
        TopicFilters { bytes: &self.bytes }
    }
}

/// The answer to UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unsuback<'a> {
    /// Packet Identifier of the UNSUBSCRIBE.
    pub packet_identifier: PacketIdentifier,
    /// 5.0: Reason String, User Property.
    pub properties: Properties<'a>,
    /// 5.0: one code per filter, in its order, as on the wire. Empty in 3.x.
    pub reason_codes: &'a [u8],
}

impl Unsuback<'_> {
    /// The codes as values.
    pub fn codes(&self) -> impl Iterator<Item = ReasonCode> + '_ {
        self.reason_codes.iter().filter_map(|&code| ReasonCode::from_u8(code))
    }
}
