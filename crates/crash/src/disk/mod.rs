//! A file system of ours with a power switch: it keeps what was synced apart from what was not.

mod fuse;
mod model;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, Session};

use crate::ground::Ground;
use crate::random::Random;
use fuse::Mounted;
use model::Model;

/// The disk, and how it behaves now.
struct Shared {
    model: Model,
    sync_delay: Duration,
    syncs: u64,
}

/// A mounted disk.
pub(crate) struct Disk {
    folder: PathBuf,
    shared: Arc<Mutex<Shared>>,
    /// `None` between a cut and the mount after it.
    session: Option<BackgroundSession>,
}

impl Disk {
    /// Mounts an empty disk with so many bytes on a folder, which is made.
    ///
    /// # Errors
    /// There is no FUSE here, or mounting is not allowed.
    pub(crate) fn mount(folder: PathBuf, capacity: u64) -> Result<Disk, String> {
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let shared = Shared { model: Model::new(capacity), sync_delay: Duration::ZERO, syncs: 0 };
        let mut disk = Disk { folder, shared: Arc::new(Mutex::new(shared)), session: None };
        disk.attach()?;
        Ok(disk)
    }

    fn attach(&mut self) -> Result<(), String> {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("hexmq-crash".to_owned()),
            MountOption::NoDev,
            MountOption::NoSuid,
            MountOption::NoExec,
        ];
        let mounted = Mounted { shared: Arc::clone(&self.shared) };
        let session = Session::new(mounted, &self.folder, &config).and_then(Session::spawn);
        self.session = Some(session.map_err(|error| format!("cannot mount a FUSE file system: {error}"))?);
        Ok(())
    }

    fn detach(&mut self) -> Result<(), String> {
        match self.session.take() {
            Some(session) => session.umount_and_join().map_err(|error| format!("cannot unmount: {error}")),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: what was not synced is lost in part or in whole. Nobody may have a file open.
    pub(crate) fn cut(&mut self, random: &mut Random) -> Result<(), String> {
        self.detach()?;
        self.lock().model.cut(random);
        self.attach()
    }

    /// No room for more than is there, or plenty.
    pub(crate) fn set_full(&self, is_full: bool, capacity: u64) {
        let mut shared = self.lock();
        shared.model.capacity = if is_full { shared.model.used() } else { capacity };
    }

    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.lock().model.is_read_only = is_read_only;
    }

    pub(crate) fn set_failing(&self, fails_to_sync: bool) {
        self.lock().model.fails_to_sync = fails_to_sync;
    }

    /// How long each fsync takes from now on.
    pub(crate) fn set_sync_delay(&self, delay: Duration) {
        self.lock().sync_delay = delay;
    }

    /// How many fsyncs there were.
    pub(crate) fn syncs(&self) -> u64 {
        self.lock().syncs
    }
}

impl Ground for Disk {
    fn data(&self) -> &Path {
        &self.folder
    }

    fn after_kill(&mut self, random: &mut Random) -> Result<(), String> {
        self.cut(random)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.detach();
    }
}
