//! Packets out of segments, as they come.

use hexmq_wire::{Frame, FrameStatus, PacketType, Version, scan_frame};

use crate::Side;
use crate::tree::version_of;

/// Bytes of the longest packet that is waited for.
const PACKET_MAX: u32 = 32 * 1024 * 1024;

/// Finds the packets in what the two sides of one connection say. Bytes that cannot be framed
/// are given out as they are, and looking begins anew behind them.
#[derive(Clone, Debug)]
pub struct Packets {
    version: Version,
    client: Vec<u8>,
    server: Vec<u8>,
}

/// A part of what one side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// One whole packet, right or wrong, and the version to read it with.
    Packet {
        /// Its bytes, fixed header included.
        bytes: Vec<u8>,
        /// Its own for a CONNECT, else that of the connection.
        version: Version,
    },
    /// Bytes that are no packet.
    Unframed {
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl Packets {
    /// A connection that is read with `version` until a CONNECT says another.
    pub fn new(version: Version) -> Packets {
        Packets { version, client: Vec::new(), server: Vec::new() }
    }

    /// The version of the connection.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Reads with this version from here on.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Takes the next bytes of one side, and gives out what is whole.
    pub fn feed(&mut self, from: Side, bytes: &[u8]) -> Vec<Part> {
        let buffer = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        buffer.extend_from_slice(bytes);
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(rest) = buffer.get(at..).filter(|rest| !rest.is_empty()) {
            match scan_frame(rest, PACKET_MAX) {
                Ok(FrameStatus::Whole { length }) => {
                    let bytes = rest.get(..length).unwrap_or(rest).to_vec();
                    let version = version_of(Frame::new(&bytes), self.version);
                    if Frame::new(&bytes).packet_type() == Some(PacketType::Connect) {
                        self.version = version;
                    }
                    at += length;
                    parts.push(Part::Packet { bytes, version });
                }
                Ok(FrameStatus::Needs { .. }) => break,
                Err(_) => {
                    at += rest.len();
                    parts.push(Part::Unframed { bytes: rest.to_vec() });
                }
            }
        }
        buffer.drain(..at);
        parts
    }

    /// The beginning of a packet that one side has not finished.
    pub fn begun(&self, from: Side) -> &[u8] {
        match from {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// How many bytes the packet that one side has begun lacks at least; `None` if it has begun
    /// none.
    pub fn needs(&self, from: Side) -> Option<usize> {
        match scan_frame(self.begun(from), PACKET_MAX) {
            Ok(FrameStatus::Needs { at_least }) if !self.begun(from).is_empty() => Some(at_least),
            _ => None,
        }
    }

    /// Forgets what both sides have begun: the connection is another.
    pub fn restart(&mut self) {
        self.client.clear();
        self.server.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_wherever_they_are_cut() {
        let mut stream = vec![0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 0];
        stream.extend([0xE0, 0, 0xC0, 0]);
        for cut in 0..stream.len() {
            let mut packets = Packets::new(Version::V4);
            let (first, second) = stream.split_at(cut);
            let mut parts = packets.feed(Side::Client, first);
            parts.extend(packets.feed(Side::Client, second));
            assert_eq!(parts.len(), 3, "{cut}");
            assert!(parts.iter().all(|part| matches!(part, Part::Packet { version: Version::V5, .. })));
            assert_eq!(packets.version(), Version::V5);
        }
    }

    #[test]
    fn what_cannot_be_framed_is_given_out_and_the_sides_are_apart() {
        let mut packets = Packets::new(Version::V4);
        assert_eq!(packets.feed(Side::Server, &[0x20, 2]), []);
        assert_eq!(packets.needs(Side::Server), Some(2));
        let garbage = vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(packets.feed(Side::Client, &garbage), [Part::Unframed { bytes: garbage }]);
        assert_eq!(packets.feed(Side::Server, &[0, 0]).len(), 1);
        assert_eq!(packets.needs(Side::Server), None);
    }
}
