//! What is known about one client's session: whether the server must have it, what it is subscribed to, and
//! what it has got.

use std::collections::{BTreeMap, BTreeSet};

use hexmq_topic::{SubscriptionFilter, TopicName};
use hexmq_wire::QoS;

use crate::history::{ClientId, Keeps, MessageId, WillTerms};

/// Whether the server has the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Absent,
    Present,
    /// A request that would change it was not answered.
    Unknown,
}

/// One subscription from SUBSCRIBE to its end. Times are steps of the history.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) filter: String,
    pub(super) qos: QoS,
    pub(super) asked: u64,
    pub(super) granted: Option<u64>,
    /// A request that ends it was sent.
    pub(super) leaving: Option<u64>,
    /// It is over for sure.
    pub(super) left: Option<u64>,
    /// It ended with its session.
    pub(super) discarded: bool,
    /// Retained topics that came on this subscription.
    pub(super) retained_seen: BTreeSet<String>,
}

impl Life {
    /// The group of a shared subscription.
    pub(super) fn group(&self) -> Option<&str> {
        SubscriptionFilter::parse(&self.filter).ok().and_then(|filter| filter.share_name)
    }

    pub(super) fn matches(&self, topic: &str) -> bool {
        match (SubscriptionFilter::parse(&self.filter), TopicName::parse(topic)) {
            (Ok(filter), Ok(topic)) => filter.filter.matches(topic),
            _ => false,
        }
    }

    /// A message first sent at `sent` must come on it, if nothing ends it.
    pub(super) fn owes(&self, sent: u64) -> bool {
        self.granted.is_some_and(|granted| granted < sent) && self.leaving.is_none()
    }
}

/// A request to connect that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connecting {
    pub(super) keeps: Keeps,
    pub(super) will: Option<WillTerms>,
    /// What Session Present must be; `None`: either.
    pub(super) expected: Option<bool>,
    pub(super) sent_ms: u64,
    pub(super) clean_start: bool,
}

/// One client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) name: String,
    pub(super) presence: Presence,
    pub(super) keeps: Keeps,
    pub(super) connecting: Option<Connecting>,
    pub(super) is_connected: bool,
    /// When the last connection ended, in milliseconds.
    pub(super) away_since: u64,
    pub(super) lives: Vec<Life>,
    /// What must still come.
    pub(super) due: BTreeSet<MessageId>,
    /// How often each message came, by publisher and number.
    pub(super) seen: BTreeMap<ClientId, Vec<u8>>,
    /// The last message of each publisher, topic and QoS.
    pub(super) lanes: BTreeMap<(ClientId, String, u8), u32>,
}

/// A server counts whole seconds and looks at its clock now and then.
const EXPIRY_SLACK_MS: u64 = 3_000;

impl Session {
    pub(super) fn new(name: &str) -> Session {
        Session {
            name: name.to_owned(),
            presence: Presence::Absent,
            keeps: Keeps::Nothing,
            connecting: None,
            is_connected: false,
            away_since: 0,
            lives: Vec::new(),
            due: BTreeSet::new(),
            seen: BTreeMap::new(),
            lanes: BTreeMap::new(),
        }
    }

    /// What Session Present must be when a CONNECT that wants the session is sent and answered between
    /// these times. A server that was killed may count from its next start, which is over when it is ready;
    /// `None`: it is not.
    pub(super) fn expected(&self, sent_ms: u64, answered_ms: u64, ready_ms: Option<u64>) -> Option<bool> {
        match (self.presence, self.keeps) {
            (Presence::Absent, _) => Some(false),
            (Presence::Unknown, _) => None,
            (Presence::Present, Keeps::Forever) => Some(true),
            (Presence::Present, Keeps::Nothing) => Some(false),
            (Presence::Present, Keeps::ForMs(ms)) => {
                let since = ready_ms.map(|ready_ms| ready_ms.max(self.away_since));
                if answered_ms < self.away_since + ms {
                    Some(true)
                } else if since.is_some_and(|since| sent_ms > since + ms + EXPIRY_SLACK_MS) {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    /// Something that would end the session was sent: nothing is owed from now on.
    pub(super) fn begin_end(&mut self, step: u64) {
        for life in &mut self.lives {
            life.leaving.get_or_insert(step);
        }
        self.due.clear();
        self.presence = Presence::Unknown;
    }

    /// The session is over.
    pub(super) fn end(&mut self, step: u64) {
        for life in self.lives.iter_mut().filter(|life| !life.discarded) {
            life.leaving.get_or_insert(step);
            life.left.get_or_insert(step);
            life.discarded = true;
        }
        self.due.clear();
        // What a publisher sends again after a crash may be new to the next session and old to this one.
        self.lanes.clear();
    }

    /// What ended long ago explains nothing that comes now.
    pub(super) fn forget_old_lives(&mut self) {
        let surplus = self.lives.len().saturating_sub(LIVES_KEPT);
        self.lives.drain(..surplus);
    }

    /// The living subscription with this filter, the newest first.
    pub(super) fn life(&mut self, filter: &str) -> Option<&mut Life> {
        self.lives.iter_mut().rev().find(|life| life.filter == filter && life.left.is_none())
    }

    /// Counts one more arrival of the message; how often it came before.
    pub(super) fn count(&mut self, message: MessageId) -> u8 {
        let seen = self.seen.entry(message.publisher).or_default();
        let number = message.number as usize;
        if seen.len() <= number {
            seen.resize(number + 1, 0);
        }
        let Some(count) = seen.get_mut(number) else { return 0 };
        *count = count.saturating_add(1);
        *count - 1
    }

    pub(super) fn has_seen(&self, message: MessageId) -> bool {
        let count = self.seen.get(&message.publisher).and_then(|seen| seen.get(message.number as usize));
        count.is_some_and(|&count| count > 0)
    }
}

/// Ended subscriptions are remembered so long, to name what comes late.
const LIVES_KEPT: usize = 64;
