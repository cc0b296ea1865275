//! From the link layer to the IP packet in it.

/// How the packets of an interface begin (tcpdump.org/linktypes.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// BSD loopback: the address family in the byte order of the machine that captured.
    Null,
    /// Ethernet, with VLAN tags or without.
    Ethernet,
    /// An IP packet, 4 or 6 by its first byte.
    Raw,
    /// OpenBSD loopback: the address family, big-endian.
    Loop,
    /// Linux "any" device.
    Cooked,
    /// Linux "any" device, second form.
    Cooked2,
    /// Another one, by its number.
    Other(u16),
}

impl LinkType {
    /// The link type with this number in a capture file.
    pub const fn from_code(code: u16) -> LinkType {
        match code {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            // RAW has three numbers, and IPv4 and IPv6 one each; the first byte tells them apart.
            12 | 14 | 101 | 228 | 229 => LinkType::Raw,
            108 => LinkType::Loop,
            113 => LinkType::Cooked,
            276 => LinkType::Cooked2,
            other => LinkType::Other(other),
        }
    }
}

/// Why a packet is not read any further. None of it is an error: a network carries more than MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassedOver {
    /// ARP, LLDP and the like.
    NotIp,
    /// UDP, ICMP and the like.
    NotTcp,
    /// A piece of an IP packet.
    Fragment,
    /// Its headers are not whole or contradict themselves.
    Malformed,
    /// A link type that is not known here.
    UnknownLink(u16),
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
const PPPOE_SESSION: u16 = 0x8864;

/// The IP packet in a packet of this link type.
#[inline]
pub(crate) fn ip_packet(link: LinkType, bytes: &[u8]) -> Result<&[u8], PassedOver> {
    match link {
        LinkType::Ethernet => {
            let (head, behind) = bytes.split_first_chunk::<14>().ok_or(PassedOver::Malformed)?;
            let [.., high, low] = *head;
            ethernet_payload(u16::from_be_bytes([high, low]), behind)
        }
        LinkType::Raw => Ok(bytes),
        LinkType::Cooked => {
            let (head, behind) = bytes.split_first_chunk::<16>().ok_or(PassedOver::Malformed)?;
            let [.., high, low] = *head;
            ethernet_payload(u16::from_be_bytes([high, low]), behind)
        }
        LinkType::Cooked2 => {
            let (head, behind) = bytes.split_first_chunk::<20>().ok_or(PassedOver::Malformed)?;
            let [high, low, ..] = *head;
            ethernet_payload(u16::from_be_bytes([high, low]), behind)
        }
        LinkType::Null | LinkType::Loop => {
            let (family, behind) = bytes.split_first_chunk::<4>().ok_or(PassedOver::Malformed)?;
            let family = u32::from_be_bytes(*family);
            // Either byte order; IPv6 has another number on each BSD and on Linux.
            match family.min(family.swap_bytes()) {
                2 | 10 | 24 | 28 | 30 => Ok(behind),
                _ => Err(PassedOver::NotIp),
            }
        }
        LinkType::Other(code) => Err(PassedOver::UnknownLink(code)),
    }
}

#[inline]
fn ethernet_payload(ethertype: u16, bytes: &[u8]) -> Result<&[u8], PassedOver> {
    match ethertype {
        IPV4 | IPV6 => Ok(bytes),
        _ => tagged_payload(ethertype, bytes),
    }
}

/// Behind VLAN tags, one or several, or PPPoE.
fn tagged_payload(mut ethertype: u16, mut bytes: &[u8]) -> Result<&[u8], PassedOver> {
    const TAGS_MAX: usize = 4;
    for _ in 0..TAGS_MAX {
        match ethertype {
            IPV4 | IPV6 => return Ok(bytes),
            0x8100 | 0x88A8 | 0x9100 | 0x9200 => {
                let (tag, behind) = bytes.split_first_chunk::<4>().ok_or(PassedOver::Malformed)?;
                let [_, _, high, low] = *tag;
                (ethertype, bytes) = (u16::from_be_bytes([high, low]), behind);
            }
            PPPOE_SESSION => {
                let (head, behind) = bytes.split_first_chunk::<8>().ok_or(PassedOver::Malformed)?;
                return match head {
                    [.., 0x00, 0x21 | 0x57] => Ok(behind),
                    _ => Err(PassedOver::NotIp),
                };
            }
            _ => break,
        }
    }
    Err(PassedOver::NotIp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: [u8; 3] = [0x45, 1, 2];

    fn framed(head: &[u8]) -> Vec<u8> {
        [head, &IP].concat()
    }

    #[test]
    fn tags_and_pppoe_are_looked_through() {
        let addresses = [0_u8; 12];
        for tags in [
            vec![0x08, 0x00],
            vec![0x86, 0xDD],
            vec![0x81, 0x00, 0x00, 0x05, 0x08, 0x00],
            vec![0x88, 0xA8, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06, 0x86, 0xDD],
            vec![0x88, 0x64, 0x11, 0, 0, 1, 0, 5, 0x00, 0x21],
        ] {
            let bytes = framed(&[addresses.as_slice(), &tags].concat());
            assert_eq!(ip_packet(LinkType::Ethernet, &bytes), Ok(IP.as_slice()), "{tags:02x?}");
        }
        let arp = framed(&[addresses.as_slice(), &[0x08, 0x06]].concat());
        assert_eq!(ip_packet(LinkType::Ethernet, &arp), Err(PassedOver::NotIp));
        let endless = framed(&[addresses.as_slice(), &[0x81, 0, 0, 1].repeat(6)].concat());
        assert_eq!(ip_packet(LinkType::Ethernet, &endless), Err(PassedOver::NotIp));
    }

    #[test]
    fn loopback_is_read_in_both_byte_orders() {
        for family in [[2, 0, 0, 0], [0, 0, 0, 2], [30, 0, 0, 0], [0, 0, 0, 28], [24, 0, 0, 0]] {
            assert_eq!(ip_packet(LinkType::Null, &framed(&family)), Ok(IP.as_slice()), "{family:?}");
        }
        assert_eq!(ip_packet(LinkType::Null, &framed(&[7, 0, 0, 0])), Err(PassedOver::NotIp));
    }

    #[test]
    fn cooked_packets_name_their_protocol_at_either_end() {
        let mut first = [0_u8; 16];
        first[14] = 0x08;
        assert_eq!(ip_packet(LinkType::Cooked, &framed(&first)), Ok(IP.as_slice()));
        let mut second = [0_u8; 20];
        second[..2].copy_from_slice(&[0x86, 0xDD]);
        assert_eq!(ip_packet(LinkType::Cooked2, &framed(&second)), Ok(IP.as_slice()));
        assert_eq!(ip_packet(LinkType::Cooked2, &second[..19]), Err(PassedOver::Malformed));
    }

    #[test]
    fn an_unknown_link_is_named() {
        assert_eq!(ip_packet(LinkType::from_code(105), &IP), Err(PassedOver::UnknownLink(105)));
    }
}
