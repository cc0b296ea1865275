//! Packets in the forms other tools take: source code, command lines, AT commands.
//!
//! Forms that carry bytes ([`annotated`], [`c_array`], [`python`], [`AtModule`]s that speak TCP) take any
//! bytes, also those of wrong packets. Forms that name fields ([`mosquitto`], modules that build
//! packets themselves) take what those tools can say, and refuse the rest by name.

mod at;
mod code;
mod error;
mod mosquitto;
mod session;
mod shell;
mod text;

pub use at::AtModule;
pub use code::{c_array, python};
pub use error::ExportError;
pub use mosquitto::mosquitto;
pub use session::Session;
pub use text::annotated;
