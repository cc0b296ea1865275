//! The TOML file of `--config`: read, and refused where a key or a value is wrong, with the line.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::Settings;

/// A configuration file as it stands there.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    /// The settings, by the names of the flags.
    pub(crate) settings: Settings,
    /// `[[user]]`
    pub(crate) user: Vec<UserEntry>,
    /// `[[listener]]`
    pub(crate) listener: Vec<ListenerEntry>,
}

/// The tables beside the settings. They are read apart: a flattened struct would lose the place
/// of a wrong value.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tables {
    user: Vec<UserEntry>,
    listener: Vec<ListenerEntry>,
}

/// A client that may connect.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UserEntry {
    /// User Name of its CONNECT.
    pub(crate) name: String,
    /// PHC string of argon2id, as `hexmq user hash` prints it.
    pub(crate) password_hash: String,
    /// May subscribe to all of `$hexmq/#`.
    #[serde(default)]
    pub(crate) admin: bool,
    /// Topic filters under `$hexmq/` that it may subscribe to.
    #[serde(default)]
    pub(crate) grants: Vec<String>,
}

/// An address to listen on.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ListenerEntry {
    /// As `--listen`.
    pub(crate) url: String,
    /// As `--tls-cert`, for this one.
    pub(crate) tls_cert: Option<PathBuf>,
    /// As `--tls-key`, for this one.
    pub(crate) tls_key: Option<PathBuf>,
    /// As `--tls-client-ca`, for this one; empty: none.
    pub(crate) tls_client_ca: Option<PathBuf>,
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    /// The file and the line (from 1), where the fault is in a file.
    pub(crate) place: Option<(PathBuf, Option<usize>)>,
    /// The key or flag.
    pub(crate) key: Option<String>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) hint: Option<String>,
}

impl ConfigError {
    pub(crate) fn key(key: &str, message: impl fmt::Display) -> ConfigError {
        ConfigError { place: None, key: Some(key.to_owned()), message: message.to_string(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> ConfigError {
        ConfigError { hint: Some(hint.into()), ..self }
    }

    fn at(path: &Path, line: Option<usize>, message: impl Into<String>) -> ConfigError {
        ConfigError { place: Some((path.to_owned(), line)), key: None, message: message.into(), hint: None }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((path, Some(line))) => write!(f, "{}:{line}: ", path.display())?,
            Some((path, None)) => write!(f, "{}: ", path.display())?,
            None => {}
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl ConfigFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::at(path, None, format!("cannot be read: {error}")))?;
        ConfigFile::parse(&text, path)
    }

    /// Reads the text of a file; `path` is for messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
        let failed = |error: toml::de::Error| {
            let line = error.span().map(|span| line_of(text, span.start));
            let key = line.and_then(|line| key_in(text, line));
            ConfigError { key, ..ConfigError::at(path, line, error.message()) }
        };
        // Unknown keys first: serde would know neither the line nor the nearest name.
        let table = DeTable::parse(text).map_err(failed)?;
        check_keys(table.get_ref(), text, path)?;
        let settings: Settings = toml::from_str(text).map_err(failed)?;
        let tables: Tables = toml::from_str(text).map_err(failed)?;
        Ok(ConfigFile { settings, user: tables.user, listener: tables.listener })
    }
}

const TABLES: [(&str, &[&str]); 2] = [
    ("user", &["name", "password_hash", "admin", "grants"]),
    ("listener", &["url", "tls_cert", "tls_key", "tls_client_ca"]),
];

fn check_keys(table: &DeTable<'_>, text: &str, path: &Path) -> Result<(), ConfigError> {
    let top: Vec<&str> = Settings::KEYS.iter().copied().chain(TABLES.iter().map(|(name, _)| *name)).collect();
    refuse_unknown(table, &top, "", text, path)?;
    for (key, value) in table.iter() {
        let Some((name, known)) = TABLES.iter().find(|(name, _)| *name == key.get_ref().as_ref()) else {
            continue;
        };
        let DeValue::Array(entries) = value.get_ref() else {
            let line = line_of(text, key.span().start);
            let message = format!("`{name}` is a list of tables: write [[{name}]]");
            return Err(ConfigError::at(path, Some(line), message));
        };
        for entry in entries.iter() {
            if let DeValue::Table(entry) = entry.get_ref() {
                refuse_unknown(entry, known, name, text, path)?;
            }
        }
    }
    Ok(())
}

fn refuse_unknown(
    table: &DeTable<'_>,
    known: &[&str],
    inside: &str,
    text: &str,
    path: &Path,
) -> Result<(), ConfigError> {
    let unknown = table
        .iter()
        .map(|(key, _)| (key.span().start, key.get_ref().as_ref()))
        .filter(|(_, key)| !known.contains(key))
        .min();
    let Some((start, key)) = unknown else { return Ok(()) };
    let place = if inside.is_empty() { String::new() } else { format!(" in [[{inside}]]") };
    let error = ConfigError::at(path, Some(line_of(text, start)), format!("unknown key `{key}`{place}"));
    Err(match nearest(key, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("known keys: {}", known.join(", "))),
    })
}

/// The known name that is most like this one, if any is like it at all.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let key = key.replace('-', "_").to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&key, name), *name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn key_in(text: &str, line: usize) -> Option<String> {
    let (key, _) = text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    Some(key.trim().to_owned())
}
