//! PUBLISH into bytes: the path that is taken most.

use super::{
    begin, check_string, prefixed_size, properties_size, push_identifier, push_prefixed, push_properties,
};
use crate::{
    Delivery, EncodeError, PacketIdentifier, PacketType, Properties, Publish, QoS, Version,
    encode_remaining_length, remaining_length_size,
};

impl Publish<'_> {
    pub(super) fn remaining_length(&self, version: Version) -> u64 {
        let identifier = if self.delivery == Delivery::AtMostOnce { 0 } else { 2 };
        prefixed_size(self.topic_name.as_bytes())
            + identifier
            + properties_size(self.properties, version)
            + self.payload.len() as u64
    }

    /// Appends the PUBLISH to `out`. On an error nothing is appended. Allocates only what `out`
    /// needs to grow.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        check_string("topic_name", self.topic_name.as_bytes())?;
        begin(publish_first_byte(self.qos(), self.dup, self.retain), self.remaining_length(version), out)?;
        push_prefixed(self.topic_name.as_bytes(), out);
        if let Some(packet_identifier) = self.delivery.packet_identifier() {
            push_identifier(packet_identifier, out);
        }
        push_properties(self.properties, version, out);
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// DUP is 0 at QoS 0. [V4 MQTT-3.3.1-2, V5 MQTT-3.3.1-2]
fn publish_first_byte(qos: QoS, dup: bool, retain: bool) -> u8 {
    (PacketType::Publish as u8) << 4
        | u8::from(dup && qos != QoS::AtMostOnce) << 3
        | (qos as u8) << 1
        | u8::from(retain)
}

/// A PUBLISH to be sent to one or many receivers, in the parts a server has at hand.
///
/// Receivers that share version, QoS, DUP, RETAIN and properties share these bytes: encode once,
/// copy, and patch the Packet Identifier of each copy at the place [`encode_publish`] returns.
#[derive(Clone, Copy, Debug)]
pub struct PublishParts<'a> {
    /// Topic name; empty where a known Topic Alias stands for it.
    pub topic_name: &'a str,
    /// QoS of this delivery.
    pub qos: QoS,
    /// Ignored at QoS 0.
    pub dup: bool,
    /// RETAIN flag.
    pub retain: bool,
    /// Properties that travel with the message. They come behind the three below and hold none
    /// of their kinds, see [`Properties::copy_forwarded`]. Left out in 3.x, as are those three.
    pub properties: Properties<'a>,
    /// Seconds left. [V5 MQTT-3.3.2-6]
    pub message_expiry_interval: Option<u32>,
    /// Topic Alias of this connection.
    pub topic_alias: Option<u16>,
    /// One for each matching subscription that has one. [V5 MQTT-3.3.4-3, V5 MQTT-3.3.4-4]
    pub subscription_identifiers: &'a [u32],
    /// The application message.
    pub payload: &'a [u8],
}

/// Appends a PUBLISH. Above QoS 0 its Packet Identifier is written as 0 and its offset inside
/// `out` returned, so that the caller (or [`patch_packet_identifier`]) sets it per receiver. On
/// an error nothing is appended. Allocates only what `out` needs to grow.
/// [V4 MQTT-3.3.2-1, V5 MQTT-3.3.2-1, V5 U-3.3.2-1]
#[inline]
pub fn encode_publish(
    parts: &PublishParts<'_>,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<Option<usize>, EncodeError> {
    check_string("topic_name", parts.topic_name.as_bytes())?;
    let own = if version == Version::V5 { parts.hop_properties_size() } else { 0 };
    let all = own + parts.properties.as_bytes().len() as u64;
    let properties_size = match version {
        Version::V3 | Version::V4 => 0,
        Version::V5 => all + remaining_length_size(u32::try_from(all).unwrap_or(u32::MAX)) as u64,
    };
    let identifier_size = if parts.qos == QoS::AtMostOnce { 0 } else { 2 };
    let length = prefixed_size(parts.topic_name.as_bytes())
        + identifier_size
        + properties_size
        + parts.payload.len() as u64;
    begin(publish_first_byte(parts.qos, parts.dup, parts.retain), length, out)?;
    push_prefixed(parts.topic_name.as_bytes(), out);
    let identifier_at = (parts.qos != QoS::AtMostOnce).then_some(out.len());
    if identifier_at.is_some() {
        out.extend_from_slice(&[0, 0]);
    }
    if version == Version::V5 {
        encode_remaining_length(all as u32, out);
        parts.push_hop_properties(out);
        out.extend_from_slice(parts.properties.as_bytes());
    }
    out.extend_from_slice(parts.payload);
    Ok(identifier_at)
}

/// Sets the Packet Identifier at `offset`, as returned by [`encode_publish`] (plus whatever the
/// copy was moved by). An offset outside `bytes` changes nothing.
#[inline]
pub fn patch_packet_identifier(bytes: &mut [u8], offset: usize, packet_identifier: PacketIdentifier) {
    if let Some(place) = bytes.get_mut(offset..).and_then(|bytes| bytes.first_chunk_mut::<2>()) {
        *place = packet_identifier.get().to_be_bytes();
    }
}

impl PublishParts<'_> {
    fn hop_properties_size(&self) -> u64 {
        let expiry = if self.message_expiry_interval.is_some() { 5 } else { 0 };
        let alias = if self.topic_alias.is_some() { 3 } else { 0 };
        let identifiers: usize =
            self.subscription_identifiers.iter().map(|&id| 1 + remaining_length_size(id)).sum();
        expiry + alias + identifiers as u64
    }

    fn push_hop_properties(&self, out: &mut Vec<u8>) {
        use crate::PropertyId as Id;
        if let Some(seconds) = self.message_expiry_interval {
            out.push(Id::MessageExpiryInterval as u8);
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        if let Some(alias) = self.topic_alias {
            out.push(Id::TopicAlias as u8);
            out.extend_from_slice(&alias.to_be_bytes());
        }
        for &identifier in self.subscription_identifiers {
            out.push(Id::SubscriptionIdentifier as u8);
            encode_remaining_length(identifier, out);
        }
    }
}
