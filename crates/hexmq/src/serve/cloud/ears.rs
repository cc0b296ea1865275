//! What the shards tell of devices: who comes and goes, what they send up, what they acknowledge.

use std::sync::Arc;

use hexmq_broker::{Caller, Event, HandedUp, ShardId};
use hexmq_node::{Notice, Rejection, Tap, Tape, Upstairs};
use hexmq_platform::{Cloud, Handed};

use crate::serve::tap::ObserverTap;

/// Hands what devices send to the platform.
pub(crate) struct CloudUpstairs(pub(crate) Arc<Cloud>);

impl Upstairs for CloudUpstairs {
    fn hand_up(&self, uplinks: Vec<HandedUp>) {
        self.0.uplinks(uplinks.into_iter().filter_map(handed).collect());
    }

    fn acked(&self, token: u64) {
        self.0.acked(token);
    }
}

fn handed(uplink: HandedUp) -> Option<Handed> {
    Some(Handed {
        number: uplink.namespace.product()?,
        inbox: uplink.inbox,
        place: uplink.place,
        device: uplink.device,
        topic: uplink.topic,
        payload: uplink.payload,
        qos: uplink.qos as u8,
        received_at_ms: i64::try_from(uplink.received_at_ms).unwrap_or(i64::MAX),
    })
}

/// Tells the platform who comes and goes, and everything to the observer.
pub(crate) struct CloudTap {
    pub(crate) observer: ObserverTap,
    pub(crate) cloud: Arc<Cloud>,
}

impl Tap for CloudTap {
    fn event(&self, shard: ShardId, event: &Event<'_>) {
        tell(&self.cloud, event);
        self.observer.event(shard, event);
    }

    fn notice(&self, shard: ShardId, notice: &Notice<'_>) {
        self.observer.notice(shard, notice);
    }

    fn rejected(&self, shard: ShardId, rejection: &Rejection<'_>) {
        self.observer.rejected(shard, rejection);
    }

    fn tape(&self, shard: ShardId, caller: Caller<'_>, first: &[u8]) -> Option<Box<dyn Tape>> {
        self.observer.tape(shard, caller, first)
    }
}

fn tell(cloud: &Cloud, event: &Event<'_>) {
    let Some((number, device)) = device_of(event) else { return };
    match event {
        Event::Connected { peer, .. } => cloud.connected(number, device, &peer.address.to_string()),
        Event::Disconnected { reason, .. } => cloud.disconnected(number, device, reason.name()),
        Event::ViolationSurvived { fault, .. } => {
            cloud.noticed(number, device, fault.code.name(), event.to_string());
        }
        Event::QuirkSurvived { quirk, .. } => cloud.noticed(number, device, quirk.name(), event.to_string()),
        Event::PublishDenied { .. }
        | Event::SubscriptionDenied { .. }
        | Event::MessageDropped { .. }
        | Event::SessionEnded { dropped: 1.., .. } => {
            cloud.noticed(number, device, event.name(), event.to_string());
        }
        _ => {}
    }
}

/// The device an event is about: its product's number and its id.
fn device_of<'a>(event: &Event<'a>) -> Option<(u32, &'a str)> {
    let (namespace, device) = match *event {
        Event::Connected { namespace, client_identifier, .. }
        | Event::Disconnected { namespace, client_identifier: Some(client_identifier), .. }
        | Event::ViolationSurvived { namespace, client_identifier, .. }
        | Event::QuirkSurvived { namespace, client_identifier, .. }
        | Event::PublishDenied { namespace, client_identifier, .. }
        | Event::SubscriptionDenied { namespace, client_identifier, .. }
        | Event::MessageDropped { namespace, client_identifier, .. }
        | Event::SessionEnded { namespace, client_identifier, .. } => (namespace, client_identifier),
        _ => return None,
    };
    Some((namespace.product()?, device))
}
