//! What happens in a run, as the clients see it. The checker knows nothing else.

use std::fmt;

use hexmq_wire::QoS;

/// A client of the run, by its place in the list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub(crate) u16);

/// A message: who published it and its number there, from 0 without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageId {
    pub(crate) publisher: ClientId,
    pub(crate) number: u32,
}

/// How long the server keeps a session after its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// No longer than the connection.
    Nothing,
    /// So many milliseconds.
    ForMs(u64),
    Forever,
}

/// The Will of a connection: its number among those of the client, and its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WillTerms {
    pub(crate) number: u32,
    pub(crate) delay_ms: u64,
}

/// A PUBLISH from the server, with what its payload says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival<'a> {
    pub(crate) topic: &'a str,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// `None`: an empty payload, which clears a retained message and is nothing else.
    pub(crate) message: Option<MessageId>,
    /// Whether the message is a Will.
    pub(crate) is_will: bool,
}

/// One thing that happens. What is "sent" has been handed to the network; what is not "sent" has come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// The server is ready to serve.
    Ready,
    /// The server was killed: every connection is lost at this moment.
    Killed,
    ConnectSent {
        client: ClientId,
        clean_start: bool,
        keeps: Keeps,
        will: Option<WillTerms>,
    },
    Connack {
        client: ClientId,
        session_present: bool,
    },
    /// The connection is gone; said once for each connection, unless the server was killed.
    Lost {
        client: ClientId,
    },
    /// An orderly end; with `ends_session` it takes the session along.
    DisconnectSent {
        client: ClientId,
        ends_session: bool,
    },
    SubscribeSent {
        client: ClientId,
        filter: &'a str,
        qos: QoS,
    },
    Suback {
        client: ClientId,
        filter: &'a str,
    },
    UnsubscribeSent {
        client: ClientId,
        filter: &'a str,
    },
    Unsuback {
        client: ClientId,
        filter: &'a str,
    },
    /// The first PUBLISH of a message; repetitions are not told.
    PublishSent {
        message: MessageId,
        topic: &'a str,
        qos: QoS,
        retain: bool,
        clears: bool,
    },
    /// PUBACK or PUBREC came: the server answers for the message.
    Acknowledged {
        message: MessageId,
    },
    /// PUBACK or PUBREC came with an error: the server does not answer for it.
    Refused {
        message: MessageId,
    },
    /// A QoS 1 or 2 message whose session was lost is published anew, as a new message to the server.
    PublishedAnew {
        message: MessageId,
    },
    /// A message reached the application; QoS 2 repetitions were taken out.
    Delivered {
        client: ClientId,
        arrival: Arrival<'a>,
    },
    /// A client got what the standard does not allow at this point.
    Nonsense {
        client: ClientId,
        what: &'a str,
    },
}

/// What was promised and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Broken {
    /// An acknowledged message did not reach a session that was entitled to it.
    Lost,
    /// A QoS 2 message came more than once.
    Twice,
    /// A message came before an older one of the same publisher, topic and QoS.
    Order,
    /// It came with another QoS than publisher and subscription agree on.
    WrongQoS,
    /// Nobody published this, or not so.
    Invented,
    /// Published after UNSUBACK, delivered all the same.
    AfterUnsuback,
    /// It was for a session that has ended.
    DiscardedSession,
    /// Acknowledged before the SUBSCRIBE was sent, delivered all the same.
    BeforeSubscription,
    /// A session that must be there was not.
    SessionLost,
    /// A session that must not be there was.
    SessionRisen,
    /// A retained message older than one that was acknowledged.
    RetainedOld,
    /// A retained message that must be there was not.
    RetainedLost,
    /// A Will that was due did not come.
    WillLost,
    /// A Will came before its time, or though the client had come back in time.
    WillWrong,
    /// A packet that breaks the protocol.
    Protocol,
}

impl Broken {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Broken::Lost => "message lost",
            Broken::Twice => "QoS 2 message twice",
            Broken::Order => "order",
            Broken::WrongQoS => "wrong QoS",
            Broken::Invented => "message nobody sent",
            Broken::AfterUnsuback => "message after UNSUBACK",
            Broken::DiscardedSession => "message of a discarded session",
            Broken::BeforeSubscription => "message older than the subscription",
            Broken::SessionLost => "session lost",
            Broken::SessionRisen => "session risen from the dead",
            Broken::RetainedOld => "retained message too old",
            Broken::RetainedLost => "retained message lost",
            Broken::WillLost => "Will lost",
            Broken::WillWrong => "Will at a wrong time",
            Broken::Protocol => "protocol",
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) at_ms: u64,
    pub(crate) broken: Broken,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} ms  {}: {}", self.at_ms, self.broken.name(), self.what)
    }
}
