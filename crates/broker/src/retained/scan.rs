//! A topic filter as a walk over sorted keys: for each key, whether it matches, and if not, the
//! first key after it that could.

use hexmq_topic::TopicFilter;

use super::key::{NAMESPACE_LEN, SEPARATOR};
use crate::ids::Namespace;

/// The first byte after all that lies below a level.
const AFTER_SEPARATOR: u8 = SEPARATOR + 1;
/// The first byte after all topics that begin with `$`.
const AFTER_DOLLAR: u8 = b'$' + 1;

/// A filter, taken apart once for each slice of a walk.
#[derive(Debug)]
pub(super) struct Pattern<'a> {
    /// The filter without a final `/#` or `#`.
    levels: Vec<&'a str>,
    /// Whether everything below `levels` matches too.
    below: bool,
}

/// What a key is to a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It matches; go on with the key after it.
    Match,
    /// It does not; go on with the first key at or after the one written.
    Seek,
    /// It does not, and no later key does.
    End,
}

impl<'a> Pattern<'a> {
    pub(super) fn new(filter: TopicFilter<'a>) -> Pattern<'a> {
        let text = filter.as_str();
        if text == "#" {
            return Pattern { levels: Vec::new(), below: true };
        }
        let (text, below) = match text.strip_suffix("/#") {
            Some(parent) => (parent, true),
            None => (text, false),
        };
        Pattern { levels: text.split('/').collect(), below }
    }

    /// Writes the first key that could match: the levels before the first wildcard.
    pub(super) fn begin(&self, namespace: Namespace, key: &mut Vec<u8>) {
        key.extend_from_slice(&namespace.0.to_be_bytes());
        self.descend(0, key);
    }

    /// Judges `key`; if it says [`Step::Seek`], `target` is the key to go on from, after `key`.
    pub(super) fn step(&self, namespace: Namespace, key: &[u8], target: &mut Vec<u8>) -> Step {
        let Some((prefix, topic)) = key.split_at_checked(NAMESPACE_LEN) else { return Step::End };
        if prefix != namespace.0.to_be_bytes() {
            return Step::End;
        }
        target.clear();
        let wild = self.levels.first().is_none_or(|level| *level == "+");
        if wild && topic.first() == Some(&b'$') {
            // A leading wildcard does not see topics that begin with '$'.
            // [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
            target.extend_from_slice(prefix);
            target.push(AFTER_DOLLAR);
            return Step::Seek;
        }
        self.compare(key, target)
    }

    fn compare(&self, key: &[u8], target: &mut Vec<u8>) -> Step {
        // `from` is where the present level of the key begins, `plus` where the level ends that
        // the last `+` stands for: the place to go on to a sibling from.
        let mut from = NAMESPACE_LEN;
        let mut plus = None;
        for (depth, level) in self.levels.iter().enumerate() {
            let Some(rest) = key.get(from..) else {
                // The key ended a level ago: what could match lies below it.
                target.extend_from_slice(key);
                target.push(SEPARATOR);
                self.descend(depth, target);
                return Step::Seek;
            };
            let end = from + memchr_separator(rest);
            let here = key.get(from..end).unwrap_or_default();
            if *level == "+" {
                plus = Some(end);
            } else {
                match here.cmp(level.as_bytes()) {
                    std::cmp::Ordering::Equal => {}
                    std::cmp::Ordering::Less => {
                        target.extend_from_slice(key.get(..from).unwrap_or_default());
                        self.descend(depth, target);
                        return Step::Seek;
                    }
                    std::cmp::Ordering::Greater => return after(key, plus, target),
                }
            }
            from = end + 1;
        }
        // All levels agree; `from` is past the end unless the key goes deeper. `#` takes the
        // parent and all below it. [V4 MQTT-4.7.1-2, V5 MQTT-4.7.1-1]
        if self.below || from > key.len() {
            return Step::Match;
        }
        after(key, plus, target)
    }

    /// Appends the levels from `depth` up to the next wildcard, which stands for the empty level
    /// at first, the smallest there is.
    fn descend(&self, depth: usize, key: &mut Vec<u8>) {
        let rest = self.levels.get(depth..).unwrap_or_default();
        for (index, level) in rest.iter().enumerate() {
            if index > 0 {
                key.push(SEPARATOR);
            }
            if *level == "+" {
                return;
            }
            key.extend_from_slice(level.as_bytes());
        }
    }
}

/// Goes on after everything below the level the last `+` stands for; without one there is nothing
/// more to find.
fn after(key: &[u8], plus: Option<usize>, target: &mut Vec<u8>) -> Step {
    let Some(end) = plus else { return Step::End };
    target.extend_from_slice(key.get(..end).unwrap_or_default());
    target.push(AFTER_SEPARATOR);
    Step::Seek
}

fn memchr_separator(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == SEPARATOR).unwrap_or(bytes.len())
}
