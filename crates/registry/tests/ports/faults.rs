//! Data bases that are away, hang or are full: every call ends in time and says so, and later all is well.

use std::time::{Duration, Instant};

use hexmq_device::port::{PortErrorKind, PortResult};
use hexmq_device::{Batch, Datum};
use hexmq_registry::{Bounds, Database, Location, open, open_within};

use crate::make::{NOW, device, of, point, points, product, prune_all, query, refused, register};
use crate::place::File;
use crate::server::Server;

/// Far more than a call may take, for machines that have much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn batch(place: u64, count: i64) -> Batch {
    let points = (0..count).map(|index| point("d", "v", NOW + index, Datum::Text("x".repeat(500))));
    Batch { points: points.collect(), done: vec![("inbox".to_owned(), place)], ..Batch::default() }
}

/// Tries again while the data base is away, as whoever hands in does.
fn again<T>(mut call: impl FnMut() -> PortResult<T>) -> T {
    let patience = Instant::now() + PATIENCE;
    loop {
        match call() {
            Ok(value) => return value,
            Err(error) => {
                assert_eq!(error.kind, PortErrorKind::Unavailable, "{error}");
                assert!(Instant::now() < patience, "{error}");
            }
        }
    }
}

#[test]
fn a_killed_server_comes_back() {
    let Some(mut server) = Server::start() else { return };
    let database = server.open();
    register(&database, &["d"]);
    // What is kept is counted by the thread that keeps it, while the server is killed under it.
    let keeping = database.clone();
    let (kept, counted) = std::sync::mpsc::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        for place in 1.. {
            again(|| keeping.history.keep(&batch(place, 50)));
            let _ = kept.send(place);
            if !matches!(stopped.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
                return place;
            }
        }
        0
    });
    for _ in 0..3 {
        for _ in 0..5 {
            counted.recv().unwrap();
        }
        server.kill();
        refused(database.history.done("inbox"), PortErrorKind::Unavailable, "database_unavailable");
        refused(database.registry.products(), PortErrorKind::Unavailable, "database_unavailable");
        server.run();
        // What was on its way out when it was killed may still lie there.
        while counted.try_recv().is_ok() {}
    }
    stop.send(()).unwrap();
    let last = thread.join().unwrap();
    assert_eq!(again(|| database.history.done("inbox")), Some(last));
    // Each batch once, also those whose confirmation was lost.
    assert_eq!(count_points(&database), last * 50);
}

fn count_points(database: &Database) -> u64 {
    let mut ask = query(Some("d"));
    ask.page.limit = 6_000;
    let mut count = 0;
    loop {
        let page = again(|| database.history.points(&ask));
        count += page.items.len() as u64;
        match page.next {
            Some(next) => ask.page.cursor = Some(next),
            None => return count,
        }
    }
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let Some(mut server) = Server::start() else { return };
    let database = server.open();
    register(&database, &["d"]);
    let held = server.hold();
    refused(database.history.keep(&batch(1, 1)), PortErrorKind::Unavailable, "database_unavailable");
    refused(database.registry.device(&of("d")), PortErrorKind::Unavailable, "database_unavailable");
    refused(
        database.registry.create_devices(&[device("p", "e")]),
        PortErrorKind::Unavailable,
        "database_unavailable",
    );
    drop(held);
    again(|| database.history.keep(&batch(1, 1)));
    assert_eq!(count_points(&database), 1);
}

#[test]
fn a_server_that_is_not_there_is_said() {
    let Some(mut server) = Server::start() else { return };
    let location = server.location();
    server.kill();
    let error = open(&location).err().unwrap();
    assert!(error.contains("cannot be reached") && error.contains("postgres://hexmq@"), "{error}");
    let error = open(&Location::Postgres("postgres://u:p@h:port/d".to_owned())).err().unwrap();
    assert!(error.contains("not understood") && !error.contains("u:p@"), "{error}");
}

#[test]
fn a_full_file_is_said_and_goes_on_later() {
    let file = File::new();
    let bounds = Bounds { file_bytes_max: Some(1 << 20) };
    let database = open_within(&Location::Sqlite(file.path()), bounds).unwrap();
    register(&database, &["d"]);
    let mut place = 0;
    let error = loop {
        match database.history.keep(&batch(place + 1, 100)) {
            Ok(()) => place += 1,
            Err(error) => break error,
        }
        assert!(place < 1_000, "it is never full");
    };
    assert_eq!((error.kind, error.code), (PortErrorKind::Full, "database_full"), "{error}");
    refused(database.history.keep(&batch(place + 1, 100)), PortErrorKind::Full, "database_full");
    // All of a batch or nothing, and what is there can be read.
    assert_eq!(database.history.done("inbox").unwrap(), Some(place));
    assert_eq!(count_points(&database), place * 100);
    // Once there is room it goes on.
    database.history.delete_points(&of("d"), None).unwrap();
    prune_all(&database, NOW, 0, usize::MAX);
    database.history.keep(&batch(place + 1, 100)).unwrap();
    assert_eq!(count_points(&database), 100);
}

#[test]
fn a_file_that_another_program_holds_is_waited_for_in_bounds() {
    let file = File::new();
    let database = file.open();
    register(&database, &["d"]);
    let other = rusqlite::Connection::open(file.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    refused(database.history.keep(&batch(1, 1)), PortErrorKind::Unavailable, "database_unavailable");
    assert_eq!(database.history.done("inbox").unwrap(), None);
    other.execute_batch("COMMIT").unwrap();
    database.history.keep(&batch(1, 1)).unwrap();
    assert_eq!(count_points(&database), 1);
}

#[test]
fn what_was_kept_is_there_when_it_is_opened_again() {
    let file = File::new();
    {
        let database = file.open();
        register(&database, &["d"]);
        database.history.keep(&batch(7, 3)).unwrap();
    }
    let database = file.open();
    assert_eq!(database.history.done("inbox").unwrap(), Some(7));
    assert_eq!(count_points(&database), 3);
    assert_eq!(database.registry.create_product(&product("q")).unwrap().number, 2);
}

#[test]
fn a_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new();
    drop(file.open());
    let mode = || std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let database = file.open();
    assert_eq!(mode(), 0o600);
    register(&database, &["d"]);
    for beside in ["devices.db-wal", "devices.db-shm"] {
        let path = file.path().with_file_name(beside);
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{beside}");
    }
}

#[test]
fn places_that_cannot_hold_a_file_are_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new();
    let directory = file.path().parent().unwrap().to_owned();
    let refused = |path: std::path::PathBuf, words: &str| {
        let error = open(&Location::Sqlite(path)).err().unwrap();
        assert!(error.contains(words), "{error}");
    };
    refused(directory.join("none/devices.db"), "is not there: make it");
    refused(directory.clone(), "is a directory");
    std::fs::write(file.path(), "something else, and long enough to be taken for a head").unwrap();
    refused(file.path(), "no data base of SQLite");
    refused(file.path().join("devices.db"), "no directory");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    refused(directory.join("new.db"), "chmod o-w");
}

#[test]
fn a_newer_data_base_is_refused() {
    let file = File::new();
    drop(file.open());
    let connection = rusqlite::Connection::open(file.path()).unwrap();
    connection.execute("INSERT INTO hexmq_schema (version) VALUES (99)", []).unwrap();
    let error = open(&Location::Sqlite(file.path())).err().unwrap();
    assert!(error.contains("version 99") && error.contains("newer HexMQ"), "{error}");
}

#[test]
fn readers_do_not_wait_for_who_writes() {
    let file = File::new();
    let database = file.open();
    register(&database, &["d"]);
    database.history.keep(&points(vec![point("d", "v", NOW, Datum::Integer(1))])).unwrap();
    let other = rusqlite::Connection::open(file.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM points").unwrap();
    assert_eq!(count_points(&database), 1);
}
