//! An accepted connection: plain bytes both ways, whatever carries them, never blocking.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::{Introduction, LayerError, Layered};

/// A connected byte stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP with `TCP_NODELAY`: writes are whole turns already, waiting for more would only delay.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
    /// TCP with TLS, WebSocket or both over it; what is read and written here is what they carry.
    Layered(Box<Layered>),
}

impl Stream {
    /// Whether a read that returns less than asked for proves that nothing more is there.
    /// Unix sockets may stop a read early where descriptors were passed along.
    #[inline]
    pub fn short_read_is_empty(&self) -> bool {
        match self {
            Stream::Tcp(_) => true,
            Stream::Unix(_) => false,
            Stream::Layered(stream) => stream.is_drained(),
        }
    }

    /// Whether bytes that `write` has taken, or that a layer has to say by itself, wait for the kernel: then
    /// `flush` when it takes more. They are bounded.
    #[inline]
    pub fn wants_write(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            Stream::Layered(stream) => stream.wants_write(),
        }
    }

    /// Whether the kernel has taken bytes that waited in a layer since this was asked last.
    #[inline]
    pub fn take_progress(&mut self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            Stream::Layered(stream) => stream.take_progress(),
        }
    }

    /// What the handshakes of the layers have shown of the other end, once plain bytes have come. `None`: there
    /// are no layers.
    #[inline]
    pub fn introduction(&self) -> Option<Introduction> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => None,
            Stream::Layered(stream) => Some(stream.introduction()),
        }
    }

    /// Whether there are layers over the socket.
    #[inline]
    pub fn has_layers(&self) -> bool {
        matches!(self, Stream::Layered(_))
    }

    /// Whether plain bytes may wait in a layer, of which the kernel knows nothing.
    #[inline]
    pub fn may_hold_input(&self) -> bool {
        matches!(self, Stream::Layered(stream) if !stream.is_drained())
    }

    /// A handshake of a layer that has begun and not come to its end, as the error it is if it ends now.
    pub fn unfinished(&self) -> Option<LayerError> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => None,
            Stream::Layered(stream) => stream.unfinished(),
        }
    }

    /// Tells the peer that nothing more will come, as the layers do that; reading stays possible.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            Stream::Layered(stream) => stream.shutdown_write(),
        }
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Layered(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Layered(stream) => stream.write(bytes),
        }
    }

    /// `WouldBlock` while the kernel does not take all that waits in a layer.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Ok(()),
            Stream::Layered(stream) => stream.flush(),
        }
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.register(registry, token, interest),
            Stream::Unix(stream) => stream.register(registry, token, interest),
            Stream::Layered(stream) => stream.socket().register(registry, token, interest),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.reregister(registry, token, interest),
            Stream::Unix(stream) => stream.reregister(registry, token, interest),
            Stream::Layered(stream) => stream.socket().reregister(registry, token, interest),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.deregister(registry),
            Stream::Unix(stream) => stream.deregister(registry),
            Stream::Layered(stream) => stream.socket().deregister(registry),
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// A TCP peer.
    Tcp(SocketAddr),
    /// A process on this machine, over a Unix socket.
    Unix,
}

impl PeerAddress {
    /// Whether the peer is on this machine: 127.0.0.0/8, `::1`, `::ffff:127.0.0.0/104`, or a
    /// Unix socket.
    pub fn is_loopback(&self) -> bool {
        match self {
            PeerAddress::Unix => true,
            PeerAddress::Tcp(address) => match address.ip() {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => ip.to_canonical().is_loopback(),
            },
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Tcp(address) => SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(f),
            PeerAddress::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PeerAddress;

    #[test]
    fn loopback_is_four_things() {
        let loopback = |text: &str| PeerAddress::Tcp(text.parse().expect("an address")).is_loopback();
        assert!(loopback("127.0.0.1:1"));
        assert!(loopback("127.255.3.4:1"));
        assert!(loopback("[::1]:1"));
        assert!(loopback("[::ffff:127.9.0.1]:1"));
        assert!(PeerAddress::Unix.is_loopback());
        assert!(!loopback("128.0.0.1:1"));
        assert!(!loopback("[::ffff:10.0.0.1]:1"));
        assert!(!loopback("[::2]:1"));
        assert!(!loopback("[fe80::1]:1"));
    }

    #[test]
    fn a_mapped_address_is_shown_as_ipv4() {
        let peer = PeerAddress::Tcp("[::ffff:10.0.0.1]:7".parse().expect("an address"));
        assert_eq!(peer.to_string(), "10.0.0.1:7");
    }
}
