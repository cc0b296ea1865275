//! Judges a run by what its clients have seen, and by nothing else.
//!
//! Every event has a step, and all clients live in one process: what was answered at an earlier step than
//! something else was sent happened before it. Where a request was not answered both outcomes are right.

mod messages;
mod retained;
mod session;
#[cfg(test)]
mod tests;
mod wills;

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Broken, ClientId, Event, Keeps, MessageId, Violation};
use messages::Sent;
use retained::RetainedTopic;
use session::{Connecting, Life, Presence, Session};
use wills::Will;

/// Violations of one kind that are told; more are counted.
const TOLD_OF_A_KIND: usize = 20;

/// The members of a shared subscription together.
#[derive(Debug, Default)]
struct Group {
    due: BTreeSet<MessageId>,
    seen: BTreeMap<ClientId, Vec<u8>>,
}

/// The judge.
#[derive(Debug)]
pub(crate) struct Checker {
    step: u64,
    now_ms: u64,
    /// When the server became ready; `None` while it is not.
    ready_ms: Option<u64>,
    sessions: Vec<Session>,
    topics: Vec<String>,
    sent: Vec<Vec<Sent>>,
    groups: BTreeMap<String, Group>,
    retained: BTreeMap<String, RetainedTopic>,
    wills: BTreeMap<(ClientId, u32), Will>,
    violations: Vec<Violation>,
    counts: BTreeMap<Broken, u64>,
    totals: Totals,
}

/// How much was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) published: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) delivered: u64,
    pub(crate) delivered_at_qos_0: u64,
    pub(crate) retained: u64,
    pub(crate) wills: u64,
    pub(crate) connections: u64,
    pub(crate) resumed: u64,
    pub(crate) discarded: u64,
    pub(crate) subscriptions: u64,
    pub(crate) kills: u64,
}

impl Checker {
    /// A judge of a run with these clients; a [`ClientId`] is a place in `names`.
    pub(crate) fn new<N: AsRef<str>>(names: &[N]) -> Checker {
        Checker {
            step: 0,
            now_ms: 0,
            ready_ms: None,
            sessions: names.iter().map(|name| Session::new(name.as_ref())).collect(),
            topics: Vec::new(),
            sent: names.iter().map(|_| Vec::new()).collect(),
            groups: BTreeMap::new(),
            retained: BTreeMap::new(),
            wills: BTreeMap::new(),
            violations: Vec::new(),
            counts: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    /// Takes the next event, at so many milliseconds of the run.
    pub(crate) fn tell(&mut self, now_ms: u64, event: &Event<'_>) {
        self.step += 1;
        self.now_ms = now_ms.max(self.now_ms);
        match *event {
            Event::Ready => self.ready_ms = Some(self.now_ms),
            Event::Killed => {
                self.totals.kills += 1;
                self.ready_ms = None;
                (0..self.sessions.len()).for_each(|place| self.lost(ClientId(place as u16)));
            }
            Event::ConnectSent { client, clean_start, keeps, will } => {
                self.connect_sent(client, clean_start, keeps);
                self.will_offered(client, will);
            }
            Event::Connack { client, session_present } => self.connack(client, session_present),
            Event::Lost { client } => self.lost(client),
            Event::DisconnectSent { client, ends_session } => self.disconnect_sent(client, ends_session),
            Event::SubscribeSent { client, filter, qos } => self.subscribe_sent(client, filter, qos),
            Event::Suback { client, filter } => {
                let step = self.step;
                if let Some(life) = self.session(client).life(filter) {
                    life.granted.get_or_insert(step);
                }
                self.totals.subscriptions += 1;
            }
            Event::UnsubscribeSent { client, filter } => self.unsubscribe_sent(client, filter),
            Event::Unsuback { client, filter } => {
                let step = self.step;
                let lives = self.session(client).lives.iter_mut();
                lives.filter(|life| life.filter == filter && life.left.is_none()).for_each(|life| {
                    life.left = Some(step);
                });
            }
            Event::PublishSent { message, topic, qos, retain, clears } => {
                self.publish_sent(message, topic, qos);
                if retain {
                    self.retained.entry(topic.to_owned()).or_default().sent(message, clears);
                }
            }
            Event::Acknowledged { message } => self.acknowledged(message),
            Event::Refused { message } => self.refused(message),
            Event::PublishedAnew { message } => self.published_anew(message),
            Event::Delivered { client, arrival } => self.delivered(client, &arrival),
            Event::Nonsense { client, what } => {
                let text = format!("{} got {what}", self.session(client).name);
                self.found(Broken::Protocol, text);
            }
        }
    }

    /// What was found, the first of each kind.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often each kind was found.
    pub(crate) fn counts(&self) -> &BTreeMap<Broken, u64> {
        &self.counts
    }

    /// How much was seen.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The largest number of messages that one client, or one group, must still get.
    pub(crate) fn backlog(&self) -> usize {
        let sessions = self.sessions.iter().map(|session| session.due.len());
        sessions.chain(self.groups.values().map(|group| group.due.len())).max().unwrap_or(0)
    }

    /// How many messages this client must still get.
    pub(crate) fn backlog_of(&self, client: ClientId) -> usize {
        self.sessions.get(usize::from(client.0)).map_or(0, |session| session.due.len())
    }

    /// Whether everything has come that must come.
    pub(crate) fn is_settled(&self) -> bool {
        self.backlog() == 0 && self.wills_owed().is_empty()
    }

    /// The end of the run: what has not come by now is lost.
    pub(crate) fn conclude(&mut self) {
        let late: Vec<(String, MessageId)> = self
            .sessions
            .iter()
            .flat_map(|session| session.due.iter().map(|&message| (session.name.clone(), message)))
            .chain(self.groups.iter().flat_map(|(name, group)| {
                group.due.iter().map(move |&message| (format!("the group {name}"), message))
            }))
            .collect();
        for (who, message) in late {
            let text = format!("{who} never got {}, which was acknowledged", self.described(message));
            self.found(Broken::Lost, text);
        }
        for (client, number) in self.wills_owed() {
            let text = format!("Will {number} of {} never came", self.session(client).name);
            self.found(Broken::WillLost, text);
        }
    }

    fn found(&mut self, broken: Broken, what: String) {
        let count = self.counts.entry(broken).or_default();
        *count += 1;
        if *count <= TOLD_OF_A_KIND as u64 {
            self.violations.push(Violation { at_ms: self.now_ms, broken, what });
        }
    }

    /// A client that was not named in the beginning is a mistake of the run, not of the server.
    fn session(&mut self, client: ClientId) -> &mut Session {
        let place = usize::from(client.0);
        while self.sessions.len() <= place {
            self.sessions.push(Session::new("a client without a name"));
            self.sent.push(Vec::new());
        }
        &mut self.sessions[place]
    }

    fn connect_sent(&mut self, client: ClientId, clean_start: bool, keeps: Keeps) {
        let (now_ms, ready_ms, step) = (self.now_ms, self.ready_ms, self.step);
        self.totals.connections += 1;
        let session = self.session(client);
        // Judged again when the answer is here, for a session that may expire meanwhile.
        let expected = if clean_start { Some(false) } else { session.expected(now_ms, now_ms, ready_ms) };
        session.connecting = Some(Connecting { keeps, will: None, expected, sent_ms: now_ms, clean_start });
        if clean_start {
            session.begin_end(step);
        } else if session.presence == Presence::Absent {
            session.presence = Presence::Unknown;
        }
    }

    fn connack(&mut self, client: ClientId, session_present: bool) {
        let (now_ms, ready_ms, step) = (self.now_ms, self.ready_ms, self.step);
        let session = self.session(client);
        let Some(connecting) = session.connecting.take() else { return };
        let expected = match connecting.expected {
            Some(true) if !connecting.clean_start => session.expected(connecting.sent_ms, now_ms, ready_ms),
            expected => expected,
        };
        let (name, due) = (session.name.clone(), session.due.len());
        session.is_connected = true;
        session.keeps = connecting.keeps;
        session.presence = Presence::Present;
        if !session_present {
            session.end(step);
        }
        match (expected, session_present) {
            (Some(true), false) => {
                let text = format!("{name} came back to nothing; {due} messages waited for it");
                self.found(Broken::SessionLost, text);
            }
            (Some(false), true) => {
                self.found(Broken::SessionRisen, format!("{name} found a session that had ended"));
            }
            (_, true) => self.totals.resumed += 1,
            (_, false) => self.totals.discarded += 1,
        }
        self.will_connected(client, connecting.will);
    }

    fn lost(&mut self, client: ClientId) {
        let now_ms = self.now_ms;
        let step = self.step;
        if self.session(client).connecting.take().is_some() {
            self.will_unanswered(client);
        }
        let session = self.session(client);
        if std::mem::take(&mut session.is_connected) {
            session.away_since = now_ms;
            match session.keeps {
                Keeps::Nothing => {
                    session.end(step);
                    session.presence = Presence::Absent;
                }
                // A session that may be gone before its client is back owes nothing.
                Keeps::ForMs(_) | Keeps::Forever => {}
            }
            self.will_due(client);
        }
    }

    fn disconnect_sent(&mut self, client: ClientId, ends_session: bool) {
        let step = self.step;
        self.will_withdrawn(client);
        if ends_session {
            self.session(client).begin_end(step);
        }
        self.lost(client);
    }

    fn subscribe_sent(&mut self, client: ClientId, filter: &str, qos: hexmq_wire::QoS) {
        let step = self.step;
        let session = self.session(client);
        if session.life(filter).is_some_and(|life| life.leaving.is_none()) {
            return;
        }
        session.forget_old_lives();
        session.lives.push(Life {
            filter: filter.to_owned(),
            qos,
            asked: step,
            granted: None,
            leaving: None,
            left: None,
            discarded: false,
            retained_seen: BTreeSet::new(),
        });
    }

    fn unsubscribe_sent(&mut self, client: ClientId, filter: &str) {
        let step = self.step;
        let Some(session) = self.sessions.get_mut(usize::from(client.0)) else { return };
        let lives = session.lives.iter_mut();
        for life in lives.filter(|life| life.filter == filter && life.left.is_none()) {
            life.leaving.get_or_insert(step);
            let (sent, topics) = (&self.sent, &self.topics);
            session.due.retain(|message| {
                let topic = messages::topic_of(sent, topics, *message);
                !topic.is_some_and(|topic| life.matches(topic))
            });
        }
    }
}
