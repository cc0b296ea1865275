//! What the store should hold, kept as simply as can be, and pictures of both to compare.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test crate uses a part of it")]

pub mod load;

use std::collections::{BTreeMap, BTreeSet};

use hexmq_broker::{Fetch, Message, QueuedTerms, Record, RecordReader, SessionRef, ShardId, StoredSession};
use hexmq_store::{Disk, Store};

/// The version of a topic, and its message and publisher if it has one.
pub type Kept = (u64, Option<(u64, u64)>);

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub sessions: BTreeMap<u64, Session>,
    /// Every message there ever was.
    pub bodies: BTreeMap<u64, String>,
    topics: BTreeMap<u64, (u32, String)>,
    pub retained: BTreeMap<(u32, String), Kept>,
    pub transits: BTreeMap<(u64, u16, u64), String>,
    pub next_serial: u64,
    pub next_version: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Session {
    pub terms: String,
    pub subscriptions: BTreeMap<String, String>,
    pub incoming: BTreeSet<u16>,
    pub will: Option<(u64, String)>,
    pub queue: BTreeMap<u64, Queued>,
}

#[derive(Clone, Debug)]
pub struct Queued {
    pub message: u64,
    pub terms: String,
    pub sent: Option<u16>,
    pub taken_over: bool,
}

/// What can be seen of a store, as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Picture {
    pub sessions: BTreeMap<u64, String>,
    pub retained: BTreeMap<u64, String>,
    pub transits: BTreeMap<(u64, u16, u64), String>,
    /// Bodies that something refers to.
    pub messages: usize,
}

impl Model {
    pub fn apply(&mut self, commit: &[u8]) {
        let mut reader = RecordReader::new(commit);
        while let Some(record) = reader.next() {
            self.record(&record.unwrap());
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        let mut serials = Vec::new();
        match *record {
            Record::Message { serial, message } => {
                serials.push(serial.0);
                self.topics.insert(serial.0, (message.namespace.0, message.topic.to_owned()));
                self.bodies.insert(serial.0, brief(&message));
            }
            Record::Queued { session, place, message, terms, sent } => {
                let queued = Queued {
                    message: message.0,
                    terms: brief_terms(&terms),
                    sent: sent.map(|sent| sent.get()),
                    taken_over: false,
                };
                self.sessions.entry(session.0).or_default().queue.insert(place, queued);
            }
            Record::Retained { version, message, publisher } => {
                let topic = self.topics[&message.0].clone();
                self.retain(topic, version, Some((message.0, publisher)));
            }
            Record::RetainedCleared { version, namespace, topic } => {
                self.retain((namespace.0, topic.to_owned()), version, None);
            }
            Record::Forwarded { message, to } => {
                self.transits.insert((message.0, to.shard.0, to.group), format!("{to:?}"));
            }
            Record::Arrived { message, shard, group } => {
                self.transits.remove(&(message.0, shard.0, group));
            }
            _ => self.of_session(record),
        }
        for serial in serials {
            self.next_serial = self.next_serial.max(serial + 1);
        }
    }

    fn of_session(&mut self, record: &Record<'_>) {
        match *record {
            Record::Session { session, namespace, identifier, expiry_s, ends_at } => {
                self.next_serial = self.next_serial.max(session.0 + 1);
                self.sessions.entry(session.0).or_default().terms =
                    format!("{namespace} {identifier} {expiry_s:?} {ends_at:?}");
            }
            Record::SessionEnded { session } => _ = self.sessions.remove(&session.0),
            Record::Subscribed { session, filter, options, identifier } => {
                let terms = format!("{options:?} {identifier:?}");
                self.sessions.entry(session.0).or_default().subscriptions.insert(filter.to_owned(), terms);
            }
            Record::Unsubscribed { session, filter } => {
                self.sessions.entry(session.0).or_default().subscriptions.remove(filter);
            }
            Record::Sent { session, place, identifier } => {
                if let Some(queued) = self.queued(session.0, place) {
                    queued.sent = Some(identifier.get());
                }
            }
            Record::TakenOver { session, place } => {
                if let Some(queued) = self.queued(session.0, place) {
                    queued.taken_over = true;
                }
            }
            Record::Done { session, place } => {
                if let Some(session) = self.sessions.get_mut(&session.0) {
                    session.queue.remove(&place);
                }
            }
            Record::Incoming { session, identifier } => {
                self.sessions.entry(session.0).or_default().incoming.insert(identifier.get());
            }
            Record::Released { session, identifier } => {
                if let Some(session) = self.sessions.get_mut(&session.0) {
                    session.incoming.remove(&identifier.get());
                }
            }
            Record::Will { session, message, delay_s, due, expiry_s } => {
                let terms = format!("{delay_s} {due:?} {expiry_s:?}");
                self.sessions.entry(session.0).or_default().will = Some((message.0, terms));
            }
            Record::WillGone { session } => {
                if let Some(session) = self.sessions.get_mut(&session.0) {
                    session.will = None;
                }
            }
            _ => {}
        }
    }

    fn queued(&mut self, session: u64, place: u64) -> Option<&mut Queued> {
        self.sessions.get_mut(&session)?.queue.get_mut(&place)
    }

    fn retain(&mut self, topic: (u32, String), version: u64, message: Option<(u64, u64)>) {
        self.next_version = self.next_version.max(version + 1);
        let known = self.retained.entry(topic).or_insert((0, None));
        if version >= known.0 {
            *known = (version, message);
        }
    }

    pub fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        let mut used = BTreeSet::new();
        for (serial, session) in &self.sessions {
            let mut text = format!("{} {:?} {:?}", session.terms, session.subscriptions, session.incoming);
            if let Some((message, terms)) = &session.will {
                used.insert(*message);
                text += &format!(" will {terms} {}", self.bodies[message]);
            }
            for (place, queued) in &session.queue {
                text += &format!("\n{place} {} {:?} {}", queued.terms, queued.sent, queued.taken_over);
                if !queued.taken_over {
                    used.insert(queued.message);
                    text += &self.bodies[&queued.message];
                }
            }
            picture.sessions.insert(*serial, text);
        }
        for (_, message) in self.retained.values() {
            if let Some((message, publisher)) = message {
                used.insert(*message);
                picture.retained.insert(*message, format!("{publisher} {}", self.bodies[message]));
            }
        }
        for (key, to) in &self.transits {
            used.insert(key.0);
            picture.transits.insert(*key, format!("{to} {}", self.bodies[&key.0]));
        }
        picture.messages = used.len();
        picture
    }
}

/// A message in a few words: long enough to tell it from others.
fn brief(message: &Message<'_>) -> String {
    let Message { namespace, topic, properties, payload, qos, retain, expires_at, .. } = *message;
    let sum = |bytes: &[u8]| bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(*byte));
    let (length, payload, properties) = (payload.len(), sum(payload), sum(properties));
    format!("{namespace} {topic} {length} {payload:x} {properties:x} {qos:?} {retain} {expires_at:?}")
}

fn brief_terms(terms: &QueuedTerms<'_>) -> String {
    let QueuedTerms { qos, retain, group, subscription_identifiers } = terms;
    let sum: u32 = subscription_identifiers.iter().sum();
    format!("{qos:?} {retain} {group} {} {sum}", subscription_identifiers.len())
}

/// The first thing that two pictures differ in.
pub fn differ(found: &Picture, expected: &Picture) -> Option<String> {
    fn first<K: Ord + std::fmt::Debug>(
        what: &str,
        found: &BTreeMap<K, String>,
        expected: &BTreeMap<K, String>,
    ) -> Option<String> {
        let keys: BTreeSet<&K> = found.keys().chain(expected.keys()).collect();
        let key = keys.into_iter().find(|key| found.get(key) != expected.get(key))?;
        Some(format!("{what} {key:?}\nfound {:#?}\nexpected {:#?}", found.get(key), expected.get(key)))
    }
    first("session", &found.sessions, &expected.sessions)
        .or_else(|| first("retained", &found.retained, &expected.retained))
        .or_else(|| first("transit", &found.transits, &expected.transits))
        .or_else(|| {
            let (found, expected) = (found.messages, expected.messages);
            (found != expected).then(|| format!("{found} messages, expected {expected}"))
        })
}

/// The message in these bytes, as the model keeps it.
fn body(bytes: &[u8]) -> String {
    match RecordReader::new(bytes).next() {
        Some(Ok(Record::Message { message, .. })) => brief(&message),
        other => panic!("{other:?}"),
    }
}

/// What can be seen of a store.
pub fn look<D: Disk>(store: &mut Store<D>) -> Picture {
    let mut picture = Picture { messages: store.figures().messages as usize, ..Picture::default() };
    let mut sessions = Vec::new();
    store.sessions(&mut |session| sessions.push(session)).unwrap();
    for session in sessions {
        let namespace = session.key.namespace;
        let subscriptions: BTreeMap<_, _> = session
            .subscriptions
            .iter()
            .map(|(filter, options, identifier)| (filter.to_string(), format!("{options:?} {identifier:?}")))
            .collect();
        let incoming: BTreeSet<u16> = session.incoming.iter().map(|identifier| identifier.get()).collect();
        let (expiry_s, ends_at) = (session.expiry_s, session.ends_at);
        let mut text = format!(
            "{namespace} {} {expiry_s:?} {ends_at:?} {subscriptions:?} {incoming:?}",
            session.key.identifier
        );
        if let Some(will) = &session.will {
            let terms = format!("{} {:?} {:?}", will.delay_s, will.due, will.expiry_s);
            text += &format!(" will {terms} {}", body(&will.message));
        }
        text += &look_at_queue(store, &session);
        picture.sessions.insert(session.serial.0, text);
    }
    store
        .retained(&mut |retained| {
            let text = format!("{} {}", retained.publisher, body(retained.message));
            picture.retained.insert(retained.serial.0, text);
        })
        .unwrap();
    for transit in store.transits().unwrap() {
        let key = (transit.serial.0, transit.to.shard.0, transit.to.group);
        picture.transits.insert(key, format!("{:?} {}", transit.to, body(&transit.message)));
    }
    picture
}

/// The queue of a session, fetched piece by piece, and counted.
fn look_at_queue<D: Disk>(store: &mut Store<D>, session: &StoredSession) -> String {
    let mut text = String::new();
    let mut from_place = session.first_place;
    let (mut waiting, mut waiting_bytes) = (0, 0);
    loop {
        let asked = SessionRef { shard: ShardId(0), slot: 0, generation: 0 };
        let fetch = Fetch::Queue {
            session: asked,
            serial: session.serial,
            from_place,
            messages_max: 3,
            bytes_max: 200,
        };
        let fetched = store.fetch(&fetch).unwrap();
        if fetched.records.is_empty() {
            break;
        }
        let mut bodies = BTreeMap::new();
        let mut lines: Vec<(String, bool, (String, u64))> = Vec::new();
        let mut reader = RecordReader::new(&fetched.records);
        while let Some(record) = reader.next() {
            match record.unwrap() {
                Record::Message { serial, message } => {
                    let size = message.topic.len() + message.properties.len() + message.payload.len();
                    bodies.insert(serial, (brief(&message), size as u64));
                }
                Record::Queued { place, message, terms, sent, .. } => {
                    let line = format!("\n{place} {} {:?}", brief_terms(&terms), sent.map(|sent| sent.get()));
                    let body = bodies.get(&message);
                    waiting += 1;
                    lines.push((line, false, body.cloned().unwrap_or_default()));
                    assert!(place >= from_place);
                    from_place = place + 1;
                }
                Record::TakenOver { .. } => {
                    let last = lines.last_mut().unwrap();
                    last.1 = true;
                    last.2 = Default::default();
                }
                other => panic!("{other:?}"),
            }
        }
        for (line, taken_over, (body, size)) in lines {
            waiting_bytes += size;
            text += &format!("{line} {taken_over}{body}");
        }
    }
    assert_eq!(
        (waiting, waiting_bytes),
        (session.waiting, session.waiting_bytes),
        "session {:?}",
        session.serial
    );
    assert!(session.next_place >= from_place);
    text
}
