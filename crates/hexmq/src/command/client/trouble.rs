//! An error in three lines: what happened, why, what to try.

use std::fmt;
use std::process::ExitCode;

use super::EXIT_ERROR;
use super::conversation::say;

/// Why a client command ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    what: String,
    why: String,
    remedy: String,
    code: u8,
}

impl Trouble {
    /// An error with exit code 1.
    pub(crate) fn new(what: impl Into<String>, why: impl fmt::Display, remedy: impl Into<String>) -> Trouble {
        Trouble { what: what.into(), why: why.to_string(), remedy: remedy.into(), code: EXIT_ERROR }
    }

    /// The same with another exit code; 0 would be no error and becomes 1.
    pub(crate) fn with_code(self, code: u8) -> Trouble {
        Trouble { code: if code == 0 { EXIT_ERROR } else { code }, ..self }
    }

    /// Prints the three lines on stderr, unless the user asked for quiet, and gives the exit code.
    pub(crate) fn report(&self, quiet: bool) -> ExitCode {
        if !quiet {
            say(&self.to_string());
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line each, whatever a server or a file name contains.
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        write!(f, "error: {}\n  why: {}\n  try: {}", line(&self.what), line(&self.why), line(&self.remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_three_lines_whatever_it_quotes() {
        let trouble = Trouble::new("a\nb", "c\r\nd", "e").with_code(0);
        assert_eq!(trouble.to_string().lines().count(), 3);
        assert_eq!(trouble.code, EXIT_ERROR);
    }
}
