//! rustfmt and clippy over the whole workspace.

use crate::command::{self, cargo, succeeds};

/// Formatting and lints; a warning is an error.
pub(crate) fn run() -> Result<(), String> {
    format()?;
    clippy()
}

/// Whether rustfmt and clippy are part of this toolchain.
pub(crate) fn available() -> bool {
    succeeds(&["cargo", "fmt", "--version"]) && succeeds(&["cargo", "clippy", "--version"])
}

pub(crate) fn format() -> Result<(), String> {
    command::run(cargo().args(["fmt", "--all", "--check"]))
}

pub(crate) fn clippy() -> Result<(), String> {
    command::run(cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}
