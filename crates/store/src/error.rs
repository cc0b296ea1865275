//! What can go wrong with a store.

use std::fmt;
use std::io;

/// Why a store cannot be opened.
#[derive(Debug)]
pub enum StoreError {
    /// Another process has it.
    Locked {
        /// The directory.
        directory: String,
    },
    /// The disk does not do what it is asked for.
    Disk {
        /// What was tried, with the file.
        what: String,
        /// Its answer.
        error: io::Error,
    },
    /// Something in it is not what was written.
    Damaged(Damage),
    /// It was written by a version of HexMQ with another format.
    Version {
        /// The file that says so.
        file: String,
        /// The version it names.
        found: String,
    },
    /// There are files of a store, but not the one that says what they are.
    NoManifest,
}

/// Where something is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// The end of the log that was not whole: what was being written when the server or the machine stopped.
/// Nothing of it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// Where it was cut, in bytes.
    pub offset: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
}

impl StoreError {
    pub(crate) fn disk(what: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
        let what = what.into();
        |error| StoreError::Disk { what, error }
    }

    pub(crate) fn damaged(file: impl Into<String>, offset: u64, what: impl Into<String>) -> StoreError {
        StoreError::Damaged(Damage { file: file.into(), offset, what: what.into() })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Locked { directory } => {
                write!(f, "{directory} is in use by another server; stop it, or give this one a directory of its own")
            }
            StoreError::Disk { what, error } => write!(f, "{what}: {error}"),
            StoreError::Damaged(damage) => write!(
                f,
                "{damage}; nothing was changed. `hexmq store check` lists all damage, `hexmq store repair` keeps what is \
                 whole, `hexmq store export` gets it out"
            ),
            StoreError::Version { file, found } => write!(
                f,
                "{file} is of version {found} of the store's format, and this server knows version {} only; \
                 use the version of HexMQ that wrote it, or `hexmq store export` of that version",
                crate::segment::VERSION
            ),
            StoreError::NoManifest => f.write_str(
                "there are segments but no manifest, which every store has: it was removed or lost. `hexmq store repair` \
                 makes a new one",
            ),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Disk { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at offset {}: {}", self.file, self.offset, self.what)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut {} bytes from the end of {} at offset {}", self.bytes, self.file, self.offset)
    }
}
