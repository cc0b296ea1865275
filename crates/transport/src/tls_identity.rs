//! The certificate of a listener: read from files, judged, and replaced while the server runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use crate::certificate::{Certificate, show_time};
use crate::pem::{Block, Pem};

/// Whoever has less time than this left on a certificate is warned.
const SOON_S: i64 = 14 * 86_400;

/// The files of a listener that speaks TLS; all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, then those it is signed with.
    pub certificate: PathBuf,
    /// The private key of the first certificate, not encrypted.
    pub key: PathBuf,
    /// Authorities that must have signed the certificate of a client. `None`: clients need none.
    pub client_authorities: Option<PathBuf>,
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFileError {
    /// Which.
    pub path: PathBuf,
    /// What is wrong with it, where, and what to do.
    pub problem: String,
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for TlsFileError {}

/// A certificate with its key and whom it trusts, ready for handshakes.
#[derive(Clone)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    warnings: Vec<String>,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

impl TlsIdentity {
    /// Reads the files and judges them.
    ///
    /// # Errors
    /// The file that cannot be used, the line, and what to do.
    pub fn load(files: &TlsFiles) -> Result<TlsIdentity, TlsFileError> {
        let provider = Arc::new(ring::default_provider());
        let mut warnings = Vec::new();
        let pem = read(&files.certificate)?;
        let chain = pem.certificates().map_err(|problem| error(&files.certificate, problem))?;
        let key = certified_key(files, &chain, &provider)?;
        for (block, certificate) in &chain {
            warn_of_time(&mut warnings, &files.certificate, block, certificate)?;
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|problem| error(&files.certificate, problem))?;
        let builder = match &files.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = authorities(path, &mut warnings)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|problem| error(path, problem))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
        // Devices come back often, and a handshake they need not repeat is cheap. What they need for
        // that they keep themselves: nothing is remembered here for each of them.
        config.ticketer = ring::Ticketer::new()
            .map_err(|problem| error(&files.certificate, format!("no keys for tickets: {problem}")))?;
        Ok(TlsIdentity { config: Arc::new(config), warnings })
    }

    /// What will be wrong soon, or is in the eyes of clients: a sentence for each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn error(path: &Path, problem: impl fmt::Display) -> TlsFileError {
    TlsFileError { path: path.to_owned(), problem: problem.to_string() }
}

fn read(path: &Path) -> Result<Pem, TlsFileError> {
    Pem::read(path).map_err(|problem| error(path, problem))
}

/// The key with its certificates, if they fit.
fn certified_key(
    files: &TlsFiles,
    chain: &[(Block, CertificateDer<'static>)],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsFileError> {
    let pem = read(&files.key)?;
    let (block, key) = pem.private_key().map_err(|problem| error(&files.key, problem))?;
    let key = provider.key_provider.load_private_key(key).map_err(|problem| {
        let text = format!(
            "line {}: a private key of this kind cannot be used: {problem}; RSA of 2048 to 8192 bits, ECDSA \
             P-256 and P-384, and Ed25519 can",
            block.line
        );
        error(&files.key, text)
    })?;
    let certificates: Vec<CertificateDer<'static>> = chain.iter().map(|(_, der)| der.clone()).collect();
    let fits = |certificates: Vec<CertificateDer<'static>>| {
        let pair = CertifiedKey::new(certificates, Arc::clone(&key));
        pair.keys_match().map(|()| pair)
    };
    let problem = match fits(certificates) {
        Ok(pair) => return Ok(pair),
        Err(problem) => problem,
    };
    let line = chain.first().map_or(1, |(block, _)| block.line);
    if !matches!(problem, rustls::Error::InconsistentKeys(_)) {
        let text = format!("line {line}: the certificate cannot be used: {problem}");
        return Err(error(&files.certificate, text));
    }
    let other = chain.iter().skip(1).find(|(_, der)| fits(vec![der.clone()]).is_ok());
    Err(match other {
        Some((other, _)) => {
            let text = format!(
                "the certificate of the key {} stands at line {}; the server's own must be the first in the file",
                files.key.display(),
                other.line
            );
            error(&files.certificate, text)
        }
        None => {
            let text = format!(
                "line {}: this key does not fit the certificate at line {line} of {}; name the pair that was \
                 made together",
                block.line,
                files.certificate.display()
            );
            error(&files.key, text)
        }
    })
}

fn authorities(path: &Path, warnings: &mut Vec<String>) -> Result<Arc<RootCertStore>, TlsFileError> {
    let mut store = RootCertStore::empty();
    for (block, certificate) in read(path)?.certificates().map_err(|problem| error(path, problem))? {
        warn_of_time(warnings, path, &block, &certificate)?;
        store.add(certificate).map_err(|problem| {
            error(path, format!("line {}: not the certificate of an authority: {problem}", block.line))
        })?;
    }
    Ok(Arc::new(store))
}

/// Warns of a certificate that is not valid now, or not for long.
fn warn_of_time(
    warnings: &mut Vec<String>,
    path: &Path,
    block: &Block,
    der: &CertificateDer<'_>,
) -> Result<(), TlsFileError> {
    let Some(certificate) = Certificate::read(der) else {
        return Err(error(path, format!("line {}: this is no certificate that can be read", block.line)));
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let (from, until) = (certificate.not_before, certificate.not_after);
    let what = if until < now {
        format!("expired on {}; clients refuse it", show_time(until))
    } else if from > now {
        format!("is valid only from {} on; is the clock of this machine right?", show_time(from))
    } else if until - now < SOON_S {
        format!("expires on {}", show_time(until))
    } else {
        return Ok(());
    };
    let name = certificate.common_name.map(|name| format!(" ({name})")).unwrap_or_default();
    warnings.push(format!("{}: line {}: the certificate{name} {what}", path.display(), block.line));
    Ok(())
}

/// What a listener shows to clients, now and after a reload.
pub struct TlsServer {
    config: RwLock<Arc<ServerConfig>>,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Shows this one.
    pub fn new(identity: &TlsIdentity) -> TlsServer {
        TlsServer { config: RwLock::new(Arc::clone(&identity.config)) }
    }

    /// Shows another one from the next handshake on. Connections stay as they are.
    pub fn replace(&self, identity: &TlsIdentity) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&identity.config);
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}
