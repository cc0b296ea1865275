//! Points, events and log lines.

use hexmq_device::port::{PageAsk, PortErrorKind, TimeQuery};
use hexmq_device::{Batch, Datum, Direction, LogLine, Point};
use hexmq_registry::Database;
use serde_json::json;

use crate::make::{NOW, event, line, of, point, points, query, refused, register};

pub(crate) fn values(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let values = [
        Datum::Integer(0),
        Datum::Integer(-7),
        Datum::Integer(i64::MAX),
        Datum::Integer(i64::MIN),
        Datum::Integer((1 << 53) + 1),
        Datum::Real(0.1),
        Datum::Real(5.0),
        Datum::Real(f64::MAX),
        Datum::Real(f64::MIN_POSITIVE),
        Datum::Real(f64::INFINITY),
        Datum::Boolean(true),
        Datum::Boolean(false),
        Datum::Text(String::new()),
        Datum::Text("a\0b 温度 '\"".to_owned()),
        Datum::Json(json!({"b": [1, 2.5, null], "a": "\u{0}"})),
        Datum::Binary(vec![]),
        Datum::Binary((0..=255).collect()),
    ];
    let kept: Vec<Point> = (0..).zip(values).map(|(at, value)| point("d", "v", NOW + at, value)).collect();
    history.keep(&points(kept.clone())).unwrap();
    assert_eq!(history.points(&query(Some("d"))).unwrap().items, kept);
    assert_eq!(history.latest(&of("d")).unwrap(), kept.last().cloned().into_iter().collect::<Vec<_>>());

    // What is not equal to itself, or equal to something else.
    let odd = vec![
        point("d", "odd", NOW, Datum::Real(f64::NAN)),
        point("d", "odd", NOW + 1, Datum::Real(-0.0)),
        point("d", "odd", NOW + 2, Datum::Real(f64::NEG_INFINITY)),
    ];
    history.keep(&points(odd)).unwrap();
    let asked = TimeQuery { ids: Some(vec!["odd".to_owned()]), ..query(Some("d")) };
    let found: Vec<u64> = history
        .points(&asked)
        .unwrap()
        .items
        .into_iter()
        .map(|point| match point.value {
            Datum::Real(value) => value.to_bits(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [f64::NAN, -0.0, f64::NEG_INFINITY].map(f64::to_bits));
}

pub(crate) fn late_and_equal_times(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let value = |number| Datum::Integer(number);
    let at = |number, at_ms| point("d", "v", at_ms, value(number));
    history.keep(&points(vec![at(1, NOW), at(2, NOW + 10), at(3, NOW + 10)])).unwrap();
    assert_eq!(history.latest(&of("d")).unwrap(), vec![at(3, NOW + 10)]);
    // Late: it is put where it belongs, and does not become the newest.
    history.keep(&points(vec![at(4, NOW + 5)])).unwrap();
    assert_eq!(history.latest(&of("d")).unwrap(), vec![at(3, NOW + 10)]);
    // Equal: what came later is later.
    history.keep(&points(vec![at(5, NOW + 10), at(6, i64::MIN), at(7, NOW)])).unwrap();
    assert_eq!(history.latest(&of("d")).unwrap(), vec![at(5, NOW + 10)]);
    let found = |query: &TimeQuery| -> Vec<Datum> {
        history.points(query).unwrap().items.into_iter().map(|point| point.value).collect()
    };
    assert_eq!(found(&query(Some("d"))), [6, 1, 7, 4, 2, 3, 5].map(value));
    let newest = TimeQuery { newest_first: true, ..query(Some("d")) };
    assert_eq!(found(&newest), [5, 3, 2, 4, 7, 1, 6].map(value));
    let between =
        |from_ms, to_ms| TimeQuery { from_ms: Some(from_ms), to_ms: Some(to_ms), ..query(Some("d")) };
    assert_eq!(found(&between(NOW, NOW + 10)), [1, 7, 4].map(value));
    assert_eq!(found(&TimeQuery { newest_first: true, ..between(NOW, NOW + 10) }), [4, 7, 1].map(value));
    assert_eq!(found(&between(NOW + 10, NOW + 11)), [2, 3, 5].map(value));
    assert_eq!(found(&between(NOW, NOW)), []);
    assert_eq!(found(&between(i64::MIN, i64::MIN)), []);
    history.keep(&points(vec![at(8, i64::MAX)])).unwrap();
    assert_eq!(found(&TimeQuery { from_ms: Some(NOW + 11), ..query(Some("d")) }), [8].map(value));
}

/// Several properties in one order, in parts of every length.
pub(crate) fn pages(database: &Database) {
    let history = &database.history;
    register(database, &["d", "other"]);
    let mut expected = Vec::new();
    for batch in 0..12_i64 {
        let mut new = Vec::new();
        for index in 0..20_i64 {
            // Some properties come often, some seldom; times go back and forth and repeat.
            let id = ["often", "often", "often", "seldom", "x"][(index * batch) as usize % 5];
            let at_ms = NOW + (batch * 7 + index * 3) % 40;
            new.push(point("d", id, at_ms, Datum::Integer(batch * 100 + index)));
        }
        new.push(point("other", "often", NOW, Datum::Integer(-1)));
        history.keep(&points(new.clone())).unwrap();
        new.pop();
        expected.extend(new);
    }
    // What came later stays behind what came earlier at the same time.
    expected.sort_by_key(|point| point.at_ms);
    for newest_first in [false, true] {
        for limit in [1, 3, 17, 100, 239, 240, 241, 6_000] {
            let ask = TimeQuery { newest_first, ..query(Some("d")) };
            let mut found = read_all(database, ask, limit);
            if newest_first {
                found.reverse();
            }
            assert_eq!(found, expected, "in parts of {limit}, newest first: {newest_first}");
        }
    }
    let seldom =
        TimeQuery { ids: Some(vec!["seldom".into(), "none".into(), "x".into()]), ..query(Some("d")) };
    let found = read_all(database, seldom, 5);
    expected.retain(|point| point.id != "often");
    assert_eq!(found, expected);

    refused(history.points(&query(None)), PortErrorKind::Invalid, "no_device");
    refused(history.points(&query(Some("none"))), PortErrorKind::NotFound, "unknown_device");
    for cursor in ["", "1", "a.b", "1.2.3"] {
        let page = PageAsk { limit: 1, cursor: Some(cursor.to_owned()) };
        let lost = TimeQuery { page, ..query(Some("d")) };
        refused(history.points(&lost), PortErrorKind::Invalid, "bad_cursor");
    }
}

fn read_all(database: &Database, mut query: TimeQuery, limit: usize) -> Vec<Point> {
    query.page = PageAsk { limit, cursor: None };
    let mut found = Vec::new();
    loop {
        let page = database.history.points(&query).unwrap();
        assert!(page.items.len() <= limit);
        found.extend(page.items);
        match page.next {
            Some(next) => query.page.cursor = Some(next),
            None => return found,
        }
    }
}

/// What is kept between two parts neither repeats nor hides what was there.
pub(crate) fn cursors_stay(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let at = |at_ms| point("d", "v", at_ms, Datum::Integer(at_ms - NOW));
    history.keep(&points((0..10).map(|index| at(NOW + index * 10)).collect())).unwrap();
    let mut query = TimeQuery { page: PageAsk { limit: 3, cursor: None }, ..query(Some("d")) };
    let mut found = Vec::new();
    loop {
        let page = history.points(&query).unwrap();
        found.extend(page.items);
        let Some(next) = page.next else { break };
        query.page.cursor = Some(next);
        // One before everything, one at the very place that was reached.
        let reached = found.last().map(|point: &Point| point.at_ms).unwrap();
        history.keep(&points(vec![at(NOW - 1), at(reached)])).unwrap();
    }
    let mut old: Vec<i64> = found.iter().map(|point| point.at_ms - NOW).collect();
    old.dedup();
    assert_eq!(old, (0..10).map(|index| index * 10).collect::<Vec<i64>>());
}

pub(crate) fn lines(database: &Database) {
    let history = &database.history;
    register(database, &["d", "e"]);
    let bare = LogLine {
        direction: Direction::Down,
        topic: None,
        bytes: vec![],
        meaning: Some("nothing".to_owned()),
        error: None,
        ..line("e", "sent", NOW + 1)
    };
    let batch = Batch {
        events: vec![event("d", "alarm", NOW + 2), event("e", "alarm", NOW + 1), event("d", "door", NOW)],
        log: vec![line("d", "received", NOW), bare.clone(), line("d", "refused", NOW)],
        ..Batch::default()
    };
    history.keep(&batch).unwrap();
    assert_eq!(
        history.events(&query(None)).unwrap().items,
        [event("d", "door", NOW), event("e", "alarm", NOW + 1), event("d", "alarm", NOW + 2)]
    );
    let alarms = TimeQuery { ids: Some(vec!["alarm".to_owned()]), newest_first: true, ..query(Some("d")) };
    assert_eq!(history.events(&alarms).unwrap().items, [event("d", "alarm", NOW + 2)]);
    assert_eq!(
        history.log(&query(None)).unwrap().items,
        [line("d", "received", NOW), line("d", "refused", NOW), bare.clone()]
    );
    let first = TimeQuery { page: PageAsk { limit: 1, cursor: None }, ..query(Some("d")) };
    let page = history.log(&first).unwrap();
    assert_eq!(page.items, [line("d", "received", NOW)]);
    let rest = TimeQuery { page: PageAsk { limit: 1, cursor: page.next }, ..query(Some("d")) };
    let page = history.log(&rest).unwrap();
    assert_eq!((page.items, page.next), (vec![line("d", "refused", NOW)], None));
    let later = TimeQuery { from_ms: Some(NOW + 1), ..query(None) };
    assert_eq!(history.log(&later).unwrap().items, [bare]);
}
