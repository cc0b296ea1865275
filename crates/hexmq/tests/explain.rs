//! `hexmq explain` as a process: where the bytes come from, and the exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs the command with arguments and standard input.
fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .arg("explain")
        .args(arguments)
        .env("LC_ALL", "C")
        .env("COLUMNS", "100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It may have refused its arguments without reading: then the pipe is closed, which is fine.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn code(arguments: &[&str], input: &[u8]) -> Option<i32> {
    explain(arguments, input).status.code()
}

fn stdout(arguments: &[&str], input: &[u8]) -> String {
    String::from_utf8(explain(arguments, input).stdout).expect("UTF-8")
}

#[test]
fn the_exit_code_tells_the_outcome() {
    assert_eq!(code(&["c0 00"], b""), Some(0));
    assert_eq!(code(&["--version", "4", "c0 80 00"], b""), Some(0), "a warning is no fault");
    assert_eq!(code(&["80 06 00 01 00 01 61 00"], b""), Some(1));
    assert_eq!(code(&["--from", "server", "c0 00"], b""), Some(1));
    assert_eq!(code(&["00"], b""), Some(2));
    assert_eq!(code(&[], b""), Some(2));
    assert_eq!(code(&["--from", "nobody", "c000"], b""), Some(64));
    assert_eq!(code(&["--bogus"], b""), Some(64));
    assert_eq!(code(&["c0 0g"], b""), Some(64));
    assert_eq!(code(&["--file", "no such file"], b""), Some(64));
    assert_eq!(code(&["--help"], b""), Some(0));
}

#[test]
fn bytes_come_from_arguments_standard_input_and_files() {
    let expected = stdout(&["c0 00 d0 00"], b"");
    assert!(expected.contains("PINGREQ") && expected.contains("PINGRESP"));
    assert_eq!(stdout(&["c0", "00", "d000"], b""), expected);
    assert_eq!(stdout(&[], b"0xC0, 0x00,\n0xD0, 0x00"), expected);
    assert_eq!(stdout(&["--file", "-"], b"c000d000"), expected);
    assert_eq!(stdout(&[], &[0xC0, 0x00, 0xD0, 0x00]), expected);
    assert_eq!(stdout(&["--binary"], &[0xC0, 0x00, 0xD0, 0x00]), expected);
    let directory = std::env::temp_dir().join(format!("hexmq-explain-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("packets.bin");
    std::fs::write(&file, [0xC0, 0x00, 0xD0, 0x00]).expect("written");
    assert_eq!(stdout(&["--file", &file.to_string_lossy()], b""), expected);
    std::fs::remove_dir_all(&directory).expect("removed");
}

#[test]
fn json_has_the_documented_shape() {
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&["--json", "--from", "client", "80 06 00 01 00 01 61 00 10"], b""))
            .expect("JSON");
    let packet = &json["packets"][0];
    for key in ["offset", "length", "type", "version", "from", "fields", "faults"] {
        assert!(packet.get(key).is_some(), "{key}");
    }
    assert_eq!(packet["faults"][0]["statement"], "MQTT-3.8.1-1");
    assert_eq!(packet["faults"][0]["repair_hex"], "8206000100016100");
    assert_eq!(json["rest"]["offset"], 8);
    assert_eq!(json["rest"]["length"], 1);
    assert_eq!(json["rest"]["reason"], "needs at least 1 more byte");
}

#[test]
fn the_language_follows_the_flag() {
    assert!(stdout(&["--lang", "zh", "c000"], b"").contains("心跳"));
    assert!(stdout(&["--lang", "en", "c000"], b"").contains("I am alive"));
    let refused = explain(&["--lang", "zh", "c0 0g"], b"");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("第 1 行第 5 列"));
}

#[test]
fn a_pipe_gets_no_colour() {
    assert!(!stdout(&["c000"], b"").contains('\x1b'));
}

/// The sign-in of the vendor's documentation: clientId 12345, device `device`, product `pk`.
const SIGN_IN: &str = "1076 0004 4d515454 04 c2 003c \
    0035 31323334357c7365637572656d6f64653d332c7369676e6d6574686f643d686d6163736861312c74696d657374616d703d3738397c \
    0009 64657669636526706b \
    0028 66616664383261336436303262333766623066613862373839326632346134373766383531613134";

#[test]
fn a_signature_is_checked_with_the_secret() {
    let page = stdout(&["--secret", "secret", SIGN_IN], b"");
    assert!(page.contains("clientId12345deviceNamedevice") && page.contains("signature fits"), "{page}");
    assert_eq!(code(&["--secret", "secret", SIGN_IN], b""), Some(0));
    assert_eq!(code(&[SIGN_IN], b""), Some(0), "without a secret nothing is blamed");
    let page = stdout(&["--secret", "Secret", SIGN_IN], b"");
    assert!(page.contains("letter case"), "{page}");
    assert_eq!(code(&["--secret", "Secret", SIGN_IN], b""), Some(1));
}
