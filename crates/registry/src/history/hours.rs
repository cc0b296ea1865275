//! What summaries need of each hour of a series.

use std::collections::BTreeMap;

use hexmq_device::port::PortResult;

use crate::driver::{Cell, Row, Session, cells, damaged, with_rows};

/// Milliseconds of an hour.
pub(super) const HOUR_MS: i64 = 3_600_000;

/// The beginning of the hour of a time.
pub(super) fn hour_of(at_ms: i64) -> i64 {
    at_ms.saturating_sub(at_ms.rem_euclid(HOUR_MS))
}

/// Numbers of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sum {
    /// Points that are numbers; 0 where all points are of another kind.
    pub(super) count: i64,
    pub(super) sum: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    pub(super) last: f64,
    /// When the last number was measured, and when it came among those of the same time.
    pub(super) last_at: (i64, i64),
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { count: 0, sum: 0.0, minimum: 0.0, maximum: 0.0, last: 0.0, last_at: (i64::MIN, i64::MIN) }
    }
}

impl Sum {
    /// Of one point.
    pub(super) fn of(number: f64, at_ms: i64, sequence: i64) -> Sum {
        Sum {
            count: 1,
            sum: number,
            minimum: number,
            maximum: number,
            last: number,
            last_at: (at_ms, sequence),
        }
    }

    /// This and that together. Sums stay finite: not every data base keeps infinity.
    pub(super) fn add(&mut self, other: &Sum) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = (self.sum + other.sum).clamp(f64::MIN, f64::MAX);
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
        if other.last_at >= self.last_at {
            (self.last, self.last_at) = (other.last, other.last_at);
        }
    }

    /// Reads count, sum, minimum, maximum, last and its place.
    pub(super) fn read(row: &mut Row) -> PortResult<Sum> {
        let count = row.integer()?;
        let mut real = |what| row.maybe_real()?.ok_or_else(|| damaged(what));
        Ok(Sum {
            count,
            sum: real("a sum")?,
            minimum: real("a minimum")?,
            maximum: real("a maximum")?,
            last: real("a last value")?,
            last_at: (row.integer()?, row.integer()?),
        })
    }
}

/// As [`Sum::read`] reads them.
pub(super) const COLUMNS: &str = "count, sum, minimum, maximum, last, last_ms, last_sequence";

/// An hour of a series of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour {
    pub(super) series: i64,
    pub(super) hour_ms: i64,
    pub(super) product: i64,
}

/// Adds to what is kept of these hours, as [`Sum::add`] does: a sum that would be too large for a number stays
/// the largest, for PostgreSQL refuses to add what is too large.
pub(super) fn add(session: &mut dyn Session, hours: &BTreeMap<Hour, Sum>) -> PortResult<()> {
    let lines = hours.iter().map(|(hour, sum)| line(hour, sum)).collect();
    with_rows(
        session,
        "INSERT INTO hours (series, hour_ms, product, count, sum, minimum, maximum, last, last_ms, \
         last_sequence) VALUES",
        &[],
        "ON CONFLICT (series, hour_ms) DO UPDATE SET count = hours.count + excluded.count, \
         sum = CASE WHEN (hours.sum >= 0) <> (excluded.sum >= 0) \
         OR (ABS(hours.sum) < 8e307 AND ABS(excluded.sum) < 8e307) THEN hours.sum + excluded.sum \
         WHEN hours.sum >= 0 THEN 1.7976931348623157e308 ELSE -1.7976931348623157e308 END, \
         minimum = CASE WHEN hours.count = 0 OR (excluded.count > 0 AND excluded.minimum < hours.minimum) \
         THEN excluded.minimum ELSE hours.minimum END, \
         maximum = CASE WHEN hours.count = 0 OR (excluded.count > 0 AND excluded.maximum > hours.maximum) \
         THEN excluded.maximum ELSE hours.maximum END, \
         last = CASE WHEN hours.count = 0 OR (excluded.count > 0 AND excluded.last_ms >= hours.last_ms) \
         THEN excluded.last ELSE hours.last END, \
         last_sequence = CASE WHEN hours.count = 0 OR (excluded.count > 0 AND excluded.last_ms >= hours.last_ms) \
         THEN excluded.last_sequence ELSE hours.last_sequence END, \
         last_ms = CASE WHEN hours.count = 0 OR (excluded.count > 0 AND excluded.last_ms >= hours.last_ms) \
         THEN excluded.last_ms ELSE hours.last_ms END",
        lines,
    )
    .map(drop)
}

fn line(hour: &Hour, sum: &Sum) -> Vec<Cell> {
    cells![
        hour.series,
        hour.hour_ms,
        hour.product,
        sum.count,
        sum.sum,
        sum.minimum,
        sum.maximum,
        sum.last,
        sum.last_at.0,
        sum.last_at.1,
    ]
}
