//! Byte streams: listeners, accepted connections, connections to servers, and the descriptors they cost.
//!
//! Guarantees: an accept error never ends a listener; running out of descriptors is told to the
//! caller, who pauses, while the connections that wait are shed instead of left hanging; a Unix
//! socket's file is removed only if nobody listens on it.
//!
//! Not here: anything of MQTT, TLS of listeners, WebSocket.

mod accept;
mod descriptors;
mod dial;
mod endpoint;
mod listener;
mod stream;
mod tls;

pub use accept::{Accepted, Acceptor, Arrival};
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use dial::{Dial, Dialed};
pub use endpoint::{Endpoint, EndpointError};
pub use listener::{BindError, Listener};
pub use stream::{PeerAddress, Stream};
pub use tls::{TlsConnector, TlsError, TlsOptions, TlsStream, TlsVersion};
