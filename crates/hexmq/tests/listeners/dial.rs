//! Clients over TLS and WebSocket that speak bytes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::certificates::{House, Pair};
use crate::serving::{Client, Server};

pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A server with these listeners on any free port each, besides `mqtt://`, and the house's certificate.
pub(crate) fn start(house: &House, schemes: &[&str], more: &[&str]) -> Server {
    let mut arguments = house.flags();
    for scheme in schemes {
        let path = if scheme.starts_with("ws") { "/mqtt" } else { "" };
        arguments.push(format!("--listen={scheme}://127.0.0.1:0{path}"));
    }
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Server::start(&[&["--ephemeral"], &arguments[..]].concat())
}

/// The socket address of a listener.
pub(crate) fn address(server: &Server, scheme: &str) -> String {
    let address = server.addresses(scheme).first().unwrap_or_else(|| panic!("no {scheme}")).clone();
    address.trim_end_matches("/mqtt").to_owned()
}

/// How a client of TLS is made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tls<'a> {
    pub(crate) version: Option<&'static SupportedProtocolVersion>,
    pub(crate) shows: Option<&'a Pair>,
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

impl Tls<'_> {
    pub(crate) fn config(self, house: &House) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(house.authority_der.clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = self.version.map_or(BOTH.to_vec(), |version| vec![version]);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("versions")
            .with_root_certificates(roots);
        let config = match self.shows {
            None => builder.with_no_client_auth(),
            Some(pair) => builder
                .with_client_auth_cert(vec![pair.certificate.clone()], pair.private_key())
                .expect("it fits"),
        };
        Arc::new(config)
    }

    pub(crate) fn over(self, house: &House, socket: TcpStream) -> TlsStream {
        over(self.config(house), socket)
    }

    pub(crate) fn to(self, house: &House, address: &str) -> Client<TlsStream> {
        Client { stream: self.over(house, Client::to(address).stream) }
    }
}

/// TLS over a connection.
pub(crate) fn over(config: Arc<ClientConfig>, socket: TcpStream) -> TlsStream {
    let name = "localhost".to_owned().try_into().expect("a name");
    StreamOwned::new(ClientConnection::new(config, name).expect("a connection"), socket)
}

/// A client of TLS on the first listener of a scheme.
pub(crate) fn tls(server: &Server, house: &House, scheme: &str) -> Client<TlsStream> {
    Tls::default().to(house, &address(server, scheme))
}

/// Packets in WebSocket frames: what is written is one frame, what is read is what comes in binary ones.
pub(crate) struct Framed<S> {
    pub(crate) inner: S,
    plain: VecDeque<u8>,
    /// Frames that are not binary: opcode and payload.
    pub(crate) heard: Vec<(u8, Vec<u8>)>,
}

/// The request that begins it.
pub(crate) fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: mqtt\r\n{more}\r\n"
    )
}

/// A frame as a client sends it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        middle @ 126..=0xFFFF => {
            bytes.push(0xFE);
            bytes.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The head of an HTTP answer.
pub(crate) fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {head:?}"));
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

impl<S: Read + Write> Framed<S> {
    /// Asks for it and expects that it is given.
    pub(crate) fn open(mut inner: S, more: &str) -> Client<Framed<S>> {
        inner.write_all(request("/mqtt", more).as_bytes()).expect("written");
        inner.flush().expect("written");
        Framed::answered(inner)
    }

    /// The request has been sent.
    pub(crate) fn answered(mut inner: S) -> Client<Framed<S>> {
        let head = head(&mut inner);
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        assert!(head.contains("Sec-WebSocket-Protocol: mqtt\r\n"), "{head}");
        Framed::over(inner)
    }

    /// The answer has been read.
    pub(crate) fn over(inner: S) -> Client<Framed<S>> {
        Client { stream: Framed { inner, plain: VecDeque::new(), heard: Vec::new() } }
    }

    /// The next frame: opcode and payload.
    pub(crate) fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.inner.read_exact(&mut head)?;
        assert_eq!(head[0] & 0xF0, 0x80, "one frame is one message");
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.inner.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.inner.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            short => short.into(),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.inner.read_exact(&mut payload)?;
        Ok((head[0] & 0x0F, payload))
    }
}

impl<S: Read + Write> Read for Framed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.plain.is_empty() {
            match self.frame() {
                Ok((2, payload)) => self.plain.extend(payload),
                Ok(other) => self.heard.push(other),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        self.plain.read(buffer)
    }
}

impl<S: Read + Write> Write for Framed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(&frame(0x82, bytes))?;
        self.inner.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A client of `ws://`.
pub(crate) fn websocket(server: &Server) -> Client<Framed<TcpStream>> {
    Framed::open(Client::to(address(server, "ws")).stream, "")
}
