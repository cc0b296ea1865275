//! What a client remembers: its session, which outlives connections, and its connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hexmq_wire::{Framer, PacketIdentifier, QoS};

use super::ledger::MessageId;
use super::plan::{Keeps, Spec};

#[derive(Debug)]
pub(super) struct Client {
    pub(super) spec: Spec,
    pub(super) stage: Stage,
    /// The session the server keeps, as the client believes: counts sessions.
    pub(super) epoch: u32,
    /// A clean start was asked for and not yet confirmed: what was kept is forgotten, so the next
    /// CONNECT has to ask for it too.
    pub(super) forgotten: bool,
    /// The server has begun a new session on this wire without being asked to, and the client does
    /// not know yet. If it never hears so it has to begin anew itself: no later CONNACK tells.
    pub(super) doubts: Option<usize>,
    /// QoS 1 and 2 messages on their way, in the order of sending.
    pub(super) outgoing: VecDeque<Outgoing>,
    /// QoS 2 identifiers taken over and not yet released.
    pub(super) taken: BTreeSet<PacketIdentifier>,
    next_identifier: u16,
    pub(super) requests: BTreeMap<PacketIdentifier, Request>,
    /// Numbers given to Subscription Identifiers.
    pub(super) identifiers: u32,
    /// Ends its session for good with the next CONNECT.
    pub(super) leaving: bool,
    pub(super) left: bool,
}

#[derive(Debug)]
pub(super) enum Stage {
    Idle,
    /// A connection that the client uses.
    Online(Box<Online>),
}

#[derive(Debug)]
pub(super) struct Online {
    pub(super) wire: usize,
    pub(super) framer: Framer,
    pub(super) clean_start: bool,
    /// What the server keeps when this connection ends.
    pub(super) keeps: Keeps,
    pub(super) accepted: bool,
    /// Sends and reads nothing any more.
    pub(super) hanging: bool,
    /// What the server takes unacknowledged at most.
    pub(super) receive_maximum: u16,
    pub(super) alias_maximum: u16,
    pub(super) aliases_out: Vec<String>,
    pub(super) aliases_in: BTreeMap<u16, String>,
    pub(super) maximum_packet_size: u32,
    /// PUBLISH packets received and not acknowledged.
    pub(super) owed: BTreeSet<PacketIdentifier>,
    /// Acknowledgements not yet sent, in order.
    pub(super) lazy: Vec<(Option<PacketIdentifier>, Vec<u8>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) identifier: PacketIdentifier,
    pub(super) message: MessageId,
    pub(super) qos: QoS,
    /// PUBREC came: only PUBREL is sent from here on.
    pub(super) released: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Request {
    /// The subscriptions asked for, by their place in the ledger.
    Subscribe(Vec<usize>),
    /// The subscriptions it ends.
    Unsubscribe(Vec<usize>),
}

impl Client {
    pub(super) fn new(spec: Spec) -> Client {
        Client {
            spec,
            stage: Stage::Idle,
            epoch: 0,
            forgotten: false,
            doubts: None,
            outgoing: VecDeque::new(),
            taken: BTreeSet::new(),
            next_identifier: 0,
            requests: BTreeMap::new(),
            identifiers: 0,
            leaving: false,
            left: false,
        }
    }

    pub(super) fn online(&mut self) -> Option<&mut Online> {
        match &mut self.stage {
            Stage::Online(online) => Some(online),
            Stage::Idle => None,
        }
    }

    /// The connection, once CONNACK has come and while the client is awake.
    pub(super) fn ready(&mut self) -> Option<&mut Online> {
        self.online().filter(|online| online.accepted && !online.hanging)
    }

    /// An identifier that neither a message nor a request uses.
    pub(super) fn identifier(&mut self) -> PacketIdentifier {
        loop {
            self.next_identifier = self.next_identifier.wrapping_add(1);
            if let Some(identifier) = PacketIdentifier::new(self.next_identifier)
                && !self.requests.contains_key(&identifier)
                && !self.outgoing.iter().any(|outgoing| outgoing.identifier == identifier)
            {
                return identifier;
            }
        }
    }
}
