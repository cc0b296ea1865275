//! Starting a server's shards, asking them, stopping them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hexmq_broker::{
    Census, Condition, Fetched, Journal, Limits, Listener as StoreListener, Numbers, Restore, Restorer,
    Shard, ShardId, Shared,
};
use hexmq_session::{Mono, Now};
use hexmq_transport::Listener;
use mio::Poll;

use crate::authority::{Authority, Desk};
use crate::clock::Clock;
use crate::commits::Commits;
use crate::gate::Gate;
use crate::hand::{Hand, Hands};
use crate::links::{Links, Outside};
use crate::mailbox::{Letter, Mailbox};
use crate::meter::Placement;
use crate::shard_loop::{READ_BYTES, ShardLoop};
use crate::tap::Tap;
use crate::upstairs::{Orders, Upstairs};

/// What a server is made of.
pub struct Setup {
    /// Shards, and data-plane threads that drive them as far as there is work for so many; at least one.
    pub shards: u16,
    /// How shards are placed on threads.
    pub placement: Placement,
    /// The bounds of the core.
    pub limits: Arc<Limits>,
    /// Connections at once; more are closed as they come.
    pub clients_max: usize,
    /// A receiver that takes nothing for so long although bytes wait for it is given up.
    pub write_timeout: Duration,
    /// Bytes of messages on their way from one shard to another; more pause what feeds them.
    pub lane_bytes_max: usize,
    /// Random: identifiers and topics are chosen by strangers.
    pub seed: u64,
    /// Threads that compute password hashes.
    pub authority_threads: usize,
    /// Knows the users.
    pub authority: Arc<dyn Authority>,
    /// Hears what happens.
    pub tap: Arc<dyn Tap>,
    /// The platform of devices; `None`: nothing is kept for one, and messages of devices go to topics alone.
    pub upstairs: Option<Arc<dyn Upstairs>>,
    /// What the server stores in; `None`: it keeps everything in memory.
    pub store: Option<StoreSetup>,
}

/// Gives what a store holds to shards that do not run yet, and then takes their commits.
pub type OpenStore = Box<dyn FnOnce(&mut dyn Restore) -> io::Result<Arc<dyn Journal>> + Send>;

/// A store, and what it holds.
pub struct StoreSetup {
    /// The numbers it has given out. Its seed takes the place of that of the [`Setup`].
    pub numbers: Numbers,
    /// What an acknowledgement promises: `disk` or `process`.
    pub durability: &'static str,
    /// Begins with it.
    pub open: OpenStore,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("shards", &self.shards).finish_non_exhaustive()
    }
}

/// The running shards of a server.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
}

/// Asks and tells the shards of a server, from any thread.
#[derive(Clone)]
pub struct Handle {
    mailboxes: Arc<[Arc<Mailbox>]>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("shards", &self.mailboxes.len()).finish_non_exhaustive()
    }
}

/// The counts of the shards that answered, added up, and the shards that did not.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// The sum.
    pub census: Census,
    /// Shards without an answer within the deadline.
    pub silent: Vec<ShardId>,
}

impl Node {
    /// Starts the shards; each accepts from every listener.
    ///
    /// # Errors
    /// The system has no descriptors, memory or threads left. Nothing runs then.
    pub fn start(mut setup: Setup, listeners: &[Listener]) -> io::Result<Node> {
        let clock = Clock::start();
        let store = setup.store.take();
        if let Some(store) = &store {
            setup.seed = store.numbers.seed;
        }
        let shared = Shared::new(setup.shards, &setup.limits, setup.seed, clock.now());
        let shared = if setup.upstairs.is_some() { shared.with_upstairs() } else { shared };
        let shared = Arc::new(match &store {
            Some(store) => shared.with_store(&store.numbers, store.durability),
            None => shared,
        });
        let connections = Arc::new(AtomicUsize::new(0));
        let (desk, _) = Desk::start(setup.authority_threads)?;
        let polls: io::Result<Vec<Poll>> = (0..shared.shards).map(|_| Poll::new()).collect();
        let polls = polls?;
        let hands = Arc::new(Hands::new(&polls, polls.len(), setup.placement)?);
        // One hand holds all shards until it has too much to do.
        let (Some(first), Some(waker)) = (polls.first(), hands.waker(0)) else {
            return Err(io::Error::other("a server has at least one shard"));
        };
        let mailboxes: Arc<[Arc<Mailbox>]> = (0..shared.shards)
            .map(|_| Arc::new(Mailbox::new(shared.shards, setup.lane_bytes_max, Arc::clone(waker))))
            .collect();
        let handle = Handle { mailboxes: Arc::clone(&mailboxes), shared: Arc::clone(&shared) };
        let mut loops = Vec::with_capacity(polls.len());
        for (me, mailbox) in mailboxes.iter().enumerate() {
            let outside = Outside {
                tap: Arc::clone(&setup.tap),
                authority: Arc::clone(&setup.authority),
                upstairs: setup.upstairs.clone(),
                desk: desk.clone(),
                mailbox: Arc::clone(mailbox),
                registry: first.registry().try_clone()?,
                connections: Arc::clone(&connections),
            };
            loops.push(assemble(ShardId(me as u16), &setup, &shared, clock.now(), outside, &mailboxes));
        }
        if let Some(store) = store {
            restore(store, &handle, &mut loops, clock.now())?;
        }
        let mut loops = loops.into_iter();
        let mut started = Vec::with_capacity(polls.len());
        for (number, poll) in polls.into_iter().enumerate() {
            let mut hand = Hand::new(number, poll, gates(listeners)?, Arc::clone(&hands), clock)?;
            let holds = if number == 0 { usize::MAX } else { 0 };
            loops.by_ref().take(holds).try_for_each(|shard| hand.hold(shard))?;
            started.push(hand);
        }
        let mut node = Node { handle, threads: Vec::with_capacity(started.len()) };
        for (n, hand) in started.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("hexmq-hand-{n}"));
            match thread.spawn(move || hand.run()) {
                Ok(thread) => node.threads.push(thread),
                Err(error) => {
                    node.stop();
                    return Err(error);
                }
            }
        }
        Ok(node)
    }

    /// For asking and telling the shards.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Whether a shard's thread has ended although nobody stopped it.
    pub fn has_failed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops gracefully: no more accepting, DISCONNECT 0x8B to MQTT 5 clients, the output
    /// written within five seconds. Returns when the shards have ended.
    pub fn stop(self) {
        for mailbox in self.handle.mailboxes.iter() {
            mailbox.send(Letter::Stop);
        }
        for thread in self.threads {
            // A shard that panicked has told so on stderr already.
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// Asks all shards for their counts and waits at most `patience`.
    pub fn census(&self, patience: Duration) -> Counted {
        let (reply, answers) = channel();
        for mailbox in self.mailboxes.iter() {
            mailbox.send(Letter::Census(reply.clone()));
        }
        drop(reply);
        gather(&answers, self.mailboxes.len(), patience)
    }

    /// Gives all shards new bounds.
    pub fn set_limits(&self, limits: &Arc<Limits>) {
        for mailbox in self.mailboxes.iter() {
            mailbox.send(Letter::Limits(Arc::clone(limits)));
        }
    }

    /// Has all shards ask their tap anew which connections are recorded, and waits at most
    /// `patience`: what is read after that is recorded as the tap has said. `taping`: whether it is to
    /// be asked about connections that come, too. Returns the shards that have not done it in time.
    pub fn retape(&self, taping: bool, patience: Duration) -> Vec<ShardId> {
        let (done, answers) = channel();
        for mailbox in self.mailboxes.iter() {
            mailbox.send(Letter::Tapes(taping, done.clone()));
        }
        drop(done);
        let deadline = Instant::now() + patience;
        let mut silent: Vec<ShardId> = (0..self.mailboxes.len() as u16).map(ShardId).collect();
        while !silent.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(shard) = answers.recv_timeout(left) else { break };
            silent.retain(|silent| *silent != shard);
        }
        silent
    }

    /// How to reach one shard.
    pub(crate) fn mailbox(&self, shard: usize) -> Option<&Arc<Mailbox>> {
        self.mailboxes.get(shard)
    }

    /// What the shards have in common.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }
}

fn gather(answers: &Receiver<(ShardId, Census)>, shards: usize, patience: Duration) -> Counted {
    let deadline = Instant::now() + patience;
    let mut counted =
        Counted { census: Census::default(), silent: (0..shards as u16).map(ShardId).collect() };
    while !counted.silent.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((shard, census)) = answers.recv_timeout(left) else { break };
        counted.census.add(&census);
        counted.silent.retain(|silent| *silent != shard);
    }
    counted
}

/// Output under this many bytes lets a connection's queue go on.
pub(crate) fn low_mark(limits: &Limits) -> usize {
    limits.write_buffer_bytes / 4
}

/// Hears the store for the shards.
struct Ear(Arc<[Arc<Mailbox>]>);

impl StoreListener for Ear {
    fn safe(&self, shard: ShardId, commit: u64) {
        if let Some(mailbox) = self.0.get(usize::from(shard.0)) {
            mailbox.tell_safe(commit);
        }
    }

    fn fetched(&self, shard: ShardId, fetched: Fetched) {
        if let Some(mailbox) = self.0.get(usize::from(shard.0)) {
            mailbox.send(Letter::Fetched(fetched));
        }
    }

    fn condition(&self, condition: Condition) {
        for mailbox in self.0.iter() {
            mailbox.send(Letter::Condition(condition));
        }
    }
}

/// Puts what the store holds into shards that do not run yet, and has them store from then on.
fn restore(store: StoreSetup, handle: &Handle, loops: &mut [ShardLoop], now: Now) -> io::Result<()> {
    let mut restorer = Restorer::new(loops.iter_mut().map(|one| &mut one.shard).collect(), now);
    let journal = (store.open)(&mut restorer)?;
    let mut first = restorer.finish();
    journal.attach(Arc::new(Ear(Arc::clone(&handle.mailboxes))));
    for one in loops.iter_mut() {
        one.links.commits = Some(Box::new(Commits::new(one.me, Arc::clone(&journal))));
    }
    if let Some(commits) = loops.first_mut().and_then(|one| one.links.commits.as_mut()) {
        commits.begin(&mut first);
    }
    Ok(())
}

fn assemble(
    me: ShardId,
    setup: &Setup,
    shared: &Arc<Shared>,
    now: Now,
    outside: Outside,
    mailboxes: &Arc<[Arc<Mailbox>]>,
) -> ShardLoop {
    ShardLoop {
        me,
        shards: shared.shards,
        seed: shared.seed,
        shard: Shard::new(me, Arc::clone(&setup.limits), Arc::clone(shared), now),
        links: Links::new(me, shared.shards, low_mark(&setup.limits), now, outside),
        mailboxes: Arc::clone(mailboxes),
        buffer: vec![0; READ_BYTES],
        has_events: false,
        packets: 0,
        spent_ns: 0,
        write_timeout_ms: u64::try_from(setup.write_timeout.as_millis()).unwrap_or(u64::MAX),
        clients_max: setup.clients_max,
        next_watch: Mono(0),
        stopping: None,
        orders: Orders::new(),
    }
}

/// One hand's ends of the listeners.
fn gates(listeners: &[Listener]) -> io::Result<Vec<Gate>> {
    let gate = |(n, listener): (usize, &Listener)| {
        let label = listener.url().replacen("unix://", "unix:", 1).into_boxed_str();
        Ok(Gate::new(listener.acceptor()?, n as u16, label))
    };
    listeners.iter().enumerate().map(gate).collect()
}
