//! A small writer of captures: every container, every link type, and segments exactly as asked for.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use std::net::{IpAddr, SocketAddr};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// The container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Pcap { big_endian: bool, nanos: bool },
    PcapNg { big_endian: bool, block: Block },
}

/// The block a packet of a pcapng goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Enhanced,
    Simple,
    Obsolete,
}

impl Container {
    pub(crate) fn all() -> Vec<Container> {
        let mut all = Vec::new();
        for big_endian in [false, true] {
            all.extend([false, true].map(|nanos| Container::Pcap { big_endian, nanos }));
            all.extend(
                [Block::Enhanced, Block::Simple, Block::Obsolete]
                    .map(|block| Container::PcapNg { big_endian, block }),
            );
        }
        all
    }

    pub(crate) const USUAL: Container = Container::Pcap { big_endian: false, nanos: true };
}

/// How a packet is wrapped: a link type and what stands before the IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Vlan,
    QinQ,
    Pppoe,
    Cooked,
    Cooked2,
    Raw,
    Null,
    Loop,
    Ipv4Or6,
}

impl Link {
    pub(crate) const ALL: [Link; 10] = [
        Link::Ethernet,
        Link::Vlan,
        Link::QinQ,
        Link::Pppoe,
        Link::Cooked,
        Link::Cooked2,
        Link::Raw,
        Link::Null,
        Link::Loop,
        Link::Ipv4Or6,
    ];

    fn code(self, v6: bool) -> u16 {
        match self {
            Link::Ethernet | Link::Vlan | Link::QinQ | Link::Pppoe => 1,
            Link::Cooked => 113,
            Link::Cooked2 => 276,
            Link::Raw => 101,
            Link::Null => 0,
            Link::Loop => 108,
            Link::Ipv4Or6 => 228 + u16::from(v6),
        }
    }

    fn wrap(self, ip: &[u8]) -> Vec<u8> {
        let v6 = ip.first().is_some_and(|first| first >> 4 == 6);
        let ethertype: [u8; 2] = if v6 { [0x86, 0xDD] } else { [0x08, 0x00] };
        let addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let head = match self {
            Link::Ethernet => [&addresses[..], &ethertype].concat(),
            Link::Vlan => [&addresses[..], &[0x81, 0, 0, 7], &ethertype].concat(),
            Link::QinQ => [&addresses[..], &[0x88, 0xA8, 0, 7, 0x81, 0, 0, 9], &ethertype].concat(),
            Link::Pppoe => {
                let protocol = if v6 { [0x00, 0x57] } else { [0x00, 0x21] };
                let length = (ip.len() as u16 + 2).to_be_bytes();
                [&addresses[..], &[0x88, 0x64, 0x11, 0, 0, 1], &length, &protocol].concat()
            }
            Link::Cooked => [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &ethertype].concat(),
            Link::Cooked2 => {
                [&ethertype[..], &[0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]].concat()
            }
            Link::Raw | Link::Ipv4Or6 => Vec::new(),
            Link::Null => if v6 { 30_u32 } else { 2 }.to_le_bytes().to_vec(),
            Link::Loop => if v6 { 24_u32 } else { 2 }.to_be_bytes().to_vec(),
        };
        let mut packet = [&head[..], ip].concat();
        // Ethernet pads short frames, and readers must not take the padding for payload.
        if self == Link::Ethernet && packet.len() < 60 {
            packet.resize(60, 0xEE);
        }
        packet
    }
}

/// A capture being written.
pub(crate) struct Forge {
    container: Container,
    link: Link,
    /// Nanoseconds since 1970 of the next packet.
    pub(crate) at: u64,
    started: bool,
    /// Bytes kept of each packet.
    pub(crate) snapshot: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Forge {
    pub(crate) fn new(container: Container, link: Link) -> Forge {
        let at = 1_700_000_000_000_000_000;
        Forge { container, link, at, started: false, snapshot: usize::MAX, bytes: Vec::new() }
    }

    fn u16(&mut self, value: u16, big_endian: bool) {
        self.bytes.extend(if big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(&mut self, value: u32, big_endian: bool) {
        self.bytes.extend(if big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn start(&mut self, v6: bool) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let link = self.link.code(v6);
        match self.container {
            Container::Pcap { big_endian, nanos } => {
                self.u32(if nanos { 0xA1B2_3C4D } else { 0xA1B2_C3D4 }, big_endian);
                self.u16(2, big_endian);
                self.u16(4, big_endian);
                for value in [0, 0, 262_144, u32::from(link)] {
                    self.u32(value, big_endian);
                }
            }
            Container::PcapNg { big_endian, .. } => {
                self.section(big_endian);
                // An interface with a nanosecond clock and a name that must be skipped.
                let mut body = Vec::new();
                let u16 = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
                body.extend([u16(link), u16(0)].concat());
                body.extend([0; 4]);
                body.extend([u16(2), u16(3)].concat());
                body.extend(b"lo0\0");
                body.extend([u16(9), u16(1)].concat());
                body.extend([9, 0, 0, 0]);
                body.extend([0; 4]);
                self.block(1, &body, big_endian);
            }
        }
    }

    fn section(&mut self, big_endian: bool) {
        self.bytes.extend([0x0A, 0x0D, 0x0D, 0x0A]);
        for value in [28, 0x1A2B_3C4D] {
            self.u32(value, big_endian);
        }
        self.u16(1, big_endian);
        self.u16(0, big_endian);
        self.bytes.extend([0xFF; 8]);
        self.u32(28, big_endian);
    }

    pub(crate) fn block(&mut self, kind: u32, body: &[u8], big_endian: bool) {
        let padded = body.len().next_multiple_of(4);
        let length = padded as u32 + 12;
        self.u32(kind, big_endian);
        self.u32(length, big_endian);
        self.bytes.extend(body);
        self.bytes.extend(vec![0; padded - body.len()]);
        self.u32(length, big_endian);
    }

    /// A key log inside a pcapng.
    pub(crate) fn secrets(&mut self, key_log: &[u8], v6: bool) {
        self.start(v6);
        let Container::PcapNg { big_endian, .. } = self.container else { panic!("only pcapng has secrets") };
        let u32 = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let body = [&u32(0x544C_534B)[..], &u32(key_log.len() as u32), key_log].concat();
        self.block(10, &body, big_endian);
    }

    /// An IP packet.
    pub(crate) fn ip(&mut self, ip: &[u8]) {
        let packet = self.link.wrap(ip);
        self.start(ip.first().is_some_and(|first| first >> 4 == 6));
        self.record(&packet);
        self.at += 1_000_000;
    }

    fn record(&mut self, packet: &[u8]) {
        let kept = &packet[..packet.len().min(self.snapshot)];
        let (long, short) = (packet.len() as u32, kept.len() as u32);
        match self.container {
            Container::Pcap { big_endian, nanos } => {
                let part = self.at % 1_000_000_000;
                let part = if nanos { part } else { part / 1_000 };
                for value in [(self.at / 1_000_000_000) as u32, part as u32, short, long] {
                    self.u32(value, big_endian);
                }
                self.bytes.extend(kept);
            }
            Container::PcapNg { big_endian, block } => {
                let u32 = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
                let at = [u32((self.at >> 32) as u32), u32(self.at as u32)].concat();
                let lengths = [u32(short), u32(long)].concat();
                match block {
                    // The interface 0 is the same as the interface 0 with 0 drops.
                    Block::Enhanced => {
                        self.block(6, &[&[0; 4], &at[..], &lengths, kept].concat(), big_endian)
                    }
                    Block::Obsolete => {
                        self.block(2, &[&[0; 4], &at[..], &lengths, kept].concat(), big_endian)
                    }
                    Block::Simple => self.block(3, &[&u32(long)[..], kept].concat(), big_endian),
                }
            }
        }
    }
}

/// An IP packet with a TCP segment in it.
pub(crate) fn tcp(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    ack: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.port().to_be_bytes());
    segment.extend(to.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    // Three words of options that say nothing.
    segment.extend([0x80, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    segment.extend([1; 12]);
    segment.extend(payload);
    datagram(from.ip(), to.ip(), 6, &segment)
}

/// An IP packet; IPv6 gets a hop-by-hop and a destination header in front.
pub(crate) fn datagram(from: IpAddr, to: IpAddr, protocol: u8, carried: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = (20 + carried.len()) as u16;
            let mut packet = vec![0x45, 0];
            packet.extend(length.to_be_bytes());
            packet.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            packet.extend(carried);
            packet
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(((carried.len() + 16) as u16).to_be_bytes());
            packet.extend([0, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            packet.extend([60, 0, 1, 4, 0, 0, 0, 0]);
            packet.extend([protocol, 0, 1, 4, 0, 0, 0, 0]);
            packet.extend(carried);
            packet
        }
        _ => panic!("both ends speak the same IP"),
    }
}

/// One TCP connection: keeps count of the sequence numbers.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) client_next: u32,
    pub(crate) server_next: u32,
}

impl Wire {
    pub(crate) fn new(client: &str, server: &str) -> Wire {
        Wire {
            client: client.parse().expect("an address"),
            server: server.parse().expect("an address"),
            client_next: 1_000,
            server_next: 900_000,
        }
    }

    pub(crate) fn usual() -> Wire {
        Wire::new("192.0.2.1:50000", "192.0.2.2:1883")
    }

    pub(crate) fn by_client(&self, flags: u8, payload: &[u8]) -> Vec<u8> {
        tcp(self.client, self.server, self.client_next, self.server_next, flags, payload)
    }

    pub(crate) fn by_server(&self, flags: u8, payload: &[u8]) -> Vec<u8> {
        tcp(self.server, self.client, self.server_next, self.client_next, flags, payload)
    }

    pub(crate) fn handshake(&mut self, forge: &mut Forge) {
        forge.ip(&self.by_client(SYN, b""));
        self.client_next = self.client_next.wrapping_add(1);
        forge.ip(&self.by_server(SYN | ACK, b""));
        self.server_next = self.server_next.wrapping_add(1);
        forge.ip(&self.by_client(ACK, b""));
    }

    pub(crate) fn client(&mut self, forge: &mut Forge, payload: &[u8]) {
        forge.ip(&self.by_client(ACK, payload));
        self.client_next = self.client_next.wrapping_add(payload.len() as u32);
    }

    pub(crate) fn server(&mut self, forge: &mut Forge, payload: &[u8]) {
        forge.ip(&self.by_server(ACK, payload));
        self.server_next = self.server_next.wrapping_add(payload.len() as u32);
    }

    pub(crate) fn close(&mut self, forge: &mut Forge) {
        forge.ip(&self.by_client(FIN | ACK, b""));
        self.client_next = self.client_next.wrapping_add(1);
        forge.ip(&self.by_server(FIN | ACK, b""));
        self.server_next = self.server_next.wrapping_add(1);
        forge.ip(&self.by_client(ACK, b""));
    }
}
