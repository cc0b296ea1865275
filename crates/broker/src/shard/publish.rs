//! PUBLISH from a client (section 3.3): what is legal, retained, answered.

use hexmq_session::{AliasError, Now, Wall};
use hexmq_wire::{
    Ack, ControlPacket, Delivery, Frame, PacketType, Properties, PropertiesBuf, Publish, QoS, ReasonCode,
    Version,
};

use super::Shard;
use crate::connection::Sender;
use crate::layout::Original;
use crate::retained::{RetainedMessage, Stored};
use crate::store_side::Serials;
use crate::{
    CloseReason, Condition, ConnId, Event, Flow, Message, Permit, Reach, Record, Serial, SessionKey, Sink,
};

/// What of a message its packet does not say, or not in the words that go on.
#[derive(Clone, Copy)]
struct Body<'a> {
    topic: &'a str,
    /// Those that travel with the message.
    properties: &'a [u8],
    expires_at: Option<Wall>,
}

/// Why a PUBLISH ends its connection.
struct Breach(CloseReason, ReasonCode);

impl Shard {
    #[inline(always)] // It has one caller.
    pub(super) fn publish(
        &mut self,
        from: &Sender,
        publish: &Publish<'_>,
        frame: Frame<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        self.residents.census.publish_received += 1;
        self.residents.census.publish_bytes_received += publish.payload.len() as u64;
        let handled = match publish.topic_name {
            topic if !publish.properties.are_forwarded() => {
                self.publish_of_one_hop(from, topic, publish, now, out)
            }
            "" => Err(Breach(CloseReason::ProtocolError, ReasonCode::ProtocolError)),
            topic => {
                let body = Body { topic, properties: publish.properties.as_bytes(), expires_at: None };
                let original = Original::of(frame, publish, from.version);
                self.publish_body(from, body, publish, original, now, out)
            }
        };
        match handled {
            Ok(flow) => flow,
            Err(Breach(reason, code)) => {
                self.close(from.conn, reason, code, None, now, out);
                Flow::Closed
            }
        }
    }

    /// With properties that do not travel on, or not as they are.
    #[inline(never)]
    fn publish_of_one_hop(
        &mut self,
        from: &Sender,
        topic: &str,
        publish: &Publish<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Result<Flow, Breach> {
        // Taken out while in use, so that they can be borrowed beside `self`.
        let mut alias = std::mem::take(&mut self.topic);
        let mut properties = std::mem::take(&mut self.properties);
        let handled = self.resolve_topic(from.conn, publish, &mut alias).and_then(|resolved| {
            properties.clear();
            publish.properties.copy_forwarded(&mut properties);
            let interval = publish.properties.message_expiry_interval();
            let body = Body {
                topic: if resolved { &alias } else { topic },
                properties: &properties,
                expires_at: interval.map(|seconds| now.wall.plus_s(seconds.into())),
            };
            self.publish_body(from, body, publish, None, now, out)
        });
        self.topic = alias;
        self.properties = properties;
        handled
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
    #[inline]
    fn publish_body(
        &mut self,
        from: &Sender,
        body: Body<'_>,
        publish: &Publish<'_>,
        original: Option<Original<'_>>,
        now: Now,
        out: &mut impl Sink,
    ) -> Result<Flow, Breach> {
        let Sender { conn, session, version, topics, is_special, .. } = *from;
        let slot = session.slot;
        let Body { topic, properties, expires_at } = body;
        let (reach, is_device) = match is_special {
            false => (Permit::everybody_may_publish(topic), false),
            true => self.special_reach(conn, topic),
        };
        if reach.is_some_and(Reach::goes_up)
            && let Some(flow) = self.uplink_refused(conn, slot, version, publish, out)
        {
            return Ok(flow);
        }
        if !self.take_over_identifier(slot, version, publish)? {
            // [V4 MQTT-4.3.3-2, V5 MQTT-4.3.3-10] A repetition: answered, not delivered again.
            self.acknowledge_shortly(from, publish, out);
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
        let message = Message {
            namespace: topics,
            topic,
            properties,
            payload: publish.payload,
            qos: publish.qos(),
            retain: publish.retain,
            expires_at,
            publisher: Some(session),
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
            false => self.route(&message, original, serial, now, out),
            true => self.publish_of_device(conn, slot, &message, serial, reach, now, out),
        };
        match !routed.matched && version == Version::V5 {
            false => self.acknowledge_shortly(from, publish, out),
            true => {
                let code = ReasonCode::NoMatchingSubscribers;
                self.acknowledge(conn, publish, code, Properties::EMPTY, out);
            }
        }
        Ok(if routed.congested { self.pause(conn) } else { Flow::Continue })
    }

    /// How far a message goes of somebody whose permit is not everybody's, and whether that is a device.
    #[inline(never)]
    fn special_reach(&self, conn: ConnId, topic: &str) -> (Option<Reach>, bool) {
        match self.connected(conn) {
            Some(connected) => (self.reach(connected.may_publish(topic)), connected.device().is_some()),
            None => (None, false),
        }
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

    /// The same where there is no more to say than that it was taken over.
    #[inline]
    fn acknowledge_shortly(&mut self, from: &Sender, publish: &Publish<'_>, out: &mut impl Sink) {
        let (packet_type, identifier) = match publish.delivery {
            Delivery::AtMostOnce => return,
            Delivery::AtLeastOnce(identifier) => (PacketType::Puback, identifier),
            Delivery::ExactlyOnce(identifier) => (PacketType::Pubrec, identifier),
        };
        self.residents.answer_shortly(from, packet_type, identifier, out);
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
        self.route(message, None, serial, now, out);
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
}
