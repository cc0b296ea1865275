//! The index against a list of subscriptions and a matcher that compares level by level.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hexmq_topic::{SubscriptionFilter, TopicName};
use hexmq_wire::{QoS, RetainHandling, SubscriptionOptions};
use proptest::prelude::*;

use super::{Entry, Foreseen, Index, IndexCensus, Match, NewEntry, Subscribed};
use crate::ids::{Namespace, SessionRef, ShardId};

/// What a match visited: the ShareName of the group if it is shared, and the entry.
type Found = Vec<(Option<String>, Entry)>;
/// Every subscription there is, as a plain list.
type Model = BTreeMap<(Namespace, String, SessionRef), Entry>;

fn session(number: u32) -> SessionRef {
    let shard = ShardId([0, 1, u16::MAX][number as usize % 3]);
    SessionRef { shard, slot: number, generation: number / 2 }
}

fn options(bits: u8) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: QoS::from_bits(bits % 3).unwrap(),
        no_local: bits & 8 != 0,
        retain_as_published: bits & 16 != 0,
        retain_handling: [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]
            [usize::from(bits >> 5) % 3],
    }
}

fn found(index: &Index, namespace: Namespace, topic: &str) -> Found {
    let mut found = Found::new();
    // What follows a topic is foreseen with it, and whatever a stranger sent as one.
    let strange: [&[u8]; 20] = [
        b"",
        b"/",
        b"a/+/#",
        b"\xFF/b",
        b"a",
        b"b",
        b"a/b/a/b/a",
        b"//",
        b"$x",
        b"+",
        b"a/a",
        b"a/b",
        b"a/a/a",
        b"b/b/",
        b"#",
        b"\0",
        b"a/$x",
        b"b/a",
        b"/a",
        b"//a",
    ];
    let mut topics = vec![topic.as_bytes(); 2];
    topics.extend(strange);
    let mut foreseen = Foreseen::default();
    index.look_ahead(namespace, &topics, &mut foreseen);
    let topic = TopicName::parse(topic).unwrap();
    let mut walked = Found::new();
    index.matches(namespace, topic, &mut |matched| collect(&mut walked, matched));
    let generation = index.matches_foreseen(namespace, topic.as_str(), &mut foreseen, &mut |matched| {
        collect(&mut found, matched)
    });
    // Alone it has place for all that is found on the way.
    index.look_ahead(namespace, &[topic.as_str().as_bytes()], &mut foreseen);
    let mut alone = Found::new();
    index.matches_foreseen(namespace, topic.as_str(), &mut foreseen, &mut |matched| {
        collect(&mut alone, matched)
    });
    alone.sort_by_key(|(share_name, entry)| (share_name.clone(), entry.session, entry.since));
    walked.sort_by_key(|(share_name, entry)| (share_name.clone(), entry.session, entry.since));
    assert_eq!(generation, index.generation());
    found.sort_by_key(|(share_name, entry)| (share_name.clone(), entry.session, entry.since));
    assert_eq!(found, walked, "what is foreseen is what a walk finds");
    assert_eq!(alone, walked, "what is foreseen is what a walk finds");
    found
}

fn collect(found: &mut Found, matched: Match<'_>) {
    match matched {
        Match::Plain(entry) => found.push((None, *entry)),
        Match::Shared(group) => {
            assert!(!group.members.is_empty(), "a group without members is freed");
            found.extend(
                group.members.iter().map(|member| (Some(group.share_name.to_string()), member.entry)),
            );
        }
    }
}

/// What was foreseen is forgotten with the next change of the index.
#[test]
fn what_was_foreseen_is_true_for_one_generation() {
    let index = Index::new(7);
    let subscribe = |slot, filter| {
        let new = NewEntry {
            session: SessionRef { shard: ShardId(0), slot, generation: 0 },
            options: SubscriptionOptions::default(),
            subscription_identifier: None,
            stored: false,
            room: None,
        };
        index.subscribe(Namespace::PLAIN, SubscriptionFilter::parse(filter).unwrap(), new);
    };
    subscribe(1, "a/b");
    let mut foreseen = Foreseen::default();
    // Once for each time it is asked for.
    index.look_ahead(Namespace::PLAIN, &[&b"a/b"[..]; 3], &mut foreseen);
    let count = |foreseen: &mut Foreseen| {
        let mut count = 0;
        index.matches_foreseen(Namespace::PLAIN, "a/b", foreseen, &mut |_| count += 1);
        count
    };
    assert_eq!(count(&mut foreseen), 1);
    subscribe(2, "a/+");
    assert_eq!(count(&mut foreseen), 2, "younger subscriptions are found");
    let own = SessionRef { shard: ShardId(0), slot: 1, generation: 0 };
    index.unsubscribe(Namespace::PLAIN, SubscriptionFilter::parse("a/b").unwrap(), own);
    assert_eq!(count(&mut foreseen), 1, "and ended ones are not");
    assert_eq!(count(&mut Foreseen::default()), 1);
    index.look_ahead(Namespace::PLAIN, &[b"a/b"], &mut foreseen);
    subscribe(1, "a/b");
    index.look_ahead(Namespace::PLAIN, &[b"a/c"], &mut foreseen);
    assert_eq!(count(&mut foreseen), 2, "nor is the topic that was looked at before");
}

/// The last topic that was looked at is the next one to be received when others are looked at.
#[test]
fn the_last_topic_stays_foreseen() {
    let index = Index::new(7);
    let filters = ["a/b", "a/#", "+/b", "#"];
    filters.iter().zip(0..).for_each(|(filter, number)| _ = subscribe(&index, filter, number));
    let mut foreseen = Foreseen::default();
    index.look_ahead(Namespace::PLAIN, &[b"b", b"a/b"], &mut foreseen);
    index.look_ahead(Namespace::PLAIN, &[b"c", b"d"], &mut foreseen);
    let generation = index.generation();
    let mut lists = |topic: &[u8]| foreseen.lists_of(generation, Namespace::PLAIN, topic).map(<[u32]>::len);
    assert_eq!(lists(b"a/b"), Some(filters.len()));
    assert_eq!(lists(b"c"), Some(1));
    assert_eq!(lists(b"b"), None);
    assert_eq!(lists(b"d"), Some(1));
    index.look_ahead(Namespace(1), &[b"a"], &mut foreseen);
    assert_eq!(foreseen.lists_of(generation, Namespace(1), b"d"), None, "it was another namespace's");
}

fn expected(model: &Model, namespace: Namespace, topic: &str) -> Found {
    let mut found = Found::new();
    for ((at, filter, _), entry) in model {
        let (share_name, filter) = match filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'))
        {
            Some((share_name, filter)) => (Some(share_name.to_owned()), filter),
            None => (None, filter.as_str()),
        };
        if *at == namespace && naive(filter, topic) {
            found.push((share_name, *entry));
        }
    }
    found.sort_by_key(|(share_name, entry)| (share_name.clone(), entry.session, entry.since));
    found
}

fn naive(filter: &str, topic: &str) -> bool {
    fn levels(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => levels(filter, topic),
            ([a, filter @ ..], [b, topic @ ..]) => a == b && levels(filter, topic),
            _ => false,
        }
    }
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (filter, topic): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
    levels(&filter, &topic)
}

fn subscribe(index: &Index, filter: &str, number: u32) -> Subscribed {
    let entry = NewEntry {
        session: session(number),
        options: options(1),
        subscription_identifier: None,
        stored: false,
        room: None,
    };
    index.subscribe(Namespace::PLAIN, SubscriptionFilter::parse(filter).unwrap(), entry)
}

fn unsubscribe(index: &Index, filter: &str, number: u32) -> bool {
    index.unsubscribe(Namespace::PLAIN, SubscriptionFilter::parse(filter).unwrap(), session(number))
}

fn matched(index: &Index, topic: &str) -> Vec<u32> {
    let mut slots: Vec<u32> =
        found(index, Namespace::PLAIN, topic).iter().map(|(_, entry)| entry.session.slot).collect();
    slots.sort_unstable();
    slots
}

/// [V4 MQTT-4.7.1-2, V5 MQTT-4.7.1-1] [V4 MQTT-4.7.1-3, V5 MQTT-4.7.1-2]
#[test]
fn wildcards_match_as_the_standard_shows() {
    let index = Index::new(1);
    for (number, filter) in
        ["sport/tennis/player1/#", "sport/#", "#", "+", "+/+", "/+", "sport/+", "+/tennis/#"]
            .iter()
            .enumerate()
    {
        subscribe(&index, filter, number as u32);
    }
    assert_eq!(matched(&index, "sport/tennis/player1"), [0, 1, 2, 7]);
    assert_eq!(matched(&index, "sport/tennis/player1/ranking"), [0, 1, 2, 7]);
    assert_eq!(matched(&index, "sport"), [1, 2, 3]);
    assert_eq!(matched(&index, "sport/"), [1, 2, 4, 6]);
    assert_eq!(matched(&index, "/finance"), [2, 4, 5]);
    assert_eq!(matched(&index, "/"), [2, 4, 5]);
}

/// [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
#[test]
fn a_leading_wildcard_does_not_see_dollar_topics() {
    let index = Index::new(1);
    for (number, filter) in
        ["#", "+/monitor/Clients", "$SYS/#", "$SYS/monitor/+", "a/+", "a/#"].iter().enumerate()
    {
        subscribe(&index, filter, number as u32);
    }
    assert_eq!(matched(&index, "$SYS/monitor/Clients"), [2, 3]);
    assert_eq!(matched(&index, "$SYS"), [2]);
    assert_eq!(matched(&index, "a/$x"), [0, 4, 5], "a dollar further on is a letter like any other");
}

/// [V4 MQTT-3.8.4-3, V5 MQTT-3.8.4-3]
#[test]
fn the_same_filter_replaces_and_keeps_its_beginning() {
    let index = Index::new(1);
    assert_eq!(subscribe(&index, "a/b", 1), Subscribed::New);
    let since = found(&index, Namespace::PLAIN, "a/b")[0].1.since;
    let before = index.generation();
    let entry = NewEntry {
        session: session(1),
        options: options(2),
        subscription_identifier: NonZeroU32::new(7),
        stored: false,
        room: None,
    };
    assert_eq!(
        index.subscribe(Namespace::PLAIN, SubscriptionFilter::parse("a/b").unwrap(), entry),
        Subscribed::Replaced
    );
    assert!(index.generation() > before, "new options are seen by those who remember a match");
    let found = found(&index, Namespace::PLAIN, "a/b");
    assert_eq!(found.len(), 1);
    let entry = found[0].1;
    assert_eq!(
        (entry.qos, entry.subscription_identifier, entry.since),
        (options(2).qos, NonZeroU32::new(7), since)
    );
}

/// [V5 MQTT-4.8.2-1]
#[test]
fn a_shared_subscription_is_one_match_with_all_its_members() {
    let index = Index::new(1);
    for number in 0..100 {
        assert_eq!(subscribe(&index, "$share/g/a/+", number), Subscribed::New);
    }
    subscribe(&index, "$share/h/a/+", 1);
    subscribe(&index, "a/+", 1);
    let mut groups = Vec::new();
    let mut plain = 0;
    index.matches(Namespace::PLAIN, TopicName::parse("a/b").unwrap(), &mut |matched| match matched {
        Match::Shared(group) => {
            groups.push((group.share_name.to_string(), group.filter.to_string(), group.members.len()))
        }
        Match::Plain(_) => plain += 1,
    });
    groups.sort();
    assert_eq!(groups, [("g".into(), "a/+".into(), 100), ("h".into(), "a/+".into(), 1)]);
    assert_eq!(plain, 1);
    for number in (0..100).rev() {
        assert!(unsubscribe(&index, "$share/g/a/+", number));
        assert!(!unsubscribe(&index, "$share/g/a/+", number));
    }
    assert_eq!(index.census().groups, 1);
    assert_eq!(index.len(), 2);
}

#[test]
fn the_only_subscription_of_a_level_takes_no_cell_of_its_own() {
    let index = Index::new(1);
    let more_than_nodes = || {
        let tree = index.read();
        tree.cells.len() - tree.census().nodes
    };
    subscribe(&index, "a/b", 1);
    subscribe(&index, "c/#", 1);
    subscribe(&index, "$share/g/d/+", 1);
    assert_eq!(more_than_nodes(), 0);
    subscribe(&index, "a/b", 2);
    assert_eq!(more_than_nodes(), 2, "each of two has its own");
    subscribe(&index, "c/e", 1);
    assert_eq!(more_than_nodes(), 3, "as has one above others");
    for (filter, number) in [("a/b", 1), ("a/b", 2), ("c/#", 1), ("c/e", 1), ("$share/g/d/+", 1)] {
        assert!(unsubscribe(&index, filter, number), "{filter} of {number}");
    }
    assert_eq!(index.read().cells.len(), 0);
}

#[test]
fn a_topic_and_a_filter_of_very_many_levels_are_walked_in_a_loop() {
    let index = Index::new(1);
    let deep = "a/".repeat(32_000);
    subscribe(&index, &deep, 1);
    subscribe(&index, &format!("{}#", "+/".repeat(32_000)), 2);
    assert_eq!(matched(&index, &deep), [1, 2]);
    assert!(unsubscribe(&index, &deep, 1));
    assert!(unsubscribe(&index, &format!("{}#", "+/".repeat(32_000)), 2));
    assert_eq!(index.census(), IndexCensus::default());
}

#[derive(Clone, Debug)]
enum Change {
    Subscribe { namespace: u32, filter: String, session: u32, options: u8, identifier: u32 },
    Unsubscribe { namespace: u32, filter: String, session: u32 },
    Match { namespace: u32, topic: String },
}

fn levels(pool: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pool), 1..5).prop_map(|levels| levels.join("/"))
}

fn topic() -> impl Strategy<Value = String> {
    levels(&["a", "b", "", "$x", "a level longer than eighteen bytes"])
        .prop_filter("topics are not empty", |topic| !topic.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let plain = (levels(&["a", "b", "", "+", "+", "$x", "a level longer than eighteen bytes"]), 0..3_u8)
        .prop_map(|(filter, end)| match end {
            0 => format!("{filter}/#"),
            1 if filter.len() < 3 => "#".to_owned(),
            _ if filter.is_empty() => "+".to_owned(),
            _ => filter,
        });
    (plain, 0..4_u8).prop_map(|(filter, share)| match share {
        0 => format!("$share/g/{filter}"),
        1 => format!("$share/h/{filter}"),
        _ => filter,
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..2_u32, filter(), 0..5_u32, any::<u8>(), 0..3_u32).prop_map(|(namespace, filter, session, options, identifier)| {
            Change::Subscribe { namespace, filter, session, options, identifier }
        }),
        3 => (0..2_u32, filter(), 0..5_u32).prop_map(|(namespace, filter, session)| Change::Unsubscribe { namespace, filter, session }),
        3 => (0..2_u32, topic()).prop_map(|(namespace, topic)| Change::Match { namespace, topic }),
    ]
}

fn apply(index: &Index, model: &mut Model, change: Change) {
    match change {
        Change::Subscribe { namespace, filter, session: number, options: bits, identifier } => {
            let namespace = Namespace(namespace);
            let subscription_identifier = NonZeroU32::new([0, 1, 268_435_455][identifier as usize]);
            let (options, stored) = (options(bits), bits & 64 != 0);
            let new =
                NewEntry { session: session(number), options, subscription_identifier, stored, room: None };
            let done = index.subscribe(namespace, SubscriptionFilter::parse(&filter).unwrap(), new);
            let entry = Entry {
                session: session(number),
                qos: options.qos,
                no_local: options.no_local,
                retain_as_published: options.retain_as_published,
                subscription_identifier,
                stored,
                since: index.generation(),
            };
            let known = model.entry((namespace, filter, session(number)));
            let was = matches!(known, std::collections::btree_map::Entry::Occupied(_));
            known.and_modify(|old| *old = Entry { since: old.since, ..entry }).or_insert(entry);
            assert_eq!(done == Subscribed::Replaced, was);
        }
        Change::Unsubscribe { namespace, filter, session: number } => {
            let before = index.generation();
            let had = index.unsubscribe(
                Namespace(namespace),
                SubscriptionFilter::parse(&filter).unwrap(),
                session(number),
            );
            assert_eq!(had, model.remove(&(Namespace(namespace), filter, session(number))).is_some());
            assert_eq!(had, index.generation() > before);
        }
        Change::Match { namespace, topic } => {
            assert_eq!(
                found(index, Namespace(namespace), &topic),
                expected(model, Namespace(namespace), &topic),
                "{topic}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn agrees_with_a_list_and_leaves_nothing_behind(
        seed in any::<u64>(),
        changes in prop::collection::vec(change(), 1..200),
        last in prop::collection::vec(topic(), 8),
    ) {
        let index = Index::new(seed);
        let mut model = Model::new();
        for change in changes {
            apply(&index, &mut model, change);
            prop_assert_eq!(index.len(), model.len());
        }
        for topic in last {
            prop_assert_eq!(found(&index, Namespace(0), &topic), expected(&model, Namespace(0), &topic));
        }
        for (namespace, filter, session) in model.keys() {
            prop_assert!(index.unsubscribe(*namespace, SubscriptionFilter::parse(filter).unwrap(), *session));
        }
        prop_assert_eq!(index.census(), IndexCensus::default());
    }
}
