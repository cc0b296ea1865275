//! Shared subscriptions (5.0 section 4.8.2).

use crate::{TopicError, TopicErrorKind, TopicFilter};

/// How the filter of a shared subscription begins. [V5 MQTT-4.8.2-1]
const SHARE: &str = "$share/";

/// What a SUBSCRIBE names: a topic filter, perhaps shared by a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionFilter<'a> {
    /// The group that shares the subscription; no `/`, `+` or `#`, not empty.
    pub share_name: Option<&'a str>,
    /// The filter behind it.
    pub filter: TopicFilter<'a>,
}

impl<'a> SubscriptionFilter<'a> {
    /// Parses `$share/name/filter` or a plain filter. Offsets of errors count from the start of
    /// `filter`. Shared subscriptions come from 5.0; servers commonly honour them in 3.x as well,
    /// and whoever does not uses [`SubscriptionFilter::parse_plain`].
    /// [V5 MQTT-4.8.2-1, V5 MQTT-4.8.2-2]
    /// [V5 U-4.8.2-1, V5 U-4.8.2-8]
    pub fn parse(filter: &'a str) -> Result<SubscriptionFilter<'a>, TopicError> {
        let Some(rest) = filter.strip_prefix(SHARE) else {
            // "$share" alone and "$shared/x" are filters like any other.
            return SubscriptionFilter::parse_plain(filter);
        };
        let name_at = SHARE.len();
        let (share_name, shared) = match rest.split_once('/') {
            Some((share_name, shared)) => (share_name, Some(shared)),
            None => (rest, None),
        };
        if share_name.is_empty() {
            return Err(TopicError { kind: TopicErrorKind::ShareNameEmpty, offset: name_at });
        }
        if let Some(at) = share_name.find(['+', '#']) {
            return Err(TopicError { kind: TopicErrorKind::ShareNameWildcard, offset: name_at + at });
        }
        if let Some(at) = share_name.find('\0') {
            return Err(TopicError { kind: TopicErrorKind::Nul, offset: name_at + at });
        }
        let shared_at = name_at + share_name.len() + 1;
        let Some(shared) = shared.filter(|shared| !shared.is_empty()) else {
            return Err(TopicError { kind: TopicErrorKind::ShareFilterMissing, offset: filter.len() });
        };
        if filter.len() > crate::TOPIC_LENGTH_MAX {
            return Err(TopicError { kind: TopicErrorKind::TooLong, offset: crate::TOPIC_LENGTH_MAX });
        }
        let filter = TopicFilter::parse(shared)
            .map_err(|error| TopicError { offset: shared_at + error.offset, ..error })?;
        Ok(SubscriptionFilter { share_name: Some(share_name), filter })
    }

    /// Parses a filter in which `$share` means nothing.
    pub fn parse_plain(filter: &'a str) -> Result<SubscriptionFilter<'a>, TopicError> {
        Ok(SubscriptionFilter { share_name: None, filter: TopicFilter::parse(filter)? })
    }
}
