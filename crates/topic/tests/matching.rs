//! Matching, parsing and shared subscriptions.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

use hexmq_topic::{SubscriptionFilter, TopicErrorKind, TopicFilter, TopicName};
use proptest::prelude::*;

/// Section 4.7 word by word, level by level.
fn naive(filter: &[&str], name: &[&str]) -> bool {
    match (filter.split_first(), name.split_first()) {
        (Some((&"#", _)), _) => true,
        (Some((&"+", filter)), Some((_, name))) => naive(filter, name),
        (Some((level, filter)), Some((name_level, name))) => level == name_level && naive(filter, name),
        (None, None) => true,
        _ => false,
    }
}

fn matches(filter: &str, name: &str) -> bool {
    TopicFilter::parse(filter).unwrap().matches(TopicName::parse(name).unwrap())
}

/// The examples of section 4.7. [V4 MQTT-4.7.1-2, V4 MQTT-4.7.1-3, V5 MQTT-4.7.1-1, V5 MQTT-4.7.1-2]
#[test]
fn examples_of_the_standard() {
    let player = "sport/tennis/player1";
    for name in [player, "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"] {
        assert!(matches("sport/tennis/player1/#", name));
    }
    assert!(matches("sport/#", "sport"));
    assert!(matches("#", "a/b/c"));
    assert!(matches("sport/tennis/+", player));
    assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    assert!(!matches("sport/+", "sport"));
    assert!(matches("sport/+", "sport/"));
    assert!(matches("+/+", "/finance"));
    assert!(matches("/+", "/finance"));
    assert!(!matches("+", "/finance"));
    assert!(matches("+/tennis/#", "sport/tennis"));
    assert!(!matches("a/#", "ab"));
}

/// [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
#[test]
fn a_leading_wildcard_does_not_match_dollar() {
    assert!(!matches("#", "$SYS/x"));
    assert!(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    assert!(matches("$SYS/#", "$SYS/x"));
    assert!(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    assert!(matches("a/#", "a/$b"));
}

/// [V4 MQTT-4.7.3-4, V5 MQTT-4.7.3-4]
#[test]
fn characters_are_compared_as_they_are() {
    assert!(!matches("ACCOUNTS", "Accounts"));
    assert!(!matches("/finance", "finance"));
    assert!(!matches("caf\u{e9}", "cafe\u{301}"));
    assert!(!matches("a", "\u{feff}a"));
    assert!(matches("Accounts payable", "Accounts payable"));
}

/// [V4 MQTT-4.7.3-1, V4 MQTT-4.7.3-2, V4 MQTT-4.7.3-3, V5 MQTT-4.7.3-1, V5 MQTT-4.7.3-2, V5 MQTT-4.7.3-3]
#[test]
fn names_and_filters_have_a_length_and_no_nul() {
    let long = "a".repeat(65_536);
    for (text, kind, offset) in [
        ("", TopicErrorKind::Empty, 0),
        ("a\0b", TopicErrorKind::Nul, 1),
        (&long, TopicErrorKind::TooLong, 65_535),
    ] {
        let name = TopicName::parse(text).unwrap_err();
        let filter = TopicFilter::parse(text).unwrap_err();
        assert_eq!((name.kind, name.offset), (kind, offset));
        assert_eq!(name, filter);
    }
    assert!(TopicName::parse(&long[1..]).is_ok());
}

/// [V4 MQTT-4.7.1-1, V5 MQTT-4.7.0-1]
#[test]
fn names_have_no_wildcards() {
    for (name, offset) in [("a/+", 2), ("#", 0), ("a#", 1)] {
        let error = TopicName::parse(name).unwrap_err();
        assert_eq!((error.kind, error.offset), (TopicErrorKind::WildcardInName, offset));
        assert_eq!(error.statement(false), Some("MQTT-4.7.1-1"));
        assert_eq!(error.statement(true), Some("MQTT-4.7.0-1"));
    }
}

/// [V4 MQTT-4.7.1-2, V4 MQTT-4.7.1-3, V5 MQTT-4.7.1-1, V5 MQTT-4.7.1-2]
#[test]
fn wildcards_stand_where_they_may() {
    for filter in ["#", "+", "+/+", "/+", "/#", "a/+/b", "+/a/#", "//", "$SYS/#"] {
        assert!(TopicFilter::parse(filter).is_ok(), "{filter}");
    }
    for (filter, kind, offset) in [
        ("sport/tennis#", TopicErrorKind::WildcardNotAlone, 12),
        ("sport/tennis/#/ranking", TopicErrorKind::HashNotLast, 13),
        ("##", TopicErrorKind::HashNotLast, 0),
        ("sport+", TopicErrorKind::WildcardNotAlone, 5),
        ("+a", TopicErrorKind::WildcardNotAlone, 0),
        ("a/++", TopicErrorKind::WildcardNotAlone, 2),
    ] {
        let error = TopicFilter::parse(filter).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{filter}");
    }
}

/// [V5 MQTT-4.8.2-1, V5 MQTT-4.8.2-2]
#[test]
fn shared_subscriptions() {
    let shared = SubscriptionFilter::parse("$share/group/a/+").unwrap();
    assert_eq!(shared.share_name, Some("group"));
    assert_eq!(shared.filter.as_str(), "a/+");
    // The filter behind the name may begin with '/'.
    assert_eq!(SubscriptionFilter::parse("$share/g//a").unwrap().filter.as_str(), "/a");
    for plain in ["$shared/x", "$share", "a/$share/b", "share/x/y"] {
        assert_eq!(SubscriptionFilter::parse(plain).unwrap().share_name, None, "{plain}");
    }
    for (filter, kind, offset) in [
        ("$share/", TopicErrorKind::ShareNameEmpty, 7),
        ("$share//a", TopicErrorKind::ShareNameEmpty, 7),
        ("$share/g", TopicErrorKind::ShareFilterMissing, 8),
        ("$share/g/", TopicErrorKind::ShareFilterMissing, 9),
        ("$share/+/a", TopicErrorKind::ShareNameWildcard, 7),
        ("$share/a#/a", TopicErrorKind::ShareNameWildcard, 8),
        ("$share/g/a#", TopicErrorKind::WildcardNotAlone, 10),
        ("$share/\0/a", TopicErrorKind::Nul, 7),
    ] {
        let error = SubscriptionFilter::parse(filter).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{filter:?}");
    }
    assert_eq!(SubscriptionFilter::parse_plain("$share/g/a").unwrap().share_name, None);
}

#[test]
fn depth_counts_levels() {
    for (topic, depth) in [("a", 1), ("a/b", 2), ("/", 2), ("//a", 3)] {
        assert_eq!(TopicName::parse(topic).unwrap().depth(), depth);
        assert_eq!(TopicFilter::parse(topic).unwrap().depth(), depth);
        assert_eq!(TopicName::parse(topic).unwrap().levels().count(), depth);
    }
    assert!(TopicFilter::parse("a/+").unwrap().has_wildcard());
    assert!(!TopicFilter::parse("a/b").unwrap().has_wildcard());
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b", "$a", "ab"])
}

fn filter_level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b", "+", "$a"])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_matcher(
        mut filter in prop::collection::vec(filter_level(), 1..6),
        name in prop::collection::vec(level(), 1..6),
        hash: bool,
    ) {
        if hash {
            filter.push("#");
        }
        let (filter_text, name_text) = (filter.join("/"), name.join("/"));
        prop_assume!(!filter_text.is_empty() && !name_text.is_empty());
        let dollar = name_text.starts_with('$') && filter_text.starts_with(['+', '#']);
        prop_assert_eq!(matches(&filter_text, &name_text), !dollar && naive(&filter, &name));
    }

    /// Whatever text comes, parsing agrees with the rules spelled out one by one.
    #[test]
    fn parsing_agrees_with_the_rules(text in "[a/+#$]{0,8}") {
        let wildcard = text.contains(['+', '#']);
        prop_assert_eq!(TopicName::parse(&text).is_ok(), !text.is_empty() && !wildcard);
        let levels: Vec<&str> = text.split('/').collect();
        let alone = levels.iter().all(|level| level.len() == 1 || !level.contains(['+', '#']));
        let last = levels.iter().rev().skip(1).all(|level| !level.contains('#'));
        prop_assert_eq!(TopicFilter::parse(&text).is_ok(), !text.is_empty() && alone && last);
    }
}

/// Names of one to four levels: those that filters of the test can name, one that none names, and `$`.
fn some_names() -> Vec<String> {
    let levels = ["a", "", "z", "$s"];
    let mut names: Vec<String> = levels.iter().map(|&level| level.into()).collect();
    let mut longest = names.clone();
    for _ in 0..3 {
        longest = longest.iter().flat_map(|name| levels.map(|level| format!("{name}/{level}"))).collect();
        names.extend_from_slice(&longest);
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn what_has_no_name_needs_no_cover() {
    for (wide, narrow, covers) in [
        ("+/#", "#", true),
        ("/+/#", "/#", true),
        ("+/+/#", "/#", true),
        ("/+", "/#", false),
        ("a/+/#", "a/#", false),
        ("//+/#", "//#", false),
    ] {
        let (wide, narrow) = (TopicFilter::parse(wide).unwrap(), TopicFilter::parse(narrow).unwrap());
        assert_eq!(wide.covers(narrow), covers, "{wide:?} {narrow:?}");
    }
}

proptest! {
    /// A filter covers another if no name shows otherwise.
    #[test]
    fn a_filter_covers_what_matches_no_other_names(
        wide in prop::collection::vec(prop::sample::select(vec!["a", "", "$s", "+"]), 0..3),
        wide_hash in any::<bool>(),
        narrow in prop::collection::vec(prop::sample::select(vec!["a", "", "$s", "+"]), 0..4),
        narrow_hash in any::<bool>(),
    ) {
        let filter = |mut levels: Vec<&'static str>, hash: bool| {
            if hash { levels.push("#"); }
            levels.join("/")
        };
        let (wide, narrow) = (filter(wide, wide_hash), filter(narrow, narrow_hash));
        prop_assume!(!wide.is_empty() && !narrow.is_empty());
        let (wide, narrow) = (TopicFilter::parse(&wide).unwrap(), TopicFilter::parse(&narrow).unwrap());
        let witness = some_names().into_iter().find(|name| {
            let name = TopicName::parse(name).unwrap();
            narrow.matches(name) && !wide.matches(name)
        });
        prop_assert_eq!(wide.covers(narrow), witness.is_none(), "{:?} {:?} {:?}", wide, narrow, witness);
    }
}
