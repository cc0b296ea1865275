//! Topic filters: what is subscribed with.

use crate::{TopicError, TopicErrorKind, TopicName, judge_length_and_nul};

/// A topic filter: at least one character, no U+0000, at most 65,535 bytes, wildcards only where
/// they may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicFilter<'a> {
    /// Parses a topic filter. `$share/…` is not looked at: see [`crate::SubscriptionFilter`].
    /// [V4 MQTT-4.7.1-2, V4 MQTT-4.7.1-3, V5 MQTT-4.7.1-1, V5 MQTT-4.7.1-2]
    pub fn parse(filter: &'a str) -> Result<TopicFilter<'a>, TopicError> {
        judge_length_and_nul(filter)?;
        let bytes = filter.as_bytes();
        for offset in memchr::memchr2_iter(b'+', b'#', bytes) {
            let before = offset.checked_sub(1).and_then(|before| bytes.get(before));
            let behind = bytes.get(offset + 1);
            let kind = if before.is_some_and(|&byte| byte != b'/') {
                TopicErrorKind::WildcardNotAlone
            } else if bytes.get(offset) == Some(&b'#') && behind.is_some() {
                TopicErrorKind::HashNotLast
            } else if behind.is_some_and(|&byte| byte != b'/') {
                TopicErrorKind::WildcardNotAlone
            } else {
                continue;
            };
            return Err(TopicError { kind, offset });
        }
        Ok(TopicFilter(filter))
    }

    /// The text.
    #[inline]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between the `/`; they may be empty, `+`, and the last one `#`.
    /// [V5 U-4.7.1.1-1]
    #[inline]
    pub fn levels(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.split('/')
    }

    /// How many levels: 1 or more.
    pub fn depth(self) -> usize {
        memchr::memchr_iter(b'/', self.0.as_bytes()).count() + 1
    }

    /// Whether it has `+` or `#`.
    pub fn has_wildcard(self) -> bool {
        memchr::memchr2(b'+', b'#', self.0.as_bytes()).is_some()
    }

    /// Whether messages to `name` are wanted. A filter that begins with a wildcard does not match
    /// a name that begins with `$` [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]. Linear in the shorter text.
    /// [V4 MQTT-4.7.3-4, V5 MQTT-4.7.3-4, V5 U-4.7.1.2-1, V5 U-4.7.1.3-1, V5 U-4.7.3-1, V5 U-4.7.3-2]
    /// [V5 U-4.7.3-3, V5 U-4.7.3-4]
    pub fn matches(self, name: TopicName<'_>) -> bool {
        if name.is_dollar() && matches!(self.0.as_bytes().first(), Some(b'+' | b'#')) {
            return false;
        }
        let mut names = name.levels();
        for level in self.levels() {
            // "a/#" matches "a" as well: '#' stands for the parent and everything below it.
            if level == "#" {
                return true;
            }
            match names.next() {
                Some(name_level) if level == "+" || level == name_level => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }

    /// Whether every topic name that `narrow` matches is matched by this filter as well. Linear in the shorter
    /// text.
    pub fn covers(self, narrow: TopicFilter<'_>) -> bool {
        let wide_first = matches!(self.0.as_bytes().first(), Some(b'+' | b'#'));
        if wide_first && narrow.0.as_bytes().first() == Some(&b'$') {
            return false;
        }
        let mut theirs = narrow.levels();
        let mut own = self.levels().peekable();
        let mut depth = 0;
        while let Some(level) = own.next() {
            if level == "#" {
                return true;
            }
            let covered = match theirs.next() {
                // "#" stands for its parent as well, but there is none where that would be the empty name: "#" alone
                // matches what "+/#" does, and "/#" what "/+/#" does.
                Some("#") => (depth == 0 || narrow.0 == "/#") && level == "+" && own.peek() == Some(&"#"),
                Some(their_level) => level == "+" || level == their_level,
                None => false,
            };
            if !covered {
                return false;
            }
            depth += 1;
        }
        theirs.next().is_none()
    }
}
