//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use crate::encode::{EncodeError, STRING_MAX, push_prefixed};
use crate::{PacketIdentifier, Properties, QoS, ReasonCode, Version};

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

impl<'a> Subscriptions<'a> {
    /// The subscriptions in their order.
    pub fn iter(&self) -> impl Iterator<Item = Subscription<'a>> + use<'a> {
        let mut bytes = self.bytes;
        std::iter::from_fn(move || {
            let (length, rest) = bytes.split_first_chunk()?;
            let (filter, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let (&options, rest) = rest.split_first()?;
            bytes = rest;
            Some(Subscription {
                topic_filter: std::str::from_utf8(filter).ok()?,
                options: SubscriptionOptions::from_byte(options)?,
            })
        })
    }

    /// How many there are. One walk.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none; a decoded SUBSCRIBE has at least one.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes as on the wire.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
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

impl SubscriptionOptions {
    /// Options that ask for a QoS and nothing else.
    pub const fn with_qos(qos: QoS) -> SubscriptionOptions {
        SubscriptionOptions {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    /// The options of a Subscription Options byte; its reserved bits are ignored. `None` if QoS or
    /// Retain Handling is 3.
    pub const fn from_byte(byte: u8) -> Option<SubscriptionOptions> {
        let Some(qos) = QoS::from_bits(byte & 0b11) else { return None };
        let retain_handling = match byte >> 4 & 0b11 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return None,
        };
        Some(SubscriptionOptions {
            qos,
            no_local: byte & 1 << 2 != 0,
            retain_as_published: byte & 1 << 3 != 0,
            retain_handling,
        })
    }

    /// The Subscription Options byte of 5.0; its lowest two bits are the Requested QoS of 3.x.
    pub const fn to_byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
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

impl SubscriptionsBuf {
    /// No subscriptions, nothing allocated.
    pub const fn new() -> SubscriptionsBuf {
        SubscriptionsBuf { bytes: Vec::new() }
    }

    /// Appends a subscription; in 3.x only the QoS of its options. Fails, and appends nothing, if
    /// the filter is longer than 65,535 bytes.
    pub fn push(
        &mut self,
        topic_filter: &str,
        options: SubscriptionOptions,
        version: Version,
    ) -> Result<(), EncodeError> {
        if topic_filter.len() > STRING_MAX {
            return Err(EncodeError::StringTooLong { field: "topic_filter", length: topic_filter.len() });
        }
        push_prefixed(topic_filter.as_bytes(), &mut self.bytes);
        self.bytes.push(if version == Version::V5 { options.to_byte() } else { options.qos as u8 });
        Ok(())
    }

    /// The subscriptions so far.
    pub fn as_subscriptions(&self) -> Subscriptions<'_> {
        Subscriptions { bytes: &self.bytes }
    }
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
