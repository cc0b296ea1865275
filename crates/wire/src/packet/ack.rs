//! PUBACK, PUBREC, PUBREL and PUBCOMP: four packets of one shape.

use crate::{PacketIdentifier, Properties, ReasonCode};

/// The body of PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ack<'a> {
    /// The identifier of the PUBLISH this answers.
    pub packet_identifier: PacketIdentifier,
    /// Always [`ReasonCode::Success`] in 3.x; left out on the wire where 5.0 allows it.
    pub reason_code: ReasonCode,
    /// 5.0: Reason String, User Property.
    pub properties: Properties<'a>,
}

impl Ack<'_> {
    /// A success without properties.
    pub const fn success(packet_identifier: PacketIdentifier) -> Ack<'static> {
        Ack { packet_identifier, reason_code: ReasonCode::Success, properties: Properties::EMPTY }
    }

    /// An answer with a reason code and without properties.
    pub const fn with_reason(packet_identifier: PacketIdentifier, reason_code: ReasonCode) -> Ack<'static> {
        Ack { packet_identifier, reason_code, properties: Properties::EMPTY }
    }
}
