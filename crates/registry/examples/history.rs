//! How fast is a month of a busy device? `cargo run --release -p hexmq-registry --example history`
//!
//! Stores 1,000,000 points of one device over 30 days, in batches as the platform hands them in, and 100,000 of
//! one with ten properties; registers 200,000 devices; then asks. On a file of SQLite and on a PostgreSQL server
//! of its own, with both syncing as they do in service; or on the data bases that are named:
//! `… --example history -- LOCATION…`. What is named should be empty.

#![allow(clippy::unwrap_used, reason = "what fails is told by a panic")]
#![allow(dead_code, reason = "tests use more of these")]

#[path = "../tests/ports/make.rs"]
mod make;
#[path = "../tests/ports/place.rs"]
mod place;
#[path = "../tests/ports/server.rs"]
mod server;

use std::time::{Duration, Instant};

use hexmq_device::port::{DeviceQuery, PageAsk, TimeQuery};
use hexmq_device::{Batch, Datum, Device};
use hexmq_registry::{Database, Location, open};

use make::{DAY, HOUR, NOW, device, of, point, query, register};

const POINTS: i64 = 1_000_000;
const BATCH: i64 = 1_000;
const MONTH: i64 = 30 * DAY;
const DEVICES: usize = 200_000;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if !named.is_empty() {
        for name in named {
            let location = Location::parse(&name).unwrap();
            measure(&location.to_string(), &open(&location).unwrap());
        }
        return;
    }
    let file = place::File::new();
    measure("SQLite, a file", &file.open());
    if let Some(mut server) = server::Server::start_syncing() {
        measure("PostgreSQL, on a Unix socket", &server.open());
    }
}

fn measure(name: &str, database: &Database) {
    println!("\n{name}");
    register(database, &["busy", "many"]);
    fill(database);
    let history = &database.history;
    for (what, from_ms) in [("at its beginning", NOW), ("in its middle", NOW + MONTH / 2 + 1)] {
        let asked = TimeQuery { from_ms: Some(from_ms), ..month("busy") };
        time(&format!("1000 points of the month, {what}"), || history.points(&asked).unwrap().items.len());
    }
    let newest = TimeQuery { newest_first: true, ..month("busy") };
    time("1000 points of the month, the newest", || history.points(&newest).unwrap().items.len());
    let many = TimeQuery { from_ms: Some(NOW + MONTH / 2), ..month("many") };
    time("1000 points of ten properties", || history.points(&many).unwrap().items.len());
    time("the newest values of ten properties", || history.latest(&of("many")).unwrap().len());
    for (what, step) in [("hour", HOUR), ("day", DAY)] {
        time(&format!("the month by {what}"), || history.summary(&month("busy"), step).unwrap().len());
        let odd = TimeQuery {
            from_ms: Some(NOW + 1_234_567),
            to_ms: Some(NOW + MONTH - 7_654_321),
            ..month("busy")
        };
        time(&format!("the month by {what}, not from hour to hour"), || {
            history.summary(&odd, step).unwrap().len()
        });
    }
    let day = TimeQuery { to_ms: Some(NOW + DAY), ..month("busy") };
    time("a day by minute", || history.summary(&day, 60_000).unwrap().len());
    devices(database);
}

fn fill(database: &Database) {
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    for batch in 0..POINTS / BATCH {
        let points = (batch * BATCH..(batch + 1) * BATCH).map(|index| {
            point("busy", "temperature", NOW + index * (MONTH / POINTS), Datum::Real(index as f64 / 7.0))
        });
        let done = vec![("inbox".to_owned(), batch.unsigned_abs())];
        let batch = Batch { points: points.collect(), done, ..Batch::default() };
        let one = Instant::now();
        database.history.keep(&batch).unwrap();
        slowest = slowest.max(one.elapsed());
    }
    let took = begun.elapsed();
    println!(
        "{POINTS} points in batches of {BATCH}: {:.1} s, {:.0} points/s, slowest batch {:.0} ms",
        took.as_secs_f64(),
        POINTS as f64 / took.as_secs_f64(),
        slowest.as_secs_f64() * 1e3
    );
    let begun = Instant::now();
    for batch in 0..100 {
        let points = (batch * BATCH..(batch + 1) * BATCH).map(|index| {
            point(
                "many",
                &format!("property {}", index % 10),
                NOW + index * (MONTH / 100_000),
                Datum::Integer(index),
            )
        });
        database.history.keep(&Batch { points: points.collect(), ..Batch::default() }).unwrap();
    }
    println!("100000 points of ten properties: {:.1} s", begun.elapsed().as_secs_f64());
}

fn devices(database: &Database) {
    let registry = &database.registry;
    let begun = Instant::now();
    for part in 0..DEVICES / 10_000 {
        let devices: Vec<Device> =
            (0..10_000).map(|index| device("p", &format!("d{:07}", part * 10_000 + index))).collect();
        assert!(registry.create_devices(&devices).unwrap().iter().all(Result::is_ok));
    }
    println!("{DEVICES} devices registered: {:.1} s", begun.elapsed().as_secs_f64());
    let cursor = Some("p/d0100000".to_owned());
    let middle = DeviceQuery { page: PageAsk { limit: 100, cursor }, ..DeviceQuery::default() };
    time("100 devices in the middle of the list", || registry.devices(&middle).unwrap().items.len());
    time("how many devices there are", || registry.count_devices(&DeviceQuery::default()).unwrap() as usize);
    let never = DeviceQuery { status: Some("never".to_owned()), ..DeviceQuery::default() };
    time("how many were never here", || registry.count_devices(&never).unwrap() as usize);
    let found = DeviceQuery { text: Some("d0199".to_owned()), ..DeviceQuery::default() };
    time("devices by a part of their id", || registry.devices(&found).unwrap().items.len());
}

fn month(device: &str) -> TimeQuery {
    TimeQuery { from_ms: Some(NOW), to_ms: Some(NOW + MONTH), ..query(Some(device)) }
}

/// The median and the slowest of some calls.
fn time(what: &str, mut call: impl FnMut() -> usize) {
    let mut found = 0;
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let begun = Instant::now();
            found = call();
            begun.elapsed()
        })
        .collect();
    times.sort();
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{what:<48} {found:>7} found, median {:>8.2} ms, slowest {:>8.2} ms",
        ms(times.get(10)),
        ms(times.last())
    );
}
