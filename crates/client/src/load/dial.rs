//! Connections from more ports than one address has.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// So many clients come from one address of this machine. It has some 28,000 ports to connect from, and the kernel
/// searches long for a free one when half of them are taken.
const CLIENTS_PER_ADDRESS: usize = 8_000;
/// Such addresses, 127.0.0.1 and its neighbours.
const ADDRESSES_MAX: usize = 250;

/// Connects a client with this number.
pub(super) fn dial(client: usize, address: SocketAddr) -> io::Result<TcpStream> {
    let neighbour = client / CLIENTS_PER_ADDRESS % ADDRESSES_MAX;
    if neighbour == 0 || !address.is_ipv4() || !address.ip().is_loopback() {
        return TcpStream::connect(address);
    }
    dial_from(Ipv4Addr::new(127, 0, 0, 1 + neighbour as u8), address)
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
    fn many_clients_come_from_several_addresses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for (number, last) in [(0, 1), (7_999, 1), (8_000, 2), (19_999, 3)] {
            let client = dial(number, listener.local_addr().unwrap()).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, last));
            assert_eq!(client.local_addr().unwrap(), peer);
        }
    }
}
