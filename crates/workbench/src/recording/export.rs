//! Recordings in other forms, with passwords masked.

use std::io::{self, Write};
use std::path::Path;

use super::{Chunk, Entry, Head, Masking, PcapngWriter, Recording, Timestamp, Writer, write_html};
use crate::{Language, Side};

/// Most bytes of traffic in one HTML page: browsers hold all of it at once.
pub const HTML_MAX: usize = 64 * 1024 * 1024;

/// The forms a recording can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON lines, see `docs/recordings.md`.
    JsonLines,
    /// A capture for Wireshark.
    Pcapng,
    /// One page that explains every packet, opening in this language.
    Html(Language),
}

impl Format {
    /// The form that a file name asks for; `None`: one that is not known.
    pub fn of_name(path: &Path, language: Language) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Format::JsonLines),
            "pcapng" | "ntar" => Some(Format::Pcapng),
            "html" | "htm" => Some(Format::Html(language)),
            _ => None,
        }
    }
}

/// Writes entries in one of the forms as they come. HTML is held until the end.
#[derive(Debug)]
pub struct Export<W: Write> {
    form: Form<W>,
    masking: Option<Masking>,
}

#[derive(Debug)]
enum Form<W: Write> {
    Lines(Writer<W>),
    Pcapng(PcapngWriter<W>),
    Html { output: W, language: Language, recording: Recording, held: usize },
}

impl<W: Write> Export<W> {
    /// Begins; `reveal` leaves passwords readable.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(output: W, format: Format, head: Head, reveal: bool) -> io::Result<Export<W>> {
        let head = Head { masked: head.masked || !reveal, ..head };
        let form = match format {
            Format::JsonLines => Form::Lines(Writer::new(output, &head)?),
            Format::Pcapng => Form::Pcapng(PcapngWriter::new(output, &head)?),
            Format::Html(language) => {
                let recording = Recording { head, ..Recording::default() };
                Form::Html { output, language, recording, held: 0 }
            }
        };
        Ok(Export { form, masking: (!reveal).then(Masking::default) })
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Those of the output; more than [`HTML_MAX`] bytes for a page.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut masked;
        let entry = match &mut self.masking {
            Some(masking) => {
                masked = entry.clone();
                masking.mask(&mut masked);
                &masked
            }
            None => entry,
        };
        match &mut self.form {
            Form::Lines(writer) => writer.write(entry),
            Form::Pcapng(writer) => writer.write(entry),
            Form::Html { recording, held, .. } => {
                // An entry without bytes is not free either.
                const EACH: usize = 128;
                *held += EACH + if let Entry::Bytes(chunk) = entry { chunk.bytes.len() } else { 0 };
                if *held > HTML_MAX {
                    let message =
                        format!("an HTML page holds at most {HTML_MAX} bytes; choose fewer connections");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
                }
                recording.entries.push(entry.clone());
                Ok(())
            }
        }
    }

    /// Writes bytes that crossed a connection.
    ///
    /// # Errors
    /// As [`Export::write`].
    pub fn bytes(&mut self, at: Timestamp, connection: u64, from: Side, bytes: &[u8]) -> io::Result<()> {
        match &mut self.form {
            // Nothing of the server is ever masked, so nothing need be copied.
            Form::Lines(writer) if from == Side::Server => writer.bytes(at, connection, from, bytes),
            _ => self.write(&Entry::Bytes(Chunk { at, connection, from, bytes: bytes.to_vec() })),
        }
    }

    /// Everything was written.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Lines(mut writer) => writer.flush(),
            Form::Pcapng(mut writer) => writer.flush(),
            Form::Html { mut output, language, recording, .. } => {
                write_html(&recording, language, &mut output)?;
                output.flush()
            }
        }
    }
}

/// Writes a whole recording in one of the forms.
///
/// # Errors
/// As [`Export::write`].
pub fn convert(recording: &Recording, output: impl Write, format: Format, reveal: bool) -> io::Result<()> {
    let mut export = Export::new(output, format, recording.head.clone(), reveal)?;
    for entry in &recording.entries {
        export.write(entry)?;
    }
    export.finish()
}
