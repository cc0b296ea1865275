//! Lines of docs/notation.md, and what is said about lines that cannot be read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hexmq_notation::{parse_packet, parse_pattern, print_bytes};
use hexmq_wire::Version;

const MANUAL: &str = include_str!("../../../docs/notation.md");

/// The lines between the fences that follow `after` in the manual.
fn example_block(after: &str) -> Vec<&'static str> {
    let from = MANUAL.find(after).expect("the heading is in the manual");
    let block = MANUAL[from..].split("```").nth(1).expect("a fenced block follows");
    block.lines().filter(|line| !line.trim().is_empty()).collect()
}

/// Versions in which an example is a packet: its comment says so, CONNECT says it itself.
fn versions(line: &str) -> Vec<Version> {
    let comment = line.split(" # ").nth(1).unwrap_or_default();
    if comment.starts_with("5.0") || line.contains("reason_string") || line.contains("AUTH") {
        vec![Version::V5]
    } else if comment.starts_with("3.x") {
        vec![Version::V3, Version::V4]
    } else {
        vec![Version::V3, Version::V4, Version::V5]
    }
}

#[test]
fn examples_of_the_manual_read_and_print_back() {
    let lines = example_block("One example per packet and version");
    assert!(lines.len() > 20, "{lines:?}");
    for line in lines {
        for version in versions(line) {
            let record = parse_packet(line, version).unwrap_or_else(|error| panic!("{line}\n{error}"));
            let bytes = record.encode().unwrap_or_else(|error| panic!("{line}\n{error}"));
            let printed = print_bytes(&bytes, record.version());
            assert_eq!(printed, record.to_string(), "{line}");
            assert_eq!(parse_packet(&printed, version).unwrap(), record, "{line}");
        }
    }
}

#[test]
fn a_line_gives_the_bytes_of_the_standard() {
    let bytes = |line: &str, version| parse_packet(line, version).unwrap().encode().unwrap();
    let v4 = Version::V4;
    assert_eq!(bytes("CONNACK 0x00", v4), [0x20, 2, 0, 0]);
    assert_eq!(bytes("CONNACK 0x05", v4), [0x20, 2, 0, 5]);
    assert_eq!(bytes("PUBREL pid=1", v4), [0x62, 2, 0, 1]);
    assert_eq!(bytes("PINGREQ", v4), [0xC0, 0]);
    assert_eq!(bytes("SUBSCRIBE pid=1 filter=a/b qos=1", v4), [0x82, 8, 0, 1, 0, 3, b'a', b'/', b'b', 1]);
    assert_eq!(
        bytes("PUBLISH qos=1 pid=10 topic=a payload=\"h\\x00\"", v4),
        [0x32, 7, 0, 1, b'a', 0, 10, b'h', 0]
    );
    assert_eq!(bytes("PUBLISH topic=a payload=0x00ff", Version::V5), [0x30, 6, 0, 1, b'a', 0, 0, 0xff]);
    assert_eq!(bytes("DISCONNECT 0x04", Version::V5)[..3], [0xE0, 1, 4]);
}

/// Reads `line` and gives column and message of the error.
fn refused(line: &str) -> String {
    match parse_packet(line, Version::V5) {
        Ok(record) => panic!("{line} reads as {record}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_line_that_cannot_be_read_says_where_and_what_was_expected() {
    for (line, start) in [
        ("PUBLSH topic=a", "column 1: expected the name of a packet"),
        ("CONNECT id=a", "column 1: expected CONNECT to name its version"),
        ("PUBLISH topic=a qos=3", "column 21: expected a number from 0 to 2"),
        ("PUBLISH topic=a qos=1", "column 17: expected `pid=`"),
        ("PUBLISH topic=a pid=1", "column 17: expected no `pid`"),
        ("PUBLISH dup topic=a", "column 13: expected no `dup`"),
        ("PUBLISH qos=1 pid=0 topic=a", "column 21: expected a packet identifier from 1"),
        ("PUBLISH payload=x", "column 9: expected `topic=`"),
        ("PUBLISH topic=a topic=b", "column 17: expected `topic` once"),
        ("PUBLISH topic=\"a", "column 15: expected a closing `\"`"),
        ("PUBLISH topic=\"a\\q\"", "column 17: expected one of the escapes"),
        ("PUBLISH topic=a payload=0x1", "column 25: expected an even number"),
        ("PUBLISH topic=a payload=*", "column 1: expected a packet without `*`"),
        ("PUBLISH topic=a colour=red", "column 17: expected dup, qos"),
        ("SUBSCRIBE pid=1 qos=1 filter=a", "column 17: expected `filter=` before `qos`"),
        ("SUBSCRIBE pid=1", "column 11: expected `filter=`"),
        ("SUBACK pid=1 codes=1", "column 20: expected codes"),
        ("CONNACK", "column 1: expected a code"),
        ("DISCONNECT 0x77", "column 12: expected a code of this packet's version"),
        ("PUBLISH ... topic=a", "column 9: expected `...` as the last word"),
        ("PUBLISH topic=a user_property=x", "column 31: expected `key:value`"),
    ] {
        let message = refused(line);
        assert!(message.starts_with(start), "{line}\n  got      {message}\n  expected {start}");
    }
    let in_3 = parse_packet("PUBLISH topic=a content_type=x", Version::V4).unwrap_err().to_string();
    assert!(in_3.ends_with("(properties are of 5.0)"), "{in_3}");
}

#[test]
fn expectations_leave_room() {
    let got = parse_packet(
        "CONNACK 0x00 receive_maximum=10 user_property=a:1 user_property=b:2 server_keep_alive=60",
        Version::V5,
    )
    .unwrap();
    let admits = |line: &str| parse_pattern(line, Version::V5).unwrap().matches(&got);
    assert_eq!(admits("CONNACK 0x00 ..."), Ok(()));
    assert_eq!(admits("CONNACK 0x00 user_property=b:2 receive_maximum=* ..."), Ok(()));
    assert_eq!(
        admits("CONNACK 0x00 server_keep_alive=50..60 user_property=* user_property=b:2 receive_maximum=10"),
        Ok(())
    );
    assert_eq!(
        admits("CONNACK 0x00 session_present=1 ...").unwrap_err(),
        "session_present: expected 1, got 0"
    );
    assert_eq!(
        admits("CONNACK 0x00 user_property=b:2 user_property=a:1 ...").unwrap_err(),
        "user_property: expected a:1, got none"
    );
    assert_eq!(admits("CONNACK 0x00 maximum_qos=1 ...").unwrap_err(), "maximum_qos: expected 1, got none");
    assert_eq!(
        admits("CONNACK 0x00 receive_maximum=10 user_property=a:1 user_property=b:2").unwrap_err(),
        "server_keep_alive: expected none, got 60"
    );
    assert_eq!(admits("PUBACK pid=1").unwrap_err(), "expected PUBACK, got CONNACK");
}
