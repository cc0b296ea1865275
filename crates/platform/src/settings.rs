//! What can be set.

use std::time::Duration;

/// Bounds and times of the platform; the defaults are those of the product.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How devices reach the files they are offered, without a slash at the end; `None`: links are only paths.
    pub public_url: Option<String>,
    /// Log lines of devices are kept so many milliseconds.
    pub log_ms: i64,
    /// So many log lines of a device are kept.
    pub log_lines: usize,
    /// Credentials of so many devices are remembered for when the registry does not answer.
    pub credentials: usize,
    /// So long a sign-in waits for the registry.
    pub registry_patience: Duration,
    /// So long rows are gathered before they are written together.
    pub group_time: Duration,
    /// So many rows are written together.
    pub group_rows: usize,
    /// Rows that no uplink stands for (log lines of what was sent, of who came and went) which may wait while the
    /// data base does not answer; what is beyond is dropped and counted.
    pub loose_rows: usize,
    /// The first pause after the data base has failed; it doubles up to five seconds.
    pub first_pause: Duration,
    /// Threads that read uplinks.
    pub readers: usize,
    /// Deliveries that may wait for one webhook; the oldest are given up beyond that.
    pub webhook_queue: usize,
    /// The pause after the first failed delivery; it doubles up to ten minutes.
    pub webhook_pause: Duration,
    /// A delivery is tried so often before it is given up.
    pub webhook_attempts: u32,
    /// So long [`crate::Cloud::stop`] waits for what is on its way to the data base.
    pub stop_patience: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: None,
            log_ms: 7 * 86_400_000,
            log_lines: 1000,
            credentials: 100_000,
            registry_patience: Duration::from_secs(3),
            group_time: Duration::from_millis(50),
            group_rows: 2000,
            loose_rows: 100_000,
            first_pause: Duration::from_millis(100),
            readers: 2,
            webhook_queue: 10_000,
            webhook_pause: Duration::from_secs(1),
            webhook_attempts: 20,
            stop_patience: Duration::from_secs(5),
        }
    }
}
