//! Who gets the messages of a topic, remembered until a subscription changes that may match it.
//!
//! One walk of the index serves every further message of the same topic. A remembered answer is
//! true in one generation of the index, and in later ones as long as no filter has changed that begins as the
//! topic does. It compares by bytes: no allocation, no lock, one atomic load per message, and a few more after a
//! change of the index.

mod seen;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::hint::black_box;
use std::num::NonZeroU32;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use hexmq_wire::QoS;

use self::seen::Seen;
use crate::index::{Beginnings, Entry, Foreseen, Index, Match, Member};
use crate::layout::Terms;
use crate::room::Readiness;
use crate::{Addressee, Message, Namespace, SessionRef, ShardId};

/// Topics remembered at most; past it all are forgotten and learned anew.
const TOPICS_MAX: usize = 1 << 16;

/// Connections whose last topic is remembered, told apart by their slots.
const RECENT: usize = 1 << 10;
/// Bytes of such a topic; a longer one is not remembered.
const RECENT_BYTES_MAX: usize = 256;

/// Subscriptions of one topic up to which the list of them is kept for the next one.
const FOUND_MAX: usize = 1 << 12;
/// Receivers on another shard that go along with each message.
const ADDRESSEES_MAX: usize = 8;

/// The answers of one shard.
#[derive(Debug)]
pub(crate) struct MatchCache {
    shard: ShardId,
    hasher: foldhash::fast::FixedState,
    /// The answers that are kept,
    kept: Vec<Matches>,
    /// and their places by topic.
    table: HashTable<u32>,
    /// The place of the answer that is wanted next, probably.
    likely: u32,
    recent: Vec<Recent>,
    /// Scratch: a topic that is to be remembered.
    noted: String,
    /// The answer for a topic that is seen for the first time. Only the second message of a topic
    /// makes its answer worth keeping: many topics carry one message in a long while.
    once: Matches,
    seen: Seen,
    /// Where the members of a shared subscription begin to take turns: a new place for every
    /// answer, so that topics with one message each do not all go to the same member.
    turn: usize,
    /// Scratch: the subscriptions that a walk has found.
    found: Vec<Entry>,
    /// Answers of the index for topics that are about to come.
    foreseen: Foreseen,
}

/// What a connection published to last.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// A topic name that was read without a fault.
    pub(crate) topic: String,
    /// The place of its answer, unless it was forgotten meanwhile.
    place: u32,
}

/// Who gets the messages of one topic.
#[derive(Debug)]
pub(crate) struct Matches {
    namespace: Namespace,
    topic: String,
    beginnings: Beginnings,
    /// The latest generation of the index this is known to be true in; 0: it is not known at all.
    pub(crate) generation: u64,
    /// Sessions of this shard, one entry each (two where No Local differs between its filters).
    pub(crate) receivers: Vec<Receiver>,
    /// Other shards with at least one receiver.
    pub(crate) shards: Vec<Elsewhere>,
    /// Receivers there, shard by shard, where they are few.
    abroad: Vec<Addressee>,
    /// Shared subscriptions.
    pub(crate) groups: Vec<SharedChoice>,
}

/// Another shard with receivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) shard: ShardId,
    /// The session of at least one of them is stored.
    pub(crate) stored: bool,
    /// Where they stand among all that are abroad. They go along with each message if they are few and none has
    /// more than one Subscription Identifier; else none stands there and that shard looks them up.
    first: u32,
    addressees: u32,
}

/// A session that gets a topic's messages; overlapping subscriptions are merged into the largest
/// QoS and all identifiers. [V4 MQTT-3.3.5-1, V5 MQTT-3.3.4-2, V5 MQTT-3.3.4-3, V5 MQTT-3.3.4-4]
/// [V5 U-3.3.4-2, V5 U-3.3.4-1]
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    pub(crate) qos: QoS,
    pub(crate) whose: Whose,
    pub(crate) retain_as_published: bool,
    /// Index generation of the oldest subscription merged here.
    pub(crate) since: u64,
    pub(crate) subscription_identifiers: Vec<u32>,
}

/// Whose messages an entry is for (No Local, 5.0 section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Everybody's.
    Anyones,
    /// Everybody's but the session's own: a matching subscription has No Local.
    Others,
    /// Only the session's own: the matching subscriptions without No Local.
    Own,
}

/// A shared subscription and whose turn it is.
#[derive(Debug)]
pub(crate) struct SharedChoice {
    pub(crate) id: u64,
    members: Vec<Member>,
    next: usize,
}

/// The member chosen for one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    pub(crate) shard: ShardId,
    pub(crate) to: Addressee,
    /// The session is stored.
    pub(crate) stored: bool,
}

impl MatchCache {
    pub(crate) fn new(shard: ShardId, seed: u64) -> MatchCache {
        MatchCache {
            shard,
            hasher: foldhash::fast::FixedState::with_seed(seed),
            kept: Vec::new(),
            table: HashTable::new(),
            likely: 0,
            recent: Vec::new(),
            noted: String::new(),
            once: Matches::unknown(Namespace::PLAIN, "", Beginnings::default()),
            seen: Seen::new(),
            turn: 0,
            found: Vec::new(),
            foreseen: Foreseen::default(),
        }
    }

    /// Who gets a message published to `topic` now.
    pub(crate) fn look_up(&mut self, index: &Index, namespace: Namespace, topic: &str) -> &mut Matches {
        let place = match self.kept.get(self.likely as usize) {
            Some(likely) if likely.is_of(namespace, topic) => Some(self.likely),
            _ => self.find(index, namespace, topic),
        };
        let matches = match place.and_then(|place| self.kept.get_mut(place as usize)) {
            Some(matches) => matches,
            None => &mut self.once,
        };
        let generation = index.generation();
        if matches.generation != generation {
            if index.changed_since(matches.generation, &matches.beginnings) {
                self.turn = self.turn.wrapping_add(1);
                let topic = (namespace, topic);
                matches.learn(topic, index, &mut self.foreseen, self.shard, self.turn, &mut self.found);
            } else {
                matches.generation = generation;
            }
        }
        matches
    }

    /// Prepares for messages to these topics, 16 at most, most of which are new.
    pub(crate) fn look_ahead(&mut self, index: &Index, namespace: Namespace, topics: &[&[u8]]) {
        index.look_ahead(namespace, topics, &mut self.foreseen);
        let mark = |topic: &&[u8]| self.seen.peek(hash_of(&self.hasher, namespace, topic));
        black_box(topics.iter().map(mark).fold(0, |read, mark| read ^ mark));
    }

    /// The place of the answer for a topic, which may have to be learned; `None`: it is not kept.
    fn find(&mut self, index: &Index, namespace: Namespace, topic: &str) -> Option<u32> {
        let hash = hash_of(&self.hasher, namespace, topic.as_bytes());
        if self.kept.len() >= TOPICS_MAX {
            self.kept.clear();
            self.table.clear();
        }
        let (kept, hasher) = (&self.kept, &self.hasher);
        let same = |&place: &u32| kept.get(place as usize).is_some_and(|known| known.is_of(namespace, topic));
        let rehash = |&place: &u32| {
            kept.get(place as usize)
                .map_or(0, |known| hash_of(hasher, known.namespace, known.topic.as_bytes()))
        };
        let place = match self.table.entry(hash, same, rehash) {
            Place::Occupied(known) => *known.get(),
            Place::Vacant(_) if self.seen.is_first(hash) => {
                self.once.forget();
                return None;
            }
            Place::Vacant(vacant) => {
                let place = self.kept.len() as u32;
                vacant.insert(place);
                let beginnings = index.beginnings(namespace, topic);
                self.kept.push(Matches::unknown(namespace, topic, beginnings));
                place
            }
        };
        self.likely = place;
        Some(place)
    }

    /// What the connection in this slot published to last, to be given back with [`MatchCache::remember`]. A
    /// wrong guess only costs a look-up.
    #[inline]
    pub(crate) fn recall(&mut self, slot: u32) -> Recent {
        match self.recent.get_mut(slot as usize % RECENT) {
            Some(recent) => {
                self.likely = recent.place;
                std::mem::take(recent)
            }
            None => Recent::default(),
        }
    }

    /// A topic name that was read without a fault, for [`MatchCache::take_note`].
    pub(crate) fn note(&mut self, topic: &str) {
        self.noted.clear();
        if topic.len() <= RECENT_BYTES_MAX {
            self.noted.push_str(topic);
        }
    }

    /// Walks of the index so far.
    #[inline]
    pub(crate) fn walks(&self) -> usize {
        self.turn
    }

    /// What was noted is what a connection publishes to now.
    pub(crate) fn take_note(&mut self, recent: &mut Recent) {
        std::mem::swap(&mut recent.topic, &mut self.noted);
    }

    /// What it has published to now, the topic looked up last.
    #[inline]
    pub(crate) fn remember(&mut self, slot: u32, recent: Recent) {
        if recent.topic.is_empty() {
            return;
        }
        let place = slot as usize % RECENT;
        if self.recent.len() <= place {
            self.recent.resize_with(place + 1, Recent::default);
        }
        if let Some(kept) = self.recent.get_mut(place) {
            *kept = Recent { place: self.likely, ..recent };
        }
    }
}

/// What a topic is found by; who looks ahead has its bytes only.
#[inline]
fn hash_of(hasher: &foldhash::fast::FixedState, namespace: Namespace, topic: &[u8]) -> u64 {
    hasher.hash_one((namespace, topic))
}

impl Matches {
    /// Is to be learned, for another topic.
    fn forget(&mut self) {
        self.groups.clear();
        self.generation = 0;
    }

    /// An answer that is yet to be learned.
    fn unknown(namespace: Namespace, topic: &str, beginnings: Beginnings) -> Matches {
        Matches {
            namespace,
            topic: topic.into(),
            beginnings,
            generation: 0,
            receivers: Vec::new(),
            shards: Vec::new(),
            abroad: Vec::new(),
            groups: Vec::new(),
        }
    }

    #[inline]
    fn is_of(&self, namespace: Namespace, topic: &str) -> bool {
        self.namespace == namespace && self.topic == topic
    }

    /// Whether nobody gets it.
    pub(crate) fn is_empty(&self) -> bool {
        self.receivers.is_empty() && self.shards.is_empty() && self.groups.is_empty()
    }

    /// The receivers on another shard, if they are to go along with the message.
    #[inline]
    pub(crate) fn addressees(&self, elsewhere: &Elsewhere) -> &[Addressee] {
        let first = elsewhere.first as usize;
        self.abroad.get(first..first + elsewhere.addressees as usize).unwrap_or_default()
    }

    fn learn(
        &mut self,
        (namespace, topic): (Namespace, &str),
        index: &Index,
        foreseen: &mut Foreseen,
        here: ShardId,
        turn: usize,
        found: &mut Vec<Entry>,
    ) {
        self.receivers.clear();
        self.shards.clear();
        self.abroad.clear();
        let before = std::mem::take(&mut self.groups);
        found.clear();
        let groups = &mut self.groups;
        self.generation = index.matches_foreseen(namespace, topic, foreseen, &mut |matched| match matched {
            Match::Plain(entry) => found.push(*entry),
            Match::Shared(group) => {
                let next = before.iter().find(|old| old.id == group.id).map_or(turn, |old| old.next);
                groups.push(SharedChoice { id: group.id, members: group.members.clone(), next });
            }
        });
        // By session, so that its filters lie side by side; the index visits in any order.
        found.sort_unstable_by_key(|entry| (entry.session.shard, entry.session.slot, entry.since));
        for entries in found.chunk_by(|a, b| a.session.shard == b.session.shard) {
            match entries.first().map(|entry| entry.session.shard) {
                Some(shard) if shard != here => self.tell_of(shard, entries),
                _ => entries.chunk_by(|a, b| a.session == b.session).for_each(|filters| self.merge(filters)),
            }
        }
        if found.capacity() > FOUND_MAX {
            *found = Vec::new();
        }
    }

    /// What was found on another shard. Its sessions are not the publisher's: No Local holds nothing back there.
    fn tell_of(&mut self, shard: ShardId, entries: &[Entry]) {
        let stored = entries.iter().any(|entry| entry.stored);
        let first = self.abroad.len();
        for filters in entries.chunk_by(|a, b| a.session == b.session) {
            let receiver = Receiver::of(filters.iter(), Whose::Anyones);
            match receiver.as_ref().and_then(Receiver::addressee) {
                Some(addressee) if self.abroad.len() - first < ADDRESSEES_MAX => self.abroad.push(addressee),
                _ => {
                    self.abroad.truncate(first);
                    break;
                }
            }
        }
        let addressees = (self.abroad.len() - first) as u32;
        self.shards.push(Elsewhere { shard, stored, first: first as u32, addressees });
    }

    fn merge(&mut self, filters: &[Entry]) {
        let no_local = filters.iter().filter(|entry| entry.no_local).count();
        if no_local == 0 {
            self.receivers.extend(Receiver::of(filters.iter(), Whose::Anyones));
            return;
        }
        // [V5 MQTT-3.8.3-3]
        self.receivers.extend(Receiver::of(filters.iter(), Whose::Others));
        let own = filters.iter().filter(|entry| !entry.no_local);
        self.receivers.extend(Receiver::of(own, Whose::Own));
    }
}

impl Receiver {
    #[inline]
    fn of<'a>(mut filters: impl Iterator<Item = &'a Entry>, whose: Whose) -> Option<Receiver> {
        let first = filters.next()?;
        let identifier = |entry: &Entry| entry.subscription_identifier.map(|identifier| identifier.get());
        let mut receiver = Receiver {
            slot: first.session.slot,
            generation: first.session.generation,
            qos: first.qos,
            whose,
            retain_as_published: first.retain_as_published,
            since: first.since,
            subscription_identifiers: identifier(first).into_iter().collect(),
        };
        for entry in filters {
            receiver.qos = receiver.qos.max(entry.qos);
            receiver.retain_as_published |= entry.retain_as_published;
            receiver.since = receiver.since.min(entry.since);
            receiver.subscription_identifiers.extend(identifier(entry));
        }
        Some(receiver)
    }

    /// How this session gets a message.
    #[inline]
    pub(crate) fn terms(&self, message: &Message<'_>) -> Terms<'_> {
        let Receiver { qos, retain_as_published, ref subscription_identifiers, .. } = *self;
        Terms::granted(qos, retain_as_published, subscription_identifiers, 0, message)
    }

    /// The same in few bytes; `None` with several Subscription Identifiers.
    fn addressee(&self) -> Option<Addressee> {
        let Receiver { slot, generation, qos, retain_as_published, .. } = *self;
        let subscription_identifier = match *self.subscription_identifiers.as_slice() {
            [] => None,
            [one] => Some(one),
            _ => return None,
        };
        Some(Addressee { slot, generation, qos, retain_as_published, subscription_identifier })
    }
}

impl SharedChoice {
    /// The next member in turn that can take the message at once; else one that is connected;
    /// else any, which keeps it until it comes back.
    /// [V5 U-4.8.2-2]
    pub(crate) fn choose(&mut self, not: Option<SessionRef>) -> Option<Chosen> {
        let count = self.members.len();
        let mut best: Option<(Readiness, usize)> = None;
        for step in 0..count {
            let place = (self.next % count + step) % count;
            let Some(member) = self.members.get(place).filter(|member| Some(member.entry.session) != not)
            else {
                continue;
            };
            let readiness = member.room.readiness();
            if best.is_none_or(|(so_far, _)| readiness > so_far) {
                best = Some((readiness, place));
            }
            if readiness == Readiness::Ready {
                break;
            }
        }
        let (_, place) = best?;
        self.next = (place + 1) % count;
        self.members.get(place).map(Chosen::of)
    }

    /// A member on this shard whose session is stored.
    pub(crate) fn choose_on(&mut self, shard: ShardId) -> Option<Chosen> {
        let count = self.members.len();
        let mine = |place: &usize| {
            let member = self.members.get(*place);
            member.is_some_and(|member| member.entry.session.shard == shard && member.entry.stored)
        };
        let place = (0..count).map(|step| (self.next % count + step) % count).find(mine)?;
        self.next = (place + 1) % count;
        self.members.get(place).map(Chosen::of)
    }

    /// Whether the session of one of its members is stored.
    pub(crate) fn stored(&self) -> bool {
        self.members.iter().any(|member| member.entry.stored)
    }

    /// This session as a member, if it still is one.
    pub(crate) fn member(&self, session: SessionRef) -> Option<Chosen> {
        self.members.iter().find(|member| member.entry.session == session).map(Chosen::of)
    }
}

impl Chosen {
    fn of(member: &Member) -> Chosen {
        let Entry { session, qos, retain_as_published, subscription_identifier, stored, .. } = member.entry;
        let SessionRef { shard, slot, generation } = session;
        let subscription_identifier = subscription_identifier.map(NonZeroU32::get);
        let to = Addressee { slot, generation, qos, retain_as_published, subscription_identifier };
        Chosen { shard, to, stored }
    }

    pub(crate) fn session(&self) -> SessionRef {
        SessionRef { shard: self.shard, slot: self.to.slot, generation: self.to.generation }
    }
}
