//! Where a byte stream begins: a TCP port or a Unix socket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// An address to listen on, or to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `mqtt://HOST:PORT`. The host is a name, an IPv4 address, or an IPv6 address (written in
    /// brackets in the URL, kept without); port 0 means any free one.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// `unix:///path`: a Unix stream socket.
    Unix(PathBuf),
}

/// The port of `mqtt://HOST` without one.
const MQTT_PORT: u16 = 1883;

/// What can be connected to by URL, for messages.
const PLAIN_SCHEMES: &str = "there are mqtt://HOST:PORT and unix:///path";
/// What can be listened on, for messages.
pub(crate) const SCHEMES: &str =
    "there are mqtt://HOST:PORT, mqtts://, auto://, ws://HOST:PORT/mqtt, wss:// and unix:///path";

/// Why a URL was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// No `scheme://`.
    NoScheme(String),
    /// A scheme of MQTT over TLS or WebSocket, where a plain byte stream is asked for.
    NotPlain(String),
    /// A scheme nobody knows, and those there are.
    UnknownScheme(String, &'static str),
    /// `mqtt://` without a host.
    NoHost(String),
    /// The port is not a number from 0 to 65535.
    Port(String),
    /// Something after the port.
    Path(String),
    /// A path that a WebSocket request cannot name.
    WebSocketPath(String),
    /// An IPv6 address needs brackets: `[::1]:1883`.
    Brackets(String),
    /// A Unix socket needs an absolute path of 1 to 107 bytes: `unix:///run/hexmq.sock`.
    UnixPath(String),
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme(url) => write!(f, "`{url}` has no scheme; write mqtt://{url} (or unix:///path)"),
            Self::NotPlain(scheme) => {
                write!(f, "`{scheme}://` is served, and not connected to from here; {PLAIN_SCHEMES}")
            }
            Self::UnknownScheme(scheme, schemes) => write!(f, "unknown scheme `{scheme}`; {schemes}"),
            Self::NoHost(url) => write!(f, "`{url}` names no host; 0.0.0.0 or [::] listens on every address"),
            Self::Port(port) => write!(f, "`{port}` is not a port; 0 to 65535, 0 takes any free one"),
            Self::Path(path) => write!(f, "`{path}` after the port: such a URL ends with the port"),
            Self::WebSocketPath(path) => {
                write!(f, "`{path}` is no path for WebSocket; write one of letters and digits, such as /mqtt")
            }
            Self::Brackets(host) => write!(f, "an IPv6 address is written in brackets: [{host}]"),
            Self::UnixPath(path) => write!(
                f,
                "`{path}` is not an absolute path of at most 107 bytes; write unix:///run/hexmq.sock"
            ),
        }
    }
}

impl std::error::Error for EndpointError {}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(EndpointError::NoScheme(url.to_owned()));
        };
        match scheme {
            "mqtt" | "tcp" => Endpoint::parse_tcp(url, rest, MQTT_PORT),
            "unix" => parse_unix(rest),
            "mqtts" | "ws" | "wss" | "auto" => Err(EndpointError::NotPlain(scheme.to_owned())),
            _ => Err(EndpointError::UnknownScheme(scheme.to_owned(), PLAIN_SCHEMES)),
        }
    }
}

impl Endpoint {
    /// Reads `HOST[:PORT][/]`; `url` is for messages.
    pub(crate) fn parse_tcp(url: &str, rest: &str, usual_port: u16) -> Result<Endpoint, EndpointError> {
        let authority = match rest.split_once('/') {
            None | Some((_, "")) => rest.trim_end_matches('/'),
            Some((_, path)) => return Err(EndpointError::Path(format!("/{path}"))),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) =
                    inner.split_once(']').ok_or_else(|| EndpointError::Brackets(inner.to_owned()))?;
                (host, after.strip_prefix(':').or(after.is_empty().then_some("")).map(|p| (p, after)))
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some((port, authority))),
                None => (authority, Some(("", authority))),
            },
        };
        if !authority.starts_with('[') && host.contains(':') {
            return Err(EndpointError::Brackets(authority.to_owned()));
        }
        if host.is_empty() {
            return Err(EndpointError::NoHost(url.to_owned()));
        }
        let port = match port {
            Some(("", whole)) if !whole.ends_with(':') => usual_port,
            Some((text, _)) if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| EndpointError::Port(text.to_owned()))?
            }
            Some((text, _)) => return Err(EndpointError::Port(text.to_owned())),
            None => return Err(EndpointError::Port(authority.to_owned())),
        };
        Ok(Endpoint::Tcp { host: host.to_owned(), port })
    }
}

fn parse_unix(path: &str) -> Result<Endpoint, EndpointError> {
    // sockaddr_un holds 108 bytes, one of them the closing NUL.
    if !path.starts_with('/') || path.len() < 2 || path.len() > 107 || path.contains('\0') {
        return Err(EndpointError::UnixPath(path.to_owned()));
    }
    Ok(Endpoint::Unix(PathBuf::from(path)))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "mqtt://[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "mqtt://{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::Tcp { host: host.to_owned(), port })
    }

    #[test]
    fn urls_are_understood() {
        assert_eq!("mqtt://127.0.0.1:1883".parse(), tcp("127.0.0.1", 1883));
        assert_eq!("mqtt://localhost:0".parse(), tcp("localhost", 0));
        assert_eq!("mqtt://localhost".parse(), tcp("localhost", 1883));
        assert_eq!("mqtt://[::1]:18".parse(), tcp("::1", 18));
        assert_eq!("mqtt://[::]".parse(), tcp("::", 1883));
        assert_eq!("mqtt://0.0.0.0:6002/".parse(), tcp("0.0.0.0", 6002));
        assert_eq!("unix:///run/x".parse(), Ok(Endpoint::Unix("/run/x".into())));
    }

    #[test]
    fn wrong_urls_are_refused_by_kind() {
        use EndpointError as E;
        let cases = [
            ("127.0.0.1:1883", E::NoScheme("127.0.0.1:1883".into())),
            ("mqtts://h:8883", E::NotPlain("mqtts".into())),
            ("ws://h:80/mqtt", E::NotPlain("ws".into())),
            ("wss://h:80/mqtt", E::NotPlain("wss".into())),
            ("auto://h:80", E::NotPlain("auto".into())),
            ("http://h:80", E::UnknownScheme("http".into(), PLAIN_SCHEMES)),
            ("mqtt://:1883", E::NoHost("mqtt://:1883".into())),
            ("mqtt://h:65536", E::Port("65536".into())),
            ("mqtt://h:+1", E::Port("+1".into())),
            ("mqtt://h:", E::Port(String::new())),
            ("mqtt://[::1]x", E::Port("[::1]x".into())),
            ("mqtt://h:1/x", E::Path("/x".into())),
            ("mqtt://::1:1883", E::Brackets("::1:1883".into())),
            ("mqtt://[::1", E::Brackets("::1".into())),
            ("unix://run/x", E::UnixPath("run/x".into())),
            ("unix:///", E::UnixPath("/".into())),
        ];
        for (url, error) in cases {
            assert_eq!(url.parse::<Endpoint>(), Err(error), "{url}");
        }
        let long = format!("unix:///{}", "x".repeat(107));
        assert!(matches!(long.parse::<Endpoint>(), Err(E::UnixPath(_))));
    }

    #[test]
    fn display_is_the_url() {
        for url in ["mqtt://[::1]:5", "mqtt://h:0", "unix:///a/b"] {
            assert_eq!(url.parse::<Endpoint>().map(|e| e.to_string()), Ok(url.to_owned()));
        }
    }
}
