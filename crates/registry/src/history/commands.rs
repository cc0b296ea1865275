//! Commands.

use hexmq_device::port::{Page, PortResult, TimeQuery};
use hexmq_device::{Command, CommandState, DeviceRef};
use serde_json::Value as Json;

use super::lines::{self, Table};
use crate::cursor::PAGE_MAX;
use crate::driver::{Cell, Row, Rows, Session, cells, damaged};
use crate::registry::{numbers_of, take_numbers};

const COLUMNS: &str = "t.id, t.orders, t.state, t.reason, t.qos, t.again, t.correlation, t.reply, t.reply_code, \
                       t.reply_data, t.sent_ms, t.answered_ms, t.deadline_ms";
const COMMANDS: Table = Table { name: "commands", id: "state", columns: COLUMNS };

/// A new command, or what has become of one: its device, its order and its creation stay as they are.
pub(super) fn put(session: &mut dyn Session, command: &Command) -> PortResult<()> {
    let numbers = numbers_of(session, &command.device)?;
    let sequence = take_numbers(session, "sequence", 1)?;
    session.execute(
        "INSERT INTO commands (id, sequence, product, device, orders, state, final, reason, qos, again, \
         correlation, reply, reply_code, reply_data, at_ms, sent_ms, answered_ms, deadline_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, final = excluded.final, \
         reason = excluded.reason, qos = excluded.qos, again = excluded.again, \
         correlation = excluded.correlation, reply = excluded.reply, reply_code = excluded.reply_code, \
         reply_data = excluded.reply_data, sent_ms = excluded.sent_ms, \
         answered_ms = excluded.answered_ms, deadline_ms = excluded.deadline_ms",
        cells![
            &command.id,
            sequence,
            numbers.product,
            numbers.device,
            command.order.to_string(),
            command.state.name(),
            command.state.is_final(),
            command.reason.as_ref(),
            i64::from(command.qos),
            command.again,
            command.correlation.as_ref(),
            command.reply.as_deref(),
            command.reply_code,
            command.reply_data.as_ref().map(Json::to_string),
            command.created_at_ms,
            command.sent_at_ms,
            command.answered_at_ms,
            command.deadline_ms,
        ],
    )?;
    Ok(())
}

pub(super) fn one(session: &mut dyn Session, id: &str) -> PortResult<Option<Command>> {
    let rows = select(session, "t.id = $1", "t.at_ms LIMIT 1", cells![id])?;
    Ok(rows.into_iter().next())
}

pub(super) fn for_answer(
    session: &mut dyn Session,
    device: &DeviceRef,
    correlation: &str,
) -> PortResult<Option<Command>> {
    let number = numbers_of(session, device)?.device;
    let rows = select(
        session,
        "t.device = $1 AND t.correlation = $2 AND t.sent_ms IS NOT NULL",
        "t.sent_ms DESC, t.sequence DESC LIMIT 1",
        cells![number, correlation],
    )?;
    Ok(rows.into_iter().next())
}

pub(super) fn open(
    session: &mut dyn Session,
    device: Option<&DeviceRef>,
    now_ms: i64,
    limit: usize,
) -> PortResult<Vec<Command>> {
    let limit = limit.min(PAGE_MAX) as i64;
    let order = "t.at_ms, t.sequence LIMIT $2";
    match device {
        Some(device) => {
            let number = numbers_of(session, device)?.device;
            select(session, "t.device = $1 AND t.final = 0", order, cells![number, limit])
        }
        None => select(session, "t.final = 0 AND t.deadline_ms < $1", order, cells![now_ms, limit]),
    }
}

pub(super) fn page(session: &mut dyn Session, query: &TimeQuery) -> PortResult<Page<Command>> {
    lines::page(session, &COMMANDS, query, read)
}

/// Commands of devices that are there.
fn select(
    session: &mut dyn Session,
    condition: &str,
    order: &str,
    cells: Vec<Cell>,
) -> PortResult<Vec<Command>> {
    let sql = format!(
        "SELECT p.id, d.id, t.at_ms, {COLUMNS} FROM commands t CROSS JOIN devices d CROSS JOIN products p \
         WHERE {condition} AND d.number = t.device AND p.number = t.product ORDER BY {order}"
    );
    let Rows { rows, .. } = session.query(&sql, cells)?;
    rows.into_iter()
        .map(|mut row| {
            let device = DeviceRef::new(row.text()?, row.text()?);
            let at_ms = row.integer()?;
            read(device, at_ms, row)
        })
        .collect()
}

fn read(device: DeviceRef, created_at_ms: i64, mut row: Row) -> PortResult<Command> {
    let json = |text: String| serde_json::from_str::<Json>(&text).map_err(|_| damaged("JSON"));
    Ok(Command {
        device,
        created_at_ms,
        id: row.text()?,
        order: json(row.text()?)?,
        state: CommandState::named(&row.text()?).ok_or_else(|| damaged("a state"))?,
        reason: row.maybe_text()?,
        qos: u8::try_from(row.integer()?).map_err(|_| damaged("a QoS"))?,
        again: row.flag()?,
        correlation: row.maybe_text()?,
        reply: row.maybe_bytes()?,
        reply_code: row.maybe_integer()?,
        reply_data: row.maybe_text()?.map(json).transpose()?,
        sent_at_ms: row.maybe_integer()?,
        answered_at_ms: row.maybe_integer()?,
        deadline_ms: row.integer()?,
    })
}
