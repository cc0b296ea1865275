//! TLS under an accepted connection: from ciphertext of a socket that never blocks to plain bytes.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{AlertDescription, Error, ServerConfig, ServerConnection};

use crate::certificate::Certificate;
use crate::layer_error::{LayerError, LayerRule};

/// Bytes of a handshake that are kept while it lasts, so that a failure can be looked at.
const HELLO_BYTES_MAX: usize = 2048;
/// Encrypted bytes that wait for the kernel at most.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// The server's end of TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    connection: ServerConnection,
    /// While the handshake lasts.
    hello: Option<Box<Hello>>,
    /// Common Name of the client's certificate.
    peer_name: Option<Box<str>>,
    /// The kernel has taken ciphertext.
    progressed: bool,
}

/// What a client began with.
#[derive(Debug, Default)]
struct Hello {
    bytes: Vec<u8>,
    sent: usize,
}

/// What a read came to.
pub(crate) struct Got {
    /// Plain bytes; 0 only at the end.
    pub(crate) count: usize,
    /// The kernel had no more, and nothing decrypted is left.
    pub(crate) drained: bool,
}

impl Tls {
    pub(crate) fn new(config: Arc<ServerConfig>) -> io::Result<Tls> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(OUTPUT_BYTES_MAX));
        Ok(Tls { connection, hello: Some(Box::default()), peer_name: None, progressed: false })
    }

    /// Common Name of the client's certificate, once the handshake is over.
    pub(crate) fn peer_name(&self) -> Option<&str> {
        self.peer_name.as_deref()
    }

    /// Whether the kernel has taken ciphertext since this was asked last.
    pub(crate) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progressed)
    }

    /// Whether encrypted bytes wait for the kernel.
    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Whether the handshake still goes on, and what the client has sent for it.
    pub(crate) fn hello(&self) -> Option<(&[u8], usize)> {
        self.hello.as_ref().map(|hello| (hello.bytes.as_slice(), hello.sent))
    }

    /// Fills the buffer as far as there are plain bytes.
    pub(crate) fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Got> {
        let mut filled = 0;
        let mut empty = false;
        loop {
            let free = buffer.get_mut(filled..).unwrap_or_default();
            if free.is_empty() {
                return Ok(Got { count: filled, drained: false });
            }
            match self.connection.reader().read(free) {
                Ok(0) => return Ok(Got { count: filled, drained: false }),
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without a goodbye: MQTT says itself where a packet ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Got { count: filled, drained: false });
                }
                Err(error) => return Err(error),
            }
            if empty {
                return match filled {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    count => Ok(Got { count, drained: true }),
                };
            }
            empty = match self.take_in(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
                Err(error) if filled > 0 && LayerError::of(&error).is_none() => {
                    // What came before the network failed is told first; the failure comes again.
                    return Ok(Got { count: filled, drained: false });
                }
                other => other?,
            };
        }
    }

    /// Takes ciphertext from the kernel and decrypts it. `true`: the kernel has no more.
    fn take_in(&mut self, socket: &mut TcpStream) -> io::Result<bool> {
        let mut probe = Probe { socket, hello: self.hello.as_deref_mut(), short: false };
        let count = self.connection.read_tls(&mut probe)?;
        let short = probe.short;
        if count == 0 && self.connection.is_handshaking() {
            return Err(self.incomplete("the client closed the connection").into());
        }
        if let Err(error) = self.connection.process_new_packets() {
            // Its alert tells the client why, as far as the kernel takes it.
            let _ = self.flush(socket);
            return Err(self.failed(&error).into());
        }
        if self.hello.is_some() && !self.connection.is_handshaking() {
            self.hello = None;
            let shown = self.connection.peer_certificates().and_then(<[_]>::first);
            let name = shown.and_then(|der| Certificate::read(der)?.common_name);
            self.peer_name = name.map(String::into_boxed_str);
        }
        match self.flush(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(short && count > 0),
        }
    }

    /// The handshake was not finished.
    pub(crate) fn incomplete(&self, why: &str) -> LayerError {
        let (seen, sent) = self.hello().unwrap_or_default();
        LayerError::new(LayerRule::TlsIncomplete, why).seen(seen, sent)
    }

    fn failed(&self, error: &Error) -> LayerError {
        let (seen, sent) = self.hello().unwrap_or_default();
        let rule = if self.hello.is_some() { rule_of(error) } else { LayerRule::TlsBroken };
        LayerError::new(rule, error.to_string()).seen(seen, sent)
    }

    /// Takes plain bytes, first of `head`, then of `body`, as far as the kernel takes their ciphertext and a
    /// bounded rest waits here. Takes none while older ones wait.
    pub(crate) fn write(&mut self, socket: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let mut taken = 0;
        while taken < head.len() + body.len() {
            let rest = head.get(taken..).unwrap_or_default();
            let behind = body.get(taken.saturating_sub(head.len())..).unwrap_or_default();
            let more =
                self.connection.writer().write_vectored(&[IoSlice::new(rest), IoSlice::new(behind)])?;
            taken += more;
            match self.flush(socket) {
                Ok(()) if more > 0 => {}
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Gives the kernel what waits; `WouldBlock` while it does not take all of it.
    pub(crate) fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => self.progressed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says goodbye as TLS wants it.
    pub(crate) fn close(&mut self, socket: &mut TcpStream) {
        self.connection.send_close_notify();
        // Who does not take it is not waited for.
        let _ = self.flush(socket);
    }
}

/// Reads from the socket and sees whether it is empty then.
struct Probe<'a> {
    socket: &'a mut TcpStream,
    hello: Option<&'a mut Hello>,
    short: bool,
}

impl Read for Probe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        self.short = count < buffer.len();
        if let Some(hello) = &mut self.hello {
            let room = HELLO_BYTES_MAX.saturating_sub(hello.bytes.len()).min(count);
            hello.bytes.extend_from_slice(buffer.get(..room).unwrap_or_default());
            hello.sent += count;
        }
        Ok(count)
    }
}

/// What ended a handshake.
fn rule_of(error: &Error) -> LayerRule {
    match error {
        Error::NoCertificatesPresented => LayerRule::TlsClientCertificateMissing,
        Error::InvalidCertificate(_) => LayerRule::TlsClientCertificateRefused,
        Error::PeerIncompatible(_) => LayerRule::TlsNothingInCommon,
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            // A signature that is not the authority's it names.
            | AlertDescription::DecryptError,
        ) => LayerRule::TlsServerNotTrusted,
        Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            LayerRule::TlsNothingInCommon
        }
        _ => LayerRule::TlsBroken,
    }
}
