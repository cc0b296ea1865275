//! Byte streams: listeners, accepted connections, connections to servers, and the descriptors they cost.
//!
//! Guarantees: an accept error never ends a listener; running out of descriptors is told to the
//! caller, who pauses, while the connections that wait are shed instead of left hanging; a Unix
//! socket's file is removed only if nobody listens on it.
//!
//! TLS and WebSocket lie under an accepted [`Stream`] and never block: what they hold back is bounded, and said.
//!
//! Not here: anything of MQTT but where WebSocket wants its name.

mod accept;
mod certificate;
mod descriptors;
mod dial;
mod endpoint;
mod layer_error;
mod layered;
mod listen_url;
mod listener;
mod pem;
mod stream;
mod tls;
mod tls_accepted;
mod tls_identity;
mod websocket;

pub use accept::{Accepted, Acceptor, Arrival};
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use dial::{Dial, Dialed};
pub use endpoint::{Endpoint, EndpointError};
pub use layer_error::{LayerError, LayerRule};
pub use layered::{Introduction, Layered};
pub use listen_url::{ListenUrl, Scheme};
pub use listener::{BindError, Listener};
pub use stream::{PeerAddress, Stream};
pub use tls::{TlsConnector, TlsError, TlsOptions, TlsStream, TlsVersion};
pub use tls_identity::{TlsFileError, TlsFiles, TlsIdentity, TlsServer};
