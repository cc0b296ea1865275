//! One run from its seed to its verdict.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hexmq_broker::Lost;
use hexmq_session::Mono;

use super::client::Stage;
use super::plan::{Keeps, Nature};
use super::wires::Place;
use super::{Failure, Happening, Scale, World};

/// What a run that went well consisted of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Things that happened.
    pub happenings: u64,
    /// Messages published by clients.
    pub published: u64,
    /// Messages that reached clients, repetitions not counted.
    pub delivered: u64,
    /// Network connections.
    pub connections: u64,
    /// Wills the witness saw.
    pub wills: u64,
    /// Messages of devices in the platform's data base.
    pub uplinks: u64,
    /// Messages that reached a session from the platform.
    pub downlinks: u64,
}

impl Report {
    /// Adds what another run consisted of.
    pub fn add(&mut self, other: &Report) {
        self.happenings += other.happenings;
        self.published += other.published;
        self.delivered += other.delivered;
        self.connections += other.connections;
        self.wills += other.wills;
        self.uplinks += other.uplinks;
        self.downlinks += other.downlinks;
    }
}

/// Runs the world of a seed to its end.
pub fn run(seed: u64, scale: Scale) -> Result<Report, Box<Failure>> {
    let mut world = World::new(seed, scale);
    let ended = catch_unwind(AssertUnwindSafe(|| world.live()));
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        world.fail(0, format!("panicked: {text}"));
    }
    match world.failure.take() {
        Some((client, what)) => {
            let what = format!("seed {seed}: {}: {what}", world.clients[client].spec.name);
            Err(Box::new(Failure { seed, scale, what, transcript: world.transcript(client) }))
        }
        None => Ok(world.report()),
    }
}

/// Looks for a smaller run with the same seed that fails too: fewer actions, then fewer clients.
pub fn shorten(failure: Failure) -> Failure {
    let mut best = failure;
    let attempts = (1..=14).map(|half| Scale { actions: Some((260 * half) / 15), ..best.scale }).collect();
    best = first_failing(best, attempts);
    let attempts = (1..=8).map(|clients| Scale { clients: Some(clients), ..best.scale }).collect();
    first_failing(best, attempts)
}

fn first_failing(best: Failure, attempts: Vec<Scale>) -> Failure {
    let seed = best.seed;
    attempts.into_iter().find_map(|scale| run(seed, scale).err()).map_or(best, |shorter| *shorter)
}

/// How long, in milliseconds, the world has to settle: longer than any Will Delay Interval, any
/// Session Expiry Interval and any client's sleep.
const SETTLING_MS: u64 = 120_000;

impl World {
    fn live(&mut self) {
        self.storm();
        self.settle();
        self.judge_settled();
        if self.failure.is_none() {
            self.read_retained();
            self.judge_retained();
            self.leave();
            self.judge_leavings();
        }
    }

    /// Clients do what they like.
    fn storm(&mut self) {
        // The witness is there before there are Wills to see.
        self.until(self.now_ms() + 15_000);
        let most = self.clients.len() as u64 - 1;
        for client in 1..self.clients.len() {
            let when = self.random.below(1000);
            self.schedule(when, Happening::Connect(client));
        }
        for _ in 0..self.plan.actions {
            if most == 0 {
                return;
            }
            let pause = self.random.pick(&[0, 0, 1, 10, 100, 700]);
            if self.plan.store.is_some_and(|store| self.random.percent(store.cut_percent)) {
                self.schedule(pause / 2, Happening::Cut);
            }
            let client = 1 + self.random.below(most) as usize;
            self.schedule(pause, Happening::Act(client));
            self.until(self.now_ms() + pause);
        }
    }

    /// The network heals and everybody comes back.
    fn settle(&mut self) {
        if self.plan.store.is_some() && self.random.percent(50) {
            self.cut_power();
        }
        self.storm = false;
        self.plan.break_percent = 0;
        for client in 1..self.clients.len() {
            let unkind = matches!(self.clients[client].spec.nature, Nature::Rude | Nature::Deaf);
            if unkind {
                if let Some(wire) = self.clients[client].online().map(|online| online.wire) {
                    self.break_wire(wire);
                }
                self.abandon(client);
                self.clients[client].left = true;
            }
        }
        // Connections nobody cares for any more are reset, as their hosts would do some day.
        for wire in 0..self.wires.len() {
            if self.wires[wire].abandoned && self.wires[wire].place != Place::Gone {
                self.break_wire(wire);
            }
        }
        self.until(self.now_ms() + SETTLING_MS);
    }

    /// Everybody ends its session for good.
    fn leave(&mut self) {
        for client in 0..self.clients.len() {
            if self.clients[client].left {
                continue;
            }
            self.clients[client].leaving = true;
            self.clients[client].spec.keeps = Keeps::Nothing;
            self.abandon(client);
            self.connect(client);
        }
        self.until(self.now_ms() + SETTLING_MS);
    }

    /// Lets everything happen that happens up to a moment.
    pub(super) fn until(&mut self, end: u64) {
        while self.failure.is_none() {
            let timer =
                self.hosts.iter().enumerate().filter_map(|(at, host)| Some((host.shard.next_timeout()?, at)));
            let timer = timer.min().map(|(due, at)| (due.as_ms().max(self.now_ms()), at));
            let next = self.agenda.peek().map(|Reverse((when, ..))| *when);
            match (timer, next) {
                (Some((due, at)), _) if due <= end && next.is_none_or(|when| due <= when) => {
                    self.move_to(due);
                    self.turn(at, |shard, now, out| shard.timeout(now, out));
                }
                (_, Some(when)) if when <= end => {
                    let Some(Reverse((when, _, what))) = self.agenda.pop() else { break };
                    self.move_to(when);
                    self.happen(what);
                }
                _ => break,
            }
            self.happenings += 1;
        }
        self.move_to(end);
    }

    fn move_to(&mut self, when: u64) {
        let ahead = when.saturating_sub(self.now_ms());
        self.now.mono = Mono(self.now_ms() + ahead);
        self.now.wall = self.now.wall.plus_ms(ahead);
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::ToServer(wire) => self.arrive_at_server(wire),
            Happening::ToClient(wire) => self.arrive_at_client(wire),
            Happening::Break(wire) => self.break_wire(wire),
            Happening::ServerLoses(wire) => self.server_loses(wire, Lost::Reset),
            Happening::ClientLoses(wire) => self.client_loses(wire),
            Happening::Force(wire) => self.force_closed(wire),
            Happening::Home(wire) => self.arrive_home(wire),
            Happening::Lane(from, to) => self.lane_arrives(from, to),
            Happening::Answer(at) => {
                let open = self.hosts[at].questions.len() as u64;
                if open == 0 {
                    // The power has failed meanwhile.
                    return;
                }
                let place = self.random.below(open) as usize;
                if let Some((hold, answer)) = self.hosts[at].questions.remove(place) {
                    self.turn(at, |shard, now, out| shard.answered(hold, answer, now, out));
                }
            }
            Happening::Work(at) => {
                self.hosts[at].work_scheduled = false;
                self.turn(at, |shard, now, out| shard.work(now, out));
            }
            Happening::Drained(at, conn) => self.drained(at, conn),
            Happening::Platform => self.platform_works(),
            Happening::Sync => self.sync(),
            Happening::Fetch(at) => self.fetch(at),
            Happening::Cut => self.cut_power(),
            Happening::Connect(client) => {
                let idle = matches!(self.clients[client].stage, Stage::Idle);
                if idle && !self.clients[client].left {
                    self.connect(client);
                }
            }
            Happening::Act(client) => self.act(client),
            Happening::Acknowledge(client, wire) => self.acknowledge_all(client, wire),
            Happening::Ping(client, wire) => self.ping(client, wire),
            Happening::WakeUp(client) => {
                if self.clients[client].online().is_some_and(|online| online.hanging) {
                    self.hang_up(client);
                }
            }
        }
    }

    fn ping(&mut self, client: usize, wire: usize) {
        let every = u64::from(self.clients[client].spec.keep_alive_s) * 400;
        let Some(online) = self.clients[client].online().filter(|online| online.wire == wire) else { return };
        if online.accepted && !online.hanging {
            self.send(client, &hexmq_wire::ControlPacket::Pingreq);
        }
        self.schedule(every, Happening::Ping(client, wire));
    }

    fn arrive_at_server(&mut self, wire: usize) {
        self.wires[wire].to_server.scheduled = false;
        if self.wires[wire].broken {
            return;
        }
        let bytes = self.wires[wire].to_server.arrive(&mut self.random);
        if !bytes.is_empty() {
            self.server_hears(wire, &bytes);
        }
        if !self.wires[wire].to_server.is_empty() {
            self.carry_to_server(wire);
        } else if self.wires[wire].client_closed {
            self.server_ends(wire);
        }
    }

    fn arrive_at_client(&mut self, wire: usize) {
        self.wires[wire].to_client.scheduled = false;
        let client = self.wires[wire].client;
        let deaf = self.clients[client].spec.nature == Nature::Deaf
            && self.clients[client].online().is_some_and(|online| online.wire == wire && online.accepted);
        let hangs = self.clients[client].online().is_some_and(|online| online.wire == wire && online.hanging);
        if self.wires[wire].broken || deaf || hangs {
            return;
        }
        let bytes = self.wires[wire].to_client.arrive(&mut self.random);
        if !bytes.is_empty() {
            self.client_hears(wire, &bytes);
            self.server_may_write(wire);
        }
        if !self.wires[wire].to_client.is_empty() {
            self.carry_to_client(wire);
        } else if self.wires[wire].server_closed {
            self.client_loses(wire);
        }
    }

    /// Nothing gets through any more; both ends notice some time.
    pub(super) fn break_wire(&mut self, wire: usize) {
        if std::mem::replace(&mut self.wires[wire].broken, true) {
            return;
        }
        let client = self.wires[wire].client;
        let name = &self.clients[client].spec.name;
        self.remark(format!("the network breaks wire {wire} of {name}"));
        self.wires[wire].to_server.clear();
        self.wires[wire].to_client.clear();
        if self.wires[wire].story.keeps == Keeps::Nothing
            && self.clients[client].online().is_some_and(|online| online.wire == wire)
        {
            let now = self.now_ms();
            self.ledger.shaken(client, now);
        }
        let (soon, later) = (self.random.below(3000), self.random.below(3000));
        self.schedule(soon, Happening::ServerLoses(wire));
        self.schedule(later, Happening::ClientLoses(wire));
    }

    fn report(&self) -> Report {
        Report {
            happenings: self.happenings,
            published: self.ledger.messages.len() as u64,
            delivered: self
                .ledger
                .receipts
                .values()
                .map(|receipt| u64::from(receipt.live + receipt.retained))
                .sum(),
            connections: self.wires.len() as u64,
            wills: self.ledger.wills.len() as u64,
            uplinks: self.platform.uplinks(),
            downlinks: self.platform.downlinks(),
        }
    }
}
