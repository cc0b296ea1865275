//! The fixed header (section 2.2 of 3.1.1, 2.1 of 5.0): packet type, flags and Remaining Length.

use crate::Version;

/// The largest Remaining Length: four bytes of seven bits.
pub const REMAINING_LENGTH_MAX: u32 = 268_435_455;

/// The type of a Control Packet: the upper four bits of the first byte. 0 is reserved and has
/// no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Client requests a connection.
    Connect = 1,
    /// Answer to CONNECT.
    Connack = 2,
    /// Application message.
    Publish = 3,
    /// Answer to a QoS 1 PUBLISH.
    Puback = 4,
    /// First answer to a QoS 2 PUBLISH.
    Pubrec = 5,
    /// Answer to PUBREC.
    Pubrel = 6,
    /// Answer to PUBREL.
    Pubcomp = 7,
    /// Request for subscriptions.
    Subscribe = 8,
    /// Answer to SUBSCRIBE.
    Suback = 9,
    /// Request to end subscriptions.
    Unsubscribe = 10,
    /// Answer to UNSUBSCRIBE.
    Unsuback = 11,
    /// Sign of life.
    Pingreq = 12,
    /// Answer to PINGREQ.
    Pingresp = 13,
    /// The last packet.
    Disconnect = 14,
    /// Authentication exchange; 5.0 only.
    Auth = 15,
}

impl PacketType {
    /// All types in the order of their numbers.
    pub const ALL: [PacketType; 15] = [
        PacketType::Connect,
        PacketType::Connack,
        PacketType::Publish,
        PacketType::Puback,
        PacketType::Pubrec,
        PacketType::Pubrel,
        PacketType::Pubcomp,
        PacketType::Subscribe,
        PacketType::Suback,
        PacketType::Unsubscribe,
        PacketType::Unsuback,
        PacketType::Pingreq,
        PacketType::Pingresp,
        PacketType::Disconnect,
        PacketType::Auth,
    ];

    /// The type with this number (1 to 15).
    /// [V5 U-2.1.2-1]
    #[inline]
    pub const fn from_u8(number: u8) -> Option<PacketType> {
        Some(match number {
            1 => PacketType::Connect,
            2 => PacketType::Connack,
            3 => PacketType::Publish,
            4 => PacketType::Puback,
            5 => PacketType::Pubrec,
            6 => PacketType::Pubrel,
            7 => PacketType::Pubcomp,
            8 => PacketType::Subscribe,
            9 => PacketType::Suback,
            10 => PacketType::Unsubscribe,
            11 => PacketType::Unsuback,
            12 => PacketType::Pingreq,
            13 => PacketType::Pingresp,
            14 => PacketType::Disconnect,
            15 => PacketType::Auth,
            _ => return None,
        })
    }

    /// The standard's name: `CONNECT`.
    pub const fn name(self) -> &'static str {
        match self {
            PacketType::Connect => "CONNECT",
            PacketType::Connack => "CONNACK",
            PacketType::Publish => "PUBLISH",
            PacketType::Puback => "PUBACK",
            PacketType::Pubrec => "PUBREC",
            PacketType::Pubrel => "PUBREL",
            PacketType::Pubcomp => "PUBCOMP",
            PacketType::Subscribe => "SUBSCRIBE",
            PacketType::Suback => "SUBACK",
            PacketType::Unsubscribe => "UNSUBSCRIBE",
            PacketType::Unsuback => "UNSUBACK",
            PacketType::Pingreq => "PINGREQ",
            PacketType::Pingresp => "PINGRESP",
            PacketType::Disconnect => "DISCONNECT",
            PacketType::Auth => "AUTH",
        }
    }

    /// The type with this name, in upper case as the standard writes it.
    pub fn from_name(name: &str) -> Option<PacketType> {
        PacketType::ALL.into_iter().find(|packet_type| packet_type.name() == name)
    }

    /// The value the lower four bits must have; `None` for PUBLISH, whose bits have a meaning.
    /// [V4 MQTT-2.2.2-1, V5 MQTT-2.1.3-1]
    #[inline]
    pub const fn reserved_flags(self) -> Option<u8> {
        match self {
            PacketType::Publish => None,
            PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => Some(0b0010),
            _ => Some(0),
        }
    }

    /// Whether this version has the type.
    pub const fn exists_in(self, version: Version) -> bool {
        !matches!(self, PacketType::Auth) || matches!(version, Version::V5)
    }
}

/// The fixed header of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedHeader {
    /// Packet type.
    pub packet_type: PacketType,
    /// The lower four bits of the first byte.
    pub flags: u8,
    /// Bytes after the fixed header.
    pub remaining_length: u32,
    /// Bytes of the fixed header itself: 2 to 5.
    pub size: u8,
}

/// What the bytes behind the first one say about the Remaining Length (or any other Variable
/// Byte Integer, section 1.5.5 of 5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariableByteInteger {
    /// A value and how many bytes it took (1 to 4).
    Value { value: u32, size: u8 },
    /// The bytes end before the value does.
    Incomplete,
    /// The fourth byte announces a fifth.
    TooLong,
}

/// Reads a Variable Byte Integer at the start of `bytes`.
/// [V5 U-1.5.5-1]
#[inline(always)]
pub(crate) fn read_variable_byte_integer(bytes: &[u8]) -> VariableByteInteger {
    let mut value = 0u32;
    for index in 0..4u8 {
        let Some(&byte) = bytes.get(usize::from(index)) else {
            return VariableByteInteger::Incomplete;
        };
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return VariableByteInteger::Value { value, size: index + 1 };
        }
    }
    VariableByteInteger::TooLong
}

/// Bytes of `value` as a Variable Byte Integer in its shortest form: 1 to 4. Values above
/// [`REMAINING_LENGTH_MAX`] have no encoding; they count as 4.
#[inline]
pub const fn remaining_length_size(value: u32) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// Appends `value` as a Variable Byte Integer in its shortest form [V5 MQTT-1.5.5-1]. Values
/// above [`REMAINING_LENGTH_MAX`] have no encoding and are written as that.
#[inline]
pub fn encode_remaining_length(value: u32, out: &mut Vec<u8>) {
    let mut rest = value.min(REMAINING_LENGTH_MAX);
    while rest > 0x7F {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
