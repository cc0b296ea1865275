//! `hexmq pub`, `sub` and `rr` against `hexmq serve`, as a shell would use them.

#[allow(dead_code, reason = "other tests use more of it")]
mod serving;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serving::{PATIENCE, Server};

const VERSIONS: [&str; 3] = ["31", "311", "5"];

/// A command at this address that has not been started.
fn command(address: &str, arguments: &[&str]) -> Command {
    let (host, port) = address.rsplit_once(':').expect("an address");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
    let (name, options) = arguments.split_first().expect("a command");
    command.arg(name).args(["-h", host, "-p", port]).args(options).env("TZ", "UTC");
    command
}

/// Runs a command to its end, with this on stdin.
fn run_with(address: &str, arguments: &[&str], stdin: &[u8]) -> Output {
    let mut command = command(address, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    // A command that does not read its stdin is free not to.
    let _ = child.stdin.take().expect("stdin").write_all(stdin);
    child.wait_with_output().expect("ended")
}

fn run(address: &str, arguments: &[&str]) -> Output {
    run_with(address, arguments, b"")
}

/// Runs a command that has nothing to say and ends well.
#[track_caller]
fn succeed(address: &str, arguments: &[&str]) {
    let output = run(address, arguments);
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), "", ""));
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A command that runs along. It is killed when dropped.
struct Running {
    child: Child,
    /// Lines of stderr.
    log: Receiver<String>,
}

impl Running {
    /// Starts a subscriber and waits until its subscription stands.
    fn subscribed(address: &str, arguments: &[&str]) -> Running {
        let mut command = command(address, &[&["sub", "--debug"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let (sender, log) = channel();
        let stderr = child.stderr.take().expect("stderr");
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let running = Running { child, log };
        running.logged("< SUBACK");
        running
    }

    fn logged(&self, start: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect("a line before the end");
            if line.starts_with(start) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    /// Waits for the end: exit code and stdout.
    fn end(mut self) -> (Option<i32>, Vec<u8>) {
        let mut out = Vec::new();
        self.child.stdout.take().expect("stdout").read_to_end(&mut out).expect("read");
        (self.child.wait().expect("ended").code(), out)
    }

    #[track_caller]
    fn prints(self, expected: &str) {
        let (code, out) = self.end();
        assert_eq!((code, String::from_utf8_lossy(&out).as_ref()), (Some(0), expected));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_version_and_qos_delivers() {
    let server = Server::start(&["--ephemeral", "--shards", "2"]);
    let address = server.address();
    for version in VERSIONS {
        for qos in ["0", "1", "2"] {
            let format = ["-F", "%t|%q|%r|%p"];
            let subscriber = [&["-V", version, "-t", "a/#", "-q", qos, "-C", "1"][..], &format].concat();
            let subscriber = Running::subscribed(&address, &subscriber);
            succeed(&address, &["pub", "-V", version, "-t", "a/b", "-q", qos, "-m", "grüße"]);
            subscriber.prints(&format!("a/b|{qos}|0|grüße\n"));
        }
    }
}

#[test]
fn payloads_come_from_everywhere_and_arrive_byte_for_byte() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let file = std::env::temp_dir().join(format!("hexmq-payload-{}", std::process::id()));
    std::fs::write(&file, &bytes).expect("written");
    let path = file.to_str().expect("a path");
    let subscriber = Running::subscribed(&address, &["-t", "a", "-C", "2", "-N"]);
    succeed(&address, &["pub", "-t", "a", "-f", path]);
    assert_eq!(run_with(&address, &["pub", "-t", "a", "-s"], &bytes).status.code(), Some(0));
    let (code, out) = subscriber.end();
    assert_eq!(code, Some(0));
    assert!(out == [&bytes[..], &bytes].concat(), "{} bytes", out.len());
    std::fs::remove_file(file).expect("removed");

    let subscriber = Running::subscribed(&address, &["-t", "#", "-C", "5", "-v"]);
    let output =
        run_with(&address, &["pub", "-t", "line", "-l", "-q", "1"], b"one\n\nthree\nlast without an end");
    assert_eq!(output.status.code(), Some(0));
    succeed(&address, &["pub", "-t", "null", "-n"]);
    subscriber.prints("line one\nline (null)\nline three\nline last without an end\nnull (null)\n");
}

#[test]
fn many_lines_keep_their_order_through_a_small_window() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let subscriber = Running::subscribed(&address, &["-t", "a", "-q", "2", "-C", "3000"]);
    let lines: String = (0..3000).map(|n| format!("{n}\n")).collect();
    let output = run_with(&address, &["pub", "-t", "a", "-l", "-q", "2", "-M", "3"], lines.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    subscriber.prints(&lines);
}

#[test]
fn a_message_is_repeated() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let subscriber = Running::subscribed(&address, &["-t", "a", "-C", "3"]);
    succeed(&address, &["pub", "-t", "a", "-m", "x", "--repeat", "3", "--repeat-delay", "0.01"]);
    subscriber.prints("x\nx\nx\n");
}

#[test]
fn retained_messages_are_told_apart_and_removed() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    succeed(&address, &["pub", "-t", "r/a", "-r", "-m", "1"]);
    succeed(&address, &["pub", "-t", "r/b", "-r", "-m", "2"]);

    let fresh = Running::subscribed(&address, &["-t", "r/#", "-R", "-v", "-C", "1"]);
    let both = Running::subscribed(&address, &["-t", "r/#", "-v", "-C", "3", "-F", "%r %p"]);
    let filtered = Running::subscribed(&address, &["-t", "r/#", "-T", "r/a", "-v", "-C", "2"]);
    let retained = Running::subscribed(&address, &["-t", "r/#", "--retained-only", "-v"]);
    succeed(&address, &["pub", "-t", "r/c", "-m", "3"]);
    fresh.prints("r/c 3\n");
    both.prints("1 1\n1 2\n0 3\n");
    filtered.prints("r/b 2\nr/c 3\n");
    retained.prints("r/a 1\nr/b 2\n");

    let remover = Running::subscribed(&address, &["-t", "r/#", "-T", "r/a", "--remove-retained", "-C", "1"]);
    remover.prints("2\n");
    Running::subscribed(&address, &["-t", "r/#", "-v", "-C", "1"]).prints("r/a 1\n");
    let never =
        ["-t", "r/#", "--retain-handling", "never", "--retain-as-published", "-F", "%r %p", "-C", "1"];
    let never = Running::subscribed(&address, &never);
    succeed(&address, &["pub", "-t", "r/d", "-r", "-m", "4"]);
    never.prints("1 4\n");
}

#[test]
fn a_session_is_kept_between_two_runs() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    for version in VERSIONS {
        let topic = format!("kept/{version}");
        let base = ["sub", "-V", version, "-c", "-i", version, "-t", &topic, "-q", "2"];
        succeed(&address, &[&base[..], &["-E"]].concat());
        for (payload, qos) in [("first", "1"), ("second", "2"), ("third", "1")] {
            succeed(&address, &["pub", "-t", &topic, "-q", qos, "-m", payload]);
        }
        // What is not printed is left with the server for the next run.
        let output = run(&address, &[&base[..], &["-C", "2"]].concat());
        assert_eq!(text(&output.stdout), "first\nsecond\n", "{version}");
        let output = run(&address, &[&base[..], &["-C", "1"]].concat());
        assert_eq!(text(&output.stdout), "third\n", "{version}");
        let base = ["sub", "-V", version, "-c", "-i", version, "-U", &topic];
        let output = run(&address, &[&base[..], &["-W", "1", "--quiet"]].concat());
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(27), ""));
    }
}

#[test]
fn a_request_gets_its_response() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let responder = Running::subscribed(&address, &["-V", "5", "-t", "ask", "-C", "1", "-F", "%R %D"]);
    let asked = address.clone();
    let requester = thread::spawn(move || {
        let request = ["rr", "-t", "ask", "-e", "answers/1", "-m", "?", "-q", "1", "-W", "30", "-v"];
        run(&asked, &[&request[..], &["-D", "publish", "correlation-data", "17"]].concat())
    });
    let (_, request) = responder.end();
    assert_eq!(text(&request), "answers/1 17\n");
    // The answer to somebody else's request is not ours.
    let other = ["pub", "-t", "answers/1", "-m", "no", "-D", "publish", "correlation-data", "16"];
    succeed(&address, &other);
    let ours = ["pub", "-t", "answers/1", "-m", "yes", "-D", "publish", "correlation-data", "17"];
    succeed(&address, &ours);
    let output = requester.join().expect("ended");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "answers/1 yes\n"));
}

#[test]
fn the_will_is_for_those_who_do_not_say_goodbye() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let witness = Running::subscribed(&address, &["-t", "will/#", "-q", "1", "-C", "2", "-F", "%t %q %p"]);
    let with_will = |name: &str| {
        let topic = format!("will/{name}");
        let will = ["--will-topic", &topic, "--will-payload", "gone", "--will-qos", "1"];
        Running::subscribed(&address, &[&["-t", "x"][..], &will].concat())
    };
    let polite = with_will("polite");
    polite.signal(Signal::INT);
    assert_eq!(polite.end(), (Some(0), Vec::new()));
    let killed = with_will("killed");
    killed.signal(Signal::KILL);
    assert_eq!(killed.end().0, None);
    succeed(&address, &["pub", "-t", "will/end", "-m", "."]);
    let (_, out) = witness.end();
    // The connection of the killed one may be found lost before or after the last message.
    let mut lines: Vec<&str> = text(&out).lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["will/end 0 .", "will/killed 1 gone"]);
}

#[test]
fn properties_travel() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let subscriber = Running::subscribed(
        &address,
        &[
            &["-t", "a", "-C", "1", "-F", "%C|%R|%D|%E|%F|%P|%S"][..],
            &["-D", "subscribe", "subscription-identifier", "7"],
        ]
        .concat(),
    );
    let properties = [
        &["-D", "publish", "content-type", "text/plain"][..],
        &["-D", "publish", "response-topic", "r"],
        &["-D", "publish", "correlation-data", "c"],
        &["-D", "publish", "message-expiry-interval", "1000"],
        &["-D", "publish", "payload-format-indicator", "1"],
        &["-D", "publish", "user-property", "k", "-v"],
        &["-D", "publish", "user-property", "k", "w"],
        &["-D", "connect", "user-property", "x", "y"],
        &["-D", "disconnect", "user-property", "x", "y"],
    ];
    succeed(&address, &[&["pub", "-t", "a", "-m", "-D"][..], &properties.concat()].concat());
    subscriber.prints("text/plain|r|c|1000|1|k:-v k:w|7\n");
}

#[test]
fn refused_credentials_have_the_codes_of_the_protocol() {
    let hash = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
        command.args(["user", "hash"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("started");
        child.stdin.take().expect("stdin").write_all(b"secret").expect("written");
        text(&child.wait_with_output().expect("ended").stdout).trim().to_owned()
    };
    let file = std::env::temp_dir().join(format!("hexmq-users-{}.toml", std::process::id()));
    let users = format!("[[user]]\nname = \"joe\"\npassword_hash = \"{hash}\"\n");
    std::fs::write(&file, users).expect("written");
    let server = Server::start(&["--ephemeral", "--config", file.to_str().expect("a path")]);
    std::fs::remove_file(file).expect("removed");
    let address = server.address();
    succeed(&address, &["pub", "-u", "joe", "-P", "secret", "-t", "a", "-m", "x"]);
    succeed(&address, &["pub", "-L", &format!("mqtt://joe:s%65cret@{address}/a"), "-m", "x"]);
    for (version, code) in [("31", 4), ("311", 4), ("5", 0x86)] {
        for name in ["pub", "sub"] {
            let what: &[&str] = if name == "pub" { &["-m", "x"] } else { &["-v"] };
            let base = [name, "-V", version, "-u", "joe", "-P", "wrong", "-t", "a"];
            let output = run(&address, &[&base[..], what].concat());
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), ""), "{name} {version}");
            assert_three_lines(&output);
            let output = run(&address, &[&base[..], what, &["--quiet"]].concat());
            assert_eq!((output.status.code(), text(&output.stderr)), (Some(code), ""));
        }
    }
}

#[track_caller]
fn assert_three_lines(output: &Output) {
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert!(
        lines.len() == 3
            && lines[0].starts_with("error: ")
            && lines[1].starts_with("  why: ")
            && lines[2].starts_with("  try: "),
        "{lines:#?}"
    );
}

#[test]
fn errors_have_three_lines_and_code_1() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let nobody = listener.local_addr().expect("an address").to_string();
    drop(listener);
    for arguments in [
        &["pub", "-t", "a", "-m", "x"][..],
        &["pub", "-t", "a"],
        &["pub", "-m", "x"],
        &["pub", "-t", "a/+", "-m", "x"],
        &["pub", "-t", "a", "-m", "x", "-n"],
        &["pub", "-t", "a", "-f", "/does/not/exist"],
        &["pub", "-t", "a", "-m", "x", "-q", "3"],
        &["pub", "-t", "a", "-m", "x", "-V", "4"],
        &["pub", "-t", "a", "-m", "x", "-P", "p"],
        &["pub", "-t", "a", "-m", "x", "-V", "311", "-D", "publish", "content-type", "x"],
        &["pub", "-t", "a", "-m", "x", "-D", "publish", "nonsense", "x"],
        &["pub", "-t", "a", "-m", "x", "-D", "publish"],
        &["pub", "-t", "a", "-m", "x", "--capath", "certs"],
        &["pub", "-L", "mqtts://h/a", "-m", "x"],
        &["pub", "--unknown"],
        &["sub"],
        &["sub", "-t", "a/#/b"],
        &["sub", "-t", "a", "-F", "%z"],
        &["sub", "-t", "a", "-c"],
        &["sub", "-t", "a", "-C", "0"],
        &["sub", "-t", "a", "-V", "31", "--retain-as-published"],
        &["rr", "-t", "a", "-m", "x"],
    ] {
        let output = run(&nobody, arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{arguments:?}");
        assert_three_lines(&output);
    }
}

#[test]
fn help_lists_only_what_works() {
    for name in ["pub", "sub", "rr"] {
        let output = Command::new(env!("CARGO_BIN_EXE_hexmq")).args([name, "--help"]).output().expect("run");
        assert_eq!(output.status.code(), Some(0));
        let help = text(&output.stdout);
        assert!(help.contains("-h, --host <HOST>") && help.contains("-D, --property"), "{help}");
        assert!(help.contains("--cafile") && help.contains("--insecure"), "{help}");
    }
}

#[test]
fn hex_shows_the_bytes_of_both_directions_and_stdout_only_data() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let output = run(&address, &["pub", "--hex", "-i", "c", "-t", "a", "-q", "1", "-m", "hi"]);
    let expected = "> CONNECT 10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 63\n\
                    < CONNACK 20 02 00 00\n\
                    > PUBLISH 32 07 00 01 61 00 01 68 69\n\
                    < PUBACK 40 02 00 01\n\
                    > DISCONNECT e0 00\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", expected));
}

#[test]
fn the_time_limit_has_its_own_code() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    for arguments in [&["sub", "-t", "a", "-W", "1"][..], &["rr", "-t", "a", "-e", "b", "-m", "x", "-W", "1"]]
    {
        let output = run(&address, arguments);
        let said = (output.status.code(), text(&output.stdout), text(&output.stderr));
        assert_eq!(said, (Some(27), "", "Timed out\n"), "{arguments:?}");
    }
}

#[test]
fn a_taken_over_client_says_so_and_does_not_come_back() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let first = Running::subscribed(&address, &["-V", "5", "-i", "same", "-t", "a"]);
    let second = Running::subscribed(&address, &["-V", "5", "-i", "same", "-t", "a", "-C", "1"]);
    assert_eq!(first.end().0, Some(0x8E));
    succeed(&address, &["pub", "-t", "a", "-m", "x"]);
    second.prints("x\n");
}

/// A server that goes away in the middle of everything: the client comes back and goes on.
/// [V4 MQTT-4.4.0-1, V4 MQTT-3.3.1-1]
#[test]
fn a_lost_connection_is_repaired_and_what_was_in_flight_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || {
        let accept = |connack: &[u8]| {
            let (stream, _) = listener.accept().expect("accepted");
            let mut client = serving::Client { stream };
            assert_eq!(client.packet()[0], 0x10);
            client.send(connack);
            client
        };
        accept(&[0x20, 2, 0, 0]).expect(&[0x34, 6, 0, 1, b'a', 0, 1, b'x']);
        let mut client = accept(&[0x20, 2, 1, 0]);
        client.expect(&[0x3C, 6, 0, 1, b'a', 0, 1, b'x']).send(&[0x50, 2, 0, 1]).expect(&[0x62, 2, 0, 1]);
        drop(client);
        let mut client = accept(&[0x20, 2, 1, 0]);
        client.expect(&[0x62, 2, 0, 1]).send(&[0x70, 2, 0, 1]).expect(&[0xE0, 0]);
    });
    let output = run(&address, &["pub", "-c", "-i", "c", "-t", "a", "-q", "2", "-m", "x"]);
    server.join().expect("the dialogue is as written");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("connecting again"), "{}", text(&output.stderr));
}

/// A subscriber whose session is gone subscribes again.
#[test]
fn a_subscriber_comes_back_and_subscribes_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || {
        let accept = || {
            let (stream, _) = listener.accept().expect("accepted");
            let mut client = serving::Client { stream };
            assert_eq!(client.packet()[0], 0x10);
            client.send(&[0x20, 2, 0, 0]).expect(&[0x82, 6, 0, 1, 0, 1, b'a', 1]).send(&[0x90, 3, 0, 1, 1]);
            client
        };
        drop(accept());
        accept().send(&[0x32, 6, 0, 1, b'a', 0, 9, b'x']).expect(&[0x40, 2, 0, 9]).expect(&[0xE0, 0]);
    });
    let output = run(&address, &["sub", "-t", "a", "-q", "1", "-C", "1", "-v"]);
    server.join().expect("the dialogue is as written");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "a x\n"));
}

#[test]
fn a_reader_that_has_gone_ends_the_subscriber() {
    let server = Server::start(&["--ephemeral"]);
    let address = server.address();
    let mut subscriber = Running::subscribed(&address, &["-t", "a"]);
    drop(subscriber.child.stdout.take());
    succeed(&address, &["pub", "-t", "a", "-m", "x"]);
    assert_eq!(subscriber.child.wait().expect("ended").code(), Some(0));
}
