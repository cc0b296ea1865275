//! How a server takes up where it stopped: what a store gives back, put into shards that do not run
//! yet.

use hexmq_session::{Now, Wall};
use hexmq_topic::SubscriptionFilter;
use hexmq_wire::QoS;

use super::Shard;
use crate::home::home;
use crate::index::NewEntry;
use crate::matches::Whose;
use crate::retained::RetainedMessage;
use crate::session::{DelayedWill, Expiry, Held, Session, Stored, Tail};
use crate::{
    Answer, Batch, CloseReason, ConnId, Destination, Event, HoldId, Message, Namespace, Partial, Question,
    Record, RecordReader, ShardId, Shared, Sink, StoredRetained, StoredSession, StoredTransit, StoredWill,
};

/// Takes what a store gives back. First all sessions, then all retained messages, then what was on its
/// way between shards, in the order of its numbers.
pub trait Restore {
    /// A session.
    fn session(&mut self, session: StoredSession);
    /// A retained message.
    fn retained(&mut self, retained: &StoredRetained<'_>);
    /// A message that was on its way.
    fn transit(&mut self, transit: &StoredTransit);
}

/// Shards that do not run yet.
pub struct Restorer<'a> {
    shards: Vec<&'a mut Shard>,
    now: Now,
    out: Quiet,
}

impl std::fmt::Debug for Restorer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restorer").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl<'a> Restorer<'a> {
    /// All shards of a server, in their order.
    pub fn new(shards: Vec<&'a mut Shard>, now: Now) -> Restorer<'a> {
        Restorer { shards, now, out: Quiet::default() }
    }

    /// What changed on the way: the first commit of the server.
    pub fn finish(self) -> Vec<u8> {
        self.out.records
    }
}

impl Restore for Restorer<'_> {
    fn session(&mut self, session: StoredSession) {
        let Some(shared) = self.shards.first().map(|shard| shard.shared()) else { return };
        let home = home(&session.key, shared.shards, shared.seed);
        if let Some(shard) = self.shards.get_mut(usize::from(home.0)) {
            shard.restore_session(session, self.now, &mut self.out);
        }
    }

    fn retained(&mut self, retained: &StoredRetained<'_>) {
        let Some(shared) = self.shards.first().map(|shard| shard.shared()) else { return };
        with_message(retained.message, |message| {
            shared.retained.set(
                retained.namespace,
                &RetainedMessage {
                    topic: message.topic,
                    qos: message.qos,
                    properties: message.properties,
                    payload: message.payload,
                    expires: message.expires_at,
                    publisher: retained.publisher,
                    serial: Some(retained.serial),
                },
            )
        });
    }

    fn transit(&mut self, transit: &StoredTransit) {
        with_message(&transit.message, |message| {
            for shard in &mut self.shards {
                if shard.redeliver(transit, message, self.now, &mut self.out) {
                    break;
                }
            }
        });
        self.out.persist(&Record::Arrived {
            message: transit.serial,
            shard: transit.to.shard,
            group: transit.to.group,
        });
    }
}

impl Shard {
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn restore_session(&mut self, stored: StoredSession, now: Now, out: &mut Quiet) {
        let expiry = stored.expiry_s.map_or(Expiry::Never, Expiry::from_interval);
        let window = self.residents.limits.in_flight_per_session;
        let mut session = Session::new(stored.key.clone(), expiry, window);
        let waiting =
            Tail { first_place: stored.first_place, messages: stored.waiting, bytes: stored.waiting_bytes };
        let mut in_store = Stored::new(stored.serial);
        in_store.next_place = stored.next_place.max(1);
        in_store.tail = waiting;
        session.stored = Some(Box::new(in_store));
        for identifier in &stored.incoming {
            session.received.insert(*identifier);
        }
        let (slot, _) = self.residents.sessions.insert(session);
        self.directory.insert(slot, &self.residents.sessions);
        self.residents.census.messages_queued += stored.waiting;
        self.restore_subscriptions(slot, &stored);
        self.restore_end(slot, stored.ends_at, expiry, now, out);
        if let Some(will) = &stored.will {
            self.restore_will(slot, will, now);
        }
        if stored.key.namespace == Namespace::INBOX {
            self.restore_inbox(slot, now);
        } else if expiry == Expiry::AtOnce {
            // It was to end with its connection, which the server has taken with it.
            self.end_session(slot, false, now, out);
        } else {
            self.watch_session(slot, now);
        }
    }

    fn restore_subscriptions(&mut self, slot: u32, stored: &StoredSession) {
        let me = self.session_ref(slot);
        let seed = self.shared.seed;
        for (text, options, identifier) in &stored.subscriptions {
            let Ok(filter) = SubscriptionFilter::parse(text) else { continue };
            let Some(session) = self.residents.sessions.at_mut(slot) else { return };
            let shared = filter.share_name.is_some();
            let room = shared.then(|| session.rare().room.get_or_insert_default().clone());
            session.show_room();
            let held = Held { options: *options, subscription_identifier: *identifier };
            session.subscriptions.insert(text, held, seed);
            let entry = NewEntry {
                session: me,
                options: *options,
                subscription_identifier: *identifier,
                stored: true,
                room,
            };
            self.shared.index.subscribe(stored.key.namespace.topics(), filter, entry);
            self.count_subscription(shared, true);
        }
    }

    /// A session that had a connection has lost it with the server.
    fn restore_end(&mut self, slot: u32, ends_at: Option<Wall>, expiry: Expiry, now: Now, out: &mut Quiet) {
        let Expiry::After(seconds) = expiry else { return };
        let ends = ends_at.unwrap_or(now.wall.plus_s(seconds.into()));
        if let Some(session) = self.residents.sessions.at_mut(slot) {
            session.ends_at = now.mono.plus_ms(ends.ms_since(now.wall));
        }
        if ends_at.is_none() {
            self.persist_session(slot, Some(ends), out);
        }
    }

    /// A Will whose delay had not begun begins now. [V5 U-3.1.2.5-4]
    fn restore_will(&mut self, slot: u32, will: &StoredWill, now: Now) {
        let kept = with_message(&will.message, |message| self.residents.messages.keep(message));
        let Some(kept) = kept else { return };
        let due = match will.due {
            Some(due) => now.mono.plus_ms(due.ms_since(now.wall)),
            None => now.mono.plus_s(will.delay_s.into()),
        };
        if let Some(session) = self.residents.sessions.at_mut(slot) {
            session.rare().will = Some(DelayedWill { due, message: kept, expiry_s: will.expiry_s });
        }
    }

    /// Queues a message that was on its way for the sessions it was on its way to. True if nobody else
    /// is to have it.
    fn redeliver(
        &mut self,
        transit: &StoredTransit,
        message: &Message<'_>,
        now: Now,
        out: &mut Quiet,
    ) -> bool {
        let Destination { shard, shards, group } = transit.to;
        let seed = self.shared.seed;
        let matches = self.cache.look_up(&self.shared.index, message.namespace, message.topic);
        let mut outbound = self.residents.begin(message, Some(transit.serial), now);
        let mut done = false;
        if group == 0 {
            // It came from another shard, so it is nobody's own here. [V5 MQTT-3.8.3-3]
            for receiver in matches.receivers.iter().filter(|receiver| receiver.whose != Whose::Own) {
                let was_there = self
                    .residents
                    .sessions
                    .at(receiver.slot)
                    .is_some_and(|session| home(&session.key, shards, seed) == shard);
                let terms = receiver.terms(message);
                if was_there && terms.qos != QoS::AtMostOnce {
                    self.residents.append(receiver.slot, &terms, &mut outbound, out);
                }
            }
        } else if let Some(choice) = matches.groups.iter_mut().find(|choice| choice.id == group)
            && let Some(chosen) = choice.choose_on(self.id)
        {
            done = true;
            let terms = chosen.to.terms(group, message);
            if terms.qos != QoS::AtMostOnce {
                self.residents.append(chosen.to.slot, &terms, &mut outbound, out);
            }
        }
        self.residents.finish(outbound);
        done
    }
}

/// Shows the message in an encoded [`Record::Message`].
fn with_message<T>(record: &[u8], show: impl FnOnce(&Message<'_>) -> T) -> Option<T> {
    match RecordReader::new(record).next() {
        Some(Ok(Record::Message { message, .. })) => Some(show(&message)),
        _ => None,
    }
}

/// What shards can reach before they run: their store, and nobody else.
#[derive(Debug, Default)]
struct Quiet {
    records: Vec<u8>,
    void: Vec<u8>,
    nowhere: Batch,
}

impl Sink for Quiet {
    fn output(&mut self, _: ConnId) -> &mut Vec<u8> {
        self.void.clear();
        &mut self.void
    }

    fn output_len(&self, _: ConnId) -> usize {
        0
    }

    fn close(&mut self, _: ConnId, _: CloseReason) {}

    fn resume(&mut self, _: ConnId) {}

    fn partial(&self, _: ConnId) -> Partial {
        Partial::default()
    }

    fn forward(&mut self, _: ShardId) -> &mut Batch {
        self.nowhere.clear();
        &mut self.nowhere
    }

    fn congested(&self, _: ShardId) -> bool {
        false
    }

    fn ask(&mut self, _: HoldId, _: Question<'_>) -> Option<Answer> {
        None
    }

    fn persist(&mut self, record: &Record<'_>) {
        record.encode(&mut self.records);
    }

    fn tell(&mut self, _: Event<'_>) {}
}
