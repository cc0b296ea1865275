//! Connects the loop's tap with the readers of what it tells.

use std::sync::Arc;

use hexmq_broker::{Caller, CloseReason, Event, ShardId};
use hexmq_node::{Grounds, Notice, Rejection, Tap, Tape};
use hexmq_observe::Observer;
use hexmq_observe::recorder::{Refused, Track};

/// Hands everything to the observer and its recorder.
pub(crate) struct ObserverTap(pub(crate) Arc<Observer>);

impl Tap for ObserverTap {
    fn event(&self, shard: ShardId, event: &Event<'_>) {
        self.0.event(shard, event);
    }

    fn notice(&self, shard: ShardId, notice: &Notice<'_>) {
        self.0.notice(shard, notice.name(), notice.level(), notice);
    }

    fn rejected(&self, _: ShardId, rejection: &Rejection<'_>) {
        let Rejection { peer, client_identifier, grounds, fault, version, bytes, sent, layer } = *rejection;
        let never_connected = matches!(grounds, Grounds::Refused(_)) || version.is_none();
        let (refused, reason) = (never_connected, grounds.name());
        self.0.recorder.refused(&Refused {
            peer,
            client_identifier,
            refused,
            reason,
            fault,
            version,
            bytes,
            sent,
            layer,
        });
    }

    fn tape(&self, _: ShardId, caller: Caller<'_>, first: &[u8]) -> Option<Box<dyn Tape>> {
        let track = self.0.recorder.track(caller, first)?;
        Some(Box::new(RecorderTape(track)))
    }
}

/// A connection that the recorder takes down.
struct RecorderTape(Track);

impl Tape for RecorderTape {
    fn received(&mut self, bytes: &[u8]) {
        self.0.received(bytes);
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.0.sent(bytes);
    }

    fn ending(&mut self, reason: CloseReason) {
        self.0.ending(reason);
    }

    fn asked_again(&mut self, caller: Caller<'_>, first: &[u8]) -> bool {
        self.0.asked_again(caller, first)
    }
}
