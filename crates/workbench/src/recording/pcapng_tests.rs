//! The packets around the bytes are such as a network would have carried.

use super::*;
use crate::recording::pcapng::PcapngWriter;

/// What stands in the packets of a file: source and target port, numbers, flags, bytes, comment.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    at: u64,
    ports: (u16, u16),
    numbers: (u32, u32),
    flags: u8,
    bytes: Vec<u8>,
    comment: Option<String>,
}

fn u16_be(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().expect("two"))
}

fn u32_be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"))
}

fn u32_le(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"))
}

/// Sum of 16-bit words with the carries added; all ones where the checksum in it is right.
fn folded(parts: &[&[u8]]) -> u32 {
    let mut sum = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
        }
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum
}

fn segment(body: &[u8]) -> Segment {
    let at = u64::from(u32_le(body, 4)) << 32 | u64::from(u32_le(body, 8));
    let length = u32_le(body, 12) as usize;
    let packet = &body[20..20 + length];
    let (addresses, tcp) = match packet[0] >> 4 {
        4 => {
            assert_eq!(folded(&[&packet[..20]]), 0xFFFF, "the header's checksum");
            assert_eq!(usize::from(u16_be(packet, 2)), length);
            (&packet[12..20], &packet[20..])
        }
        _ => {
            assert_eq!(usize::from(u16_be(packet, 4)), length - 40);
            (&packet[8..40], &packet[40..])
        }
    };
    assert_eq!(folded(&[addresses, &(tcp.len() as u32 + 6).to_be_bytes(), tcp]), 0xFFFF, "TCP's checksum");
    let options = &body[20 + length.next_multiple_of(4)..];
    let comment = (!options.is_empty()).then(|| {
        assert_eq!(options[..2], [1, 0]);
        let length = usize::from(u16::from_le_bytes([options[2], options[3]]));
        String::from_utf8(options[4..4 + length].to_vec()).expect("text")
    });
    Segment {
        at,
        ports: (u16_be(tcp, 0), u16_be(tcp, 2)),
        numbers: (u32_be(tcp, 4), u32_be(tcp, 8)),
        flags: tcp[13],
        bytes: tcp[20..].to_vec(),
        comment,
    }
}

fn segments(entries: &[Entry]) -> Vec<Segment> {
    let mut writer = PcapngWriter::new(Vec::new(), &Head::default()).expect("in memory");
    for entry in entries {
        writer.write(entry).expect("in memory");
    }
    let file = writer.into_inner();
    let (mut at, mut segments) = (0, Vec::new());
    while at < file.len() {
        let length = u32_le(&file, at + 4) as usize;
        assert_eq!(length % 4, 0);
        assert_eq!(u32_le(&file, at + length - 4) as usize, length);
        if u32_le(&file, at) == 6 {
            segments.push(segment(&file[at + 8..at + length - 4]));
        }
        at += length;
    }
    segments
}

fn chunk(at: u64, from: Side, bytes: &[u8]) -> Entry {
    Entry::Bytes(Chunk { at: Timestamp(at), connection: 3, from, bytes: bytes.to_vec() })
}

fn open(client: &str, server: &str) -> Entry {
    Entry::Open(Open {
        at: Timestamp(1 << 40),
        connection: 3,
        client: client.to_owned(),
        server: server.to_owned(),
        via: Via::Tls,
    })
}

#[test]
fn a_connection_is_opened_used_and_closed() {
    let close = Entry::Close(Close { at: Timestamp(9), connection: 3, by: Some(Side::Server), reason: None });
    for (client, server) in [("192.0.2.7:5000", "192.0.2.1:6002"), ("[2001:db8::7]:5000", "[::1]:8883")] {
        let opened = open(client, server);
        let entries = [
            opened.clone(),
            chunk(5, Side::Client, b"\xC0\x00"),
            chunk(6, Side::Server, b"\xD0\x00\xD0"),
            close.clone(),
        ];
        let segments = segments(&entries);
        assert_eq!(segments.len(), 8);
        assert_eq!(segments[0].at, 1 << 40);
        assert_eq!(segments.iter().map(|s| s.flags).collect::<Vec<_>>(), [2, 18, 16, 24, 24, 17, 17, 16]);
        for segment in &segments {
            assert!(segment.ports == (5000, 1883) || segment.ports == (1883, 5000), "{segment:?}");
        }
        let (client, server) = (segments[0].numbers.0, segments[1].numbers.0);
        assert_eq!(segments[3].numbers, (client + 1, server + 1));
        assert_eq!(segments[4].numbers, (server + 1, client + 3));
        assert_eq!(segments[5].numbers, (server + 4, client + 3));
        assert_eq!(segments[6].numbers, (client + 3, server + 5));
        assert_eq!(segments[7].numbers, (server + 5, client + 4));
        assert_eq!(segments[3].bytes, b"\xC0\x00");
        // What the segments do not say stands in the comments.
        let comments: Vec<_> =
            segments.iter().filter_map(|s| entry_of_comment(s.comment.as_ref()?)).collect();
        assert_eq!(comments, [opened, close.clone()]);
    }
}

#[test]
fn lost_bytes_leave_a_gap_and_a_long_chunk_becomes_several_segments() {
    let lost = Some(Lost { from: Side::Client, bytes: 100 });
    let note = Note { at: Timestamp(5), connection: Some(3), lost, ..Note::default() };
    let entries =
        [chunk(5, Side::Client, b"abc"), Entry::Note(note), chunk(6, Side::Client, &vec![7; 65_536])];
    let segments = segments(&entries);
    assert_eq!(segments.len(), 4);
    let first = segments[0].numbers.0;
    assert_eq!(segments[2].numbers.0, first + 103);
    assert_eq!(segments[3].numbers.0, first + 103 + 65_000);
    assert_eq!(segments[2].bytes.len() + segments[3].bytes.len(), 65_536);
}

#[test]
fn what_is_no_address_gets_one_for_documentation() {
    let entries = [open("unix", "/run/hexmq.sock"), chunk(5, Side::Client, b"a")];
    assert_eq!(segments(&entries)[3].ports, (49_155, 1883));
    let entries = [open("[::1]:7", "unix"), chunk(5, Side::Client, b"a")];
    assert_eq!(segments(&entries)[3].ports, (7, 1883));
    let entries = [open("10.0.0.1:7", "[::1]:1"), chunk(5, Side::Client, b"a")];
    assert_eq!(segments(&entries)[3].ports, (7, 1883));
}
