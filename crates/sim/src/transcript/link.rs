//! One connection between a client of the transcript and a shard.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use hexmq_broker::{ConnId, Partial, Peer};
use hexmq_wire::{Frame, FrameError, FrameStatus, Framer, REMAINING_LENGTH_MAX, scan_frame};

use super::Inbox;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) shard: usize,
    pub(super) conn: ConnId,
    pub(super) peer: Peer,
    /// No packet has been handled yet: the connection may still move to another shard.
    pub(super) in_lobby: bool,
    /// The shard takes no packets for now.
    pub(super) paused: bool,
    /// The client reads.
    pub(super) reading: bool,
    /// Neither side uses it any more.
    pub(super) gone: bool,
    framer: Framer,
    waiting: VecDeque<Vec<u8>>,
    refused: Option<FrameError>,
    rest: Vec<u8>,
    pub(super) inbox: Inbox,
}

/// What a connection has for its shard.
pub(super) enum Input {
    Packet(Vec<u8>),
    Refused(FrameError),
}

impl Link {
    pub(super) fn new(shard: usize, conn: ConnId, peer: Peer, maximum_packet_size: u32) -> Link {
        Link {
            shard,
            conn,
            peer,
            in_lobby: true,
            paused: false,
            reading: true,
            gone: false,
            framer: Framer::new(maximum_packet_size),
            waiting: VecDeque::new(),
            refused: None,
            rest: Vec::new(),
            inbox: Inbox::default(),
        }
    }

    /// Bytes from the client. After a refused frame nothing can be read any more.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.refused.is_some() || self.gone {
            return;
        }
        let waiting = &mut self.waiting;
        let fed = self.framer.feed(bytes, |frame: Frame<'_>| {
            waiting.push_back(frame.bytes.to_vec());
            ControlFlow::<()>::Continue(())
        });
        self.refused = fed.err();
    }

    /// What the framer holds of an unfinished packet.
    pub(super) fn partial(&self) -> Partial {
        let missing = match scan_frame(self.framer.rest(), REMAINING_LENGTH_MAX) {
            Ok(FrameStatus::Needs { at_least }) => at_least,
            _ => 0,
        };
        Partial { received: self.framer.buffered(), missing }
    }

    /// The next input, unless the shard does not want it.
    pub(super) fn next_input(&mut self) -> Option<Input> {
        if self.paused || self.gone {
            return None;
        }
        match self.waiting.pop_front() {
            Some(packet) => Some(Input::Packet(packet)),
            None => self.refused.take().map(|error| {
                // Only once, and nothing after it.
                self.gone = true;
                Input::Refused(error)
            }),
        }
    }

    /// Puts a packet back that another shard is to handle.
    pub(super) fn put_back(&mut self, packet: Vec<u8>) {
        self.waiting.push_front(packet);
    }

    /// Bytes from the server.
    pub(super) fn deliver(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Ok(FrameStatus::Whole { length }) = scan_frame(&self.rest, REMAINING_LENGTH_MAX) {
            let rest = self.rest.split_off(length);
            self.inbox.packets.push_back(std::mem::replace(&mut self.rest, rest));
        }
    }

    /// The server has closed. Bytes that are no whole packet show up as one.
    pub(super) fn close(&mut self) {
        if !self.rest.is_empty() {
            self.inbox.packets.push_back(std::mem::take(&mut self.rest));
        }
        self.gone = true;
        self.inbox.closed = true;
    }
}
