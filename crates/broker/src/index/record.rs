//! What hangs on a list of the tree, in one cell: one session's subscription, or a shared subscription.

use std::num::NonZeroU32;

use hexmq_wire::{QoS, SubscriptionOptions};

use super::tree::{List, NONE};
use super::{Entry, NewEntry};
use crate::ids::{SessionRef, ShardId};

/// Where the options stand, above the 28 bits of a Subscription Identifier.
const OPTIONS_SHIFT: u32 = 28;
const IDENTIFIER: u32 = (1 << OPTIONS_SHIFT) - 1;
const NO_LOCAL: u32 = 1 << 2;
const RETAIN_AS_PUBLISHED: u32 = 1 << 3;

const SHARD_BITS: u32 = u16::BITS;
const STORED: u64 = 1 << SHARD_BITS;
const GROUP: u64 = 1 << (SHARD_BITS + 1);
/// Where the generation stands in which it began. 46 bits last for two years of a million changes a second; a
/// subscription that began after them would count as an old one, which only matters while it is made.
const SINCE_SHIFT: u32 = SHARD_BITS + 2;

#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Since when, what it is, and the shard.
    since_and_shard: u64,
    /// Slot of the session, or number of the group.
    slot: u32,
    generation: u32,
    pub(super) list: u32,
    pub(super) next: u32,
    pub(super) previous: u32,
    /// QoS, No Local and Retain As Published, and the identifier, which is 0 if there is none.
    options_and_identifier: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Group(u32),
}

impl Record {
    pub(super) fn plain(list: List, new: &NewEntry, since: u64) -> Record {
        let mut record = Record {
            since_and_shard: since << SINCE_SHIFT | u64::from(new.session.shard.0),
            slot: new.session.slot,
            generation: new.session.generation,
            list: list.pack(),
            ..Record::nothing()
        };
        record.replace(new);
        record
    }

    pub(super) fn group(list: List, group: u32) -> Record {
        Record { slot: group, list: list.pack(), since_and_shard: GROUP, ..Record::nothing() }
    }

    pub(super) fn nothing() -> Record {
        Record {
            since_and_shard: 0,
            slot: 0,
            generation: 0,
            list: 0,
            next: NONE,
            previous: NONE,
            options_and_identifier: 0,
        }
    }

    /// What it is wherever it hangs, as it was given by [`Record::what`].
    #[inline]
    pub(super) fn of(what: [u32; 5], list: u32, next: u32, previous: u32) -> Record {
        let [low, high, slot, generation, options_and_identifier] = what;
        let since_and_shard = u64::from(high) << 32 | u64::from(low);
        Record { since_and_shard, slot, generation, list, next, previous, options_and_identifier }
    }

    #[inline]
    pub(super) fn what(&self) -> [u32; 5] {
        let Record { since_and_shard, slot, generation, options_and_identifier, .. } = *self;
        [since_and_shard as u32, (since_and_shard >> 32) as u32, slot, generation, options_and_identifier]
    }

    /// Takes over options and identifier.
    pub(super) fn replace(&mut self, new: &NewEntry) {
        self.since_and_shard = self.since_and_shard & !STORED | if new.stored { STORED } else { 0 };
        let identifier = new.subscription_identifier.map_or(0, NonZeroU32::get);
        self.options_and_identifier = pack(new.options) | (identifier & IDENTIFIER);
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        if self.since_and_shard & GROUP == 0 { Kind::Plain } else { Kind::Group(self.slot) }
    }

    pub(super) fn list(&self) -> List {
        List::unpack(self.list)
    }

    #[inline]
    pub(super) fn session(&self) -> SessionRef {
        let shard = ShardId(self.since_and_shard as u16);
        SessionRef { shard, slot: self.slot, generation: self.generation }
    }

    pub(super) fn is_plain_of(&self, list: List, session: SessionRef) -> bool {
        self.kind() == Kind::Plain && self.list == list.pack() && self.session() == session
    }

    #[inline]
    pub(super) fn entry(&self) -> Entry {
        let options = self.options_and_identifier >> OPTIONS_SHIFT;
        Entry {
            session: self.session(),
            qos: QoS::from_bits(options as u8 & 3).unwrap_or_default(),
            no_local: options & NO_LOCAL != 0,
            retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
            subscription_identifier: NonZeroU32::new(self.options_and_identifier & IDENTIFIER),
            stored: self.since_and_shard & STORED != 0,
            since: self.since_and_shard >> SINCE_SHIFT,
        }
    }
}

fn pack(options: SubscriptionOptions) -> u32 {
    let SubscriptionOptions { qos, no_local, retain_as_published, retain_handling: _ } = options;
    let flags =
        if no_local { NO_LOCAL } else { 0 } | if retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
    (u32::from(qos as u8) | flags) << OPTIONS_SHIFT
}
