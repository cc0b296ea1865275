//! The stage without sockets: shards, the lanes between them, and simulated time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hexmq_broker::{Address, Flow, Lost, Peer, Shard, ShardId, Shared, claim, home};
use hexmq_notation::{Departure, Origin};
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{ControlPacket, Frame, Frames, Leniency, NoTrace, Version, decode};

use super::link::{Input, Link};
use super::port::Port;
use super::{Inbox, ServerSettings, Stage};

/// The seed of hashes and assigned identifiers.
const SEED: u64 = 0x0048_4558_4d51;
/// Both clocks begin here; the wall clock in the year 2026.
const BEGIN: Now = Now { mono: Mono(1_000_000), wall: Wall(1_780_000_000_000) };
/// A timer may be one tick late.
const GRACE: Duration = Duration::from_millis(100);
/// Looks at the timers while time jumps: a longer jump looks less often.
const LOOKS_MAX: u64 = 20_000;
/// More rounds than any step can need: what is caused does not cause itself for ever.
const ROUNDS_MAX: usize = 1_000_000;

/// A server of shards in one thread.
#[derive(Debug)]
pub struct Core {
    now: Now,
    shards: Vec<Shard>,
    ports: Vec<Port>,
    links: BTreeMap<String, Link>,
    nobody: Inbox,
    opened: u16,
}

impl Core {
    /// A fresh server.
    pub fn new(settings: &ServerSettings) -> Core {
        let limits = Arc::new(settings.limits.clone());
        let shared = Arc::new(Shared::new(settings.shards, &limits, SEED, BEGIN));
        let shard = |id| Shard::new(ShardId(id), Arc::clone(&limits), Arc::clone(&shared), BEGIN);
        let port = |_| Port::new(settings.shards, &settings.users, settings.allow_anonymous);
        Core {
            now: BEGIN,
            shards: (0..settings.shards).map(shard).collect(),
            ports: (0..settings.shards).map(port).collect(),
            links: BTreeMap::new(),
            nobody: Inbox::default(),
            opened: 0,
        }
    }

    fn link(&mut self, connection: &str) -> Result<&mut Link, String> {
        self.links.get_mut(connection).ok_or_else(|| format!("no connection {connection}"))
    }

    /// Lets everything happen that has been caused.
    fn run(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            let mut moved = self.run_shards();
            for name in self.links.keys().cloned().collect::<Vec<_>>() {
                moved |= self.run_link(&name);
            }
            if !moved {
                return Ok(());
            }
        }
        Err(format!("the server did not come to rest in {ROUNDS_MAX} rounds"))
    }

    /// Answers, messages between shards, long work.
    fn run_shards(&mut self) -> bool {
        let now = self.now;
        let mut moved = false;
        for at in 0..self.shards.len() {
            for (hold, answer) in std::mem::take(&mut self.ports[at].answers) {
                self.shards[at].answered(hold, answer, now, &mut self.ports[at]);
                moved = true;
            }
            for to in 0..self.shards.len() {
                let batch = std::mem::take(&mut self.ports[at].lanes[to]);
                if !batch.is_empty() {
                    self.shards[to].forwarded(&batch, now, &mut self.ports[to]);
                    moved = true;
                }
            }
            moved |= self.shards[at].work(now, &mut self.ports[at]);
        }
        moved
    }

    /// One packet in, all bytes out.
    fn run_link(&mut self, name: &str) -> bool {
        let Some(link) = self.links.get_mut(name) else { return false };
        let mut moved = false;
        if let Some(input) = link.next_input() {
            self.handle(name, input);
            moved = true;
        }
        let Some(link) = self.links.get_mut(name) else { return moved };
        let (shard, conn) = (link.shard, link.conn);
        let output = self.ports[shard].of(conn);
        if std::mem::take(&mut output.resumed) {
            link.paused = false;
            moved = true;
        }
        if !link.reading || link.inbox.closed {
            return moved;
        }
        let mut bytes = std::mem::take(&mut output.written);
        bytes.append(&mut output.bytes);
        link.deliver(&bytes);
        if output.closing {
            link.close();
            self.ports[shard].outputs.remove(&(conn.slot, conn.generation));
            return true;
        }
        if !bytes.is_empty() {
            self.shards[shard].drained(conn, self.now, &mut self.ports[shard]);
            return true;
        }
        moved
    }

    fn handle(&mut self, name: &str, input: Input) {
        let Some(link) = self.links.get_mut(name) else { return };
        let (shard, conn, now) = (link.shard, link.conn, self.now);
        self.ports[shard].of(conn).partial = link.partial();
        let packet = match input {
            Input::Packet(packet) => packet,
            Input::Refused(error) => {
                return self.shards[shard].unframed(conn, error, now, &mut self.ports[shard]);
            }
        };
        let frame = Frame::new(&packet);
        if std::mem::take(&mut link.in_lobby)
            && let Some(to) = home_of(frame, self.shards.len())
            && to != shard
        {
            return self.move_home(name, to, packet);
        }
        match self.shards[shard].receive(conn, &mut Frames::one(frame), now, &mut self.ports[shard]) {
            Flow::Continue => {}
            Flow::Pause => link.paused = true,
            Flow::Closed => link.gone = true,
        }
    }

    /// The session lives on another shard: the connection is brought there.
    fn move_home(&mut self, name: &str, to: usize, packet: Vec<u8>) {
        let Some(link) = self.links.get_mut(name) else { return };
        self.shards[link.shard].handed_over(link.conn);
        self.ports[link.shard].outputs.remove(&(link.conn.slot, link.conn.generation));
        link.shard = to;
        link.conn = self.shards[to].open(link.peer.clone(), self.now);
        link.put_back(packet);
    }

    /// Fires what is due until `end`, at the earliest moments, at most `LOOKS_MAX` of them.
    fn pass(&mut self, end: Mono) -> Result<(), String> {
        let stride = (end.as_ms().saturating_sub(self.now.mono.as_ms())) / LOOKS_MAX;
        loop {
            let due = self.shards.iter().filter_map(Shard::next_timeout).min().filter(|due| *due <= end);
            let Some(due) = due else { break };
            let moment = due.max(self.now.mono.plus_ms(stride)).min(end);
            self.go_to(moment);
            for (shard, port) in self.shards.iter_mut().zip(&mut self.ports) {
                shard.timeout(self.now, port);
            }
            self.run()?;
            let stuck =
                self.shards.iter().filter_map(Shard::next_timeout).min() == Some(due) && moment == end;
            if stuck {
                break;
            }
        }
        self.go_to(end);
        Ok(())
    }

    fn go_to(&mut self, moment: Mono) {
        self.now = self.now.after(moment.max(self.now.mono).since(self.now.mono));
    }
}

/// The shard of the session a CONNECT asks for.
fn home_of(frame: Frame<'_>, shards: usize) -> Option<usize> {
    match decode(frame, Version::V4, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Connect(connect)) => {
            let shards = u16::try_from(shards).unwrap_or(1);
            Some(usize::from(home(&claim(&connect)?, shards, SEED).0))
        }
        _ => None,
    }
}

impl Stage for Core {
    fn open(&mut self, connection: &str, origin: Origin) -> Result<(), String> {
        self.opened += 1;
        let loopback = origin == Origin::Loopback;
        let host = if loopback { "127.0.0.1" } else { "192.0.2.1" };
        let address = Address::from(&*format!("{host}:{}", self.opened));
        let peer = Peer { address, loopback, listener: 0, secure: false };
        // Connections are accepted by the shards in turn.
        let shard = usize::from(self.opened) % self.shards.len();
        let conn = self.shards[shard].open(peer.clone(), self.now);
        let link = Link::new(shard, conn, peer, self.shards[shard].maximum_packet_size());
        self.links.insert(connection.to_owned(), link);
        Ok(())
    }

    fn send(&mut self, connection: &str, bytes: &[u8]) -> Result<(), String> {
        let link = self.link(connection)?;
        link.feed(bytes);
        let (shard, conn, partial) = (link.shard, link.conn, link.partial());
        if !link.gone {
            self.ports[shard].of(conn).partial = partial;
        }
        self.pass(self.now.mono)?;
        self.run()
    }

    fn leave(&mut self, connection: &str, departure: Departure) -> Result<(), String> {
        let Some(link) = self.links.remove(connection) else {
            return Err(format!("no connection {connection}"));
        };
        let lost = match departure {
            Departure::Drop => Lost::Reset,
            Departure::Close => Lost::Closed,
        };
        if !link.gone {
            self.shards[link.shard].lost(link.conn, lost, self.now, &mut self.ports[link.shard]);
        }
        self.ports[link.shard].outputs.remove(&(link.conn.slot, link.conn.generation));
        self.run()
    }

    fn forget(&mut self, connection: &str) {
        self.links.remove(connection);
    }

    fn set_reading(&mut self, connection: &str, on: bool) -> Result<(), String> {
        let link = self.link(connection)?;
        link.reading = on;
        let (shard, conn) = (link.shard, link.conn);
        self.ports[shard].of(conn).stalled = !on;
        self.run()
    }

    fn advance(&mut self, time: Duration, _before_packet: bool) -> Result<(), String> {
        self.pass(self.now.mono + time)?;
        self.pass(self.now.mono + GRACE)
    }

    fn stop_server(&mut self) -> Result<(), String> {
        for (shard, port) in self.shards.iter_mut().zip(&mut self.ports) {
            shard.stop(self.now, port);
        }
        self.run()
    }

    fn inbox(&mut self, connection: &str) -> &mut Inbox {
        self.links.get_mut(connection).map_or(&mut self.nobody, |link| &mut link.inbox)
    }

    fn wait(&mut self, _connections: &[String]) -> bool {
        false
    }

    fn settle(&mut self) -> Result<(), String> {
        self.run()
    }
}
