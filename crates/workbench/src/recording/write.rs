//! Writing a recording, a line at a time.

use std::io::{self, Write};

use super::line::{entry_line, head_line};
use super::{CHUNK_MAX, Chunk, Entry, Head, LINE_MAX, Timestamp};
use crate::Side;

/// Writes a recording entry by entry. Each line goes out in one `write_all`: give it something
/// that buffers where there is much, and something that does not where the file is watched.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the first line.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(output: W, head: &Head) -> io::Result<Writer<W>> {
        let mut writer = Writer { output, line: Vec::new() };
        writer.put(head_line(head)?)?;
        Ok(writer)
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Those of the output; an entry whose line no reader would take, because its texts are huge.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Bytes(Chunk { at, connection, from, bytes }) => self.bytes(*at, *connection, *from, bytes),
            other => self.put(entry_line(other)?),
        }
    }

    /// Writes bytes that crossed a connection, as several lines if they are many. None at all: no
    /// line.
    ///
    /// # Errors
    /// Those of the output.
    pub fn bytes(&mut self, at: Timestamp, connection: u64, from: Side, bytes: &[u8]) -> io::Result<()> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for part in bytes.chunks(CHUNK_MAX) {
            self.line.clear();
            let name = from.name();
            write!(
                self.line,
                r#"{{"type":"bytes","at":"{at}","connection":{connection},"from":"{name}","hex":""#
            )?;
            let pairs = part.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
            self.line.extend(pairs.filter_map(|nibble| DIGITS.get(usize::from(nibble))));
            self.line.extend_from_slice(b"\"}\n");
            self.output.write_all(&self.line)?;
        }
        Ok(())
    }

    fn put(&mut self, line: String) -> io::Result<()> {
        if line.len() > LINE_MAX {
            let message = format!("an entry of {} bytes; a line has at most {LINE_MAX}", line.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut line = line.into_bytes();
        line.push(b'\n');
        self.output.write_all(&line)
    }

    /// Passes on what the output holds back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.output
    }
}
