//! Explain every byte of MQTT packets, in English and Chinese.
//!
//! [`explain`] turns bytes into a tree of fields with places, values, meanings and sections, and
//! into findings with the statement of the standard and a repair. It reads with the decoder that
//! serves. [`parse_hex`] gets the bytes from whatever text people paste. Nothing here does I/O.

pub mod build;
pub mod capture;
mod dialect;
pub mod diff;
mod explain;
mod explanation;
pub mod export;
mod hex;
mod json;
mod language;
mod lint;
pub mod recording;
mod rejection;
mod render;
mod repair;
mod sign_in;
mod strays;
mod stream;
mod text;
mod tree;
mod width;

pub use dialect::{Knowledge, explain, explain_knowing};
pub use explanation::{
    Dialect, DialectLayer, Explanation, Field, FieldValue, Finding, Options, Outcome, Packet, Rest, Severity,
    Side, Skipped,
};
pub use hex::{HexError, HexErrorKind, parse_hex, plain_hex, spaced_hex};
/// One packet as one line of the notation; bytes that are none as hex.
pub use hexmq_notation::print_bytes as packet_line;
/// The protocol version to read with, for callers that know nothing else of packets.
pub use hexmq_wire::Version;
pub use language::{Language, Text};
pub use lint::{Dialogue, DialogueFinding, Dialogues, LintRule};
pub use rejection::{Rejected, Verdict, judge_rejection};
pub use render::{Layout, render, render_packets};
pub use sign_in::sign_in;
pub use width::{char_width, width, wrap};
