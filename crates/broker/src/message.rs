//! Message bodies that outlive their turn: kept once, however many sessions wait for them.
//!
//! A body lies in a cell of a *shelf*: cells of one size, side by side, without an allocation of
//! their own. Shelves that are emptied are given back.

use std::num::NonZeroU32;

use hexmq_session::Wall;
use hexmq_wire::QoS;

use crate::shelf::Shelves;
use crate::{Message, Namespace};

/// A body in [`Messages`]. Each holder counts as one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageId(NonZeroU32);

impl MessageId {
    fn new(place: u32) -> MessageId {
        MessageId(NonZeroU32::MIN.saturating_add(place))
    }

    #[inline]
    fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// The bodies a shard keeps. Cells are used again, so steady traffic does not allocate.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    shelves: Shelves<Label>,
    bodies: u64,
    bytes: u64,
}

/// What a body is beside its bytes: topic, properties, payload.
#[derive(Debug)]
struct Label {
    references: u32,
    len: u32,
    properties_len: u32,
    namespace: Namespace,
    /// Milliseconds of a [`Wall`], [`Wall::NEVER`] without a Message Expiry Interval. Halves, since a `u64`
    /// would round the label up to 32 bytes.
    expires_at: [u32; 2],
    topic_len: u16,
    qos: QoS,
    retain: bool,
}

impl Label {
    const NONE: Label = Label {
        references: 0,
        len: 0,
        properties_len: 0,
        namespace: Namespace::PLAIN,
        expires_at: [u32::MAX; 2],
        topic_len: 0,
        qos: QoS::AtMostOnce,
        retain: false,
    };

    fn expires_at(&self) -> Option<Wall> {
        let [low, high] = self.expires_at;
        let expires_at = Wall(u64::from(high) << 32 | u64::from(low));
        (expires_at != Wall::NEVER).then_some(expires_at)
    }
}

impl Messages {
    /// Keeps a copy with one reference.
    pub(crate) fn keep(&mut self, message: &Message<'_>) -> MessageId {
        let parts = [message.topic.as_bytes(), message.properties, message.payload];
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let expires_at = message.expires_at.unwrap_or(Wall::NEVER).as_ms();
        self.bodies += 1;
        self.bytes += len as u64;
        let label = Label {
            references: 1,
            len: len as u32,
            properties_len: message.properties.len() as u32,
            namespace: message.namespace,
            expires_at: [expires_at as u32, (expires_at >> 32) as u32],
            // A topic is a string of a packet, whose length has 16 bits.
            topic_len: message.topic.len() as u16,
            qos: message.qos,
            retain: message.retain,
        };
        MessageId::new(self.shelves.put(label, len, parts))
    }

    /// One more holder.
    pub(crate) fn share(&mut self, id: MessageId) -> MessageId {
        if let Some(label) = self.shelves.label_mut(id.place()) {
            label.references += 1;
        }
        id
    }

    /// A holder is done, if it is one; the last one frees the body.
    #[inline]
    pub(crate) fn release(&mut self, id: impl Into<Option<MessageId>>) {
        if let Some(id) = id.into() {
            self.release_one(id);
        }
    }

    fn release_one(&mut self, id: MessageId) {
        let Some(label) = self.shelves.label_mut(id.place()) else { return };
        debug_assert!(label.references > 0, "a message is released once for each holder");
        label.references -= 1;
        if label.references == 0 {
            self.bodies -= 1;
            self.bytes -= u64::from(label.len);
            self.shelves.clear(id.place());
        }
    }

    /// The message as it is routed, but for its publisher: who may have it was decided when it came.
    pub(crate) fn get(&self, id: MessageId) -> Message<'_> {
        let (label, cell) = self.shelves.get(id.place()).unwrap_or((&Label::NONE, &[]));
        let bytes = cell.get(..label.len as usize).unwrap_or_default();
        let (topic, rest) = bytes.split_at_checked(label.topic_len.into()).unwrap_or_default();
        let (properties, payload) = rest.split_at_checked(label.properties_len as usize).unwrap_or_default();
        Message {
            namespace: label.namespace,
            // The bytes were copied from a `str`; an empty topic is never looked at.
            topic: str::from_utf8(topic).unwrap_or_default(),
            properties,
            payload,
            qos: label.qos,
            retain: label.retain,
            expires_at: label.expires_at(),
            publisher: None,
        }
    }

    /// When its Message Expiry Interval ends.
    pub(crate) fn expires_at(&self, id: MessageId) -> Option<Wall> {
        self.shelves.get(id.place()).and_then(|(label, _)| label.expires_at())
    }

    /// Bytes of topic, properties and payload.
    pub(crate) fn size(&self, id: MessageId) -> u64 {
        self.shelves.get(id.place()).map_or(0, |(label, _)| label.len.into())
    }

    /// Bodies kept.
    pub(crate) fn len(&self) -> u64 {
        self.bodies
    }

    /// Bytes of all bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
