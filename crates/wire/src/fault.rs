//! What can be wrong with the bytes of a packet, in one table: a stable name, the statement of
//! 3.1.1 and of 5.0 that is broken, and the reason code that tells the other side.

use std::fmt;

use crate::{PacketType, ReasonCode, Version};

/// One broken rule, with its place. Offsets count bytes from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule.
    pub code: FaultCode,
    /// Whether the standard forbids it or it is merely unwise.
    pub severity: Severity,
    /// The protocol version the packet was read with.
    pub version: Version,
    /// The field, by the standard's name in snake_case.
    pub field: &'static str,
    /// First byte concerned.
    pub offset: usize,
    /// Bytes concerned; 0 for something that is missing at `offset`.
    pub length: usize,
    /// The normative statement id (`MQTT-3.8.1-1`) in the standard of `version`, where the rule
    /// has a number. It may be refined by packet type.
    pub statement: Option<&'static str>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Allowed, but will hurt.
    Warning,
    /// Breaks the standard.
    Fault,
}

impl Fault {
    /// The reason code to close with: Malformed Packet (0x81) or Protocol Error (0x82), or a
    /// more fitting one.
    pub fn reason_code(&self) -> ReasonCode {
        self.code.reason_code()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} at byte {})", self.code.about(), self.field, self.offset)?;
        match self.statement {
            Some(statement) => write!(f, " [{statement}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

macro_rules! fault_codes {
    ($($(#[$doc:meta])* $variant:ident $name:literal, $reason:ident, $v4:expr, $v5:expr, $about:literal;)*) => {
        /// A rule about the bytes of one packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FaultCode {
            $(
                $(#[$doc])*
                #[doc = concat!("`", $name, "`: ", $about, ".")]
                $variant,
            )*
        }

        impl FaultCode {
            /// All codes.
            pub const ALL: &'static [FaultCode] = &[$(FaultCode::$variant,)*];

            /// The stable name in snake_case.
            pub const fn name(self) -> &'static str {
                match self { $(FaultCode::$variant => $name,)* }
            }

            /// What is wrong, in a few English words.
            pub const fn about(self) -> &'static str {
                match self { $(FaultCode::$variant => $about,)* }
            }

            /// The reason code to close with.
            pub const fn reason_code(self) -> ReasonCode {
                match self { $(FaultCode::$variant => ReasonCode::$reason,)* }
            }

            /// The statement in the standard of `version` whatever the packet and the field.
            const fn general_statement(self, version: Version) -> Option<&'static str> {
                let (v4, v5): (Option<&'static str>, Option<&'static str>) = match self {
                    $(FaultCode::$variant => ($v4, $v5),)*
                };
                match version {
                    Version::V3 | Version::V4 => v4,
                    Version::V5 => v5,
                }
            }
        }
    };
}

// Columns: variant, name, reason code, statement of 3.1.1, statement of 5.0, words. Where the
// statement depends on packet or field, `refined_statement` below decides first.
fault_codes! {
    ReservedFlags "reserved_flags", MalformedPacket, Some("MQTT-2.2.2-1"), Some("MQTT-2.1.3-1"), "reserved bits of the first byte have another value";
    NonMinimalLength "non_minimal_length", MalformedPacket, None, Some("MQTT-1.5.5-1"), "a length is written with more bytes than it needs";
    RemainingLengthTooLong "remaining_length_too_long", MalformedPacket, None, None, "the Remaining Length has more than four bytes";
    Truncated "truncated", MalformedPacket, None, None, "the packet ends inside a field";
    TrailingBytes "trailing_bytes", MalformedPacket, None, None, "bytes are left over behind the last field";
    PacketTooLarge "packet_too_large", PacketTooLarge, None, Some("MQTT-3.2.2-15"), "the packet is larger than allowed";
    UnexpectedPacketType "unexpected_packet_type", MalformedPacket, None, None, "this version has no such packet type";
    WrongDirection "wrong_direction", ProtocolError, None, None, "the other side never sends this packet";
    InvalidUtf8 "invalid_utf8", MalformedPacket, Some("MQTT-1.5.3-1"), Some("MQTT-1.5.4-1"), "a string is not well-formed UTF-8";
    NulInUtf8 "nul_in_utf8", MalformedPacket, Some("MQTT-1.5.3-2"), Some("MQTT-1.5.4-2"), "a string contains U+0000";
    ControlCharacterInUtf8 "control_character_in_utf8", MalformedPacket, None, None, "a string contains a control character";
    NonCharacterInUtf8 "non_character_in_utf8", MalformedPacket, None, None, "a string contains a Unicode non-character";
    ProtocolName "protocol_name", UnsupportedProtocolVersion, Some("MQTT-3.1.2-1"), Some("MQTT-3.1.2-1"), "the protocol name is neither MQTT nor MQIsdp";
    ProtocolVersion "protocol_version", UnsupportedProtocolVersion, Some("MQTT-3.1.2-2"), Some("MQTT-3.1.2-2"), "the protocol version is unknown or does not fit the protocol name";
    ConnectFlagsReserved "connect_flags_reserved", MalformedPacket, Some("MQTT-3.1.2-3"), Some("MQTT-3.1.2-3"), "the reserved connect flag is set";
    WillFlagsWithoutWill "will_flags_without_will", MalformedPacket, Some("MQTT-3.1.2-11"), Some("MQTT-3.1.2-11"), "Will QoS or Will Retain is set without the Will Flag";
    WillQos "will_qos", MalformedPacket, Some("MQTT-3.1.2-14"), Some("MQTT-3.1.2-12"), "the Will QoS is 3";
    PasswordWithoutUserName "password_without_user_name", MalformedPacket, Some("MQTT-3.1.2-22"), None, "the Password Flag is set without the User Name Flag";
    ConnackFlagsReserved "connack_flags_reserved", MalformedPacket, None, Some("MQTT-3.2.2-1"), "reserved acknowledge flags are set";
    SessionPresentWithError "session_present_with_error", ProtocolError, Some("MQTT-3.2.2-4"), Some("MQTT-3.2.2-6"), "Session Present is set in a refusal";
    PacketIdentifierZero "packet_identifier_zero", ProtocolError, Some("MQTT-2.3.1-1"), Some("MQTT-2.2.1-3"), "the Packet Identifier is 0";
    MissingPacketIdentifier "missing_packet_identifier", MalformedPacket, Some("MQTT-2.3.1-1"), Some("MQTT-2.2.1-3"), "the Packet Identifier seems to be left out";
    InvalidQos "invalid_qos", MalformedPacket, Some("MQTT-3.3.1-4"), Some("MQTT-3.3.1-4"), "the QoS is 3";
    DupAtQos0 "dup_at_qos0", ProtocolError, Some("MQTT-3.3.1-2"), Some("MQTT-3.3.1-2"), "DUP is set at QoS 0";
    WildcardInTopicName "wildcard_in_topic_name", ProtocolError, Some("MQTT-3.3.2-2"), Some("MQTT-3.3.2-2"), "a topic name contains a wildcard";
    EmptyTopicName "empty_topic_name", ProtocolError, Some("MQTT-4.7.3-1"), Some("MQTT-4.7.3-1"), "a topic name is empty";
    EmptyPayload "empty_payload", ProtocolError, None, None, "the payload has no entry";
    SubscriptionOptionsReserved "subscription_options_reserved", MalformedPacket, Some("MQTT-3.8.3-4"), Some("MQTT-3.8.3-5"), "reserved bits of the subscription options are set";
    RequestedQos "requested_qos", ProtocolError, Some("MQTT-3.8.3-4"), None, "the requested QoS is 3";
    RetainHandling "retain_handling", ProtocolError, None, None, "the Retain Handling is 3";
    NoLocalOnShared "no_local_on_shared", ProtocolError, None, Some("MQTT-3.8.3-4"), "No Local is set on a shared subscription";
    UnknownReasonCode "unknown_reason_code", ProtocolError, None, None, "the code is not one of this packet's table";
    PropertyLength "property_length", MalformedPacket, None, None, "the Property Length does not fit";
    UnknownProperty "unknown_property", MalformedPacket, None, None, "there is no property with this identifier";
    PropertyNotAllowed "property_not_allowed", MalformedPacket, None, None, "the property does not belong into this packet";
    DuplicateProperty "duplicate_property", ProtocolError, None, None, "the property may occur only once";
    PropertyValue "property_value", ProtocolError, None, None, "the property has a value outside its range";
    TopicAliasZero "topic_alias_zero", TopicAliasInvalid, None, Some("MQTT-3.3.2-8"), "the Topic Alias is 0";
    AuthenticationDataWithoutMethod "authentication_data_without_method", ProtocolError, None, None, "there is Authentication Data but no Authentication Method";
    MissingAuthenticationMethod "missing_authentication_method", ProtocolError, None, None, "the Authentication Method is left out";
}

impl FaultCode {
    /// The code with this name.
    pub fn from_name(name: &str) -> Option<FaultCode> {
        FaultCode::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// Whether a packet of `version` with it breaks the standard.
    pub const fn severity(self, version: Version) -> Severity {
        match (self, version) {
            (FaultCode::ControlCharacterInUtf8 | FaultCode::NonCharacterInUtf8, _)
            | (FaultCode::NonMinimalLength, Version::V3 | Version::V4)
            // What 3.1.1 came to reserve 3.1 only calls unused.
            | (FaultCode::WillFlagsWithoutWill | FaultCode::DupAtQos0, Version::V3) => Severity::Warning,
            _ => Severity::Fault,
        }
    }

    /// The normative statement that is broken, where the rule has a number: in a packet of
    /// `packet_type`, at the field of this name. For 3.1 it is that of 3.1.1.
    pub fn statement(
        self,
        version: Version,
        packet_type: Option<PacketType>,
        field: &str,
    ) -> Option<&'static str> {
        let refined = packet_type.and_then(|packet_type| match version {
            Version::V3 | Version::V4 => self.refined_v4(packet_type, field),
            Version::V5 => self.refined_v5(packet_type, field),
        });
        refined.or(self.general_statement(version))
    }

    /// Statements of 3.1.1 that speak of one packet or field.
    fn refined_v4(self, packet_type: PacketType, field: &str) -> Option<&'static str> {
        use PacketType as P;
        Some(match (self, packet_type, field) {
            (FaultCode::ReservedFlags, P::Pubrel, _) => "MQTT-3.6.1-1",
            (FaultCode::ReservedFlags, P::Subscribe, _) => "MQTT-3.8.1-1",
            (FaultCode::ReservedFlags, P::Unsubscribe, _) => "MQTT-3.10.1-1",
            (FaultCode::ReservedFlags, P::Disconnect, _) => "MQTT-3.14.1-1",
            (FaultCode::Truncated, P::Connect, "client_identifier") => "MQTT-3.1.3-3",
            (FaultCode::Truncated, P::Connect, "will_topic" | "will_message") => "MQTT-3.1.2-9",
            (FaultCode::Truncated, P::Connect, "user_name") => "MQTT-3.1.2-19",
            (FaultCode::Truncated, P::Connect, "password") => "MQTT-3.1.2-21",
            (FaultCode::Truncated | FaultCode::TrailingBytes, P::Connect, _) => "MQTT-3.1.4-1",
            (FaultCode::WillFlagsWithoutWill, _, "will_qos") => "MQTT-3.1.2-13",
            (FaultCode::WillFlagsWithoutWill, _, "will_retain") => "MQTT-3.1.2-15",
            (FaultCode::PacketIdentifierZero, P::Puback | P::Pubrec | P::Pubrel | P::Pubcomp, _) => {
                "MQTT-2.3.1-6"
            }
            (FaultCode::PacketIdentifierZero, P::Suback | P::Unsuback, _) => "MQTT-2.3.1-7",
            (FaultCode::WildcardInTopicName, P::Connect, _) => "MQTT-4.7.1-1",
            (FaultCode::EmptyPayload, P::Subscribe, _) => "MQTT-3.8.3-3",
            (FaultCode::EmptyPayload, P::Unsubscribe, _) => "MQTT-3.10.3-2",
            (FaultCode::EmptyPayload, P::Suback, _) => "MQTT-3.8.4-5",
            (FaultCode::UnknownReasonCode, P::Suback, _) => "MQTT-3.9.3-2",
            _ => return None,
        })
    }

    /// Statements of 5.0 that speak of one packet or field.
    fn refined_v5(self, packet_type: PacketType, field: &str) -> Option<&'static str> {
        use PacketType as P;
        Some(match (self, packet_type, field) {
            (FaultCode::ReservedFlags, P::Pubrel, _) => "MQTT-3.6.1-1",
            (FaultCode::ReservedFlags, P::Subscribe, _) => "MQTT-3.8.1-1",
            (FaultCode::ReservedFlags, P::Unsubscribe, _) => "MQTT-3.10.1-1",
            (FaultCode::ReservedFlags, P::Disconnect, _) => "MQTT-3.14.1-1",
            (FaultCode::ReservedFlags, P::Auth, _) => "MQTT-3.15.1-1",
            (FaultCode::Truncated, P::Connect, "client_identifier") => "MQTT-3.1.3-3",
            (FaultCode::Truncated, P::Connect, "will_properties" | "will_topic" | "will_payload") => {
                "MQTT-3.1.2-9"
            }
            (FaultCode::Truncated, P::Connect, "user_name") => "MQTT-3.1.2-17",
            (FaultCode::Truncated, P::Connect, "password") => "MQTT-3.1.2-19",
            (FaultCode::Truncated | FaultCode::TrailingBytes, P::Connect, _) => "MQTT-3.1.4-1",
            (FaultCode::WillFlagsWithoutWill, _, "will_retain") => "MQTT-3.1.2-13",
            (FaultCode::PacketIdentifierZero, P::Puback | P::Pubrec | P::Pubrel | P::Pubcomp, _) => {
                "MQTT-2.2.1-5"
            }
            (FaultCode::PacketIdentifierZero, P::Suback | P::Unsuback, _) => "MQTT-2.2.1-6",
            (FaultCode::WildcardInTopicName, _, "response_topic") => "MQTT-3.3.2-14",
            (FaultCode::WildcardInTopicName, P::Connect, _) => "MQTT-4.7.0-1",
            (FaultCode::EmptyPayload, P::Subscribe, _) => "MQTT-3.8.3-2",
            (FaultCode::EmptyPayload, P::Unsubscribe, _) => "MQTT-3.10.3-2",
            (FaultCode::EmptyPayload, P::Suback, _) => "MQTT-3.8.4-6",
            (FaultCode::EmptyPayload, P::Unsuback, _) => "MQTT-3.11.3-2",
            (FaultCode::UnknownReasonCode, P::Connack, _) => "MQTT-3.2.2-8",
            (FaultCode::UnknownReasonCode, P::Puback, _) => "MQTT-3.4.2-1",
            (FaultCode::UnknownReasonCode, P::Pubrec, _) => "MQTT-3.5.2-1",
            (FaultCode::UnknownReasonCode, P::Pubrel, _) => "MQTT-3.6.2-1",
            (FaultCode::UnknownReasonCode, P::Pubcomp, _) => "MQTT-3.7.2-1",
            (FaultCode::UnknownReasonCode, P::Suback, _) => "MQTT-3.9.3-2",
            (FaultCode::UnknownReasonCode, P::Unsuback, _) => "MQTT-3.11.3-2",
            (FaultCode::UnknownReasonCode, P::Disconnect, _) => "MQTT-3.14.2-1",
            (FaultCode::UnknownReasonCode, P::Auth, _) => "MQTT-3.15.2-1",
            _ => return None,
        })
    }

    /// Whether a packet read in spite of it still means what its type promises.
    pub(crate) const fn leaves_packet_sound(self) -> bool {
        matches!(
            self,
            FaultCode::ReservedFlags
                | FaultCode::NonMinimalLength
                | FaultCode::TrailingBytes
                | FaultCode::ControlCharacterInUtf8
                | FaultCode::NonCharacterInUtf8
                | FaultCode::ConnectFlagsReserved
                | FaultCode::WillFlagsWithoutWill
                | FaultCode::PasswordWithoutUserName
                | FaultCode::ConnackFlagsReserved
                | FaultCode::SessionPresentWithError
                | FaultCode::DupAtQos0
                | FaultCode::SubscriptionOptionsReserved
                | FaultCode::NoLocalOnShared
        )
    }
}
