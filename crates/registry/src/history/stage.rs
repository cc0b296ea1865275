//! Stages of log lines are names that live as long as the program; those read from the data base become such.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What a stage is read as if far too many different ones stand in the data base: somebody else writes there.
const OTHER: &str = "other";
/// Programs know some dozens of stages.
const STAGES_MAX: usize = 256;

static STAGES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The name of this stage; a new one is made once and stays.
pub(super) fn named(stage: String) -> &'static str {
    let mut stages = STAGES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = stages.get(stage.as_str()) {
        return known;
    }
    if stages.len() >= STAGES_MAX {
        return OTHER;
    }
    let stage: &'static str = Box::leak(stage.into_boxed_str());
    stages.insert(stage);
    stage
}
