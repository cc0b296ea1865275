//! Commands that connect over TLS, through a door that takes it off in front of `hexmq serve`.

#[allow(dead_code, reason = "other tests use more of it")]
mod serving;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use serving::Server;

/// A listener with TLS, whose connections go on to the server without it.
struct Door {
    port: u16,
    certificate: PathBuf,
}

impl Door {
    fn before(server: &Server, name: &str) -> Door {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = std::env::temp_dir().join(format!("hexmq-tls-{}-{name}.pem", std::process::id()));
        std::fs::write(&certificate, made.cert.pem()).expect("written");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("it fits");
        let config = Arc::new(config);
        let listener = TcpListener::bind("localhost:0").expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let address = server.address();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                let inside = TcpStream::connect(&address).expect("the server is there");
                std::thread::spawn(move || {
                    // A client that does not trust us ends the connection.
                    let _ = pass(connection, client, inside);
                });
            }
        });
        Door { port, certificate }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
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
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.certificate);
    }
}

/// Passes bytes on until one side ends.
fn pass(mut tls: ServerConnection, mut outside: TcpStream, mut inside: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut outside)?;
        }
        let mut fds = [
            PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&outside), PollFlags::IN),
            PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&inside), PollFlags::IN),
        ];
        poll(&mut fds, None)?;
        let [from_outside, from_inside] = [0, 1].map(|index: usize| !fds[index].revents().is_empty());
        if from_outside {
            if tls.read_tls(&mut outside)? == 0 {
                return Ok(());
            }
            let state = tls.process_new_packets().map_err(std::io::Error::other)?;
            let mut bytes = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut bytes)?;
            inside.write_all(&bytes)?;
        }
        if from_inside {
            let count = inside.read(&mut buffer)?;
            if count == 0 {
                tls.send_close_notify();
                tls.write_tls(&mut outside)?;
                return Ok(());
            }
            tls.writer().write_all(&buffer[..count])?;
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn raw_speaks_over_tls() {
    let server = Server::start(&["--ephemeral"]);
    let door = Door::before(&server, "raw");
    let certificate = door.certificate.to_str().expect("text");
    let lines =
        "CONNECT v4 id=x clean_start\nexpect CONNACK 0x00 session_present=0\nDISCONNECT\nwait closed\n";
    for target in [format!("localhost:{}", door.port), format!("mqtts://localhost:{}", door.port)] {
        let output = door.run(&["raw", &target, "--cafile", certificate], lines);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        assert!(text(&output.stdout).contains("(tls)"), "{}", text(&output.stdout));
    }
    let output = door.run(&["raw", &format!("localhost:{}", door.port), "--insecure"], lines);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // Nobody has signed this certificate.
    let output = door.run(&["raw", &format!("mqtts://localhost:{}", door.port)], lines);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn pub_and_sub_speak_over_tls() {
    let server = Server::start(&["--ephemeral"]);
    let door = Door::before(&server, "pub");
    let (port, certificate) = (door.port.to_string(), door.certificate.to_str().expect("text").to_owned());
    let options = ["-h", "localhost", "-p", &port, "--cafile", &certificate];
    let large = "x".repeat(300_000);
    for (message, qos) in [("hello", "0"), ("hello", "2"), (large.as_str(), "1")] {
        let arguments = [&["pub"], &options[..], &["-t", "a", "-r", "-q", qos, "-s"]].concat();
        let output = door.run(&arguments, message);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        let arguments = [&["sub"], &options[..], &["-t", "a", "-C", "1"]].concat();
        let output = door.run(&arguments, "");
        assert_eq!((output.status.code(), text(&output.stdout).trim_end().len()), (Some(0), message.len()));
    }
    let arguments = ["pub", "-h", "localhost", "-p", &port, "-t", "a", "-m", "x", "--cafile", "no such file"];
    let output = door.run(&arguments, "");
    assert!(
        !output.status.success() && text(&output.stderr).contains("no such file"),
        "{}",
        text(&output.stderr)
    );
}
