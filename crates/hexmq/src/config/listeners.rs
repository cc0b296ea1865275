//! Where to listen, and with which certificates.

use std::fmt;
use std::path::{Path, PathBuf};

use hexmq_transport::{Endpoint, ListenUrl, TlsFiles};

use super::file::ListenerEntry;
use super::{ConfigError, Settings};

const DEFAULT: &str = "mqtt://127.0.0.1:1883";

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// What and where.
    pub(crate) url: ListenUrl,
    /// The certificate, where it speaks TLS.
    pub(crate) tls: Option<TlsFiles>,
    /// It has a `[[listener]]` with files of its own.
    own_files: bool,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// All listeners: those of the flags, or those of the file, or the default.
pub(super) fn resolve(
    flags: &Settings,
    in_file: &Settings,
    entries: Vec<ListenerEntry>,
) -> Result<Vec<Listen>, ConfigError> {
    let given = flags.clone().or(in_file.clone());
    let plain = |url: &String| ListenerEntry { url: url.clone(), ..ListenerEntry::default() };
    let entries: Vec<ListenerEntry> = match (&flags.listen, &in_file.listen) {
        (Some(urls), _) => urls.iter().map(plain).collect(),
        (None, Some(urls)) => urls.iter().map(plain).chain(entries).collect(),
        (None, None) if entries.is_empty() => vec![plain(&DEFAULT.to_owned())],
        (None, None) => entries,
    };
    if entries.is_empty() {
        return Err(ConfigError::key("listen", "the list is empty").hint("leave it out for the default"));
    }
    let mut listeners: Vec<Listen> = Vec::with_capacity(entries.len());
    for entry in entries {
        let listen = listen(entry, &given)?;
        let any_port = matches!(listen.url.endpoint, Endpoint::Tcp { port: 0, .. });
        if listeners.iter().any(|other| other.url == listen.url) && !any_port {
            return Err(ConfigError::key("listen", format!("{} is given twice", listen.url)));
        }
        listeners.push(listen);
    }
    let asked = flags.tls_cert.is_some() || flags.tls_key.is_some() || flags.tls_client_ca.is_some();
    if asked && !listeners.iter().any(|listen| listen.url.scheme.speaks_tls()) {
        let message = "no listener speaks TLS, so the certificate would never be shown";
        return Err(ConfigError::key("tls_cert", message).hint("add --listen mqtts://0.0.0.0:8883"));
    }
    Ok(listeners)
}

fn listen(entry: ListenerEntry, given: &Settings) -> Result<Listen, ConfigError> {
    let url: ListenUrl = entry.url.parse().map_err(|error| ConfigError::key("listen", error))?;
    let own_files = entry.tls_cert.is_some() || entry.tls_key.is_some() || entry.tls_client_ca.is_some();
    if !url.scheme.speaks_tls() {
        if own_files {
            let message = format!("{url} speaks no TLS, so its certificate would never be shown");
            return Err(ConfigError::key("listener", message).hint("write mqtts://, auto:// or wss://"));
        }
        return Ok(Listen { url, tls: None, own_files });
    }
    // Certificate and key go together, so both come from the same place.
    let (certificate, key) = match (&entry.tls_cert, &entry.tls_key) {
        (None, None) => (given.tls_cert.clone(), given.tls_key.clone()),
        (certificate, key) => (certificate.clone(), key.clone()),
    };
    let authorities = entry.tls_client_ca.or_else(|| given.tls_client_ca.clone());
    let missing = |key: &str, what: &str| {
        let flag = key.replace('_', "-");
        ConfigError::key(key, format!("{url} needs {what}")).hint(format!(
            "name the PEM file with --{flag} FILE, or {key} = \"FILE\" in the file or its [[listener]]"
        ))
    };
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => TlsFiles {
            certificate,
            key,
            // An empty name takes back what all others have.
            client_authorities: authorities.filter(|path| !path.as_os_str().is_empty()),
        },
        (Some(certificate), None) => {
            return Err(missing("tls_key", &format!("the private key of {}", certificate.display())));
        }
        (None, _) => return Err(missing("tls_cert", "a certificate")),
    };
    Ok(Listen { url, tls: Some(tls), own_files })
}

/// The addresses alone: certificates can change while the server runs.
pub(super) fn urls(listeners: &[Listen]) -> Vec<&ListenUrl> {
    listeners.iter().map(|listen| &listen.url).collect()
}

/// As keys of a TOML file, which come before its tables.
pub(super) fn write_keys(f: &mut fmt::Formatter<'_>, listeners: &[Listen]) -> fmt::Result {
    let common = || listeners.iter().filter(|listen| !listen.own_files);
    let urls: Vec<String> = common().map(|listen| format!("{:?}", listen.url.to_string())).collect();
    if !urls.is_empty() {
        writeln!(f, "listen = [{}]", urls.join(", "))?;
    }
    match common().find_map(|listen| listen.tls.as_ref()) {
        Some(files) => write_files(f, files),
        None => Ok(()),
    }
}

/// Those with files of their own, as tables of a TOML file, which come last.
pub(super) fn write_tables(f: &mut fmt::Formatter<'_>, listeners: &[Listen]) -> fmt::Result {
    for listen in listeners.iter().filter(|listen| listen.own_files) {
        writeln!(f, "\n[[listener]]\nurl = {:?}", listen.url.to_string())?;
        if let Some(files) = &listen.tls {
            write_files(f, files)?;
            if files.client_authorities.is_none() {
                writeln!(f, "tls_client_ca = \"\"")?;
            }
        }
    }
    Ok(())
}

fn write_files(f: &mut fmt::Formatter<'_>, files: &TlsFiles) -> fmt::Result {
    let mut write = |key: &str, path: &Path| writeln!(f, "{key} = {:?}", path.display().to_string());
    write("tls_cert", &files.certificate)?;
    write("tls_key", &files.key)?;
    files.client_authorities.as_ref().map_or(Ok(()), |path: &PathBuf| write("tls_client_ca", path))
}
