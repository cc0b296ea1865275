//! The two clocks, read once a turn.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hexmq_session::{Mono, Now, Wall};

/// Where the monotonic clock of a server begins. All its shards share it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Both clocks. A time of day before 1970 counts as 1970.
    #[inline]
    pub fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// The same, where the monotonic one was read already.
    #[inline]
    pub(crate) fn at(&self, now: Instant) -> Now {
        let passed = now.duration_since(self.start);
        let mono = Mono(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono, wall: Wall(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)) }
    }
}
