//! Reading a recording, a line at a time.

use std::fmt;
use std::io::{self, BufRead, Read};

use super::line::{parse_entry, parse_head};
use super::{Entry, FORMAT_VERSION, Head, LINE_MAX};

/// Why a recording cannot be read, and where.
#[derive(Debug)]
pub struct ReadError {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong.
    pub kind: ReadErrorKind,
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum ReadErrorKind {
    /// The file cannot be read.
    Io(io::Error),
    /// The first line does not say that this is a recording.
    NoRecording,
    /// It is one of a later format.
    Version {
        /// What it says.
        version: u64,
    },
    /// The line is longer than [`LINE_MAX`].
    LineTooLong,
    /// It is not UTF-8.
    NotText,
    /// It is not JSON, or a member has another type.
    Json {
        /// Column, counted from 1; 0 if it is the line as a whole.
        column: usize,
        /// What the JSON reader says.
        message: String,
    },
    /// A member that this type of line needs is not there.
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member has a value that means nothing.
    Value {
        /// Its name.
        member: &'static str,
        /// The value.
        found: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// `hex` is not digits in pairs.
    Hex {
        /// The digit, counted from 1.
        digit: usize,
    },
    /// More traffic than was to be held in memory.
    TooLarge {
        /// Bytes that would have been taken.
        most: usize,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.kind {
            ReadErrorKind::Io(error) => error.fmt(f),
            ReadErrorKind::NoRecording => {
                f.write_str("not a recording: it does not begin with {\"hexmq_recording\":1}")
            }
            ReadErrorKind::Version { version } => {
                write!(f, "a recording of format {version}; this program reads format {FORMAT_VERSION}")
            }
            ReadErrorKind::LineTooLong => write!(f, "longer than {LINE_MAX} bytes, so this is no recording"),
            ReadErrorKind::NotText => f.write_str("not UTF-8"),
            ReadErrorKind::Json { column, message } => {
                write!(f, "column {column}: not JSON as expected: {message}")
            }
            ReadErrorKind::Missing { member } => write!(f, "`{member}` is missing"),
            ReadErrorKind::Value { member, found, expected } => {
                write!(f, "`{member}` is {found:?}; expected {expected}")
            }
            ReadErrorKind::Hex { digit } => write!(f, "`hex` has no pair of hex digits at digit {digit}"),
            ReadErrorKind::TooLarge { most } => {
                write!(f, "the recording holds more than the {most} bytes that are read at once")
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ReadErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Reads a recording entry by entry. Blank lines, members and types that it does not know are
/// passed over.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    head: Head,
    /// The line that was read last, counted from 1.
    line: u64,
    buffer: Vec<u8>,
    cut_off: bool,
}

/// What `fetch` found.
enum Fetched {
    /// A line with its end.
    Line,
    /// A line that the end of the file cuts off, or that simply lacks its end.
    Last,
    End,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// It is not that of a recording, or of one of a later format.
    pub fn new(input: R) -> Result<Reader<R>, ReadError> {
        let mut reader = Reader { input, head: Head::default(), line: 0, buffer: Vec::new(), cut_off: false };
        match reader.fetch() {
            Ok(Fetched::Line | Fetched::Last) => {}
            Ok(Fetched::End) => return Err(ReadError { line: 1, kind: ReadErrorKind::NoRecording }),
            // What has no lines is no recording in the first place.
            Err(ReadErrorKind::LineTooLong) => return Err(reader.error(ReadErrorKind::NoRecording)),
            Err(kind) => return Err(reader.error(kind)),
        }
        let bytes = reader.buffer.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&reader.buffer);
        let head = std::str::from_utf8(bytes).map_err(|_| ReadErrorKind::NoRecording).and_then(parse_head);
        reader.head = head.map_err(|kind| reader.error(kind))?;
        Ok(reader)
    }

    /// The first line.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The number of the line that was read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Whether the last line was not finished: whoever wrote it was stopped in the middle. Known
    /// at the end.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// The line cannot be read. Reading may go on behind it.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            let fetched = self.fetch().map_err(|kind| self.error(kind))?;
            if matches!(fetched, Fetched::End) {
                return Ok(None);
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            let parsed =
                std::str::from_utf8(&self.buffer).map_err(|_| ReadErrorKind::NotText).and_then(parse_entry);
            match (parsed, fetched) {
                (Ok(Some(entry)), _) => return Ok(Some(entry)),
                (Ok(None), _) => {}
                (Err(_), Fetched::Last) => {
                    self.cut_off = true;
                    return Ok(None);
                }
                (Err(kind), _) => return Err(self.error(kind)),
            }
        }
    }

    /// Puts the next line into the buffer, without its end.
    fn fetch(&mut self) -> Result<Fetched, ReadErrorKind> {
        self.buffer.clear();
        let limit = LINE_MAX as u64 + 1;
        let read = (&mut self.input).take(limit).read_until(b'\n', &mut self.buffer);
        self.line += 1;
        if read.map_err(ReadErrorKind::Io)? == 0 {
            self.line -= 1;
            return Ok(Fetched::End);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            return Ok(Fetched::Line);
        }
        if self.buffer.len() > LINE_MAX {
            self.skip_line().map_err(ReadErrorKind::Io)?;
            return Err(ReadErrorKind::LineTooLong);
        }
        Ok(Fetched::Last)
    }

    /// Passes over the rest of a line without holding it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let available = match self.input.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = available.iter().position(|&byte| byte == b'\n');
            let used = end.map_or(available.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn error(&self, kind: ReadErrorKind) -> ReadError {
        ReadError { line: self.line, kind }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().transpose()
    }
}
