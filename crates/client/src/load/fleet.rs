//! Many client connections in one readiness loop. A scenario says what each client sends and judges
//! what it receives.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hexmq_wire::{ControlPacket, Framer, Leniency, NoTrace, REMAINING_LENGTH_MAX, Version, decode};
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::dial::dial;
use super::outbox::Faults;
pub(super) use super::outbox::Outbox;

/// Connections on their way at once, so that no backlog overflows.
const CONNECTING_MAX: usize = 128;
/// The token of the pulse.
const PULSE: Token = Token(usize::MAX);
/// The pulse is not faster than this.
const PULSE_MIN: Duration = Duration::from_micros(20);

/// What the clients do.
pub trait Script {
    /// The protocol version of a client.
    fn version(&self, _client: usize) -> Version {
        Version::V4
    }
    /// The network connection stands: the CONNECT is due.
    ///
    /// # Errors
    /// The text ends the run; that is so for all of these functions.
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String>;
    /// A packet came.
    ///
    /// # Errors
    /// As above.
    fn received(&mut self, client: usize, packet: &ControlPacket<'_>, out: &mut Outbox)
    -> Result<(), String>;
    /// The server closed the network connection.
    ///
    /// # Errors
    /// As above.
    fn closed(&mut self, client: usize) -> Result<Then, String> {
        Err(format!("the server closed client {client}"))
    }
    /// The network connection could not be made, broke, or brought bytes that are no packets; the text
    /// says which.
    ///
    /// # Errors
    /// As above.
    fn failed(&mut self, _client: usize, error: String) -> Result<Then, String> {
        Err(error)
    }
    /// Called at the start of each turn; with [`Fleet::beat`] there is one at each beat.
    ///
    /// # Errors
    /// As above.
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
pub enum Then {
    /// Nothing, until [`Outbox::connect`].
    StaysAway,
    /// It connects at once.
    ConnectsAgain,
}

struct Link {
    socket: TcpStream,
    framer: Framer,
    is_open: bool,
    is_reading: bool,
}

/// The connections.
pub struct Fleet {
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
    faults: Faults,
    /// When gathered bytes leave next.
    flush_at: Instant,
    reads: u64,
}

impl Fleet {
    /// `count` clients that will connect to `address`; all is over after `limit`.
    ///
    /// # Errors
    /// The system gives no `epoll`.
    pub fn new(address: SocketAddr, count: usize, limit: Duration) -> Result<Fleet, String> {
        let out = Outbox::new(count);
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
            faults: Faults::default(),
            flush_at: Instant::now(),
            reads: 0,
        })
    }

    /// The same, but no client connects before [`Outbox::connect`], and all they write passes a network with
    /// these faults.
    ///
    /// # Errors
    /// As [`Fleet::new`].
    pub fn waiting(
        address: SocketAddr,
        count: usize,
        limit: Duration,
        faults: Faults,
    ) -> Result<Fleet, String> {
        let mut fleet = Fleet::new(address, count, limit)?;
        fleet.waiting.clear();
        fleet.out.delay = faults.delay;
        fleet.faults = faults;
        Ok(fleet)
    }

    /// Reads so far that brought something: how much the server writes at once shows in them.
    pub(super) fn reads(&self) -> u64 {
        self.reads
    }

    /// Runs until the script is done. May be called again with another script over the same clients.
    ///
    /// # Errors
    /// What the script says, or that time is up.
    pub fn run(&mut self, script: &mut impl Script) -> Result<(), String> {
        while !script.is_done() {
            script.turn(&mut self.out)?;
            self.connect_more(script)?;
            self.flush(script)?;
            self.obey(script)?;
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
        self.flush(script)
    }

    /// Gives the clients something to do that no packet asks for; it leaves when they run.
    pub(super) fn begin(
        &mut self,
        start: impl FnOnce(&mut Outbox) -> Result<(), String>,
    ) -> Result<(), String> {
        start(&mut self.out)
    }

    /// A turn at least this often from now on. `epoll_wait` itself knows only whole milliseconds.
    ///
    /// # Errors
    /// The system gives no timer.
    pub fn beat(&mut self, period: Duration) -> Result<(), String> {
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

    /// Cuts, calls, stops reading and reads again as the script has asked for.
    fn obey(&mut self, script: &mut impl Script) -> Result<(), String> {
        for (client, is_reading) in std::mem::take(&mut self.out.reading) {
            if let Some(link) = &mut self.links[client] {
                link.is_reading = is_reading;
            }
            // What came meanwhile is told by no event any more.
            self.read(client, script)?;
        }
        for client in std::mem::take(&mut self.out.cut) {
            self.drop_link(client);
        }
        let mut called = std::mem::take(&mut self.out.connect);
        called.retain(|&client| self.links[client].is_none());
        self.waiting.append(&mut called);
        Ok(())
    }

    fn drop_link(&mut self, client: usize) {
        if self.links[client].take().is_some_and(|link| !link.is_open) {
            self.connecting -= 1;
        }
        self.out.forget(client);
    }

    fn connect_more(&mut self, script: &mut impl Script) -> Result<(), String> {
        while self.connecting < CONNECTING_MAX
            && let Some(client) = self.waiting.pop()
        {
            if self.links[client].is_some() {
                continue;
            }
            match self.dial(client) {
                Ok(link) => {
                    self.links[client] = Some(link);
                    self.out.versions[client] = script.version(client);
                    self.connecting += 1;
                }
                Err(error) => {
                    // The next try is due in the next turn: what fails at once would fail for ever in this one.
                    if script.failed(client, format!("client {client}: {error}"))? == Then::ConnectsAgain {
                        self.out.connect(client);
                    }
                }
            }
        }
        Ok(())
    }

    fn dial(&self, client: usize) -> io::Result<Link> {
        let mut socket = dial(client, self.address)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(client), interest)?;
        Ok(Link { socket, framer: Framer::new(REMAINING_LENGTH_MAX), is_open: false, is_reading: true })
    }

    fn ready(&mut self, client: usize, is_writable: bool, script: &mut impl Script) -> Result<(), String> {
        let Some(link) = self.links.get_mut(client).and_then(Option::as_mut) else { return Ok(()) };
        if !link.is_open {
            if let Some(error) = link.socket.take_error().map_err(|error| error.to_string())? {
                let error = format!("client {client} cannot connect: {error}");
                return self.fail(client, error, script);
            }
            if !is_writable {
                return Ok(());
            }
            link.is_open = true;
            let _ = link.socket.set_nodelay(true);
            self.connecting -= 1;
            script.connected(client, &mut self.out)?;
        } else if is_writable && !self.out.pending[client].is_empty() {
            self.write(client, script)?;
        }
        self.read(client, script)
    }

    fn read(&mut self, client: usize, script: &mut impl Script) -> Result<(), String> {
        let version = self.out.versions[client];
        while let Some(link) = self.links[client].as_mut().filter(|link| link.is_reading) {
            let length = match link.socket.read(&mut self.buffer) {
                Ok(0) => return self.close(client, script),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A server that closes while our last acknowledgement is on its way resets.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return self.close(client, script);
                }
                Err(error) => return self.fail(client, format!("client {client}: {error}"), script),
            };
            self.reads += 1;
            let mut result = Ok(());
            let mut unreadable = None;
            let fed = link.framer.feed(&self.buffer[..length], |frame| {
                match decode(frame, version, &Leniency::default(), &mut NoTrace) {
                    Ok(packet) => result = script.received(client, &packet, &mut self.out),
                    Err(fault) => {
                        unreadable = Some(format!("client {client} got bytes it cannot read: {fault}"));
                    }
                }
                if result.is_ok() && unreadable.is_none() {
                    ControlFlow::<()>::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            let unreadable =
                unreadable.or_else(|| fed.err().map(|error| format!("client {client}: {error}")));
            result?;
            if let Some(error) = unreadable {
                return self.fail(client, error, script);
            }
            if length < self.buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn close(&mut self, client: usize, script: &mut impl Script) -> Result<(), String> {
        self.drop_link(client);
        let then = script.closed(client)?;
        self.go_on(client, then);
        Ok(())
    }

    fn fail(&mut self, client: usize, error: String, script: &mut impl Script) -> Result<(), String> {
        self.drop_link(client);
        let then = script.failed(client, error)?;
        self.go_on(client, then);
        Ok(())
    }

    fn go_on(&mut self, client: usize, then: Then) {
        if then == Then::ConnectsAgain {
            self.waiting.push(client);
        }
    }

    /// Writes what is to be written now.
    fn flush(&mut self, script: &mut impl Script) -> Result<(), String> {
        if !self.out.held.is_empty() {
            self.out.release(Instant::now());
        }
        if let Some(period) = self.faults.coalesce {
            let now = Instant::now();
            if now < self.flush_at {
                return Ok(());
            }
            self.flush_at = now + period;
        }
        let dirty = std::mem::take(&mut self.out.dirty);
        for &client in &dirty {
            self.write(client, script)?;
        }
        // The list's memory is used again, behind what a short write has put in it meanwhile.
        let mut emptied = dirty;
        emptied.clear();
        emptied.append(&mut self.out.dirty);
        self.out.dirty = emptied;
        Ok(())
    }

    fn write(&mut self, client: usize, script: &mut impl Script) -> Result<(), String> {
        let pending = &mut self.out.pending[client];
        let Some(link) = &mut self.links[client] else {
            pending.clear();
            return Ok(());
        };
        let most = self.faults.segment_max.unwrap_or(usize::MAX).min(pending.len());
        let mut written = 0;
        let mut failure = None;
        let mut is_full = false;
        while written < most && failure.is_none() && !is_full {
            match link.socket.write(&pending[written..most]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => is_full = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => failure = Some(format!("client {client} cannot write: {error}")),
            }
        }
        pending.drain(..written);
        if let Some(error) = failure {
            return self.fail(client, error, script);
        }
        // A full socket says when it has room; a short segment has nobody to say so.
        if !is_full && !self.out.pending[client].is_empty() {
            self.out.dirty.push(client);
        }
        Ok(())
    }
}
