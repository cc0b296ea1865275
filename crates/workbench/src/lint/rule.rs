//! The rules beyond the decoder's: their stable names and how bad it is to break them.

use hexmq_wire::{FaultCode, PacketType, Version};

use crate::Text;
use crate::explanation::Severity;
use crate::text::lint::rule_text;

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident $name:literal, $severity:ident, $v4:expr, $v5:expr;)*) => {
        /// A rule that the decoder does not know, since it is no question of form: what probably was
        /// meant, what will hurt, and what only several packets together show.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LintRule {
            $(
                $(#[$doc])*
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
        }

        impl LintRule {
            /// All rules.
            pub const ALL: &'static [LintRule] = &[$(LintRule::$variant,)*];

            /// The stable name in snake_case.
            pub const fn name(self) -> &'static str {
                match self { $(LintRule::$variant => $name,)* }
            }

            /// How bad it is to break it.
            pub const fn severity(self) -> Severity {
                match self { $(LintRule::$variant => Severity::$severity,)* }
            }

            /// The statement in the standard of `version` that is broken or was probably meant to be
            /// kept, where one has a number; for 3.1 it is that of 3.1.1.
            pub const fn statement(self, version: Version) -> Option<&'static str> {
                let (v4, v5): (Option<&'static str>, Option<&'static str>) = match self {
                    $(LintRule::$variant => ($v4, $v5),)*
                };
                match version {
                    Version::V3 | Version::V4 => v4,
                    Version::V5 => v5,
                }
            }
        }
    };
}

// Columns: variant, name, severity, statement of 3.1.1, statement of 5.0.
rules! {
    // One packet: which bytes were meant.
    MissingPacketIdentifier "missing_packet_identifier", Suspicion, Some("MQTT-2.3.1-1"), Some("MQTT-2.2.1-3");
    PacketIdentifierAtQos0 "packet_identifier_at_qos0", Suspicion, Some("MQTT-2.3.1-5"), Some("MQTT-2.2.1-2");
    LengthInDecimal "length_in_decimal", Suspicion, None, None;
    LengthInCharacters "length_in_characters", Suspicion, None, None;
    LengthInHexDigits "length_in_hex_digits", Suspicion, None, None;
    LengthCountsQosByte "length_counts_qos_byte", Suspicion, None, None;
    LengthCountsItself "length_counts_itself", Suspicion, None, None;
    LengthBytesSwapped "length_bytes_swapped", Suspicion, None, None;
    LengthNibblesSwapped "length_nibbles_swapped", Suspicion, None, None;
    LengthWrong "length_wrong", Suspicion, None, None;
    LengthMissing "length_missing", Suspicion, None, None;
    LengthDoubled "length_doubled", Suspicion, None, None;
    PayloadLengthPrefix "payload_length_prefix", Suspicion, None, None;
    RemainingLengthInDecimal "remaining_length_in_decimal", Suspicion, None, None;
    RemainingLengthInHexDigits "remaining_length_in_hex_digits", Suspicion, None, None;
    RemainingLengthCountsHeader "remaining_length_counts_header", Suspicion, None, None;
    RemainingLengthInCharacters "remaining_length_in_characters", Suspicion, None, None;
    RemainingLengthMissing "remaining_length_missing", Suspicion, None, None;
    RemainingLengthNotEncoded "remaining_length_not_encoded", Suspicion, None, None;
    RemainingLengthTooLarge "remaining_length_too_large", Suspicion, None, None;
    RemainingLengthTooSmall "remaining_length_too_small", Suspicion, None, None;
    QosByteMissing "qos_byte_missing", Suspicion, None, None;
    QosByteInUnsubscribe "qos_byte_in_unsubscribe", Suspicion, None, None;
    PropertyLengthMissing "property_length_missing", Suspicion, None, Some("MQTT-2.2.2-1");
    ConnectFieldsSwapped "connect_fields_swapped", Suspicion, None, None;
    ConnectFieldMissing "connect_field_missing", Suspicion, None, None;
    ConnectFieldExtra "connect_field_extra", Suspicion, None, None;
    ProtocolNameMangled "protocol_name_mangled", Suspicion, Some("MQTT-3.1.2-1"), Some("MQTT-3.1.2-1");
    ConnectFlagsUnfit "connect_flags_unfit", Suspicion, None, None;
    NibblesSwapped "nibbles_swapped", Suspicion, None, None;
    HexDigitsAsText "hex_digits_as_text", Suspicion, None, None;
    LineEndAppended "line_end_appended", Suspicion, None, None;
    SerialText "serial_text", Suspicion, None, None;
    ByteOrderMark "byte_order_mark", Suspicion, None, None;
    TrailingNul "trailing_nul", Suspicion, None, None;
    TrailingSpace "trailing_space", Suspicion, None, None;
    WrongSideContent "wrong_direction", Fault, None, None;
    // One packet: what is forbidden, and what will hurt.
    ClientIdentifierEmpty "client_identifier_empty", Fault, Some("MQTT-3.1.3-7"), None;
    ClientIdentifierLong "client_identifier_long", Warning, None, None;
    TopicFilterInvalid "topic_filter_invalid", Fault, Some("MQTT-4.7.1-2"), Some("MQTT-4.7.1-1");
    KeepAliveOff "keep_alive_off", Warning, None, None;
    KeepAliveTiny "keep_alive_tiny", Warning, None, None;
    RetainedCommand "retained_command", Warning, None, None;
    // Several packets.
    FirstPacketNotConnect "first_packet_not_connect", Fault, Some("MQTT-3.1.0-1"), Some("MQTT-3.1.0-1");
    SecondConnect "second_connect", Fault, Some("MQTT-3.1.0-2"), Some("MQTT-3.1.0-2");
    SecondConnack "second_connack", Fault, None, Some("MQTT-3.2.0-2");
    BeforeConnack "before_connack", Fault, Some("MQTT-3.2.0-1"), Some("MQTT-3.2.0-1");
    SentBeforeRefusal "sent_before_refusal", Warning, Some("MQTT-3.1.4-5"), Some("MQTT-3.1.4-6");
    AfterRefusal "after_refusal", Fault, Some("MQTT-3.2.2-5"), Some("MQTT-3.2.2-7");
    AfterDisconnect "after_disconnect", Fault, Some("MQTT-3.14.4-2"), Some("MQTT-3.14.4-1");
    SessionPresentAfterCleanSession "session_present_after_clean_session", Fault, Some("MQTT-3.2.2-1"), Some("MQTT-3.2.2-2");
    SessionPresentNeverKept "session_present_never_kept", Suspicion, Some("MQTT-3.2.2-3"), Some("MQTT-3.2.2-3");
    SessionLost "session_lost", Warning, Some("MQTT-3.2.2-2"), Some("MQTT-3.2.2-3");
    GrantedQosAboveRequested "granted_qos_above_requested", Suspicion, None, None;
    SubackCount "suback_count", Fault, Some("MQTT-3.8.4-5"), Some("MQTT-3.8.4-6");
    UnsubackCount "unsuback_count", Fault, None, Some("MQTT-3.11.3-2");
    AcknowledgementForNothing "acknowledgement_for_nothing", Fault, Some("MQTT-2.3.1-6"), Some("MQTT-2.2.1-5");
    AcknowledgementOfOtherKind "acknowledgement_of_other_kind", Fault, Some("MQTT-3.3.4-1"), Some("MQTT-3.3.4-1");
    AcknowledgementMissing "acknowledgement_missing", Warning, Some("MQTT-3.3.4-1"), Some("MQTT-3.3.4-1");
    Qos2OutOfOrder "qos_2_out_of_order", Fault, Some("MQTT-4.3.3-1"), Some("MQTT-4.3.3-4");
    PublishAfterPubrel "publish_after_pubrel", Fault, Some("MQTT-4.3.3-1"), Some("MQTT-4.3.3-6");
    PacketIdentifierInUse "packet_identifier_in_use", Fault, Some("MQTT-2.3.1-2"), Some("MQTT-2.2.1-3");
    DupMissing "dup_missing", Fault, Some("MQTT-3.3.1-1"), Some("MQTT-3.3.1-1");
    DupOnFirst "dup_on_first", Suspicion, None, None;
    RepeatedInConnection "repeated_in_connection", Fault, None, Some("MQTT-4.4.0-1");
    KeepAliveExceeded "keep_alive_exceeded", Fault, Some("MQTT-3.1.2-23"), Some("MQTT-3.1.2-20");
    PingreqUnanswered "pingreq_unanswered", Fault, Some("MQTT-3.12.4-1"), Some("MQTT-3.12.4-1");
    PingrespUnasked "pingresp_unasked", Suspicion, None, None;
    TopicAliasUnknown "topic_alias_unknown", Fault, None, None;
    TopicAliasAboveMaximum "topic_alias_above_maximum", Fault, None, Some("MQTT-3.3.2-9");
    ReceiveMaximumExceeded "receive_maximum_exceeded", Fault, None, Some("MQTT-3.3.4-7");
    MaximumPacketSizeExceeded "maximum_packet_size_exceeded", Fault, None, Some("MQTT-3.2.2-15");
    MaximumQosExceeded "maximum_qos_exceeded", Fault, None, Some("MQTT-3.2.2-11");
    RetainUnavailable "retain_unavailable", Fault, None, Some("MQTT-3.2.2-14");
    SubscriptionUnavailable "subscription_unavailable", Fault, None, None;
    SubscriptionIdentifierUnasked "subscription_identifier_unasked", Fault, None, None;
    AuthUnasked "auth_unasked", Fault, None, Some("MQTT-4.12.0-7");
    ReasonStringUnasked "reason_string_unasked", Fault, None, Some("MQTT-3.1.2-29");
    ResponseInformationUnasked "response_information_unasked", Fault, None, Some("MQTT-3.1.2-28");
    ClientIdentifierTwice "client_identifier_twice", Warning, Some("MQTT-3.1.4-2"), Some("MQTT-3.1.4-3");
}

impl LintRule {
    /// The rule with this name.
    pub fn from_name(name: &str) -> Option<LintRule> {
        LintRule::ALL.iter().copied().find(|rule| rule.name() == name)
    }

    /// The rule and the way out, for a person.
    pub fn text(self) -> Text {
        rule_text(self)
    }

    /// Whether only several packets together show it.
    pub fn is_of_dialogue(self) -> bool {
        self >= LintRule::FirstPacketNotConnect
    }
}

/// The statement about a missing identifier in a packet of this type: the decoder's own.
pub(super) fn missing_identifier(version: Version, packet_type: PacketType) -> Option<&'static str> {
    FaultCode::MissingPacketIdentifier.statement(version, Some(packet_type), "packet_identifier")
}
