//! What a case is played on.

use std::collections::VecDeque;
use std::time::Duration;

use hexmq_notation::{Departure, Origin};

/// What has arrived on one connection and was not asked for yet.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Whole packets from the server, oldest first.
    pub packets: VecDeque<Vec<u8>>,
    /// The server has closed the connection, after those packets.
    pub closed: bool,
}

/// A server and the connections to it. Errors are for people.
pub trait Stage {
    /// Opens a connection under a name that is free.
    fn open(&mut self, connection: &str, origin: Origin) -> Result<(), String>;
    /// The client sends bytes, in one piece. On a connection the server has closed they are lost.
    fn send(&mut self, connection: &str, bytes: &[u8]) -> Result<(), String>;
    /// The client leaves without DISCONNECT. The name is free afterwards.
    fn leave(&mut self, connection: &str, departure: Departure) -> Result<(), String>;
    /// The transcript is done with a connection that the server closed. The name is free
    /// afterwards.
    fn forget(&mut self, connection: &str);
    /// The client stops or begins to read.
    fn set_reading(&mut self, connection: &str, on: bool) -> Result<(), String>;
    /// Time passes. `before_packet`: the next step waits for a packet or a close, which need not
    /// be kept waiting longer than it takes.
    fn advance(&mut self, time: Duration, before_packet: bool) -> Result<(), String>;
    /// The server is asked to stop gracefully.
    fn stop_server(&mut self) -> Result<(), String>;
    /// What has arrived on a connection that was opened.
    fn inbox(&mut self, connection: &str) -> &mut Inbox;
    /// Waits until something more arrives on one of the connections. `false`: nothing will.
    fn wait(&mut self, connections: &[String]) -> bool;
    /// Returns when everything the steps so far have caused has arrived.
    fn settle(&mut self) -> Result<(), String>;
}
