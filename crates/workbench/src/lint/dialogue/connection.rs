//! Who may speak when: CONNECT, CONNACK, the clock, DISCONNECT.

use hexmq_wire::{Connack, Connect, ControlPacket, Property, ReasonCode, Version};

use super::{Dialogue, DialogueFinding, LintRule, Phase, Said, Spoken, header, other};
use crate::explanation::Side;
use crate::recording::Timestamp;

const NANOS: u64 = 1_000_000_000;

/// A silence may be longer by this much before it is held against the client: clocks and networks.
const SLACK_NANOS: u64 = NANOS;

/// An answer that did not come within this time did not come.
const PATIENCE_NANOS: u64 = 5 * NANOS;

/// Packets before the CONNACK that are remembered.
const EARLY_MOST: usize = 16;

/// What of a CONNECT later packets are measured against.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) client_identifier: String,
    pub(super) clean_start: bool,
    pub(super) keep_alive_s: u16,
    pub(super) session_expiry_s: u32,
    pub(super) receive_maximum: u16,
    pub(super) topic_alias_maximum: u16,
    pub(super) maximum_packet_size: Option<u32>,
    pub(super) problem_information: bool,
    pub(super) response_information: bool,
    pub(super) has_method: bool,
}

/// What of a CONNACK later packets are measured against.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) session_present: bool,
    pub(super) server_keep_alive_s: Option<u16>,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) receive_maximum: u16,
    pub(super) topic_alias_maximum: u16,
    pub(super) maximum_packet_size: Option<u32>,
    pub(super) maximum_qos: u8,
    pub(super) retain: bool,
    pub(super) wildcards: bool,
    pub(super) identifiers: bool,
    pub(super) shared: bool,
}

impl Default for Granted {
    /// What holds where a CONNACK says nothing (5.0 section 3.2.2.3).
    fn default() -> Granted {
        Granted {
            session_present: false,
            server_keep_alive_s: None,
            session_expiry_s: None,
            receive_maximum: u16::MAX,
            topic_alias_maximum: 0,
            maximum_packet_size: None,
            maximum_qos: 2,
            retain: true,
            wildcards: true,
            identifiers: true,
            shared: true,
        }
    }
}

impl Asked {
    fn new(connect: &Connect<'_>) -> Asked {
        let mut asked = Asked {
            client_identifier: connect.client_identifier.to_owned(),
            clean_start: connect.clean_start,
            keep_alive_s: connect.keep_alive_s,
            session_expiry_s: 0,
            receive_maximum: u16::MAX,
            topic_alias_maximum: 0,
            maximum_packet_size: None,
            problem_information: true,
            response_information: false,
            has_method: false,
        };
        for property in connect.properties.iter() {
            match property {
                Property::SessionExpiryInterval(seconds) => asked.session_expiry_s = seconds,
                Property::ReceiveMaximum(maximum) => asked.receive_maximum = maximum.max(1),
                Property::TopicAliasMaximum(maximum) => asked.topic_alias_maximum = maximum,
                Property::MaximumPacketSize(maximum) => asked.maximum_packet_size = Some(maximum),
                Property::RequestProblemInformation(wanted) => asked.problem_information = wanted != 0,
                Property::RequestResponseInformation(wanted) => asked.response_information = wanted != 0,
                Property::AuthenticationMethod(_) => asked.has_method = true,
                _ => {}
            }
        }
        asked
    }
}

impl Granted {
    fn new(connack: &Connack<'_>) -> Granted {
        let mut granted = Granted { session_present: connack.session_present, ..Granted::default() };
        for property in connack.properties.iter() {
            match property {
                Property::ServerKeepAlive(seconds) => granted.server_keep_alive_s = Some(seconds),
                Property::SessionExpiryInterval(seconds) => granted.session_expiry_s = Some(seconds),
                Property::ReceiveMaximum(maximum) => granted.receive_maximum = maximum.max(1),
                Property::TopicAliasMaximum(maximum) => granted.topic_alias_maximum = maximum,
                Property::MaximumPacketSize(maximum) => granted.maximum_packet_size = Some(maximum),
                Property::MaximumQoS(qos) => granted.maximum_qos = qos,
                Property::RetainAvailable(there) => granted.retain = there != 0,
                Property::WildcardSubscriptionAvailable(there) => granted.wildcards = there != 0,
                Property::SubscriptionIdentifierAvailable(there) => granted.identifiers = there != 0,
                Property::SharedSubscriptionAvailable(there) => granted.shared = there != 0,
                _ => {}
            }
        }
        granted
    }
}

impl Dialogue {
    /// Whether the packet may come now.
    pub(super) fn order(&mut self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        let from_client = said.from == Side::Client;
        let is_connect = matches!(said.packet, ControlPacket::Connect(_));
        let greets = matches!(said.packet, ControlPacket::Connack(_) | ControlPacket::Auth(_));
        let rule = match self.phase {
            Phase::Opened if from_client && !is_connect => Some(LintRule::FirstPacketNotConnect),
            Phase::Opened | Phase::Connecting if !from_client && !greets => Some(LintRule::BeforeConnack),
            Phase::Refused if !from_client => Some(LintRule::AfterRefusal),
            _ if self.disconnected[said.from as usize] => Some(LintRule::AfterDisconnect),
            _ => None,
        };
        if let Some(rule) = rule {
            findings.push(self.finding(rule, "packet_type", (0, 1)));
        }
        if self.phase == Phase::Opened && !is_connect {
            // Said once.
            self.phase = Phase::Joined;
            self.whole = false;
        }
        if self.phase == Phase::Connecting && from_client && self.early.len() < EARLY_MOST {
            self.early.push(self.count);
        }
    }

    pub(super) fn connect(&mut self, connect: &Connect<'_>, findings: &mut Vec<DialogueFinding>) {
        if self.phase != Phase::Opened {
            findings.push(self.finding(LintRule::SecondConnect, "packet_type", (0, 1)));
            return;
        }
        self.phase = Phase::Connecting;
        self.asked = Some(Asked::new(connect));
    }

    pub(super) fn connack(
        &mut self,
        said: &Spoken<'_>,
        connack: &Connack<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        if self.phase == Phase::Connected {
            findings.push(self.finding(LintRule::SecondConnack, "packet_type", (0, 1)));
            return;
        }
        if connack.reason_code != ReasonCode::Success {
            for &number in &self.early {
                let early = self.finding(LintRule::SentBeforeRefusal, "packet_type", (0, 1));
                findings.push(DialogueFinding { packet: number, ..early });
            }
            self.phase = Phase::Refused;
            return;
        }
        let was_joined = self.phase == Phase::Joined;
        self.phase = if was_joined { Phase::Joined } else { Phase::Connected };
        self.granted = Granted::new(connack);
        self.session_present(said.frame, connack.session_present, findings);
    }

    fn session_present(&self, frame: &[u8], present: bool, findings: &mut Vec<DialogueFinding>) {
        if !present || !self.asked.as_ref().is_some_and(|asked| asked.clean_start) {
            return;
        }
        let rule = LintRule::SessionPresentAfterCleanSession;
        findings.push(self.session_finding(frame, rule, true));
    }

    /// A finding about Session Present; with the bit cleared if it should be.
    pub(super) fn session_finding(&self, frame: &[u8], rule: LintRule, clear: bool) -> DialogueFinding {
        let at = header(frame);
        let mut right = frame.to_vec();
        if let Some(flags) = right.get_mut(at) {
            *flags &= !1;
        }
        let repair = clear.then_some(right);
        DialogueFinding { repair, ..self.finding(rule, "session_present", (at, 1)) }
    }

    // ---- the clock ----------------------------------------------------------------------------

    /// Keep Alive and PINGREQs, by the time of a packet.
    pub(super) fn clock(&mut self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        if said.from == Side::Client {
            if let Some(seconds) = self.overrun(said.at) {
                let finding = self.finding(LintRule::KeepAliveExceeded, "packet_type", (0, 1));
                findings.push(DialogueFinding { said: Said::Text(format!("{seconds} s")), ..finding });
            }
            if matches!(said.packet, ControlPacket::Pingreq) {
                self.unanswered_pings(said.at, findings);
            }
        }
    }

    /// The seconds of silence of the client until `now`, if they are too many.
    fn overrun(&self, now: Option<Timestamp>) -> Option<u64> {
        let asked = self.asked.as_ref().filter(|_| self.phase == Phase::Connected)?;
        let keep_alive = u64::from(self.granted.server_keep_alive_s.unwrap_or(asked.keep_alive_s));
        let silence = now?.0.checked_sub(self.client_spoke?.1?.0)?;
        let allowed = keep_alive * NANOS + keep_alive * NANOS / 2 + SLACK_NANOS;
        (keep_alive > 0 && silence > allowed).then_some(silence / NANOS)
    }

    /// The client's silence until the connection was closed.
    pub(super) fn silence(&self, at: Option<Timestamp>, findings: &mut Vec<DialogueFinding>) {
        if self.disconnected[Side::Client as usize] {
            return;
        }
        if let (Some(seconds), Some((packet, _))) = (self.overrun(at), self.client_spoke) {
            let finding = self.finding(LintRule::KeepAliveExceeded, "packet_type", (0, 1));
            findings.push(DialogueFinding { packet, said: Said::Text(format!("{seconds} s")), ..finding });
        }
    }

    pub(super) fn pingresp(&mut self, findings: &mut Vec<DialogueFinding>) {
        if self.pings.pop_front().is_none() && self.whole {
            findings.push(self.finding(LintRule::PingrespUnasked, "packet_type", (0, 1)));
        }
    }

    /// PINGREQs whose answer is overdue at this time.
    fn unanswered_pings(&mut self, now: Option<Timestamp>, findings: &mut Vec<DialogueFinding>) {
        while let Some(&(packet, sent)) = self.pings.front() {
            if !is_overdue(sent, now) {
                break;
            }
            self.pings.pop_front();
            let finding = self.finding(LintRule::PingreqUnanswered, "packet_type", (0, 1));
            findings.push(DialogueFinding { packet, ..finding });
        }
    }

    /// What waits in vain when the connection is closed.
    pub(super) fn unanswered(&mut self, now: Option<Timestamp>, findings: &mut Vec<DialogueFinding>) {
        self.unanswered_pings(now, findings);
        for (side, lane) in [Side::Client, Side::Server].into_iter().zip(&self.lanes) {
            for waiting in lane.overdue(now, is_overdue) {
                let finding = self.finding(LintRule::AcknowledgementMissing, "packet_identifier", (0, 1));
                let said = Said::Number(u64::from(waiting.identifier));
                findings.push(DialogueFinding { packet: waiting.packet, said, ..finding });
            }
            if side == Side::Client {
                for request in self.requests.overdue(now, is_overdue) {
                    let finding = self.finding(LintRule::AcknowledgementMissing, "packet_identifier", (0, 1));
                    let statement = Some(request.unanswered_statement());
                    let said = Said::Number(u64::from(request.identifier));
                    findings.push(DialogueFinding { packet: request.packet, said, statement, ..finding });
                }
            }
        }
        findings.sort_by_key(|finding| finding.packet);
    }

    /// Which limits the receiver of a packet has: Receive Maximum, Topic Alias Maximum, Maximum Packet
    /// Size. `None` where the packet that says so was not seen.
    pub(super) fn receiver_limits(&self, from: Side) -> Option<(u16, u16, Option<u32>)> {
        match other(from) {
            Side::Client => self
                .asked
                .as_ref()
                .map(|asked| (asked.receive_maximum, asked.topic_alias_maximum, asked.maximum_packet_size)),
            Side::Server => (self.phase == Phase::Connected).then_some((
                self.granted.receive_maximum,
                self.granted.topic_alias_maximum,
                self.granted.maximum_packet_size,
            )),
        }
    }

    /// Whether the session outlives this connection; `None` if that was not seen. With the seconds
    /// until it ends, where it does.
    pub(super) fn keeps_session(&self) -> Option<(bool, Option<u32>)> {
        let asked = self.asked.as_ref().filter(|_| self.phase == Phase::Connected)?;
        Some(match self.version {
            Version::V3 | Version::V4 => (!asked.clean_start, None),
            Version::V5 => {
                let seconds = self.granted.session_expiry_s.unwrap_or(asked.session_expiry_s);
                (seconds > 0, (seconds != u32::MAX).then_some(seconds))
            }
        })
    }
}

/// Whether what was sent then should have been answered by now. Without times nobody knows.
fn is_overdue(sent: Option<Timestamp>, now: Option<Timestamp>) -> bool {
    match (sent, now) {
        (Some(sent), Some(now)) => now.0.saturating_sub(sent.0) >= PATIENCE_NANOS,
        _ => false,
    }
}
