//! A disk that may fill only so far.

use std::collections::BTreeMap;
use std::io;

use crate::disk::Disk;

/// Refuses what would make all files together larger than a bound, as a full disk does.
#[derive(Debug)]
pub struct Limited<D> {
    disk: D,
    bytes_max: u64,
    sizes: BTreeMap<String, u64>,
}

impl<D: Disk> Limited<D> {
    /// Bounds a disk to so many bytes. What is there already may be more: then nothing can be added.
    ///
    /// # Errors
    /// The disk does not tell what is on it.
    pub fn new(mut disk: D, bytes_max: u64) -> io::Result<Limited<D>> {
        let mut sizes = BTreeMap::new();
        for name in disk.list()? {
            let size = disk.size(&name)?;
            sizes.insert(name, size);
        }
        Ok(Limited { disk, bytes_max, sizes })
    }

    fn used(&self) -> u64 {
        self.sizes.values().sum()
    }
}

impl<D: Disk> Disk for Limited<D> {
    fn list(&mut self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.disk.create(name)?;
        self.sizes.insert(name.to_owned(), 0);
        Ok(())
    }

    fn size(&mut self, name: &str) -> io::Result<u64> {
        self.disk.size(name)
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.disk.read(name, at, into)
    }

    fn write(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let before = self.sizes.get(name).copied().unwrap_or(0);
        let after = before.max(at + bytes.len() as u64);
        if after > before && self.used() - before + after > self.bytes_max {
            let why = format!("the {} bytes of `store_bytes` are used up", self.bytes_max);
            return Err(io::Error::new(io::ErrorKind::StorageFull, why));
        }
        self.disk.write(name, at, bytes)?;
        self.sizes.insert(name.to_owned(), after);
        Ok(())
    }

    fn truncate(&mut self, name: &str, size: u64) -> io::Result<()> {
        self.disk.truncate(name, size)?;
        self.sizes.insert(name.to_owned(), size);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.disk.sync(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)?;
        if let Some(size) = self.sizes.remove(from) {
            self.sizes.insert(to.to_owned(), size);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk.remove(name)?;
        self.sizes.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    #[test]
    fn what_would_pass_the_bound_is_refused_and_room_comes_back() {
        let disk = SimDisk::new(1);
        disk.put("old", &[0; 60]);
        let mut limited = Limited::new(disk, 100).unwrap();
        limited.create("new").unwrap();
        limited.write("new", 0, &[1; 40]).unwrap();
        let full = limited.write("new", 40, &[1]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        limited.write("new", 0, &[2; 40]).unwrap();
        limited.rename("old", "older").unwrap();
        limited.remove("older").unwrap();
        limited.write("new", 40, &[1; 60]).unwrap();
        limited.truncate("new", 10).unwrap();
        limited.write("new", 10, &[3; 90]).unwrap();
        assert!(limited.write("new", 100, &[3]).is_err());
    }
}
