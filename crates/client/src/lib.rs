//! The MQTT client: a deciding core, a blocking driver, and a load generator.
//!
//! [`Client`] is the core: packets and a time go in, bytes and [`Event`]s come out. It does no I/O
//! and reads no clock, so a test is a dialogue. [`Driver`] is the thin loop around it: one socket
//! (TCP or Unix), one `poll`, reconnecting with back-off.
//!
//! [`load`] is many clients in one loop that measure a server.
//!
//! Guarantees: every packet of the server is answered as its QoS demands, in the order of arrival;
//! no more than the server's Receive Maximum is in flight; a message published with QoS 1 or 2 is
//! kept until it is acknowledged, and sent again after a reconnection.
//!
//! Not here: what to do with a message, and WebSocket.

mod client;
mod driver;
pub mod load;
mod options;

pub use client::{Client, Event, Failure, Message, PublishError, RequestError, Ticket};
pub use driver::{Backoff, Direction, Driver, Loss, Observer, Step};
pub use options::{Options, WillMessage};
