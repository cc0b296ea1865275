//! One network connection as the loop sees it.

use std::io::{self, Write};

use hexmq_broker::{CloseReason, ConnId, Partial, Peer};
use hexmq_session::Mono;
use hexmq_transport::Stream;
use hexmq_wire::{FrameStatus, Framer, scan_frame};

use crate::tape::{Tape, Taped};

/// A connection. While it is idle it owns no buffer, so it is kept small: there are many.
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) conn: ConnId,
    /// Bytes for the peer, while there are any.
    pub(crate) outbox: Option<Box<Outbox>>,
    /// Holds the beginning of an unfinished packet, while there is one.
    framer: Option<Box<Framer>>,
    /// What few connections have.
    extra: Option<Box<Extra>>,
    pub(crate) flags: Flags,
}

/// Bytes on their way to a peer.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) bytes: Vec<u8>,
    /// The kernel has so many of them already.
    written: usize,
    /// When the kernel last took some, while others wait.
    progress: Mono,
}

#[derive(Default)]
struct Extra {
    /// Read while the connection was paused, and not yet framed.
    stash: Vec<u8>,
    /// Where it comes from, until the first packet has shown where its session lives.
    lobby: Option<Peer>,
    /// The CONNECT, while its answer is awaited.
    connect: Option<Box<[u8]>>,
    /// Who records what crosses it.
    tape: Option<Box<dyn Tape>>,
}

impl Extra {
    fn is_empty(&self) -> bool {
        self.stash.is_empty() && self.lobby.is_none() && self.connect.is_none() && self.tape.is_none()
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    /// In the poll of its shard.
    pub(crate) registered: bool,
    /// On the dirty list.
    pub(crate) dirty: bool,
    /// On the ready list.
    pub(crate) ready: bool,
    /// The kernel took less than it was given; it says when it takes more.
    pub(crate) blocked: bool,
    /// On the list of blocked ones.
    pub(crate) watched: bool,
    /// Output is above the low mark.
    pub(crate) high: bool,
    /// Not to be read.
    pub(crate) paused: bool,
    /// Paused until a question is answered.
    pub(crate) held: bool,
    /// There may be bytes in the kernel that no further edge will tell of.
    pub(crate) unread: bool,
    /// The peer has closed its side.
    pub(crate) hangup: bool,
    /// Writing failed.
    pub(crate) broken: bool,
    /// Its first packet has been handled.
    pub(crate) greeted: bool,
    /// The peer may still be sending when the connection is dropped.
    pub(crate) goodbye: bool,
    /// What crosses it is recorded.
    pub(crate) taped: bool,
    /// Its output is held back until the store has what it rests on.
    pub(crate) gated: bool,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing waits.
    All,
    /// The kernel is full.
    Some,
    /// The connection is gone.
    Broken,
}

impl Link {
    pub(crate) fn new(stream: Stream, conn: ConnId) -> Link {
        Link { stream, conn, outbox: None, framer: None, extra: None, flags: Flags::default() }
    }

    /// The framer, for as long as frames are taken from it; it is given back with
    /// [`Link::return_framer`].
    pub(crate) fn take_framer(&mut self, maximum_packet_size: u32) -> Framer {
        let mut framer =
            self.framer.take().map_or_else(|| Framer::new(maximum_packet_size), |framer| *framer);
        framer.set_maximum(maximum_packet_size);
        framer
    }

    /// Gives the framer back; it is kept only if it holds something.
    pub(crate) fn return_framer(&mut self, framer: Framer) {
        self.framer = (framer.buffered() > 0).then(|| Box::new(framer));
    }

    /// Bytes the kernel has not taken.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.bytes.len() - outbox.written)
    }

    /// When the kernel last took bytes; the beginning of time if none wait.
    pub(crate) fn progress(&self) -> Mono {
        self.outbox.as_ref().map_or(Mono(0), |outbox| outbox.progress)
    }

    /// Offers the kernel what waits, in one write.
    pub(crate) fn flush(&mut self, now: Mono) -> Flushed {
        if self.flags.broken {
            return Flushed::Broken;
        }
        let Some(outbox) = &mut self.outbox else { return Flushed::All };
        let flushed = match self.extra.as_mut().and_then(|extra| extra.tape.as_deref_mut()) {
            Some(tape) if self.flags.taped => {
                outbox.write(&mut Taped { stream: &mut self.stream, tape }, now)
            }
            _ => outbox.write(&mut self.stream, now),
        };
        match flushed {
            Flushed::All => self.flags.blocked = false,
            Flushed::Some if self.flags.blocked => {}
            Flushed::Some => {
                self.flags.blocked = true;
                outbox.progress = now;
            }
            Flushed::Broken => self.flags.broken = true,
        }
        flushed
    }

    /// Keeps bytes for later.
    pub(crate) fn stash(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.extra.get_or_insert_default().stash.extend_from_slice(bytes);
        }
    }

    /// Takes the bytes kept.
    pub(crate) fn take_stash(&mut self) -> Vec<u8> {
        let Some(extra) = &mut self.extra else { return Vec::new() };
        let stash = std::mem::take(&mut extra.stash);
        self.settle_extra();
        stash
    }

    /// Puts the connection in the lobby.
    pub(crate) fn enter_lobby(&mut self, peer: Peer) {
        self.extra.get_or_insert_default().lobby = Some(peer);
    }

    /// Whether the first frame has not come yet.
    #[inline]
    pub(crate) fn in_lobby(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.lobby.is_some())
    }

    /// Takes the connection out of the lobby.
    pub(crate) fn leave_lobby(&mut self) -> Option<Peer> {
        let extra = self.extra.as_mut()?;
        let peer = extra.lobby.take();
        self.settle_extra();
        peer
    }

    fn settle_extra(&mut self) {
        if self.extra.as_ref().is_some_and(|extra| extra.is_empty()) {
            self.extra = None;
        }
    }

    /// The bytes kept, where they are.
    pub(crate) fn stashed(&self) -> &[u8] {
        self.extra.as_ref().map_or(&[], |extra| &extra.stash)
    }

    /// Keeps the CONNECT until its answer is there.
    pub(crate) fn keep_connect(&mut self, connect: &[u8]) {
        self.extra.get_or_insert_default().connect = Some(connect.into());
    }

    /// Takes the CONNECT that was kept.
    pub(crate) fn take_connect(&mut self) -> Option<Box<[u8]>> {
        let connect = self.extra.as_mut()?.connect.take();
        self.settle_extra();
        connect
    }

    /// Has what crosses it recorded from now on, or not.
    pub(crate) fn put_tape(&mut self, tape: Option<Box<dyn Tape>>) {
        self.flags.taped = tape.is_some();
        if tape.is_some() {
            self.extra.get_or_insert_default().tape = tape;
        }
    }

    /// Takes out who records.
    pub(crate) fn take_tape(&mut self) -> Option<Box<dyn Tape>> {
        self.flags.taped = false;
        let tape = self.extra.as_mut()?.tape.take();
        self.settle_extra();
        tape
    }

    /// Who records what crosses it.
    pub(crate) fn tape_mut(&mut self) -> Option<&mut (dyn Tape + 'static)> {
        self.extra.as_mut()?.tape.as_deref_mut()
    }

    /// Whether there is something to do once it may be read again.
    pub(crate) fn has_extra(&self) -> bool {
        self.extra.is_some()
    }

    /// The bytes of the unfinished packet.
    pub(crate) fn rest(&self) -> &[u8] {
        self.framer.as_ref().map_or(&[], |framer| framer.rest())
    }

    /// The unfinished packet.
    pub(crate) fn partial(&self) -> Partial {
        let rest = self.rest();
        match scan_frame(rest, u32::MAX) {
            Ok(FrameStatus::Needs { at_least }) => Partial { received: rest.len(), missing: at_least },
            _ => Partial { received: rest.len(), missing: 0 },
        }
    }
}

impl Outbox {
    /// The buffer to append to. What the kernel has taken is forgotten first where that is most
    /// of it, so that the buffer does not creep.
    #[inline]
    pub(crate) fn append(&mut self) -> &mut Vec<u8> {
        if self.written > 0 && self.written * 2 >= self.bytes.len() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        &mut self.bytes
    }

    fn write(&mut self, stream: &mut impl Write, now: Mono) -> Flushed {
        while self.written < self.bytes.len() {
            let waiting = self.bytes.get(self.written..).unwrap_or_default();
            match stream.write(waiting) {
                Ok(0) => return Flushed::Broken,
                Ok(taken) => {
                    let short = taken < waiting.len();
                    self.written += taken;
                    self.progress = now;
                    if short {
                        return Flushed::Some;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Broken,
            }
        }
        self.bytes.clear();
        self.written = 0;
        Flushed::All
    }
}

/// Whether the peer is to be told that nothing more comes before its connection is dropped:
/// it may still be sending, and a reset would take from it what we have just said.
pub(crate) fn deserves_goodbye(reason: CloseReason) -> bool {
    !matches!(
        reason,
        CloseReason::ClientDisconnected
            | CloseReason::ClientDisconnectedWithWill
            | CloseReason::ConnectionClosed
            | CloseReason::ConnectionReset
            | CloseReason::WriteStalled
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory per idle connection is a figure we are measured by.
    #[test]
    fn an_idle_connection_is_small() {
        let own = size_of::<Option<Link>>() - size_of::<Stream>();
        assert!(own <= 56, "{own} bytes besides the socket");
    }
}
