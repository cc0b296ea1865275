//! Bytes: firmware, uploaded files.
//!
//! They are written in parts, each its own transaction, under a generation that nobody sees; the last
//! transaction puts it in the place of the one before. So nobody reads half of a blob, and whoever else writes
//! never waits for a whole one. What a crash leaves behind is doomed from the beginning.

use hexmq_device::port::{PortError, PortErrorKind, PortResult};

use super::{doom, take_numbers};
use crate::driver::{ANSWER_BYTES_MAX, Base, Session, cells, damaged};

/// Bytes of a part.
pub(crate) const PART_BYTES: usize = 256 << 10;
/// Parts in one transaction.
const PARTS_AT_ONCE: usize = 16;
/// Bytes of the largest blob.
const BLOB_BYTES_MAX: usize = 256 << 20;

pub(super) fn put(base: &Base, kind: &str, id: &str, bytes: &[u8], at_ms: i64) -> PortResult<()> {
    if bytes.len() > BLOB_BYTES_MAX {
        return Err(PortError::new(
            PortErrorKind::Full,
            "blob_too_large",
            format!("{} bytes are more than the {BLOB_BYTES_MAX} that one file may have", bytes.len()),
        ));
    }
    let generation = base.write(|session| {
        let generation = take_numbers(session, "blob", 1)?;
        base.writing().push(generation);
        doom(session, "blob", generation)?;
        Ok(generation)
    })?;
    let _written = Writing { base, generation };
    let parts: Vec<(i64, &[u8])> = (0..).zip(bytes.chunks(PART_BYTES)).collect();
    for parts in parts.chunks(PARTS_AT_ONCE) {
        let lines = parts.iter().map(|(part, bytes)| cells![generation, *part, *bytes]).collect();
        let sql = "INSERT INTO blob_parts (generation, part, bytes) VALUES ($1, $2, $3)";
        base.write(|session| session.execute_each(sql, lines))?;
    }
    base.write(|session| {
        if let Some(old) = current(session, kind, id)? {
            doom(session, "blob", old.generation)?;
        }
        session.execute("DELETE FROM doomed WHERE kind = 'blob' AND number = $1", cells![generation])?;
        session.execute(
            "INSERT INTO blobs (kind, id, generation, size, at_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (kind, id) DO UPDATE \
             SET generation = excluded.generation, size = excluded.size, at_ms = excluded.at_ms",
            cells![kind, id, generation, bytes.len() as i64, at_ms],
        )?;
        Ok(())
    })
}

/// While it lives, the parts of this generation are not cleared away.
struct Writing<'a> {
    base: &'a Base,
    generation: i64,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.base.writing().retain(|generation| *generation != self.generation);
    }
}

struct Current {
    generation: i64,
    size: u64,
}

fn current(session: &mut dyn Session, kind: &str, id: &str) -> PortResult<Option<Current>> {
    let sql = "SELECT generation, size FROM blobs WHERE kind = $1 AND id = $2";
    let Some(mut row) = session.query(sql, cells![kind, id])?.first() else { return Ok(None) };
    let generation = row.integer()?;
    let size = u64::try_from(row.integer()?).map_err(|_| damaged("a size"))?;
    Ok(Some(Current { generation, size }))
}

pub(super) fn read(
    session: &mut dyn Session,
    kind: &str,
    id: &str,
    offset: u64,
    limit: usize,
) -> PortResult<Option<(Vec<u8>, u64)>> {
    let Some(blob) = current(session, kind, id)? else { return Ok(None) };
    let left = usize::try_from(blob.size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let wanted = limit.min(left).min(ANSWER_BYTES_MAX / 2);
    let mut bytes = Vec::with_capacity(wanted);
    if wanted > 0 {
        let part_bytes = PART_BYTES as u64;
        let first = offset / part_bytes;
        let last = (offset + wanted as u64 - 1) / part_bytes;
        let sql =
            "SELECT bytes FROM blob_parts WHERE generation = $1 AND part BETWEEN $2 AND $3 ORDER BY part";
        let rows = session.query(sql, cells![blob.generation, first as i64, last as i64])?.rows;
        // Between the two statements it may have been replaced and cleared away.
        let whole = rows.len() as u64 == last - first + 1;
        let mut skip = (offset % part_bytes) as usize;
        for mut row in rows {
            let part = row.bytes()?;
            let rest = part.get(skip..).unwrap_or_default();
            bytes.extend_from_slice(rest.get(..wanted - bytes.len()).unwrap_or(rest));
            skip = 0;
        }
        if !whole || bytes.len() != wanted {
            return Err(PortError::new(
                PortErrorKind::Conflict,
                "blob_changed",
                format!("{kind} {id} was replaced while it was read: read it again"),
            ));
        }
    }
    Ok(Some((bytes, blob.size)))
}

pub(super) fn delete(session: &mut dyn Session, kind: &str, id: &str) -> PortResult<()> {
    let Some(blob) = current(session, kind, id)? else { return Ok(()) };
    session.execute("DELETE FROM blobs WHERE kind = $1 AND id = $2", cells![kind, id])?;
    doom(session, "blob", blob.generation)
}
