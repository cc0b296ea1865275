//! Retained messages for new subscriptions, a slice at a time: a `#` over a million topics goes on
//! over many turns, and the place is kept while the client, or its window, has no room.

use std::ops::ControlFlow;

use hexmq_session::Now;
use hexmq_topic::TopicFilter;
use hexmq_wire::QoS;

use super::Shard;
use crate::residents::Listed;
use crate::retained::{Progress, RetainedMessage};
use crate::session::{Granted, Handout};
use crate::{ConnId, Fetch, Fetched, Message, Namespace, Record, RecordReader, Serial, SessionRef, Sink};

/// Bytes that may wait for a connection before its hand-out pauses.
const OUTPUT_MARK_BYTES: usize = 256 << 10;

/// Messages fetched from the store at once.
const COLD_AT_ONCE: usize = 64;

/// How a slice ended.
enum Slice {
    /// Nothing is left to hand out.
    Done,
    /// The budget is spent.
    Spent,
    /// The output is long enough for now.
    Full,
    /// The window has no room, or there is no connection: an acknowledgement or a new connection
    /// lists the session again.
    Blocked,
}

impl Shard {
    /// Whether [`Shard::work`] has something to do at once. Ask at the end of the turn: an output that
    /// was written meanwhile may have made room.
    pub fn has_work(&self) -> bool {
        self.handouts_wait
    }

    /// One slice of every long walk, once in each turn; true if another turn is to follow at once.
    pub fn work(&mut self, now: Now, out: &mut impl Sink) -> bool {
        let mut more = false;
        for _ in 0..self.residents.handout_ready.len() {
            let Some(Listed { slot, was_full }) = self.residents.handout_ready.pop_front() else { break };
            if let Some(rare) = self.residents.sessions.at_mut(slot).and_then(|session| session.rare.as_mut())
            {
                rare.handout_listed = false;
            }
            match self.hand_out(slot, now, out) {
                Slice::Done | Slice::Blocked => {}
                Slice::Spent => {
                    self.list_handout(slot, false);
                    more = true;
                }
                Slice::Full => {
                    // Perhaps by this turn's own output, which is written before the next one. If
                    // it is still full then, the kernel's leave to write brings the turn.
                    more |= !was_full;
                    self.list_handout(slot, true);
                }
            }
        }
        self.handouts_wait = more;
        more
    }

    fn list_handout(&mut self, slot: u32, was_full: bool) {
        let rare = self.residents.sessions.at_mut(slot).and_then(|session| session.rare.as_mut());
        if let Some(rare) = rare
            && !std::mem::replace(&mut rare.handout_listed, true)
        {
            self.residents.handout_ready.push_back(Listed { slot, was_full });
        }
    }

    fn hand_out(&mut self, slot: u32, now: Now, out: &mut impl Sink) -> Slice {
        let Some(session) = self.residents.sessions.at_mut(slot) else { return Slice::Done };
        let Some(conn) = session.conn else { return Slice::Blocked };
        if session.rare.as_ref().is_some_and(|rare| rare.thawing.is_some()) {
            return Slice::Blocked;
        }
        if let Some((granted, messages)) = session.rare.as_mut().and_then(|rare| rare.frozen.take()) {
            self.thaw(slot, granted, messages, out);
            return Slice::Blocked;
        }
        let namespace = session.key.namespace.topics();
        let conn = ConnId { slot: conn, generation: self.residents.connections.generation(conn) };
        if out.output_len(conn) >= OUTPUT_MARK_BYTES {
            return Slice::Full;
        }
        let mut budget = self.residents.limits.handout_budget.max(1);
        loop {
            let Some(mut handout) = self.next_handout(slot) else { return Slice::Done };
            let (slice, spent) = self.hand_out_one(slot, conn, namespace, &mut handout, budget, now, out);
            if !matches!(slice, Slice::Done) {
                if let Some(session) = self.residents.sessions.at_mut(slot) {
                    session.rare().handouts.push_front(handout);
                }
                return slice;
            }
            budget = budget.saturating_sub(spent);
            if budget == 0 {
                return Slice::Spent;
            }
        }
    }

    fn next_handout(&mut self, slot: u32) -> Option<Handout> {
        let session = self.residents.sessions.at_mut(slot)?;
        let handout = session.rare.as_mut()?.handouts.pop_front();
        if handout.is_none() {
            session.settle_rare();
        }
        handout
    }

    #[allow(clippy::too_many_arguments, reason = "a slice of one hand-out")]
    fn hand_out_one(
        &mut self,
        slot: u32,
        conn: ConnId,
        namespace: Namespace,
        handout: &mut Handout,
        budget: usize,
        now: Now,
        out: &mut impl Sink,
    ) -> (Slice, usize) {
        // The filter was parsed when it was subscribed to.
        let Ok(filter) = TopicFilter::parse(&handout.filter) else { return (Slice::Done, 0) };
        let Self { residents, shared, .. } = self;
        let granted = handout.granted;
        let mut slice = Slice::Spent;
        let mut sent = 0;
        let mut cold: Vec<Serial> = Vec::new();
        let mut visit = |retained: RetainedMessage<'_>| {
            // [V5 MQTT-3.8.3-3]
            if granted.not_from != 0 && granted.not_from == retained.publisher {
                return ControlFlow::Continue(());
            }
            let qos = granted.qos.min(retained.qos);
            let room = residents
                .sessions
                .at(slot)
                .is_some_and(|session| qos == QoS::AtMostOnce || session.has_room());
            if !room {
                slice = Slice::Blocked;
                return ControlFlow::Break(());
            }
            if out.output_len(conn) >= OUTPUT_MARK_BYTES {
                slice = Slice::Full;
                return ControlFlow::Break(());
            }
            if let Some(serial) = retained.serial {
                if cold.len() >= COLD_AT_ONCE {
                    slice = Slice::Blocked;
                    return ControlFlow::Break(());
                }
                cold.push(serial);
                return ControlFlow::Continue(());
            }
            sent += 1;
            let message = Message {
                namespace,
                topic: retained.topic,
                properties: retained.properties,
                payload: retained.payload,
                qos: retained.qos,
                retain: true,
                expires_at: retained.expires,
                publisher: None,
            };
            residents.send_retained(conn, slot, &message, granted, now, out);
            ControlFlow::Continue(())
        };
        let progress =
            shared.retained.collect(namespace, filter, &mut handout.cursor, budget, now.wall, &mut visit);
        let thaws = !cold.is_empty();
        if thaws {
            self.thaw(slot, granted, cold, out);
        }
        match progress {
            // What thaws is the end of this hand-out; the next one waits for it.
            Progress::Done => (Slice::Done, if thaws { budget } else { sent.max(1) }),
            Progress::More if thaws => (Slice::Blocked, budget),
            Progress::More => (slice, budget),
        }
    }

    /// Asks the store for bodies that are only there.
    fn thaw(&mut self, slot: u32, granted: Granted, messages: Vec<Serial>, out: &mut impl Sink) {
        let session = self.session_ref(slot);
        if let Some(waiting) = self.residents.sessions.at_mut(slot) {
            waiting.rare().thawing = Some(granted);
            out.fetch(Fetch::Bodies { session, messages });
        }
    }

    /// The connection of a session that can take one more retained message at once.
    fn room_for_retained(&self, slot: u32, qos: QoS, out: &impl Sink) -> Option<ConnId> {
        let session = self.residents.sessions.at(slot)?;
        let conn = session.conn?;
        let conn = ConnId { slot: conn, generation: self.residents.connections.generation(conn) };
        let fits = (qos == QoS::AtMostOnce || session.has_room()) && out.output_len(conn) < OUTPUT_MARK_BYTES;
        fits.then_some(conn)
    }

    /// Retained messages have come from the store: they go out, or into the queue, and the hand-out goes on.
    pub(super) fn thawed(&mut self, fetched: &Fetched, now: Now, out: &mut impl Sink) {
        let SessionRef { slot, generation, .. } = fetched.session;
        let Some(session) = self.residents.sessions.get_mut(slot, generation) else { return };
        let Some(granted) = session.rare.as_mut().and_then(|rare| rare.thawing.take()) else { return };
        let mut left: Vec<Serial> = Vec::new();
        let mut reader = RecordReader::new(&fetched.records);
        while let Some(Ok(record)) = reader.next() {
            let Record::Message { serial, message } = record else { continue };
            if message.expires_at.is_some_and(|at| at <= now.wall) {
                continue;
            }
            let room =
                left.is_empty().then(|| self.room_for_retained(slot, granted.qos.min(message.qos), out));
            match room.flatten() {
                Some(conn) => {
                    let message = Message { retain: true, ..message };
                    self.residents.send_retained(conn, slot, &message, granted, now, out);
                }
                None => left.push(serial),
            }
        }
        if !left.is_empty()
            && let Some(session) = self.residents.sessions.at_mut(slot)
        {
            session.rare().frozen = Some((granted, left));
        }
        // Goes on where it stopped, or waits for room as every hand-out does.
        self.pump(slot, now, out);
    }
}
