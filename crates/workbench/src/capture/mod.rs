//! Network captures: bytes of a pcap or pcapng file in, MQTT packets with time, direction and
//! connection out.
//!
//! [`Capture`] is fed the file piece by piece and tells a [`Sink`] what it finds. It does no I/O but
//! through a reader that is handed in, and keeps no more than [`Settings`] allow, however large the
//! file is. Segments that come in order are read where they lie.
//!
//! From the bottom up: `file` finds packets, `link` and `segment` TCP segments in them, `flows` their
//! connections, `half` puts each direction in order, `layers` looks through TLS and WebSocket, `talk`
//! cuts packets.

mod budget;
mod connection;
mod error;
mod file;
mod flows;
mod frames;
mod half;
mod layers;
mod link;
mod note;
mod plausible;
mod recognise;
mod scene;
mod segment;
mod sink;
mod talk;
mod tls;
mod websocket;

pub use connection::{Connection, End, Traffic};
pub use error::{CaptureError, Problem};
pub use half::Delivery;
pub use link::LinkType;
pub use note::{Encrypted, Note, NoteKind, WebSocketTrouble};
pub use sink::{HeadersOnly, Packet, Sink};
pub use tls::{KeyLog, KeyLogError};

use std::io::{self, Read};

use crate::recording::Timestamp;
use budget::Budget;
use file::{File, Item, Raw, Step};
use flows::Flows;
use link::{PassedOver, ip_packet};
use scene::Scene;
use segment::segment;

/// How a capture is read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections of these ports are MQTT, whatever they look like. Others are recognised by their
    /// first bytes.
    pub ports: Vec<u16>,
    /// Secrets for TLS. A capture may bring its own along.
    pub keys: KeyLog,
    /// Connections followed at once at most.
    pub connections_max: usize,
    /// Bytes of streams kept at most: early segments and packets that are not whole.
    pub kept_bytes_max: usize,
    /// Bytes of the largest MQTT packet that is kept.
    pub packet_bytes_max: usize,
    /// Seed of the index of connections.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            ports: vec![1883],
            keys: KeyLog::default(),
            connections_max: 1 << 17,
            kept_bytes_max: 128 << 20,
            packet_bytes_max: 16 << 20,
            seed: 0,
        }
    }
}

impl Settings {
    #[inline]
    pub(crate) fn is_mqtt_port(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }
}

/// What a capture held besides MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets of the capture.
    pub packets: u64,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// TCP segments among the packets.
    pub segments: u64,
    /// Bytes that TCP carried, repeated ones too.
    pub payload_bytes: u64,
    /// Packets that are no IP: ARP and the like.
    pub not_ip: u64,
    /// IP packets that are no TCP.
    pub not_tcp: u64,
    /// Pieces of IP packets: they are not put together.
    pub fragments: u64,
    /// Packets whose headers are not whole or contradict themselves.
    pub malformed: u64,
    /// Packets of a link type that is not known here.
    pub unknown_link: u64,
    /// The last such link type.
    pub unknown_link_type: Option<u16>,
    /// TCP connections of all kinds.
    pub connections: u64,
    /// Those among them that have a number: MQTT, or encrypted.
    pub numbered: u64,
    /// Connections that were set aside because there were too many.
    pub set_aside: u64,
    /// The time of the first packet.
    pub first: Option<Timestamp>,
    /// The time of the last packet.
    pub last: Option<Timestamp>,
}

/// A capture in the course of being read.
pub struct Capture {
    settings: Settings,
    file: File,
    flows: Flows,
    budget: Budget,
    numbers: u64,
    totals: Totals,
    /// Packets of the files before.
    earlier: u64,
    wanted: usize,
}

impl Capture {
    /// A capture of which nothing was read yet.
    pub fn new(settings: Settings) -> Capture {
        Capture {
            file: File::new(),
            flows: Flows::new(settings.connections_max, settings.seed),
            budget: Budget::new(settings.kept_bytes_max),
            numbers: 0,
            totals: Totals::default(),
            earlier: 0,
            wanted: 0,
            settings,
        }
    }

    /// Reads what is whole at the front of `bytes` and returns how many bytes that was; the others
    /// are to come again with more behind them: [`Capture::wanted`] bytes at least.
    ///
    /// # Errors
    /// What is wrong with the file, and where. There is no way to go on behind it.
    pub fn feed<S: Sink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<usize, CaptureError> {
        let mut at = 0;
        loop {
            match self.file.step(bytes.get(at..).unwrap_or_default())? {
                Step::Item(item, length) => {
                    at += length;
                    self.item(item, sink);
                }
                Step::Needs(wanted) => {
                    self.wanted = wanted;
                    return Ok(at);
                }
            }
        }
    }

    /// How many bytes the next call of [`Capture::feed`] needs to get anywhere. Bounded: no record is
    /// longer than 16 MiB.
    pub const fn wanted(&self) -> usize {
        self.wanted
    }

    /// Bytes of streams that are kept now; at most [`Settings::kept_bytes_max`].
    pub const fn kept_bytes(&self) -> usize {
        self.budget.kept()
    }

    /// One packet that comes from no file but from an interface.
    pub fn packet<S: Sink>(&mut self, link: LinkType, at: Timestamp, bytes: &[u8], sink: &mut S) {
        self.file.count_packet(bytes.len());
        self.raw(Raw { at, link, bytes }, sink);
    }

    /// Reads a file to its end. A second one continues the first, as captures that were split do:
    /// connections go on. [`Capture::finish`] closes them. `progress` hears after every piece how many
    /// bytes of this file were read, and may break off by answering `false`.
    ///
    /// # Errors
    /// Those of the reader; what is wrong with the file, and where. What was read until then counts.
    pub fn read<S: Sink>(
        &mut self,
        input: &mut impl Read,
        sink: &mut S,
        mut progress: impl FnMut(u64) -> bool,
    ) -> Result<(), ReadError> {
        self.totals.bytes += self.file.offset;
        self.earlier += self.file.packets;
        self.file = File::new();
        self.read_pieces(input, sink, &mut progress)
    }

    fn read_pieces<S: Sink>(
        &mut self,
        input: &mut impl Read,
        sink: &mut S,
        progress: &mut impl FnMut(u64) -> bool,
    ) -> Result<(), ReadError> {
        /// Large enough that a system call costs nothing, small enough for the cache.
        const PIECE: usize = 256 * 1024;
        let mut buffer = vec![0; PIECE];
        let (mut start, mut end) = (0, 0);
        loop {
            let read = match input.read(buffer.get_mut(end..).unwrap_or_default()) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::Input(error)),
            };
            if read == 0 {
                return self.file.end(buffer.get(start..end).unwrap_or_default()).map_err(ReadError::Capture);
            }
            end += read;
            let bytes = buffer.get(start..end).unwrap_or_default();
            start += self.feed(bytes, sink).map_err(ReadError::Capture)?;
            if !progress(self.file.offset) {
                return Ok(());
            }
            let rest = end - start;
            if start == end || start + self.wanted.max(PIECE / 4) > buffer.len() {
                buffer.copy_within(start..end, 0);
                (start, end) = (0, rest);
            }
            if self.wanted > buffer.len() {
                buffer.resize(self.wanted, 0);
            }
        }
    }

    /// Nothing comes any more: closes all connections.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) {
        let at = self.totals.last.unwrap_or_default();
        let mut scene = Scene {
            at,
            packet: self.earlier + self.file.packets,
            settings: &self.settings,
            budget: &mut self.budget,
            numbers: &mut self.numbers,
            sink,
        };
        self.flows.finish(&mut scene);
    }

    /// The counters so far.
    pub fn totals(&self) -> Totals {
        Totals {
            packets: self.earlier + self.file.packets,
            bytes: self.totals.bytes + self.file.offset,
            connections: self.flows.counts.seen,
            numbered: self.numbers,
            set_aside: self.flows.counts.set_aside,
            ..self.totals
        }
    }

    #[inline]
    fn item<S: Sink>(&mut self, item: Item<'_>, sink: &mut S) {
        match item {
            Item::Packet(raw) => self.raw(raw, sink),
            Item::Nothing => {}
            Item::Secrets(text) => {
                // What cannot be read of it opens nothing; the connections say so.
                let _ = self.settings.keys.read(text);
            }
        }
    }

    #[inline]
    fn raw<S: Sink>(&mut self, raw: Raw<'_>, sink: &mut S) {
        self.totals.first.get_or_insert(raw.at);
        self.totals.last = Some(raw.at);
        match ip_packet(raw.link, raw.bytes).and_then(segment) {
            Ok(segment) => {
                self.totals.segments += 1;
                self.totals.payload_bytes += segment.payload.len() as u64;
                if !S::FOLLOWS {
                    return;
                }
                let mut scene = Scene {
                    at: raw.at,
                    packet: self.earlier + self.file.packets,
                    settings: &self.settings,
                    budget: &mut self.budget,
                    numbers: &mut self.numbers,
                    sink,
                };
                self.flows.segment(&segment, &mut scene);
            }
            Err(why) => self.passed_over(why),
        }
    }

    #[cold]
    fn passed_over(&mut self, why: PassedOver) {
        let totals = &mut self.totals;
        match why {
            PassedOver::NotIp => totals.not_ip += 1,
            PassedOver::NotTcp => totals.not_tcp += 1,
            PassedOver::Fragment => totals.fragments += 1,
            PassedOver::Malformed => totals.malformed += 1,
            PassedOver::UnknownLink(code) => {
                totals.unknown_link += 1;
                totals.unknown_link_type = Some(code);
            }
        }
    }
}

/// Why reading a capture ended before its end.
#[derive(Debug)]
pub enum ReadError {
    /// The reader failed.
    Input(io::Error),
    /// The file is wrong.
    Capture(CaptureError),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Input(error) => error.fmt(f),
            ReadError::Capture(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

/// Whether `content` begins as a pcap or pcapng file does; 24 bytes of it tell.
pub fn is_capture(content: &[u8]) -> bool {
    match File::new().step(content) {
        Ok(Step::Item(..)) => true,
        // The first block of a pcapng may be longer than what is there.
        Ok(Step::Needs(wanted)) => content.len() >= 24 && wanted > content.len(),
        Err(_) => false,
    }
}
