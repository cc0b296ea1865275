//! Reason codes (5.0 section 2.4) in one table: number, name, packets, and the 3.x return codes.

use crate::PacketType;

/// One bit per packet type.
const fn types(packet_types: &[PacketType]) -> u16 {
    let mut mask = 0;
    let mut index = 0;
    while index < packet_types.len() {
        mask |= 1 << packet_types[index] as u8;
        index += 1;
    }
    mask
}

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, [$($packet:ident)*];)*) => {
        /// A reason code of 5.0. Codes below 0x80 are successes.
        ///
        /// In 3.x the Connect Return code maps to the code of the same meaning, see
        /// [`ReasonCode::from_return_code`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $($(#[$doc])* $variant = $number,)*
        }

        impl ReasonCode {
            /// All codes in the order of their numbers.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant,)*];

            /// The code with this number.
            #[inline]
            pub const fn from_u8(number: u8) -> Option<ReasonCode> {
                match number {
                    $($number => Some(ReasonCode::$variant),)*
                    _ => None,
                }
            }

            /// The standard's name. 0x00 has three; this is the one of acknowledgements.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ReasonCode::$variant => $name,)*
                }
            }

            const fn packet_types(self) -> u16 {
                match self {
                    $(ReasonCode::$variant => const { types(&[$(PacketType::$packet),*]) },)*
                }
            }
        }
    };
}

reason_codes! {
    /// Done; also Granted QoS 0 (SUBACK) and Normal disconnection (DISCONNECT).
    Success = 0x00, "Success", [Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth];
    /// The subscription is accepted with QoS 1 at most.
    GrantedQoS1 = 0x01, "Granted QoS 1", [Suback];
    /// The subscription is accepted with QoS 2 at most.
    GrantedQoS2 = 0x02, "Granted QoS 2", [Suback];
    /// The client goes and wants its Will Message published.
    DisconnectWithWillMessage = 0x04, "Disconnect with Will Message", [Disconnect];
    /// Accepted, but nobody subscribes to the topic.
    NoMatchingSubscribers = 0x10, "No matching subscribers", [Puback Pubrec];
    /// There was nothing to unsubscribe.
    NoSubscriptionExisted = 0x11, "No subscription existed", [Unsuback];
    /// One more step of the authentication exchange.
    ContinueAuthentication = 0x18, "Continue authentication", [Auth];
    /// The client starts a new authentication.
    ReAuthenticate = 0x19, "Re-authenticate", [Auth];
    /// The reason is not told or none of the others fits.
    UnspecifiedError = 0x80, "Unspecified error", [Connack Puback Pubrec Suback Unsuback Disconnect];
    /// The packet could not be parsed.
    MalformedPacket = 0x81, "Malformed Packet", [Connack Disconnect];
    /// The packet is not allowed, now or at all.
    ProtocolError = 0x82, "Protocol Error", [Connack Disconnect];
    /// Valid, but not accepted by this implementation.
    ImplementationSpecificError = 0x83, "Implementation specific error", [Connack Puback Pubrec Suback Unsuback Disconnect];
    /// The protocol version is not served.
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version", [Connack];
    /// The client identifier is valid but not allowed.
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid", [Connack];
    /// User name or password is not accepted.
    BadUserNameOrPassword = 0x86, "Bad User Name or Password", [Connack];
    /// Not allowed to do this.
    NotAuthorized = 0x87, "Not authorized", [Connack Puback Pubrec Suback Unsuback Disconnect];
    /// The server cannot serve now.
    ServerUnavailable = 0x88, "Server unavailable", [Connack];
    /// Try again later.
    ServerBusy = 0x89, "Server busy", [Connack Disconnect];
    /// Shut out by an administrator.
    Banned = 0x8A, "Banned", [Connack];
    /// The server stops.
    ServerShuttingDown = 0x8B, "Server shutting down", [Disconnect];
    /// The authentication method is not supported or not the current one.
    BadAuthenticationMethod = 0x8C, "Bad authentication method", [Connack Disconnect];
    /// Nothing came for one and a half times the Keep Alive.
    KeepAliveTimeout = 0x8D, "Keep Alive timeout", [Disconnect];
    /// Another connection took over the session.
    SessionTakenOver = 0x8E, "Session taken over", [Disconnect];
    /// The topic filter is well-formed but not accepted.
    TopicFilterInvalid = 0x8F, "Topic Filter invalid", [Suback Unsuback Disconnect];
    /// The topic name is well-formed but not accepted.
    TopicNameInvalid = 0x90, "Topic Name invalid", [Connack Puback Pubrec Disconnect];
    /// The Packet Identifier is used by something else.
    PacketIdentifierInUse = 0x91, "Packet Identifier in use", [Puback Pubrec Suback Unsuback];
    /// The Packet Identifier is not known.
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found", [Pubrel Pubcomp];
    /// More unacknowledged PUBLISHes than the Receive Maximum.
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded", [Disconnect];
    /// Topic Alias 0 or above the maximum.
    TopicAliasInvalid = 0x94, "Topic Alias invalid", [Disconnect];
    /// Larger than the Maximum Packet Size.
    PacketTooLarge = 0x95, "Packet too large", [Connack Disconnect];
    /// Too many messages in too short a time.
    MessageRateTooHigh = 0x96, "Message rate too high", [Disconnect];
    /// A limit of the implementation or the administrator is reached.
    QuotaExceeded = 0x97, "Quota exceeded", [Connack Puback Pubrec Suback Disconnect];
    /// Closed by an administrator.
    AdministrativeAction = 0x98, "Administrative action", [Disconnect];
    /// The payload is not what the Payload Format Indicator says.
    PayloadFormatInvalid = 0x99, "Payload format invalid", [Connack Puback Pubrec Disconnect];
    /// The server has no retained messages.
    RetainNotSupported = 0x9A, "Retain not supported", [Connack Disconnect];
    /// The QoS is above the Maximum QoS.
    QoSNotSupported = 0x9B, "QoS not supported", [Connack Disconnect];
    /// Use another server for now.
    UseAnotherServer = 0x9C, "Use another server", [Connack Disconnect];
    /// Use another server from now on.
    ServerMoved = 0x9D, "Server moved", [Connack Disconnect];
    /// The server has no shared subscriptions.
    SharedSubscriptionsNotSupported = 0x9E, "Shared Subscriptions not supported", [Suback Disconnect];
    /// Too many connections in too short a time.
    ConnectionRateExceeded = 0x9F, "Connection rate exceeded", [Connack Disconnect];
    /// The time allowed for this connection is over.
    MaximumConnectTime = 0xA0, "Maximum connect time", [Disconnect];
    /// The server has no Subscription Identifiers.
    SubscriptionIdentifiersNotSupported = 0xA1, "Subscription Identifiers not supported", [Suback Disconnect];
    /// The server has no wildcard subscriptions.
    WildcardSubscriptionsNotSupported = 0xA2, "Wildcard Subscriptions not supported", [Suback Disconnect];
}

#[allow(non_upper_case_globals, reason = "second names of 0x00, used like the variants")]
impl ReasonCode {
    /// 0x00 in a SUBACK.
    pub const GrantedQoS0: ReasonCode = ReasonCode::Success;
    /// 0x00 in a DISCONNECT.
    pub const NormalDisconnection: ReasonCode = ReasonCode::Success;
}

impl ReasonCode {
    /// The number on the wire.
    #[inline]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// Whether the code tells a failure (0x80 and above).
    /// [V5 U-2.4-1]
    #[inline]
    pub const fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// The standard's name where the packet decides it: 0x00 is "Granted QoS 0" in a SUBACK and
    /// "Normal disconnection" in a DISCONNECT.
    pub const fn name_in(self, packet_type: PacketType) -> &'static str {
        match (self, packet_type) {
            (ReasonCode::Success, PacketType::Suback) => "Granted QoS 0",
            (ReasonCode::Success, PacketType::Disconnect) => "Normal disconnection",
            _ => self.name(),
        }
    }

    /// Whether 5.0 knows the code in packets of this type.
    /// [V5 MQTT-3.2.2-8, V5 MQTT-3.4.2-1, V5 MQTT-3.5.2-1, V5 MQTT-3.6.2-1, V5 MQTT-3.7.2-1]
    /// [V5 MQTT-3.9.3-2, V5 MQTT-3.11.3-2, V5 MQTT-3.14.2-1, V5 MQTT-3.15.2-1]
    #[inline]
    pub const fn allowed_in(self, packet_type: PacketType) -> bool {
        self.packet_types() & (1 << packet_type as u8) != 0
    }

    /// The Connect Return code of 3.x (0 to 5) that says the same, or `None` where none fits: the
    /// server then closes without a CONNACK. [V4 MQTT-3.2.2-6]
    pub const fn return_code(self) -> Option<u8> {
        Some(match self {
            ReasonCode::Success => 0,
            ReasonCode::UnsupportedProtocolVersion => 1,
            ReasonCode::ClientIdentifierNotValid => 2,
            ReasonCode::ServerUnavailable
            | ReasonCode::ServerBusy
            | ReasonCode::QuotaExceeded
            | ReasonCode::UseAnotherServer
            | ReasonCode::ServerMoved
            | ReasonCode::ConnectionRateExceeded => 3,
            ReasonCode::BadUserNameOrPassword => 4,
            ReasonCode::NotAuthorized | ReasonCode::Banned | ReasonCode::BadAuthenticationMethod => 5,
            _ => return None,
        })
    }

    /// The reason code that says the same as a Connect Return code of 3.x.
    pub const fn from_return_code(return_code: u8) -> Option<ReasonCode> {
        Some(match return_code {
            0 => ReasonCode::Success,
            1 => ReasonCode::UnsupportedProtocolVersion,
            2 => ReasonCode::ClientIdentifierNotValid,
            3 => ReasonCode::ServerUnavailable,
            4 => ReasonCode::BadUserNameOrPassword,
            5 => ReasonCode::NotAuthorized,
            _ => return None,
        })
    }
}
