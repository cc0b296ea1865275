//! The text files under version control.

use std::fs;
use std::path::Path;

use crate::command::{command, output};

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// Whether the name ends so.
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.'))
    }

    /// Whether the whole file is only for tests.
    pub(crate) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.split('/').any(|folder| folder == "tests")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }

    /// Whether it is part of what people run: the crates, without tests and without those beside.
    pub(crate) fn is_product(&self) -> bool {
        let beside = ["crates/sim/", "crates/fuzz/", "crates/bench/"];
        let is_beside = beside.iter().any(|folder| self.path.starts_with(folder));
        self.path.starts_with("crates/") && self.path.contains("/src/") && !is_beside && !self.is_test()
    }
}

/// Every tracked file that is text.
pub(crate) fn tracked(root: &Path) -> Result<Vec<Source>, String> {
    let listed = output(command("git").args(["ls-files", "-z"]))?;
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    // A deleted file stays in the index until the deletion is committed, and fuzz corpora are bytes:
    // both are passed over.
    let read = |path: &str| {
        let text = String::from_utf8(fs::read(root.join(path)).ok()?).ok()?;
        Some(Source { path: path.to_owned(), text })
    };
    Ok(paths.filter_map(read).collect())
}
