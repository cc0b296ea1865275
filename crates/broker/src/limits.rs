//! The bounds of a server, each with its unit. What a bound does when it is reached is said here
//! and told by an event.

/// Bounds and times of one server; the same for all its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet accepted, in bytes, fixed header included. Larger: refused with 0x95.
    pub maximum_packet_size: u32,
    /// QoS 1 and 2 PUBLISH packets a client may have unacknowledged at once. More: 0x93.
    pub receive_maximum: u16,
    /// Topic Aliases a client may set.
    pub topic_alias_maximum: u16,
    /// QoS 1 and 2 PUBLISH packets on their way to one session; a smaller Receive Maximum of
    /// the client wins. More: they wait in the session's queue.
    pub in_flight_per_session: u16,
    /// Messages waiting in one session's queue. More: the oldest is dropped.
    pub session_queue_messages: u32,
    /// Bytes (topic, properties and payload) waiting in one session's queue. More: the oldest
    /// are dropped.
    pub session_queue_bytes: u64,
    /// Bytes of messages one shard keeps in memory for sessions that are in the store. More: the newest wait
    /// in the store alone.
    pub queue_memory_bytes: u64,
    /// Milliseconds a client may wait for an acknowledgement while the store cannot write, or while its uplink
    /// finds no room. More: its connection is closed.
    pub store_full_timeout_ms: u64,
    /// Messages of devices that one shard keeps for the platform. More: MQTT 5 publishers get 0x97, others are
    /// not read, and QoS 0 is dropped.
    pub uplink_queue_messages: u64,
    /// Bytes (topic, properties and payload) of messages of devices that one shard keeps for the platform.
    /// More: as above.
    pub uplink_queue_bytes: u64,
    /// Messages of one inbox that the platform has been handed and has not done yet. More: they wait.
    pub uplink_window_messages: u32,
    /// Bytes of them. More: they wait.
    pub uplink_window_bytes: u64,
    /// Bytes waiting for one connection to become writable. More: QoS 0 messages for it are
    /// dropped, others wait in the session's queue.
    pub write_buffer_bytes: usize,
    /// Retained messages. More: a new topic is not retained (0x97).
    pub retained_messages: u64,
    /// Bytes of retained messages (topic, properties and payload). More: a message is not retained (0x97).
    pub retained_bytes: u64,
    /// Bytes of properties and payloads of retained messages in memory, while a store has them as well. More:
    /// those set last are read back from it when they are wanted.
    pub retained_memory_bytes: u64,
    /// Subscriptions of one session. More: SUBACK 0x97 (3.x: 0x80).
    pub subscriptions_per_session: u32,
    /// Levels of a topic name or filter. More: refused.
    pub topic_depth: u16,
    /// Longest Session Expiry Interval in seconds, also for 3.x sessions with Clean Session 0;
    /// `None`: sessions may live for ever.
    pub session_expiry_max_s: Option<u32>,
    /// Milliseconds a connection has to send its whole CONNECT.
    pub connect_timeout_ms: u64,
    /// Seconds; where set it replaces the Keep Alive of MQTT 5 clients (Server Keep Alive) that
    /// asked for a longer one or for none.
    pub keep_alive_max_s: Option<u16>,
    /// Seconds between two updates of `$SYS`; 0 turns `$SYS` off.
    pub sys_interval_s: u32,
    /// Retained messages handed out to one session in one slice of work.
    pub handout_budget: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            maximum_packet_size: 16 << 20,
            receive_maximum: 1024,
            topic_alias_maximum: 64,
            in_flight_per_session: 2048,
            session_queue_messages: 10_000,
            session_queue_bytes: 64 << 20,
            queue_memory_bytes: 64 << 20,
            store_full_timeout_ms: 60_000,
            uplink_queue_messages: 1_000_000,
            uplink_queue_bytes: 1 << 30,
            uplink_window_messages: 4096,
            uplink_window_bytes: 8 << 20,
            write_buffer_bytes: 4 << 20,
            retained_messages: 1_000_000,
            retained_bytes: 16 << 30,
            retained_memory_bytes: 256 << 20,
            subscriptions_per_session: 100_000,
            topic_depth: 128,
            session_expiry_max_s: None,
            connect_timeout_ms: 10_000,
            keep_alive_max_s: None,
            sys_interval_s: 10,
            handout_budget: 256,
        }
    }
}
