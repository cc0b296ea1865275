//! PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7), DISCONNECT (3.14) and AUTH (3.15): in
//! 5.0 all end with a reason code and properties that may be left out.

use super::{fields, properties};
use crate::reader::Reader;
use crate::{
    Ack, Auth, Disconnect, Fault, FaultCode, PacketType, Place, Properties, ReasonCode, Trace, Value, Version,
};

/// Reads the body of PUBACK, PUBREC, PUBREL or PUBCOMP.
pub(super) fn ack<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    packet_type: PacketType,
) -> Result<Ack<'a>, Fault> {
    let packet_identifier = reader.packet_identifier(fields::PACKET_IDENTIFIER)?;
    let (reason_code, properties) = reason(reader, packet_type)?;
    Ok(Ack { packet_identifier, reason_code, properties })
}

/// Reads the body of DISCONNECT: none in 3.x.
pub(super) fn disconnect<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Disconnect<'a>, Fault> {
    let (reason_code, properties) = reason(reader, PacketType::Disconnect)?;
    Ok(Disconnect { reason_code, properties })
}

/// Reads a reason code, if there is one, and properties, if there are some. Both may be left out,
/// or the properties alone (5.0 sections 3.4.2.1, 3.4.2.2.1 and 3.14.2).
/// [V5 U-3.4.2.1-1, V5 U-3.4.2.2.1-1, V5 U-3.5.2.1-1, V5 U-3.5.2.2.1-1, V5 U-3.6.2.1-1, V5 U-3.6.2.2.1-1]
/// [V5 U-3.7.2.1-1, V5 U-3.7.2.2.1-1, V5 U-3.14.2.1-1, V5 U-3.14.2.2.1-1]
fn reason<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    packet_type: PacketType,
) -> Result<(ReasonCode, Properties<'a>), Fault> {
    if reader.version != Version::V5 || reader.is_at_end() {
        return Ok((ReasonCode::Success, Properties::EMPTY));
    }
    let reason_code = reason_code(reader, packet_type)?;
    if reader.is_at_end() {
        return Ok((reason_code, Properties::EMPTY));
    }
    Ok((reason_code, properties::properties(reader, fields::PROPERTIES, Place::Packet(packet_type))?))
}

/// Reads the body of AUTH: nothing for a plain success, else reason code and properties, which
/// name the method (5.0 sections 3.15.2.1 and 3.15.2.2.2).
/// [V5 U-3.15.2.1-1, V5 U-3.15.2.2.2-1]
pub(super) fn auth<'a, T: Trace>(reader: &mut Reader<'a, '_, T>) -> Result<Auth<'a>, Fault> {
    if reader.version != Version::V5 {
        // Reported with the packet type; the rest has no meaning here.
        let offset = reader.at();
        let rest = reader.remaining();
        if !rest.is_empty() {
            reader.tell(fields::UNKNOWN, offset, rest.len(), Value::Bytes(rest));
        }
        return Ok(Auth { reason_code: ReasonCode::Success, properties: Properties::EMPTY });
    }
    if reader.is_at_end() {
        return Ok(Auth { reason_code: ReasonCode::Success, properties: Properties::EMPTY });
    }
    let reason_code = reason_code(reader, PacketType::Auth)?;
    let offset = reader.at();
    let properties = properties::properties(reader, fields::PROPERTIES, Place::Packet(PacketType::Auth))?;
    if properties.authentication_method().is_none() && properties.authentication_data().is_none() {
        reader.fault(FaultCode::MissingAuthenticationMethod, fields::PROPERTIES, offset, 0)?;
    }
    Ok(Auth { reason_code, properties })
}

/// Reads a reason code of 5.0 that this packet may have.
fn reason_code<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    packet_type: PacketType,
) -> Result<ReasonCode, Fault> {
    let byte = reader.byte(fields::REASON_CODE)?;
    match ReasonCode::from_u8(byte).filter(|code| code.allowed_in(packet_type)) {
        Some(reason_code) => Ok(reason_code),
        None => {
            reader.fault(FaultCode::UnknownReasonCode, fields::REASON_CODE, reader.at() - 1, 1)?;
            Ok(ReasonCode::Success)
        }
    }
}
