//! TLS towards a server whose certificate is made here.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use hexmq_transport::{Dial, Dialed, Endpoint, TlsConnector, TlsOptions, TlsVersion};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("hexmq-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server for `localhost` that answers every byte with its upper case until the client ends.
fn server(folder: &Folder) -> (u16, PathBuf, JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = folder.file("server.pem", &made.cert.pem());
    let key = folder.file("server.key", &made.signing_key.serialize_pem());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&certificate).expect("PEM")],
            PrivateKeyDer::from_pem_file(key).expect("PEM"),
        )
        .expect("it fits");
    let listener = TcpListener::bind("localhost:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let running = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("accepted");
        let mut connection = ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut stream = Stream::new(&mut connection, &mut socket);
        let mut buffer = [0; 70_000];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            buffer[..count].make_ascii_uppercase();
            if stream.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    });
    (port, certificate, running)
}

fn dial(port: u16, options: &TlsOptions) -> std::io::Result<Dialed> {
    let tls = TlsConnector::new(options).expect("usable files");
    let endpoint = Endpoint::Tcp { host: "localhost".to_owned(), port };
    Dial { endpoint, bind: None, nodelay: true, tls: Some(tls) }.connect()
}

fn trusting(certificate: &Path) -> TlsOptions {
    TlsOptions { authorities: Some(certificate.to_owned()), ..TlsOptions::default() }
}

/// Waits until the stream can be read.
fn wait(stream: &Dialed) {
    let mut fds = [rustix::event::PollFd::from_borrowed_fd(stream.fd(), rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, None).expect("polled");
}

#[test]
fn bytes_go_both_ways_and_the_end_is_seen() {
    for version in [None, Some(TlsVersion::V1_2), Some(TlsVersion::V1_3)] {
        let folder = Folder::new(&format!("both-ways-{version:?}"));
        let (port, certificate, running) = server(&folder);
        let mut stream = dial(port, &TlsOptions { version, ..trusting(&certificate) }).expect("connected");
        let sent = vec![b'a'; 1_000_000];
        let (mut written, mut got) = (0, Vec::new());
        let mut buffer = vec![0; 32 * 1024];
        while got.len() < sent.len() {
            match stream.write(&sent[written..]) {
                Ok(count) => written += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            match stream.read(&mut buffer) {
                Ok(count) => got.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if written == sent.len() && !stream.wants_write() {
                        wait(&stream);
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(got, vec![b'A'; 1_000_000]);
        stream.shutdown_write().expect("ended");
        running.join().expect("the server has seen the end");
    }
}

#[test]
fn who_is_not_trusted_is_refused_unless_asked_otherwise() {
    let folder = Folder::new("trust");
    let (port, _, running) = server(&folder);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let refused =
        dial(port, &trusting(&folder.file("other.pem", &other.cert.pem()))).expect_err("not trusted");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    running.join().expect("ended");
    let (port, _, running) = server(&folder);
    let mut stream = dial(port, &TlsOptions { insecure: true, ..TlsOptions::default() }).expect("connected");
    stream.shutdown_write().expect("ended");
    running.join().expect("ended");
}

#[test]
fn a_port_without_tls_is_told() {
    let listener = TcpListener::bind("localhost:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let running = std::thread::spawn(move || {
        let (mut socket, _): (TcpStream, _) = listener.accept().expect("accepted");
        let _ = socket.write_all(b"\x20\x02\x00\x00");
    });
    let refused = dial(port, &TlsOptions { insecure: true, ..TlsOptions::default() }).expect_err("no TLS");
    assert!(refused.to_string().contains("TLS"), "{refused}");
    running.join().expect("ended");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new("files");
    let empty = folder.file("empty.pem", "nothing\n");
    let error = |options: TlsOptions| TlsConnector::new(&options).expect_err("refused").to_string();
    assert!(error(trusting(&empty)).contains("empty.pem: no certificate in it"));
    assert!(error(trusting(&folder.0.join("missing.pem"))).contains("missing.pem: "));
    let half = TlsOptions { certificate: Some(empty.clone()), insecure: true, ..TlsOptions::default() };
    assert!(error(half.clone()).contains("both --cert and --key"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = folder.file("client.pem", &made.cert.pem());
    let keyless = TlsOptions { certificate: Some(certificate), key: Some(empty), ..half };
    assert!(error(keyless).contains("empty.pem: no private key in it"));
}
