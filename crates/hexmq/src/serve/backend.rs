//! What the HTTP API asks of the running server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hexmq_broker::{Census, Condition, Journal as _, ShardId};
use hexmq_http::Backend;
use hexmq_node::Handle;
use hexmq_observe::StoreGauges;
use hexmq_store::Keeper;

use crate::config::{Config, Durability};

/// The shards behind the API.
pub(crate) struct NodeBackend {
    handle: Handle,
    durability: Durability,
    keeper: Option<Arc<Keeper>>,
    started: Instant,
}

impl NodeBackend {
    pub(crate) fn new(handle: Handle, config: &Config, keeper: Option<Arc<Keeper>>) -> NodeBackend {
        NodeBackend { handle, durability: config.durability, keeper, started: Instant::now() }
    }
}

impl Backend for NodeBackend {
    fn census(&self, patience: Duration) -> (Census, Vec<ShardId>) {
        let counted = self.handle.census(patience);
        (counted.census, counted.silent)
    }

    fn shards(&self) -> u16 {
        self.handle.shared().shards
    }

    fn retained_messages(&self) -> u64 {
        self.handle.shared().retained.len() as u64
    }

    fn is_ready(&self) -> bool {
        // The API starts after the listeners and ends before them.
        self.handle.census(Duration::from_millis(500)).silent.is_empty()
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn retape(&self, taping: bool, patience: Duration) -> Vec<ShardId> {
        self.handle.retape(taping, patience)
    }

    fn store(&self) -> Option<StoreGauges> {
        let keeper = self.keeper.as_ref()?;
        let figures = keeper.figures();
        Some(StoreGauges {
            stuck: keeper.condition() == Condition::Stuck,
            log_bytes: figures.store.log_bytes,
            live_bytes: figures.store.live_bytes,
            segments: figures.store.segments,
            segments_cleaned: figures.store.cleaned_segments,
            sessions: figures.store.sessions,
            messages_queued: figures.store.queued,
            messages_retained: figures.store.retained,
            backlog_bytes: figures.backlog_bytes,
            commits: figures.commits,
            writes: figures.rounds,
            write_us: figures.last_round_us,
            write_us_max: figures.longest_round_us,
        })
    }

    fn durability(&self) -> &'static str {
        self.durability.name()
    }
}
