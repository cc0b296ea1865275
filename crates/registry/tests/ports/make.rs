//! Things to register and to keep.

use std::collections::BTreeMap;

use hexmq_device::port::{PageAsk, PortError, PortErrorKind, TimeQuery};
use hexmq_device::{
    Batch, Command, CommandState, Datum, Device, DeviceRef, DialectName, Direction, Event, LogLine, Point,
    Presence, Product, Secret, Validation,
};
use hexmq_registry::Database;
use serde_json::json;

/// The time of the checks: 2026-01-01 in UTC, an hour's beginning.
pub(crate) const NOW: i64 = 1_767_225_600_000;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn product(id: &str) -> Product {
    Product {
        id: id.to_owned(),
        name: format!("name of {id}"),
        dialect: DialectName::Plain,
        secret: None,
        number: 0,
        created_at_ms: NOW,
        zone_minutes: 480,
        validation: Validation::Report,
        dynamic_registration: false,
        history_days: None,
        switches: BTreeMap::new(),
    }
}

pub(crate) fn device(product: &str, id: &str) -> Device {
    Device {
        product: product.to_owned(),
        id: id.to_owned(),
        name: String::new(),
        secret: Some(Secret("secret".to_owned())),
        password: None,
        tags: BTreeMap::new(),
        disabled: false,
        created_at_ms: NOW,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: json!({}),
    }
}

/// A product `p` with these devices.
pub(crate) fn register(database: &Database, devices: &[&str]) {
    database.registry.create_product(&product("p")).unwrap();
    add(database, devices);
}

pub(crate) fn add(database: &Database, devices: &[&str]) {
    let devices: Vec<Device> = devices.iter().map(|id| device("p", id)).collect();
    for result in database.registry.create_devices(&devices).unwrap() {
        result.unwrap();
    }
}

/// A device of `p`.
pub(crate) fn of(device: &str) -> DeviceRef {
    DeviceRef::new("p", device)
}

pub(crate) fn point(device: &str, id: &str, at_ms: i64, value: Datum) -> Point {
    Point { device: of(device), id: id.to_owned(), value, at_ms, received_at_ms: NOW }
}

pub(crate) fn points(points: Vec<Point>) -> Batch {
    Batch { points, ..Batch::default() }
}

pub(crate) fn event(device: &str, id: &str, at_ms: i64) -> Event {
    Event { device: of(device), id: id.to_owned(), params: json!({"at": at_ms}), at_ms, received_at_ms: NOW }
}

pub(crate) fn line(device: &str, stage: &'static str, at_ms: i64) -> LogLine {
    LogLine {
        device: of(device),
        at_ms,
        direction: Direction::Up,
        stage,
        topic: Some("a/b".to_owned()),
        bytes: vec![0, 1, 255],
        meaning: None,
        error: Some("short at byte 2: too short".to_owned()),
    }
}

pub(crate) fn command(device: &str, id: &str, created_at_ms: i64) -> Command {
    Command {
        id: id.to_owned(),
        device: of(device),
        order: json!({"payload_hex": "00ff"}),
        state: CommandState::Created,
        reason: None,
        qos: 1,
        again: true,
        correlation: None,
        reply: None,
        reply_code: None,
        reply_data: None,
        created_at_ms,
        sent_at_ms: None,
        answered_at_ms: None,
        deadline_ms: created_at_ms + 60_000,
    }
}

/// All of `p`, or of a device of it.
pub(crate) fn query(device: Option<&str>) -> TimeQuery {
    TimeQuery {
        product: "p".to_owned(),
        device: device.map(str::to_owned),
        page: PageAsk { limit: 1_000, cursor: None },
        ..TimeQuery::default()
    }
}

/// What a call was refused with.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, PortError>, kind: PortErrorKind, code: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.code), (kind, code), "{error}");
}

/// Prunes until nothing is left to do.
pub(crate) fn prune_all(database: &Database, now_ms: i64, log_from_ms: i64, log_lines: usize) -> usize {
    let mut calls = 1;
    while database.history.prune(now_ms, log_from_ms, log_lines).unwrap() {
        calls += 1;
        assert!(calls < 10_000, "it has no end");
    }
    calls
}
