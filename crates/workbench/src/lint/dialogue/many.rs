//! The connections of one server, and what they show about each other.

use std::collections::BTreeMap;

use hexmq_wire::{Connack, ControlPacket, Frame, Leniency, NoTrace, PacketType, ReasonCode, Version, decode};

use super::{Dialogue, DialogueFinding, LintRule, Phase, Said};
use crate::explanation::Side;
use crate::recording::Timestamp;

/// Client identifiers that are remembered.
const CLIENTS_MOST: usize = 100_000;

/// Several connections to one server, each with a number.
#[derive(Clone, Debug, Default)]
pub struct Dialogues {
    connections: BTreeMap<u64, Dialogue>,
    clients: BTreeMap<String, Known>,
}

/// What is known of a client identifier.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The connection that has it.
    open: Option<u64>,
    /// Whether its last session was to be kept, for how long, and when its connection ended.
    kept: Option<(bool, Option<u32>)>,
    ended: Option<Timestamp>,
}

impl Dialogues {
    /// No connections yet.
    pub fn new() -> Dialogues {
        Dialogues::default()
    }

    /// A connection is opened. One that was not is taken as joined in the middle.
    pub fn open(&mut self, connection: u64) {
        self.connections.insert(connection, Dialogue::new());
    }

    /// The dialogue of a connection.
    pub fn dialogue(&self, connection: u64) -> Option<&Dialogue> {
        self.connections.get(&connection)
    }

    /// Bytes of this side of a connection are missing here.
    pub fn lost(&mut self, connection: u64, from: Side) {
        if let Some(dialogue) = self.connections.get_mut(&connection) {
            dialogue.lost(from);
        }
    }

    /// The next packet of a connection. The numbers of packets in the findings count in it alone.
    pub fn packet(
        &mut self,
        connection: u64,
        from: Side,
        at: Option<Timestamp>,
        frame: &[u8],
    ) -> Vec<DialogueFinding> {
        let dialogue = self.connections.entry(connection).or_insert_with(|| Dialogue::joined(Version::V4));
        let number = dialogue.count;
        let mut findings = dialogue.packet(from, at, frame);
        match Frame::new(frame).packet_type() {
            Some(PacketType::Connect) if from == Side::Client => {
                findings.extend(self.connected(connection, number, frame));
            }
            Some(PacketType::Connack) if from == Side::Server => {
                findings.extend(self.accepted(connection, number, at, frame));
            }
            _ => {}
        }
        findings
    }

    /// A connection is closed.
    pub fn close(&mut self, connection: u64, at: Option<Timestamp>) -> Vec<DialogueFinding> {
        let Some(mut dialogue) = self.connections.remove(&connection) else { return Vec::new() };
        let client = dialogue.asked.as_ref().map(|asked| asked.client_identifier.as_str());
        if let Some(known) = client.and_then(|client| self.clients.get_mut(client))
            && known.open == Some(connection)
        {
            *known = Known { open: None, kept: dialogue.keeps_session().or(known.kept), ended: at };
        }
        dialogue.close(at)
    }

    /// A CONNECT with an identifier that another open connection has.
    fn connected(&mut self, connection: u64, number: u64, frame: &[u8]) -> Option<DialogueFinding> {
        let dialogue = self.connections.get(&connection)?;
        let client = dialogue.asked.as_ref().map(|asked| asked.client_identifier.clone())?;
        if client.is_empty() || dialogue.phase != Phase::Connecting {
            return None;
        }
        if self.clients.len() >= CLIENTS_MOST && !self.clients.contains_key(&client) {
            return None;
        }
        let known = self.clients.entry(client.clone()).or_default();
        let before = known.open.replace(connection).filter(|&before| before != connection);
        let older = before.and_then(|before| self.connections.get(&before))?;
        let is_there = older.phase == Phase::Connected && !older.disconnected.contains(&true);
        if let Some(kept) = older.keeps_session() {
            self.clients.entry(client.clone()).or_default().kept = Some(kept);
        }
        let version = dialogue.version;
        is_there.then(|| DialogueFinding {
            packet: number,
            rule: LintRule::ClientIdentifierTwice,
            statement: LintRule::ClientIdentifierTwice.statement(version),
            field: "client_identifier",
            offset: 0,
            length: frame.len().min(1),
            repair: None,
            said: Said::Text(client),
        })
    }

    /// An accepting CONNACK, against what the connection before left.
    fn accepted(
        &mut self,
        connection: u64,
        number: u64,
        at: Option<Timestamp>,
        frame: &[u8],
    ) -> Option<DialogueFinding> {
        let dialogue =
            self.connections.get(&connection).filter(|dialogue| dialogue.phase == Phase::Connected)?;
        let asked = dialogue.asked.as_ref().filter(|asked| !asked.clean_start)?;
        let known = self.clients.get(&asked.client_identifier)?;
        let connack = connack_of(frame, dialogue.version)?;
        let (kept, seconds) = known.kept?;
        let expired = match (seconds, known.ended, at) {
            (None, ..) => false,
            (Some(seconds), Some(ended), Some(now)) => {
                now.0.saturating_sub(ended.0) >= u64::from(seconds) * 1_000_000_000
            }
            // It may have.
            (Some(_), ..) => true,
        };
        let finding = match (kept, connack.session_present) {
            (false, true) => dialogue.session_finding(frame, LintRule::SessionPresentNeverKept, true),
            (true, false) if !expired => dialogue.session_finding(frame, LintRule::SessionLost, false),
            _ => return None,
        };
        Some(DialogueFinding { packet: number, ..finding })
    }
}

fn connack_of(frame: &[u8], version: Version) -> Option<Connack<'_>> {
    match decode(Frame::new(frame), version, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Connack(connack)) if connack.reason_code == ReasonCode::Success => Some(connack),
        _ => None,
    }
}
