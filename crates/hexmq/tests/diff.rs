//! `hexmq diff` as a process: inputs of every kind, the exit codes, both languages.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const PUBLISH: &str = "32 09 00 03 61 2f 62 00 01 68 69";
const OTHER: &str = "32 0a 00 03 61 2f 63 00 01 68 69 78";
const CONNECT: &str = "10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61";

fn hexmq(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It may have refused its arguments without reading: then the pipe is closed, which is fine.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn code(arguments: &[&str]) -> Option<i32> {
    hexmq(&[&["diff"], arguments].concat(), b"").status.code()
}

fn text(arguments: &[&str], input: &[u8]) -> String {
    String::from_utf8(hexmq(&[&["diff"], arguments].concat(), input).stdout).expect("UTF-8")
}

#[test]
fn the_exit_code_tells_the_outcome() {
    assert_eq!(code(&[PUBLISH, PUBLISH]), Some(0));
    assert_eq!(code(&[PUBLISH, OTHER]), Some(1));
    assert_eq!(code(&[PUBLISH, ""]), Some(1), "one side has nothing");
    assert_eq!(code(&["", ""]), Some(2));
    assert_eq!(code(&[PUBLISH, "no such file"]), Some(2));
    assert_eq!(code(&[PUBLISH]), Some(64));
    assert_eq!(code(&["--from", "nobody", PUBLISH, OTHER]), Some(64));
    assert_eq!(code(&["-", "-"]), Some(64));
    assert_eq!(code(&["--help"]), Some(0));
}

#[test]
fn fields_are_compared_by_name_with_their_bytes() {
    let page = text(&[PUBLISH, OTHER], b"");
    for part in [
        "topic_name",
        "\"a/b\"  [bytes 2..7]",
        "\"a/c\"",
        "payload",
        "\"hix\"  [bytes 9..12]",
        "0 the same, 1 changed",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("packet_identifier"), "it is the same\n{page}");
    let chinese = text(&["--lang", "zh", PUBLISH, OTHER], b"");
    assert!(chinese.contains("主题名") && chinese.contains("1 个不同"), "{chinese}");
}

#[test]
fn json_has_the_documented_shape() {
    let json: Value =
        serde_json::from_str(&text(&["--json", CONNECT, &format!("{CONNECT} c0 00")], b"")).expect("JSON");
    assert_eq!(json["equal"], false);
    let rows = json["dialogues"][0]["rows"].as_array().expect("rows");
    let changes: Vec<&str> = rows.iter().filter_map(|row| row["change"].as_str()).collect();
    assert_eq!(changes, ["same", "only_b"]);
    assert_eq!(rows[1]["b"]["hex"], "c000");
    assert_eq!(rows[1]["b"]["offset"], 15);
    let json: Value =
        serde_json::from_str(&text(&["--json", CONNECT, &CONNECT.replace("04 02", "04 00")], b""))
            .expect("JSON");
    let fields = json["dialogues"][0]["rows"][0]["fields"].as_array().expect("fields");
    assert_eq!(fields.len(), 1, "{fields:?}");
    assert_eq!(fields[0]["path"], "connect_flags.clean_session");
    assert_eq!(
        (&fields[0]["a"]["value"], &fields[0]["b"]["value"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!((&fields[0]["a"]["offset"], &fields[0]["a"]["bit"]), (&9.into(), &1.into()));
}

#[test]
fn what_is_put_in_between_is_one_difference() {
    let page = text(&[&format!("{CONNECT} {PUBLISH}"), &format!("{CONNECT} c000 {OTHER}")], b"");
    assert!(page.contains("1 the same, 1 changed, 0 only in A, 1 only in B"), "{page}");
    let all = text(&["--all", &format!("{CONNECT} {PUBLISH}"), &format!("{CONNECT} {PUBLISH}")], b"");
    assert_eq!(all.lines().filter(|line| line.starts_with("= ")).count(), 2, "{all}");
}

#[test]
fn files_of_every_kind_are_inputs() {
    let directory = std::env::temp_dir().join(format!("hexmq-diff-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    std::fs::write(file("hex.txt"), PUBLISH).expect("written");
    std::fs::write(file("raw.bin"), b"\x32\x09\x00\x03a/b\x00\x01hi").expect("written");
    assert_eq!(code(&[&file("hex.txt"), &file("raw.bin")]), Some(0));
    assert_eq!(
        text(&["-", &file("raw.bin")], PUBLISH.as_bytes()),
        "1 the same, 0 changed, 0 only in A, 0 only in B\n"
    );
    for (name, payload) in [("a.pcapng", "hi"), ("b.pcapng", "ho")] {
        let built = hexmq(
            &["build", "publish", "-t", "a/b", "-m", payload, "-i", "dev", "--pcapng", &file(name)],
            b"",
        );
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }
    assert_eq!(code(&[&file("a.pcapng"), &file("a.pcapng")]), Some(0));
    let page = text(&[&file("a.pcapng"), &file("b.pcapng")], b"");
    assert!(page.contains("connection 1 of A, 1 of B") && page.contains("\"ho\""), "{page}");
    assert!(page.contains("1 the same, 1 changed"), "{page}");
    assert_eq!(code(&[&file("a.pcapng"), PUBLISH]), Some(2), "a recording and a packet");
    let half = std::fs::read(file("a.pcapng")).expect("read");
    std::fs::write(file("half.pcapng"), &half[..30]).expect("written");
    assert!(matches!(code(&[&file("half.pcapng"), &file("a.pcapng")]), Some(1 | 2)));
    std::fs::remove_dir_all(&directory).expect("removed");
}
