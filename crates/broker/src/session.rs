//! A session: what the server remembers for a client, with or without a connection.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use hexmq_session::{InFlight, Mono, Received};
use hexmq_wire::{PacketIdentifier, QoS, SubscriptionOptions};

use crate::layout::Terms;
use crate::message::MessageId;
use crate::outgoing::{Queue, Sent};
use crate::retained::Cursor;
use crate::room::Room;
use crate::{Serial, SessionKey};

/// The state of one session (3.1.1 section 3.1.2.4, 5.0 section 4.1).
/// [V5 U-2.2.1-3]
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    /// The slot of the connection that uses it now.
    pub(crate) conn: Option<u32>,
    pub(crate) expiry: Expiry,
    /// While there is no connection: when it ends.
    pub(crate) ends_at: Mono,
    /// When the wheel looks at it next.
    pub(crate) timer: Mono,
    pub(crate) subscriptions: Subscriptions,
    /// To the client.
    pub(crate) in_flight: InFlight<Sent>,
    /// From the client: QoS 2 messages taken over and not yet released.
    pub(crate) received: Received,
    pub(crate) queue: Queue,
    /// For a session that is kept in the store.
    pub(crate) stored: Option<Box<Stored>>,
    /// What only few sessions have.
    pub(crate) rare: Option<Box<Rare>>,
    /// What its client cannot stand; for nearly all nothing.
    pub(crate) tame: Option<Tame>,
}

/// What a client cannot stand, beyond the standard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tame {
    /// Nothing comes with a larger QoS.
    pub(crate) largest_qos: QoS,
    /// RETAIN is never set.
    pub(crate) no_retain: bool,
}

impl Tame {
    /// `None` if the client can stand everything.
    pub(crate) fn of(largest_qos: QoS, no_retain: bool) -> Option<Tame> {
        (largest_qos != QoS::ExactlyOnce || no_retain).then_some(Tame { largest_qos, no_retain })
    }

    #[cold]
    pub(crate) fn apply<'a>(self, terms: &Terms<'a>) -> Terms<'a> {
        Terms { qos: terms.qos.min(self.largest_qos), retain: terms.retain && !self.no_retain, ..*terms }
    }
}

/// How a session stands in the store.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) serial: Serial,
    /// The place of the next message.
    pub(crate) next_place: u64,
    /// The newest messages of the queue, where they are only in the store.
    pub(crate) tail: Tail,
    /// Part of the tail has been asked for.
    pub(crate) fetching: bool,
    /// The store could not give it: when to ask again.
    pub(crate) fetch_again: Option<Mono>,
    /// QoS 2 messages whose PUBREL is owed, and their places.
    pub(crate) taken_over: Vec<(PacketIdentifier, u64)>,
}

/// The end of a queue that is only in the store: the places from `first_place` on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    pub(crate) first_place: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// What only few sessions have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// A Will whose delay runs.
    pub(crate) will: Option<DelayedWill>,
    /// Retained messages still to be sent, filter by filter.
    pub(crate) handouts: VecDeque<Handout>,
    /// Already in the list of sessions whose handouts go on.
    pub(crate) handout_listed: bool,
    /// Bodies of retained messages are on their way from the store, for a subscription granted this.
    pub(crate) thawing: Option<Granted>,
    /// Such that found no room when they came: they are fetched again when there is some.
    pub(crate) frozen: Option<(Granted, Vec<Serial>)>,
    /// Tells publishers on other shards whether a shared message fits.
    pub(crate) room: Option<Room>,
    /// QoS 2 messages taken over, and who is told when they are completed.
    pub(crate) tokens: Vec<(PacketIdentifier, u64)>,
}

/// When a session without a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// With the connection.
    AtOnce,
    /// So many seconds later.
    After(u32),
    /// Not at all.
    Never,
}

impl Expiry {
    /// From a Session Expiry Interval: 0xFFFFFFFF means for ever (5.0 section 3.1.2.11.2).
    /// [V5 U-3.1.2.11.2-3]
    pub(crate) fn from_interval(seconds: u32) -> Expiry {
        match seconds {
            0 => Expiry::AtOnce,
            u32::MAX => Expiry::Never,
            seconds => Expiry::After(seconds),
        }
    }

    /// Not longer than the server's bound, if it has one.
    pub(crate) fn capped(self, max_s: Option<u32>) -> Expiry {
        match (self, max_s) {
            (Expiry::Never, Some(max)) => Expiry::from_interval(max),
            (Expiry::After(seconds), Some(max)) => Expiry::from_interval(seconds.min(max)),
            (expiry, _) => expiry,
        }
    }
}

/// A Will that waits for its delay to pass. [V5 MQTT-3.1.3-9]
#[derive(Debug)]
pub(crate) struct DelayedWill {
    pub(crate) due: Mono,
    pub(crate) message: MessageId,
    pub(crate) expiry_s: Option<u32>,
}

impl Stored {
    pub(crate) fn new(serial: Serial) -> Stored {
        Stored {
            serial,
            next_place: 1,
            tail: Tail::default(),
            fetching: false,
            fetch_again: None,
            taken_over: Vec::new(),
        }
    }

    /// The place for one more message.
    fn take_place(&mut self) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        place
    }
}

/// Retained messages of one new subscription on their way. The cursor keeps the place, so a `#`
/// over a million topics is many short walks.
#[derive(Debug)]
pub(crate) struct Handout {
    /// Without `$share`: shared subscriptions get none.
    pub(crate) filter: Box<str>,
    pub(crate) granted: Granted,
    pub(crate) cursor: Cursor,
}

/// What a subscription was granted, as far as its retained messages need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) qos: QoS,
    pub(crate) subscription_identifier: Option<u32>,
    /// With No Local: the mark of the client itself, whose messages it does not get; else 0.
    pub(crate) not_from: u64,
}

/// The subscriptions of one session, by filter as sent (`$share/…` included).
#[derive(Debug)]
pub(crate) enum Subscriptions {
    /// As most clients have it.
    One((Box<str>, Held)),
    /// Up to [`FEW`], or none.
    Few(Box<[(Box<str>, Held)]>),
    Many(Box<Many>),
}

type Many = hashbrown::HashMap<Box<str>, Held, foldhash::fast::FixedState>;

/// What is remembered of a subscription beside the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) options: SubscriptionOptions,
    pub(crate) subscription_identifier: Option<NonZeroU32>,
}

/// Up to here a search from front to back is as quick as a map, and smaller.
const FEW: usize = 16;

impl Default for Subscriptions {
    fn default() -> Subscriptions {
        Subscriptions::Few(Box::default())
    }
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        match self {
            Subscriptions::Many(many) => many.len(),
            few => few.few().len(),
        }
    }

    pub(crate) fn contains(&self, filter: &str) -> bool {
        self.get(filter).is_some()
    }

    pub(crate) fn get(&self, filter: &str) -> Option<Held> {
        match self {
            Subscriptions::Many(many) => many.get(filter).copied(),
            few => few.few().iter().find(|(known, _)| &**known == filter).map(|(_, held)| *held),
        }
    }

    /// Adds or replaces; whether the filter is new.
    pub(crate) fn insert(&mut self, filter: &str, held: Held, seed: u64) -> bool {
        let few = match self {
            Subscriptions::Many(many) => return many.insert(filter.into(), held).is_none(),
            Subscriptions::Few(few) => &mut **few,
            Subscriptions::One(one) => std::slice::from_mut(one),
        };
        if let Some((_, old)) = few.iter_mut().find(|(known, _)| &**known == filter) {
            *old = held;
            return false;
        }
        let all = self.take().chain([(filter.into(), held)]);
        *self = Subscriptions::collect(all, seed);
        true
    }

    pub(crate) fn remove(&mut self, filter: &str) -> bool {
        if let Subscriptions::Many(many) = self {
            return many.remove(filter).is_some();
        }
        let found = self.contains(filter);
        if found {
            let rest = self.take().filter(|(known, _)| **known != *filter);
            *self = Subscriptions::collect(rest, 0);
        }
        found
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Held)> {
        let many = match self {
            Subscriptions::Many(many) => Some(many),
            _ => None,
        };
        let many = many.into_iter().flat_map(|many| many.iter().map(|(filter, held)| (&**filter, held)));
        self.few().iter().map(|(filter, held)| (&**filter, held)).chain(many)
    }

    /// All filters, in the order of their text so that nothing depends on a map's order.
    pub(crate) fn take_all(&mut self) -> Vec<Box<str>> {
        let mut all: Vec<Box<str>> = match std::mem::take(self) {
            Subscriptions::Many(many) => many.into_keys().collect(),
            mut few => few.take().map(|(filter, _)| filter).collect(),
        };
        all.sort_unstable();
        all
    }

    fn few(&self) -> &[(Box<str>, Held)] {
        match self {
            Subscriptions::One(one) => std::slice::from_ref(one),
            Subscriptions::Few(few) => few,
            Subscriptions::Many(_) => &[],
        }
    }

    /// Takes those out that are not [`Subscriptions::Many`].
    fn take(&mut self) -> impl Iterator<Item = (Box<str>, Held)> {
        let (one, few) = match std::mem::take(self) {
            Subscriptions::One(one) => (Some(one), Box::default()),
            Subscriptions::Few(few) => (None, few),
            Subscriptions::Many(_) => (None, Box::default()),
        };
        one.into_iter().chain(few)
    }

    fn collect(mut all: impl Iterator<Item = (Box<str>, Held)>, seed: u64) -> Subscriptions {
        let (first, second) = (all.next(), all.next());
        let Some(second) = second else {
            return first.map_or_else(Subscriptions::default, Subscriptions::One);
        };
        let all: Vec<_> = first.into_iter().chain([second]).chain(all).collect();
        if all.len() <= FEW {
            return Subscriptions::Few(all.into());
        }
        let mut many = Many::with_hasher(foldhash::fast::FixedState::with_seed(seed));
        many.extend(all);
        Subscriptions::Many(Box::new(many))
    }
}

impl Session {
    pub(crate) fn new(key: SessionKey, expiry: Expiry, window: u16) -> Session {
        Session {
            key,
            conn: None,
            expiry,
            ends_at: Mono::NEVER,
            timer: Mono::NEVER,
            subscriptions: Subscriptions::default(),
            in_flight: InFlight::new(window),
            received: Received::new(),
            queue: Queue::default(),
            stored: None,
            rare: None,
            tame: None,
        }
    }

    /// Whether the body of a message is kept when it has been sent: to be sent again on another connection, or
    /// to go to another member of its shared subscription, to which no QoS 2 message goes.
    /// [V5 MQTT-4.8.2-5, V5 U-4.8.2-5]
    #[inline]
    pub(crate) fn keeps_sent(&self, qos: QoS, group: u64) -> bool {
        self.expiry != Expiry::AtOnce || (group != 0 && qos == QoS::AtLeastOnce)
    }

    /// Changes when the session ends, while it has a connection. One that ends with it stays so: what it has in
    /// flight is not kept to be sent again.
    pub(crate) fn change_expiry(&mut self, expiry: Expiry) {
        if self.expiry != Expiry::AtOnce {
            self.expiry = expiry;
        }
    }

    /// The place a new message has in the store, and the session's number there; `None` if the session is not
    /// stored.
    #[inline]
    pub(crate) fn take_place(&mut self) -> Option<(Serial, u64)> {
        self.stored.as_mut().map(|stored| (stored.serial, stored.take_place()))
    }

    /// When something is due that time alone brings about.
    pub(crate) fn due(&self) -> Mono {
        let will = self.rare.as_ref().and_then(|rare| rare.will.as_ref()).map(|will| will.due);
        let fetch = self.stored.as_ref().and_then(|stored| stored.fetch_again);
        will.into_iter().chain(fetch).fold(self.ends_at, Mono::min)
    }

    /// Whether a new message would go at once, as far as the session is concerned.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.none_waits() && self.in_flight.has_room()
    }

    /// Whether no message waits, neither in memory nor in the store alone.
    #[inline]
    pub(crate) fn none_waits(&self) -> bool {
        self.queue.is_empty() && self.tail().messages == 0
    }

    /// Whether nothing at all is to be sent or shown when its window has room.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.none_waits() && self.rare.is_none() && self.in_flight.all_sent()
    }

    /// The part of the queue that is only in the store.
    #[inline]
    pub(crate) fn tail(&self) -> Tail {
        self.stored.as_ref().map_or(Tail::default(), |stored| stored.tail)
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.queue.len() as u64 + self.tail().messages
    }

    /// Bytes of messages that wait.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.queue.bytes() + self.tail().bytes
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Gives the memory of [`Rare`] back when nothing is left in it.
    pub(crate) fn settle_rare(&mut self) {
        if let Some(rare) = &self.rare
            && rare.will.is_none()
            && rare.handouts.is_empty()
            && rare.thawing.is_none()
            && rare.frozen.is_none()
            && rare.room.is_none()
            && rare.tokens.is_empty()
        {
            self.rare = None;
        }
    }

    /// Tells publishers whether a shared message would be sent at once, wait, or find nobody.
    pub(crate) fn show_room(&self) {
        if let Some(room) = self.rare.as_ref().and_then(|rare| rare.room.as_ref()) {
            room.show(self.conn.is_some(), self.has_room());
        }
    }
}
