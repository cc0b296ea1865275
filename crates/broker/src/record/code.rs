//! Records as bytes: kind, length of the body as a varint, body.
//!
//! The body is numbers (varints), texts and bytes in the order of the fields; what is optional has a bit in a byte of flags.
//! A kind from 128 on may be skipped by whoever does not know it; any other may not.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use hexmq_session::Wall;
use hexmq_wire::{QoS, SubscriptionOptions};

use super::fields::{Fields, VARINT_BYTES_MAX, put_bytes, put_varint, varint_size};
use super::{Destination, QueuedTerms, Record, Serial};
use crate::{Message, Namespace, ShardId};

const SESSION: u8 = 1;
const SESSION_ENDED: u8 = 2;
const SUBSCRIBED: u8 = 3;
const UNSUBSCRIBED: u8 = 4;
const MESSAGE: u8 = 5;
const QUEUED: u8 = 6;
const SENT: u8 = 7;
const TAKEN_OVER: u8 = 8;
const DONE: u8 = 9;
const INCOMING: u8 = 10;
const RELEASED: u8 = 11;
const RETAINED: u8 = 12;
const RETAINED_CLEARED: u8 = 13;
const FORWARDED: u8 = 14;
const ARRIVED: u8 = 15;
const WILL: u8 = 16;
const WILL_GONE: u8 = 17;
/// Kinds from here on may be skipped.
const SKIPPABLE: u8 = 128;

/// Bytes an encoded [`Record::Message`] has at most besides topic, properties and payload.
pub const MESSAGE_OVERHEAD_MAX: usize = 2 + 7 * VARINT_BYTES_MAX;

// Flags of a message.
const QOS_BITS: u8 = 0b11;
const RETAIN: u8 = 1 << 2;
const HAS_NAMESPACE: u8 = 1 << 3;
const HAS_EXPIRY: u8 = 1 << 4;
// Flags of a queued message, besides QOS_BITS and RETAIN.
const HAS_GROUP: u8 = 1 << 3;
const HAS_IDENTIFIERS: u8 = 1 << 4;
const HAS_SENT: u8 = 1 << 5;
// Flags of sessions and Wills.
const FIRST: u8 = 1;
const SECOND: u8 = 1 << 1;

impl Record<'_> {
    /// Appends the record to a commit.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Record::Message { serial, ref message } => put_message(out, serial, message),
            Record::Queued { session, place, message, ref terms, sent } => framed(out, QUEUED, |out| {
                put_all(out, &[session.0, place, message.0]);
                out.push(
                    terms.qos as u8
                        | flag(RETAIN, terms.retain)
                        | flag(HAS_GROUP, terms.group != 0)
                        | flag(HAS_IDENTIFIERS, !terms.subscription_identifiers.is_empty())
                        | flag(HAS_SENT, sent.is_some()),
                );
                if terms.group != 0 {
                    put_varint(out, terms.group);
                }
                if let Some(sent) = sent {
                    put_varint(out, u64::from(sent.get()));
                }
                for &identifier in terms.subscription_identifiers {
                    put_varint(out, u64::from(identifier));
                }
            }),
            Record::Done { session, place } => numbers(out, DONE, &[session.0, place]),
            Record::Sent { session, place, identifier } => {
                numbers(out, SENT, &[session.0, place, u64::from(identifier.get())]);
            }
            Record::TakenOver { session, place } => numbers(out, TAKEN_OVER, &[session.0, place]),
            Record::Incoming { session, identifier } => {
                numbers(out, INCOMING, &[session.0, u64::from(identifier.get())]);
            }
            Record::Released { session, identifier } => {
                numbers(out, RELEASED, &[session.0, u64::from(identifier.get())]);
            }
            _ => self.encode_rare(out),
        }
    }

    /// Those that are not there for every message.
    fn encode_rare(&self, out: &mut Vec<u8>) {
        match *self {
            Record::Session { session, namespace, identifier, expiry_s, ends_at } => {
                framed(out, SESSION, |out| {
                    put_all(out, &[session.0, u64::from(namespace.0)]);
                    put_bytes(out, identifier.as_bytes());
                    out.push(flag(FIRST, expiry_s.is_some()) | flag(SECOND, ends_at.is_some()));
                    put_option(out, expiry_s.map(u64::from));
                    put_option(out, ends_at.map(|at| at.0));
                });
            }
            Record::SessionEnded { session } => numbers(out, SESSION_ENDED, &[session.0]),
            Record::Subscribed { session, filter, options, identifier } => framed(out, SUBSCRIBED, |out| {
                put_varint(out, session.0);
                put_bytes(out, filter.as_bytes());
                out.push(options.to_byte());
                put_varint(out, identifier.map_or(0, |identifier| u64::from(identifier.get())));
            }),
            Record::Unsubscribed { session, filter } => framed(out, UNSUBSCRIBED, |out| {
                put_varint(out, session.0);
                out.extend_from_slice(filter.as_bytes());
            }),
            Record::Retained { version, message, publisher } => {
                numbers(out, RETAINED, &[version, message.0, publisher]);
            }
            Record::RetainedCleared { version, namespace, topic } => framed(out, RETAINED_CLEARED, |out| {
                put_all(out, &[version, u64::from(namespace.0)]);
                out.extend_from_slice(topic.as_bytes());
            }),
            Record::Forwarded { message, to } => {
                let Destination { shard, shards, group } = to;
                numbers(out, FORWARDED, &[message.0, u64::from(shard.0), u64::from(shards), group]);
            }
            Record::Arrived { message, shard, group } => {
                numbers(out, ARRIVED, &[message.0, u64::from(shard.0), group]);
            }
            Record::Will { session, message, delay_s, due, expiry_s } => framed(out, WILL, |out| {
                put_all(out, &[session.0, message.0, u64::from(delay_s)]);
                out.push(flag(FIRST, due.is_some()) | flag(SECOND, expiry_s.is_some()));
                put_option(out, due.map(|due| due.0));
                put_option(out, expiry_s.map(u64::from));
            }),
            Record::WillGone { session } => numbers(out, WILL_GONE, &[session.0]),
            // The frequent ones are written by `encode`.
            _ => {}
        }
    }
}

const fn flag(bit: u8, set: bool) -> u8 {
    if set { bit } else { 0 }
}

fn put_all(out: &mut Vec<u8>, numbers: &[u64]) {
    for &number in numbers {
        put_varint(out, number);
    }
}

fn put_option(out: &mut Vec<u8>, number: Option<u64>) {
    if let Some(number) = number {
        put_varint(out, number);
    }
}

#[inline]
fn numbers(out: &mut Vec<u8>, kind: u8, numbers: &[u64]) {
    framed(out, kind, |out| put_all(out, numbers));
}

/// Writes kind, length and body. Nearly every body is short: its length gets one byte, and the body
/// moves if that was not enough.
#[inline]
fn framed(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[kind, 0]);
    let start = out.len();
    body(out);
    let length = out.len() - start;
    if length < 0x80 {
        if let Some(place) = out.get_mut(start - 1) {
            *place = length as u8;
        }
        return;
    }
    lengthen(out, start, length);
}

#[cold]
fn lengthen(out: &mut Vec<u8>, start: usize, length: usize) {
    let mut head = Vec::with_capacity(VARINT_BYTES_MAX);
    put_varint(&mut head, length as u64);
    out.splice(start - 1..start, head);
}

/// Its length is computed first, so that a long payload is copied once.
#[inline]
fn put_message(out: &mut Vec<u8>, serial: Serial, message: &Message<'_>) {
    let namespace = u64::from(message.namespace.0);
    let expires_at = message.expires_at.map(|at| at.0);
    let length = varint_size(serial.0)
        + 1
        + if namespace == 0 { 0 } else { varint_size(namespace) }
        + expires_at.map_or(0, varint_size)
        + varint_size(message.topic.len() as u64)
        + message.topic.len()
        + varint_size(message.properties.len() as u64)
        + message.properties.len()
        + message.payload.len();
    out.reserve(1 + VARINT_BYTES_MAX + length);
    out.push(MESSAGE);
    put_varint(out, length as u64);
    put_varint(out, serial.0);
    out.push(
        message.qos as u8
            | flag(RETAIN, message.retain)
            | flag(HAS_NAMESPACE, namespace != 0)
            | flag(HAS_EXPIRY, expires_at.is_some()),
    );
    if namespace != 0 {
        put_varint(out, namespace);
    }
    put_option(out, expires_at);
    put_bytes(out, message.topic.as_bytes());
    put_bytes(out, message.properties);
    out.extend_from_slice(message.payload);
}

/// Reads the records of a commit, one after the other.
///
/// A record borrows from the commit and from the reader, which keeps room for Subscription Identifiers.
#[derive(Debug)]
pub struct RecordReader<'a> {
    bytes: &'a [u8],
    /// Where the next record begins.
    next_offset: usize,
    /// Where the last one began.
    offset: usize,
    identifiers: Vec<u32>,
}

impl<'a> RecordReader<'a> {
    /// For records that stand one behind the other.
    pub fn new(bytes: &'a [u8]) -> RecordReader<'a> {
        RecordReader { bytes, next_offset: 0, offset: 0, identifiers: Vec::new() }
    }

    /// The next record; `None` at the end. After an error there are no more. Kinds that may be skipped are.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "a record borrows from the reader")]
    pub fn next(&mut self) -> Option<Result<Record<'_>, RecordError>> {
        loop {
            let rest = self.bytes.get(self.next_offset..).filter(|rest| !rest.is_empty())?;
            self.offset = self.next_offset;
            let (kind, body, size) = match split(rest) {
                Ok(split) => split,
                Err(fault) => return Some(Err(self.fail(fault))),
            };
            self.next_offset += size;
            if kind < SKIPPABLE {
                let (offset, end) = (self.offset, self.bytes.len());
                let decoded = decode(kind, body, &mut self.identifiers);
                if decoded.is_err() {
                    self.next_offset = end;
                }
                return Some(decoded.map_err(|fault| RecordError { offset, fault }));
            }
        }
    }

    /// Where the record that was read last begins.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The encoded form of the record that was read last.
    pub fn raw(&self) -> &'a [u8] {
        self.bytes.get(self.offset..self.next_offset).unwrap_or_default()
    }

    fn fail(&mut self, fault: RecordFault) -> RecordError {
        self.next_offset = self.bytes.len();
        RecordError { offset: self.offset, fault }
    }
}

/// Kind, body and whole size of the first record.
#[inline]
fn split(bytes: &[u8]) -> Result<(u8, &[u8], usize), RecordFault> {
    let mut fields = Fields::new(bytes);
    let kind = fields.byte()?;
    let body = fields.bytes()?;
    Ok((kind, body, bytes.len() - fields.rest().len()))
}

#[inline]
fn decode<'a>(kind: u8, body: &'a [u8], scratch: &'a mut Vec<u32>) -> Result<Record<'a>, RecordFault> {
    let mut fields = Fields::new(body);
    let f = &mut fields;
    let record = match kind {
        MESSAGE => return message(fields),
        QUEUED => return queued(fields, scratch),
        SENT => {
            Record::Sent { session: serial(f)?, place: f.varint()?, identifier: f.narrow::<NonZero16>()?.0 }
        }
        TAKEN_OVER => Record::TakenOver { session: serial(f)?, place: f.varint()? },
        DONE => Record::Done { session: serial(f)?, place: f.varint()? },
        INCOMING => Record::Incoming { session: serial(f)?, identifier: f.narrow::<NonZero16>()?.0 },
        RELEASED => Record::Released { session: serial(f)?, identifier: f.narrow::<NonZero16>()?.0 },
        SESSION => session(f)?,
        SESSION_ENDED => Record::SessionEnded { session: serial(f)? },
        SUBSCRIBED => Record::Subscribed {
            session: serial(f)?,
            filter: f.text()?,
            options: SubscriptionOptions::from_byte(f.byte()?).ok_or(RecordFault::Flags)?,
            identifier: NonZeroU32::new(f.narrow()?),
        },
        UNSUBSCRIBED => {
            let session = serial(f)?;
            return Ok(Record::Unsubscribed { session, filter: text(f.rest())? });
        }
        RETAINED => Record::Retained { version: f.varint()?, message: serial(f)?, publisher: f.varint()? },
        RETAINED_CLEARED => {
            let (version, namespace) = (f.varint()?, Namespace(f.narrow()?));
            return Ok(Record::RetainedCleared { version, namespace, topic: text(f.rest())? });
        }
        FORWARDED => Record::Forwarded {
            message: serial(f)?,
            to: Destination { shard: ShardId(f.narrow()?), shards: f.narrow()?, group: f.varint()? },
        },
        ARRIVED => Record::Arrived { message: serial(f)?, shard: ShardId(f.narrow()?), group: f.varint()? },
        WILL => will(f)?,
        WILL_GONE => Record::WillGone { session: serial(f)? },
        unknown => return Err(RecordFault::Kind(unknown)),
    };
    fields.end()?;
    Ok(record)
}

/// A varint that is a Packet Identifier.
struct NonZero16(NonZeroU16);

impl TryFrom<u64> for NonZero16 {
    type Error = ();

    fn try_from(value: u64) -> Result<NonZero16, ()> {
        u16::try_from(value).ok().and_then(NonZeroU16::new).map(NonZero16).ok_or(())
    }
}

#[inline]
fn serial(fields: &mut Fields<'_>) -> Result<Serial, RecordFault> {
    fields.varint().map(Serial)
}

#[inline]
fn text(bytes: &[u8]) -> Result<&str, RecordFault> {
    str::from_utf8(bytes).map_err(|_| RecordFault::Text)
}

#[inline]
fn message(mut fields: Fields<'_>) -> Result<Record<'_>, RecordFault> {
    let f = &mut fields;
    let serial = serial(f)?;
    let flags = f.byte()?;
    if flags & !(QOS_BITS | RETAIN | HAS_NAMESPACE | HAS_EXPIRY) != 0 {
        return Err(RecordFault::Flags);
    }
    let namespace = Namespace(if flags & HAS_NAMESPACE != 0 { f.narrow()? } else { 0 });
    let expires_at = if flags & HAS_EXPIRY != 0 { Some(Wall(f.varint()?)) } else { None };
    let topic = f.text()?;
    let properties = f.bytes()?;
    let message = Message {
        namespace,
        topic,
        properties,
        payload: f.rest(),
        qos: QoS::from_bits(flags & QOS_BITS).ok_or(RecordFault::Flags)?,
        retain: flags & RETAIN != 0,
        expires_at,
        publisher: None,
    };
    Ok(Record::Message { serial, message })
}

#[inline]
fn queued<'a>(mut fields: Fields<'a>, scratch: &'a mut Vec<u32>) -> Result<Record<'a>, RecordFault> {
    let f = &mut fields;
    let (session, place, message) = (serial(f)?, f.varint()?, serial(f)?);
    let flags = f.byte()?;
    if flags & !(QOS_BITS | RETAIN | HAS_GROUP | HAS_IDENTIFIERS | HAS_SENT) != 0 {
        return Err(RecordFault::Flags);
    }
    let group = if flags & HAS_GROUP != 0 { f.varint()? } else { 0 };
    let sent = if flags & HAS_SENT != 0 { Some(f.narrow::<NonZero16>()?.0) } else { None };
    scratch.clear();
    while flags & HAS_IDENTIFIERS != 0 && !f.rest().is_empty() {
        scratch.push(f.narrow()?);
    }
    fields.end()?;
    let terms = QueuedTerms {
        qos: QoS::from_bits(flags & QOS_BITS).ok_or(RecordFault::Flags)?,
        retain: flags & RETAIN != 0,
        group,
        subscription_identifiers: scratch,
    };
    Ok(Record::Queued { session, place, message, terms, sent })
}

fn session<'a>(f: &mut Fields<'a>) -> Result<Record<'a>, RecordFault> {
    let (session, namespace, identifier) = (serial(f)?, Namespace(f.narrow()?), f.text()?);
    let flags = f.byte()?;
    let expiry_s = if flags & FIRST != 0 { Some(f.narrow()?) } else { None };
    let ends_at = if flags & SECOND != 0 { Some(Wall(f.varint()?)) } else { None };
    Ok(Record::Session { session, namespace, identifier, expiry_s, ends_at })
}

fn will<'a>(f: &mut Fields<'a>) -> Result<Record<'a>, RecordFault> {
    let (session, message, delay_s) = (serial(f)?, serial(f)?, f.narrow()?);
    let flags = f.byte()?;
    let due = if flags & FIRST != 0 { Some(Wall(f.varint()?)) } else { None };
    let expiry_s = if flags & SECOND != 0 { Some(f.narrow()?) } else { None };
    Ok(Record::Will { session, message, delay_s, due, expiry_s })
}

/// What is wrong with bytes that should be records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Where the record begins.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: RecordFault,
}

/// See [`RecordError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It ends in the middle of a field.
    Short,
    /// It goes on behind its last field.
    Long,
    /// A number is larger than what it counts can be, or is 0 where that means nothing.
    Number,
    /// A text is not UTF-8.
    Text,
    /// Flags, QoS or options that do not exist.
    Flags,
    /// A kind of record that does not exist here: a newer version may have written it.
    Kind(u8),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record at offset {}: ", self.offset)?;
        match self.fault {
            RecordFault::Short => f.write_str("it ends in the middle of a field"),
            RecordFault::Long => f.write_str("it goes on behind its last field"),
            RecordFault::Number => f.write_str("a number is out of range"),
            RecordFault::Text => f.write_str("a text is not UTF-8"),
            RecordFault::Flags => f.write_str("unknown flags"),
            RecordFault::Kind(kind) => {
                write!(f, "unknown kind {kind}; a newer version of HexMQ may have written it")
            }
        }
    }
}

impl std::error::Error for RecordError {}
