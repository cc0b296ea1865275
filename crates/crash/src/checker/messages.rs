//! Messages: who must get them, and whether what comes is right.

use hexmq_wire::QoS;

use super::Checker;
use super::session::Life;
use crate::history::{Arrival, Broken, ClientId, MessageId};

/// A published message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Its place in the list of topics.
    topic: usize,
    qos: QoS,
    /// The step of its first PUBLISH.
    sent: u64,
    /// The step of its acknowledgement.
    acknowledged: Option<u64>,
    /// The server may take it for several messages, or for none.
    is_uncertain: bool,
}

pub(super) fn topic_of<'a>(sent: &[Vec<Sent>], topics: &'a [String], message: MessageId) -> Option<&'a str> {
    let sent = sent.get(usize::from(message.publisher.0))?.get(message.number as usize)?;
    topics.get(sent.topic).map(String::as_str)
}

impl Checker {
    pub(super) fn publish_sent(&mut self, message: MessageId, topic: &str, qos: QoS) {
        let place = self.topics.iter().position(|known| known == topic).unwrap_or_else(|| {
            self.topics.push(topic.to_owned());
            self.topics.len() - 1
        });
        let step = self.step;
        self.session(message.publisher);
        let sent = &mut self.sent[usize::from(message.publisher.0)];
        // Numbers come without gaps.
        debug_assert_eq!(sent.len(), message.number as usize);
        sent.push(Sent { topic: place, qos, sent: step, acknowledged: None, is_uncertain: false });
        self.totals.published += 1;
    }

    fn sent_mut(&mut self, message: MessageId) -> Option<&mut Sent> {
        self.sent.get_mut(usize::from(message.publisher.0))?.get_mut(message.number as usize)
    }

    fn sent(&self, message: MessageId) -> Option<Sent> {
        self.sent.get(usize::from(message.publisher.0))?.get(message.number as usize).copied()
    }

    pub(super) fn described(&self, message: MessageId) -> String {
        let name = self.sessions.get(usize::from(message.publisher.0)).map_or("?", |session| &session.name);
        let number = message.number;
        match self.sent(message).zip(topic_of(&self.sent, &self.topics, message)) {
            Some((sent, topic)) => format!("{name} #{number} (QoS {}, {topic})", sent.qos as u8),
            None => format!("{name} #{number}"),
        }
    }

    pub(super) fn acknowledged(&mut self, message: MessageId) {
        let step = self.step;
        let Some(sent) = self.sent_mut(message) else { return };
        if sent.acknowledged.is_some() {
            return;
        }
        sent.acknowledged = Some(step);
        let sent = *sent;
        self.totals.acknowledged += 1;
        let Some(topic) = self.topics.get(sent.topic).cloned() else { return };
        if let Some(retained) = self.retained.get_mut(&topic) {
            retained.answered(message, false, step);
            if retained.is_clear(message) {
                return;
            }
        }
        for session in &mut self.sessions {
            let seen = session.has_seen(message);
            let owing = session.lives.iter().filter(|life| life.owes(sent.sent) && life.matches(&topic));
            for life in owing {
                match life.group() {
                    None if !seen => {
                        session.due.insert(message);
                    }
                    None => {}
                    Some(name) => {
                        let group = self.groups.entry(name.to_owned()).or_default();
                        if !has_seen(&group.seen, message) {
                            group.due.insert(message);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn refused(&mut self, message: MessageId) {
        self.totals.refused += 1;
        let step = self.step;
        if let Some(sent) = self.sent_mut(message) {
            sent.is_uncertain = true;
        }
        let topic = topic_of(&self.sent, &self.topics, message);
        if let Some(retained) = topic.and_then(|topic| self.retained.get_mut(topic)) {
            retained.answered(message, true, step);
        }
    }

    pub(super) fn published_anew(&mut self, message: MessageId) {
        if let Some(sent) = self.sent_mut(message) {
            sent.is_uncertain = true;
        }
    }

    pub(super) fn delivered(&mut self, client: ClientId, arrival: &Arrival<'_>) {
        let Some(message) = arrival.message else { return };
        if arrival.is_will {
            return self.will_delivered(client, message, arrival);
        }
        let known = self
            .sent(message)
            .filter(|sent| self.topics.get(sent.topic).is_some_and(|topic| topic == arrival.topic));
        let Some(sent) = known else {
            let name = &self.session(client).name;
            let text = format!("{name} got {arrival:?}, which was never sent so");
            return self.found(Broken::Invented, text);
        };
        if arrival.retain {
            return self.retained_delivered(client, message, arrival);
        }
        self.totals.delivered += 1;
        self.totals.delivered_at_qos_0 += u64::from(arrival.qos == QoS::AtMostOnce);
        let session = self.session(client);
        session.due.remove(&message);
        let Some(life) = explaining(&session.lives, sent, arrival.topic).cloned() else {
            return self.unexplained(client, message, sent, arrival.topic);
        };
        let qos = sent.qos.min(life.qos);
        if arrival.qos != qos {
            let text = format!("{} came with QoS {}", self.described(message), arrival.qos as u8);
            self.found(Broken::WrongQoS, text);
        }
        self.judge_count(client, message, sent, &life, qos);
    }

    /// How often, and in which order.
    fn judge_count(&mut self, client: ClientId, message: MessageId, sent: Sent, life: &Life, qos: QoS) {
        let mut before = self.session(client).count(message);
        if let Some(name) = life.group() {
            let group = self.groups.entry(name.to_owned()).or_default();
            group.due.remove(&message);
            let seen = group.seen.entry(message.publisher).or_default();
            seen.resize(seen.len().max(message.number as usize + 1), 0);
            if let Some(count) = seen.get_mut(message.number as usize) {
                before = *count;
                *count = count.saturating_add(1);
            }
        }
        let name = self.session(client).name.clone();
        if before > 0 {
            if qos == QoS::ExactlyOnce && !sent.is_uncertain {
                let text = format!("{name} got {} again", self.described(message));
                self.found(Broken::Twice, text);
            }
            return;
        }
        // Among the members of a group the messages of a topic take different ways.
        if life.group().is_some() || sent.is_uncertain {
            return;
        }
        let Some(topic) = self.topics.get(sent.topic).cloned() else { return };
        let lane = self.session(client).lanes.entry((message.publisher, topic, qos as u8));
        let last = lane.or_insert(message.number);
        let newest = *last;
        *last = newest.max(message.number);
        if newest > message.number {
            let text = format!("{name} got {} after #{newest}", self.described(message));
            self.found(Broken::Order, text);
        }
    }

    /// No subscription explains the delivery: says why.
    fn unexplained(&mut self, client: ClientId, message: MessageId, sent: Sent, topic: &str) {
        let matching = |life: &&Life| life.matches(topic);
        let session = self.session(client);
        let discarded =
            session.lives.iter().filter(matching).any(|life| life.discarded && life.asked < sent.sent);
        let unsubscribed = session
            .lives
            .iter()
            .filter(matching)
            .any(|life| !life.discarded && life.left.is_some_and(|left| left < sent.sent));
        let is_subscribed = session.lives.iter().filter(matching).any(|life| life.left.is_none());
        let name = session.name.clone();
        let broken = match (discarded, unsubscribed) {
            (true, _) => Broken::DiscardedSession,
            (false, true) if !is_subscribed => Broken::AfterUnsuback,
            _ => Broken::BeforeSubscription,
        };
        let text = format!("{name} got {}", self.described(message));
        self.found(broken, text);
    }
}

/// A subscription on which the message may come: it may have been there when the message was published.
fn explaining<'a>(lives: &'a [Life], sent: Sent, topic: &str) -> Option<&'a Life> {
    lives.iter().rev().find(|life| {
        !life.discarded
            && life.left.is_none_or(|left| sent.sent < left)
            && sent.acknowledged.is_none_or(|acknowledged| life.asked < acknowledged)
            && life.matches(topic)
    })
}

fn has_seen(seen: &std::collections::BTreeMap<ClientId, Vec<u8>>, message: MessageId) -> bool {
    seen.get(&message.publisher)
        .and_then(|seen| seen.get(message.number as usize))
        .is_some_and(|&count| count > 0)
}
