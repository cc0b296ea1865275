//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use crate::{PacketIdentifier, Properties};

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

/// Builds the payload of UNSUBSCRIBE.
#[derive(Clone, Debug, Default)]
pub struct TopicFiltersBuf {
    pub(crate) bytes: Vec<u8>,
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
