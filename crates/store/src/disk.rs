//! What the store needs of a disk, small enough to be simulated.

use std::io;

/// Files in one directory. Errors are the operating system's; what counts is the kind.
pub trait Disk: Send + 'static {
    /// The names of all files, in any order.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// Makes a file that must not be there yet ([`io::ErrorKind::AlreadyExists`]).
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// The size of a file in bytes.
    fn size(&mut self, name: &str) -> io::Result<u64>;
    /// Reads bytes from an offset; fewer than asked for only at the end of the file.
    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Writes all bytes at an offset that is not behind the end. If it fails, any part of them may be written.
    fn write(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    fn truncate(&mut self, name: &str, size: u64) -> io::Result<()>;
    /// Returns when the contents and the size of a file survive a power cut. If it fails, what was written since
    /// the last success must not be trusted, whatever a read or a second try says.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Returns when the names of files survive a power cut.
    fn sync_directory(&mut self) -> io::Result<()>;
    /// Gives a file another name; a file that had it before is gone.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// Reads a small file whole; `None` if it is not there. At most `bytes_max` bytes of it.
pub(crate) fn read_small(disk: &mut dyn Disk, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let size = match disk.size(name) {
        Ok(size) => size.min(bytes_max),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; size as usize];
    let read = disk.read(name, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}
