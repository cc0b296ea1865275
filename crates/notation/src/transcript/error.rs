//! What is wrong with a transcript, and where.

use std::fmt;

use crate::ParseError;

/// A transcript that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptError {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What was expected, and what stands there.
    pub message: String,
}

impl TranscriptError {
    pub(crate) fn new(file: &str, line: usize, error: ParseError) -> TranscriptError {
        TranscriptError { file: file.to_owned(), line, column: error.column, message: error.message }
    }
}

impl fmt::Display for TranscriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl std::error::Error for TranscriptError {}
