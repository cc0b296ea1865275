//! What others notice of a subscriber to everything that is handed many retained messages.

use super::NUMBER_SIZE;
use super::bystanders::{Bystanders, tell};
use super::retained::{clear, fetch, store};
use crate::load::report::Stretch;
use crate::load::{Report, Target};

/// A subscriber to `#` that arrives over many retained messages, beside pairs.
#[derive(Clone, Copy, Debug)]
pub struct Handout {
    /// Retained messages, on a topic each.
    pub messages: usize,
    /// Bytes of their payloads, 8 at least.
    pub size: usize,
    /// The pairs.
    pub bystanders: Bystanders,
}

impl Handout {
    /// Stores all, measures the pairs, measures them again while the subscriber is handed every message exactly
    /// once, and clears them.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let payload = vec![b'.'; self.size.max(NUMBER_SIZE)];
        store(target, self.messages, &payload)?;
        let flow = self.bystanders.flow();
        let before = flow.run(target)?;
        let (during, handed_out) = flow.run_beside(target, || {
            let stretch = Stretch::begin(target)?;
            fetch(target, "#", self.messages, payload.len())?;
            stretch.end()
        })?;
        clear(target, self.messages)?;
        let mut report = Report::new("handout");
        report
            .count("messages", self.messages)
            .count("size", payload.len())
            .count("pairs", self.bystanders.pairs)
            .count("rate", self.bystanders.rate)
            .measure("handout_wall_s", handed_out.wall_s)
            .measure("handed_out_per_s", self.messages as f64 / handed_out.wall_s)
            .measure_if_known("peak_bytes", handed_out.peak_bytes);
        tell(&mut report, &before, &during);
        Ok(report)
    }
}
