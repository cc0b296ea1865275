//! What is left of a session: a recording, or a transcript.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hexmq_notation::{print_bytes, print_hex};
use hexmq_wire::Version;
use hexmq_workbench::Side;
use hexmq_workbench::recording::{Close, Entry, Head, Note, Open, Timestamp, Via, Writer};

/// Writes down what happens, line by line.
pub(crate) enum Record {
    /// JSON lines, see `docs/recordings.md`.
    Recording { writer: Writer<File>, connection: u64 },
    /// The notation, see `docs/notation.md`; for files whose name ends in `.mqtt`.
    Transcript { file: File },
}

/// The time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

impl Record {
    /// Creates the file; `by` is the command that writes it.
    pub(crate) fn create(path: &Path, by: &str) -> io::Result<Record> {
        let mut file = File::create(path)?;
        if path.extension().is_some_and(|extension| extension == "mqtt") {
            writeln!(file, "=== {by} {:.0}", now())?;
            return Ok(Record::Transcript { file });
        }
        let by = format!("hexmq {} {by}", env!("CARGO_PKG_VERSION"));
        let head = Head { by: Some(by), created: Some(now()), masked: false };
        Ok(Record::Recording { writer: Writer::new(file, &head)?, connection: 0 })
    }

    /// A connection is there: the next one.
    pub(crate) fn open(&mut self, client: String, server: String, via: Via) -> io::Result<()> {
        let next = match self {
            Record::Recording { connection, .. } => *connection + 1,
            Record::Transcript { .. } => 0,
        };
        self.open_as(next, client, server, via)
    }

    /// The connection with this number is there.
    pub(crate) fn open_as(
        &mut self,
        number: u64,
        client: String,
        server: String,
        via: Via,
    ) -> io::Result<()> {
        match self {
            Record::Recording { writer, connection } => {
                *connection = number;
                writer.write(&Entry::Open(Open { at: now(), connection: number, client, server, via }))
            }
            Record::Transcript { .. } => Ok(()),
        }
    }

    /// Bytes crossed the connection. A transcript has whole packets instead.
    pub(crate) fn bytes(&mut self, from: Side, bytes: &[u8]) -> io::Result<()> {
        self.bytes_of(self.current(), from, bytes)
    }

    /// Bytes crossed the connection with this number.
    pub(crate) fn bytes_of(&mut self, number: u64, from: Side, bytes: &[u8]) -> io::Result<()> {
        match self {
            Record::Recording { writer, .. } => writer.bytes(now(), number, from, bytes),
            Record::Transcript { .. } => Ok(()),
        }
    }

    /// The connection that was opened last.
    fn current(&self) -> u64 {
        match self {
            Record::Recording { connection, .. } => *connection,
            Record::Transcript { .. } => 0,
        }
    }

    /// A whole packet, or bytes that are none.
    pub(crate) fn packet(&mut self, from: Side, bytes: &[u8], version: Option<Version>) -> io::Result<()> {
        match self {
            Record::Recording { .. } => Ok(()),
            Record::Transcript { file } => {
                let way = if from == Side::Client { '>' } else { '<' };
                let line = version.map_or_else(|| print_hex(bytes), |version| print_bytes(bytes, version));
                writeln!(file, "a {way} {line}")
            }
        }
    }

    /// Something to know: an expectation that was not met.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        match self {
            Record::Recording { writer, connection } => writer.write(&Entry::Note(Note {
                at: now(),
                connection: (*connection > 0).then_some(*connection),
                text: text.to_owned(),
                ..Note::default()
            })),
            Record::Transcript { file } => writeln!(file, "# {}", text.replace(['\n', '\r'], " ")),
        }
    }

    /// The connection is no more.
    pub(crate) fn close(&mut self, by: Side, reset: bool) -> io::Result<()> {
        self.close_of(self.current(), by, reset)
    }

    /// The connection with this number is no more.
    pub(crate) fn close_of(&mut self, number: u64, by: Side, reset: bool) -> io::Result<()> {
        match self {
            Record::Recording { writer, .. } => writer.write(&Entry::Close(Close {
                at: now(),
                connection: number,
                by: Some(by),
                reason: reset.then(|| "reset".to_owned()),
            })),
            Record::Transcript { file } => match by {
                Side::Client => writeln!(file, "a ~ close"),
                Side::Server => writeln!(file, "a ! closed"),
            },
        }
    }
}
