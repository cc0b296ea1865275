//! What a shard tells: one stream of typed events. Log line, metric label and console text come
//! from the names here, which are stable.

use std::fmt;

use hexmq_wire::{Fault, PacketType, QoS, ReasonCode, Version};

use crate::{Namespace, Peer};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A human must act.
    Error,
    /// Something was lost or refused.
    Warn,
    /// Life cycle.
    Info,
    /// Per connection.
    Debug,
}

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }
        impl $name {
            /// Every value, for reference pages and metrics.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
            /// The stable name in snake_case.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.name()) }
        }
    };
}

reasons! {
    /// Why a CONNECT was refused.
    Refusal {
        /// Wrong user name or password (3.x code 4, 0x86).
        BadUserNameOrPassword = "bad_user_name_or_password",
        /// Credentials given, but not allowed (3.x code 5, 0x87).
        NotAuthorized = "not_authorized",
        /// No credentials, and anonymous clients are not allowed from there (5, 0x87).
        AnonymousNotAllowed = "anonymous_not_allowed",
        /// Client Identifier missing or not allowed (2, 0x85).
        ClientIdentifierNotValid = "client_identifier_not_valid",
        /// Protocol level the server does not speak (1, 0x84).
        UnsupportedProtocolVersion = "unsupported_protocol_version",
        /// The server cannot decide now (3, 0x88).
        ServerUnavailable = "server_unavailable",
        /// The server is stopping (3, 0x8B).
        ServerShuttingDown = "server_shutting_down",
        /// Unknown Authentication Method (0x8C).
        BadAuthenticationMethod = "bad_authentication_method",
        /// The Will Topic is not allowed (0x90).
        TopicNameInvalid = "topic_name_invalid",
        /// The CONNECT cannot be read (0x81).
        MalformedPacket = "malformed_packet",
        /// The CONNECT breaks a rule (0x82).
        ProtocolError = "protocol_error",
        /// The CONNECT is larger than the server takes (0x95).
        PacketTooLarge = "packet_too_large",
    }
}

reasons! {
    /// Why a network connection ended.
    CloseReason {
        /// The client sent DISCONNECT.
        ClientDisconnected = "client_disconnected",
        /// The client sent DISCONNECT 0x04 and wants its Will published.
        ClientDisconnectedWithWill = "client_disconnected_with_will",
        /// The client closed without DISCONNECT.
        ConnectionClosed = "connection_closed",
        /// The network failed.
        ConnectionReset = "connection_reset",
        /// Nothing was written for too long although bytes were waiting.
        WriteStalled = "write_stalled",
        /// TLS did not come about, or broke.
        TlsFailed = "tls_failed",
        /// The WebSocket handshake was refused, or a frame broke its rules.
        WebSocketFailed = "websocket_failed",
        /// Silence for one and a half times Keep Alive.
        KeepAliveTimeout = "keep_alive_timeout",
        /// No whole CONNECT in time.
        ConnectIncomplete = "connect_incomplete",
        /// The first packet was not a CONNECT.
        ConnectExpected = "connect_expected",
        /// CONNECT was refused.
        Refused = "refused",
        /// Another connection uses the Client Identifier.
        SessionTakenOver = "session_taken_over",
        /// A packet cannot be read.
        MalformedPacket = "malformed_packet",
        /// A packet breaks a rule.
        ProtocolError = "protocol_error",
        /// A packet is larger than allowed.
        PacketTooLarge = "packet_too_large",
        /// More unacknowledged messages than Receive Maximum.
        ReceiveMaximumExceeded = "receive_maximum_exceeded",
        /// A Topic Alias out of range.
        TopicAliasInvalid = "topic_alias_invalid",
        /// A topic name that is not allowed.
        TopicNameInvalid = "topic_name_invalid",
        /// Re-authentication failed.
        NotAuthorized = "not_authorized",
        /// The store could not keep what it sent for too long.
        StoreUnavailable = "store_unavailable",
        /// What it sent found no room among the messages for the platform for too long.
        UplinkQueueFull = "uplink_queue_full",
        /// An administrator closed it.
        AdministrativeAction = "administrative_action",
        /// The server stops.
        ServerShuttingDown = "server_shutting_down",
    }
}

reasons! {
    /// Why a message did not reach a session.
    DropReason {
        /// The session's queue was full; this was the oldest.
        QueueFull = "queue_full",
        /// The connection's write buffer was full and the message is QoS 0.
        WriteBufferFull = "write_buffer_full",
        /// Larger than the client's Maximum Packet Size.
        PacketTooLarge = "packet_too_large",
        /// Its Message Expiry Interval has passed.
        Expired = "expired",
        /// The session ended before it had the message, or had acknowledged it.
        SessionEnded = "session_ended",
        /// A QoS 0 message of a device found no room among those for the platform.
        UplinkQueueFull = "uplink_queue_full",
    }
}

reasons! {
    /// What a device does beside the standard that no decoder sees, and is served all the same.
    Quirk {
        /// A PUBREL that nobody awaits is taken for the PUBCOMP of the oldest QoS 2 delivery.
        PubrelAsPubcomp = "pubrel_as_pubcomp",
    }
}

/// Something that happened in a shard.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client is connected.
    Connected {
        /// Where from.
        peer: &'a Peer,
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier.
        client_identifier: &'a str,
        /// User Name.
        user_name: Option<&'a str>,
        /// Protocol version.
        version: Version,
        /// Clean Session or Clean Start.
        clean_start: bool,
        /// Seconds.
        keep_alive_s: u16,
        /// A stored session is resumed.
        session_present: bool,
    },
    /// A CONNECT was refused.
    Refused {
        /// Where from.
        peer: &'a Peer,
        /// Client Identifier, as far as it was read.
        client_identifier: Option<&'a str>,
        /// Why.
        refusal: Refusal,
        /// The rule that was broken, if one was.
        fault: Option<Fault>,
    },
    /// A connection ended.
    Disconnected {
        /// Where from.
        peer: &'a Peer,
        /// Whose client it is; that of plain clients before there is a session.
        namespace: Namespace,
        /// Client Identifier, once there is a session.
        client_identifier: Option<&'a str>,
        /// Protocol version, once there is a session.
        version: Option<Version>,
        /// Why.
        reason: CloseReason,
        /// The rule that was broken, if one was.
        fault: Option<Fault>,
    },
    /// A connection did not send a whole CONNECT in time.
    ConnectIncomplete {
        /// Where from.
        peer: &'a Peer,
        /// Bytes that came.
        received: usize,
        /// Bytes still missing (at least).
        missing: usize,
    },
    /// A rule was broken and the client is served all the same.
    ViolationSurvived {
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier.
        client_identifier: &'a str,
        /// What was broken.
        fault: Fault,
    },
    /// A device did something beside the standard and is served all the same; told once per connection.
    QuirkSurvived {
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier.
        client_identifier: &'a str,
        /// What.
        quirk: Quirk,
    },
    /// An acknowledgement for a Packet Identifier that is not in use.
    UnknownAcknowledgement {
        /// Client Identifier.
        client_identifier: &'a str,
        /// Which packet.
        packet: PacketType,
        /// The identifier.
        packet_identifier: u16,
    },
    /// A message is not published because the client may not.
    PublishDenied {
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier.
        client_identifier: &'a str,
        /// Topic name.
        topic: &'a str,
    },
    /// A subscription was refused.
    SubscriptionDenied {
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier.
        client_identifier: &'a str,
        /// Topic filter.
        filter: &'a str,
        /// What the SUBACK says (in 3.x it is 0x80).
        reason: ReasonCode,
    },
    /// A message did not reach a session. What a session leaves when it ends is told with its end.
    MessageDropped {
        /// Whose client it is.
        namespace: Namespace,
        /// Client Identifier of the session.
        client_identifier: &'a str,
        /// Topic name.
        topic: &'a str,
        /// QoS it would have had.
        qos: QoS,
        /// Why.
        reason: DropReason,
    },
    /// A message was not retained because the store is full.
    RetainedFull {
        /// Topic name.
        topic: &'a str,
        /// The bound.
        limit: u64,
    },
    /// A Will was published.
    WillPublished {
        /// Client Identifier.
        client_identifier: &'a str,
        /// Will Topic.
        topic: &'a str,
    },
    /// A session ended.
    SessionEnded {
        /// Whose client it was.
        namespace: Namespace,
        /// Client Identifier.
        client_identifier: &'a str,
        /// It had lived past its Session Expiry Interval.
        expired: bool,
        /// Messages that it had not been sent, or had not acknowledged with PUBACK or PUBREC, and nobody else gets.
        dropped: u64,
    },
}

impl Event<'_> {
    /// The stable name in snake_case.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Connected { .. } => "client_connected",
            Event::Refused { .. } => "client_refused",
            Event::Disconnected { .. } => "client_disconnected",
            Event::ConnectIncomplete { .. } => "connect_incomplete",
            Event::ViolationSurvived { .. } => "violation_survived",
            Event::QuirkSurvived { .. } => "quirk_survived",
            Event::UnknownAcknowledgement { .. } => "unknown_acknowledgement",
            Event::PublishDenied { .. } => "publish_denied",
            Event::SubscriptionDenied { .. } => "subscription_denied",
            Event::MessageDropped { .. } => "message_dropped",
            Event::RetainedFull { .. } => "retained_full",
            Event::WillPublished { .. } => "will_published",
            Event::SessionEnded { .. } => "session_ended",
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Event::Connected { .. }
            | Event::SessionEnded { dropped: 0, .. }
            | Event::WillPublished { .. }
            | Event::QuirkSurvived { .. } => Level::Debug,
            Event::Disconnected { reason: CloseReason::WriteStalled, .. } => Level::Warn,
            Event::Disconnected { fault: None, .. } => Level::Debug,
            _ => Level::Warn,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Event::Connected { peer, client_identifier, version, keep_alive_s, session_present, .. } => {
                write!(
                    f,
                    "{client_identifier:?} connected from {} (MQTT level {}, keep alive {keep_alive_s} s, session {})",
                    peer.address,
                    version.level(),
                    if session_present { "resumed" } else { "new" },
                )
            }
            Event::Refused { peer, client_identifier, refusal, fault } => {
                write!(f, "refused {}", peer.address)?;
                if let Some(id) = client_identifier {
                    write!(f, " ({id:?})")?;
                }
                write!(f, ": {refusal}")?;
                describe(f, fault)?;
                f.write_str(refusal.remedy())
            }
            Event::Disconnected { peer, client_identifier, reason, fault, .. } => {
                match client_identifier {
                    Some(id) => write!(f, "{id:?} at {} disconnected: {reason}", peer.address)?,
                    None => write!(f, "{} disconnected: {reason}", peer.address)?,
                }
                describe(f, fault)
            }
            Event::ConnectIncomplete { peer, received, missing } => write!(
                f,
                "{} sent no whole CONNECT in time: {received} bytes came, at least {missing} are missing",
                peer.address
            ),
            Event::ViolationSurvived { client_identifier, fault, .. } => {
                write!(f, "{client_identifier:?} is served although it breaks a rule")?;
                describe(f, Some(fault))
            }
            Event::QuirkSurvived { client_identifier, quirk, .. } => {
                write!(f, "{client_identifier:?} is served although it goes beside the standard: {quirk}")
            }
            Event::UnknownAcknowledgement { client_identifier, packet, packet_identifier } => write!(
                f,
                "{client_identifier:?} sent {} for packet identifier {packet_identifier}, which is not in use",
                packet.name()
            ),
            Event::PublishDenied { client_identifier, topic, .. } => {
                write!(f, "{client_identifier:?} may not publish to {topic:?}; the message is not delivered")
            }
            Event::SubscriptionDenied { client_identifier, filter, reason, .. } => {
                write!(f, "{client_identifier:?} may not subscribe to {filter:?}: {}", reason.name())
            }
            Event::MessageDropped { client_identifier, topic, qos, reason, .. } => {
                write!(
                    f,
                    "dropped for {client_identifier:?}: QoS {} message to {topic:?}: {reason}",
                    qos as u8
                )
            }
            Event::RetainedFull { topic, limit } => {
                write!(f, "not retained: {topic:?}; the limit of {limit} retained messages is reached")
            }
            Event::WillPublished { client_identifier, topic } => {
                write!(f, "the Will of {client_identifier:?} was published to {topic:?}")
            }
            Event::SessionEnded { client_identifier, expired, dropped, .. } => {
                let how = if expired { "expired" } else { "ended" };
                write!(f, "the session of {client_identifier:?} {how}")?;
                describe_left(f, dropped)
            }
        }
    }
}

impl Refusal {
    /// What to do about it, as the end of a sentence.
    fn remedy(self) -> &'static str {
        match self {
            Refusal::AnonymousNotAllowed => {
                "; it sent no credentials: give it a user ([[user]] in the configuration, hash from `hexmq user \
                 hash`) or start with --allow-anonymous"
            }
            Refusal::BadUserNameOrPassword => {
                "; compare its user name and password with [[user]] in the configuration, or ask `hexmq doctor` if \
                 it is a device"
            }
            _ => "",
        }
    }
}

/// Messages that an ended session leaves.
fn describe_left(f: &mut fmt::Formatter<'_>, dropped: u64) -> fmt::Result {
    match dropped {
        0 => Ok(()),
        1 => f.write_str("; a message that it had not acknowledged is dropped"),
        _ => write!(f, "; {dropped} messages that it had not acknowledged are dropped"),
    }
}

fn describe(f: &mut fmt::Formatter<'_>, fault: Option<Fault>) -> fmt::Result {
    match fault {
        Some(fault) => write!(f, ": {}: {fault}", fault.code.name()),
        None => Ok(()),
    }
}
