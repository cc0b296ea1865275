//! Forgetting in bites: what was removed, and what is older than it is kept.
//!
//! Points go hour by hour, by what `hours` knows of them, so a point may stay up to an hour longer than its
//! product says. The newest value of a property stays however old it is.

use hexmq_device::port::PortResult;

use super::hours::{HOUR_MS, hour_of};
use crate::driver::{Base, Cell, Session, cells};
use crate::registry::doom;

/// Rows that one call removes, about.
const WORK_MAX: usize = 4_000;
/// Rows that one transaction removes, about: others who write wait no longer than that takes.
const BITE: usize = 500;
const DAY_MS: i64 = 86_400_000;

pub(super) fn prune(base: &Base, now_ms: i64, log_from_ms: i64, log_lines: usize) -> PortResult<bool> {
    let log_lines = i64::try_from(log_lines).unwrap_or(i64::MAX);
    let mut left = WORK_MAX;
    let mut all = |step: &mut dyn FnMut(&mut dyn Session, usize) -> PortResult<usize>| {
        while left > 0 {
            let done = base.write(|session| step(session, left.min(BITE)))?;
            if done == 0 {
                break;
            }
            left = left.saturating_sub(done);
        }
        PortResult::Ok(())
    };
    all(&mut doomed_product)?;
    all(&mut doomed_device)?;
    all(&mut doomed_series)?;
    all(&mut |session, bite| doomed_blob(session, &base.writing(), bite))?;
    for (product, kept_from_ms) in keeping(base, now_ms)? {
        if let Some(from_ms) = kept_from_ms {
            all(&mut |session, bite| old_points(session, product, from_ms, bite))?;
            all(&mut |session, bite| old_lines(session, "events", "", product, from_ms, bite))?;
            all(&mut |session, bite| {
                old_lines(session, "commands", " AND final = 1", product, from_ms, bite)
            })?;
        }
        all(&mut |session, bite| old_log(session, product, log_from_ms, bite))?;
    }
    all(&mut |session, bite| long_log(session, log_lines, bite))?;
    Ok(left == 0)
}

/// The products and from when on what is theirs is kept.
fn keeping(base: &Base, now_ms: i64) -> PortResult<Vec<(i64, Option<i64>)>> {
    let rows = base.read(|session| session.query("SELECT number, history_days FROM products", vec![]))?.rows;
    rows.into_iter()
        .map(|mut row| {
            let number = row.integer()?;
            let days = row.maybe_integer()?;
            Ok((number, days.map(|days| now_ms.saturating_sub(days.saturating_mul(DAY_MS)))))
        })
        .collect()
}

/// The next thing of this kind that is to be removed.
fn next_doomed(session: &mut dyn Session, kind: &str) -> PortResult<Option<i64>> {
    let sql = "SELECT number FROM doomed WHERE kind = $1 ORDER BY number LIMIT 1";
    session.query(sql, cells![kind])?.first().map(|mut row| row.integer()).transpose()
}

fn removed(session: &mut dyn Session, kind: &str, number: i64) -> PortResult<usize> {
    session.execute("DELETE FROM doomed WHERE kind = $1 AND number = $2", cells![kind, number])?;
    Ok(1)
}

/// Its devices become doomed ones; its tags and documents go.
fn doomed_product(session: &mut dyn Session, bite: usize) -> PortResult<usize> {
    let Some(product) = next_doomed(session, "product")? else { return Ok(0) };
    let devices = session.query(
        "SELECT number FROM devices WHERE product = $1 ORDER BY id LIMIT $2",
        cells![product, bite as i64],
    )?;
    let mut numbers = Vec::with_capacity(devices.rows.len());
    for mut row in devices.rows {
        numbers.push(row.integer()?);
    }
    for number in &numbers {
        doom(session, "device", *number)?;
    }
    let lines = numbers.iter().map(|number| cells![*number]).collect();
    session.execute_each("DELETE FROM devices WHERE number = $1", lines)?;
    if !numbers.is_empty() {
        return Ok(numbers.len());
    }
    let keys = session.query(
        "SELECT name, value, id FROM tags WHERE product = $1 LIMIT $2",
        cells![product, bite as i64],
    )?;
    let mut lines = Vec::with_capacity(keys.rows.len());
    for mut row in keys.rows {
        lines.push(cells![product, row.text()?, row.text()?, row.text()?]);
    }
    let tags = lines.len();
    let sql = "DELETE FROM tags WHERE product = $1 AND name = $2 AND value = $3 AND id = $4";
    session.execute_each(sql, lines)?;
    let sql = "SELECT device, kind FROM documents WHERE product = $1 LIMIT $2";
    let keys = session.query(sql, cells![product, bite as i64])?;
    let mut lines = Vec::with_capacity(keys.rows.len());
    for mut row in keys.rows {
        lines.push(cells![product, row.integer()?, row.text()?]);
    }
    let documents = lines.len();
    let sql = "DELETE FROM documents WHERE product = $1 AND device = $2 AND kind = $3";
    session.execute_each(sql, lines)?;
    match tags + documents {
        0 => removed(session, "product", product),
        done => Ok(done),
    }
}

/// Its series become doomed ones; its events, log lines and commands go.
fn doomed_device(session: &mut dyn Session, bite: usize) -> PortResult<usize> {
    let Some(device) = next_doomed(session, "device")? else { return Ok(0) };
    let sql = "INSERT INTO doomed (kind, number) SELECT 'series', id FROM series WHERE device = $1";
    session.execute(sql, cells![device])?;
    session.execute("DELETE FROM series WHERE device = $1", cells![device])?;
    for table in ["events", "log", "commands"] {
        let done = remove_first(session, table, "device = $1", cells![device], bite)?;
        if done > 0 {
            return Ok(done);
        }
    }
    session.execute("DELETE FROM log_lines WHERE device = $1", cells![device])?;
    removed(session, "device", device)
}

fn doomed_series(session: &mut dyn Session, bite: usize) -> PortResult<usize> {
    let Some(series) = next_doomed(session, "series")? else { return Ok(0) };
    let done = remove_first(session, "points", "series = $1", cells![series], bite)?;
    if done > 0 {
        return Ok(done);
    }
    let sql = "SELECT hour_ms FROM hours WHERE series = $1 ORDER BY hour_ms LIMIT $2";
    let rows = session.query(sql, cells![series, bite as i64])?.rows;
    let done = rows.len();
    match rows.into_iter().next_back() {
        Some(mut row) => {
            let sql = "DELETE FROM hours WHERE series = $1 AND hour_ms <= $2";
            session.execute(sql, cells![series, row.integer()?])?;
            Ok(done)
        }
        None => removed(session, "series", series),
    }
}

fn doomed_blob(session: &mut dyn Session, writing: &[i64], bite: usize) -> PortResult<usize> {
    let rows = session.query("SELECT number FROM doomed WHERE kind = 'blob' ORDER BY number", vec![])?.rows;
    for mut row in rows {
        let generation = row.integer()?;
        if writing.contains(&generation) {
            continue;
        }
        let sql = "SELECT part FROM blob_parts WHERE generation = $1 ORDER BY part LIMIT $2";
        // A part is as large as hundreds of other rows.
        let parts = session.query(sql, cells![generation, (bite / 64).max(1) as i64])?.rows;
        let done = parts.len();
        let Some(mut last) = parts.into_iter().next_back() else {
            return removed(session, "blob", generation);
        };
        let sql = "DELETE FROM blob_parts WHERE generation = $1 AND part <= $2";
        session.execute(sql, cells![generation, last.integer()?])?;
        return Ok(done * 64);
    }
    Ok(0)
}

/// Removes the first lines, in the order of time and arrival, that meet a condition; says how many.
fn remove_first(
    session: &mut dyn Session,
    table: &str,
    condition: &str,
    cells: Vec<Cell>,
    bite: usize,
) -> PortResult<usize> {
    let (next, mut asked) = (cells.len() + 1, cells.clone());
    asked.push(Cell::Integer(bite as i64));
    let sql = format!(
        "SELECT at_ms, sequence FROM {table} WHERE {condition} ORDER BY at_ms, sequence LIMIT ${next}"
    );
    let rows = session.query(&sql, asked)?.rows;
    let Some(mut last) = rows.into_iter().next_back() else { return Ok(0) };
    let mut cells = cells;
    cells.extend(cells![last.integer()?, last.integer()?]);
    let sql =
        format!("DELETE FROM {table} WHERE {condition} AND (at_ms, sequence) <= (${next}, ${})", next + 1);
    Ok(usize::try_from(session.execute(&sql, cells)?).unwrap_or(usize::MAX))
}

fn old_points(session: &mut dyn Session, product: i64, from_ms: i64, bite: usize) -> PortResult<usize> {
    let sql =
        "SELECT series, hour_ms FROM hours WHERE product = $1 AND hour_ms < $2 ORDER BY hour_ms LIMIT 32";
    let hours = session.query(sql, cells![product, hour_of(from_ms)])?.rows;
    let mut done = 0;
    for mut row in hours {
        let (series, hour_ms) = (row.integer()?, row.integer()?);
        let left = bite.saturating_sub(done);
        if left == 0 {
            break;
        }
        let hour = cells![series, hour_ms, hour_ms.saturating_add(HOUR_MS)];
        let condition = "series = $1 AND at_ms >= $2 AND at_ms < $3";
        let points = remove_first(session, "points", condition, hour, left)?;
        if points < left {
            session
                .execute("DELETE FROM hours WHERE series = $1 AND hour_ms = $2", cells![series, hour_ms])?;
        }
        done += points + 1;
    }
    Ok(done)
}

fn old_lines(
    session: &mut dyn Session,
    table: &str,
    and: &str,
    product: i64,
    from_ms: i64,
    bite: usize,
) -> PortResult<usize> {
    let condition = format!("product = $1 AND at_ms < $2{and}");
    remove_first(session, table, &condition, cells![product, from_ms], bite)
}

/// As [`old_lines`], and counts down for each device.
fn old_log(session: &mut dyn Session, product: i64, from_ms: i64, bite: usize) -> PortResult<usize> {
    let sql = "SELECT device, sequence FROM log WHERE product = $1 AND at_ms < $2 \
               ORDER BY at_ms, sequence LIMIT $3";
    let rows = session.query(sql, cells![product, from_ms, bite as i64])?.rows;
    let mut lines = Vec::with_capacity(rows.len());
    let mut counts = std::collections::BTreeMap::<i64, i64>::new();
    for mut row in rows {
        *counts.entry(row.integer()?).or_default() += 1;
        lines.push(cells![row.integer()?]);
    }
    let done = lines.len();
    session.execute_each("DELETE FROM log WHERE sequence = $1", lines)?;
    count_down(session, counts.into_iter().collect())?;
    Ok(done)
}

/// The oldest lines of devices that have too many.
fn long_log(session: &mut dyn Session, log_lines: i64, bite: usize) -> PortResult<usize> {
    let sql = "SELECT device, lines FROM log_lines WHERE lines > $1 ORDER BY lines DESC LIMIT 16";
    let (mut done, mut counts) = (0, Vec::new());
    for mut row in session.query(sql, cells![log_lines])?.rows {
        let (device, lines) = (row.integer()?, row.integer()?);
        let excess = usize::try_from(lines.saturating_sub(log_lines)).unwrap_or(usize::MAX);
        let left = bite.saturating_sub(done);
        if left == 0 {
            break;
        }
        let removed = remove_first(session, "log", "device = $1", cells![device], excess.min(left))?;
        // Where there are fewer lines than were counted the count is put right.
        counts.push((device, if removed == 0 { lines } else { removed as i64 }));
        done += removed.max(1);
    }
    count_down(session, counts)?;
    Ok(done)
}

fn count_down(session: &mut dyn Session, counts: Vec<(i64, i64)>) -> PortResult<()> {
    let lines = counts.into_iter().map(|(device, count)| cells![device, count]).collect();
    session.execute_each("UPDATE log_lines SET lines = lines - $2 WHERE device = $1", lines)?;
    Ok(())
}
