//! Events, log lines and commands in the order of time and arrival, of a device or of a whole product.

use hexmq_device::port::{Page, PortError, PortErrorKind, PortResult, TimeQuery};
use hexmq_device::{DeviceRef, Direction, Event, LogLine};

use super::stage;
use crate::cursor::{Place, Walk, limit};
use crate::driver::{Cell, Row, Session, cells, damaged};
use crate::registry::{numbers_of, product_number};

/// Ids that one question may name.
const IDS_MAX: usize = 1_000;

/// A table of lines.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What `ids` of the question are compared with.
    pub(super) id: &'static str,
    /// What is read of a line, after its place and its device.
    pub(super) columns: &'static str,
}

const EVENTS: Table = Table { name: "events", id: "event", columns: "event, params, received_ms" };
const LOG: Table =
    Table { name: "log", id: "stage", columns: "direction, stage, topic, bytes, meaning, error" };

pub(super) fn events(session: &mut dyn Session, query: &TimeQuery) -> PortResult<Page<Event>> {
    page(session, &EVENTS, query, |device, at_ms, mut row| {
        Ok(Event {
            device,
            at_ms,
            id: row.text()?,
            params: serde_json::from_str(&row.text()?).map_err(|_| damaged("JSON"))?,
            received_at_ms: row.integer()?,
        })
    })
}

pub(super) fn log(session: &mut dyn Session, query: &TimeQuery) -> PortResult<Page<LogLine>> {
    page(session, &LOG, query, |device, at_ms, mut row| {
        Ok(LogLine {
            device,
            at_ms,
            direction: match row.text()?.as_str() {
                "up" => Direction::Up,
                "down" => Direction::Down,
                _ => return Err(damaged("a direction")),
            },
            stage: stage::named(row.text()?),
            topic: row.maybe_text()?,
            bytes: row.bytes()?,
            meaning: row.maybe_text()?,
            error: row.maybe_text()?,
        })
    })
}

/// A page of a table.
pub(super) fn page<T>(
    session: &mut dyn Session,
    table: &Table,
    query: &TimeQuery,
    read: impl Fn(DeviceRef, i64, Row) -> PortResult<T>,
) -> PortResult<Page<T>> {
    let (owner, number) = match &query.device {
        Some(device) => ("device", numbers_of(session, &DeviceRef::new(&*query.product, &**device))?.device),
        None => ("product", product_number(session, &query.product)?),
    };
    let Some(walk) = Walk::of(query)? else { return Ok(Page { items: Vec::new(), next: None }) };
    let limit = limit(&query.page);
    let mut cells = cells![number];
    cells.extend(walk.cells());
    let ids = match &query.ids {
        Some(ids) => one_of(table.id, ids, &mut cells)?,
        None => String::new(),
    };
    cells.push(Cell::Integer(limit as i64 + 1));
    // Lines of devices that are gone are not shown: they have no name any more.
    let sql = format!(
        "SELECT t.at_ms, t.sequence, d.id, {} FROM (SELECT * FROM {} WHERE {owner} = $1 AND {}{ids}) AS t \
         CROSS JOIN devices d WHERE d.number = t.device ORDER BY {} LIMIT ${}",
        table.columns,
        table.name,
        walk.condition(2),
        walk.order(),
        cells.len()
    );
    let answer = session.query(&sql, cells)?;
    let more = answer.cut || answer.rows.len() > limit;
    let (mut items, mut last) = (Vec::new(), None);
    for mut row in answer.rows.into_iter().take(limit) {
        let place = Place { at_ms: row.integer()?, sequence: row.integer()? };
        let device = DeviceRef::new(&*query.product, row.text()?);
        items.push(read(device, place.at_ms, row)?);
        last = Some(place);
    }
    Ok(Page { items, next: last.filter(|_| more).map(Place::text) })
}

fn one_of(column: &str, ids: &[String], cells: &mut Vec<Cell>) -> PortResult<String> {
    if ids.len() > IDS_MAX {
        let message = format!("at most {IDS_MAX} names can be asked for at once");
        return Err(PortError::new(PortErrorKind::Invalid, "too_many_ids", message));
    }
    if ids.is_empty() {
        return Ok(" AND 1 = 0".to_owned());
    }
    let mut places = Vec::with_capacity(ids.len());
    for id in ids {
        cells.push(id.into());
        places.push(format!("${}", cells.len()));
    }
    Ok(format!(" AND {column} IN ({})", places.join(", ")))
}
