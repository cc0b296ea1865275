//! TLS towards a server.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

/// Where systems keep the authorities they trust, as one PEM file.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whom to trust, and who we are.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// PEM file with the authorities to trust; without it those of the system.
    pub authorities: Option<PathBuf>,
    /// PEM file with our certificate and what it is signed with.
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub key: Option<PathBuf>,
    /// Take any certificate: nobody knows then who is at the other end.
    pub insecure: bool,
    /// Only this version.
    pub version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    V1_2,
    /// 1.3
    V1_3,
}

/// What is wrong with the files for TLS.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of what it should.
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold, and why it does not.
        problem: String,
    },
    /// No file with authorities where systems keep them.
    NoAuthorities,
    /// Certificate and key go together.
    Half,
    /// Certificate and key do not fit, or TLS cannot use them.
    Refused(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File { path, problem } => write!(f, "{}: {problem}", path.display()),
            TlsError::NoAuthorities => {
                f.write_str("this system has no file with trusted authorities; name one with --cafile")
            }
            TlsError::Half => f.write_str("a client certificate needs both --cert and --key"),
            TlsError::Refused(error) => write!(f, "certificate and key: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Puts TLS over connections to servers.
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

impl TlsConnector {
    /// Reads the files.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn new(options: &TlsOptions) -> Result<TlsConnector, TlsError> {
        let provider = Arc::new(ring::default_provider());
        const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
        const ONLY_1_2: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        const ONLY_1_3: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        let versions = match options.version {
            None => BOTH,
            Some(TlsVersion::V1_2) => ONLY_1_2,
            Some(TlsVersion::V1_3) => ONLY_1_3,
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(TlsError::Refused)?;
        let builder = if options.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(authorities(options.authorities.as_deref())?)
        };
        let config = match (&options.certificate, &options.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(TlsError::Refused)?,
            _ => return Err(TlsError::Half),
        };
        Ok(TlsConnector { config: Arc::new(config) })
    }

    /// Agrees with the server on keys; `host` is the name its certificate must be for.
    pub(crate) fn connect(
        &self,
        mut socket: TcpStream,
        host: &str,
        patience: Duration,
    ) -> io::Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut connection =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(handshake_error)?;
        }
        socket.set_nonblocking(true)?;
        Ok(TlsStream { connection, socket })
    }
}

fn handshake_error(error: io::Error) -> io::Error {
    let kind = error.kind();
    let problem = match kind {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "the server does not answer the TLS handshake; perhaps its port speaks no TLS".to_owned()
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            format!("the server ended the TLS handshake; perhaps its port speaks no TLS: {error}")
        }
        _ => format!("TLS: {error}"),
    };
    io::Error::new(kind, problem)
}

/// A connection with TLS over it. Never blocks.
#[derive(Debug)]
pub struct TlsStream {
    connection: ClientConnection,
    socket: TcpStream,
}

impl TlsStream {
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Says goodbye as TLS wants it, as far as the kernel takes it, then ends our half.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush()?;
        self.socket.shutdown(Shutdown::Write)
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            let free = buffer.get_mut(filled..).unwrap_or_default();
            if free.is_empty() {
                return Ok(filled);
            }
            match self.connection.reader().read(free) {
                // The peer has said goodbye.
                Ok(0) => return Ok(filled),
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without a goodbye: MQTT says itself where a packet ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(filled),
                Err(error) => return Err(error),
            }
            match self.connection.read_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if filled > 0 && error.kind() == io::ErrorKind::WouldBlock => return Ok(filled),
                Err(error) => return Err(error),
            }
            self.connection
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // An answer of TLS itself; what the kernel does not take now goes with the next write.
            self.flush()?;
        }
    }
}

impl Write for TlsStream {
    /// Takes nothing while older bytes wait for the kernel, so that little is ever held here.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        if self.connection.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.connection.writer().write(bytes)?;
        self.flush()?;
        Ok(taken)
    }

    /// Gives the kernel what it takes now.
    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The authorities of a file, or of the system.
fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in certificates(file)? {
            store.add(certificate).map_err(|error| TlsError::File {
                path: file.to_owned(),
                problem: format!("not the certificate of an authority: {error}"),
            })?;
        }
        return Ok(store);
    }
    let asked = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = SYSTEM_AUTHORITIES.iter().map(PathBuf::from);
    let found = asked.into_iter().chain(usual).find(|path| path.exists());
    // Among the many of a system some are of an old kind; the others serve.
    store.add_parsable_certificates(certificates(&found.ok_or(TlsError::NoAuthorities)?)?);
    Ok(store)
}

fn file_error(path: &Path, problem: impl fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), problem: problem.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(path).map_err(|error| file_error(path, error))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| file_error(path, format!("not PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(file_error(path, "no certificate in it (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = fs::read(path).map_err(|error| file_error(path, error))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        file_error(path, "no private key in it that is not encrypted (-----BEGIN PRIVATE KEY-----)")
    })
}

/// Takes every certificate, but makes sure that who shows it has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
