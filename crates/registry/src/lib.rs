//! Where products, devices and their history are kept: one set of statements for SQLite and PostgreSQL.
//!
//! [`open`] gives both ports of the platform over one data base. Why it is built like this:
//! `docs/decisions/0007-registry-and-history.md`.
//!
//! # What can be relied on
//!
//! - A call that returned `Ok` is safe on the disk: SQLite syncs its log with every commit, PostgreSQL runs with
//!   `synchronous_commit=on`. A call that returned an error has changed nothing, but for one case: the connection
//!   to PostgreSQL broke while a commit was being confirmed. Who repeats such a call gets the right end: `keep`
//!   knows a batch by its places, everything else says what is there already.
//! - A call ends within about three seconds: with `Unavailable` if the data base is away, hangs or is busy, with
//!   `Full` if there is no room, with `Invalid` if no data base would ever take this. Large batches get a second
//!   more for every 2,000 rows. What is done in bites (`create_devices`, `all_offline`, blobs, `documents`,
//!   `prune`) may take that long for each bite.
//! - Writers come one after the other, readers do not wait for them. Calls may be made from any thread, also
//!   from within a runtime.
//! - Everything is bounded: connections (SQLite 1 + 4, PostgreSQL 1 + 6), rows of a page (6,000, or 16 MiB),
//!   stretches of a summary (50,000), the newest values of a device (64 MiB), ids in a question (10,000 devices,
//!   1,000 others), prepared statements, and the work of one `prune` (about 4,000 rows).
//! - A page goes on where it ended, whatever is kept meanwhile: nothing is repeated and nothing that was there is
//!   left out.
//!
//! # What is where
//!
//! `driver` is what a data base is to the statements; `sqlite` and `postgres` are two. `schema` has the tables
//! and their versions. `registry` and `history` are the two ports; a file there is a thing that is kept. Secrets
//! are kept as they are, for signatures are computed with them: a file of SQLite is for its owner alone (0600),
//! and nobody else may write in its directory.

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
