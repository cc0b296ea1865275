//! What a client connects with.

use hexmq_wire::{PropertiesBuf, QoS, Version};

/// The settings of a client: the fields of its CONNECT, and bounds of its own.
#[derive(Clone, Debug)]
pub struct Options {
    /// Protocol version.
    pub version: Version,
    /// Client Identifier; empty lets the server assign one, where the version allows it.
    pub client_identifier: String,
    /// Clean Session (3.x) or Clean Start (5.0), at each connection.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive_s: u16,
    /// User Name.
    pub user_name: Option<String>,
    /// Password.
    pub password: Option<Vec<u8>>,
    /// Will.
    pub will: Option<WillMessage>,
    /// 5.0: properties of CONNECT. Receive Maximum, Maximum Packet Size and Topic Alias Maximum
    /// in here are kept to, and enforced.
    pub properties: PropertiesBuf,
    /// The largest number of messages in flight, below the server's Receive Maximum.
    pub in_flight_max: u16,
    /// Messages that may wait for room in flight or for a connection; more are refused.
    pub queue_messages_max: usize,
    /// Milliseconds to wait for CONNACK.
    pub connack_timeout_ms: u64,
}

/// The message the server publishes when the client is lost.
#[derive(Clone, Debug, Default)]
pub struct WillMessage {
    /// Will Topic.
    pub topic: String,
    /// Will Message (3.x) or Will Payload (5.0).
    pub payload: Vec<u8>,
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// 5.0: Will Properties.
    pub properties: PropertiesBuf,
}

impl Options {
    /// A clean session of this version, Keep Alive 60 s, 20 messages in flight, 10,000 waiting,
    /// and 30 s for CONNACK.
    pub fn new(version: Version) -> Options {
        Options {
            version,
            client_identifier: String::new(),
            clean_start: true,
            keep_alive_s: 60,
            user_name: None,
            password: None,
            will: None,
            properties: PropertiesBuf::new(),
            in_flight_max: 20,
            queue_messages_max: 10_000,
            connack_timeout_ms: 30_000,
        }
    }
}
