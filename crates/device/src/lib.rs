//! The words that the dialects of device clouds share: what a device reports ([`Value`], [`Time`]),
//! where it stands in the bytes ([`Span`]), and how devices sign ([`mac`]).
//!
//! Guarantees: reading never panics and never recurses without a bound, whatever the bytes are;
//! everything that is read keeps its place, so that a person can be shown the very byte. No I/O, no
//! clock.

pub mod json;
pub mod mac;
mod span;
mod time;
mod value;

pub use span::Span;
pub use time::{CivilTime, Time};
pub use value::Value;
