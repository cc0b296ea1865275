//! SQLite: one connection that writes, a few that read.
//!
//! The log of the file (WAL) is synced at every commit (`synchronous=FULL`): what `keep` has confirmed, the
//! server forgets, so a power cut must not take it back. One sync is the price of a batch, not of a point.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use crate::driver::{ANSWER_BYTES_MAX, Cell, Driver, Row, Rows, Session, Work, full, unavailable};
use crate::pool::{Lease, Pool};

/// Connections that read.
const READERS: usize = 4;
/// How often a long statement looks at the clock, in steps of SQLite's machine.
const STEPS_PER_LOOK: i32 = 10_000;
/// How long a statement waits for another program that holds the file.
const BUSY: Duration = Duration::from_secs(2);

pub(crate) struct Sqlite {
    place: Place,
    writer: Pool<Link>,
    readers: Pool<Link>,
    born: Instant,
}

enum Place {
    Memory,
    File { path: PathBuf, bytes_max: Option<u64> },
}

struct Link {
    connection: Connection,
    /// When its statements are given up, in milliseconds since [`Sqlite::born`].
    deadline_ms: Arc<AtomicU64>,
}

impl Sqlite {
    /// In memory: one connection does everything.
    pub(crate) fn in_memory() -> Result<Sqlite, String> {
        Sqlite::at(Place::Memory)
    }

    /// In a file, which is made for its owner alone.
    pub(crate) fn in_file(path: &Path, bytes_max: Option<u64>) -> Result<Sqlite, String> {
        prepare_file(path)?;
        Sqlite::at(Place::File { path: path.to_owned(), bytes_max })
    }

    fn at(place: Place) -> Result<Sqlite, String> {
        let sqlite =
            Sqlite { place, writer: Pool::new(1), readers: Pool::new(READERS), born: Instant::now() };
        // The connection that writes stays: in memory it is the data base.
        let mut lease = sqlite.writer.lease(Instant::now()).ok_or("no connection")?;
        let link = sqlite.open_link(true).map_err(|error| sqlite.cannot_open(&error))?;
        lease.connection = Some(link);
        drop(lease);
        Ok(sqlite)
    }

    fn cannot_open(&self, error: &rusqlite::Error) -> String {
        match (&self.place, error.sqlite_error_code()) {
            (Place::File { path, .. }, Some(ErrorCode::NotADatabase)) => format!(
                "{} is no data base of SQLite: name another file, or move this one away",
                path.display()
            ),
            (Place::File { path, .. }, _) => format!("{} cannot be opened: {error}", path.display()),
            (Place::Memory, _) => format!("SQLite cannot be started: {error}"),
        }
    }

    fn open_link(&self, writes: bool) -> rusqlite::Result<Link> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = match &self.place {
            Place::Memory => Connection::open_in_memory()?,
            Place::File { path, .. } => Connection::open_with_flags(path, flags)?,
        };
        connection.busy_timeout(BUSY)?;
        if let Place::File { bytes_max, .. } = &self.place {
            if writes {
                connection.pragma_update(None, "journal_mode", "WAL")?;
                connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
                if let Some(bytes_max) = bytes_max {
                    let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
                    let pages = bytes_max / u64::from(page.max(1));
                    connection.pragma_update(None, "max_page_count", pages.min(u32::MAX.into()) as u32)?;
                }
            } else {
                connection.pragma_update(None, "query_only", true)?;
            }
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        // Kibibytes, as a negative number.
        connection.pragma_update(None, "cache_size", if writes { -32_768 } else { -8_192 })?;
        connection.set_prepared_statement_cache_capacity(128);
        let deadline_ms = Arc::new(AtomicU64::new(u64::MAX));
        let (born, until) = (self.born, Arc::clone(&deadline_ms));
        connection.progress_handler(
            STEPS_PER_LOOK,
            Some(move || born.elapsed().as_millis() as u64 > until.load(Ordering::Relaxed)),
        )?;
        Ok(Link { connection, deadline_ms })
    }

    fn lease(&self, writes: bool, deadline: Instant) -> PortResult<Lease<'_, Link>> {
        let memory = matches!(self.place, Place::Memory);
        let pool = if writes || memory { &self.writer } else { &self.readers };
        let mut lease = pool
            .lease(deadline)
            .ok_or_else(|| unavailable("the data base is busy: no connection became free in time"))?;
        if lease.connection.is_none() {
            lease.connection = Some(self.open_link(writes).map_err(fault)?);
        }
        if let Some(link) = &lease.connection {
            let ms = deadline.saturating_duration_since(self.born).as_millis() as u64;
            link.deadline_ms.store(ms, Ordering::Relaxed);
        }
        Ok(lease)
    }
}

impl Driver for Sqlite {
    fn read(&self, patience: Duration, work: Work<'_>) -> PortResult<()> {
        let mut lease = self.lease(false, Instant::now() + patience)?;
        match &mut lease.connection {
            Some(link) => work(link),
            None => Err(unavailable("no connection")),
        }
    }

    fn write(&self, patience: Duration, work: Work<'_>) -> PortResult<()> {
        let mut lease = self.lease(true, Instant::now() + patience)?;
        let Some(link) = &mut lease.connection else { return Err(unavailable("no connection")) };
        link.connection.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
        // A panic in the work must not leave the transaction open for whoever comes next.
        let guard = Rollback(link);
        work(guard.0)?;
        // Too late to be given up: what is being synced is waited for.
        guard.0.deadline_ms.store(u64::MAX, Ordering::Relaxed);
        guard.0.connection.execute_batch("COMMIT").map_err(fault)
    }

    fn words(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("{whole}", "INTEGER"),
            ("{real}", "REAL"),
            ("{text}", "TEXT"),
            ("{bytes}", "BLOB"),
            ("{sequence}", "INTEGER PRIMARY KEY"),
            ("{table}", "STRICT"),
            ("{clustered}", "STRICT, WITHOUT ROWID"),
        ]
    }
}

struct Rollback<'a>(&'a mut Link);

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        let link = &self.0;
        link.deadline_ms.store(u64::MAX, Ordering::Relaxed);
        if !link.connection.is_autocommit() {
            // It fails only where SQLite has rolled back by itself.
            let _ = link.connection.execute_batch("ROLLBACK");
        }
    }
}

impl Session for Link {
    fn query_each(&mut self, sql: &str, lines: Vec<Vec<Cell>>) -> PortResult<Vec<Rows>> {
        let mut statement = self.connection.prepare_cached(&numbered(sql)).map_err(fault)?;
        let columns = statement.column_count();
        let mut answers = Vec::with_capacity(lines.len());
        let bytes_max = ANSWER_BYTES_MAX / lines.len().max(1);
        for line in &lines {
            let mut answer = Rows::default();
            let mut bytes = 0;
            let mut rows = statement.query(params_from_iter(line)).map_err(fault)?;
            while let Some(row) = rows.next().map_err(fault)? {
                if bytes > bytes_max {
                    answer.cut = true;
                    break;
                }
                let mut cells = Vec::with_capacity(columns);
                for column in 0..columns {
                    cells.push(cell(row.get_ref(column).map_err(fault)?)?);
                }
                let row = Row::new(cells);
                bytes += row.weight();
                answer.rows.push(row);
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    fn execute_each(&mut self, sql: &str, lines: Vec<Vec<Cell>>) -> PortResult<Vec<u64>> {
        let mut statement = self.connection.prepare_cached(&numbered(sql)).map_err(fault)?;
        let mut changed = Vec::with_capacity(lines.len());
        for line in &lines {
            changed.push(statement.execute(params_from_iter(line)).map_err(fault)? as u64);
        }
        Ok(changed)
    }

    fn rows_at_once(&self) -> usize {
        1
    }

    fn define(&mut self, sql: &str) -> PortResult<()> {
        self.connection.execute_batch(sql).map_err(fault)
    }
}

/// To SQLite `$1` is a name and `?1` a number.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

fn cell(value: ValueRef<'_>) -> PortResult<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    })
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Integer(value) => ValueRef::Integer(*value),
            Cell::Real(value) => ValueRef::Real(*value),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn fault(error: rusqlite::Error) -> PortError {
    let message = |what: &str| format!("{what}: {error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => full(message("there is no room for the data base")),
        Some(ErrorCode::OperationInterrupted) => unavailable("the data base has taken too long"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            unavailable(message("another program holds the data base"))
        }
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            PortError::new(PortErrorKind::Invalid, "bad_data", message("the data base does not take this"))
        }
        _ => unavailable(message("the data base has failed")),
    }
}

/// The file, for its owner alone, in a directory where nobody else can replace it.
fn prepare_file(path: &Path) -> Result<(), String> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let shown = directory.display();
    let found = std::fs::metadata(directory).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("the directory {shown} of the data base is not there: make it, or name another file")
        }
        _ => format!("the directory {shown} of the data base cannot be looked at: {error}"),
    })?;
    if !found.is_dir() {
        return Err(format!("{shown} is no directory: the data base cannot be kept in it"));
    }
    if path.is_dir() {
        return Err(format!("{} is a directory: name a file for the data base", path.display()));
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        if found.permissions().mode() & 0o1002 == 0o002 {
            return Err(format!(
                "everybody may replace files in {shown}, and the data base holds secrets: chmod o-w {shown}"
            ));
        }
        options.mode(0o600);
    }
    let file = options
        .open(path)
        .map_err(|error| format!("the data base {} cannot be opened for writing: {error}", path.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o700)).map_err(|error| {
                format!(
                    "others may read the data base {} and that cannot be changed: {error}",
                    path.display()
                )
            })?;
        }
    }
    Ok(())
}
