//! Connects the loop's tap with the readers of its events.

use std::sync::Arc;

use hexmq_broker::{Event, ShardId};
use hexmq_node::{Notice, Tap};
use hexmq_observe::Observer;

/// Hands everything to the observer.
pub(crate) struct ObserverTap(pub(crate) Arc<Observer>);

impl Tap for ObserverTap {
    fn event(&self, shard: ShardId, event: &Event<'_>) {
        self.0.event(shard, event);
    }

    fn notice(&self, shard: ShardId, notice: &Notice<'_>) {
        self.0.notice(shard, notice.name(), notice.level(), notice);
    }
}
