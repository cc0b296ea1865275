//! Commits made of records, in few words.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test crate uses a part of it")]

use std::num::{NonZeroU16, NonZeroU32};

use hexmq_broker::{Message, Namespace, QueuedTerms, Record, Serial};
use hexmq_wire::{QoS, SubscriptionOptions};

#[derive(Debug, Default)]
pub struct Commit(Vec<u8>);

pub fn place(serial: u64) -> Serial {
    Serial(serial)
}

impl Commit {
    pub fn new() -> Commit {
        Commit::default()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn put(&mut self, record: &Record<'_>) -> &mut Commit {
        record.encode(&mut self.0);
        self
    }

    pub fn session(&mut self, session: u64, identifier: &str) -> &mut Commit {
        let (session, namespace) = (Serial(session), Namespace::PLAIN);
        self.put(&Record::Session { session, namespace, identifier, expiry_s: None, ends_at: None })
    }

    pub fn subscribed(&mut self, session: u64, filter: &str) -> &mut Commit {
        self.put(&Record::Subscribed {
            session: Serial(session),
            filter,
            options: SubscriptionOptions::with_qos(QoS::AtLeastOnce),
            identifier: NonZeroU32::new(7),
        })
    }

    pub fn message(&mut self, serial: u64, topic: &str, payload: &[u8]) -> &mut Commit {
        let message = Message {
            namespace: Namespace::PLAIN,
            topic,
            properties: &[],
            payload,
            qos: QoS::AtLeastOnce,
            retain: false,
            expires_at: None,
            publisher: None,
        };
        self.put(&Record::Message { serial: Serial(serial), message })
    }

    pub fn queued(&mut self, session: u64, place: u64, message: u64) -> &mut Commit {
        let terms =
            QueuedTerms { qos: QoS::AtLeastOnce, retain: false, group: 0, subscription_identifiers: &[] };
        let (session, message) = (Serial(session), Serial(message));
        self.put(&Record::Queued { session, place, message, terms, sent: None })
    }

    pub fn retained(&mut self, version: u64, message: u64) -> &mut Commit {
        self.put(&Record::Retained { version, message: Serial(message), publisher: 99 })
    }

    pub fn incoming(&mut self, session: u64, identifier: u16) -> &mut Commit {
        let identifier = NonZeroU16::new(identifier).unwrap();
        self.put(&Record::Incoming { session: Serial(session), identifier })
    }

    pub fn done(&mut self, session: u64, place: u64) -> &mut Commit {
        self.put(&Record::Done { session: Serial(session), place })
    }

    pub fn cleared(&mut self, version: u64, topic: &str) -> &mut Commit {
        self.put(&Record::RetainedCleared { version, namespace: Namespace::PLAIN, topic })
    }
}
