//! Reading transcripts line by line.

use std::collections::BTreeMap;

use hexmq_wire::{FrameStatus, REMAINING_LENGTH_MAX, Version, scan_frame};

use super::{
    Action, Case, Departure, Expectation, Head, Origin, Setting, Step, Transcript, TranscriptError, User,
    parse_duration,
};
use crate::ParseError;
use crate::parse::parse_pattern;
use crate::raw::raw;
use crate::text::read_text;
use crate::word::Span;

/// What is known while reading.
#[derive(Default)]
struct Reader {
    file_head: Head,
    cases: Vec<Case>,
    /// How each connection of the current case is read.
    versions: BTreeMap<String, Version>,
}

pub(super) fn parse(file: &str, text: &str) -> Result<Transcript, TranscriptError> {
    let mut reader = Reader::default();
    let mut last = 1;
    for (index, line) in text.lines().enumerate() {
        last = index + 1;
        reader.line(line, last).map_err(|error| TranscriptError::new(file, last, error))?;
    }
    match reader.cases.last() {
        None => Err(TranscriptError::new(file, last, ParseError::new(1, "expected a case: `=== name`"))),
        Some(case) if case.steps.is_empty() => {
            Err(TranscriptError::new(file, case.line, ParseError::new(1, "expected steps in this case")))
        }
        Some(_) => Ok(Transcript { file: file.to_owned(), cases: reader.cases }),
    }
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Result<(), ParseError> {
        let span = Span { column: 1, text: line }.trimmed();
        let Some((first, rest)) = span.split_word()? else {
            return Ok(());
        };
        match first.text {
            "===" => self.case(rest.trimmed(), number),
            "set" | "user" | "slow" | "core-only" => self.head_line(first, rest, number),
            text if text.starts_with('+') => {
                let duration = parse_duration(text.get(1..).unwrap_or_default());
                let duration =
                    duration.ok_or_else(|| first.error("expected a time such as `+90s` or `+500ms`"))?;
                end_of_line(rest)?;
                self.push(first, number, Action::Wait(duration))
            }
            _ => self.step(first, rest, number),
        }
    }

    fn case(&mut self, name: Span<'_>, line: usize) -> Result<(), ParseError> {
        if name.text.is_empty() {
            return Err(name.error("expected the name of the case"));
        }
        if self.cases.iter().any(|case| case.name == name.text) {
            return Err(name.error("expected a name no other case of the file has"));
        }
        if self.cases.last().is_some_and(|case| case.steps.is_empty()) {
            return Err(name.error("expected steps in the case before"));
        }
        self.versions.clear();
        let head = self.file_head.clone();
        self.cases.push(Case { name: name.text.to_owned(), line, head, steps: Vec::new() });
        Ok(())
    }

    fn head_line(&mut self, first: Span<'_>, rest: Span<'_>, line: usize) -> Result<(), ParseError> {
        let head = match self.cases.last_mut() {
            None => &mut self.file_head,
            Some(case) if case.steps.is_empty() => &mut case.head,
            Some(_) => return Err(first.error("expected settings before the first step of the case")),
        };
        match first.text {
            "slow" => head.slow = true,
            "core-only" => head.core_only = true,
            "user" => {
                let (name, rest) = word(rest, "a user name")?;
                let (password, rest) = word(rest, "a password")?;
                head.users.push(User { name: read_text(name)?, password: read_text(password)? });
                return end_of_line(rest);
            }
            _ => {
                let (name, rest) = word(rest, "the name of a setting")?;
                let (equals, rest) = word(rest, "`=`")?;
                if equals.text != "=" {
                    return Err(equals.error("expected `=` between blanks"));
                }
                let (value, rest) = word(rest, "a value")?;
                let setting = Setting { name: name.text.to_owned(), value: read_text(value)?, line };
                if !Head::is_valid(&setting) {
                    return Err(value.error("expected a value this setting can have"));
                }
                head.settings.push(setting);
                return end_of_line(rest);
            }
        }
        end_of_line(rest)
    }

    fn push(&mut self, at: Span<'_>, line: usize, action: Action) -> Result<(), ParseError> {
        let case =
            self.cases.last_mut().ok_or_else(|| at.error("expected `=== name` before the first step"))?;
        case.steps.push(Step { line, action });
        Ok(())
    }

    fn step(&mut self, first: Span<'_>, rest: Span<'_>, line: usize) -> Result<(), ParseError> {
        let connections = connections(first)?;
        let (operator, rest) = word(rest, "one of `>` `<` `<~` `!` `~` `@`")?;
        let rest = rest.trimmed();
        match (operator.text, connections.as_slice()) {
            ("<" | "<~", _) => return self.expect(connections, operator, rest, line),
            (_, [_, _, ..]) => return Err(operator.error("expected `<` after several connections")),
            _ => {}
        }
        let connection = connections.into_iter().next().unwrap_or_default();
        let action = match operator.text {
            ">" => self.send(connection, rest)?,
            "@" => self.open(connection, rest)?,
            "!" => {
                only(rest, &["closed"])?;
                Action::Closed { connection }
            }
            "~" if connection == "server" => {
                only(rest, &["stop"])?;
                Action::StopServer
            }
            "~" => match only(rest, &["drop", "close", "stall", "resume"])? {
                "drop" => Action::Leave { connection, departure: Departure::Drop },
                "close" => Action::Leave { connection, departure: Departure::Close },
                word => Action::Reading { connection, on: word == "resume" },
            },
            _ => return Err(operator.error("expected one of `>` `<` `<~` `!` `~` `@`")),
        };
        self.push(first, line, action)
    }

    fn version(&self, connection: &str) -> Version {
        let head = self.cases.last().map_or(&self.file_head, |case| &case.head);
        self.versions.get(connection).copied().unwrap_or_else(|| head.version())
    }

    fn send(&mut self, connection: String, rest: Span<'_>) -> Result<Action, ParseError> {
        let (bytes, packet) = match raw(rest)? {
            Some(bytes) => (bytes, None),
            None => {
                let pattern = parse_pattern(rest, self.version(&connection))?;
                let record = pattern
                    .into_record()
                    .ok_or_else(|| rest.error("expected a packet without `*`, `..` and `...`"))?;
                (record.encode().map_err(|error| rest.error(error.to_string()))?, Some(record))
            }
        };
        if let Some(version) = version_in(&bytes) {
            self.versions.insert(connection.clone(), version);
        }
        let version = self.version(&connection);
        Ok(Action::Send { connection, bytes, packet, version })
    }

    fn open(&mut self, connection: String, rest: Span<'_>) -> Result<Action, ParseError> {
        let mut origin = Origin::Loopback;
        let mut rest = rest;
        while let Some((option, next)) = rest.split_word()? {
            rest = next;
            match option.text {
                "loopback" => origin = Origin::Loopback,
                "remote" => origin = Origin::Remote,
                "v3" => drop(self.versions.insert(connection.clone(), Version::V3)),
                "v4" => drop(self.versions.insert(connection.clone(), Version::V4)),
                "v5" => drop(self.versions.insert(connection.clone(), Version::V5)),
                _ => return Err(option.error("expected one of `loopback` `remote` `v3` `v4` `v5`")),
            }
        }
        Ok(Action::Open { connection, origin })
    }

    fn expect(
        &mut self,
        connections: Vec<String>,
        operator: Span<'_>,
        rest: Span<'_>,
        line: usize,
    ) -> Result<(), ParseError> {
        let first = connections.first().cloned().unwrap_or_default();
        let single = connections.len() == 1 && operator.text == "<";
        let any_order = operator.text == "<~";
        if let Some((word, after)) = rest.split_word()?
            && matches!(word.text, "nothing" | "anything")
        {
            if !single {
                return Err(operator.error("expected one connection and `<`"));
            }
            end_of_line(after)?;
            let nothing = word.text == "nothing";
            let connection = first;
            return self.push(
                rest,
                line,
                if nothing { Action::Nothing { connection } } else { Action::Anything { connection } },
            );
        }
        let version = self.version(&first);
        let expected = match raw(rest)? {
            Some(bytes) => {
                frames(&bytes, rest)?.into_iter().map(|bytes| Expectation::Bytes { bytes, version }).collect()
            }
            None => vec![Expectation::Packet(parse_pattern(rest, version)?)],
        };
        for expected in expected {
            self.push(rest, line, Action::Expect { connections: connections.clone(), any_order, expected })?;
        }
        Ok(())
    }
}

/// Cuts expected bytes into whole packets.
fn frames(bytes: &[u8], at: Span<'_>) -> Result<Vec<Vec<u8>>, ParseError> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        match scan_frame(rest, REMAINING_LENGTH_MAX) {
            Ok(FrameStatus::Whole { length }) => {
                let (frame, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                frames.push(frame.to_vec());
                rest = after;
            }
            Ok(FrameStatus::Needs { at_least }) => {
                return Err(
                    at.error(format!("expected whole packets; at least {at_least} bytes are missing"))
                );
            }
            Err(_) => return Err(at.error("expected whole packets; a Remaining Length is too long")),
        }
    }
    Ok(frames)
}

/// The version a CONNECT in raw bytes asks for, if they are one. Whoever asks for a version to come
/// is answered in 5.0.
fn version_in(bytes: &[u8]) -> Option<Version> {
    let (first, rest) = bytes.split_first()?;
    if first >> 4 != 1 {
        return None;
    }
    let length_bytes = rest.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let body = rest.get(length_bytes..)?;
    let name_length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    body.get(2 + name_length).and_then(|&level| Version::from_level(level.min(Version::V5.level())))
}

fn connections(first: Span<'_>) -> Result<Vec<String>, ParseError> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let names: Vec<&str> = first.text.split('|').collect();
    if !names.iter().all(|name| is_name(name)) {
        return Err(first
            .error(format!("expected a connection, `+` and a time, or a head line; got `{}`", first.text)));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn word<'a>(span: Span<'a>, what: &str) -> Result<(Span<'a>, Span<'a>), ParseError> {
    span.split_word()?.ok_or_else(|| span.trimmed().error(format!("expected {what}")))
}

fn end_of_line(span: Span<'_>) -> Result<(), ParseError> {
    match span.split_word()? {
        Some((word, _)) => Err(word.error(format!("expected the end of the line; got `{}`", word.text))),
        None => Ok(()),
    }
}

fn only<'a>(rest: Span<'a>, words: &[&str]) -> Result<&'a str, ParseError> {
    let expected = || format!("expected one of {}", words.join(", "));
    let (found, after) = rest.split_word()?.ok_or_else(|| rest.error(expected()))?;
    end_of_line(after)?;
    if words.contains(&found.text) { Ok(found.text) } else { Err(found.error(expected())) }
}
