//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11).

use std::num::NonZeroU32;

use hexmq_session::{Now, Wall};
use hexmq_topic::{SubscriptionFilter, TopicFilter};
use hexmq_wire::{
    ControlPacket, Properties, PropertiesBuf, QoS, ReasonCode, RetainHandling, Suback, Subscribe,
    Subscription, SubscriptionOptions, Unsuback, Unsubscribe, Version,
};

use super::Shard;
use crate::index::{NewEntry, Subscribed};
use crate::retained::Cursor;
use crate::session::{Granted, Handout, Held};
use crate::{CloseReason, Condition, ConnId, Event, Flow, Namespace, Record, SessionKey, Sink};

impl Shard {
    /// [V4 MQTT-3.8.4-1, V4 MQTT-3.8.4-4, V4 MQTT-3.8.4-5, V5 MQTT-3.8.4-1, V5 MQTT-3.8.4-5, V5 MQTT-3.8.4-6]
    /// [V5 MQTT-3.8.4-7, V5 U-4.13.2-1]
    pub(super) fn subscribe(
        &mut self,
        conn: ConnId,
        subscribe: &Subscribe<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let Some(connected) = self.connected(conn) else { return Flow::Closed };
        let (slot, version) = (connected.session, connected.version);
        let malformed =
            |subscription: Subscription<'_>| SubscriptionFilter::parse(subscription.topic_filter).is_err();
        if subscribe.subscriptions.iter().any(malformed) {
            // [V4 MQTT-4.7.1-2, V4 MQTT-4.7.1-3, V4 MQTT-4.8.0-1, V5 MQTT-4.7.1-1, V5 MQTT-4.7.1-2, V5 MQTT-4.8.2-1, V5 MQTT-4.8.2-2]
            self.close(conn, CloseReason::MalformedPacket, ReasonCode::MalformedPacket, None, now, out);
            return Flow::Closed;
        }
        let identifier = subscribe.properties.subscription_identifiers().next().and_then(NonZeroU32::new);
        let mut refusal = None;
        let mut codes = Vec::with_capacity(subscribe.subscriptions.len());
        for subscription in subscribe.subscriptions.iter() {
            let filter = subscription.topic_filter;
            let granted = if self.too_deep(filter) {
                Err(ReasonCode::TopicFilterInvalid)
            } else if !self.connected(conn).is_some_and(|who| who.may_subscribe(unshared(filter))) {
                Err(ReasonCode::NotAuthorized)
            } else {
                self.grant(conn, slot, &subscription, identifier, out)
            };
            codes.push(match granted {
                Ok(granted) => granted as u8,
                Err(reason) => {
                    if let Some(SessionKey { namespace, identifier }) = self.key_of(conn) {
                        let (namespace, client_identifier) = (*namespace, &**identifier);
                        out.tell(Event::SubscriptionDenied { namespace, client_identifier, filter, reason });
                    }
                    refusal = Some(why_refused(reason));
                    // [V4 MQTT-3.9.3-2] 3.x has one code for all refusals.
                    if version == Version::V5 { reason.as_u8() } else { 0x80 }
                }
            });
        }
        let mut words = PropertiesBuf::new();
        if let Some(why) = refusal {
            self.residents.explain(conn, codes.len(), &why, &mut words);
        }
        let suback = Suback {
            // [V4 MQTT-2.3.1-7, V4 MQTT-3.8.4-2, V4 MQTT-3.9.3-1, V5 MQTT-2.2.1-6, V5 MQTT-3.8.4-2, V5 MQTT-3.9.3-1]
            packet_identifier: subscribe.packet_identifier,
            properties: words.as_properties(),
            reason_codes: &codes,
        };
        if !self.answer_change(conn, &ControlPacket::Suback(suback), out) {
            return self.refuse_answer(conn, now, out);
        }
        self.pump(slot, now, out);
        Flow::Continue
    }

    /// Makes or replaces one subscription, and lists its retained messages to be sent.
    /// [V4 MQTT-3.8.4-3, V5 MQTT-3.8.4-3]
    /// [V5 MQTT-3.8.4-4, V5 U-3.8.2.1.2-3, V5 U-3.8.4-1, V5 U-3.8.4-2, V5 U-3.8.4-3, V5 U-4.1-3]
    /// [V5 U-4.8.1-1, V5 U-4.8.2-6]
    fn grant(
        &mut self,
        conn: ConnId,
        slot: u32,
        subscription: &Subscription<'_>,
        identifier: Option<NonZeroU32>,
        out: &mut impl Sink,
    ) -> Result<QoS, ReasonCode> {
        let me = self.session_ref(slot);
        let (text, mut options) = (subscription.topic_filter, subscription.options);
        let connected = self.connected_mut(conn).ok_or(ReasonCode::UnspecifiedError)?;
        options.qos = connected.manners().grant(options.qos);
        let namespace = connected.topics;
        if let Some(device) = connected.device_mut() {
            device.unsubscribed.retain(|filter| **filter != *text);
        }
        let filter = SubscriptionFilter::parse(text).map_err(|_| ReasonCode::TopicFilterInvalid)?;
        let most = self.residents.limits.subscriptions_per_session as usize;
        let seed = self.shared.seed;
        let session = self.residents.sessions.at_mut(slot).ok_or(ReasonCode::UnspecifiedError)?;
        if session.subscriptions.len() >= most && !session.subscriptions.contains(text) {
            return Err(ReasonCode::QuotaExceeded);
        }
        let shared = filter.share_name.is_some();
        let room = shared.then(|| session.rare().room.get_or_insert_default().clone());
        session.show_room();
        let held = Held { options, subscription_identifier: identifier };
        // Clients subscribe anew whenever they come back: what is the same is in the store.
        let changed = session.subscriptions.get(text) != Some(held);
        session.subscriptions.insert(text, held, seed);
        let stored = session.stored.as_ref().map(|stored| stored.serial);
        let entry = NewEntry {
            session: me,
            options,
            subscription_identifier: identifier,
            stored: stored.is_some(),
            room,
        };
        let subscribed = self.shared.index.subscribe(namespace, filter, entry);
        let new = subscribed == Subscribed::New;
        // [V5 MQTT-3.3.1-9, V5 MQTT-3.3.1-10, V5 MQTT-3.3.1-11] Shared subscriptions get no retained
        // messages (5.0 section 4.8.2).
        if wants_retained(options.retain_handling, new) && !shared {
            self.owe_retained(slot, namespace, filter.filter, options, identifier);
        }
        if new {
            self.count_subscription(shared, true);
        }
        if let Some(session) = stored.filter(|_| changed) {
            let record = Record::Subscribed { session, filter: text, options, identifier };
            self.residents.persist(&record, out);
        }
        Ok(options.qos)
    }

    /// Notes that a session is to get the retained messages of a filter.
    fn owe_retained(
        &mut self,
        slot: u32,
        namespace: Namespace,
        filter: TopicFilter<'_>,
        options: SubscriptionOptions,
        identifier: Option<NonZeroU32>,
    ) {
        let Some(session) = self.residents.sessions.at_mut(slot) else { return };
        let text = filter.as_str();
        if let Some(rare) = &mut session.rare {
            // A filter that is asked for again begins anew.
            rare.handouts.retain(|handout| *handout.filter != *text);
        }
        // Most clients ask for one topic, which has no such message. One that it gets from now on is sent as
        // any other, since the subscription is in the index.
        let retained = &self.shared.retained;
        if !filter.has_wildcard() && retained.get(namespace, text, Wall(0), |_| ()).is_none() {
            return;
        }
        let not_from = if options.no_local { self.directory.mark(&session.key) } else { 0 };
        session.rare().handouts.push_back(Handout {
            filter: text.into(),
            granted: Granted {
                qos: options.qos,
                subscription_identifier: identifier.map(NonZeroU32::get),
                not_from,
            },
            cursor: Cursor::default(),
        });
    }

    /// [V4 MQTT-3.10.4-1, V4 MQTT-3.10.4-2, V4 MQTT-3.10.4-4, V4 MQTT-3.10.4-5, V4 MQTT-3.10.4-6]
    /// [V5 MQTT-3.10.4-1, V5 MQTT-3.10.4-2, V5 MQTT-3.10.4-4, V5 MQTT-3.10.4-5, V5 MQTT-3.10.4-6]
    /// What is in flight stays so, and UNSUBACK has no words.
    /// [V4 MQTT-3.10.4-3, V5 MQTT-3.10.4-3, V5 MQTT-3.11.2-1, V5 MQTT-3.11.2-2, V5 MQTT-3.11.3-1]
    /// [V5 U-3.8.4-2, V5 U-3.10.4-1, V5 U-3.11.3-1, V5 U-4.8.2-3]
    pub(super) fn unsubscribe(
        &mut self,
        conn: ConnId,
        unsubscribe: &Unsubscribe<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let Some(connected) = self.connected(conn) else { return Flow::Closed };
        let (slot, namespace) = (connected.session, connected.topics);
        if unsubscribe.topic_filters.iter().any(|filter| SubscriptionFilter::parse(filter).is_err()) {
            self.close(conn, CloseReason::MalformedPacket, ReasonCode::MalformedPacket, None, now, out);
            return Flow::Closed;
        }
        let me = self.session_ref(slot);
        let mut codes = Vec::with_capacity(unsubscribe.topic_filters.len());
        for text in unsubscribe.topic_filters.iter() {
            let Ok(filter) = SubscriptionFilter::parse(text) else { continue };
            let implied = self.unsubscribe_implied(conn, text);
            let Some(session) = self.residents.sessions.at_mut(slot) else { continue };
            let existed = session.subscriptions.remove(text);
            if existed {
                self.shared.index.unsubscribe(namespace, filter, me);
                if let Some(rare) = &mut session.rare {
                    rare.handouts.retain(|handout| &*handout.filter != text);
                }
                self.count_subscription(filter.share_name.is_some(), false);
                if let Some(session) = self.residents.stored_serial(slot) {
                    self.residents.persist(&Record::Unsubscribed { session, filter: text }, out);
                }
            }
            // [V5 MQTT-3.11.3-2]
            let code =
                if existed || implied { ReasonCode::Success } else { ReasonCode::NoSubscriptionExisted };
            codes.push(code.as_u8());
        }
        let unsuback = Unsuback {
            packet_identifier: unsubscribe.packet_identifier,
            properties: Properties::EMPTY,
            reason_codes: &codes,
        };
        if !self.answer_change(conn, &ControlPacket::Unsuback(unsuback), out) {
            return self.refuse_answer(conn, now, out);
        }
        Flow::Continue
    }

    /// SUBACK or UNSUBACK. What the subscriptions lead to could be sent before SUBACK [V5 U-3.8.4-1], but clients
    /// are simpler than that: nothing at all leaves before. Only while the store cannot write does the
    /// answer wait alone.
    fn answer_change(&mut self, conn: ConnId, answer: &ControlPacket<'_>, out: &mut impl Sink) -> bool {
        if !self.residents.persisted || out.condition() == Condition::Stuck {
            return self.residents.answer(conn, answer, out);
        }
        out.gate(conn);
        self.residents.send(conn, answer, out)
    }

    /// The answer has more codes than the client's Maximum Packet Size has room for. It may not
    /// be sent and not be left out, so there is nothing to go on with.
    /// [V5 MQTT-3.1.2-24, V5 MQTT-3.8.4-1, V5 MQTT-3.10.4-4]
    fn refuse_answer(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) -> Flow {
        self.close(conn, CloseReason::PacketTooLarge, ReasonCode::PacketTooLarge, None, now, out);
        Flow::Closed
    }

    pub(super) fn count_subscription(&mut self, shared: bool, more: bool) {
        let census = &mut self.residents.census;
        let by = if more { 1 } else { -1 };
        census.subscriptions = census.subscriptions.saturating_add_signed(by);
        if shared {
            census.subscriptions_shared = census.subscriptions_shared.saturating_add_signed(by);
        }
    }
}

fn wants_retained(handling: RetainHandling, is_new: bool) -> bool {
    match handling {
        RetainHandling::Send => true,
        RetainHandling::SendIfNew => is_new,
        RetainHandling::DoNotSend => false,
    }
}

/// For the Reason String of a SUBACK.
fn why_refused(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::TopicFilterInvalid => "a filter has more levels than the server allows",
        ReasonCode::NotAuthorized => "this client may not subscribe to it",
        ReasonCode::QuotaExceeded => "the session has as many subscriptions as the server allows",
        _ => reason.name(),
    }
}

/// The filter behind `$share/…/`, for the decision who may read it.
fn unshared(filter: &str) -> &str {
    match SubscriptionFilter::parse(filter) {
        Ok(parsed) if parsed.share_name.is_some() => {
            let behind_share = filter.split_once('/').map_or("", |(_, rest)| rest);
            behind_share.split_once('/').map_or("", |(_, rest)| rest)
        }
        _ => filter,
    }
}
