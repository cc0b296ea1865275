//! Listeners over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use hexmq_transport::{Acceptor, Arrival, Endpoint, ListenUrl, Listener, Stream};
use mio::{Events, Interest, Poll, Token};

fn bind(url: &str) -> Vec<Listener> {
    let endpoint: ListenUrl = url.parse().expect("a URL");
    Listener::bind(&endpoint, std::slice::from_ref(&endpoint)).expect("bound")
}

/// Waits for the listener's edge and takes the connection.
fn accept(poll: &mut Poll, acceptor: &mut Acceptor) -> Stream {
    let mut events = Events::with_capacity(8);
    loop {
        if let Arrival::Connection(accepted) = acceptor.accept() {
            return accepted.stream;
        }
        poll.poll(&mut events, None).expect("polled");
    }
}

fn registered(listener: &Listener) -> (Poll, Acceptor) {
    let poll = Poll::new().expect("a poll");
    let mut acceptor = listener.acceptor().expect("an acceptor");
    poll.registry().register(&mut acceptor, Token(0), Interest::READABLE).expect("registered");
    (poll, acceptor)
}

/// [V4 MQTT-7.1.1-1, V5 MQTT-4.2.0-1]
#[test]
fn port_zero_becomes_a_real_port_and_accepts() {
    let listeners = bind("mqtt://127.0.0.1:0");
    let url = listeners[0].url();
    let address: SocketAddr = url.strip_prefix("mqtt://").expect("mqtt").parse().expect("an address");
    assert_ne!(address.port(), 0);
    let (mut poll, mut acceptor) = registered(&listeners[0]);
    let mut client = TcpStream::connect(address).expect("connected");
    let stream = accept(&mut poll, &mut acceptor);
    assert!(stream.short_read_is_empty());
    assert!(
        matches!(&stream, Stream::Tcp(stream) if stream.nodelay().expect("asked")),
        "writes are whole turns"
    );
    drop(stream);
    assert_eq!(client.read(&mut [0; 1]).expect("closed"), 0);
    assert!(matches!(acceptor.accept(), Arrival::Nobody));
}

#[test]
fn a_port_in_use_is_told() {
    let listeners = bind("mqtt://127.0.0.1:0");
    let endpoint: ListenUrl = listeners[0].url().parse().expect("a URL");
    let error = Listener::bind(&endpoint, &[]).expect_err("in use");
    assert!(error.to_string().contains("another program listens there"), "{error}");
}

/// [V4 MQTT-7.1.1-1, V5 MQTT-4.2.0-1]
#[test]
fn a_unix_socket_file_comes_and_goes() {
    let path = std::env::temp_dir().join(format!("hexmq-listen-{}.sock", std::process::id()));
    let url = format!("unix://{}", path.display());
    // A stale file, as a killed server leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let listeners = bind(&url);
    assert_eq!(listeners[0].url(), url);
    let (mut poll, mut acceptor) = registered(&listeners[0]);
    let mut client = UnixStream::connect(&path).expect("connected");
    let mut stream = accept(&mut poll, &mut acceptor);
    stream.write_all(b"x").expect("written");
    client.read_exact(&mut [0; 1]).expect("read");
    // Somebody listens: it must not be taken away.
    let endpoint: ListenUrl = url.parse().expect("a URL");
    assert!(Listener::bind(&endpoint, &[]).is_err());
    assert!(path.exists());
    drop(listeners);
    assert!(!path.exists());
}

#[test]
fn a_plain_file_is_never_removed() {
    let path = std::env::temp_dir().join(format!("hexmq-plain-{}.sock", std::process::id()));
    std::fs::write(&path, b"keep").expect("written");
    let endpoint = ListenUrl::from(Endpoint::Unix(path.clone()));
    assert!(Listener::bind(&endpoint, &[]).is_err());
    assert_eq!(std::fs::read(&path).expect("read"), b"keep");
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn both_families_may_share_a_port() {
    let v4 = bind("mqtt://0.0.0.0:0");
    let port = v4[0].url().rsplit(':').next().expect("a port").to_owned();
    let four: ListenUrl = format!("mqtt://0.0.0.0:{port}").parse().expect("a URL");
    let six: ListenUrl = format!("mqtt://[::]:{port}").parse().expect("a URL");
    match Listener::bind(&six, &[four, six.clone()]) {
        Ok(listeners) => assert_eq!(listeners[0].url(), six.to_string()),
        // A machine without IPv6.
        Err(error) => assert!(!std::path::Path::new("/proc/net/if_inet6").exists(), "{error}"),
    }
}
