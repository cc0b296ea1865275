//! What is removed, and what is forgotten.

use hexmq_device::port::{PortErrorKind, TimeQuery};
use hexmq_device::{Batch, CommandState, Datum, DeviceRef, Product};
use hexmq_registry::Database;

use crate::make::{
    DAY, HOUR, NOW, add, command, device, event, line, of, point, points, product, prune_all, query, refused,
    register,
};

fn fill(database: &Database, device: &str, count: i64) {
    let batch = Batch {
        points: (0..count)
            .map(|index| point(device, "v", NOW + index * 60_000, Datum::Integer(index)))
            .collect(),
        events: (0..count / 10).map(|index| event(device, "alarm", NOW + index)).collect(),
        log: (0..count / 10).map(|index| line(device, "stored", NOW + index)).collect(),
        ..Batch::default()
    };
    database.history.keep(&batch).unwrap();
    database.history.put_command(&command(device, &format!("{device}-1"), NOW)).unwrap();
    database.registry.put_document(&of(device), "shadow", Some("{}"), None, NOW).unwrap();
}

fn is_empty(database: &Database, device: &str) -> bool {
    let (history, query) = (&database.history, query(Some(device)));
    history.points(&query).unwrap().items.is_empty()
        && history.events(&query).unwrap().items.is_empty()
        && history.log(&query).unwrap().items.is_empty()
        && history.commands(&query).unwrap().items.is_empty()
        && history.summary(&query, HOUR).unwrap().is_empty()
        && history.latest(&of(device)).unwrap().is_empty()
        && database.registry.document(&of(device), "shadow").unwrap().is_none()
}

pub(crate) fn removed_devices(database: &Database) {
    let (registry, history) = (&database.registry, &database.history);
    register(database, &["d", "e"]);
    fill(database, "d", 6_000);
    fill(database, "e", 20);
    registry.delete_device(&of("d")).unwrap();
    refused(history.points(&query(Some("d"))), PortErrorKind::NotFound, "unknown_device");
    assert_eq!(history.command("d-1").unwrap(), None);
    assert_eq!(history.events(&query(None)).unwrap().items.len(), 2);
    // One of the same name begins anew, even before what was kept is taken away.
    add(database, &["d"]);
    assert!(is_empty(database, "d"));
    assert!(prune_all(database, NOW, 0, usize::MAX) > 1, "the work of a call is bounded");
    assert!(is_empty(database, "d"));
    assert!(!is_empty(database, "e"));
    assert_eq!(history.points(&query(Some("e"))).unwrap().items.len(), 20);
    assert!(!history.prune(NOW, 0, usize::MAX).unwrap());
}

pub(crate) fn removed_points(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let both = |at_ms| [point("d", "a", at_ms, Datum::Integer(1)), point("d", "b", at_ms, Datum::Integer(2))];
    history.keep(&points(both(NOW).to_vec())).unwrap();
    history.delete_points(&of("d"), Some("none")).unwrap();
    history.delete_points(&of("d"), Some("a")).unwrap();
    let ids = || -> Vec<String> {
        history.points(&query(Some("d"))).unwrap().items.into_iter().map(|point| point.id).collect()
    };
    assert_eq!(ids(), ["b"]);
    assert_eq!(history.latest(&of("d")).unwrap().len(), 1);
    // It goes on from nothing.
    history.keep(&points(both(NOW - 1).to_vec())).unwrap();
    assert_eq!(ids(), ["a", "b", "b"]);
    let sums = history.summary(&query(Some("d")), HOUR).unwrap();
    assert_eq!(
        sums.iter().map(|sum| (sum.at_ms, sum.count)).collect::<Vec<_>>(),
        [(NOW - HOUR, 1), (NOW - HOUR, 1), (NOW, 1)]
    );
    history.delete_points(&of("d"), None).unwrap();
    assert!(is_empty(database, "d"));
    prune_all(database, NOW, 0, usize::MAX);
    assert!(is_empty(database, "d"));
    refused(history.delete_points(&of("none"), None), PortErrorKind::NotFound, "unknown_device");
}

pub(crate) fn removed_products(database: &Database) {
    let (registry, history) = (&database.registry, &database.history);
    register(database, &["d"]);
    fill(database, "d", 20);
    let mut others = vec![device("p", "d2")];
    others[0].tags.insert("floor".to_owned(), "1".to_owned());
    registry.create_devices(&others).unwrap();
    let owner = DeviceRef::new("p", "");
    registry.put_document(&owner, "tsl", Some("{}"), None, NOW).unwrap();
    registry.delete_product("p").unwrap();
    assert_eq!(registry.device(&of("d")).unwrap(), None);
    assert_eq!(registry.count_devices(&Default::default()).unwrap(), 0);
    assert_eq!(registry.documents("tsl").unwrap(), vec![]);
    assert_eq!(history.command("d-1").unwrap(), None);
    refused(history.events(&query(None)), PortErrorKind::NotFound, "unknown_product");
    // A batch that was on its way finds nobody.
    history.keep(&points(vec![point("d", "v", NOW, Datum::Integer(1))])).unwrap();

    for _ in 0..2 {
        assert_eq!(registry.products().unwrap(), vec![]);
        register(database, &["d"]);
        assert!(is_empty(database, "d"));
        assert_eq!(registry.document(&owner, "tsl").unwrap(), None);
        fill(database, "d", 20);
        prune_all(database, NOW, 0, usize::MAX);
        assert!(!is_empty(database, "d"));
        registry.delete_product("p").unwrap();
    }
    prune_all(database, NOW, 0, usize::MAX);
}

pub(crate) fn old_points(database: &Database) {
    let (registry, history) = (&database.registry, &database.history);
    registry.create_product(&Product { history_days: Some(7), ..product("p") }).unwrap();
    add(database, &["d"]);
    registry.create_product(&product("for ever".replace(' ', "-").as_str())).unwrap();
    registry.create_devices(&[device("for-ever", "d")]).unwrap();
    let old = NOW - 8 * DAY;
    let mut kept = vec![
        point("d", "v", NOW - 1, Datum::Integer(3)),
        point("d", "v", NOW - 7 * DAY, Datum::Integer(2)),
        point("d", "t", old, Datum::Text("old, and no number".to_owned())),
        point("d", "v", old, Datum::Integer(1)),
    ];
    kept.extend((0..5_000).map(|index| point("d", "v", old - index * 60_000, Datum::Integer(0))));
    let mut elsewhere = kept[3].clone();
    elsewhere.device = DeviceRef::new("for-ever", "d");
    kept.push(elsewhere);
    let batch = Batch {
        points: kept.clone(),
        events: vec![event("d", "alarm", old), event("d", "alarm", NOW)],
        ..Batch::default()
    };
    history.keep(&batch).unwrap();
    let mut done = command("d", "old", old);
    done.state = CommandState::Answered;
    history.put_command(&done).unwrap();
    history.put_command(&command("d", "open", old)).unwrap();

    assert!(prune_all(database, NOW, 0, usize::MAX) > 1, "the work of a call is bounded");
    let values = |query: &TimeQuery| -> Vec<Datum> {
        history.points(query).unwrap().items.into_iter().map(|point| point.value).collect()
    };
    assert_eq!(values(&query(Some("d"))), [Datum::Integer(2), Datum::Integer(3)]);
    assert_eq!(history.summary(&query(Some("d")), DAY).unwrap().len(), 2);
    assert_eq!(history.events(&query(None)).unwrap().items, [event("d", "alarm", NOW)]);
    assert_eq!((history.command("old").unwrap(), history.command("open").unwrap().is_some()), (None, true));
    let elsewhere = TimeQuery { product: "for-ever".to_owned(), ..query(Some("d")) };
    assert_eq!(values(&elsewhere), [Datum::Integer(1)]);
    // The newest value stays.
    let latest = history.latest(&of("d")).unwrap();
    assert_eq!(latest.iter().map(|point| &*point.id).collect::<Vec<_>>(), ["t", "v"]);
}

pub(crate) fn old_log(database: &Database) {
    let history = &database.history;
    register(database, &["d", "e"]);
    let log =
        (0..3_000).map(|index| line(if index % 3 == 0 { "d" } else { "e" }, "stored", NOW + index)).collect();
    history.keep(&Batch { log, ..Batch::default() }).unwrap();
    prune_all(database, NOW, NOW + 2_990, usize::MAX);
    let found = history.log(&query(None)).unwrap().items;
    assert_eq!(
        found.iter().map(|line| line.at_ms - NOW).collect::<Vec<_>>(),
        (2_990..3_000).collect::<Vec<_>>()
    );
    // What is counted for each device is what is there.
    prune_all(database, NOW, 0, 3);
    assert_eq!(history.log(&query(Some("d"))).unwrap().items.len(), 3);
    assert_eq!(history.log(&query(Some("e"))).unwrap().items.len(), 3);
}

pub(crate) fn long_log(database: &Database) {
    let history = &database.history;
    register(database, &["d", "e"]);
    for device in ["d", "e"] {
        let count = if device == "d" { 5_000 } else { 5 };
        let log = (0..count).map(|index| line(device, "stored", NOW + index)).collect();
        history.keep(&Batch { log, ..Batch::default() }).unwrap();
    }
    assert!(prune_all(database, NOW, 0, 10) > 1, "the work of a call is bounded");
    let times = |device: &str| -> Vec<i64> {
        history.log(&query(Some(device))).unwrap().items.iter().map(|line| line.at_ms - NOW).collect()
    };
    assert_eq!(times("d"), (4_990..5_000).collect::<Vec<_>>());
    assert_eq!(times("e"), (0..5).collect::<Vec<_>>());
}
