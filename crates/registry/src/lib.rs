//! Where products, devices and their history are kept: one set of statements for SQLite and PostgreSQL.

mod cursor;
mod driver;
mod history;
mod location;
mod pool;
mod postgres;
mod registry;
mod schema;
mod sqlite;

use std::sync::Arc;

use hexmq_device::port::{History, Registry};

pub use location::Location;

use crate::driver::{Base, Driver};

/// An open data base: both ports stand on the same one.
#[derive(Clone)]
pub struct Database {
    /// Products, devices, keys, documents and blobs.
    pub registry: Arc<dyn Registry>,
    /// Points, events, log lines and commands.
    pub history: Arc<dyn History>,
}

/// Opens a data base, makes its tables or brings them to this version. It takes at most a few seconds, unless
/// the tables of an older version have to be changed.
///
/// # Errors
///
/// A sentence that says what is in the way and what to do: the place cannot be reached or written, or the data
/// base was written by a newer version.
pub fn open(location: &Location) -> Result<Database, String> {
    open_within(location, Bounds::default())
}

/// How large a data base may become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a file of SQLite, without its log; what would need more is refused as `database_full`. `None`:
    /// what the disk has. PostgreSQL has its own ways of saying this.
    pub file_bytes_max: Option<u64>,
}

/// As [`open`], within bounds.
///
/// # Errors
///
/// As [`open`].
pub fn open_within(location: &Location, bounds: Bounds) -> Result<Database, String> {
    let driver: Box<dyn Driver> = match location {
        Location::Sqlite(path) => Box::new(sqlite::Sqlite::in_file(path, bounds.file_bytes_max)?),
        Location::Memory => Box::new(sqlite::Sqlite::in_memory()?),
        Location::Postgres(url) => Box::new(
            postgres::Postgres::at(url).map_err(|error| format!("the data base {location}: {error}"))?,
        ),
    };
    let base = Arc::new(Base::new(driver));
    schema::migrate(&base).map_err(|error| format!("the data base {location}: {error}"))?;
    Ok(Database {
        registry: Arc::new(registry::Registered(Arc::clone(&base))),
        history: Arc::new(history::Kept(base)),
    })
}
