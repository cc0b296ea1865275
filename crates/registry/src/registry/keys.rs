//! Keys of applications.

use hexmq_device::port::PortResult;
use hexmq_device::{ApiKey, Scope};

use super::{conflict, not_found};
use crate::driver::{Row, Session, cells};

/// All, in the order of their making.
pub(super) fn all(session: &mut dyn Session) -> PortResult<Vec<ApiKey>> {
    let sql = "SELECT id, name, sha256, scopes, product, device, created_ms, expires_ms FROM keys \
               ORDER BY created_ms, id";
    session.query(sql, vec![])?.rows.into_iter().map(read).collect()
}

pub(super) fn create(session: &mut dyn Session, key: &ApiKey) -> PortResult<()> {
    let taken =
        session.query("SELECT 1 FROM keys WHERE id = $1 OR sha256 = $2", cells![&key.id, &key.sha256])?;
    if taken.first().is_some() {
        return Err(conflict("key_exists", format!("there is a key {} already", key.id)));
    }
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    session.execute(
        "INSERT INTO keys (id, name, sha256, scopes, product, device, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        cells![
            &key.id,
            &key.name,
            &key.sha256,
            scopes.join(" "),
            key.product.as_ref(),
            key.device.as_ref(),
            key.created_at_ms,
            key.expires_at_ms,
        ],
    )?;
    Ok(())
}

pub(super) fn delete(session: &mut dyn Session, id: &str) -> PortResult<()> {
    match session.execute("DELETE FROM keys WHERE id = $1", cells![id])? {
        0 => Err(not_found("unknown_key", format!("there is no key {id}"))),
        _ => Ok(()),
    }
}

fn read(mut row: Row) -> PortResult<ApiKey> {
    Ok(ApiKey {
        id: row.text()?,
        name: row.text()?,
        sha256: row.text()?,
        // A scope that is not known here allows nothing here.
        scopes: row.text()?.split(' ').filter_map(Scope::named).collect(),
        product: row.maybe_text()?,
        device: row.maybe_text()?,
        created_at_ms: row.integer()?,
        expires_at_ms: row.maybe_integer()?,
    })
}
