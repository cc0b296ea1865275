//! What a shard has given its store, and what waits for it to be safe.
//!
//! The records of a turn are one commit. What was promised on their strength, to any connection, waits
//! with it; when the store says that the commit is safe, all of it goes into the connections' output in the
//! order it was promised. Nothing is looked up per message but whether a connection waits.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use hexmq_broker::{Condition, ConnId, Fetch, HandedUp, Journal, Record, ShardId};

type Waiting = HashMap<ConnId, u32, foldhash::fast::FixedState>;

/// The commits of one shard.
pub(crate) struct Commits {
    me: ShardId,
    journal: Arc<dyn Journal>,
    /// As it was when the turn began.
    pub(crate) condition: Condition,
    /// What this turn has changed.
    records: Vec<u8>,
    /// What this turn has promised.
    promises: Promises,
    /// Turns whose commit is not safe yet, oldest first.
    pending: VecDeque<(u64, Promises)>,
    /// Promises that have not left, by connection.
    waiting: Waiting,
    /// Commits for which a connection is held back.
    gates: Waiting,
    /// The last commit handed over, and the last that is safe.
    last: u64,
    safe: u64,
    /// Questions for the store: asked after the commit, so that it knows what they ask about.
    fetches: Vec<Fetch>,
    spare: Vec<Promises>,
}

/// What waits for one commit.
#[derive(Default)]
pub(crate) struct Promises {
    bytes: Vec<u8>,
    /// Where what was promised to whom begins in `bytes`; one packet each.
    starts: Vec<(ConnId, usize)>,
    /// Connections that are held back altogether.
    gated: Vec<ConnId>,
    /// Messages for the platform.
    uplinks: Vec<HandedUp>,
}

/// A commit that has grown to this is handed over within the turn, between two packets.
const COMMIT_BYTES: usize = 8 << 20;

/// Emptied promises that are kept, and how large they may be.
const SPARE_MAX: usize = 4;
const SPARE_BYTES: usize = 256 << 10;

impl Promises {
    fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.gated.is_empty() && self.uplinks.is_empty()
    }

    /// Connections that are held back.
    pub(crate) fn gated(&self) -> &[ConnId] {
        &self.gated
    }

    /// Takes the messages for the platform.
    pub(crate) fn take_uplinks(&mut self) -> Vec<HandedUp> {
        std::mem::take(&mut self.uplinks)
    }

    /// Each packet with the connection it was promised to, in order.
    pub(crate) fn packets(&self) -> impl Iterator<Item = (ConnId, &[u8])> {
        self.starts.iter().enumerate().filter_map(|(n, &(conn, start))| {
            let end = self.starts.get(n + 1).map_or(self.bytes.len(), |&(_, next)| next);
            Some((conn, self.bytes.get(start..end)?)).filter(|(_, packet)| !packet.is_empty())
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES);
        self.starts.clear();
        self.gated.clear();
    }
}

impl Commits {
    pub(crate) fn new(me: ShardId, journal: Arc<dyn Journal>) -> Commits {
        Commits {
            me,
            condition: journal.condition(),
            journal,
            records: Vec::new(),
            promises: Promises::default(),
            pending: VecDeque::new(),
            waiting: Waiting::default(),
            gates: Waiting::default(),
            last: 0,
            safe: 0,
            fetches: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// The commit a server begins with.
    pub(crate) fn begin(&mut self, records: &mut Vec<u8>) {
        self.records.append(records);
        self.seal();
    }

    /// A turn begins.
    pub(crate) fn look(&mut self) {
        self.condition = self.journal.condition();
    }

    #[inline]
    pub(crate) fn persist(&mut self, record: &Record<'_>) {
        record.encode(&mut self.records);
    }

    #[inline]
    pub(crate) fn promise(&mut self, conn: ConnId) -> &mut Vec<u8> {
        *self.waiting.entry(conn).or_insert(0) += 1;
        self.promises.starts.push((conn, self.promises.bytes.len()));
        &mut self.promises.bytes
    }

    #[inline]
    pub(crate) fn promised(&self, conn: ConnId) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(&conn)
    }

    pub(crate) fn gate(&mut self, conn: ConnId) {
        *self.gates.entry(conn).or_insert(0) += 1;
        self.promises.gated.push(conn);
    }

    pub(crate) fn hand_up(&mut self, uplink: HandedUp) {
        self.promises.uplinks.push(uplink);
    }

    pub(crate) fn fetch(&mut self, fetch: Fetch) {
        self.fetches.push(fetch);
    }

    /// Whether so much has changed that it is better handed over within the turn.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        self.records.len() >= COMMIT_BYTES
    }

    /// Whether something of this turn is still to be handed over.
    pub(crate) fn is_open(&self) -> bool {
        !self.records.is_empty() || !self.promises.is_empty() || !self.fetches.is_empty()
    }

    /// Hands over what the turn has changed.
    pub(crate) fn seal(&mut self) {
        if !self.records.is_empty() {
            self.last = self.journal.commit(self.me, &mut self.records);
        }
        if !self.promises.is_empty() {
            let empty = self.spare.pop().unwrap_or_default();
            self.pending.push_back((self.last, std::mem::replace(&mut self.promises, empty)));
        }
        for fetch in self.fetches.drain(..) {
            self.journal.fetch(self.me, fetch);
        }
    }

    /// The store says that commits up to this one are safe.
    pub(crate) fn note_safe(&mut self, commit: u64) {
        self.safe = self.safe.max(commit);
    }

    /// The next promises that may be kept.
    pub(crate) fn take_kept(&mut self) -> Option<Promises> {
        if self.pending.front()?.0 > self.safe {
            return None;
        }
        let (_, promises) = self.pending.pop_front()?;
        for (conn, _) in &promises.starts {
            one_less(&mut self.waiting, *conn);
        }
        for conn in &promises.gated {
            one_less(&mut self.gates, *conn);
        }
        Some(promises)
    }

    /// Whether a connection is still held back.
    pub(crate) fn gates(&self, conn: ConnId) -> bool {
        self.gates.contains_key(&conn)
    }

    /// Takes back promises that were kept, for their memory.
    pub(crate) fn give_back(&mut self, mut promises: Promises) {
        promises.clear();
        if self.spare.len() < SPARE_MAX {
            self.spare.push(promises);
        }
    }

    /// Connections that wait for a promise.
    pub(crate) fn waiting(&self) -> Vec<ConnId> {
        let gated = self.pending.iter().flat_map(|(_, promises)| promises.gated.iter().copied());
        let mut waiting: Vec<ConnId> = self.waiting.keys().copied().chain(gated).collect();
        waiting.sort_unstable();
        waiting.dedup();
        waiting
    }

    /// Goes through the promises that cannot be kept for now; one for which `refuse` answers otherwise is
    /// withdrawn.
    pub(crate) fn reconsider(&mut self, mut refuse: impl FnMut(ConnId, &[u8]) -> bool) {
        for (_, promises) in &mut self.pending {
            let mut left = Promises {
                gated: std::mem::take(&mut promises.gated),
                uplinks: promises.take_uplinks(),
                ..Promises::default()
            };
            for (conn, packet) in promises.packets() {
                if !refuse(conn, packet) {
                    left.starts.push((conn, left.bytes.len()));
                    left.bytes.extend_from_slice(packet);
                    continue;
                }
                one_less(&mut self.waiting, conn);
            }
            *promises = left;
        }
    }
}

fn one_less(counts: &mut Waiting, conn: ConnId) {
    if let Some(count) = counts.get_mut(&conn) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&conn);
        }
    }
}
