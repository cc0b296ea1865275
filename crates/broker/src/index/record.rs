//! What hangs on a list of the tree, in 36 bytes: one session's subscription, or a shared
//! subscription.

use std::num::NonZeroU32;

use hexmq_wire::{QoS, RetainHandling, SubscriptionOptions};

use super::tree::{List, NONE};
use super::{Entry, NewEntry};
use crate::ids::{SessionRef, ShardId};

const NO_LOCAL: u8 = 1 << 2;
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const RETAIN_HANDLING_SHIFT: u32 = 4;
const STORED: u8 = 1 << 6;
const GROUP: u8 = 1 << 7;

#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Slot of the session, or number of the group.
    slot: u32,
    generation: u32,
    /// Halves, since a `u64` would round the record up to 40 bytes.
    since: [u32; 2],
    list: u32,
    pub(super) next: u32,
    pub(super) previous: u32,
    /// 0 if there is none.
    subscription_identifier: u32,
    shard: ShardId,
    options: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Group(u32),
}

impl Record {
    pub(super) fn plain(list: List, new: &NewEntry, since: u64) -> Record {
        let mut record = Record {
            slot: new.session.slot,
            generation: new.session.generation,
            since: [since as u32, (since >> 32) as u32],
            list: list.pack(),
            shard: new.session.shard,
            ..Record::nothing()
        };
        record.replace(new);
        record
    }

    pub(super) fn group(list: List, group: u32) -> Record {
        Record { slot: group, list: list.pack(), options: GROUP, ..Record::nothing() }
    }

    pub(super) fn nothing() -> Record {
        Record {
            slot: 0,
            generation: 0,
            since: [0; 2],
            list: 0,
            next: NONE,
            previous: NONE,
            subscription_identifier: 0,
            shard: ShardId(0),
            options: 0,
        }
    }

    /// Takes over options and identifier.
    pub(super) fn replace(&mut self, new: &NewEntry) {
        self.options = pack(new.options) | if new.stored { STORED } else { 0 };
        self.subscription_identifier = new.subscription_identifier.map_or(0, NonZeroU32::get);
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        if self.options & GROUP == 0 { Kind::Plain } else { Kind::Group(self.slot) }
    }

    pub(super) fn list(&self) -> List {
        List::unpack(self.list)
    }

    #[inline]
    pub(super) fn session(&self) -> SessionRef {
        SessionRef { shard: self.shard, slot: self.slot, generation: self.generation }
    }

    pub(super) fn is_plain_of(&self, list: List, session: SessionRef) -> bool {
        self.kind() == Kind::Plain && self.list == list.pack() && self.session() == session
    }

    #[inline]
    pub(super) fn entry(&self) -> Entry {
        let [low, high] = self.since;
        Entry {
            session: self.session(),
            options: unpack(self.options),
            subscription_identifier: NonZeroU32::new(self.subscription_identifier),
            stored: self.options & STORED != 0,
            since: u64::from(high) << 32 | u64::from(low),
        }
    }
}

fn pack(options: SubscriptionOptions) -> u8 {
    let SubscriptionOptions { qos, no_local, retain_as_published, retain_handling } = options;
    let flags =
        if no_local { NO_LOCAL } else { 0 } | if retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
    qos as u8 | flags | (retain_handling as u8) << RETAIN_HANDLING_SHIFT
}

#[inline]
fn unpack(options: u8) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: QoS::from_bits(options & 3).unwrap_or_default(),
        no_local: options & NO_LOCAL != 0,
        retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
        retain_handling: match options >> RETAIN_HANDLING_SHIFT & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            _ => RetainHandling::DoNotSend,
        },
    }
}
