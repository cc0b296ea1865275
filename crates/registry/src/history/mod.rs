//! [`History`] over a data base.

mod commands;
mod hours;
mod keep;
mod lines;
mod merge;
mod points;
mod prune;
mod stage;
mod summary;
mod value;

use std::sync::Arc;
use std::time::Duration;

use hexmq_device::port::{Bucket, History, Page, PortResult, TimeQuery};
use hexmq_device::{Batch, Command, DeviceRef, Event, LogLine, Point};

use crate::driver::{Base, PATIENCE};

/// The history of a data base.
pub(crate) struct Kept(pub(crate) Arc<Base>);

impl History for Kept {
    fn keep(&self, batch: &Batch) -> PortResult<()> {
        // A large batch gets more time, so that it is not tried for ever in vain.
        let lines = batch.points.len() + batch.events.len() + batch.log.len() + batch.presence.len();
        let patience = PATIENCE + Duration::from_secs(lines as u64 / 2_000);
        self.0.write_within(patience, |session| keep::keep(session, batch))
    }

    fn done(&self, inbox: &str) -> PortResult<Option<u64>> {
        self.0.read(|session| keep::done(session, inbox))
    }

    fn latest(&self, device: &DeviceRef) -> PortResult<Vec<Point>> {
        self.0.read(|session| points::latest(session, device))
    }

    fn points(&self, query: &TimeQuery) -> PortResult<Page<Point>> {
        self.0.read(|session| points::page(session, query))
    }

    fn summary(&self, query: &TimeQuery, step_ms: i64) -> PortResult<Vec<Bucket>> {
        self.0.read(|session| summary::summary(session, query, step_ms))
    }

    fn delete_points(&self, device: &DeviceRef, id: Option<&str>) -> PortResult<()> {
        self.0.write(|session| points::delete(session, device, id))
    }

    fn events(&self, query: &TimeQuery) -> PortResult<Page<Event>> {
        self.0.read(|session| lines::events(session, query))
    }

    fn log(&self, query: &TimeQuery) -> PortResult<Page<LogLine>> {
        self.0.read(|session| lines::log(session, query))
    }

    fn put_command(&self, command: &Command) -> PortResult<()> {
        self.0.write(|session| commands::put(session, command))
    }

    fn command(&self, id: &str) -> PortResult<Option<Command>> {
        self.0.read(|session| commands::one(session, id))
    }

    fn command_for(&self, device: &DeviceRef, correlation: &str) -> PortResult<Option<Command>> {
        self.0.read(|session| commands::for_answer(session, device, correlation))
    }

    fn commands(&self, query: &TimeQuery) -> PortResult<Page<Command>> {
        self.0.read(|session| commands::page(session, query))
    }

    fn open_commands(
        &self,
        device: Option<&DeviceRef>,
        now_ms: i64,
        limit: usize,
    ) -> PortResult<Vec<Command>> {
        self.0.read(|session| commands::open(session, device, now_ms, limit))
    }

    fn prune(&self, now_ms: i64, log_from_ms: i64, log_lines: usize) -> PortResult<bool> {
        prune::prune(&self.0, now_ms, log_from_ms, log_lines)
    }
}
