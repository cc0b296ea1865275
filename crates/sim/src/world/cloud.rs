//! Devices and the platform above the server: what is handed up, what its data base keeps, what it sends down.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hexmq_broker::{
    Delivered, DeviceTerms, Downlink, HandedUp, Manners, Namespace, Permit, Reach, SessionKey, TopicRule,
    home,
};
use hexmq_wire::{Connect, QoS};

use super::ledger::{Delivery, MessageId};
use super::plan::Nature;
use super::{Happening, World};

/// Before the number of a device's namespace, as its User Name.
const DEVICE_OF: &str = "device of ";

/// The User Name of a client of this namespace.
pub(super) fn user_name(namespace: Namespace) -> Option<String> {
    (namespace != Namespace::PLAIN).then(|| format!("{DEVICE_OF}{namespace}"))
}

/// The session a CONNECT asks for.
pub(super) fn claim(connect: &Connect<'_>) -> Option<SessionKey> {
    let number = connect.user_name.and_then(|name| name.strip_prefix(DEVICE_OF)?.parse().ok());
    match number {
        Some(number) => {
            Some(SessionKey { namespace: Namespace(number), identifier: connect.client_identifier.into() })
        }
        None => hexmq_broker::claim(connect),
    }
}

/// What whoever asks for this session may do: `u/…` goes up, `b/…` goes up and to subscribers.
pub(super) fn permit(key: &SessionKey) -> Permit {
    if key.namespace == Namespace::PLAIN {
        return Permit { admin: &*key.identifier == "witness", ..Permit::default() };
    }
    let rule =
        |filter: &str, reach| TopicRule { filter: filter.into(), publish: true, subscribe: true, reach };
    let rules = [rule("u/#", Reach::Platform), rule("b/#", Reach::Both), rule("#", Reach::Topics)];
    let terms = DeviceTerms {
        product: format!("p{}", key.namespace).into(),
        rules: Box::new(rules),
        manners: Manners::STRICT,
        subscribed: false,
        greeting: Box::default(),
    };
    Permit { device: Some(Arc::new(terms)), ..Permit::default() }
}

/// What shards said to the platform in one call.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) uplinks: Vec<HandedUp>,
    pub(super) acked: Vec<u64>,
}

/// The platform. Its data base outlives a power cut, the rest does not.
#[derive(Debug, Default)]
pub(super) struct Platform {
    pending: VecDeque<HandedUp>,
    scheduled: bool,
    /// The last place handed up in this life, by inbox.
    handed: BTreeMap<Arc<str>, u64>,
    /// Kept and not said to be done.
    untold: BTreeMap<Arc<str>, u64>,
    /// Data base: up to which place each inbox is done.
    done: BTreeMap<Arc<str>, u64>,
    /// Data base: which message came at which place.
    kept: BTreeMap<(Arc<str>, u64), MessageId>,
    /// Newest message kept, by publisher, topic and QoS.
    newest: BTreeMap<(usize, String, QoS), MessageId>,
    downlinks: Vec<Sent>,
}

/// A message to one session.
#[derive(Clone, Debug)]
struct Sent {
    client: usize,
    epoch: u32,
    wire: Option<usize>,
    topic: String,
    qos: QoS,
    outcome: Delivered,
    /// Times it came, and times it came as new.
    came: u32,
    fresh: u32,
    acked: bool,
}

impl Platform {
    /// Messages in its data base.
    pub(super) fn uplinks(&self) -> u64 {
        self.kept.len() as u64
    }

    /// Messages that have come from it.
    pub(super) fn downlinks(&self) -> u64 {
        self.downlinks.iter().filter(|sent| sent.came > 0).count() as u64
    }
}

impl World {
    /// Takes what a call into a shard has said.
    pub(super) fn platform_hears(&mut self, said: Said) {
        for token in said.acked {
            let Some(sent) = self.platform.downlinks.get_mut(token as usize) else {
                return self.fail(0, format!("{token} is acknowledged, which was never sent"));
            };
            let (client, came) = (sent.client, sent.came);
            if std::mem::replace(&mut sent.acked, true) || came == 0 {
                let sent = format!("{:?}", self.platform.downlinks[token as usize]);
                self.fail(client, format!("an acknowledgement is told that was not given, or twice: {sent}"));
            }
        }
        for uplink in said.uplinks {
            let last = self.platform.handed.insert(uplink.inbox.clone(), uplink.place);
            if last.is_some_and(|last| last >= uplink.place) {
                self.fail(0, format!("{} is handed up place {} after {last:?}", uplink.inbox, uplink.place));
            }
            self.platform.pending.push_back(uplink);
        }
        self.schedule_platform();
    }

    fn schedule_platform(&mut self) {
        let waits = !(self.platform.pending.is_empty() && self.platform.untold.is_empty());
        if waits && !std::mem::replace(&mut self.platform.scheduled, true) {
            let when = if self.storm { self.random.pick(&[0, 0, 1, 50, 2000, 20_000]) } else { 1 };
            self.schedule(when, Happening::Platform);
        }
    }

    /// The platform takes over some of what it was handed, and says so now or later.
    pub(super) fn platform_works(&mut self) {
        self.platform.scheduled = false;
        let count = self.random.between(0, self.platform.pending.len() as u64);
        for _ in 0..count {
            let Some(uplink) = self.platform.pending.pop_front() else { break };
            self.take_over(&uplink);
            self.platform.untold.insert(uplink.inbox, uplink.place);
        }
        if self.random.percent(70) {
            for (inbox, place) in std::mem::take(&mut self.platform.untold) {
                let key = SessionKey { namespace: Namespace::INBOX, identifier: (*inbox).into() };
                let at = usize::from(home(&key, self.shared.shards, self.shared.seed).0);
                self.turn(at, |shard, now, out| shard.uplinks_done(&inbox, place, now, out));
            }
        }
        self.schedule_platform();
    }

    /// One transaction of the data base.
    fn take_over(&mut self, uplink: &HandedUp) {
        let text = std::str::from_utf8(&uplink.payload).unwrap_or_default();
        let id = text.strip_prefix('m').and_then(|rest| rest.split(' ').next()?.parse().ok());
        let Some((id, message)) = id.and_then(|id: MessageId| Some((id, self.ledger.messages.get(id)?)))
        else {
            return self.fail(0, format!("what nobody sent is handed up: {uplink:?}"));
        };
        let publisher = message.publisher;
        let key = self.clients[publisher].spec.key();
        let whose = (uplink.namespace, &*uplink.device, &*uplink.topic, uplink.qos);
        if !message.goes_up()
            || whose != (key.namespace, &*key.identifier, message.topic.as_str(), message.qos)
        {
            return self.fail(publisher, format!("message {id} is handed up as {uplink:?}"));
        }
        let place = (uplink.inbox.clone(), uplink.place);
        if uplink.place <= self.platform.done.get(&uplink.inbox).copied().unwrap_or(0) {
            if self.platform.kept.get(&place) != Some(&id) {
                self.fail(publisher, format!("another message than before at {place:?}: {id}"));
            }
            return;
        }
        let again = self.ledger.may_be_late(message);
        let line = (publisher, message.topic.clone(), message.qos);
        self.platform.done.insert(uplink.inbox.clone(), uplink.place);
        self.platform.kept.insert(place, id);
        let newest = *self.platform.newest.entry(line.clone()).or_insert(id);
        if newest > id && !again {
            self.fail(publisher, format!("message {id} is handed up for the first time after {newest}"));
        }
        self.platform.newest.insert(line, newest.max(id));
    }

    /// The server has lost its power, and the platform with it.
    pub(super) fn platform_starts(&mut self) {
        self.platform.pending.clear();
        self.platform.untold.clear();
        self.platform.handed.clear();
    }

    /// A message to some session.
    pub(super) fn send_down(&mut self) {
        let client = self.random.below(self.clients.len() as u64) as usize;
        if self.clients[client].spec.nature != Nature::Legal {
            return;
        }
        let number = self.platform.downlinks.len();
        let topic = format!("d/{}", self.random.below(2));
        let payload = format!("d{number} ");
        let qos = self.random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let if_subscribed = self.random.percent(50);
        let token = Some(number as u64);
        let (epoch, wire) =
            (self.clients[client].epoch, self.clients[client].ready().map(|online| online.wire));
        let sent = Sent {
            client,
            epoch,
            wire,
            topic: topic.clone(),
            qos,
            outcome: Delivered::Offline,
            came: 0,
            fresh: 0,
            acked: false,
        };
        self.platform.downlinks.push(sent);
        let key = self.clients[client].spec.key();
        let at = usize::from(home(&key, self.shared.shards, self.shared.seed).0);
        let downlink = Downlink { topic: &topic, payload: payload.as_bytes(), qos, if_subscribed, token };
        let outcome = self.turn(at, |shard, now, out| shard.downlink(&key, &downlink, now, out));
        self.remark(format!("downlink {number} for {}: {outcome:?}", self.clients[client].spec.name));
        if let Some(sent) = self.platform.downlinks.get_mut(number) {
            sent.outcome = outcome;
        }
    }

    /// A message from the platform has come.
    pub(super) fn hear_downlink(&mut self, number: usize, delivery: &Delivery<'_>) -> Result<(), String> {
        let cuts = self.ledger.cuts.len() as u32;
        let Some(sent) = self.platform.downlinks.get_mut(number) else {
            return Err(format!("downlink {number} was never sent"));
        };
        sent.came += 1;
        sent.fresh += u32::from(!delivery.dup);
        let most = if sent.qos == QoS::AtLeastOnce { 1 + cuts } else { 1 };
        let right =
            sent.client == delivery.client && sent.topic == delivery.topic && delivery.qos <= sent.qos;
        if !right || sent.fresh > most || sent.outcome != Delivered::Sent || delivery.retain {
            return Err(format!("downlink {number} came as {delivery:?}: {sent:?}"));
        }
        Ok(())
    }

    /// What the platform has when everything has settled: what was acknowledged, and nothing twice.
    pub(super) fn judge_platform(&mut self) {
        let mut times: BTreeMap<MessageId, u32> = BTreeMap::new();
        for id in self.platform.kept.values() {
            *times.entry(*id).or_default() += 1;
        }
        let mut wrong = None;
        for (id, message) in self.ledger.messages.iter().enumerate().filter(|(_, message)| message.goes_up())
        {
            let kept = times.get(&id).copied().unwrap_or(0);
            let most = match message.qos {
                QoS::AtLeastOnce => message.attempts.len() as u32,
                _ => 1 + message.doubtful,
            };
            let owed = message.qos != QoS::AtMostOnce && message.acknowledged.is_some() && !message.refused;
            if kept > most || (owed && kept == 0) {
                wrong = Some((
                    message.publisher,
                    format!("the platform has message {id} {kept} times, of {most}"),
                ));
            }
        }
        let left = self.platform.pending.len() + self.platform.untold.len();
        let waiting: u64 = self.hosts.iter().map(|host| host.shard.census().uplinks_waiting).sum();
        if left as u64 + waiting > 0 {
            wrong = Some((0, format!("long after the storm {left} and {waiting} uplinks wait")));
        }
        for (number, sent) in self.platform.downlinks.iter().enumerate() {
            let stayed = sent.wire.is_some_and(|wire| self.wires[wire].story.ended_at.is_none());
            let name = self.clients[sent.client].spec.name.clone();
            let told = self.ledger.drops.contains_key(&(name, sent.topic.clone()));
            let owed = sent.outcome == Delivered::Sent && sent.qos != QoS::AtMostOnce;
            if owed && stayed && !told && sent.came == 0 && self.clients[sent.client].epoch == sent.epoch {
                wrong = Some((sent.client, format!("downlink {number} never came: {sent:?}")));
            }
        }
        if let Some((client, wrong)) = wrong {
            self.fail(client, wrong);
        }
    }
}
