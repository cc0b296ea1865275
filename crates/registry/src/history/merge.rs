//! Points of several series in one order: each series is read in parts, as far as it is needed.

use std::collections::{BTreeMap, VecDeque};

use hexmq_device::port::PortResult;

use crate::cursor::{Place, Walk};
use crate::driver::{ANSWER_BYTES_MAX, Cell, Row, Session, cells};

/// Points that a series is asked for at least.
const PART_MIN: usize = 16;

/// The points of a page, and whether there are more.
pub(super) struct Merged {
    /// Which of the series, where, and the rest of the row: received, kind, number, bytes.
    pub(super) points: Vec<(usize, Place, Row)>,
    pub(super) more: bool,
}

struct Feed {
    series: i64,
    rows: VecDeque<(Place, Row)>,
    /// Where its next part begins; `None`: it has no more.
    next: Option<Place>,
}

/// At most `limit` points of these series.
pub(super) fn merge(
    session: &mut dyn Session,
    series: &[i64],
    walk: Walk,
    limit: usize,
) -> PortResult<Merged> {
    let part = (2 * limit / series.len().max(1)).clamp(PART_MIN, limit.max(PART_MIN)) + 1;
    let feed = |series: &i64| Feed { series: *series, rows: VecDeque::new(), next: Some(walk.start) };
    let mut feeds: Vec<Feed> = series.iter().map(feed).collect();
    refill(session, feeds.iter_mut().collect(), walk, part)?;
    // No two points have the same place: the sequence is one for all series.
    let mut heads: BTreeMap<Place, usize> = BTreeMap::new();
    for (index, feed) in feeds.iter().enumerate() {
        heads.extend(feed.rows.front().map(|(place, _)| (*place, index)));
    }
    let (mut points, mut bytes) = (Vec::new(), 0);
    loop {
        let head = if walk.newest_first { heads.pop_last() } else { heads.pop_first() };
        let Some((_, index)) = head else { return Ok(Merged { points, more: false }) };
        if points.len() >= limit || bytes > ANSWER_BYTES_MAX {
            return Ok(Merged { points, more: true });
        }
        let Some(feed) = feeds.get_mut(index) else { continue };
        if let Some((place, row)) = feed.rows.pop_front() {
            bytes += row.weight();
            points.push((index, place, row));
        }
        if feed.rows.is_empty() && feed.next.is_some() {
            refill(session, vec![feed], walk, part)?;
        }
        heads.extend(feeds.get(index).and_then(|feed| feed.rows.front()).map(|(place, _)| (*place, index)));
    }
}

fn refill(session: &mut dyn Session, feeds: Vec<&mut Feed>, walk: Walk, part: usize) -> PortResult<()> {
    let sql = format!(
        "SELECT at_ms, sequence, received_ms, kind, number, bytes FROM points WHERE series = $1 AND {} \
         ORDER BY {} LIMIT $5",
        walk.condition(2),
        walk.order()
    );
    let line = |feed: &&mut Feed| {
        let mut line = cells![feed.series];
        line.extend(Walk { start: feed.next.unwrap_or(walk.start), ..walk }.cells());
        line.push(Cell::Integer(part as i64));
        line
    };
    let answers = session.query_each(&sql, feeds.iter().map(line).collect())?;
    for (feed, answer) in feeds.into_iter().zip(answers) {
        let more = answer.cut || answer.rows.len() >= part;
        for mut row in answer.rows {
            let place = Place { at_ms: row.integer()?, sequence: row.integer()? };
            feed.rows.push_back((place, row));
        }
        feed.next = feed.rows.back().map(|(place, _)| *place).filter(|_| more);
    }
    Ok(())
}
