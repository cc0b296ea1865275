//! A bound on how often the same kind of line is logged.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Lines of one kind in one second; more are left out and counted.
const LINES_PER_SECOND: u64 = 20;

/// One kind of line. The moment and the count share a word, so that no lock is needed.
#[derive(Debug, Default)]
pub struct Throttle {
    /// Seconds in the upper half, lines of that second in the lower.
    state: AtomicU64,
    left_out: AtomicU64,
}

/// Whether a line may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Yes; so many of its kind were left out since the last one that was.
    Yes {
        /// Lines left out.
        left_out: u64,
    },
    /// No.
    No,
}

impl Throttle {
    /// Asks for one line at this second of some clock.
    pub fn pass(&self, second: u64) -> Pass {
        let second = second & 0xFFFF_FFFF;
        let before = self.state.load(Relaxed);
        let lines = if before >> 32 == second { before & 0xFFFF_FFFF } else { 0 };
        if lines >= LINES_PER_SECOND {
            self.left_out.fetch_add(1, Relaxed);
            return Pass::No;
        }
        // Two threads may both pass here: the bound is soft by the number of shards.
        self.state.store((second << 32) | (lines + 1), Relaxed);
        Pass::Yes { left_out: self.left_out.swap(0, Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_a_number() {
        let throttle = Throttle::default();
        let passed = (0..100).filter(|_| throttle.pass(7) != Pass::No).count();
        assert_eq!(passed as u64, LINES_PER_SECOND);
        assert_eq!(throttle.pass(8), Pass::Yes { left_out: 100 - LINES_PER_SECOND });
        assert_eq!(throttle.pass(8), Pass::Yes { left_out: 0 });
    }
}
