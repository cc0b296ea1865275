//! Topic names: what is published to.

use crate::{TopicError, TopicErrorKind, judge_length_and_nul};

/// A topic name: at least one character, no wildcard, no U+0000, at most 65,535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Parses a topic name. [V4 MQTT-4.7.1-1, V5 MQTT-4.7.0-1]
    pub fn parse(topic: &'a str) -> Result<TopicName<'a>, TopicError> {
        judge_length_and_nul(topic)?;
        match memchr::memchr2(b'+', b'#', topic.as_bytes()) {
            Some(offset) => Err(TopicError { kind: TopicErrorKind::WildcardInName, offset }),
            None => Ok(TopicName(topic)),
        }
    }

    /// The text.
    #[inline]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between the `/`; they may be empty.
    /// [V5 U-4.7.1.1-1]
    #[inline]
    pub fn levels(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('/')
    }

    /// How many levels: 1 or more.
    pub fn depth(self) -> usize {
        memchr::memchr_iter(b'/', self.0.as_bytes()).count() + 1
    }

    /// Whether it begins with `$`: then a filter that begins with a wildcard does not match.
    #[inline]
    pub fn is_dollar(self) -> bool {
        self.0.as_bytes().first() == Some(&b'$')
    }
}
