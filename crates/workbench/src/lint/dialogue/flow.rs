//! PUBLISH and its acknowledgements, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use hexmq_wire::{Ack, ControlPacket, Delivery, PacketIdentifier, PacketType, Publish, QoS, Version};

use super::{Dialogue, DialogueFinding, LintRule, Said, Spoken, header, other};
use crate::explanation::Side;
use crate::recording::Timestamp;

/// Bytes of a message that are compared to know it again.
const COMPARED_MOST: usize = 4096;

/// The messages one side sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    waiting: BTreeMap<u16, Waiting>,
    /// Identifiers that occurred: an acknowledgement that comes twice is no mistake.
    used: BTreeSet<u16>,
    /// Topic aliases that stand for a topic.
    pub(super) aliases: BTreeSet<u16>,
    /// Something is missing: what is not known may have been there.
    has_gaps: bool,
}

/// A message that is not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) identifier: u16,
    pub(super) packet: u64,
    sent: Option<Timestamp>,
    stage: Stage,
    digest: u64,
}

/// What comes next for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

impl Lane {
    pub(super) fn forget(&mut self) {
        *self = Lane { has_gaps: true, ..Lane::default() };
    }

    pub(super) fn overdue(
        &self,
        now: Option<Timestamp>,
        is_overdue: fn(Option<Timestamp>, Option<Timestamp>) -> bool,
    ) -> impl Iterator<Item = Waiting> + '_ {
        // Only what the receiver owes: behind a PUBREC it is the sender's turn.
        self.waiting
            .values()
            .copied()
            .filter(move |waiting| waiting.stage != Stage::Pubrel && is_overdue(waiting.sent, now))
    }

    pub(super) fn uses(&self, identifier: u16) -> bool {
        self.waiting.contains_key(&identifier)
    }

    /// The only message that waits for this.
    fn only_waiting(&self, stage: Stage) -> Option<u16> {
        let mut waiting = self.waiting.values().filter(|waiting| waiting.stage == stage);
        let only = waiting.next()?.identifier;
        waiting.next().is_none().then_some(only)
    }
}

impl Dialogue {
    pub(super) fn publish(
        &mut self,
        said: &Spoken<'_>,
        publish: &Publish<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        self.alias(said, publish, findings);
        let (Delivery::AtLeastOnce(identifier) | Delivery::ExactlyOnce(identifier)) = publish.delivery else {
            return;
        };
        let digest = digest(publish);
        let known = self.lanes[said.from as usize].waiting.get(&identifier.get()).copied();
        match known {
            Some(waiting) => {
                if self.again(said, publish, waiting, digest, findings) {
                    return;
                }
            }
            None => self.first(said, publish, identifier, findings),
        }
        let stage = if publish.qos() == QoS::AtLeastOnce { Stage::Puback } else { Stage::Pubrec };
        let identifier = identifier.get();
        let waiting = Waiting { identifier, packet: self.count, sent: said.at, stage, digest };
        let lane = &mut self.lanes[said.from as usize];
        lane.used.insert(identifier);
        lane.waiting.insert(identifier, waiting);
        self.receive_maximum(said, findings);
    }

    /// An identifier that nothing uses yet.
    fn first(
        &self,
        said: &Spoken<'_>,
        publish: &Publish<'_>,
        identifier: PacketIdentifier,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let lane = &self.lanes[said.from as usize];
        if said.from == Side::Client && self.requests.uses(identifier.get()) {
            findings.push(self.in_use(said, identifier.get()));
        }
        if publish.dup && self.knows_all() && !lane.has_gaps && !lane.used.contains(&identifier.get()) {
            let repair = Some(with_first_byte(said.frame, |first| first & !0b1000));
            findings.push(DialogueFinding { repair, ..self.finding(LintRule::DupOnFirst, "dup", (0, 1)) });
        }
    }

    /// An identifier that waits for its acknowledgement comes again. Returns whether it is the same
    /// message as before.
    fn again(
        &self,
        said: &Spoken<'_>,
        publish: &Publish<'_>,
        waiting: Waiting,
        digest: u64,
        findings: &mut Vec<DialogueFinding>,
    ) -> bool {
        let same = digest == waiting.digest;
        if waiting.stage == Stage::Pubcomp && (same || publish.dup) {
            findings.push(self.finding(
                LintRule::PublishAfterPubrel,
                "packet_identifier",
                self.identifier_span(said),
            ));
            return true;
        }
        if !same && !publish.dup {
            findings.push(self.in_use(said, waiting.identifier));
            return false;
        }
        if self.version == Version::V5 {
            findings.push(self.finding(
                LintRule::RepeatedInConnection,
                "packet_identifier",
                self.identifier_span(said),
            ));
        } else if !publish.dup {
            let repair = Some(with_first_byte(said.frame, |first| first | 0b1000));
            findings.push(DialogueFinding { repair, ..self.finding(LintRule::DupMissing, "dup", (0, 1)) });
        }
        true
    }

    /// An identifier that something else still uses, with the next free one in its place.
    pub(super) fn in_use(&self, said: &Spoken<'_>, identifier: u16) -> DialogueFinding {
        let lane = &self.lanes[said.from as usize];
        let mine = |identifier: u16| {
            identifier != 0
                && !lane.uses(identifier)
                && (said.from == Side::Server || !self.requests.uses(identifier))
        };
        let free = (1..=u16::MAX).map(|step| identifier.wrapping_add(step)).find(|&next| mine(next));
        let span = self.identifier_span(said);
        let repair = free.map(|free| with_identifier(said.frame, span.0, free));
        let statement = match (said.from, self.version) {
            (Side::Client, Version::V3 | Version::V4) => Some("MQTT-2.3.1-2"),
            (Side::Client, Version::V5) => Some("MQTT-2.2.1-3"),
            (Side::Server, Version::V3 | Version::V4) => Some("MQTT-2.3.1-4"),
            (Side::Server, Version::V5) => Some("MQTT-2.2.1-4"),
        };
        let finding = self.finding(LintRule::PacketIdentifierInUse, "packet_identifier", span);
        DialogueFinding { repair, statement, said: Said::Number(u64::from(identifier)), ..finding }
    }

    /// Where the Packet Identifier stands.
    pub(super) fn identifier_span(&self, said: &Spoken<'_>) -> (usize, usize) {
        let start = header(said.frame);
        match said.packet {
            ControlPacket::Publish(publish) => (start + 2 + publish.topic_name.len(), 2),
            _ => (start, 2),
        }
    }

    fn receive_maximum(&self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        let Some((maximum, ..)) = self.receiver_limits(said.from).filter(|_| self.version == Version::V5)
        else {
            return;
        };
        let waiting = self.lanes[said.from as usize].waiting.len();
        if waiting > usize::from(maximum) {
            let finding = self.finding(
                LintRule::ReceiveMaximumExceeded,
                "packet_identifier",
                self.identifier_span(said),
            );
            let statement = match said.from {
                Side::Client => Some("MQTT-3.3.4-7"),
                Side::Server => Some("MQTT-3.3.4-9"),
            };
            findings.push(DialogueFinding { statement, said: Said::Number(waiting as u64), ..finding });
        }
    }

    // ---- acknowledgements ---------------------------------------------------------------------

    pub(super) fn acknowledge(
        &mut self,
        said: &Spoken<'_>,
        ack: &Ack<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let identifier = ack.packet_identifier.get();
        let packet_type = said.packet.packet_type();
        // PUBREL comes from the side that sent the message, the others from its receiver.
        let sender = if packet_type == PacketType::Pubrel { said.from } else { other(said.from) };
        let refused = ack.reason_code.as_u8() >= 0x80;
        let Some(waiting) = self.lanes[sender as usize].waiting.get(&identifier).copied() else {
            self.nothing_waits(said, sender, packet_type, identifier, findings);
            return;
        };
        let stage = waiting.stage;
        match (packet_type, stage) {
            (PacketType::Puback, Stage::Puback) | (PacketType::Pubcomp, Stage::Pubcomp) => {
                self.lanes[sender as usize].waiting.remove(&identifier);
            }
            (PacketType::Pubrec, Stage::Pubrec | Stage::Pubrel | Stage::Pubcomp) if refused => {
                self.lanes[sender as usize].waiting.remove(&identifier);
            }
            (PacketType::Pubrec, Stage::Pubrec) => self.advance(sender, identifier, Stage::Pubrel, said.at),
            (PacketType::Pubrel, Stage::Pubrel) => self.advance(sender, identifier, Stage::Pubcomp, said.at),
            // Repetitions of what was said already.
            (PacketType::Pubrec, Stage::Pubrel | Stage::Pubcomp) | (PacketType::Pubrel, Stage::Pubcomp) => {}
            (PacketType::Puback | PacketType::Pubrec, Stage::Puback | Stage::Pubrec) => {
                let right = if stage == Stage::Puback { 0x40 } else { 0x50 };
                let repair = (self.version < Version::V5).then(|| with_first_byte(said.frame, |_| right));
                let finding = self.finding(LintRule::AcknowledgementOfOtherKind, "packet_type", (0, 1));
                findings.push(DialogueFinding { repair, ..finding });
            }
            (PacketType::Pubrel | PacketType::Pubcomp, Stage::Puback) | (PacketType::Puback, _) => {
                findings.push(self.finding(LintRule::AcknowledgementOfOtherKind, "packet_type", (0, 1)));
            }
            _ => {
                findings.push(self.finding(LintRule::Qos2OutOfOrder, "packet_type", (0, 1)));
                // What follows is measured by what was said, so that one slip is told once.
                match packet_type {
                    PacketType::Pubrel => self.advance(sender, identifier, Stage::Pubcomp, said.at),
                    _ => {
                        self.lanes[sender as usize].waiting.remove(&identifier);
                    }
                }
            }
        }
    }

    fn advance(&mut self, sender: Side, identifier: u16, stage: Stage, at: Option<Timestamp>) {
        if let Some(waiting) = self.lanes[sender as usize].waiting.get_mut(&identifier) {
            waiting.stage = stage;
            waiting.sent = at.or(waiting.sent);
        }
    }

    fn nothing_waits(
        &mut self,
        said: &Spoken<'_>,
        sender: Side,
        packet_type: PacketType,
        identifier: u16,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let lane = &self.lanes[sender as usize];
        let is_request = sender == Side::Client && self.requests.uses(identifier);
        if is_request && packet_type != PacketType::Pubrel {
            findings.push(self.finding(LintRule::AcknowledgementOfOtherKind, "packet_type", (0, 1)));
            return;
        }
        if !self.knows_all() || lane.has_gaps || lane.used.contains(&identifier) {
            return;
        }
        let stage = match packet_type {
            PacketType::Puback => Stage::Puback,
            PacketType::Pubrec => Stage::Pubrec,
            PacketType::Pubrel => Stage::Pubrel,
            _ => Stage::Pubcomp,
        };
        let span = self.identifier_span(said);
        let repair = lane.only_waiting(stage).map(|right| with_identifier(said.frame, span.0, right));
        let finding = self.finding(LintRule::AcknowledgementForNothing, "packet_identifier", span);
        findings.push(DialogueFinding { repair, said: Said::Number(u64::from(identifier)), ..finding });
        // The answer to it is no second slip.
        self.lanes[sender as usize].used.insert(identifier);
    }
}

/// The packet with another first byte.
pub(super) fn with_first_byte(frame: &[u8], change: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut right = frame.to_vec();
    if let Some(first) = right.first_mut() {
        *first = change(*first);
    }
    right
}

/// The packet with another Packet Identifier at `offset`.
pub(super) fn with_identifier(frame: &[u8], offset: usize, identifier: u16) -> Vec<u8> {
    let mut right = frame.to_vec();
    if let Some(bytes) = right.get_mut(offset..offset + 2) {
        bytes.copy_from_slice(&identifier.to_be_bytes());
    }
    right
}

/// What a message is known again by: topic, QoS and content, not the flags that may change.
fn digest(publish: &Publish<'_>) -> u64 {
    const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01B3;
    let payload = publish.payload.get(..COMPARED_MOST).unwrap_or(publish.payload);
    let length = publish.payload.len().to_le_bytes();
    let parts = [publish.topic_name.as_bytes(), &[0, publish.qos() as u8], &length, payload];
    parts.into_iter().flatten().fold(OFFSET, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
