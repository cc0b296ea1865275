//! Where the server keeps its data, and what a crash does to it.

use std::path::{Path, PathBuf};

use crate::random::Random;

/// A place for data.
pub(crate) trait Ground {
    /// The folder.
    fn data(&self) -> &Path;
    /// The server was killed and does not run.
    fn after_kill(&mut self, random: &mut Random) -> Result<(), String>;
}

/// A folder as it is: the operating system goes on, and what was written is there.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder.
    pub(crate) fn new(path: PathBuf) -> Result<Folder, String> {
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder { path })
    }
}

impl Ground for Folder {
    fn data(&self) -> &Path {
        &self.path
    }

    fn after_kill(&mut self, _: &mut Random) -> Result<(), String> {
        Ok(())
    }
}
