//! What the platform does with the sessions of its devices.

use hexmq_session::Now;
use hexmq_topic::{SubscriptionFilter, TOPIC_LENGTH_MAX, TopicName};
use hexmq_wire::{QoS, ReasonCode};

use super::Shard;
use super::route::Routed;
use crate::index::Match;
use crate::layout::Terms;
use crate::session::Tame;
use crate::{
    CloseReason, ConnId, Delivered, Downlink, Message, Namespace, Reach, Serial, SessionKey, SessionRef,
    Sink, TopicRule,
};

/// Bytes of a PUBLISH beside topic and payload: fixed header, length of the topic, identifier, properties.
const PUBLISH_OVERHEAD: usize = 10;

/// Names in one answer at most.
const NAMES_MAX: usize = 10_000;

impl Shard {
    /// How a device is treated from now on, and what it is told first.
    pub(super) fn greet(&mut self, conn: ConnId, slot: u32, now: Now, out: &mut impl Sink) {
        let Some(connected) = self.connected(conn) else { return };
        let manners = connected.manners();
        let device = connected.terms().cloned();
        if let Some(session) = self.residents.sessions.at_mut(slot) {
            session.tame = Tame::of(manners.largest_qos, manners.no_retain);
        }
        let Some(device) = device else { return };
        if let Some(gap_ms) = manners.packet_gap_ms {
            out.pace(conn, gap_ms);
        }
        for greeting in &device.greeting {
            let downlink = Downlink {
                topic: &greeting.topic,
                payload: &greeting.payload,
                qos: QoS::AtMostOnce,
                if_subscribed: false,
                token: None,
            };
            self.send_downlink(conn, slot, &downlink, now, out);
        }
    }

    /// Who gets what a permit allows to be published. Without a platform nothing goes there.
    #[inline]
    pub(super) fn reach(&self, allowed: Option<Reach>) -> Option<Reach> {
        match allowed {
            Some(Reach::Platform) if !self.shared.upstairs => None,
            Some(Reach::Both) if !self.shared.upstairs => Some(Reach::Topics),
            reach => reach,
        }
    }

    /// A message of a device: to the platform, to subscribers, and to those who watch its product.
    #[allow(clippy::too_many_arguments, reason = "a message, whose it is and how far it goes")]
    #[inline(never)]
    pub(super) fn publish_of_device(
        &mut self,
        conn: ConnId,
        slot: u32,
        message: &Message<'_>,
        serial: Option<Serial>,
        reach: Reach,
        now: Now,
        out: &mut impl Sink,
    ) -> Routed {
        let device = self.connected(conn).and_then(|connected| connected.terms().cloned());
        let product = device.as_ref().map_or("", |device| &device.product);
        self.spread(slot, product, message, serial, reach, now, out)
    }

    /// Gives a message of a device to everybody who is to have it.
    #[allow(clippy::too_many_arguments, reason = "a message, whose it is and how far it goes")]
    fn spread(
        &mut self,
        slot: u32,
        product: &str,
        message: &Message<'_>,
        serial: Option<Serial>,
        reach: Reach,
        now: Now,
        out: &mut impl Sink,
    ) -> Routed {
        if reach.goes_up() {
            self.uplink(slot, message, now, out);
        }
        let mut routed = Routed { matched: reach.goes_up(), congested: false };
        if reach.is_routed() {
            let Routed { matched, congested } = self.route(message, None, serial, now, out);
            routed = Routed { matched: routed.matched || matched, congested };
        }
        routed.congested |= self.mirror(product, message, now, out);
        routed
    }

    /// A Will of a device: retained if it asks for it, and sent where its rules send it.
    pub(super) fn publish_will_of_device(
        &mut self,
        slot: u32,
        product: &str,
        reach: Reach,
        message: &Message<'_>,
        now: Now,
        out: &mut impl Sink,
    ) {
        let mut serial = None;
        if message.retain && reach.is_routed() {
            self.retain(message, &mut serial, out);
        }
        self.spread(slot, product, message, serial, reach, now, out);
    }

    /// Sends a message to one session, past the subscription index. Nothing is queued for a session without
    /// a connection.
    pub fn downlink(
        &mut self,
        key: &SessionKey,
        downlink: &Downlink<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Delivered {
        let Some(slot) = self.directory.find(key, &self.residents.sessions) else {
            return Delivered::Offline;
        };
        let conn = self.residents.sessions.at(slot).and_then(|session| session.conn);
        let Some(conn) = conn else { return Delivered::Offline };
        let conn = ConnId { slot: conn, generation: self.residents.connections.generation(conn) };
        let mut downlink = *downlink;
        if downlink.if_subscribed {
            match self.granted(conn, slot, downlink.topic) {
                Some(granted) => downlink.qos = downlink.qos.min(granted),
                None => return Delivered::NotSubscribed,
            }
        }
        self.residents.persisted = false;
        self.send_downlink(conn, slot, &downlink, now, out)
    }

    /// The QoS with which a session has subscribed to a topic, or counts as having subscribed.
    fn granted(&self, conn: ConnId, slot: u32, topic: &str) -> Option<QoS> {
        let name = TopicName::parse(topic).ok()?;
        let fits =
            |filter: &str| SubscriptionFilter::parse(filter).is_ok_and(|parsed| parsed.filter.matches(name));
        let session = self.residents.sessions.at(slot)?;
        let own = session.subscriptions.iter().filter(|(filter, _)| fits(filter));
        if let Some(qos) = own.map(|(_, held)| held.options.qos).max() {
            return Some(qos);
        }
        let connected = self.connected(conn)?;
        let implied = connected.terms()?.subscribed;
        let left = connected.device()?.unsubscribed.iter().any(|filter| fits(filter));
        (implied && !left).then_some(QoS::ExactlyOnce)
    }

    fn send_downlink(
        &mut self,
        conn: ConnId,
        slot: u32,
        downlink: &Downlink<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Delivered {
        let Some(connected) = self.connected(conn) else { return Delivered::Offline };
        let size = downlink.topic.len() + downlink.payload.len() + PUBLISH_OVERHEAD;
        let too_large = size > connected.maximum_packet_size as usize || size > u32::MAX as usize;
        let topics = connected.topics;
        let device = connected.terms().cloned();
        let Some(session) = self.residents.sessions.at(slot) else { return Delivered::Offline };
        let qos = session.tame.map_or(downlink.qos, |tame| downlink.qos.min(tame.largest_qos));
        let limits = &self.residents.limits;
        let fits = out.output_len(conn) < limits.write_buffer_bytes;
        let at_once = fits && (qos == QoS::AtMostOnce || session.has_room());
        let may_wait = qos != QoS::AtMostOnce
            && session.tail().messages == 0
            && session.waiting() < u64::from(limits.session_queue_messages)
            && session.waiting_bytes() + (size as u64) < limits.session_queue_bytes
            && self.residents.messages.bytes() < limits.queue_memory_bytes;
        if too_large || !(at_once || may_wait) {
            return Delivered::Full;
        }
        let message = Message {
            namespace: topics,
            topic: downlink.topic,
            properties: &[],
            payload: downlink.payload,
            qos,
            retain: false,
            expires_at: None,
            publisher: None,
        };
        let terms = Terms { token: downlink.token, ..Terms::kept(qos) };
        let mut outbound = self.residents.begin(&message, None, now);
        if at_once {
            self.residents.send_live(conn.slot, slot, &terms, usize::MAX, &mut outbound, out);
        } else {
            self.residents.append(slot, &terms, &mut outbound, out);
        }
        self.residents.finish(outbound);
        if let Some(device) = device {
            self.mirror(&device.product, &message, now, out);
        }
        Delivered::Sent
    }

    /// Shows a message of or for a device to those who watch its product. True if a lane it went into is full.
    pub(super) fn mirror(
        &mut self,
        product: &str,
        message: &Message<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> bool {
        let mut raw = std::mem::take(&mut self.raw_topic);
        raw.clear();
        for part in ["$hexmq/", product, "/raw/", message.topic] {
            raw.push_str(part);
        }
        let mut congested = false;
        if raw.len() <= TOPIC_LENGTH_MAX {
            let shown = Message {
                namespace: Namespace::PLAIN,
                topic: &raw,
                retain: false,
                publisher: None,
                ..*message
            };
            congested = self.route(&shown, None, None, now, out).congested;
        }
        self.raw_topic = raw;
        congested
    }

    /// Publishes a message of the server itself: retained if it asks for it, and routed.
    pub fn publish_own(&mut self, message: &Message<'_>, now: Now, out: &mut impl Sink) {
        self.residents.persisted = false;
        self.publish_message(message, now, out);
    }

    /// Other rules for a device that is connected. What it has subscribed to stays.
    pub fn set_rules(&mut self, key: &SessionKey, rules: Vec<TopicRule>) {
        let Some(conn) = self.connection_of(key) else { return };
        let Some(connected) = self.connected_mut(conn) else { return };
        if let Some(device) = connected.terms_mut() {
            std::sync::Arc::make_mut(device).rules = rules.into_boxed_slice();
        }
    }

    /// Closes the connection of a session; `forget`: the session ends as well.
    pub fn disconnect_session(&mut self, key: &SessionKey, forget: bool, now: Now, out: &mut impl Sink) {
        if let Some(conn) = self.connection_of(key) {
            let (reason, code) = (CloseReason::AdministrativeAction, ReasonCode::AdministrativeAction);
            self.close(conn, reason, code, None, now, out);
        }
        if forget && let Some(slot) = self.directory.find(key, &self.residents.sessions) {
            self.end_session(slot, false, now, out);
        }
    }

    fn connection_of(&self, key: &SessionKey) -> Option<ConnId> {
        let slot = self.directory.find(key, &self.residents.sessions)?;
        let slot = self.residents.sessions.at(slot)?.conn?;
        Some(ConnId { slot, generation: self.residents.connections.generation(slot) })
    }

    /// The identifiers of the sessions of this shard and namespace that have subscribed to a topic, sorted;
    /// 10,000 at most.
    pub fn subscribers(&self, namespace: Namespace, topic: &str) -> Vec<String> {
        let Ok(name) = TopicName::parse(topic) else { return Vec::new() };
        let mut found: Vec<SessionRef> = Vec::new();
        self.shared.index.matches(namespace.topics(), name, &mut |matched| match matched {
            Match::Plain(entry) => found.push(entry.session),
            Match::Shared(group) => found.extend(group.members.iter().map(|member| member.entry.session)),
        });
        found.retain(|session| session.shard == self.id);
        let key = |at: &SessionRef| Some(&self.residents.sessions.get(at.slot, at.generation)?.key);
        let keys = found.iter().filter_map(key).filter(|key| key.namespace == namespace);
        let mut names: Vec<String> = keys.map(|key| key.identifier.to_string()).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(NAMES_MAX);
        names
    }

    /// The filters a session has subscribed to, sorted; 10,000 at most.
    pub fn subscriptions(&self, key: &SessionKey) -> Vec<String> {
        let slot = self.directory.find(key, &self.residents.sessions);
        let Some(session) = slot.and_then(|slot| self.residents.sessions.at(slot)) else { return Vec::new() };
        let mut filters: Vec<String> =
            session.subscriptions.iter().map(|(filter, _)| filter.into()).collect();
        filters.sort_unstable();
        filters.truncate(NAMES_MAX);
        filters
    }

    /// A device that counts as subscribed does not want this any more; whether it was so.
    pub(super) fn unsubscribe_implied(&mut self, conn: ConnId, filter: &str) -> bool {
        let most = self.residents.limits.subscriptions_per_session as usize;
        let Some(connected) = self.connected_mut(conn) else { return false };
        let implied = connected.terms().is_some_and(|device| device.subscribed);
        let Some(device) = connected.device_mut().filter(|_| implied) else { return false };
        if device.unsubscribed.len() < most && !device.unsubscribed.iter().any(|known| **known == *filter) {
            device.unsubscribed.push(filter.into());
        }
        true
    }
}
