//! `hexmq build` as a process: every form it prints is given to the tool it is meant for.

#[allow(dead_code, reason = "other tests use the rest")]
mod serving;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use serving::Server;

fn run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // It may have refused its arguments without reading: then the pipe is closed, which is fine.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn hexmq(arguments: &[&str], input: &[u8]) -> Output {
    run(env!("CARGO_BIN_EXE_hexmq"), arguments, input)
}

/// What `hexmq build` prints; it must succeed.
fn build(arguments: &[&str]) -> String {
    let output = hexmq(&[&["build"], arguments].concat(), b"");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(arguments: &[&str]) -> String {
    let output = hexmq(&[&["build"], arguments].concat(), b"");
    assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn explained(hex: &str, version: &str) -> Value {
    let output = hexmq(&["explain", "--json", "--version", version, hex], b"");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok();
    if !is_there {
        eprintln!("{program} is not installed: its part is left out");
    }
    is_there
}

/// A directory of this test's own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("hexmq-{name}-{}", std::process::id()));
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

/// Every packet with options that set every kind of field.
const PACKETS: &[(&str, &[&str])] = &[
    ("4", &["connect", "-i", "dev1", "-u", "ann", "-P", "secret", "-k", "30", "-c"]),
    ("3", &["connect", "-V", "31", "-i", "dev1"]),
    (
        "4",
        &[
            "connect",
            "-i",
            "d",
            "--will-topic",
            "gone",
            "--will-payload",
            "x",
            "--will-qos",
            "1",
            "--will-retain",
        ],
    ),
    (
        "5",
        &[
            "connect",
            "-i",
            "d",
            "-D",
            "receive-maximum",
            "20",
            "-D",
            "user-property",
            "a",
            "b",
            "--will-topic",
            "w",
            "-D",
            "will",
            "will-delay-interval",
            "5",
        ],
    ),
    ("4", &["connack", "--code", "5"]),
    ("4", &["connack", "--session-present"]),
    ("5", &["connack", "-V", "5", "--code", "0x87", "--property", "reason-string", "no"]),
    ("4", &["publish", "-t", "a/b", "-m", "hi", "-q", "2", "-r", "--dup", "--pid", "9"]),
    ("5", &["publish", "-t", "a/b", "-n", "--property", "content_type=text/plain"]),
    ("4", &["publish", "-t", "a/b", "--message-hex", "00 ff 1e"]),
    ("4", &["puback", "--pid", "7"]),
    ("5", &["pubrec", "-V", "5", "--code", "0x97", "--pid", "7"]),
    ("4", &["pubrel"]),
    ("4", &["pubcomp"]),
    ("4", &["subscribe", "-t", "a/#", "-t", "b", "-q", "1"]),
    (
        "5",
        &[
            "subscribe",
            "-t",
            "$share/g/a",
            "--retain-as-published",
            "--retain-handling",
            "2",
            "-D",
            "subscription-identifier",
            "9",
        ],
    ),
    ("4", &["suback", "--code", "0,1,0x80"]),
    ("4", &["unsubscribe", "-t", "a", "-t", "b"]),
    ("5", &["unsuback", "-V", "5", "--code", "0,17"]),
    ("4", &["pingreq"]),
    ("4", &["pingresp"]),
    ("4", &["disconnect"]),
    ("5", &["disconnect", "-V", "5", "--code", "4"]),
    ("5", &["auth", "reason_code=0x18", "--property", "authentication-method", "SCRAM-SHA-1"]),
];

#[test]
fn every_packet_is_explained_clean_and_built_again_from_that() {
    for (version, arguments) in PACKETS {
        let hex = build(arguments);
        assert_eq!(hex.lines().count(), 1, "{hex}");
        let json = explained(hex.trim(), version);
        assert_eq!(json["packets"][0]["type"], arguments[0].to_ascii_uppercase());
        let faults = json["packets"][0]["faults"].as_array().expect("faults");
        assert!(faults.iter().all(|fault| fault["severity"] != "fault"), "{arguments:?}: {faults:?}");
        let again = hexmq(&["build", "--json", "-"], json.to_string().as_bytes());
        assert_eq!(String::from_utf8_lossy(&again.stdout), hex, "{arguments:?}");
    }
}

#[test]
fn fields_have_many_ways_in() {
    let expected = "30070003612f626869\n";
    assert_eq!(build(&["publish", "-t", "a/b", "-m", "hi"]), expected);
    assert_eq!(build(&["PUBLISH", "topic_name=a/b", "payload=hi"]), expected);
    assert_eq!(build(&["publish", "topic=a/b", "payload_hex=6869"]), expected);
    assert_eq!(build(&["--notation", "PUBLISH topic=a/b payload=hi"]), expected);
    assert_eq!(build(&["--notation", "hex 30 len( str(\"a/b\") \"hi\" )"]), expected);
    let json = json!({"type": "PUBLISH", "topic": "a/b", "payload": "hi"}).to_string();
    assert_eq!(String::from_utf8_lossy(&hexmq(&["build", "--json", "-"], json.as_bytes()).stdout), expected);
    let changed = hexmq(&["build", "--json", "-", "-m", "ho"], json.as_bytes());
    assert_eq!(String::from_utf8_lossy(&changed.stdout), "30070003612f62686f\n", "options win");
    let two = hexmq(&["build", "--json", "-"], br#"[{"type":"PINGREQ"},{"type":"DISCONNECT"}]"#);
    assert_eq!(String::from_utf8_lossy(&two.stdout), "c000\ne000\n");
}

#[test]
fn what_is_wrong_with_the_usage_is_said() {
    for (arguments, part) in [
        (&["conect"][..], "try: connect"),
        (&[], "no packet"),
        (&["publish", "-q", "3"], "0..=2"),
        (&["publish", "--bogus"], "--bogus"),
        (&["connect", "keep_alive=70000"], "a number from 0 to 65535 was expected"),
        (&["connect", "keepalife=7"], "did you mean `keep_alive`?"),
        (&["pingreq", "-t", "a"], "PINGREQ has no such field"),
        (&["publish", "-t", "a", "--pid", "4"], "a PUBLISH of QoS 0 has no Packet Identifier"),
        (&["publish", "-t", "a", "--defect", "qos3"], "--defect qos-3"),
        (&["pingreq", "--defect", "qos-3"], "a PUBLISH of QoS 1 or 2"),
        (&["connect", "-V", "4", "-D", "receive-maximum", "1"], "only MQTT 5.0 has this field"),
        (&["connect", "-D", "receive-maximum"], "too few values"),
        (&["connect", "--at", "esp826"], "--at esp8266"),
        (&["connack", "--at", "esp8266", "-h", "a"], "a module never sends it"),
        (&["connect", "--onenet", "1"], "--device"),
        (&["connect", "--json", "no such file"], "cannot read"),
        (&["--json", "-"], "no JSON"),
        (&["--notation", "PUBLISH x=1"], "column"),
        (&["publish", "-t", "a", "--onenet-dp", "9", "--json-values", "{}"], "they are 1 to 8"),
        (&["connect", "--hex", "--python"], "cannot be used with"),
    ] {
        let stderr = refused(arguments);
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_wrong_packet_is_built_with_a_warning_or_on_request() {
    let output = hexmq(&["build", "publish", "-t", "a/#"], b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("wildcard_in_topic_name"));
    let output = hexmq(
        &["build", "publish", "-t", "a/b", "-q", "1", "-m", "{\"a\":1}", "--defect", "missing-packet-id"],
        b"",
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "it was asked for");
    let hex = String::from_utf8(output.stdout).expect("UTF-8");
    let found = explained(hex.trim(), "4");
    assert_eq!(found["packets"][0]["faults"][0]["code"], "missing_packet_identifier");
    let english = build(&["--list-defects", "--lang", "en"]);
    let chinese = build(&["--list-defects", "--lang", "zh"]);
    assert!(english.lines().count() > 50 && english.lines().count() == chinese.lines().count());
    assert!(english.contains("the QoS is 3") && chinese.contains("QoS 为 3"));
}

#[test]
fn sign_ins_of_clouds_are_those_of_the_vectors() {
    let connect = build(&[
        "connect",
        "--aliyun-product",
        "pk",
        "--device",
        "device",
        "--secret",
        "secret",
        "-i",
        "12345",
        "--sign",
        "hmacsha1",
        "--timestamp",
        "789",
    ]);
    let fields = explained(connect.trim(), "4").to_string();
    assert!(fields.contains("12345|securemode=3,signmethod=hmacsha1,timestamp=789|"));
    assert!(fields.contains("device&pk") && fields.contains("fafd82a3d602b37fb0fa8b7892f24a477f851a14"));
    let connect = build(&[
        "connect",
        "--onenet-token",
        "123123",
        "--device",
        "mydev",
        "--key",
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "--et",
        "1893456000",
        "--method",
        "sha1",
        "--python",
    ]);
    assert!(connect.contains("et=1893456000&method=sha1&sign=XD9Ur0pz3k9sMMzeAqP33zzCTPo%3D"), "{connect}");
    let connect =
        build(&["connect", "--onenet", "bbbbb5", "--device", "aaaaa5188", "--secret", "cccccc", "-k", "120"]);
    assert_eq!(connect, "102500044d51545404c20078000961616161613531383800066262626262350006636363636363\n");
    let dp = build(&["publish", "--onenet-dp", "3", "--json-values", "{\"t\":1.5}", "-q", "1"]);
    assert_eq!(dp, "3213000324647000010300097b2274223a312e357d\n");
    let alink = build(&[
        "publish",
        "--aliyun-product",
        "pk",
        "--device",
        "dn",
        "--secret",
        "s",
        "--alink",
        "thing.event.property.post",
        "--json-values",
        "{\"a\":1}",
        "--mosquitto",
    ]);
    assert!(alink.contains("-t /sys/pk/dn/thing/event/property/post"), "{alink}");
}

#[test]
fn a_c_compiler_and_python_read_the_bytes() {
    let arguments = ["publish", "-t", "a\"\\b", "--message-hex", "00ff0a0d223f3f27"];
    let hex = build(&arguments);
    if is_there("cc") {
        let directory = Directory::new("build-c");
        let array = build(&[&arguments[..], &["--c-array"]].concat());
        let source = format!(
            "#include <stdio.h>\n{array}int main(void) {{ for (unsigned i = 0; i < sizeof mqtt_publish; i++) \
             printf(\"%02x\", mqtt_publish[i]); puts(\"\"); return 0; }}\n"
        );
        std::fs::write(directory.file("packet.c"), source).expect("written");
        let program = directory.file("packet");
        let cc = run("cc", &["-Wall", "-Werror", "-o", &program, &directory.file("packet.c")], b"");
        assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
        assert_eq!(String::from_utf8_lossy(&run(&program, &[], b"").stdout), hex);
    }
    if is_there("python3") {
        let literal = build(&[&arguments[..], &["--python"]].concat());
        let printed = run("python3", &["-c", &format!("print({}.hex())", literal.trim())], b"");
        assert_eq!(String::from_utf8_lossy(&printed.stdout), hex);
    }
}

#[test]
fn annotated_hex_is_read_as_hex() {
    for lang in ["en", "zh"] {
        let annotated =
            build(&["connect", "-i", "d", "-D", "user-property", "a", "b", "--annotated", "--lang", lang]);
        let from_text = hexmq(&["explain", "--json"], annotated.as_bytes()).stdout;
        let hex = build(&["connect", "-i", "d", "-D", "user-property", "a", "b"]);
        assert_eq!(from_text, hexmq(&["explain", "--json"], hex.as_bytes()).stdout, "{annotated}");
    }
}

#[test]
fn the_line_for_mosquitto_publishes_to_a_server() {
    if !is_there("mosquitto_pub") {
        return;
    }
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let port = address.rsplit(':').next().expect("a port");
    for (topic, payload, hex) in [("it's/a", "a b", "612062"), ("bin", "", "00ff27")] {
        let payload: &[&str] = if payload.is_empty() { &["--message-hex", hex] } else { &["-m", payload] };
        let line = build(
            &[
                &["publish", "-t", topic, "-q", "1", "-r", "--mosquitto", "-h", "127.0.0.1", "-p", port],
                payload,
            ]
            .concat(),
        );
        let output = run("sh", &["-c", &line], b"");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        let received = hexmq(
            &["sub", "-h", "127.0.0.1", "-p", port, "-t", topic, "-C", "1", "-W", "20", "-F", "%x"],
            b"",
        );
        assert_eq!(String::from_utf8_lossy(&received.stdout).trim(), hex, "{line}");
    }
}

#[test]
fn a_module_gets_as_many_bytes_as_it_is_told() {
    let payload = "x".repeat(5000);
    for module in ["esp8266", "sim800", "sim7600-tcp", "ec20-tcp", "air724-tcp", "ml307-tcp"] {
        let script =
            build(&["publish", "-t", "a", "-m", &payload, "-i", "dev", "--at", module, "-h", "192.0.2.9"]);
        let hex: String =
            script.lines().filter_map(|line| line.strip_prefix("hex ")).collect::<Vec<_>>().concat();
        let sent = hex.replace(' ', "");
        let expected = build(&["connect", "-i", "dev"]).trim().to_owned()
            + build(&["publish", "-t", "a", "-m", &payload]).trim();
        assert_eq!(sent, expected, "{module}");
        let lines: Vec<&str> = script.lines().filter(|line| !line.starts_with('#')).collect();
        for pair in lines.windows(2) {
            if let Some(bytes) = pair[1].strip_prefix("hex ") {
                let told = pair[0].rsplit(['=', ',']).next().and_then(|told| told.parse().ok());
                assert_eq!(told, Some(bytes.split(' ').count()), "{module}: {}", pair[0]);
            }
        }
        assert!(lines.iter().any(|line| line.contains("\"192.0.2.9\"") && line.contains("1883")), "{module}");
    }
    assert!(
        build(&["connect", "--at"]).contains("AT+CIPSTART=\"TCP\",\"localhost\",1883"),
        "the usual module"
    );
}

#[test]
fn modules_with_their_own_mqtt_get_parameters() {
    let all = ["-t", "a/b", "-m", "{\"a\":1}", "-q", "1", "-i", "dev", "-u", "u", "-P", "p", "-h", "h"];
    for (module, lines) in [
        (
            "ec20",
            &[
                "AT+QMTOPEN=0,\"h\",1883",
                "AT+QMTCONN=0,\"dev\",\"u\",\"p\"",
                "AT+QMTPUBEX=0,1,1,0,\"a/b\",7",
                "text {\"a\":1}",
            ][..],
        ),
        (
            "sim7600",
            &[
                "AT+CMQTTACCQ=0,\"dev\",0",
                "AT+CMQTTCONNECT=0,\"tcp://h:1883\",60,1,\"u\",\"p\"",
                "AT+CMQTTTOPIC=0,3",
                "AT+CMQTTPAYLOAD=0,7",
                "AT+CMQTTPUB=0,1,60,0,0",
            ],
        ),
        (
            "air724",
            &[
                "AT+MCONFIG=\"dev\",\"u\",\"p\"",
                "AT+MIPSTART=\"h\",1883",
                "AT+MCONNECT=1,60",
                "AT+MPUBEX=\"a/b\",1,0,7",
            ],
        ),
        ("ml307", &["AT+MQTTCONN=0,\"h\",1883,\"dev\",\"u\",\"p\"", "AT+MQTTPUB=0,\"a/b\",1,0,0,7"]),
        (
            "m5311",
            &[
                "AT+MQTTCFG=\"h\",1883,\"dev\",60,\"u\",\"p\",1",
                "AT+MQTTOPEN=1,1,0,0,0,\"\",\"\"",
                "AT+MQTTPUB=\"a/b\",1,0,0,7,\"7b2261223a317d\"",
            ],
        ),
        (
            "esp8266-mqtt",
            &["AT+MQTTLONGCLIENTID=0,3", "AT+MQTTCONN=0,\"h\",1883,0", "AT+MQTTPUBRAW=0,\"a/b\",7,1,0"],
        ),
    ] {
        let script = build(&[&["publish", "--at", module], &all[..]].concat());
        for line in lines {
            assert!(script.lines().any(|found| found == *line), "{module} lacks {line}\n{script}");
        }
        let connect_only = build(&["connect", "--at", module, "-i", "dev", "-h", "h"]);
        assert!(!connect_only.contains("PUB"), "{module}\n{connect_only}");
        for (arguments, part) in [
            (&["pingreq"][..], "by itself"),
            (&["publish", "-t", "a", "-m", "x", "-V", "5"], "does not speak MQTT 5.0"),
            (&["publish", "-t", "a", "-m", "x", "-q", "1", "--defect", "qos-3"], "only a right packet"),
            (&["publish", "-t", "a", "-n"], "empty payload"),
        ] {
            let stderr = refused(&[arguments, &["--at", module, "-h", "h"]].concat());
            assert!(stderr.contains(part), "{module} {arguments:?}: {stderr}");
        }
    }
}

#[test]
fn wireshark_reads_the_capture() {
    let directory = Directory::new("build-pcapng");
    let file = directory.file("packet.pcapng");
    assert_eq!(
        build(&["publish", "-V", "5", "-i", "dev1", "-t", "a/b", "-m", "hi", "-q", "1", "--pcapng", &file]),
        ""
    );
    if is_there("tshark") {
        let fields = [
            "-T",
            "fields",
            "-e",
            "mqtt.clientid",
            "-e",
            "mqtt.topic",
            "-e",
            "mqtt.ver",
            "-e",
            "tcp.checksum.status",
        ];
        let checked = ["-o", "tcp.check_checksum:TRUE"];
        let output = run("tshark", &[&["-r", &file, "-Y", "mqtt"][..], &checked, &fields].concat(), b"");
        let lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{lines:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(lines[0].starts_with("dev1\t\t5\t1"), "{lines:?}");
        assert!(lines[1].starts_with("\ta/b\t"), "{lines:?}");
    }
    let captured = hexmq(&["capture", "--packets", &file], b"");
    assert!(String::from_utf8_lossy(&captured.stdout).contains("topic=a/b"));
}
