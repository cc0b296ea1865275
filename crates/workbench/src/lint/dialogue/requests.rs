//! SUBSCRIBE and UNSUBSCRIBE with their answers.

use std::collections::{BTreeMap, BTreeSet};

use hexmq_topic::SubscriptionFilter;
use hexmq_wire::{Property, PropertyId, Suback, Subscribe, Unsuback, Unsubscribe, Version};

use super::flow::with_identifier;
use super::{Dialogue, DialogueFinding, LintRule, Phase, Said, Spoken};
use crate::explanation::Side;
use crate::recording::Timestamp;

/// Filters of one SUBSCRIBE whose QoS is remembered; of others only their number is.
const REMEMBERED_MOST: usize = 1024;

/// Findings about one SUBACK.
const TOLD_MOST: usize = 16;

/// What the client asked for and was not answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    waiting: BTreeMap<u16, Request>,
    used: BTreeSet<u16>,
}

/// One SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) identifier: u16,
    pub(super) packet: u64,
    sent: Option<Timestamp>,
    subscribes: bool,
    filters: usize,
    /// Requested QoS, one byte per filter.
    qos: Vec<u8>,
}

impl Request {
    /// The statement about the answer it must get.
    pub(super) fn unanswered_statement(&self) -> &'static str {
        if self.subscribes { "MQTT-3.8.4-1" } else { "MQTT-3.10.4-4" }
    }
}

impl Requests {
    pub(super) fn uses(&self, identifier: u16) -> bool {
        self.waiting.contains_key(&identifier)
    }

    pub(super) fn overdue(
        &self,
        now: Option<Timestamp>,
        is_overdue: fn(Option<Timestamp>, Option<Timestamp>) -> bool,
    ) -> impl Iterator<Item = &Request> + '_ {
        self.waiting.values().filter(move |request| is_overdue(request.sent, now))
    }

    fn only_waiting(&self, subscribes: bool) -> Option<u16> {
        let mut waiting = self.waiting.values().filter(|request| request.subscribes == subscribes);
        let only = waiting.next()?.identifier;
        waiting.next().is_none().then_some(only)
    }
}

impl Dialogue {
    pub(super) fn subscribe(
        &mut self,
        said: &Spoken<'_>,
        subscribe: &Subscribe<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        for property in subscribe.properties.iter() {
            if let Property::SubscriptionIdentifier(identifier) = property {
                self.subscription_identifiers.insert(identifier);
            }
        }
        self.unavailable(subscribe, findings);
        let entries = subscribe.subscriptions.iter();
        let qos: Vec<u8> = entries.take(REMEMBERED_MOST).map(|entry| entry.options.qos as u8).collect();
        let filters = if qos.len() < REMEMBERED_MOST { qos.len() } else { subscribe.subscriptions.len() };
        let identifier = subscribe.packet_identifier.get();
        let request =
            Request { identifier, packet: self.count, sent: said.at, subscribes: true, filters, qos };
        self.request(said, request, findings);
    }

    pub(super) fn unsubscribe(
        &mut self,
        said: &Spoken<'_>,
        unsubscribe: &Unsubscribe<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let request = Request {
            identifier: unsubscribe.packet_identifier.get(),
            packet: self.count,
            sent: said.at,
            subscribes: false,
            filters: unsubscribe.topic_filters.len(),
            qos: Vec::new(),
        };
        self.request(said, request, findings);
    }

    fn request(&mut self, said: &Spoken<'_>, request: Request, findings: &mut Vec<DialogueFinding>) {
        let identifier = request.identifier;
        let is_used = self.requests.uses(identifier) || self.lanes[Side::Client as usize].uses(identifier);
        // In 3.1 a SUBSCRIBE may be sent again, with its DUP flag.
        let is_repeated =
            self.version == Version::V3 && said.frame.first().is_some_and(|first| first & 0b1000 != 0);
        if is_used && !is_repeated {
            findings.push(self.in_use(said, identifier));
        }
        self.requests.used.insert(identifier);
        self.requests.waiting.insert(identifier, request);
    }

    /// Subscriptions of kinds the CONNACK excluded.
    fn unavailable(&self, subscribe: &Subscribe<'_>, findings: &mut Vec<DialogueFinding>) {
        if self.version != Version::V5 || self.phase != Phase::Connected {
            return;
        }
        let parsed = || {
            subscribe
                .subscriptions
                .iter()
                .filter_map(|entry| SubscriptionFilter::parse(entry.topic_filter).ok())
        };
        let has_identifier =
            subscribe.properties.iter().any(|property| property.id() == PropertyId::SubscriptionIdentifier);
        let rule = LintRule::SubscriptionUnavailable;
        if !self.granted.identifiers && has_identifier {
            findings.push(self.finding(rule, "subscription_identifier", (0, 1)));
        } else if !self.granted.shared && parsed().any(|filter| filter.share_name.is_some())
            || !self.granted.wildcards && parsed().any(|filter| filter.filter.has_wildcard())
        {
            findings.push(self.finding(rule, "topic_filter", (0, 1)));
        }
    }

    pub(super) fn suback(
        &mut self,
        said: &Spoken<'_>,
        suback: &Suback<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let identifier = suback.packet_identifier.get();
        let Some(request) = self.answered(said, identifier, true, findings) else { return };
        let codes = suback.reason_codes;
        let at = said.frame.len() - codes.len();
        if codes.len() != request.filters {
            let finding = self.finding(LintRule::SubackCount, "return_code", (at, codes.len()));
            findings.push(DialogueFinding { said: Said::Number(codes.len() as u64), ..finding });
            return;
        }
        let above = codes.iter().zip(&request.qos).enumerate();
        for (index, (_, &requested)) in
            above.filter(|(_, (granted, requested))| **granted <= 2 && granted > requested).take(TOLD_MOST)
        {
            let mut right = said.frame.to_vec();
            if let Some(code) = right.get_mut(at + index) {
                *code = requested;
            }
            let field = if self.version == Version::V5 { "reason_code" } else { "return_code" };
            let finding = self.finding(LintRule::GrantedQosAboveRequested, field, (at + index, 1));
            findings.push(DialogueFinding { repair: Some(right), ..finding });
        }
    }

    pub(super) fn unsuback(
        &mut self,
        said: &Spoken<'_>,
        unsuback: &Unsuback<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let identifier = unsuback.packet_identifier.get();
        let Some(request) = self.answered(said, identifier, false, findings) else { return };
        let codes = unsuback.reason_codes;
        if self.version == Version::V5 && codes.len() != request.filters {
            let span = (said.frame.len() - codes.len(), codes.len());
            let finding = self.finding(LintRule::UnsubackCount, "reason_code", span);
            findings.push(DialogueFinding { said: Said::Number(codes.len() as u64), ..finding });
        }
    }

    /// The request this answers.
    fn answered(
        &mut self,
        said: &Spoken<'_>,
        identifier: u16,
        subscribes: bool,
        findings: &mut Vec<DialogueFinding>,
    ) -> Option<Request> {
        let kind = self.requests.waiting.get(&identifier).map(|request| request.subscribes);
        if kind == Some(subscribes) {
            return self.requests.waiting.remove(&identifier);
        }
        if kind.is_some() || self.lanes[Side::Client as usize].uses(identifier) {
            findings.push(self.finding(LintRule::AcknowledgementOfOtherKind, "packet_type", (0, 1)));
        } else if self.whole && self.phase == Phase::Connected && !self.requests.used.contains(&identifier) {
            let span = self.identifier_span(said);
            let right = self.requests.only_waiting(subscribes);
            let repair = right.map(|right| with_identifier(said.frame, span.0, right));
            let statement = Some(if self.version == Version::V5 { "MQTT-2.2.1-6" } else { "MQTT-2.3.1-7" });
            let finding = self.finding(LintRule::AcknowledgementForNothing, "packet_identifier", span);
            findings.push(DialogueFinding {
                repair,
                statement,
                said: Said::Number(u64::from(identifier)),
                ..finding
            });
        }
        None
    }
}
