//! The text form of packets: what is printed reads back to the same, and no line makes the reader
//! panic.

use hexmq_notation::{Record, Transcript, parse_packet, parse_pattern, print_bytes, print_packet};
use hexmq_wire::{Frame, Leniency, NoTrace, Version, decode};

const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

/// A line that is a packet prints to a line that is the same packet.
fn line(line: &str, version: Version) {
    let _ = parse_pattern(line, version);
    let Ok(record) = parse_packet(line, version) else { return };
    let printed = record.to_string();
    assert_eq!(parse_packet(&printed, version), Ok(record), "{line:?} is printed as {printed:?}");
}

/// A packet in bytes prints to a line that is the same packet.
fn packet(bytes: &[u8], version: Version) {
    let _ = print_bytes(bytes, version);
    let Ok(packet) = decode(Frame::new(bytes), version, &Leniency::default(), &mut NoTrace) else { return };
    let printed = print_packet(&packet, version);
    assert_eq!(parse_packet(&printed, version), Ok(Record::from_packet(&packet, version)), "{printed:?}");
}

/// The first byte chooses the version and what the rest is: a line, a transcript or bytes.
pub fn notation(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else { return };
    let version = VERSIONS[usize::from(choice % 3)];
    match (choice / 3 % 3, std::str::from_utf8(rest)) {
        (0, Ok(text)) => line(text, version),
        (1, Ok(text)) => {
            let _ = Transcript::parse("fuzz.mqtt", text);
        }
        _ => packet(rest, version),
    }
}
