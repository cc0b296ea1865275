//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (sections 3.8 to 3.11).

use super::{fields, properties};
use crate::reader::{Name, Reader};
use crate::{
    Fault, FaultCode, PacketType, Place, Properties, ReasonCode, RetainHandling, Suback, Subscribe,
    Subscriptions, TopicFilters, Trace, Unsuback, Unsubscribe, Value, Version,
};

/// The property section of 5.0.
fn properties_of<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    packet_type: PacketType,
) -> Result<Properties<'a>, Fault> {
    if reader.version == Version::V5 {
        properties::properties(reader, fields::PROPERTIES, Place::Packet(packet_type))
    } else {
        Ok(Properties::EMPTY)
    }
}

/// Reads the body of SUBSCRIBE.
pub(super) fn subscribe<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Subscribe<'a>, Fault> {
    let packet_identifier = reader.packet_identifier(fields::PACKET_IDENTIFIER)?;
    let properties = properties_of(reader, PacketType::Subscribe)?;
    let bytes = reader.rest();
    open_list(reader, fields::SUBSCRIPTIONS)?;
    while !reader.is_at_end() {
        subscription(reader)?;
    }
    reader.close(reader.end());
    Ok(Subscribe { packet_identifier, properties, subscriptions: Subscriptions { bytes } })
}

/// A list of at least one entry begins.
/// [V4 MQTT-3.8.3-3, V5 MQTT-3.8.3-2, V4 MQTT-3.10.3-2, V5 MQTT-3.10.3-2]
/// [V5 U-3.8.3-1, V5 U-3.10.3-1]
fn open_list<T: Trace>(reader: &mut Reader<'_, '_, T>, name: Name) -> Result<(), Fault> {
    let length = reader.rest().len();
    if length == 0 {
        reader.fault(FaultCode::EmptyPayload, name, reader.at(), 0)?;
    }
    reader.open(name, reader.at(), length, None, Value::Group);
    Ok(())
}

/// [V4 MQTT-3.8.3-1, V5 MQTT-3.8.3-1]
fn subscription<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<(), Fault> {
    let offset = reader.at();
    if T::FIELDS {
        // A group tells its length when it opens: filter with its prefix, and the options byte.
        let rest = reader.rest();
        let filter = rest.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        reader.open(fields::SUBSCRIPTION, offset, rest.len().min(filter + 3), None, Value::Group);
    }
    let topic_filter = reader.text(fields::TOPIC_FILTER)?;
    let options = options(reader)?;
    if options.no_local && topic_filter.starts_with("$share/") {
        // [V5 MQTT-3.8.3-4]
        reader.fault(FaultCode::NoLocalOnShared, fields::NO_LOCAL, reader.at() - 1, 1)?;
    }
    reader.close(reader.at());
    Ok(())
}

/// What of the options other fields depend on.
struct Options {
    no_local: bool,
}

/// Reads the Requested QoS of 3.x or the Subscription Options of 5.0.
/// [V4 MQTT-3.8.3-4, V5 MQTT-3.8.3-5]
/// [V5 U-3.8.3.1-1, V5 U-3.8.3.1-2]
fn options<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Result<Options, Fault> {
    let version5 = reader.version == Version::V5;
    let byte =
        reader.raw_byte(if version5 { fields::SUBSCRIPTION_OPTIONS } else { fields::REQUESTED_QOS })?;
    let at = reader.at() - 1;
    if T::FIELDS {
        tell_options(reader, version5, at, byte);
    }
    let reserved = if version5 { 0b1100_0000 } else { 0b1111_1100 };
    if byte & reserved != 0 {
        reader.fault(FaultCode::SubscriptionOptionsReserved, fields::OPTIONS_RESERVED, at, 1)?;
    }
    if byte & 0b11 == 3 {
        reader.fault(FaultCode::RequestedQos, fields::REQUESTED_QOS, at, 1)?;
    }
    if version5 && byte >> 4 & 0b11 > RetainHandling::DoNotSend as u8 {
        reader.fault(FaultCode::RetainHandling, fields::RETAIN_HANDLING, at, 1)?;
    }
    Ok(Options { no_local: version5 && byte & 0b100 != 0 })
}

fn tell_options<T: Trace>(reader: &mut Reader<'_, '_, T>, version5: bool, at: usize, byte: u8) {
    let number = |shift: u8, mask: u8| Value::Number(u64::from(byte >> shift & mask));
    reader.open(fields::SUBSCRIPTION_OPTIONS, at, 1, None, number(0, 0xFF));
    if version5 {
        reader.tell_bits(fields::OPTIONS_RESERVED, at, (6, 2), number(6, 0b11));
        reader.tell_bits(fields::RETAIN_HANDLING, at, (4, 2), number(4, 0b11));
        reader.tell_bits(fields::RETAIN_AS_PUBLISHED, at, (3, 1), Value::Flag(byte & 0b1000 != 0));
        reader.tell_bits(fields::NO_LOCAL, at, (2, 1), Value::Flag(byte & 0b100 != 0));
    } else {
        reader.tell_bits(fields::OPTIONS_RESERVED, at, (2, 6), number(2, 0b11_1111));
    }
    reader.tell_bits(fields::REQUESTED_QOS, at, (0, 2), number(0, 0b11));
    reader.close(at + 1);
}

/// Reads the body of UNSUBSCRIBE.
/// [V4 MQTT-3.10.3-1, V5 MQTT-3.10.3-1]
pub(super) fn unsubscribe<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Unsubscribe<'a>, Fault> {
    let packet_identifier = reader.packet_identifier(fields::PACKET_IDENTIFIER)?;
    let properties = properties_of(reader, PacketType::Unsubscribe)?;
    let bytes = reader.rest();
    open_list(reader, fields::TOPIC_FILTERS)?;
    while !reader.is_at_end() {
        reader.text(fields::UNSUBSCRIBE_FILTER)?;
    }
    reader.close(reader.end());
    Ok(Unsubscribe { packet_identifier, properties, topic_filters: TopicFilters { bytes } })
}

/// Reads the body of SUBACK. [V4 MQTT-3.9.3-2, V5 MQTT-3.9.3-2]
pub(super) fn suback<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Suback<'a>, Fault> {
    let packet_identifier = reader.packet_identifier(fields::PACKET_IDENTIFIER)?;
    let properties = properties_of(reader, PacketType::Suback)?;
    let reason_codes = if reader.version == Version::V5 {
        codes(reader, fields::SUBACK_REASON_CODES, fields::SUBACK_REASON_CODE, |code| {
            ReasonCode::from_u8(code).is_some_and(|code| code.allowed_in(PacketType::Suback))
        })?
    } else {
        codes(reader, fields::RETURN_CODES, fields::SUBACK_RETURN_CODE, |code| {
            matches!(code, 0 | 1 | 2 | 0x80)
        })?
    };
    Ok(Suback { packet_identifier, properties, reason_codes })
}

/// Reads the body of UNSUBACK; 3.x has no codes. [V5 MQTT-3.11.3-2]
pub(super) fn unsuback<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Unsuback<'a>, Fault> {
    let packet_identifier = reader.packet_identifier(fields::PACKET_IDENTIFIER)?;
    let properties = properties_of(reader, PacketType::Unsuback)?;
    let reason_codes = if reader.version == Version::V5 {
        codes(reader, fields::UNSUBACK_REASON_CODES, fields::UNSUBACK_REASON_CODE, |code| {
            ReasonCode::from_u8(code).is_some_and(|code| code.allowed_in(PacketType::Unsuback))
        })?
    } else {
        &[]
    };
    Ok(Unsuback { packet_identifier, properties, reason_codes })
}

/// Reads a list of one-byte codes up to the end of the packet.
fn codes<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    list: Name,
    entry: Name,
    allowed: fn(u8) -> bool,
) -> Result<&'a [u8], Fault> {
    let bytes = reader.rest();
    open_list(reader, list)?;
    while !reader.is_at_end() {
        let code = reader.byte(entry)?;
        if !allowed(code) {
            reader.fault(FaultCode::UnknownReasonCode, entry, reader.at() - 1, 1)?;
        }
    }
    reader.close(reader.end());
    Ok(bytes)
}
