//! A shared subscription: a ShareName and a filter with the sessions that divide its messages
//! among them (5.0 section 4.8.2).

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use hexmq_wire::SubscriptionOptions;

use super::{Entry, NewEntry, Subscribed};
use crate::ids::SessionRef;
use crate::room::Room;

/// A shared subscription.
#[derive(Debug)]
pub struct Group {
    /// Its number, made of its namespace and its names: never 0, and the same after a restart.
    pub id: u64,
    /// Its ShareName.
    pub share_name: Box<str>,
    /// Its topic filter, without `$share/` and the ShareName.
    pub filter: Box<str>,
    /// Those who share it; at least one. The order changes when one leaves.
    pub members: Vec<Member>,
    /// Places in `members` by session, so that large groups join and leave in constant time.
    places: HashTable<u32>,
}

/// One session of a shared subscription.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its subscription, with options and identifier of its own.
    pub entry: Entry,
    /// Whether the session can take a message, shown by its shard.
    pub room: Room,
}

impl Group {
    pub(super) fn new(id: u64, share_name: &str, filter: &str) -> Group {
        Group {
            id,
            share_name: share_name.into(),
            filter: filter.into(),
            members: Vec::new(),
            places: HashTable::new(),
        }
    }

    pub(super) fn subscribe(&mut self, new: NewEntry, since: u64, hasher: &FixedState) -> Subscribed {
        let NewEntry { session, options, subscription_identifier, stored, room } = new;
        let room = room.unwrap_or_default();
        let SubscriptionOptions { qos, no_local, retain_as_published, retain_handling: _ } = options;
        let entry =
            Entry { session, qos, no_local, retain_as_published, subscription_identifier, stored, since };
        if let Some(member) = self.place(session, hasher).and_then(|place| self.members.get_mut(place)) {
            let since = member.entry.since;
            *member = Member { entry: Entry { since, ..entry }, room };
            return Subscribed::Replaced;
        }
        let place = self.members.len() as u32;
        self.members.push(Member { entry, room });
        let members = &self.members;
        self.places.insert_unique(hasher.hash_one(session), place, |&place| hash_of(members, place, hasher));
        Subscribed::New
    }

    pub(super) fn unsubscribe(&mut self, session: SessionRef, hasher: &FixedState) -> bool {
        let Some(place) = self.place(session, hasher) else { return false };
        self.forget(session, place, hasher);
        let last = self.members.len() - 1;
        if let Some(moved) =
            self.members.get(last).map(|member| member.entry.session).filter(|_| place != last)
        {
            // The last member moves into the gap.
            if let Ok(found) = self.places.find_entry(hasher.hash_one(moved), |&at| at as usize == last) {
                *found.into_mut() = place as u32;
            }
        }
        self.members.swap_remove(place);
        true
    }

    fn place(&self, session: SessionRef, hasher: &FixedState) -> Option<usize> {
        let is_it = |&place: &u32| {
            self.members.get(place as usize).is_some_and(|member| member.entry.session == session)
        };
        self.places.find(hasher.hash_one(session), is_it).map(|&place| place as usize)
    }

    fn forget(&mut self, session: SessionRef, place: usize, hasher: &FixedState) {
        if let Ok(found) = self.places.find_entry(hasher.hash_one(session), |&at| at as usize == place) {
            found.remove();
        }
    }
}

fn hash_of(members: &[Member], place: u32, hasher: &FixedState) -> u64 {
    members.get(place as usize).map_or(0, |member| hasher.hash_one(member.entry.session))
}
