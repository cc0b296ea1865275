//! Every setting once: the flag of `hexmq serve`, the TOML key of the same name, and its help.

use std::num::NonZeroU16;
use std::path::PathBuf;

use super::units::{ByteSize, Span};
use super::{Durability, HttpAddress, LogLevel, RegistryPlace, Secret};

macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident: $ty:ty,)+) => {
        /// The settings as they were given; `None` where they were not.
        #[derive(Clone, Debug, Default, clap::Args, serde::Deserialize)]
        #[serde(default)]
        pub(crate) struct Settings { $($(#[$meta])* pub(crate) $name: Option<$ty>,)+ }

        impl Settings {
            /// The TOML keys.
            pub(crate) const KEYS: &'static [&'static str] = &[$(stringify!($name),)+];

            /// These settings, and those of `other` where these say nothing.
            pub(crate) fn or(self, other: Settings) -> Settings {
                Settings { $($name: self.$name.or(other.$name),)+ }
            }
        }
    };
}

settings! {
    /// Listen for MQTT: mqtt://HOST:PORT (port 0 = any free one), mqtts://, auto:// (TLS or not, by the first
    /// byte), ws://HOST:PORT/mqtt, wss:// or unix:///path. Repeatable [default: mqtt://127.0.0.1:1883]
    #[arg(long, value_name = "URL", action = clap::ArgAction::Append, num_args = 1)]
    listen: Vec<String>,

    /// Certificate of the listeners that speak TLS, and those it is signed with (PEM)
    #[arg(long, value_name = "FILE")]
    tls_cert: PathBuf,

    /// Private key of the certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    tls_key: PathBuf,

    /// Authorities (PEM) of which every client over TLS must show a certificate [default: none is asked for]
    #[arg(long, value_name = "FILE")]
    tls_client_ca: PathBuf,

    /// Where the HTTP API listens, or `off` [default: 127.0.0.1:18083]
    #[arg(long, value_name = "ADDR")]
    http: HttpAddress,

    /// Where devices and application servers of a cloud find its HTTP calls (registration, files, `api-key`), and
    /// nothing else, or `off` [default: off]
    #[arg(long, value_name = "ADDR", help_heading = "Device cloud")]
    device_http: HttpAddress,

    /// How devices reach --device-http, for links in messages: http://HOST:PORT [default: its address]
    #[arg(long, value_name = "URL", help_heading = "Device cloud")]
    public_url: String,

    /// Where products, devices and their history are kept: `sqlite` (a file under --data) or
    /// postgres://USER:PASSWORD@HOST:PORT/NAME [default: sqlite]
    #[arg(long, value_name = "URL", help_heading = "Device cloud")]
    registry: RegistryPlace,

    /// How long the lines of the devices' logs are kept [default: 7d]
    #[arg(long, value_name = "TIME", help_heading = "Device cloud")]
    device_log_time: Span,

    /// Lines kept in the log of each device [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Device cloud")]
    device_log_lines: u32,

    /// Directory for everything durable [default: hexmq-data]
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Keep nothing: the same as --durability memory, and nothing is written anywhere
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    ephemeral: bool,

    /// When a message is acknowledged: `disk` (it is on disk), `process` (the operating system has it, so it
    /// outlives this process) or `memory` (it is lost when the server ends) [default: disk]
    #[arg(long, value_name = "MODE")]
    durability: Durability,

    /// How long an acknowledgement may wait for others, so that one sync serves them all [default: 0s]
    #[arg(long, value_name = "TIME")]
    sync_delay: Span,

    /// How long a client may wait for an acknowledgement while the store cannot write [default: 60s]
    #[arg(long, value_name = "TIME")]
    store_full_timeout: Span,

    /// Shards, and so many threads at most to drive them [default: cores]
    #[arg(long, value_name = "N")]
    shards: NonZeroU16,

    /// Allow clients without credentials from anywhere, not only from this machine
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    allow_anonymous: bool,

    /// Password of `admin` on the HTTP API [default: generated, printed once on stderr]
    #[arg(long, value_name = "PW", env = "HEXMQ_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Secret,

    /// Time for a whole CONNECT [default: 10s]
    #[arg(long, value_name = "TIME")]
    connect_timeout: Span,

    /// Time a receiver may take nothing although bytes wait for it [default: 60s]
    #[arg(long, value_name = "TIME")]
    write_timeout: Span,

    /// What is told on stderr: off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log: LogLevel,

    /// Largest packet accepted [default: 16MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    maximum_packet_size: ByteSize,

    /// Unacknowledged QoS 1 and 2 messages a client may send at once [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    receive_maximum: u16,

    /// Topic Aliases a client may set [default: 64]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    topic_alias_maximum: u16,

    /// QoS 1 and 2 messages on their way to one session at once [default: 64]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    in_flight_per_session: u16,

    /// Messages that wait for one session; more drop the oldest [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    session_queue_messages: u32,

    /// Bytes that wait for one session; more drop the oldest [default: 64MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    session_queue_bytes: ByteSize,

    /// Bytes of waiting messages each data-plane thread keeps in memory; more are read back from the store
    /// when their time comes [default: 64MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    queue_memory_bytes: ByteSize,

    /// Messages of devices that each data-plane thread keeps for the platform while its data base is away; more
    /// are refused, or hold their devices back [default: 1000000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    uplink_queue_messages: u64,

    /// Bytes of the same [default: 1GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    uplink_queue_bytes: ByteSize,

    /// Bytes that wait for one connection to become writable [default: 4MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    write_buffer_bytes: ByteSize,

    /// Retained messages [default: 1000000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    retained_messages: u64,

    /// Bytes of retained messages; more are not retained [default: 16GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    retained_bytes: ByteSize,

    /// Bytes of retained messages kept in memory; more are read back from the store when they are wanted
    /// [default: 256MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    retained_memory_bytes: ByteSize,

    /// Bytes the store may take on disk; more is as if the disk were full [default: what the disk has]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    store_bytes: ByteSize,

    /// Subscriptions of one session [default: 100000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    subscriptions_per_session: u32,

    /// Connected clients [default: the descriptor limit]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    clients: u32,

    /// Longest Session Expiry Interval, also for sessions of 3.x clients [default: never]
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    session_expiry_max: Span,

    /// Levels of a topic [default: 128]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    topic_depth: u16,

    /// Longest Keep Alive of MQTT 5 clients; a longer one is replaced (Server Keep Alive)
    /// [default: as the client asks]
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    keep_alive_max: Span,

    /// Refused connections kept with their bytes for /api/v1/rejections [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    rejections: u32,

    /// Bytes of all refused connections kept; more push out the oldest [default: 16MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    rejections_bytes: ByteSize,

    /// Bytes recorded for one watch; more push out the oldest [default: 8MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    recorder_watch_bytes: ByteSize,

    /// Bytes recorded for all watches together [default: 64MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    recorder_bytes: ByteSize,

    /// Time between two updates of $SYS; 0 turns them off [default: 10s]
    #[arg(long, value_name = "TIME")]
    sys_interval: Span,
}
