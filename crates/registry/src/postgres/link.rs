//! A connection, and a call that uses it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use hexmq_device::port::PortResult;
use tokio_postgres::{Client, Error, NoTls, Statement};

use super::cell::row;
use super::fault;
use super::runtime::Runtime;
use crate::driver::{ANSWER_BYTES_MAX, Cell, Row, Rows, Session, unavailable};

/// Lines that are on their way to the server at once.
const LINES_AHEAD: usize = 128;
/// Statements that stay prepared.
const STATEMENTS_MAX: usize = 256;
/// How long taking back what was begun may take.
const ROLL_BACK: Duration = Duration::from_millis(500);
/// How long telling the server to stop may take.
const CANCEL: Duration = Duration::from_secs(2);

pub(super) struct Link(Arc<Inner>);

struct Inner {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
}

impl Link {
    pub(super) fn new(client: Client) -> Link {
        Link(Arc::new(Inner { client, statements: Mutex::default() }))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.client.is_closed()
    }
}

impl Inner {
    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Not more than so many bytes of rows, but one row.
    async fn rows(&self, statement: &Statement, line: &[Cell], bytes_max: usize) -> Result<Rows, Error> {
        let rows = self.client.query_raw(statement, line).await?;
        pin_mut!(rows);
        let (mut answer, mut bytes) = (Rows::default(), 0);
        while let Some(found) = rows.try_next().await? {
            if bytes > bytes_max {
                answer.cut = true;
                break;
            }
            let found: Row = row(&found)?;
            bytes += found.weight();
            answer.rows.push(found);
        }
        Ok(answer)
    }
}

/// One call: it has until its deadline, and a connection that is not asked any more once it has failed.
pub(super) struct Ask<'a> {
    link: Option<Link>,
    runtime: &'a Runtime,
    deadline: Instant,
}

impl<'a> Ask<'a> {
    pub(super) fn new(link: Link, runtime: &'a Runtime, deadline: Instant) -> Ask<'a> {
        Ask { link: Some(link), runtime, deadline }
    }

    /// The connection, if it may be used again.
    pub(super) fn sound(self) -> Option<Link> {
        self.link.filter(|link| !link.is_closed())
    }

    /// A statement without cells.
    pub(super) fn command(&mut self, sql: &str) -> PortResult<()> {
        let sql = sql.to_owned();
        self.run(move |inner| async move { inner.client.batch_execute(&sql).await })
    }

    /// Takes back what was begun; a connection where that fails is closed, which does the same.
    pub(super) fn roll_back(&mut self) {
        self.deadline = Instant::now() + ROLL_BACK;
        if self.command("ROLLBACK").is_err() {
            self.link = None;
        }
    }

    fn run<T, F>(&mut self, work: impl FnOnce(Arc<Inner>) -> F) -> PortResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Some(link) = &self.link else {
            return Err(unavailable("the connection to the data base is lost"));
        };
        match self.runtime.wait(self.deadline, work(Arc::clone(&link.0))) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(fault(&error)),
            None => {
                // Nobody knows what it is doing: it is not used any more, and the server is told to stop it, for
                // it may hold what others wait for.
                if let Some(link) = self.link.take() {
                    let stop = link.0.client.cancel_token();
                    self.runtime.start_within(CANCEL, async move {
                        let _ = stop.cancel_query(NoTls).await;
                    });
                }
                Err(unavailable("the data base has not answered in time"))
            }
        }
    }
}

impl Session for Ask<'_> {
    fn query_each(&mut self, sql: &str, lines: Vec<Vec<Cell>>) -> PortResult<Vec<Rows>> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let sql = sql.to_owned();
        self.run(move |inner| async move {
            let statement = inner.prepared(&sql).await?;
            let bytes_max = ANSWER_BYTES_MAX / lines.len().max(1);
            let mut answers = Vec::with_capacity(lines.len());
            for line in &lines {
                answers.push(inner.rows(&statement, line, bytes_max));
            }
            stream::iter(answers).buffered(LINES_AHEAD).try_collect().await
        })
    }

    fn execute_each(&mut self, sql: &str, lines: Vec<Vec<Cell>>) -> PortResult<Vec<u64>> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let sql = sql.to_owned();
        self.run(move |inner| async move {
            let statement = inner.prepared(&sql).await?;
            let mut answers = Vec::with_capacity(lines.len());
            for line in &lines {
                answers.push(inner.client.execute_raw(&statement, line));
            }
            stream::iter(answers).buffered(LINES_AHEAD).try_collect().await
        })
    }

    /// Each statement is a message, a plan and an answer; a row more costs little.
    fn rows_at_once(&self) -> usize {
        64
    }

    fn define(&mut self, sql: &str) -> PortResult<()> {
        self.command(sql)
    }
}
