//! Many client connections in one readiness loop. A scenario says what each client sends and judges
//! what it receives.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hexmq_wire::{
    Ack, ControlPacket, Delivery, Framer, Leniency, NoTrace, REMAINING_LENGTH_MAX, Version, decode,
};
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// Connections on their way at once, so that no backlog overflows.
const CONNECTING_MAX: usize = 128;
/// The token of the pulse.
const PULSE: Token = Token(usize::MAX);
/// The pulse is not faster than this.
const PULSE_MIN: Duration = Duration::from_micros(20);

/// What the clients do.
pub(super) trait Script {
    /// The protocol version of a client.
    fn version(&self, _client: usize) -> Version {
        Version::V4
    }
    /// The network connection stands: the CONNECT is due.
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String>;
    /// A packet came.
    fn received(&mut self, client: usize, packet: &ControlPacket<'_>, out: &mut Outbox)
    -> Result<(), String>;
    /// The server closed the network connection.
    fn closed(&mut self, client: usize) -> Result<Then, String> {
        Err(format!("the server closed client {client}"))
    }
    /// Called at the start of each turn; with [`Fleet::beat`] there is one at each beat.
    fn turn(&mut self, _out: &mut Outbox) -> Result<(), String> {
        Ok(())
    }
    /// Asked after every turn.
    fn is_done(&self) -> bool;
    /// How far it is, for the message when time is up.
    fn progress(&self) -> String;
}

/// What a client does whose connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    StaysAway,
    ConnectsAgain,
}

/// What is to be written.
pub(super) struct Outbox {
    pending: Vec<Vec<u8>>,
    /// Clients with something new in `pending`.
    dirty: Vec<usize>,
    versions: Vec<Version>,
}

impl Outbox {
    /// Sends a packet from this client.
    pub(super) fn send(&mut self, client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
        let pending = &mut self.pending[client];
        if pending.is_empty() {
            self.dirty.push(client);
        }
        packet.encode(self.versions[client], pending).map_err(|error| error.to_string())
    }

    /// Sends what the standard asks for in answer to this packet, if anything.
    pub(super) fn acknowledge(&mut self, client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
        let answer = match packet {
            ControlPacket::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => return Ok(()),
                Delivery::AtLeastOnce(id) => ControlPacket::Puback(Ack::success(id)),
                Delivery::ExactlyOnce(id) => ControlPacket::Pubrec(Ack::success(id)),
            },
            ControlPacket::Pubrec(ack) => ControlPacket::Pubrel(Ack::success(ack.packet_identifier)),
            ControlPacket::Pubrel(ack) => ControlPacket::Pubcomp(Ack::success(ack.packet_identifier)),
            _ => return Ok(()),
        };
        self.send(client, &answer)
    }
}

struct Link {
    socket: TcpStream,
    framer: Framer,
    is_open: bool,
}

/// The connections.
pub(super) struct Fleet {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    links: Vec<Option<Link>>,
    /// Clients that are still to connect, the next one last.
    waiting: Vec<usize>,
    connecting: usize,
    out: Outbox,
    buffer: Vec<u8>,
    pulse: Option<OwnedFd>,
    deadline: Instant,
    limit: Duration,
}

impl Fleet {
    /// `count` clients that will connect to `address`; all is over after `limit`.
    pub(super) fn new(address: SocketAddr, count: usize, limit: Duration) -> Result<Fleet, String> {
        let out = Outbox {
            pending: vec![Vec::new(); count],
            dirty: Vec::new(),
            versions: vec![Version::V4; count],
        };
        Ok(Fleet {
            poll: Poll::new().map_err(|error| error.to_string())?,
            events: Events::with_capacity(4096),
            address,
            links: (0..count).map(|_| None).collect(),
            waiting: (0..count).rev().collect(),
            connecting: 0,
            out,
            buffer: vec![0; 1 << 18],
            pulse: None,
            deadline: Instant::now() + limit,
            limit,
        })
    }

    /// Runs until the script is done. May be called again with another script over the same clients.
    pub(super) fn run(&mut self, script: &mut impl Script) -> Result<(), String> {
        while !script.is_done() {
            script.turn(&mut self.out)?;
            self.connect_more(script)?;
            self.flush()?;
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("not done after {} s: {}", self.limit.as_secs(), script.progress()));
            }
            if let Err(error) = self.poll.poll(&mut self.events, Some(left.min(Duration::from_secs(1))))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error.to_string());
            }
            let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
            for event in &events {
                match event.token() {
                    PULSE => self.take_beat(),
                    Token(client) => self.ready(client, event.is_writable(), script)?,
                }
            }
            self.events = events;
        }
        self.flush()
    }

    /// Gives the clients something to do that no packet asks for.
    pub(super) fn begin(
        &mut self,
        start: impl FnOnce(&mut Outbox) -> Result<(), String>,
    ) -> Result<(), String> {
        start(&mut self.out)?;
        self.flush()
    }

    /// A turn at least this often from now on. `epoll_wait` itself knows only whole milliseconds.
    pub(super) fn beat(&mut self, period: Duration) -> Result<(), String> {
        let failed = |error: rustix::io::Errno| format!("no timer: {error}");
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).map_err(failed)?;
        let period = period.max(PULSE_MIN);
        let interval = Timespec {
            tv_sec: i64::try_from(period.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(period.subsec_nanos()),
        };
        let times = Itimerspec { it_interval: interval, it_value: interval };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times).map_err(failed)?;
        let descriptor = timer.as_raw_fd();
        let registry = self.poll.registry();
        registry
            .register(&mut SourceFd(&descriptor), PULSE, Interest::READABLE)
            .map_err(|error| error.to_string())?;
        self.pulse = Some(timer);
        Ok(())
    }

    /// The kernel winds a timer up again when it is read.
    fn take_beat(&self) {
        if let Some(pulse) = &self.pulse {
            let _ = rustix::io::read(pulse, &mut [0; 8]);
        }
    }

    fn connect_more(&mut self, script: &impl Script) -> Result<(), String> {
        while self.connecting < CONNECTING_MAX
            && let Some(client) = self.waiting.pop()
        {
            let failed = |error: io::Error| format!("client {client}: {error}");
            let mut socket = TcpStream::connect(self.address).map_err(failed)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(client), interest).map_err(failed)?;
            let framer = Framer::new(REMAINING_LENGTH_MAX);
            self.links[client] = Some(Link { socket, framer, is_open: false });
            self.out.versions[client] = script.version(client);
            self.connecting += 1;
        }
        Ok(())
    }

    fn ready(&mut self, client: usize, is_writable: bool, script: &mut impl Script) -> Result<(), String> {
        let Some(link) = self.links.get_mut(client).and_then(Option::as_mut) else { return Ok(()) };
        if !link.is_open {
            if let Some(error) = link.socket.take_error().map_err(|error| error.to_string())? {
                return Err(format!("client {client} cannot connect: {error}"));
            }
            if !is_writable {
                return Ok(());
            }
            link.is_open = true;
            let _ = link.socket.set_nodelay(true);
            self.connecting -= 1;
            script.connected(client, &mut self.out)?;
        } else if is_writable && !self.out.pending[client].is_empty() {
            self.write(client)?;
        }
        self.read(client, script)
    }

    fn read(&mut self, client: usize, script: &mut impl Script) -> Result<(), String> {
        let version = self.out.versions[client];
        while let Some(link) = &mut self.links[client] {
            let length = match link.socket.read(&mut self.buffer) {
                Ok(0) => return self.close(client, script),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A server that closes while our last acknowledgement is on its way resets.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return self.close(client, script);
                }
                Err(error) => return Err(format!("client {client}: {error}")),
            };
            let mut result = Ok(());
            let fed = link.framer.feed(&self.buffer[..length], |frame| {
                result = match decode(frame, version, &Leniency::default(), &mut NoTrace) {
                    Ok(packet) => script.received(client, &packet, &mut self.out),
                    Err(fault) => Err(format!("client {client} got bytes it cannot read: {fault}")),
                };
                if result.is_ok() { ControlFlow::<()>::Continue(()) } else { ControlFlow::Break(()) }
            });
            result?;
            fed.map_err(|error| format!("client {client}: {error}"))?;
            if length < self.buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn close(&mut self, client: usize, script: &mut impl Script) -> Result<(), String> {
        self.links[client] = None;
        if script.closed(client)? == Then::ConnectsAgain {
            self.waiting.push(client);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        let mut dirty = std::mem::take(&mut self.out.dirty);
        for &client in &dirty {
            self.write(client)?;
        }
        dirty.clear();
        self.out.dirty = dirty;
        Ok(())
    }

    fn write(&mut self, client: usize) -> Result<(), String> {
        let pending = &mut self.out.pending[client];
        let Some(link) = &mut self.links[client] else {
            pending.clear();
            return Ok(());
        };
        let mut written = 0;
        while written < pending.len() {
            match link.socket.write(&pending[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("client {client} cannot write: {error}")),
            }
        }
        pending.drain(..written);
        Ok(())
    }
}
