//! Finding a slot by its identifier, finding a free identifier, and taking slots away.

use std::cmp::Ordering;

use hexmq_wire::PacketIdentifier;

use super::{Ring, Slot, State, TOMBSTONES_SLACK};

/// Steps from one identifier to another, counting up: 0 to 65,534. After 65535 comes 1.
#[inline]
const fn distance(from: u16, to: u16) -> u16 {
    if to >= from { to - from } else { u16::MAX - from + to }
}

impl<M> Ring<M> {
    /// The index of the slot with this identifier that is not a tombstone.
    #[inline]
    pub(super) fn find(&self, identifier: PacketIdentifier) -> Option<usize> {
        let front = self.slots.front()?.identifier.get();
        let guess = usize::from(distance(front, identifier.get()));
        if let Some(slot) = self.slots.get(guess)
            && slot.identifier == identifier
            && slot.state != State::Tombstone
        {
            return Some(guess);
        }
        self.search(front, identifier)
    }

    /// What [`Ring::find`] does when holes were closed or identifiers skipped.
    #[cold]
    fn search(&self, front: u16, identifier: PacketIdentifier) -> Option<usize> {
        if self.lapped {
            let is_it =
                |slot: &super::Slot<M>| slot.identifier == identifier && slot.state != State::Tombstone;
            return self.slots.iter().position(is_it);
        }
        let wanted = distance(front, identifier.get());
        let found =
            self.slots.binary_search_by_key(&wanted, |slot| distance(front, slot.identifier.get())).ok()?;
        self.slots.get(found).filter(|slot| slot.state != State::Tombstone).map(|_| found)
    }

    /// Whether a message or a request has this identifier.
    pub(super) fn in_use(&self, identifier: PacketIdentifier) -> bool {
        self.find(identifier)
            .and_then(|index| self.slots.get(index))
            .is_some_and(|slot| slot.state != State::Tombstone)
    }

    /// The next identifier not in use.
    #[inline]
    pub(super) fn free_identifier(&mut self) -> Option<PacketIdentifier> {
        let next = self.last.checked_add(1).and_then(PacketIdentifier::new).unwrap_or(PacketIdentifier::MIN);
        if let Some(front) = self.slots.front().map(|slot| slot.identifier.get())
            && (self.lapped || next.get() == front)
        {
            return self.free_identifier_lapped(next);
        }
        self.last = next.get();
        Some(next)
    }

    /// Counting has come round to identifiers that may be in use: try one after the other.
    #[cold]
    fn free_identifier_lapped(&mut self, first: PacketIdentifier) -> Option<PacketIdentifier> {
        if usize::from(self.messages) + usize::from(self.requests) >= usize::from(u16::MAX) {
            return None;
        }
        self.close_holes();
        let mut free = first;
        if self.in_use(first) {
            free = self.search_free_identifier(first)?;
            self.lapped = true;
        }
        self.last = free.get();
        Some(free)
    }

    /// The first identifier from `first` on that no slot has.
    fn search_free_identifier(&self, first: PacketIdentifier) -> Option<PacketIdentifier> {
        // One bit for each identifier: looking for each candidate in the ring would be quadratic.
        let mut in_use = vec![0_u64; 1 << 10];
        for identifier in self.slots.iter().map(|slot| slot.identifier.get()) {
            if let Some(word) = in_use.get_mut(usize::from(identifier >> 6)) {
                *word |= 1 << (identifier & 63);
            }
        }
        let is_free = |candidate: &PacketIdentifier| {
            let candidate = candidate.get();
            in_use.get(usize::from(candidate >> 6)).is_some_and(|word| word & (1 << (candidate & 63)) == 0)
        };
        let upwards = (first.get()..=u16::MAX).chain(1..first.get());
        upwards.filter_map(PacketIdentifier::new).find(is_free)
    }

    /// The slot is done: its identifier is free, and its message given back.
    #[inline]
    pub(super) fn finish(&mut self, index: usize) -> Option<M> {
        let slot = match index {
            0 => {
                self.cursor = self.cursor.saturating_sub(1);
                self.slots.pop_front()?
            }
            _ => {
                let slot = self.slots.get_mut(index)?;
                std::mem::replace(slot, Slot::tombstone(slot.identifier))
            }
        };
        match slot.state {
            State::Request => self.requests -= 1,
            State::Tombstone => {}
            State::Puback | State::Pubrec | State::Pubcomp => self.messages -= 1,
        }
        // Acknowledged before it was sent again: the other side remembers the first time.
        self.unsent -= u16::from(slot.unsent);
        if index == 0 {
            self.trim();
        } else if self.slots.len()
            > 2 * (usize::from(self.messages) + usize::from(self.requests)) + TOMBSTONES_SLACK
        {
            self.close_holes();
        }
        slot.message
    }

    /// Drops tombstones at the front.
    #[inline]
    fn trim(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.state == State::Tombstone) {
            self.slots.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
        if self.lapped {
            self.lapped = !self.in_order();
        }
    }

    /// Drops all tombstones.
    #[cold]
    pub(super) fn close_holes(&mut self) {
        let cursor = self.cursor as usize;
        let sent = self.slots.iter().take(cursor).filter(|slot| slot.state != State::Tombstone).count();
        self.slots.retain(|slot| slot.state != State::Tombstone);
        self.cursor = u32::try_from(sent).unwrap_or(u32::MAX);
        self.lapped = !self.in_order();
    }

    /// Whether identifiers count up from the front to the last one given, less than once round.
    fn in_order(&self) -> bool {
        let Some(front) = self.slots.front().map(|slot| slot.identifier.get()) else { return true };
        let last = distance(front, self.last);
        let mut before = None;
        self.slots.iter().map(|slot| distance(front, slot.identifier.get())).all(|here| {
            let counts_up = before.is_none_or(|before: u16| here.cmp(&before) == Ordering::Greater);
            before = Some(here);
            counts_up && here <= last
        })
    }
}
