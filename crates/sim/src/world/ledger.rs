//! What an onlooker writes down: every message published and what became of it, every
//! subscription and from when to when it can and must have been there. Times are milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use hexmq_broker::Namespace;
use hexmq_topic::{SubscriptionFilter, TopicName};
use hexmq_wire::QoS;

/// A number per published message; its payload begins with it.
pub(super) type MessageId = usize;

/// A message some client published.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) publisher: usize,
    /// The publisher's.
    pub(super) namespace: Namespace,
    pub(super) topic: String,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// An empty payload: clears what is retained.
    pub(super) empty: bool,
    pub(super) expiry_s: Option<u32>,
    pub(super) first_sent_at: u64,
    pub(super) last_sent_at: u64,
    /// Where in the publisher's sequence of sendings each attempt stands, and on which wire.
    pub(super) attempts: Vec<(u64, usize)>,
    /// PUBACK or PUBREC came, and said success.
    pub(super) acknowledged: Option<Acknowledged>,
    pub(super) refused: bool,
    /// How often it was sent again to a server that did not say whether it knows of it (3.1).
    pub(super) doubtful: u32,
}

impl Message {
    /// Whether the platform is to have it.
    pub(super) fn goes_up(&self) -> bool {
        self.namespace != Namespace::PLAIN && (self.topic.starts_with("u/") || self.topic.starts_with("b/"))
    }

    /// Whether subscribers of these topics can get it.
    pub(super) fn is_routed_to(&self, topics: Namespace) -> bool {
        self.namespace.topics() == topics && !(self.goes_up() && self.topic.starts_with("u/"))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub(super) at: u64,
    pub(super) wire: usize,
}

/// A subscription of a client, from one SUBSCRIBE to its end.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) filter: String,
    pub(super) share_name: Option<String>,
    pub(super) topic_filter: String,
    pub(super) qos: QoS,
    pub(super) no_local: bool,
    pub(super) identifier: Option<u32>,
    /// Session it belongs to.
    pub(super) epoch: u32,
    pub(super) asked_at: u64,
    pub(super) granted_at: Option<u64>,
    /// From here on it need not be there.
    pub(super) shaken_at: Option<u64>,
    /// From here on it must not.
    pub(super) gone_at: Option<u64>,
    /// A SUBACK has told that another one with its filter stands in its place,
    pub(super) replaced: Option<Change>,
    /// or an UNSUBACK that there is none any more.
    pub(super) ended: Option<Change>,
}

/// The answer to a SUBSCRIBE or UNSUBSCRIBE, as the client heard it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) at: u64,
    pub(super) wire: usize,
    /// No message waited when the server made the change.
    pub(super) calm: bool,
}

impl Change {
    /// Whether this delivery can only have begun after the change. Behind its answer, on the same wire, comes what
    /// was in flight before or has waited, which QoS 0 never does; with RETAIN it may come from the store.
    /// [V4 MQTT-3.10.4-2, V5 MQTT-3.10.4-2]
    fn bars(&self, message: &Message, delivery: &Delivery<'_>) -> bool {
        let may_have_waited = delivery.dup || (delivery.qos != QoS::AtMostOnce && !self.calm);
        let behind = delivery.wire == self.wire && !may_have_waited;
        !delivery.retain && (behind || message.first_sent_at > self.at)
    }
}

impl Held {
    /// What is asked for now.
    pub(super) fn asked(filter: &str, qos: QoS, epoch: u32, now: u64) -> Held {
        Held {
            filter: filter.into(),
            share_name: None,
            topic_filter: filter.into(),
            qos,
            no_local: false,
            identifier: None,
            epoch,
            asked_at: now,
            granted_at: None,
            shaken_at: None,
            gone_at: None,
            replaced: None,
            ended: None,
        }
    }

    /// Whether it was there for certain when a message was published, and still is.
    pub(super) fn was_there_for(&self, message: &Message) -> bool {
        self.granted_at.is_some_and(|granted| granted < message.first_sent_at) && self.shaken_at.is_none()
    }
}

/// What one session has received of one message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Receipt {
    pub(super) live: u32,
    /// Of these, with QoS 2.
    pub(super) exact: u32,
    pub(super) repeated: u32,
    pub(super) retained: u32,
}

/// A Will seen by the witness.
#[derive(Clone, Copy, Debug)]
pub(super) struct WillSeen {
    pub(super) wire: usize,
    pub(super) at: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) messages: Vec<Message>,
    /// By client.
    pub(super) held: BTreeMap<usize, Vec<Held>>,
    /// By client, its session's number and the message.
    pub(super) receipts: BTreeMap<(usize, u32, MessageId), Receipt>,
    /// Newest message first seen, per client, session, publisher, topic, published and delivered QoS.
    newest: BTreeMap<(usize, u32, usize, String, QoS, QoS), MessageId>,
    /// Drops told for QoS 1 and 2, by Client Identifier and topic.
    pub(super) drops: BTreeMap<(String, String), u32>,
    pub(super) wills: Vec<WillSeen>,
    /// The store may be unable to write, and the server refuse what it cannot promise then.
    pub(super) may_refuse: bool,
    /// When the power failed.
    pub(super) cuts: Vec<u64>,
    /// Sendings of each publisher.
    sendings: BTreeMap<usize, u64>,
}

/// A PUBLISH as a client took it.
#[derive(Clone, Debug)]
pub(super) struct Delivery<'a> {
    pub(super) client: usize,
    pub(super) wire: usize,
    /// The namespace of what it subscribes to.
    pub(super) topics: Namespace,
    pub(super) epoch: u32,
    pub(super) topic: &'a str,
    pub(super) qos: QoS,
    pub(super) dup: bool,
    pub(super) retain: bool,
    pub(super) identifiers: Vec<u32>,
    pub(super) at: u64,
}

impl Ledger {
    pub(super) fn new(may_refuse: bool) -> Ledger {
        Ledger { may_refuse, ..Ledger::default() }
    }

    pub(super) fn sent(&mut self, message: MessageId, wire: usize, at: u64) {
        let publisher = self.messages[message].publisher;
        let counter = self.sendings.entry(publisher).or_default();
        *counter += 1;
        let entry = &mut self.messages[message];
        entry.attempts.push((*counter, wire));
        entry.last_sent_at = at;
    }

    /// Whether a filter matches, `$` rule included.
    pub(super) fn covers(topic_filter: &str, topic: &str) -> bool {
        match (hexmq_topic::TopicFilter::parse(topic_filter), TopicName::parse(topic)) {
            (Ok(filter), Ok(topic)) => filter.matches(topic),
            _ => false,
        }
    }

    /// Its place among those of the client.
    pub(super) fn subscribed(&mut self, client: usize, mut held: Held) -> usize {
        if let Ok(parsed) = SubscriptionFilter::parse(&held.filter) {
            held.share_name = parsed.share_name.map(Into::into);
            held.topic_filter = parsed.filter.as_str().into();
        }
        let all = self.held.entry(client).or_default();
        for older in all.iter_mut().filter(|older| older.filter == held.filter && older.epoch == held.epoch) {
            older.shaken_at = older.shaken_at.or(Some(held.asked_at));
        }
        all.push(held);
        all.len() - 1
    }

    /// Everything a client's session holds may be gone from now on.
    pub(super) fn shaken(&mut self, client: usize, at: u64) {
        for held in self.held.entry(client).or_default() {
            held.shaken_at = held.shaken_at.or(Some(at));
        }
    }

    /// A delivery that the client does not know for a repetition by itself: is it due?
    pub(super) fn delivered(&mut self, id: MessageId, delivery: &Delivery<'_>) -> Result<(), String> {
        let Some(message) = self.messages.get(id) else {
            return Err(format!("message {id} was never published"));
        };
        if message.topic != delivery.topic {
            return Err(format!("message {id} of {} came under {}", message.topic, delivery.topic));
        }
        if !message.is_routed_to(delivery.topics) {
            return Err(format!(
                "message {id} of namespace {} crossed to {}",
                message.namespace, delivery.topics
            ));
        }
        // With Retain As Published the flag does not tell; both are allowed for then.
        let from_store = delivery.retain;
        let held = self.held.get(&delivery.client).map_or(&[][..], Vec::as_slice);
        let matching: Vec<&Held> = held
            .iter()
            .filter(|held| held.epoch == delivery.epoch && Ledger::covers(&held.topic_filter, delivery.topic))
            .filter(|held| held.gone_at.is_none_or(|gone| from_store || message.first_sent_at <= gone))
            .filter(|held| !held.no_local || from_store || message.publisher != delivery.client)
            .collect();
        self.is_asked_for(id, delivery, &matching)?;
        let groups: BTreeSet<&String> = matching.iter().filter_map(|held| held.share_name.as_ref()).collect();
        if groups.is_empty() {
            self.has_its_terms(id, delivery, &matching)?;
        }
        let (groups, in_order) = (groups.len() as u32, groups.is_empty() && !message.retain);
        self.count(id, delivery, groups)?;
        if in_order { self.in_order(id, delivery) } else { Ok(()) }
    }

    /// Whether one of these subscriptions is still there to bring a message, and on such terms.
    fn is_asked_for(&self, id: MessageId, delivery: &Delivery<'_>, matching: &[&Held]) -> Result<(), String> {
        let message = &self.messages[id];
        let too_late = |change: Option<Change>| change.is_some_and(|change| change.bars(message, delivery));
        let lasting: Vec<&Held> = matching.iter().copied().filter(|held| !too_late(held.ended)).collect();
        // A shared message may go on to a member that came later.
        // What was on its way between shards when the power failed goes to whoever asks for it by then.
        let early = |held: &Held| {
            message.acknowledged.is_some_and(|acknowledged| {
                acknowledged.at < held.asked_at && !self.cuts.iter().any(|cut| *cut >= acknowledged.at)
            })
        };
        if lasting.iter().all(|held| !delivery.retain && held.share_name.is_none() && early(held)) {
            return Err(format!(
                "message {id} ({}) came without a subscription that asks for it",
                message.topic
            ));
        }
        // One that is entitled by an older subscription carries the terms of the younger ones too if
        // these began while it was under way between two shards, and no longer those of one they replaced.
        let terms: Vec<&Held> = lasting.into_iter().filter(|held| !too_late(held.replaced)).collect();
        let granted = terms.iter().map(|held| held.qos).max().unwrap_or_default();
        if delivery.qos > granted.min(message.qos) {
            return Err(format!(
                "message {id} came with {:?}; published {:?}, granted {granted:?}",
                delivery.qos, message.qos
            ));
        }
        let of_these = |identifier: &u32| terms.iter().any(|held| held.identifier == Some(*identifier));
        match delivery.identifiers.iter().find(|identifier| !of_these(identifier)) {
            Some(stray) => {
                Err(format!("message {id} came with {stray}, the identifier of no matching subscription"))
            }
            None => Ok(()),
        }
    }

    /// What is published behind a SUBACK comes with the QoS it granted and with the Subscription Identifier that was
    /// asked for. The copy of a shared subscription has its own, and so has what comes from the store.
    /// [V5 MQTT-3.3.4-2, V5 MQTT-3.3.4-3, V5 MQTT-3.3.4-4, V5 MQTT-3.8.4-8]
    fn has_its_terms(
        &self,
        id: MessageId,
        delivery: &Delivery<'_>,
        matching: &[&Held],
    ) -> Result<(), String> {
        let message = &self.messages[id];
        for held in matching.iter().filter(|held| !delivery.retain && held.was_there_for(message)) {
            let least = held.qos.min(message.qos);
            if delivery.qos < least {
                return Err(format!(
                    "message {id} came with {:?}, {} has {least:?}",
                    delivery.qos, held.filter
                ));
            }
            if let Some(missing) = held.identifier.filter(|one| !delivery.identifiers.contains(one)) {
                return Err(format!("message {id} came without {missing}, which {} has", held.filter));
            }
        }
        Ok(())
    }

    /// No message comes more often than its QoS allows.
    fn count(&mut self, id: MessageId, delivery: &Delivery<'_>, groups: u32) -> Result<(), String> {
        let message = &self.messages[id];
        let receipt = self.receipts.entry((delivery.client, delivery.epoch, id)).or_default();
        if delivery.retain {
            receipt.retained += 1;
            return Ok(());
        }
        if delivery.dup && delivery.qos == QoS::AtLeastOnce {
            receipt.repeated += 1;
            return Ok(());
        }
        receipt.live += 1;
        receipt.exact += u32::from(delivery.qos == QoS::ExactlyOnce);
        let published = match message.qos {
            QoS::AtLeastOnce => message.attempts.len() as u32,
            _ => 1 + message.doubtful,
        };
        // What was not safe when the power failed may come again; QoS 2 goes out only when it is.
        let most = published * (1 + groups) * (1 + self.cuts.len() as u32);
        if receipt.live > most || receipt.exact > published * (1 + groups) {
            return Err(format!("message {id} came {} times, now with {:?}", receipt.live, delivery.qos));
        }
        Ok(())
    }

    /// Whether a message that comes for the first time may come behind a younger one: what was sent again may
    /// have been refused the first time.
    pub(super) fn may_be_late(&self, message: &Message) -> bool {
        let refused = message.qos == QoS::AtLeastOnce || self.may_refuse || message.goes_up();
        refused && message.attempts.len() > 1
    }

    /// [V4 MQTT-4.6.0-6, V5 MQTT-4.6.0-6]
    fn in_order(&mut self, id: MessageId, delivery: &Delivery<'_>) -> Result<(), String> {
        let message = &self.messages[id];
        let receipt = self.receipts.get(&(delivery.client, delivery.epoch, id)).copied().unwrap_or_default();
        if receipt.live + receipt.repeated > 1 || self.may_be_late(message) {
            // Not the first time; or it may be a repetition of what came before the subscription,
            // or was dropped.
            return Ok(());
        }
        let place = (
            delivery.client,
            delivery.epoch,
            message.publisher,
            message.topic.clone(),
            message.qos,
            delivery.qos,
        );
        let newest = self.newest.entry(place).or_insert(id);
        if *newest > id {
            return Err(format!(
                "message {id} came for the first time after message {newest} of the same topic"
            ));
        }
        *newest = id;
        Ok(())
    }
}
