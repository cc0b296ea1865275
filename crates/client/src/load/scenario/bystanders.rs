//! Clients that have nothing to do with a load, and what they notice of it.

use hexmq_wire::QoS;

use super::flow::{Flow, Shape};
use crate::load::Report;

/// Pairs at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub struct Bystanders {
    /// Pairs.
    pub pairs: usize,
    /// Messages per second of all of them together, of QoS 0.
    pub rate: u32,
    /// Messages of the measurement before the load.
    pub messages: u64,
}

impl Bystanders {
    pub(super) fn flow(&self) -> Flow {
        Flow {
            shape: Shape::Pairs(self.pairs),
            qos: QoS::AtMostOnce,
            window: 1000,
            rate: Some(self.rate),
            deliveries: self.messages,
            size: 64,
            durable: false,
        }
    }
}

/// What they noticed.
pub(super) fn tell(report: &mut Report, before: &Report, during: &Report) {
    for (name_before, name_during, key) in [
        ("latency_p50_before_us", "latency_p50_during_us", "latency_p50_us"),
        ("latency_p99_before_us", "latency_p99_during_us", "latency_p99_us"),
        ("latency_max_before_us", "latency_max_during_us", "latency_max_us"),
    ] {
        report.measure_if_known(name_before, before.get(key)).measure_if_known(name_during, during.get(key));
    }
}
