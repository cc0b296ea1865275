//! Readers of what a server tells: log lines and counters, so that the two never disagree, and the
//! flight recorder.
//!
//! Guarantees: nothing here waits or grows. Log lines of one kind are throttled, with the number
//! of those left out; labels of counters are the stable names of `hexmq-broker`, never anything a
//! client chose.

mod counters;
mod log;
mod prometheus;
pub mod recorder;
mod throttle;

pub use counters::Counters;
use log::{Line, log_event, log_line};
pub use prometheus::{Gauges, StoreGauges, render};
pub use throttle::{Pass, Throttle};

use std::sync::Arc;

use hexmq_broker::{Event, Level, ShardId};

use recorder::Recorder;

/// Counts, logs and records what happens.
#[derive(Debug, Default)]
pub struct Observer {
    /// What was counted.
    pub counters: Counters,
    /// What was recorded.
    pub recorder: Arc<Recorder>,
    throttles: log::Throttles,
}

impl Observer {
    /// An observer with this recorder.
    pub fn new(recorder: Recorder) -> Observer {
        Observer { recorder: Arc::new(recorder), ..Observer::default() }
    }

    /// An event of the core.
    pub fn event(&self, shard: ShardId, event: &Event<'_>) {
        self.counters.count(event);
        log_event(&self.throttles, shard, event);
    }

    /// Something outside the core, by its stable name.
    pub fn notice(&self, shard: ShardId, name: &'static str, level: Level, text: &dyn std::fmt::Display) {
        log_line(&self.throttles, &Line { shard, name, level, text });
    }
}
