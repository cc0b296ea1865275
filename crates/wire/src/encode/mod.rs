//! Packets into bytes. The size is computed first, then everything is appended once: the PUBLISH
//! path allocates nothing but what `out` needs to grow.

mod publish;

use std::fmt;

pub use publish::{PublishParts, encode_publish, patch_packet_identifier};

use crate::{
    Ack, Auth, Connack, Connect, ControlPacket, Disconnect, PacketIdentifier, PacketType, Properties,
    REMAINING_LENGTH_MAX, ReasonCode, ShortAck, Suback, Subscribe, Unsuback, Unsubscribe, Version, Will,
    encode_remaining_length, remaining_length_size,
};

/// The longest string or binary field, in bytes.
pub(crate) const STRING_MAX: usize = 65_535;

/// Why a packet has no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A string or binary field is longer than 65,535 bytes.
    StringTooLong {
        /// The field, by the standard's name in snake_case.
        field: &'static str,
        /// Its bytes.
        length: usize,
    },
    /// The Remaining Length would exceed [`REMAINING_LENGTH_MAX`].
    PacketTooLarge {
        /// Bytes behind the fixed header.
        remaining_length: u64,
    },
    /// No Connect Return code of 3.x says what this reason code says. [V4 MQTT-3.2.2-6]
    NoReturnCode(ReasonCode),
    /// The version has no such packet.
    NotInVersion(PacketType),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::StringTooLong { field, length } => {
                write!(f, "{field} has {length} bytes where {STRING_MAX} are possible")
            }
            EncodeError::PacketTooLarge { remaining_length } => {
                write!(f, "a Remaining Length of {remaining_length} where {REMAINING_LENGTH_MAX} is possible")
            }
            EncodeError::NoReturnCode(reason_code) => {
                write!(f, "no Connect Return code of MQTT 3.x says \"{}\"", reason_code.name())
            }
            EncodeError::NotInVersion(packet_type) => {
                write!(f, "{} exists only in MQTT 5.0", packet_type.name())
            }
        }
    }
}

impl std::error::Error for EncodeError {}

/// Appends a two-byte length and the bytes. Callers have checked that they fit.
/// [V5 U-1.5.4-1, V5 U-1.5.6-1]
#[inline]
pub(crate) fn push_prefixed(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// [V5 U-2.2.2.1-1]
fn push_properties(properties: Properties<'_>, version: Version, out: &mut Vec<u8>) {
    if version == Version::V5 {
        encode_remaining_length(properties.as_bytes().len() as u32, out);
        out.extend_from_slice(properties.as_bytes());
    }
}

/// Bytes of the property section, its length included. [V5 MQTT-2.2.2-1]
fn properties_size(properties: Properties<'_>, version: Version) -> u64 {
    if version != Version::V5 {
        return 0;
    }
    let length = properties.as_bytes().len();
    length as u64 + remaining_length_size(u32::try_from(length).unwrap_or(u32::MAX)) as u64
}

fn prefixed_size(bytes: &[u8]) -> u64 {
    2 + bytes.len() as u64
}

fn check_string(field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
    if bytes.len() > STRING_MAX {
        return Err(EncodeError::StringTooLong { field, length: bytes.len() });
    }
    Ok(())
}

/// Reserves room and appends the fixed header.
fn begin(first_byte: u8, remaining_length: u64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = u32::try_from(remaining_length)
        .ok()
        .filter(|&length| length <= REMAINING_LENGTH_MAX)
        .ok_or(EncodeError::PacketTooLarge { remaining_length })?;
    out.reserve(1 + remaining_length_size(length) + length as usize);
    out.push(first_byte);
    encode_remaining_length(length, out);
    Ok(())
}

/// The first byte of a packet whose flags are reserved. [V4 MQTT-2.2.2-1, V5 MQTT-2.1.3-1]
fn first_byte(packet_type: PacketType) -> u8 {
    (packet_type as u8) << 4 | packet_type.reserved_flags().unwrap_or(0)
}

impl ControlPacket<'_> {
    /// Appends the packet to `out`. A CONNECT is written in its own version, every other packet
    /// in `version`; what that version lacks (properties, most reason codes) is left out. On an
    /// error nothing is appended.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            ControlPacket::Connect(connect) => encode_connect(connect, out),
            ControlPacket::Connack(connack) => encode_connack(connack, version, out),
            ControlPacket::Publish(publish) => publish.encode(version, out),
            ControlPacket::Puback(ack)
            | ControlPacket::Pubrec(ack)
            | ControlPacket::Pubrel(ack)
            | ControlPacket::Pubcomp(ack) => encode_ack(self.packet_type(), ack, version, out),
            ControlPacket::Subscribe(subscribe) => encode_subscribe(subscribe, version, out),
            ControlPacket::Suback(suback) => encode_suback(suback, version, out),
            ControlPacket::Unsubscribe(unsubscribe) => encode_unsubscribe(unsubscribe, version, out),
            ControlPacket::Unsuback(unsuback) => encode_unsuback(unsuback, version, out),
            ControlPacket::Pingreq | ControlPacket::Pingresp => begin(first_byte(self.packet_type()), 0, out),
            ControlPacket::Disconnect(disconnect) => encode_disconnect(disconnect, version, out),
            ControlPacket::Auth(auth) => encode_auth(auth, version, out),
        }
    }

    /// Bytes [`ControlPacket::encode`] would append, fixed header included. For a packet that has
    /// no encoding, the bytes it would need.
    pub fn encoded_size(&self, version: Version) -> u64 {
        let remaining_length = self.remaining_length(version);
        let header = 1 + remaining_length_size(u32::try_from(remaining_length).unwrap_or(u32::MAX)) as u64;
        header + remaining_length
    }

    fn remaining_length(&self, version: Version) -> u64 {
        match self {
            ControlPacket::Connect(connect) => connect_length(connect),
            ControlPacket::Connack(connack) => 2 + properties_size(connack.properties, version),
            ControlPacket::Publish(publish) => publish.remaining_length(version),
            ControlPacket::Puback(ack)
            | ControlPacket::Pubrec(ack)
            | ControlPacket::Pubrel(ack)
            | ControlPacket::Pubcomp(ack) => 2 + reason_size(ack.reason_code, ack.properties, version),
            ControlPacket::Subscribe(subscribe) => {
                2 + properties_size(subscribe.properties, version)
                    + subscribe.subscriptions.as_bytes().len() as u64
            }
            ControlPacket::Suback(suback) => {
                2 + properties_size(suback.properties, version) + suback.reason_codes.len() as u64
            }
            ControlPacket::Unsubscribe(unsubscribe) => {
                2 + properties_size(unsubscribe.properties, version)
                    + unsubscribe.topic_filters.as_bytes().len() as u64
            }
            ControlPacket::Unsuback(unsuback) => match version {
                Version::V3 | Version::V4 => 2,
                Version::V5 => {
                    2 + properties_size(unsuback.properties, version) + unsuback.reason_codes.len() as u64
                }
            },
            ControlPacket::Pingreq | ControlPacket::Pingresp => 0,
            ControlPacket::Disconnect(disconnect) => {
                reason_size(disconnect.reason_code, disconnect.properties, version)
            }
            ControlPacket::Auth(auth) => auth_length(auth),
        }
    }
}

fn will_length(will: &Will<'_>, version: Version) -> u64 {
    properties_size(will.properties, version)
        + prefixed_size(will.topic.as_bytes())
        + prefixed_size(will.payload)
}

fn connect_length(connect: &Connect<'_>) -> u64 {
    let version = connect.version;
    // Protocol Name, Protocol Version, Connect Flags, Keep Alive.
    let header = prefixed_size(version.protocol_name().as_bytes()) + 4;
    header
        + properties_size(connect.properties, version)
        + prefixed_size(connect.client_identifier.as_bytes())
        + connect.will.as_ref().map_or(0, |will| will_length(will, version))
        + connect.user_name.map_or(0, |user_name| prefixed_size(user_name.as_bytes()))
        + connect.password.map_or(0, prefixed_size)
}

fn connect_flags(connect: &Connect<'_>) -> u8 {
    let mut flags = u8::from(connect.clean_start) << 1;
    if let Some(will) = &connect.will {
        flags |= 1 << 2 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
    }
    flags | u8::from(connect.password.is_some()) << 6 | u8::from(connect.user_name.is_some()) << 7
}

/// The payload fields come in the standard's order. [V4 MQTT-3.1.3-1, V5 MQTT-3.1.3-1]
fn encode_connect(connect: &Connect<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let version = connect.version;
    check_string("client_identifier", connect.client_identifier.as_bytes())?;
    if let Some(will) = &connect.will {
        check_string("will_topic", will.topic.as_bytes())?;
        check_string(if version == Version::V5 { "will_payload" } else { "will_message" }, will.payload)?;
    }
    check_string("user_name", connect.user_name.unwrap_or_default().as_bytes())?;
    check_string("password", connect.password.unwrap_or_default())?;
    begin(first_byte(PacketType::Connect), connect_length(connect), out)?;
    push_prefixed(version.protocol_name().as_bytes(), out);
    out.push(version.level());
    out.push(connect_flags(connect));
    out.extend_from_slice(&connect.keep_alive_s.to_be_bytes());
    push_properties(connect.properties, version, out);
    push_prefixed(connect.client_identifier.as_bytes(), out);
    if let Some(will) = &connect.will {
        push_properties(will.properties, version, out);
        push_prefixed(will.topic.as_bytes(), out);
        push_prefixed(will.payload, out);
    }
    if let Some(user_name) = connect.user_name {
        push_prefixed(user_name.as_bytes(), out);
    }
    if let Some(password) = connect.password {
        push_prefixed(password, out);
    }
    Ok(())
}

/// [V5 MQTT-3.2.2-1]
fn encode_connack(connack: &Connack<'_>, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let code = match version {
        Version::V5 => connack.reason_code.as_u8(),
        Version::V3 | Version::V4 => {
            connack.reason_code.return_code().ok_or(EncodeError::NoReturnCode(connack.reason_code))?
        }
    };
    begin(first_byte(PacketType::Connack), 2 + properties_size(connack.properties, version), out)?;
    // 3.1 has a reserved byte where the others have the acknowledge flags.
    out.push(u8::from(connack.session_present && version != Version::V3));
    out.push(code);
    push_properties(connack.properties, version, out);
    Ok(())
}

/// [V5 U-1.5.2-1]
fn push_identifier(packet_identifier: PacketIdentifier, out: &mut Vec<u8>) {
    out.extend_from_slice(&packet_identifier.get().to_be_bytes());
}

/// Reason code and properties where 5.0 lets both be left out, if they say nothing.
fn reason_size(reason_code: ReasonCode, properties: Properties<'_>, version: Version) -> u64 {
    match (version, reason_code, properties.is_empty()) {
        (Version::V3 | Version::V4, _, _) | (Version::V5, ReasonCode::Success, true) => 0,
        (Version::V5, _, true) => 1,
        (Version::V5, _, false) => 1 + properties_size(properties, version),
    }
}

/// [V5 U-3.4.2.1-1, V5 U-3.14.2.1-1]
fn push_reason(reason_code: ReasonCode, properties: Properties<'_>, version: Version, out: &mut Vec<u8>) {
    let size = reason_size(reason_code, properties, version);
    if size > 0 {
        out.push(reason_code.as_u8());
    }
    if size > 1 {
        push_properties(properties, version, out);
    }
}

fn encode_ack(
    packet_type: PacketType,
    ack: &Ack<'_>,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let length = 2 + reason_size(ack.reason_code, ack.properties, version);
    if length == 2 {
        let short = ShortAck { packet_type, packet_identifier: ack.packet_identifier };
        out.extend_from_slice(&short.to_bytes());
        return Ok(());
    }
    begin(first_byte(packet_type), length, out)?;
    push_identifier(ack.packet_identifier, out);
    push_reason(ack.reason_code, ack.properties, version, out);
    Ok(())
}

fn encode_disconnect(
    disconnect: &Disconnect<'_>,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let length = reason_size(disconnect.reason_code, disconnect.properties, version);
    begin(first_byte(PacketType::Disconnect), length, out)?;
    push_reason(disconnect.reason_code, disconnect.properties, version, out);
    Ok(())
}

fn auth_length(auth: &Auth<'_>) -> u64 {
    if auth.reason_code == ReasonCode::Success && auth.properties.is_empty() {
        0
    } else {
        1 + properties_size(auth.properties, Version::V5)
    }
}

fn encode_auth(auth: &Auth<'_>, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if version != Version::V5 {
        return Err(EncodeError::NotInVersion(PacketType::Auth));
    }
    let length = auth_length(auth);
    begin(first_byte(PacketType::Auth), length, out)?;
    if length > 0 {
        out.push(auth.reason_code.as_u8());
        push_properties(auth.properties, version, out);
    }
    Ok(())
}

fn encode_subscribe(
    subscribe: &Subscribe<'_>,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let payload = subscribe.subscriptions.as_bytes();
    let length = 2 + properties_size(subscribe.properties, version) + payload.len() as u64;
    begin(first_byte(PacketType::Subscribe), length, out)?;
    push_identifier(subscribe.packet_identifier, out);
    push_properties(subscribe.properties, version, out);
    if version == Version::V5 {
        out.extend_from_slice(payload);
    } else {
        // 3.x reserves the bits that hold the other options. [V4 MQTT-3.8.3-4]
        for subscription in subscribe.subscriptions.iter() {
            push_prefixed(subscription.topic_filter.as_bytes(), out);
            out.push(subscription.options.qos as u8);
        }
    }
    Ok(())
}

fn encode_suback(suback: &Suback<'_>, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = 2 + properties_size(suback.properties, version) + suback.reason_codes.len() as u64;
    begin(first_byte(PacketType::Suback), length, out)?;
    push_identifier(suback.packet_identifier, out);
    push_properties(suback.properties, version, out);
    match version {
        Version::V5 => out.extend_from_slice(suback.reason_codes),
        // 3.x knows one failure. [V4 MQTT-3.9.3-2]
        Version::V3 | Version::V4 => out.extend(suback.reason_codes.iter().map(|&code| code.min(0x80))),
    }
    Ok(())
}

fn encode_unsubscribe(
    unsubscribe: &Unsubscribe<'_>,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let payload = unsubscribe.topic_filters.as_bytes();
    let length = 2 + properties_size(unsubscribe.properties, version) + payload.len() as u64;
    begin(first_byte(PacketType::Unsubscribe), length, out)?;
    push_identifier(unsubscribe.packet_identifier, out);
    push_properties(unsubscribe.properties, version, out);
    out.extend_from_slice(payload);
    Ok(())
}

fn encode_unsuback(unsuback: &Unsuback<'_>, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let reason_codes = if version == Version::V5 { unsuback.reason_codes } else { &[] };
    let length = 2 + properties_size(unsuback.properties, version) + reason_codes.len() as u64;
    begin(first_byte(PacketType::Unsuback), length, out)?;
    push_identifier(unsuback.packet_identifier, out);
    push_properties(unsuback.properties, version, out);
    out.extend_from_slice(reason_codes);
    Ok(())
}
