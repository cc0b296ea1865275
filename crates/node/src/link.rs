//! One network connection as the loop sees it.

use std::io::{self, Read, Write};

use hexmq_broker::{CloseReason, ConnId, Partial};
use hexmq_session::Mono;
use hexmq_transport::Stream;
use hexmq_wire::{FrameError, FrameStatus, Framer, scan_frame};

use crate::tape::{Tape, Taped};

/// A connection. While it is idle it owns no buffer, so it is kept small: there are many.
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) conn: ConnId,
    /// Bytes for the peer, while there are any.
    pub(crate) outbox: Option<Box<Outbox>>,
    /// What few connections have.
    extra: Option<Box<Extra>>,
    pub(crate) flags: Flags,
}

/// Bytes of an idle connection's place in the table of its shard's sockets.
pub const LINK_BYTES: usize = size_of::<Option<Link>>();

/// Bytes on their way to a peer.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) bytes: Vec<u8>,
    /// The kernel has so many of them already.
    written: usize,
    /// Where the packet ends that is being written, if packets go one by one; else 0.
    packet_end: usize,
    /// When the kernel last took some, while others wait.
    progress: Mono,
}

#[derive(Default)]
struct Extra {
    /// Holds the beginning of an unfinished packet, while there is one.
    framer: Option<Framer>,
    /// Read while the connection was paused, and not yet framed.
    stash: Vec<u8>,
    /// The CONNECT, while its answer is awaited.
    connect: Option<Box<[u8]>>,
    /// Who records what crosses it.
    tape: Option<Box<dyn Tape>>,
    /// Its packets go one by one.
    pace: Option<Pace>,
}

/// Packets one by one, for a peer that reads one from each segment and throws the rest away.
#[derive(Clone, Copy)]
struct Pace {
    gap_ms: u32,
    /// When the next packet may go.
    next: Mono,
}

impl Extra {
    fn is_empty(&self) -> bool {
        self.framer.is_none()
            && self.stash.is_empty()
            && self.connect.is_none()
            && self.tape.is_none()
            && self.pace.is_none()
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    /// In the poll of its shard.
    pub(crate) registered: bool,
    /// Its first packet shows where its session lives.
    pub(crate) lobby: bool,
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
    /// Its packets go one by one,
    pub(crate) paced: bool,
    /// and the next one waits for its time.
    pub(crate) pacing: bool,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing waits.
    All,
    /// The kernel is full.
    Some,
    /// A packet is out, and the next one waits for its time.
    Later(Mono),
    /// The connection is gone.
    Broken,
}

impl Link {
    pub(crate) fn new(stream: Stream, conn: ConnId) -> Link {
        Link { stream, conn, outbox: None, extra: None, flags: Flags::default() }
    }

    /// Takes from the front of `input` what a packet lacks whose beginning is kept, and gives it out once it is
    /// whole.
    #[inline]
    pub(crate) fn complete(
        &mut self,
        input: &mut &[u8],
        maximum_packet_size: u32,
    ) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(framer) = self.extra.as_mut().and_then(|extra| extra.framer.as_mut()) else {
            return Ok(None);
        };
        framer.set_maximum(maximum_packet_size);
        let whole = framer.complete(input)?;
        if whole.is_some() {
            if let Some(extra) = &mut self.extra {
                extra.framer = None;
            }
            self.settle_extra();
        }
        Ok(whole)
    }

    /// Keeps the beginning of a packet.
    pub(crate) fn keep_beginning(&mut self, beginning: &[u8], maximum_packet_size: u32) {
        let extra = self.extra.get_or_insert_default();
        extra.framer.get_or_insert_with(|| Framer::new(maximum_packet_size)).keep(beginning);
    }

    /// Bytes the kernel has not taken. What waits in a layer counts as one: its bound is its own.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        let waiting = self.outbox.as_ref().map_or(0, |outbox| outbox.bytes.len() - outbox.written);
        waiting + usize::from(self.stream.wants_write())
    }

    /// When the kernel last took bytes; the beginning of time if none wait.
    pub(crate) fn progress(&self) -> Mono {
        self.outbox.as_ref().map_or(Mono(0), |outbox| outbox.progress)
    }

    /// Offers the kernel what waits, in one write; or the next packet, if they go one by one.
    pub(crate) fn flush(&mut self, now: Mono) -> Flushed {
        if self.flags.broken {
            return Flushed::Broken;
        }
        if self.outbox.is_none() {
            if !self.stream.wants_write() {
                return Flushed::All;
            }
            // It also tells since when nothing was taken.
            self.outbox = Some(Box::default());
        }
        let Some(outbox) = &mut self.outbox else { return Flushed::All };
        let flushed = match self.extra.as_deref_mut() {
            Some(extra) if self.flags.taped || self.flags.paced => {
                let pace = extra.pace.as_mut().filter(|_| self.flags.paced);
                match extra.tape.as_deref_mut().filter(|_| self.flags.taped) {
                    Some(tape) => outbox.write_as(&mut Taped { stream: &mut self.stream, tape }, pace, now),
                    None => outbox.write_as(&mut self.stream, pace, now),
                }
            }
            _ => outbox.write(&mut self.stream, now),
        };
        match flushed {
            Flushed::All | Flushed::Later(_) => self.flags.blocked = false,
            Flushed::Some if self.flags.blocked => {}
            Flushed::Some => {
                self.flags.blocked = true;
                outbox.progress = now;
            }
            Flushed::Broken => self.flags.broken = true,
        }
        flushed
    }

    /// From now on packets go one by one, so many milliseconds apart.
    pub(crate) fn pace(&mut self, gap_ms: u32) {
        self.flags.paced = true;
        self.extra.get_or_insert_default().pace = Some(Pace { gap_ms, next: Mono(0) });
    }

    /// What is left goes all at once.
    pub(crate) fn unpace(&mut self) {
        self.flags.paced = false;
        if let Some(outbox) = &mut self.outbox {
            outbox.packet_end = 0;
        }
    }

    /// Reads away what the peer has sent, in a few bounded bites.
    pub(crate) fn discard(&mut self) {
        let mut bin = [0_u8; 4096];
        for _ in 0..16 {
            match self.stream.read(&mut bin) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
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
        self.extra.as_ref().and_then(|extra| extra.framer.as_ref()).map_or(&[], Framer::rest)
    }

    /// The unfinished packet.
    pub(crate) fn partial(&self) -> Partial {
        let rest = self.rest();
        match scan_frame(rest, u32::MAX) {
            Ok(FrameStatus::Needs { at_least }) if rest.is_empty() => {
                // A handshake may have begun under it.
                let received = self.stream.unfinished().map_or(0, |handshake| handshake.sent);
                Partial { received, missing: at_least }
            }
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
            self.packet_end = self.packet_end.saturating_sub(self.written);
            self.written = 0;
        }
        &mut self.bytes
    }

    fn write_as(&mut self, stream: &mut impl Write, pace: Option<&mut Pace>, now: Mono) -> Flushed {
        match pace {
            Some(pace) => self.write_paced(stream, pace, now),
            None => self.write(stream, now),
        }
    }

    /// Writes the next packet, if its time has come.
    fn write_paced(&mut self, stream: &mut impl Write, pace: &mut Pace, now: Mono) -> Flushed {
        if self.packet_end <= self.written {
            if self.bytes.is_empty() {
                return self.write(stream, now);
            }
            if now < pace.next {
                return Flushed::Later(pace.next);
            }
            let waiting = self.bytes.get(self.written..).unwrap_or_default();
            self.packet_end = self.written + first_packet(waiting);
        }
        let flushed = self.write(stream, now);
        if matches!(flushed, Flushed::All | Flushed::Later(_)) {
            pace.next = now.plus_ms(pace.gap_ms.into());
        }
        match flushed {
            Flushed::Later(_) => Flushed::Later(pace.next),
            flushed => flushed,
        }
    }

    /// Writes what waits, or up to the end of the packet.
    fn write(&mut self, stream: &mut impl Write, now: Mono) -> Flushed {
        let all = self.bytes.len();
        let end = if self.packet_end > self.written { self.packet_end.min(all) } else { all };
        while self.written < end {
            let waiting = self.bytes.get(self.written..end).unwrap_or_default();
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
        if end < all {
            return Flushed::Later(now);
        }
        self.bytes.clear();
        (self.written, self.packet_end) = (0, 0);
        // A layer may still hold what it has taken.
        match stream.flush() {
            Ok(()) => Flushed::All,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Flushed::Some,
            Err(_) => Flushed::Broken,
        }
    }
}

/// Bytes of the first packet; all of them if they are none.
fn first_packet(bytes: &[u8]) -> usize {
    match scan_frame(bytes, u32::MAX) {
        Ok(FrameStatus::Whole { length }) => length,
        _ => bytes.len(),
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
        assert!(size_of::<Option<Link>>() - size_of::<Stream>() <= 48, "a cache line with the socket");
    }

    #[test]
    fn packets_that_go_one_by_one_leave_in_a_write_each_with_a_gap_between_them() {
        let mut outbox = Outbox::default();
        outbox.append().extend_from_slice(&[0x20, 2, 0, 0, 0x40, 2, 0, 7, 0xD0, 0]);
        let mut writes: Vec<Vec<u8>> = Vec::new();
        let mut at = |outbox: &mut Outbox, pace: &mut Pace, now: u64| {
            let mut kernel = Vec::new();
            let flushed = outbox.write_paced(&mut kernel, pace, Mono(now));
            if !kernel.is_empty() {
                writes.push(kernel);
            }
            flushed
        };
        let mut pace = Pace { gap_ms: 50, next: Mono(0) };
        assert_eq!(at(&mut outbox, &mut pace, 1_000), Flushed::Later(Mono(1_050)));
        assert_eq!(at(&mut outbox, &mut pace, 1_049), Flushed::Later(Mono(1_050)), "its time has not come");
        assert_eq!(at(&mut outbox, &mut pace, 1_050), Flushed::Later(Mono(1_100)));
        assert_eq!(at(&mut outbox, &mut pace, 1_200), Flushed::All);
        outbox.append().extend_from_slice(&[0xD0, 0]);
        assert_eq!(
            at(&mut outbox, &mut pace, 1_201),
            Flushed::Later(Mono(1_250)),
            "an empty outbox forgets no gap"
        );
        assert_eq!(at(&mut outbox, &mut pace, 1_250), Flushed::All);
        assert_eq!(writes, [&[0x20, 2, 0, 0][..], &[0x40, 2, 0, 7], &[0xD0, 0], &[0xD0, 0]]);
    }

    /// A kernel that takes less than a packet gets the rest of it first.
    #[test]
    fn a_packet_cut_by_a_full_kernel_is_finished_before_the_next() {
        struct Narrow(Vec<u8>, usize);
        impl Write for Narrow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let taken = bytes.len().min(self.1);
                self.1 -= taken;
                self.0.extend_from_slice(bytes.get(..taken).unwrap_or_default());
                if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut outbox = Outbox::default();
        outbox.append().extend_from_slice(&[0x20, 2, 0, 0, 0xD0, 0]);
        let mut pace = Pace { gap_ms: 50, next: Mono(0) };
        let mut kernel = Narrow(Vec::new(), 3);
        assert_eq!(outbox.write_paced(&mut kernel, &mut pace, Mono(1)), Flushed::Some);
        outbox.append();
        kernel.1 = 100;
        assert_eq!(outbox.write_paced(&mut kernel, &mut pace, Mono(2)), Flushed::Later(Mono(52)));
        assert_eq!(kernel.0, [0x20, 2, 0, 0]);
        assert_eq!(outbox.write_paced(&mut kernel, &mut pace, Mono(52)), Flushed::All);
    }
}
