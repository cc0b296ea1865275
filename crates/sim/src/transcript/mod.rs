//! Playing transcripts: dialogues as data, against the core or against a real server.
//!
//! [`play`] takes the steps and compares; a [`Stage`] is what they are played on. [`Core`] is the
//! stage without sockets, in simulated time. Waiting, wildcards, order and the messages about
//! failures are the same on every stage.

mod core;
mod files;
mod link;
mod player;
mod port;
mod settings;
mod stage;

pub use self::core::Core;
pub use files::{read_all, read_folder};
pub use player::{Failure, play};
pub use settings::ServerSettings;
pub use stage::{Inbox, Stage};

use hexmq_notation::Case;

/// Plays one case against the core.
pub fn play_core(file: &str, case: &Case) -> Result<(), Failure> {
    let settings = ServerSettings::of(&case.head).map_err(|message| Failure::before(file, case, message))?;
    play(file, case, &mut Core::new(&settings))
}
