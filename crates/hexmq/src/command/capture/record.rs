//! What was captured as a recording.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use hexmq_workbench::capture::{Connection, End, Note, NoteKind};
use hexmq_workbench::recording::{
    Close, Entry, Export, Format, Head, Lost, Note as RecordingNote, Open, Recording, Timestamp,
};
use hexmq_workbench::{Language, Side};

use super::Refusal;
use super::choice::Choice;

/// Bytes kept of one connection while its Client Identifier is not known: a CONNECT has hardly more.
const PENDING_MAX: usize = 64 * 1024;

/// A recording being written.
pub(super) struct Record {
    writer: Export<BufWriter<File>>,
    name: String,
    /// What waits for the Client Identifier of its connection.
    pending: HashMap<u64, Vec<Entry>>,
    failed: Option<io::Error>,
}

impl Record {
    /// Begins a recording in this file, in the form that its name asks for; `reveal` leaves passwords
    /// readable.
    pub(super) fn create(path: &Path, language: Language, reveal: bool) -> Result<Record, Refusal> {
        let name = path.display().to_string();
        let format = Format::of_name(path, language).unwrap_or(Format::JsonLines);
        let refuse = |error: io::Error| format!("cannot write {name}: {error}");
        let file = File::create(path).map_err(refuse)?;
        let by = Some(concat!("hexmq ", env!("CARGO_PKG_VERSION"), " capture").to_owned());
        let head = Head { by, ..Head::default() };
        let output = BufWriter::with_capacity(64 * 1024, file);
        let writer = Export::new(output, format, head, reveal).map_err(refuse)?;
        Ok(Record { writer, name, pending: HashMap::new(), failed: None })
    }

    fn keep<T>(&mut self, outcome: io::Result<T>) {
        if let Err(error) = outcome {
            self.failed.get_or_insert(error);
        }
    }

    /// Writes an entry of a connection that is wanted, or keeps it until that is known.
    fn entry(&mut self, connection: &Connection, choice: &Choice, entry: Entry) {
        match choice.connection(connection) {
            Some(true) => {
                self.settle(connection, choice);
                let outcome = self.writer.write(&entry);
                self.keep(outcome);
            }
            Some(false) => {
                self.pending.remove(&connection.number);
            }
            None => {
                let pending = self.pending.entry(connection.number).or_default();
                let size =
                    |entry: &Entry| if let Entry::Bytes(chunk) = entry { chunk.bytes.len() } else { 128 };
                if pending.iter().map(size).sum::<usize>() + size(&entry) <= PENDING_MAX {
                    pending.push(entry);
                }
            }
        }
    }

    /// Writes what waited, now that the Client Identifier is known.
    pub(super) fn settle(&mut self, connection: &Connection, choice: &Choice) {
        if self.pending.is_empty() || choice.connection(connection).is_none() {
            return;
        }
        let wanted = choice.connection(connection) == Some(true);
        for entry in self.pending.remove(&connection.number).into_iter().flatten().filter(|_| wanted) {
            let outcome = self.writer.write(&entry);
            self.keep(outcome);
        }
    }

    pub(super) fn opened(&mut self, connection: &Connection, choice: &Choice) {
        let open = Open {
            at: connection.opened,
            connection: connection.number,
            client: connection.client.to_string(),
            server: connection.server.to_string(),
            via: connection.via,
        };
        self.entry(connection, choice, Entry::Open(open));
    }

    pub(super) fn bytes(
        &mut self,
        connection: &Connection,
        choice: &Choice,
        at: Timestamp,
        from: Side,
        bytes: &[u8],
    ) {
        if choice.connection(connection) == Some(true) && self.pending.is_empty() {
            let outcome = self.writer.bytes(at, connection.number, from, bytes);
            return self.keep(outcome);
        }
        let chunk = hexmq_workbench::recording::Chunk {
            at,
            connection: connection.number,
            from,
            bytes: bytes.to_vec(),
        };
        self.entry(connection, choice, Entry::Bytes(chunk));
    }

    pub(super) fn note(&mut self, connection: &Connection, choice: &Choice, note: &Note) {
        let lost = match note.kind {
            NoteKind::Gap { bytes } => note.from.map(|from| Lost { from, bytes }),
            _ => None,
        };
        let entry = RecordingNote {
            at: note.at,
            connection: Some(connection.number),
            text: note.kind.text(Language::English),
            reason: Some(note.kind.name().to_owned()),
            lost,
            ..RecordingNote::default()
        };
        self.entry(connection, choice, Entry::Note(entry));
    }

    pub(super) fn closed(&mut self, connection: &Connection, choice: &Choice) {
        let end = connection.end.unwrap_or(End::CaptureEnds);
        // A connection that goes on when the capture ends is not closed.
        if !matches!(end, End::CaptureEnds | End::SetAside) {
            let reason = (!matches!(end, End::Closed(_))).then(|| end.name().to_owned());
            let close = Close { at: connection.last, connection: connection.number, by: end.by(), reason };
            self.entry(connection, choice, Entry::Close(close));
        }
        self.pending.remove(&connection.number);
    }

    /// Everything is written. False: it failed, and that was told.
    pub(super) fn finish(self) -> bool {
        let finished = self.writer.finish();
        match self.failed.map_or(finished, Err) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("cannot write {}: {error}", self.name);
                false
            }
        }
    }

    /// Writes the chosen connections of a recording in the form that the name of the file asks for.
    pub(super) fn convert(
        recording: &Recording,
        chosen: &[u64],
        path: &Path,
        language: Language,
        reveal: bool,
    ) -> Result<(), Refusal> {
        let name = path.display().to_string();
        let refuse = |error: io::Error| format!("cannot write {name}: {error}");
        let format = Format::of_name(path, language).unwrap_or(Format::JsonLines);
        let output = BufWriter::with_capacity(64 * 1024, File::create(path).map_err(refuse)?);
        let mut export = Export::new(output, format, recording.head.clone(), reveal).map_err(refuse)?;
        let wanted = |entry: &&Entry| {
            chosen.is_empty() || entry.connection().is_none_or(|number| chosen.contains(&number))
        };
        for entry in recording.entries.iter().filter(wanted) {
            export.write(entry).map_err(refuse)?;
        }
        export.finish().map_err(refuse)
    }
}
