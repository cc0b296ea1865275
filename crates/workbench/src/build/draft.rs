//! The description of one packet.

use hexmq_wire::{PacketType, Version};

use super::property::DraftProperty;

/// A packet to be written. `None` and empty lists stand for what a right packet has there; every
/// other value is written as it is, whether the standard allows it or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The type.
    pub packet_type: PacketType,
    /// The version it is written in.
    pub version: Version,
    /// The lower four bits of the first byte.
    pub first_byte: FirstByte,
    /// CONNECT: Protocol Name.
    pub protocol_name: Option<Vec<u8>>,
    /// CONNECT: Protocol Version, the level byte.
    pub protocol_version: Option<u8>,
    /// CONNECT: flags that no other field decides.
    pub connect_flags: ConnectFlags,
    /// CONNECT: seconds.
    pub keep_alive: u16,
    /// CONNECT.
    pub client_identifier: Vec<u8>,
    /// CONNECT: the will, where one is written.
    pub will: Option<DraftWill>,
    /// CONNECT.
    pub user_name: Option<Vec<u8>>,
    /// CONNECT.
    pub password: Option<Vec<u8>>,
    /// CONNACK: Session Present.
    pub session_present: bool,
    /// CONNACK: bits 7 to 1 of the acknowledge flags as a number; in 3.1 the whole reserved byte.
    pub acknowledge_reserved: u8,
    /// CONNACK, acknowledgements, DISCONNECT, AUTH: the code as on the wire. Where 5.0 lets it be
    /// left out, `None` leaves it out.
    pub code: Option<u8>,
    /// `None`: 1 where the packet needs one.
    pub packet_identifier: Option<u16>,
    /// 5.0. Where the whole section may be left out, `None` leaves it out.
    pub properties: Option<Vec<DraftProperty>>,
    /// PUBLISH.
    pub topic_name: Vec<u8>,
    /// PUBLISH.
    pub payload: Vec<u8>,
    /// SUBSCRIBE.
    pub subscriptions: Vec<DraftSubscription>,
    /// UNSUBSCRIBE.
    pub topic_filters: Vec<Vec<u8>>,
    /// SUBACK, UNSUBACK: the codes as on the wire.
    pub codes: Vec<u8>,
    /// Bytes behind the last field.
    pub unknown: Vec<u8>,
}

/// The flags of the fixed header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstByte {
    /// PUBLISH: DUP.
    pub dup: bool,
    /// PUBLISH: QoS; 3 is written as it is.
    pub qos: u8,
    /// PUBLISH: RETAIN.
    pub retain: bool,
    /// Every other packet: the four bits; `None`: as the standard fixes them.
    pub reserved: Option<u8>,
}

/// The Connect Flags. Those left out say what the fields behind them are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectFlags {
    /// `None`: whether there is a user name.
    pub user_name_flag: Option<bool>,
    /// `None`: whether there is a password.
    pub password_flag: Option<bool>,
    /// `None`: whether there is a will.
    pub will_flag: Option<bool>,
    /// Will QoS; 3 is written as it is.
    pub will_qos: u8,
    /// Will Retain.
    pub will_retain: bool,
    /// Clean Session (3.x) or Clean Start (5.0).
    pub clean: bool,
    /// The lowest bit.
    pub reserved: bool,
}

/// The will of a CONNECT; its QoS and Retain are Connect Flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftWill {
    /// Will Topic.
    pub topic: Vec<u8>,
    /// Will Message (3.x) or Will Payload (5.0).
    pub payload: Vec<u8>,
    /// 5.0.
    pub properties: Vec<DraftProperty>,
}

/// One entry of a SUBSCRIBE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftSubscription {
    /// Topic Filter, `$share/…` included.
    pub topic_filter: Vec<u8>,
    /// Requested QoS (3.x) or Subscription Options (5.0), the byte as it is written.
    pub options: u8,
}

impl ConnectFlags {
    /// The flags of a whole byte; none is left to the fields.
    pub fn from_byte(byte: u8) -> ConnectFlags {
        let bit = |bit: u8| byte >> bit & 1 != 0;
        ConnectFlags {
            user_name_flag: Some(bit(7)),
            password_flag: Some(bit(6)),
            will_retain: bit(5),
            will_qos: byte >> 3 & 0b11,
            will_flag: Some(bit(2)),
            clean: bit(1),
            reserved: bit(0),
        }
    }
}

impl Draft {
    /// A packet with nothing in it: a CONNECT that asks for a clean session and a keep alive of
    /// 60 s, everything else as empty as it can be.
    pub fn new(packet_type: PacketType, version: Version) -> Draft {
        Draft {
            packet_type,
            version,
            first_byte: FirstByte::default(),
            protocol_name: None,
            protocol_version: None,
            connect_flags: ConnectFlags { clean: true, ..ConnectFlags::default() },
            keep_alive: 60,
            client_identifier: Vec::new(),
            will: None,
            user_name: None,
            password: None,
            session_present: false,
            acknowledge_reserved: 0,
            code: None,
            packet_identifier: None,
            properties: None,
            topic_name: Vec::new(),
            payload: Vec::new(),
            subscriptions: Vec::new(),
            topic_filters: Vec::new(),
            codes: Vec::new(),
            unknown: Vec::new(),
        }
    }
}
