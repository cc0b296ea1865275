//! The JSON of the accesses by token: data points, requests and replies of the thing model.
//!
//! The vendor's library for devices crashes on a reply without `code` and on an `id` of more than
//! [`ID_MAX`] characters, so these are rules for whoever plays the platform.

use hexmq_device::json::{JsonError, JsonErrorKind, Node, NodeKind, parse};
use hexmq_device::{Span, Time, Value};

use crate::dp::Point;
use crate::topic::{Content, Direction, Entry};

/// Characters in the `id` of a message to a device, at most.
pub const ID_MAX: usize = 15;

/// A broken rule and its place in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThingFault {
    /// Which rule.
    pub rule: ThingRule,
    /// Where in the payload; empty where something is missing.
    pub span: Span,
}

/// The rules of these messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThingRule {
    /// The payload is JSON.
    Json(JsonErrorKind),
    /// It is an object.
    Object,
    /// `id` is there.
    IdMissing,
    /// `id` is text in the thing model.
    IdText,
    /// `id` is a number in data points and their answers.
    IdNumber,
    /// An `id` for a device has [`ID_MAX`] characters at most.
    IdLength,
    /// A request has `params`.
    ParamsMissing,
    /// A reply has a `code`.
    CodeMissing,
    /// `code` is a number.
    CodeNumber,
    /// `dp` is an object with an array of `{"v":…,"t":…}` for each stream.
    DataPoints,
}

impl ThingRule {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            ThingRule::Json(_) => "thing_json",
            ThingRule::Object => "thing_object",
            ThingRule::IdMissing => "thing_id_missing",
            ThingRule::IdText => "thing_id_text",
            ThingRule::IdNumber => "thing_id_number",
            ThingRule::IdLength => "thing_id_length",
            ThingRule::ParamsMissing => "thing_params_missing",
            ThingRule::CodeMissing => "thing_code_missing",
            ThingRule::CodeNumber => "thing_code_number",
            ThingRule::DataPoints => "thing_data_points",
        }
    }
}

/// What is wrong with a payload on a topic of this entry. Nothing is asked of raw ones.
pub fn faults(payload: &[u8], entry: &Entry) -> Vec<ThingFault> {
    let mut faults = Vec::new();
    let mut found = |rule, span| faults.push(ThingFault { rule, span });
    if entry.content == Content::Raw {
        return faults;
    }
    let root = match parse(payload) {
        Ok(root) => root,
        Err(error) => {
            found(ThingRule::Json(error.kind), place(error));
            return faults;
        }
    };
    if root.members().is_none() {
        found(ThingRule::Object, root.span);
        return faults;
    }
    // Something that is missing belongs in front of the closing brace.
    let missing = Span::new(root.span.end().saturating_sub(1), 0);
    let counts = matches!(entry.content, Content::DataPoints | Content::Verdict);
    match root.member("id") {
        None => found(ThingRule::IdMissing, missing),
        Some(id) => match &id.kind {
            NodeKind::Number(_) if counts => {}
            NodeKind::String(text) if !counts => {
                if entry.direction == Direction::Down && text.len() > ID_MAX {
                    found(ThingRule::IdLength, id.span);
                }
            }
            _ => found(if counts { ThingRule::IdNumber } else { ThingRule::IdText }, id.span),
        },
    }
    match entry.content {
        Content::Request if root.member("params").is_none() => found(ThingRule::ParamsMissing, missing),
        Content::Reply => match root.member("code") {
            None => found(ThingRule::CodeMissing, missing),
            Some(code) if !matches!(code.kind, NodeKind::Number(_)) => {
                found(ThingRule::CodeNumber, code.span)
            }
            Some(_) => {}
        },
        Content::DataPoints => {
            if let Err(span) = points_of(&root, payload).map(drop) {
                found(ThingRule::DataPoints, span);
            }
        }
        _ => {}
    }
    faults
}

fn place(error: JsonError) -> Span {
    Span::new(error.offset, usize::from(error.kind != JsonErrorKind::Ends))
}

/// The data points of `{"id":…,"dp":{stream:[{"v":…,"t":…}]}}`; values that cannot be kept are left
/// out.
pub fn data_points(payload: &[u8]) -> Result<Vec<Point<'_>>, ThingFault> {
    let root = parse(payload)
        .map_err(|error| ThingFault { rule: ThingRule::Json(error.kind), span: place(error) })?;
    points_of(&root, payload).map_err(|span| ThingFault { rule: ThingRule::DataPoints, span })
}

/// The points, or what is not as it must be.
pub(crate) fn points_of<'a>(root: &Node<'a>, payload: &'a [u8]) -> Result<Vec<Point<'a>>, Span> {
    // What parses is UTF-8.
    let source = std::str::from_utf8(payload).unwrap_or_default();
    let streams = root.member("dp").ok_or(root.span)?;
    let mut points = Vec::new();
    for stream in streams.members().ok_or(streams.span)? {
        for point in stream.value.elements().ok_or(stream.value.span)? {
            let value = point.member("v").ok_or(point.span)?;
            let at = match point.member("t").map(|t| &t.kind) {
                Some(NodeKind::Number(text)) => unix_ms(text),
                _ => None,
            };
            let Some(kept) = Value::of_json(value, source) else { continue };
            points.push(Point {
                stream: stream.name.clone(),
                value: kept,
                at: at.map(Time::UnixMs),
                description: None,
                span: value.span,
            });
        }
    }
    Ok(points)
}

/// Unix seconds by the document; thirteen digits are milliseconds.
pub(crate) fn unix_ms(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    if number > 99_999_999_999 { Some(number) } else { number.checked_mul(1000) }
}
