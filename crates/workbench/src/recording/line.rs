//! One entry as one line of JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::read::ReadErrorKind;
use super::{Chunk, Close, Entry, FORMAT_VERSION, Head, Lost, Note, Open, Timestamp, Via};
use crate::Side;

/// The first line.
#[derive(Serialize, Deserialize)]
struct HeadLine<'a> {
    hexmq_recording: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    created: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    masked: bool,
}

/// Every other line: the members of all types, so that one that is not known is passed over and
/// one that is missing is told by its name.
#[derive(Default, Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    at: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    client: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    server: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    via: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    hex: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    decision: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    statement: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
}

/// The types of lines.
const KINDS: [&str; 4] = ["open", "bytes", "note", "close"];

/// Of a line whose members are not as they should be.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// The first line, without its end.
pub(super) fn head_line(head: &Head) -> serde_json::Result<String> {
    serde_json::to_string(&HeadLine {
        hexmq_recording: FORMAT_VERSION,
        by: head.by.as_deref().map(Cow::Borrowed),
        created: head.created.map(|at| at.to_string().into()),
        masked: head.masked,
    })
}

/// Reads the first line.
pub(super) fn parse_head(line: &str) -> Result<Head, ReadErrorKind> {
    // A file of another kind is told apart from a recording that is damaged.
    if !super::Recording::is_one(line.as_bytes()) {
        return Err(ReadErrorKind::NoRecording);
    }
    let head: HeadLine<'_> = serde_json::from_str(line).map_err(|error| json_error(&error))?;
    if head.hexmq_recording != FORMAT_VERSION {
        return Err(ReadErrorKind::Version { version: head.hexmq_recording });
    }
    Ok(Head {
        by: head.by.map(Cow::into_owned),
        created: head.created.map(|text| timestamp(&text, "created")).transpose()?,
        masked: head.masked,
    })
}

/// The line of an entry other than bytes, without its end.
pub(super) fn entry_line(entry: &Entry) -> serde_json::Result<String> {
    let mut line =
        Line { at: Some(entry.at().to_string().into()), connection: entry.connection(), ..Line::default() };
    match entry {
        Entry::Open(open) => {
            line.kind = "open".into();
            line.client = Some(open.client.as_str().into());
            line.server = Some(open.server.as_str().into());
            line.via = Some(open.via.name().into());
        }
        Entry::Bytes(chunk) => {
            line.kind = "bytes".into();
            line.from = Some(chunk.from.name().into());
            line.hex = Some(crate::plain_hex(&chunk.bytes).into());
        }
        Entry::Note(note) => {
            line.kind = "note".into();
            line.text = Some(note.text.as_str().into());
            line.decision = note.decision.as_deref().map(Cow::Borrowed);
            line.reason = note.reason.as_deref().map(Cow::Borrowed);
            line.statement = note.statement.as_deref().map(Cow::Borrowed);
            line.from = note.lost.map(|lost| lost.from.name().into());
            line.lost = note.lost.map(|lost| lost.bytes);
        }
        Entry::Close(close) => {
            line.kind = "close".into();
            line.by = close.by.map(|side| side.name().into());
            line.reason = close.reason.as_deref().map(Cow::Borrowed);
        }
    }
    serde_json::to_string(&line)
}

/// Reads a line; `None` is a type of a later program, which may be passed over.
pub(super) fn parse_entry(line: &str) -> Result<Option<Entry>, ReadErrorKind> {
    let line = match serde_json::from_str::<Line<'_>>(line) {
        Ok(line) => line,
        // A later type may use the names of our members for something else.
        Err(error) => match serde_json::from_str::<Kind<'_>>(line) {
            Ok(Kind { kind }) if !KINDS.contains(&kind.as_ref()) => return Ok(None),
            _ => return Err(json_error(&error)),
        },
    };
    let at = || -> Result<Timestamp, ReadErrorKind> { timestamp(needed(&line.at, "at")?, "at") };
    let connection = || line.connection.ok_or(ReadErrorKind::Missing { member: "connection" });
    let entry = match line.kind.as_ref() {
        "open" => Entry::Open(Open {
            at: at()?,
            connection: connection()?,
            client: needed(&line.client, "client")?.to_owned(),
            server: needed(&line.server, "server")?.to_owned(),
            via: line.via.as_deref().map_or(Ok(Via::Tcp), via)?,
        }),
        "bytes" => Entry::Bytes(Chunk {
            at: at()?,
            connection: connection()?,
            from: side(needed(&line.from, "from")?, "from")?,
            bytes: bytes(needed(&line.hex, "hex")?)?,
        }),
        "note" => Entry::Note(Note {
            at: at()?,
            connection: line.connection,
            text: line.text.as_deref().unwrap_or_default().to_owned(),
            decision: line.decision.as_deref().map(str::to_owned),
            reason: line.reason.as_deref().map(str::to_owned),
            statement: line.statement.as_deref().map(str::to_owned),
            lost: match line.lost {
                Some(bytes) => Some(Lost { from: side(needed(&line.from, "from")?, "from")?, bytes }),
                None => None,
            },
        }),
        "close" => Entry::Close(Close {
            at: at()?,
            connection: connection()?,
            by: line.by.as_deref().map(|text| side(text, "by")).transpose()?,
            reason: line.reason.as_deref().map(str::to_owned),
        }),
        _ => return Ok(None),
    };
    Ok(Some(entry))
}

fn needed<'a>(member: &'a Option<Cow<'_, str>>, name: &'static str) -> Result<&'a str, ReadErrorKind> {
    member.as_deref().ok_or(ReadErrorKind::Missing { member: name })
}

fn timestamp(text: &str, member: &'static str) -> Result<Timestamp, ReadErrorKind> {
    Timestamp::parse(text).ok_or_else(|| value_error(member, text, "a time such as 2026-11-23T02:10:00.5Z"))
}

fn side(text: &str, member: &'static str) -> Result<Side, ReadErrorKind> {
    [Side::Client, Side::Server]
        .into_iter()
        .find(|side| side.name() == text)
        .ok_or_else(|| value_error(member, text, "client or server"))
}

fn via(text: &str) -> Result<Via, ReadErrorKind> {
    Via::ALL
        .into_iter()
        .find(|via| via.name() == text)
        .ok_or_else(|| value_error("via", text, "tcp, tls, ws, wss or unix"))
}

/// Digits in pairs and nothing else: this is a file format, not text that people paste.
fn bytes(text: &str) -> Result<Vec<u8>, ReadErrorKind> {
    let digits = text.as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for (index, pair) in digits.chunks(2).enumerate() {
        let byte = match *pair {
            [high, low] => digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(byte.ok_or(ReadErrorKind::Hex { digit: 2 * index + 1 })?);
    }
    Ok(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn value_error(member: &'static str, text: &str, expected: &'static str) -> ReadErrorKind {
    const SHOWN: usize = 40;
    ReadErrorKind::Value { member, found: text.chars().take(SHOWN).collect(), expected }
}

fn json_error(error: &serde_json::Error) -> ReadErrorKind {
    // It counts lines within the line, which would only confuse.
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    let message = message.get(..end).unwrap_or_default().to_owned();
    ReadErrorKind::Json { column: error.column(), message }
}
