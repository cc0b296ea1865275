//! Transcripts: dialogues between clients and a server, as data.

mod error;
mod head;
mod parse;
mod print;
mod step;
mod units;

pub use error::TranscriptError;
pub use head::{Head, Setting, User};
pub use step::{Action, Departure, Expectation, Origin, Step};
pub use units::{parse_duration, parse_size};

/// One file: cases that share a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The name it was read under, for messages.
    pub file: String,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// One dialogue with a fresh server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What stands after `===`; unique in its file.
    pub name: String,
    /// Line of the `===`, from 1.
    pub line: usize,
    /// Settings of the file and of the case; later ones win.
    pub head: Head,
    /// In the order they are taken.
    pub steps: Vec<Step>,
}

impl Transcript {
    /// Reads a transcript. `file` is only for messages.
    pub fn parse(file: &str, text: &str) -> Result<Transcript, TranscriptError> {
        parse::parse(file, text)
    }
}
