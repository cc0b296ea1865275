//! Retained messages: the last one set for each topic (section 3.3.1.3).
//!
//! One flat ordered list, not a tree. The key is the namespace and the topic with every `/` mapped
//! to the byte 0x00, which no topic contains; so topics sort level by level, what lies below a
//! level is one range, `#` is that range and `+` jumps from sibling to sibling. A walk in progress
//! is no more than the key to go on from, so the map may change between two slices of it.
//!
//! Bounds: messages and bytes; a message that would pass one is refused, the one it would have
//! replaced stays. A walk and a sweep cost what their budget says.

mod key;
mod record;
mod scan;
mod sorted;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hexmq_session::Wall;
use hexmq_topic::{TopicFilter, TopicName};
use hexmq_wire::QoS;

use crate::Serial;
use crate::ids::Namespace;
use record::Record;
use scan::{Pattern, Step};
use sorted::Sorted;

/// Entries looked at one after the other before the map is searched anew: a search in a large map
/// costs about as much as eight steps.
const STEPS_BEFORE_SEEK: u32 = 8;

/// The retained messages of all namespaces, shared by all shards.
#[derive(Debug)]
pub struct Retained {
    store: RwLock<Store>,
    bounds: RetainedBounds,
}

/// What the store may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainedBounds {
    /// Messages, over all namespaces.
    pub messages_max: usize,
    /// Bytes of topics, properties and payloads together.
    pub bytes_max: usize,
    /// Bytes of properties and payloads in memory, for messages that are in the store as well. More: those
    /// set last are only there.
    pub memory_bytes_max: usize,
}

/// A message to retain.
#[derive(Clone, Copy, Debug)]
pub struct RetainedMessage<'a> {
    /// The topic it was published to.
    pub topic: &'a str,
    /// The QoS it was published with.
    pub qos: QoS,
    /// Encoded 5.0 properties without their length, Topic Alias, Subscription Identifier and
    /// Message Expiry Interval.
    pub properties: &'a [u8],
    /// The payload; never empty, since an empty one clears. [V4 MQTT-3.3.1-10, V5 MQTT-3.3.1-6]
    pub payload: &'a [u8],
    /// When the Message Expiry Interval its publisher set runs out.
    pub expires: Option<Wall>,
    /// A mark of the client that published it, for No Local; 0: the server itself.
    pub publisher: u64,
    /// Its number in the store, if it is there. For a message that is visited: set if properties and
    /// payload are only there and have to be fetched.
    pub serial: Option<Serial>,
}

/// What became of a message to retain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// There was none for this topic.
    New,
    /// It took the place of another. [V4 MQTT-3.3.1-5, V5 MQTT-3.3.1-5]
    Replaced,
    /// `messages_max` is reached; nothing changed.
    TooMany,
    /// `bytes_max` would be passed; nothing changed.
    TooLarge,
}

/// Where a walk goes on. A fresh cursor begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    at: Vec<u8>,
}

/// Whether a walk has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All was visited.
    Done,
    /// The budget is spent or the visitor stopped; the cursor says where to go on.
    More,
}

#[derive(Debug, Default)]
struct Store {
    records: Sorted,
    bytes: usize,
    /// Bytes of properties and payloads in memory.
    body_bytes: usize,
    /// Counts changes.
    version: u64,
    /// Records that have an expiry: while there is none, a sweep has nothing to do.
    expiring: usize,
    swept_to: Vec<u8>,
}

impl Retained {
    /// An empty store.
    pub fn new(bounds: RetainedBounds) -> Retained {
        Retained { store: RwLock::default(), bounds }
    }

    /// Retains a message in place of the one its topic had. A message whose payload is empty
    /// clears instead and is [`Stored::Replaced`] if there was one, else [`Stored::New`].
    pub fn set(&self, namespace: Namespace, message: &RetainedMessage<'_>) -> Stored {
        self.set_versioned(namespace, message).0
    }

    /// [`Retained::set`], and the number of the change: the last change of a topic has the largest.
    pub fn set_versioned(&self, namespace: Namespace, message: &RetainedMessage<'_>) -> (Stored, u64) {
        if message.payload.is_empty() {
            let mut key = Vec::new();
            key::write(namespace, message.topic, &mut key);
            let mut store = self.write();
            let stored = if store.remove(key.as_slice()) { Stored::Replaced } else { Stored::New };
            return (stored, store.next_version());
        }
        let record = Record::new(namespace, message);
        let mut store = self.write();
        let record = match message.serial {
            Some(serial) if store.body_bytes + record.body_len() > self.bounds.memory_bytes_max => {
                record.cool(serial)
            }
            _ => record,
        };
        (store.set(record, self.bounds), store.next_version())
    }

    /// Changes are counted from here on.
    pub fn count_from(&self, version: u64) {
        let mut store = self.write();
        store.version = store.version.max(version);
    }

    /// Forgets the message of a topic; whether there was one. [V4 MQTT-3.3.1-10, V5 MQTT-3.3.1-6]
    pub fn clear(&self, namespace: Namespace, topic: TopicName<'_>) -> bool {
        self.clear_key(namespace, topic.as_str())
    }

    /// Shows the message of one topic, if it has one that has not expired.
    pub fn get<R>(
        &self,
        namespace: Namespace,
        topic: &str,
        now: Wall,
        show: impl FnOnce(RetainedMessage<'_>) -> R,
    ) -> Option<R> {
        let mut key = Vec::new();
        key::write(namespace, topic, &mut key);
        let store = self.read();
        let record = store.records.get(&key).filter(|record| !record.expired(now))?;
        let mut text = Vec::new();
        Some(show(record.message(&mut text)))
    }

    /// Visits the messages a filter matches, in the order of their topics, level by level.
    ///
    /// Looks at no more than `budget` records (at least one), those skipped included. A visitor that breaks has
    /// not taken the message: the walk goes on with it. A topic that keeps its message while the
    /// walk lasts is visited exactly once; one that is set or cleared meanwhile, at most once.
    /// Topics that begin with `$` are not matched by a leading wildcard.
    /// [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1] Expired messages are passed over. [V5 MQTT-3.3.2-5]
    ///
    /// The store is locked for reading meanwhile: the visitor must not change it.
    pub fn collect(
        &self,
        namespace: Namespace,
        filter: TopicFilter<'_>,
        cursor: &mut Cursor,
        budget: usize,
        now: Wall,
        mut visit: impl FnMut(RetainedMessage<'_>) -> ControlFlow<()>,
    ) -> Progress {
        let pattern = Pattern::new(filter);
        if cursor.at.is_empty() {
            pattern.begin(namespace, &mut cursor.at);
        }
        let store = self.read();
        let mut slice =
            Slice { pattern, namespace, now, left: budget.max(1), target: Vec::new(), text: Vec::new() };
        loop {
            match slice.run(&store, cursor, &mut visit) {
                End::Search => {}
                End::Over(progress) => return progress,
            }
        }
    }

    /// Forgets expired messages among the next `budget` records of a round over all of them;
    /// gives how many it forgot. Costs nothing while no message has an expiry.
    /// [V5 U-3.3.1.3-3]
    pub fn sweep(&self, now: Wall, budget: usize) -> usize {
        self.sweep_with(now, budget, |_, _, _| {})
    }

    /// [`Retained::sweep`], telling of each: its namespace, its topic and the number of the change.
    pub fn sweep_with(&self, now: Wall, budget: usize, mut tell: impl FnMut(Namespace, &str, u64)) -> usize {
        if self.read().expiring == 0 {
            return 0;
        }
        let mut store = self.write();
        let expired = store.sweep(now, budget);
        let mut text = Vec::new();
        for key in &expired {
            let version = store.next_version();
            tell(key::namespace(key), key::topic(key, &mut text), version);
        }
        expired.len()
    }

    /// Messages held, expired ones not yet swept included.
    pub fn len(&self) -> usize {
        self.read().records.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of topics, properties and payloads held.
    pub fn bytes(&self) -> usize {
        self.read().bytes
    }

    fn clear_key(&self, namespace: Namespace, topic: &str) -> bool {
        let mut key = Vec::new();
        key::write(namespace, topic, &mut key);
        self.write().remove(key.as_slice())
    }

    // A poisoned lock means that a visitor panicked; the map itself is whole.
    fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One slice of a walk.
struct Slice<'f> {
    pattern: Pattern<'f>,
    namespace: Namespace,
    now: Wall,
    /// Records that may still be looked at.
    left: usize,
    /// Where to go on when a record did not match.
    target: Vec<u8>,
    text: Vec<u8>,
}

enum End {
    /// Search the map again from the cursor.
    Search,
    Over(Progress),
}

impl Slice<'_> {
    /// Searches the map once for the cursor and steps from there as long as that is cheaper than
    /// another search.
    fn run(
        &mut self,
        store: &Store,
        cursor: &mut Cursor,
        visit: &mut impl FnMut(RetainedMessage<'_>) -> ControlFlow<()>,
    ) -> End {
        let mut skipped = None;
        for record in store.records.from(&cursor.at) {
            let key = record.key();
            if let Some(steps) = &mut skipped {
                if key < self.target.as_slice() {
                    *steps += 1;
                    if *steps > STEPS_BEFORE_SEEK || self.left == 0 {
                        break;
                    }
                    self.left -= 1;
                    continue;
                }
                skipped = None;
            }
            let taken = self.left > 0 && {
                self.left -= 1;
                match self.pattern.step(self.namespace, key, &mut self.target) {
                    Step::End => return End::Over(Progress::Done),
                    Step::Seek => {
                        skipped = Some(0);
                        true
                    }
                    Step::Match => {
                        record.expired(self.now) || visit(record.message(&mut self.text)).is_continue()
                    }
                }
            };
            if !taken {
                self.target.clear();
                self.target.extend_from_slice(key);
                std::mem::swap(&mut cursor.at, &mut self.target);
                return End::Over(Progress::More);
            }
        }
        if skipped.is_none() {
            return End::Over(Progress::Done);
        }
        std::mem::swap(&mut cursor.at, &mut self.target);
        if self.left == 0 { End::Over(Progress::More) } else { End::Search }
    }
}

impl Store {
    fn set(&mut self, record: Record, bounds: RetainedBounds) -> Stored {
        let place = self.records.find(record.key());
        let old = self.records.at(place);
        let (old_len, replaces) = (old.map_or(0, Record::len), old.is_some());
        let bytes = self.bytes - old_len + record.len();
        if bytes > bounds.bytes_max {
            return Stored::TooLarge;
        }
        if !replaces && self.records.len() >= bounds.messages_max {
            return Stored::TooMany;
        }
        self.bytes = bytes;
        self.body_bytes = self.body_bytes - old.map_or(0, Record::body_len) + record.body_len();
        self.expiring += usize::from(record.expires());
        match self.records.put(place, record) {
            Some(old) => {
                self.expiring -= usize::from(old.expires());
                Stored::Replaced
            }
            None => Stored::New,
        }
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let Some(old) = self.records.take(key) else { return false };
        self.bytes -= old.len();
        self.body_bytes -= old.body_len();
        self.expiring -= usize::from(old.expires());
        true
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// The keys of those that were forgotten.
    fn sweep(&mut self, now: Wall, budget: usize) -> Vec<Vec<u8>> {
        let from = std::mem::take(&mut self.swept_to);
        let mut expired = Vec::new();
        for (looked, record) in self.records.from(&from).enumerate() {
            if looked >= budget {
                self.swept_to.extend_from_slice(record.key());
                break;
            }
            if record.expired(now) {
                expired.push(record.key().to_vec());
            }
        }
        for key in &expired {
            self.remove(key.as_slice());
        }
        expired
    }
}
