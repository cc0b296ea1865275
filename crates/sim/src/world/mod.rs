//! A whole server and its clients in one thread, under simulated time, from one seed.
//!
//! Shards run as they do under `node`, but what lies between them is drawn at random: bytes split
//! and merged, connections that break at any moment, lanes that are full or late, answers that
//! come later, clients that hang, come back, take over, or break every rule. Onlookers judge only
//! what can be seen from outside: packets on wires and what the server told. They hold the
//! server to this: QoS 1 is not lost once acknowledged, QoS 2 comes once, messages come in order,
//! nothing comes to who is not entitled nor from another namespace, the platform has the messages of devices
//! exactly once, the retained message is the last one, a Will comes
//! exactly when it is due, bounds hold, and when the storm is over everything settles and
//! nothing is left behind.
//!
//! Deliberately not here: sockets and threads, and what the standard's packets look like
//! (transcripts and vectors test that).

mod act;
mod client;
mod cloud;
mod hear;
mod host;
mod ledger;
mod plan;
mod random;
mod read;
mod run;
mod serve;
mod vault;
mod verdict;
mod wires;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::sync::Arc;

use hexmq_broker::{Shard, ShardId, Shared};
use hexmq_notation::print_bytes;
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::ControlPacket;

use client::Client;
use hexmq_store::sim::SimDisk;
use host::{Host, Told};
use ledger::Ledger;
use plan::Plan;
pub use plan::Scale;
use random::Random;
pub use run::{Report, run, shorten};
use wires::Wire;

/// What went wrong in a run, and what led to it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed it happened with.
    pub seed: u64,
    /// How the run was made smaller.
    pub scale: Scale,
    /// What is wrong.
    pub what: String,
    /// The last events of the clients concerned.
    pub transcript: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        for line in &self.transcript {
            writeln!(f, "    {line}")?;
        }
        write!(f, "  again: cargo xtask sim --seed {}", self.seed)?;
        if let Some(clients) = self.scale.clients {
            write!(f, " --clients {clients}")?;
        }
        if let Some(actions) = self.scale.actions {
            write!(f, " --actions {actions}")?;
        }
        Ok(())
    }
}

/// Something that is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// Bytes, or the end of them, arrive at the server.
    ToServer(usize),
    /// Bytes, or the end of them, arrive at the client.
    ToClient(usize),
    /// The network breaks a connection.
    Break(usize),
    ServerLoses(usize),
    ClientLoses(usize),
    Force(usize),
    /// A connection arrives at its session's home.
    Home(usize),
    Lane(usize, usize),
    Answer(usize),
    Work(usize),
    Drained(usize, host::ConnKey),
    /// The disk makes safe what it was given.
    Sync,
    /// The store answers a shard.
    Fetch(usize),
    /// The power fails.
    Cut,
    Connect(usize),
    Act(usize),
    Acknowledge(usize, usize),
    Ping(usize, usize),
    /// The platform takes over what it was handed.
    Platform,
    WakeUp(usize),
}

/// Everything there is.
struct World {
    seed: u64,
    plan: Plan,
    random: Random,
    now: Now,
    /// When, which of those at the same time, what.
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    scheduled: u64,
    shared: Arc<Shared>,
    hosts: Vec<Host>,
    vault: Option<vault::Vault>,
    wires: Vec<Wire>,
    clients: Vec<Client>,
    /// Connections between two shards: where to, and what has arrived of them.
    moving: BTreeMap<usize, (usize, Vec<u8>)>,
    ledger: Ledger,
    /// Payload bytes of each message.
    lengths: Vec<usize>,
    /// The last message with RETAIN a client saw on a topic.
    reader_saw: BTreeMap<(usize, String), usize>,
    told: Vec<Told>,
    said: cloud::Said,
    platform: cloud::Platform,
    /// Clients still act at random.
    storm: bool,
    /// The last things that happened: when, to whom, what.
    journal: VecDeque<(u64, Option<usize>, Entry)>,
    failure: Option<(usize, String)>,
    happenings: u64,
}

enum Entry {
    Packet(char, Vec<u8>),
    Remark(String),
}

/// Things remembered for the transcript of a failure.
const JOURNAL: usize = 4000;
/// Lines of a failure's transcript.
const TRANSCRIPT: usize = 60;

impl World {
    fn new(seed: u64, scale: Scale) -> World {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random, scale);
        // Hours into its life, and in this century.
        let now = Now { mono: Mono(10_000_000), wall: Wall(1_900_000_000_000) };
        let limits = Arc::new(plan.limits.clone());
        let shared = Arc::new(Shared::new(plan.shards, &limits, seed, now).with_upstairs());
        let hosts = (0..plan.shards).map(|id| {
            let shard = Shard::new(ShardId(id), limits.clone(), shared.clone(), now);
            vault::host(shard, &plan, false)
        });
        let may_refuse = plan.store.is_some_and(|store| store.sync_fails_of > 0);
        let mut world = World {
            seed,
            hosts: hosts.collect(),
            vault: None,
            random,
            now,
            agenda: BinaryHeap::new(),
            scheduled: 0,
            shared,
            wires: Vec::new(),
            clients: plan.clients.iter().cloned().map(Client::new).collect(),
            moving: BTreeMap::new(),
            ledger: Ledger::new(may_refuse),
            lengths: Vec::new(),
            reader_saw: BTreeMap::new(),
            told: Vec::new(),
            said: cloud::Said::default(),
            platform: cloud::Platform::default(),
            storm: true,
            journal: VecDeque::new(),
            failure: None,
            happenings: 0,
            plan,
        };
        if world.plan.store.is_some() {
            world.begin(SimDisk::new(seed));
        }
        world.schedule(0, Happening::Connect(0));
        world
    }

    fn now_ms(&self) -> u64 {
        self.now.mono.as_ms()
    }

    fn schedule(&mut self, after_ms: u64, what: Happening) {
        self.scheduled += 1;
        self.agenda.push(Reverse((self.now_ms() + after_ms, self.scheduled, what)));
    }

    fn latency(&mut self, wire: usize) -> u64 {
        let (low, high) = if self.storm { self.plan.latency_ms } else { (0, 3) };
        if self.wires[wire].client == 0 { 0 } else { self.random.between(low, high) }
    }

    /// Sees to it that what a client wrote arrives some time.
    fn carry_to_server(&mut self, wire: usize) {
        let due = !self.wires[wire].to_server.is_empty() || self.wires[wire].client_closed;
        if due
            && !self.wires[wire].broken
            && !std::mem::replace(&mut self.wires[wire].to_server.scheduled, true)
        {
            let when = self.latency(wire);
            self.schedule(when, Happening::ToServer(wire));
        }
    }

    /// Sees to it that what the server wrote arrives some time.
    fn carry_to_client(&mut self, wire: usize) {
        let due = !self.wires[wire].to_client.is_empty() || self.wires[wire].server_closed;
        if due
            && !self.wires[wire].broken
            && !std::mem::replace(&mut self.wires[wire].to_client.scheduled, true)
        {
            let when = self.latency(wire);
            self.schedule(when, Happening::ToClient(wire));
        }
    }

    /// A packet from a client.
    fn send(&mut self, client: usize, packet: &ControlPacket<'_>) {
        let version = self.clients[client].spec.version;
        let Some(online) = self.clients[client].online() else { return };
        let wire = online.wire;
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).expect("a packet a client makes can be encoded");
        self.note(client, '>', &bytes);
        self.wires[wire].to_server.push(&bytes);
        self.carry_to_server(wire);
    }

    fn note(&mut self, client: usize, direction: char, bytes: &[u8]) {
        self.enter(Some(client), Entry::Packet(direction, bytes.to_vec()));
    }

    fn remark(&mut self, text: String) {
        self.enter(None, Entry::Remark(text));
    }

    fn enter(&mut self, client: Option<usize>, entry: Entry) {
        if self.journal.len() >= JOURNAL {
            self.journal.pop_front();
        }
        self.journal.push_back((self.now_ms(), client, entry));
    }

    /// The first thing that goes wrong is what counts.
    fn fail(&mut self, client: usize, what: String) {
        self.failure.get_or_insert((client, what));
    }

    /// The last events around a client, in the notation of transcripts.
    fn transcript(&self, of: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (at, client, entry) in self.journal.iter().rev() {
            let line = match (client, entry) {
                (Some(client), Entry::Packet(direction, bytes)) if *client == of || lines.len() < 20 => {
                    let spec = &self.clients[*client].spec;
                    let mut text = print_bytes(bytes, spec.version);
                    text.truncate(text.char_indices().nth(160).map_or(text.len(), |(end, _)| end));
                    format!("{} {direction} {text}", spec.name)
                }
                (_, Entry::Remark(text)) if text.contains(&self.clients[of].spec.name) => format!("# {text}"),
                _ => continue,
            };
            lines.push(format!("{:>9.3} {line}", (at - 10_000_000) as f64 / 1000.0));
            if lines.len() >= TRANSCRIPT {
                break;
            }
        }
        lines.reverse();
        lines
    }
}
