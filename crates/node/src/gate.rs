//! Accepting connections in the loop: in bounded batches, and with a pause when descriptors run
//! out.

use std::sync::atomic::Ordering::Relaxed;

use hexmq_broker::{Address, Lost, Peer};
use hexmq_session::Mono;
use hexmq_transport::{Accepted, Acceptor, Arrival, PeerAddress};

use crate::link::Link;
use crate::mailbox::Newcomer;
use crate::shard_loop::ShardLoop;
use crate::tap::Notice;

/// Connections accepted from one listener in one turn.
const ACCEPT_MAX: usize = 64;
/// Pause after running out of descriptors.
const PAUSE_MS: u64 = 1_000;

/// One hand's end of a listener.
pub(crate) struct Gate {
    pub(crate) acceptor: Acceptor,
    pub(crate) listener: u16,
    /// How peers without an address are shown: `unix:/path`.
    pub(crate) label: Box<str>,
    /// Somebody may be waiting.
    pub(crate) pending: bool,
    pub(crate) paused_until: Option<Mono>,
}

impl Gate {
    pub(crate) fn new(acceptor: Acceptor, listener: u16, label: Box<str>) -> Gate {
        Gate { acceptor, listener, label, pending: false, paused_until: None }
    }

    /// Whether there is something to do at once.
    pub(crate) fn wants_turn(&self) -> bool {
        self.pending && self.paused_until.is_none()
    }
}

impl ShardLoop {
    pub(crate) fn accept(&mut self, gates: &mut [Gate]) {
        for gate in gates {
            let was_paused = gate.paused_until.is_some();
            if gate.paused_until.is_some_and(|until| until <= self.links.now.mono) {
                gate.paused_until = None;
                gate.pending = true;
            }
            if gate.wants_turn() {
                self.accept_batch(gate, was_paused);
            }
        }
    }

    fn accept_batch(&mut self, gate: &mut Gate, was_paused: bool) {
        for n in 0..ACCEPT_MAX {
            let arrival = gate.acceptor.accept();
            if was_paused && n == 0 && !matches!(arrival, Arrival::Exhausted { .. }) {
                self.links.notice(&Notice::AcceptResumed);
            }
            match arrival {
                Arrival::Connection(accepted) => self.arrived(gate, accepted),
                Arrival::Nobody => {
                    gate.pending = false;
                    return;
                }
                Arrival::Failed(error) => self.links.notice(&Notice::AcceptFailed { error: &error }),
                Arrival::Exhausted { error, shed } => {
                    let notice = Notice::AcceptPaused { error: &error, shed, pause_ms: PAUSE_MS };
                    self.links.notice(&notice);
                    gate.paused_until = Some(self.links.now.mono.plus_ms(PAUSE_MS));
                    return;
                }
            }
        }
    }

    fn arrived(&mut self, gate: &Gate, accepted: Accepted) {
        if self.links.outside().connections.fetch_add(1, Relaxed) >= self.clients_max {
            self.count_out();
            self.links.notice(&Notice::ClientsFull { limit: self.clients_max });
            return;
        }
        let address = match accepted.peer {
            PeerAddress::Unix => Address::Other(Box::new(gate.label.clone())),
            PeerAddress::Tcp(address) => address.into(),
        };
        let loopback = accepted.peer.is_loopback();
        let peer = Peer { address, loopback, listener: gate.listener, secure: false };
        let mut newcomer = Newcomer { stream: accepted.stream, peer, bytes: Vec::new(), tape: None };
        if self.links.taping {
            newcomer.tape = self.links.tape_for(&newcomer.peer);
        }
        self.admit(newcomer, self.shards > 1);
    }

    /// Takes a connection in. `lobby`: it is not known yet where its session lives.
    pub(crate) fn admit(&mut self, newcomer: Newcomer, lobby: bool) {
        if self.stopping.is_some() {
            self.count_out();
            return;
        }
        let conn = self.shard.open(newcomer.peer, self.links.now);
        let mut link = Link::new(newcomer.stream, conn);
        link.flags.lobby = lobby;
        link.put_tape(newcomer.tape);
        // Most clients have spoken by now. What they said may show that the connection belongs
        // to another shard, or end it, before it costs a registration here.
        link.flags.unread = newcomer.bytes.is_empty() || link.stream.may_hold_input();
        self.links.insert(link);
        if newcomer.bytes.is_empty() {
            self.read_link(conn);
        } else if self.feed(conn, &newcomer.bytes) {
            // What a layer holds no edge will tell of.
            if self.links.get(conn).is_some_and(|link| link.flags.unread) {
                self.links.make_ready(conn);
            }
        }
        self.links.let_speak(conn);
        if let Err(error) = self.links.register_one(conn) {
            self.links.notice(&Notice::AcceptFailed { error: &error });
            self.lose(conn, Lost::Reset);
        }
    }
}
