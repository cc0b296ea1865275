//! What to listen on: the URLs of `--listen`.

use std::fmt;
use std::str::FromStr;

use crate::endpoint::SCHEMES;
use crate::{Endpoint, EndpointError};

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `mqtt://`: plain TCP.
    Mqtt,
    /// `mqtts://`: TLS.
    Mqtts,
    /// `auto://`: TLS where the first byte is that of a handshake record (0x16), else plain.
    Auto,
    /// `ws://`: WebSocket.
    Ws,
    /// `wss://`: WebSocket over TLS.
    Wss,
    /// `unix://`: a Unix stream socket.
    Unix,
}

impl Scheme {
    /// As it stands in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Mqtt => "mqtt",
            Scheme::Mqtts => "mqtts",
            Scheme::Auto => "auto",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
            Scheme::Unix => "unix",
        }
    }

    /// Whether a certificate is needed.
    pub const fn speaks_tls(self) -> bool {
        matches!(self, Scheme::Mqtts | Scheme::Auto | Scheme::Wss)
    }

    /// Whether MQTT travels in WebSocket frames.
    pub const fn speaks_websocket(self) -> bool {
        matches!(self, Scheme::Ws | Scheme::Wss)
    }

    /// The port of a URL without one.
    const fn port(self) -> u16 {
        match self {
            Scheme::Mqtt | Scheme::Auto | Scheme::Unix => 1883,
            Scheme::Mqtts => 8883,
            Scheme::Ws => 80,
            Scheme::Wss => 443,
        }
    }
}

/// A URL to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListenUrl {
    /// What is spoken there.
    pub scheme: Scheme,
    /// Where.
    pub endpoint: Endpoint,
    /// The path of `ws://` and `wss://`, from its `/` on; empty for others.
    pub path: String,
}

/// The path of `ws://HOST:PORT` without one, where clients look for MQTT.
const WEBSOCKET_PATH: &str = "/mqtt";

impl FromStr for ListenUrl {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(EndpointError::NoScheme(url.to_owned()));
        };
        let scheme = match scheme {
            "mqtt" | "tcp" => Scheme::Mqtt,
            "mqtts" => Scheme::Mqtts,
            "auto" => Scheme::Auto,
            "ws" => Scheme::Ws,
            "wss" => Scheme::Wss,
            "unix" => Scheme::Unix,
            _ => return Err(EndpointError::UnknownScheme(scheme.to_owned(), SCHEMES)),
        };
        if scheme == Scheme::Unix {
            return Ok(ListenUrl { scheme, endpoint: url.parse()?, path: String::new() });
        }
        let (authority, path) = match rest.find('/').map(|at| rest.split_at(at)) {
            Some((authority, path)) if scheme.speaks_websocket() => (authority, path),
            None if scheme.speaks_websocket() => (rest, WEBSOCKET_PATH),
            _ => (rest, ""),
        };
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
            return Err(EndpointError::WebSocketPath(path.to_owned()));
        }
        let endpoint = Endpoint::parse_tcp(url, authority, scheme.port())?;
        Ok(ListenUrl { scheme, endpoint, path: path.to_owned() })
    }
}

impl fmt::Display for ListenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.endpoint.to_string();
        match plain.strip_prefix("mqtt://") {
            Some(authority) => write!(f, "{}://{authority}{}", self.scheme.name(), self.path),
            None => f.write_str(&plain),
        }
    }
}

impl From<Endpoint> for ListenUrl {
    /// Nothing over the byte stream.
    fn from(endpoint: Endpoint) -> ListenUrl {
        let scheme = match endpoint {
            Endpoint::Tcp { .. } => Scheme::Mqtt,
            Endpoint::Unix(_) => Scheme::Unix,
        };
        ListenUrl { scheme, endpoint, path: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        url.parse::<ListenUrl>().map_or_else(|error| error.to_string(), |url| url.to_string())
    }

    #[test]
    fn every_scheme_has_its_port_and_shape() {
        for (url, whole) in [
            ("mqtt://h", "mqtt://h:1883"),
            ("tcp://h:7", "mqtt://h:7"),
            ("mqtts://h", "mqtts://h:8883"),
            ("mqtts://[::]:0/", "mqtts://[::]:0"),
            ("auto://0.0.0.0", "auto://0.0.0.0:1883"),
            ("ws://h", "ws://h:80/mqtt"),
            ("ws://h:8083/", "ws://h:8083/"),
            ("ws://[::1]:8083/a/b", "ws://[::1]:8083/a/b"),
            ("wss://h/mqtt", "wss://h:443/mqtt"),
            ("unix:///run/x", "unix:///run/x"),
        ] {
            assert_eq!(shown(url), whole);
            assert_eq!(shown(whole), whole);
        }
    }

    #[test]
    fn wrong_urls_are_told_what_there_is() {
        let schemes = "mqtt://HOST:PORT, mqtts://, auto://, ws://HOST:PORT/mqtt, wss:// and unix:///path";
        for (url, part) in [
            ("http://h:80", schemes),
            ("h:1883", "mqtt://h:1883"),
            ("mqtts://h:1/x", "ends with the port"),
            ("auto://", "names no host"),
            ("ws://h:99999/mqtt", "not a port"),
            ("ws://h/a b", "path"),
            ("ws://h/mqtt?x", "path"),
            ("wss://::1/mqtt", "brackets"),
        ] {
            assert!(shown(url).contains(part), "{url}: {}", shown(url));
        }
    }
}
