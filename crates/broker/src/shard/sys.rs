//! `$SYS`: what operators of MQTT servers look at first, under the names mosquitto gave it.
//!
//! Every shard leaves its counts; shard 0 publishes their sums, and only what has changed.

use std::collections::BTreeMap;

use hexmq_session::Now;
use hexmq_wire::QoS;

use super::Shard;
use crate::{Census, Message, Namespace, Sink};

/// What is remembered from one update to the next.
#[derive(Debug, Default)]
pub(super) struct Sys {
    published: BTreeMap<&'static str, String>,
    last: Option<(Now, Census)>,
    loads: [[f64; 3]; LOADS.len()],
    clients_maximum: u64,
}

macro_rules! topics3 {
    ($name:literal) => {
        [
            concat!("$SYS/broker/load/", $name, "/1min"),
            concat!("$SYS/broker/load/", $name, "/5min"),
            concat!("$SYS/broker/load/", $name, "/15min"),
        ]
    };
}

/// A count and the topics of its averages.
type Load = (fn(&Census) -> u64, [&'static str; 3]);

/// Rates per minute, averaged over 1, 5 and 15 minutes, as the load of a Unix system.
const LOADS: [Load; 8] = [
    (|c| c.packets_received, topics3!("messages/received")),
    (|c| c.packets_sent, topics3!("messages/sent")),
    (|c| c.publish_received, topics3!("publish/received")),
    (|c| c.publish_sent, topics3!("publish/sent")),
    (|c| c.publish_dropped, topics3!("publish/dropped")),
    (|c| c.bytes_received, topics3!("bytes/received")),
    (|c| c.bytes_sent, topics3!("bytes/sent")),
    (|c| c.connects_accepted, topics3!("connections")),
];

impl Shard {
    /// Leaves this shard's counts; shard 0 publishes.
    pub(super) fn update_sys(&mut self, now: Now, out: &mut impl Sink) {
        self.shared.leave(self.id.0, &self.census());
        if self.id.0 != 0 {
            return;
        }
        let total = self.shared.total();
        let mut values = self.sys_gauges(&total, now);
        self.sys.average(&total, now, &mut values);
        for (topic, value) in values {
            if self.sys.published.get(topic) != Some(&value) {
                self.publish_sys(topic, &value, now, out);
                self.sys.published.insert(topic, value);
            }
        }
    }

    fn publish_sys(&mut self, topic: &str, value: &str, now: Now, out: &mut impl Sink) {
        let message = Message {
            namespace: Namespace::PLAIN,
            topic,
            properties: &[],
            payload: value.as_bytes(),
            qos: QoS::AtMostOnce,
            retain: true,
            expires_at: None,
            publisher: None,
        };
        self.publish_message(&message, now, out);
    }

    fn sys_gauges(&mut self, total: &Census, now: Now) -> Vec<(&'static str, String)> {
        let connected = total.clients_connected;
        let disconnected = total.sessions.saturating_sub(connected);
        self.sys.clients_maximum = self.sys.clients_maximum.max(total.sessions);
        let uptime_s = now.mono.ms_since(self.shared.started.mono) / 1000;
        let numbers = [
            ("$SYS/broker/clients/total", total.sessions),
            ("$SYS/broker/clients/maximum", self.sys.clients_maximum),
            ("$SYS/broker/clients/connected", connected),
            ("$SYS/broker/clients/active", connected),
            ("$SYS/broker/clients/disconnected", disconnected),
            ("$SYS/broker/clients/inactive", disconnected),
            ("$SYS/broker/clients/expired", total.sessions_expired),
            ("$SYS/broker/messages/received", total.packets_received),
            ("$SYS/broker/messages/sent", total.packets_sent),
            ("$SYS/broker/messages/inflight", total.messages_in_flight),
            ("$SYS/broker/messages/stored", total.messages_stored),
            ("$SYS/broker/store/messages/count", total.messages_stored),
            ("$SYS/broker/store/messages/bytes", total.messages_stored_bytes),
            ("$SYS/broker/publish/messages/received", total.publish_received),
            ("$SYS/broker/publish/messages/sent", total.publish_sent),
            ("$SYS/broker/publish/messages/dropped", total.publish_dropped),
            ("$SYS/broker/publish/bytes/received", total.publish_bytes_received),
            ("$SYS/broker/publish/bytes/sent", total.publish_bytes_sent),
            ("$SYS/broker/bytes/received", total.bytes_received),
            ("$SYS/broker/bytes/sent", total.bytes_sent),
            ("$SYS/broker/subscriptions/count", total.subscriptions),
            ("$SYS/broker/shared_subscriptions/count", total.subscriptions_shared),
            ("$SYS/broker/retained messages/count", self.shared.retained.len() as u64),
        ];
        let mut values: Vec<(&'static str, String)> =
            numbers.into_iter().map(|(topic, number)| (topic, number.to_string())).collect();
        values.push(("$SYS/broker/version", concat!("HexMQ version ", env!("CARGO_PKG_VERSION")).into()));
        values.push(("$SYS/broker/durability", self.shared.durability.into()));
        values.push(("$SYS/broker/uptime", format!("{uptime_s} seconds")));
        values
    }
}

impl Sys {
    fn average(&mut self, total: &Census, now: Now, values: &mut Vec<(&'static str, String)>) {
        let last = self.last.replace((now, *total));
        let Some((then, before)) = last else {
            return;
        };
        let minutes = now.mono.ms_since(then.mono) as f64 / 60_000.0;
        if minutes <= 0.0 {
            return;
        }
        for ((count, topics), averages) in LOADS.iter().zip(&mut self.loads) {
            let rate = count(total).saturating_sub(count(&before)) as f64 / minutes;
            for ((average, window), topic) in averages.iter_mut().zip([1.0, 5.0, 15.0]).zip(topics) {
                let keep = (-minutes / window).exp();
                *average = rate + (*average - rate) * keep;
                values.push((topic, format!("{average:.2}")));
            }
        }
    }
}
