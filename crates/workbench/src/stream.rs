//! Where the packets are in a stream that may begin, break or end anywhere.
//!
//! A server gives up at the first byte it cannot frame. Whoever explains goes on: bytes that are
//! no packet are passed over until something is found that a packet begins with, and that is said.

use hexmq_wire::{Frame, FrameStatus, PacketType, Version, scan_frame};

use crate::tree::{judge, version_of};

/// A part of the stream. Offsets count from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A packet, right or wrong.
    Packet { offset: usize, length: usize, version: Version },
    /// Bytes behind a packet that its Remaining Length forgot.
    Forgotten { offset: usize, length: usize },
    /// Bytes that are no packet, with packets behind them.
    Garbage { offset: usize, length: usize },
    /// The last bytes are the beginning of a packet that lacks `needs` bytes.
    Begun { offset: usize, needs: usize, version: Version },
    /// The last bytes are no packet.
    Unknown { offset: usize },
}

/// The parts of `bytes` in their order, without gaps.
pub(crate) fn pieces(bytes: &[u8], version: Option<Version>) -> Vec<Piece> {
    if let Some(version) = version {
        return Stream::new(bytes, version, false).pieces();
    }
    let pieces = Stream::new(bytes, Version::V4, true).pieces();
    let connect = pieces.iter().find_map(|piece| match *piece {
        Piece::Packet { offset, version, .. } | Piece::Begun { offset, version, .. } => {
            is_connect(bytes, offset).then_some(version)
        }
        _ => None,
    });
    match connect {
        Some(Version::V4) => pieces,
        Some(version) => Stream::new(bytes, version, true).pieces(),
        None => {
            let as_v5 = Stream::new(bytes, Version::V5, true).pieces();
            if badness(bytes, &as_v5) < badness(bytes, &pieces) { as_v5 } else { pieces }
        }
    }
}

fn is_connect(bytes: &[u8], offset: usize) -> bool {
    Frame::new(bytes.get(offset..).unwrap_or_default()).packet_type() == Some(PacketType::Connect)
}

/// How badly the stream reads: bytes that are no packet, then faults, then warnings.
fn badness(bytes: &[u8], pieces: &[Piece]) -> (usize, usize, usize) {
    let mut badness = (0, 0, 0);
    for piece in pieces {
        match *piece {
            Piece::Packet { offset, length, version } => {
                let judgement = judge(part(bytes, offset, length), version);
                badness.1 += judgement.faults;
                badness.2 += judgement.warnings;
            }
            Piece::Forgotten { .. } | Piece::Begun { .. } => {}
            Piece::Garbage { length, .. } => badness.0 += length,
            Piece::Unknown { offset } => badness.0 += bytes.len() - offset,
        }
    }
    badness
}

/// `length` bytes at `offset`, or what there is of them.
pub(crate) fn part(bytes: &[u8], offset: usize, length: usize) -> &[u8] {
    let from = bytes.get(offset..).unwrap_or_default();
    from.get(..length).unwrap_or(from)
}

struct Stream<'a> {
    bytes: &'a [u8],
    /// The version of the connection at this point.
    version: Version,
    /// Whether a CONNECT changes it.
    follow_connect: bool,
    /// Bytes that may still be looked at while searching. It keeps the time for hostile input
    /// linear: behind it the rest is called unknown.
    budget: usize,
    pieces: Vec<Piece>,
}

impl<'a> Stream<'a> {
    fn new(bytes: &'a [u8], version: Version, follow_connect: bool) -> Stream<'a> {
        let budget = bytes.len().saturating_mul(16).saturating_add(1 << 20);
        Stream { bytes, version, follow_connect, budget, pieces: Vec::new() }
    }

    fn pieces(mut self) -> Vec<Piece> {
        let mut at = 0;
        while at < self.bytes.len() {
            at = self.step(at);
        }
        self.pieces
    }

    /// Says what begins at `at` and returns where the next piece does.
    fn step(&mut self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        match scan_frame(rest, u32::MAX) {
            Ok(FrameStatus::Whole { length }) => self.whole(at, length),
            Ok(FrameStatus::Needs { at_least }) => self.begun(at, at_least),
            Err(_) => self.unframed(at),
        }
    }

    fn whole(&mut self, at: usize, length: usize) -> usize {
        let frame = part(self.bytes, at, length);
        let judgement = judge(frame, self.version);
        let end = at + length;
        if !judgement.misshapen {
            return self.packet(at, length);
        }
        if self.may_begin(at) {
            if let Some(forgotten) = self.forgotten(at, length) {
                self.packet(at, length);
                self.pieces.push(Piece::Forgotten { offset: end, length: forgotten });
                return end + forgotten;
            }
            if end == self.bytes.len() || self.strength(end, 1).0 >= 1 {
                return self.packet(at, length);
            }
        }
        match self.search(at, 2, Some(1)) {
            Some(next) => self.garbage(at, next),
            // A type of another version is worth its fault; type 0 is not even that.
            None if Frame::new(frame).packet_type().is_some() => self.packet(at, length),
            None => self.unknown(at),
        }
    }

    /// The beginning of a packet at the end of the input, unless strong packets stand in what it
    /// claims as its own.
    fn begun(&mut self, at: usize, needs: usize) -> usize {
        let believable = self.may_begin(at) && (at == 0 || !self.overflows(at));
        let (enough, at_end) = match (believable, self.reads_well(at)) {
            // Its strings may look like packets; those would have to be many, or end with the input.
            (true, true) if self.names_the_protocol(at) => (8, Some(6)),
            (true, true) => (8, Some(4)),
            (true, false) => (4, None),
            (false, _) => (2, Some(1)),
        };
        match self.search(at, enough, at_end) {
            Some(next) => self.garbage(at, next),
            None if believable => {
                let frame = Frame::new(self.bytes.get(at..).unwrap_or_default());
                let version = version_of(frame, self.version);
                self.pieces.push(Piece::Begun { offset: at, needs, version });
                self.bytes.len()
            }
            None => self.unknown(at),
        }
    }

    /// A Remaining Length of five bytes.
    fn unframed(&mut self, at: usize) -> usize {
        match self.search(at, 2, Some(1)) {
            Some(next) if self.may_begin(at) => self.packet(at, next - at),
            Some(next) => self.garbage(at, next),
            None if self.may_begin(at) => self.packet(at, self.bytes.len() - at),
            None => self.unknown(at),
        }
    }

    fn packet(&mut self, at: usize, length: usize) -> usize {
        let frame = Frame::new(part(self.bytes, at, length));
        let version = version_of(frame, self.version);
        if self.follow_connect {
            self.version = version;
        }
        self.pieces.push(Piece::Packet { offset: at, length, version });
        at + length
    }

    fn garbage(&mut self, at: usize, next: usize) -> usize {
        self.pieces.push(Piece::Garbage { offset: at, length: next - at });
        next
    }

    fn unknown(&mut self, at: usize) -> usize {
        self.pieces.push(Piece::Unknown { offset: at });
        self.bytes.len()
    }

    /// Whether the first byte names a packet of this version.
    fn may_begin(&self, at: usize) -> bool {
        let frame = Frame::new(self.bytes.get(at..).unwrap_or_default());
        frame.packet_type().is_some_and(|packet_type| packet_type.exists_in(self.version))
    }

    /// Whether the packet that begins here has no fault but that it is cut off.
    fn reads_well(&mut self, at: usize) -> bool {
        let start = self.bytes.get(at..).unwrap_or_default();
        self.spend(start.len());
        judge(start, self.version).faults_of_its_own == 0
    }

    /// Whether a CONNECT begins here that says so.
    fn names_the_protocol(&self, at: usize) -> bool {
        let start = self.bytes.get(at..).unwrap_or_default();
        let names = [&b"\x00\x04MQTT"[..], b"\x00\x06MQIsdp"];
        let body = Frame::new(start).header().and_then(|header| start.get(usize::from(header.size)..));
        is_connect(self.bytes, at) && body.is_some_and(|body| names.iter().any(|name| body.starts_with(name)))
    }

    /// Whether more is there than a packet of this type can hold, although its end is missing.
    fn overflows(&self, at: usize) -> bool {
        judge(self.bytes.get(at..).unwrap_or_default(), self.version).overfull
    }

    /// How many of the bytes behind the packet belong to it: with them, and a Remaining Length that
    /// says so, it is clean.
    fn forgotten(&mut self, at: usize, length: usize) -> Option<usize> {
        const MOST: usize = 16;
        let available = self.bytes.len() - (at + length);
        (1..=available.min(MOST)).chain((available > MOST).then_some(available)).find(|&more| {
            self.spend(2 * (length + more));
            complete(part(self.bytes, at, length + more), self.version).is_some()
        })
    }

    /// The next place where packets begin that look real: their strengths add up to `enough`, or,
    /// where little is asked, they end with the input.
    fn search(&mut self, at: usize, enough: u32, enough_at_end: Option<u32>) -> Option<usize> {
        for next in at + 1..self.bytes.len() {
            if self.budget == 0 {
                return None;
            }
            self.spend(1);
            let (strength, at_end) = self.strength(next, enough);
            if strength >= enough || at_end && enough_at_end.is_some_and(|enough| strength >= enough) {
                return Some(next);
            }
        }
        None
    }

    /// How much the packets from `at` on look like packets, and whether they reach the end of the
    /// input. They follow each other without a gap; counting stops at `enough`.
    fn strength(&mut self, mut at: usize, enough: u32) -> (u32, bool) {
        let mut strength = 0;
        while strength < enough {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Ok(FrameStatus::Whole { length }) = scan_frame(rest, u32::MAX) else {
                return (strength, rest.is_empty());
            };
            let frame = Frame::new(part(self.bytes, at, length));
            self.spend(length);
            let version = version_of(frame, self.version);
            if !judge(frame.bytes, version).is_clean() {
                return (strength, false);
            }
            strength += frame.packet_type().map_or(0, |packet_type| weight(packet_type, frame.bytes));
            at += length;
        }
        (strength, at == self.bytes.len())
    }

    fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes);
    }
}

/// How unlikely it is that other bytes look like this packet.
pub(crate) fn weight(packet_type: PacketType, bytes: &[u8]) -> u32 {
    match packet_type {
        PacketType::Connect => 6,
        PacketType::Subscribe | PacketType::Unsubscribe => 5,
        PacketType::Publish if bytes.len() > 6 => 4,
        PacketType::Publish => 2,
        PacketType::Pingreq | PacketType::Pingresp | PacketType::Disconnect => 1,
        _ => 2,
    }
}

/// `bytes` as one clean packet with another Remaining Length: corrected, or put in where it is left
/// out altogether. A PUBLISH takes any bytes as its payload, so it proves nothing.
pub(crate) fn complete(bytes: &[u8], version: Version) -> Option<Vec<u8>> {
    if matches!(Frame::new(bytes).packet_type(), None | Some(PacketType::Publish)) {
        return None;
    }
    let (&first, behind) = bytes.split_first()?;
    let plain = |digits| packet_of(first, behind_plain_number(behind, digits)?);
    let candidates = [with_remaining_length(bytes), packet_of(first, behind), plain(1), plain(2)];
    candidates.into_iter().flatten().find(|candidate| judge(candidate, version).is_clean())
}

/// What stands behind a length that is written as a plain number of so many bytes, if it says so.
pub(crate) fn behind_plain_number(bytes: &[u8], digits: usize) -> Option<&[u8]> {
    let (number, behind) = bytes.split_at_checked(digits)?;
    let says = number.iter().fold(0, |number, &byte| number << 8 | usize::from(byte));
    (says == behind.len()).then_some(behind)
}

/// `bytes` as one packet: its Remaining Length says what follows it.
pub(crate) fn with_remaining_length(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = Frame::new(bytes).header()?;
    let body = bytes.get(usize::from(header.size)..)?;
    packet_of(*bytes.first()?, body)
}

/// First byte, Remaining Length and body.
pub(crate) fn packet_of(first: u8, body: &[u8]) -> Option<Vec<u8>> {
    let length =
        u32::try_from(body.len()).ok().filter(|&length| length <= hexmq_wire::REMAINING_LENGTH_MAX)?;
    let mut packet = Vec::with_capacity(body.len() + 5);
    packet.push(first);
    hexmq_wire::encode_remaining_length(length, &mut packet);
    packet.extend_from_slice(body);
    Some(packet)
}
