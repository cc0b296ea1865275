//! [`Registry`] over a data base.

mod blobs;
mod devices;
mod documents;
mod keys;
mod products;
mod query;

use std::collections::HashMap;
use std::sync::Arc;

use hexmq_device::port::{DeviceQuery, Page, PortError, PortErrorKind, PortResult, Registry};
use hexmq_device::{ApiKey, Device, DeviceRef, Document, Product};

use crate::driver::{Base, Cell, Row, Session, cells, damaged, with_rows};

/// The registry of a data base.
pub(crate) struct Registered(pub(crate) Arc<Base>);

/// The numbers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) product: i64,
    /// 0: the product itself, or the server.
    pub(crate) device: i64,
}

impl Registry for Registered {
    fn products(&self) -> PortResult<Vec<Product>> {
        self.0.read(products::all)
    }

    fn create_product(&self, product: &Product) -> PortResult<Product> {
        self.0.write(|session| products::create(session, product))
    }

    fn update_product(&self, product: &Product) -> PortResult<()> {
        self.0.write(|session| products::update(session, product))
    }

    fn delete_product(&self, product: &str) -> PortResult<()> {
        self.0.write(|session| products::delete(session, product))
    }

    fn device(&self, device: &DeviceRef) -> PortResult<Option<Device>> {
        self.0.read(|session| devices::one(session, device))
    }

    fn devices(&self, query: &DeviceQuery) -> PortResult<Page<Device>> {
        self.0.read(|session| query::page(session, query))
    }

    fn count_devices(&self, query: &DeviceQuery) -> PortResult<u64> {
        self.0.read(|session| query::count(session, query))
    }

    fn create_devices(&self, devices: &[Device]) -> PortResult<Vec<PortResult<()>>> {
        devices::create(&self.0, devices)
    }

    fn update_device(&self, device: &Device) -> PortResult<()> {
        self.0.write(|session| devices::update(session, device))
    }

    fn delete_device(&self, device: &DeviceRef) -> PortResult<()> {
        self.0.write(|session| devices::delete(session, device))
    }

    fn all_offline(&self, at_ms: i64, reason: &str) -> PortResult<()> {
        devices::all_offline(&self.0, at_ms, reason)
    }

    fn keys(&self) -> PortResult<Vec<ApiKey>> {
        self.0.read(keys::all)
    }

    fn create_key(&self, key: &ApiKey) -> PortResult<()> {
        self.0.write(|session| keys::create(session, key))
    }

    fn delete_key(&self, id: &str) -> PortResult<()> {
        self.0.write(|session| keys::delete(session, id))
    }

    fn document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>> {
        self.0.read(|session| documents::one(session, owner, kind))
    }

    fn documents(&self, kind: &str) -> PortResult<Vec<(DeviceRef, Document)>> {
        documents::of_kind(&self.0, kind)
    }

    fn put_document(
        &self,
        owner: &DeviceRef,
        kind: &str,
        text: Option<&str>,
        expected: Option<u64>,
        at_ms: i64,
    ) -> PortResult<u64> {
        self.0.write(|session| documents::put(session, owner, kind, text, expected, at_ms))
    }

    fn put_blob(&self, kind: &str, id: &str, bytes: &[u8], at_ms: i64) -> PortResult<()> {
        blobs::put(&self.0, kind, id, bytes, at_ms)
    }

    fn blob(&self, kind: &str, id: &str, offset: u64, limit: usize) -> PortResult<Option<(Vec<u8>, u64)>> {
        self.0.read(|session| blobs::read(session, kind, id, offset, limit))
    }

    fn delete_blob(&self, kind: &str, id: &str) -> PortResult<()> {
        self.0.write(|session| blobs::delete(session, kind, id))
    }
}

/// The next `count` numbers of a counter: the last one of them. They are never given again.
pub(crate) fn take_numbers(session: &mut dyn Session, counter: &str, count: usize) -> PortResult<i64> {
    let sql = "UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value";
    let count = i64::try_from(count).map_err(|_| damaged("a count"))?;
    let row = session.query(sql, cells![count, counter])?.first();
    row.ok_or_else(|| damaged("a counter"))?.integer()
}

/// The numbers of devices; `None`: there is no such device.
pub(crate) fn numbers(session: &mut dyn Session, devices: &[&DeviceRef]) -> PortResult<Vec<Option<Numbers>>> {
    let lines = devices.iter().map(|device| cells![&device.product, &device.device]).collect();
    let rows = with_rows(
        session,
        "SELECT k.column1, k.column2, d.product, d.number FROM (VALUES",
        &["TEXT", "TEXT"],
        ") AS k CROSS JOIN products p CROSS JOIN devices d \
         WHERE p.id = k.column1 AND d.product = p.number AND d.id = k.column2",
        lines,
    )?;
    let mut found = HashMap::with_capacity(rows.len());
    for mut row in rows {
        let device = DeviceRef::new(row.text()?, row.text()?);
        found.insert(device, Numbers { product: row.integer()?, device: row.integer()? });
    }
    Ok(devices.iter().map(|device| found.get(*device).copied()).collect())
}

/// The numbers of a device that must be there.
pub(crate) fn numbers_of(session: &mut dyn Session, device: &DeviceRef) -> PortResult<Numbers> {
    numbers(session, &[device])?.pop().flatten().ok_or_else(|| unknown_device(device))
}

/// The number of a product that must be there.
pub(crate) fn product_number(session: &mut dyn Session, product: &str) -> PortResult<i64> {
    let row = session.query("SELECT number FROM products WHERE id = $1", cells![product])?.first();
    row.ok_or_else(|| unknown_product(product))?.integer()
}

pub(crate) fn unknown_device(device: &DeviceRef) -> PortError {
    not_found("unknown_device", format!("there is no device {device}"))
}

pub(crate) fn unknown_product(product: &str) -> PortError {
    not_found("unknown_product", format!("there is no product {product}"))
}

fn not_found(code: &'static str, message: String) -> PortError {
    PortError::new(PortErrorKind::NotFound, code, message)
}

fn conflict(code: &'static str, message: String) -> PortError {
    PortError::new(PortErrorKind::Conflict, code, message)
}

fn invalid(code: &'static str, message: String) -> PortError {
    PortError::new(PortErrorKind::Invalid, code, message)
}

/// Marks what is to be removed in bites.
pub(crate) fn doom(session: &mut dyn Session, kind: &str, number: i64) -> PortResult<()> {
    session.execute("INSERT INTO doomed (kind, number) VALUES ($1, $2)", cells![kind, number])?;
    Ok(())
}

/// A map that was stored as JSON.
fn read_json<T: serde::de::DeserializeOwned>(row: &mut Row) -> PortResult<T> {
    serde_json::from_str(&row.text()?).map_err(|_| damaged("JSON"))
}

fn json_cell<T: serde::Serialize>(value: &T) -> PortResult<Cell> {
    let text = serde_json::to_string(value);
    text.map(Cell::Text).map_err(|error| invalid("bad_json", format!("this cannot be kept as JSON: {error}")))
}
