//! Why a `$dp` payload cannot be read, and at which byte.

use std::fmt;

use hexmq_device::Span;
use hexmq_device::json::{JsonError, JsonErrorKind};

/// A broken rule and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DpError {
    /// Which rule.
    pub rule: DpRule,
    /// Where in the payload; empty where something is missing.
    pub span: Span,
    /// The numbers of it.
    pub detail: Detail,
}

/// The rules of a `$dp` payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DpRule {
    /// There is at least the first byte.
    Empty,
    /// The type is one of 1 to 8.
    Type,
    /// The payload is long enough for its header.
    Header,
    /// The declared length is that of what follows.
    Length,
    /// The time in the header exists.
    Time,
    /// JSON is JSON.
    Json,
    /// The JSON has the members its type needs.
    Shape,
    /// Text is UTF-8.
    Text,
    /// The text begins with two different separators.
    Separators,
    /// A group has as many floats as it says.
    Count,
    /// A block is built as the vendor's library builds it.
    Block,
}

impl DpRule {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            DpRule::Empty => "dp_empty",
            DpRule::Type => "dp_type",
            DpRule::Header => "dp_header",
            DpRule::Length => "dp_length",
            DpRule::Time => "dp_time",
            DpRule::Json => "dp_json",
            DpRule::Shape => "dp_shape",
            DpRule::Text => "dp_text",
            DpRule::Separators => "dp_separators",
            DpRule::Count => "dp_count",
            DpRule::Block => "dp_block",
        }
    }
}

/// What was found instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more to say.
    None,
    /// The unknown type, without the bits 6 and 7.
    Type(u8),
    /// Declared and present bytes, or values.
    Counted {
        /// What the length or count says.
        declared: usize,
        /// What is there.
        present: usize,
    },
    /// What is wrong with the JSON.
    Json(JsonErrorKind),
    /// What is missing or of the wrong kind.
    Expected(&'static str),
}

impl DpError {
    pub(super) const fn new(rule: DpRule, span: Span, detail: Detail) -> DpError {
        DpError { rule, span, detail }
    }

    /// JSON that begins at `base` in the payload.
    pub(super) const fn json(error: JsonError, base: usize) -> DpError {
        let length = match error.kind {
            JsonErrorKind::Ends => 0,
            _ => 1,
        };
        DpError::new(DpRule::Json, Span::new(base + error.offset, length), Detail::Json(error.kind))
    }
}

impl fmt::Display for DpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.span.offset;
        match (self.rule, self.detail) {
            (DpRule::Empty, _) => f.write_str("empty payload"),
            (DpRule::Type, Detail::Type(number)) => write!(f, "unknown type {number}"),
            (DpRule::Count, Detail::Counted { declared, present }) => {
                write!(f, "byte {offset}: count {declared}, {present} floats present")
            }
            (_, Detail::Counted { declared, present }) => {
                write!(f, "byte {offset}: declared length {declared}, {present} bytes present")
            }
            (_, Detail::Json(kind)) => write!(f, "not JSON: {}", JsonError { offset, kind }),
            (_, Detail::Expected(what)) => write!(f, "byte {offset}: {what} expected"),
            (rule, _) => write!(f, "byte {offset}: {} is broken", rule.name()),
        }
    }
}

impl std::error::Error for DpError {}
