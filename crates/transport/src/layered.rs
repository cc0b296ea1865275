//! Layers over an accepted TCP connection: TLS, or what decides whether there is TLS, and WebSocket.
//!
//! Reading and writing are those of a socket that never blocks and tells its readiness by edges. Therefore
//! `WouldBlock` from a read means that the kernel had nothing more and nothing decrypted is left here; and what
//! a write has taken may wait here, within a bound, until the kernel takes it: [`Layered::wants_write`].

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use mio::net::TcpStream;

use crate::TlsServer;
use crate::layer_error::{LayerError, LayerRule};
use crate::tls_accepted::{Got, Tls};
use crate::websocket::WebSocket;

/// The first byte of a record with a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// A TCP connection with layers over it.
#[derive(Debug)]
pub struct Layered {
    socket: TcpStream,
    security: Security,
    websocket: Option<Box<WebSocket>>,
    /// The last read has left nothing.
    drained: bool,
}

#[derive(Debug)]
enum Security {
    /// As it comes.
    Plain,
    /// The first byte decides; without `plain_too` it must be one of TLS.
    Undecided { server: Arc<TlsServer>, plain_too: bool },
    /// TLS.
    Tls(Box<Tls>),
}

/// What the layers of a listener are made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) tls: Option<Arc<TlsServer>>,
    /// With TLS: also without.
    pub(crate) plain_too: bool,
    /// The path of WebSocket.
    pub(crate) path: Option<Arc<str>>,
    /// Largest packet, in bytes.
    pub(crate) packet_max: u64,
}

impl Layers {
    /// Whether connections are plain TCP.
    pub(crate) fn is_empty(&self) -> bool {
        self.tls.is_none() && self.path.is_none()
    }
}

/// What a handshake has shown of the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// It came over TLS.
    pub secure: bool,
    /// Common Name of its certificate, where one was asked for.
    pub certificate_name: Option<Box<str>>,
    /// A page of another machine has opened it, in a browser: the browser may be on this machine, who wrote the
    /// page is not.
    pub foreign_page: bool,
}

impl Layered {
    pub(crate) fn new(socket: TcpStream, layers: &Layers) -> Layered {
        let security = match &layers.tls {
            None => Security::Plain,
            Some(server) => Security::Undecided { server: Arc::clone(server), plain_too: layers.plain_too },
        };
        let websocket =
            layers.path.as_ref().map(|path| Box::new(WebSocket::new(Arc::clone(path), layers.packet_max)));
        Layered { socket, security, websocket, drained: false }
    }

    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Whether the last read has left nothing, here and in the kernel.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained
    }

    fn parts(&mut self) -> (Option<&mut WebSocket>, Below<'_>) {
        let below = Below { socket: &mut self.socket, security: &mut self.security };
        (self.websocket.as_deref_mut(), below)
    }

    /// Whether bytes wait here for the kernel.
    pub(crate) fn wants_write(&self) -> bool {
        let encrypted = matches!(&self.security, Security::Tls(tls) if tls.wants_write());
        encrypted || self.websocket.as_ref().is_some_and(|websocket| websocket.wants_write())
    }

    /// Whether the kernel has taken bytes that waited here since this was asked last.
    pub(crate) fn take_progress(&mut self) -> bool {
        match &mut self.security {
            Security::Tls(tls) => tls.take_progress(),
            _ => false,
        }
    }

    /// What the handshakes have shown; for a stream that has given plain bytes.
    pub(crate) fn introduction(&self) -> Introduction {
        let tls = match &self.security {
            Security::Tls(tls) => Some(tls),
            _ => None,
        };
        Introduction {
            secure: tls.is_some(),
            certificate_name: tls.and_then(|tls| tls.peer_name()).map(Into::into),
            foreign_page: self.websocket.as_ref().is_some_and(|websocket| websocket.is_of_foreign_page()),
        }
    }

    /// The handshake that still goes on, as the error it would be if it ended now. `None`: there is none, or
    /// nothing has come of it.
    pub(crate) fn unfinished(&self) -> Option<LayerError> {
        const WHY: &str = "the client did not go on";
        let error = match (&self.security, &self.websocket) {
            (Security::Tls(tls), _) if tls.hello().is_some() => tls.incomplete(WHY),
            (_, Some(websocket)) if websocket.unanswered().is_some() => websocket.incomplete(WHY),
            _ => return None,
        };
        (error.sent > 0).then_some(error)
    }

    /// Says goodbye as the layers want it, then that nothing more will come.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        let (websocket, mut below) = self.parts();
        if let Some(websocket) = websocket {
            websocket.end(&mut below);
        }
        if let Security::Tls(tls) = &mut self.security {
            tls.close(&mut self.socket);
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

impl Read for Layered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (websocket, mut below) = self.parts();
        let got = match websocket {
            Some(websocket) => websocket.read(&mut below, buffer),
            None => below.read(buffer),
        };
        match got {
            Ok(got) => {
                self.drained = got.drained;
                Ok(got.count)
            }
            Err(error) => {
                self.drained = error.kind() == io::ErrorKind::WouldBlock;
                Err(error)
            }
        }
    }
}

impl Write for Layered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (websocket, mut below) = self.parts();
        match websocket {
            Some(websocket) => websocket.write(&mut below, bytes),
            None => below.write(&[], bytes),
        }
    }

    /// `WouldBlock` while the kernel does not take all that waits here.
    fn flush(&mut self) -> io::Result<()> {
        let (websocket, mut below) = self.parts();
        match websocket {
            Some(websocket) => websocket.flush(&mut below),
            None => below.flush(),
        }
    }
}

/// What is under WebSocket: the socket, with TLS or without.
pub(crate) struct Below<'a> {
    socket: &'a mut TcpStream,
    security: &'a mut Security,
}

impl Below<'_> {
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        if matches!(self.security, Security::Undecided { .. }) && !self.decide(buffer)? {
            return Ok(Got { count: 0, drained: false });
        }
        match self.security {
            Security::Tls(tls) => tls.read(self.socket, buffer),
            _ => {
                let count = self.socket.read(buffer)?;
                Ok(Got { count, drained: (1..buffer.len()).contains(&count) })
            }
        }
    }

    /// Looks at the first byte. `false`: the peer has closed without one.
    fn decide(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let Security::Undecided { server, plain_too } = &*self.security else { return Ok(true) };
        let mut first = [0];
        if self.socket.peek(&mut first)? == 0 {
            return Ok(false);
        }
        *self.security = match (first, plain_too) {
            ([HANDSHAKE], _) => Security::Tls(Box::new(Tls::new(server.config())?)),
            (_, true) => Security::Plain,
            (_, false) => {
                let count = self.socket.read(buffer)?;
                let seen = buffer.get(..count).unwrap_or_default();
                return Err(LayerError::new(LayerRule::NotTls, "").seen(seen, count).into());
            }
        };
        Ok(true)
    }

    /// Takes bytes first of `head`, then of `body`; how many of both together.
    pub(crate) fn write(&mut self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        match self.security {
            Security::Tls(tls) => tls.write(self.socket, head, body),
            _ if head.is_empty() => self.socket.write(body),
            _ => self.socket.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.security {
            Security::Tls(tls) => tls.flush(self.socket),
            _ => Ok(()),
        }
    }
}
