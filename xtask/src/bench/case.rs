//! What is measured on each, and what other brokers were found to need.

/// A load and the figures of its report that count.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Arguments of `hexmq bench`.
    pub(super) load: &'static str,
    /// The same for the relay at QoS 0, which the peers of the table were measured beside.
    pub(super) relay: Option<&'static str>,
    /// The relay does this very load too, not only the one beside it: that is its floor.
    pub(super) has_floor: bool,
    /// A rumqttd that is installed gets through it.
    pub(super) rumqttd_can: bool,
    pub(super) figures: &'static [Figure],
}

/// Deliveries of a load that does not say how many.
const MESSAGES: u64 = 200_000;
/// The time in which buffers grow and caches fill is part of a run. It must be small beside the rest also for
/// servers that are quick: they get so many times as many messages of a batched load.
const LONGER: u64 = 5;

impl Case {
    /// The arguments of `hexmq bench` for a load of this case.
    pub(super) fn flags(&self, load: &str, is_quick: bool) -> Vec<String> {
        let mut flags: Vec<String> = load.split_whitespace().map(str::to_owned).collect();
        let is_batched = self.figures.iter().any(|figure| matches!(figure.mark, Mark::Batched { .. }));
        if !is_quick || !is_batched {
            return flags;
        }
        let value = flags.iter().position(|flag| flag == "--messages").map_or_else(
            || {
                flags.extend(["--messages".to_owned(), MESSAGES.to_string()]);
                flags.len() - 1
            },
            |flag| flag + 1,
        );
        if let Some(value) = flags.get_mut(value) {
            *value = (value.parse().unwrap_or(MESSAGES) * LONGER).to_string();
        }
        flags
    }
}

/// One figure of a report.
pub(super) struct Figure {
    pub(super) key: &'static str,
    pub(super) unit: &'static str,
    pub(super) mark: Mark,
    /// What stands in for brokers that are not installed.
    pub(super) table: Option<Table>,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    /// 0.6 of the best peer and, at QoS 0, 1.6 of the relay.
    Batched { relay_does_the_same: bool },
    /// 0.8 of the best peer and, at QoS 0, 1.2 of the relay.
    Unbatched { relay_does_the_same: bool },
    /// A number; where the relay does the same, not below what that needs.
    AtMost(f64),
    /// The best peer.
    Peer,
}

impl Mark {
    /// Whether it was found on another machine, and not in this run.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Mark::AtMost(_))
    }
}

/// What the relay needed for `pairs` where the marks were found, CPU µs per message.
pub(super) const RELAY_PAIRS_US: f64 = 0.47;

/// CPU µs per message of FlashMQ 1.26 with one and two threads, rumqttd 0.20 and rmqttd 0.24, and of the
/// relay beside them on that machine. What counts is their ratio to the relay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) relay: f64,
    pub(super) peers: [f64; 4],
}

impl Table {
    /// Where rumqttd stands in it.
    pub(super) const RUMQTTD: usize = 2;
}

const CPU: &str = "cpu_us_per_message";

const fn figure(key: &'static str, unit: &'static str, mark: Mark) -> Figure {
    Figure { key, unit, mark, table: None }
}

const fn cpu(mark: Mark, relay: f64, peers: [f64; 4]) -> [Figure; 1] {
    [Figure { key: CPU, unit: "µs", mark, table: Some(Table { relay, peers }) }]
}

const Q0: Mark = Mark::Batched { relay_does_the_same: true };
const ACKNOWLEDGED: Mark = Mark::Batched { relay_does_the_same: false };
const UNBATCHED_Q0: Mark = Mark::Unbatched { relay_does_the_same: true };
const UNBATCHED_ACKNOWLEDGED: Mark = Mark::Unbatched { relay_does_the_same: false };

const fn q0(name: &'static str, load: &'static str, figures: &'static [Figure]) -> Case {
    Case { name, load, relay: Some(load), has_floor: false, rumqttd_can: true, figures }
}

/// With acknowledgements: the relay does both, the load beside and this one.
const fn acknowledged(
    name: &'static str,
    load: &'static str,
    relay: &'static str,
    figures: &'static [Figure],
) -> Case {
    Case { name, load, relay: Some(relay), has_floor: true, rumqttd_can: true, figures }
}

const fn other(name: &'static str, load: &'static str, figures: &'static [Figure]) -> Case {
    Case { name, load, relay: None, has_floor: false, rumqttd_can: true, figures }
}

/// Messages that flow.
pub(super) const FLOWS: &[Case] = &[
    q0("pairs 50 q0", "pairs", &cpu(Q0, 0.47, [1.72, 1.57, 3.09, 11.4])),
    q0("pairs 50 q0 1 KiB", "pairs --size 1024", &[figure(CPU, "µs", Q0)]),
    q0("pairs 500 q0", "pairs --clients 500", &cpu(Q0, 0.52, [1.82, 1.91, 3.44, 11.6])),
    acknowledged("pairs 50 q1", "pairs --qos 1", "pairs", &cpu(ACKNOWLEDGED, 0.47, [1.96, 2.23, 3.98, 19.5])),
    acknowledged(
        "pairs 50 q2",
        "pairs --qos 2 --messages 100000",
        "pairs",
        &cpu(ACKNOWLEDGED, 0.47, [4.19, 4.21, 6.47, 34.7]),
    ),
    acknowledged(
        "pairs 500 q1",
        "pairs --clients 500 --qos 1",
        "pairs --clients 500",
        &cpu(ACKNOWLEDGED, 0.52, [3.67, 3.08, 5.12, 21.4]),
    ),
    acknowledged(
        "pairs 50 q1 1 KiB",
        "pairs --qos 1 --size 1024",
        "pairs --size 1024",
        &[figure(CPU, "µs", ACKNOWLEDGED)],
    ),
    acknowledged(
        "pairs 500 q2",
        "pairs --clients 500 --qos 2 --messages 100000",
        "pairs --clients 500",
        &[figure(CPU, "µs", ACKNOWLEDGED)],
    ),
    q0("fan-in 100 q0", "fan-in", &cpu(Q0, 0.34, [0.70, 1.12, 2.43, 9.0])),
    acknowledged(
        "fan-in 100 q1",
        "fan-in --qos 1",
        "fan-in",
        &cpu(ACKNOWLEDGED, 0.34, [1.15, 1.26, 3.08, 14.3]),
    ),
    q0("fan-in 100 q0 1 KiB", "fan-in --size 1024", &[figure(CPU, "µs", Q0)]),
    acknowledged(
        "fan-in 100 q2",
        "fan-in --qos 2 --messages 100000",
        "fan-in",
        &[figure(CPU, "µs", ACKNOWLEDGED)],
    ),
    q0("fan-out 100 q0", "fan-out", &cpu(Q0, 0.47, [0.90, 4.0, 1.31, 8.0])),
    acknowledged(
        "fan-out 100 q1",
        "fan-out --qos 1",
        "fan-out",
        &cpu(ACKNOWLEDGED, 0.47, [1.00, 3.0, 1.14, 8.3]),
    ),
    q0("fan-out 100 q0 1 KiB", "fan-out --size 1024", &[figure(CPU, "µs", Q0)]),
    acknowledged(
        "fan-out 100 q2",
        "fan-out --qos 2 --messages 100000",
        "fan-out",
        &[figure(CPU, "µs", ACKNOWLEDGED)],
    ),
    q0(
        "fan-out 1000 q0",
        "fan-out --clients 1000 --messages 400000",
        &cpu(Q0, 0.55, [1.27, 3.85, 1.23, 8.4]),
    ),
    acknowledged(
        "fan-out 1000 q1",
        "fan-out --clients 1000 --messages 400000 --qos 1",
        "fan-out --clients 1000 --messages 400000",
        &cpu(ACKNOWLEDGED, 0.55, [1.40, 2.25, 1.57, 10.1]),
    ),
    q0("w1 500 q0", "w1 --messages 50000", &cpu(UNBATCHED_Q0, 8.96, [17.9, 14.2, 25.1, 24.9])),
    q0(
        "fan-out 1000 q0 w1",
        "fan-out --clients 1000 --window 1",
        &cpu(UNBATCHED_Q0, 6.3, [8.9, 10.1, 12.3, 13.2]),
    ),
    q0(
        "fixed 20000/s q0",
        "fixed --messages 60000",
        &[
            Figure {
                key: CPU,
                unit: "µs",
                mark: UNBATCHED_Q0,
                table: Some(Table { relay: 13.0, peers: [20.2, 21.8, 27.2, 25.2] }),
            },
            figure("latency_p50_us", "µs", Mark::Peer),
            figure("latency_p99_us", "µs", Mark::Peer),
        ],
    ),
    acknowledged(
        "fixed 20000/s q1",
        "fixed --qos 1 --messages 60000",
        "fixed --messages 60000",
        &[
            figure(CPU, "µs", UNBATCHED_ACKNOWLEDGED),
            figure("latency_p50_us", "µs", Mark::Peer),
            figure("latency_p99_us", "µs", Mark::Peer),
        ],
    ),
    q0(
        "fixed 5000/s q0",
        "fixed --rate 5000 --messages 15000",
        &[figure("latency_p50_us", "µs", Mark::Peer), figure("latency_p99_us", "µs", Mark::Peer)],
    ),
];

/// What a server keeps.
pub(super) const STORES: &[Case] = &[
    Case {
        name: "connect",
        load: "connect",
        relay: None,
        has_floor: true,
        rumqttd_can: true,
        figures: &[figure("cpu_us_per_connection", "µs", Mark::AtMost(35.0))],
    },
    other("idle", "idle", &[figure("bytes_per_connection", "B", Mark::AtMost(921.6))]),
    Case {
        name: "retained",
        load: "retained",
        relay: None,
        has_floor: false,
        rumqttd_can: false,
        figures: &[
            figure("store_cpu_us", "µs", Mark::AtMost(1.5)),
            figure("fetch_cpu_us", "µs", Mark::AtMost(0.6)),
            figure("bytes_per_message", "B", Mark::AtMost(250.0)),
        ],
    },
    other(
        "queued",
        "queued",
        &[
            figure("store_cpu_us", "µs", Mark::AtMost(0.9)),
            figure("drain_cpu_us", "µs", Mark::AtMost(0.5)),
            figure("bytes_per_message", "B", Mark::AtMost(160.0)),
        ],
    ),
    Case {
        name: "subscriptions",
        load: "subscriptions --filters 1000000 --messages 250000",
        relay: None,
        // It matches each new topic against every filter and keeps a log for each.
        has_floor: false,
        rumqttd_can: false,
        figures: &[
            figure("bytes_per_subscription", "B", Mark::AtMost(220.0)),
            figure("cpu_us_per_publish", "µs", Mark::AtMost(1.5)),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_server_gets_more_of_a_batched_load() {
        let named = |name| FLOWS.iter().chain(STORES).find(|case| case.name == name).expect("a case");
        let flags = |name, is_quick| named(name).flags(named(name).load, is_quick).join(" ");
        assert_eq!(flags("pairs 50 q0", false), "pairs");
        assert_eq!(flags("pairs 50 q0", true), "pairs --messages 1000000");
        assert_eq!(flags("pairs 50 q2", true), "pairs --qos 2 --messages 500000");
        assert_eq!(flags("w1 500 q0", true), "w1 --messages 50000");
        assert_eq!(flags("connect", true), "connect");
    }
}
