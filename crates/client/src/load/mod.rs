//! Load for an MQTT server, every delivery expected, counted and checked.
//!
//! Each scenario is a struct of numbers with `run`. It ends by itself: when all has arrived that was
//! sent, each message once and in order, or with what was not so, or when its time is up. Where the
//! process of the server is known, the [`Report`] says what the run has cost it in CPU time and memory.
//!
//! A [`Fleet`] runs any [`Script`] over its connections, a bad network included.
//!
//! One thread, one readiness loop: a delivery costs the generator less than the server, so that it is
//! the server that is measured.

mod account;
mod dial;
mod fleet;
mod histogram;
mod outbox;
mod packets;
mod process;
mod report;
mod scenario;

use std::net::SocketAddr;

pub use fleet::{Fleet, Script, Then};
pub use histogram::Histogram;
pub use outbox::{Faults, Outbox};
pub use report::{Figure, Report, Stretch, Taken};
pub use scenario::{
    Bystanders, Churn, Crowd, Flow, Handout, Idle, Ingest, Overload, Part, Queued, Retained, Sessions, Shape,
    Stalled, Subscriptions, Topics,
};

/// The server under load.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process, when it runs on this machine and its costs are wanted.
    pub pid: Option<u32>,
}
