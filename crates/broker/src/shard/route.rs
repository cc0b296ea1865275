//! The way of a message to its receivers: those of this shard, and other shards that have some.

use hexmq_session::Now;

use super::Shard;
use crate::layout::Original;
use crate::matches::{Elsewhere, Receiver, Whose};
use crate::{Audience, Destination, Forwarded, Message, Serial, SessionRef, Sink};

/// What routing found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Routed {
    /// Somebody has a matching subscription.
    pub(super) matched: bool,
    /// A lane it went into is full.
    pub(super) congested: bool,
}

/// How often a shared message may go on to another shard for want of a living member.
const HOPS_MAX: u8 = 3;

impl Shard {
    /// Gives a message to everybody who has a matching subscription.
    /// [V4 MQTT-3.3.5-1, V5 MQTT-3.3.4-2, V4 MQTT-4.5.0-1, V5 MQTT-4.5.0-1, V4 MQTT-4.6.0-5, V5 MQTT-4.6.0-5]
    /// [V4 MQTT-3.3.2-3, V4 MQTT-4.6.0-6, V5 MQTT-3.3.2-3, V5 MQTT-4.6.0-6, V5 U-4.3-1, V5 U-4.8.1-2]
    /// [V5 U-4.8.2-2, V5 U-4.8.2-7, V5 U-4.10-1]
    pub(super) fn route(
        &mut self,
        message: &Message<'_>,
        original: Option<Original<'_>>,
        serial: Option<Serial>,
        now: Now,
        out: &mut impl Sink,
    ) -> Routed {
        let shards = self.shared.shards;
        let matches = self.cache.look_up(&self.shared.index, message.namespace, message.topic);
        if matches.is_empty() {
            return Routed::default();
        }
        let residents = &mut self.residents;
        let mut routed = Routed { matched: !matches.shards.is_empty(), congested: false };
        let mut outbound = residents.begin(message, serial, now);
        outbound.original = original;
        for receiver in &matches.receivers {
            if is_for(receiver, self.id, message.publisher) {
                routed.matched = true;
                residents.deliver(receiver, &mut outbound, out);
            }
        }
        for elsewhere in &matches.shards {
            let Elsewhere { shard, stored, .. } = *elsewhere;
            let to = Destination { shard, shards, group: 0 };
            let serial = residents.persist_forwarded(&mut outbound, stored, to, out);
            let audience = Audience::Matching { generation: matches.generation };
            let addressees = matches.addressees(elsewhere);
            out.forward(shard).push(&Forwarded { message: *message, original, audience, addressees, serial });
            routed.congested |= out.congested(shard);
        }
        for group in &mut matches.groups {
            let Some(chosen) = group.choose(None) else { continue };
            routed.matched = true;
            if chosen.shard == self.id {
                residents.deliver_to(&chosen.to, group.id, &mut outbound, out);
            } else {
                let shard = chosen.shard;
                let to = Destination { shard, shards, group: group.id };
                let serial = residents.persist_forwarded(&mut outbound, chosen.stored, to, out);
                let audience = Audience::Member { session: chosen.session(), group: group.id, hops: 0 };
                let (message, addressees) = (*message, &[][..]);
                out.forward(shard).push(&Forwarded { message, original, audience, addressees, serial });
                routed.congested |= out.congested(shard);
            }
        }
        residents.finish(outbound);
        routed
    }

    /// A message another shard published: to the sessions of this one.
    pub(super) fn deliver_forwarded(
        &mut self,
        forwarded: &Forwarded<'_>,
        generation: u64,
        now: Now,
        out: &mut impl Sink,
    ) {
        let message = &forwarded.message;
        let index = &self.shared.index;
        let mut outbound = self.residents.begin(message, forwarded.serial, now);
        outbound.original = forwarded.original;
        if !forwarded.addressees.is_empty()
            && index.is_unchanged(generation, message.namespace, message.topic)
        {
            for addressee in forwarded.addressees {
                self.residents.deliver_to(addressee, 0, &mut outbound, out);
            }
            self.residents.finish(outbound);
            return;
        }
        let matches = self.cache.look_up(index, message.namespace, message.topic);
        for receiver in &matches.receivers {
            // A subscription younger than the message is not entitled to it.
            if receiver.since <= generation && is_for(receiver, self.id, message.publisher) {
                self.residents.deliver(receiver, &mut outbound, out);
            }
        }
        self.residents.finish(outbound);
    }

    /// A message for one member of a shared subscription; if that session is gone, for another.
    /// [V5 U-4.8.2-3]
    pub(super) fn deliver_to_member(
        &mut self,
        forwarded: &Forwarded<'_>,
        session: SessionRef,
        group: u64,
        hops: u8,
        now: Now,
        out: &mut impl Sink,
    ) {
        let Forwarded { message, original, serial, .. } = forwarded;
        let shards = self.shared.shards;
        let matches = self.cache.look_up(&self.shared.index, message.namespace, message.topic);
        let Some(choice) = matches.groups.iter_mut().find(|choice| choice.id == group) else { return };
        let mut outbound = self.residents.begin(message, *serial, now);
        outbound.original = *original;
        let mine = choice.member(session).filter(|member| member.shard == self.id);
        let done =
            mine.is_some_and(|member| self.residents.deliver_to(&member.to, group, &mut outbound, out));
        if !done && let Some(other) = choice.choose(Some(session)) {
            if other.shard == self.id {
                self.residents.deliver_to(&other.to, group, &mut outbound, out);
            } else if hops < HOPS_MAX {
                let shard = other.shard;
                let to = Destination { shard, shards, group };
                let serial = self.residents.persist_forwarded(&mut outbound, other.stored, to, out);
                let audience = Audience::Member { session: other.session(), group, hops: hops + 1 };
                out.forward(shard).push(&Forwarded { audience, serial, ..*forwarded });
            }
        }
        self.residents.finish(outbound);
    }
}

/// No Local. [V5 MQTT-3.8.3-3]
#[inline]
fn is_for(receiver: &Receiver, shard: crate::ShardId, publisher: Option<SessionRef>) -> bool {
    let own = || {
        publisher.is_some_and(|publisher| {
            publisher.shard == shard
                && publisher.slot == receiver.slot
                && publisher.generation == receiver.generation
        })
    };
    match receiver.whose {
        Whose::Anyones => true,
        Whose::Others => !own(),
        Whose::Own => own(),
    }
}
