//! Many client connections in one readiness loop. A scenario says what each client sends and judges
//! what it receives.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use hexmq_wire::{
    Ack, ControlPacket, Delivery, Framer, Leniency, NoTrace, REMAINING_LENGTH_MAX, Version, decode,
};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// Connections on their way at once, so that no backlog overflows.
const CONNECTING_MAX: usize = 128;

/// What the clients do.
pub(crate) trait Script {
    /// The protocol version of a client.
    fn version(&self, client: usize) -> Version;
    /// The network connection stands: the CONNECT is due.
    fn connected(&mut self, client: usize, out: &mut Outbox) -> Result<(), String>;
    /// A packet came.
    fn received(&mut self, client: usize, packet: &ControlPacket<'_>, out: &mut Outbox)
    -> Result<(), String>;
    /// The server closed the network connection.
    fn closed(&mut self, client: usize) -> Result<(), String>;
    /// Asked after every turn.
    fn is_done(&self) -> bool;
    /// How far it is, for the message when time is up.
    fn progress(&self) -> String;
}

/// What is to be written.
pub(crate) struct Outbox {
    pending: Vec<Vec<u8>>,
    dirty: Vec<usize>,
    versions: Vec<Version>,
}

impl Outbox {
    /// Sends a packet from this client.
    pub(crate) fn send(&mut self, client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
        let pending = &mut self.pending[client];
        if pending.is_empty() {
            self.dirty.push(client);
        }
        packet.encode(self.versions[client], pending).map_err(|error| error.to_string())
    }

    /// Sends what the standard asks for in answer to this packet, if anything.
    pub(crate) fn acknowledge(&mut self, client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
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

/// The next identifier of a client that never has many in use.
pub(crate) fn identifier_after(used: u16) -> NonZeroU16 {
    NonZeroU16::new(used.wrapping_add(1)).unwrap_or(NonZeroU16::MIN)
}

struct Link {
    socket: TcpStream,
    framer: Framer,
    is_open: bool,
    is_closed: bool,
}

/// The connections.
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    links: Vec<Link>,
    count: usize,
    connecting: usize,
    out: Outbox,
    buffer: Vec<u8>,
    deadline: Instant,
    limit: Duration,
}

impl Fleet {
    /// `count` clients that will connect to `address`; all is over after `limit`.
    pub(crate) fn new(address: SocketAddr, count: usize, limit: Duration) -> Result<Fleet, String> {
        Ok(Fleet {
            poll: Poll::new().map_err(|error| error.to_string())?,
            events: Events::with_capacity(4096),
            address,
            links: Vec::with_capacity(count),
            count,
            connecting: 0,
            out: Outbox { pending: vec![Vec::new(); count], dirty: Vec::new(), versions: Vec::new() },
            buffer: vec![0; 1 << 18],
            deadline: Instant::now() + limit,
            limit,
        })
    }

    /// Runs until the script is done. May be called again with another script over the same clients.
    pub(crate) fn run(&mut self, script: &mut impl Script) -> Result<(), String> {
        while !script.is_done() {
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
                self.ready(event.token().0, event.is_writable(), script)?;
            }
            self.events = events;
        }
        self.flush()
    }

    /// Gives the clients something to do that no packet asks for.
    pub(crate) fn begin(
        &mut self,
        start: impl FnOnce(&mut Outbox) -> Result<(), String>,
    ) -> Result<(), String> {
        start(&mut self.out)?;
        self.flush()
    }

    fn connect_more(&mut self, script: &impl Script) -> Result<(), String> {
        while self.links.len() < self.count && self.connecting < CONNECTING_MAX {
            let client = self.links.len();
            let failed = |error: io::Error| format!("client {client}: {error}");
            let mut socket = TcpStream::connect(self.address).map_err(failed)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(client), interest).map_err(failed)?;
            let framer = Framer::new(REMAINING_LENGTH_MAX);
            self.links.push(Link { socket, framer, is_open: false, is_closed: false });
            self.out.versions.push(script.version(client));
            self.connecting += 1;
        }
        Ok(())
    }

    fn ready(&mut self, client: usize, is_writable: bool, script: &mut impl Script) -> Result<(), String> {
        let link = &mut self.links[client];
        if link.is_closed {
            return Ok(());
        }
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
        }
        if is_writable && !self.out.pending[client].is_empty() {
            self.write(client)?;
        }
        self.read(client, script)
    }

    fn read(&mut self, client: usize, script: &mut impl Script) -> Result<(), String> {
        let link = &mut self.links[client];
        let version = self.out.versions[client];
        loop {
            let length = match link.socket.read(&mut self.buffer) {
                Ok(0) => {
                    link.is_closed = true;
                    return script.closed(client);
                }
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A server that closes while our last acknowledgement is on its way resets.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    link.is_closed = true;
                    return script.closed(client);
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
    }

    fn flush(&mut self) -> Result<(), String> {
        for client in std::mem::take(&mut self.out.dirty) {
            self.write(client)?;
        }
        Ok(())
    }

    fn write(&mut self, client: usize) -> Result<(), String> {
        let pending = &mut self.out.pending[client];
        let mut written = 0;
        while written < pending.len() {
            match self.links[client].socket.write(&pending[written..]) {
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
