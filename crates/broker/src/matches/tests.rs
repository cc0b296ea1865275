//! Remembered answers against walks of the index, while subscriptions come and go.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};

use hexmq_topic::SubscriptionFilter;
use hexmq_wire::{QoS, SubscriptionOptions};
use proptest::prelude::*;

use super::{ADDRESSEES_MAX, MatchCache, Matches, Whose};
use crate::index::{Index, NewEntry};
use crate::{Addressee, Namespace, SessionRef, ShardId};

const HERE: ShardId = ShardId(0);
const THERE: ShardId = ShardId(1);

/// What a message would meet, whatever the order.
type Met = (
    Vec<(u32, Whose, QoS, u64, Vec<u32>)>,
    Vec<(ShardId, bool, Vec<Addressee>)>,
    Vec<(u64, Vec<SessionRef>)>,
);

fn met(matches: &Matches) -> Met {
    let receivers = matches.receivers.iter().map(|receiver| {
        let mut identifiers = receiver.subscription_identifiers.clone();
        identifiers.sort_unstable();
        (receiver.slot, receiver.whose, receiver.qos, receiver.since, identifiers)
    });
    let shards = matches.shards.iter().map(|elsewhere| {
        let mut addressees = matches.addressees(elsewhere).to_vec();
        // Whichever of its filters is first, one identifier is the same.
        addressees.sort_unstable_by_key(|addressee| addressee.slot);
        (elsewhere.shard, elsewhere.stored, addressees)
    });
    let mut groups: Vec<_> = matches
        .groups
        .iter()
        .map(|group| (group.id, group.members.iter().map(|member| member.entry.session).collect()))
        .collect();
    groups.sort();
    (receivers.collect(), shards.collect(), groups)
}

fn session(number: u32) -> SessionRef {
    SessionRef { shard: ShardId((number % 2) as u16), slot: number, generation: 0 }
}

fn subscribe(index: &Index, namespace: Namespace, filter: &str, number: u32, bits: u32) {
    let options = SubscriptionOptions {
        qos: QoS::from_bits(bits as u8 % 3).unwrap(),
        no_local: bits & 4 != 0 && !filter.starts_with("$share"),
        ..SubscriptionOptions::default()
    };
    let entry = NewEntry {
        session: session(number),
        options,
        subscription_identifier: std::num::NonZeroU32::new(bits >> 3),
        stored: bits & 8 != 0,
        room: None,
    };
    index.subscribe(namespace, SubscriptionFilter::parse(filter).unwrap(), entry);
}

fn unsubscribe(index: &Index, namespace: Namespace, filter: &str, number: u32) {
    index.unsubscribe(namespace, SubscriptionFilter::parse(filter).unwrap(), session(number));
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&["a", "b", "", "$x"][..]), 1..6)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("topics are not empty", |topic| !topic.is_empty())
}

/// A topic, with `+` in place of some levels and now and then `#` in place of the last ones.
fn filter() -> impl Strategy<Value = String> {
    (topic(), prop::bits::u8::masked(0b11111), 0..12_usize, 0..3_u8).prop_map(|(topic, wild, end, share)| {
        let plus = |(at, level)| if wild >> at & 3 == 3 { "+" } else { level };
        let mut levels: Vec<&str> = topic.split('/').enumerate().map(plus).collect();
        if end < levels.len() {
            levels.truncate(end);
            levels.push("#");
        }
        let share = if share == 0 { "$share/g/" } else { "" };
        format!("{share}{}", levels.join("/"))
    })
}

/// A filter that changes: of a session, with new options or, `None`, no more.
type Change = (u32, String, u32, Option<u32>);

fn change() -> impl Strategy<Value = Change> {
    (0..2_u32, filter(), prop_oneof![4 => 0..4_u32, 1 => 0..40_u32], prop::option::weighted(0.6, 0..32_u32))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_remembered_is_what_a_walk_finds(
        seed in any::<u64>(),
        topics in prop::collection::vec((0..2_u32, topic()), 1..8),
        steps in prop::collection::vec((prop::collection::vec(change(), 0..3), any::<prop::sample::Index>()), 1..150),
    ) {
        let index = Index::new(seed);
        let mut cache = MatchCache::new(HERE, seed);
        let mut known = Vec::new();
        for (changes, which) in steps {
            for (namespace, filter, number, bits) in changes {
                match bits {
                    Some(bits) => {
                        subscribe(&index, Namespace(namespace), &filter, number, bits);
                        known.push((namespace, filter, number));
                    }
                    // Most often one that there is.
                    None => {
                        let (namespace, filter, number) = known.pop().unwrap_or((namespace, filter, number));
                        unsubscribe(&index, Namespace(namespace), &filter, number);
                    }
                }
            }
            let (namespace, topic) = which.get(&topics);
            let walked = met(MatchCache::new(HERE, seed).look_up(&index, Namespace(*namespace), topic));
            let remembered = cache.look_up(&index, Namespace(*namespace), topic);
            prop_assert_eq!(met(remembered), walked, "{}", topic);
            prop_assert_eq!(remembered.generation, index.generation());
            let told = remembered.shards.first().map(|there| remembered.addressees(there).to_vec());
            let mut there = MatchCache::new(THERE, seed);
            let there = there.look_up(&index, Namespace(*namespace), topic);
            prop_assert_eq!(told.unwrap_or_default(), due(there), "{}", topic);
        }
    }
}

/// The receivers of a shard for messages of other shards, as they go along with those.
fn due(there: &Matches) -> Vec<Addressee> {
    let others = || there.receivers.iter().filter(|receiver| receiver.whose != Whose::Own);
    if others().count() > ADDRESSEES_MAX
        || others().any(|receiver| receiver.subscription_identifiers.len() > 1)
    {
        return Vec::new();
    }
    others()
        .map(|receiver| Addressee {
            slot: receiver.slot,
            generation: receiver.generation,
            qos: receiver.qos,
            retain_as_published: receiver.retain_as_published,
            subscription_identifier: receiver.subscription_identifiers.first().copied(),
        })
        .collect()
}

#[test]
fn only_a_filter_that_begins_as_the_topic_makes_an_answer_be_learned_anew() {
    let index = Index::new(7);
    let mut cache = MatchCache::new(HERE, 7);
    let topic = "fleet/1/device/command";
    subscribe(&index, Namespace::PLAIN, topic, 0, 0);
    let mut is_learned = |namespace: Namespace, filter: &str| {
        // The second message of a topic makes its answer worth keeping.
        for _ in 0..2 {
            cache.look_up(&index, Namespace::PLAIN, topic);
        }
        let walks = cache.walks();
        let mut changes = 0;
        for ends in [false, true] {
            match ends {
                false => subscribe(&index, namespace, filter, 2, 0),
                true => unsubscribe(&index, namespace, filter, 2),
            }
            cache.look_up(&index, Namespace::PLAIN, topic);
            changes += 1;
        }
        let learned = cache.walks() - walks;
        assert!(learned == 0 || learned == changes, "a beginning counts for both");
        learned > 0
    };
    for filter in ["fleet/1/other/command", "fleet/2/#", "fleets/+", "$share/g/fleet/1/devices/+", "$SYS/#"] {
        assert!(!is_learned(Namespace::PLAIN, filter), "{filter}");
    }
    assert!(!is_learned(Namespace(1), topic));
    for filter in [topic, "#", "+/1/device/command", "fleet/#", "$share/g/fleet/1/device/+", "fleet/+/other"]
    {
        assert!(is_learned(Namespace::PLAIN, filter), "{filter}");
    }
}

/// One thread changes subscriptions and tells so when each is done; others, which remember answers, must know by
/// then. What they are told is at most as old as what they look up.
#[test]
fn who_knows_that_a_subscription_changed_finds_it_changed() {
    const CHANGES: u32 = 20_000;
    const TOPICS: u32 = 3;
    let index = Index::new(7);
    let topics: Vec<String> = (0..TOPICS).map(|number| format!("fleet/{number}/state")).collect();
    // How many changes are done: each begins or ends one subscription, of one topic after the other.
    let done = AtomicU32::new(0);
    let is_there = |topic: u32, done: u32| (done + TOPICS - 1 - topic) / TOPICS % 2 == 1;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut cache = MatchCache::new(HERE, 7);
                let mut turn = 0;
                while done.load(Acquire) < CHANGES {
                    turn = (turn + 1) % TOPICS;
                    let topic = topics[turn as usize].as_str();
                    let before = done.load(Acquire);
                    let found = cache.look_up(&index, Namespace::PLAIN, topic);
                    let (found, generation) = (!found.receivers.is_empty(), found.generation);
                    let is_same = index.is_unchanged(generation, Namespace::PLAIN, topic);
                    let after = done.load(Acquire);
                    // One more change may have been made and not told yet.
                    let may_have_changed = (before..=after).any(|done| done % TOPICS == turn);
                    if !may_have_changed {
                        assert_eq!(found, is_there(turn, before), "{topic} after {before} changes");
                        assert!(is_same, "no other change matters");
                    }
                }
            });
        }
        for change in 0..CHANGES {
            let topic = topics[(change % TOPICS) as usize].as_str();
            match change / TOPICS % 2 {
                0 => subscribe(&index, Namespace::PLAIN, topic, 0, 0),
                _ => unsubscribe(&index, Namespace::PLAIN, topic, 0),
            }
            done.store(change + 1, Release);
        }
    });
}
