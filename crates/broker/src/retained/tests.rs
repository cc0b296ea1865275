//! The store against a sorted map that tries every topic.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use hexmq_session::Wall;
use hexmq_topic::{TopicFilter, TopicName};
use hexmq_wire::QoS;
use proptest::prelude::*;

use super::{Cursor, Progress, Retained, RetainedBounds, RetainedMessage, Stored};
use crate::ids::Namespace;

const PLAIN: Namespace = Namespace::PLAIN;
const UNBOUNDED: RetainedBounds =
    RetainedBounds { messages_max: usize::MAX, memory_bytes_max: usize::MAX, bytes_max: usize::MAX };

fn message<'a>(topic: &'a str, payload: &'a str) -> RetainedMessage<'a> {
    RetainedMessage {
        topic,
        qos: QoS::AtLeastOnce,
        properties: b"",
        payload: payload.as_bytes(),
        expires: None,
        publisher: 0,
        serial: None,
    }
}

/// Everything a filter matches, handed out in slices of `budget`.
fn collect(store: &Retained, namespace: Namespace, filter: &str, budget: usize, now: Wall) -> Vec<String> {
    let mut topics = Vec::new();
    let mut cursor = Cursor::default();
    let filter = TopicFilter::parse(filter).unwrap();
    while store.collect(namespace, filter, &mut cursor, budget, now, |found| {
        topics.push(found.topic.to_owned());
        ControlFlow::Continue(())
    }) == Progress::More
    {}
    topics
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
    let (filter, levels_of): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
    let hidden = topic.starts_with('$') && matches!(filter.first(), Some(&("+" | "#")));
    !hidden && levels(&filter, &levels_of)
}

#[test]
fn keeps_the_last_message_of_a_topic_whole() {
    let store = Retained::new(UNBOUNDED);
    assert_eq!(store.set(PLAIN, &message("a/b", "one")), Stored::New);
    let second = RetainedMessage {
        topic: "a/b",
        qos: QoS::ExactlyOnce,
        properties: &[1, 1],
        payload: b"two",
        expires: Some(Wall(9)),
        serial: None,
        publisher: 7,
    };
    assert_eq!(store.set(PLAIN, &second), Stored::Replaced);
    let shown = store.get(PLAIN, "a/b", Wall(8), |found| {
        (found.topic.to_owned(), found.qos, found.properties.to_vec(), found.payload.to_vec(), found.expires)
    });
    assert_eq!(shown, Some(("a/b".into(), QoS::ExactlyOnce, vec![1, 1], b"two".to_vec(), Some(Wall(9)))));
    assert_eq!(store.get(PLAIN, "a/b", Wall(9), |_| ()), None, "expired");
    assert_eq!(store.get(Namespace(1), "a/b", Wall(8), |_| ()), None, "another namespace");
    assert_eq!((store.len(), store.bytes()), (1, 3 + 2 + 3));
}

/// [V4 MQTT-3.3.1-10, V5 MQTT-3.3.1-6]
#[test]
fn an_empty_payload_clears() {
    let store = Retained::new(UNBOUNDED);
    store.set(PLAIN, &message("a", "x"));
    assert_eq!(store.set(PLAIN, &message("a", "")), Stored::Replaced);
    assert_eq!(store.set(PLAIN, &message("a", "")), Stored::New);
    assert!(store.is_empty());
    store.set(PLAIN, &message("a", "x"));
    assert!(store.clear(PLAIN, TopicName::parse("a").unwrap()));
    assert!(!store.clear(PLAIN, TopicName::parse("a").unwrap()));
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

#[test]
fn bounds_refuse_and_leave_what_is_there() {
    let store =
        Retained::new(RetainedBounds { messages_max: 2, memory_bytes_max: usize::MAX, bytes_max: 10 });
    assert_eq!(store.set(PLAIN, &message("a", "1234")), Stored::New);
    assert_eq!(store.set(PLAIN, &message("b", "12345")), Stored::TooLarge);
    assert_eq!(store.set(PLAIN, &message("b", "1234")), Stored::New);
    assert_eq!(store.set(PLAIN, &message("c", "")), Stored::New, "clearing is always allowed");
    assert_eq!(store.set(PLAIN, &message("a", "12345")), Stored::TooLarge);
    assert_eq!(store.set(PLAIN, &message("a", "1")), Stored::Replaced);
    assert_eq!(store.set(PLAIN, &message("c", "1")), Stored::TooMany);
    assert_eq!(store.get(PLAIN, "b", Wall(0), |found| found.payload.to_vec()), Some(b"1234".to_vec()));
    assert_eq!(store.bytes(), 2 + 5);
}

/// [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
#[test]
fn topics_come_level_by_level_and_dollar_topics_only_by_name() {
    let store = Retained::new(UNBOUNDED);
    for topic in ["a", "a/b", "a/", "a!", "a b", "$SYS/x", "/", "a/b/c", "%"] {
        store.set(PLAIN, &message(topic, "x"));
    }
    let all = |filter| collect(&store, PLAIN, filter, 1, Wall(0));
    assert_eq!(all("#"), ["/", "%", "a", "a/", "a/b", "a/b/c", "a b", "a!"]);
    assert_eq!(all("a/#"), ["a", "a/", "a/b", "a/b/c"]);
    assert_eq!(all("+"), ["%", "a", "a b", "a!"]);
    assert_eq!(all("+/+"), ["/", "a/", "a/b"]);
    assert_eq!(all("$SYS/#"), ["$SYS/x"]);
    assert_eq!(all("$SYS/+"), ["$SYS/x"]);
}

#[test]
fn a_walk_over_siblings_looks_at_few_of_those_below_them() {
    let store = Retained::new(UNBOUNDED);
    for device in 0..20 {
        for reading in 0..500 {
            store.set(PLAIN, &message(&format!("d/{device}/r/{reading}"), "x"));
        }
        store.set(PLAIN, &message(&format!("d/{device}/state"), "x"));
    }
    let filter = TopicFilter::parse("d/+/state").unwrap();
    let mut count = 0;
    let mut cursor = Cursor::default();
    let progress = store.collect(PLAIN, filter, &mut cursor, 20 * 16, Wall(0), |_| {
        count += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((progress, count), (Progress::Done, 20));
}

#[test]
fn a_slice_never_looks_at_more_than_its_budget() {
    let store = Retained::new(UNBOUNDED);
    for number in 0..1000 {
        store.set(PLAIN, &message(&format!("a/{number}/b"), "x"));
    }
    let mut cursor = Cursor::default();
    let mut slices = 0;
    while store.collect(PLAIN, TopicFilter::parse("a/+/c").unwrap(), &mut cursor, 10, Wall(0), |_| {
        panic!("nothing matches")
    }) == Progress::More
    {
        slices += 1;
    }
    assert!(slices >= 99, "1000 topics took {slices} slices of ten");
}

#[test]
fn a_visitor_that_breaks_gets_the_same_message_again() {
    let store = Retained::new(UNBOUNDED);
    for topic in ["a", "b", "c"] {
        store.set(PLAIN, &message(topic, "x"));
    }
    let mut cursor = Cursor::default();
    let mut seen = Vec::new();
    for room in [1, 0, 0, 2] {
        let mut room = room;
        store.collect(PLAIN, TopicFilter::parse("#").unwrap(), &mut cursor, 100, Wall(0), |found| {
            if room == 0 {
                return ControlFlow::Break(());
            }
            room -= 1;
            seen.push(found.topic.to_owned());
            ControlFlow::Continue(())
        });
    }
    assert_eq!(seen, ["a", "b", "c"]);
}

/// [V5 MQTT-3.3.2-5]
#[test]
fn expired_messages_are_not_handed_out_and_are_swept() {
    let store = Retained::new(UNBOUNDED);
    for number in 0..100_u64 {
        let topic = format!("{number}");
        store.set(
            PLAIN,
            &RetainedMessage { expires: (number % 2 == 0).then_some(Wall(number)), ..message(&topic, "x") },
        );
    }
    assert_eq!(collect(&store, PLAIN, "#", 7, Wall(50)).len(), 50 + 24);
    let swept: usize = (0..11).map(|_| store.sweep(Wall(50), 10)).sum();
    assert_eq!((swept, store.len()), (26, 74));
    (0..20).for_each(|_| _ = store.sweep(Wall(1000), 10));
    assert_eq!(store.len(), 50);
    assert_eq!(store.sweep(Wall(1000), 10), 0);
}

#[derive(Clone, Debug)]
enum Change {
    Set { namespace: u32, topic: String, payload: u8, expires: Option<u64> },
    Clear { namespace: u32, topic: String },
    Sweep { budget: usize },
    Wait { ms: u64 },
}

fn levels(pool: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pool), 1..5).prop_map(|levels| levels.join("/"))
}

fn topic() -> impl Strategy<Value = String> {
    levels(&["a", "b", "", "a!", "$x", "\u{1}", "ü", "zz"])
        .prop_filter("topics are not empty", |topic| !topic.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    (levels(&["a", "b", "", "+", "+", "$x", "a!", "\u{1}"]), 0..3_u8).prop_map(|(filter, end)| match end {
        0 => format!("{filter}/#"),
        1 if filter.len() < 3 => "#".to_owned(),
        _ if filter.is_empty() => "+".to_owned(),
        _ => filter,
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..2_u32, topic(), 1..9_u8, prop::option::of(0..60_u64)).prop_map(|(namespace, topic, payload, expires)| {
            Change::Set { namespace, topic, payload, expires }
        }),
        2 => (0..2_u32, topic()).prop_map(|(namespace, topic)| Change::Clear { namespace, topic }),
        1 => (1..20_usize).prop_map(|budget| Change::Sweep { budget }),
        1 => (1..20_u64).prop_map(|ms| Change::Wait { ms }),
    ]
}

#[derive(Default)]
struct Model {
    topics: BTreeMap<(Namespace, String), (u8, Option<u64>)>,
    now: u64,
}

impl Model {
    fn apply(&mut self, store: &Retained, change: &Change) {
        match change {
            Change::Set { namespace, topic, payload, expires } => {
                let expires = expires.map(|after| self.now + after);
                let payload = &[*payload][..];
                let namespace = Namespace(*namespace);
                store.set(
                    namespace,
                    &RetainedMessage { topic, payload, expires: expires.map(Wall), ..message("", "") },
                );
                self.topics.insert((namespace, topic.clone()), (payload[0], expires));
            }
            Change::Clear { namespace, topic } => {
                store.clear(Namespace(*namespace), TopicName::parse(topic).unwrap());
                self.topics.remove(&(Namespace(*namespace), topic.clone()));
            }
            Change::Sweep { budget } => _ = store.sweep(Wall(self.now), *budget),
            Change::Wait { ms } => self.now += ms,
        }
    }

    fn matching(&self, namespace: Namespace, filter: &str) -> BTreeSet<String> {
        let alive = |expires: Option<u64>| expires.is_none_or(|at| at > self.now);
        let of_namespace =
            self.topics.iter().filter(|((at, _), (_, expires))| *at == namespace && alive(*expires));
        of_namespace.map(|((_, topic), _)| topic.clone()).filter(|topic| naive(filter, topic)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn agrees_with_a_map(
        changes in prop::collection::vec(change(), 1..120),
        filters in prop::collection::vec(filter(), 1..12),
        budget in 1..20_usize,
    ) {
        let store = Retained::new(UNBOUNDED);
        let mut model = Model::default();
        changes.iter().for_each(|change| model.apply(&store, change));
        for filter in &filters {
            let found = collect(&store, PLAIN, filter, budget, Wall(model.now));
            let topics: BTreeSet<String> = found.iter().cloned().collect();
            prop_assert_eq!(topics.len(), found.len(), "each once");
            prop_assert_eq!(&topics, &model.matching(PLAIN, filter), "{}", filter);
        }
        for ((namespace, topic), (payload, expires)) in &model.topics {
            let shown = store.get(*namespace, topic, Wall(model.now), |found| found.payload.to_vec());
            prop_assert_eq!(shown, expires.is_none_or(|at| at > model.now).then(|| vec![*payload]));
        }
    }

    #[test]
    fn a_walk_while_the_map_changes_misses_none_that_stays_and_repeats_none(
        before in prop::collection::vec(change(), 1..80),
        during in prop::collection::vec(change(), 1..80),
        filter in filter(),
        budget in 1..5_usize,
    ) {
        let store = Retained::new(UNBOUNDED);
        let mut model = Model::default();
        before.iter().for_each(|change| model.apply(&store, change));
        let mut staying = model.matching(PLAIN, &filter);
        let mut during = during.iter();
        let mut cursor = Cursor::default();
        let mut found = Vec::new();
        loop {
            let progress = store.collect(PLAIN, TopicFilter::parse(&filter).unwrap(), &mut cursor, budget, Wall(model.now), |message| {
                found.push(message.topic.to_owned());
                ControlFlow::Continue(())
            });
            if progress == Progress::Done {
                break;
            }
            if let Some(change) = during.next() {
                model.apply(&store, change);
                let now = model.matching(PLAIN, &filter);
                staying.retain(|topic| now.contains(topic));
            }
        }
        let topics: BTreeSet<String> = found.iter().cloned().collect();
        prop_assert_eq!(topics.len(), found.len(), "none twice");
        prop_assert!(staying.is_subset(&topics), "missed {:?}", staying.difference(&topics));
        prop_assert!(topics.iter().all(|topic| naive(&filter, topic)));
    }
}
