//! A bounded set of connections, handed out one at a time to each; who waits, waits until a deadline.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Pool<C> {
    state: Mutex<State<C>>,
    freed: Condvar,
    size: usize,
}

#[derive(Debug)]
struct State<C> {
    idle: Vec<C>,
    /// Idle ones and those that are lent.
    open: usize,
}

/// A place in the pool, with a connection or for one that has still to be opened. It goes back when dropped:
/// with its connection if there is one then.
#[derive(Debug)]
pub(crate) struct Lease<'a, C> {
    pool: &'a Pool<C>,
    pub(crate) connection: Option<C>,
}

impl<C> Pool<C> {
    pub(crate) fn new(size: usize) -> Pool<C> {
        Pool { state: Mutex::new(State { idle: Vec::new(), open: 0 }), freed: Condvar::new(), size }
    }

    /// A place; `None`: all were taken until the deadline.
    pub(crate) fn lease(&self, deadline: Instant) -> Option<Lease<'_, C>> {
        let mut state = self.state();
        loop {
            if let Some(connection) = state.idle.pop() {
                return Some(Lease { pool: self, connection: Some(connection) });
            }
            if state.open < self.size {
                state.open += 1;
                return Some(Lease { pool: self, connection: None });
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        // What is behind the lock is whole after every statement: a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Drop for Lease<'_, C> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        match self.connection.take() {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}
