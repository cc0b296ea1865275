//! The HTTP control plane: health, status, metrics, the explainer, the flight recorder and the device cloud.
//!
//! It runs on one thread of its own and asks the shards through a [`Backend`] with a deadline;
//! nobody reads a shard's memory from here. Every error has the same shape:
//! `{"error":{"code":"stable_name","message":"…","hint":"…"}}`.
//!
//! Guarantees: connections, idle time, body sizes and calls under way are bounded, so that a data base that does
//! not answer holds up nobody who does not ask it; the administrator's password is compared in constant time;
//! nothing but health and this API's description is told without a password, a key or a token.

mod access;
mod api;
mod auth;
mod cloud;
mod desk;
mod error;
pub mod examples;
mod explain;
mod input;
mod openapi;
mod recorder;
mod serve;
mod socket;
mod status;
mod times;

pub use auth::AdminPassword;
pub use openapi::text as openapi;
pub use serve::{DeviceFace, Server, Service};
pub use status::Backend;
