//! Where connections come from.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Where a connection comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its other end.
    pub address: Address,
    /// 127.0.0.0/8, `::1`, `::ffff:127.0.0.0/104` or a Unix socket.
    pub loopback: bool,
    /// Which of the server's listeners accepted it.
    pub listener: u16,
    /// It came over TLS.
    pub secure: bool,
}

/// The other end of a connection, shown as `127.0.0.1:40312`, `[::1]:40312` or `unix:…`. It is kept small and
/// becomes text only where somebody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP over IPv4, addresses mapped to IPv6 included.
    V4(SocketAddrV4),
    /// TCP over IPv6.
    V6(Box<SocketAddrV6>),
    /// What has no such address: a Unix socket, or a connection that is simulated.
    Other(Box<Box<str>>),
}

impl Address {
    /// The IP address, if there is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::V4(address) => Some((*address.ip()).into()),
            Address::V6(address) => Some((*address.ip()).into()),
            Address::Other(_) => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        match (address.ip().to_canonical(), address) {
            (IpAddr::V4(ip), _) => Address::V4(SocketAddrV4::new(ip, address.port())),
            (_, SocketAddr::V6(address)) => Address::V6(Box::new(address)),
            (_, SocketAddr::V4(address)) => Address::V4(address),
        }
    }
}

/// Text that is no socket address is kept as it is.
impl From<&str> for Address {
    fn from(text: &str) -> Address {
        text.parse::<SocketAddr>().map_or_else(|_| Address::Other(Box::new(text.into())), Address::from)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::V4(address) => address.fmt(f),
            Address::V6(address) => address.fmt(f),
            Address::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small_and_shown_as_it_was_given() {
        assert!(size_of::<Peer>() <= 24);
        for text in ["192.0.2.7:5", "[2001:db8::1]:65535", "unix:/run/hexmq.sock", "wire 7"] {
            assert_eq!(Address::from(text).to_string(), text);
        }
    }

    #[test]
    fn a_mapped_address_is_ipv4() {
        assert_eq!(Address::from("[::ffff:10.0.0.1]:7"), Address::from("10.0.0.1:7"));
        assert_eq!(Address::from("10.0.0.1:7").ip(), Some([10, 0, 0, 1].into()));
    }
}
