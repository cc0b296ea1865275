//! Putting what was taken out of a store into a new one.

use std::fmt;
use std::io::{self, BufRead};

use hexmq_broker::ShardId;
use hexmq_session::Wall;
use serde_json::Value;

use super::json::{Fields, to_record};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::store::{Mode, Options, Store};

/// Bytes of records that go into one commit, about.
const COMMIT_BYTES: usize = 1 << 20;
/// A line has at most so many bytes: the largest message, as hexadecimal digits, and its topic as JSON.
const LINE_BYTES_MAX: u64 = 1 << 30;

/// What [`import`] has put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines, without the first.
    pub records: u64,
}

/// Why something cannot be put in.
#[derive(Debug)]
pub enum ImportError {
    /// There is something in the store already.
    NotEmpty,
    /// A line is not what it should be.
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// What is put in cannot be read.
    Read(io::Error),
    /// The store.
    Store(StoreError),
}

/// Makes a store of what [`export`](super::export) has written. The disk must not have a store yet.
pub fn import<D: Disk>(mut disk: D, lines: &mut dyn BufRead, now: Wall) -> Result<Imported, ImportError> {
    let names = disk.list().map_err(StoreError::disk("cannot list the files")).map_err(ImportError::Store)?;
    if names.iter().any(|name| name == crate::manifest::NAME || crate::segment::number(name).is_some()) {
        return Err(ImportError::NotEmpty);
    }
    let mut text = Vec::new();
    let mut line = 1;
    let head = next_line(lines, &mut text, line)?
        .ok_or(ImportError::Line { line, what: "there is nothing".to_owned() })?;
    let (seed, next_serial, next_version) = header(&head).map_err(|what| ImportError::Line { line, what })?;
    let options = Options::new(Mode::Disk, seed, now);
    let (mut store, _) = Store::open(disk, options).map_err(ImportError::Store)?;
    store.count_from(next_serial, next_version);
    let mut imported = Imported::default();
    let mut commit = Vec::new();
    let mut failed =
        |error| ImportError::Store(StoreError::Disk { what: "cannot write the store".to_owned(), error });
    loop {
        line += 1;
        let Some(object) = next_line(lines, &mut text, line)? else { break };
        // What first refers to a message stands behind it, in the same commit.
        let begins = matches!(object.get("record").and_then(Value::as_str), Some("session" | "message"));
        if begins && commit.len() >= COMMIT_BYTES {
            hand_over(&mut store, &mut commit, line)?;
            store.make_safe().map_err(&mut failed)?;
        }
        to_record(&object, &mut commit).map_err(|what| ImportError::Line { line, what })?;
        imported.records += 1;
    }
    hand_over(&mut store, &mut commit, line)?;
    store.close().map_err(&mut failed)?;
    Ok(imported)
}

fn hand_over<D: Disk>(store: &mut Store<D>, commit: &mut Vec<u8>, line: u64) -> Result<(), ImportError> {
    let appended = store.append(ShardId(0), commit);
    commit.clear();
    appended.map(|_| ()).map_err(|bad| ImportError::Line { line, what: bad.error.to_string() })
}

fn header(object: &Value) -> Result<(u64, u64, u64), String> {
    let fields = Fields(object);
    match fields.number("hexmq_store") {
        Ok(1) => {}
        Ok(version) => return Err(format!("version {version} is not known; this one is 1")),
        Err(_) => {
            return Err("the first line does not say `hexmq_store`: this is no export of a store".to_owned());
        }
    }
    let seed = u64::from_str_radix(fields.text("seed")?, 16)
        .map_err(|_| "`seed` is not a hexadecimal number".to_owned())?;
    Ok((seed, fields.number("next_serial")?, fields.number("next_version")?))
}

fn next_line(lines: &mut dyn BufRead, text: &mut Vec<u8>, line: u64) -> Result<Option<Value>, ImportError> {
    loop {
        text.clear();
        let read =
            io::Read::take(&mut *lines, LINE_BYTES_MAX).read_until(b'\n', text).map_err(ImportError::Read)?;
        if read == 0 {
            return Ok(None);
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let what =
            |error: serde_json::Error| ImportError::Line { line, what: format!("it is not JSON: {error}") };
        return serde_json::from_slice(text).map(Some).map_err(what);
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::NotEmpty => f.write_str("there is a store already; import makes a new one"),
            ImportError::Line { line, what } => write!(f, "line {line}: {what}"),
            ImportError::Read(error) => write!(f, "cannot read what is to be imported: {error}"),
            ImportError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}
