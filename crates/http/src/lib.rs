//! The HTTP control plane: health, status, metrics, the explainer and the flight recorder.
//!
//! It runs on one thread of its own and asks the shards through a [`Backend`] with a deadline;
//! nobody reads a shard's memory from here. Every error has the same shape:
//! `{"error":{"code":"stable_name","message":"…","hint":"…"}}`.
//!
//! Guarantees: connections, idle time and body sizes are bounded; the administrator's password is
//! compared in constant time; nothing but health is told without it.

mod api;
mod auth;
mod error;
mod explain;
mod recorder;
mod serve;
mod socket;
mod status;

pub use auth::AdminPassword;
pub use serve::{Server, Service};
pub use status::Backend;
