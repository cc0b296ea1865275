//! Recordings and pages that hold one as input of `hexmq explain`.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output};

use hexmq_workbench::recording::{
    Chunk, Close, Entry, Format, Head, Note, Open, Recording, Timestamp, Via, convert,
};
use hexmq_workbench::{Language, Side};
use serde_json::Value;

fn explain(path: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["explain", "--file", path])
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("hexmq-recordings-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// The recording in each of its forms.
    fn forms(&self, recording: &Recording) -> Vec<String> {
        [("a.jsonl", Format::JsonLines), ("a.html", Format::Html(Language::English))]
            .into_iter()
            .map(|(name, format)| {
                let path = self.0.join(name);
                convert(recording, File::create(&path).expect("created"), format, true).expect("written");
                path.to_str().expect("text").to_owned()
            })
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A dialogue in which each packet is right by itself.
fn dialogue(session_present: u8) -> Recording {
    let at = Timestamp(1_795_399_800_000_000_000);
    let chunk = |from, bytes: &[u8]| Entry::Bytes(Chunk { at, connection: 1, from, bytes: bytes.to_vec() });
    let (client, server) = ("192.0.2.7:5000".to_owned(), "192.0.2.1:1883".to_owned());
    let entries = vec![
        Entry::Open(Open { at, connection: 1, client, server, via: Via::Tcp }),
        chunk(Side::Client, &[0x10, 0x10, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2, 0, 60]),
        chunk(Side::Client, &[0, 4, 0x64, 0x65, 0x76, 0x31]),
        chunk(Side::Server, &[0x20, 2, session_present, 0]),
        chunk(Side::Client, &[0xE0, 0]),
        Entry::Close(Close { at, connection: 1, by: Some(Side::Client), reason: None }),
    ];
    Recording { head: Head::default(), entries, cut_off: false }
}

#[test]
fn both_directions_are_explained_in_either_form() {
    let folder = Folder::new("forms");
    for path in folder.forms(&dialogue(0)) {
        let output = explain(&path, &[]);
        let page = text(&output.stdout);
        for part in [
            "######## connection 1: 192.0.2.7:5000 -> 192.0.2.1:1883 (tcp)",
            "2026-11-23T02:10:00.000000Z",
            "== CONNECT, MQTT 3.1.1, client -> server, 18 bytes at offset 0 ==",
            "== CONNACK, MQTT 3.1.1, server -> client, 4 bytes at offset 0 ==",
            "== DISCONNECT, MQTT 3.1.1, client -> server, 2 bytes at offset 0 ==",
            "-- closed client",
            "connections 1, packets 3, faults 0, suspicions 0",
        ] {
            assert!(page.contains(part), "{path}: {part} in {page}");
        }
        assert_eq!(output.status.code(), Some(0), "{path} {page}");
        let server_only = text(&explain(&path, &["--from", "server"]).stdout);
        assert!(server_only.contains("== CONNACK") && !server_only.contains("== CONNECT,"), "{server_only}");
    }
}

#[test]
fn what_only_the_dialogue_shows_is_found() {
    let folder = Folder::new("dialogue");
    for path in folder.forms(&dialogue(1)) {
        let output = explain(&path, &["--json"]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let connection = &json["connections"][0];
        assert_eq!(connection["client"], "192.0.2.7:5000");
        let connack = &connection["packets"][1];
        assert_eq!(connack["type"], "CONNACK");
        assert_eq!(connack["hex"], "20020100");
        assert_eq!(connack["at"], "2026-11-23T02:10:00.000000000Z");
        let fault = &connack["faults"][0];
        assert_eq!(fault["code"], "session_present_after_clean_session");
        assert_eq!(fault["statement"], "MQTT-3.2.2-1");
        assert_eq!((&fault["offset"], &fault["length"]), (&2.into(), &1.into()));
        assert_eq!(fault["repair_hex"], "20020000");
        assert!(text(&explain(&path, &["--lang", "zh"]).stdout).contains("连接 1"));
    }
}

#[test]
fn what_a_file_holds_does_not_steer_the_terminal() {
    let folder = Folder::new("terminal");
    let mut recording = dialogue(0);
    let note = Note { text: "\u{1b}[2Jgone".to_owned(), connection: Some(1), ..Note::default() };
    recording.entries.insert(1, Entry::Note(note));
    let path = &folder.forms(&recording)[0];
    let page = text(&explain(path, &[]).stdout);
    assert!(page.contains("\u{FFFD}[2Jgone") && !page.contains('\u{1b}'), "{page}");
}

#[test]
fn a_damaged_recording_is_told_with_its_line() {
    let folder = Folder::new("damaged");
    let path = folder.forms(&dialogue(0)).remove(0);
    let content = std::fs::read_to_string(&path).expect("written");
    std::fs::write(&path, content.replace("20020000", "2002000x")).expect("written");
    let output = explain(&path, &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text(&output.stderr).contains("line 5: `hex` has no pair of hex digits at digit 7"),
        "{}",
        text(&output.stderr)
    );
    std::fs::write(&path, &content[..content.len() - 20]).expect("written");
    let output = explain(&path, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("!! the recording is cut off"));
    std::fs::write(&path, "{\"hexmq_recording\":1}\n").expect("written");
    assert_eq!(explain(&path, &[]).status.code(), Some(2));
}

/// `hexmq capture FILE --write OUT`.
fn capture(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .arg("capture")
        .args(arguments)
        .output()
        .expect("the binary runs")
}

/// What each side said.
fn said(path: &str) -> Vec<(Side, Vec<u8>)> {
    let file = std::fs::read(path).expect("a file");
    let recording = Recording::read(&file[..], usize::MAX).expect("a recording");
    let bytes = |entry: Entry| match entry {
        Entry::Bytes(chunk) => Some((chunk.from, chunk.bytes)),
        _ => None,
    };
    recording.entries.into_iter().filter_map(bytes).collect()
}

#[test]
fn a_recording_goes_through_every_form_and_stays_the_same() {
    let folder = Folder::new("convert");
    let mut recording = dialogue(0);
    let password = b"\x10\x1b\0\x04MQTT\x04\xC2\0\x3C\0\x01d\0\x04user\0\x06secret";
    if let Some(Entry::Bytes(chunk)) = recording.entries.get_mut(1) {
        chunk.bytes = password.to_vec();
    }
    recording.entries.remove(2);
    let first = folder.forms(&recording).remove(0);
    let file = |name: &str| folder.0.join(name).to_str().expect("text").to_owned();
    let [pcapng, lines, page, last] = ["1.pcapng", "2.jsonl", "3.html", "4.jsonl"].map(file);
    for (from, to) in [(&first, &pcapng), (&pcapng, &lines), (&lines, &page), (&page, &last)] {
        let output = capture(&[from, "--write", to, "--reveal"]);
        assert_eq!(text(&output.stderr), "", "{from} to {to}");
        assert_eq!(output.status.code(), Some(0), "{from} to {to}");
    }
    assert_eq!(said(&last), said(&first));
    assert_eq!(capture(&[&pcapng, "--write", &lines]).status.code(), Some(0));
    assert!(said(&lines)[0].1.ends_with(b"user\0\x06******"), "masked unless asked otherwise");
    assert_eq!(capture(&[&first, "--write", &lines]).status.code(), Some(0));
    assert!(said(&lines)[0].1.ends_with(b"user\0\x06******"), "masked unless asked otherwise");
    let output = capture(&[&first]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("explain --file"));
}
