//! PUBLISH from a client, and the way of a message to its receivers (section 3.3).

use hexmq_session::{AliasError, Now};
use hexmq_wire::{
    Ack, ControlPacket, Delivery, Properties, PropertiesBuf, Publish, QoS, ReasonCode, Version,
};

use super::Shard;
use crate::matches::{Elsewhere, Receiver, Whose};
use crate::retained::{RetainedMessage, Stored};
use crate::store_side::Serials;
use crate::{
    Audience, CloseReason, Condition, ConnId, Destination, Event, Flow, Forwarded, Message, Reach, Record,
    Serial, SessionKey, SessionRef, Sink,
};

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

/// Why a PUBLISH ends its connection.
struct Breach(CloseReason, ReasonCode);

impl Shard {
    #[inline(always)] // It has one caller.
    pub(super) fn publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        self.residents.census.publish_received += 1;
        self.residents.census.publish_bytes_received += publish.payload.len() as u64;
        // Taken out while in use, so that the topic of an alias can be borrowed beside `self`.
        let mut topic = std::mem::take(&mut self.topic);
        let mut properties = std::mem::take(&mut self.properties);
        let handled = match self.resolve_topic(conn, publish, &mut topic) {
            Ok(resolved) => {
                let topic = if resolved { topic.as_str() } else { publish.topic_name };
                self.publish_to(conn, topic, publish, &mut properties, now, out)
            }
            Err(breach) => Err(breach),
        };
        self.topic = topic;
        self.properties = properties;
        match handled {
            Ok(flow) => flow,
            Err(Breach(reason, code)) => {
                self.close(conn, reason, code, None, now, out);
                Flow::Closed
            }
        }
    }

    /// Writes the topic a Topic Alias stands for into `topic`; false if the packet names it itself.
    /// What a client's properties may not say ends here as well.
    /// [V5 MQTT-3.3.2-8, V5 MQTT-3.3.2-9, V5 MQTT-3.3.2-12]
    /// [V5 U-3.3.2.1-1, V5 U-3.3.2.3.4-2, V5 U-3.3.2.3.4-3, V5 U-3.3.2.3.4-4, V5 U-3.3.4-4, V5 U-3.3.4-5]
    fn resolve_topic(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        topic: &mut String,
    ) -> Result<bool, Breach> {
        if publish.properties.is_empty() {
            return match publish.topic_name {
                "" => Err(Breach(CloseReason::ProtocolError, ReasonCode::ProtocolError)),
                _ => Ok(false),
            };
        }
        // Only servers say which subscriptions matched. [V5 MQTT-3.3.4-6]
        if publish.properties.subscription_identifiers().next().is_some() {
            return Err(Breach(CloseReason::ProtocolError, ReasonCode::ProtocolError));
        }
        let Some(alias) = publish.properties.topic_alias() else {
            return match publish.topic_name {
                "" => Err(Breach(CloseReason::ProtocolError, ReasonCode::ProtocolError)),
                _ => Ok(false),
            };
        };
        let aliases = self.connected_mut(conn).and_then(|connected| connected.aliases.as_mut());
        let Some(aliases) = aliases else { return Ok(false) };
        if publish.topic_name.is_empty() {
            if alias == 0 || alias > aliases.incoming.maximum() {
                return Err(Breach(CloseReason::TopicAliasInvalid, ReasonCode::TopicAliasInvalid));
            }
            let known = aliases.incoming.get(alias);
            let known = known.ok_or(Breach(CloseReason::ProtocolError, ReasonCode::ProtocolError))?;
            topic.clear();
            topic.push_str(known);
            return Ok(true);
        }
        match aliases.incoming.set(alias, publish.topic_name) {
            Ok(()) | Err(AliasError::EmptyTopicName) => Ok(false),
            Err(_) => Err(Breach(CloseReason::TopicAliasInvalid, ReasonCode::TopicAliasInvalid)),
        }
    }

    /// Takes a message over: retained if it asks for it, routed, acknowledged.
    /// [V4 MQTT-4.3.2-2, V4 MQTT-3.3.1-12, V5 MQTT-4.3.2-4, V5 MQTT-4.3.2-5, V5 MQTT-4.3.3-8]
    /// [V5 MQTT-3.3.1-8, V5 U-3.3.3-1, V5 U-4.13.2-1]
    fn publish_to(
        &mut self,
        conn: ConnId,
        topic: &str,
        publish: &Publish<'_>,
        properties: &mut Vec<u8>,
        now: Now,
        out: &mut impl Sink,
    ) -> Result<Flow, Breach> {
        let Some(connected) = self.connected(conn) else { return Ok(Flow::Closed) };
        let (slot, version, topics) = (connected.session, connected.version, connected.topics);
        let reach = self.reach(connected.may_publish(topic));
        let is_device = connected.device().is_some();
        if reach.is_some_and(Reach::goes_up)
            && let Some(flow) = self.uplink_refused(conn, slot, version, publish, out)
        {
            return Ok(flow);
        }
        if !self.take_over_identifier(slot, version, publish)? {
            // [V4 MQTT-4.3.3-2, V5 MQTT-4.3.3-10] A repetition: answered, not delivered again.
            self.acknowledge(conn, publish, ReasonCode::Success, Properties::EMPTY, out);
            return Ok(Flow::Continue);
        }
        if self.too_deep(topic) {
            self.refuse_publish(conn, slot, version, publish, topic, ReasonCode::TopicNameInvalid, out);
            return Ok(Flow::Continue);
        }
        let Some(reach) = reach else {
            self.refuse_publish(conn, slot, version, publish, topic, ReasonCode::NotAuthorized, out);
            return Ok(Flow::Continue);
        };
        properties.clear();
        let mut expires_at = None;
        if !publish.properties.is_empty() {
            publish.properties.copy_forwarded(properties);
            let interval = publish.properties.message_expiry_interval();
            expires_at = interval.map(|seconds| now.wall.plus_s(seconds.into()));
        }
        let message = Message {
            namespace: topics,
            topic,
            properties,
            payload: publish.payload,
            qos: publish.qos(),
            retain: publish.retain,
            expires_at,
            publisher: Some(self.session_ref(slot)),
        };
        let answers = version == Version::V5 && message.qos != QoS::AtMostOnce;
        if answers && out.condition() == Condition::Stuck && self.would_persist(slot, &message, reach) {
            return Ok(self.refuse_for_room(conn, slot, publish, &"the store cannot write", out));
        }
        let mut serial = None;
        let retains = message.retain && reach.is_routed();
        if retains && !self.retain(&message, &mut serial, out) && answers {
            let why = "the server keeps no further retained messages";
            return Ok(self.refuse_for_room(conn, slot, publish, &why, out));
        }
        self.persist_incoming(slot, publish, out);
        let routed = match is_device {
            false => self.route(&message, serial, now, out),
            true => self.publish_of_device(conn, slot, &message, serial, reach, now, out),
        };
        let nobody = !routed.matched && version == Version::V5;
        let code = if nobody { ReasonCode::NoMatchingSubscribers } else { ReasonCode::Success };
        self.acknowledge(conn, publish, code, Properties::EMPTY, out);
        Ok(if routed.congested { self.pause(conn) } else { Flow::Continue })
    }

    fn pause(&mut self, conn: ConnId) -> Flow {
        if let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) {
            connection.paused = true;
        }
        Flow::Pause
    }

    /// There is no room for a message; nobody gets it.
    pub(super) fn refuse_for_room(
        &mut self,
        conn: ConnId,
        slot: u32,
        publish: &Publish<'_>,
        why: &&str,
        out: &mut impl Sink,
    ) -> Flow {
        self.release_identifier(slot, publish);
        let mut words = PropertiesBuf::new();
        self.residents.explain(conn, 0, why, &mut words);
        self.acknowledge(conn, publish, ReasonCode::QuotaExceeded, words.as_properties(), out);
        Flow::Continue
    }

    /// Whether taking this message over would change durable state.
    fn would_persist(&mut self, slot: u32, message: &Message<'_>, reach: Reach) -> bool {
        let incoming = message.qos == QoS::ExactlyOnce && self.residents.stored_serial(slot).is_some();
        if incoming || message.retain || reach.goes_up() {
            return self.residents.serials.is_some();
        }
        let matches = self.cache.look_up(&self.shared.index, message.namespace, message.topic);
        let sessions = &self.residents.sessions;
        matches.receivers.iter().any(|receiver| {
            let session = sessions.get(receiver.slot, receiver.generation);
            receiver.qos != QoS::AtMostOnce && session.is_some_and(|session| session.stored.is_some())
        }) || matches.shards.iter().any(|elsewhere| elsewhere.stored)
            || matches.groups.iter().any(|group| group.stored())
    }

    /// The identifier of a QoS 2 message outlives a crash with the session of its publisher.
    fn persist_incoming(&mut self, slot: u32, publish: &Publish<'_>, out: &mut impl Sink) {
        if let Delivery::ExactlyOnce(identifier) = publish.delivery
            && let Some(session) = self.residents.stored_serial(slot)
        {
            self.residents.persist(&Record::Incoming { session, identifier }, out);
        }
    }

    /// Remembers the identifier of a QoS 2 message; false for a repetition.
    /// [V5 MQTT-4.3.3-12, V5 U-3.3.4-6, V5 U-4.1-6]
    fn take_over_identifier(
        &mut self,
        slot: u32,
        version: Version,
        publish: &Publish<'_>,
    ) -> Result<bool, Breach> {
        let Delivery::ExactlyOnce(identifier) = publish.delivery else { return Ok(true) };
        let maximum = self.residents.limits.receive_maximum;
        let Some(session) = self.residents.sessions.at_mut(slot) else { return Ok(true) };
        if session.received.contains(identifier) {
            return Ok(false);
        }
        if version == Version::V5 && session.received.len() >= usize::from(maximum) {
            // [V5 MQTT-3.3.4-7, V5 MQTT-3.3.4-8] QoS 1 is acknowledged in the same turn.
            return Err(Breach(CloseReason::ReceiveMaximumExceeded, ReasonCode::ReceiveMaximumExceeded));
        }
        session.received.insert(identifier);
        Ok(true)
    }

    /// A QoS 2 message that was refused with PUBREC is not awaited any more.
    /// [V5 MQTT-4.3.3-9]
    fn release_identifier(&mut self, slot: u32, publish: &Publish<'_>) {
        if let Delivery::ExactlyOnce(identifier) = publish.delivery
            && let Some(session) = self.residents.sessions.at_mut(slot)
        {
            session.received.remove(identifier);
        }
    }

    /// [V4 MQTT-3.3.4-1, V5 MQTT-3.3.4-1]
    /// The answer to a PUBLISH by its QoS, whatever becomes of the message later.
    /// [V4 MQTT-2.3.1-6, V5 MQTT-2.2.1-5, V5 MQTT-4.3.3-13, V5 U-3.4.2.1-2, V5 U-3.5.2.1-2, V5 U-4.3.1-1]
    fn acknowledge(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        reason_code: ReasonCode,
        properties: Properties<'_>,
        out: &mut impl Sink,
    ) {
        let ack = |packet_identifier| Ack { packet_identifier, reason_code, properties };
        let packet = match publish.delivery {
            Delivery::AtMostOnce => return,
            Delivery::AtLeastOnce(identifier) => ControlPacket::Puback(ack(identifier)),
            Delivery::ExactlyOnce(identifier) => ControlPacket::Pubrec(ack(identifier)),
        };
        self.residents.answer(conn, &packet, out);
    }

    /// Not delivered; 5.0 says so, 3.x can only acknowledge. [V4 MQTT-3.3.5-2, V5 U-4.7.2-1]
    #[allow(clippy::too_many_arguments, reason = "who, what and why")]
    fn refuse_publish(
        &mut self,
        conn: ConnId,
        slot: u32,
        version: Version,
        publish: &Publish<'_>,
        topic: &str,
        reason: ReasonCode,
        out: &mut impl Sink,
    ) {
        if let Some(SessionKey { namespace, identifier }) = self.key_of(conn) {
            out.tell(Event::PublishDenied { namespace: *namespace, client_identifier: identifier, topic });
        }
        if version != Version::V5 {
            self.acknowledge(conn, publish, ReasonCode::Success, Properties::EMPTY, out);
            return;
        }
        self.release_identifier(slot, publish);
        let why = match reason {
            ReasonCode::TopicNameInvalid => "the topic has more levels than the server allows",
            _ => "this client may not publish to that topic",
        };
        let mut words = PropertiesBuf::new();
        self.residents.explain(conn, 0, &why, &mut words);
        self.acknowledge(conn, publish, reason, words.as_properties(), out);
    }

    /// A message of the server itself, or a Will: retained if it asks for it, and routed.
    pub(super) fn publish_message(&mut self, message: &Message<'_>, now: Now, out: &mut impl Sink) {
        let mut serial = None;
        if message.retain {
            self.retain(message, &mut serial, out);
        }
        self.route(message, serial, now, out);
    }

    /// Sets or clears the retained message of the topic; false if there is no room for it.
    /// [V4 MQTT-3.3.1-5, V4 MQTT-3.3.1-7, V4 MQTT-3.3.1-10, V5 MQTT-3.3.1-5, V5 MQTT-3.3.1-6, V5 MQTT-3.3.1-7]
    /// [V4 MQTT-3.3.1-11, V5 U-3.3.1.3-2]
    /// Only what the server says of itself is not worth storing: it says it anew.
    pub(super) fn retain(
        &mut self,
        message: &Message<'_>,
        serial: &mut Option<Serial>,
        out: &mut impl Sink,
    ) -> bool {
        let publisher = message.publisher.and_then(|at| self.residents.sessions.get(at.slot, at.generation));
        let publisher = publisher.map_or(0, |session| self.directory.mark(&session.key));
        let persists = self.residents.serials.is_some() && !message.topic.starts_with("$SYS/");
        let clears = message.payload.is_empty();
        if persists && !clears {
            *serial = self.residents.serials.as_mut().map(Serials::take);
        }
        let (stored, version) = self.shared.retained.set_versioned(
            message.namespace,
            &RetainedMessage {
                topic: message.topic,
                qos: message.qos,
                properties: message.properties,
                payload: message.payload,
                expires: message.expires_at,
                publisher,
                serial: *serial,
            },
        );
        match stored {
            // An acknowledged clear rests on whoever cleared before, which may not be safe yet.
            Stored::New if clears && message.qos == QoS::AtMostOnce => true,
            Stored::New | Stored::Replaced if persists && clears => {
                let (namespace, topic) = (message.namespace, message.topic);
                self.residents.persist(&Record::RetainedCleared { version, namespace, topic }, out);
                true
            }
            Stored::New | Stored::Replaced => {
                if let Some(serial) = *serial {
                    self.residents.persist(&Record::Message { serial, message: *message }, out);
                    self.residents.persist(&Record::Retained { version, message: serial, publisher }, out);
                }
                true
            }
            _ => {
                *serial = None;
                let limit = self.residents.limits.retained_messages;
                out.tell(Event::RetainedFull { topic: message.topic, limit });
                false
            }
        }
    }

    /// Gives a message to everybody who has a matching subscription.
    /// [V4 MQTT-3.3.5-1, V5 MQTT-3.3.4-2, V4 MQTT-4.5.0-1, V5 MQTT-4.5.0-1, V4 MQTT-4.6.0-5, V5 MQTT-4.6.0-5]
    /// [V4 MQTT-3.3.2-3, V4 MQTT-4.6.0-6, V5 MQTT-3.3.2-3, V5 MQTT-4.6.0-6, V5 U-4.3-1, V5 U-4.8.1-2]
    /// [V5 U-4.8.2-2, V5 U-4.8.2-7, V5 U-4.10-1]
    pub(super) fn route(
        &mut self,
        message: &Message<'_>,
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
        for receiver in &matches.receivers {
            if is_for(receiver, self.id, message.publisher) {
                routed.matched = true;
                residents.deliver(receiver, &mut outbound, out);
            }
        }
        for &Elsewhere { shard, stored } in &matches.shards {
            let to = Destination { shard, shards, group: 0 };
            let serial = residents.persist_forwarded(&mut outbound, stored, to, out);
            let audience = Audience::Matching { generation: matches.generation };
            out.forward(shard).push(message, audience, serial);
            routed.congested |= out.congested(shard);
        }
        for group in &mut matches.groups {
            let Some(chosen) = group.choose(None) else { continue };
            routed.matched = true;
            if chosen.session.shard == self.id {
                residents.deliver_shared(&chosen, group.id, &mut outbound, out);
            } else {
                let shard = chosen.session.shard;
                let to = Destination { shard, shards, group: group.id };
                let serial = residents.persist_forwarded(&mut outbound, chosen.stored, to, out);
                let audience = Audience::Member { session: chosen.session, group: group.id, hops: 0 };
                out.forward(shard).push(message, audience, serial);
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
        let matches = self.cache.look_up(&self.shared.index, message.namespace, message.topic);
        let mut outbound = self.residents.begin(message, forwarded.serial, now);
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
    #[allow(clippy::too_many_arguments, reason = "a message, its number, and to whom")]
    pub(super) fn deliver_to_member(
        &mut self,
        message: &Message<'_>,
        serial: Option<Serial>,
        session: SessionRef,
        group: u64,
        hops: u8,
        now: Now,
        out: &mut impl Sink,
    ) {
        let shards = self.shared.shards;
        let matches = self.cache.look_up(&self.shared.index, message.namespace, message.topic);
        let Some(choice) = matches.groups.iter_mut().find(|choice| choice.id == group) else { return };
        let mut outbound = self.residents.begin(message, serial, now);
        let mine = choice.member(session).filter(|member| member.session.shard == self.id);
        let done =
            mine.is_some_and(|member| self.residents.deliver_shared(&member, group, &mut outbound, out));
        if !done && let Some(other) = choice.choose(Some(session)) {
            if other.session.shard == self.id {
                self.residents.deliver_shared(&other, group, &mut outbound, out);
            } else if hops < HOPS_MAX {
                let shard = other.session.shard;
                let to = Destination { shard, shards, group };
                let serial = self.residents.persist_forwarded(&mut outbound, other.stored, to, out);
                let audience = Audience::Member { session: other.session, group, hops: hops + 1 };
                out.forward(shard).push(message, audience, serial);
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
