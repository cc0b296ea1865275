//! A connection and what has crossed it, packet by packet.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use hexmq_notation::print_bytes;
use hexmq_transport::{Dial, Endpoint};
use hexmq_wire::{Frame, PacketType, Version};
use hexmq_workbench::recording::{Packets, Part, Via};
use hexmq_workbench::{Language, Layout, Options, Severity, Side, explain, plain_hex, render};

use super::answers::{Outstanding, acknowledgement, keep_alive};
use super::record::Record;
use super::screen::Screen;
use crate::command::connection::{Heard, Link};

/// How many packets `explain` can go back, and how many bytes they may hold.
const KEPT_MAX: usize = 1000;
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Packets that no `wait` or `expect` has asked for yet.
const ARRIVED_MAX: usize = 10_000;

/// Longest line for one packet.
const LINE_MAX: usize = 400;

/// A packet that was shown.
pub(super) struct Shown {
    number: usize,
    from: Side,
    bytes: Vec<u8>,
    version: Version,
}

/// A packet of the server.
pub(super) struct Arrived {
    pub(super) bytes: Vec<u8>,
    pub(super) packet_type: Option<PacketType>,
    /// It answers what nobody typed.
    pub(super) unasked: bool,
}

/// How the session looks and behaves.
pub(super) struct Manner {
    pub(super) language: Language,
    pub(super) layout: Layout,
    /// Show the bytes of each packet.
    pub(super) hex: bool,
    pub(super) auto_ack: bool,
    pub(super) auto_ping: bool,
}

/// A connection and what has crossed it.
pub(super) struct Session {
    dial: Dial,
    link: Option<Link>,
    packets: Packets,
    shown: VecDeque<Shown>,
    shown_bytes: usize,
    count: usize,
    pub(super) arrived: VecDeque<Arrived>,
    pub(super) outstanding: Outstanding,
    pub(super) manner: Manner,
    pub(super) screen: Screen,
    record: Option<Record>,
    keep_alive: Option<Duration>,
    last_sent: Instant,
    started: Instant,
}

impl Session {
    pub(super) fn new(dial: Dial, version: Version, manner: Manner, record: Option<Record>) -> Session {
        Session {
            dial,
            link: None,
            packets: Packets::new(version),
            shown: VecDeque::new(),
            shown_bytes: 0,
            count: 0,
            arrived: VecDeque::new(),
            outstanding: Outstanding::default(),
            manner,
            screen: Screen::Plain,
            record,
            keep_alive: None,
            last_sent: Instant::now(),
            started: Instant::now(),
        }
    }

    pub(super) fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// The version in which packets are read and written.
    pub(super) fn version(&self) -> Version {
        self.packets.version()
    }

    pub(super) fn set_version(&mut self, version: Version) {
        self.packets.set_version(version);
    }

    /// Opens the connection, also anew.
    pub(super) fn connect(&mut self) -> io::Result<()> {
        self.close();
        let link = Link::connect(&self.dial)?;
        let (client, server) = link.addresses();
        let via = match (&self.dial.endpoint, &self.dial.tls) {
            (Endpoint::Unix(_), _) => Via::Unix,
            (Endpoint::Tcp { .. }, Some(_)) => Via::Tls,
            (Endpoint::Tcp { .. }, None) => Via::Tcp,
        };
        let line = format!("-- connected to {server} from {client} ({})", via.name());
        self.say(&line);
        self.write_down(|record| record.open(client, server, via));
        self.link = Some(link);
        self.packets.restart();
        self.arrived.clear();
        self.outstanding.forget();
        self.keep_alive = None;
        Ok(())
    }

    /// Ends the connection from our side, if there is one.
    pub(super) fn close(&mut self) {
        if let Some(mut link) = self.link.take() {
            link.end();
            self.say("-- closed by us");
            self.write_down(|record| record.close(Side::Client, false));
        }
    }

    /// Sends exactly these bytes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(link) = &mut self.link else {
            return Err("there is no connection; `connect` opens one".to_owned());
        };
        let sent = link.send(bytes);
        self.last_sent = Instant::now();
        self.write_down(|record| record.bytes(Side::Client, bytes));
        self.tell_parts(Side::Client, bytes);
        if let Some(needs) = self.packets.needs(Side::Client) {
            self.say(&format!("         > {} sent; the packet needs {needs} more", bytes_text(bytes.len())));
        }
        // The reading side tells why the connection is no more; the server may have said so before.
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Gives and takes what can be given and taken now.
    pub(super) fn exchange(&mut self) {
        if let Some(link) = &mut self.link {
            let _ = link.flush();
        }
        // Bounded, so that a flood does not keep us from the lines.
        const READS: usize = 16;
        for _ in 0..READS {
            let Some(link) = &mut self.link else { return };
            match link.hear() {
                None => return,
                Some(Heard::Bytes(bytes)) => {
                    self.write_down(|record| record.bytes(Side::Server, &bytes));
                    self.tell_parts(Side::Server, &bytes);
                }
                Some(Heard::Closed { reset }) => {
                    self.link = None;
                    self.outstanding.forget();
                    let begun = self.packets.begun(Side::Server).len();
                    let how = if reset { "reset" } else { "closed" };
                    self.say(&format!("-- {how} by the server"));
                    if begun > 0 {
                        self.say(&format!("   in the middle of a packet, after {} of it", bytes_text(begun)));
                    }
                    self.write_down(|record| record.close(Side::Server, reset));
                }
            }
        }
    }

    fn tell_parts(&mut self, from: Side, bytes: &[u8]) {
        for part in self.packets.feed(from, bytes) {
            match part {
                Part::Packet { bytes, version } => self.packet(from, bytes, version),
                Part::Unframed { bytes } => {
                    if from == Side::Client {
                        self.outstanding.sent_unclear();
                    }
                    self.write_down(|record| record.packet(from, &bytes, None));
                    let line =
                        format!("{} that are no packet: {}", bytes_text(bytes.len()), plain_hex(&bytes));
                    let line = format!("{} {} {}", self.time(), arrow(from), shorten(&line));
                    self.say(&line);
                }
            }
        }
    }

    /// A whole packet has crossed.
    fn packet(&mut self, from: Side, bytes: Vec<u8>, version: Version) {
        self.show(from, &bytes, version);
        self.write_down(|record| record.packet(from, &bytes, Some(version)));
        match from {
            Side::Client => self.outstanding.sent(&bytes, version),
            Side::Server => self.outstanding.received(&bytes, version),
        }
        if let Some(seconds) = keep_alive(&bytes, version) {
            self.keep_alive = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        }
        let packet_type = Frame::new(&bytes).packet_type();
        let answer = (from == Side::Server && self.manner.auto_ack)
            .then(|| acknowledgement(&bytes, version))
            .flatten();
        let unasked = self.manner.auto_ping && packet_type == Some(PacketType::Pingresp);
        if from == Side::Server {
            if self.arrived.len() >= ARRIVED_MAX {
                self.arrived.pop_front();
            }
            self.arrived.push_back(Arrived { bytes: bytes.clone(), packet_type, unasked });
        }
        self.keep(from, bytes, version);
        if let Some(answer) = answer {
            // If it cannot be sent, the end of the connection is about to be told.
            let _ = self.send(&answer);
        }
    }

    /// One line for the packet, and one for each thing that is wrong with it.
    fn show(&mut self, from: Side, bytes: &[u8], version: Version) {
        self.count += 1;
        let line = shorten(&print_bytes(bytes, version));
        let mut text = format!("{} {} #{} {line}", self.time(), arrow(from), self.count);
        if self.manner.hex {
            text += &format!("\n           {}", shorten(&plain_hex(bytes)));
        }
        let options = Options { from: Some(from), version: Some(version), language: self.manner.language };
        let explanation = explain(bytes, &options);
        for finding in explanation.findings().filter(|finding| finding.severity >= Severity::Warning) {
            let statement = finding.statement.map(|it| format!(" [{it}]")).unwrap_or_default();
            let (severity, field, message) = (finding.severity.name(), finding.field, &finding.message);
            text += &format!("\n           {severity} in {field}: {message}{statement}");
        }
        self.say(&text);
    }

    fn keep(&mut self, from: Side, bytes: Vec<u8>, version: Version) {
        self.shown_bytes += bytes.len();
        self.shown.push_back(Shown { number: self.count, from, bytes, version });
        while self.shown.len() > KEPT_MAX || self.shown_bytes > KEPT_BYTES_MAX {
            let Some(oldest) = self.shown.pop_front() else { return };
            self.shown_bytes -= oldest.bytes.len();
        }
    }

    /// Every byte of a packet that was shown; without a number, of the last.
    pub(super) fn explain(&mut self, number: Option<usize>) -> Result<(), String> {
        let found = match number {
            None => self.shown.back(),
            Some(number) => self.shown.iter().find(|shown| shown.number == number),
        };
        let Some(shown) = found else {
            return Err(match number {
                None => "no packet has crossed the connection yet".to_owned(),
                Some(number) if number > self.count => format!("there is no packet #{number} yet"),
                Some(number) => format!("packet #{number} is not kept; the last {KEPT_MAX} are"),
            });
        };
        let options =
            Options { from: Some(shown.from), version: Some(shown.version), language: self.manner.language };
        let page = render(&shown.bytes, &explain(&shown.bytes, &options), &self.manner.layout);
        self.say(&page);
        Ok(())
    }

    /// When a PINGREQ is due.
    pub(super) fn ping_due(&self) -> Option<Instant> {
        let keep_alive = self.keep_alive.filter(|_| self.manner.auto_ping && self.link.is_some())?;
        // Early enough to arrive in time.
        self.last_sent.checked_add(keep_alive * 3 / 4)
    }

    /// Sends a PINGREQ if one is due.
    pub(super) fn ping_if_due(&mut self) {
        if self.ping_due().is_some_and(|due| due <= Instant::now()) {
            let _ = self.send(&[0xC0, 0x00]);
        }
    }

    /// Something to know, in the recording too.
    pub(super) fn note(&mut self, text: &str) {
        self.write_down(|record| record.note(text));
    }

    pub(super) fn say(&mut self, text: &str) {
        self.screen.say(text);
    }

    /// Seconds since the beginning.
    fn time(&self) -> String {
        format!("{:>8.3}", self.started.elapsed().as_secs_f64())
    }

    /// A file that cannot be written any more is told once, and then left.
    fn write_down(&mut self, write: impl FnOnce(&mut Record) -> io::Result<()>) {
        if let Some(record) = &mut self.record
            && let Err(error) = write(record)
        {
            self.record = None;
            self.say(&format!("-- the recording cannot be written any more: {error}"));
        }
    }
}

fn arrow(from: Side) -> &'static str {
    match from {
        Side::Client => ">",
        Side::Server => "<",
    }
}

fn bytes_text(count: usize) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// A line that a screen can hold; the middle of a long payload says little.
fn shorten(line: &str) -> String {
    match line.char_indices().nth(LINE_MAX) {
        Some((end, _)) => {
            format!("{}… ({} more)", line.get(..end).unwrap_or_default(), bytes_text(line.len() - end))
        }
        None => line.to_owned(),
    }
}
