//! The HTTP request that asks for MQTT over WebSocket, and the answer to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Bytes of a request at most.
pub(crate) const HEAD_BYTES_MAX: usize = 8192;
const HEADERS_MAX: usize = 64;
/// What a key is joined with (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Names of MQTT as a sub-protocol; the second is what clients of 3.1 ask for.
const SUB_PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// What a request asks for, where it can have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// The answer.
    pub(crate) response: String,
    /// Bytes of the request; what follows belongs to the first frame.
    pub(crate) length: usize,
    /// The page that asks, if a browser does.
    pub(crate) origin: Option<String>,
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The answer.
    pub(crate) response: String,
    /// Why, for people.
    pub(crate) why: String,
}

/// Reads a request. `None`: it is not whole yet.
pub(crate) fn read(bytes: &[u8], path: &str) -> Option<Result<Upgrade, Refused>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Some(judge(&request, length, path)),
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => None,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => Some(Err(refuse(
            "431 Request Header Fields Too Large",
            "",
            format!("a request has at most {HEADERS_MAX} headers and {HEAD_BYTES_MAX} bytes here"),
        ))),
        Err(error) => {
            Some(Err(refuse("400 Bad Request", "", format!("this is no HTTP/1.1 request: {error}"))))
        }
    }
}

fn judge(request: &httparse::Request<'_, '_>, length: usize, path: &str) -> Result<Upgrade, Refused> {
    let all = |name: &str| {
        let values = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let texts: Vec<String> =
            values.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect();
        texts.join(",")
    };
    let lists =
        |name: &str, wanted: &str| all(name).split(',').any(|item| item.trim().eq_ignore_ascii_case(wanted));
    if request.method != Some("GET") {
        let why = "MQTT over WebSocket begins with GET";
        return Err(refuse("405 Method Not Allowed", "Allow: GET\r\n", why));
    }
    if request.version != Some(1) {
        return Err(refuse("505 HTTP Version Not Supported", "", "WebSocket needs HTTP/1.1"));
    }
    let asked = request.path.unwrap_or_default();
    if asked.split('?').next() != Some(path) {
        let why = format!("{asked} is not here; MQTT over WebSocket is at {path}");
        return Err(refuse("404 Not Found", "", why));
    }
    if !lists("Upgrade", "websocket") || !lists("Connection", "upgrade") {
        let why =
            "this is the place of MQTT over WebSocket; the request does not ask for it (Upgrade: websocket)";
        return Err(refuse("426 Upgrade Required", "Upgrade: websocket\r\nConnection: Upgrade\r\n", why));
    }
    if all("Sec-WebSocket-Version") != "13" {
        let why = "Sec-WebSocket-Version must be 13";
        return Err(refuse("426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n", why));
    }
    let key = all("Sec-WebSocket-Key");
    if STANDARD.decode(key.trim()).ok().is_none_or(|key| key.len() != 16) {
        return Err(refuse("400 Bad Request", "", "Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    // [V4 MQTT-6.0.0-3, V5 MQTT-6.0.0-3]
    let Some(protocol) = SUB_PROTOCOLS.into_iter().find(|name| lists("Sec-WebSocket-Protocol", name)) else {
        let offered = all("Sec-WebSocket-Protocol");
        let offered = if offered.is_empty() { "none".to_owned() } else { format!("{offered:?}") };
        let why = format!("Sec-WebSocket-Protocol must offer `mqtt`; it offers {offered}");
        return Err(refuse("400 Bad Request", "", why));
    };
    let accept = STANDARD.encode(Sha1::new().chain_update(key.trim()).chain_update(GUID).finalize());
    // [V4 MQTT-6.0.0-4, V5 MQTT-6.0.0-4]
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    let origin = Some(all("Origin")).filter(|origin| !origin.is_empty());
    Ok(Upgrade { response, length, origin })
}

fn refuse(status: &str, headers: &str, why: impl Into<String>) -> Refused {
    let why = why.into();
    let response = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{why}\n",
        why.len() + 1
    );
    // A header that names the connection already is not followed by a second one.
    let response = match headers.contains("Connection:") {
        true => response.replacen("Connection: close\r\n", "", 1),
        false => response,
    };
    Refused { response, why }
}

/// Whether a page comes from this machine itself.
pub(crate) fn is_local(origin: &str) -> bool {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
                        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                        Sec-WebSocket-Protocol: chat, mqtt\r\n\r\n";

    fn status(request: &str) -> String {
        match read(request.as_bytes(), "/mqtt").expect("whole") {
            Ok(upgrade) => upgrade.response.lines().next().unwrap_or_default().to_owned(),
            Err(refused) => {
                let (head, body) = refused.response.split_once("\r\n\r\n").expect("a body");
                assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
                assert_eq!(head.matches("Connection:").count(), 1, "{head}");
                head.lines().next().unwrap_or_default().to_owned()
            }
        }
    }

    /// [V4 MQTT-6.0.0-4, V5 MQTT-6.0.0-4]
    #[test]
    fn the_answer_is_that_of_the_standard() {
        let upgrade = read(GOOD.as_bytes(), "/mqtt").expect("whole").expect("good");
        // The example of RFC 6455, section 1.3.
        assert!(upgrade.response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(upgrade.response.contains("Sec-WebSocket-Protocol: mqtt\r\n"));
        assert_eq!((upgrade.length, upgrade.origin), (GOOD.len(), None));
        for cut in 0..GOOD.len() {
            assert_eq!(read(&GOOD.as_bytes()[..cut], "/mqtt"), None, "{cut}");
        }
        let old = GOOD.replace("chat, mqtt", "mqttv3.1").replace("/mqtt ", "/mqtt?a=b ");
        let upgrade = read(old.as_bytes(), "/mqtt").expect("whole").expect("good");
        assert!(upgrade.response.contains("Sec-WebSocket-Protocol: mqttv3.1\r\n"));
    }

    /// [V4 MQTT-6.0.0-3, V5 MQTT-6.0.0-3]
    #[test]
    fn a_wrong_request_gets_a_status_and_words() {
        for (from, to, expected) in [
            ("GET", "POST", "405 Method Not Allowed"),
            ("/mqtt", "/other", "404 Not Found"),
            ("HTTP/1.1", "HTTP/1.0", "505 HTTP Version Not Supported"),
            ("Upgrade: WebSocket", "Upgrade: h2c", "426 Upgrade Required"),
            ("keep-alive, Upgrade", "keep-alive", "426 Upgrade Required"),
            ("Version: 13", "Version: 8", "426 Upgrade Required"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", "400 Bad Request"),
            ("chat, mqtt", "chat", "400 Bad Request"),
            ("Sec-WebSocket-Protocol", "X", "400 Bad Request"),
            ("Host: h", "Ho st: h", "400 Bad Request"),
        ] {
            assert_eq!(status(&GOOD.replacen(from, to, 1)), format!("HTTP/1.1 {expected}"), "{to}");
        }
        let long = format!("GET /mqtt HTTP/1.1\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(status(&long), "HTTP/1.1 431 Request Header Fields Too Large");
        let many = GOOD.replace("Host: h", &"A: b\r\n".repeat(70));
        assert_eq!(status(&many), "HTTP/1.1 431 Request Header Fields Too Large");
    }

    #[test]
    fn pages_of_this_machine_are_known() {
        for local in ["http://localhost:18083", "http://127.0.0.1", "https://[::1]:7", "http://127.9.9.9:1"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in
            ["http://localhost.example:1", "https://example.org", "null", "http://[::2]", "http://10.0.0.1"]
        {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
