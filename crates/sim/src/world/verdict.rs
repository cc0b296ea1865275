//! What must be true when the storm is over.

use std::collections::BTreeMap;

use hexmq_broker::store::IndexCensus;
use hexmq_broker::{Census, Namespace};
use hexmq_wire::{ControlPacket, Properties, QoS, Subscribe, SubscriptionOptions, SubscriptionsBuf, Version};

use super::World;
use super::client::{Client, Request};
use super::ledger::{Held, Ledger, Message};
use super::plan::{Keeps, Nature, Spec};
use super::wires::Story;

/// A Will is seen at most so long after it is due: a tick, a lane, a turn.
const WILL_SLACK_MS: u64 = 5000;
/// Two things so close to each other may have happened in either order.
const TOGETHER_MS: u64 = 300;

impl World {
    /// The witness of Wills asks for them.
    pub(super) fn watch_wills(&mut self, client: usize) {
        self.subscribe_to(client, "w/#");
        self.subscribe_to(client, "$hexmq/+/raw/w/#");
    }

    fn subscribe_to(&mut self, client: usize, filter: &str) {
        let options = SubscriptionOptions { qos: QoS::ExactlyOnce, ..SubscriptionOptions::default() };
        let now = self.now_ms();
        let epoch = self.clients[client].epoch;
        let held = Held::asked(filter, options.qos, epoch, now);
        let place = self.ledger.subscribed(client, held);
        let mut subscriptions = SubscriptionsBuf::new();
        subscriptions.push(filter, options, Version::V5).expect("a short filter");
        let packet_identifier = self.clients[client].identifier();
        self.clients[client].requests.insert(packet_identifier, Request::Subscribe(vec![place]));
        let subscribe = Subscribe {
            packet_identifier,
            properties: Properties::EMPTY,
            subscriptions: subscriptions.as_subscriptions(),
        };
        self.send(client, &ControlPacket::Subscribe(subscribe));
    }

    pub(super) fn judge_settled(&mut self) {
        for client in 0..self.clients.len() {
            if self.failure.is_some() {
                return;
            }
            if !self.clients[client].left {
                self.judge_liveness(client);
                self.judge_losses(client);
            }
        }
        self.judge_shared();
        self.judge_wills();
        self.judge_platform();
        let census = self.census();
        if census.messages_queued + census.messages_in_flight > 0 {
            let (queued, in_flight) = (census.messages_queued, census.messages_in_flight);
            let stored = self.stored_queues();
            self.fail(
                0,
                format!("after the storm {queued} messages are queued and {in_flight} in flight; {stored}"),
            );
        }
        let online = self.clients.iter_mut().filter_map(Client::ready).count() as u64;
        if census.clients_connected != online {
            self.fail(0, format!("{online} clients are connected, {} are counted", census.clients_connected));
        }
    }

    fn judge_liveness(&mut self, client: usize) {
        let who = &mut self.clients[client];
        let wrong = if who.ready().is_none() {
            Some("is not connected".into())
        } else if let Some(outgoing) = who.outgoing.front() {
            Some(format!("waits for an acknowledgement of message {}", outgoing.message))
        } else {
            who.requests.keys().next().map(|identifier| format!("waits for the answer to {identifier}"))
        };
        if let Some(wrong) = wrong {
            self.fail(client, format!("long after the storm it {wrong}"));
        }
    }

    /// QoS 1 and 2: what was acknowledged has come, or an event said why not.
    fn judge_losses(&mut self, client: usize) {
        let who = &self.clients[client];
        let (name, epoch, topics) = (who.spec.name.clone(), who.epoch, who.spec.namespace.topics());
        let held = self.ledger.held.get(&client).map_or(&[][..], Vec::as_slice);
        let mut missing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (id, message) in self.ledger.messages.iter().enumerate() {
            let promised =
                message.qos != QoS::AtMostOnce && message.acknowledged.is_some() && !message.refused;
            let receipt = self.ledger.receipts.get(&(client, epoch, id)).copied().unwrap_or_default();
            let came = receipt.live + receipt.repeated + receipt.retained > 0;
            if promised
                && message.is_routed_to(topics)
                && !message.empty
                && !came
                && held.iter().any(|held| is_owed(held, epoch, message, client))
            {
                missing.entry(message.topic.clone()).or_default().push(id);
            }
        }
        for (topic, ids) in missing {
            let told = self.ledger.drops.get(&(name.clone(), topic.clone())).copied().unwrap_or(0);
            if ids.len() > told as usize {
                let id = ids[0];
                self.fail(
                    client,
                    format!(
                        "{} messages of {topic} never came, the first is {id}; told of {told}",
                        ids.len()
                    ),
                );
            }
        }
    }

    /// Of those who share a subscription one gets each message. [V5 MQTT-4.8.2-4]
    fn judge_shared(&mut self) {
        let mut groups: BTreeMap<Group<'_>, Vec<(usize, &Held)>> = BTreeMap::new();
        for (client, held) in
            self.ledger.held.iter().flat_map(|(client, all)| all.iter().map(|held| (*client, held)))
        {
            if let Some(share_name) = &held.share_name {
                let topics = self.clients[client].spec.namespace.topics();
                groups.entry((topics, share_name, &held.topic_filter)).or_default().push((client, held));
            }
        }
        let mut wrong = None;
        // Only groups in which nobody came and went: what a session that ends was sent may be lost.
        groups.retain(|_, members| {
            members.iter().all(|(client, held)| {
                let present = held.epoch == self.clients[*client].epoch && held.shaken_at.is_none();
                present && held.granted_at.is_some() && held.qos != QoS::AtMostOnce
            })
        });
        for ((topics, share_name, filter), members) in &groups {
            let routed = |(_, message): &(usize, &Message)| message.is_routed_to(*topics);
            for (id, message) in self.ledger.messages.iter().enumerate().filter(routed) {
                let times = self.times_shared(filter, members, id, message);
                let once = message.qos == QoS::ExactlyOnce || message.attempts.len() == 1;
                if times.is_some_and(|times| times == 0 || (once && times > 1)) {
                    wrong = Some((
                        members[0].0,
                        format!("{times:?} members of {share_name} {filter} got message {id}"),
                    ));
                }
            }
        }
        if let Some((client, wrong)) = wrong {
            self.fail(client, wrong);
        }
    }

    /// How many members of a shared subscription got a message, if one had to and it can be told.
    fn times_shared(
        &self,
        filter: &str,
        members: &[(usize, &Held)],
        id: usize,
        message: &Message,
    ) -> Option<usize> {
        let promised = message.qos != QoS::AtMostOnce && message.acknowledged.is_some() && !message.refused;
        let owed = promised && !message.empty && !message.retain && Ledger::covers(filter, &message.topic);
        let early = |(_, held): &(usize, &Held)| {
            held.granted_at.is_some_and(|granted| granted < message.first_sent_at)
        };
        if !owed || !members.iter().any(early) {
            return None;
        }
        let clear = members.iter().all(|(client, held)| {
            let others = self.ledger.held[client].iter().filter(|other| other.filter != held.filter);
            let name = self.clients[*client].spec.name.clone();
            let told = self.ledger.drops.contains_key(&(name, message.topic.clone()));
            !told && !others.into_iter().any(|other| Ledger::covers(&other.topic_filter, &message.topic))
        });
        let came = |(client, held): &&(usize, &Held)| {
            let receipt = self.ledger.receipts.get(&(*client, held.epoch, id)).copied().unwrap_or_default();
            receipt.live + receipt.repeated > 0
        };
        clear.then(|| members.iter().filter(came).count())
    }

    fn judge_wills(&mut self) {
        for wire in 0..self.wires.len() {
            let story = self.wires[wire].story.clone();
            let seen: Vec<u64> =
                self.ledger.wills.iter().filter(|seen| seen.wire == wire).map(|seen| seen.at).collect();
            let client = self.wires[wire].client;
            let due = if story.has_will { self.will_due(wire) } else { WillDue::Never };
            let wrong = match (due, seen.as_slice()) {
                (WillDue::Never | WillDue::Unclear, []) => None,
                // Published, perhaps, and that forgotten.
                (WillDue::Unclear, seen) if seen.len() <= 1 + self.ledger.cuts.len() => None,
                (WillDue::At(due), [at])
                    if *at + 1 >= due && (*at <= due + WILL_SLACK_MS || self.witness_was_away(due, *at)) =>
                {
                    None
                }
                // Nobody keeps a QoS 0 Will for a witness that is away, nor more than its queue holds.
                (WillDue::At(due), [])
                    if self.witness_was_away(due, due)
                        && (self.clients[client]
                            .spec
                            .will
                            .is_none_or(|will| will.qos == QoS::AtMostOnce)
                            || self.will_was_dropped(client)
                            || self.witness_began_anew(due)) =>
                {
                    None
                }
                (WillDue::Unclear, [_]) => None,
                (due, seen) => Some(format!(
                    "the Will of wire {wire} is due {due:?} and was seen at {seen:?}; {}",
                    self.life_of(client)
                )),
            };
            if let Some(wrong) = wrong {
                self.fail(client, wrong);
            }
        }
    }

    /// What the store knows of queues, for people.
    fn stored_queues(&mut self) -> String {
        let mut text = String::new();
        if let Some(vault) = &mut self.vault {
            let _ = vault.store.sessions(&mut |session| {
                if session.waiting > 0 {
                    text += &format!(
                        "{} has {} from place {} on, the next is {}; ",
                        session.key.identifier, session.waiting, session.first_place, session.next_place
                    );
                }
            });
        }
        text
    }

    /// A witness that could not tell whether it was known has discarded its session.
    fn witness_began_anew(&self, since: u64) -> bool {
        let anew =
            |story: &Story| story.clean_start && story.entered_at().is_some_and(|at| at + 10_000 >= since);
        self.wires.iter().any(|wire| wire.client == 0 && anew(&wire.story))
    }

    fn will_was_dropped(&self, client: usize) -> bool {
        let topic = self.clients[client].spec.will_topic();
        self.ledger.drops.contains_key(&(self.clients[0].spec.name.clone(), topic))
    }

    /// The power has cut the witness off not long before.
    fn witness_was_away(&self, from: u64, to: u64) -> bool {
        self.ledger.cuts.iter().any(|cut| *cut <= to && cut + 60_000 >= from)
    }

    /// When the Will of a connection is due. [V4 MQTT-3.1.2-8, V5 MQTT-3.1.2-8, V5 MQTT-3.1.3-9]
    fn will_due(&self, wire: usize) -> WillDue {
        let story = &self.wires[wire].story;
        let client = self.wires[wire].client;
        let cut_since = |then: u64| self.ledger.cuts.iter().any(|cut| then <= *cut);
        if (story.gated_at.is_some() || story.accepted_at.is_some())
            && story.accepted_at.is_none_or(cut_since)
        {
            // What of it was safe when the power failed cannot be told.
            return WillDue::Unclear;
        }
        let Some(ended) = story.ended_at.filter(|_| story.accepted_at.is_some() && !story.bye) else {
            return WillDue::Never;
        };
        // What of it was safe when the power failed cannot be told.
        if self.ledger.cuts.iter().any(|cut| story.accepted_at.is_none_or(|then| then <= *cut)) {
            return WillDue::Unclear;
        }
        let delay_ms = self.clients[client].spec.will.map_or(0, |will| u64::from(will.delay_s) * 1000);
        let lives_ms = match story.keeps {
            Keeps::Nothing => 0,
            Keeps::ForSeconds(seconds) => u64::from(seconds) * 1000,
            Keeps::Forever => u64::MAX,
        };
        let due = ended + delay_ms.min(lives_ms);
        // Connections are not accepted in the order in which they were begun.
        let others = self.wires.iter().enumerate();
        let others = others.filter(|(number, other)| *number != wire && other.client == client);
        let accepted =
            others.filter_map(|(_, other)| Some((other.story.entered_at()?, other.story.clean_start)));
        let next = accepted.filter(|(at, _)| *at >= ended).min();
        match next {
            Some((at, _)) if delay_ms > 0 && at.abs_diff(due) <= TOGETHER_MS => WillDue::Unclear,
            // The session ends when a new one is asked for, and the Will with it.
            Some((at, true)) if at < due => WillDue::At(at),
            Some((at, false)) if at < due => WillDue::Never,
            _ => WillDue::At(due),
        }
    }

    /// The connections of a client, for people.
    fn life_of(&self, client: usize) -> String {
        let mut text = format!("Will {:?}", self.clients[client].spec.will);
        for (number, wire) in self.wires.iter().enumerate().filter(|(_, wire)| wire.client == client) {
            let Story { accepted_at, ended_at, bye, clean_start, keeps, .. } = &wire.story;
            text += &format!(
                "\n      wire {number}: {accepted_at:?} to {ended_at:?}, bye {bye}, clean start {clean_start}, keeps {keeps:?}"
            );
        }
        text
    }

    /// A new client asks for everything that is retained.
    pub(super) fn read_retained(&mut self) {
        let realms: Vec<Namespace> = self.clients.iter().map(|who| who.spec.namespace).collect();
        let namespace = self.random.pick(&realms);
        let spec = Spec {
            name: "reader".into(),
            namespace,
            identifier: "reader".into(),
            version: Version::V5,
            nature: Nature::Legal,
            keeps: Keeps::Nothing,
            receive_maximum: Some(7),
            maximum_packet_size: None,
            topic_alias_maximum: 2,
            keep_alive_s: 0,
            will: None,
            retain_as_published: false,
            laziness_ms: 0,
        };
        let reader = self.clients.len();
        self.clients.push(Client::new(spec));
        self.connect(reader);
        self.until(self.now_ms() + 10_000);
        self.subscribe_to(reader, "r/#");
        self.until(self.now_ms() + 30_000);
    }

    /// The retained message of a topic is the last that was set.
    pub(super) fn judge_retained(&mut self) {
        let reader = self.clients.len() - 1;
        let namespace = self.clients[reader].spec.namespace.topics();
        let mut topics: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let retained = |(_, message): &(usize, &Message)| message.retain && message.is_routed_to(namespace);
        for (id, message) in self.ledger.messages.iter().enumerate().filter(retained) {
            topics.entry(&message.topic).or_default().push(id);
        }
        let bounded = self.plan.limits.retained_messages < 1000;
        let mut wrong = None;
        for (topic, ids) in topics {
            let found = self.reader_saw.get(&(reader, topic.to_owned())).copied();
            let possible = possible_retained(&self.ledger, &ids);
            // A full store keeps no message for another topic.
            let full = bounded && found.is_none();
            if !full && !possible.contains(&found) {
                wrong = Some((ids[0], format!("{topic} retains {found:?}, possible is {possible:?}")));
                break;
            }
        }
        if let Some((id, wrong)) = wrong {
            self.fail(self.ledger.messages[id].publisher, wrong);
        }
    }

    /// When everybody has gone nothing is left.
    pub(super) fn judge_leavings(&mut self) {
        let census = self.census();
        let left = [
            ("clients", census.clients_connected),
            ("sessions", census.sessions),
            ("subscriptions", census.subscriptions),
            ("shared subscriptions", census.subscriptions_shared),
            ("queued messages", census.messages_queued),
            ("messages in flight", census.messages_in_flight),
            ("messages stored", census.messages_stored),
            ("bytes stored", census.messages_stored_bytes),
            ("questions", self.hosts.iter().map(|host| host.questions.len() as u64).sum()),
            ("links", self.hosts.iter().map(|host| host.links.len() as u64).sum()),
        ];
        if let Some((what, count)) = left.iter().find(|(_, count)| *count > 0) {
            self.fail(0, format!("everybody is gone, but {count} {what} are left"));
        }
        if let Some(figures) = self.vault.as_ref().map(|vault| vault.store.figures()) {
            let left = (figures.queued, figures.transits, figures.messages - figures.retained);
            // Each shard may have opened an inbox; those of earlier lives are gone.
            if left != (0, 0, 0) || figures.sessions > self.hosts.len() as u64 {
                self.fail(0, format!("everybody is gone, but the store has {figures:?}"));
            }
        }
        let index = self.shared.index.census();
        if index != IndexCensus::default() {
            self.fail(0, format!("everybody is gone, but the index has {index:?}"));
        }
    }

    fn census(&self) -> Census {
        let mut sum = Census::default();
        self.hosts.iter().for_each(|host| sum.add(&host.shard.census()));
        sum
    }
}

/// A shared subscription: whose topics, share name, filter.
type Group<'a> = (Namespace, &'a str, &'a str);

/// When a Will is to be seen.
#[derive(Clone, Copy, Debug)]
enum WillDue {
    Never,
    At(u64),
    /// It was cancelled in the moment it was due.
    Unclear,
}

/// Whether a subscription was there for certain when a message was published, and still is.
fn is_owed(held: &Held, epoch: u32, message: &Message, client: usize) -> bool {
    held.epoch == epoch
        && held.share_name.is_none()
        && held.qos != QoS::AtMostOnce
        && held.was_there_for(message)
        && !(held.no_local && message.publisher == client)
        && Ledger::covers(&held.topic_filter, &message.topic)
}

/// What a topic can retain, by the order in which its one publisher sent: the last message known
/// to be taken over, or any sent after it.
fn possible_retained(ledger: &Ledger, ids: &[usize]) -> Vec<Option<usize>> {
    let known = ids.iter().filter_map(|&id| {
        let message = &ledger.messages[id];
        let acknowledged = message.acknowledged.filter(|_| !message.refused)?;
        let mut attempts = message.attempts.iter();
        match message.qos {
            // A repetition is taken over anew.
            QoS::AtLeastOnce => attempts.rev().find(|(_, wire)| *wire == acknowledged.wire),
            _ => attempts.next(),
        }
    });
    let last_known = known.map(|(order, _)| *order).max();
    let mut possible: Vec<Option<usize>> = Vec::new();
    for &id in ids {
        let message = &ledger.messages[id];
        let after = |(order, _): &(u64, usize)| last_known.is_none_or(|known| *order >= known);
        // Of a message that was sent again and refused then, the first attempt may have been taken over.
        let possibly = !message.refused || message.attempts.len() > 1;
        if possibly && message.attempts.iter().any(after) {
            // All that expire have expired by now.
            possible.push(Some(id).filter(|_| !message.empty && message.expiry_s.is_none()));
        }
    }
    if last_known.is_none() {
        possible.push(None);
    }
    possible
}
