//! Whether a member of a shared subscription can take a message, seen from any shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Shown by the session's shard, read by publishers' shards; a stale value costs a detour, never
/// a message.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<AtomicU8>);

/// What [`Room`] shows. The order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    /// No connection: a message would wait for one.
    Away,
    /// Connected, but the in-flight window is full.
    Busy,
    /// A message would be sent at once.
    Ready,
}

impl Room {
    /// Shows the state of a session.
    pub fn show(&self, connected: bool, has_room: bool) {
        let shown = match (connected, has_room) {
            (false, _) => Readiness::Away,
            (true, false) => Readiness::Busy,
            (true, true) => Readiness::Ready,
        };
        self.0.store(shown as u8, Relaxed);
    }

    /// What was shown last.
    pub fn readiness(&self) -> Readiness {
        match self.0.load(Relaxed) {
            0 => Readiness::Away,
            1 => Readiness::Busy,
            _ => Readiness::Ready,
        }
    }
}
