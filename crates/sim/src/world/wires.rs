//! The network: each connection is two pipes of bytes that arrive in pieces of any size, later
//! than they were sent, or not at all once it breaks.

use std::collections::{BTreeSet, VecDeque};

use hexmq_broker::ConnId;
use hexmq_wire::PacketIdentifier;

use super::plan::Keeps;
use super::random::Random;

/// One network connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) to_server: Pipe,
    pub(super) to_client: Pipe,
    pub(super) place: Place,
    /// Nothing gets through any more.
    pub(super) broken: bool,
    /// The client has closed its side: the server hears so once it has read the rest.
    pub(super) client_closed: bool,
    /// The server has: the client hears so once it has read the rest.
    pub(super) server_closed: bool,
    /// The client has stopped caring.
    pub(super) abandoned: bool,
    /// What the outside knows of it, for the verdicts.
    pub(super) story: Story,
}

/// Where the server's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not accepted yet.
    Nowhere,
    /// On its way from the shard that accepted it to its session's home.
    Moving,
    /// Served by a shard.
    At(usize, ConnId),
    /// Closed.
    Gone,
}

/// What can be seen from outside, at the server's end of the wire. Times are milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) accepted_at: Option<u64>,
    pub(super) ended_at: Option<u64>,
    /// A DISCONNECT that takes the Will back was read.
    pub(super) bye: bool,
    /// The last whole packet was read.
    pub(super) heard_at: u64,
    /// It was ever not read by the server's own doing.
    pub(super) was_paused: bool,
    /// The session of an earlier connection was not wanted.
    pub(super) clean_start: bool,
    /// First bytes the server sent.
    pub(super) head: Vec<u8>,
    pub(super) has_will: bool,
    /// The server held its answer back until the store had what it rests on.
    pub(super) gated_at: Option<u64>,
    /// What becomes of the session with its end.
    pub(super) keeps: Keeps,
    /// SUBSCRIBE and UNSUBSCRIBE packets that were handled while no message waited.
    pub(super) calm: BTreeSet<PacketIdentifier>,
}

impl Story {
    /// When the server let it in, whether or not it had said so by then.
    pub(super) fn entered_at(&self) -> Option<u64> {
        // A later SUBACK may have been held back as well.
        self.gated_at.into_iter().chain(self.accepted_at).min()
    }
}

/// Bytes in one direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    /// An arrival is scheduled.
    pub(super) scheduled: bool,
}

impl Pipe {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What arrives together: often all, sometimes a byte.
    pub(super) fn arrive(&mut self, random: &mut Random) -> Vec<u8> {
        let all = self.bytes.len();
        let count = match random.below(10) {
            0 => 1.min(all),
            1..=3 => random.between(1, all.max(1) as u64) as usize,
            _ => all,
        };
        self.bytes.drain(..count.min(all)).collect()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}

impl Wire {
    pub(super) fn new(client: usize) -> Wire {
        Wire {
            client,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            place: Place::Nowhere,
            broken: false,
            client_closed: false,
            server_closed: false,
            abandoned: false,
            story: Story::default(),
        }
    }
}
