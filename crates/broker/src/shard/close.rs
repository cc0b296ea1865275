//! How connections and sessions end, and what becomes of their Wills and messages.

use hexmq_session::Now;
use hexmq_wire::{ControlPacket, Disconnect, Fault, PropertiesBuf, QoS, ReasonCode, Version};

use super::Shard;
use crate::connection::{Connected, Connection, Stage, Will};
use crate::message::MessageId;
use crate::session::{DelayedWill, Expiry};
use crate::uplink::take_will_note;
use crate::{
    Audience, CloseReason, ConnId, Event, Flow, Forwarded, Message, Namespace, SessionKey, SessionRef, Sink,
};
use hexmq_topic::SubscriptionFilter;

impl Shard {
    /// DISCONNECT from a client. [V4 MQTT-3.14.4-1, V5 MQTT-3.14.4-1]
    /// [V5 U-3.14.2.2.2-2, V5 U-3.14.4-1]
    pub(super) fn disconnect(
        &mut self,
        conn: ConnId,
        disconnect: &Disconnect<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let Some(connected) = self.connected_mut(conn) else { return Flow::Closed };
        let session = connected.session;
        if let Some(interval) = disconnect.properties.session_expiry_interval() {
            // [V5 U-3.14.2.2.2-3] An interval of 0 at CONNECT cannot be raised.
            if connected.session_ends_with_connection && interval != 0 {
                self.close(conn, CloseReason::ProtocolError, ReasonCode::ProtocolError, None, now, out);
                return Flow::Closed;
            }
            let expiry = Expiry::from_interval(interval).capped(self.residents.limits.session_expiry_max_s);
            if let Some(session) = self.residents.sessions.at_mut(session) {
                session.change_expiry(expiry);
            }
        }
        let reason = if disconnect.reason_code == ReasonCode::Success {
            // [V4 MQTT-3.1.2-10, V4 MQTT-3.14.4-3, V5 MQTT-3.1.2-10, V5 MQTT-3.14.4-3]
            self.drop_will(conn, out);
            CloseReason::ClientDisconnected
        } else {
            // 5.0: 0x04, and every code from 0x80: something went wrong, the Will is due.
            CloseReason::ClientDisconnectedWithWill
        };
        self.forget_and_close(conn, reason, None, now, out);
        Flow::Closed
    }

    /// Ends a connection from our side. An MQTT 5 client is told why.
    /// [V5 MQTT-3.14.0-1, V5 MQTT-4.13.2-1]
    /// Neither Session Expiry Interval nor User Property is sent.
    /// [V5 MQTT-3.14.2-2, V5 MQTT-3.14.2-4, V5 MQTT-3.14.4-2, V5 U-3.1.2.5-4, V5 U-4.13.1-1]
    /// [V5 U-3.14.2.1-2]
    pub(super) fn close(
        &mut self,
        conn: ConnId,
        reason: CloseReason,
        code: ReasonCode,
        fault: Option<Fault>,
        now: Now,
        out: &mut impl Sink,
    ) {
        if self.connected(conn).is_some_and(|connected| connected.version == Version::V5) {
            let mut words = PropertiesBuf::new();
            if let Some(fault) = fault {
                self.residents.explain(conn, 0, &fault, &mut words);
            }
            let disconnect = Disconnect { reason_code: code, properties: words.as_properties() };
            self.residents.send(conn, &ControlPacket::Disconnect(disconnect), out);
        }
        self.forget_and_close(conn, reason, fault, now, out);
    }

    /// Forgets a connection and lets the driver close it.
    pub(super) fn forget_and_close(
        &mut self,
        conn: ConnId,
        reason: CloseReason,
        fault: Option<Fault>,
        now: Now,
        out: &mut impl Sink,
    ) {
        if self.residents.connections.get(conn.slot, conn.generation).is_none() {
            return;
        }
        out.close(conn, reason);
        self.forget(conn, reason, fault, now, out);
    }

    /// The connection is no more; what it leaves behind is settled.
    pub(super) fn forget(
        &mut self,
        conn: ConnId,
        reason: CloseReason,
        fault: Option<Fault>,
        now: Now,
        out: &mut impl Sink,
    ) {
        if self.residents.connections.get(conn.slot, conn.generation).is_none() {
            return;
        }
        let Some(Connection { peer, stage, .. }) = self.residents.connections.remove(conn.slot) else {
            return;
        };
        let Stage::Connected(connected) = stage else {
            // A refusal has told its own event.
            if reason != CloseReason::Refused && reason != CloseReason::ConnectIncomplete {
                out.tell(Event::Disconnected {
                    peer: &peer,
                    namespace: Namespace::PLAIN,
                    client_identifier: None,
                    version: None,
                    reason,
                    fault,
                });
            }
            return;
        };
        self.count_connected(-1);
        if let Some(session) = self.residents.sessions.at_mut(connected.session) {
            session.conn = None;
            out.tell(Event::Disconnected {
                peer: &peer,
                namespace: session.key.namespace,
                client_identifier: Some(&session.key.identifier),
                version: Some(connected.version),
                reason,
                fault,
            });
            session.show_room();
        }
        self.leave(connected, now, out);
    }

    /// A session has lost its connection: its Will is published or begins to wait, and the session
    /// ends or begins to expire.
    /// Nothing else but Clean Start ends a session.
    /// [V4 MQTT-4.1.0-1, V4 MQTT-4.1.0-2, V5 MQTT-4.1.0-1, V5 U-3.14-1, V5 U-4.1-1, V5 U-4.1-7]
    fn leave(&mut self, connected: Connected, now: Now, out: &mut impl Sink) {
        let slot = connected.session;
        let Some(expiry) = self.residents.sessions.at(slot).map(|session| session.expiry) else { return };
        if let Some(will) = connected.will {
            self.settle_will(slot, *will, expiry, now, out);
        }
        match expiry {
            // [V4 MQTT-3.1.2-6] [V5 U-3.1.2.11.2-2]
            Expiry::AtOnce => self.end_session(slot, false, now, out),
            Expiry::After(seconds) => {
                if let Some(session) = self.residents.sessions.at_mut(slot) {
                    session.ends_at = now.mono.plus_s(seconds.into());
                }
                self.persist_session(slot, Some(now.wall.plus_s(seconds.into())), out);
            }
            Expiry::Never => self.persist_session(slot, None, out),
        }
        self.watch_session(slot, now);
    }

    /// At once, or after its delay if the session lives so long. [V5 MQTT-3.1.3-9]
    /// [V5 U-3.1.2.5-5, V5 U-3.1.4-3]
    fn settle_will(&mut self, slot: u32, will: Will, expiry: Expiry, now: Now, out: &mut impl Sink) {
        if will.delay_s == 0 || expiry == Expiry::AtOnce {
            self.publish_will(slot, will.message, will.expiry_s, now, out);
            return;
        }
        let due = now.mono.plus_s(will.delay_s.into());
        self.persist_will_due(slot, &will, now.wall.plus_s(will.delay_s.into()), out);
        if let Some(session) = self.residents.sessions.at_mut(slot) {
            session.rare().will = Some(DelayedWill { due, message: will.message, expiry_s: will.expiry_s });
        }
    }

    /// Publishes a Will. [V4 MQTT-3.1.2-8, V4 MQTT-3.1.2-16, V4 MQTT-3.1.2-17, V5 MQTT-3.1.2-8,
    /// V5 MQTT-3.1.2-14, V5 MQTT-3.1.2-15]
    /// [V5 U-3.1.2.5-5, V5 U-3.1.3.2.4-2, V5 U-3.1.3.2.4-3]
    pub(super) fn publish_will(
        &mut self,
        slot: u32,
        will: MessageId,
        expiry_s: Option<u32>,
        now: Now,
        out: &mut impl Sink,
    ) {
        // Copied while it is routed: routing may keep it anew.
        let stored = self.residents.messages.get(will);
        let (topic, mut properties, payload): (String, Vec<u8>, Vec<u8>) =
            (stored.topic.into(), stored.properties.into(), stored.payload.into());
        let session = self.residents.sessions.at(slot);
        let is_device = session.is_some_and(|session| session.key.namespace.product().is_some());
        let device = is_device.then(|| take_will_note(&mut properties)).flatten();
        let publisher = Some(self.session_ref(slot));
        let expires_at = expiry_s.map(|seconds| now.wall.plus_s(seconds.into()));
        let message = Message {
            topic: &topic,
            properties: &properties,
            payload: &payload,
            expires_at,
            publisher,
            ..stored
        };
        if let Some(session) = self.residents.sessions.at(slot) {
            out.tell(Event::WillPublished { client_identifier: &session.key.identifier, topic: &topic });
        }
        match device {
            None => self.publish_message(&message, now, out),
            Some((reach, product)) => self.publish_will_of_device(slot, &product, reach, &message, now, out),
        }
        self.residents.messages.release(will);
        self.persist_will_gone(slot, out);
    }

    /// A normal DISCONNECT takes the Will away.
    pub(super) fn drop_will(&mut self, conn: ConnId, out: &mut impl Sink) {
        let Some(connected) = self.connected_mut(conn) else { return };
        let slot = connected.session;
        if let Some(will) = connected.will.take() {
            self.residents.messages.release(will.message);
            self.persist_will_gone(slot, out);
        }
    }

    /// The client came back before its Will was due. [V5 MQTT-3.1.3-9]
    pub(super) fn cancel_will(&mut self, slot: u32, out: &mut impl Sink) {
        let Some(session) = self.residents.sessions.at_mut(slot) else { return };
        if let Some(will) = session.rare.as_mut().and_then(|rare| rare.will.take()) {
            session.settle_rare();
            self.residents.messages.release(will.message);
            self.persist_will_gone(slot, out);
        }
    }

    /// A session is over: its subscriptions, messages and identifiers are no more.
    /// [V4 MQTT-3.1.2-6, V5 MQTT-3.1.2-4, V5 MQTT-3.1.2-23, V5 MQTT-4.1.0-2]
    /// Retained messages stay. [V4 MQTT-3.1.2-7, V5 U-3.8.4-2, V5 U-4.1-8, V5 U-4.8.2-3, V5 U-4.8.2-4]
    pub(super) fn end_session(&mut self, slot: u32, expired: bool, now: Now, out: &mut impl Sink) {
        let me = self.session_ref(slot);
        let will =
            self.residents.sessions.at_mut(slot).and_then(|session| session.rare.as_mut()?.will.take());
        if let Some(will) = will {
            self.publish_will(slot, will.message, will.expiry_s, now, out);
        }
        let Some(mut session) = self.residents.sessions.remove(slot) else { return };
        let mut dropped = self.forget_stored(&mut session, out);
        self.directory.remove(slot, &session.key);
        for filter in session.subscriptions.take_all() {
            if let Ok(filter) = SubscriptionFilter::parse(&filter) {
                self.shared.index.unsubscribe(session.key.namespace.topics(), filter, me);
                self.count_subscription(filter.share_name.is_some(), false);
            }
        }
        self.residents.census.sessions_expired += u64::from(expired);
        self.residents.census.messages_queued -= session.queue.len() as u64;
        self.residents.census.messages_in_flight -= session.in_flight.len() as u64;
        let messages = &mut self.residents.messages;
        let mut orphans: Vec<(u64, MessageId)> = Vec::new();
        for (_, qos, sent) in session.in_flight.drain() {
            let Some(sent) = sent else { continue };
            match (sent.group(), sent.message) {
                // [V5 MQTT-4.8.2-5] A QoS 2 message on its way goes to nobody else.
                (group @ 1.., Some(body)) if qos == QoS::AtLeastOnce => orphans.push((group, body)),
                (_, body) => {
                    dropped += 1;
                    messages.release(body);
                }
            }
        }
        while let Some(waiting) = session.queue.pop(messages) {
            match waiting.group() {
                0 => {
                    dropped += 1;
                    messages.release(waiting.message);
                }
                group => orphans.push((group, waiting.message)),
            }
        }
        self.residents.census.publish_dropped += dropped;
        let SessionKey { namespace, identifier } = &session.key;
        out.tell(Event::SessionEnded {
            namespace: *namespace,
            client_identifier: identifier,
            expired,
            dropped,
        });
        for (group, orphan) in orphans {
            self.bequeath(me, group, orphan, now, out);
        }
    }

    /// A message a session could not take: another member of its shared subscription gets it.
    /// [V5 U-4.8.2-5]
    fn bequeath(&mut self, me: SessionRef, group: u64, orphan: MessageId, now: Now, out: &mut impl Sink) {
        let stored = self.residents.messages.get(orphan);
        let (topic, properties, payload): (String, Vec<u8>, Vec<u8>) =
            (stored.topic.into(), stored.properties.into(), stored.payload.into());
        let message = Message { topic: &topic, properties: &properties, payload: &payload, ..stored };
        let audience = Audience::Member { session: me, group, hops: 0 };
        self.deliver_to_member(&Forwarded::new(message, audience), me, group, 0, now, out);
        self.residents.messages.release(orphan);
    }
}
