//! Alink JSON: the envelope of requests and answers, and what its members must be.
//!
//! The cloud is lenient: it stores properties whose method names something else, and takes requests
//! without a method. Device libraries are not: they read members of an answer that must be there.

use hexmq_device::Span;
use hexmq_device::json::{JsonError, JsonErrorKind, Member, Node, NodeKind, parse};

use crate::topic::{Content, Direction, Entry};

/// A payload as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The whole object.
    pub root: Node<'a>,
}

impl<'a> Envelope<'a> {
    /// Reads a payload.
    pub fn parse(payload: &'a [u8]) -> Result<Envelope<'a>, JsonError> {
        parse(payload).map(|root| Envelope { root })
    }

    /// The first member of this name.
    pub fn member(&self, name: &str) -> Option<&Member<'a>> {
        self.root.members()?.iter().find(|member| member.name == name)
    }

    /// `id`, where it is text.
    pub fn id(&self) -> Option<&str> {
        self.member("id")?.value.text()
    }

    /// `method`, where it is text and not empty.
    pub fn method(&self) -> Option<&str> {
        self.member("method")?.value.text().filter(|method| !method.is_empty())
    }

    /// `params`
    pub fn params(&self) -> Option<&Node<'a>> {
        self.member("params").map(|member| &member.value)
    }

    /// `code`, where it is a whole number.
    pub fn code(&self) -> Option<i64> {
        match &self.member("code")?.value.kind {
            NodeKind::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether an answer is wanted: unless `sys.ack` is 0.
    pub fn wants_answer(&self) -> bool {
        let ack = self.member("sys").and_then(|sys| sys.value.member("ack"));
        ack.and_then(Node::text_or_number) != Some("0")
    }
}

/// A broken rule of the envelope and its place in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlinkFault {
    /// Which rule.
    pub rule: AlinkRule,
    /// Where in the payload; empty where something is missing.
    pub span: Span,
}

/// The rules of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlinkRule {
    /// The payload is JSON.
    Json(JsonErrorKind),
    /// It is an object.
    Object,
    /// `id` is there.
    IdMissing,
    /// `id` is text.
    IdText,
    /// An `id` that the cloud makes is digits and fits 32 bits.
    IdDigits,
    /// A request has `params`.
    ParamsMissing,
    /// `params` is an object, or an array, as the topic asks.
    ParamsKind,
    /// A request of the cloud has a `method`.
    MethodMissing,
    /// `method` fits the topic.
    MethodTopic,
    /// An answer has a `code`.
    CodeMissing,
    /// `code` is a number.
    CodeNumber,
    /// An answer has `data`.
    DataMissing,
    /// An answer of the cloud has `message`.
    MessageMissing,
}

impl AlinkRule {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            AlinkRule::Json(_) => "alink_json",
            AlinkRule::Object => "alink_object",
            AlinkRule::IdMissing => "alink_id_missing",
            AlinkRule::IdText => "alink_id_text",
            AlinkRule::IdDigits => "alink_id_digits",
            AlinkRule::ParamsMissing => "alink_params_missing",
            AlinkRule::ParamsKind => "alink_params_kind",
            AlinkRule::MethodMissing => "alink_method_missing",
            AlinkRule::MethodTopic => "alink_method_topic",
            AlinkRule::CodeMissing => "alink_code_missing",
            AlinkRule::CodeNumber => "alink_code_number",
            AlinkRule::DataMissing => "alink_data_missing",
            AlinkRule::MessageMissing => "alink_message_missing",
        }
    }

    /// Whether a cloud or a device lives with it.
    pub const fn is_survived(self) -> bool {
        matches!(self, AlinkRule::MethodTopic | AlinkRule::IdDigits | AlinkRule::DataMissing)
    }
}

/// What is wrong with a payload on a topic of this entry. `identifier` is what stands for the
/// entry's `+`. Nothing is asked of topics that carry something else than Alink.
pub fn faults(payload: &[u8], entry: &Entry, identifier: Option<&str>) -> Vec<AlinkFault> {
    if entry.content == Content::Raw {
        return Vec::new();
    }
    match Envelope::parse(payload) {
        Ok(envelope) => of_envelope(&envelope, entry, identifier),
        Err(error) => {
            let length = usize::from(error.kind != JsonErrorKind::Ends);
            vec![AlinkFault { rule: AlinkRule::Json(error.kind), span: Span::new(error.offset, length) }]
        }
    }
}

/// The same for a payload that is JSON.
pub(crate) fn of_envelope(
    envelope: &Envelope<'_>,
    entry: &Entry,
    identifier: Option<&str>,
) -> Vec<AlinkFault> {
    let whole = envelope.root.span;
    if envelope.root.members().is_none() {
        return vec![AlinkFault { rule: AlinkRule::Object, span: whole }];
    }
    if entry.content == Content::Json {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut found = |rule, span| faults.push(AlinkFault { rule, span });
    // Something that is missing belongs in front of the closing brace.
    let missing = Span::new(whole.end().saturating_sub(1), 0);
    match envelope.member("id") {
        None => found(AlinkRule::IdMissing, missing),
        Some(id) => match id.value.text() {
            None => found(AlinkRule::IdText, id.value.span),
            Some(text)
                if entry.direction == Direction::Down
                    && !entry.is_reply()
                    && text.parse::<u32>().is_err() =>
            {
                found(AlinkRule::IdDigits, id.value.span);
            }
            Some(_) => {}
        },
    }
    if entry.is_reply() {
        answer(envelope, entry, missing, &mut found);
    } else {
        request(envelope, entry, identifier, missing, &mut found);
    }
    faults
}

fn request(
    envelope: &Envelope<'_>,
    entry: &Entry,
    identifier: Option<&str>,
    missing: Span,
    found: &mut impl FnMut(AlinkRule, Span),
) {
    match envelope.params() {
        None => found(AlinkRule::ParamsMissing, missing),
        Some(params) => {
            let fits = match entry.content {
                Content::RequestObject => params.members().is_some(),
                Content::RequestArray => params.elements().is_some(),
                _ => true,
            };
            if !fits {
                found(AlinkRule::ParamsKind, params.span);
            }
        }
    }
    let Some(expected) = entry.method_for(identifier) else { return };
    match (envelope.method(), envelope.member("method")) {
        (Some(method), Some(member)) if method != expected => {
            found(AlinkRule::MethodTopic, member.value.span)
        }
        (Some(_), _) => {}
        (None, _) if entry.direction == Direction::Down => found(AlinkRule::MethodMissing, missing),
        (None, _) => {}
    }
}

fn answer(envelope: &Envelope<'_>, entry: &Entry, missing: Span, found: &mut impl FnMut(AlinkRule, Span)) {
    match envelope.member("code") {
        None => found(AlinkRule::CodeMissing, missing),
        Some(code) if !matches!(code.value.kind, NodeKind::Number(_)) => {
            found(AlinkRule::CodeNumber, code.value.span);
        }
        Some(_) => {}
    }
    if envelope.member("data").is_none() {
        found(AlinkRule::DataMissing, missing);
    }
    if entry.direction == Direction::Down && envelope.member("message").is_none() {
        found(AlinkRule::MessageMissing, missing);
    }
}
