//! Topic names and topic filters of MQTT: parsing and matching (section 4.7 of 3.1.1 and 5.0),
//! and shared subscriptions (section 4.8 of 5.0).
//!
//! Guarantees: a [`TopicName`] has no wildcard, a [`TopicFilter`] has them only where they may
//! stand; parsing is the only way to get one. Characters are compared as they are, without any
//! normalization. [V4 MQTT-4.7.3-4, V5 MQTT-4.7.3-4]
//!
//! Not here: which topics a server accepts, and how many levels; nothing here allocates.

mod error;
mod filter;
mod name;
mod share;

pub use error::{TopicError, TopicErrorKind};
pub use filter::TopicFilter;
pub use name::TopicName;
pub use share::SubscriptionFilter;

/// The longest topic name or filter, in bytes. [V4 MQTT-4.7.3-3, V5 MQTT-4.7.3-3]
pub const TOPIC_LENGTH_MAX: usize = 65_535;

/// What holds for names and filters: not empty [V4 MQTT-4.7.3-1, V5 MQTT-4.7.3-1], no U+0000
/// [V4 MQTT-4.7.3-2, V5 MQTT-4.7.3-2], not too long [V4 MQTT-4.7.3-3, V5 MQTT-4.7.3-3].
fn judge_length_and_nul(topic: &str) -> Result<(), TopicError> {
    if topic.is_empty() {
        return Err(TopicError { kind: TopicErrorKind::Empty, offset: 0 });
    }
    if topic.len() > TOPIC_LENGTH_MAX {
        return Err(TopicError { kind: TopicErrorKind::TooLong, offset: TOPIC_LENGTH_MAX });
    }
    match memchr::memchr(0, topic.as_bytes()) {
        Some(offset) => Err(TopicError { kind: TopicErrorKind::Nul, offset }),
        None => Ok(()),
    }
}
