//! Where data bases are made for the checks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use hexmq_registry::{Database, Location, open};

pub(crate) fn memory() -> Database {
    open(&Location::Memory).unwrap()
}

/// A directory of its own, which goes with it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hexmq-registry-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file of SQLite.
pub(crate) struct File {
    directory: Directory,
}

impl File {
    pub(crate) fn new() -> File {
        File { directory: Directory::new() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.0.join("devices.db")
    }

    pub(crate) fn open(&self) -> Database {
        open(&Location::Sqlite(self.path())).unwrap()
    }
}
