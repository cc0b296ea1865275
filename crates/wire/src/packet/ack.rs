//! PUBACK, PUBREC, PUBREL and PUBCOMP: four packets of one shape.

use crate::{ControlPacket, PacketIdentifier, PacketType, Properties, ReasonCode};

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

/// One of the four that says nothing but its Packet Identifier, as nearly all of them do: a success, in the same four
/// bytes in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortAck {
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    pub packet_type: PacketType,
    /// The identifier of the PUBLISH this answers.
    pub packet_identifier: PacketIdentifier,
}

impl ShortAck {
    /// Bytes of the packet.
    pub const BYTES: u32 = 4;

    /// Reads a whole packet; `None` for whatever needs a closer look.
    #[inline]
    pub fn read(packet: &[u8]) -> Option<ShortAck> {
        let [first, 2, high, low] = *packet else { return None };
        let packet_type = match first {
            0x40 => PacketType::Puback,
            0x50 => PacketType::Pubrec,
            0x62 => PacketType::Pubrel,
            0x70 => PacketType::Pubcomp,
            _ => return None,
        };
        let packet_identifier = PacketIdentifier::new(u16::from_be_bytes([high, low]))?;
        Some(ShortAck { packet_type, packet_identifier })
    }

    /// The packet.
    #[inline]
    pub fn to_bytes(self) -> [u8; ShortAck::BYTES as usize] {
        let flags = self.packet_type.reserved_flags().unwrap_or(0);
        let [high, low] = self.packet_identifier.get().to_be_bytes();
        [(self.packet_type as u8) << 4 | flags, 2, high, low]
    }

    /// What it says.
    #[inline]
    pub const fn as_ack(self) -> Ack<'static> {
        Ack::success(self.packet_identifier)
    }
}

impl From<ShortAck> for ControlPacket<'static> {
    #[inline]
    fn from(short: ShortAck) -> ControlPacket<'static> {
        let ack = short.as_ack();
        match short.packet_type {
            PacketType::Pubrec => ControlPacket::Pubrec(ack),
            PacketType::Pubrel => ControlPacket::Pubrel(ack),
            PacketType::Pubcomp => ControlPacket::Pubcomp(ack),
            _ => ControlPacket::Puback(ack),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, Frame, Leniency, Severity, Trace, Verdict, Version, decode};

    /// Has every field read one by one.
    struct Closer;

    impl Trace for Closer {
        const FIELDS: bool = true;
        fn fault(&mut self, fault: Fault) -> Verdict {
            if fault.severity == Severity::Fault { Verdict::Stop } else { Verdict::GoOn }
        }
    }

    /// Every packet of four bytes: what is read at a glance is what the decoder reads field by field.
    #[test]
    fn a_glance_sees_what_the_decoder_sees() {
        for first in 0..=u8::MAX {
            for identifier in [0, 1, 0x0203, u16::MAX] {
                let [high, low] = identifier.to_be_bytes();
                let packet = [first, 2, high, low];
                let glance = ShortAck::read(&packet);
                if let Some(ack) = glance {
                    assert_eq!(ack.to_bytes(), packet);
                }
                for version in [Version::V3, Version::V4, Version::V5] {
                    let decoded = decode(Frame::new(&packet), version, &Leniency::default(), &mut Closer);
                    let (packet_type, ack) = match decoded {
                        Ok(ControlPacket::Puback(ack)) => (PacketType::Puback, ack),
                        Ok(ControlPacket::Pubrec(ack)) => (PacketType::Pubrec, ack),
                        Ok(ControlPacket::Pubrel(ack)) => (PacketType::Pubrel, ack),
                        Ok(ControlPacket::Pubcomp(ack)) => (PacketType::Pubcomp, ack),
                        _ => {
                            assert_eq!(glance, None, "{first:#x} {identifier}");
                            continue;
                        }
                    };
                    let seen = glance.map(|glance| (glance.packet_type, glance.as_ack()));
                    // The bits that are flags elsewhere 3.1 leaves alone: that takes the closer look.
                    let unusual = version == Version::V3 && glance.is_none();
                    assert!(seen == Some((packet_type, ack)) || unusual, "{first:#x} {identifier}");
                }
            }
        }
    }
}
