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
}

/// What a gauge of [`Census`] is called; everything else there is a counter.
const GAUGES: [&str; 8] = [
    "clients_connected",
    "sessions",
    "subscriptions",
    "subscriptions_shared",
    "messages_queued",
    "messages_in_flight",
    "messages_stored",
    "messages_stored_bytes",
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
            assert_eq!(value, "0", "{line}");
        }
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
