//! Why a description is no packet.

use std::fmt;

/// What is wrong with a description, and at which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// The field as the description names it: `will_qos`, `properties.user_property`,
    /// `fields[3].value`; empty for the description as a whole.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

impl BuildError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> BuildError {
        BuildError { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

impl std::error::Error for BuildError {}
