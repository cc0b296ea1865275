//! What the core says to its connections, to other shards and to the world.

use hexmq_broker::{
    Answer, Batch, CloseReason, Condition, ConnId, Event, Fetch, HandedUp, HoldId, Partial, Question, Record,
    Refusal, SessionKey, ShardId, Sink,
};
use hexmq_session::Mono;
use hexmq_wire::Connect;

use super::Links;
use crate::authority::Decision;
use crate::link::{Flags, Link, deserves_goodbye};
use crate::lobby;
use crate::tap::Notice;

/// More output than this for one connection is offered to the kernel at once, within the turn.
const EARLY_WRITE_BYTES: usize = 256 << 10;

/// Something is about to be said where so many bytes wait: it is written at the end of the turn, or what waits is
/// written now if it is very much.
#[inline]
fn mark(link: &mut Link, pending: usize, dirty: &mut Vec<ConnId>, low_mark: usize, now: Mono) {
    if !link.flags.dirty {
        link.flags.dirty = true;
        dirty.push(link.conn);
    } else if pending >= EARLY_WRITE_BYTES {
        write_early(link, pending, low_mark, now);
    }
}

#[cold]
fn write_early(link: &mut Link, pending: usize, low_mark: usize, now: Mono) {
    let Flags { blocked, gated, paced, .. } = link.flags;
    if !(blocked || gated || paced) {
        link.flags.high |= pending >= low_mark;
        link.flush(now);
    }
}

fn empty(void: &mut Vec<u8>) -> &mut Vec<u8> {
    void.clear();
    void
}

impl Sink for Links {
    #[inline]
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        let Links { table, dirty, pool, void, low_mark, now, .. } = self;
        match table.get_mut(conn) {
            Some(link) => {
                mark(link, link.pending(), dirty, *low_mark, now.mono);
                link.outbox.get_or_insert_with(|| pool.take()).append()
            }
            None => empty(void),
        }
    }

    #[inline]
    fn output_below(&mut self, conn: ConnId, bytes: usize) -> Option<&mut Vec<u8>> {
        let Links { table, dirty, pool, void, low_mark, now, .. } = self;
        let Some(link) = table.get_mut(conn) else { return Some(empty(void)) };
        let pending = link.pending();
        if pending >= bytes {
            return None;
        }
        mark(link, pending, dirty, *low_mark, now.mono);
        Some(link.outbox.get_or_insert_with(|| pool.take()).append())
    }

    #[inline]
    fn output_len(&self, conn: ConnId) -> usize {
        self.get(conn).map_or(0, Link::pending)
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(mut link) = self.remove(conn) else { return };
        if link.flags.gated {
            // What was held back is not true yet, and now it need not be said.
            link.outbox = None;
        }
        link.flags.goodbye = deserves_goodbye(reason);
        link.tape_ends(reason);
        self.witness.last_words(&mut link, reason);
        self.departing.push(link);
    }

    fn resume(&mut self, conn: ConnId) {
        let Some(link) = self.get_mut(conn) else { return };
        link.flags.paused = false;
        link.flags.held = false;
        if link.flags.unread || link.has_extra() {
            self.make_ready(conn);
        }
    }

    fn partial(&self, conn: ConnId) -> Partial {
        self.get(conn).map_or(Partial::default(), Link::partial)
    }

    #[inline]
    fn packet_ends(&mut self) {
        if let Some(commits) = self.commits.as_mut().filter(|commits| commits.is_large()) {
            commits.seal();
        }
    }

    #[inline]
    fn persist(&mut self, record: &Record<'_>) {
        if let Some(commits) = &mut self.commits {
            commits.persist(record);
        }
    }

    #[inline]
    fn promise(&mut self, conn: ConnId) -> &mut Vec<u8> {
        if self.get(conn).is_none() {
            return empty(&mut self.void);
        }
        if self.commits.is_none() {
            return self.output(conn);
        }
        match &mut self.commits {
            Some(commits) => commits.promise(conn),
            None => &mut self.void,
        }
    }

    #[inline]
    fn promised(&self, conn: ConnId) -> bool {
        self.commits.as_ref().is_some_and(|commits| commits.promised(conn))
    }

    fn gate(&mut self, conn: ConnId) {
        if let (Some(link), Some(commits)) = (self.table.get_mut(conn), &mut self.commits) {
            link.flags.gated = true;
            commits.gate(conn);
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        if let Some(commits) = &mut self.commits {
            commits.fetch(fetch);
        }
    }

    fn condition(&self) -> Condition {
        self.commits.as_ref().map_or(Condition::Well, |commits| commits.condition)
    }

    fn forward(&mut self, to: ShardId) -> &mut Batch {
        // A shard that does not exist would be a fault of the core: its messages then stay here,
        // in the lane to itself, which nobody reads.
        let lane = if usize::from(to.0) < self.lanes.len() { to.0 } else { self.me.0 };
        &mut self.lanes[usize::from(lane)].batch
    }

    fn congested(&self, to: ShardId) -> bool {
        self.lanes
            .get(usize::from(to.0))
            .is_some_and(|lane| lane.full || lane.batch.size_bytes() > self.outside.mailbox.lane_bytes_max())
    }

    fn hand_up(&mut self, uplink: HandedUp) {
        match &mut self.commits {
            Some(commits) => commits.hand_up(uplink),
            None => self.uplinks.push(uplink),
        }
    }

    fn acked(&mut self, token: u64) {
        if let Some(upstairs) = &self.outside.upstairs {
            upstairs.acked(token);
        }
    }

    fn pace(&mut self, conn: ConnId, gap_ms: u32) {
        if let Some(link) = self.get_mut(conn) {
            link.pace(gap_ms);
        }
    }

    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        lobby::key_of(connect, &*self.outside.authority)
    }

    fn ask(&mut self, hold: HoldId, question: Question<'_>) -> Option<Answer> {
        match self.outside.authority.decide(&question) {
            Decision::Now(answer) => Some(answer),
            Decision::Later(work) => {
                if !self.outside.desk.submit(&self.outside.mailbox, hold, work) {
                    self.notice(&Notice::AuthorityBusy);
                    return Some(Answer::Refuse(Refusal::ServerUnavailable));
                }
                if let Some(link) = self.get_mut(hold.conn) {
                    link.flags.held = true;
                }
                None
            }
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        self.outside.tap.event(self.me, &event);
        self.hear(&event);
    }
}
