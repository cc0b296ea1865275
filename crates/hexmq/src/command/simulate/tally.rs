//! What a simulation has counted.

use std::collections::BTreeMap;
use std::time::Duration;

use hexmq_client::load::{Histogram, Taken};
use serde_json::{Map, Value, json};

/// Kinds of errors that are told apart; the others are counted together.
const ERRORS_MAX: usize = 20;

/// Counts and times.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Connections that were accepted.
    pub(super) connected: u64,
    /// Connections that ended against the device's will.
    pub(super) disconnected: u64,
    /// Connections that were broken on purpose.
    pub(super) cut: u64,
    /// CONNECTs that were refused.
    pub(super) refused: u64,
    /// Posts that left.
    pub(super) sent: u64,
    /// Posts that were due while the device was away.
    pub(super) missed: u64,
    /// Posts with an acknowledgement of MQTT.
    pub(super) acked: u64,
    /// Posts that the cloud has answered.
    pub(super) replied: u64,
    /// Those whose answer is a refusal.
    pub(super) rejected: u64,
    /// Posts that were not acknowledged, or not answered, before the connection or the run ended.
    pub(super) lost: u64,
    /// Orders that came.
    pub(super) orders: u64,
    /// Answers to them that left.
    pub(super) answered: u64,
    /// From a post to its acknowledgement, in nanoseconds.
    pub(super) ack: Histogram,
    /// From a post to the cloud's answer, in nanoseconds.
    pub(super) reply: Histogram,
    /// From the start of a connection to CONNACK, in nanoseconds.
    pub(super) connack: Histogram,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an error by its text.
    pub(super) fn error(&mut self, text: &str) {
        if let Some(count) = self.errors.get_mut(text) {
            *count += 1;
        } else if self.errors.len() < ERRORS_MAX {
            self.errors.insert(text.to_owned(), 1);
        } else {
            *self.errors.entry("others".to_owned()).or_default() += 1;
        }
    }

    /// Whether something went wrong that nobody asked for.
    pub(super) fn is_clean(&self, breaks: bool) -> bool {
        let lost = if breaks { 0 } else { self.lost + self.missed };
        self.errors.is_empty() && self.refused + self.rejected + self.disconnected + lost == 0
    }

    /// One line for a person who waits.
    pub(super) fn line(&self, elapsed: Duration, online: usize) -> String {
        format!(
            "{:>5} s: {online} on line, {} sent, {} acknowledged, {} answered, {} orders, {} errors",
            elapsed.as_secs(),
            self.sent,
            self.acked,
            self.replied,
            self.orders,
            self.errors.values().sum::<u64>()
        )
    }

    /// All of it.
    pub(super) fn json(&self, devices: usize, taken: &Taken) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("devices", json!(devices));
        put("wall_s", json!(taken.wall_s));
        for (name, count) in self.counts() {
            put(name, json!(count));
        }
        for (name, histogram) in
            [("connack_ms", &self.connack), ("ack_ms", &self.ack), ("reply_ms", &self.reply)]
        {
            put(name, latencies(histogram));
        }
        put("own_cpu_ms", json!(taken.own_cpu_us / 1000.0));
        put("server_cpu_ms", json!(taken.cpu_us.map(|us| us / 1000.0)));
        put("server_memory_growth_bytes", json!(taken.bytes));
        put("server_peak_growth_bytes", json!(taken.peak_bytes));
        put("errors", json!(self.errors));
        Value::Object(json)
    }

    fn counts(&self) -> [(&'static str, u64); 12] {
        [
            ("connected", self.connected),
            ("disconnected", self.disconnected),
            ("cut", self.cut),
            ("refused", self.refused),
            ("sent", self.sent),
            ("missed", self.missed),
            ("acked", self.acked),
            ("replied", self.replied),
            ("rejected", self.rejected),
            ("lost", self.lost),
            ("orders", self.orders),
            ("answered", self.answered),
        ]
    }
}

fn latencies(histogram: &Histogram) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let ms = |nanoseconds: u64| (nanoseconds as f64 / 1000.0).round() / 1000.0;
    let quantile = |share| histogram.quantile(share).map(ms);
    json!({
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
        "max": ms(histogram.maximum()),
    })
}

/// The JSON for people: a line each.
pub(super) fn text(report: &Value) -> String {
    let mut lines = Vec::new();
    for (name, value) in report.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(parts) => {
                let parts = parts.iter().map(|(part, value)| format!("{part} {value}"));
                let shown = parts.collect::<Vec<_>>().join("  ");
                lines.push(format!("{name:<28} {}", if shown.is_empty() { "none" } else { &shown }));
            }
            Value::Number(number) if number.is_f64() => {
                lines.push(format!("{name:<28} {:.2}", number.as_f64().unwrap_or_default()));
            }
            other => lines.push(format!("{name:<28} {other}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut tally = Tally::default();
        assert!(tally.is_clean(false));
        for number in 0..100 {
            tally.error(&format!("error {}", number % 50));
        }
        assert_eq!(tally.errors.len(), ERRORS_MAX + 1);
        assert_eq!(tally.errors.values().sum::<u64>(), 100);
        assert!(!tally.is_clean(true));
        assert!(Tally { lost: 1, ..Tally::default() }.is_clean(true));
        assert!(!Tally { lost: 1, ..Tally::default() }.is_clean(false));
    }
}
