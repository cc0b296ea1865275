//! Whatever a capture file holds and however it is handed over, the same is found in it.

use hexmq_workbench::Side;
use hexmq_workbench::capture::{Capture, Connection, Note, Packet, Settings, Sink};

/// What is found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    packets: Vec<(u64, u64, Side, Vec<u8>)>,
    notes: Vec<(u64, Note)>,
    opened: u64,
    closed: u64,
}

impl Sink for Found {
    fn opened(&mut self, _: &Connection) {
        self.opened += 1;
    }

    fn packet(&mut self, connection: &Connection, packet: &Packet<'_>) {
        self.packets.push((connection.number, packet.packet, packet.from, packet.bytes.to_vec()));
    }

    fn note(&mut self, connection: &Connection, note: &Note) {
        self.notes.push((connection.number, note.clone()));
    }

    fn closed(&mut self, _: &Connection) {
        self.closed += 1;
    }
}

/// Reads a file in pieces of this size. Gives what was found and what was wrong.
fn read(file: &[u8], size: usize) -> (Found, Option<String>) {
    let settings =
        Settings { connections_max: 4, kept_bytes_max: 2_048, packet_bytes_max: 512, ..Settings::default() };
    let (mut capture, mut found, mut error) = (Capture::new(settings), Found::default(), None);
    let mut waiting = Vec::new();
    for piece in file.chunks(size.max(1)) {
        waiting.extend_from_slice(piece);
        match capture.feed(&waiting, &mut found) {
            Ok(taken) => drop(waiting.drain(..taken)),
            Err(wrong) => {
                error = Some(wrong.to_string());
                break;
            }
        }
        assert!(capture.kept_bytes() <= 2_048, "the bound holds");
    }
    capture.finish(&mut found);
    assert_eq!(capture.kept_bytes(), 0, "everything is let go of");
    (found, error)
}

/// The file is the input.
pub fn capture(input: &[u8]) {
    let whole = read(input, input.len());
    assert_eq!(whole.0.opened, whole.0.closed, "every connection ends");
    assert_eq!(read(input, 1 + input.len() / 7), whole);
    assert_eq!(read(input, 61), whole);
}
