//! One text notation for MQTT packets and transcripts, described in `docs/notation.md`.
//!
//! Guarantees: the line printed for a packet reads back to the same packet; a line that cannot be
//! read says in which column it ends to make sense and what was expected there; reading never
//! panics and its memory is bounded by the line and the repetitions it asks for.
//!
//! Not here: playing transcripts (that needs a server), and when a packet is allowed. A line may
//! well be a packet that breaks the standard.

mod error;
mod from_packet;
mod layout;
mod parse;
mod pattern;
mod print;
mod property;
mod raw;
mod record;
mod text;
mod to_packet;
mod transcript;
mod word;

use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, Version, decode};

pub use error::ParseError;
pub use pattern::Pattern;
pub use record::Record;
pub use transcript::{
    Action, Case, Departure, Expectation, Head, Origin, Setting, Step, Transcript, TranscriptError, User,
    parse_duration, parse_size,
};

use word::Span;

/// Reads one packet from its line. `version` is ignored for CONNECT, which says its own.
pub fn parse_packet(line: &str, version: Version) -> Result<Record, ParseError> {
    let span = Span { column: 1, text: line };
    parse::parse_pattern(span, version)?
        .into_record()
        .ok_or_else(|| span.error("expected a packet without `*`, `..` and `...`"))
}

/// Reads what is expected of a packet: as [`parse_packet`], with wildcards.
pub fn parse_pattern(line: &str, version: Version) -> Result<Pattern, ParseError> {
    parse::parse_pattern(Span { column: 1, text: line }, version)
}

/// Reads what a line sends: one packet, or the raw bytes behind `hex`.
pub fn parse_sent(line: &str, version: Version) -> Result<Vec<u8>, ParseError> {
    let span = Span { column: 1, text: line }.trimmed();
    match raw::raw(span)? {
        Some(bytes) => Ok(bytes),
        None => parse_packet(line, version)?.encode().map_err(|error| span.error(error.to_string())),
    }
}

/// The line of a packet.
pub fn print_packet(packet: &ControlPacket<'_>, version: Version) -> String {
    Record::from_packet(packet, version).to_string()
}

/// The line of one whole packet in bytes: in fields if it can be decoded, else in hex.
pub fn print_bytes(bytes: &[u8], version: Version) -> String {
    match decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace) {
        Ok(packet) => print_packet(&packet, version),
        Err(_) => print_hex(bytes),
    }
}

/// `hex` and the bytes.
pub fn print_hex(bytes: &[u8]) -> String {
    let mut line = "hex ".to_owned();
    text::write_hex(&mut line, bytes, " ");
    line
}
