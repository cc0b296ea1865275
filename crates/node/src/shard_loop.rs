//! The turns of one shard: what its thread does around the deciding core.
//!
//! A turn: gather events, read, take mail, accept, let time pass, write, post. Every step is
//! bounded and none waits; what is left over makes the next turn begin at once. A descriptor is
//! registered once, edge-triggered, for reading and writing; no `epoll_ctl` follows. A read that
//! returns less than the buffer holds has emptied the socket, so none is made just to see that
//! nothing is there. Which thread it is, and when a turn is due, is the matter of [`crate::hand`].

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hexmq_broker::{Condition, ConnId, Flow, Lost, Shard, ShardId};
use hexmq_session::{Mono, Now};
use hexmq_wire::{Frame, FrameError, Frames};
use mio::event::Event;
use mio::{Registry, Waker};

use crate::gate::Gate;
use crate::links::Links;
use crate::lobby;
use crate::mailbox::Mailbox;
use crate::tap::Notice;
use crate::tape::reason_of;
use crate::upstairs::Orders;

/// Bytes read from one connection in one turn.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// Largest first packet: a CONNECT with five fields of 64 KiB, and as much again for properties.
const CONNECT_BYTES_MAX: u32 = 640 << 10;
/// Rounds of writing and telling the core what it led to, in one turn.
const SETTLE_ROUNDS: usize = 4;
/// How often blocked connections are looked at.
const WATCH_MS: u64 = 1_000;
/// A graceful stop waits so long for receivers.
const STOP_MS: u64 = 5_000;

/// One shard and everything its thread owns.
pub(crate) struct ShardLoop {
    pub(crate) me: ShardId,
    pub(crate) shards: u16,
    pub(crate) seed: u64,
    pub(crate) shard: Shard,
    pub(crate) links: Links,
    pub(crate) mailboxes: Arc<[Arc<Mailbox>]>,
    pub(crate) buffer: Vec<u8>,
    /// Something has happened since its last turn.
    pub(crate) has_events: bool,
    /// Control Packets it had handled when its hand looked last.
    pub(crate) packets: u64,
    /// Nanoseconds of its turns, as far as its hand measures them.
    pub(crate) spent_ns: u64,
    pub(crate) write_timeout_ms: u64,
    pub(crate) clients_max: usize,
    pub(crate) next_watch: Mono,
    /// Set by a graceful stop: the moment its patience ends.
    pub(crate) stopping: Option<Mono>,
    /// What the platform wants.
    pub(crate) orders: Orders,
}

impl ShardLoop {
    /// Is taken up by another hand: its connections are in this poll from now on.
    pub(crate) fn settle_in(&mut self, registry: Registry, waker: Arc<Waker>) {
        self.mailbox().move_to(waker);
        self.links.register_all(registry);
        self.has_events = true;
    }

    /// Is laid down: no event finds it until another hand takes it up.
    pub(crate) fn move_out(&mut self) {
        self.links.deregister_all();
    }

    /// The hand is awake, and this is the time.
    pub(crate) fn rise(&mut self, now: Now) {
        self.mailbox().rise();
        self.links.now = now;
    }

    /// Whether a turn would do anything.
    pub(crate) fn wants_turn(&self) -> bool {
        let now = self.links.now.mono;
        self.has_events
            || self.is_busy()
            || self.mailbox().has_mail()
            || self.next_moment().is_some_and(|moment| moment <= now)
    }

    /// One turn. It accepts from these gates.
    pub(crate) fn turn(&mut self, gates: &mut [Gate]) {
        self.has_events = false;
        if let Some(commits) = &mut self.links.commits {
            commits.look();
        }
        // Those that are here before those that come: a client that has said DISCONNECT and is back
        // at once has ended its old connection when the new one is looked at.
        self.read();
        self.receive_mail();
        self.accept(gates);
        self.pass_time();
        self.seal();
        self.settle();
        // Another shard must not store what a message has led to before the message is in the store.
        self.seal();
        self.links.hand_up_safe();
        self.post();
    }

    /// Hands over what has changed, and keeps promises that need not wait for it.
    fn seal(&mut self) {
        let Some(commits) = self.links.commits.as_mut().filter(|commits| commits.is_open()) else { return };
        commits.seal();
        self.links.keep_promises();
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.links.outside().mailbox
    }

    /// Control Packets since this was asked last.
    pub(crate) fn take_packets(&mut self) -> u64 {
        let packets = self.shard.packets();
        packets - std::mem::replace(&mut self.packets, packets)
    }

    /// Whether it has stopped, and nothing of it is left to be written.
    pub(crate) fn has_ended(&self) -> bool {
        self.stopping.is_some_and(|deadline| self.links.all_gone() || self.links.now.mono >= deadline)
    }

    /// Whether there is something to do at once.
    pub(crate) fn is_busy(&self) -> bool {
        let links = &self.links;
        self.shard.has_work()
            || self.has_orders()
            || links.commits.as_ref().is_some_and(|commits| commits.is_open())
            || !(links.ready.is_empty()
                && links.dirty.is_empty()
                && links.broken.is_empty()
                && links.drained.is_empty())
    }

    /// When there is something to do although nothing happens.
    pub(crate) fn next_moment(&self) -> Option<Mono> {
        let links = &self.links;
        let watch = (!links.watched.is_empty()).then_some(self.next_watch);
        let linger = links.lingering.iter().map(|(_, deadline)| *deadline).min();
        let earlier = |next: Option<Mono>, moment: Option<Mono>| match (next, moment) {
            (Some(next), Some(moment)) => Some(next.min(moment)),
            (next, moment) => next.or(moment),
        };
        [watch, linger, self.stopping, links.next_packet()]
            .into_iter()
            .fold(self.shard.next_timeout(), earlier)
    }

    /// Something has happened to one of its connections.
    pub(crate) fn gather(&mut self, event: &Event) {
        self.has_events = true;
        let Some(conn) = self.links.conn_of(event.token()) else {
            self.links.flush_lingering();
            return;
        };
        if event.is_writable() {
            self.links.writable(conn);
        }
        let hangup = event.is_read_closed() || event.is_error();
        if (event.is_readable() || hangup)
            && let Some(link) = self.links.get_mut(conn)
        {
            link.flags.unread = true;
            link.flags.hangup |= hangup;
            if !link.flags.paused {
                self.links.make_ready(conn);
            }
        }
    }

    fn read(&mut self) {
        let mut ready = std::mem::take(&mut self.links.ready);
        for conn in ready.drain(..) {
            if let Some(link) = self.links.get_mut(conn) {
                link.flags.ready = false;
                self.read_link(conn);
            }
        }
        // What became ready meanwhile waits for the next turn: nobody is served twice in one.
        if self.links.ready.is_empty() {
            self.links.ready = ready;
        }
    }

    /// Takes one bite of what a connection has sent.
    pub(crate) fn read_link(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(conn).filter(|link| !link.flags.paused) else { return };
        let stash = link.take_stash();
        if !stash.is_empty() && !self.feed(conn, &stash) {
            return;
        }
        let Some(link) = self.links.get_mut(conn).filter(|link| link.flags.unread) else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = link.stream.read(&mut buffer);
        let may_speak = link.stream.wants_write();
        match read {
            Ok(0) => self.lose(conn, Lost::Closed),
            Ok(n) => {
                if link.flags.taped
                    && let Some(tape) = link.tape_mut()
                {
                    tape.received(buffer.get(..n).unwrap_or_default());
                }
                let more = n == buffer.len() || link.flags.hangup || !link.stream.short_read_is_empty();
                link.flags.unread = more;
                if !link.flags.greeted {
                    self.introduce(conn);
                }
                if self.feed(conn, buffer.get(..n).unwrap_or_default()) && more {
                    self.links.make_ready(conn);
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => link.flags.unread = false,
                io::ErrorKind::Interrupted => self.links.make_ready(conn),
                _ => self.failed(conn, &error),
            },
        }
        self.buffer = buffer;
        if may_speak {
            self.links.let_speak(conn);
        }
    }

    /// Gives bytes of a connection to the core, packet by packet. `false`: it is not to be read
    /// any further for now.
    pub(crate) fn feed(&mut self, conn: ConnId, mut input: &[u8]) -> bool {
        loop {
            let maximum = self.shard.maximum_packet_size();
            let Some(link) = self.links.get_mut(conn) else { return false };
            let greeted = link.flags.greeted;
            // Who has not introduced themselves does not get to fill our memory.
            let maximum = if greeted { maximum } else { maximum.min(CONNECT_BYTES_MAX) };
            let begun = match link.complete(&mut input, maximum) {
                Ok(begun) => begun,
                Err(error) => return self.unframed(conn, error, input),
            };
            let mut frames = Frames::behind(begun.as_deref(), input, maximum);
            // The first packet goes alone: it shows where the session lives, and after it larger ones are allowed.
            let first = if greeted { None } else { frames.next() };
            if let Some(home) = first.and_then(|first| self.elsewhere(conn, first)) {
                return self.move_home(conn, home, frames.latest(), frames.rest());
            }
            let mut alone = first.map(Frames::one);
            let given = alone.as_mut().unwrap_or(&mut frames);
            match self.shard.receive(conn, given, self.links.now, &mut self.links) {
                Flow::Continue => {}
                Flow::Pause => {
                    self.links.keep_first(conn, first, !greeted);
                    self.pause(conn, frames.rest());
                    return false;
                }
                Flow::Closed => {
                    self.links.witness.saw(given.latest());
                    self.links.testify(frames.rest());
                    return false;
                }
            }
            if first.is_none() {
                return self.keep_beginning(conn, &frames, maximum);
            }
            self.links.keep_first(conn, first, false);
            input = input.get(input.len() - frames.rest().len()..).unwrap_or_default();
            self.greeted(conn, input);
        }
    }

    /// The first packet of a connection was handled; `rest` came behind it.
    fn greeted(&mut self, conn: ConnId, rest: &[u8]) {
        let Some(link) = self.links.get_mut(conn) else { return };
        link.flags.greeted = true;
        if self.links.taping {
            self.links.identified(&self.shard, conn, rest);
        }
    }

    /// Keeps what has come of a packet that is not whole.
    fn keep_beginning(&mut self, conn: ConnId, frames: &Frames<'_>, maximum: u32) -> bool {
        if frames.rest().is_empty() {
            return true;
        }
        if let Err(error) = frames.status() {
            return self.unframed(conn, error, frames.rest());
        }
        if let Some(link) = self.links.get_mut(conn) {
            link.keep_beginning(frames.rest(), maximum);
        }
        true
    }

    /// No packet can be taken from what stands here. Always `false`.
    fn unframed(&mut self, conn: ConnId, error: FrameError, rest: &[u8]) -> bool {
        self.links.show_unframed(conn, rest);
        self.shard.unframed(conn, error, self.links.now, &mut self.links);
        self.links.testify(&[]);
        false
    }

    /// The other shard on which the session lives that a first packet asks for.
    fn elsewhere(&self, conn: ConnId, first: Frame<'_>) -> Option<ShardId> {
        self.links.get(conn).filter(|link| link.flags.lobby)?;
        let home = lobby::home_of(first, self.shards, self.seed, &*self.links.outside().authority)?;
        (home != self.me).then_some(home)
    }

    /// Brings a connection to where its session lives, with what it has sent. Always `false`.
    fn move_home(&mut self, conn: ConnId, home: ShardId, first: &[u8], rest: &[u8]) -> bool {
        if let Some(link) = self.links.remove(conn) {
            let peer = self.shard.handed_over(conn);
            self.links.hand_over(home, link, peer, [first, rest].concat());
        }
        false
    }

    fn pause(&mut self, conn: ConnId, rest: &[u8]) {
        let waits = (0..self.shards).any(|n| hexmq_broker::Sink::congested(&self.links, ShardId(n)))
            || hexmq_broker::Sink::condition(&self.links) != Condition::Well;
        let Some(link) = self.links.get_mut(conn) else { return };
        link.stash(rest);
        link.flags.greeted = true;
        link.flags.paused = true;
        if waits && !link.flags.held {
            self.links.lane_waiters.push(conn);
        }
    }

    /// The network connection is gone.
    pub(crate) fn lose(&mut self, conn: ConnId, why: Lost) {
        let Some(mut link) = self.links.remove(conn) else { return };
        link.tape_ends(reason_of(why));
        if !link.flags.greeted {
            self.links.witness.show_begun(&link);
        }
        self.links.dismiss(link, false);
        self.shard.lost(conn, why, self.links.now, &mut self.links);
        self.links.testify(&[]);
    }

    fn pass_time(&mut self) {
        let now = self.links.now;
        self.links.flush_due_packets();
        if self.shard.next_timeout().is_some_and(|moment| moment <= now.mono) {
            self.shard.timeout(now, &mut self.links);
            self.links.testify(&[]);
        }
        self.shard.work(now, &mut self.links);
        if self.links.lingering.iter().any(|(_, deadline)| *deadline <= now.mono) {
            self.links.flush_lingering();
        }
        if self.links.watched.is_empty() {
            self.next_watch = now.mono.plus_ms(WATCH_MS);
        } else if self.next_watch <= now.mono {
            self.next_watch = now.mono.plus_ms(WATCH_MS);
            self.watch();
        }
    }

    /// Gives up receivers that have taken nothing for too long.
    fn watch(&mut self) {
        let now = self.links.now.mono;
        for conn in std::mem::take(&mut self.links.watched) {
            let Some(link) = self.links.get_mut(conn) else { continue };
            if link.pending() == 0 {
                link.flags.watched = false;
            } else if now.ms_since(link.progress()) >= self.write_timeout_ms {
                self.lose(conn, Lost::WriteStalled);
            } else {
                self.links.watched.push(conn);
            }
        }
    }

    /// Writes what the turn produced and tells the core what that led to.
    fn settle(&mut self) {
        for _ in 0..SETTLE_ROUNDS {
            let mut dirty = std::mem::take(&mut self.links.dirty);
            for conn in dirty.drain(..) {
                self.links.flush(conn);
            }
            if self.links.dirty.is_empty() {
                self.links.dirty = dirty;
            }
            self.links.flush_departing();
            for conn in std::mem::take(&mut self.links.broken) {
                self.lose(conn, Lost::Reset);
            }
            for conn in std::mem::take(&mut self.links.drained) {
                self.shard.drained(conn, self.links.now, &mut self.links);
            }
            if self.links.dirty.is_empty() {
                self.links.flush_departing();
                return;
            }
        }
    }

    /// Sends on what other shards are to have, and wakes them.
    fn post(&mut self) {
        let me = self.me;
        for (to, mailbox) in self.mailboxes.iter().enumerate() {
            let Some(lane) = self.links.lanes.get_mut(to) else { continue };
            if to == usize::from(me.0) || (lane.batch.is_empty() && lane.newcomers.is_empty()) {
                continue;
            }
            let was_full = lane.full;
            lane.full = !mailbox.post(me, &mut lane.batch, &mut lane.newcomers);
            if lane.full && !was_full {
                self.links.notice(&Notice::LaneFull { to: ShardId(to as u16) });
            }
            mailbox.wake();
        }
        if !self.links.lane_waiters.is_empty()
            && !self.links.lanes.iter().any(|lane| lane.full)
            && hexmq_broker::Sink::condition(&self.links) == Condition::Well
        {
            for conn in std::mem::take(&mut self.links.lane_waiters) {
                let waits = self.links.get(conn).is_some_and(|link| link.flags.paused && !link.flags.held);
                if waits && self.shard.resumed(conn, self.links.now) {
                    hexmq_broker::Sink::resume(&mut self.links, conn);
                }
            }
        }
    }

    /// A connection is gone that never got into the table.
    pub(crate) fn count_out(&self) {
        self.links.outside().connections.fetch_sub(1, Relaxed);
    }

    /// Stops accepting, lets the core say goodbye, and gives receivers a bounded time.
    pub(crate) fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        self.shard.stop(self.links.now, &mut self.links);
        self.stopping = Some(self.links.now.mono.plus_ms(STOP_MS));
    }
}
