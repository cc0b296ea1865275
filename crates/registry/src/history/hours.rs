//! What summaries need of each hour of a series.

use std::collections::BTreeMap;

use hexmq_device::port::PortResult;

use crate::driver::{Cell, Row, Rows, Session, cells, damaged};

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

/// Adds to what is kept of these hours. The sums are made here: data bases differ in what they say to sums that
/// are too large.
pub(super) fn add(session: &mut dyn Session, hours: &BTreeMap<Hour, Sum>) -> PortResult<()> {
    let sql = format!("SELECT {COLUMNS} FROM hours WHERE series = $1 AND hour_ms = $2");
    let lines = hours.keys().map(|hour| cells![hour.series, hour.hour_ms]).collect();
    let kept = session.query_each(&sql, lines)?;
    let lines: PortResult<Vec<Vec<Cell>>> =
        hours.iter().zip(kept).map(|((hour, sum), kept)| line(hour, sum, kept)).collect();
    session.execute_each(
        "INSERT INTO hours (series, hour_ms, product, count, sum, minimum, maximum, last, last_ms, last_sequence) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (series, hour_ms) DO UPDATE \
         SET count = excluded.count, sum = excluded.sum, minimum = excluded.minimum, \
         maximum = excluded.maximum, last = excluded.last, last_ms = excluded.last_ms, \
         last_sequence = excluded.last_sequence",
        lines?,
    )?;
    Ok(())
}

fn line(hour: &Hour, sum: &Sum, kept: Rows) -> PortResult<Vec<Cell>> {
    let mut total = match kept.first() {
        Some(mut row) => Sum::read(&mut row)?,
        None => Sum::default(),
    };
    total.add(sum);
    Ok(cells![
        hour.series,
        hour.hour_ms,
        hour.product,
        total.count,
        total.sum,
        total.minimum,
        total.maximum,
        total.last,
        total.last_at.0,
        total.last_at.1,
    ])
}
