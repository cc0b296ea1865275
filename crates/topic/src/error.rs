//! What can be wrong with a topic.

use std::fmt;

/// A topic that breaks a rule, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicError {
    /// Which rule.
    pub kind: TopicErrorKind,
    /// Byte offset in the text that was parsed.
    pub offset: usize,
}

/// The rules about topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicErrorKind {
    /// A name or filter has at least one character.
    Empty,
    /// U+0000 never occurs.
    Nul,
    /// `+` and `#` are for filters only.
    WildcardInName,
    /// `#` is the last character of a filter.
    HashNotLast,
    /// `+` and `#` fill their level alone.
    WildcardNotAlone,
    /// More than 65,535 bytes.
    TooLong,
    /// Nothing between `$share/` and the next `/`.
    ShareNameEmpty,
    /// A share name has no `+` and no `#`.
    ShareNameWildcard,
    /// Nothing behind `$share/name`.
    ShareFilterMissing,
}

impl TopicErrorKind {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            TopicErrorKind::Empty => "empty",
            TopicErrorKind::Nul => "nul",
            TopicErrorKind::WildcardInName => "wildcard_in_name",
            TopicErrorKind::HashNotLast => "hash_not_last",
            TopicErrorKind::WildcardNotAlone => "wildcard_not_alone",
            TopicErrorKind::TooLong => "too_long",
            TopicErrorKind::ShareNameEmpty => "share_name_empty",
            TopicErrorKind::ShareNameWildcard => "share_name_wildcard",
            TopicErrorKind::ShareFilterMissing => "share_filter_missing",
        }
    }
}

impl TopicError {
    /// The normative statement that is broken: of 5.0 or else of 3.1.1, which has none about
    /// shared subscriptions.
    pub const fn statement(self, version5: bool) -> Option<&'static str> {
        Some(match (self.kind, version5) {
            (TopicErrorKind::Empty, _) => "MQTT-4.7.3-1",
            (TopicErrorKind::Nul, _) => "MQTT-4.7.3-2",
            (TopicErrorKind::TooLong, _) => "MQTT-4.7.3-3",
            (TopicErrorKind::WildcardInName, false) => "MQTT-4.7.1-1",
            (TopicErrorKind::WildcardInName, true) => "MQTT-4.7.0-1",
            (TopicErrorKind::HashNotLast, false) => "MQTT-4.7.1-2",
            (TopicErrorKind::HashNotLast, true) => "MQTT-4.7.1-1",
            (TopicErrorKind::WildcardNotAlone, false) => "MQTT-4.7.1-3",
            (TopicErrorKind::WildcardNotAlone, true) => "MQTT-4.7.1-2",
            (TopicErrorKind::ShareNameEmpty, true) => "MQTT-4.8.2-1",
            (TopicErrorKind::ShareNameWildcard | TopicErrorKind::ShareFilterMissing, true) => "MQTT-4.8.2-2",
            (
                TopicErrorKind::ShareNameEmpty
                | TopicErrorKind::ShareNameWildcard
                | TopicErrorKind::ShareFilterMissing,
                false,
            ) => return None,
        })
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            TopicErrorKind::Empty => "a topic has at least one character",
            TopicErrorKind::Nul => "a topic has no U+0000",
            TopicErrorKind::WildcardInName => "a topic name has no wildcard",
            TopicErrorKind::HashNotLast => "'#' is the last character of a filter",
            TopicErrorKind::WildcardNotAlone => "a wildcard fills its level alone",
            TopicErrorKind::TooLong => "a topic has at most 65,535 bytes",
            TopicErrorKind::ShareNameEmpty => "a share name has at least one character",
            TopicErrorKind::ShareNameWildcard => "a share name has no wildcard",
            TopicErrorKind::ShareFilterMissing => "a topic filter follows the share name",
        };
        write!(f, "{what} (byte {})", self.offset)
    }
}

impl std::error::Error for TopicError {}
