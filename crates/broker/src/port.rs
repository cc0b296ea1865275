//! The ports of the core: what a shard asks of the world around it.

use hexmq_wire::{Connect, ReasonCode, Version};

use crate::uplink::HandedUp;
use crate::{
    Batch, CloseReason, Condition, ConnId, Event, Fetch, Peer, Permit, Record, Refusal, SessionKey, ShardId,
    claim,
};

/// Everything a shard can do to the world. The driver of a shard implements it; calls return at
/// once and never call back into the shard.
pub trait Sink {
    /// The bytes on their way to this connection. Appending marks it for one write at the end of
    /// the turn.
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8>;
    /// The same, if fewer than so many bytes wait there.
    fn output_below(&mut self, conn: ConnId, bytes: usize) -> Option<&mut Vec<u8>> {
        if self.output_len(conn) >= bytes { None } else { Some(self.output(conn)) }
    }
    /// Bytes the kernel has not taken yet, those appended in this turn included.
    fn output_len(&self, conn: ConnId) -> usize;
    /// Close the network connection once the output is written, within a bounded time.
    /// The shard has forgotten `conn` when this is called and wants no `lost` for it.
    fn close(&mut self, conn: ConnId, reason: CloseReason);
    /// Read again from a connection after [`Flow::Pause`].
    fn resume(&mut self, conn: ConnId);
    /// What the framer of this connection holds of an unfinished packet.
    fn partial(&self, conn: ConnId) -> Partial;
    /// The batch that travels to another shard at the end of the turn.
    fn forward(&mut self, to: ShardId) -> &mut Batch;
    /// Whether the lane to that shard is full. The connection that feeds it is paused then, and
    /// the driver resumes it when the lane has room.
    fn congested(&self, to: ShardId) -> bool;
    /// The session a CONNECT asks for, as the driver has understood it when it brought the connection here;
    /// `None`: the server assigns the Client Identifier.
    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        claim(connect)
    }
    /// Who is this, and what may they do? `None`: the answer comes later, through
    /// [`Shard::answered`](crate::Shard::answered), and the connection is not read until then.
    fn ask(&mut self, hold: HoldId, question: Question<'_>) -> Option<Answer>;
    /// Durable state changes: the record goes into the commit of this turn. Never called for a shard that
    /// stores nothing, and neither are the next five.
    fn persist(&mut self, _record: &Record<'_>) {}
    /// A packet has been handled, and all of its records were given: a large commit may be handed over now.
    fn packet_ends(&mut self) {}
    /// Like [`Sink::output`], for what may leave only when the commit of this turn is safe. What is promised
    /// to one connection leaves in the order it was promised.
    fn promise(&mut self, conn: ConnId) -> &mut Vec<u8> {
        self.output(conn)
    }
    /// Whether something promised to this connection has not left yet.
    fn promised(&self, _conn: ConnId) -> bool {
        false
    }
    /// Nothing at all leaves this connection until the commit of this turn is safe.
    fn gate(&mut self, _conn: ConnId) {}
    /// Reads back from the store; the answer comes through [`Shard::fetched`](crate::Shard::fetched).
    fn fetch(&mut self, _fetch: Fetch) {}
    /// A message for the platform. It goes when the commit of this turn, and with it those before, is safe; at
    /// once for a shard that stores nothing. What is handed up goes in this order.
    fn hand_up(&mut self, _uplink: HandedUp) {}
    /// A message sent with [`Shard::downlink`](crate::Shard::downlink) under this token has been acknowledged
    /// by its receiver.
    fn acked(&mut self, _token: u64) {}
    /// From now on each packet for this connection travels in a TCP segment of its own, with so many
    /// milliseconds between them.
    fn pace(&mut self, _conn: ConnId, _gap_ms: u32) {}
    /// What the store can do now.
    fn condition(&self) -> Condition {
        Condition::Well
    }
    /// Something happened that a person, a log or a counter wants to know.
    fn tell(&mut self, event: Event<'_>);
}

/// What to do with a connection after one of its packets was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Hand over no further packet of this connection until [`Sink::resume`], or until the lane
    /// that is full has room again.
    Pause,
    /// The shard has closed it; nothing further is wanted.
    Closed,
}

/// An unfinished packet in a framer. Both numbers are bytes; `missing` is a lower bound while the
/// Remaining Length is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Bytes received of it.
    pub received: usize,
    /// Bytes still missing.
    pub missing: usize,
}

/// An open question: answers that come too late are recognised by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldId {
    /// The connection that waits.
    pub conn: ConnId,
    /// Counts the questions of a shard.
    pub serial: u32,
}

/// A question to whoever knows the users.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// A CONNECT without an Authentication Method. Answer: `Admit` or `Refuse`.
    WhoIs {
        /// The session that is asked for.
        key: &'a SessionKey,
        /// As sent, or as assigned by the server.
        client_identifier: &'a str,
        /// User Name.
        user_name: Option<&'a str>,
        /// Password.
        password: Option<&'a [u8]>,
        /// Protocol version.
        version: Version,
        /// Keep Alive of the CONNECT, in seconds; 0: none.
        keep_alive_s: u16,
        /// Where it comes from.
        peer: &'a Peer,
    },
    /// A step of an enhanced authentication (5.0 section 4.12).
    Authenticate {
        /// Which step.
        step: AuthStep,
        /// Authentication Method; the same in all steps of one exchange.
        method: &'a str,
        /// Authentication Data of this step.
        data: Option<&'a [u8]>,
        /// As sent, or as assigned by the server.
        client_identifier: &'a str,
        /// User Name of the CONNECT.
        user_name: Option<&'a str>,
        /// Where it comes from.
        peer: &'a Peer,
    },
}

/// The steps of an enhanced authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthStep {
    /// The CONNECT.
    Connect,
    /// AUTH 0x18 after a challenge.
    Continue,
    /// AUTH 0x19 on an established connection.
    Reauthenticate,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Let them in.
    Admit {
        /// What they may do.
        permit: Permit,
        /// Authentication Data for the CONNACK or the last AUTH.
        data: Option<Box<[u8]>>,
    },
    /// Send AUTH 0x18 with this data and wait for theirs.
    Challenge {
        /// Authentication Data.
        data: Box<[u8]>,
    },
    /// Keep them out.
    Refuse(Refusal),
}

impl Refusal {
    /// The reason code for the CONNACK; the wire crate turns it into a return code for 3.x.
    pub fn reason_code(self) -> ReasonCode {
        match self {
            Refusal::BadUserNameOrPassword => ReasonCode::BadUserNameOrPassword,
            Refusal::NotAuthorized | Refusal::AnonymousNotAllowed => ReasonCode::NotAuthorized,
            Refusal::ClientIdentifierNotValid => ReasonCode::ClientIdentifierNotValid,
            Refusal::UnsupportedProtocolVersion => ReasonCode::UnsupportedProtocolVersion,
            Refusal::ServerUnavailable | Refusal::ServerShuttingDown => ReasonCode::ServerUnavailable,
            Refusal::BadAuthenticationMethod => ReasonCode::BadAuthenticationMethod,
            Refusal::TopicNameInvalid => ReasonCode::TopicNameInvalid,
            Refusal::MalformedPacket => ReasonCode::MalformedPacket,
            Refusal::ProtocolError => ReasonCode::ProtocolError,
            Refusal::PacketTooLarge => ReasonCode::PacketTooLarge,
        }
    }
}
