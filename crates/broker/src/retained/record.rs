//! One retained message as it is kept: a single piece of memory that sorts by its key.

use std::borrow::Borrow;
use std::cmp::Ordering;

use hexmq_session::Wall;
use hexmq_wire::QoS;

use super::{RetainedMessage, key};
use crate::ids::Namespace;

/// `expires` of a message that never does. A real deadline that far off never comes either.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Record {
    /// Key, properties, payload.
    bytes: Box<[u8]>,
    expires: u64,
    publisher: u64,
    properties_len: u32,
    /// At most 4 + 65,535.
    key_len: u32,
    qos: QoS,
}

impl Record {
    pub(super) fn new(namespace: Namespace, message: &RetainedMessage<'_>) -> Record {
        let mut bytes = Vec::with_capacity(
            key::NAMESPACE_LEN + message.topic.len() + message.properties.len() + message.payload.len(),
        );
        key::write(namespace, message.topic, &mut bytes);
        let key_len = bytes.len() as u32;
        bytes.extend_from_slice(message.properties);
        bytes.extend_from_slice(message.payload);
        Record {
            bytes: bytes.into_boxed_slice(),
            expires: message.expires.map_or(NEVER, Wall::as_ms),
            publisher: message.publisher,
            properties_len: message.properties.len() as u32,
            key_len,
            qos: message.qos,
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        self.bytes.get(..self.key_len as usize).unwrap_or_default()
    }

    /// Bytes of topic, properties and payload.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - key::NAMESPACE_LEN
    }

    pub(super) fn expires(&self) -> bool {
        self.expires != NEVER
    }

    pub(super) fn expired(&self, now: Wall) -> bool {
        self.expires <= now.as_ms()
    }

    pub(super) fn message<'r>(&'r self, text: &'r mut Vec<u8>) -> RetainedMessage<'r> {
        let rest = self.bytes.get(self.key_len as usize..).unwrap_or_default();
        let (properties, payload) = rest.split_at_checked(self.properties_len as usize).unwrap_or_default();
        RetainedMessage {
            topic: key::topic(self.key(), text),
            qos: self.qos,
            properties,
            payload,
            expires: self.expires().then_some(Wall(self.expires)),
            publisher: self.publisher,
        }
    }
}

impl Borrow<[u8]> for Record {
    fn borrow(&self) -> &[u8] {
        self.key()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Record {}

impl PartialOrd for Record {
    fn partial_cmp(&self, other: &Record) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Record {
    fn cmp(&self, other: &Record) -> Ordering {
        self.key().cmp(other.key())
    }
}
