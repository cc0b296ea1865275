//! Events as log lines. The event's name is a field, the text is for people.

use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use hexmq_broker::{Event, Level, ShardId};

use crate::throttle::{Pass, Throttle};

/// One throttle for each kind of line, found by its name.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    start: OnceLock<Instant>,
    by_name: [Throttle; 32],
}

impl Throttles {
    /// Kinds whose names fall together share a throttle, which only makes it stricter.
    fn pass(&self, name: &str) -> Pass {
        let second = self.start.get_or_init(Instant::now).elapsed().as_secs();
        let mixed = name.bytes().fold(0_usize, |h, byte| h.wrapping_mul(31).wrapping_add(byte.into()));
        self.by_name.get(mixed % 32).map_or(Pass::No, |throttle| throttle.pass(second))
    }
}

/// A line about something.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Where it happened.
    pub(crate) shard: ShardId,
    /// The stable name.
    pub(crate) name: &'static str,
    /// How much it matters.
    pub(crate) level: Level,
    /// For people.
    pub(crate) text: &'a dyn fmt::Display,
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.text)
    }
}

/// Logs an event of the core.
pub(crate) fn log_event(throttles: &Throttles, shard: ShardId, event: &Event<'_>) {
    log_line(throttles, &Line { shard, name: event.name(), level: event.level(), text: event });
}

/// Logs a line, unless too many of its kind were logged in this second.
pub(crate) fn log_line(throttles: &Throttles, line: &Line<'_>) {
    if !enabled(line.level) {
        return;
    }
    let Pass::Yes { left_out } = throttles.pass(line.name) else { return };
    let (shard, name, text) = (line.shard.0, line.name, line.text);
    if left_out > 0 {
        tracing::warn!(event = name, left_out, "lines of this kind were left out");
    }
    match line.level {
        Level::Error => tracing::error!(event = name, shard, "{text}"),
        Level::Warn => tracing::warn!(event = name, shard, "{text}"),
        Level::Info => tracing::info!(event = name, shard, "{text}"),
        Level::Debug => tracing::debug!(event = name, shard, "{text}"),
    }
}

fn enabled(level: Level) -> bool {
    match level {
        Level::Error => tracing::enabled!(tracing::Level::ERROR),
        Level::Warn => tracing::enabled!(tracing::Level::WARN),
        Level::Info => tracing::enabled!(tracing::Level::INFO),
        Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
    }
}
