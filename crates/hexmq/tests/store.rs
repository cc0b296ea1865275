//! `hexmq store` on the directory of a stopped server.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hexmq_store::FileDisk;

struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Data {
        let path = std::env::temp_dir().join(format!("hexmq-store-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Data(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    fn first_segment(&self) -> PathBuf {
        self.store().join("segment-0000000000000001")
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const LINES: &str = r#"{"hexmq_store":1,"seed":"00000000000000aa","next_serial":9,"next_version":4}
{"record":"session","session":1,"namespace":0,"identifier":"meter-1","expiry_s":3600,"ends_at":null}
{"record":"subscribed","session":1,"filter":"meters/+","qos":1,"no_local":false,"retain_as_published":false,"retain_handling":0,"identifier":null}
{"record":"message","message":2,"namespace":0,"topic":"meters/1","qos":1,"retain":false,"expires_at":null,"properties_hex":"","payload":"17 kWh"}
{"record":"queued","session":1,"place":1,"message":2,"qos":1,"retain":false,"group":0,"subscription_identifiers":[],"sent":null}
{"record":"message","message":3,"namespace":0,"topic":"meters/1/state","qos":1,"retain":true,"expires_at":null,"properties_hex":"","payload":"on"}
{"record":"retained","version":1,"message":3,"publisher":5}
"#;

fn hexmq(data: &Data, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .arg("store")
        .args(words)
        .arg("--data")
        .arg(&data.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn imported(name: &str) -> Data {
    let data = Data::new(name);
    let output = hexmq(&data, &["import"], LINES);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    data
}

fn rot(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_imported_is_exported_again() {
    let data = imported("round");
    let output = hexmq(&data, &["export"], "");
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap().as_str()), (Some(0), LINES));
    let again = hexmq(&data, &["import"], LINES);
    assert_eq!(again.status.code(), Some(2));
    assert!(told(&again).contains("there is a store already"), "{}", told(&again));
}

#[test]
fn a_whole_store_is_said_to_be() {
    let data = imported("whole");
    let output = hexmq(&data, &["check"], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(told(&output).contains("1 sessions, 1 waiting and 1 retained"), "{}", told(&output));
    let output = hexmq(&data, &["check", "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["clean"], &json["queued"]), (&true.into(), &1.into()));
}

#[test]
fn damage_is_told_and_repaired() {
    let data = imported("damage");
    rot(&data.first_segment(), 110);
    let output = hexmq(&data, &["check"], "");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("segment-0000000000000001 is damaged at offset 64"), "{}", told(&output));
    let output = hexmq(&data, &["repair"], "");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(told(&output).contains("damaged-segment-0000000000000001"), "{}", told(&output));
    assert_eq!(hexmq(&data, &["check"], "").status.code(), Some(0));
}

#[test]
fn what_another_uses_is_left_alone() {
    let data = imported("locked");
    let held = FileDisk::open(&data.store()).unwrap();
    for words in [&["check"][..], &["repair"], &["export"]] {
        let output = hexmq(&data, words, "");
        assert_eq!(output.status.code(), Some(2));
        assert!(told(&output).contains("in use by another server"), "{}", told(&output));
    }
    drop(held);
    assert_eq!(hexmq(&data, &["check"], "").status.code(), Some(0));
}

#[test]
fn a_wrong_place_or_command_line_is_told() {
    let data = Data::new("nothing");
    let output = hexmq(&data, &["check"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("there is no store in"), "{}", told(&output));
    assert_eq!(hexmq(&data, &["polish"], "").status.code(), Some(64));
    let output = hexmq(
        &data,
        &["import"],
        "{\"hexmq_store\":1,\"seed\":\"1\",\"next_serial\":1,\"next_version\":1}\n[]\n",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("line 2"), "{}", told(&output));
}
