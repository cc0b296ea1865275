//! Devices.

use std::collections::{BTreeMap, HashMap, HashSet};

use hexmq_device::port::{PortError, PortResult};
use hexmq_device::{Device, DeviceRef, Presence, Secret, is_id};

use super::{
    Numbers, conflict, doom, invalid, json_cell, numbers, numbers_of, read_json, take_numbers,
    unknown_device, unknown_product,
};
use crate::driver::{Base, Cell, Row, Session, cells, with_rows};

/// As [`read`] reads them, of `devices d`.
pub(super) const COLUMNS: &str = "d.id, d.name, d.secret, d.password, d.tags, d.disabled, d.created_ms, \
                                  d.activated_ms, d.online, d.since_ms, d.reason, d.peer, d.extra";

/// Devices that are registered in one transaction.
const BITE: usize = 1_000;

pub(super) fn one(session: &mut dyn Session, device: &DeviceRef) -> PortResult<Option<Device>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM products p CROSS JOIN devices d \
         WHERE p.id = $1 AND d.product = p.number AND d.id = $2"
    );
    let row = session.query(&sql, cells![&device.product, &device.device])?.first();
    row.map(|row| read(&device.product, row)).transpose()
}

pub(super) fn read(product: &str, mut row: Row) -> PortResult<Device> {
    Ok(Device {
        product: product.to_owned(),
        id: row.text()?,
        name: row.text()?,
        secret: row.maybe_text()?.map(Secret),
        password: row.maybe_text()?.map(Secret),
        tags: read_json(&mut row)?,
        disabled: row.flag()?,
        created_at_ms: row.integer()?,
        activated_at_ms: row.maybe_integer()?,
        presence: Presence {
            online: row.flag()?,
            since_ms: row.maybe_integer()?,
            reason: row.maybe_text()?,
            peer: row.maybe_text()?,
        },
        extra: read_json(&mut row)?,
    })
}

/// Each by itself: a bite is a transaction, and what the data base refuses as a whole it refuses for each.
pub(super) fn create(base: &Base, devices: &[Device]) -> PortResult<Vec<PortResult<()>>> {
    let mut results = Vec::with_capacity(devices.len());
    for bite in devices.chunks(BITE) {
        match base.write(|session| create_bite(session, bite)) {
            Ok(bite) => results.extend(bite),
            Err(error) if results.is_empty() => return Err(error),
            Err(error) => results.extend(bite.iter().map(|_| Err(error.clone()))),
        }
    }
    Ok(results)
}

fn create_bite(session: &mut dyn Session, devices: &[Device]) -> PortResult<Vec<PortResult<()>>> {
    let products = product_numbers(session, devices)?;
    let wanted: Vec<(i64, &Device)> = devices
        .iter()
        .filter_map(|device| products.get(device.product.as_str()).map(|number| (*number, device)))
        .collect();
    let named: Vec<DeviceRef> = wanted.iter().map(|(_, device)| device.reference()).collect();
    let found = numbers(session, &named.iter().collect::<Vec<_>>())?;
    let mut taken: HashSet<(i64, &str)> = wanted
        .iter()
        .zip(found)
        .filter(|(_, found)| found.is_some())
        .map(|((product, device), _)| (*product, device.id.as_str()))
        .collect();

    let last = take_numbers(session, "device", devices.len())?;
    let first = last.saturating_sub(devices.len() as i64).saturating_add(1);
    let (mut lines, mut tags, mut results) = (Vec::new(), Vec::new(), Vec::with_capacity(devices.len()));
    for (number, device) in (first..).zip(devices) {
        let outcome = acceptable(device, &products, &mut taken).and_then(|product| {
            lines.push(line(product, number, device)?);
            tags.extend(tag_lines(product, &device.id, &device.tags));
            Ok(())
        });
        results.push(outcome);
    }
    with_rows(
        session,
        "INSERT INTO devices (product, id, number, name, secret, password, tags, disabled, created_ms, \
         activated_ms, online, since_ms, reason, peer, extra, status) VALUES",
        &[],
        "",
        lines,
    )?;
    insert_tags(session, tags)?;
    Ok(results)
}

/// The product of a device that may be registered; it is taken from then on.
fn acceptable<'a>(
    device: &'a Device,
    products: &HashMap<&str, i64>,
    taken: &mut HashSet<(i64, &'a str)>,
) -> Result<i64, PortError> {
    if !is_id(&device.id) {
        return Err(invalid(
            "bad_id",
            format!("a device id is 1 to 64 of A-Z a-z 0-9 _ - . : @, this is {:?}", device.id),
        ));
    }
    let Some(product) = products.get(device.product.as_str()) else {
        return Err(unknown_product(&device.product));
    };
    if !taken.insert((*product, &device.id)) {
        return Err(conflict("device_exists", format!("there is a device {} already", device.reference())));
    }
    Ok(*product)
}

fn product_numbers<'a>(
    session: &mut dyn Session,
    devices: &'a [Device],
) -> PortResult<HashMap<&'a str, i64>> {
    let names: HashSet<&str> = devices.iter().map(|device| device.product.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let lines = names.iter().map(|name| cells![*name]).collect();
    let answers = session.query_each("SELECT number FROM products WHERE id = $1", lines)?;
    let mut numbers = HashMap::new();
    for (name, rows) in names.into_iter().zip(answers) {
        if let Some(mut row) = rows.first() {
            numbers.insert(name, row.integer()?);
        }
    }
    Ok(numbers)
}

fn line(product: i64, number: i64, device: &Device) -> PortResult<Vec<Cell>> {
    Ok(cells![
        product,
        &device.id,
        number,
        &device.name,
        device.secret.as_ref().map(|secret| &secret.0),
        device.password.as_ref().map(|password| &password.0),
        json_cell(&device.tags)?,
        device.disabled,
        device.created_at_ms,
        device.activated_at_ms,
        device.presence.online,
        device.presence.since_ms,
        device.presence.reason.as_ref(),
        device.presence.peer.as_ref(),
        json_cell(&device.extra)?,
        device.status(),
    ])
}

fn tag_lines(product: i64, id: &str, tags: &BTreeMap<String, String>) -> Vec<Vec<Cell>> {
    tags.iter().map(|(name, value)| cells![product, name, value, id]).collect()
}

fn insert_tags(session: &mut dyn Session, lines: Vec<Vec<Cell>>) -> PortResult<()> {
    with_rows(session, "INSERT INTO tags (product, name, value, id) VALUES", &[], "", lines).map(drop)
}

fn remove_tags(session: &mut dyn Session, numbers: Numbers, id: &str) -> PortResult<()> {
    let sql = "SELECT tags FROM devices WHERE product = $1 AND id = $2";
    let Some(mut row) = session.query(sql, cells![numbers.product, id])?.first() else { return Ok(()) };
    let tags: BTreeMap<String, String> = read_json(&mut row)?;
    let sql = "DELETE FROM tags WHERE product = $1 AND name = $2 AND value = $3 AND id = $4";
    session.execute_each(sql, tag_lines(numbers.product, id, &tags)).map(drop)
}

pub(super) fn update(session: &mut dyn Session, device: &Device) -> PortResult<()> {
    let numbers = numbers_of(session, &device.reference())?;
    remove_tags(session, numbers, &device.id)?;
    insert_tags(session, tag_lines(numbers.product, &device.id, &device.tags))?;
    let changed = session.execute(
        "UPDATE devices SET name = $3, secret = $4, password = $5, tags = $6, disabled = CAST($7 AS BIGINT), \
         activated_ms = $8, extra = $9, status = CASE WHEN CAST($7 AS BIGINT) = 1 THEN 'disabled' WHEN online = 1 THEN 'online' \
         WHEN since_ms IS NULL THEN 'never' ELSE 'offline' END WHERE product = $1 AND id = $2",
        cells![
            numbers.product,
            &device.id,
            &device.name,
            device.secret.as_ref().map(|secret| &secret.0),
            device.password.as_ref().map(|password| &password.0),
            json_cell(&device.tags)?,
            device.disabled,
            device.activated_at_ms,
            json_cell(&device.extra)?,
        ],
    )?;
    if changed == 0 { Err(unknown_device(&device.reference())) } else { Ok(()) }
}

/// The device and its documents go now, what is kept of it in bites.
pub(super) fn delete(session: &mut dyn Session, device: &DeviceRef) -> PortResult<()> {
    let numbers = numbers_of(session, device)?;
    remove_tags(session, numbers, &device.device)?;
    let cells = || cells![numbers.product, numbers.device];
    session.execute("DELETE FROM documents WHERE product = $1 AND device = $2", cells())?;
    session.execute("DELETE FROM devices WHERE product = $1 AND number = $2", cells())?;
    doom(session, "device", numbers.device)
}

/// In bites, each within its own time: after a crash a million devices may have been on line.
pub(super) fn all_offline(base: &Base, at_ms: i64, reason: &str) -> PortResult<()> {
    loop {
        let changed = base.write(|session| {
            session.execute(
                "UPDATE devices SET online = 0, since_ms = $1, reason = $2, peer = NULL, \
                 status = CASE WHEN disabled = 1 THEN 'disabled' ELSE 'offline' END \
                 WHERE number IN (SELECT number FROM devices WHERE online = 1 LIMIT 5000)",
                cells![at_ms, reason],
            )
        })?;
        if changed == 0 {
            return Ok(());
        }
    }
}
