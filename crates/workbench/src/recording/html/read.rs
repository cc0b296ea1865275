//! The recording inside a page.

use std::io::{BufRead, Read};

use super::{BEGIN, END};
use crate::recording::{LINE_MAX, ReadError, ReadErrorKind, Recording};

/// Lines of a page before the recording.
const LINES_BEFORE: u64 = 64;

/// Whether `content` begins as a page with a recording does.
pub fn is_html(content: &[u8]) -> bool {
    const LOOKED_AT: usize = 4096;
    let start = content.get(..content.len().min(LOOKED_AT)).unwrap_or_default();
    start.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

/// Reads the recording out of a page that [`write_html`](super::write_html) has written; it may hold
/// at most `most` bytes of traffic.
///
/// # Errors
/// There is none in it, or a line of it cannot be read.
pub fn read_html(mut input: impl BufRead, most: usize) -> Result<Recording, ReadError> {
    let mut number = 0;
    let mut line = Vec::new();
    let mut fetch = |number: &mut u64| -> Result<Option<Vec<u8>>, ReadError> {
        line.clear();
        *number += 1;
        let limit = LINE_MAX as u64 + 2;
        let read = (&mut input).take(limit).read_until(b'\n', &mut line);
        let count = read.map_err(|error| ReadError { line: *number, kind: ReadErrorKind::Io(error) })?;
        if count as u64 == limit {
            return Err(ReadError { line: *number, kind: ReadErrorKind::LineTooLong });
        }
        Ok((count > 0).then(|| line.trim_ascii_end().to_vec()))
    };
    let missing = |line: u64| ReadError { line, kind: ReadErrorKind::NoRecording };
    while fetch(&mut number)?.ok_or_else(|| missing(number))? != BEGIN.as_bytes() {
        if number >= LINES_BEFORE {
            return Err(missing(number));
        }
    }
    let before = number;
    let mut lines = Vec::new();
    while let Some(line) = fetch(&mut number)? {
        if line == END.as_bytes() {
            let shifted = |error: ReadError| ReadError { line: error.line + before, ..error };
            return Recording::read(&lines[..], most).map_err(shifted);
        }
        lines.extend_from_slice(line.strip_suffix(b",").unwrap_or(&line));
        lines.push(b'\n');
        // Hex takes two digits a byte; what is around it is bounded by the number of lines.
        if lines.len() / 4 > most {
            return Err(ReadError { line: number, kind: ReadErrorKind::TooLarge { most } });
        }
    }
    Err(missing(number))
}
