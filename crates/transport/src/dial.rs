//! The way to a server: a connected stream that never blocks.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Type};

use crate::{Endpoint, TlsConnector, TlsStream};

/// How long one address of a host is tried, and how long TLS may take to agree.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The server.
    pub endpoint: Endpoint,
    /// Local address to connect from; for TCP only.
    pub bind: Option<String>,
    /// Send small packets at once (`TCP_NODELAY`).
    pub nodelay: bool,
    /// TLS over it.
    pub tls: Option<TlsConnector>,
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Dial {
    /// Tries the addresses of the host one after the other.
    ///
    /// # Errors
    /// That of the last address; or TLS did not come about, and why.
    pub fn connect(&self) -> io::Result<Dialed> {
        match (&self.endpoint, &self.tls) {
            (Endpoint::Unix(path), None) => {
                let stream = UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                Ok(Dialed::Unix(stream))
            }
            (Endpoint::Unix(_), Some(_)) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "a Unix socket is not spoken to over TLS"))
            }
            (Endpoint::Tcp { host, port }, tls) => {
                let stream = self.connect_tcp(host, *port)?;
                if let Some(tls) = tls {
                    return Ok(Dialed::Tls(Box::new(tls.connect(stream, host, CONNECT_TIMEOUT)?)));
                }
                stream.set_nonblocking(true)?;
                Ok(Dialed::Tcp(stream))
            }
        }
    }

    fn connect_tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let local: Vec<SocketAddr> = match &self.bind {
            Some(bind) => (bind.as_str(), 0).to_socket_addrs()?.collect(),
            None => Vec::new(),
        };
        let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the host name has no address"));
        for remote in (host, port).to_socket_addrs()? {
            let from = local.iter().find(|local| local.is_ipv4() == remote.is_ipv4());
            if self.bind.is_some() && from.is_none() {
                result = Err(io::Error::new(
                    io::ErrorKind::AddrNotAvailable,
                    "the bind address and the server's are of different families",
                ));
                continue;
            }
            result = connect_one(remote, from.copied());
            if let Ok(stream) = &result {
                stream.set_nodelay(self.nodelay)?;
                break;
            }
        }
        result
    }
}

fn connect_one(remote: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(local) = local {
        socket.bind(&SockAddr::from(local))?;
    }
    socket.connect_timeout(&SockAddr::from(remote), CONNECT_TIMEOUT)?;
    Ok(socket.into())
}

/// A connected stream that never blocks.
#[derive(Debug)]
pub enum Dialed {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

impl Dialed {
    /// What to wait on.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Dialed::Tcp(stream) => stream.as_fd(),
            Dialed::Unix(stream) => stream.as_fd(),
            Dialed::Tls(stream) => stream.socket().as_fd(),
        }
    }

    /// Whether bytes that `write` has taken still wait for the kernel: then wait until it takes
    /// some, and `flush`.
    pub fn wants_write(&self) -> bool {
        matches!(self, Dialed::Tls(stream) if stream.wants_write())
    }

    /// Tells the peer that nothing more will come; reading stays possible.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Dialed::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Dialed::Unix(stream) => stream.shutdown(Shutdown::Write),
            Dialed::Tls(stream) => stream.shutdown_write(),
        }
    }

    /// Address and port of both ends, ours first; `unix` and the path for a Unix socket.
    pub fn addresses(&self) -> (String, String) {
        let tcp = |stream: &TcpStream| {
            let text = |address: io::Result<SocketAddr>| {
                address.map_or_else(|_| "unknown".to_owned(), |address| address.to_string())
            };
            (text(stream.local_addr()), text(stream.peer_addr()))
        };
        match self {
            Dialed::Tcp(stream) => tcp(stream),
            Dialed::Tls(stream) => tcp(stream.socket()),
            Dialed::Unix(stream) => {
                let peer = stream.peer_addr().ok();
                let path = peer.as_ref().and_then(|peer| peer.as_pathname());
                ("unix".to_owned(), path.map_or_else(|| "unix".to_owned(), |path| path.display().to_string()))
            }
        }
    }
}

/// `Ok(0)` is the end; what TLS holds decrypted is given out as far as the buffer reaches, so a
/// buffer of 32 KiB or more leaves nothing behind that `poll` would not tell of.
impl Read for Dialed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Dialed::Tcp(stream) => stream.read(buffer),
            Dialed::Unix(stream) => stream.read(buffer),
            Dialed::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Dialed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Dialed::Tcp(stream) => stream.write(bytes),
            Dialed::Unix(stream) => stream.write(bytes),
            Dialed::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Dialed::Tls(stream) => stream.flush(),
            Dialed::Tcp(_) | Dialed::Unix(_) => Ok(()),
        }
    }
}
