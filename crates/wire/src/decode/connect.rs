//! CONNECT (section 3.1) and CONNACK (section 3.2).

use super::{fields, properties};
use crate::fixed_header::{VariableByteInteger, read_variable_byte_integer};
use crate::reader::Reader;
use crate::{
    Connack, Connect, Fault, FaultCode, Frame, PacketType, Place, Properties, QoS, ReasonCode, Trace, Value,
    Version, Will,
};

const USER_NAME_FLAG: u8 = 1 << 7;
const PASSWORD_FLAG: u8 = 1 << 6;
const WILL_RETAIN: u8 = 1 << 5;
const WILL_FLAG: u8 = 1 << 2;
const CLEAN_START: u8 = 1 << 1;
const RESERVED: u8 = 1;

/// The version a CONNECT is read with. An unknown one is read as its nearest neighbour, so that a
/// refusal can be written in a form the client has a chance to understand.
pub(super) fn version_of(frame: Frame<'_>) -> Version {
    let after_first = frame.bytes.get(1..).unwrap_or_default();
    let body = match read_variable_byte_integer(after_first) {
        VariableByteInteger::Value { size, .. } => after_first.get(usize::from(size)..).unwrap_or_default(),
        VariableByteInteger::Incomplete | VariableByteInteger::TooLong => &[],
    };
    let Some((length, rest)) = body.split_first_chunk() else { return Version::V4 };
    let Some((name, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
        return Version::V4;
    };
    if name == Version::V3.protocol_name().as_bytes() {
        return Version::V3;
    }
    match rest.first() {
        Some(&level) if level >= Version::V5.level() => Version::V5,
        _ => Version::V4,
    }
}

/// Reads the body of CONNECT. What follows each flag is there if the flag is set and only then.
/// [V4 MQTT-3.1.2-9, V4 MQTT-3.1.2-11, V4 MQTT-3.1.2-18, V4 MQTT-3.1.2-19]
/// [V4 MQTT-3.1.2-20, V4 MQTT-3.1.2-21]
/// [V5 MQTT-3.1.2-9, V5 MQTT-3.1.2-16, V5 MQTT-3.1.2-17, V5 MQTT-3.1.2-18, V5 MQTT-3.1.2-19]
/// [V4 MQTT-3.1.3-1, V5 MQTT-3.1.3-1, V5 U-3.1.2-1, V5 U-3.1.3.6-1]
pub(super) fn connect<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Connect<'a>, Fault> {
    protocol(reader)?;
    let flags = flags(reader)?;
    let keep_alive_s = reader.two_bytes(fields::KEEP_ALIVE)?;
    let version = reader.version;
    let properties = if version == Version::V5 {
        properties::properties(reader, fields::CONNECT_PROPERTIES, Place::Packet(PacketType::Connect))?
    } else {
        Properties::EMPTY
    };
    // [V4 MQTT-3.1.3-3, V4 MQTT-3.1.3-4, V5 MQTT-3.1.3-3, V5 MQTT-3.1.3-4]
    let client_identifier = reader.text(fields::CLIENT_IDENTIFIER)?;
    let will = if flags & WILL_FLAG != 0 { Some(will(reader, flags)?) } else { None };
    let user_name = if credential_follows(reader, flags & USER_NAME_FLAG) {
        // [V4 MQTT-3.1.3-11, V5 MQTT-3.1.3-12]
        Some(reader.text(fields::USER_NAME)?)
    } else {
        None
    };
    let password = if credential_follows(reader, flags & PASSWORD_FLAG) {
        Some(reader.binary(fields::PASSWORD)?)
    } else {
        None
    };
    Ok(Connect {
        version,
        clean_start: flags & CLEAN_START != 0,
        keep_alive_s,
        client_identifier,
        will,
        user_name,
        password,
        properties,
    })
}

/// In 3.1 the Remaining Length takes precedence over these two flags: a client of the first
/// specification may set them and send nothing (3.1 section 3.1).
fn credential_follows<T: Trace>(reader: &Reader<'_, '_, T>, flag: u8) -> bool {
    flag != 0 && !(reader.version == Version::V3 && reader.is_at_end())
}

/// Reads Protocol Name and Protocol Version.
/// [V4 MQTT-3.1.2-1, V4 MQTT-3.1.2-2, V5 MQTT-3.1.2-1, V5 MQTT-3.1.2-2]
fn protocol<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Result<(), Fault> {
    let name_at = reader.at();
    let name = reader.raw_prefixed(fields::PROTOCOL_NAME)?;
    let name_length = 2 + name.len();
    let known = name == b"MQTT" || name == Version::V3.protocol_name().as_bytes();
    reader.judge_text(fields::PROTOCOL_NAME, name_at, name)?;
    if !known {
        reader.fault(FaultCode::ProtocolName, fields::PROTOCOL_NAME, name_at, name_length)?;
    }
    let level = reader.byte(fields::PROTOCOL_VERSION)?;
    if level != reader.version.level() {
        reader.fault(FaultCode::ProtocolVersion, fields::PROTOCOL_VERSION, reader.at() - 1, 1)?;
    }
    Ok(())
}

/// Reads the Connect Flags.
/// [V5 U-3.1.2.3-1, V5 U-3.1.2.6-1]
fn flags<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Result<u8, Fault> {
    let flags = reader.raw_byte(fields::CONNECT_FLAGS)?;
    let at = reader.at() - 1;
    let will_qos = flags >> 3 & 0b11;
    if T::FIELDS {
        tell_flags(reader, at, flags);
    }
    if flags & USER_NAME_FLAG == 0 && flags & PASSWORD_FLAG != 0 && reader.version != Version::V5 {
        // [V4 MQTT-3.1.2-22]
        reader.fault(FaultCode::PasswordWithoutUserName, fields::PASSWORD_FLAG, at, 1)?;
    }
    if flags & WILL_FLAG == 0 {
        if flags & WILL_RETAIN != 0 {
            // [V4 MQTT-3.1.2-15, V5 MQTT-3.1.2-13]
            reader.fault(FaultCode::WillFlagsWithoutWill, fields::WILL_RETAIN, at, 1)?;
        }
        if will_qos != 0 {
            // [V4 MQTT-3.1.2-13, V5 MQTT-3.1.2-11]
            reader.fault(FaultCode::WillFlagsWithoutWill, fields::WILL_QOS, at, 1)?;
        }
    } else if will_qos == 3 {
        // [V4 MQTT-3.1.2-14, V5 MQTT-3.1.2-12]
        reader.fault(FaultCode::WillQos, fields::WILL_QOS, at, 1)?;
    }
    // 3.1 does not use the bit. [V4 MQTT-3.1.2-3, V5 MQTT-3.1.2-3]
    if flags & RESERVED != 0 && reader.version != Version::V3 {
        reader.fault(FaultCode::ConnectFlagsReserved, fields::CONNECT_RESERVED, at, 1)?;
    }
    Ok(flags)
}

fn tell_flags<T: Trace>(reader: &mut Reader<'_, '_, T>, at: usize, flags: u8) {
    let clean = if reader.version == Version::V5 { fields::CLEAN_START } else { fields::CLEAN_SESSION };
    let flag = |bit: u8| Value::Flag(flags & bit != 0);
    reader.open(fields::CONNECT_FLAGS, at, 1, None, Value::Number(u64::from(flags)));
    reader.tell_bits(fields::USER_NAME_FLAG, at, (7, 1), flag(USER_NAME_FLAG));
    reader.tell_bits(fields::PASSWORD_FLAG, at, (6, 1), flag(PASSWORD_FLAG));
    reader.tell_bits(fields::WILL_RETAIN, at, (5, 1), flag(WILL_RETAIN));
    reader.tell_bits(fields::WILL_QOS, at, (3, 2), Value::Number(u64::from(flags >> 3 & 0b11)));
    reader.tell_bits(fields::WILL_FLAG, at, (2, 1), flag(WILL_FLAG));
    reader.tell_bits(clean, at, (1, 1), flag(CLEAN_START));
    reader.tell_bits(fields::CONNECT_RESERVED, at, (0, 1), Value::Number(u64::from(flags & RESERVED)));
    reader.close(at + 1);
}

/// Reads the will. [V4 MQTT-3.1.3-10, V5 MQTT-3.1.3-11]
/// [V5 U-3.1.3.4-1]
fn will<'a, T: Trace>(reader: &mut Reader<'a, '_, T>, flags: u8) -> Result<Will<'a>, Fault> {
    let version5 = reader.version == Version::V5;
    let properties = if version5 {
        properties::properties(reader, fields::WILL_PROPERTIES, Place::Will)?
    } else {
        Properties::EMPTY
    };
    let topic_at = reader.at();
    let topic = reader.topic_name(fields::WILL_TOPIC, "")?;
    if topic.is_empty() && reader.at() == topic_at + 2 {
        reader.fault(FaultCode::EmptyTopicName, fields::WILL_TOPIC, topic_at, 2)?;
    }
    let payload = reader.binary(if version5 { fields::WILL_PAYLOAD } else { fields::WILL_MESSAGE })?;
    Ok(Will {
        topic,
        payload,
        // 3 has been reported and leaves the packet without meaning.
        qos: QoS::from_bits(flags >> 3 & 0b11).unwrap_or(QoS::ExactlyOnce),
        retain: flags & WILL_RETAIN != 0,
        properties,
    })
}

/// Reads the body of CONNACK.
pub(super) fn connack<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Connack<'a>, Fault> {
    let session_present = acknowledge_flags(reader)?;
    let version5 = reader.version == Version::V5;
    let name = if version5 { fields::CONNECT_REASON_CODE } else { fields::RETURN_CODE };
    let byte = reader.byte(name)?;
    let code = if version5 {
        ReasonCode::from_u8(byte).filter(|code| code.allowed_in(PacketType::Connack))
    } else {
        ReasonCode::from_return_code(byte)
    };
    if code.is_none() {
        // [V5 MQTT-3.2.2-8]
        reader.fault(FaultCode::UnknownReasonCode, name, reader.at() - 1, 1)?;
    }
    if session_present && byte != 0 {
        // [V4 MQTT-3.2.2-4, V5 MQTT-3.2.2-6]
        reader.fault(FaultCode::SessionPresentWithError, fields::SESSION_PRESENT, reader.at() - 2, 1)?;
    }
    let properties = if version5 {
        properties::properties(reader, fields::CONNACK_PROPERTIES, Place::Packet(PacketType::Connack))?
    } else {
        Properties::EMPTY
    };
    Ok(Connack { session_present, reason_code: code.unwrap_or(ReasonCode::UnspecifiedError), properties })
}

/// Reads the Connect Acknowledge Flags: Session Present and reserved bits; one reserved byte, not
/// used, in 3.1.
fn acknowledge_flags<T: Trace>(reader: &mut Reader<'_, '_, T>) -> Result<bool, Fault> {
    if reader.version == Version::V3 {
        reader.byte(fields::ACKNOWLEDGE_RESERVED)?;
        return Ok(false);
    }
    let flags = reader.raw_byte(fields::ACKNOWLEDGE_FLAGS)?;
    let at = reader.at() - 1;
    if T::FIELDS {
        reader.open(fields::ACKNOWLEDGE_FLAGS, at, 1, None, Value::Number(u64::from(flags)));
        reader.tell_bits(fields::ACKNOWLEDGE_RESERVED, at, (1, 7), Value::Number(u64::from(flags >> 1)));
        reader.tell_bits(fields::SESSION_PRESENT, at, (0, 1), Value::Flag(flags & 1 != 0));
        reader.close(at + 1);
    }
    if flags & !1 != 0 {
        // [V5 MQTT-3.2.2-1]
        reader.fault(FaultCode::ConnackFlagsReserved, fields::ACKNOWLEDGE_RESERVED, at, 1)?;
    }
    Ok(flags & 1 != 0)
}
