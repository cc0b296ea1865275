//! `hexmq replay`: what was recorded is played again, and what the server says now is compared.

#[allow(dead_code, reason = "other tests use more of it")]
mod serving;

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hexmq_workbench::recording::{Entry, Format, Recording, convert};
use hexmq_workbench::{Language, Side};
use serving::Server;

fn hexmq(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("hexmq-replay-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Records a dialogue with every kind of answer; the path of the recording.
fn recorded(server: &Server, folder: &Folder) -> String {
    let path = folder.file("session.jsonl");
    let lines = "CONNECT v5 id=x clean_start keep_alive=60\nexpect CONNACK\n\
                 SUBSCRIBE pid=1 filter=a/# qos=2\nexpect SUBACK\n\
                 PUBLISH topic=a/b qos=1 pid=2 payload=one\nwait PUBACK\nwait PUBLISH\nPUBACK pid=1\n\
                 PINGREQ\nexpect PINGRESP\nUNSUBSCRIBE pid=3 filter=a/#\nexpect UNSUBACK\nDISCONNECT\nwait closed\n";
    let output = hexmq(&["raw", &server.address(), "--write", &path], lines);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    path
}

fn read(path: &str) -> Recording {
    let file = std::fs::read(path).expect("a file");
    Recording::read(&file[..], usize::MAX).expect("a recording")
}

fn write(path: &str, recording: &Recording, format: Format) {
    convert(recording, File::create(path).expect("created"), format, true).expect("written");
}

#[test]
fn the_same_server_answers_the_same_from_every_form() {
    let server = Server::start(&["--ephemeral"]);
    let folder = Folder::new("same");
    let path = recorded(&server, &folder);
    let recording = read(&path);
    let mut paths = vec![path];
    for (name, format) in [("s.pcapng", Format::Pcapng), ("s.html", Format::Html(Language::English))] {
        paths.push(folder.file(name));
        write(&folder.file(name), &recording, format);
    }
    for path in paths {
        for speed in ["max", "1"] {
            let output = hexmq(&["replay", &path, "--to", &server.address(), "--speed", speed], "");
            assert_eq!(text(&output.stderr), "");
            assert_eq!(text(&output.stdout), "connection 1: 6 answers as recorded\n", "{path}");
            assert_eq!(output.status.code(), Some(0));
        }
    }
}

#[test]
fn the_recorded_server_is_the_default_and_the_new_session_is_recorded() {
    let server = Server::start(&["--ephemeral"]);
    let folder = Folder::new("again");
    let path = recorded(&server, &folder);
    let again = folder.file("again.jsonl");
    let output = hexmq(&["replay", &path, "--speed", "max", "--write", &again, "--quiet"], "");
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(0), String::new(), String::new())
    );
    let said = |path: &str, side: Side| -> Vec<u8> {
        let bytes = |entry: &Entry| match entry {
            Entry::Bytes(chunk) if chunk.from == side => Some(chunk.bytes.clone()),
            _ => None,
        };
        read(path).entries.iter().filter_map(bytes).flatten().collect()
    };
    assert_eq!(said(&again, Side::Client), said(&path, Side::Client));
    assert_eq!(said(&again, Side::Server), said(&path, Side::Server));
}

#[test]
fn other_answers_are_told() {
    let server = Server::start(&["--ephemeral"]);
    let folder = Folder::new("other");
    let mut recording = read(&recorded(&server, &folder));
    // Another server had granted less.
    for entry in &mut recording.entries {
        if let Entry::Bytes(chunk) = entry
            && chunk.bytes.first() == Some(&0x90)
        {
            let last = chunk.bytes.len() - 1;
            chunk.bytes[last] = 0x00;
        }
    }
    let path = folder.file("other.jsonl");
    write(&path, &recording, Format::JsonLines);
    let output = hexmq(&["replay", &path, "--to", &server.address(), "--speed", "max"], "");
    assert_eq!(
        text(&output.stdout),
        "connection 1: - recorded, + now\n  - SUBACK pid=1 codes=0x00\n  + SUBACK pid=1 codes=0x02\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_server_that_is_silent_does_not_keep_us() {
    let server = Server::start(&["--ephemeral"]);
    let folder = Folder::new("silent");
    let path = recorded(&server, &folder);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound").to_string();
    let output = hexmq(&["replay", &path, "--to", &address, "--speed", "max", "--wait", "20ms"], "");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("  - ")).count(), 6, "{out}");
}

#[test]
fn what_cannot_be_played_is_told() {
    let server = Server::start(&["--ephemeral"]);
    let folder = Folder::new("wrong");
    let path = recorded(&server, &folder);
    let code = |arguments: &[&str]| {
        let output = hexmq(&[&["replay"], arguments].concat(), "");
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(code(&["no such file"]).0, Some(64));
    assert_eq!(code(&[&path, "--speed", "0"]).0, Some(64));
    assert_eq!(code(&[&path, "--connection", "9"]).0, Some(64));
    let not_one = folder.file("packets.txt");
    std::fs::write(Path::new(&not_one), "c0 00\n").expect("written");
    let (exit, err) = code(&[&not_one]);
    assert!(exit == Some(64) && err.contains("neither a recording"), "{err}");
    let free = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound").to_string();
    let (exit, err) = code(&[&path, "--to", &free]);
    assert!(exit == Some(2) && err.contains("cannot connect"), "{err}");
}
