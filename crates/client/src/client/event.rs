//! What the core tells: events of the conversation, and why it ended.

use std::fmt;

use hexmq_wire::{
    Connack, Disconnect, EncodeError, Fault, FrameError, PacketIdentifier, PacketType, Properties, Publish,
    QoS, ReasonCode, Suback, Unsuback,
};

/// Names a message published by this client, for as long as the client lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A message to publish.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Topic Name: without wildcards, 1 to 65,535 bytes.
    pub topic_name: &'a str,
    /// The application message.
    pub payload: &'a [u8],
    /// QoS.
    pub qos: QoS,
    /// RETAIN flag.
    pub retain: bool,
    /// 5.0 properties; ignored in 3.x.
    pub properties: Properties<'a>,
}

/// What a packet from the server means to the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// Nothing to tell: an intermediate step or a repetition.
    Nothing,
    /// CONNACK: the server accepted.
    Connected(Connack<'a>),
    /// CONNACK: the server refused and closes.
    Refused(Connack<'a>),
    /// A message. A Topic Alias is resolved already; QoS 2 repetitions are suppressed.
    Message(Publish<'a>),
    /// A message of QoS 1 or 2 is done: acknowledged, or refused with a code of 0x80 or above.
    Published {
        /// Which message.
        ticket: Ticket,
        /// The server's answer; in 3.x always success.
        reason_code: ReasonCode,
        /// 5.0: properties of the answer.
        properties: Properties<'a>,
    },
    /// A message that waited turned out to be more than the server takes, and was given up.
    GivenUp {
        /// Which message.
        ticket: Ticket,
        /// Why.
        error: PublishError,
    },
    /// SUBACK.
    Subscribed(Suback<'a>),
    /// UNSUBACK.
    Unsubscribed(Unsuback<'a>),
    /// 5.0: the server ends the connection and says why.
    Disconnected(Disconnect<'a>),
}

/// Why the core ends the connection. In 5.0 a DISCONNECT with [`Failure::reason_code`] has been
/// written before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// The server's bytes cannot be framed.
    Unframed(FrameError),
    /// A packet breaks the standard.
    Malformed(Fault),
    /// A packet that may not come now, or not from a server.
    Unexpected(PacketType),
    /// Problem Information that was not asked for. [V5 U-3.1.2.11.7-4]
    ProblemInformation(PacketType),
    /// A packet identifier is used for two things at once.
    Identifier(PacketIdentifier),
    /// A Topic Alias that was never set, or above our maximum.
    TopicAlias(u16),
    /// More QoS 2 messages than our Receive Maximum.
    ReceiveMaximumExceeded,
    /// No CONNACK in time.
    NoConnack,
    /// No PINGRESP within the Keep Alive.
    NoPingresp,
    /// The server asks for an authentication exchange nobody here knows.
    Authentication,
    /// The CONNECT does not fit its packet: a string is too long.
    Connect(EncodeError),
}

impl Failure {
    /// What a 5.0 DISCONNECT says about it. Codes that only CONNACK has, for what is read as a CONNECT or asked in
    /// an AUTH, are Protocol Errors here: a client gets neither after its own CONNECT.
    pub fn reason_code(&self) -> ReasonCode {
        let code = self.cause();
        if code.allowed_in(PacketType::Disconnect) { code } else { ReasonCode::ProtocolError }
    }

    fn cause(&self) -> ReasonCode {
        match self {
            Failure::Unframed(error) => error.reason_code(),
            Failure::Malformed(fault) => fault.reason_code(),
            Failure::Unexpected(_) | Failure::ProblemInformation(_) | Failure::Identifier(_) => {
                ReasonCode::ProtocolError
            }
            Failure::TopicAlias(_) => ReasonCode::TopicAliasInvalid,
            Failure::ReceiveMaximumExceeded => ReasonCode::ReceiveMaximumExceeded,
            Failure::NoConnack | Failure::NoPingresp => ReasonCode::UnspecifiedError,
            Failure::Authentication => ReasonCode::BadAuthenticationMethod,
            Failure::Connect(_) => ReasonCode::ImplementationSpecificError,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unframed(error) => write!(f, "the server sent {error}"),
            Failure::Malformed(fault) => {
                write!(
                    f,
                    "the server sent a packet that breaks the standard: {} at byte {}",
                    fault.code.name(),
                    fault.offset
                )?;
                fault.statement.map_or(Ok(()), |statement| write!(f, " [{statement}]"))
            }
            Failure::Unexpected(packet_type) => {
                write!(f, "the server sent {} where it may not", packet_type.name())
            }
            Failure::ProblemInformation(packet_type) => {
                write!(f, "the server sent problem information in {}, which was declined", packet_type.name())
            }
            Failure::Identifier(identifier) => {
                write!(f, "the server used packet identifier {identifier} for two things")
            }
            Failure::TopicAlias(alias) => {
                write!(f, "the server used topic alias {alias} that stands for nothing")
            }
            Failure::ReceiveMaximumExceeded => {
                f.write_str("the server sent more QoS 2 messages than allowed")
            }
            Failure::NoConnack => f.write_str("the server did not answer CONNECT in time"),
            Failure::NoPingresp => f.write_str("the server did not answer PINGREQ within the keep alive"),
            Failure::Authentication => {
                f.write_str("the server asks for an authentication exchange, which this client cannot do")
            }
            Failure::Connect(error) => write!(f, "the CONNECT cannot be sent: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Why a message is not published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PublishError {
    /// The topic name is empty, too long, or has a wildcard or U+0000.
    TopicName,
    /// As many messages wait as may.
    QueueFull,
    /// The PUBLISH is larger than the server takes. [V5 MQTT-3.2.2-15]
    PacketTooLarge {
        /// Bytes of the PUBLISH.
        size: u64,
        /// The server's Maximum Packet Size.
        maximum: u64,
    },
    /// The server takes less than this QoS. [V5 MQTT-3.2.2-11]
    QoSNotSupported {
        /// The server's Maximum QoS.
        maximum: QoS,
    },
    /// The server has no retained messages. [V5 MQTT-3.2.2-14]
    RetainNotSupported,
    /// The Topic Alias is above what the server takes. [V5 MQTT-3.2.2-17, V5 MQTT-3.2.2-18]
    TopicAliasInvalid {
        /// The server's Topic Alias Maximum.
        maximum: u16,
    },
    /// A Subscription Identifier is only for messages from the server. [V5 MQTT-3.3.4-6]
    SubscriptionIdentifier,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::TopicName => f.write_str("the topic name is empty, too long or has a wildcard"),
            PublishError::QueueFull => f.write_str("too many messages wait to be sent"),
            PublishError::PacketTooLarge { size, maximum } => {
                write!(f, "the packet has {size} bytes and the server takes {maximum}")
            }
            PublishError::QoSNotSupported { maximum } => {
                write!(f, "the server takes no QoS above {}", *maximum as u8)
            }
            PublishError::RetainNotSupported => f.write_str("the server has no retained messages"),
            PublishError::SubscriptionIdentifier => {
                f.write_str("a subscription identifier is only for messages from the server")
            }
            PublishError::TopicAliasInvalid { maximum: 0 } => {
                f.write_str("the server takes no topic aliases")
            }
            PublishError::TopicAliasInvalid { maximum } => {
                write!(f, "the server takes topic aliases from 1 to {maximum}")
            }
        }
    }
}

impl std::error::Error for PublishError {}

/// Why a SUBSCRIBE or UNSUBSCRIBE is not sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RequestError {
    /// There is no connection with a CONNACK.
    NotConnected,
    /// All packet identifiers are in use.
    NoIdentifier,
    /// The packet is larger than the server takes, or than any packet may be.
    PacketTooLarge,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RequestError::NotConnected => "not connected",
            RequestError::NoIdentifier => "all packet identifiers are in use",
            RequestError::PacketTooLarge => "the packet is larger than the server takes",
        })
    }
}

impl std::error::Error for RequestError {}
