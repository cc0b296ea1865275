//! Bytes into packets, in place. One decoder serves and explains: what differs is the [`Trace`].
//!
//! Guarantees: no packet makes it panic; nothing is allocated; the time is linear in the bytes.
//! A packet is returned only if it means what its type promises: after a fault that leaves a
//! field without a value the rest is still read and told, but `decode` returns the fault.

mod acknowledge;
mod connect;
mod fields;
mod properties;
mod publish;
mod subscribe;

use crate::fixed_header::{VariableByteInteger, read_variable_byte_integer};
use crate::reader::Reader;
use crate::{
    ControlPacket, Fault, FaultCode, Frame, PacketType, Publish, Severity, ShortAck, Trace, Value, Version,
};

/// Which broken rules are served all the same. They are reported to the trace, whose answer is
/// not asked for. The default is strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Leniency {
    /// SUBSCRIBE, UNSUBSCRIBE and PUBREL with the flags 0000 in place of 0010.
    pub reserved_flags: bool,
}

/// Decodes one packet.
///
/// `version` is the connection's; a CONNECT says its own. What is wrong goes to
/// [`Trace::fault`], in the order of the bytes as far as they allow, and the first fault that
/// stops decoding or leaves the packet without meaning is returned. With [`Trace::FIELDS`] the
/// trace gets every field, from the first bit of the fixed header to the last byte.
#[inline]
pub fn decode<'a, T: Trace>(
    frame: Frame<'a>,
    version: Version,
    leniency: &Leniency,
    trace: &mut T,
) -> Result<ControlPacket<'a>, Fault> {
    let packet_type = frame.packet_type();
    if packet_type == Some(PacketType::Publish) {
        return decode_publish(frame, version, trace).map(ControlPacket::Publish);
    }
    if !T::FIELDS
        && let Some(ack) = ShortAck::read(frame.bytes)
    {
        return Ok(ack.into());
    }
    let version = if packet_type == Some(PacketType::Connect) { connect::version_of(frame) } else { version };
    let mut reader = Reader::new(frame.bytes, 0, version, packet_type, trace);
    let (_, cut_short) = fixed_header(&mut reader, leniency)?;
    let packet = match packet_type {
        Some(packet_type) => other(&mut reader, packet_type)?,
        None => return Err(body_unknown(&mut reader)),
    };
    finish(&mut reader, cut_short)?;
    Ok(packet)
}

/// Decodes what its first byte says is a PUBLISH: the part of [`decode`] that a server takes most.
#[inline(always)]
pub fn decode_publish<'a, T: Trace>(
    frame: Frame<'a>,
    version: Version,
    trace: &mut T,
) -> Result<Publish<'a>, Fault> {
    let mut reader = Reader::new(frame.bytes, 0, version, Some(PacketType::Publish), trace);
    // Its flags all mean something: none is reserved, there is nothing to be lenient about.
    let (flags, cut_short) = fixed_header(&mut reader, &Leniency { reserved_flags: false })?;
    let publish = publish::publish(&mut reader, flags, frame.known_topic)?;
    finish(&mut reader, cut_short)?;
    Ok(publish)
}

/// Every packet but PUBLISH.
fn other<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    packet_type: PacketType,
) -> Result<ControlPacket<'a>, Fault> {
    Ok(match packet_type {
        PacketType::Publish => ControlPacket::Publish(publish::publish(reader, 0, "")?),
        PacketType::Connect => ControlPacket::Connect(connect::connect(reader)?),
        PacketType::Connack => ControlPacket::Connack(connect::connack(reader)?),
        PacketType::Puback => ControlPacket::Puback(acknowledge::ack(reader, packet_type)?),
        PacketType::Pubrec => ControlPacket::Pubrec(acknowledge::ack(reader, packet_type)?),
        PacketType::Pubrel => ControlPacket::Pubrel(acknowledge::ack(reader, packet_type)?),
        PacketType::Pubcomp => ControlPacket::Pubcomp(acknowledge::ack(reader, packet_type)?),
        PacketType::Subscribe => ControlPacket::Subscribe(subscribe::subscribe(reader)?),
        PacketType::Suback => ControlPacket::Suback(subscribe::suback(reader)?),
        PacketType::Unsubscribe => ControlPacket::Unsubscribe(subscribe::unsubscribe(reader)?),
        PacketType::Unsuback => ControlPacket::Unsuback(subscribe::unsuback(reader)?),
        PacketType::Pingreq => ControlPacket::Pingreq,
        PacketType::Pingresp => ControlPacket::Pingresp,
        PacketType::Disconnect => ControlPacket::Disconnect(acknowledge::disconnect(reader)?),
        PacketType::Auth => ControlPacket::Auth(acknowledge::auth(reader)?),
    })
}

/// Reads the fixed header and cuts the reader off where the packet ends. Returns the flags
/// and whether the frame ends before the packet does.
#[inline(always)]
fn fixed_header<T: Trace>(reader: &mut Reader<'_, '_, T>, leniency: &Leniency) -> Result<(u8, bool), Fault> {
    let first = reader.raw_byte(fields::PACKET_TYPE)?;
    let flags = first & 0x0F;
    if T::FIELDS {
        tell_first_byte(reader, first);
    }
    match reader.packet_type {
        // Only its own decoder knows what the flags of a PUBLISH may be.
        Some(PacketType::Publish) => {}
        Some(packet_type) if packet_type.reserved_flags() == Some(flags) => {}
        Some(packet_type) => wrong_flags(reader, packet_type, flags, leniency)?,
        None => {}
    }
    if reader.packet_type.is_none_or(|packet_type| !packet_type.exists_in(reader.version)) {
        reader.fault(FaultCode::UnexpectedPacketType, fields::PACKET_TYPE, 0, 1)?;
    }
    let cut_short = remaining_length(reader)?;
    Ok((flags, cut_short))
}

/// Tells whether the frame is shorter than its Remaining Length says. A framer gives no such
/// frame; whoever explains the beginning of a packet has one.
#[inline(always)]
fn remaining_length<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Result<bool, Fault> {
    let length = match reader.variable_byte_integer(fields::REMAINING_LENGTH)? {
        Some(length) => length as usize,
        None => return Err(no_remaining_length(reader)),
    };
    let end = reader.at().saturating_add(length);
    if end < reader.end() {
        reader.fault(FaultCode::TrailingBytes, fields::REMAINING_LENGTH, end, reader.end() - end)?;
        reader.limit(end);
    }
    Ok(end > reader.end())
}

#[cold]
fn no_remaining_length<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Fault {
    let rest = reader.rest();
    let code = match read_variable_byte_integer(rest) {
        VariableByteInteger::TooLong => FaultCode::RemainingLengthTooLong,
        _ => FaultCode::Truncated,
    };
    if !rest.is_empty() {
        reader.tell(fields::REMAINING_LENGTH, reader.at(), rest.len(), Value::Bytes(rest));
    }
    reader.dead_end(code, fields::REMAINING_LENGTH, reader.at(), rest.len().min(5))
}

fn tell_first_byte<T: Trace>(reader: &mut Reader<'_, '_, T>, first: u8) {
    reader.tell_bits(fields::PACKET_TYPE, 0, (4, 4), Value::Number(u64::from(first >> 4)));
    let flags = first & 0x0F;
    reader.open(fields::FLAGS, 0, 1, Some((0, 4)), Value::Number(u64::from(flags)));
    if reader.packet_type == Some(PacketType::Publish) {
        reader.tell_bits(fields::DUP, 0, (3, 1), Value::Flag(flags & 0b1000 != 0));
        reader.tell_bits(fields::QOS, 0, (1, 2), Value::Number(u64::from(flags >> 1 & 0b11)));
        reader.tell_bits(fields::RETAIN, 0, (0, 1), Value::Flag(flags & 1 != 0));
    } else {
        reader.tell_bits(fields::RESERVED, 0, (0, 4), Value::Number(u64::from(flags)));
    }
    reader.close(1);
}

/// [V4 MQTT-2.2.2-2, V4 MQTT-3.6.1-1, V4 MQTT-3.8.1-1, V4 MQTT-3.10.1-1, V4 MQTT-3.14.1-1]
/// [V5 MQTT-3.6.1-1, V5 MQTT-3.8.1-1, V5 MQTT-3.10.1-1, V5 MQTT-3.14.1-1, V5 MQTT-3.15.1-1]
/// [V5 U-2.1.3-1]
#[cold]
fn wrong_flags<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    packet_type: PacketType,
    flags: u8,
    leniency: &Leniency,
) -> Result<(), Fault> {
    let code = FaultCode::ReservedFlags;
    let at_qos1 = packet_type.reserved_flags() == Some(0b0010);
    if reader.version == Version::V3 {
        // 3.1 has DUP, QoS and RETAIN bits in every packet. These three packets have QoS 1 and may
        // have DUP set; elsewhere the bits are not used.
        if at_qos1 && flags & 0b0110 == 0b0010 {
            return Ok(());
        }
        if !at_qos1 {
            return reader.fault_of(code, Severity::Warning, fields::RESERVED, 0, 1);
        }
    }
    if at_qos1 && flags == 0 && leniency.reserved_flags {
        reader.survived(code, fields::RESERVED, 0, 1);
        return Ok(());
    }
    reader.fault(code, fields::RESERVED, 0, 1)
}

/// The bytes of a packet of the reserved type 0.
/// [V5 U-2.1.2-1]
#[cold]
fn body_unknown<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Fault {
    let offset = reader.at();
    let rest = reader.remaining();
    if !rest.is_empty() {
        reader.tell(fields::UNKNOWN, offset, rest.len(), Value::Bytes(rest));
    }
    match reader.unsound() {
        Some(fault) => fault,
        None => reader.dead_end(FaultCode::UnexpectedPacketType, fields::PACKET_TYPE, 0, 1),
    }
}

/// Nothing may be left over, nothing be missing, and every field must have had a value.
/// [V5 U-3.12.2-1, V5 U-3.13.2-1]
#[inline(always)]
fn finish<T: Trace>(reader: &mut Reader<'_, '_, T>, cut_short: bool) -> Result<(), Fault> {
    if !reader.is_at_end() {
        left_over(reader)?;
    }
    if cut_short {
        return Err(reader.dead_end(FaultCode::Truncated, fields::REMAINING_LENGTH, reader.end(), 0));
    }
    match reader.unsound() {
        None => Ok(()),
        Some(fault) => Err(fault),
    }
}

#[cold]
fn left_over<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Result<(), Fault> {
    let offset = reader.at();
    let rest = reader.remaining();
    reader.tell(fields::UNKNOWN, offset, rest.len(), Value::Bytes(rest));
    reader.fault(FaultCode::TrailingBytes, fields::UNKNOWN, offset, rest.len())
}
