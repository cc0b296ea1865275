//! The options of TLS, named as in mosquitto's clients.

use std::path::PathBuf;

use hexmq_transport::{TlsConnector, TlsError, TlsOptions, TlsVersion};

/// Whom to trust, and who we are.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct TlsArgs {
    /// Trust the authorities in this PEM file; turns TLS on
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
    /// Our certificate for the server, PEM; turns TLS on
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// TLS with any certificate: nobody knows then who is at the other end
    #[arg(long)]
    insecure: bool,
    /// Only this version of TLS; turns TLS on
    #[arg(long, value_name = "VERSION", value_parser = version)]
    tls_version: Option<TlsVersion>,
}

fn version(text: &str) -> Result<TlsVersion, String> {
    match text.strip_prefix("tlsv").unwrap_or(text) {
        "1.2" => Ok(TlsVersion::V1_2),
        "1.3" => Ok(TlsVersion::V1_3),
        _ => Err("expected tlsv1.2 or tlsv1.3".to_owned()),
    }
}

impl TlsArgs {
    /// Whether one of the options turns TLS on.
    pub(crate) fn wanted(&self) -> bool {
        self.cafile.is_some() || self.cert.is_some() || self.insecure || self.tls_version.is_some()
    }

    /// What puts TLS over connections.
    pub(crate) fn connector(&self) -> Result<TlsConnector, TlsError> {
        TlsConnector::new(&TlsOptions {
            authorities: self.cafile.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            insecure: self.insecure,
            version: self.tls_version,
        })
    }
}
