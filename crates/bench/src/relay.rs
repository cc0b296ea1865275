//! The floor: the least that can be done for a message. One thread, one read per readable socket,
//! the frame copied as it is to those who subscribed to exactly its topic, one write per receiver and
//! turn. Above QoS 0 a copy gets the next Packet Identifier of its receiver, and every packet of the protocol is
//! answered without a look at what was sent before; a DISCONNECT is answered by closing. No session, no check, no
//! wildcard, no bound: nobody should use this for anything.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;

use hexmq_wire::{Frame, Framer, PacketType, REMAINING_LENGTH_MAX};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

/// A connection; it keeps its place when it is gone.
struct Peer {
    /// `None` when it is closed.
    stream: Option<TcpStream>,
    framer: Framer,
}

/// Topics and what is to be written.
#[derive(Default)]
struct Routes {
    /// The place of each topic in `receivers`.
    topics: HashMap<Vec<u8>, usize>,
    receivers: Vec<Vec<usize>>,
    output: Vec<Vec<u8>>,
    /// Connections with something new in `output`.
    dirty: Vec<usize>,
    /// The topic each connection has published to last, with its place.
    last: Vec<(Vec<u8>, usize)>,
    /// The Packet Identifier each connection was sent last.
    identifiers: Vec<u16>,
}

/// The relay.
pub(crate) struct Relay {
    listener: TcpListener,
    poll: Poll,
    peers: Vec<Peer>,
    routes: Routes,
}

impl Relay {
    /// Listens.
    pub(crate) fn listen(address: SocketAddr) -> io::Result<Relay> {
        let mut listener = TcpListener::bind(address)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Relay { listener, poll, peers: Vec::new(), routes: Routes::default() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Forwards for ever.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; 1 << 18];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(peer) => {
                        if event.is_writable() {
                            self.write(peer);
                        }
                        if event.is_readable() {
                            self.read(peer, &mut buffer);
                        }
                    }
                }
            }
            let mut dirty = std::mem::take(&mut self.routes.dirty);
            dirty.iter().for_each(|&peer| self.write(peer));
            dirty.clear();
            self.routes.dirty = dirty;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let _ = stream.set_nodelay(true);
            let token = Token(self.peers.len());
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            self.peers.push(Peer { stream: Some(stream), framer: Framer::new(REMAINING_LENGTH_MAX) });
            self.routes.output.push(Vec::new());
            self.routes.last.push((Vec::new(), usize::MAX));
            self.routes.identifiers.push(0);
        }
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) {
        let peer = &mut self.peers[index];
        while let Some(stream) = &mut peer.stream {
            match stream.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(length) if length > 0 => {
                    let fed = peer.framer.feed(&buffer[..length], |frame| self.routes.frame(index, frame));
                    if fed.is_ok_and(|fed| fed.stopped.is_none()) {
                        if length < buffer.len() {
                            return;
                        }
                        continue;
                    }
                    peer.stream = None;
                }
                Ok(_) | Err(_) => peer.stream = None,
            }
        }
    }

    fn write(&mut self, index: usize) {
        let output = &mut self.routes.output[index];
        let Some(stream) = &mut self.peers[index].stream else {
            output.clear();
            return;
        };
        let mut written = 0;
        while written < output.len() {
            match stream.write(&output[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        output.drain(..written);
    }
}

impl Routes {
    /// One packet; a connection that says goodbye or what a relay does not know is closed.
    fn frame(&mut self, from: usize, frame: Frame<'_>) -> ControlFlow<()> {
        let Some(header) = frame.header() else { return ControlFlow::Break(()) };
        let body = frame.bytes.get(usize::from(header.size)..).unwrap_or_default();
        let known = match frame.packet_type() {
            Some(PacketType::Connect) => self.send(from, &[0x20, 2, 0, 0]),
            Some(PacketType::Pingreq) => self.send(from, &[0xD0, 0]),
            Some(PacketType::Publish) => self.publish(from, header.flags, frame.bytes, body),
            Some(PacketType::Puback | PacketType::Pubcomp) => Some(()),
            Some(PacketType::Pubrec) => self.answer(from, 0x62, body),
            Some(PacketType::Pubrel) => self.answer(from, 0x70, body),
            Some(PacketType::Subscribe) => self.subscribe(from, body),
            _ => None,
        };
        if known.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn send(&mut self, to: usize, bytes: &[u8]) -> Option<()> {
        let output = &mut self.output[to];
        if output.is_empty() {
            self.dirty.push(to);
        }
        output.extend_from_slice(bytes);
        Some(())
    }

    /// An acknowledgement with the Packet Identifier that is the first of these bytes.
    fn answer(&mut self, to: usize, first: u8, identifier: &[u8]) -> Option<()> {
        let [high, low] = *identifier.first_chunk()?;
        self.send(to, &[first, 2, high, low])
    }

    fn publish(&mut self, from: usize, flags: u8, bytes: &[u8], body: &[u8]) -> Option<()> {
        let topic = string(body)?;
        let behind = bytes.len() - body.len() + 2 + topic.len();
        match flags {
            0 => {}
            0b0010 => self.answer(from, 0x40, bytes.get(behind..)?)?,
            0b0100 => self.answer(from, 0x50, bytes.get(behind..)?)?,
            _ => return None,
        }
        if self.last[from].0 != topic || self.last[from].1 == usize::MAX {
            let place = self.topics.get(topic).copied().unwrap_or(usize::MAX);
            self.last[from] = (topic.to_vec(), place);
        }
        let Some(receivers) = self.receivers.get(self.last[from].1) else { return Some(()) };
        for &to in receivers {
            let output = &mut self.output[to];
            if output.is_empty() {
                self.dirty.push(to);
            }
            let start = output.len();
            output.extend_from_slice(bytes);
            if flags != 0
                && let Some(place) = output.get_mut(start + behind..).and_then(|rest| rest.first_chunk_mut())
            {
                self.identifiers[to] = self.identifiers[to].wrapping_add(1).max(1);
                *place = self.identifiers[to].to_be_bytes();
            }
        }
        Some(())
    }

    /// One filter, taken as a topic.
    fn subscribe(&mut self, from: usize, body: &[u8]) -> Option<()> {
        let [high, low, filter @ .., qos] = body else { return None };
        let next = self.receivers.len();
        let place = *self.topics.entry(string(filter)?.to_vec()).or_insert(next);
        if place == next {
            self.receivers.push(Vec::new());
        }
        self.receivers[place].push(from);
        self.send(from, &[0x90, 3, *high, *low, *qos])
    }
}

/// The string at the start, which has its length before it.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
