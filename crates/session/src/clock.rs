//! Two clocks of two types, so that one cannot be subtracted from the other.
//!
//! [`Mono`] never goes back and means nothing outside this process: keep-alive, retries,
//! deadlines. [`Wall`] is the time of day, may jump, and survives a restart: expiry.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds on a monotonic clock with an arbitrary beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub u64);

/// Both clocks, read at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For what is measured within one run.
    pub mono: Mono,
    /// For what must survive a restart.
    pub wall: Wall,
}

impl Now {
    /// Both clocks moved on by the same time. For simulated time.
    #[must_use]
    pub fn after(self, time: Duration) -> Now {
        Now { mono: self.mono + time, wall: self.wall + time }
    }
}

macro_rules! clock {
    ($clock:ident) => {
        impl $clock {
            /// The last representable moment: never.
            pub const NEVER: $clock = $clock(u64::MAX);

            /// Milliseconds on this clock.
            #[inline]
            pub const fn as_ms(self) -> u64 {
                self.0
            }

            /// This many milliseconds later; stays at [`Self::NEVER`] instead of overflowing.
            #[inline]
            #[must_use]
            pub const fn plus_ms(self, ms: u64) -> $clock {
                $clock(self.0.saturating_add(ms))
            }

            /// This many seconds later; stays at [`Self::NEVER`] instead of overflowing.
            #[inline]
            #[must_use]
            pub const fn plus_s(self, seconds: u64) -> $clock {
                $clock(self.0.saturating_add(seconds.saturating_mul(1_000)))
            }

            /// Milliseconds from `earlier` to this moment; 0 if `earlier` is later.
            #[inline]
            pub const fn ms_since(self, earlier: $clock) -> u64 {
                self.0.saturating_sub(earlier.0)
            }

            /// Time from `earlier` to this moment; zero if `earlier` is later.
            #[inline]
            pub const fn since(self, earlier: $clock) -> Duration {
                Duration::from_millis(self.ms_since(earlier))
            }
        }

        /// Rounds down to milliseconds.
        impl Add<Duration> for $clock {
            type Output = $clock;
            fn add(self, time: Duration) -> $clock {
                self.plus_ms(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
            }
        }

        /// Zero if the other moment is later.
        impl Sub for $clock {
            type Output = Duration;
            fn sub(self, earlier: $clock) -> Duration {
                self.since(earlier)
            }
        }
    };
}

clock!(Mono);
clock!(Wall);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_on_and_measures() {
        let start = Mono(1_000);
        assert_eq!(start.plus_s(2), Mono(3_000));
        assert_eq!(start + Duration::from_micros(1_999), Mono(1_001));
        assert_eq!(Mono(3_000) - start, Duration::from_secs(2));
        assert_eq!(start - Mono(3_000), Duration::ZERO);
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        assert_eq!(Wall(5).plus_ms(u64::MAX), Wall::NEVER);
        assert_eq!(Wall(5).plus_s(u64::MAX), Wall::NEVER);
        assert_eq!(Wall(5) + Duration::MAX, Wall::NEVER);
    }

    #[test]
    fn both_clocks_move_together() {
        let now = Now { mono: Mono(1), wall: Wall(10) }.after(Duration::from_millis(5));
        assert_eq!(now, Now { mono: Mono(6), wall: Wall(15) });
    }
}
