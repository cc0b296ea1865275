//! Recording to capture or page and back.

use hexmq_wire::encode_remaining_length;
use proptest::prelude::*;

use super::export::{Format, convert};
use super::import::{ImportError, Kind, import};
use super::*;
use crate::Language;

const FORMATS: [Format; 3] = [Format::JsonLines, Format::Pcapng, Format::Html(Language::Chinese)];

fn connect(id: &str, password: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\xC2\0\x3C".to_vec();
    for field in [id.as_bytes(), b"user", password] {
        body.extend_from_slice(&(field.len() as u16).to_be_bytes());
        body.extend_from_slice(field);
    }
    let mut packet = vec![0x10];
    encode_remaining_length(body.len() as u32, &mut packet);
    packet.extend(body);
    packet
}

/// Two connections that speak at the same time, cut into segments of this size.
fn recording(segment: usize, payload: &[u8]) -> Recording {
    let mut entries = Vec::new();
    let mut at = 1_000_000_000;
    let mut tick = || {
        at += 1_000_001;
        Timestamp(at)
    };
    for connection in [1, 2] {
        let client = format!("192.0.2.7:{}", 5000 + connection);
        let server = "192.0.2.1:1883".to_owned();
        entries.push(Entry::Open(Open { at: tick(), connection, client, server, via: Via::Tcp }));
    }
    let mut publish = vec![0x30];
    encode_remaining_length(payload.len() as u32 + 3, &mut publish);
    publish.extend_from_slice(b"\0\x01t");
    publish.extend_from_slice(payload);
    let said = [
        (Side::Client, connect("dev", b"secret")),
        (Side::Server, vec![0x20, 2, 0, 0]),
        (Side::Client, publish.clone()),
        (Side::Server, publish),
        (Side::Client, vec![0xE0, 0]),
    ];
    for (from, bytes) in said {
        for connection in [1, 2] {
            for part in bytes.chunks(segment) {
                entries.push(Entry::Bytes(Chunk { at: tick(), connection, from, bytes: part.to_vec() }));
            }
        }
    }
    for connection in [1, 2] {
        entries.push(Entry::Close(Close { at: tick(), connection, by: Some(Side::Client), reason: None }));
    }
    Recording { entries, ..Recording::default() }
}

fn there_and_back(recording: &Recording, format: Format, reveal: bool) -> Recording {
    let mut file = Vec::new();
    convert(recording, &mut file, format, reveal).expect("in memory");
    import(&file[..], usize::MAX).expect("it was just written")
}

/// The entries of a connection; the number of a connection is whatever the reader gives it.
fn of(recording: &Recording, client: &str) -> Vec<Entry> {
    let number = recording.entries.iter().find_map(|entry| match entry {
        Entry::Open(open) if open.client == client => Some(open.connection),
        _ => None,
    });
    let mut entries: Vec<Entry> = recording.of_connection(number.expect("it is there")).cloned().collect();
    for entry in &mut entries {
        match entry {
            Entry::Open(open) => open.connection = 0,
            Entry::Bytes(chunk) => chunk.connection = 0,
            Entry::Note(note) => note.connection = None,
            Entry::Close(close) => close.connection = 0,
        }
    }
    entries
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_form_reads_back(segment in 1usize..40, payload in proptest::collection::vec(any::<u8>(), 0..60)) {
        let recording = recording(segment, &payload);
        for format in FORMATS {
            let read = there_and_back(&recording, format, true);
            for client in ["192.0.2.7:5001", "192.0.2.7:5002"] {
                prop_assert_eq!(of(&read, client), of(&recording, client), "{:?}", format);
            }
            // And once more through another form, as people do.
            let again = there_and_back(&there_and_back(&read, Format::Pcapng, true), Format::JsonLines, true);
            prop_assert_eq!(of(&again, "192.0.2.7:5002"), of(&recording, "192.0.2.7:5002"));
        }
    }
}

#[test]
fn passwords_are_masked_unless_they_are_to_be_seen() {
    let recording = recording(7, b"payload");
    for format in FORMATS {
        let client = |recording: &Recording| -> Vec<u8> {
            let of_client = |entry: &Entry| match entry {
                Entry::Bytes(chunk) if chunk.from == Side::Client && chunk.connection == 1 => {
                    Some(chunk.bytes.clone())
                }
                _ => None,
            };
            recording.entries.iter().filter_map(of_client).flatten().collect()
        };
        let masked = client(&there_and_back(&recording, format, false));
        assert!(masked.starts_with(&connect("dev", b"******")), "{format:?}");
        assert!(client(&there_and_back(&recording, format, true)).starts_with(&connect("dev", b"secret")));
    }
}

#[test]
fn what_was_lost_is_lost_in_the_capture_too() {
    let mut recording = recording(1000, b"payload");
    let lost = Some(Lost { from: Side::Client, bytes: 500 });
    let note = Note { at: Timestamp(1_900_000_000), connection: Some(1), lost, ..Note::default() };
    let at = recording
        .entries
        .iter()
        .rposition(|entry| matches!(entry, Entry::Bytes(chunk) if chunk.connection == 1));
    recording.entries.insert(at.expect("bytes"), Entry::Note(note));
    let read = there_and_back(&recording, Format::Pcapng, true);
    let found: Vec<_> = read
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Note(note) => note.lost,
            _ => None,
        })
        .collect();
    assert_eq!(found, [Lost { from: Side::Client, bytes: 500 }]);
}

#[test]
fn the_form_follows_the_name_and_the_kind_the_content() {
    let of = |name: &str| Format::of_name(std::path::Path::new(name), Language::English);
    assert_eq!(of("a/b.jsonl"), Some(Format::JsonLines));
    assert_eq!(of("b.PCAPNG"), Some(Format::Pcapng));
    assert_eq!(of("b.html"), Some(Format::Html(Language::English)));
    assert_eq!(of("b"), None);
    assert_eq!(of("b.txt"), None);
    assert_eq!(Kind::of(b"c0 00"), None);
    assert!(matches!(import(&b"c0 00"[..], 1000), Err(ImportError::Unknown)));
    let mut file = Vec::new();
    convert(&recording(10, b"payload"), &mut file, Format::Pcapng, true).expect("in memory");
    assert!(matches!(import(&file[..], 100), Err(ImportError::TooLarge { most: 100 })));
    assert!(import(&file[..file.len() - 5], 100_000).expect("what is there").cut_off);
}
