//! Where a list goes on, and how long a part of it may be.

use hexmq_device::port::{PageAsk, PortError, PortErrorKind, PortResult, TimeQuery};

use crate::driver::{Cell, cells};

/// Items of a page if nothing was said.
const PAGE_DEFAULT: usize = 100;
/// Items of the longest page.
pub(crate) const PAGE_MAX: usize = 6_000;

/// How many items are given; 0 asks for the usual number.
pub(crate) fn limit(ask: &PageAsk) -> usize {
    match ask.limit {
        0 => PAGE_DEFAULT,
        limit => limit.min(PAGE_MAX),
    }
}

/// A place between lines in the order of time and arrival. The sequence is given in the order in which
/// transactions end, so what comes later is never before a place that was reached, if its time is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) at_ms: i64,
    pub(crate) sequence: i64,
}

impl Place {
    /// Of a cursor, if there is one.
    pub(crate) fn of(ask: &PageAsk) -> PortResult<Option<Place>> {
        let Some(text) = &ask.cursor else { return Ok(None) };
        let (at_ms, sequence) = text.split_once('.').ok_or_else(bad_cursor)?;
        let at_ms = at_ms.parse().map_err(|_| bad_cursor())?;
        let sequence = sequence.parse().map_err(|_| bad_cursor())?;
        Ok(Some(Place { at_ms, sequence }))
    }

    pub(crate) fn text(self) -> String {
        format!("{}.{}", self.at_ms, self.sequence)
    }
}

/// A cursor that was not given out by this list.
pub(crate) fn bad_cursor() -> PortError {
    PortError::new(
        PortErrorKind::Invalid,
        "bad_cursor",
        "the cursor is not one that this list has given: begin again without one",
    )
}

/// A walk through lines in the order of time and arrival, or against it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    pub(crate) newest_first: bool,
    /// It begins after this place.
    pub(crate) start: Place,
    /// The last time that belongs to it.
    pub(crate) end_ms: i64,
}

impl Walk {
    /// What the question asks for; `None`: no time is in it.
    pub(crate) fn of(query: &TimeQuery) -> PortResult<Option<Walk>> {
        let cursor = Place::of(&query.page)?;
        let from_ms = query.from_ms.unwrap_or(i64::MIN);
        let last_ms = match query.to_ms {
            Some(i64::MIN) => return Ok(None),
            Some(to_ms) => to_ms - 1,
            None => i64::MAX,
        };
        if last_ms < from_ms {
            return Ok(None);
        }
        // Sequences begin at 1, so these two are before and after all lines of their time.
        let (before, after) =
            (Place { at_ms: from_ms, sequence: 0 }, Place { at_ms: last_ms, sequence: i64::MAX });
        Ok(Some(match query.newest_first {
            false => Walk {
                newest_first: false,
                start: cursor.map_or(before, |cursor| cursor.max(before)),
                end_ms: last_ms,
            },
            true => Walk {
                newest_first: true,
                start: cursor.map_or(after, |cursor| cursor.min(after)),
                end_ms: from_ms,
            },
        }))
    }

    /// The condition on `at_ms` and `sequence`, with the three parameters from this one on.
    pub(crate) fn condition(&self, first: usize) -> String {
        let (beyond, until) = if self.newest_first { ("<", ">=") } else { (">", "<=") };
        format!("(at_ms, sequence) {beyond} (${first}, ${}) AND at_ms {until} ${}", first + 1, first + 2)
    }

    /// What stands for its parameters.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        cells![self.start.at_ms, self.start.sequence, self.end_ms]
    }

    /// `ORDER BY` this.
    pub(crate) fn order(&self) -> &'static str {
        if self.newest_first { "at_ms DESC, sequence DESC" } else { "at_ms, sequence" }
    }
}
