//! How long to wait before connecting again.

use std::time::Duration;

/// The first wait is up to this long.
const FIRST_MS: u64 = 1_000;
/// No wait is longer.
const MAXIMUM_MS: u64 = 30_000;

/// Exponential back-off with jitter: the n-th wait lies between a half and the whole of
/// 1 s × 2ⁿ, at most 30 s, so that clients that were lost together do not return together.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempts: u32,
    random: u64,
}

impl Backoff {
    /// A sequence of waits; the seed decides the jitter.
    pub const fn new(seed: u64) -> Backoff {
        // The generator stands still at 0.
        Backoff { attempts: 0, random: seed | 1 }
    }

    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let whole = FIRST_MS.saturating_mul(1 << self.attempts.min(16)).min(MAXIMUM_MS);
        self.attempts = self.attempts.saturating_add(1);
        // xorshift64: good enough to spread clients in time.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        Duration::from_millis(whole / 2 + self.random % (whole / 2 + 1))
    }

    /// A connection was accepted: begin with a short wait again.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_begin_anew() {
        let mut backoff = Backoff::new(7);
        for attempt in 0..40 {
            let whole = 1_000_u128.checked_shl(attempt).unwrap_or(30_000).min(30_000);
            let whole = if attempt > 10 { 30_000 } else { whole };
            let wait = backoff.next_delay().as_millis();
            assert!((whole / 2..=whole).contains(&wait), "attempt {attempt}: {wait} ms");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(1_000));
    }

    #[test]
    fn clients_are_spread() {
        let waits: std::collections::BTreeSet<_> =
            (1..=64).map(|seed| Backoff::new(seed * 977).next_delay()).collect();
        assert!(waits.len() > 32, "only {} different waits", waits.len());
    }
}
