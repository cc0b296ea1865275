//! The manifest: a few lines of text that say what lies in the directory.
//!
//! ```text
//! hexmq store 1
//! seed 9f86d081884c7d65
//! created 1764000000000
//! first 1
//! start 0
//! crc32c 1a2b3c4d
//! ```
//!
//! It is replaced as a whole: written under another name, synced, renamed, and the directory synced.

use std::io;

use hexmq_session::Wall;

use crate::disk::{Disk, read_small};

/// Its name.
pub(crate) const NAME: &str = "manifest";
const NEW_NAME: &str = "manifest.new";
const BYTES_MAX: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The seed of hashes that must stay the same; checksums begin with it too.
    pub(crate) seed: u64,
    /// When the store was made.
    pub(crate) created: Wall,
    /// The first segment that counts; those before it are left-overs.
    pub(crate) first: u64,
    /// The position at which the log begins.
    pub(crate) start: u64,
}

/// Why there is no manifest to go by.
#[derive(Debug)]
pub(crate) enum ManifestFault {
    /// There is none.
    Missing,
    /// It cannot be understood.
    Broken(&'static str),
    /// Written by a version of the format that is not known.
    Version(String),
    /// The disk.
    Disk(io::Error),
}

impl Manifest {
    /// Where checksums of this store begin, so that files of another store are not taken for its own.
    pub(crate) fn salt(&self) -> u32 {
        crate::segment::salt(self.seed)
    }

    pub(crate) fn read(disk: &mut dyn Disk) -> Result<Manifest, ManifestFault> {
        let bytes =
            read_small(disk, NAME, BYTES_MAX).map_err(ManifestFault::Disk)?.ok_or(ManifestFault::Missing)?;
        let text = str::from_utf8(&bytes).map_err(|_| ManifestFault::Broken("it is not text"))?;
        Manifest::parse(text)
    }

    fn parse(text: &str) -> Result<Manifest, ManifestFault> {
        let version =
            text.lines().next().and_then(|line| line.strip_prefix("hexmq store ")).unwrap_or_default();
        if version.is_empty() {
            return Err(ManifestFault::Broken("it does not begin with `hexmq store`"));
        }
        if version != "1" {
            return Err(ManifestFault::Version(version.chars().take(20).collect()));
        }
        let checked = text.find("crc32c ").ok_or(ManifestFault::Broken("there is no line `crc32c`"))?;
        let (body, crc) = text.split_at(checked);
        if crc.trim_end() != format!("crc32c {:08x}", crc32c::crc32c(body.as_bytes())) {
            return Err(ManifestFault::Broken("the checksum is wrong"));
        }
        let field = |name: &str, radix| {
            body.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
                .and_then(|value| u64::from_str_radix(value, radix).ok())
        };
        let fields = (field("seed", 16), field("created", 10), field("first", 10), field("start", 10));
        let (Some(seed), Some(created), Some(first), Some(start)) = fields else {
            return Err(ManifestFault::Broken(
                "one of the lines `seed`, `created`, `first`, `start` is missing",
            ));
        };
        Ok(Manifest { seed, created: Wall(created), first, start })
    }

    /// Puts it in the place of the one before.
    pub(crate) fn write(&self, disk: &mut dyn Disk) -> io::Result<()> {
        let Manifest { seed, created, first, start } = *self;
        let created = created.0;
        let mut text =
            format!("hexmq store 1\nseed {seed:016x}\ncreated {created}\nfirst {first}\nstart {start}\n");
        let crc = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("crc32c {crc:08x}\n"));
        match disk.create(NEW_NAME) {
            // Left over. It may be the very file that has the good name too, so it is not written over.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.remove(NEW_NAME)?;
                disk.create(NEW_NAME)?;
            }
            result => result?,
        }
        disk.write(NEW_NAME, 0, text.as_bytes())?;
        disk.sync(NEW_NAME)?;
        disk.rename(NEW_NAME, NAME)?;
        disk.sync_directory()
    }
}
