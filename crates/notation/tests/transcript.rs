//! Transcripts: the example of the manual, what the steps become, and errors with their place.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hexmq_notation::{Action, Departure, Expectation, Origin, Transcript, parse_duration, parse_size};
use hexmq_wire::Version;

fn parse(text: &str) -> Transcript {
    Transcript::parse("t.mqtt", text).unwrap_or_else(|error| panic!("{error}"))
}

fn actions(text: &str) -> Vec<Action> {
    let transcript = parse(&format!("=== one\n{text}"));
    transcript.cases[0].steps.iter().map(|step| step.action.clone()).collect()
}

#[test]
fn the_example_of_the_manual_reads() {
    let manual = include_str!("../../../docs/notation.md");
    let block = manual.split("set receive_maximum = 10 ").nth(1).unwrap().split("```").next().unwrap();
    let transcript = parse(&format!("set receive_maximum = 10 {block}"));
    assert_eq!(transcript.cases.len(), 2);
    let [takeover, keep_alive] = transcript.cases.as_slice() else { panic!("{transcript:?}") };
    assert_eq!((takeover.name.as_str(), takeover.head.slow), ("takeover", false));
    assert_eq!(takeover.head.setting("receive_maximum"), Some("10"));
    assert!(keep_alive.head.slow);
    assert_eq!(keep_alive.steps[2].action, Action::Wait(Duration::from_secs(90)));
}

#[test]
fn heads_join_and_the_case_wins() {
    let text = "set shards = 2\nset topic_depth = 3 # levels\nuser ann \"se cret\"\n\
                === a\nset shards = 4\nset topic_depth = 8\ncore-only\na > PINGREQ\n=== b # 2\na > PINGREQ\n";
    let transcript = parse(text);
    let [a, b] = transcript.cases.as_slice() else { panic!("{transcript:?}") };
    assert_eq!((a.head.shards(), b.head.shards()), (4, 2));
    assert_eq!((a.head.core_only, b.head.core_only), (true, false));
    assert_eq!(b.name, "b # 2");
    assert_eq!(a.head.users[0].password, "se cret");
    let settings: Vec<_> =
        a.head.server_settings().iter().map(|s| (s.name.as_str(), s.value.as_str())).collect();
    assert_eq!(settings, [("topic_depth", "8")]);
}

#[test]
fn packets_are_read_in_the_version_of_their_connection() {
    let actions = actions(
        "a > CONNECT v5 id=x\nb > hex 10 0d 00 06 \"MQIsdp\" 03 00 00 00 00 00\na < PUBACK 0x10 pid=1\nb < PUBACK pid=1\n\
         c < hex 20 02 00 00 d0 00\nc @ v5 remote\nc < PUBACK pid=1\n",
    );
    let version = |index: usize| match &actions[index] {
        Action::Expect { expected, .. } => expected.version(),
        other => panic!("{other:?}"),
    };
    assert_eq!((version(2), version(3), version(4)), (Version::V5, Version::V3, Version::V4));
    assert_eq!(actions[6], Action::Open { connection: "c".into(), origin: Origin::Remote });
    assert_eq!(version(7), Version::V5);
    // Two packets in one line are two expectations.
    assert!(
        matches!(&actions[5], Action::Expect { expected: Expectation::Bytes { bytes, .. }, .. } if *bytes == [0xd0, 0])
    );
}

#[test]
fn every_step_has_its_action() {
    let actions = actions(
        "a|b < PINGRESP\na <~ PINGRESP\na < nothing\na < anything # all of it\na ! closed\na ~ drop\na ~ close\na ~ stall\n\
         a ~ resume\n+500ms\nserver ~ stop\n",
    );
    let a = || "a".to_owned();
    assert!(
        matches!(&actions[0], Action::Expect { connections, any_order: false, .. } if *connections == ["a", "b"])
    );
    assert!(matches!(&actions[1], Action::Expect { any_order: true, .. }));
    assert_eq!(
        actions[2..7],
        [
            Action::Nothing { connection: a() },
            Action::Anything { connection: a() },
            Action::Closed { connection: a() },
            Action::Leave { connection: a(), departure: Departure::Drop },
            Action::Leave { connection: a(), departure: Departure::Close },
        ]
    );
    assert_eq!(
        actions[7..],
        [
            Action::Reading { connection: a(), on: false },
            Action::Reading { connection: a(), on: true },
            Action::Wait(Duration::from_millis(500)),
            Action::StopServer,
        ]
    );
}

#[test]
fn raw_bytes_are_built() {
    let bytes = |line: &str| match actions(&format!("a > {line}")).remove(0) {
        Action::Send { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(bytes("hex 82 len( 00 01 str(\"a/b\") 03 )"), [0x82, 8, 0, 1, 0, 3, b'a', b'/', b'b', 3]);
    assert_eq!(
        bytes("hex 30 len( str(\"t\") \"hi\" )C000 # two packets"),
        [0x30, 5, 0, 1, b't', b'h', b'i', 0xc0, 0]
    );
    assert_eq!(bytes("hex 10 len( str(\"MQTT\") 05 len( 21 00 00 ) )").len(), 2 + 6 + 1 + 1 + 3);
    let long = bytes("hex 30 len( str(\"t\") 00*300 )");
    assert_eq!((long.len(), &long[..3]), (3 + 3 + 300, &[0x30, 0xAF, 0x02][..]));
    assert_eq!(bytes("hex \"ab\"*3 str( \"é\\xff\" len() )"), b"ababab\0\x04\xc3\xa9\xff\0");
}

#[test]
fn a_printed_case_reads_back() {
    let text = "=== one\nset shards = 2\nuser ann \"se cret\"\nslow\na @ remote\na > CONNECT v5 id=a\na < CONNACK 0x00 session_present=0 receive_maximum=* ...\n\
                a > hex c0\na > hex 00\na < hex d0 00\n+1500ms\n+90s\na <~ PUBLISH topic=x payload=*\na ~ stall\nserver ~ stop\na ! closed\n";
    let transcript = parse(text);
    let printed = transcript.cases[0].to_string();
    let mut again = parse(&printed);
    for (step, original) in again.cases[0].steps.iter_mut().zip(&transcript.cases[0].steps) {
        step.line = original.line;
    }
    assert_eq!(again.cases[0].steps, transcript.cases[0].steps, "{printed}");
    assert_eq!(again.cases[0].head.users, transcript.cases[0].head.users);
}

#[test]
fn errors_say_file_line_column_and_what_was_expected() {
    for (text, start) in [
        ("", "t.mqtt:1:1: expected a case"),
        ("=== a\n=== b\na > PINGREQ\n", "t.mqtt:2:5: expected steps in the case before"),
        ("=== a\n", "t.mqtt:1:1: expected steps in this case"),
        ("a > PINGREQ\n", "t.mqtt:1:1: expected `=== name` before the first step"),
        ("=== a\na > PINGREQ\n=== a\n", "t.mqtt:3:5: expected a name no other case"),
        ("=== a\na > PINGREQ\nset shards = 2\n", "t.mqtt:3:1: expected settings before the first step"),
        ("=== a\nset shards = 0\n", "t.mqtt:2:14: expected a value this setting can have"),
        ("=== a\nset shards 2\n", "t.mqtt:2:12: expected `=` between blanks"),
        ("=== a\nA > PINGREQ\n", "t.mqtt:2:1: expected a connection"),
        ("=== a\na PINGREQ\n", "t.mqtt:2:3: expected one of `>`"),
        ("=== a\na\n", "t.mqtt:2:2: expected one of `>`"),
        ("=== a\na > PUBLISH topic=x qos=7\n", "t.mqtt:2:25: expected a number from 0 to 2"),
        ("=== a\na > PUBLISH topic=*\n", "t.mqtt:2:5: expected a packet without `*`"),
        ("=== a\na > hex 1\n", "t.mqtt:2:9: expected hex digits in pairs"),
        ("=== a\na > hex len(00\n", "t.mqtt:2:9: expected a closing `)`"),
        ("=== a\na < hex 20 02 00\n", "t.mqtt:2:5: expected whole packets; at least 1 bytes are missing"),
        ("=== a\na|b > PINGREQ\n", "t.mqtt:2:5: expected `<` after several connections"),
        ("=== a\na|b < nothing\n", "t.mqtt:2:5: expected one connection"),
        ("=== a\na ! open\n", "t.mqtt:2:5: expected one of closed"),
        ("=== a\na < nothing more\n", "t.mqtt:2:13: expected the end of the line"),
        ("=== a\n+90\u{79}\n", "t.mqtt:2:1: expected a time"),
    ] {
        let message = Transcript::parse("t.mqtt", text)
            .map(|t| format!("reads as {t:?}"))
            .unwrap_or_else(|error| error.to_string());
        assert!(message.starts_with(start), "{text:?}\n  got      {message}\n  expected {start}");
    }
}

#[test]
fn times_and_sizes() {
    assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
    assert_eq!(parse_duration("2h"), Some(Duration::from_secs(7200)));
    assert_eq!(parse_duration("2 h"), None);
    assert_eq!(parse_size("64KiB"), Some(65_536));
    assert_eq!(parse_size("99999999999999999999"), None);
}
