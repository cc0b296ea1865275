//! Recording what crosses connections, for those that ask for it.
//!
//! Whether a connection is recorded is decided when it is accepted, when its client is known, and
//! for all of them when the rules change. From then on it is one flag of the connection, looked at
//! once for each read and each write: who is not recorded pays for nothing else, and while there is
//! no rule nobody is asked.

use std::io::{self, Write};

use hexmq_broker::{Caller, CloseReason, ConnId, Lost, Peer, Shard};
use hexmq_transport::Stream;
use hexmq_wire::Frame;

use crate::link::Link;
use crate::links::Links;
use crate::shard_loop::ShardLoop;

/// Takes down what crosses one connection. Called on a shard's thread: it must not wait. It is
/// dropped when the connection is gone, or nobody wants it recorded any more.
pub trait Tape: Send + 'static {
    /// Bytes of the client, as they were read.
    fn received(&mut self, bytes: &[u8]);
    /// Bytes for the client, as the kernel took them.
    fn sent(&mut self, bytes: &[u8]);
    /// The connection ends for this reason; last bytes may still be sent.
    fn ending(&mut self, reason: CloseReason);
    /// Its client is known now, or the rules have changed: whether it goes on. `first` is as in
    /// [`Tap::tape`](crate::Tap::tape); what of it was taken down already is known here.
    fn asked_again(&mut self, caller: Caller<'_>, first: &[u8]) -> bool;
}

/// A stream and who listens in.
pub(crate) struct Taped<'a> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) tape: &'a mut dyn Tape,
}

impl Write for Taped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.stream.write(bytes)?;
        self.tape.sent(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Links {
    /// The rules have changed: every connection is asked about anew. `taping`: there are rules.
    pub(crate) fn retape(&mut self, shard: &Shard, taping: bool) {
        self.taping = taping;
        for (conn, caller) in shard.callers() {
            self.tape(conn, caller, &[]);
        }
    }

    /// A client is known by its CONNECT now. `behind`: what came along with it and was read.
    #[cold]
    pub(crate) fn identified(&mut self, shard: &Shard, conn: ConnId, behind: &[u8]) {
        let Some(caller) = shard.caller(conn) else { return };
        let Some(link) = self.get_mut(conn) else { return };
        let mut first = link.take_connect().map(<[u8]>::into_vec).unwrap_or_default();
        first.extend_from_slice(link.stashed());
        first.extend_from_slice(behind);
        self.tape(conn, caller, &first);
    }

    /// Whether a connection that comes is recorded.
    #[cold]
    pub(crate) fn tape_for(&self, peer: &Peer) -> Option<Box<dyn Tape>> {
        self.outside().tap.tape(self.me, Caller { peer, client_identifier: None, version: None }, &[])
    }

    fn tape(&mut self, conn: ConnId, caller: Caller<'_>, first: &[u8]) {
        let me = self.me;
        let tap = std::sync::Arc::clone(&self.outside().tap);
        let Some(link) = self.get_mut(conn) else { return };
        match link.tape_mut().map(|tape| tape.asked_again(caller, first)) {
            Some(true) => {}
            Some(false) => drop(link.take_tape()),
            None => link.put_tape(tap.tape(me, caller, first)),
        }
    }
}

impl Links {
    /// Keeps the first packet of a connection for as long as somebody may ask for it. `waits`: its
    /// answer comes later.
    pub(crate) fn keep_first(&mut self, conn: ConnId, first: Option<Frame<'_>>, waits: bool) {
        let Some(frame) = first else { return };
        let in_doubt = self.taping && !self.get(conn).is_none_or(|link| link.flags.greeted);
        if (waits || in_doubt)
            && let Some(link) = self.get_mut(conn)
        {
            link.keep_connect(frame.bytes);
        }
    }
}

impl ShardLoop {
    /// The answer about a connection has come: its CONNECT is no longer in doubt.
    pub(crate) fn answered(&mut self, conn: ConnId) {
        self.links.testify(&[]);
        if self.links.taping {
            self.links.identified(&self.shard, conn, &[]);
        } else if let Some(link) = self.links.get_mut(conn) {
            link.take_connect();
        }
    }
}

impl Link {
    /// The connection ends.
    pub(crate) fn tape_ends(&mut self, reason: CloseReason) {
        if self.flags.taped
            && let Some(tape) = self.tape_mut()
        {
            tape.ending(reason);
        }
    }
}

/// The reason under which the core tells that a connection was lost.
pub(crate) fn reason_of(lost: Lost) -> CloseReason {
    match lost {
        Lost::Closed => CloseReason::ConnectionClosed,
        Lost::Reset => CloseReason::ConnectionReset,
        Lost::WriteStalled => CloseReason::WriteStalled,
        Lost::Tls => CloseReason::TlsFailed,
        Lost::WebSocket => CloseReason::WebSocketFailed,
    }
}
