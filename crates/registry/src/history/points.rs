//! Points of a device.

use hexmq_device::port::{Page, PortError, PortErrorKind, PortResult, TimeQuery};
use hexmq_device::{DeviceRef, Point};

use super::merge::merge;
use super::value;
use crate::cursor::{Walk, limit};
use crate::driver::{Row, Session, cells, plain};
use crate::registry::numbers_of;

/// Bytes of the newest values of a device.
const LATEST_BYTES_MAX: usize = 64 << 20;

/// A property of a device and the number of its series.
pub(super) struct Series {
    pub(super) property: String,
    pub(super) id: i64,
}

/// The device that a question about points must name.
pub(super) fn device_of(query: &TimeQuery) -> PortResult<DeviceRef> {
    match &query.device {
        Some(device) => Ok(DeviceRef::new(&*query.product, &**device)),
        None => Err(PortError::new(PortErrorKind::Invalid, "no_device", "say whose points: name a device")),
    }
}

/// The series of a device that are asked for, by property.
pub(super) fn series_of(
    session: &mut dyn Session,
    device: &DeviceRef,
    ids: Option<&[String]>,
) -> PortResult<Vec<Series>> {
    let number = numbers_of(session, device)?.device;
    let mut found = Vec::new();
    let Some(ids) = ids else {
        let sql = "SELECT property, id FROM series WHERE device = $1 AND property > $2 ORDER BY property";
        loop {
            let after = found.last().map_or("", |series: &Series| series.property.as_str());
            let answer = session.query(sql, cells![number, after])?;
            for row in answer.rows {
                found.push(read_series(row)?);
            }
            if !answer.cut {
                return Ok(found);
            }
        }
    };
    let mut ids: Vec<&String> = ids.iter().collect();
    ids.sort();
    ids.dedup();
    let sql = "SELECT property, id FROM series WHERE device = $1 AND property = $2";
    let lines = ids.into_iter().map(|id| cells![number, plain(id).as_ref()]).collect();
    for rows in session.query_each(sql, lines)? {
        for row in rows.rows {
            found.push(read_series(row)?);
        }
    }
    Ok(found)
}

fn read_series(mut row: Row) -> PortResult<Series> {
    Ok(Series { property: row.text()?, id: row.integer()? })
}

pub(super) fn latest(session: &mut dyn Session, device: &DeviceRef) -> PortResult<Vec<Point>> {
    let number = numbers_of(session, device)?.device;
    let sql = "SELECT property, at_ms, received_ms, kind, number, bytes FROM series \
               WHERE device = $1 AND property > $2 ORDER BY property";
    let (mut points, mut bytes): (Vec<Point>, usize) = (Vec::new(), 0);
    loop {
        let after = points.last().map_or("", |point| point.id.as_str());
        let answer = session.query(sql, cells![number, after])?;
        for mut row in answer.rows {
            bytes += row.weight();
            points.push(Point {
                device: device.clone(),
                id: row.text()?,
                at_ms: row.integer()?,
                received_at_ms: row.integer()?,
                value: value::read(&mut row)?,
            });
        }
        if !answer.cut {
            return Ok(points);
        }
        if bytes > LATEST_BYTES_MAX {
            return Err(PortError::new(
                PortErrorKind::Full,
                "too_many_properties",
                format!(
                    "the values of {device} are too many to be listed at once: ask for points by property"
                ),
            ));
        }
    }
}

pub(super) fn page(session: &mut dyn Session, query: &TimeQuery) -> PortResult<Page<Point>> {
    let device = device_of(query)?;
    let walk = Walk::of(query)?;
    let series = series_of(session, &device, query.ids.as_deref())?;
    let Some(walk) = walk else { return Ok(Page { items: Vec::new(), next: None }) };
    let ids: Vec<i64> = series.iter().map(|series| series.id).collect();
    let merged = merge(session, &ids, walk, limit(&query.page))?;
    let next = merged.points.last().map(|(_, place, _)| place.text()).filter(|_| merged.more);
    let mut items = Vec::with_capacity(merged.points.len());
    for (index, place, mut row) in merged.points {
        items.push(Point {
            device: device.clone(),
            id: series.get(index).map(|series| series.property.clone()).unwrap_or_default(),
            at_ms: place.at_ms,
            received_at_ms: row.integer()?,
            value: value::read(&mut row)?,
        });
    }
    Ok(Page { items, next })
}

/// They are out of sight with this; `prune` takes them away.
pub(super) fn delete(session: &mut dyn Session, device: &DeviceRef, id: Option<&str>) -> PortResult<()> {
    let number = numbers_of(session, device)?.device;
    let (and, cells) = match id {
        Some(id) => (" AND property = $2", cells![number, plain(id).as_ref()]),
        None => ("", cells![number]),
    };
    let doom =
        format!("INSERT INTO doomed (kind, number) SELECT 'series', id FROM series WHERE device = $1{and}");
    session.execute(&doom, cells.clone())?;
    session.execute(&format!("DELETE FROM series WHERE device = $1{and}"), cells)?;
    Ok(())
}
