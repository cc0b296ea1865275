//! From the IP packet to the TCP segment in it. Checksums are not looked at: on the machine that
//! sends, captures see packets before the network card fills them in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::link::PassedOver;

const TCP: u8 = 6;

/// One end of a connection. IPv4 addresses are kept in their IPv6 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Endpoint {
    pub(crate) address: u128,
    pub(crate) port: u16,
}

impl Endpoint {
    /// For people: `192.0.2.1:1883`, `[2001:db8::1]:1883`.
    pub(crate) fn socket_address(self) -> SocketAddr {
        let address = Ipv6Addr::from_bits(self.address);
        let address = address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4);
        SocketAddr::new(address, self.port)
    }
}

const fn mapped(address: [u8; 4]) -> u128 {
    0xFFFF_0000_0000 | u32::from_be_bytes(address) as u128
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    pub(crate) payload: &'a [u8],
    /// Bytes of its payload that the capture did not keep.
    pub(crate) cut: u32,
}

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

impl Segment<'_> {
    #[inline]
    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What IP carries.
struct Carried<'a> {
    source: u128,
    destination: u128,
    bytes: &'a [u8],
    /// Bytes that the header says there are.
    announced: usize,
}

/// The TCP segment in an IP packet.
#[inline]
pub(crate) fn segment(packet: &[u8]) -> Result<Segment<'_>, PassedOver> {
    let carried = match packet.first().map(|first| first >> 4) {
        Some(4) => version_4(packet)?,
        Some(6) => version_6(packet)?,
        _ => return Err(PassedOver::Malformed),
    };
    let (head, _) = carried.bytes.split_first_chunk::<20>().ok_or(PassedOver::Malformed)?;
    let [sp0, sp1, dp0, dp1, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, ..] = *head;
    let header = usize::from(offset >> 4) * 4;
    if header < head.len() || header > carried.announced {
        return Err(PassedOver::Malformed);
    }
    let announced = carried.announced - header;
    let kept = carried.bytes.get(header..).unwrap_or_default();
    // What is longer than announced is padding of the link.
    let payload = kept.get(..announced).unwrap_or(kept);
    Ok(Segment {
        from: Endpoint { address: carried.source, port: u16::from_be_bytes([sp0, sp1]) },
        to: Endpoint { address: carried.destination, port: u16::from_be_bytes([dp0, dp1]) },
        sequence: u32::from_be_bytes([s0, s1, s2, s3]),
        acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        payload,
        cut: u32::try_from(announced - payload.len()).unwrap_or(u32::MAX),
    })
}

#[inline]
fn version_4(packet: &[u8]) -> Result<Carried<'_>, PassedOver> {
    let (head, _) = packet.split_first_chunk::<20>().ok_or(PassedOver::Malformed)?;
    let [first, _, l0, l1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    let header = usize::from(first & 0x0F) * 4;
    let total = usize::from(u16::from_be_bytes([l0, l1]));
    // A network card that cuts large packets itself gets them with length 0.
    let total = if total == 0 { packet.len() } else { total };
    if header < head.len() || header > total {
        return Err(PassedOver::Malformed);
    }
    if u16::from_be_bytes([f0, f1]) & 0x3FFF != 0 {
        return Err(PassedOver::Fragment);
    }
    if protocol != TCP {
        return Err(PassedOver::NotTcp);
    }
    Ok(Carried {
        source: mapped([s0, s1, s2, s3]),
        destination: mapped([d0, d1, d2, d3]),
        bytes: packet.get(header..).ok_or(PassedOver::Malformed)?,
        announced: total - header,
    })
}

fn version_6(packet: &[u8]) -> Result<Carried<'_>, PassedOver> {
    let (head, behind) = packet.split_first_chunk::<40>().ok_or(PassedOver::Malformed)?;
    let [_, _, _, _, l0, l1, next, _, addresses @ ..] = head;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let length = if length == 0 { behind.len() } else { length };
    let (source, destination) = addresses.split_at(16);
    let address = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u128::from_be_bytes(*bytes));
    let (Some(source), Some(destination)) = (address(source), address(destination)) else {
        return Err(PassedOver::Malformed);
    };
    let (bytes, headers) = behind_extensions(*next, behind)?;
    let announced = length.checked_sub(headers).ok_or(PassedOver::Malformed)?;
    Ok(Carried { source, destination, bytes, announced })
}

/// Behind the extension headers, and how many bytes they take.
fn behind_extensions(mut next: u8, mut bytes: &[u8]) -> Result<(&[u8], usize), PassedOver> {
    const HEADERS_MAX: usize = 16;
    let mut passed = 0;
    for _ in 0..HEADERS_MAX {
        let length = match (next, bytes) {
            (TCP, _) => return Ok((bytes, passed)),
            // Hop-by-hop, routing, destination, mobility: in units of eight bytes behind the first.
            (0 | 43 | 60 | 135, [_, length, ..]) => (usize::from(*length) + 1) * 8,
            // Authentication: in units of four, less two.
            (51, [_, length, ..]) => (usize::from(*length) + 2) * 4,
            // A fragment header may stand in front of a whole packet.
            (44, [_, _, 0, low, ..]) if low & 0xF9 == 0 => 8,
            (44, _) => return Err(PassedOver::Fragment),
            (0 | 43 | 60 | 135 | 51, _) => return Err(PassedOver::Malformed),
            _ => return Err(PassedOver::NotTcp),
        };
        next = bytes.first().copied().ok_or(PassedOver::Malformed)?;
        bytes = bytes.get(length..).ok_or(PassedOver::Malformed)?;
        passed += length;
    }
    Err(PassedOver::Malformed)
}
