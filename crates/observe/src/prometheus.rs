//! The counts in the text format of Prometheus.

use std::fmt::Write;

use hexmq_broker::Census;

use crate::Counters;

/// What is measured outside the shards.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Retained messages.
    pub retained_messages: u64,
    /// Shards that did not answer in time; their counts are missing.
    pub silent_shards: u64,
    /// What an acknowledgement promises: `disk`, `process` or `memory`.
    pub durability: &'static str,
    /// The durable store, if there is one.
    pub store: Option<StoreGauges>,
}

/// What the durable store tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreGauges {
    /// It cannot write; nothing durable is acknowledged.
    pub stuck: bool,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Bytes of it that still count.
    pub live_bytes: u64,
    /// Files of the log.
    pub segments: u64,
    /// Files of the log that were cleaned and removed since the start.
    pub segments_cleaned: u64,
    /// Stored sessions.
    pub sessions: u64,
    /// Messages that wait for them.
    pub messages_queued: u64,
    /// Retained messages.
    pub messages_retained: u64,
    /// Bytes handed over that are not safe yet.
    pub backlog_bytes: u64,
    /// Commits made safe since the start.
    pub commits: u64,
    /// Writes that made them safe, each with one sync in mode `disk`.
    pub writes: u64,
    /// Microseconds the last of these took.
    pub write_us: u64,
    /// Microseconds the longest took.
    pub write_us_max: u64,
}

impl StoreGauges {
    fn lines(&self) -> [(&'static str, &'static str, u64); 13] {
        [
            ("stuck", "gauge", u64::from(self.stuck)),
            ("log_bytes", "gauge", self.log_bytes),
            ("live_bytes", "gauge", self.live_bytes),
            ("segments", "gauge", self.segments),
            ("segments_cleaned_total", "counter", self.segments_cleaned),
            ("sessions", "gauge", self.sessions),
            ("messages_queued", "gauge", self.messages_queued),
            ("messages_retained", "gauge", self.messages_retained),
            ("backlog_bytes", "gauge", self.backlog_bytes),
            ("commits_total", "counter", self.commits),
            ("writes_total", "counter", self.writes),
            ("write_microseconds", "gauge", self.write_us),
            ("write_microseconds_max", "gauge", self.write_us_max),
        ]
    }
}

/// What a gauge of [`Census`] is called; everything else there is a counter.
const GAUGES: [&str; 10] = [
    "clients_connected",
    "sessions",
    "subscriptions",
    "subscriptions_shared",
    "messages_queued",
    "messages_in_flight",
    "messages_stored",
    "messages_stored_bytes",
    "uplinks_waiting",
    "uplinks_waiting_bytes",
];

/// One page of metrics.
pub fn render(census: &Census, counters: &Counters, gauges: &Gauges) -> String {
    let mut page = String::with_capacity(8 << 10);
    for (name, value) in Census::NAMES.into_iter().zip(census.values()) {
        if GAUGES.contains(&name) {
            metric(&mut page, name, "gauge", value);
        } else {
            metric(&mut page, &format!("{name}_total"), "counter", value);
        }
    }
    metric(&mut page, "retained_messages", "gauge", gauges.retained_messages);
    metric(&mut page, "uptime_seconds", "gauge", gauges.uptime_s);
    metric(&mut page, "shards_silent", "gauge", gauges.silent_shards);
    let _ = writeln!(
        page,
        "# TYPE hexmq_durability_info gauge\nhexmq_durability_info{{mode=\"{}\"}} 1",
        gauges.durability
    );
    for (name, kind, value) in gauges.store.iter().flat_map(StoreGauges::lines) {
        metric(&mut page, &format!("store_{name}"), kind, value);
    }
    metric(&mut page, "violations_survived_total", "counter", counters.violations_survived());
    metric(&mut page, "publishes_denied_total", "counter", counters.publishes_denied());
    metric(&mut page, "subscriptions_denied_total", "counter", counters.subscriptions_denied());
    by_reason(&mut page, "refusals_total", counters.refusals());
    by_reason(&mut page, "disconnects_total", counters.closes());
    by_reason(&mut page, "drops_total", counters.drops());
    page
}

// Writing to a `String` cannot fail.
fn metric(page: &mut String, name: &str, kind: &str, value: u64) {
    let _ = writeln!(page, "# TYPE hexmq_{name} {kind}\nhexmq_{name} {value}");
}

fn by_reason(page: &mut String, name: &str, counts: impl Iterator<Item = (&'static str, u64)>) {
    let _ = writeln!(page, "# TYPE hexmq_{name} counter");
    for (reason, count) in counts {
        let _ = writeln!(page, "hexmq_{name}{{reason=\"{reason}\"}} {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let page = render(&Census::default(), &Counters::default(), &Gauges::default());
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            assert!(name.starts_with("hexmq_"), "{line}");
            assert_eq!(value, if name.contains("_info{") { "1" } else { "0" }, "{line}");
        }
        let gauges = Gauges { durability: "disk", store: Some(StoreGauges::default()), ..Gauges::default() };
        let stored = render(&Census::default(), &Counters::default(), &gauges);
        assert!(stored.contains("hexmq_durability_info{mode=\"disk\"} 1"), "{stored}");
        assert!(stored.contains("\nhexmq_store_commits_total 0\n"), "{stored}");
        assert!(page.contains("# TYPE hexmq_clients_connected gauge"));
        assert!(page.contains("# TYPE hexmq_publish_received_total counter"));
        assert!(page.contains("hexmq_refusals_total{reason=\"not_authorized\"} 0"));
    }

    #[test]
    fn the_gauges_are_names_of_the_census() {
        for name in GAUGES {
            assert!(Census::NAMES.contains(&name), "{name}");
        }
    }
}
