//! Accepting connections, and surviving when that fails.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::layered::Layers;
use crate::{Layered, PeerAddress, Stream};

/// A connection and who is at its other end.
#[derive(Debug)]
pub struct Accepted {
    /// The connection: non-blocking, not registered anywhere yet.
    pub stream: Stream,
    /// The other end.
    pub peer: PeerAddress,
}

/// What one attempt to accept gave.
#[derive(Debug)]
pub enum Arrival {
    /// A connection.
    Connection(Accepted),
    /// Nobody waits.
    Nobody,
    /// This one failed before it was ours (reset by the peer, a network error); try the next.
    Failed(io::Error),
    /// Descriptors or memory ran out. `shed` connections that waited were closed, so that their
    /// clients know; pause before the next attempt.
    Exhausted {
        /// What the system says.
        error: io::Error,
        /// Connections closed at once.
        shed: u32,
    },
}

/// Connections shed in one go when descriptors run out.
const SHED_MAX: u32 = 64;

/// One thread's end of a listener.
#[derive(Debug)]
pub struct Acceptor {
    socket: Socket,
    layers: Layers,
    /// A descriptor kept for bad times: given up for a moment, it lets a waiting connection be
    /// taken and closed, instead of leaving it in the backlog for ever.
    spare: Option<File>,
}

#[derive(Debug)]
enum Socket {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

impl Acceptor {
    pub(crate) fn tcp(listener: TcpListener, layers: Layers) -> Acceptor {
        let socket = Socket::Tcp(mio::net::TcpListener::from_std(listener));
        Acceptor { socket, layers, spare: spare() }
    }

    pub(crate) fn unix(listener: UnixListener) -> Acceptor {
        let socket = Socket::Unix(mio::net::UnixListener::from_std(listener));
        Acceptor { socket, layers: Layers::default(), spare: spare() }
    }

    /// Accepts one connection, if one waits. Readiness is edge-triggered: go on until
    /// [`Arrival::Nobody`], now or later.
    pub fn accept(&mut self) -> Arrival {
        match self.socket.accept(&self.layers) {
            Ok(accepted) => Arrival::Connection(accepted),
            Err(error) => self.failed(error),
        }
    }

    fn failed(&mut self, error: io::Error) -> Arrival {
        use rustix::io::Errno;
        if error.kind() == io::ErrorKind::WouldBlock {
            return Arrival::Nobody;
        }
        match Errno::from_io_error(&error) {
            Some(Errno::MFILE | Errno::NFILE) => Arrival::Exhausted { error, shed: self.shed() },
            Some(Errno::NOBUFS | Errno::NOMEM) => Arrival::Exhausted { error, shed: 0 },
            _ => Arrival::Failed(error),
        }
    }

    fn shed(&mut self) -> u32 {
        let mut shed = 0;
        while shed < SHED_MAX && self.spare.take().is_some() {
            let accepted = self.socket.accept(&self.layers);
            let more = accepted.is_ok();
            drop(accepted);
            shed += u32::from(more);
            self.spare = spare();
            if !more {
                break;
            }
        }
        if self.spare.is_none() {
            self.spare = spare();
        }
        shed
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

impl Socket {
    fn accept(&self, layers: &Layers) -> io::Result<Accepted> {
        match self {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                let stream = match layers.is_empty() {
                    true => Stream::Tcp(stream),
                    false => Stream::Layered(Box::new(Layered::new(stream, layers))),
                };
                Ok(Accepted { stream, peer: PeerAddress::Tcp(address) })
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok(Accepted { stream: Stream::Unix(stream), peer: PeerAddress::Unix })
            }
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Socket::Tcp(listener) => listener,
            Socket::Unix(listener) => listener,
        }
    }
}

impl Source for Acceptor {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.source().register(registry, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.source().reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.source().deregister(registry)
    }
}
