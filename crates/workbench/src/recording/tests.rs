//! What is written reads back, and what is no recording is told with its line.

use std::io::Read;

use proptest::prelude::*;

use super::*;

fn written(head: &Head, entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), head).expect("in memory");
    for entry in entries {
        writer.write(entry).expect("in memory");
    }
    writer.into_inner()
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

fn entry() -> impl Strategy<Value = Entry> {
    let at = any::<u64>().prop_map(Timestamp);
    let text = || "\\PC{0,12}|[\\x00-\\x1f\"\\\\]{0,4}";
    let name = || proptest::option::of(text());
    prop_oneof![
        (at.clone(), any::<u64>(), text(), text(), 0usize..5).prop_map(
            |(at, connection, client, server, via)| Entry::Open(Open {
                at,
                connection,
                client,
                server,
                via: Via::ALL[via]
            })
        ),
        (at.clone(), any::<u64>(), side(), proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, connection, from, bytes)| Entry::Bytes(Chunk { at, connection, from, bytes })),
        (
            at.clone(),
            proptest::option::of(any::<u64>()),
            text(),
            (name(), name(), name()),
            proptest::option::of((side(), any::<u64>()))
        )
            .prop_map(|(at, connection, text, (decision, reason, statement), lost)| {
                let lost = lost.map(|(from, bytes)| Lost { from, bytes });
                Entry::Note(Note { at, connection, text, decision, reason, statement, lost })
            }),
        (at, any::<u64>(), proptest::option::of(side()), name())
            .prop_map(|(at, connection, by, reason)| Entry::Close(Close { at, connection, by, reason })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        entries in proptest::collection::vec(entry(), 0..12),
        by in proptest::option::of("\\PC{0,20}"),
        created in proptest::option::of(any::<u64>().prop_map(Timestamp)),
        masked in any::<bool>(),
    ) {
        let recording = Recording { head: Head { by, created, masked }, entries, cut_off: false };
        let file = written(&recording.head, &recording.entries);
        prop_assert!(Recording::is_one(&file));
        prop_assert_eq!(Recording::read(&file[..], usize::MAX).expect("it was just written"), recording);
    }

    #[test]
    fn nothing_panics(garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut file = written(&Head::default(), &[]);
        file.extend(&garbage);
        for entry in Reader::new(&file[..]).expect("the first line is right").take(300) {
            let _ = entry;
        }
        let _ = Reader::new(&garbage[..]);
    }

    #[test]
    fn a_recording_cut_anywhere_gives_all_whole_lines(
        entries in proptest::collection::vec(entry(), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let file = written(&Head::default(), &entries);
        let first = file.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
        let end = first + cut.index(file.len() - first);
        let whole = file[first..end].iter().filter(|&&byte| byte == b'\n').count();
        let read = Recording::read(&file[..end], usize::MAX).expect("only the end is missing");
        // Only the line's end may be missing: then the line is whole all the same.
        prop_assert!(read.entries.len() == whole || read.entries.len() == whole + 1);
        prop_assert_eq!(&read.entries[..], &entries[..read.entries.len()]);
    }
}

#[test]
fn a_long_chunk_becomes_several_lines() {
    let chunk =
        |bytes: Vec<u8>| Entry::Bytes(Chunk { at: Timestamp(5), connection: 1, from: Side::Server, bytes });
    let file = written(&Head::default(), &[chunk(vec![7; CHUNK_MAX + 1]), chunk(Vec::new())]);
    let read = Recording::read(&file[..], usize::MAX).expect("read");
    assert_eq!(read.entries, [chunk(vec![7; CHUNK_MAX]), chunk(vec![7])]);
}

/// The error of a recording whose second line is this.
fn error(line: &str) -> String {
    let file = format!("{{\"hexmq_recording\":1}}\n{line}\n");
    match Recording::read(file.as_bytes(), usize::MAX) {
        Ok(read) => panic!("read as {read:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_wrong_line_is_told_with_its_number_and_member() {
    assert_eq!(error(r#"{"type":"close","connection":1}"#), "line 2: `at` is missing");
    let time = r#""at":"2026-11-23T02:10:00Z""#;
    assert_eq!(error(&format!(r#"{{"type":"close",{time}}}"#)), "line 2: `connection` is missing");
    assert_eq!(
        error(&format!(r#"{{"type":"bytes",{time},"connection":1,"from":"device","hex":""}}"#)),
        "line 2: `from` is \"device\"; expected client or server"
    );
    assert_eq!(
        error(&format!(r#"{{"type":"bytes",{time},"connection":1,"from":"client","hex":"c0 0"}}"#)),
        "line 2: `hex` has no pair of hex digits at digit 3"
    );
    assert_eq!(
        error(&format!(r#"{{"type":"bytes",{time},"connection":1,"from":"client","hex":"c00"}}"#)),
        "line 2: `hex` has no pair of hex digits at digit 3"
    );
    assert_eq!(
        error(r#"{"type":"close","connection":1,"at":"yesterday"}"#),
        "line 2: `at` is \"yesterday\"; expected a time such as 2026-11-23T02:10:00.5Z"
    );
    assert!(error("{").starts_with("line 2: column 1: not JSON as expected: EOF"));
    let negative = error(r#"{"type":"close","connection":-1}"#);
    assert!(negative.starts_with("line 2: column 31: not JSON as expected: invalid value"), "{negative}");
    assert!(error(&"x".repeat(2 * LINE_MAX)).starts_with("line 2: longer than "));
}

#[test]
fn what_is_no_recording_is_told_so() {
    for file in [&b""[..], b"c0 00", b"{}", b"\n\n", &[0xD4, 0xC3, 0xB2, 0xA1], b"{\"hexmq_recordings\":1}\n"]
    {
        let error = Reader::new(file).expect_err("refused").to_string();
        assert!(error.starts_with("line 1: not a recording"), "{error}");
        assert!(!Recording::is_one(file));
    }
    let endless = std::io::BufReader::new(std::io::repeat(b'a').take(3 * LINE_MAX as u64));
    assert!(Reader::new(endless).expect_err("refused").to_string().starts_with("line 1: not a recording"));
    let later = Reader::new(&b"{\"hexmq_recording\":2}\n"[..]).expect_err("refused").to_string();
    assert_eq!(later, "line 1: a recording of format 2; this program reads format 1");
}

#[test]
fn what_later_programs_add_is_passed_over() {
    let file = "\u{FEFF}{ \"hexmq_recording\": 1, \"colour\": \"blue\" }\r\n\
                {\"type\":\"weather\",\"at\":7}\n\n\
                {\"type\":\"close\",\"at\":\"1970-01-01T00:00:00Z\",\"connection\":1,\"mood\":[1,{}]}\r\n";
    let read = Recording::read(file.as_bytes(), usize::MAX).expect("read");
    let close = Close { at: Timestamp(0), connection: 1, by: None, reason: None };
    assert_eq!(read.entries, [Entry::Close(close)]);
}

#[test]
fn a_recording_in_memory_is_bounded() {
    let chunk = Chunk { at: Timestamp(5), connection: 1, from: Side::Server, bytes: vec![0; 1000] };
    let file = written(&Head::default(), &[Entry::Bytes(chunk.clone()), Entry::Bytes(chunk)]);
    assert!(Recording::read(&file[..], 10_000).is_ok());
    let error = Recording::read(&file[..], 1500).expect_err("too much").to_string();
    assert!(error.starts_with("line 3: the recording holds more than the 1500 bytes"), "{error}");
}

#[test]
fn the_documented_example_reads() {
    let page = include_str!("../../../../docs/recordings.md");
    let (_, behind) = page.split_once("```jsonl\n").expect("an example");
    let (example, _) = behind.split_once("```").expect("its end");
    let recording = Recording::read(example.as_bytes(), usize::MAX).expect("it reads");
    assert_eq!(recording.connections(), [1]);
    assert_eq!(recording.entries.len(), example.lines().count() - 1);
    assert_eq!(String::from_utf8(written(&recording.head, &recording.entries)).expect("text"), example);
}
