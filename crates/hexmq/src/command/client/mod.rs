//! What `pub`, `sub` and `rr` share: their options, the connection, and how they report.

pub(crate) mod argv;
mod conversation;
pub(crate) mod format;
mod options;
pub(crate) mod payload;
mod property;
mod trouble;

pub(crate) use conversation::{Conversation, Happened, reason, tell};
pub(crate) use options::{ConnectionArgs, NeedsV5, qos, topic_filter, topic_name, wrong_property};
pub(crate) use property::{Command, PropertyList};
pub(crate) use trouble::Trouble;

/// Exit code of a wrong usage and of every error that has no code of its own.
pub(crate) const EXIT_ERROR: u8 = 1;
/// Exit code when the time of `-W` is over.
pub(crate) const EXIT_TIMEOUT: u8 = 27;
