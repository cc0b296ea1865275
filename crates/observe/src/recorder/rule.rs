//! Which connections a watch is about.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hexmq_broker::{Address, Caller};

/// Connections that fit everything that is given here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Exactly this Client Identifier.
    pub client_id: Option<Box<str>>,
    /// From this address, or one in this network.
    pub address: Option<Network>,
    /// Accepted by this listener.
    pub listener: Option<u16>,
}

impl Rule {
    /// Whether it says anything at all.
    pub fn is_empty(&self) -> bool {
        self.client_id.is_none() && self.address.is_none() && self.listener.is_none()
    }

    /// Whether a connection fits. One whose client is not known yet does not fit a rule for a client.
    pub fn fits(&self, caller: Caller<'_>) -> bool {
        let client = self.client_id.as_deref().is_none_or(|id| caller.client_identifier == Some(id));
        let listener = self.listener.is_none_or(|listener| listener == caller.peer.listener);
        client && listener && self.address.is_none_or(|network| network.holds(&caller.peer.address))
    }
}

/// One address, or those that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether a peer is in it. A Unix socket has no address and is in none.
    pub fn holds(self, peer: &Address) -> bool {
        peer.ip().is_some_and(|ip| self.contains(ip))
    }

    fn contains(self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let differs = network.to_bits() ^ ip.to_bits();
                differs.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let differs = network.to_bits() ^ ip.to_bits();
                differs.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Bits of a whole address.
    fn whole(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wrong = || format!("`{text}` is not an address; write 192.0.2.7, 2001:db8::7 or 192.0.2.0/24");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = Network::whole(address);
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= whole).ok_or_else(wrong)?,
            None => whole,
        };
        // A mapped address is met as what it stands for.
        match (address, address.to_canonical()) {
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if bits >= 96 => {
                Ok(Network { address: canonical, bits: bits - 96 })
            }
            _ => Ok(Network { address, bits }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if self.bits < Network::whole(self.address) { write!(f, "/{}", self.bits) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use hexmq_broker::Peer;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect(text)
    }

    #[test]
    fn networks_hold_what_begins_with_their_bits() {
        for (text, inside, outside) in [
            ("192.0.2.7", "192.0.2.7:1", "192.0.2.6:1"),
            ("192.0.2.0/24", "192.0.2.255:9", "192.0.3.0:9"),
            ("10.0.0.0/8", "10.255.0.1:1", "11.0.0.1:1"),
            ("10.1.2.3/31", "10.1.2.2:1", "10.1.2.4:1"),
            ("0.0.0.0/0", "255.1.2.3:1", "[2001:db8::1]:1"),
            ("::/0", "[2001:db8::1]:1", "255.1.2.3:1"),
            ("2001:db8::/32", "[2001:db8:ffff::1]:1", "[2001:db9::1]:1"),
            ("::1", "[::1]:1", "[::2]:1"),
            ("127.0.0.1", "[::ffff:127.0.0.1]:1", "unix:/run/x"),
            ("::ffff:10.0.0.0/104", "10.9.9.9:1", "11.0.0.0:1"),
        ] {
            assert!(network(text).holds(&inside.into()), "{text} {inside}");
            assert!(!network(text).holds(&outside.into()), "{text} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_what_is_one_is_shown_as_it_was_given() {
        for text in ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "::/129", "1.2.3.4:80"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        for text in ["192.0.2.7", "192.0.2.0/24", "::1", "2001:db8::/32"] {
            assert_eq!(network(text).to_string(), text);
        }
    }

    #[test]
    fn everything_that_is_given_must_fit() {
        let peer = Peer { address: "192.0.2.7:5".into(), loopback: false, listener: 1, secure: false };
        let known = Caller { peer: &peer, client_identifier: Some("a"), version: None };
        let unknown = Caller { peer: &peer, client_identifier: None, version: None };
        let rule = Rule { client_id: Some("a".into()), ..Rule::default() };
        assert!(rule.fits(known) && !rule.fits(unknown));
        let rule = Rule { address: Some(network("192.0.2.0/24")), ..rule };
        assert!(rule.fits(known));
        let rule = Rule { listener: Some(2), ..rule };
        assert!(!rule.fits(known));
        let rule = Rule { listener: Some(1), ..Rule::default() };
        assert!(rule.fits(known) && rule.fits(unknown) && !rule.is_empty());
        assert!(Rule::default().is_empty());
    }
}
