//! One retained message as it is kept: a single piece of memory that sorts by its key.

use hexmq_session::Wall;
use hexmq_wire::QoS;

use super::{RetainedMessage, key};
use crate::Serial;
use crate::ids::Namespace;

/// `expires` of a message that never does. A real deadline that far off never comes either.
const NEVER: u64 = u64::MAX;

/// In place of the length of the properties.
const COLD: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Record {
    /// Key, properties, payload. Of a cold one: key, number in the store, length of properties and payload.
    bytes: Box<[u8]>,
    expires: u64,
    publisher: u64,
    /// [`COLD`] if the body is only in the store.
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

    /// The same without its body, which is in the store under this number.
    pub(super) fn cool(mut self, serial: Serial) -> Record {
        let body_len = self.body_len() as u64;
        let bytes = [self.key(), &serial.0.to_le_bytes(), &body_len.to_le_bytes()].concat();
        self.bytes = bytes.into_boxed_slice();
        self.properties_len = COLD;
        self
    }

    /// Number and length of a body that is only in the store.
    fn cold(&self) -> Option<(Serial, usize)> {
        if self.properties_len != COLD {
            return None;
        }
        let (serial, len) = self.bytes.get(self.key_len as usize..)?.split_first_chunk::<8>()?;
        let len = u64::from_le_bytes(*len.first_chunk::<8>()?);
        Some((Serial(u64::from_le_bytes(*serial)), len as usize))
    }

    /// Bytes of topic, properties and payload, wherever they are.
    pub(super) fn len(&self) -> usize {
        match self.cold() {
            Some((_, body_len)) => self.key_len as usize - key::NAMESPACE_LEN + body_len,
            None => self.bytes.len() - key::NAMESPACE_LEN,
        }
    }

    /// Bytes of properties and payload in memory.
    pub(super) fn body_len(&self) -> usize {
        if self.properties_len == COLD { 0 } else { self.bytes.len() - self.key_len as usize }
    }

    pub(super) fn expires(&self) -> bool {
        self.expires != NEVER
    }

    pub(super) fn expired(&self, now: Wall) -> bool {
        self.expires <= now.as_ms()
    }

    pub(super) fn message<'r>(&'r self, text: &'r mut Vec<u8>) -> RetainedMessage<'r> {
        let rest = self.bytes.get(self.key_len as usize..).unwrap_or_default();
        let cold = self.cold();
        let (properties, payload) = match cold {
            Some(_) => (&[][..], &[][..]),
            None => rest.split_at_checked(self.properties_len as usize).unwrap_or_default(),
        };
        RetainedMessage {
            serial: cold.map(|(serial, _)| serial),
            topic: key::topic(self.key(), text),
            qos: self.qos,
            properties,
            payload,
            expires: self.expires().then_some(Wall(self.expires)),
            publisher: self.publisher,
        }
    }
}
