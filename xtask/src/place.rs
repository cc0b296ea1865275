//! Where things are: the repository, its target folder, the tools and the programs built in it.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// What the workshop installs for itself, out of version control.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// Which build of our programs is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// `cargo build`.
    Debug,
    /// `cargo build --release`.
    Release,
}

/// The path of a program of ours.
pub(crate) fn program(name: &str, profile: Profile) -> PathBuf {
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    target().join(folder).join(name)
}
