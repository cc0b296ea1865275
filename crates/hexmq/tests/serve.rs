//! `hexmq serve` over real sockets: starting, stopping, who gets in, and what it endures.

mod serving;

use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;
use serving::{CONNACK, Client, PATIENCE, PINGREQ, PINGRESP, Server, connect, publish, subscribe};

#[test]
fn stdout_is_one_line_for_each_listener_and_ready() {
    let server = Server::start(&["--listen", "mqtt://127.0.0.1:0"]);
    let schemes: Vec<&str> =
        server.listening.iter().filter_map(|line| line.split_once("://")).map(|(scheme, _)| scheme).collect();
    assert_eq!(schemes, ["listening mqtt", "listening mqtt", "listening http"]);
    for address in server.addresses("mqtt") {
        assert!(!address.ends_with(":0"), "{address}");
        Client::to(address).connect("a").send(PINGREQ).expect(PINGRESP);
    }
}

/// [V5 MQTT-3.14.4-1]
#[test]
fn sigterm_says_goodbye_and_ends_with_zero() {
    let mut server = Server::start(&["--shards", "2"]);
    let mut clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&connect(5, &format!("c{n}"), 0, &[]));
        assert_eq!(client.packet()[0], 0x20);
    }
    let mut old = server.client();
    old.connect("old");
    let mut silent = server.client();
    server.signal(Signal::TERM);
    for client in &mut clients {
        let goodbye = client.packet();
        assert_eq!((goodbye[0], goodbye[2]), (0xE0, 0x8B), "{goodbye:02x?}");
        assert!(client.closed().is_empty());
    }
    assert!(old.closed().is_empty(), "3.x has no DISCONNECT from the server");
    silent.closed();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_connect_that_does_not_end_is_closed_in_time_and_told() {
    let server = Server::start(&["--connect-timeout", "300ms", "--shards", "2"]);
    let mut silent = server.client();
    let mut slow = server.client();
    // Remaining Length 37: 36 bytes after these three.
    slow.send(&[0x10, 0x25, 0x00]);
    let mut good = server.client();
    good.connect("good");
    assert!(silent.closed().is_empty());
    assert!(slow.closed().is_empty());
    let line = server.logged("36 are missing");
    assert!(line.contains("connect_incomplete") && line.contains("3 bytes came"), "{line}");
    good.send(PINGREQ).expect(PINGRESP);
}

/// A peer that vanished without a word. [V4 MQTT-3.1.2-24, V5 MQTT-3.1.2-22]
#[test]
fn silence_past_the_keep_alive_closes() {
    let server = Server::start(&[]);
    let mut old = server.client();
    old.send(&connect(4, "old", 1, &[])).expect(CONNACK);
    let mut new = server.client();
    new.send(&connect(5, "new", 1, &[]));
    assert_eq!(new.packet()[0], 0x20);
    assert!(old.closed().is_empty());
    assert_eq!(new.packet()[2], 0x8D);
    new.closed();
}

/// The session's home may be another shard than the one that accepted: what was read goes along,
/// whether it came at once or byte by byte.
#[test]
fn bytes_that_came_with_connect_reach_the_home_shard() {
    let server = Server::start(&["--shards", "4"]);
    for n in 0..16 {
        let topic = format!("t/{n}");
        let bytes = |id: &str| {
            let connect = connect(4, &format!("{id}-{n}"), 0, &[]);
            [connect, subscribe(&topic, 0), publish(&topic, id.as_bytes()), PINGREQ.to_vec()].concat()
        };
        let mut at_once = server.client();
        at_once.send(&bytes("whole")).expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]);
        at_once.expect(&publish(&topic, b"whole")).expect(PINGRESP);
        let mut in_pieces = server.client();
        for byte in bytes("pieces") {
            in_pieces.send(&[byte]);
        }
        in_pieces.expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]);
        in_pieces.expect(&publish(&topic, b"pieces")).expect(PINGRESP);
        at_once.expect(&publish(&topic, b"pieces"));
    }
}

#[test]
fn a_first_packet_has_a_bound_of_its_own() {
    let server = Server::start(&["--shards", "2"]);
    let mut client = server.client();
    // CONNECT with a Remaining Length of 1 MiB: refused by its header.
    client.send(&[0x10, 0x80, 0x80, 0x40]);
    client.closed();
    server.logged("packet_too_large");
    // After CONNECT, in the same segment, a packet may be as large as the limits say.
    let large = publish("t", &[5; 1 << 20]);
    let mut client = server.client();
    client.send(&[connect(4, "c", 0, &[]), subscribe("t", 0), large.clone()].concat());
    client.expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]).expect(&large);
}

#[test]
fn messages_cross_between_shards() {
    let server = Server::start(&["--shards", "4"]);
    let mut receivers: Vec<Client> = (0..12).map(|_| server.client()).collect();
    for (n, receiver) in receivers.iter_mut().enumerate() {
        receiver.connect(&format!("receiver-{n}")).subscribe("news/#", 0);
    }
    for n in 0..12 {
        let mut sender = server.client();
        sender.connect(&format!("sender-{n}"));
        for m in 0..50 {
            sender.send(&publish(&format!("news/{n}"), format!("{m}").as_bytes()));
        }
        for receiver in &mut receivers {
            for m in 0..50 {
                receiver.expect(&publish(&format!("news/{n}"), format!("{m}").as_bytes()));
            }
        }
    }
}

#[test]
fn a_receiver_that_stops_reading_hurts_itself_only() {
    let server = Server::start(&["--write-timeout", "1s", "--shards", "2"]);
    let mut stuck = server.client();
    stuck.connect("stuck").subscribe("flood", 0);
    let mut reader = server.client();
    reader.connect("reader").subscribe("flood", 0);
    let mut sender = server.client();
    sender.connect("sender");
    let message = publish("flood", &[7; 60_000]);
    let before = server.resident();
    // 120 MB, in steps that the reader keeps up with.
    for _ in 0..200 {
        for _ in 0..10 {
            sender.send(&message);
        }
        for _ in 0..10 {
            assert_eq!(reader.packet().len(), message.len());
        }
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes for a receiver whose buffer may hold 4 MiB");
    server.logged("write_buffer_full");
    server.logged("write_stalled");
    reader.send(PINGREQ).expect(PINGRESP);
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let script = format!(
        "ulimit -n 100; exec '{}' serve --listen mqtt://127.0.0.1:0 --http off --clients 1000 --shards 1",
        env!("CARGO_BIN_EXE_hexmq")
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let server = Server::spawn(command);
    let mut clients: Vec<Client> = (0..120).map(|_| server.client()).collect();
    let line = server.logged("accept_paused");
    assert!(line.contains("limit of open files"), "{line}");
    // Those in the backlog are shed, those inside are served.
    clients.pop().expect("a client").closed();
    for client in clients.iter_mut().take(50) {
        client.connect(&format!("{:p}", client)).send(PINGREQ).expect(PINGRESP);
    }
    drop(clients);
    server.logged("accept_resumed");
    server.client().connect("again");
}

#[test]
fn more_clients_than_allowed_are_turned_away() {
    let server = Server::start(&["--clients", "3"]);
    let mut inside: Vec<Client> = (0..3).map(|_| server.client()).collect();
    for (n, client) in inside.iter_mut().enumerate() {
        client.connect(&format!("c{n}"));
    }
    assert!(server.client().closed().is_empty());
    server.logged("clients_full");
    let mut leaving = inside.pop().expect("a client");
    leaving.send(&[0xE0, 0]).closed();
    server.client().connect("next");
}

/// An address of this machine that is not loopback, where there is one.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: connecting a datagram socket only chooses the local address.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn anonymous_clients_come_from_this_machine_unless_allowed() {
    let Some(ip) = outer_address() else {
        eprintln!("this machine has only loopback");
        return;
    };
    for (arguments, code) in [(&[][..], 5), (&["--allow-anonymous"], 0)] {
        let server = Server::start(&[&["--listen", "mqtt://0.0.0.0:0"], arguments].concat());
        let any = server.addresses("mqtt").last().expect("a listener").clone();
        let (_, port) = any.rsplit_once(':').expect("a port");
        let mut outside = Client::to((ip, port.parse().expect("a port")));
        outside.send(&connect(4, "outside", 0, &[])).expect(&[0x20, 2, 0, code]);
        server.client().connect("inside");
        if code == 5 {
            outside.closed();
            assert!(server.logged("anonymous_not_allowed").contains("--allow-anonymous"));
        }
    }
}

fn hash(password: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .args(["user", "hash"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    use std::io::Write;
    writeln!(child.stdin.take().expect("stdin"), "{password}").expect("written");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A file that goes when the test ends.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("hexmq-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn user(name: &str, password: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\npassword_hash = \"{}\"\n", hash(password))
}

#[test]
fn users_need_their_password_and_sighup_reads_them_again() {
    let file = File::new("users.toml", &user("u", "right"));
    let server = Server::start(&["--config", file.path(), "--shards", "2"]);
    let code = |level: u8, credentials: &[&str]| {
        let mut client = server.client();
        client.send(&connect(level, "c", 0, credentials));
        client.packet()[3]
    };
    // Twice each: what was verified is remembered, what was refused is not.
    for _ in 0..2 {
        assert_eq!(code(4, &["u", "right"]), 0);
        assert_eq!(code(5, &["u", "right"]), 0);
        assert_eq!(code(4, &["u", "wrong"]), 4);
        assert_eq!(code(5, &["u", "wrong"]), 0x86);
        assert_eq!(code(4, &["nobody", "right"]), 4);
        assert_eq!(code(5, &["nobody", "right"]), 0x86);
    }
    server.logged("bad_user_name_or_password");
    std::fs::write(&file.0, format!("retained_messages = 3\n{}", user("u", "new"))).expect("written");
    server.signal(Signal::HUP);
    assert!(server.logged("reloaded").contains("restart: retained_messages"));
    assert_eq!(code(4, &["u", "right"]), 4);
    assert_eq!(code(4, &["u", "new"]), 0);
    std::fs::write(&file.0, "[[user]]\nnam = 1").expect("written");
    server.signal(Signal::HUP);
    assert!(server.logged("not reloaded").contains("unknown key `nam`"));
    assert_eq!(code(4, &["u", "new"]), 0);
}

#[test]
fn packets_after_a_connect_that_waits_for_its_password_are_kept_in_order() {
    let file = File::new("order.toml", &user("u", "right"));
    let server = Server::start(&["--config", file.path()]);
    let mut client = server.client();
    let connect = connect(4, "c", 0, &["u", "right"]);
    client.send(&[connect, subscribe("t", 0), publish("t", b"1"), publish("t", b"2")].concat());
    client.expect(CONNACK).expect(&[0x90, 3, 0, 1, 0]);
    client.expect(&publish("t", b"1")).expect(&publish("t", b"2"));
}

#[test]
fn unix_sockets_serve_and_their_file_goes() {
    let path = std::env::temp_dir().join(format!("hexmq-serve-{}.sock", std::process::id()));
    let url = format!("unix://{}", path.display());
    let mut server = Server::start(&["--listen", &url, "--shards", "2"]);
    assert_eq!(server.addresses("unix"), [path.display().to_string()]);
    let mut receiver = Client { stream: UnixStream::connect(&path).expect("connected") };
    receiver.stream.set_read_timeout(Some(PATIENCE)).expect("set");
    receiver.connect("unix").subscribe("t", 0);
    let large = publish("t", &[1; 300_000]);
    server.client().connect("tcp").send(&large);
    receiver.expect(&large);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn ipv6_serves_where_there_is_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let server = Server::start(&["--listen", "mqtt://[::1]:0"]);
    let address = server.addresses("mqtt").last().expect("a listener").clone();
    assert!(address.starts_with("[::1]:"), "{address}");
    Client::to(address).connect("six").send(PINGREQ).expect(PINGRESP);
}

#[test]
fn the_api_tells_status_to_the_administrator() {
    let server = Server::start(&["--shards", "2"]);
    let mut client = server.client();
    client.connect("c").subscribe("t", 0).send(&publish("t", b"x")).expect(&publish("t", b"x"));
    let (code, body) = server.http("GET", "/api/v1/status", true, "");
    assert_eq!(code, 200, "{body}");
    let status: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status["durability"], "disk");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["clients"], serde_json::json!({"connected": 1, "sessions": 1}));
    assert_eq!(status["messages"]["received"], 1);
    assert_eq!(status["messages"]["sent"], 1);
    assert_eq!(status["messages"]["dropped"], 0);
    assert_eq!(status["subscriptions"]["total"], 1);
    assert_eq!(status["shards"], serde_json::json!({"total": 2, "silent": []}));
    assert!(status["uptime_s"].is_u64());
    let (code, page) = server.http("GET", "/metrics", true, "");
    assert_eq!(code, 200);
    assert!(page.lines().any(|line| line == "hexmq_clients_connected 1"), "{page}");
}

#[test]
fn api_errors_have_one_shape() {
    let server = Server::start(&[]);
    for (method, path, admin, status, code) in [
        ("GET", "/api/v1/status", false, 401, "credentials_required"),
        ("GET", "/metrics", false, 401, "credentials_required"),
        ("GET", "/nothing", false, 404, "not_found"),
        ("POST", "/healthz", false, 405, "method_not_allowed"),
        ("DELETE", "/api/v1/status", true, 405, "method_not_allowed"),
    ] {
        let (answered, body) = server.http(method, path, admin, "");
        assert_eq!(answered, status, "{method} {path}: {body}");
        let error: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(error["error"]["code"], code, "{method} {path}");
        assert!(error["error"]["message"].is_string() && error["error"]["hint"].is_string());
    }
    assert_eq!(server.http("GET", "/healthz", false, ""), (200, "ok\n".to_owned()));
    assert_eq!(server.http("GET", "/readyz", false, ""), (200, "ready\n".to_owned()));
}

#[test]
fn the_api_explains_packets() {
    let server = Server::start(&[]);
    let explain = |body: &str| server.http("POST", "/api/v1/explain", true, body);
    let (code, body) = explain("{\"hex\":\"c0 00 d000\",\"version\":4}");
    assert_eq!(code, 200, "{body}");
    let answer: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answer["packets"][0]["type"], "PINGREQ");
    assert_eq!(answer["packets"][1]["type"], "PINGRESP");
    assert_eq!(answer["packets"][1]["offset"], 2);
    assert!(answer["rest"].is_null());
    // A `$dp` upload whose length is that of nothing: the standard has no objection, the cloud has.
    let (_, body) = explain("{\"hex\":\"300f 0003246470 0300407b2261223a317d\",\"secret\":\"unused\"}");
    let answer: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answer["packets"][0]["faults"], serde_json::json!([]));
    assert_eq!(answer["packets"][0]["dialect"]["name"], "onenet");
    assert_eq!(answer["packets"][0]["dialect"]["faults"][0]["code"], "dp_length");
    let large = format!("{{\"hex\":\"{}\"}}", "00".repeat(600_000));
    for (body, status, name) in [
        ("", 400, "bad_request"),
        ("{\"hex\":\"c0\",\"form\":1}", 400, "bad_request"),
        ("{\"hex\":\"c0 0\"}", 400, "bad_hex"),
        ("{\"hex\":\"c000\",\"version\":6}", 400, "bad_version"),
        (large.as_str(), 413, "body_too_large"),
    ] {
        let (code, answer) = explain(body);
        assert_eq!(code, status, "{answer}");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["error"]["code"], name);
    }
    assert_eq!(server.http("POST", "/api/v1/explain", false, "{}").0, 401);
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hexmq"))
        .arg("serve")
        .args(arguments)
        .env_remove("HEXMQ_ADMIN_PASSWORD")
        .output()
        .expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_configuration_is_checked_and_printed_without_serving() {
    let (code, stdout, _) = run(&["--check", "--receive-maximum", "7"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let (code, stdout, _) = run(&["--print-config", "--receive-maximum", "7", "--admin-password", "hidden"]);
    assert_eq!(code, Some(0));
    assert!(stdout.lines().any(|line| line == "receive_maximum = 7"), "{stdout}");
    assert!(!stdout.contains("hidden"));
    let file = File::new("unknown.toml", "\nshard = 2\n");
    let (code, stdout, stderr) = run(&["--config", file.path()]);
    assert_eq!((code, stdout.as_str()), (Some(64), ""));
    assert!(stderr.contains(":2: unknown key `shard`") && stderr.contains("`shards`"), "{stderr}");
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_served() {
    let server = Server::start(&[]);
    let url = format!("mqtt://{}", server.address());
    let (code, stdout, stderr) = run(&["--listen", &url, "--http", "off"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("another program listens there"), "{stderr}");
    let (code, _, stderr) = run(&["--listen", "mqtts://127.0.0.1:0", "--http", "off"]);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("needs a certificate") && stderr.contains("--tls-cert"), "{stderr}");
}

#[test]
fn a_generated_admin_password_is_shown_once_and_a_given_one_never() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    command.args(["serve", "--listen", "mqtt://127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let server = Server::spawn(command);
    let line = server.logged("password");
    let password =
        line.split("password ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a password");
    assert_eq!(password.len(), 24, "{line}");
}

#[test]
fn systemd_is_told_when_the_server_is_ready_and_when_it_stops() {
    let path = std::env::temp_dir().join(format!("hexmq-notify-{}.sock", std::process::id()));
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    command.args(["serve", "--listen", "mqtt://127.0.0.1:0", "--http", "off"]).env("NOTIFY_SOCKET", &path);
    let server = Server::spawn(command);
    let told = || {
        let mut state = [0; 64];
        let length = socket.recv(&mut state).expect("a state");
        String::from_utf8_lossy(&state[..length]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    server.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    std::fs::remove_file(&path).expect("removed");
}
