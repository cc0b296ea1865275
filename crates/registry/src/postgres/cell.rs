//! Cells as PostgreSQL has them.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::driver::{Cell, Row, plain};

impl ToSql for Cell {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, ty) {
            (Cell::Null, _) => Ok(IsNull::Yes),
            (Cell::Integer(value), &Type::INT8) => value.to_sql(ty, out),
            (Cell::Integer(value), &Type::INT4) => i32::try_from(*value)?.to_sql(ty, out),
            (Cell::Integer(value), &Type::FLOAT8) => (*value as f64).to_sql(ty, out),
            (Cell::Real(value), &Type::FLOAT8) => value.to_sql(ty, out),
            // The one letter that no text of PostgreSQL can hold; names that devices give might.
            (Cell::Text(text), &Type::TEXT) => plain(text).to_sql(ty, out),
            (Cell::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (cell, ty) => Err(format!("{cell:?} is no {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row of the kinds of columns that the schema has.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    let mut cells = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        cells.push(match *column.type_() {
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(index)?.into(),
            Type::TEXT => row.try_get::<_, Option<String>>(index)?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            // Anything else than the eight bytes of a whole number says so.
            _ => row.try_get::<_, Option<i64>>(index)?.into(),
        });
    }
    Ok(Row::new(cells))
}
