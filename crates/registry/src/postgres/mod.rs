//! PostgreSQL: one connection that writes, a few that read.
//!
//! The client is the asynchronous one, on a thread of its own: a call waits for its answers on a channel and so
//! ends by its deadline, whatever the server or the network does, and may be made from anywhere, also from
//! within another runtime. A connection that was not answered in time is closed, and with it what it had begun.
//!
//! Writers come one after the other, here and among all programs at this data base: sequences are in the order
//! in which transactions end, and nothing deadlocks.

mod cell;
mod link;
mod runtime;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error};

use crate::driver::{Driver, Work, full, unavailable};
use crate::pool::{Lease, Pool};
use link::{Ask, Link};
use runtime::Runtime;

/// Connections that read.
const READERS: usize = 6;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Pauses between attempts to connect: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What every connection begins with, in milliseconds: the server gives up as well what its client has given up.
/// Every statement here is a walk along an index; before a table has been counted, the server takes it for small
/// and would rather read and sort all of it.
const MANNERS: &str = "SET statement_timeout = 5000; SET idle_in_transaction_session_timeout = 10000; \
                       SET client_min_messages = warning; SET synchronous_commit = on; \
                       SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; \
                       SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

pub(crate) struct Postgres {
    // Before the runtime: connections close while it still runs.
    writer: Pool<Link>,
    readers: Pool<Link>,
    runtime: Runtime,
    config: Config,
    attempts: Mutex<Attempts>,
}

/// Attempts to connect that have failed in a row.
#[derive(Default)]
struct Attempts {
    pause: Duration,
    not_before: Option<Instant>,
    why: String,
}

impl Postgres {
    /// Reads the URL and connects once.
    pub(crate) fn at(url: &str) -> Result<Postgres, String> {
        let mut config: Config =
            url.parse().map_err(|error| format!("the URL is not understood: {error}"))?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(
                "sslmode=require is not served: connect over a Unix socket or a private network".to_owned()
            );
        }
        if config.get_connect_timeout().is_none_or(|timeout| *timeout > CONNECT_TIMEOUT) {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("hexmq");
        }
        let postgres = Postgres {
            writer: Pool::new(1),
            readers: Pool::new(READERS),
            runtime: Runtime::start()?,
            config,
            attempts: Mutex::default(),
        };
        let mut encoding = String::new();
        postgres
            .read(CONNECT_TIMEOUT * 2, &mut |session| {
                let rows = session.query("SELECT current_setting('server_encoding')", vec![])?;
                encoding = rows.first().ok_or_else(|| unavailable("it has no encoding"))?.text()?;
                Ok(())
            })
            .map_err(|error| error.message)?;
        match encoding.as_str() {
            "UTF8" => Ok(postgres),
            other => Err(format!("its encoding is {other}: make one with ENCODING 'UTF8'")),
        }
    }

    /// A connection that was open a moment ago, or a new one.
    fn lease<'a>(&self, pool: &'a Pool<Link>, deadline: Instant) -> PortResult<Lease<'a, Link>> {
        let mut lease = pool
            .lease(deadline)
            .ok_or_else(|| unavailable("the data base is busy: no connection became free in time"))?;
        if lease.connection.as_ref().is_some_and(Link::is_closed) {
            lease.connection = None;
        }
        if lease.connection.is_none() {
            lease.connection = Some(self.connect(deadline)?);
        }
        Ok(lease)
    }

    fn connect(&self, deadline: Instant) -> PortResult<Link> {
        if let Attempts { not_before: Some(not_before), why, .. } = &*self.attempts()
            && *not_before > Instant::now()
        {
            return Err(unavailable(format!("the data base cannot be reached: {why}")));
        }
        let config = self.config.clone();
        let result = self.runtime.wait(deadline, async move {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute(MANNERS).await?;
            Ok(client)
        });
        let mut attempts = self.attempts();
        let why = match result {
            Some(Ok(client)) => {
                *attempts = Attempts::default();
                return Ok(Link::new(client));
            }
            Some(Err(error)) => sentence(&error),
            None => "it has not answered in time".to_owned(),
        };
        attempts.pause = (attempts.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        attempts.not_before = Some(Instant::now() + attempts.pause);
        attempts.why.clone_from(&why);
        Err(unavailable(format!("the data base cannot be reached: {why}")))
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for Postgres {
    fn read(&self, patience: Duration, work: Work<'_>) -> PortResult<()> {
        let deadline = Instant::now() + patience;
        let mut lease = self.lease(&self.readers, deadline)?;
        let Some(link) = lease.connection.take() else { return Err(unavailable("no connection")) };
        let mut ask = Ask::new(link, &self.runtime, deadline);
        let result = work(&mut ask);
        lease.connection = ask.sound();
        result
    }

    fn write(&self, patience: Duration, work: Work<'_>) -> PortResult<()> {
        let deadline = Instant::now() + patience;
        let mut lease = self.lease(&self.writer, deadline)?;
        let Some(link) = lease.connection.take() else { return Err(unavailable("no connection")) };
        // If the work panics the connection is dropped, and the server takes back what was begun.
        let mut ask = Ask::new(link, &self.runtime, deadline);
        let result =
            ask.command(&begin(patience)).and_then(|()| work(&mut ask)).and_then(|()| ask.command("COMMIT"));
        if result.is_err() {
            ask.roll_back();
        }
        lease.connection = ask.sound();
        result
    }

    fn words(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("{whole}", "BIGINT"),
            ("{real}", "DOUBLE PRECISION"),
            // Ids are compared by their bytes, as in SQLite.
            ("{text}", "TEXT COLLATE \"C\""),
            ("{bytes}", "BYTEA"),
            ("{sequence}", "BIGINT NOT NULL"),
            ("{table}", ""),
            ("{clustered}", ""),
        ]
    }
}

/// Begins a transaction that ends with the patience of whoever waits for it; writers take turns by a lock.
fn begin(patience: Duration) -> String {
    let ms = patience.as_millis();
    format!(
        "BEGIN; SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}; \
         SELECT pg_advisory_xact_lock(7525079420411351367)"
    )
}

/// What the server says, without what it was asked.
fn sentence(error: &Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(error), _) => error.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

fn fault(error: &Error) -> PortError {
    let sentence = sentence(error);
    let Some(state) = error.code() else {
        return unavailable(format!("the connection to the data base is lost: {sentence}"));
    };
    if *state == SqlState::DISK_FULL {
        return full(format!("there is no room in the data base: {sentence}"));
    }
    match state.code().get(..2) {
        // Data that the data base does not take, today or tomorrow.
        Some("22") => PortError::new(
            PortErrorKind::Invalid,
            "bad_data",
            format!("the data base does not take this: {sentence}"),
        ),
        _ => unavailable(format!("the data base has failed: {sentence} ({})", state.code())),
    }
}
