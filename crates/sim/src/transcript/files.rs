//! Finding transcripts.

use std::path::{Path, PathBuf};

use hexmq_notation::Transcript;

/// Reads all transcripts of the repository: `tests/transcripts/*/*.mqtt`, in the order of their
/// names. Errors of all files, one a line.
pub fn read_all() -> Result<Vec<Transcript>, String> {
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts"))
}

/// Reads the transcripts in the folders of `folder`. They are named from `tests/` on.
pub fn read_folder(folder: &Path) -> Result<Vec<Transcript>, String> {
    let mut transcripts = Vec::new();
    let mut errors = Vec::new();
    for file in list(folder, true)?
        .into_iter()
        .map(|folder| list(&folder, false))
        .collect::<Result<Vec<_>, _>>()?
        .concat()
    {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        match Transcript::parse(&short_name(&file), &text) {
            Ok(transcript) => transcripts.push(transcript),
            Err(error) => errors.push(error.to_string()),
        }
    }
    if errors.is_empty() { Ok(transcripts) } else { Err(errors.join("\n")) }
}

fn short_name(file: &Path) -> String {
    let parts: Vec<_> = file.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.get(parts.len().saturating_sub(4)..).unwrap_or_default().join("/")
}

fn list(folder: &Path, folders: bool) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let wanted = |path: &PathBuf| {
        if folders { path.is_dir() } else { path.extension().is_some_and(|end| end == "mqtt") }
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(wanted).collect();
    paths.sort();
    Ok(paths)
}
