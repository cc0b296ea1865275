//! A directory of the operating system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::StoreError;

/// The file whose lock says that the directory is in use.
const LOCK: &str = "lock";
/// Files that are kept open at most.
const OPEN_MAX: usize = 64;

/// Files in a directory, which nobody else may use as long as this lives.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    /// Holds the lock.
    _lock: File,
    /// Files that were used lately, the last one at the end.
    open: Vec<(String, File)>,
}

fn sync_parent(directory: &Path) -> io::Result<()> {
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

impl FileDisk {
    /// Takes a directory, which is made if it is not there; readable for this user only, since messages are.
    ///
    /// [`StoreError::Locked`] if another process has it.
    pub fn open(directory: &Path) -> Result<FileDisk, StoreError> {
        let shown = directory.display();
        // A directory survives a power cut when the one it is in was synced.
        let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .and_then(|()| missing.into_iter().rev().try_for_each(sync_parent))
            .map_err(StoreError::disk(format!("cannot make the directory {shown}")))?;
        FileDisk::open_existing(directory)
    }

    /// Takes a directory that is there.
    pub fn open_existing(directory: &Path) -> Result<FileDisk, StoreError> {
        let shown = directory.display();
        let path = directory.join(LOCK);
        let cannot = || StoreError::disk(format!("cannot use the directory {shown}"));
        fs::metadata(directory).map_err(cannot())?;
        let lock = match OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
        {
            Ok(lock) => lock,
            // A read-only disk can still be locked and read.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                File::open(&path).map_err(cannot())?
            }
            Err(error) => return Err(cannot()(error)),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { directory: shown.to_string() }),
            Err(TryLockError::Error(error)) => return Err(cannot()(error)),
        }
        Ok(FileDisk { directory: directory.to_owned(), _lock: lock, open: Vec::new() })
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        let at = self.open.iter().rposition(|(other, _)| other == name);
        let entry = match at {
            Some(at) if at + 1 == self.open.len() => None,
            Some(at) => Some(self.open.remove(at)),
            None => {
                let path = self.directory.join(name);
                let file = match OpenOptions::new().read(true).write(true).open(&path) {
                    Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path)?,
                    result => result?,
                };
                if self.open.len() >= OPEN_MAX {
                    self.open.remove(0);
                }
                Some((name.to_owned(), file))
            }
        };
        self.open.extend(entry);
        self.open.last().map(|(_, file)| file).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn close(&mut self, name: &str) {
        self.open.retain(|(other, _)| other != name);
    }
}

impl Disk for FileDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string().ok().filter(|name| name != LOCK));
            }
        }
        Ok(names)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let path = self.directory.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        self.close(name);
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push((name.to_owned(), file));
        Ok(())
    }

    fn size(&mut self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.directory.join(name))?.len())
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.file(name)?;
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, at)
    }

    fn truncate(&mut self, name: &str, size: u64) -> io::Result<()> {
        self.file(name)?.set_len(size)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.close(from);
        self.close(to);
        fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.close(name);
        fs::remove_file(self.directory.join(name))
    }
}
