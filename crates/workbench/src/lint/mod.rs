//! What the decoder does not judge: bytes that are legal and still not what was meant, mistakes in
//! lengths with the bytes that were meant, things that will hurt, and dialogues that break a rule.
//!
//! A suspicion is raised only with evidence. Each repair has been through the decoder before it is
//! offered, and changes only what its finding names. The rules are listed in `docs/lint.md`.

mod connect_head;
mod content;
pub(crate) mod dialogue;
mod direction;
mod evidence;
mod guess;
mod length;
mod pasted;
mod rule;
mod shape;
mod stray;

pub use dialogue::{Dialogue, DialogueFinding, Dialogues};
pub use rule::LintRule;

pub(crate) use direction::side_of;
pub(crate) use evidence::is_printable_ascii as is_text;
pub(crate) use guess::has_filters_that_are_some;
pub(crate) use pasted::remarks_on_dialogue;
pub(crate) use shape::{Shape, is_complete_at, is_whole_with, remarks_on_shape};
pub(crate) use stray::{about_input, about_stray};

use crate::explanation::Side;
use crate::tree::Reading;

/// Something a rule of [`LintRule`] says about one packet. Offsets count from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) rule: LintRule,
    pub(crate) statement: Option<&'static str>,
    pub(crate) field: &'static str,
    pub(crate) offset: usize,
    /// Bytes concerned; 0 for something that is missing at `offset`.
    pub(crate) length: usize,
    pub(crate) repair: Option<Vec<u8>>,
    pub(crate) said: Said,
}

/// What stands at the place, where a sentence can say it with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The rule says enough.
    Nothing,
    /// A length is written where another one fits.
    Length {
        /// The bytes that stand there.
        written: Vec<u8>,
        /// What they say.
        says: u64,
        /// The length that fits.
        fits: u64,
        /// The bytes of that length.
        right: Vec<u8>,
    },
    /// Bytes stand where others were meant.
    Bytes {
        /// The bytes that stand there.
        written: Vec<u8>,
        /// Those that were meant.
        right: Vec<u8>,
    },
    /// Bytes are missing at the place.
    Missing(Vec<u8>),
    /// A text and what is wrong in it.
    Text(String),
    /// A number.
    Number(u64),
}

/// What is to be said about a packet that the decoder can read.
pub(crate) fn remarks_on_content(frame: &[u8], reading: &Reading, from: Option<Side>) -> Vec<Remark> {
    content::remarks(frame, reading, from)
}
