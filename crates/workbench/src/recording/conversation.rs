//! One connection of a recording as a row of moments: packets, what is between them, and notes.

use hexmq_wire::{Frame, PacketType, Version};

use super::{Close, Entry, Note, Open, Recording, Timestamp};
use crate::lint::{Dialogue, DialogueFinding};
use crate::stream::{Piece, part, pieces};
use crate::tree::version_of;
use crate::{Language, Side};

/// A connection, packet by packet.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its number in the recording.
    pub connection: u64,
    /// Its version, as far as its packets show it.
    pub version: Version,
    /// In the order in which things happened; a packet happens when its last byte is there.
    pub moments: Vec<Moment>,
}

/// Something that happens on a connection.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What happens on a connection.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is there.
    Open(Open),
    /// A packet, right or wrong.
    Packet(Spoken),
    /// Bytes that are no packet.
    Strays {
        /// Who sent them.
        from: Side,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The beginning of a packet that never became whole.
    Begun {
        /// Who sent it.
        from: Side,
        /// What there is of it.
        bytes: Vec<u8>,
        /// How many bytes it lacks at least.
        needs: usize,
    },
    /// Something to know.
    Note(Note),
    /// It is no more.
    Close(Close),
}

/// A packet and what the conversation shows about it.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// Who sent it.
    pub from: Side,
    /// Its bytes, those included that its Remaining Length leaves out.
    pub bytes: Vec<u8>,
    /// The version to read it with.
    pub version: Version,
    /// What is wrong with it in this place, though it may be right by itself.
    pub findings: Vec<DialogueFinding>,
}

impl Spoken {
    /// Its type; `None` for the reserved type 0.
    pub fn packet_type(&self) -> Option<PacketType> {
        Frame::new(&self.bytes).packet_type()
    }

    /// The packet explained in `language`, with what the conversation shows about it.
    pub fn explain(&self, language: Language) -> crate::Explanation {
        let options = crate::Options { from: Some(self.from), version: Some(self.version), language };
        let mut explanation = crate::explain(&self.bytes, &options);
        if let Some(packet) = explanation.packets.first_mut() {
            packet.findings.extend(self.findings.iter().map(|finding| finding.to_finding(0, language)));
        }
        explanation
    }
}

/// What one side said without a gap.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// For each chunk: where it ends in `bytes`, its place among the entries, and its time.
    chunks: Vec<(usize, usize, Timestamp)>,
}

/// A moment and its place among the entries.
type Placed = ((usize, usize), Moment);

impl Stream {
    /// Place and time of the byte before `end`.
    fn place(&self, end: usize) -> (usize, Timestamp) {
        let index = self.chunks.partition_point(|chunk| chunk.0 < end);
        let chunk = self.chunks.get(index).or(self.chunks.last());
        chunk.map_or((0, Timestamp::default()), |chunk| (chunk.1, chunk.2))
    }

    fn moments(&self, from: Side, version: Version, moments: &mut Vec<Placed>) {
        let mut put = |offset: usize, length: usize, event: Event| {
            let (entry, at) = self.place(offset + length);
            moments.push(((entry, offset), Moment { at, event }));
        };
        let pieces = pieces(&self.bytes, Some(version));
        for (index, piece) in pieces.iter().enumerate() {
            match *piece {
                Piece::Packet { offset, length, version } => {
                    let forgotten = match pieces.get(index + 1) {
                        Some(&Piece::Forgotten { length, .. }) => length,
                        _ => 0,
                    };
                    let length = length + forgotten;
                    let bytes = part(&self.bytes, offset, length).to_vec();
                    let version = version_of(Frame::new(&bytes), version);
                    let spoken = Spoken { from, bytes, version, findings: Vec::new() };
                    put(offset, length, Event::Packet(spoken));
                }
                Piece::Forgotten { .. } => {}
                Piece::Garbage { offset, length } => {
                    let bytes = part(&self.bytes, offset, length).to_vec();
                    put(offset, length, Event::Strays { from, bytes });
                }
                Piece::Begun { offset, needs, .. } => {
                    let bytes = part(&self.bytes, offset, usize::MAX).to_vec();
                    put(offset, bytes.len(), Event::Begun { from, bytes, needs });
                }
                Piece::Unknown { offset } => {
                    let bytes = part(&self.bytes, offset, usize::MAX).to_vec();
                    put(offset, bytes.len(), Event::Strays { from, bytes });
                }
            }
        }
    }
}

impl Conversation {
    /// What happened on one connection of a recording.
    pub fn of(recording: &Recording, connection: u64) -> Conversation {
        let mut moments: Vec<Placed> = Vec::new();
        let (mut done, mut client, mut server) = (Vec::new(), Stream::default(), Stream::default());
        for (index, entry) in recording.entries.iter().enumerate() {
            if entry.connection() != Some(connection) {
                continue;
            }
            let event = match entry {
                Entry::Bytes(chunk) => {
                    let stream = if chunk.from == Side::Client { &mut client } else { &mut server };
                    stream.bytes.extend_from_slice(&chunk.bytes);
                    stream.chunks.push((stream.bytes.len(), index, chunk.at));
                    continue;
                }
                Entry::Open(open) => Event::Open(open.clone()),
                Entry::Close(close) => Event::Close(close.clone()),
                Entry::Note(note) => {
                    // Packets do not reach over a gap.
                    if let Some(lost) = note.lost {
                        let stream = if lost.from == Side::Client { &mut client } else { &mut server };
                        done.push((lost.from, std::mem::take(stream)));
                    }
                    Event::Note(note.clone())
                }
            };
            moments.push(((index, 0), Moment { at: entry.at(), event }));
        }
        done.push((Side::Client, client));
        done.push((Side::Server, server));
        let version = version(&done);
        for (from, stream) in &done {
            stream.moments(*from, version, &mut moments);
        }
        moments.sort_by_key(|(place, _)| *place);
        let mut conversation =
            Conversation { connection, version, moments: moments.into_iter().map(|it| it.1).collect() };
        conversation.judge();
        conversation
    }

    /// Puts what the packets show together to the packets at fault.
    fn judge(&mut self) {
        let opened = self.moments.first().is_some_and(|moment| matches!(moment.event, Event::Open(_)));
        let mut dialogue = if opened { Dialogue::new() } else { Dialogue::joined(self.version) };
        let mut findings = Vec::new();
        for moment in &self.moments {
            match &moment.event {
                Event::Packet(spoken) => {
                    findings.extend(dialogue.packet(spoken.from, Some(moment.at), &spoken.bytes));
                }
                Event::Strays { from, .. } | Event::Begun { from, .. } => dialogue.lost(*from),
                Event::Note(Note { lost: Some(lost), .. }) => dialogue.lost(lost.from),
                Event::Close(_) => findings.extend(dialogue.close(Some(moment.at))),
                Event::Open(_) | Event::Note(_) => {}
            }
        }
        for (number, spoken) in self.packets_mut().enumerate() {
            let number = number as u64;
            spoken.findings = findings.extract_if(.., |finding| finding.packet == number).collect();
        }
    }

    fn packets_mut(&mut self) -> impl Iterator<Item = &mut Spoken> {
        self.moments.iter_mut().filter_map(|moment| match &mut moment.event {
            Event::Packet(spoken) => Some(spoken),
            _ => None,
        })
    }

    /// Its packets with their times.
    pub fn packets(&self) -> impl Iterator<Item = (Timestamp, &Spoken)> {
        self.moments.iter().filter_map(|moment| match &moment.event {
            Event::Packet(spoken) => Some((moment.at, spoken)),
            _ => None,
        })
    }

    /// What is known of its opening.
    pub fn open(&self) -> Option<&Open> {
        self.moments.iter().find_map(|moment| match &moment.event {
            Event::Open(open) => Some(open),
            _ => None,
        })
    }
}

/// The version of a CONNECT of the client; without one, that with which the sides read best.
fn version(streams: &[(Side, Stream)]) -> Version {
    let of_client = streams.iter().filter(|(from, _)| *from == Side::Client);
    let connect = of_client.flat_map(|(_, stream)| {
        let pieces = pieces(&stream.bytes, None);
        pieces.into_iter().filter_map(|piece| match piece {
            Piece::Packet { offset, length, version } | Piece::Begun { offset, needs: length, version } => {
                let frame = Frame::new(part(&stream.bytes, offset, length.max(1)));
                (frame.packet_type() == Some(PacketType::Connect)).then_some(version)
            }
            _ => None,
        })
    });
    let found: Option<Version> = connect.into_iter().next();
    found.unwrap_or_else(|| {
        let packets = streams.iter().flat_map(|(_, stream)| pieces(&stream.bytes, None));
        let versions: Vec<Version> = packets
            .filter_map(|piece| match piece {
                Piece::Packet { version, .. } => Some(version),
                _ => None,
            })
            .collect();
        versions.into_iter().max().unwrap_or(Version::V4)
    })
}
