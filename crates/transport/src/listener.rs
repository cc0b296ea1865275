//! Bound listeners. A listener is bound once and can be cloned for every thread that accepts.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::layered::Layers;
use crate::{Acceptor, Endpoint, ListenUrl, Scheme, TlsServer};

/// Connections the kernel keeps for us until they are accepted; it lowers this to its own bound.
const BACKLOG: i32 = 4096;

/// A bound listener, not yet accepting. Dropping a Unix listener removes its socket file.
/// TCP and Unix sockets carry ordered, lossless byte streams both ways. [V4 MQTT-7.1.1-1, V5 MQTT-4.2.0-1]
#[derive(Debug)]
pub struct Listener {
    socket: Bound,
    url: ListenUrl,
    layers: Layers,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, OwnedPath),
}

/// Why listening failed.
#[derive(Debug)]
pub struct BindError {
    /// What was asked for.
    pub url: ListenUrl,
    /// What the system says.
    pub source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = match self.source.kind() {
            io::ErrorKind::AddrInUse => "; another program listens there",
            io::ErrorKind::PermissionDenied => "; ports below 1024 and this path need a privilege",
            io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
            _ => "",
        };
        write!(f, "cannot listen on {}: {}{hint}", self.url, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Listener {
    /// Binds an address. A host name may give several listeners, one for each address it has. What speaks TLS
    /// is given its certificate with [`Listener::show`] before it accepts.
    ///
    /// `others` are all of this start: `[::]` takes IPv4 as well, except where an IPv4 listener of ours has the
    /// same port.
    ///
    /// # Errors
    /// The name is unknown or an address cannot be bound; none stays bound then.
    pub fn bind(url: &ListenUrl, others: &[ListenUrl]) -> Result<Vec<Listener>, BindError> {
        let failed = |source| BindError { url: url.clone(), source };
        match &url.endpoint {
            Endpoint::Tcp { host, port } => {
                let addresses = (host.as_str(), *port).to_socket_addrs().map_err(failed)?;
                let listeners: io::Result<Vec<Listener>> =
                    addresses.map(|address| bind_tcp(url, address, others)).collect();
                let listeners = listeners.map_err(failed)?;
                if listeners.is_empty() {
                    return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
                }
                Ok(listeners)
            }
            Endpoint::Unix(path) => bind_unix(url, path).map(|l| vec![l]).map_err(failed),
        }
    }

    /// Shows this certificate to clients, from the next acceptor on.
    pub fn show(&mut self, server: Arc<TlsServer>) {
        self.layers.tls = Some(server);
    }

    /// Frames of WebSocket larger than this are refused; they may be 64 KiB in any case. In bytes.
    pub fn set_packet_max(&mut self, packet_max: u32) {
        self.layers.packet_max = packet_max.into();
    }

    /// What was asked for.
    pub fn asked(&self) -> &ListenUrl {
        &self.url
    }

    /// The URL clients can be given, with the real port.
    pub fn url(&self) -> String {
        match &self.socket {
            Bound::Tcp(_, address) => format!("{}://{address}{}", self.url.scheme.name(), self.url.path),
            Bound::Unix(_, path) => format!("unix://{}", path.0.display()),
        }
    }

    /// A handle that accepts; several may exist, each for one thread.
    ///
    /// # Errors
    /// No descriptor is free, or there is nothing to show to clients that want TLS.
    pub fn acceptor(&self) -> io::Result<Acceptor> {
        if self.url.scheme.speaks_tls() && self.layers.tls.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS without a certificate"));
        }
        match &self.socket {
            Bound::Tcp(listener, _) => Ok(Acceptor::tcp(listener.try_clone()?, self.layers.clone())),
            Bound::Unix(listener, _) => Ok(Acceptor::unix(listener.try_clone()?)),
        }
    }
}

fn bind_tcp(url: &ListenUrl, address: SocketAddr, others: &[ListenUrl]) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that restarts must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(has_ipv4_twin(address.port(), others))?;
    }
    // What it accepts inherits this. A turn's output is one write already: waiting for more would only delay it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok(Listener { socket: Bound::Tcp(listener, address), url: url.clone(), layers: layers(url) })
}

/// What lies over its connections, but for the certificate.
fn layers(url: &ListenUrl) -> Layers {
    Layers {
        tls: None,
        plain_too: url.scheme == Scheme::Auto,
        path: url.scheme.speaks_websocket().then(|| url.path.as_str().into()),
        packet_max: 0,
    }
}

fn has_ipv4_twin(port: u16, others: &[ListenUrl]) -> bool {
    port != 0
        && others.iter().any(|other| match &other.endpoint {
            Endpoint::Tcp { host, port: theirs } => *theirs == port && !host.contains(':'),
            Endpoint::Unix(_) => false,
        })
}

fn bind_unix(url: &ListenUrl, path: &Path) -> io::Result<Listener> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let socket = Bound::Unix(listener, OwnedPath(path.to_owned()));
    Ok(Listener { socket, url: url.clone(), layers: Layers::default() })
}

/// Removes a socket file that a killed server left behind. Anything else at the path, and a
/// socket somebody listens on, stays; binding then says that the address is in use.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        return Ok(());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

/// A socket file of ours, removed when its listener goes.
#[derive(Debug)]
struct OwnedPath(PathBuf);

impl Drop for OwnedPath {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the next start removes a stale file.
        let _ = std::fs::remove_file(&self.0);
    }
}
