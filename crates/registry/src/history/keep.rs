//! Keeping a batch: one transaction, all of it or nothing.
//!
//! A batch that says up to where inboxes are done comes from places after what was done before. Whether it is
//! kept is decided by those places alone:
//!
//! - every place is newer than the one kept (or the batch has none): all of it is kept;
//! - no place is newer: it was kept before, and its confirmation was lost; nothing changes, and that is success;
//! - some are and some are not: it was put together anew from kept and not kept uplinks. It is refused with
//!   `batch_partly_kept`, for whatever was done with it would keep something twice or not at all.
//!
//! So whoever does not know whether a batch was kept tries the same batch again, unchanged, before the next.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{Batch, DeviceRef, Point};

use super::hours::{self, Hour, Sum, hour_of};
use super::value;
use crate::driver::{Cell, Session, cells, damaged, plain, with_rows};
use crate::registry::{Numbers, numbers, take_numbers};

/// Bytes of the longest name of a property: it is in an index, and those of PostgreSQL have room for so much.
const NAME_BYTES_MAX: usize = 1_024;

pub(super) fn keep(session: &mut dyn Session, batch: &Batch) -> PortResult<()> {
    if !is_news(session, batch)? {
        return Ok(());
    }
    let devices = Devices::of(session, batch)?;
    let count = batch.points.len() + batch.events.len() + batch.log.len();
    let last = take_numbers(session, "sequence", count)?;
    let mut sequence = last.saturating_sub(count as i64);
    keep_points(session, batch, &devices, sequence)?;
    sequence += batch.points.len() as i64;
    keep_events(session, batch, &devices, sequence)?;
    sequence += batch.events.len() as i64;
    keep_log(session, batch, &devices, sequence)?;
    keep_presence(session, batch, &devices)?;
    keep_done(session, batch)
}

pub(super) fn done(session: &mut dyn Session, inbox: &str) -> PortResult<Option<u64>> {
    let row = session.query("SELECT place FROM inboxes WHERE inbox = $1", cells![inbox])?.first();
    row.map(|mut row| u64::try_from(row.integer()?).map_err(|_| damaged("a place"))).transpose()
}

/// Whether the batch has not been kept before.
fn is_news(session: &mut dyn Session, batch: &Batch) -> PortResult<bool> {
    if batch.done.is_empty() {
        return Ok(true);
    }
    let (mut newer, mut older) = (None, None);
    for (inbox, place) in &batch.done {
        match done(session, inbox)? {
            Some(kept) if *place <= kept => older = Some((inbox, place, kept)),
            _ => newer = Some((inbox, place)),
        }
    }
    match (newer, older) {
        (Some((new, at)), Some((old, place, kept))) => Err(PortError::new(
            PortErrorKind::Conflict,
            "batch_partly_kept",
            format!(
                "the batch goes on in inbox {new} to place {at}, but inbox {old} was kept to {kept} already, \
                 and it says {place}: uplinks up to what is kept must not be handed in again"
            ),
        )),
        (newer, _) => Ok(newer.is_some()),
    }
}

/// The devices of a batch that are there.
struct Devices<'a>(HashMap<&'a DeviceRef, Numbers>);

impl<'a> Devices<'a> {
    fn of(session: &mut dyn Session, batch: &'a Batch) -> PortResult<Devices<'a>> {
        let named = (batch.points.iter().map(|point| &point.device))
            .chain(batch.events.iter().map(|event| &event.device))
            .chain(batch.log.iter().map(|line| &line.device))
            .chain(batch.presence.iter().map(|change| &change.device));
        let mut seen = HashMap::new();
        let mut distinct = Vec::new();
        for device in named {
            if seen.insert(device, ()).is_none() {
                distinct.push(device);
            }
        }
        let found = numbers(session, &distinct)?;
        let found = distinct.into_iter().zip(found);
        Ok(Devices(found.filter_map(|(device, numbers)| Some((device, numbers?))).collect()))
    }
}

fn keep_points(
    session: &mut dyn Session,
    batch: &Batch,
    devices: &Devices<'_>,
    before: i64,
) -> PortResult<()> {
    let kept: Vec<(i64, Numbers, &Point)> = (before.saturating_add(1)..)
        .zip(&batch.points)
        .filter_map(|(sequence, point)| Some((sequence, *devices.0.get(&point.device)?, point)))
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    if let Some((_, _, point)) = kept.iter().find(|(_, _, point)| point.id.len() > NAME_BYTES_MAX) {
        return Err(PortError::new(
            PortErrorKind::Invalid,
            "name_too_long",
            format!(
                "a property of {} has a name of {} bytes; {NAME_BYTES_MAX} are taken",
                point.device,
                point.id.len()
            ),
        ));
    }
    let series = keep_latest(session, &kept)?;
    let mut lines = Vec::with_capacity(kept.len());
    let mut sums: BTreeMap<Hour, Sum> = BTreeMap::new();
    for (sequence, numbers, point) in kept {
        let series = series.get(&(numbers.device, plain(&point.id))).ok_or_else(|| damaged("a series"))?;
        let [kind, number, bytes] = value::cells_of(&point.value)?;
        let mut line = cells![*series, point.at_ms, sequence, point.received_at_ms];
        line.extend([kind, number, bytes]);
        lines.push(line);
        // An hour of texts is kept as well: by it the points are found when their time is over.
        let hour = Hour { series: *series, hour_ms: hour_of(point.at_ms), product: numbers.product };
        let sum = sums.entry(hour).or_default();
        if let Some(number) = point.value.number() {
            sum.add(&Sum::of(number, point.at_ms, sequence));
        }
    }
    with_rows(
        session,
        "INSERT INTO points (series, at_ms, sequence, received_ms, kind, number, bytes) VALUES",
        &[],
        "",
        lines,
    )?;
    hours::add(session, &sums)
}

/// Finds or makes the series of these points and sets their newest values; gives the series' numbers.
fn keep_latest(
    session: &mut dyn Session,
    points: &[(i64, Numbers, &Point)],
) -> PortResult<HashMap<(i64, Cow<'static, str>), i64>> {
    let mut newest: BTreeMap<(i64, Cow<'_, str>), (i64, &Point)> = BTreeMap::new();
    for (sequence, numbers, point) in points {
        let entry = newest.entry((numbers.device, plain(&point.id))).or_insert((*sequence, point));
        if point.at_ms >= entry.1.at_ms {
            *entry = (*sequence, point);
        }
    }
    let last = take_numbers(session, "series", newest.len())?;
    let first = last.saturating_sub(newest.len() as i64).saturating_add(1);
    let mut lines: Vec<Vec<Cell>> = Vec::with_capacity(newest.len());
    for (id, ((device, property), (sequence, point))) in (first..).zip(&newest) {
        let mut line = cells![*device, property.as_ref(), id, point.at_ms, *sequence, point.received_at_ms];
        line.extend(value::cells_of(&point.value)?);
        lines.push(line);
    }
    let rows = with_rows(session, INSERT_LATEST, &[], UPDATE_LATEST, lines)?;
    // They come in any order.
    let mut series = HashMap::with_capacity(rows.len());
    for mut row in rows {
        series.insert((row.integer()?, Cow::Owned(row.text()?)), row.integer()?);
    }
    Ok(series)
}

const INSERT_LATEST: &str = "\
    INSERT INTO series (device, property, id, at_ms, sequence, received_ms, kind, number, bytes) VALUES";

/// A late point does not take the place of a newer one; of two of the same time the later one counts.
const UPDATE_LATEST: &str = "\
    ON CONFLICT (device, property) DO UPDATE SET \
    sequence = CASE WHEN excluded.at_ms >= series.at_ms THEN excluded.sequence ELSE series.sequence END, \
    received_ms = CASE WHEN excluded.at_ms >= series.at_ms THEN excluded.received_ms ELSE series.received_ms END, \
    kind = CASE WHEN excluded.at_ms >= series.at_ms THEN excluded.kind ELSE series.kind END, \
    number = CASE WHEN excluded.at_ms >= series.at_ms THEN excluded.number ELSE series.number END, \
    bytes = CASE WHEN excluded.at_ms >= series.at_ms THEN excluded.bytes ELSE series.bytes END, \
    at_ms = CASE WHEN excluded.at_ms >= series.at_ms THEN excluded.at_ms ELSE series.at_ms END \
    RETURNING device, property, id";

fn keep_events(
    session: &mut dyn Session,
    batch: &Batch,
    devices: &Devices<'_>,
    before: i64,
) -> PortResult<()> {
    let mut lines = Vec::with_capacity(batch.events.len());
    for (sequence, event) in (before.saturating_add(1)..).zip(&batch.events) {
        let Some(numbers) = devices.0.get(&event.device) else { continue };
        lines.push(cells![
            sequence,
            numbers.product,
            numbers.device,
            &event.id,
            event.params.to_string(),
            event.at_ms,
            event.received_at_ms,
        ]);
    }
    with_rows(
        session,
        "INSERT INTO events (sequence, product, device, event, params, at_ms, received_ms) VALUES",
        &[],
        "",
        lines,
    )?;
    Ok(())
}

fn keep_log(session: &mut dyn Session, batch: &Batch, devices: &Devices<'_>, before: i64) -> PortResult<()> {
    let mut lines = Vec::with_capacity(batch.log.len());
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for (sequence, line) in (before.saturating_add(1)..).zip(&batch.log) {
        let Some(numbers) = devices.0.get(&line.device) else { continue };
        *counts.entry(numbers.device).or_default() += 1;
        lines.push(cells![
            sequence,
            numbers.product,
            numbers.device,
            line.at_ms,
            line.direction.name(),
            line.stage,
            line.topic.as_ref(),
            line.bytes.as_slice(),
            line.meaning.as_ref(),
            line.error.as_ref(),
        ]);
    }
    with_rows(
        session,
        "INSERT INTO log (sequence, product, device, at_ms, direction, stage, topic, bytes, meaning, error) VALUES",
        &[],
        "",
        lines,
    )?;
    with_rows(
        session,
        "INSERT INTO log_lines (device, lines) VALUES",
        &[],
        "ON CONFLICT (device) DO UPDATE SET lines = log_lines.lines + excluded.lines",
        counts.into_iter().map(|(device, count)| cells![device, count]).collect(),
    )?;
    Ok(())
}

fn keep_presence(session: &mut dyn Session, batch: &Batch, devices: &Devices<'_>) -> PortResult<()> {
    let mut lines = Vec::with_capacity(batch.presence.len());
    for change in &batch.presence {
        let Some(numbers) = devices.0.get(&change.device) else { continue };
        let presence = &change.presence;
        lines.push(cells![
            numbers.device,
            presence.online,
            presence.since_ms,
            presence.reason.as_ref(),
            presence.peer.as_ref(),
        ]);
    }
    session.execute_each(
        "UPDATE devices SET online = CAST($2 AS BIGINT), since_ms = CAST($3 AS BIGINT), reason = $4, peer = $5, \
         activated_ms = CASE WHEN CAST($2 AS BIGINT) = 1 THEN COALESCE(activated_ms, CAST($3 AS BIGINT)) ELSE activated_ms END, \
         status = CASE WHEN disabled = 1 THEN 'disabled' WHEN CAST($2 AS BIGINT) = 1 THEN 'online' \
         WHEN CAST($3 AS BIGINT) IS NULL THEN 'never' ELSE 'offline' END WHERE number = $1",
        lines,
    )?;
    Ok(())
}

fn keep_done(session: &mut dyn Session, batch: &Batch) -> PortResult<()> {
    // The same inbox may be named twice: its largest place counts.
    let mut places: BTreeMap<&str, u64> = BTreeMap::new();
    for (inbox, place) in &batch.done {
        let entry = places.entry(inbox).or_default();
        *entry = (*entry).max(*place);
    }
    let lines: PortResult<Vec<Vec<Cell>>> = places
        .into_iter()
        .map(|(inbox, place)| {
            let place = i64::try_from(place).map_err(|_| {
                PortError::new(PortErrorKind::Invalid, "bad_place", "a place is beyond what can be counted")
            })?;
            Ok(cells![inbox, place])
        })
        .collect();
    session.execute_each(
        "INSERT INTO inboxes (inbox, place) VALUES ($1, $2) \
         ON CONFLICT (inbox) DO UPDATE SET place = excluded.place",
        lines?,
    )?;
    Ok(())
}
