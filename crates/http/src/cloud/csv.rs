//! Comma-separated values as spreadsheets save them (RFC 4180): quotes, line feeds in quotes, a byte order mark.

use hexmq_device::{Datum, NewPoint};
use serde_json::Value;

use super::shown::datum;
use crate::error::ApiError;
use crate::input::bad_request;
use crate::times::At;

/// A table with its heading.
pub(super) struct Table<'a> {
    text: &'a str,
    heading: Vec<String>,
    line: usize,
}

/// A row: the line it begins in, counted from 1, and its cells.
type Row = (usize, Vec<String>);

impl<'a> Table<'a> {
    /// Reads the heading.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Table<'a>, ApiError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
            bad_request(format!("line {line} is not UTF-8; save the file as CSV UTF-8"))
        })?;
        let mut table = Table { text, heading: Vec::new(), line: 1 };
        let (_, heading) =
            table.row()?.ok_or_else(|| bad_request("the body is empty; a heading is expected"))?;
        table.heading = heading.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        Ok(table)
    }

    /// The names in the heading, in lower case.
    pub(super) fn heading(&self) -> &[String] {
        &self.heading
    }

    /// The next row, with as many cells as the heading has; blank lines are left out.
    pub(super) fn next(&mut self) -> Result<Option<Row>, ApiError> {
        while let Some((line, cells)) = self.row()? {
            if cells.len() == 1 && cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if cells.len() != self.heading.len() {
                let (found, expected) = (cells.len(), self.heading.len());
                return Err(bad_request(format!(
                    "line {line} has {found} cells where the heading has {expected}; put text with commas in quotes"
                )));
            }
            return Ok(Some((line, cells)));
        }
        Ok(None)
    }

    fn row(&mut self) -> Result<Option<Row>, ApiError> {
        if self.text.is_empty() {
            return Ok(None);
        }
        let begins = self.line;
        let mut cells = Vec::new();
        loop {
            let cell = self.cell(begins)?;
            cells.push(cell);
            match self.text.as_bytes() {
                [b',', ..] => self.skip(1),
                [b'\r', b'\n', ..] => {
                    self.skip(2);
                    self.line += 1;
                    return Ok(Some((begins, cells)));
                }
                [b'\n' | b'\r', ..] => {
                    self.skip(1);
                    self.line += 1;
                    return Ok(Some((begins, cells)));
                }
                _ => return Ok(Some((begins, cells))),
            }
        }
    }

    /// Leaves out so many bytes, which are whole characters.
    fn skip(&mut self, bytes: usize) {
        self.text = self.text.get(bytes..).unwrap_or_default();
    }

    fn cell(&mut self, begins: usize) -> Result<String, ApiError> {
        let Some(mut rest) = self.text.strip_prefix('"') else {
            let end = self.text.find([',', '\r', '\n']).unwrap_or(self.text.len());
            let cell = self.text.get(..end).unwrap_or_default().to_owned();
            self.skip(end);
            return Ok(cell);
        };
        let mut cell = String::new();
        loop {
            let Some((part, behind)) = rest.split_once('"') else {
                return Err(bad_request(format!("a quote that is opened in line {begins} is never closed")));
            };
            self.line += part.matches('\n').count();
            cell.push_str(part);
            let Some(doubled) = behind.strip_prefix('"') else {
                self.text = behind;
                break;
            };
            cell.push('"');
            rest = doubled;
        }
        if self.text.is_empty() || self.text.starts_with([',', '\r', '\n']) {
            return Ok(cell);
        }
        Err(bad_request(format!(
            "line {} goes on behind a closing quote; double the quote to write one",
            self.line
        )))
    }
}

/// A cell as it is written. Text that a spreadsheet would take for a formula is written as it is: who imports it
/// again gets what was exported.
pub(super) fn cell(out: &mut String, text: &str) {
    if text.contains([',', '"', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

/// Points from a table with the columns `id`, `value`, `value_hex` and `at`.
pub(super) fn points(bytes: &[u8]) -> Result<Vec<NewPoint>, ApiError> {
    let mut table = Table::new(bytes)?;
    let heading = table.heading().to_vec();
    const COLUMNS: [&str; 5] = ["id", "value", "value_hex", "at", "received_at"];
    if let Some(unknown) = heading.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(bad_request(format!("the heading has `{unknown}`; columns are {}", COLUMNS.join(", "))));
    }
    let mut points = Vec::new();
    while let Some((line, cells)) = table.next()? {
        let cell = |name: &str| {
            let found = heading.iter().zip(&cells).find(|(column, _)| *column == name);
            found.map(|(_, cell)| cell.trim()).filter(|cell| !cell.is_empty())
        };
        let id = cell("id").ok_or_else(|| bad_request(format!("line {line} has no `id`")))?;
        let at = cell("at").map(|text| {
            At::parse(text).ok_or_else(|| bad_request(format!("line {line}: `{text}` is no time")))
        });
        let wrong = |error: ApiError| bad_request(format!("line {line}: {}", error.message));
        let value: Datum = datum(id, cell("value").map(value), cell("value_hex")).map_err(wrong)?;
        points.push(NewPoint { id: id.to_owned(), value, at_ms: at.transpose()?.map(|at| at.0) });
    }
    Ok(points)
}

/// What a cell says: a number, `true`, `false`, JSON, or text.
fn value(cell: &str) -> Value {
    serde_json::from_str(cell).unwrap_or_else(|_| Value::String(cell.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>, String> {
        let mut table = Table::new(text.as_bytes()).map_err(|error| error.message)?;
        let mut rows = Vec::new();
        while let Some(row) = table.next().map_err(|error| error.message)? {
            rows.push(row);
        }
        Ok(rows)
    }

    #[test]
    fn rows_know_their_lines_and_quotes_hold_anything() {
        let text = "\u{feff}ID,Name\r\na,\"x, \"\"y\"\"\nz\"\r\n\r\nb,\n";
        let expected =
            [(2, vec!["a".to_owned(), "x, \"y\"\nz".to_owned()]), (5, vec!["b".to_owned(), String::new()])];
        assert_eq!(rows(text).as_deref(), Ok(&expected[..]));
        for (wrong, said) in [
            ("", "heading"),
            ("a,b\n1", "line 2 has 1 cells"),
            ("a\n\"x", "opened in line 2"),
            ("a\n\"x\"y", "line 2 goes on"),
        ] {
            let message = rows(wrong).expect_err(wrong);
            assert!(message.contains(said), "{message}");
        }
        let message = Table::new(b"id\na\n\xb0\xa1").err().map(|error| error.message);
        assert!(message.is_some_and(|message| message.contains("line 3 is not UTF-8")));
    }

    #[test]
    fn points_have_values_of_their_kind_and_times() {
        let text =
            "id,value,value_hex,at\nt,21.5,,2026-11-23T02:10:00Z\non,true,,\nname,hello,,\nraw,,00ff,\n";
        let points = points(text.as_bytes()).expect("points");
        assert_eq!(points[0].value, Datum::Real(21.5));
        assert_eq!(points[0].at_ms, Some(1_795_399_800_000));
        assert_eq!(points[1].value, Datum::Boolean(true));
        assert_eq!(points[2].value, Datum::Text("hello".to_owned()));
        assert_eq!(points[3].value, Datum::Binary(vec![0, 255]));
        for wrong in ["id,v\na,1\n", "id,value\n,1\n", "id,value\na,\n", "id,value,at\na,1,now\n"] {
            assert!(super::points(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(cells in prop::collection::vec("[ -~\\r\\n\"é]{0,8}", 2)) {
            let mut text = "a,b\n".to_owned();
            cell(&mut text, &cells[0]);
            text.push(',');
            cell(&mut text, &cells[1]);
            text.push('\n');
            prop_assert_eq!(rows(&text).expect("rows"), vec![(2, cells)]);
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(mut table) = Table::new(&bytes) {
                while let Ok(Some(_)) = table.next() {}
            }
        }
    }
}
