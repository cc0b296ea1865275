//! The device cloud at work: threads, queues and timers around the deciding core of `hexmq-device`.
//!
//! [`Cloud`] is all there is to the outside. What it decides is decided by `hexmq-device` and the dialects; what it
//! keeps is kept by a registry and a history; what it sends goes through a fleet. It knows no vendor, no socket and
//! no SQL.
//!
//! Guarantees: an uplink counts as done when its effects are in the data base, and is then never stored again; a data
//! base that is away, slow or full delays and is told of, and loses nothing that was acknowledged; every queue is
//! bounded, by a number here or by the window of the shards.

mod announce;
mod asking;
mod boot;
mod cache;
mod cloud;
mod commands;
mod core;
mod decide;
mod dispatch;
mod documents;
mod entry;
mod face;
mod files;
mod intake;
mod keeper;
mod keys;
mod live;
mod loglines;
mod models;
mod presence;
mod random;
mod registered;
mod settings;
mod table;
mod times;
mod topology;
mod webhook;
mod webhooks;

pub use cloud::{Admitted, Claimed, Cloud, Handed, Setup};
pub use settings::Settings;
pub use webhook::signature;
