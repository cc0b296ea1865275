//! Message bodies that outlive their turn: kept once, however many sessions wait for them.

use hexmq_session::Wall;
use hexmq_wire::QoS;

use crate::{Message, Namespace};

/// A body in [`Messages`]. Each holder counts as one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageId(u32);

/// The bodies a shard keeps. Slots and their buffers are used again, so steady traffic does not
/// allocate.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    slots: Vec<Slot>,
    free: Vec<u32>,
    bytes: u64,
}

#[derive(Debug)]
struct Slot {
    references: u32,
    topic_len: u32,
    properties_len: u32,
    qos: QoS,
    retain: bool,
    namespace: Namespace,
    /// [`Wall::NEVER`] without a Message Expiry Interval.
    expires_at: Wall,
    /// Topic, properties, payload.
    bytes: Vec<u8>,
}

/// A freed slot keeps a buffer up to this size.
const KEEP_BYTES: usize = 2048;
/// So many freed slots keep their buffers.
const KEEP_SLOTS: usize = 4096;

impl Messages {
    /// Keeps a copy with one reference.
    pub(crate) fn keep(&mut self, message: &Message<'_>) -> MessageId {
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.slots.push(Slot {
                    references: 0,
                    topic_len: 0,
                    properties_len: 0,
                    qos: QoS::AtMostOnce,
                    retain: false,
                    namespace: Namespace::PLAIN,
                    expires_at: Wall::NEVER,
                    bytes: Vec::new(),
                });
                (self.slots.len() - 1) as u32
            }
        };
        let slot = &mut self.slots[id as usize];
        slot.references = 1;
        slot.topic_len = message.topic.len() as u32;
        slot.properties_len = message.properties.len() as u32;
        slot.qos = message.qos;
        slot.retain = message.retain;
        slot.namespace = message.namespace;
        slot.expires_at = message.expires_at.unwrap_or(Wall::NEVER);
        slot.bytes.reserve_exact(message.topic.len() + message.properties.len() + message.payload.len());
        slot.bytes.extend_from_slice(message.topic.as_bytes());
        slot.bytes.extend_from_slice(message.properties);
        slot.bytes.extend_from_slice(message.payload);
        self.bytes += slot.bytes.len() as u64;
        MessageId(id)
    }

    /// One more holder.
    pub(crate) fn share(&mut self, id: MessageId) -> MessageId {
        self.slots[id.0 as usize].references += 1;
        id
    }

    /// A holder is done; the last one frees the body.
    pub(crate) fn release(&mut self, id: MessageId) {
        let keep = self.free.len() < KEEP_SLOTS;
        let slot = &mut self.slots[id.0 as usize];
        debug_assert!(slot.references > 0, "a message is released once for each holder");
        slot.references -= 1;
        if slot.references > 0 {
            return;
        }
        self.bytes -= slot.bytes.len() as u64;
        if keep && slot.bytes.capacity() <= KEEP_BYTES {
            slot.bytes.clear();
        } else {
            slot.bytes = Vec::new();
        }
        self.free.push(id.0);
    }

    /// The message as it is routed, but for its publisher: who may have it was decided when it came.
    pub(crate) fn get(&self, id: MessageId) -> Message<'_> {
        let slot = &self.slots[id.0 as usize];
        let (topic, rest) = slot.bytes.split_at(slot.topic_len as usize);
        let (properties, payload) = rest.split_at(slot.properties_len as usize);
        Message {
            namespace: slot.namespace,
            // The bytes were copied from a `str`; an empty topic is never looked at.
            topic: str::from_utf8(topic).unwrap_or_default(),
            properties,
            payload,
            qos: slot.qos,
            retain: slot.retain,
            expires_at: (slot.expires_at != Wall::NEVER).then_some(slot.expires_at),
            publisher: None,
        }
    }

    /// Bytes of topic, properties and payload.
    pub(crate) fn size(&self, id: MessageId) -> u64 {
        self.slots[id.0 as usize].bytes.len() as u64
    }

    /// Bodies kept.
    pub(crate) fn len(&self) -> u64 {
        (self.slots.len() - self.free.len()) as u64
    }

    /// Bytes of all bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
