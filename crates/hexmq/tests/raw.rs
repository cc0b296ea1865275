//! `hexmq raw` against `hexmq serve`: lines in, exactly those bytes out, and what came back.

#[allow(dead_code, reason = "other tests use more of it")]
mod serving;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use hexmq_workbench::Side;
use hexmq_workbench::recording::{Entry, Recording, Via};
use serving::Server;

fn raw(arguments: &[&str], lines: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .arg("raw")
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(lines.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// Runs lines that are to succeed; what was printed.
#[track_caller]
fn succeed(arguments: &[&str], lines: &str) -> String {
    let output = raw(arguments, lines);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    out
}

/// Runs lines that are to fail with this code; what was said about it.
#[track_caller]
fn fail(arguments: &[&str], lines: &str, code: i32) -> String {
    let output = raw(arguments, lines);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{} {err}", text(&output.stdout));
    err
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The packets that went this way: `>` sent, `<` received.
fn packets(out: &str, way: &str) -> Vec<String> {
    let packet = |line: &str| {
        let (_, rest) = line.split_once(&format!(" {way} #"))?;
        Some(rest.split_once(' ')?.1.to_owned())
    };
    out.lines().filter_map(packet).collect()
}

/// A file of its own, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("hexmq-raw-{}-{name}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    fn content(&self) -> String {
        std::fs::read_to_string(&self.0).expect("written")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn hex_and_packets_are_sent_and_both_directions_are_shown() {
    let server = Server::start(&["--ephemeral"]);
    let lines = "10 10 00 04 4D 51 54 54 04 02 00 3C 00 04 64 65 76 31\n\
                 SUBSCRIBE pid=1 filter=$SYS/none filter=a/# qos=1\n\
                 set topic = a/b\n\
                 # nothing\n\n\
                 PUBLISH topic=$topic payload=hello qos=1 pid=2\n\
                 hex C0 len( )\n\
                 wait PUBLISH topic=a/b qos=1 pid=1 payload=hello\n";
    let out = succeed(&[&server.address()], lines);
    assert_eq!(
        packets(&out, ">"),
        [
            "CONNECT v4 id=dev1 clean_start keep_alive=60",
            "SUBSCRIBE pid=1 filter=$SYS/none qos=0 filter=a/# qos=1",
            "PUBLISH qos=1 pid=2 topic=a/b payload=hello",
            "PINGREQ"
        ]
    );
    let mut received = packets(&out, "<");
    received.sort();
    assert_eq!(
        received,
        [
            "CONNACK 0x00 session_present=0",
            "PINGRESP",
            "PUBACK pid=2",
            "PUBLISH qos=1 pid=1 topic=a/b payload=hello",
            "SUBACK pid=1 codes=0x00,0x01",
        ]
    );
}

#[test]
fn expectations_that_are_not_met_are_told_with_their_line() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let connect = "CONNECT v4 id=x clean_start\n";
    let err = fail(&[&address], &format!("{connect}expect CONNACK 0x05 session_present=0\nquit\n"), 1);
    assert!(err.starts_with("hexmq raw: line 2: expected CONNACK 0x05 session_present=0: "), "{err}");
    let err = fail(&[&address], &format!("{connect}expect SUBACK\n"), 1);
    assert_eq!(err, "hexmq raw: line 2: expected SUBACK: CONNACK came\n");
    let err = fail(&[&address], &format!("{connect}wait SUBACK 50ms\n"), 1);
    assert_eq!(err, "hexmq raw: line 2: waited for SUBACK: it did not come in time\n");
    let err = fail(&[&address], &format!("{connect}expect nothing 5s\n"), 1);
    assert_eq!(err, "hexmq raw: line 2: expected nothing: CONNACK came\n");
    let err = fail(&[&address], "hex 00 00\nwait closed\nPINGREQ\n", 1);
    assert_eq!(err, "hexmq raw: line 3: there is no connection; `connect` opens one\n");
    succeed(&[&address], &format!("{connect}expect CONNACK\nexpect nothing 10ms\n"));
}

#[test]
fn wrong_usage_and_no_connection_have_their_codes() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let err = fail(&[&address], "CONECT v4\n", 64);
    assert_eq!(err, "hexmq raw: line 1: `CONECT` is no command, packet or hex; did you mean `CONNECT`?\n");
    fail(&[&address, "--bogus"], "", 64);
    fail(&["h:x"], "", 64);
    fail(&[&address, "--script", "no such file"], "", 64);
    fail(&[&address, "--cert", "x"], "", 64);
    let free = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound").to_string();
    assert!(fail(&[&free], "", 2).starts_with(&format!("hexmq raw: cannot connect to mqtt://{free}: ")));
}

#[test]
fn faults_are_told_and_every_byte_is_explained_on_demand() {
    let server = Server::start(&["--ephemeral"]);
    let lines = "CONNECT v4 id=x clean_start\nwait CONNACK\n80 06 00 01 00 01 61 00\nexplain\nwait closed\n";
    let out = succeed(&[&server.address(), "--lang", "en", "--hex"], lines);
    assert!(out.contains("fault in reserved: "), "{out}");
    assert!(out.contains("[MQTT-3.8.1-1]"), "{out}");
    assert!(out.contains("== SUBSCRIBE, MQTT 3.1.1, client -> server, 8 bytes at offset 0 =="), "{out}");
    assert!(out.contains("-- closed by the server"), "{out}");
    assert!(out.contains("           20020000\n"), "{out}");
    let out = succeed(&[&server.address(), "--lang", "zh"], "c0 00\nexplain 1\n");
    assert!(out.contains("客户端 -> 服务端"), "{out}");
}

#[test]
fn acknowledgements_and_pings_are_sent_on_request() {
    let server = Server::start(&["--ephemeral"]);
    let lines = "CONNECT v5 id=x clean_start keep_alive=1\nexpect CONNACK\n\
                 SUBSCRIBE pid=1 filter=a qos=2\nexpect SUBACK\n\
                 PUBLISH topic=a qos=2 pid=7 payload=x\nwait PUBLISH\nwait PUBREL\nwait PUBCOMP\n\
                 expect PUBREC\nwait PINGRESP\nexpect nothing 1ms\n";
    let out = succeed(&[&server.address(), "--auto-ack", "--auto-ping"], lines);
    let sent = packets(&out, ">");
    for packet in ["PUBREC pid=1", "PUBCOMP pid=1", "PUBREL pid=7", "PINGREQ"] {
        assert!(sent.iter().any(|it| it == packet), "{packet} in {sent:?}");
    }
}

#[test]
fn a_session_is_recorded_byte_for_byte() {
    let server = Server::start(&["--ephemeral"]);
    let scratch = Scratch::new("session.jsonl");
    let lines =
        "CONNECT v4 id=x clean_start user_name=u password=secret\nexpect CONNACK\nc0\n00\nwait PINGRESP\n";
    succeed(&[&server.address(), "--write", scratch.path()], lines);
    let recording = Recording::read(scratch.content().as_bytes(), usize::MAX).expect("a recording");
    assert!(!recording.cut_off);
    let [Entry::Open(open), entries @ .., Entry::Close(close)] = &recording.entries[..] else {
        panic!("{recording:?}")
    };
    assert_eq!((open.server.as_str(), open.via), (server.address().as_str(), Via::Tcp));
    assert_eq!(close.by, Some(Side::Client));
    let chunks: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Bytes(chunk) => (chunk.from, &chunk.bytes[..]),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        chunks[1..],
        [
            (Side::Server, &[0x20, 2, 0, 0][..]),
            (Side::Client, &[0xC0]),
            (Side::Client, &[0]),
            (Side::Server, &[0xD0, 0])
        ]
    );
    // What is typed is what is sent again, so nothing is masked here.
    assert!(chunks[0].1.ends_with(b"secret"));
}

#[test]
fn a_transcript_can_be_left_instead() {
    let server = Server::start(&["--ephemeral"]);
    let (script, transcript) = (Scratch::new("script.txt"), Scratch::new("session.mqtt"));
    std::fs::write(&script.0, "CONNECT v4 id=x clean_start\nexpect CONNACK\nhex 00 00\nwait closed\n")
        .expect("written");
    succeed(&[&server.address(), "--script", script.path(), "--write", transcript.path()], "not read\n");
    let content = transcript.content();
    let lines: Vec<_> = content.lines().collect();
    assert!(lines[0].starts_with("=== raw 20"), "{content}");
    assert_eq!(
        lines[1..],
        [
            "a > CONNECT v4 id=x clean_start keep_alive=0",
            "a < CONNACK 0x00 session_present=0",
            "a > hex 00 00",
            "a ! closed"
        ]
    );
    hexmq_notation::Transcript::parse("session.mqtt", &content).expect("it reads back");
}

#[test]
fn a_server_that_never_answers_does_not_keep_us() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound").to_string();
    let silent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accepted");
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        all
    });
    let output = raw(&[&address, "--wait", "30ms"], "PINGREQ\nSUBSCRIBE pid=1 filter=a\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "hexmq raw: no answer within 30ms: PINGRESP, SUBACK pid=1\n");
    assert_eq!(silent.join().expect("ended"), [0xC0, 0, 0x82, 6, 0, 1, 0, 1, b'a', 0]);
}

#[test]
fn the_connection_can_be_closed_and_opened_again() {
    let server = Server::start(&["--ephemeral"]);
    let lines = "CONNECT v4 id=x clean_start\nexpect CONNACK\nclose\nexpect closed\nconnect\n\
                 CONNECT v5 id=x clean_start\nexpect CONNACK\nPINGREQ\n";
    let out = succeed(&[&server.address()], lines);
    assert_eq!(out.matches("-- connected to ").count(), 2, "{out}");
    assert_eq!(packets(&out, "<").last().map(String::as_str), Some("PINGRESP"));
}
