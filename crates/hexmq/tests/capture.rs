//! `hexmq capture` as a process: what it prints, the exit codes, and a real exchange beside tshark's reading.

#[path = "../../workbench/tests/capture/forge.rs"]
mod forge;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use forge::{Container, Forge, Link, Wire};
use serde_json::Value;

const CONNECT: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05meter";
const PUBLISH: &[u8] = b"\x32\x0a\x00\x03a/b\x00\x0721.";
/// SUBSCRIBE with the flags 0000.
const WRONG: &[u8] = b"\x80\x06\x00\x01\x00\x01a\x00";

fn capture(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .arg("capture")
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It may have refused its arguments without reading: then the pipe is closed, which is fine.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn conversation(packets: &[&[u8]]) -> Vec<u8> {
    let mut forge = Forge::new(Container::USUAL, Link::Ethernet);
    let mut wire = Wire::usual();
    wire.handshake(&mut forge);
    wire.client(&mut forge, CONNECT);
    wire.server(&mut forge, b"\x20\x02\x00\x00");
    for packet in packets {
        wire.client(&mut forge, packet);
    }
    wire.close(&mut forge);
    forge.bytes
}

/// A directory that goes away.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("hexmq-capture-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Directory(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_exit_code_tells_the_outcome() {
    let code = |arguments: &[&str], input: &[u8]| capture(arguments, input).status.code();
    let good = conversation(&[PUBLISH]);
    assert_eq!(code(&["-"], &good), Some(0));
    assert_eq!(code(&["-"], &good[..good.len() - 5]), Some(0), "a capture that was broken off is good");
    assert_eq!(code(&["-"], &conversation(&[WRONG])), Some(1));
    assert_eq!(code(&["-"], b"10 0c 00 04"), Some(2));
    assert_eq!(code(&["-"], &good[..24]), Some(2));
    assert_eq!(code(&["no such file"], b""), Some(64));
    assert_eq!(code(&[], b""), Some(64));
    assert_eq!(code(&["-", "--from", "yesterday"], b""), Some(64));
    assert_eq!(code(&["--live", "no-such-interface"], b""), Some(64));
    let damaged = [&good[..], &[0xFF; 40]].concat();
    let output = capture(&["-"], &damaged);
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(
        complaint.starts_with(&format!("stdin: byte {}, packet 10: a record of", good.len())),
        "{complaint}"
    );
}

#[test]
fn connections_packets_and_fields_are_told() {
    let file = conversation(&[PUBLISH, WRONG]);
    let summary = text(&capture(&["-"], &file).stdout);
    assert!(
        summary.starts_with("#1 192.0.2.1:50000 -> 192.0.2.2:1883 tcp, MQTT 3.1.1, client id \"meter\""),
        "{summary}"
    );
    assert!(summary.contains("> 39 B: CONNECT 1 PUBLISH 1 SUBSCRIBE 1"), "{summary}");
    assert!(summary.contains("1 packet against the standard"), "{summary}");
    let list = text(&capture(&["-", "-p"], &file).stdout);
    assert!(list.starts_with("2023-11-14T22:13:20.003000000Z      4 #1 > CONNECT v4 id=meter"), "{list}");
    assert!(list.contains("#1 > PUBLISH qos=1 pid=7 topic=a/b payload=21."), "{list}");
    let explained = text(&capture(&["-", "--explain"], &file).stdout);
    assert!(explained.contains("MQTT-3.8.1-1") && explained.contains("Topic Name = \"a/b\""), "{explained}");
    let chinese = text(&capture(&["-", "--lang", "zh"], &file).stdout);
    assert!(chinese.contains("客户端标识符“meter”"), "{chinese}");
}

#[test]
fn packets_are_chosen_by_connection_client_and_time() {
    let mut file = conversation(&[PUBLISH]);
    let mut forge = Forge::new(Container::USUAL, Link::Ethernet);
    let mut wire = Wire::new("192.0.2.3:50000", "192.0.2.2:1883");
    forge.at += 60_000_000_000;
    wire.handshake(&mut forge);
    wire.client(&mut forge, &[&CONNECT[..14], b"other"].concat());
    file.extend_from_slice(&forge.bytes[24..]);
    let packets = |arguments: &[&str]| {
        let all = [&["-", "--json"], arguments].concat();
        lines(&capture(&all, &file)).iter().filter(|line| line["type"] == "packet").count()
    };
    assert_eq!(packets(&[]), 0);
    assert_eq!(packets(&["--packets"]), 4);
    assert_eq!(packets(&["--connection", "2"]), 1);
    assert_eq!(packets(&["--client-id", "meter"]), 3);
    assert_eq!(packets(&["--client-id", "nobody"]), 0);
    assert_eq!(packets(&["--from", "+30s"]), 1);
    assert_eq!(packets(&["--to", "2023-11-14T22:13:50Z"]), 3);
}

#[test]
fn what_is_chosen_is_written_as_a_recording() {
    let directory = Directory::new("recording");
    let file = directory.file("x.jsonl");
    let bytes = conversation(&[PUBLISH]);
    let output = capture(&["-", "--client-id", "meter", "--write", &file], &bytes);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let recording = std::fs::read(&file).expect("written");
    let recording =
        hexmq_workbench::recording::Recording::read(&recording[..], 1 << 20).expect("a recording");
    let sent: Vec<u8> = recording
        .entries
        .iter()
        .filter_map(|entry| match entry {
            hexmq_workbench::recording::Entry::Bytes(chunk)
                if chunk.from == hexmq_workbench::Side::Client =>
            {
                Some(chunk.bytes.clone())
            }
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(sent, [CONNECT, PUBLISH].concat());
    assert_eq!(recording.entries.len(), 1 + 3 + 1, "open, three chunks, close");
}

#[test]
fn explain_knows_a_capture_when_it_gets_one() {
    let directory = Directory::new("explain");
    let file = directory.file("x.pcap");
    std::fs::write(&file, conversation(&[PUBLISH])).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["explain", "--file", &file, "--lang", "en"])
        .output()
        .expect("it runs");
    let page = text(&output.stdout);
    assert!(page.contains("#1 > PUBLISH") && page.contains("Topic Name = \"a/b\""), "{page}");
}

#[test]
fn lint_tells_what_is_wrong_with_packets_and_conversations() {
    // The packet identifier 7 is used again while it is not acknowledged, and DUP is not set.
    let file = conversation(&[PUBLISH, PUBLISH]);
    let output = capture(&["-", "--lint", "--json"], &file);
    let found: Vec<String> = lines(&output)
        .iter()
        .flat_map(|line| line["dialogue_findings"].as_array().cloned().unwrap_or_default())
        .map(|finding| finding["code"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(!found.is_empty(), "{}", text(&output.stdout));
}

/// Ends with what started it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Listens on the loopback; `None` where that is not permitted.
fn listen(file: &str, port: u16) -> Option<Running> {
    let mut child = Command::new("dumpcap")
        .args(["-q", "-i", "lo", "-f", &format!("tcp port {port}"), "-w", file])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let stderr = child.stderr.take()?;
    let running = Running(child);
    // It says where it writes once it listens.
    BufReader::new(stderr).lines().map_while(Result::ok).find(|line| line.starts_with("File:"))?;
    Some(running)
}

/// tshark's reading of the packets: packet number, types, topics and client identifiers.
fn read_by_tshark(file: &str, port: u16) -> Vec<Vec<String>> {
    let output = Command::new("tshark")
        .args(["-r", file, "-d", &format!("tcp.port=={port},mqtt"), "-Y", "mqtt", "-T", "fields"])
        .args(["-E", "aggregator=|", "-e", "frame.number", "-e", "mqtt.msgtype", "-e", "mqtt.topic"])
        .args(["-e", "mqtt.clientid", "-e", "mqtt.msgid", "-e", "mqtt.qos"])
        .output()
        .expect("tshark runs");
    text(&output.stdout).lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The same of ours.
fn read_by_us(file: &str) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let output = capture(&[file, "--json", "--packets"], b"");
    for packet in lines(&output).iter().filter(|line| line["type"] == "packet") {
        let number = packet["number"].to_string();
        let kind = u8::from_str_radix(&packet["hex"].as_str().expect("hex")[..1], 16).expect("a digit");
        let text = |name: &str| packet[name].as_str().map(str::to_owned);
        let mut topics: Vec<String> = text("topic").into_iter().collect();
        topics.extend(
            packet["filters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|filter| filter.as_str().map(str::to_owned)),
        );
        let identifier = packet.get("packet_identifier").map(Value::to_string);
        let qos = packet.get("qos").map(Value::to_string);
        let cells = [
            Some(kind.to_string()),
            (!topics.is_empty()).then(|| topics.join("|")),
            text("client_id"),
            identifier,
            qos,
        ];
        let same = rows.last_mut().filter(|row| row[0] == number);
        match same {
            Some(row) => {
                for (cell, more) in row.iter_mut().skip(1).zip(cells) {
                    if let Some(more) = more {
                        *cell = if cell.is_empty() { more } else { format!("{cell}|{more}") };
                    }
                }
            }
            None => rows.push(
                std::iter::once(number).chain(cells.into_iter().map(Option::unwrap_or_default)).collect(),
            ),
        }
    }
    rows
}

#[test]
fn a_real_exchange_reads_as_tshark_reads_it() {
    if !["dumpcap", "tshark", "mosquitto", "mosquitto_pub", "mosquitto_sub"].iter().all(|name| is_there(name))
    {
        println!("skipped: dumpcap, tshark or mosquitto is not installed");
        return;
    }
    let directory = Directory::new("real");
    let file = directory.file("lo.pcapng");
    let mut server = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["serve", "--listen", "mqtt://127.0.0.1:0", "--http", "off", "--ephemeral"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server runs");
    let stdout = BufReader::new(server.stdout.take().expect("piped"));
    let _server = Running(server);
    // To its last line: a server whose listener goes away cannot say that it is ready.
    let said: Vec<String> = stdout.lines().map_while(Result::ok).take_while(|line| line != "ready").collect();
    let port: u16 = said
        .iter()
        .find_map(|line| line.strip_prefix("listening mqtt://127.0.0.1:")?.parse().ok())
        .expect("it says its port");
    let Some(_listening) = listen(&file, port) else {
        println!("skipped: capturing on lo is not permitted");
        return;
    };
    let port_text = port.to_string();
    let mut connections = 0;
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            let id = format!("{version}-{qos}");
            let retained = Command::new("mosquitto_pub")
                .args(["-h", "127.0.0.1", "-p", &port_text, "-V", version, "-q", qos, "-i", &id, "-r"])
                .args(["-t", &format!("plant/{id}"), "-m", "{\"t\":21.5}"])
                .status()
                .expect("it runs");
            assert!(retained.success());
            let heard = Command::new("mosquitto_sub")
                .args(["-h", "127.0.0.1", "-p", &port_text, "-V", version, "-q", qos, "-i", &id, "-C", "1"])
                .args(["-t", &format!("plant/{id}")])
                .stdout(Stdio::null())
                .status()
                .expect("it runs");
            assert!(heard.success());
            connections += 2;
        }
    }
    wait_until_closed(&file, connections);
    let (theirs, ours) = (read_by_tshark(&file, port), read_by_us(&file));
    assert!(ours.len() >= 60, "{}", ours.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours[..4], theirs[..4], "packet {}", ours[0]);
        assert_eq!(ours[4], theirs[4], "packet {}", ours[0]);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// What was captured arrives in the file a little later.
fn wait_until_closed(file: &str, connections: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let closed = if Path::new(file).exists() {
            let found = lines(&capture(&[file, "--json"], b""));
            found.iter().filter(|line| line["type"] == "connection" && line["end"] == "closed").count()
        } else {
            0
        };
        if closed >= connections {
            return;
        }
        assert!(Instant::now() < deadline, "{closed} of {connections} connections in the capture");
        std::thread::yield_now();
    }
}
