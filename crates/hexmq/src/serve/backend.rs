//! What the HTTP API asks of the running server.

use std::time::{Duration, Instant};

use hexmq_broker::{Census, ShardId};
use hexmq_http::Backend;
use hexmq_node::Handle;

use crate::config::{Config, Durability};

/// The shards behind the API.
pub(crate) struct NodeBackend {
    handle: Handle,
    durability: Durability,
    started: Instant,
}

impl NodeBackend {
    pub(crate) fn new(handle: Handle, config: &Config) -> NodeBackend {
        NodeBackend { handle, durability: config.durability, started: Instant::now() }
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

    fn durability(&self) -> &'static str {
        self.durability.name()
    }
}
