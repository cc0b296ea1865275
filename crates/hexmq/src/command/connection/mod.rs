//! A network connection that a person speaks over by hand: where to, over TLS or not, and the bytes
//! both ways.

mod link;
mod target;
mod tls;

pub(crate) use link::{Heard, Link, poll_until};
pub(crate) use target::Target;
pub(crate) use tls::TlsArgs;
