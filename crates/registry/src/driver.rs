//! What a data base is to the statements of this crate: cells, rows, and a transaction that is done whole or
//! not at all. Both drivers take the same SQL with parameters `$1` …; every call ends by its deadline.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hexmq_device::port::{PortError, PortErrorKind, PortResult};

/// How long a call may take in all, waiting for a free connection included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of rows that a question is answered with, all its lines together; what is more is told as
/// [`Rows::cut`]. The first row of each line is given in any case.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A value in a row or in the place of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    /// What it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        16 + match self {
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Integer(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Cell {
        Cell::Integer(i64::from(value))
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Integer(i64::from(value))
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Real(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

impl From<&String> for Cell {
    fn from(value: &String) -> Cell {
        Cell::Text(value.clone())
    }
}

impl From<Vec<u8>> for Cell {
    fn from(value: Vec<u8>) -> Cell {
        Cell::Bytes(value)
    }
}

impl From<&[u8]> for Cell {
    fn from(value: &[u8]) -> Cell {
        Cell::Bytes(value.to_vec())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

/// The cells of one line.
macro_rules! cells {
    ($($value:expr),* $(,)?) => { vec![$($crate::driver::Cell::from($value)),*] };
}
pub(crate) use cells;

/// A row, read cell by cell from the left. A cell of another kind than the statement says is an error: somebody
/// else has written there.
#[derive(Debug)]
pub(crate) struct Row(std::vec::IntoIter<Cell>);

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Row {
        Row(cells.into_iter())
    }

    /// What is left of it takes so much memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.0.as_slice().iter().map(Cell::weight).sum()
    }

    fn next(&mut self) -> Cell {
        self.0.next().unwrap_or(Cell::Null)
    }

    pub(crate) fn maybe_integer(&mut self) -> PortResult<Option<i64>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Integer(value) => Ok(Some(value)),
            _ => Err(damaged("a whole number")),
        }
    }

    pub(crate) fn integer(&mut self) -> PortResult<i64> {
        self.maybe_integer()?.ok_or_else(|| damaged("a whole number"))
    }

    pub(crate) fn flag(&mut self) -> PortResult<bool> {
        Ok(self.integer()? != 0)
    }

    pub(crate) fn maybe_real(&mut self) -> PortResult<Option<f64>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Real(value) => Ok(Some(value)),
            Cell::Integer(value) => Ok(Some(value as f64)),
            _ => Err(damaged("a number")),
        }
    }

    pub(crate) fn maybe_text(&mut self) -> PortResult<Option<String>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Text(value) => Ok(Some(value)),
            _ => Err(damaged("text")),
        }
    }

    pub(crate) fn text(&mut self) -> PortResult<String> {
        self.maybe_text()?.ok_or_else(|| damaged("text"))
    }

    pub(crate) fn maybe_bytes(&mut self) -> PortResult<Option<Vec<u8>>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Bytes(value) => Ok(Some(value)),
            _ => Err(damaged("bytes")),
        }
    }

    pub(crate) fn bytes(&mut self) -> PortResult<Vec<u8>> {
        self.maybe_bytes()?.ok_or_else(|| damaged("bytes"))
    }
}

/// Something stands in the data base that this program has not written.
pub(crate) fn damaged(expected: &str) -> PortError {
    PortError::new(
        PortErrorKind::Unavailable,
        "database_damaged",
        format!("the data base holds something else where {expected} is expected"),
    )
}

/// Rows of an answer, in order.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// There are more, but these have [`ANSWER_BYTES_MAX`] already.
    pub(crate) cut: bool,
}

impl Rows {
    /// The first row.
    pub(crate) fn first(self) -> Option<Row> {
        self.rows.into_iter().next()
    }
}

/// A connection, in a transaction or reading.
pub(crate) trait Session {
    /// The statement once for each line of cells, with the rows of each.
    fn query_each(&mut self, sql: &str, lines: Vec<Vec<Cell>>) -> PortResult<Vec<Rows>>;

    /// The statement once for each line of cells, with how many rows each has changed.
    fn execute_each(&mut self, sql: &str, lines: Vec<Vec<Cell>>) -> PortResult<Vec<u64>>;

    /// How many rows a statement that can name several best names at once.
    fn rows_at_once(&self) -> usize;

    /// Statements without cells, one after the other: the schema.
    fn define(&mut self, sql: &str) -> PortResult<()>;

    /// One statement, its rows.
    fn query(&mut self, sql: &str, cells: Vec<Cell>) -> PortResult<Rows> {
        Ok(self.query_each(sql, vec![cells])?.into_iter().next().unwrap_or_default())
    }

    /// One statement, how many rows it has changed.
    fn execute(&mut self, sql: &str, cells: Vec<Cell>) -> PortResult<u64> {
        Ok(self.execute_each(sql, vec![cells])?.into_iter().next().unwrap_or_default())
    }
}

/// A name as every data base can hold it: without U+0000.
pub(crate) fn plain(name: &str) -> Cow<'_, str> {
    if name.contains('\0') { Cow::Owned(name.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(name) }
}

/// A statement that names several rows, once for as many lines as it takes at once: `before`, a list of
/// `(…), (…)` with a parameter for each cell, `after`. `casts`: the types of the cells, where the statement
/// does not give them. Lines have all the same number of cells.
///
/// There are few lengths, so that statements stay prepared.
pub(crate) fn with_rows(
    session: &mut dyn Session,
    before: &str,
    casts: &[&str],
    after: &str,
    lines: Vec<Vec<Cell>>,
) -> PortResult<Vec<Row>> {
    let width = lines.first().map_or(0, Vec::len);
    let most = session.rows_at_once().max(1);
    let mut lines = lines.into_iter();
    let mut found = Vec::new();
    for rows in [most, most.div_ceil(8), 1] {
        let mut together = Vec::new();
        while lines.len() >= rows {
            together.push(lines.by_ref().take(rows).flatten().collect::<Vec<Cell>>());
        }
        if together.is_empty() {
            continue;
        }
        let place = |index: usize| match casts.get(index % width.max(1)) {
            Some(cast) => format!("CAST(${} AS {cast})", index + 1),
            None => format!("${}", index + 1),
        };
        let row =
            |row: usize| (0..width).map(|cell| place(row * width + cell)).collect::<Vec<_>>().join(", ");
        let list = (0..rows).map(|index| format!("({})", row(index))).collect::<Vec<_>>().join(", ");
        let answers = session.query_each(&format!("{before} {list} {after}"), together)?;
        found.extend(answers.into_iter().flat_map(|rows| rows.rows));
    }
    Ok(found)
}

/// What is done with a session.
pub(crate) type Work<'a> = &'a mut dyn FnMut(&mut dyn Session) -> PortResult<()>;

/// A data base.
pub(crate) trait Driver: Send + Sync + 'static {
    /// Reads: each statement by itself sees one moment.
    fn read(&self, patience: Duration, work: Work<'_>) -> PortResult<()>;

    /// One transaction: when this returns `Ok`, all that was done is safe on the disk; else nothing of it is
    /// there, unless the connection broke while it was being confirmed. Writers come one after the other.
    fn write(&self, patience: Duration, work: Work<'_>) -> PortResult<()>;

    /// Words of the schema that differ: `{word}` and what stands for it.
    fn words(&self) -> &'static [(&'static str, &'static str)];
}

/// A data base as the registry and the history use it.
pub(crate) struct Base {
    pub(crate) driver: Box<dyn Driver>,
    /// Generations of blobs that are being written: their parts are not cleared away.
    writing: Mutex<Vec<i64>>,
}

impl Base {
    pub(crate) fn new(driver: Box<dyn Driver>) -> Base {
        Base { driver, writing: Mutex::new(Vec::new()) }
    }

    /// The generations that are being written.
    pub(crate) fn writing(&self) -> MutexGuard<'_, Vec<i64>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut dyn Session) -> PortResult<T>) -> PortResult<T> {
        once(work, |work| self.driver.read(PATIENCE, work))
    }

    /// Changes, within the usual patience.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&mut dyn Session) -> PortResult<T>) -> PortResult<T> {
        self.write_within(PATIENCE, work)
    }

    /// Changes.
    pub(crate) fn write_within<T>(
        &self,
        patience: Duration,
        work: impl FnOnce(&mut dyn Session) -> PortResult<T>,
    ) -> PortResult<T> {
        once(work, |work| self.driver.write(patience, work))
    }
}

fn once<T>(
    work: impl FnOnce(&mut dyn Session) -> PortResult<T>,
    run: impl FnOnce(Work<'_>) -> PortResult<()>,
) -> PortResult<T> {
    let mut work = Some(work);
    let mut result = None;
    run(&mut |session| {
        if let Some(work) = work.take() {
            result = Some(work(session)?);
        }
        Ok(())
    })?;
    result.ok_or_else(|| unavailable("the data base has not done what it was asked"))
}

/// The data base does not answer, or not in time.
pub(crate) fn unavailable(message: impl Into<String>) -> PortError {
    PortError::new(PortErrorKind::Unavailable, "database_unavailable", message)
}

/// There is no room left.
pub(crate) fn full(message: impl Into<String>) -> PortError {
    PortError::new(PortErrorKind::Full, "database_full", message)
}
