//! Points summarised.

use hexmq_device::Datum;
use hexmq_device::port::{Bucket, PageAsk, PortErrorKind, TimeQuery};
use hexmq_registry::Database;

use crate::make::{DAY, HOUR, NOW, point, points, query, refused, register};

/// Sets a point every ten minutes of three days, of values 0, 1, 2 …; late ones come last.
fn fill(database: &Database) -> Vec<(i64, f64)> {
    register(database, &["d"]);
    let all: Vec<(i64, f64)> = (0..432).map(|index| (NOW + index * 600_000, index as f64)).collect();
    let (even, odd): (Vec<_>, Vec<_>) = all.iter().partition(|(_, value)| *value as i64 % 2 == 0);
    for part in [even, odd] {
        let part = part.into_iter().map(|(at, value): (i64, f64)| point("d", "v", at, Datum::Real(value)));
        database.history.keep(&points(part.collect())).unwrap();
    }
    all
}

/// The same by adding up.
fn expected(all: &[(i64, f64)], from: i64, to: i64, step: i64, anchor: i64) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for &(at, value) in all.iter().filter(|(at, _)| (from..to).contains(at)) {
        let at_ms = at - (at - anchor).rem_euclid(step);
        match buckets.last_mut().filter(|bucket| bucket.at_ms == at_ms) {
            Some(bucket) => {
                bucket.count += 1;
                bucket.sum += value;
                bucket.minimum = bucket.minimum.min(value);
                bucket.maximum = bucket.maximum.max(value);
                bucket.last = value;
            }
            None => buckets.push(Bucket {
                id: "v".to_owned(),
                at_ms,
                count: 1,
                minimum: value,
                maximum: value,
                sum: value,
                last: value,
            }),
        }
    }
    buckets
}

pub(crate) fn sums(database: &Database) {
    let history = &database.history;
    let all = fill(database);
    for step in [60_000, 900_000, HOUR, HOUR + 1, 90 * 60_000, 6 * HOUR, DAY, 7 * DAY] {
        let found = history.summary(&query(Some("d")), step).unwrap();
        assert_eq!(found, expected(&all, i64::MIN, i64::MAX, step, 0), "steps of {step} ms");
    }
    let newest =
        TimeQuery { newest_first: true, page: PageAsk { limit: 2, cursor: None }, ..query(Some("d")) };
    let mut last = expected(&all, i64::MIN, i64::MAX, DAY, 0);
    last.reverse();
    last.truncate(2);
    assert_eq!(history.summary(&newest, DAY).unwrap(), last);
    refused(history.summary(&query(Some("d")), 0), PortErrorKind::Invalid, "bad_step");
    refused(history.summary(&query(None), 1), PortErrorKind::Invalid, "no_device");
}

/// Times that are no whole hours, and days that do not begin at midnight in Greenwich.
pub(crate) fn at_the_ends(database: &Database) {
    let history = &database.history;
    let all = fill(database);
    let ends = [
        (NOW, NOW + DAY),
        (NOW + 1, NOW + DAY),
        (NOW + 8 * HOUR, NOW + 2 * DAY + 8 * HOUR),
        (NOW + 600_001, NOW + DAY + 1_200_001),
        (NOW + 600_000, NOW + 1_200_000),
        (NOW + 600_000, NOW + HOUR + 600_000),
        (NOW - 5 * DAY, NOW + 50 * DAY),
        (NOW + DAY, NOW),
        (i64::MIN, NOW + DAY),
        (NOW + DAY, i64::MAX),
    ];
    for (from, to) in ends {
        for step in [900_000, HOUR, 5 * HOUR, DAY] {
            let asked = TimeQuery { from_ms: Some(from), to_ms: Some(to), ..query(Some("d")) };
            let anchor = if step % HOUR == 0 { from.saturating_sub(from.rem_euclid(HOUR)) } else { 0 };
            let all: &[(i64, f64)] = if from == i64::MIN { &[] } else { &all };
            if from == i64::MIN {
                // Stretches begin at the first hour there is; how many points there are is told all the same.
                let found = history.summary(&asked, step).unwrap();
                assert_eq!(found.iter().map(|bucket| bucket.count).sum::<u64>(), 144);
                continue;
            }
            let found = history.summary(&asked, step).unwrap();
            assert_eq!(found, expected(all, from, to, step, anchor), "{from} to {to}, steps of {step} ms");
        }
    }
}

pub(crate) fn odd_numbers(database: &Database) {
    let history = &database.history;
    register(database, &["d"]);
    let kept = [
        point("d", "t", NOW, Datum::Text("no number".to_owned())),
        point("d", "v", NOW, Datum::Boolean(true)),
        point("d", "v", NOW + 1, Datum::Real(f64::MAX)),
        point("d", "v", NOW + 2, Datum::Real(f64::MAX)),
        point("d", "v", NOW + 3, Datum::Real(f64::NAN)),
        point("d", "v", NOW + 4, Datum::Real(f64::INFINITY)),
        point("d", "v", NOW + 5, Datum::Integer(-3)),
        point("d", "v", NOW + 6, Datum::Json(serde_json::json!([1]))),
    ];
    // In two batches: what is kept of the hour is added to.
    history.keep(&points(kept[..4].to_vec())).unwrap();
    history.keep(&points(kept[4..].to_vec())).unwrap();
    for step in [HOUR, 60_000] {
        let found = history.summary(&query(Some("d")), step).unwrap();
        let sum = f64::MAX;
        assert_eq!(
            found,
            vec![Bucket {
                id: "v".to_owned(),
                at_ms: NOW,
                count: 4,
                minimum: -3.0,
                maximum: f64::MAX,
                sum,
                last: -3.0
            }]
        );
    }
    // Times before 1970 and at both ends of what can be counted.
    let far = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1];
    let kept = far.iter().map(|at| point("d", "far", *at, Datum::Integer(1))).collect();
    history.keep(&points(kept)).unwrap();
    let asked = TimeQuery { ids: Some(vec!["far".to_owned()]), ..query(Some("d")) };
    let found = history.summary(&asked, HOUR).unwrap();
    let counts: Vec<(i64, u64)> = found.iter().map(|bucket| (bucket.at_ms, bucket.count)).collect();
    let last = i64::MAX - 1 - (i64::MAX - 1) % HOUR;
    assert_eq!(counts[1..], [(-HOUR, 1), (0, 1), (last, 1)]);
    assert_eq!(counts[0].1, 2);
}
