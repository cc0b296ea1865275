//! What is at hand while one packet of the capture is looked at.

use super::Settings;
use super::budget::Budget;
use super::note::{Note, NoteKind};
use crate::Side;
use crate::recording::Timestamp;

/// The packet of the capture and all that goes with it.
pub(crate) struct Scene<'a, S> {
    pub(crate) at: Timestamp,
    pub(crate) packet: u64,
    pub(crate) settings: &'a Settings,
    pub(crate) budget: &'a mut Budget,
    /// The number of the connection recognised last.
    pub(crate) numbers: &'a mut u64,
    pub(crate) sink: &'a mut S,
}

/// When and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) packet: u64,
}

impl<S> Scene<'_, S> {
    #[inline]
    pub(crate) fn moment(&self) -> Moment {
        Moment { at: self.at, packet: self.packet }
    }
}

impl Moment {
    pub(crate) fn note(self, from: Option<Side>, kind: NoteKind) -> Note {
        Note { at: self.at, packet: self.packet, from, kind }
    }
}
