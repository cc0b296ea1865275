//! What only several packets together show: a whole conversation, packet by packet.
//!
//! A [`Dialogue`] is one connection; [`Dialogues`] are those of one server and know when two of them
//! use one client identifier. Both are plain values that are fed packets in the order in which they
//! crossed the wire, with the time where it is known. Their memory is bounded by what can be
//! unacknowledged; what cannot be known (a capture that begins in the middle, bytes lost) is not held
//! against anybody.

mod connection;
mod flow;
mod limits;
mod many;
mod requests;

use std::collections::{BTreeSet, VecDeque};

use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, PacketType, Version, decode};

use super::{LintRule, Said};
use crate::Language;
use crate::explain::only_side;
use crate::explanation::{Finding, Severity, Side};
use crate::recording::Timestamp;
use crate::text::lint::message;
use crate::tree::version_of;

pub use many::Dialogues;

use connection::{Asked, Granted};
use flow::Lane;
use requests::Requests;

/// Something a dialogue shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogueFinding {
    /// The packet at fault: how many packets the dialogue was fed before it.
    pub packet: u64,
    /// The rule that is broken.
    pub rule: LintRule,
    /// The normative statement, where the rule has a number.
    pub statement: Option<&'static str>,
    /// The field, by the standard's name.
    pub field: &'static str,
    /// First byte concerned, from the start of the packet.
    pub offset: usize,
    /// Bytes concerned.
    pub length: usize,
    /// The packet as it would be right: decodes clean and changes only what is named here.
    pub repair: Option<Vec<u8>>,
    said: Said,
}

impl DialogueFinding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// What is wrong and what to do.
    pub fn message(&self, language: Language) -> String {
        message(self.rule, self.field, &self.said, language)
    }

    /// The same as a finding of the packet, which begins at `offset` of the whole input.
    pub fn to_finding(&self, offset: usize, language: Language) -> Finding {
        Finding {
            code: self.rule.name(),
            severity: self.severity(),
            statement: self.statement,
            field: self.field,
            offset: offset + self.offset,
            length: self.length,
            message: self.message(language),
            repair: self.repair.clone(),
        }
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is known: the beginning was not seen.
    Joined,
    /// Open, and nothing was said.
    Opened,
    /// CONNECT was sent.
    Connecting,
    /// CONNACK accepted it.
    Connected,
    /// CONNACK refused it.
    Refused,
}

/// The conversation of one connection.
#[derive(Clone, Debug)]
pub struct Dialogue {
    version: Version,
    /// Packets so far.
    count: u64,
    phase: Phase,
    /// All that was said was seen, from the first byte on.
    whole: bool,
    asked: Option<Asked>,
    granted: Granted,
    /// What each side sent: the client's, then the server's.
    lanes: [Lane; 2],
    requests: Requests,
    subscription_identifiers: BTreeSet<u32>,
    /// PINGREQs that wait, with their times.
    pings: VecDeque<(u64, Option<Timestamp>)>,
    /// The client's last packet and its time.
    client_spoke: Option<(u64, Option<Timestamp>)>,
    /// Packets of the client before the CONNACK.
    early: Vec<u64>,
    /// Who said DISCONNECT.
    disconnected: [bool; 2],
}

/// One packet on its way through the rules.
#[derive(Clone, Copy, Debug)]
struct Spoken<'a> {
    from: Side,
    at: Option<Timestamp>,
    frame: &'a [u8],
    packet: &'a ControlPacket<'a>,
}

impl Default for Dialogue {
    fn default() -> Dialogue {
        Dialogue::new()
    }
}

impl Dialogue {
    /// A connection that was just opened: what was not seen was not said.
    pub fn new() -> Dialogue {
        Dialogue {
            version: Version::V4,
            count: 0,
            phase: Phase::Opened,
            whole: true,
            asked: None,
            granted: Granted::default(),
            lanes: [Lane::default(), Lane::default()],
            requests: Requests::default(),
            subscription_identifiers: BTreeSet::new(),
            pings: VecDeque::new(),
            client_spoke: None,
            early: Vec::new(),
            disconnected: [false; 2],
        }
    }

    /// A connection whose beginning was not seen; `version` is that of its packets, until a CONNECT
    /// says another. A CONNECT begins it anew.
    pub fn joined(version: Version) -> Dialogue {
        Dialogue { version, phase: Phase::Joined, whole: false, ..Dialogue::new() }
    }

    /// The version the packets are read with.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many packets it was fed.
    pub fn packets(&self) -> u64 {
        self.count
    }

    /// Bytes of this side are missing here. From now on nobody is blamed for what may have stood there.
    pub fn lost(&mut self, from: Side) {
        self.whole = false;
        self.lanes[from as usize].forget();
        self.lanes[other(from) as usize].forget();
        self.requests = Requests::default();
        self.pings.clear();
    }

    /// The next packet: one whole frame. Returns what it shows about itself and about earlier ones.
    pub fn packet(&mut self, from: Side, at: Option<Timestamp>, frame: &[u8]) -> Vec<DialogueFinding> {
        let mut findings = Vec::new();
        let parsed = Frame::new(frame);
        let number = self.count;
        if parsed.packet_type() == Some(PacketType::Connect) && self.phase == Phase::Joined {
            *self = Dialogue { count: number, ..Dialogue::new() };
        }
        if from == Side::Client && parsed.packet_type() == Some(PacketType::Connect) {
            self.version = version_of(parsed, self.version);
        }
        match decode(parsed, self.version, &Leniency::default(), &mut NoTrace) {
            Ok(packet) => {
                let said = Spoken { from, at, frame, packet: &packet };
                self.judge(&said, &mut findings);
            }
            // What it would have meant is not known; what its own faults are the packet tells.
            Err(_) => {
                self.lost(from);
                if matches!(parsed.packet_type(), Some(PacketType::Connect | PacketType::Connack)) {
                    self.phase = Phase::Joined;
                }
            }
        }
        if from == Side::Client {
            self.client_spoke = Some((number, at.or(self.client_spoke.and_then(|spoke| spoke.1))));
        }
        self.count += 1;
        findings
    }

    fn judge(&mut self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        self.order(said, findings);
        // What this side never says means nothing; that it was said the packet tells.
        if only_side(Some(said.packet.packet_type()), self.version).is_some_and(|side| side != said.from) {
            return;
        }
        self.clock(said, findings);
        if self.version == Version::V5 {
            self.limits(said, findings);
        }
        match said.packet {
            ControlPacket::Connect(connect) => self.connect(connect, findings),
            ControlPacket::Connack(connack) => self.connack(said, connack, findings),
            ControlPacket::Publish(publish) => self.publish(said, publish, findings),
            ControlPacket::Puback(ack)
            | ControlPacket::Pubrec(ack)
            | ControlPacket::Pubrel(ack)
            | ControlPacket::Pubcomp(ack) => self.acknowledge(said, ack, findings),
            ControlPacket::Subscribe(subscribe) => self.subscribe(said, subscribe, findings),
            ControlPacket::Unsubscribe(unsubscribe) => self.unsubscribe(said, unsubscribe, findings),
            ControlPacket::Suback(suback) => self.suback(said, suback, findings),
            ControlPacket::Unsuback(unsuback) => self.unsuback(said, unsuback, findings),
            ControlPacket::Pingreq => self.pings.push_back((self.count, said.at)),
            ControlPacket::Pingresp => self.pingresp(findings),
            ControlPacket::Disconnect(_) => self.disconnected[said.from as usize] = true,
            ControlPacket::Auth(_) => {}
        }
    }

    /// The connection is closed. Tells what was never answered although there was time.
    pub fn close(&mut self, at: Option<Timestamp>) -> Vec<DialogueFinding> {
        let mut findings = Vec::new();
        self.silence(at, &mut findings);
        self.unanswered(at, &mut findings);
        findings
    }

    /// Whether whatever is not known here never was: the session began with this connection.
    fn knows_all(&self) -> bool {
        // In 3.1 the CONNACK does not tell whether there is a session.
        let is_told =
            self.version > Version::V3 || self.asked.as_ref().is_some_and(|asked| asked.clean_start);
        self.whole && self.phase == Phase::Connected && !self.granted.session_present && is_told
    }

    fn finding(&self, rule: LintRule, field: &'static str, span: (usize, usize)) -> DialogueFinding {
        DialogueFinding {
            packet: self.count,
            rule,
            statement: rule.statement(self.version),
            field,
            offset: span.0,
            length: span.1,
            repair: None,
            said: Said::Nothing,
        }
    }
}

/// The other side.
fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// Bytes of the fixed header.
fn header(frame: &[u8]) -> usize {
    Frame::new(frame).header().map_or(0, |header| usize::from(header.size))
}
