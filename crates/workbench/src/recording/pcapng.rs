//! Recordings as pcapng, for Wireshark and tshark: the bytes as TCP segments that carry them.
//!
//! The IP and TCP around the bytes are made up, with sequence numbers and checksums that are right,
//! an opening and an end. The server's port is always 1883, because that is where Wireshark looks for
//! MQTT, and because what came over TLS or WebSocket is here without it. What a segment cannot
//! say (true addresses, decisions, reasons) stands in the comment of a packet, as the line of the
//! recording; reading the file takes it from there.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::line::entry_line;
use super::{Chunk, Close, Entry, Head, Lost, Note, Open, Recording, Timestamp};
use crate::Side;

/// Bytes of MQTT in one segment: what fits into an IP packet with room to spare.
const SEGMENT_MAX: usize = 65_000;

/// Where Wireshark expects MQTT.
const MQTT_PORT: u16 = 1883;

/// Link type of packets that begin with IP.
const RAW_IP: u16 = 101;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Writes a recording as pcapng, entry by entry.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    output: W,
    flows: BTreeMap<u64, Flow>,
    block: Vec<u8>,
}

/// What a TCP connection has come to.
#[derive(Clone, Copy, Debug)]
struct Flow {
    client: SocketAddr,
    server: SocketAddr,
    /// The next sequence number of each side.
    client_next: u32,
    server_next: u32,
}

/// A whole recording as a pcapng file.
///
/// # Errors
/// Those of the output.
pub fn write_pcapng(recording: &Recording, output: impl Write) -> io::Result<()> {
    let mut writer = PcapngWriter::new(output, &recording.head)?;
    for entry in &recording.entries {
        writer.write(entry)?;
    }
    writer.flush()
}

impl<W: Write> PcapngWriter<W> {
    /// Writes what stands before the packets.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(mut output: W, head: &Head) -> io::Result<PcapngWriter<W>> {
        const SECTION_HEADER: u32 = 0x0A0D_0D0A;
        const BYTE_ORDER: u32 = 0x1A2B_3C4D;
        const USER_APPLICATION: u16 = 4;
        let mut body = Vec::new();
        body.extend_from_slice(&BYTE_ORDER.to_le_bytes());
        // Version 1.0; how long the section is, is not known.
        body.extend_from_slice(&[1, 0, 0, 0]);
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        if let Some(by) = &head.by {
            option(&mut body, USER_APPLICATION, by.as_bytes());
        }
        option(&mut body, 0, b"");
        block(&mut output, SECTION_HEADER, &body)?;
        let mut body = Vec::new();
        body.extend_from_slice(&RAW_IP.to_le_bytes());
        // Reserved; no limit on the length of packets.
        body.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
        // Times are nanoseconds.
        const RESOLUTION: u16 = 9;
        option(&mut body, RESOLUTION, &[9]);
        option(&mut body, 0, b"");
        const INTERFACE_DESCRIPTION: u32 = 1;
        block(&mut output, INTERFACE_DESCRIPTION, &body)?;
        Ok(PcapngWriter { output, flows: BTreeMap::new(), block: Vec::new() })
    }

    /// Writes the packets of one entry.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Open(open) => self.open(open, &comment(entry)),
            Entry::Bytes(chunk) => self.bytes(chunk),
            Entry::Note(note) => self.note(note, &comment(entry)),
            Entry::Close(close) => self.close(close, &comment(entry)),
        }
    }

    /// Passes on what the output holds back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.output
    }

    /// The three packets with which TCP begins.
    fn open(&mut self, open: &Open, comment: &str) -> io::Result<()> {
        let (client, server) = endpoints(open);
        let mut flow = Flow::new(client, server, open.connection);
        self.segment(&mut flow, open.at, Side::Client, SYN, b"", comment)?;
        self.segment(&mut flow, open.at, Side::Server, SYN | ACK, b"", "")?;
        self.segment(&mut flow, open.at, Side::Client, ACK, b"", "")?;
        self.flows.insert(open.connection, flow);
        Ok(())
    }

    fn bytes(&mut self, chunk: &Chunk) -> io::Result<()> {
        let mut flow = self.flow(chunk.connection);
        for part in chunk.bytes.chunks(SEGMENT_MAX) {
            self.segment(&mut flow, chunk.at, chunk.from, PSH | ACK, part, "")?;
        }
        self.flows.insert(chunk.connection, flow);
        Ok(())
    }

    /// An acknowledgement that says nothing new, except in its comment. Bytes that were lost are
    /// left out of the sequence numbers, so that others see the gap too.
    fn note(&mut self, note: &Note, comment: &str) -> io::Result<()> {
        let number = note.connection.unwrap_or_default();
        let mut flow = self.flow(number);
        self.segment(&mut flow, note.at, Side::Client, ACK, b"", comment)?;
        if let Some(Lost { from, bytes }) = note.lost {
            let next = flow.next(from);
            // Sequence numbers wrap around.
            *next = next.wrapping_add((bytes & u64::from(u32::MAX)) as u32);
        }
        if note.connection.is_some() {
            self.flows.insert(number, flow);
        }
        Ok(())
    }

    fn close(&mut self, close: &Close, comment: &str) -> io::Result<()> {
        let mut flow = self.flow(close.connection);
        self.flows.remove(&close.connection);
        let first = close.by.unwrap_or(Side::Client);
        if close.reason.as_deref() == Some("reset") {
            return self.segment(&mut flow, close.at, first, RST | ACK, b"", comment);
        }
        self.segment(&mut flow, close.at, first, FIN | ACK, b"", comment)?;
        self.segment(&mut flow, close.at, other(first), FIN | ACK, b"", "")?;
        self.segment(&mut flow, close.at, first, ACK, b"", "")
    }

    /// The connection as it stands; one that was never opened began before the recording did.
    fn flow(&self, connection: u64) -> Flow {
        let known = self.flows.get(&connection).copied();
        known.unwrap_or_else(|| {
            let (client, server) = made_up(connection);
            Flow::new(client, server, connection)
        })
    }

    fn segment(
        &mut self,
        flow: &mut Flow,
        at: Timestamp,
        from: Side,
        flags: u8,
        bytes: &[u8],
        comment: &str,
    ) -> io::Result<()> {
        const ENHANCED_PACKET: u32 = 6;
        const COMMENT: u16 = 1;
        let packet = flow.packet(from, flags, bytes);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let body = &mut self.block;
        body.clear();
        // The first interface; the time, high half first.
        body.extend_from_slice(&0u32.to_le_bytes());
        body.extend_from_slice(&((at.0 >> 32) as u32).to_le_bytes());
        body.extend_from_slice(&((at.0 & u64::from(u32::MAX)) as u32).to_le_bytes());
        // Captured and original length.
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&packet);
        pad(body);
        if !comment.is_empty() {
            option(body, COMMENT, comment.as_bytes());
            option(body, 0, b"");
        }
        block(&mut self.output, ENHANCED_PACKET, body)
    }
}

/// The line of the recording; left out where it does not fit.
fn comment(entry: &Entry) -> String {
    const MOST: usize = 60_000;
    entry_line(entry).ok().filter(|line| line.len() <= MOST).unwrap_or_default()
}

/// One block: its type, its length on both sides, and what is in it.
fn block(output: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    const FRAME: usize = 12;
    let length = u32::try_from(body.len() + FRAME).map_err(|_| io::ErrorKind::InvalidInput)?;
    output.write_all(&kind.to_le_bytes())?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(body)?;
    output.write_all(&length.to_le_bytes())
}

/// One option; a value too long for it is cut off.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(value.get(..usize::from(length)).unwrap_or_default());
    pad(body);
}

/// Everything in a block ends on a multiple of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

const fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// The addresses of a connection: its own where they are addresses, others from the ranges for
/// documentation where they are not.
fn endpoints(open: &Open) -> (SocketAddr, SocketAddr) {
    let (mut client, mut server) = made_up(open.connection);
    let own = |text: &str| text.parse::<SocketAddr>().ok();
    let (own_client, own_server) = (own(&open.client), own(&open.server));
    let is_v6 = own_client.or(own_server).is_some_and(|address| address.is_ipv6());
    if is_v6 {
        client.set_ip(documentation(1, true));
        server.set_ip(documentation(2, true));
    }
    if let Some(own) = own_client {
        client = own;
    }
    if let Some(own) = own_server.filter(|own| own.is_ipv6() == is_v6) {
        server.set_ip(own.ip());
    }
    (client, server)
}

/// Addresses for a connection without any; the port tells connections apart.
fn made_up(connection: u64) -> (SocketAddr, SocketAddr) {
    const FIRST_PORT: u16 = 49_152;
    let port = FIRST_PORT + (connection % u64::from(u16::MAX - FIRST_PORT)) as u16;
    (SocketAddr::new(documentation(1, false), port), SocketAddr::new(documentation(2, false), MQTT_PORT))
}

const fn documentation(host: u8, v6: bool) -> IpAddr {
    match v6 {
        true => IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, host as u16)),
        false => IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
    }
}

impl Flow {
    fn new(client: SocketAddr, server: SocketAddr, connection: u64) -> Flow {
        // Two connections between the same addresses begin with different numbers.
        let first = (connection as u32).wrapping_mul(0x9E37_79B1);
        Flow { client, server, client_next: first, server_next: first.wrapping_add(0x4000_0000) }
    }

    fn next(&mut self, side: Side) -> &mut u32 {
        match side {
            Side::Client => &mut self.client_next,
            Side::Server => &mut self.server_next,
        }
    }

    /// The next IP packet of one side.
    fn packet(&mut self, from: Side, flags: u8, bytes: &[u8]) -> Vec<u8> {
        let (source, target) = match from {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        };
        let sequence = *self.next(from);
        let acknowledged = if flags & ACK != 0 { *self.next(other(from)) } else { 0 };
        let tcp = tcp(source, target, (sequence, acknowledged), flags, bytes);
        // SYN and FIN take a number of their own.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let numbers = length + u32::from(flags & (SYN | FIN) != 0);
        *self.next(from) = sequence.wrapping_add(numbers);
        let mut packet = ip(source.ip(), target.ip(), tcp.len());
        packet.extend_from_slice(&tcp);
        packet
    }
}

fn tcp(source: SocketAddr, target: SocketAddr, numbers: (u32, u32), flags: u8, bytes: &[u8]) -> Vec<u8> {
    const HEADER: u8 = 5 << 4;
    const CHECKSUM_AT: usize = 16;
    let mut tcp = Vec::with_capacity(20 + bytes.len());
    tcp.extend_from_slice(&source.port().to_be_bytes());
    tcp.extend_from_slice(&target.port().to_be_bytes());
    tcp.extend_from_slice(&numbers.0.to_be_bytes());
    tcp.extend_from_slice(&numbers.1.to_be_bytes());
    // Header of five words, flags, window; no checksum yet, nothing urgent.
    tcp.extend_from_slice(&[HEADER, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    tcp.extend_from_slice(bytes);
    let mut sum = Sum(u32::try_from(tcp.len()).unwrap_or(0));
    sum.add_address(source.ip());
    sum.add_address(target.ip());
    sum.0 += u32::from(TCP);
    sum.add(&tcp);
    if let Some(checksum) = tcp.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) {
        checksum.copy_from_slice(&sum.finish());
    }
    tcp
}

/// The number of TCP among the protocols of IP.
const TCP: u8 = 6;

/// The header of an IP packet with this much TCP in it.
fn ip(source: IpAddr, target: IpAddr, length: usize) -> Vec<u8> {
    const TIME_TO_LIVE: u8 = 64;
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            const HEADER: usize = 20;
            let total = u16::try_from(HEADER + length).unwrap_or(u16::MAX);
            let mut header = vec![0x45, 0];
            header.extend_from_slice(&total.to_be_bytes());
            // Never fragmented, so it needs no identification.
            header.extend_from_slice(&[0, 0, 0x40, 0, TIME_TO_LIVE, TCP, 0, 0]);
            header.extend_from_slice(&source.octets());
            header.extend_from_slice(&target.octets());
            let mut sum = Sum(0);
            sum.add(&header);
            if let Some(checksum) = header.get_mut(10..12) {
                checksum.copy_from_slice(&sum.finish());
            }
            header
        }
        _ => {
            let length = u16::try_from(length).unwrap_or(u16::MAX);
            let mut header = vec![0x60, 0, 0, 0];
            header.extend_from_slice(&length.to_be_bytes());
            header.extend_from_slice(&[TCP, TIME_TO_LIVE]);
            header.extend_from_slice(&v6(source).octets());
            header.extend_from_slice(&v6(target).octets());
            header
        }
    }
}

const fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The sum of 16-bit words that IP and TCP check themselves with.
struct Sum(u32);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks(2) {
            let (high, low) = (pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0));
            self.0 += u32::from(u16::from_be_bytes([high, low]));
        }
    }

    fn add_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.add(&address.octets()),
            IpAddr::V6(address) => self.add(&address.octets()),
        }
    }

    fn finish(mut self) -> [u8; 2] {
        while self.0 > 0xFFFF {
            self.0 = (self.0 & 0xFFFF) + (self.0 >> 16);
        }
        let sum = u16::try_from(self.0).unwrap_or(0);
        (!sum).to_be_bytes()
    }
}

/// What a comment of our own says: an entry other than bytes, as it stood in the recording.
pub fn entry_of_comment(comment: &str) -> Option<Entry> {
    let entry = super::line::parse_entry(comment).ok()??;
    (!matches!(entry, Entry::Bytes(_))).then_some(entry)
}
