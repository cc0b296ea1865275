//! The lines of a script.

use std::fmt::Write as _;

use crate::hex::spaced_hex;

/// A script under construction.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: String,
}

impl Script {
    /// A command and what the module answers.
    pub(super) fn command(&mut self, command: &str, answer: &str) {
        let _ = writeln!(self.text, "{command}");
        self.note(&format!("answer: {answer}"));
    }

    /// Bytes after a prompt, and what the module answers. Text that a person can read stays text.
    pub(super) fn data(&mut self, bytes: &[u8], answer: &str) {
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty() && !text.chars().any(char::is_control) && text.trim() == *text);
        match text {
            Some(text) => self.line("text", text),
            None => self.hex(bytes, answer),
        }
        if text.is_some() {
            self.note(&format!("answer: {answer}"));
        }
    }

    /// Bytes after a prompt, in hex.
    pub(super) fn hex(&mut self, bytes: &[u8], answer: &str) {
        self.line("hex", &spaced_hex(bytes));
        self.note(&format!("answer: {answer}"));
    }

    /// Something to know.
    pub(super) fn note(&mut self, note: &str) {
        let _ = writeln!(self.text, "# {note}");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, word: &str, content: &str) {
        let _ = writeln!(self.text, "{word} {content}");
    }
}
