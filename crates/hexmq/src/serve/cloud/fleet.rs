//! The shards as the platform sees them: a fleet of connected devices.

use std::time::Duration;

use hexmq_broker::{Delivered, Namespace, SessionKey};
use hexmq_device::port::{Fleet, Sent};
use hexmq_device::{Downlink, TopicRule};
use hexmq_node::Handle;

use super::terms;

/// How long the shards are asked about subscriptions.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reaches devices through the shards.
pub(crate) struct ShardFleet(pub(crate) Handle);

fn key(number: u32, device: &str) -> SessionKey {
    SessionKey { namespace: namespace(number), identifier: device.into() }
}

/// 0 is nobody's product: plain clients.
fn namespace(number: u32) -> Namespace {
    if number == 0 { Namespace::PLAIN } else { Namespace::of_product(number, false) }
}

impl Fleet for ShardFleet {
    fn send(
        &self,
        number: u32,
        device: &str,
        downlink: &Downlink,
        token: Option<u64>,
        done: Box<dyn FnOnce(Sent) + Send>,
    ) {
        let downlink = hexmq_node::Downlink {
            topic: downlink.topic.as_str().into(),
            payload: downlink.payload.as_slice().into(),
            qos: terms::qos(downlink.qos),
            if_subscribed: downlink.if_subscribed,
            token,
        };
        let done = Box::new(move |delivered| {
            done(match delivered {
                Delivered::Sent => Sent::Sent,
                Delivered::Offline => Sent::Offline,
                Delivered::NotSubscribed => Sent::NotSubscribed,
                Delivered::Full => Sent::Full,
            });
        });
        self.0.downlink(key(number, device), downlink, done);
    }

    fn publish(&self, number: u32, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        self.0.publish(namespace(number), topic, payload, terms::qos(qos), retain);
    }

    fn set_rules(&self, number: u32, device: &str, rules: Vec<TopicRule>) {
        self.0.set_rules(key(number, device), terms::rules(rules));
    }

    fn disconnect(&self, number: u32, device: &str, forget: bool) {
        self.0.disconnect(key(number, device), forget);
    }

    fn done(&self, inbox: &str, place: u64) {
        self.0.uplinks_done(inbox, place);
    }

    fn subscribers(&self, number: u32, topic: &str) -> Vec<String> {
        self.0.subscribers(namespace(number), topic, PATIENCE)
    }

    fn subscriptions(&self, number: u32, device: &str) -> Vec<String> {
        self.0.subscriptions(&key(number, device), PATIENCE)
    }
}
