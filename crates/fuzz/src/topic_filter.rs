//! Topics: parsing follows the rules, matching agrees with a naive matcher.

use hexmq_topic::{SubscriptionFilter, TopicFilter, TopicName};

/// Section 4.7 level by level.
fn naive(filter: &[&str], name: &[&str]) -> bool {
    match (filter.split_first(), name.split_first()) {
        (Some((&"#", _)), _) => true,
        (Some((&"+", filter)), Some((_, name))) => naive(filter, name),
        (Some((level, filter)), Some((name_level, name))) => level == name_level && naive(filter, name),
        (None, None) => true,
        _ => false,
    }
}

/// A filter and a name, separated by a line feed.
pub fn topic_filter(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (filter_text, name_text) = text.split_once('\n').unwrap_or((text, text));
    let filter = TopicFilter::parse(filter_text);
    let name = TopicName::parse(name_text);
    if let Err(error) = filter {
        assert!(error.offset <= filter_text.len(), "{error}");
    }
    if let Ok(shared) = SubscriptionFilter::parse(filter_text) {
        let written = match shared.share_name {
            Some(share_name) => format!("$share/{share_name}/{}", shared.filter.as_str()),
            None => shared.filter.as_str().to_owned(),
        };
        assert_eq!(written, filter_text);
    }
    // Every name is a filter that matches itself.
    if let Ok(name) = name {
        let own = TopicFilter::parse(name_text);
        assert_eq!(own.map(|own| own.matches(name) && !own.has_wildcard()), Ok(true));
        assert_eq!(name.levels().count(), name.depth());
    }
    if let (Ok(filter), Ok(name)) = (filter, name) {
        let filter_levels: Vec<&str> = filter_text.split('/').collect();
        let name_levels: Vec<&str> = name_text.split('/').collect();
        let hidden = name_text.starts_with('$') && filter_text.starts_with(['+', '#']);
        assert_eq!(filter.matches(name), !hidden && naive(&filter_levels, &name_levels));
    }
}
