//! What the server says about itself.

use std::fmt::Write as _;
use std::time::Duration;

use hexmq_broker::{Census, ShardId};
use hexmq_device::port::PlatformGauges;
use hexmq_observe::StoreGauges;
use serde::Serialize;
use utoipa::ToSchema;

/// What the API asks the server behind it. Calls may wait, but not longer than they are told.
pub trait Backend: Send + Sync + 'static {
    /// The sum of the shards' counts, and the shards that did not answer in time.
    fn census(&self, patience: Duration) -> (Census, Vec<ShardId>);
    /// Data-plane threads.
    fn shards(&self) -> u16;
    /// Retained messages.
    fn retained_messages(&self) -> u64;
    /// Whether clients are served: all listeners are bound and no shard has failed.
    fn is_ready(&self) -> bool;
    /// Time since the start.
    fn uptime(&self) -> Duration;
    /// Asks anew which connections are recorded, and returns the shards that have not done it within
    /// `patience`. `taping`: whether connections that come are to be asked about, too.
    fn retape(&self, taping: bool, patience: Duration) -> Vec<ShardId>;
    /// `disk`, `process` or `memory`.
    fn durability(&self) -> &'static str;
    /// The durable store; `None` in mode `memory`.
    fn store(&self) -> Option<StoreGauges>;
}

/// `GET /api/v1/status`
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    version: &'static str,
    uptime_s: u64,
    durability: &'static str,
    clients: Clients,
    messages: Messages,
    subscriptions: Subscriptions,
    packets: Traffic,
    bytes: Traffic,
    connections: Connections,
    shards: Shards,
    store: Option<Store>,
    /// The device cloud; `null`: there is none.
    cloud: Option<Cloud>,
}

/// The device cloud.
#[derive(Debug, Serialize, ToSchema)]
struct Cloud {
    /// `well`, or `away` while the data base does not answer.
    database: &'static str,
    products: u64,
    devices_online: u64,
    uplinks: u64,
    uplinks_refused: u64,
    points: u64,
    /// Uplinks taken over and not yet kept.
    backlog: u64,
    keep_failures: u64,
    commands_answered: u64,
    commands_timed_out: u64,
    commands_refused: u64,
    webhooks_delivered: u64,
    webhooks_given_up: u64,
}

impl From<PlatformGauges> for Cloud {
    fn from(gauges: PlatformGauges) -> Cloud {
        Cloud {
            database: if gauges.database_away == 0 { "well" } else { "away" },
            products: gauges.products,
            devices_online: gauges.devices_online,
            uplinks: gauges.uplinks,
            uplinks_refused: gauges.uplinks_refused,
            points: gauges.points,
            backlog: gauges.backlog,
            keep_failures: gauges.keep_failures,
            commands_answered: gauges.commands_answered,
            commands_timed_out: gauges.commands_timed_out,
            commands_refused: gauges.commands_refused,
            webhooks_delivered: gauges.webhooks_delivered,
            webhooks_given_up: gauges.webhooks_given_up,
        }
    }
}

/// The gauges of the platform for a page of metrics.
pub(crate) fn render(page: &mut String, gauges: &PlatformGauges) {
    for (name, kind, value) in [
        ("products", "gauge", gauges.products),
        ("devices_online", "gauge", gauges.devices_online),
        ("uplinks_total", "counter", gauges.uplinks),
        ("uplinks_refused_total", "counter", gauges.uplinks_refused),
        ("points_total", "counter", gauges.points),
        ("backlog", "gauge", gauges.backlog),
        ("keep_failures_total", "counter", gauges.keep_failures),
        ("database_away", "gauge", gauges.database_away),
        ("commands_answered_total", "counter", gauges.commands_answered),
        ("commands_timed_out_total", "counter", gauges.commands_timed_out),
        ("commands_refused_total", "counter", gauges.commands_refused),
        ("webhooks_delivered_total", "counter", gauges.webhooks_delivered),
        ("webhooks_given_up_total", "counter", gauges.webhooks_given_up),
    ] {
        // Writing to a `String` cannot fail.
        let _ = writeln!(page, "# TYPE hexmq_cloud_{name} {kind}\nhexmq_cloud_{name} {value}");
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Clients {
    connected: u64,
    sessions: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Messages {
    received: u64,
    sent: u64,
    dropped: u64,
    retained: u64,
    queued: u64,
    in_flight: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Subscriptions {
    total: u64,
    shared: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Traffic {
    received: u64,
    sent: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Connections {
    opened: u64,
    accepted: u64,
    refused: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Store {
    condition: &'static str,
    log_bytes: u64,
    live_bytes: u64,
    sessions: u64,
    messages_queued: u64,
    messages_retained: u64,
    backlog_bytes: u64,
    commits: u64,
    writes: u64,
    write_us: u64,
    write_us_max: u64,
}

impl From<StoreGauges> for Store {
    fn from(gauges: StoreGauges) -> Store {
        Store {
            condition: if gauges.stuck { "stuck" } else { "well" },
            log_bytes: gauges.log_bytes,
            live_bytes: gauges.live_bytes,
            sessions: gauges.sessions,
            messages_queued: gauges.messages_queued,
            messages_retained: gauges.messages_retained,
            backlog_bytes: gauges.backlog_bytes,
            commits: gauges.commits,
            writes: gauges.writes,
            write_us: gauges.write_us,
            write_us_max: gauges.write_us_max,
        }
    }
}

/// `silent` names shards whose counts are missing from this answer.
#[derive(Debug, Serialize, ToSchema)]
struct Shards {
    total: u16,
    silent: Vec<u16>,
}

/// Shards get so long to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the shards. Waits up to [`PATIENCE`].
pub(crate) fn status(backend: &dyn Backend, cloud: Option<PlatformGauges>) -> Status {
    let (census, silent) = backend.census(PATIENCE);
    Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: backend.uptime().as_secs(),
        durability: backend.durability(),
        clients: Clients { connected: census.clients_connected, sessions: census.sessions },
        messages: Messages {
            received: census.publish_received,
            sent: census.publish_sent,
            dropped: census.publish_dropped,
            retained: backend.retained_messages(),
            queued: census.messages_queued,
            in_flight: census.messages_in_flight,
        },
        subscriptions: Subscriptions { total: census.subscriptions, shared: census.subscriptions_shared },
        packets: Traffic { received: census.packets_received, sent: census.packets_sent },
        bytes: Traffic { received: census.bytes_received, sent: census.bytes_sent },
        connections: Connections {
            opened: census.connections_opened,
            accepted: census.connects_accepted,
            refused: census.connects_refused,
        },
        shards: Shards { total: backend.shards(), silent: silent.into_iter().map(|shard| shard.0).collect() },
        store: backend.store().map(Store::from),
        cloud: cloud.map(Cloud::from),
    }
}
