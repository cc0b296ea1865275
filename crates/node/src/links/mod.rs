//! The connections of one shard, and the [`Sink`](hexmq_broker::Sink) its core writes to.
//!
//! Output is appended to a connection's buffer and written once at the end of the turn, or
//! earlier if a turn produces very much of it. Buffers of connections that have nothing to say
//! go back to a pool.

mod sink;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hexmq_broker::{Batch, ConnId, HandedUp, Peer, ShardId, Sink};
use hexmq_session::{Mono, Now};
use mio::Registry;

use crate::authority::{Authority, Desk};
use crate::commits::Commits;
use crate::link::{Flushed, Link};
use crate::mailbox::{Mailbox, Newcomer};
use crate::pool::Pool;
use crate::table::Table;
use crate::tap::{Notice, Tap};
use crate::upstairs::Upstairs;
use crate::witness::Witness;

/// A closing connection may take so long to accept its last bytes.
pub(crate) const LINGER_MS: u64 = 5_000;

/// The connections of a shard.
pub(crate) struct Links {
    pub(crate) me: ShardId,
    pub(crate) now: Now,
    table: Table,
    /// To be written at the end of the turn.
    pub(crate) dirty: Vec<ConnId>,
    /// To be read in the next round.
    pub(crate) ready: Vec<ConnId>,
    /// Waiting for the kernel to take more.
    pub(crate) watched: Vec<ConnId>,
    /// Their next packet waits for its time.
    paced: BinaryHeap<Reverse<(Mono, ConnId)>>,
    /// Output fell under the low mark.
    pub(crate) drained: Vec<ConnId>,
    /// Writing failed; the core does not know yet.
    pub(crate) broken: Vec<ConnId>,
    /// Paused because a lane is full.
    pub(crate) lane_waiters: Vec<ConnId>,
    /// Closed by the core, with their last bytes still to be written.
    departing: Vec<Link>,
    /// Those that the kernel has not taken yet, and until when they may stay.
    pub(crate) lingering: Vec<(Link, Mono)>,
    pub(crate) lanes: Box<[OutLane]>,
    pool: Pool,
    /// Where output for a connection that is gone ends.
    void: Vec<u8>,
    low_mark: usize,
    /// For a server with a store.
    pub(crate) commits: Option<Box<Commits>>,
    /// Messages for the platform that are safe.
    uplinks: Vec<HandedUp>,
    /// Somebody may want connections recorded: they are to be asked about.
    pub(crate) taping: bool,
    pub(crate) witness: Witness,
    pub(crate) outside: Outside,
}

/// What the links know of the world beyond their shard.
pub(crate) struct Outside {
    pub(crate) tap: Arc<dyn Tap>,
    pub(crate) authority: Arc<dyn Authority>,
    pub(crate) upstairs: Option<Arc<dyn Upstairs>>,
    pub(crate) desk: Desk,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) registry: Registry,
    /// Connections of the whole server.
    pub(crate) connections: Arc<AtomicUsize>,
}

/// What waits for the end of the turn to travel to another shard.
#[derive(Default)]
pub(crate) struct OutLane {
    pub(crate) batch: Batch,
    pub(crate) newcomers: Vec<Newcomer>,
    /// The lane refused the batch.
    pub(crate) full: bool,
}

impl Links {
    pub(crate) fn new(me: ShardId, shards: u16, low_mark: usize, now: Now, outside: Outside) -> Links {
        Links {
            me,
            now,
            table: Table::default(),
            dirty: Vec::new(),
            ready: Vec::new(),
            watched: Vec::new(),
            paced: BinaryHeap::new(),
            drained: Vec::new(),
            broken: Vec::new(),
            lane_waiters: Vec::new(),
            departing: Vec::new(),
            lingering: Vec::new(),
            lanes: (0..shards).map(|_| OutLane::default()).collect(),
            pool: Pool::default(),
            void: Vec::new(),
            low_mark,
            commits: None,
            uplinks: Vec::new(),
            taping: false,
            witness: Witness::default(),
            outside,
        }
    }

    pub(crate) fn set_low_mark(&mut self, low_mark: usize) {
        self.low_mark = low_mark;
    }

    pub(crate) fn notice(&self, notice: &Notice<'_>) {
        self.outside.tap.notice(self.me, notice);
    }

    #[inline]
    pub(crate) fn get(&self, conn: ConnId) -> Option<&Link> {
        self.table.get(conn)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.table.get_mut(conn)
    }

    /// What is in a slot, whoever it is.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&Link> {
        self.table.at(slot)
    }

    /// One of them, and where it is registered.
    pub(crate) fn one_mut(&mut self, conn: ConnId) -> (Option<&mut Link>, &Registry) {
        (self.table.get_mut(conn), &self.outside.registry)
    }

    /// All whose descriptors are open between two turns, and where they are registered.
    pub(crate) fn all_mut(&mut self) -> (impl Iterator<Item = &mut Link>, &Registry) {
        let lingering = self.lingering.iter_mut().map(|(link, _)| link);
        (self.table.iter_mut().chain(lingering), &self.outside.registry)
    }

    /// Puts a connection in the table. Its descriptor is registered by then.
    pub(crate) fn insert(&mut self, link: Link) {
        self.table.insert(link);
    }

    /// Takes a connection out of the table.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Link> {
        self.table.remove(conn)
    }

    /// Marks a connection to be read in the next round.
    pub(crate) fn make_ready(&mut self, conn: ConnId) {
        let Some(link) = self.get_mut(conn) else { return };
        if !link.flags.ready {
            link.flags.ready = true;
            self.ready.push(conn);
        }
    }

    /// The kernel can take more of a connection's output.
    pub(crate) fn writable(&mut self, conn: ConnId) {
        let Some(link) = self.get_mut(conn) else { return };
        if link.flags.blocked {
            link.flags.blocked = false;
            if !link.flags.dirty {
                link.flags.dirty = true;
                self.dirty.push(conn);
            }
        }
    }

    /// Writes what a connection has to say.
    pub(crate) fn flush(&mut self, conn: ConnId) {
        let (low_mark, now) = (self.low_mark, self.now.mono);
        let Some(link) = self.get_mut(conn) else { return };
        link.flags.dirty = false;
        if link.flags.gated {
            return;
        }
        link.flags.high |= link.pending() >= low_mark;
        // A full kernel tells when it has room: asking before would only cost a call.
        let flushed = if link.flags.blocked { Flushed::Some } else { link.flush(now) };
        let drained = link.flags.high && link.pending() < low_mark;
        if drained {
            link.flags.high = false;
        }
        match flushed {
            Flushed::All => {
                if let Some(outbox) = link.outbox.take() {
                    self.pool.put(outbox);
                }
            }
            Flushed::Some if !link.flags.watched => {
                link.flags.watched = true;
                self.watched.push(conn);
            }
            Flushed::Some => {}
            Flushed::Later(when) => {
                if !std::mem::replace(&mut link.flags.pacing, true) {
                    self.paced.push(Reverse((when, conn)));
                }
            }
            Flushed::Broken => self.broken.push(conn),
        }
        if drained {
            self.drained.push(conn);
        }
    }

    /// When the next packet of those that go one by one is due.
    pub(crate) fn next_packet(&self) -> Option<Mono> {
        self.paced.peek().map(|Reverse((when, _))| *when)
    }

    /// Marks those whose next packet is due to be written.
    pub(crate) fn flush_due_packets(&mut self) {
        let now = self.now.mono;
        while self.next_packet().is_some_and(|when| when <= now) {
            let Some(Reverse((_, conn))) = self.paced.pop() else { return };
            let Some(link) = self.get_mut(conn) else { continue };
            link.flags.pacing = false;
            if !std::mem::replace(&mut link.flags.dirty, true) {
                self.dirty.push(conn);
            }
        }
    }

    /// Lets go of a connection after a last try to write what it has to say. `linger`: it may
    /// stay a while if the kernel is full.
    pub(crate) fn dismiss(&mut self, mut link: Link, linger: bool) {
        link.unpace();
        if link.flush(self.now.mono) == Flushed::Some && linger {
            self.lingering.push((link, self.now.mono.plus_ms(LINGER_MS)));
            return;
        }
        self.let_go(link);
    }

    /// The end of a connection's descriptor.
    pub(crate) fn let_go(&mut self, mut link: Link) {
        // Whoever sees the connection end finds its end recorded.
        drop(link.take_tape());
        // Unread bytes would turn the close into a reset, and a reset takes from the peer what
        // it has not read yet: say that nothing more comes, and read what is there.
        let says_goodbye = link.flags.goodbye || link.stream.has_layers();
        if says_goodbye && !link.flags.broken && link.stream.shutdown_write().is_ok() {
            link.discard();
        }
        self.outside.connections.fetch_sub(1, Relaxed);
    }

    /// Writes the last bytes of the connections the core has closed.
    pub(crate) fn flush_departing(&mut self) {
        if self.departing.is_empty() {
            return;
        }
        for link in std::mem::take(&mut self.departing) {
            self.dismiss(link, true);
        }
    }

    /// A connection that lingers can be written to, or its time is up.
    pub(crate) fn flush_lingering(&mut self) {
        let now = self.now.mono;
        for (mut link, deadline) in std::mem::take(&mut self.lingering) {
            if now < deadline && link.flush(now) == Flushed::Some {
                self.lingering.push((link, deadline));
            } else {
                self.let_go(link);
            }
        }
    }

    /// Whether nothing waits to be written before the descriptors close.
    pub(crate) fn all_gone(&self) -> bool {
        self.departing.is_empty() && self.lingering.is_empty()
    }

    /// Takes over a connection that is leaving this shard's poll for another's.
    pub(crate) fn hand_over(&mut self, home: ShardId, mut link: Link, peer: Option<Peer>, bytes: Vec<u8>) {
        let Some(peer) = peer else { return };
        let tape = link.take_tape();
        if link.flags.registered {
            // If this fails the descriptor is unknown to the poll, which is what is wanted.
            let _ = self.outside.registry.deregister(&mut link.stream);
        }
        if let Some(lane) = self.lanes.get_mut(usize::from(home.0)) {
            lane.newcomers.push(Newcomer { stream: link.stream, peer, bytes, tape });
        }
    }

    /// Puts what was promised into the output, now that the store has what it rests on.
    pub(crate) fn keep_promises(&mut self) {
        let Some(mut commits) = self.commits.take() else { return };
        while let Some(mut promises) = commits.take_kept() {
            self.uplinks.append(&mut promises.take_uplinks());
            for &conn in promises.gated() {
                if !commits.gates(conn)
                    && let Some(link) = self.get_mut(conn)
                {
                    link.flags.gated = false;
                    // Marks it to be written.
                    self.output(conn);
                }
            }
            for (conn, packet) in promises.packets() {
                self.output(conn).extend_from_slice(packet);
            }
            commits.give_back(promises);
        }
        self.commits = Some(commits);
    }

    /// Hands up what has become safe in this turn.
    pub(crate) fn hand_up_safe(&mut self) {
        if let Some(upstairs) = self.outside.upstairs.as_ref().filter(|_| !self.uplinks.is_empty()) {
            upstairs.hand_up(std::mem::take(&mut self.uplinks));
        }
    }

    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }
}
