//! One direction of a TCP connection: segments in, the stream in order out.
//!
//! A segment that continues the stream is handed on where it lies. One that comes too early is kept,
//! within bounds, until what lies before it comes. When that will not come any more, because the
//! other side has acknowledged it or the bounds are reached, the hole is a *gap*: the capture lost it.

use super::budget::Budget;

/// Early segments kept for one direction at most.
const WAITING_MAX: usize = 1_024;
/// Early bytes kept for one direction at most.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// So many segments may follow a hole that the other side has acknowledged: captures of several
/// queues mix up the order a little.
const ACKNOWLEDGED_PATIENCE: u64 = 16;
/// A sequence number further away than this belongs to something else.
const WINDOW: u32 = 1 << 30;

/// Counters of a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Segments that brought nothing new.
    pub repeated: u32,
    /// Segments that came too early.
    pub reordered: u32,
    /// Holes in the stream.
    pub gaps: u32,
    /// Bytes that are missing in them.
    pub lost: u64,
}

/// A segment that came too early.
#[derive(Debug)]
struct Early {
    sequence: u32,
    bytes: Vec<u8>,
    cut: u32,
    /// When its packet came.
    packet: u64,
}

impl Early {
    fn length(&self) -> u32 {
        (self.bytes.len() as u32).saturating_add(self.cut)
    }
}

/// What becomes of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer<'a> {
    /// These bytes come next in the stream; behind them so many are missing.
    Next(&'a [u8], u32),
    /// Nothing comes of it now.
    Nothing,
}

/// What comes next out of the early segments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Bytes from `skip` on, and so many missing behind them.
    Bytes { bytes: Vec<u8>, skip: usize, cut: u32 },
    /// So many bytes are missing here.
    Gap(u32),
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// The sequence number that comes next; `None` until a segment has told it.
    next: Option<u32>,
    /// Where the sender has ended the stream.
    end: Option<u32>,
    /// The highest byte the other side says it has.
    acknowledged: Option<u32>,
    /// In the order of the stream.
    early: Vec<Early>,
    early_bytes: usize,
    pub(crate) delivery: Delivery,
}

impl Half {
    /// The stream begins behind this SYN.
    pub(crate) fn begin(&mut self, sequence: u32) {
        self.next = Some(sequence.wrapping_add(1));
    }

    /// Whether a SYN with this number is the one it began with.
    pub(crate) fn began_with(&self, sequence: u32) -> bool {
        self.next.is_some_and(|next| next.wrapping_sub(sequence) < WINDOW)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.next.is_some()
    }

    /// The other side has everything before this number. It may also say where the stream begins.
    #[inline]
    pub(crate) fn acknowledge(&mut self, number: u32, from_start: bool) {
        if self.next.is_none() && from_start {
            self.next = Some(number);
        }
        self.acknowledged = Some(number);
    }

    /// The sender ends the stream at this number.
    pub(crate) fn finish_at(&mut self, sequence: u32) {
        if self.next.is_none() {
            self.next = Some(sequence);
        }
        self.end = Some(sequence);
    }

    /// Whether everything up to the end has come.
    pub(crate) fn is_finished(&self) -> bool {
        self.end.is_some() && self.end == self.next
    }

    /// A segment with payload, of which `cut` further bytes are not in the capture.
    #[inline]
    pub(crate) fn offer<'a>(
        &mut self,
        sequence: u32,
        payload: &'a [u8],
        cut: u32,
        packet: u64,
        budget: &mut Budget,
    ) -> Offer<'a> {
        let next = *self.next.get_or_insert(sequence);
        if sequence == next {
            self.advance(payload.len() as u32, cut);
            return Offer::Next(payload, cut);
        }
        self.offer_out_of_order(next, sequence, payload, cut, packet, budget)
    }

    fn advance(&mut self, bytes: u32, cut: u32) {
        self.next = self.next.map(|next| next.wrapping_add(bytes).wrapping_add(cut));
        if cut > 0 {
            self.delivery.gaps = self.delivery.gaps.saturating_add(1);
            self.delivery.lost += u64::from(cut);
        }
    }

    fn offer_out_of_order<'a>(
        &mut self,
        next: u32,
        sequence: u32,
        payload: &'a [u8],
        cut: u32,
        packet: u64,
        budget: &mut Budget,
    ) -> Offer<'a> {
        let ahead = sequence.wrapping_sub(next);
        if ahead < WINDOW {
            self.keep(sequence, payload, cut, packet, budget);
            return Offer::Nothing;
        }
        let behind = next.wrapping_sub(sequence) as usize;
        match payload.get(behind..).filter(|new| !new.is_empty()) {
            Some(new) => {
                self.advance(new.len() as u32, cut);
                Offer::Next(new, cut)
            }
            None => {
                self.delivery.repeated = self.delivery.repeated.saturating_add(1);
                Offer::Nothing
            }
        }
    }

    /// Keeps an early segment in its place.
    fn keep(&mut self, sequence: u32, payload: &[u8], cut: u32, packet: u64, budget: &mut Budget) {
        let Some(next) = self.next else { return };
        let distance = sequence.wrapping_sub(next);
        let at = self.early.partition_point(|early| early.sequence.wrapping_sub(next) < distance);
        let length = (payload.len() as u32).saturating_add(cut);
        if let Some(same) = self.early.get(at).filter(|early| early.sequence == sequence)
            && same.length() >= length
        {
            self.delivery.repeated = self.delivery.repeated.saturating_add(1);
            return;
        }
        self.delivery.reordered = self.delivery.reordered.saturating_add(1);
        // Without room the stream goes on behind the hole at once; what does not fit is then lost.
        if budget.take(payload.len()) {
            self.early_bytes += payload.len();
            self.early.insert(at, Early { sequence, bytes: payload.to_vec(), cut, packet });
        }
    }

    /// What comes next out of the early segments, after a segment or an acknowledgement. `packet` is
    /// the packet at hand; `to_the_end`: nothing will come any more.
    #[inline]
    pub(crate) fn turn(&mut self, packet: u64, to_the_end: bool, budget: &mut Budget) -> Option<Turn> {
        if self.early.is_empty() { None } else { self.turn_early(packet, to_the_end, budget) }
    }

    fn turn_early(&mut self, packet: u64, to_the_end: bool, budget: &mut Budget) -> Option<Turn> {
        while let Some((first, next)) = self.early.first().zip(self.next) {
            let ahead = first.sequence.wrapping_sub(next);
            if ahead != 0 && ahead < WINDOW {
                return self.gap(ahead, packet, to_the_end, budget);
            }
            let early = self.early.remove(0);
            self.early_bytes -= early.bytes.len();
            budget.give_back(early.bytes.len());
            let skip = next.wrapping_sub(early.sequence) as usize;
            if skip < early.bytes.len() || skip == 0 {
                self.advance((early.bytes.len() - skip) as u32, early.cut);
                return Some(Turn::Bytes { bytes: early.bytes, skip, cut: early.cut });
            }
            self.delivery.repeated = self.delivery.repeated.saturating_add(1);
        }
        None
    }

    /// The hole before the first early segment, if it will not be filled any more.
    fn gap(&mut self, length: u32, packet: u64, to_the_end: bool, budget: &Budget) -> Option<Turn> {
        let (first, next) = self.early.first().zip(self.next)?;
        let acknowledged = self.acknowledged.is_some_and(|number| {
            let acknowledged = number.wrapping_sub(next);
            acknowledged >= length && acknowledged < WINDOW
        });
        let waited = packet.saturating_sub(first.packet);
        let full = self.early.len() >= WAITING_MAX || self.early_bytes >= WAITING_BYTES_MAX;
        let given_up = to_the_end
            || full
            || budget.is_spent()
            || acknowledged
                && (waited >= ACKNOWLEDGED_PATIENCE * 4 || self.early.len() as u64 >= ACKNOWLEDGED_PATIENCE);
        if !given_up {
            return None;
        }
        self.next = Some(first.sequence);
        self.delivery.gaps = self.delivery.gaps.saturating_add(1);
        self.delivery.lost += u64::from(length);
        Some(Turn::Gap(length))
    }

    /// Lets go of everything that is kept.
    pub(crate) fn clear(&mut self, budget: &mut Budget) {
        budget.give_back(self.early_bytes);
        self.early_bytes = 0;
        self.early = Vec::new();
    }
}
