//! Values in cells.
//!
//! `number` is what is drawn and summarised ([`Datum::number`]). Where it does not say exactly what the value
//! is, `bytes` does: of texts, JSON and bytes all of it; of whole numbers beyond 2^53, and of reals that no
//! data base keeps as they are (not finite, or -0), the eight bytes.

use hexmq_device::Datum;
use hexmq_device::port::{PortError, PortErrorKind, PortResult};

use crate::driver::{Cell, Row, damaged};

const INTEGER: i64 = 0;
const REAL: i64 = 1;
const BOOLEAN: i64 = 2;
const TEXT: i64 = 3;
const JSON: i64 = 4;
const BINARY: i64 = 5;

/// Kind, number and bytes.
pub(super) fn cells_of(value: &Datum) -> PortResult<[Cell; 3]> {
    let (kind, bytes) = match value {
        Datum::Integer(value) => {
            (INTEGER, (value.unsigned_abs() > 1 << 53).then(|| value.to_le_bytes().to_vec()))
        }
        Datum::Real(value) => {
            let odd = !value.is_finite() || (*value == 0.0 && value.is_sign_negative());
            (REAL, odd.then(|| value.to_bits().to_le_bytes().to_vec()))
        }
        Datum::Boolean(_) => (BOOLEAN, None),
        Datum::Text(text) => (TEXT, Some(text.clone().into_bytes())),
        Datum::Json(json) => {
            let bytes = serde_json::to_vec(json).map_err(|error| {
                PortError::new(PortErrorKind::Invalid, "bad_json", format!("a value cannot be kept: {error}"))
            })?;
            (JSON, Some(bytes))
        }
        Datum::Binary(bytes) => (BINARY, Some(bytes.clone())),
    };
    Ok([kind.into(), value.number().into(), bytes.into()])
}

/// Reads kind, number and bytes.
pub(super) fn read(row: &mut Row) -> PortResult<Datum> {
    let (kind, number, bytes) = (row.integer()?, row.maybe_real()?, row.maybe_bytes()?);
    let wrong = || damaged("a value");
    let eight = bytes.as_deref().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    Ok(match (kind, bytes) {
        (INTEGER, Some(_)) => Datum::Integer(i64::from_le_bytes(eight.ok_or_else(wrong)?)),
        (INTEGER, None) => Datum::Integer(number.ok_or_else(wrong)? as i64),
        (REAL, Some(_)) => Datum::Real(f64::from_bits(u64::from_le_bytes(eight.ok_or_else(wrong)?))),
        (REAL, None) => Datum::Real(number.ok_or_else(wrong)?),
        (BOOLEAN, _) => Datum::Boolean(number.ok_or_else(wrong)? != 0.0),
        (TEXT, Some(bytes)) => Datum::Text(String::from_utf8(bytes).map_err(|_| wrong())?),
        (JSON, Some(bytes)) => Datum::Json(serde_json::from_slice(&bytes).map_err(|_| wrong())?),
        (BINARY, Some(bytes)) => Datum::Binary(bytes),
        _ => return Err(wrong()),
    })
}
