//! How shards reach one another, and how others reach a shard.
//!
//! Each shard has one [`Mailbox`]: a lane from every shard, and letters from threads that are no
//! shards. A lane carries batches of messages, bounded in bytes, and connections on their way to
//! their session's home. When a batch does not fit, the sender keeps it and stops reading what
//! feeds it; nothing is dropped. A shard is woken only if it sleeps, so a busy pair of shards
//! costs one lock per turn and no system call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hexmq_broker::{Answer, Batch, Census, Condition, Fetched, HoldId, Limits, Peer, ShardId};
use hexmq_transport::Stream;
use mio::Waker;

use crate::tape::Tape;
use crate::upstairs::Order;

/// Emptied batches a lane keeps for its sender.
const SPARE_MAX: usize = 4;
/// Bytes of orders that wait for one shard; more are refused.
const ORDERS_BYTES_MAX: usize = 64 << 20;

/// Everything that can be sent to one shard.
pub(crate) struct Mailbox {
    lanes: Box<[Lane]>,
    letters: Mutex<Vec<Letter>>,
    letters_wait: AtomicBool,
    /// A lane this shard found full may have room.
    room: AtomicBool,
    /// The last commit of this shard that is safe, and whether it is news.
    safe: AtomicU64,
    safe_news: AtomicBool,
    /// Bytes of orders on their way.
    orders_bytes: AtomicUsize,
    sleeping: AtomicBool,
    /// Wakes the hand that drives the shard.
    waker: Mutex<Arc<Waker>>,
    /// Bytes of batches one lane holds.
    lane_bytes_max: usize,
}

#[derive(Default)]
struct Lane {
    waits: AtomicBool,
    load: Mutex<Load>,
}

/// What travels in one lane.
#[derive(Default)]
struct Load {
    batches: VecDeque<Batch>,
    bytes: usize,
    newcomers: Vec<Newcomer>,
    spare: Vec<Batch>,
    /// The sender kept a batch and wants to know when there is room.
    sender_waits: bool,
}

/// A connection whose session lives on another shard than the one that accepted it.
pub(crate) struct Newcomer {
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    /// What was read: the CONNECT and whatever came with it.
    pub(crate) bytes: Vec<u8>,
    /// Who records what crosses it.
    pub(crate) tape: Option<Box<dyn Tape>>,
}

/// A message from a thread that is no shard.
pub(crate) enum Letter {
    /// The answer to an open question.
    Answer(HoldId, Answer),
    /// Tell your counts.
    Census(Sender<(ShardId, Census)>),
    /// New bounds.
    Limits(Arc<Limits>),
    /// Ask anew which connections are recorded, and say when that is done. `true`: some may be.
    Tapes(bool, Sender<ShardId>),
    /// What the platform wants.
    Order(Order),
    /// What the store was asked for.
    Fetched(Fetched),
    /// What the store can do has changed.
    Condition(Condition),
    /// Stop gracefully.
    Stop,
}

impl Mailbox {
    pub(crate) fn new(shards: u16, lane_bytes_max: usize, waker: Arc<Waker>) -> Mailbox {
        Mailbox {
            lanes: (0..shards).map(|_| Lane::default()).collect(),
            letters: Mutex::default(),
            letters_wait: AtomicBool::new(false),
            room: AtomicBool::new(false),
            safe: AtomicU64::new(0),
            safe_news: AtomicBool::new(false),
            orders_bytes: AtomicUsize::new(0),
            sleeping: AtomicBool::new(false),
            waker: Mutex::new(waker),
            lane_bytes_max,
        }
    }

    /// From any thread.
    pub(crate) fn send(&self, letter: Letter) {
        if let Letter::Order(order) = &letter {
            self.orders_bytes.fetch_add(order.size_bytes(), SeqCst);
        }
        lock(&self.letters).push(letter);
        self.letters_wait.store(true, SeqCst);
        self.wake();
    }

    /// From any thread: an order, unless too many wait.
    pub(crate) fn offer(&self, order: Order) -> Result<(), Order> {
        if self.orders_bytes.load(SeqCst) >= ORDERS_BYTES_MAX {
            return Err(order);
        }
        self.send(Letter::Order(order));
        Ok(())
    }

    /// An order of this size waits no longer.
    pub(crate) fn taken(&self, bytes: usize) {
        self.orders_bytes.fetch_sub(bytes, SeqCst);
    }

    /// From a shard, at the end of its turn: takes the batch unless the lane is full.
    /// `batch` is empty afterwards if it was taken. Does not wake; see [`Mailbox::wake`].
    pub(crate) fn post(&self, from: ShardId, batch: &mut Batch, newcomers: &mut Vec<Newcomer>) -> bool {
        let Some(lane) = self.lanes.get(usize::from(from.0)) else { return false };
        let mut load = lock(&lane.load);
        load.newcomers.append(newcomers);
        let size = batch.size_bytes();
        let taken = load.bytes == 0 || load.bytes + size <= self.lane_bytes_max;
        load.sender_waits = !taken;
        if taken && !batch.is_empty() {
            let empty = load.spare.pop().unwrap_or_default();
            load.bytes += size;
            load.batches.push_back(std::mem::replace(batch, empty));
        }
        drop(load);
        lane.waits.store(true, SeqCst);
        taken
    }

    /// Wakes the shard if it sleeps.
    pub(crate) fn wake(&self) {
        if self.sleeping.swap(false, SeqCst) {
            // Fails only if the descriptor is gone, and with it the shard.
            let _ = lock(&self.waker).wake();
        }
    }

    /// Another hand drives the shard: it is the one to be woken from now on.
    pub(crate) fn move_to(&self, waker: Arc<Waker>) {
        *lock(&self.waker) = waker;
    }

    /// The shard is about to sleep. `false`: something waits, do not.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.sleeping.store(true, SeqCst);
        if self.has_mail() {
            self.sleeping.store(false, SeqCst);
            return false;
        }
        true
    }

    /// The shard is awake: nobody needs to wake it.
    pub(crate) fn rise(&self) {
        self.sleeping.store(false, SeqCst);
    }

    /// Whether something waits.
    pub(crate) fn has_mail(&self) -> bool {
        self.letters_wait.load(SeqCst)
            || self.room.load(SeqCst)
            || self.safe_news.load(SeqCst)
            || self.lanes.iter().any(|lane| lane.waits.load(SeqCst))
    }

    /// Bytes of batches one lane holds.
    pub(crate) fn lane_bytes_max(&self) -> usize {
        self.lane_bytes_max
    }

    /// Takes the letters.
    pub(crate) fn take_letters(&self) -> Vec<Letter> {
        if self.letters_wait.swap(false, SeqCst) {
            std::mem::take(&mut *lock(&self.letters))
        } else {
            Vec::new()
        }
    }

    /// Whether a lane that was full may have room.
    pub(crate) fn take_room(&self) -> bool {
        self.room.swap(false, SeqCst)
    }

    /// Takes what one shard sent. The third part says that the sender waits for room.
    pub(crate) fn take_lane(&self, from: ShardId) -> Option<(VecDeque<Batch>, Vec<Newcomer>, bool)> {
        let lane = self.lanes.get(usize::from(from.0))?;
        if !lane.waits.swap(false, SeqCst) {
            return None;
        }
        let mut load = lock(&lane.load);
        load.bytes = 0;
        let sender_waits = std::mem::take(&mut load.sender_waits);
        Some((std::mem::take(&mut load.batches), std::mem::take(&mut load.newcomers), sender_waits))
    }

    /// Gives an emptied batch back to its lane, so that steady traffic does not allocate.
    pub(crate) fn give_back(&self, from: ShardId, mut batch: Batch) {
        batch.clear();
        if let Some(lane) = self.lanes.get(usize::from(from.0)) {
            let mut load = lock(&lane.load);
            if load.spare.len() < SPARE_MAX {
                load.spare.push(batch);
            }
        }
    }

    /// The store: commits up to this one are safe.
    pub(crate) fn tell_safe(&self, commit: u64) {
        self.safe.store(commit, SeqCst);
        self.safe_news.store(true, SeqCst);
        self.wake();
    }

    /// The last commit that is safe, if that is news.
    pub(crate) fn take_safe(&self) -> Option<u64> {
        self.safe_news.swap(false, SeqCst).then(|| self.safe.load(SeqCst))
    }

    /// Tells this shard that a lane it found full has been emptied.
    pub(crate) fn tell_room(&self) {
        self.room.store(true, SeqCst);
        self.wake();
    }
}

/// A lock whose holder panicked still guards whole values: each holder only moves things.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hexmq_broker::{Audience, Forwarded, Message, Namespace};
    use hexmq_wire::QoS;
    use mio::{Events, Poll, Token};

    use super::*;

    const SENDER: ShardId = ShardId(1);
    const LANE_BYTES_MAX: usize = 4 << 20;

    fn mailbox() -> (Poll, Mailbox) {
        let poll = Poll::new().expect("a poll");
        let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
        (poll, Mailbox::new(2, LANE_BYTES_MAX, Arc::new(waker)))
    }

    fn batch(bytes: usize) -> Batch {
        let message = Message {
            namespace: Namespace::PLAIN,
            topic: "t",
            properties: &[],
            payload: &vec![0; bytes],
            qos: QoS::AtMostOnce,
            retain: false,
            expires_at: None,
            publisher: None,
        };
        let mut batch = Batch::default();
        batch.push(&Forwarded::new(message, Audience::Matching { generation: 0 }));
        batch
    }

    /// Whether the shard's poll returns at once.
    fn woken(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).expect("polled");
        !events.is_empty()
    }

    #[test]
    fn a_full_lane_leaves_the_batch_with_its_sender_and_tells_of_room() {
        let (_poll, mailbox) = mailbox();
        let mut large = batch(LANE_BYTES_MAX - 1000);
        assert!(mailbox.post(SENDER, &mut large, &mut Vec::new()));
        assert!(large.is_empty());
        let mut next = batch(2000);
        assert!(!mailbox.post(SENDER, &mut next, &mut Vec::new()));
        assert_eq!(next.len(), 1, "nothing is dropped");
        let (batches, _, sender_waits) = mailbox.take_lane(SENDER).expect("mail");
        assert_eq!(batches.len(), 1);
        assert!(sender_waits);
        assert!(mailbox.post(SENDER, &mut next, &mut Vec::new()));
        let (batches, _, sender_waits) = mailbox.take_lane(SENDER).expect("mail");
        assert_eq!(batches.len(), 1);
        assert!(!sender_waits);
        assert!(mailbox.take_lane(SENDER).is_none());
    }

    #[test]
    fn a_batch_larger_than_the_lane_still_passes() {
        let (_poll, mailbox) = mailbox();
        let mut huge = batch(LANE_BYTES_MAX * 2);
        assert!(mailbox.post(SENDER, &mut huge, &mut Vec::new()));
        assert!(!mailbox.post(SENDER, &mut batch(1), &mut Vec::new()));
    }

    #[test]
    fn only_a_sleeping_shard_is_woken_and_only_once() {
        let (mut poll, mailbox) = mailbox();
        mailbox.wake();
        assert!(!woken(&mut poll), "it was awake");
        assert!(mailbox.fall_asleep());
        mailbox.wake();
        assert!(woken(&mut poll));
        mailbox.wake();
        assert!(!woken(&mut poll), "it was woken already");
    }

    #[test]
    fn nobody_sleeps_over_mail() {
        let (mut poll, mailbox) = mailbox();
        mailbox.post(SENDER, &mut batch(1), &mut Vec::new());
        assert!(!mailbox.fall_asleep());
        mailbox.take_lane(SENDER).expect("mail");
        assert!(mailbox.fall_asleep());
        mailbox.send(Letter::Stop);
        assert!(woken(&mut poll));
        assert!(!mailbox.fall_asleep());
        assert_eq!(mailbox.take_letters().len(), 1);
        mailbox.tell_room();
        assert!(!mailbox.fall_asleep());
        assert!(mailbox.take_room());
        assert!(mailbox.fall_asleep());
    }

    #[test]
    fn an_emptied_batch_goes_back_to_its_sender() {
        let (_poll, mailbox) = mailbox();
        mailbox.give_back(SENDER, batch(1));
        let mut next = batch(1);
        assert!(mailbox.post(SENDER, &mut next, &mut Vec::new()));
        assert!(next.is_empty());
    }
}
