//! The device cloud beside the server: the registry is opened, the platform started, and both are introduced
//! to the shards. Platform and broker do not know each other; what one says is put into the other's words here.

mod door;
mod ears;
mod fleet;
mod terms;

use std::sync::Arc;

use hexmq_device::Dialect;
use hexmq_device::port::VendorApi;
use hexmq_platform::{Cloud, Settings, Setup};
use hexmq_registry::Location;

pub(crate) use door::Doorkeeper;
pub(crate) use ears::{CloudTap, CloudUpstairs};
pub(crate) use fleet::ShardFleet;

use crate::config::Config;

/// In the directory of `--data`.
const FILE: &str = "registry.db";

/// Opens the registry and starts the platform. `device_url`: where devices reach its HTTP calls, if nothing
/// else was configured.
pub(crate) fn start(config: &Config, device_url: Option<String>) -> Result<Arc<Cloud>, String> {
    let location = match (&config.cloud.registry, config.ephemeral) {
        (Some(url), _) => Location::Postgres(url.0.clone()),
        (None, true) => Location::Memory,
        (None, false) => {
            make_directory(config)?;
            Location::Sqlite(config.data.join(FILE))
        }
    };
    let database = hexmq_registry::open(&location)?;
    let log_ms = i64::try_from(config.cloud.device_log_time.as_millis()).unwrap_or(i64::MAX);
    let settings = Settings {
        public_url: config.cloud.public_url.clone().or(device_url),
        log_ms,
        log_lines: config.cloud.device_log_lines as usize,
        ..Settings::default()
    };
    Cloud::start(Setup {
        registry: database.registry,
        history: database.history,
        dialects: dialects(),
        clock: Arc::new(unix_ms),
        settings,
    })
}

/// The clouds whose words are spoken here.
fn dialects() -> Vec<Arc<dyn Dialect>> {
    vec![
        Arc::new(hexmq_dialect_onenet::Onenet),
        Arc::new(hexmq_dialect_onenet::OnenetToken),
        Arc::new(hexmq_dialect_aliyun::Aliyun),
        Arc::new(hexmq_device::Plain),
    ]
}

/// The vendors' HTTP calls.
pub(crate) fn vendors() -> Vec<Arc<dyn VendorApi>> {
    vec![Arc::new(hexmq_dialect_onenet::Api), Arc::new(hexmq_dialect_aliyun::Api)]
}

fn make_directory(config: &Config) -> Result<(), String> {
    std::fs::create_dir_all(&config.data).map_err(|error| {
        format!(
            "cannot make {}: {error}\n  choose another directory with --data, or keep nothing with --ephemeral",
            config.data.display()
        )
    })
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
