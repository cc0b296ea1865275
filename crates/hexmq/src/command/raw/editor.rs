//! The line editor: history, and completion of commands, packets, fields and variables.
//!
//! rustyline, without its default features: it prints above the line that is being edited, which is
//! what packets do that come while a person types, and it brings fewer and smaller crates than
//! reedline, which is made for shells.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use hexmq_wire::{PacketType, Place, property_rows};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};

use super::input::{Feeder, Input};
use super::line::WORDS;

/// Lines that are remembered.
const HISTORY_MAX: usize = 1000;

/// A person at a terminal.
pub(super) struct Prompt {
    editor: Editor<Completion, MemHistory>,
    history: Option<File>,
}

impl Prompt {
    /// A prompt; `history` is a file with the lines of earlier sessions.
    pub(super) fn new(history: Option<&Path>) -> io::Result<Prompt> {
        let config = Config::builder().max_history_size(HISTORY_MAX).map_err(io::Error::other)?.build();
        let mut editor: Editor<Completion, MemHistory> =
            Editor::with_history(config.clone(), MemHistory::with_config(&config))
                .map_err(io::Error::other)?;
        editor.set_helper(Some(Completion::default()));
        let mut file = None;
        if let Some(path) = history {
            let opened = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            for line in BufReader::new(opened.try_clone()?).lines() {
                editor.add_history_entry(line?).map_err(io::Error::other)?;
            }
            file = Some(opened);
        }
        Ok(Prompt { editor, history: file })
    }

    /// What prints above the prompt.
    pub(super) fn printer(&mut self) -> io::Result<Box<dyn ExternalPrinter>> {
        let printer = self.editor.create_external_printer().map_err(io::Error::other)?;
        Ok(Box::new(printer))
    }

    /// Gives lines until the person has enough.
    pub(super) fn run(mut self, mut feeder: Feeder) {
        for number in 1.. {
            let input = match self.editor.readline("hexmq> ") {
                Ok(text) => {
                    self.remember(&text);
                    Input::Line { number, text }
                }
                Err(ReadlineError::Interrupted) => Input::Interrupt,
                Err(ReadlineError::Eof) => Input::End,
                Err(error) => Input::Failed(error.to_string()),
            };
            // Behind these the terminal is not taken again, so that it is as it was in the end.
            let last = match &input {
                Input::Line { text, .. } => matches!(text.trim(), "quit" | "exit"),
                Input::Interrupt => false,
                Input::End | Input::Failed(_) => true,
            };
            if !feeder.give(input) || last {
                return;
            }
        }
    }

    fn remember(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        // What cannot be remembered is no reason to stop.
        let _ = self.editor.add_history_entry(line);
        if let Some(file) = &mut self.history {
            let _ = writeln!(file, "{line}");
        }
        if let Some(helper) = self.editor.helper_mut()
            && let Some((name, _)) = line.trim().strip_prefix("set ").and_then(|rest| rest.split_once('='))
        {
            helper.variables.insert(name.trim().to_owned());
        }
    }
}

/// What a word may become.
#[derive(Debug, Default)]
pub(super) struct Completion {
    variables: BTreeSet<String>,
}

impl Completion {
    /// Where the last word before `pos` begins, and all that it may become.
    pub(super) fn candidates(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let before = line.get(..pos).unwrap_or(line);
        if let Some((start, name)) = before.rsplit_once('$').map(|(front, name)| (front.len() + 1, name))
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            let names = self.variables.iter().filter(|known| known.starts_with(name)).cloned();
            return (start, names.collect());
        }
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or_default();
        let mut words = before.get(..start).unwrap_or_default().split_whitespace();
        let mut first = words.next();
        let begun = first.is_some();
        if matches!(first, Some("wait" | "expect")) {
            first = words.next();
        }
        let packet_names = || PacketType::ALL.into_iter().map(|it| it.name().to_owned());
        let mut known: Vec<String> = match first.and_then(PacketType::from_name) {
            Some(packet_type) => fields(packet_type),
            None if !begun => WORDS.map(str::to_owned).into_iter().chain(packet_names()).collect(),
            None if first.is_none() => {
                packet_names().chain(["closed".to_owned(), "nothing".to_owned()]).collect()
            }
            None => match before.split_whitespace().next() {
                Some("auto") => ["ping", "ack", "on", "off"].map(str::to_owned).to_vec(),
                Some("version") => ["3", "4", "5"].map(str::to_owned).to_vec(),
                _ => Vec::new(),
            },
        };
        known.retain(|candidate| starts_alike(candidate, word));
        (start, known)
    }
}

/// Capitals do not matter: `con` may become CONNECT.
fn starts_alike(candidate: &str, word: &str) -> bool {
    candidate.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The fields of a packet, as the notation has them.
fn fields(packet_type: PacketType) -> Vec<String> {
    let own: &[&str] = match packet_type {
        PacketType::Connect => &[
            "v3",
            "v4",
            "v5",
            "id=",
            "clean_start",
            "keep_alive=",
            "user_name=",
            "password=",
            "will.topic=",
            "will.payload=",
            "will.qos=",
            "will.retain",
        ],
        PacketType::Connack => &["0x00", "session_present="],
        PacketType::Publish => &["topic=", "payload=", "qos=", "pid=", "retain", "dup"],
        PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => &["pid="],
        PacketType::Subscribe => {
            &["pid=", "filter=", "qos=", "no_local", "retain_as_published", "retain_handling="]
        }
        PacketType::Suback | PacketType::Unsuback => &["pid=", "codes="],
        PacketType::Unsubscribe => &["pid=", "filter="],
        PacketType::Pingreq | PacketType::Pingresp => &[],
        PacketType::Disconnect | PacketType::Auth => &["0x00"],
    };
    let of = |place: Place, prefix: &'static str| {
        let rows = property_rows().iter().filter(move |row| row.allowed.contains(place));
        rows.map(move |row| format!("{prefix}{}=", row.name))
    };
    let mut names: Vec<String> = own.iter().map(|&name| name.to_owned()).collect();
    names.extend(of(Place::Packet(packet_type), ""));
    if packet_type == PacketType::Connect {
        names.extend(of(Place::Will, "will."));
    }
    names
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, mut candidates) = self.candidates(line, pos);
        // What is complete is followed by the next word.
        for candidate in candidates.iter_mut().filter(|candidate| !candidate.ends_with('=')) {
            candidate.push(' ');
        }
        Ok((start, candidates))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::Completion;

    fn candidates(line: &str) -> Vec<String> {
        let completion = Completion { variables: ["id".to_owned(), "topic".to_owned()].into() };
        completion.candidates(line, line.len()).1
    }

    #[test]
    fn words_packets_fields_and_variables_are_completed() {
        assert_eq!(candidates("CONN"), ["connect", "CONNECT", "CONNACK"]);
        assert_eq!(candidates("sl"), ["sleep"]);
        assert_eq!(candidates("wait SUBA"), ["SUBACK"]);
        assert_eq!(candidates("wait cl"), ["closed"]);
        assert_eq!(candidates("CONNECT v5 keep"), ["keep_alive="]);
        assert_eq!(candidates("CONNECT v5 will.ret"), ["will.retain"]);
        assert_eq!(candidates("PUBLISH message_e"), ["message_expiry_interval="]);
        assert_eq!(candidates("expect PUBLISH topic=a/b pay"), ["payload=", "payload_format_indicator="]);
        assert_eq!(candidates("PUBLISH topic=$to"), ["topic"]);
        assert_eq!(candidates("auto pi"), ["ping"]);
        assert!(candidates("c0 ").is_empty());
        assert!(candidates("größe").is_empty());
    }
}
