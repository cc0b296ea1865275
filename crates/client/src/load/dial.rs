//! Connections from more ports than one address has.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// Last numbers of the addresses of this machine that clients come from when its first one has no port left.
const SOURCES: RangeInclusive<u8> = 2..=32;

/// Connects; from other addresses of this machine when one has no port left.
pub(super) fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let dialled = TcpStream::connect(address);
    let is_loopback = address.is_ipv4() && address.ip().is_loopback();
    match dialled {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable && is_loopback => SOURCES
            .map(|last| dial_from(Ipv4Addr::new(127, 0, 0, last), address))
            .find(Result::is_ok)
            .unwrap_or(Err(error)),
        dialled => dialled,
    }
}

fn dial_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_client_may_come_from_another_address_of_this_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = dial_from(Ipv4Addr::new(127, 0, 0, 2), listener.local_addr().unwrap()).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(client.local_addr().unwrap(), peer);
    }
}
