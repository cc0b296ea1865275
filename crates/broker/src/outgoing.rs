//! What a session has of a message on its way to its client: in flight, or waiting.

use std::collections::VecDeque;

use hexmq_wire::QoS;

use crate::Serial;
use crate::layout::Terms;
use crate::message::{MessageId, Messages};

/// A message for one session: the body and how this session gets it.
#[derive(Debug)]
pub(crate) struct Outgoing<Body = MessageId> {
    pub(crate) message: Body,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Its place in the store; 0: it is not there.
    pub(crate) place: u64,
    pub(crate) extra: Option<Box<Extra>>,
}

/// A message in flight, with its body if that may be needed again: see [`keeps_sent`](crate::session::Session::keeps_sent).
pub(crate) type Sent = Outgoing<Option<MessageId>>;

impl<Body> Outgoing<Body> {
    /// With its place in the store, if it has one there.
    #[inline]
    pub(crate) fn new(message: Body, place: Option<(Serial, u64)>, terms: &Terms<'_>) -> Outgoing<Body> {
        let place = place.map_or(0, |(_, place)| place);
        Outgoing { message, qos: terms.qos, retain: terms.retain, place, extra: Extra::of(terms) }
    }

    /// The shared subscription it is for; 0: none.
    pub(crate) fn group(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.group)
    }
}

impl Outgoing {
    /// It goes out; its body is released by the caller if it is not kept.
    pub(crate) fn sent(self, keeps: bool) -> Sent {
        let Outgoing { message, qos, retain, place, extra } = self;
        Outgoing { message: keeps.then_some(message), qos, retain, place, extra }
    }
}

/// What few messages have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    pub(crate) subscription_identifiers: Vec<u32>,
    /// The shared subscription it was sent for; 0: none.
    pub(crate) group: u64,
    /// Who is told of its acknowledgement.
    pub(crate) token: Option<u64>,
}

impl Extra {
    /// For most messages there is nothing.
    #[inline]
    fn of(terms: &Terms<'_>) -> Option<Box<Extra>> {
        let Terms { subscription_identifiers, group, token, .. } = *terms;
        let has_extra = !subscription_identifiers.is_empty() || group != 0 || token.is_some();
        has_extra.then(|| {
            Box::new(Extra { subscription_identifiers: subscription_identifiers.to_vec(), group, token })
        })
    }
}

/// Messages waiting for room in the in-flight window or for a connection. Oldest first; past a
/// bound the oldest are dropped. One word while nothing has ever waited.
#[derive(Debug, Default)]
pub(crate) struct Queue(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Outgoing>,
    bytes: u64,
}

/// An emptied queue with room for more gives its memory back.
const KEEP_MESSAGES: usize = 64;

impl Queue {
    pub(crate) fn push(&mut self, outgoing: Outgoing, messages: &Messages) {
        let waiting = self.0.get_or_insert_default();
        waiting.bytes += messages.size(outgoing.message);
        waiting.messages.push_back(outgoing);
    }

    pub(crate) fn pop(&mut self, messages: &Messages) -> Option<Outgoing> {
        let waiting = self.0.as_mut()?;
        let outgoing = waiting.messages.pop_front()?;
        waiting.bytes -= messages.size(outgoing.message);
        if waiting.messages.is_empty() && waiting.messages.capacity() > KEEP_MESSAGES {
            self.0 = None;
        }
        Some(outgoing)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.messages.len())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|waiting| waiting.messages.is_empty())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |waiting| waiting.bytes)
    }
}
