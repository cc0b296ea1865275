//! The protocol versions.

/// An MQTT protocol version. The order is the order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Version {
    /// MQTT 3.1 (`MQIsdp`, level 3).
    V3 = 3,
    /// MQTT 3.1.1 (`MQTT`, level 4).
    V4 = 4,
    /// MQTT 5.0 (`MQTT`, level 5).
    V5 = 5,
}

impl Version {
    /// The Protocol Level (3.x) or Protocol Version (5.0) byte.
    #[inline]
    pub const fn level(self) -> u8 {
        self as u8
    }

    /// The version with this level byte.
    pub const fn from_level(level: u8) -> Option<Version> {
        match level {
            3 => Some(Version::V3),
            4 => Some(Version::V4),
            5 => Some(Version::V5),
            _ => None,
        }
    }

    /// The Protocol Name that goes with this version.
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Version::V3 => "MQIsdp",
            Version::V4 | Version::V5 => "MQTT",
        }
    }
}
