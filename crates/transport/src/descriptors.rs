//! The limit of open descriptors (`RLIMIT_NOFILE`): every connection costs one.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open descriptors to the hard limit and returns what holds now;
/// `u64::MAX` means no limit.
///
/// # Errors
/// The system refused the new limit; the old one still holds.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(descriptor_limit())
}

/// The soft limit of open descriptors; `u64::MAX` means no limit.
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
