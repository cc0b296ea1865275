//! The data lane between shards: messages whose bytes travel together.

use hexmq_session::Wall;
use hexmq_wire::QoS;

use crate::layout::{Original, OriginalForm, Terms};
use crate::{Namespace, Serial, SessionRef};

/// Messages on their way from one shard to another, in order. What belongs to them lies in few buffers, so
/// a turn that forwards a thousand messages hands over four allocations.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    topics: String,
    /// The packets they came in, or of others the properties and the payload.
    bytes: Vec<u8>,
    addressees: Vec<Addressee>,
}

/// One application message as it is routed: the topic, what travels with it, and where it may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// Whose topics these are.
    pub namespace: Namespace,
    /// A valid topic name.
    pub topic: &'a str,
    /// Encoded MQTT 5 properties that travel with the message: neither Topic Alias nor Message
    /// Expiry Interval nor Subscription Identifier.
    pub properties: &'a [u8],
    /// The application message.
    pub payload: &'a [u8],
    /// QoS it was published with.
    pub qos: QoS,
    /// RETAIN flag it was published with.
    pub retain: bool,
    /// When its Message Expiry Interval ends.
    pub expires_at: Option<Wall>,
    /// The publishing session, for No Local.
    pub publisher: Option<SessionRef>,
}

/// Who in the receiving shard gets a forwarded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every session with a matching subscription that is not younger than this index generation: those found
    /// then, if they came with the message and no filter has changed since that may match.
    Matching {
        /// The generation the publisher's shard saw.
        generation: u64,
    },
    /// The chosen member of a shared subscription.
    Member {
        /// The session.
        session: SessionRef,
        /// The group, to choose again if the session is gone.
        group: u64,
        /// How often it was forwarded for want of a living member.
        hops: u8,
    },
}

/// A session that gets a message, and on which terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// Its slot in its shard.
    pub slot: u32,
    /// The generation of the session in its slot.
    pub generation: u32,
    /// The largest QoS it is granted.
    pub qos: QoS,
    /// The RETAIN flag stays as it was published.
    pub retain_as_published: bool,
    /// The Subscription Identifier, 1 to 268,435,455.
    pub subscription_identifier: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    namespace: Namespace,
    topic_len: u32,
    /// What lies among the bytes; it ends with the properties and the payload.
    bytes_len: u32,
    properties_len: u32,
    payload_len: u32,
    addressees: u32,
    original: Option<OriginalForm>,
    qos: QoS,
    retain: bool,
    expires_at: Option<Wall>,
    publisher: Option<SessionRef>,
    audience: Audience,
    /// 0: not stored.
    serial: u64,
}

/// A message on its way to another shard.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded<'a> {
    /// The message.
    pub message: Message<'a>,
    /// The packet it came in, if that can go on as it is.
    pub(crate) original: Option<Original<'a>>,
    /// Who gets it.
    pub audience: Audience,
    /// The sessions found for [`Audience::Matching`]; empty if they are too many to come with each message.
    pub addressees: &'a [Addressee],
    /// Its number, if it is in the store and on its way there as well.
    pub serial: Option<Serial>,
}

impl<'a> Forwarded<'a> {
    /// A message that is not stored, for those that are looked up where it comes.
    pub fn new(message: Message<'a>, audience: Audience) -> Forwarded<'a> {
        Forwarded { message, original: None, audience, addressees: &[], serial: None }
    }
}

impl Addressee {
    /// How this session gets a message; for a shared subscription with its number, else with 0.
    #[inline]
    pub(crate) fn terms(&self, group: u64, message: &Message<'_>) -> Terms<'_> {
        let identifiers = self.subscription_identifier.as_slice();
        Terms::granted(self.qos, self.retain_as_published, identifiers, group, message)
    }
}

impl Batch {
    /// Adds a message.
    pub fn push(&mut self, forwarded: &Forwarded<'_>) {
        let Forwarded { ref message, original, audience, addressees, serial } = *forwarded;
        let before = self.bytes.len();
        match original {
            Some(original) => self.bytes.extend_from_slice(original.bytes),
            None => {
                self.bytes.extend_from_slice(message.properties);
                self.bytes.extend_from_slice(message.payload);
            }
        }
        self.entries.push(Entry {
            namespace: message.namespace,
            topic_len: message.topic.len() as u32,
            bytes_len: (self.bytes.len() - before) as u32,
            properties_len: message.properties.len() as u32,
            payload_len: message.payload.len() as u32,
            addressees: addressees.len() as u32,
            original: original.map(|original| original.form),
            qos: message.qos,
            retain: message.retain,
            expires_at: message.expires_at,
            publisher: message.publisher,
            audience,
            serial: serial.map_or(0, |serial| serial.0),
        });
        self.topics.push_str(message.topic);
        self.addressees.extend_from_slice(addressees);
    }

    /// Messages in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing to hand over.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes it keeps in memory, for the bound of the lane.
    pub fn size_bytes(&self) -> usize {
        self.topics.len()
            + self.bytes.len()
            + self.entries.len() * size_of::<Entry>()
            + self.addressees.len() * size_of::<Addressee>()
    }

    /// Forgets the messages and keeps the memory, unless it has become large.
    pub fn clear(&mut self) {
        const KEEP_BYTES: usize = 256 << 10;
        self.entries.clear();
        self.topics.clear();
        self.bytes.clear();
        self.addressees.clear();
        self.topics.shrink_to(KEEP_BYTES);
        self.bytes.shrink_to(KEEP_BYTES);
        self.entries.shrink_to(KEEP_BYTES / size_of::<Entry>());
        self.addressees.shrink_to(KEEP_BYTES / size_of::<Addressee>());
    }

    /// The messages, in order.
    pub fn iter(&self) -> impl Iterator<Item = Forwarded<'_>> {
        let (mut topics, mut bytes) = (self.topics.as_str(), self.bytes.as_slice());
        let mut all_addressees = self.addressees.as_slice();
        self.entries.iter().filter_map(move |entry| {
            let (topic, packet, addressees);
            (topic, topics) = topics.split_at_checked(entry.topic_len as usize)?;
            (packet, bytes) = bytes.split_at_checked(entry.bytes_len as usize)?;
            (addressees, all_addressees) = all_addressees.split_at_checked(entry.addressees as usize)?;
            let payload_at = packet.len().checked_sub(entry.payload_len as usize)?;
            let (before, payload) = packet.split_at_checked(payload_at)?;
            let properties = before.get(before.len().checked_sub(entry.properties_len as usize)?..)?;
            let message = Message {
                namespace: entry.namespace,
                topic,
                properties,
                payload,
                qos: entry.qos,
                retain: entry.retain,
                expires_at: entry.expires_at,
                publisher: entry.publisher,
            };
            let serial = (entry.serial != 0).then_some(Serial(entry.serial));
            let original = entry.original.map(|form| Original { bytes: packet, form });
            Some(Forwarded { message, original, audience: entry.audience, addressees, serial })
        })
    }
}
