//! Stored sessions with a subscription each, and nothing else: what a restart has to read.

use super::LIMIT;
use super::churn::Visits;
use crate::load::fleet::Fleet;
use crate::load::process::raise_descriptor_limit;
use crate::load::report::{HALVES, Stretch};
use crate::load::{Report, Target};

/// Sessions that are made and left.
#[derive(Clone, Copy, Debug)]
pub struct Sessions {
    /// How many.
    pub sessions: usize,
}

impl Sessions {
    /// Each client connects for a session that outlives it, subscribes, and disconnects.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        raise_descriptor_limit();
        let sessions = self.sessions.max(1);
        let mut visits = Visits::new("session", sessions, sessions);
        visits.clean_start = false;
        visits.filter = Some(|session| format!("bench/session/{session}"));
        let stretch = Stretch::begin(target)?;
        Fleet::new(target.address, sessions, LIMIT)?.run(&mut visits)?;
        let taken = stretch.end()?;
        let mut report = Report::new("sessions");
        report
            .count("sessions", sessions)
            .measure_if_known("cpu_us_per_session", taken.cpu_us_each(sessions as u64))
            .halves(&HALVES, &taken)
            .measure_if_known("bytes_per_session", taken.bytes_each(sessions as u64))
            .measure("wall_s", taken.wall_s);
        Ok(report)
    }
}
