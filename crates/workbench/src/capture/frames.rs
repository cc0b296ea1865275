//! One direction of an MQTT connection: the stream in, packets out.
//!
//! Packets are cut off where they lie; only one that is not whole yet is kept. Behind a gap whose end
//! lies inside a known packet, reading goes on right behind that packet. Otherwise, and where no packet
//! can begin, the direction is *adrift*: a place is looked for at which packets begin that look real.

use hexmq_wire::{FrameError, FrameStatus, Version, scan_frame};

use super::budget::Budget;
use super::plausible::chain;

/// Bytes that are looked through for a packet, at most at once.
const SEARCHED_MAX: usize = 64 * 1024;
/// A packet that is not whole is waited for while it needs no more than this.
const WAITED_FOR_MAX: usize = 4 * 1024;
/// After so many bytes without a packet only the starts of segments are tried.
const THOROUGH_MAX: u64 = 1 << 20;
/// What may stay allocated between packets.
const KEPT_CAPACITY: usize = 4 * 1024;

/// What is found in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// The bytes of one packet.
    Packet(&'a [u8]),
    /// A packet with this first byte lacks bytes that the capture lost.
    Incomplete { first: u8, length: usize },
    /// A packet with this first byte is larger than what is kept.
    TooLarge { first: u8, length: usize },
    /// No packet can begin with these bytes.
    Stray(&'a [u8]),
    /// A packet begins again, after so many bytes that were passed over.
    Resumed { passed: u64 },
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// The rest of a packet that is not kept.
    Passing(u64),
    /// Looking for the start of a packet; so many bytes were dropped already.
    Adrift(u64),
}

/// Cuts one direction into packets.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The beginning of a packet, or what is looked through.
    rest: Vec<u8>,
    state: State,
}

/// What a direction is read with.
pub(crate) struct Reading<'a> {
    /// For judging what looks like a packet.
    pub(crate) version: Option<Version>,
    /// Bytes of the largest packet kept.
    pub(crate) packet_max: usize,
    pub(crate) budget: &'a mut Budget,
}

impl Frames {
    /// A direction whose first byte begins a packet, or one that begins anywhere.
    pub(crate) const fn new(at_packet: bool) -> Frames {
        let state = if at_packet { State::Reading } else { State::Adrift(0) };
        Frames { rest: Vec::new(), state }
    }

    /// Bytes that come next in the stream.
    #[inline]
    pub(crate) fn feed(&mut self, bytes: &[u8], with: &mut Reading<'_>, found: &mut impl FnMut(Found<'_>)) {
        if self.state == State::Reading && self.rest.is_empty() {
            let taken = self.in_place(bytes, with, found);
            if taken == bytes.len() {
                return;
            }
            return self.feed_pieces(bytes.get(taken..).unwrap_or_default(), with, found);
        }
        self.feed_pieces(bytes, with, found);
    }

    fn feed_pieces(&mut self, bytes: &[u8], with: &mut Reading<'_>, found: &mut impl FnMut(Found<'_>)) {
        let mut found_again = self.feed_until_found(bytes, with, found);
        while let Some(bytes) = found_again {
            found_again = self.feed_until_found(&bytes, with, found);
        }
    }

    /// Reads on until packets are found again: these bytes are then to be read.
    fn feed_until_found(
        &mut self,
        mut bytes: &[u8],
        with: &mut Reading<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) -> Option<Vec<u8>> {
        while !bytes.is_empty() {
            match self.state {
                State::Reading if self.rest.is_empty() => {
                    let taken = self.in_place(bytes, with, found);
                    bytes = bytes.get(taken..).unwrap_or_default();
                    if self.state == State::Reading && !bytes.is_empty() {
                        bytes = self.begin(bytes, with, found);
                    }
                }
                State::Reading => bytes = self.complete(bytes, with, found),
                State::Passing(left) => {
                    let passed = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    bytes = bytes.get(passed..).unwrap_or_default();
                    self.pass(left - passed as u64);
                }
                State::Adrift(dropped) => return self.search(bytes, dropped, with, found),
            }
        }
        None
    }

    /// Hands on the packets that are whole in `bytes`. Returns how many bytes were taken; where
    /// packets can begin no more, the state says so.
    #[inline]
    fn in_place(&mut self, bytes: &[u8], with: &mut Reading<'_>, found: &mut impl FnMut(Found<'_>)) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match scan_frame(rest, u32::MAX) {
                Ok(FrameStatus::Whole { length }) if rest.first().is_some_and(|first| first >> 4 != 0) => {
                    found(Found::Packet(rest.get(..length).unwrap_or(rest)));
                    at += length;
                }
                Ok(FrameStatus::Needs { .. }) if rest.first().is_some_and(|first| first >> 4 != 0) => {
                    return at;
                }
                _ => {
                    self.lose_way(rest, with, found);
                    return at;
                }
            }
        }
        at
    }

    /// No packet can begin here.
    #[cold]
    fn lose_way(&mut self, bytes: &[u8], with: &mut Reading<'_>, found: &mut impl FnMut(Found<'_>)) {
        found(Found::Stray(bytes));
        self.forget(with.budget);
        self.state = State::Adrift(0);
    }

    /// Keeps the beginning of a packet that is not whole.
    fn begin<'a>(
        &mut self,
        bytes: &'a [u8],
        with: &mut Reading<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) -> &'a [u8] {
        let announced = match scan_frame(bytes, u32::MAX) {
            // The header itself may lack bytes: then it is small.
            Ok(FrameStatus::Needs { at_least }) => bytes.len() + at_least,
            _ => bytes.len(),
        };
        if announced > with.packet_max || !with.budget.take(bytes.len()) {
            let first = bytes.first().copied().unwrap_or_default();
            found(Found::TooLarge { first, length: announced });
            self.pass((announced - bytes.len()) as u64);
        } else {
            self.rest.extend_from_slice(bytes);
        }
        &[]
    }

    /// Appends what the packet begun in `rest` lacks, and hands it on when it is whole.
    fn complete<'a>(
        &mut self,
        bytes: &'a [u8],
        with: &mut Reading<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) -> &'a [u8] {
        let lacking = match scan_frame(&self.rest, u32::MAX) {
            Ok(FrameStatus::Needs { at_least }) => at_least,
            Ok(FrameStatus::Whole { .. }) => 0,
            Err(FrameError::RemainingLengthTooLong | FrameError::PacketTooLarge { .. }) => {
                let rest = std::mem::take(&mut self.rest);
                with.budget.give_back(rest.len());
                self.lose_way(&rest, with, found);
                return bytes;
            }
        };
        let (part, behind) = bytes.split_at(lacking.min(bytes.len()));
        let announced = self.rest.len() + lacking;
        if announced > with.packet_max || !with.budget.take(part.len()) {
            let first = self.rest.first().copied().unwrap_or_default();
            found(Found::TooLarge { first, length: announced });
            self.forget(with.budget);
            self.pass((lacking - part.len()) as u64);
            return behind;
        }
        if self.rest.len() + part.len() > self.rest.capacity() {
            // What is announced is not believed before it arrives.
            self.rest.reserve_exact(lacking.min(part.len().max(self.rest.capacity())));
        }
        self.rest.extend_from_slice(part);
        if let Ok(FrameStatus::Whole { .. }) = scan_frame(&self.rest, u32::MAX) {
            found(Found::Packet(&self.rest));
            self.forget(with.budget);
        }
        behind
    }

    fn pass(&mut self, left: u64) {
        self.state = if left == 0 { State::Reading } else { State::Passing(left) };
    }

    /// Lets go of what is kept.
    pub(crate) fn forget(&mut self, budget: &mut Budget) {
        budget.give_back(self.rest.len());
        self.rest.clear();
        if self.rest.capacity() > KEPT_CAPACITY {
            self.rest = Vec::new();
        }
    }

    /// So many bytes of the stream are missing here.
    pub(crate) fn gap(&mut self, missing: u64, with: &mut Reading<'_>, found: &mut impl FnMut(Found<'_>)) {
        match self.state {
            State::Passing(left) if missing <= left => self.pass(left - missing),
            State::Reading if !self.rest.is_empty() => {
                let (first, kept) = (self.rest.first().copied().unwrap_or_default(), self.rest.len());
                let lacking = match scan_frame(&self.rest, u32::MAX) {
                    Ok(FrameStatus::Needs { at_least }) if kept >= 5 || has_length(&self.rest) => at_least,
                    _ => 0,
                };
                found(Found::Incomplete { first, length: kept + lacking });
                self.forget(with.budget);
                match (lacking as u64).checked_sub(missing) {
                    Some(left) => self.pass(left),
                    None => self.state = State::Adrift(0),
                }
            }
            State::Reading | State::Passing(_) => self.state = State::Adrift(0),
            State::Adrift(dropped) => {
                let passed = dropped + self.rest.len() as u64;
                self.forget(with.budget);
                self.state = State::Adrift(passed);
            }
        }
    }

    /// Looks for packets in what is kept and in `bytes`. Found: what is to be read from there on.
    fn search(
        &mut self,
        bytes: &[u8],
        dropped: u64,
        with: &mut Reading<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) -> Option<Vec<u8>> {
        let start = self.rest.len();
        self.rest.extend_from_slice(bytes);
        let thorough = dropped < THOROUGH_MAX;
        let (place, keep_from) = look_through(&self.rest, start, thorough, with.version);
        with.budget.give_back(start);
        match place {
            Some(at) => {
                let behind = self.rest.get(at..).unwrap_or_default().to_vec();
                let passed = dropped + at as u64;
                self.rest = Vec::new();
                self.state = State::Reading;
                if passed > 0 {
                    found(Found::Resumed { passed });
                }
                Some(behind)
            }
            None => {
                let keep_from = keep_from.max(self.rest.len().saturating_sub(SEARCHED_MAX));
                self.rest.drain(..keep_from);
                if !with.budget.take(self.rest.len()) {
                    self.rest = Vec::new();
                }
                self.state = State::Adrift(dropped + keep_from as u64);
                None
            }
        }
    }

    /// Bytes that were passed over and are not told yet, and bytes of a packet that is not whole.
    pub(crate) fn left_over(&self) -> (u64, usize) {
        match self.state {
            State::Reading => (0, self.rest.len()),
            State::Passing(left) => (0, usize::from(left > 0)),
            State::Adrift(dropped) => (dropped + self.rest.len() as u64, 0),
        }
    }
}

/// Whether the Remaining Length is whole.
fn has_length(bytes: &[u8]) -> bool {
    bytes.iter().skip(1).take(4).any(|byte| byte & 0x80 == 0)
}

/// The first place where packets begin that look real, and from where on it is worth looking again
/// when more bytes are there. `start`: a segment starts there, as packets often do.
fn look_through(
    bytes: &[u8],
    start: usize,
    thorough: bool,
    version: Option<Version>,
) -> (Option<usize>, usize) {
    const ENOUGH: u32 = 4;
    let mut waiting = None;
    let first = if thorough { 0 } else { start };
    for at in first..bytes.len() {
        let chain = chain(bytes.get(at..).unwrap_or_default(), version, ENOUGH);
        // At the start of a segment one packet that ends with it is enough.
        let fitting = at == start && chain.at_end && chain.strength >= 1;
        if chain.strength >= ENOUGH || fitting {
            return (Some(at), at);
        }
        if waiting.is_none() && chain.needs.is_some_and(|needs| needs <= WAITED_FOR_MAX) {
            waiting = Some(at);
        }
        if !thorough {
            break;
        }
    }
    let keep_from = if thorough { waiting.unwrap_or(bytes.len()) } else { bytes.len() };
    (None, keep_from)
}
