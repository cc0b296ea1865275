//! Where the server is, and a socket to it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hexmq_transport::Endpoint;
use socket2::{Domain, Protocol, SockAddr, Type};

/// How long one address of a host is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Address {
    /// The server.
    pub endpoint: Endpoint,
    /// Local address to connect from; for TCP only.
    pub bind: Option<String>,
    /// Send small packets at once (`TCP_NODELAY`).
    pub nodelay: bool,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Address {
    /// Tries the addresses of the host one after the other; the error is that of the last.
    /// [V4 MQTT-7.1.2-1, V5 MQTT-4.2.0-1]
    pub(super) fn connect(&self) -> io::Result<Socket> {
        let socket = match &self.endpoint {
            Endpoint::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
            Endpoint::Tcp { host, port } => Socket::Tcp(self.connect_tcp(host, *port)?),
        };
        match &socket {
            Socket::Tcp(stream) => stream.set_nonblocking(true)?,
            Socket::Unix(stream) => stream.set_nonblocking(true)?,
        }
        Ok(socket)
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
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buffer),
            Socket::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
