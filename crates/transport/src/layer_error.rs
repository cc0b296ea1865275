//! Why TLS or WebSocket did not come about, or broke.

use std::fmt;
use std::io;

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// What went wrong in a layer over the socket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum LayerRule { $($(#[$doc])* $variant,)+ }

        impl LayerRule {
            /// Every value, for those who have words for each.
            pub const ALL: &'static [LayerRule] = &[$(LayerRule::$variant,)+];

            /// The stable name in snake_case.
            pub const fn name(self) -> &'static str {
                match self { $(LayerRule::$variant => $text,)+ }
            }
        }
    };
}

rules! {
    /// The first byte begins no TLS handshake.
    NotTls = "not_tls",
    /// The TLS handshake was begun and not finished.
    TlsIncomplete = "tls_incomplete",
    /// A client certificate is required, and none was shown.
    TlsClientCertificateMissing = "tls_client_certificate_missing",
    /// The client's certificate is not one of the authorities', or has expired.
    TlsClientCertificateRefused = "tls_client_certificate_refused",
    /// The client does not take the server's certificate.
    TlsServerNotTrusted = "tls_server_not_trusted",
    /// No version, cipher suite or kind of key is common to both.
    TlsNothingInCommon = "tls_nothing_in_common",
    /// Anything else that ends TLS.
    TlsBroken = "tls_broken",
    /// The first bytes are no HTTP request.
    NotWebSocket = "not_websocket",
    /// The HTTP request was begun and not finished.
    WebSocketIncomplete = "websocket_incomplete",
    /// An HTTP request that does not lead to MQTT over WebSocket.
    WebSocketRefused = "websocket_refused",
    /// A frame breaks a rule of WebSocket, or of MQTT over it.
    WebSocketFrame = "websocket_frame",
}

impl LayerRule {
    /// Whether it is about TLS; else it is about WebSocket.
    pub const fn is_tls(self) -> bool {
        !matches!(
            self,
            LayerRule::NotWebSocket
                | LayerRule::WebSocketIncomplete
                | LayerRule::WebSocketRefused
                | LayerRule::WebSocketFrame
        )
    }
}

/// A layer gave up. Reading such a stream fails with this inside the [`io::Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerError {
    /// What went wrong.
    pub rule: LayerRule,
    /// The circumstances, for people; may be empty.
    pub detail: String,
    /// What the peer had sent, from its first byte on; at most 64 KiB.
    pub seen: Vec<u8>,
    /// Bytes the peer had sent, kept or not.
    pub sent: usize,
}

impl LayerError {
    /// With nothing seen.
    pub(crate) fn new(rule: LayerRule, detail: impl Into<String>) -> LayerError {
        LayerError { rule, detail: detail.into(), seen: Vec::new(), sent: 0 }
    }

    /// With what the peer had sent.
    pub(crate) fn seen(mut self, seen: &[u8], sent: usize) -> LayerError {
        self.seen = seen.to_vec();
        self.sent = sent;
        self
    }

    /// The one inside an error of a stream.
    pub fn of(error: &io::Error) -> Option<&LayerError> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<LayerError> for io::Error {
    fn from(error: LayerError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.as_str() {
            "" => f.write_str(self.rule.name()),
            detail => write!(f, "{}: {detail}", self.rule.name()),
        }
    }
}

impl std::error::Error for LayerError {}
