//! A recording from whatever file holds one: JSON lines, a page, a network capture.

use std::fmt;
use std::io::{self, BufRead};

use super::{
    Chunk, Close, Entry, Lost, Note, Open, ReadError, ReadErrorKind, Recording, Timestamp, is_html, read_html,
};
use crate::capture::{self, Capture, Connection, End, NoteKind, Settings, Sink};
use crate::{Language, Side};

/// Why there is no recording in a file.
#[derive(Debug)]
pub enum ImportError {
    /// The file cannot be read.
    Input(io::Error),
    /// It is no recording, no page with one and no capture.
    Unknown,
    /// The recording is wrong.
    Recording(ReadError),
    /// The capture is wrong.
    Capture(capture::ReadError),
    /// More traffic than was to be held in memory.
    TooLarge {
        /// Bytes that would have been taken.
        most: usize,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Input(error) => error.fmt(f),
            ImportError::Unknown => {
                f.write_str("neither a recording, nor a page that holds one, nor a pcap or pcapng capture")
            }
            ImportError::Recording(error) => error.fmt(f),
            ImportError::Capture(error) => error.fmt(f),
            ImportError::TooLarge { most } => {
                write!(f, "it holds more than {most} bytes of MQTT; `hexmq capture` reads it piece by piece")
            }
        }
    }
}

impl std::error::Error for ImportError {}

/// What a file holds, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON lines.
    Lines,
    /// A page with a recording in it.
    Html,
    /// pcap or pcapng.
    Capture,
}

impl Kind {
    /// The kind of a file that begins with these bytes; some thousand tell it.
    pub fn of(start: &[u8]) -> Option<Kind> {
        const CAPTURES: [[u8; 4]; 5] = [
            [0x0A, 0x0D, 0x0D, 0x0A],
            [0xD4, 0xC3, 0xB2, 0xA1],
            [0xA1, 0xB2, 0xC3, 0xD4],
            [0x4D, 0x3C, 0xB2, 0xA1],
            [0xA1, 0xB2, 0x3C, 0x4D],
        ];
        if Recording::is_one(start) {
            Some(Kind::Lines)
        } else if is_html(start) {
            Some(Kind::Html)
        } else if CAPTURES.iter().any(|magic| start.starts_with(magic)) {
            Some(Kind::Capture)
        } else {
            None
        }
    }
}

/// Reads a recording with at most `most` bytes of traffic. `input` shall buffer 4 KiB or more: by
/// what it holds at first the kind of the file is recognised.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn import(mut input: impl BufRead, most: usize) -> Result<Recording, ImportError> {
    let kind = Kind::of(input.fill_buf().map_err(ImportError::Input)?);
    let recording = |error: ReadError| match error.kind {
        ReadErrorKind::TooLarge { most } => ImportError::TooLarge { most },
        _ => ImportError::Recording(error),
    };
    match kind {
        None => Err(ImportError::Unknown),
        Some(Kind::Lines) => Recording::read(input, most).map_err(recording),
        Some(Kind::Html) => read_html(input, most).map_err(recording),
        Some(Kind::Capture) => {
            let mut collected = Collected { most, ..Collected::default() };
            let mut capture = Capture::new(Settings::default());
            let read = capture.read(&mut input, &mut collected, |_| true);
            let cut_off = match read {
                Ok(()) => false,
                // Ctrl-C ends captures like that; what is there is good.
                Err(capture::ReadError::Capture(error)) if error.is_truncation() => true,
                Err(error) => return Err(ImportError::Capture(error)),
            };
            capture.finish(&mut collected);
            if collected.held > most {
                return Err(ImportError::TooLarge { most });
            }
            Ok(Recording { entries: collected.entries, cut_off, ..Recording::default() })
        }
    }
}

/// What a capture tells, as entries.
#[derive(Default)]
struct Collected {
    entries: Vec<Entry>,
    held: usize,
    most: usize,
}

impl Collected {
    fn put(&mut self, bytes: usize, entry: impl FnOnce() -> Entry) {
        const EACH: usize = 128;
        self.held = self.held.saturating_add(bytes + EACH);
        if self.held <= self.most {
            self.entries.push(entry());
        }
    }
}

impl Sink for Collected {
    fn opened(&mut self, connection: &Connection) {
        self.put(0, || {
            Entry::Open(Open {
                at: connection.opened,
                connection: connection.number,
                client: connection.client.to_string(),
                server: connection.server.to_string(),
                via: connection.via,
            })
        });
    }

    fn bytes(&mut self, connection: &Connection, at: Timestamp, from: Side, bytes: &[u8]) {
        self.put(bytes.len(), || {
            Entry::Bytes(Chunk { at, connection: connection.number, from, bytes: bytes.to_vec() })
        });
    }

    fn note(&mut self, connection: &Connection, note: &capture::Note) {
        let lost = match note.kind {
            NoteKind::Gap { bytes } => note.from.map(|from| Lost { from, bytes }),
            _ => None,
        };
        self.put(0, || {
            Entry::Note(Note {
                at: note.at,
                connection: Some(connection.number),
                text: note.kind.text(Language::English),
                reason: Some(note.kind.name().to_owned()),
                lost,
                ..Note::default()
            })
        });
    }

    fn closed(&mut self, connection: &Connection) {
        let end = connection.end.unwrap_or(End::CaptureEnds);
        if matches!(end, End::CaptureEnds | End::SetAside) {
            return;
        }
        self.put(0, || {
            let reason = (!matches!(end, End::Closed(_))).then(|| end.name().to_owned());
            Entry::Close(Close { at: connection.last, connection: connection.number, by: end.by(), reason })
        });
    }
}
