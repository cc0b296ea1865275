//! Hands: the threads that drive shards.
//!
//! A shard owns connections and sessions; a hand is a thread with a poll, and takes the turns of the shards it
//! holds. While one hand can do the work it holds all shards: their batches stay together, and what goes from
//! one to another costs no wake-up. A hand that has too much to do lays some down for one that is free, if the
//! machine has a processor for it; when it is quiet again they are brought together
//! (`docs/decisions/0009-hands.md`).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hexmq_broker::ShardId;
use hexmq_session::{Mono, Now};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::meter::{Meter, Patience, Placement, Trial, Window, Work, halves, is_calm, is_overloaded};
use crate::polled::shard_of;
use crate::shard_loop::ShardLoop;
use crate::tap::Notice;

/// The token of a hand's waker.
const WAKER: Token = Token(usize::MAX);
/// The token of its alarm.
const ALARM: Token = Token(usize::MAX - 1);
/// The tokens of listeners count down from here; no shard has so large a number.
const GATE: usize = usize::MAX - 2;

/// A thread and the shards it drives.
pub(crate) struct Hand {
    number: usize,
    poll: Poll,
    alarm: Alarm,
    shards: Vec<ShardLoop>,
    /// Where each shard is in `shards`, by its number.
    places: Box<[usize]>,
    gates: Vec<Gate>,
    /// They are in the poll.
    gates_open: bool,
    /// Whose turn it is to take in who comes.
    next_host: usize,
    hands: Arc<Hands>,
    clock: Clock,
    meter: Meter,
    /// A hand that was given work, and whether that was worth it is not known yet.
    trial: Option<Trial>,
    patience: Patience,
    /// What this hand has done in all when it began to have too much to do, and when that was.
    overloaded_since: Option<(Work, Instant)>,
}

/// What the hands of a server know of each other.
pub(crate) struct Hands {
    trays: Box<[Tray]>,
    /// Shards that have not ended.
    left: AtomicUsize,
    /// A graceful stop has begun.
    stopping: AtomicBool,
    placement: Placement,
}

/// Where shards are laid down for a hand, and what others know of it.
struct Tray {
    laid_down: Mutex<Vec<ShardLoop>>,
    waker: Arc<Waker>,
    /// Shards it drives or is about to.
    shards: AtomicUsize,
    /// Thousandths of the time it was busy, and when that was measured.
    load: AtomicU32,
    measured_ms: AtomicU64,
    /// What it has done in all: Control Packets, and microseconds it was busy.
    packets: AtomicU64,
    busy_us: AtomicU64,
    /// The hand that wants back what it gave this one, counted from one.
    recalled_by: AtomicUsize,
}

impl Hands {
    /// As many hands as polls, for so many shards.
    pub(crate) fn new(polls: &[Poll], shards: usize, placement: Placement) -> io::Result<Hands> {
        let trays: io::Result<Box<[Tray]>> = polls.iter().map(Tray::new).collect();
        let (left, stopping) = (AtomicUsize::new(shards), AtomicBool::new(false));
        Ok(Hands { trays: trays?, left, stopping, placement })
    }

    /// What wakes a hand.
    pub(crate) fn waker(&self, hand: usize) -> Option<&Arc<Waker>> {
        self.trays.get(hand).map(|tray| &tray.waker)
    }

    fn wake_all(&self) {
        for tray in &self.trays {
            // Fails only if the descriptor is gone, and with it the hand.
            let _ = tray.waker.wake();
        }
    }

    /// So many shards have ended; there may be none left to count, if a hand has given up meanwhile.
    fn end(&self, shards: usize) {
        let fewer = |left: usize| Some(left.saturating_sub(shards));
        // It is changed in any case.
        let _ = self.left.fetch_update(SeqCst, SeqCst, fewer);
    }

    /// A hand is no more, and its shards with it: the others end too.
    fn give_up(&self) {
        self.left.store(0, SeqCst);
        self.wake_all();
    }

    /// Lays shards down for a hand, which has been told to expect them.
    fn lay_down(&self, shards: Vec<ShardLoop>, hand: usize) {
        if let Some(tray) = self.trays.get(hand) {
            tray.laid_down.lock().unwrap_or_else(PoisonError::into_inner).extend(shards);
            let _ = tray.waker.wake();
        }
    }
}

/// Nobody waits for the shards of a hand that has panicked.
struct Guard(Arc<Hands>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

impl Tray {
    fn new(poll: &Poll) -> io::Result<Tray> {
        Ok(Tray {
            laid_down: Mutex::default(),
            waker: Arc::new(Waker::new(poll.registry(), WAKER)?),
            shards: AtomicUsize::new(0),
            load: AtomicU32::new(0),
            measured_ms: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            busy_us: AtomicU64::new(0),
            recalled_by: AtomicUsize::new(0),
        })
    }

    fn note(&self, window: Window, packets: u64, now: Mono) {
        self.load.store(window.load, SeqCst);
        self.measured_ms.store(now.as_ms(), SeqCst);
        self.packets.fetch_add(packets, SeqCst);
        self.busy_us.fetch_add(window.busy_us, SeqCst);
    }

    fn done(&self) -> Work {
        Work { packets: self.packets.load(SeqCst), busy_us: self.busy_us.load(SeqCst) }
    }
}

impl Hand {
    /// A hand that holds nothing yet.
    ///
    /// # Errors
    /// There is no descriptor for its alarm.
    pub(crate) fn new(
        number: usize,
        poll: Poll,
        gates: Vec<Gate>,
        hands: Arc<Hands>,
        clock: Clock,
    ) -> io::Result<Hand> {
        let places = vec![usize::MAX; hands.left.load(SeqCst)].into();
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        Ok(Hand {
            number,
            poll,
            alarm,
            shards: Vec::new(),
            places,
            gates,
            gates_open: false,
            next_host: 0,
            hands,
            clock,
            meter: Meter::new(),
            trial: None,
            patience: Patience::default(),
            overloaded_since: None,
        })
    }

    /// Takes up a shard.
    ///
    /// # Errors
    /// The poll has no descriptor for it.
    pub(crate) fn hold(&mut self, mut shard: ShardLoop) -> io::Result<()> {
        let Some(tray) = self.hands.trays.get(self.number) else { return Ok(()) };
        shard.settle_in(self.poll.registry().try_clone()?, Arc::clone(&tray.waker));
        if let Some(place) = self.places.get_mut(usize::from(shard.me.0)) {
            *place = self.shards.len();
        }
        self.shards.push(shard);
        tray.shards.store(self.shards.len(), SeqCst);
        Ok(())
    }

    /// Runs until all shards of the server have ended, or its poll fails.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let _guard = Guard(Arc::clone(&self.hands));
        while self.hands.left.load(SeqCst) > 0 {
            let wait = self.wait();
            self.meter.sleep();
            let polled = self.poll.poll(&mut events, wait);
            let now = self.clock.at(self.meter.rise());
            if let Err(error) = polled.and_then(|()| self.take_up(&events)).and_then(|()| self.open_gates())
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.shards
                    .iter()
                    .for_each(|shard| shard.links.notice(&Notice::LoopFailed { error: &error }));
                self.hands.give_up();
                return;
            }
            self.turn(&events, now);
            self.place();
        }
        self.hands.wake_all();
    }

    /// How long to wait for something to happen. `None`: until it does, or the alarm goes off.
    fn wait(&mut self) -> Option<Duration> {
        let busy = self.gates_open && self.gates.iter().any(Gate::wants_turn)
            || self.shards.iter().any(ShardLoop::is_busy)
            || !self.shards.iter().all(|shard| shard.mailbox().fall_asleep());
        if busy {
            return Some(Duration::ZERO);
        }
        let gates = self.gates.iter().filter(|_| self.gates_open).filter_map(|gate| gate.paused_until);
        let next = self.shards.iter().filter_map(ShardLoop::next_moment).chain(gates).min();
        next.and_then(|moment: Mono| self.alarm.wait_until(moment, || self.clock.now().mono))
    }

    /// Takes up what was laid down for it, of which the waker tells.
    fn take_up(&mut self, events: &Events) -> io::Result<()> {
        if !events.iter().any(|event| event.token() == WAKER) {
            return Ok(());
        }
        let Some(tray) = self.hands.trays.get(self.number) else { return Ok(()) };
        let mut laid_down = tray.laid_down.lock().unwrap_or_else(PoisonError::into_inner);
        if laid_down.is_empty() {
            return Ok(());
        }
        let taken = std::mem::take(&mut *laid_down);
        drop(laid_down);
        taken.into_iter().try_for_each(|shard| self.hold(shard))
    }

    /// A hand accepts while it holds a shard.
    fn open_gates(&mut self) -> io::Result<()> {
        if self.hands.stopping.load(SeqCst) {
            self.gates.clear();
        }
        let open = !self.shards.is_empty();
        if open == self.gates_open {
            return Ok(());
        }
        for (n, gate) in self.gates.iter_mut().enumerate() {
            if open {
                self.poll.registry().register(&mut gate.acceptor, Token(GATE - n), Interest::READABLE)?;
            } else {
                self.poll.registry().deregister(&mut gate.acceptor)?;
            }
            // Who waits already is told of by no edge where the gate was closed in between.
            gate.pending = open;
        }
        self.gates_open = open;
        Ok(())
    }

    fn turn(&mut self, events: &Events, now: Now) {
        self.shards.iter_mut().for_each(|shard| shard.rise(now));
        for event in events {
            self.gather(event);
        }
        let (several, host) = (self.shards.len() > 1, self.host(now));
        for (place, shard) in self.shards.iter_mut().enumerate() {
            let gates = if host == Some(place) { self.gates.as_mut_slice() } else { &mut [] };
            if !several {
                shard.turn(gates);
            } else if !gates.is_empty() || shard.wants_turn() {
                shard.turn(gates);
                shard.spent_ns += self.meter.lap_ns();
            }
        }
        if self.shards.iter().any(|shard| shard.stopping.is_some()) {
            self.say_farewell();
        }
    }

    fn gather(&mut self, event: &mio::event::Event) {
        let token = event.token();
        if token == ALARM {
            self.alarm.went_off();
        }
        if token == WAKER || token == ALARM {
            return;
        }
        if let Some(gate) = GATE.checked_sub(token.0).and_then(|n| self.gates.get_mut(n)) {
            gate.pending = true;
            return;
        }
        let ShardId(shard) = shard_of(token);
        let place = self.places.get(usize::from(shard)).copied().unwrap_or(usize::MAX);
        if let Some(shard) = self.shards.get_mut(place) {
            shard.gather(event);
        }
    }

    /// The shard that takes in who comes, if somebody may.
    fn host(&mut self, now: Now) -> Option<usize> {
        let due = |gate: &Gate| gate.wants_turn() || gate.paused_until.is_some_and(|until| until <= now.mono);
        if !self.gates_open || !self.gates.iter().any(due) || self.shards.is_empty() {
            return None;
        }
        self.next_host = (self.next_host + 1) % self.shards.len();
        Some(self.next_host)
    }

    /// A graceful stop: nobody is let in any more, and shards that have said goodbye end.
    #[cold]
    fn say_farewell(&mut self) {
        self.gates.clear();
        if !self.hands.stopping.swap(true, SeqCst) {
            self.hands.wake_all();
        }
        let before = self.shards.len();
        self.shards.retain(|shard| !shard.has_ended());
        let ended = before - self.shards.len();
        if ended > 0 {
            self.remember_places();
            self.hands.end(ended);
        }
    }

    fn remember_places(&mut self) {
        self.places.fill(usize::MAX);
        for (at, shard) in self.shards.iter().enumerate() {
            if let Some(place) = self.places.get_mut(usize::from(shard.me.0)) {
                *place = at;
            }
        }
        if let Some(tray) = self.hands.trays.get(self.number) {
            tray.shards.store(self.shards.len(), SeqCst);
        }
    }

    /// Once in a while: whether the shards are in the right hands.
    fn place(&mut self) {
        if self.hands.trays.len() < 2 || self.shards.is_empty() || self.hands.stopping.load(SeqCst) {
            return;
        }
        if self.hands.placement == Placement::Restless {
            self.wander();
            return;
        }
        let Some(window) = self.meter.window() else { return };
        let packets = self.shards.iter_mut().map(ShardLoop::take_packets).sum();
        let hands = Arc::clone(&self.hands);
        let Some(tray) = hands.trays.get(self.number) else { return };
        tray.note(window, packets, self.clock.now().mono);
        self.end_trial(tray.done());
        if self.shards.len() > 1 && is_overloaded(&mut self.meter, window) && self.patience.is_over() {
            self.spread(tray.done());
        }
        if !self.meter.is_loaded() {
            self.overloaded_since = None;
        } else if self.overloaded_since.is_none() {
            self.overloaded_since = Some((tray.done(), Instant::now()));
        }
        match tray.recalled_by.swap(0, SeqCst).checked_sub(1) {
            Some(giver) => self.give(giver, |_| true),
            None => self.gather_up(window),
        }
        self.shards.iter_mut().for_each(|shard| shard.spent_ns = 0);
    }

    /// Lays down about half of the work for a hand that has none, to see whether that is worth it.
    fn spread(&mut self, done: Work) {
        let free = |tray: &Tray| tray.shards.compare_exchange(0, 1, SeqCst, SeqCst).is_ok();
        let Some(to) = self.hands.trays.iter().position(free) else { return };
        let spent: Vec<u64> = self.shards.iter().map(|shard| shard.spent_ns).collect();
        let goes = halves(&spent);
        self.give(to, |place| goes.get(place).copied().unwrap_or(false));
        let theirs = self.hands.trays.get(to).map_or(Work::default(), Tray::done);
        self.trial = self
            .overloaded_since
            .take()
            .map(|(before, since)| Trial::begin(to, (done.since(before), since.elapsed()), done.and(theirs)));
    }

    /// What was given for nothing is taken back.
    fn end_trial(&mut self, done: Work) {
        let Some(trial) = &self.trial else { return };
        let Some(tray) = self.hands.trays.get(trial.hand) else { return };
        let Some(was_worth_it) = trial.judge(done.and(tray.done())) else { return };
        self.patience.learn(was_worth_it);
        if !was_worth_it {
            tray.recalled_by.store(self.number + 1, SeqCst);
        }
        self.trial = None;
    }

    /// Brings everything to an earlier hand if the two together have little to do, and have had for a while.
    fn gather_up(&mut self, window: Window) {
        let now = self.clock.now().mono.as_ms();
        let earlier = self.hands.trays.iter().take(self.number);
        let first = earlier.enumerate().find(|(_, tray)| tray.shards.load(SeqCst) > 0);
        let Some((to, tray)) = first else { return };
        let age_ms = now.saturating_sub(tray.measured_ms.load(SeqCst));
        if is_calm(&mut self.meter, window, tray.load.load(SeqCst), age_ms) {
            self.give(to, |_| true);
        }
    }

    /// For tests: a shard goes to the next hand every few turns.
    fn wander(&mut self) {
        if self.meter.is_time_to_wander() {
            self.give((self.number + 1) % self.hands.trays.len(), |place| place == 0);
        }
    }

    fn give(&mut self, to: usize, goes: impl Fn(usize) -> bool) {
        let all = std::mem::take(&mut self.shards);
        let mut given = Vec::new();
        for (place, mut shard) in all.into_iter().enumerate() {
            if goes(place) {
                shard.move_out();
                given.push(shard);
            } else {
                self.shards.push(shard);
            }
        }
        self.remember_places();
        self.hands.lay_down(given, to);
    }
}
