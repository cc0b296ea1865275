//! A capture of small packets: devices that publish readings at QoS 0 and 1, each packet a segment of its
//! own, with the acknowledgements of both protocols.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What was made.
pub(super) struct Made {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) mqtt: u64,
}

const SYN: u8 = 0x02;
const PUSH: u8 = 0x18;
const ACK: u8 = 0x10;

/// One device.
#[derive(Clone, Copy)]
struct Device {
    number: u32,
    client_next: u32,
    server_next: u32,
}

struct Forge<W> {
    output: W,
    made: Made,
    /// Microseconds since 1970.
    at: u64,
    state: u64,
}

/// Makes a capture of about so many bytes.
pub(super) fn make(path: &Path, bytes: u64, connections: u32, seed: u64) -> io::Result<Made> {
    let output = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let made = Made { bytes: 24, packets: 0, mqtt: 0 };
    let mut forge =
        Forge { output, made, at: 1_700_000_000_000_000, state: seed ^ 0x9E37_79B9_7F4A_7C15 | 1 };
    forge
        .output
        .write_all(&[0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])?;
    let mut devices = Vec::new();
    for number in 0..connections.max(1) {
        devices.push(forge.begin(number)?);
    }
    while forge.made.bytes < bytes {
        let chosen = forge.below(devices.len() as u64) as usize;
        if let Some(device) = devices.get_mut(chosen) {
            forge.reading(device)?;
        }
    }
    forge.output.flush()?;
    Ok(forge.made)
}

impl<W: Write> Forge<W> {
    fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) % end.max(1)
    }

    /// TCP handshake, CONNECT and CONNACK.
    fn begin(&mut self, number: u32) -> io::Result<Device> {
        let mut device = Device { number, client_next: number.wrapping_mul(77_777), server_next: number };
        self.segment(&device, true, SYN, &[])?;
        device.client_next = device.client_next.wrapping_add(1);
        self.segment(&device, false, SYN | ACK, &[])?;
        device.server_next = device.server_next.wrapping_add(1);
        self.segment(&device, true, ACK, &[])?;
        let id = format!("device-{number:06}");
        let mut connect = vec![0x10, 12 + id.len() as u8];
        connect.extend(b"\x00\x04MQTT\x04\x02\x00\x3c");
        connect.extend([0, id.len() as u8]);
        connect.extend(id.as_bytes());
        self.send(&mut device, true, &connect)?;
        self.send(&mut device, false, &[0x20, 2, 0, 0])?;
        Ok(device)
    }

    /// A PUBLISH, and its PUBACK or TCP's acknowledgement.
    fn reading(&mut self, device: &mut Device) -> io::Result<()> {
        let (number, value) = (device.number, self.below(100_000));
        let qos_1 = self.below(2) == 1;
        let topic = format!("plant/{:02}/device-{number:06}/up", number % 50);
        let payload = format!("{{\"t\":{}.{:02},\"n\":{}}}", value / 100, value % 100, self.made.packets);
        let mut packet = vec![if qos_1 { 0x32 } else { 0x30 }];
        packet.push((2 + topic.len() + payload.len() + if qos_1 { 2 } else { 0 }) as u8);
        packet.extend([0, topic.len() as u8]);
        packet.extend(topic.as_bytes());
        let identifier = (value % 65_535 + 1) as u16;
        if qos_1 {
            packet.extend(identifier.to_be_bytes());
        }
        packet.extend(payload.as_bytes());
        self.send(device, true, &packet)?;
        if qos_1 {
            let [high, low] = identifier.to_be_bytes();
            self.send(device, false, &[0x40, 2, high, low])
        } else {
            self.segment(device, false, ACK, &[])
        }
    }

    /// An MQTT packet.
    fn send(&mut self, device: &mut Device, from_client: bool, packet: &[u8]) -> io::Result<()> {
        self.segment(device, from_client, PUSH, packet)?;
        self.made.mqtt += 1;
        let next = if from_client { &mut device.client_next } else { &mut device.server_next };
        *next = next.wrapping_add(packet.len() as u32);
        Ok(())
    }

    fn segment(&mut self, device: &Device, from_client: bool, flags: u8, payload: &[u8]) -> io::Result<()> {
        const HEADERS: usize = 14 + 20 + 20;
        let [_, a, b, c] = (device.number / 20_000 + 1).to_be_bytes();
        let (client, server) = ([10, a, b, c], [10, 200, 0, 1]);
        let client_port = (10_000 + device.number % 20_000) as u16;
        let (from, to, ports, sequence, acknowledged) = if from_client {
            (client, server, [client_port, 1883], device.client_next, device.server_next)
        } else {
            (server, client, [1883, client_port], device.server_next, device.client_next)
        };
        let length = HEADERS + payload.len();
        let mut record = Vec::with_capacity(16 + length);
        for value in
            [(self.at / 1_000_000) as u32, (self.at % 1_000_000) as u32, length as u32, length as u32]
        {
            record.extend(value.to_le_bytes());
        }
        record.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0]);
        record.extend(((length - 14) as u16).to_be_bytes());
        record.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        record.extend(from);
        record.extend(to);
        record.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        record.extend(sequence.to_be_bytes());
        record.extend(acknowledged.to_be_bytes());
        record.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        record.extend(payload);
        self.output.write_all(&record)?;
        self.made.bytes += record.len() as u64;
        self.made.packets += 1;
        self.at += 7;
        Ok(())
    }
}
