//! The table of section 2.2.2.2: identifier, type, where a property may stand and how often.

use crate::PacketType;

/// The type of a property's value (section 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyType {
    /// One byte.
    Byte,
    /// Two bytes, big-endian.
    TwoByteInteger,
    /// Four bytes, big-endian.
    FourByteInteger,
    /// One to four bytes of seven bits.
    VariableByteInteger,
    /// UTF-8 Encoded String.
    Utf8String,
    /// Two-byte length and bytes.
    BinaryData,
    /// Two strings.
    Utf8StringPair,
}

/// Where properties stand: in a packet or in the will of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The variable header of a packet.
    Packet(PacketType),
    /// The Will Properties of a CONNECT.
    Will,
}

/// A set of [`Place`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u16);

impl Places {
    /// Everywhere where properties may stand.
    const ALL: Places = Places(!(1 << PacketType::Pingreq as u8 | 1 << PacketType::Pingresp as u8));

    const fn of(packet_types: &[PacketType], will: bool) -> Places {
        let mut mask = will as u16;
        let mut index = 0;
        while index < packet_types.len() {
            mask |= 1 << packet_types[index] as u8;
            index += 1;
        }
        Places(mask)
    }

    /// Whether `place` is in the set.
    #[inline]
    pub const fn contains(self, place: Place) -> bool {
        let bit = match place {
            // No packet has type 0, so its bit stands for the will.
            Place::Will => 0,
            Place::Packet(packet_type) => packet_type as u8,
        };
        self.0 & (1 << bit) != 0
    }
}

/// How often a property may stand in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once.
    Once,
    /// Any number of times.
    Many,
    /// Any number of times in PUBLISH, once elsewhere.
    ManyInPublish,
}

impl Repeat {
    /// Whether the property may be repeated in `place`.
    /// [V5 U-3.1.2.11.8-1, V5 U-3.1.3.2.8-1, V5 U-3.2.2.3.10-1, V5 U-3.3.2.3.7-1, V5 U-3.4.2.2.3-1]
    /// [V5 U-3.5.2.2.3-1, V5 U-3.6.2.2.3-1, V5 U-3.7.2.2.3-1, V5 U-3.8.2.1.3-1, V5 U-3.9.2.1.3-1]
    /// [V5 U-3.10.2.1.2-1, V5 U-3.11.2.1.3-1, V5 U-3.14.2.2.4-1, V5 U-3.15.2.2.5-1]
    #[inline]
    pub const fn allows_many(self, place: Place) -> bool {
        match self {
            Repeat::Once => false,
            Repeat::Many => true,
            Repeat::ManyInPublish => matches!(place, Place::Packet(PacketType::Publish)),
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyRow {
    /// Identifier.
    pub id: PropertyId,
    /// The standard's name in snake_case.
    pub name: &'static str,
    /// Type of the value.
    pub ty: PropertyType,
    /// Where it may stand.
    pub allowed: Places,
    /// How often.
    pub repeat: Repeat,
    /// Section of 5.0 that defines it (the first one where several do).
    pub section: &'static str,
}

macro_rules! properties {
    ($($variant:ident = $number:literal, $name:literal, $ty:ident, $places:expr, $repeat:ident, $section:literal;)*) => {
        /// The identifier of a property.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $(
                #[doc = concat!("`", $name, "`, section ", $section, ".")]
                $variant = $number,
            )*
        }

        impl PropertyId {
            /// The property with this identifier.
            #[inline]
            pub const fn from_u8(number: u8) -> Option<PropertyId> {
                match number {
                    $($number => Some(PropertyId::$variant),)*
                    _ => None,
                }
            }

            /// The row of the table.
            #[inline]
            pub const fn row(self) -> &'static PropertyRow {
                match self {
                    $(PropertyId::$variant => const { &PropertyRow {
                        id: PropertyId::$variant,
                        name: $name,
                        ty: PropertyType::$ty,
                        allowed: $places,
                        repeat: Repeat::$repeat,
                        section: $section,
                    } },)*
                }
            }
        }

        static ROWS: [PropertyRow; 27] = [$(*PropertyId::$variant.row(),)*];
    };
}

use PacketType::{Auth, Connack, Connect, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel};
use PacketType::{Suback, Subscribe, Unsuback};

const MESSAGE: Places = Places::of(&[Publish], true);
const CONNECT: Places = Places::of(&[Connect], false);
const CONNACK: Places = Places::of(&[Connack], false);
const BOTH_CONNECTS: Places = Places::of(&[Connect, Connack], false);
const AUTHENTICATION: Places = Places::of(&[Connect, Connack, Auth], false);
const ANSWERS: Places =
    Places::of(&[Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth], false);

properties! {
    PayloadFormatIndicator = 1, "payload_format_indicator", Byte, MESSAGE, Once, "3.3.2.3.2";
    MessageExpiryInterval = 2, "message_expiry_interval", FourByteInteger, MESSAGE, Once, "3.3.2.3.3";
    ContentType = 3, "content_type", Utf8String, MESSAGE, Once, "3.3.2.3.9";
    ResponseTopic = 8, "response_topic", Utf8String, MESSAGE, Once, "3.3.2.3.5";
    CorrelationData = 9, "correlation_data", BinaryData, MESSAGE, Once, "3.3.2.3.6";
    SubscriptionIdentifier = 11, "subscription_identifier", VariableByteInteger, Places::of(&[Publish, Subscribe], false), ManyInPublish, "3.8.2.1.2";
    SessionExpiryInterval = 17, "session_expiry_interval", FourByteInteger, Places::of(&[Connect, Connack, Disconnect], false), Once, "3.1.2.11.2";
    AssignedClientIdentifier = 18, "assigned_client_identifier", Utf8String, CONNACK, Once, "3.2.2.3.7";
    ServerKeepAlive = 19, "server_keep_alive", TwoByteInteger, CONNACK, Once, "3.2.2.3.14";
    AuthenticationMethod = 21, "authentication_method", Utf8String, AUTHENTICATION, Once, "3.1.2.11.9";
    AuthenticationData = 22, "authentication_data", BinaryData, AUTHENTICATION, Once, "3.1.2.11.10";
    RequestProblemInformation = 23, "request_problem_information", Byte, CONNECT, Once, "3.1.2.11.7";
    WillDelayInterval = 24, "will_delay_interval", FourByteInteger, Places::of(&[], true), Once, "3.1.3.2.2";
    RequestResponseInformation = 25, "request_response_information", Byte, CONNECT, Once, "3.1.2.11.6";
    ResponseInformation = 26, "response_information", Utf8String, CONNACK, Once, "3.2.2.3.15";
    ServerReference = 28, "server_reference", Utf8String, Places::of(&[Connack, Disconnect], false), Once, "3.2.2.3.16";
    ReasonString = 31, "reason_string", Utf8String, ANSWERS, Once, "3.2.2.3.9";
    ReceiveMaximum = 33, "receive_maximum", TwoByteInteger, BOTH_CONNECTS, Once, "3.1.2.11.3";
    TopicAliasMaximum = 34, "topic_alias_maximum", TwoByteInteger, BOTH_CONNECTS, Once, "3.1.2.11.5";
    TopicAlias = 35, "topic_alias", TwoByteInteger, Places::of(&[Publish], false), Once, "3.3.2.3.4";
    MaximumQoS = 36, "maximum_qos", Byte, CONNACK, Once, "3.2.2.3.4";
    RetainAvailable = 37, "retain_available", Byte, CONNACK, Once, "3.2.2.3.5";
    UserProperty = 38, "user_property", Utf8StringPair, Places::ALL, Many, "3.1.2.11.8";
    MaximumPacketSize = 39, "maximum_packet_size", FourByteInteger, BOTH_CONNECTS, Once, "3.1.2.11.4";
    WildcardSubscriptionAvailable = 40, "wildcard_subscription_available", Byte, CONNACK, Once, "3.2.2.3.11";
    SubscriptionIdentifierAvailable = 41, "subscription_identifier_available", Byte, CONNACK, Once, "3.2.2.3.12";
    SharedSubscriptionAvailable = 42, "shared_subscription_available", Byte, CONNACK, Once, "3.2.2.3.13";
}

/// The 27 properties in the order of their identifiers.
pub fn property_rows() -> &'static [PropertyRow; 27] {
    &ROWS
}

impl PropertyId {
    /// The property with this snake_case name.
    pub fn from_name(name: &str) -> Option<PropertyId> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.id)
    }

    /// The standard's name in snake_case.
    pub const fn name(self) -> &'static str {
        self.row().name
    }
}
