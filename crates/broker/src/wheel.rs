//! Timers: a hierarchical wheel over the monotonic clock.
//!
//! A token fires never early and at most one tick (64 ms) late, seen from the `now` it is asked
//! with. Setting a timer costs O(1); there is no cancelling: the owner of a token looks, when it
//! fires, whether the matter is still due, and sets a new timer if it was put off. Time may jump
//! any distance; empty stretches are skipped. What is more than eight years away fires after eight
//! years, so that a tick can be kept in four bytes: there is a timer for every connection.
//!
//! Eleven levels of 64 slots cover every tick of a `u64`. A token sits on the level of the highest
//! group of six bits in which its tick differs from the present one, so a lower level is always
//! due before a higher one and a slot is never shared by two rounds.

use hexmq_session::Mono;

const TICK_BITS: u32 = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 11;
/// Slots that grew past this many tokens give their memory back when they are emptied.
const KEEP: usize = 64;

/// The length of a tick: how late, in milliseconds, a token may fire.
pub const TICK_MS: u64 = 1 << TICK_BITS;

/// Pending timers, each a small copyable token.
#[derive(Debug)]
pub struct Wheel<T> {
    levels: Box<[Level<T>]>,
    /// Every token whose tick is at or before this one is in `due`.
    tick: u64,
    due: Vec<T>,
    len: usize,
}

#[derive(Debug)]
struct Level<T> {
    occupied: u64,
    slots: [Vec<Timer<T>>; SLOTS],
}

#[derive(Clone, Copy, Debug)]
struct Timer<T> {
    /// The low half: ticks ahead are fewer than there are numbers in it.
    tick: u32,
    token: T,
}

impl<T: Copy> Wheel<T> {
    /// What a timer takes in its slot.
    pub(crate) const TIMER_BYTES: usize = size_of::<Timer<T>>();

    /// An empty wheel that starts at `now`.
    pub fn new(now: Mono) -> Wheel<T> {
        let level = || Level { occupied: 0, slots: std::array::from_fn(|_| Vec::new()) };
        Wheel {
            levels: (0..LEVELS).map(|_| level()).collect(),
            tick: now.as_ms() >> TICK_BITS,
            due: Vec::new(),
            len: 0,
        }
    }

    /// Sets a timer. A deadline that has passed fires at the next [`Wheel::pop`].
    pub fn insert(&mut self, deadline: Mono, token: T) {
        self.len += 1;
        // Rounded up: a token must not fire before its deadline.
        let tick = deadline.as_ms().div_ceil(TICK_MS);
        self.place(tick.min(self.tick.saturating_add(u32::MAX.into())), token);
    }

    /// Takes one token that is due at `now`. Timers may be set between calls.
    pub fn pop(&mut self, now: Mono) -> Option<T> {
        let now_tick = now.as_ms() >> TICK_BITS;
        loop {
            if let Some(token) = self.due.pop() {
                self.len -= 1;
                return Some(token);
            }
            if self.due.capacity() > KEEP {
                self.due = Vec::new();
            }
            let Some((level, slot, tick)) = self.first() else {
                self.tick = self.tick.max(now_tick);
                return None;
            };
            if tick > now_tick {
                self.advance(now_tick);
                return None;
            }
            self.tick = tick;
            self.open(level, slot);
        }
    }

    /// Visits every token due at `now`.
    pub fn expire(&mut self, now: Mono, mut visit: impl FnMut(T)) {
        while let Some(token) = self.pop(now) {
            visit(token);
        }
    }

    /// When to call [`Wheel::pop`] next: never later than the first token is due. It may be
    /// earlier for a far deadline, which is then only sorted more finely.
    pub fn next(&self) -> Option<Mono> {
        if !self.due.is_empty() {
            return Some(Mono(self.tick << TICK_BITS));
        }
        self.first().map(|(_, _, tick)| Mono(tick.saturating_mul(TICK_MS)))
    }

    /// Timers set and not yet fired.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place(&mut self, tick: u64, token: T) {
        if tick <= self.tick {
            self.due.push(token);
            return;
        }
        let level = ((tick ^ self.tick).ilog2() / SLOT_BITS) as usize;
        let slot = slot_of(tick, level);
        let level = &mut self.levels[level];
        level.slots[slot].push(Timer { tick: tick as u32, token });
        level.occupied |= 1 << slot;
    }

    /// The first occupied slot and the tick at which it begins.
    fn first(&self) -> Option<(usize, usize, u64)> {
        let (index, level) = self.levels.iter().enumerate().find(|(_, level)| level.occupied != 0)?;
        let slot = level.occupied.trailing_zeros() as usize;
        let shift = index as u32 * SLOT_BITS;
        let above = shift + SLOT_BITS;
        let base = if above >= u64::BITS { 0 } else { self.tick >> above << above };
        Some((index, slot, base | (slot as u64) << shift))
    }

    /// Spreads the tokens of a slot whose time has come over the levels below, or makes them due.
    fn open(&mut self, level: usize, slot: usize) {
        let opened = &mut self.levels[level];
        opened.occupied &= !(1 << slot);
        let mut timers = std::mem::take(&mut opened.slots[slot]);
        let now = self.tick;
        for Timer { tick, token } in timers.drain(..) {
            self.place(now + u64::from(tick.wrapping_sub(now as u32)), token);
        }
        if timers.capacity() <= KEEP && level == 0 {
            self.levels[level].slots[slot] = timers;
        }
    }

    /// Moves on to a tick before the first occupied slot begins. Tokens keep their places: all
    /// groups above theirs agree with the new tick as they did with the old one.
    fn advance(&mut self, tick: u64) {
        self.tick = self.tick.max(tick);
    }
}

fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (level as u32 * SLOT_BITS)) as usize & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_wheel_waits_for_nothing_however_long() {
        let mut wheel = Wheel::<u32>::new(Mono(5));
        assert_eq!((wheel.next(), wheel.pop(Mono(u64::MAX))), (None, None));
        wheel.insert(Mono(6), 1);
        assert_eq!(wheel.pop(Mono(u64::MAX)), Some(1), "what is past is due at once");
    }

    #[test]
    fn the_last_deadline_there_is_can_be_set() {
        let mut wheel = Wheel::new(Mono(0));
        wheel.insert(Mono(u64::MAX), 1);
        assert!(wheel.next().is_some());
        let years_8 = u64::from(u32::MAX) * TICK_MS;
        assert_eq!(wheel.pop(Mono(years_8 - 1)), None);
        assert_eq!(wheel.len(), 1);
        assert_eq!(wheel.pop(Mono(years_8)), Some(1), "earlier than asked for");
    }

    #[test]
    fn a_timer_is_small() {
        assert_eq!(size_of::<Timer<(u32, u32, u32)>>(), 16);
    }

    #[test]
    fn emptied_slots_give_their_memory_back() {
        let mut wheel = Wheel::new(Mono(0));
        (0..10_000).for_each(|token| wheel.insert(Mono(100_000), token));
        let mut fired = 0;
        wheel.expire(Mono(200_000), |_| fired += 1);
        assert_eq!(fired, 10_000);
        let kept: usize = wheel.levels.iter().flat_map(|level| &level.slots).map(Vec::capacity).sum();
        assert!(kept + wheel.due.capacity() <= 2 * KEEP, "{kept} places kept");
    }

    /// Milliseconds of every magnitude.
    fn distance() -> impl Strategy<Value = u64> {
        (0..38_u32, any::<u64>()).prop_map(|(bits, value)| value & ((1 << bits) - 1))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn agrees_with_a_sorted_list(
            start in distance(),
            steps in prop::collection::vec((prop::collection::vec(distance(), 0..6), distance(), any::<bool>()), 1..60),
        ) {
            let mut now = start;
            let mut wheel = Wheel::new(Mono(now));
            let mut pending: Vec<(u64, usize)> = Vec::new();
            let mut count = 0;
            for (deadlines, jump, to_next) in steps {
                for ahead in deadlines {
                    // Some are already past when they are set.
                    let deadline = (now + ahead).saturating_sub(100);
                    wheel.insert(Mono(deadline), count);
                    pending.push((deadline, count));
                    count += 1;
                }
                pending.sort_unstable();
                let first = pending.first().map(|(deadline, _)| *deadline);
                let next = wheel.next();
                prop_assert_eq!(next.is_some(), first.is_some());
                if let (Some(next), Some(first)) = (next, first) {
                    prop_assert!(next.as_ms() <= first.max(now) + TICK_MS, "would sleep past {}", first);
                }
                now = match next {
                    Some(next) if to_next => now.max(next.as_ms()),
                    _ => now + jump,
                };
                wheel.expire(Mono(now), |token| {
                    let place = pending.iter().position(|(_, other)| *other == token).expect("fires once");
                    let (deadline, _) = pending.remove(place);
                    assert!(deadline <= now, "{deadline} fired early at {now}");
                });
                prop_assert!(pending.iter().all(|(deadline, _)| deadline + TICK_MS > now), "later than a tick");
                prop_assert_eq!(wheel.len(), pending.len());
            }
        }
    }
}
