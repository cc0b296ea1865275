//! Documents of devices, products and the server.

use hexmq_device::port::PortResult;
use hexmq_device::{DeviceRef, Document};

use super::{Numbers, conflict, invalid, numbers_of, product_number};
use crate::driver::{Base, Row, Session, cells, damaged, full};

/// Bytes of a list of documents of one kind.
const LIST_BYTES_MAX: usize = 256 << 20;

pub(super) fn one(session: &mut dyn Session, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>> {
    let numbers = owner_numbers(session, owner)?;
    let sql = "SELECT version, at_ms, text FROM documents WHERE product = $1 AND device = $2 AND kind = $3";
    let row = session.query(sql, cells![numbers.product, numbers.device, kind])?.first();
    row.map(|mut row| read(&mut row)).transpose()
}

/// In the order of their owners' numbers. It is read in parts, each within its own time.
pub(super) fn of_kind(base: &Base, kind: &str) -> PortResult<Vec<(DeviceRef, Document)>> {
    let sql = "SELECT c.product, c.device, p.id, d.id, c.version, c.at_ms, c.text FROM documents c \
               LEFT JOIN products p ON p.number = c.product LEFT JOIN devices d ON d.number = c.device \
               WHERE c.kind = $1 AND (c.product, c.device) > ($2, $3) ORDER BY c.product, c.device LIMIT 1000";
    let (mut list, mut bytes) = (Vec::new(), 0);
    let mut after = Numbers { product: -1, device: 0 };
    loop {
        let part = base.read(|session| session.query(sql, cells![kind, after.product, after.device]))?;
        if part.rows.is_empty() {
            return Ok(list);
        }
        for mut row in part.rows {
            after = Numbers { product: row.integer()?, device: row.integer()? };
            let names = (row.maybe_text()?, row.maybe_text()?);
            let document = read(&mut row)?;
            let owner = match (after, names) {
                (Numbers { product: 0, .. }, _) => DeviceRef::new("", ""),
                (Numbers { device: 0, .. }, (Some(product), _)) => DeviceRef::new(product, ""),
                (_, (Some(product), Some(device))) => DeviceRef::new(product, device),
                // Its owner is being removed.
                _ => continue,
            };
            bytes += document.text.len();
            if bytes > LIST_BYTES_MAX {
                return Err(full(format!("the documents of kind {kind} are too many to be listed")));
            }
            list.push((owner, document));
        }
    }
}

pub(super) fn put(
    session: &mut dyn Session,
    owner: &DeviceRef,
    kind: &str,
    text: Option<&str>,
    expected: Option<u64>,
    at_ms: i64,
) -> PortResult<u64> {
    let numbers = owner_numbers(session, owner)?;
    let key = || cells![numbers.product, numbers.device, kind];
    let sql = "SELECT version FROM documents WHERE product = $1 AND device = $2 AND kind = $3";
    let version = match session.query(sql, key())?.first() {
        Some(mut row) => row.integer()?,
        None => 0,
    };
    if expected.is_some_and(|expected| i64::try_from(expected) != Ok(version)) {
        return Err(conflict(
            "document_changed",
            format!("the {kind} has version {version}: read it again, and say that version"),
        ));
    }
    let Some(text) = text else {
        session.execute("DELETE FROM documents WHERE product = $1 AND device = $2 AND kind = $3", key())?;
        return Ok(0);
    };
    let next = version.saturating_add(1);
    let sql = "INSERT INTO documents (product, device, kind, version, at_ms, text) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (product, device, kind) DO UPDATE \
               SET version = excluded.version, at_ms = excluded.at_ms, text = excluded.text";
    session.execute(sql, cells![numbers.product, numbers.device, kind, next, at_ms, text])?;
    Ok(next.unsigned_abs())
}

fn owner_numbers(session: &mut dyn Session, owner: &DeviceRef) -> PortResult<Numbers> {
    match (owner.product.is_empty(), owner.device.is_empty()) {
        (true, true) => Ok(Numbers { product: 0, device: 0 }),
        (false, true) => Ok(Numbers { product: product_number(session, &owner.product)?, device: 0 }),
        (false, false) => numbers_of(session, owner),
        (true, false) => Err(invalid("bad_owner", "a device without a product owns no document".to_owned())),
    }
}

fn read(row: &mut Row) -> PortResult<Document> {
    Ok(Document {
        version: u64::try_from(row.integer()?).map_err(|_| damaged("a version"))?,
        at_ms: row.integer()?,
        text: row.text()?,
    })
}
