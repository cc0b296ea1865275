//! The sessions: where what was said of each is in the log.

use std::num::NonZeroU16;

use hashbrown::HashMap;

use super::queue::Queue;
use super::retained::Fingerprint;

/// Subscriptions of a session are searched one by one up to so many.
const FEW: usize = 16;

/// A record in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) position: u64,
    pub(crate) bytes: u32,
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Its terms; `None` as long as only other records named it.
    pub(crate) terms: Option<Span>,
    pub(crate) subscriptions: Subscriptions,
    /// Identifiers of QoS 2 messages from the client, in order, and where their records are.
    pub(crate) incoming: Vec<(NonZeroU16, u64)>,
    pub(crate) will: Option<Box<Will>>,
    pub(crate) queue: Queue,
    /// Larger than every place known.
    pub(crate) next_place: u64,
    /// Bytes of the bodies in the queue.
    pub(crate) waiting_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Will {
    pub(crate) span: Span,
    pub(crate) slot: u32,
}

/// The subscriptions of a session, by the fingerprint of their filter.
#[derive(Debug)]
pub(crate) enum Subscriptions {
    Few(Vec<(Fingerprint, Span)>),
    Many(HashMap<Fingerprint, Span, FingerprintHasher>),
}

impl Default for Subscriptions {
    fn default() -> Subscriptions {
        Subscriptions::Few(Vec::new())
    }
}

impl Subscriptions {
    pub(crate) fn get(&self, filter: Fingerprint) -> Option<Span> {
        match self {
            Subscriptions::Few(few) => few.iter().find(|(other, _)| *other == filter).map(|(_, span)| *span),
            Subscriptions::Many(many) => many.get(&filter).copied(),
        }
    }

    /// Gives what was there before.
    pub(crate) fn set(&mut self, filter: Fingerprint, span: Span) -> Option<Span> {
        match self {
            Subscriptions::Few(few) => {
                if let Some((_, place)) = few.iter_mut().find(|(other, _)| *other == filter) {
                    return Some(std::mem::replace(place, span));
                }
                if few.len() < FEW {
                    few.push((filter, span));
                } else {
                    let mut many: HashMap<_, _, _> = few.drain(..).collect();
                    many.insert(filter, span);
                    *self = Subscriptions::Many(many);
                }
                None
            }
            Subscriptions::Many(many) => many.insert(filter, span),
        }
    }

    pub(crate) fn remove(&mut self, filter: Fingerprint) -> Option<Span> {
        match self {
            Subscriptions::Few(few) => {
                let at = few.iter().position(|(other, _)| *other == filter)?;
                Some(few.swap_remove(at).1)
            }
            Subscriptions::Many(many) => many.remove(&filter),
        }
    }

    /// Where they are, in no order.
    pub(crate) fn spans(&self) -> Vec<Span> {
        match self {
            Subscriptions::Few(few) => few.iter().map(|(_, span)| *span).collect(),
            Subscriptions::Many(many) => many.values().copied().collect(),
        }
    }
}

/// Fingerprints are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FingerprintHasher;

impl std::hash::BuildHasher for FingerprintHasher {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(0)
    }
}

#[derive(Debug)]
pub(crate) struct Folded(u64);

impl std::hash::Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl std::hash::Hash for Fingerprint {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.folded());
    }
}
