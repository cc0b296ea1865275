//! Points summarised over stretches of time.
//!
//! Stretches of whole hours are put together from what is kept of each hour, with the points themselves only at
//! both ends of the time that is asked for. They begin at the hour in which that time begins, so that days can
//! be those of any place, or at 1970 if it has no beginning. Other stretches begin at multiples of their length.

use std::collections::BTreeMap;

use hexmq_device::port::{Bucket, PortError, PortErrorKind, PortResult, TimeQuery};

use super::hours::{COLUMNS, HOUR_MS, Sum, hour_of};
use super::points::{device_of, series_of};
use crate::cursor::Place;
use crate::driver::{Session, cells};

/// Stretches of one answer.
const BUCKETS_MAX: usize = 50_000;
/// Points or hours that are read at once.
const PART: i64 = 10_000;

pub(super) fn summary(session: &mut dyn Session, query: &TimeQuery, step_ms: i64) -> PortResult<Vec<Bucket>> {
    if step_ms <= 0 {
        return Err(PortError::new(PortErrorKind::Invalid, "bad_step", "a step is at least one millisecond"));
    }
    let device = device_of(query)?;
    let from_ms = query.from_ms.unwrap_or(i64::MIN);
    let to_ms = query.to_ms.unwrap_or(i64::MAX);
    let hourly = step_ms % HOUR_MS == 0;
    let anchor_ms = query.from_ms.filter(|_| hourly).map_or(0, hour_of);
    let mut buckets = Vec::new();
    for series in series_of(session, &device, query.ids.as_deref())? {
        let room = BUCKETS_MAX.saturating_sub(buckets.len());
        let mut stretches = Stretches { step_ms, anchor_ms, room, sums: BTreeMap::new() };
        let (first, last) = (hour_from(from_ms), hour_of(to_ms));
        if !hourly || first >= last {
            add_points(session, series.id, from_ms, to_ms, &mut stretches)?;
        } else {
            add_points(session, series.id, from_ms, first, &mut stretches)?;
            add_hours(session, series.id, first, last, &mut stretches)?;
            add_points(session, series.id, last, to_ms, &mut stretches)?;
        }
        let from = buckets.len();
        buckets.extend(stretches.sums.into_iter().map(|(at_ms, sum)| bucket(&series.property, at_ms, &sum)));
        if let Some(new) = buckets.get_mut(from..).filter(|_| query.newest_first) {
            new.reverse();
        }
    }
    if query.page.limit > 0 {
        buckets.truncate(query.page.limit);
    }
    Ok(buckets)
}

/// The first whole hour that begins at this time or after it.
fn hour_from(at_ms: i64) -> i64 {
    let hour = hour_of(at_ms);
    if hour == at_ms || at_ms == i64::MIN { at_ms } else { hour.saturating_add(HOUR_MS) }
}

fn bucket(id: &str, at_ms: i64, sum: &Sum) -> Bucket {
    Bucket {
        id: id.to_owned(),
        at_ms,
        count: sum.count.unsigned_abs(),
        minimum: sum.minimum,
        maximum: sum.maximum,
        sum: sum.sum,
        last: sum.last,
    }
}

struct Stretches {
    step_ms: i64,
    anchor_ms: i64,
    room: usize,
    sums: BTreeMap<i64, Sum>,
}

impl Stretches {
    fn add(&mut self, at_ms: i64, sum: &Sum) -> PortResult<()> {
        if sum.count == 0 {
            return Ok(());
        }
        // In more bits: times from anywhere are far apart.
        let (at, anchor, step) = (i128::from(at_ms), i128::from(self.anchor_ms), i128::from(self.step_ms));
        let begin = at - (at - anchor).rem_euclid(step);
        let begin = i64::try_from(begin).unwrap_or(i64::MIN);
        if self.sums.len() >= self.room && !self.sums.contains_key(&begin) {
            return Err(PortError::new(
                PortErrorKind::Invalid,
                "too_many_stretches",
                format!("that would be more than {BUCKETS_MAX} stretches: ask for less time or longer steps"),
            ));
        }
        self.sums.entry(begin).or_default().add(sum);
        Ok(())
    }
}

fn add_hours(
    session: &mut dyn Session,
    series: i64,
    from_ms: i64,
    to_ms: i64,
    stretches: &mut Stretches,
) -> PortResult<()> {
    let sql = format!(
        "SELECT hour_ms, {COLUMNS} FROM hours WHERE series = $1 AND hour_ms >= $2 AND hour_ms < $3 \
         ORDER BY hour_ms LIMIT $4"
    );
    let mut from_ms = from_ms;
    loop {
        let answer = session.query(&sql, cells![series, from_ms, to_ms, PART])?;
        let more = answer.cut || answer.rows.len() as i64 == PART;
        for mut row in answer.rows {
            let hour_ms = row.integer()?;
            stretches.add(hour_ms, &Sum::read(&mut row)?)?;
            from_ms = hour_ms.saturating_add(1);
        }
        if !more {
            return Ok(());
        }
    }
}

fn add_points(
    session: &mut dyn Session,
    series: i64,
    from_ms: i64,
    to_ms: i64,
    stretches: &mut Stretches,
) -> PortResult<()> {
    if from_ms >= to_ms {
        return Ok(());
    }
    let sql = "SELECT at_ms, sequence, number FROM points WHERE series = $1 AND (at_ms, sequence) > ($2, $3) \
               AND at_ms < $4 ORDER BY at_ms, sequence LIMIT $5";
    let mut after = Place { at_ms: from_ms, sequence: 0 };
    loop {
        let answer = session.query(sql, cells![series, after.at_ms, after.sequence, to_ms, PART])?;
        let more = answer.cut || answer.rows.len() as i64 == PART;
        for mut row in answer.rows {
            after = Place { at_ms: row.integer()?, sequence: row.integer()? };
            if let Some(number) = row.maybe_real()? {
                stretches.add(after.at_ms, &Sum::of(number, after.at_ms, after.sequence))?;
            }
        }
        if !more {
            return Ok(());
        }
    }
}
