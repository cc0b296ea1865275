//! One network connection as the loop sees it.

use std::io::{self, Write};

use hexmq_broker::{CloseReason, ConnId, Partial, Peer};
use hexmq_session::Mono;
use hexmq_transport::Stream;
use hexmq_wire::{FrameStatus, Framer, scan_frame};

/// A connection. While it is idle it owns no buffer.
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) conn: ConnId,
    /// Bytes for the peer; the first `written` of them the kernel has already.
    pub(crate) out: Vec<u8>,
    written: usize,
    maximum_packet_size: u32,
    pub(crate) framer: Framer,
    /// Bytes read while the connection was paused, and where it came from while it is in the
    /// lobby. Both are rare.
    pub(crate) extra: Option<Box<Extra>>,
    /// When the kernel last took bytes, while some wait.
    pub(crate) progress: Mono,
    pub(crate) flags: Flags,
}

/// What few connections have.
#[derive(Default)]
pub(crate) struct Extra {
    /// Read, but not yet framed.
    pub(crate) stash: Vec<u8>,
    /// Kept until the first frame has shown where the session lives.
    pub(crate) lobby: Option<Peer>,
}

/// Where a connection stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
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
    /// The peer may still be sending when the connection is dropped.
    pub(crate) goodbye: bool,
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
    pub(crate) fn new(stream: Stream, conn: ConnId, maximum_packet_size: u32) -> Link {
        Link {
            stream,
            conn,
            out: Vec::new(),
            written: 0,
            maximum_packet_size,
            framer: Framer::new(maximum_packet_size),
            extra: None,
            progress: Mono(0),
            flags: Flags::default(),
        }
    }

    /// The framer, for as long as frames are taken from it; it is given back with
    /// [`Link::return_framer`].
    pub(crate) fn take_framer(&mut self) -> Framer {
        std::mem::replace(&mut self.framer, Framer::new(self.maximum_packet_size))
    }

    /// Gives the framer back.
    pub(crate) fn return_framer(&mut self, framer: Framer) {
        self.framer = framer;
    }

    /// Bytes the kernel has not taken.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.out.len() - self.written
    }

    /// The buffer to append to. What the kernel has taken is forgotten first where that is most
    /// of it, so that the buffer does not creep.
    #[inline]
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        let written = self.written;
        if written > 0 && written * 2 >= self.out.len() {
            self.out.drain(..written);
            self.written = 0;
        }
        &mut self.out
    }

    /// Offers the kernel what waits, in one write.
    pub(crate) fn flush(&mut self, now: Mono) -> Flushed {
        if self.flags.broken {
            return Flushed::Broken;
        }
        while self.pending() > 0 {
            let waiting = self.out.get(self.written..).unwrap_or_default();
            let asked = waiting.len();
            match self.stream.write(waiting) {
                Ok(0) => return self.fail(),
                Ok(taken) => {
                    self.progress = now;
                    self.written += taken;
                    if taken < asked {
                        return self.block(now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.block(now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.fail(),
            }
        }
        self.out.clear();
        self.written = 0;
        self.flags.blocked = false;
        Flushed::All
    }

    fn block(&mut self, now: Mono) -> Flushed {
        if !self.flags.blocked {
            self.flags.blocked = true;
            self.progress = now;
        }
        Flushed::Some
    }

    fn fail(&mut self) -> Flushed {
        self.flags.broken = true;
        Flushed::Broken
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
        if extra.lobby.is_none() {
            self.extra = None;
        }
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
        if extra.stash.is_empty() {
            self.extra = None;
        }
        peer
    }

    /// The unfinished packet.
    pub(crate) fn partial(&self) -> Partial {
        let rest = self.framer.rest();
        match scan_frame(rest, u32::MAX) {
            Ok(FrameStatus::Needs { at_least }) => Partial { received: rest.len(), missing: at_least },
            _ => Partial { received: rest.len(), missing: 0 },
        }
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
