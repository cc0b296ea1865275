use std::num::{NonZeroU16, NonZeroU32};

use hexmq_session::Wall;
use hexmq_wire::{QoS, SubscriptionOptions};
use proptest::option;
use proptest::prelude::*;

use super::*;

/// A record with its own texts.
#[derive(Clone, Debug)]
struct Owned {
    kind: u8,
    numbers: [u64; 4],
    small: (u32, u16, u16, u8),
    text: String,
    bytes: Vec<u8>,
    identifiers: Vec<u32>,
    first: Option<u32>,
    second: Option<u64>,
    flag: bool,
}

const KINDS: u8 = 17;

impl Owned {
    fn message(&self) -> Message<'_> {
        Message {
            namespace: Namespace(self.small.0),
            topic: &self.text,
            properties: &self.bytes[..self.bytes.len() / 3],
            payload: &self.bytes[self.bytes.len() / 3..],
            qos: QoS::from_bits(self.small.3 % 3).unwrap(),
            retain: self.flag,
            expires_at: self.second.map(Wall),
            publisher: None,
        }
    }

    fn terms(&self) -> QueuedTerms<'_> {
        QueuedTerms {
            qos: QoS::from_bits(self.small.3 % 3).unwrap(),
            retain: self.flag,
            group: self.numbers[3],
            subscription_identifiers: &self.identifiers,
        }
    }

    fn record(&self) -> Record<'_> {
        let [a, place, message, d] = self.numbers;
        let (session, message) = (Serial(a), Serial(message));
        let (number, shard, shards, bits) = self.small;
        let shard = ShardId(shard);
        let identifier = NonZeroU16::new(shards).unwrap_or(NonZeroU16::MAX);
        let (filter, namespace) = (self.text.as_str(), Namespace(number));
        match self.kind {
            0 => Record::Session {
                session,
                namespace,
                identifier: filter,
                expiry_s: self.first,
                ends_at: self.second.map(Wall),
            },
            1 => Record::SessionEnded { session },
            2 => Record::Subscribed {
                session,
                filter,
                options: SubscriptionOptions::from_byte(bits & 0b1_1111 & !0b11).unwrap(),
                identifier: NonZeroU32::new(number),
            },
            3 => Record::Unsubscribed { session, filter },
            4 => Record::Message { serial: session, message: self.message() },
            5 => {
                let sent = self.first.map(|_| identifier);
                Record::Queued { session, place, message, terms: self.terms(), sent }
            }
            6 => Record::Sent { session, place, identifier },
            7 => Record::TakenOver { session, place },
            8 => Record::Done { session, place },
            9 => Record::Incoming { session, identifier },
            10 => Record::Released { session, identifier },
            11 => Record::Retained { version: a, message, publisher: d },
            12 => Record::RetainedCleared { version: a, namespace, topic: filter },
            13 => Record::Forwarded { message, to: Destination { shard, shards, group: d } },
            14 => Record::Arrived { message, shard, group: d },
            15 => Record::Will {
                session,
                message,
                delay_s: number,
                due: self.second.map(Wall),
                expiry_s: self.first,
            },
            _ => Record::WillGone { session },
        }
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, any::<u64>(), Just(u64::MAX)]
}

fn owned() -> impl Strategy<Value = Owned> {
    (
        (0..KINDS, [number(), number(), number(), number()], any::<(u32, u16, u16, u8)>()),
        (".{0,200}", prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u32>(), 0..60)),
        (option::of(any::<u32>()), option::of(number()), any::<bool>()),
    )
        .prop_map(|((kind, numbers, small), (text, bytes, identifiers), (first, second, flag))| Owned {
            kind,
            numbers,
            small,
            text,
            bytes,
            identifiers,
            first,
            second,
            flag,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec(owned(), 0..12)) {
        let mut commit = Vec::new();
        let mut ends = Vec::new();
        for record in &records {
            record.record().encode(&mut commit);
            ends.push(commit.len());
        }
        let mut reader = RecordReader::new(&commit);
        for (record, &end) in records.iter().zip(&ends) {
            prop_assert_eq!(reader.next().unwrap().unwrap(), record.record());
            prop_assert_eq!(reader.offset() + reader.raw().len(), end);
        }
        prop_assert!(reader.next().is_none());
    }

    #[test]
    fn a_record_cut_short_is_an_error(record in owned(), cut in 1..100_usize) {
        let mut commit = Vec::new();
        record.record().encode(&mut commit);
        commit.truncate(commit.len().saturating_sub(cut));
        let mut reader = RecordReader::new(&commit);
        match reader.next() {
            None => prop_assert!(commit.is_empty()),
            Some(read) => prop_assert!(read.is_err()),
        }
        prop_assert!(reader.next().is_none());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut reader = RecordReader::new(&bytes);
        let mut read = 0;
        while let Some(record) = reader.next() {
            read += 1;
            if let Err(error) = record {
                prop_assert!(error.offset < bytes.len());
            }
        }
        prop_assert!(read <= bytes.len());
    }

    #[test]
    fn the_overhead_of_a_message_is_bounded(record in owned()) {
        let mut commit = Vec::new();
        let message = record.message();
        Record::Message { serial: Serial(record.numbers[0]), message }.encode(&mut commit);
        let body = message.topic.len() + message.properties.len() + message.payload.len();
        prop_assert!(commit.len() <= body + MESSAGE_OVERHEAD_MAX);
    }
}

#[test]
fn an_unknown_kind_is_named_or_skipped() {
    let mut commit = vec![200, 3, 1, 2, 3];
    Record::SessionEnded { session: Serial(7) }.encode(&mut commit);
    commit.extend_from_slice(&[99, 0]);
    let mut reader = RecordReader::new(&commit);
    assert_eq!(reader.next(), Some(Ok(Record::SessionEnded { session: Serial(7) })));
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!((error.offset, error.fault), (8, RecordFault::Kind(99)));
    assert!(error.to_string().contains("kind 99"), "{error}");
}
