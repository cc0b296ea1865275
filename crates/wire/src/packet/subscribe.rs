//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use crate::{PacketIdentifier, Properties, QoS, ReasonCode};

/// A request for subscriptions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subscribe<'a> {
    /// Packet Identifier.
    pub packet_identifier: PacketIdentifier,
    /// 5.0: Subscription Identifier, User Property.
    pub properties: Properties<'a>,
    /// At least one. [V4 MQTT-3.8.3-3, V5 MQTT-3.8.3-2]
    pub subscriptions: Subscriptions<'a>,
}

/// The payload of SUBSCRIBE: validated bytes, read by iterating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriptions<'a> {
    pub(crate) bytes: &'a [u8],
}

/// One topic filter with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// The filter as sent, `$share/…` included. Well-formed UTF-8; its wildcards are judged by
    /// the receiver, since a server answers per filter.
    pub topic_filter: &'a str,
    /// What is asked for.
    pub options: SubscriptionOptions,
}

/// Subscription Options; in 3.x only the QoS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SubscriptionOptions {
    /// Requested (maximum) QoS.
    pub qos: QoS,
    /// 5.0 No Local.
    pub no_local: bool,
    /// 5.0 Retain As Published.
    pub retain_as_published: bool,
    /// 5.0 Retain Handling.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent for a subscription (5.0 section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: at the time of the subscribe.
    #[default]
    Send = 0,
    /// 1: only if the subscription does not exist yet.
    SendIfNew = 1,
    /// 2: never at the time of the subscribe.
    DoNotSend = 2,
}

/// Builds the payload of SUBSCRIBE.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionsBuf {
    pub(crate) bytes: Vec<u8>,
}

/// The answer to SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suback<'a> {
    /// Packet Identifier of the SUBSCRIBE.
    pub packet_identifier: PacketIdentifier,
    /// 5.0: Reason String, User Property.
    pub properties: Properties<'a>,
    /// One code per filter, in its order, as on the wire: granted QoS or, from 0x80, a refusal.
    /// Each is valid for the version it was read with.
    pub reason_codes: &'a [u8],
}

impl Suback<'_> {
    /// The codes as values.
    pub fn codes(&self) -> impl Iterator<Item = ReasonCode> + '_ {
        self.reason_codes.iter().filter_map(|&code| ReasonCode::from_u8(code))
    }
}
