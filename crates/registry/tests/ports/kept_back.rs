//! When a batch is kept, and when it is not.

use hexmq_device::port::PortErrorKind;
use hexmq_device::{Batch, Datum, DeviceRef, Point};
use hexmq_registry::Database;

use crate::make::{NOW, event, line, of, point, query, refused, register};

fn batch(number: i64, done: &[(&str, u64)]) -> Batch {
    Batch {
        points: vec![point("d", "v", NOW, Datum::Integer(number))],
        events: vec![event("d", "alarm", NOW)],
        log: vec![line("d", "stored", NOW)],
        done: done.iter().map(|(inbox, place)| ((*inbox).to_owned(), *place)).collect(),
        ..Batch::default()
    }
}

fn counts(database: &Database) -> (usize, usize, usize) {
    let (history, query) = (&database.history, query(Some("d")));
    (
        history.points(&query).unwrap().items.len(),
        history.events(&query).unwrap().items.len(),
        history.log(&query).unwrap().items.len(),
    )
}

pub(crate) fn done(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    assert_eq!(history.done("inbox 0").unwrap(), None);
    let first = batch(1, &[("inbox 0", 0), ("inbox 1", 5)]);
    history.keep(&first).unwrap();
    assert_eq!((history.done("inbox 0").unwrap(), history.done("inbox 1").unwrap()), (Some(0), Some(5)));
    assert_eq!(counts(database), (1, 1, 1));

    // Its confirmation was lost: the same again changes nothing.
    history.keep(&first).unwrap();
    assert_eq!(counts(database), (1, 1, 1));
    history.keep(&batch(2, &[("inbox 0", 4)])).unwrap();
    history.keep(&batch(3, &[("inbox 0", 3)])).unwrap();
    assert_eq!(counts(database), (2, 2, 2));
    assert_eq!(history.done("inbox 0").unwrap(), Some(4));

    // Put together anew from what is kept and what is not.
    let mixed = batch(4, &[("inbox 0", 9), ("inbox 1", 5)]);
    refused(history.keep(&mixed), PortErrorKind::Conflict, "batch_partly_kept");
    assert_eq!(counts(database), (2, 2, 2));
    assert_eq!(history.done("inbox 0").unwrap(), Some(4));

    // Without a place it is nobody's second time.
    history.keep(&batch(5, &[])).unwrap();
    history.keep(&batch(5, &[])).unwrap();
    assert_eq!(counts(database), (4, 4, 4));
    history.keep(&Batch::default()).unwrap();
}

pub(crate) fn all_or_nothing(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    // The last thing that is written cannot be: nothing of what was written before stays.
    refused(history.keep(&batch(1, &[("inbox", u64::MAX)])), PortErrorKind::Invalid, "bad_place");
    assert_eq!(counts(database), (0, 0, 0));
    assert_eq!(history.latest(&of("d")).unwrap(), vec![]);
    assert_eq!(history.done("inbox").unwrap(), None);
    history.keep(&batch(1, &[("inbox", 1)])).unwrap();
    assert_eq!(counts(database), (1, 1, 1));
}

pub(crate) fn devices_that_are_gone(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let mut batch = batch(1, &[("inbox", 1)]);
    let gone = DeviceRef::new("p", "gone");
    batch.points.insert(0, Point { device: gone.clone(), ..batch.points[0].clone() });
    batch.points.push(Point { device: DeviceRef::new("none", "d"), ..batch.points[0].clone() });
    batch.events[0].device = gone.clone();
    batch.log[0].device = gone;
    history.keep(&batch).unwrap();
    assert_eq!(counts(database), (1, 0, 0));
    assert_eq!(history.done("inbox").unwrap(), Some(1));
}

/// What a data base can never take is refused for good, so that nobody tries it for ever; on every one alike.
pub(crate) fn names_that_are_too_long(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let named = |id: &str| {
        let mut batch = batch(1, &[("inbox", 1)]);
        batch.points[0].id = id.to_owned();
        batch
    };
    refused(history.keep(&named(&"x".repeat(1_025))), PortErrorKind::Invalid, "name_too_long");
    assert_eq!(history.done("inbox").unwrap(), None);
    // Letters that hardly any data base likes.
    let id = format!("{}温'\"\\%", "x".repeat(1_000));
    history.keep(&named(&id)).unwrap();
    assert_eq!(history.latest(&of("d")).unwrap()[0].id, id);
    let mut odd = named("nul \0 nul");
    odd.done[0].1 = 2;
    // The one letter that PostgreSQL has not becomes another: two names may become one.
    odd.points.push(point("d", "nul \u{fffd} nul", NOW, Datum::Integer(7)));
    odd.log[0].meaning = Some("\0".to_owned());
    history.keep(&odd).unwrap();
    let latest = history.latest(&of("d")).unwrap();
    assert_eq!((latest.len(), &latest[0].value), (2, &Datum::Integer(7)));
    let asked =
        hexmq_device::port::TimeQuery { ids: Some(vec!["nul \0 nul".to_owned()]), ..query(Some("d")) };
    assert_eq!(history.points(&asked).unwrap().items.len(), 2);
}
