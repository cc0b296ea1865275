//! Products.

use hexmq_device::port::PortResult;
use hexmq_device::{DialectName, Product, Secret, Validation, is_id};

use super::{conflict, doom, invalid, json_cell, product_number, read_json, take_numbers, unknown_product};
use crate::driver::{Row, Session, cells, damaged};

const COLUMNS: &str = "number, id, name, dialect, secret, created_ms, zone_minutes, validation, \
                       dynamic_registration, history_days, switches";

/// All, by id. There are few of them: a product stands for a kind of device.
pub(super) fn all(session: &mut dyn Session) -> PortResult<Vec<Product>> {
    let sql = format!("SELECT {COLUMNS} FROM products WHERE id > $1 ORDER BY id LIMIT 1000");
    let mut products: Vec<Product> = Vec::new();
    loop {
        let after = products.last().map_or("", |product| product.id.as_str());
        let part = session.query(&sql, cells![after])?;
        if part.rows.is_empty() {
            return Ok(products);
        }
        for row in part.rows {
            products.push(read(row)?);
        }
    }
}

pub(super) fn create(session: &mut dyn Session, product: &Product) -> PortResult<Product> {
    if !is_id(&product.id) {
        return Err(invalid(
            "bad_id",
            format!("a product id is 1 to 64 of A-Z a-z 0-9 _ - . : @, this is {:?}", product.id),
        ));
    }
    let taken = session.query("SELECT 1 FROM products WHERE id = $1", cells![&product.id])?;
    if taken.first().is_some() {
        return Err(conflict("product_exists", format!("there is a product {} already", product.id)));
    }
    let number =
        u32::try_from(take_numbers(session, "product", 1)?).map_err(|_| damaged("a product number"))?;
    session.execute(
        "INSERT INTO products (number, id, name, dialect, secret, created_ms, zone_minutes, validation, \
         dynamic_registration, history_days, switches) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        cells![
            number,
            &product.id,
            &product.name,
            product.dialect.name(),
            product.secret.as_ref().map(|secret| &secret.0),
            product.created_at_ms,
            i64::from(product.zone_minutes),
            product.validation.name(),
            product.dynamic_registration,
            product.history_days,
            json_cell(&product.switches)?,
        ],
    )?;
    Ok(Product { number, ..product.clone() })
}

pub(super) fn update(session: &mut dyn Session, product: &Product) -> PortResult<()> {
    let changed = session.execute(
        "UPDATE products SET name = $2, secret = $3, zone_minutes = $4, validation = $5, \
         dynamic_registration = $6, history_days = $7, switches = $8 WHERE id = $1",
        cells![
            &product.id,
            &product.name,
            product.secret.as_ref().map(|secret| &secret.0),
            i64::from(product.zone_minutes),
            product.validation.name(),
            product.dynamic_registration,
            product.history_days,
            json_cell(&product.switches)?,
        ],
    )?;
    if changed == 0 { Err(unknown_product(&product.id)) } else { Ok(()) }
}

/// The product is out of sight with this, and with it whatever hangs on its number; `prune` takes it away.
pub(super) fn delete(session: &mut dyn Session, product: &str) -> PortResult<()> {
    let number = product_number(session, product)?;
    session.execute("DELETE FROM products WHERE number = $1", cells![number])?;
    doom(session, "product", number)
}

fn read(mut row: Row) -> PortResult<Product> {
    Ok(Product {
        number: u32::try_from(row.integer()?).map_err(|_| damaged("a product number"))?,
        id: row.text()?,
        name: row.text()?,
        dialect: DialectName::named(&row.text()?).ok_or_else(|| damaged("a dialect"))?,
        secret: row.maybe_text()?.map(Secret),
        created_at_ms: row.integer()?,
        zone_minutes: i16::try_from(row.integer()?).map_err(|_| damaged("a zone"))?,
        validation: Validation::named(&row.text()?).ok_or_else(|| damaged("a rule of validation"))?,
        dynamic_registration: row.flag()?,
        history_days: match row.maybe_integer()? {
            Some(days) => Some(u32::try_from(days).map_err(|_| damaged("days"))?),
            None => None,
        },
        switches: read_json(&mut row)?,
    })
}
