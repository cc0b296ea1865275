//! Why a packet has no such form.

use std::fmt;

/// What a tool cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportError {
    /// What cannot be said, and what to do instead.
    pub message: String,
}

impl ExportError {
    pub(crate) fn new(message: impl Into<String>) -> ExportError {
        ExportError { message: message.into() }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExportError {}
