//! The options of `build`.

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs};
use hexmq_wire::Version;

use super::cloud::CloudArgs;
use crate::command::explain::Lang;

/// Build packets from fields, right ones and deliberately wrong ones
///
/// PACKET is the name of a packet, connect to auth; FIELD=VALUE sets any of its fields by the name that
/// `hexmq explain --json` shows. What is not given is as in a right packet, and lengths are computed.
#[derive(Debug, ClapArgs)]
#[command(
    disable_help_flag = true,
    after_help = "Exit code: 0 built, 64 wrong usage. See docs/build.md for every field, defect and module."
)]
pub(crate) struct Args {
    /// The packet: connect, connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback,
    /// unsubscribe, unsuback, pingreq, pingresp, disconnect, auth
    #[arg(value_name = "PACKET")]
    pub(super) packet: Option<String>,
    /// Fields by name: keep_alive=5, connect_flags=0xC0, payload_hex=00ff
    #[arg(value_name = "FIELD=VALUE")]
    pub(super) fields: Vec<String>,
    /// Read the packets from JSON: a flat object, what explain --json prints, or a list; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Read the packet from a line of the notation: 'PUBLISH topic=a/b payload=hi', 'hex 30 len(…)'
    #[arg(long, value_name = "LINE", conflicts_with_all = ["json", "packet"])]
    pub(super) notation: Option<String>,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
    #[command(flatten)]
    pub(super) message: MessageArgs,
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
    /// Make this mistake in the packet; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) defect: Vec<String>,
    /// List the defects
    #[arg(long)]
    pub(super) list_defects: bool,
    /// List the modules for --at
    #[arg(long)]
    pub(super) list_modules: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Language of annotations and lists; by default that of the environment
    #[arg(long, value_enum)]
    pub(super) lang: Option<Lang>,
    /// Print no warnings about what is wrong with the packet
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(super) help: Option<bool>,
}

/// The fields of a CONNECT; for other packets they say which connection the packet belongs to.
#[derive(Debug, ClapArgs)]
pub(super) struct ConnectArgs {
    /// MQTT version: 31, 311 or 5 (also 3, 4, 3.1, 3.1.1, 5.0, and with mqttv in front)
    #[arg(short = 'V', long = "version", visible_alias = "protocol-version", value_name = "VERSION", value_parser = version)]
    pub(super) version: Option<Version>,
    /// Client identifier
    #[arg(short, long, visible_alias = "client-id", value_name = "ID", allow_hyphen_values = true)]
    pub(super) id: Option<String>,
    /// User name
    #[arg(short, long, visible_alias = "user-name", value_name = "NAME", allow_hyphen_values = true)]
    pub(super) username: Option<String>,
    /// Password
    #[arg(
        short = 'P',
        long = "pw",
        visible_alias = "password",
        value_name = "PASSWORD",
        allow_hyphen_values = true
    )]
    pub(super) password: Option<String>,
    /// Keep alive in seconds
    #[arg(short, long, visible_alias = "keep-alive", value_name = "SECONDS")]
    pub(super) keepalive: Option<u16>,
    /// No clean session (3.x) or clean start (5)
    #[arg(short = 'c', long)]
    pub(super) disable_clean_session: bool,
    /// Topic of the will
    #[arg(long, value_name = "TOPIC")]
    pub(super) will_topic: Option<String>,
    /// Payload of the will
    #[arg(long, value_name = "PAYLOAD", allow_hyphen_values = true)]
    pub(super) will_payload: Option<String>,
    /// QoS of the will
    #[arg(long, value_name = "QOS")]
    pub(super) will_qos: Option<u8>,
    /// The will is retained
    #[arg(long)]
    pub(super) will_retain: bool,
    /// MQTT 5 property; -D will NAME VALUE is one of the will; user-property takes a name and a value
    #[arg(long = "property", value_name = "NAME VALUE")]
    pub(super) properties: Vec<String>,
}

/// The fields of the other packets.
#[derive(Debug, ClapArgs)]
pub(super) struct MessageArgs {
    /// Topic of a PUBLISH, topic filter of a SUBSCRIBE or UNSUBSCRIBE (repeatable)
    #[arg(short, long, value_name = "TOPIC", allow_hyphen_values = true)]
    pub(super) topic: Vec<String>,
    /// Payload
    #[arg(short, long, value_name = "PAYLOAD", group = "payload", allow_hyphen_values = true)]
    pub(super) message: Option<String>,
    /// Payload in hex
    #[arg(long, value_name = "HEX", group = "payload")]
    pub(super) message_hex: Option<String>,
    /// The payload is the content of this file; - is stdin
    #[arg(short, long, value_name = "FILE", group = "payload")]
    pub(super) file: Option<PathBuf>,
    /// The payload is empty
    #[arg(short, long, group = "payload")]
    pub(super) null_message: bool,
    /// QoS, 0 to 2
    #[arg(short, long, value_name = "QOS", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: Option<u8>,
    /// RETAIN
    #[arg(short, long)]
    pub(super) retain: bool,
    /// DUP
    #[arg(long)]
    pub(super) dup: bool,
    /// Packet identifier
    #[arg(long, visible_alias = "pid", value_name = "NUMBER")]
    pub(super) packet_id: Option<u16>,
    /// MQTT 5 subscription: what this client publishes is not sent to it
    #[arg(long)]
    pub(super) no_local: bool,
    /// MQTT 5 subscription: RETAIN stays as it was published
    #[arg(long)]
    pub(super) retain_as_published: bool,
    /// MQTT 5 subscription: 0 send retained messages, 1 only for a new one, 2 never
    #[arg(long, value_name = "0..2", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) retain_handling: Option<u8>,
    /// CONNACK: a session is present
    #[arg(long)]
    pub(super) session_present: bool,
    /// Return code or reason code, decimal or 0x; several with commas for SUBACK and UNSUBACK
    #[arg(long, visible_alias = "reason-code", value_name = "CODE", value_delimiter = ',')]
    pub(super) code: Vec<String>,
}

/// What is printed.
#[derive(Debug, ClapArgs)]
pub(super) struct OutputArgs {
    /// Plain hex, one line per packet (the default)
    #[arg(long, group = "form")]
    pub(super) hex: bool,
    /// Hex with what each byte means; it is hex text all the same
    #[arg(long, group = "form")]
    pub(super) annotated: bool,
    /// A C array
    #[arg(long, group = "form")]
    pub(super) c_array: bool,
    /// A Python bytes literal
    #[arg(long, group = "form")]
    pub(super) python: bool,
    /// The line of mosquitto_pub or mosquitto_sub that does the same
    #[arg(long, group = "form")]
    pub(super) mosquitto: bool,
    /// AT commands for this module, by default esp8266; --list-modules names them
    #[arg(long, value_name = "MODULE", group = "form")]
    pub(super) at: Option<String>,
    /// What explain --json prints of the packet
    #[arg(long, group = "form")]
    pub(super) explain: bool,
    /// Write a capture file with the packet in TCP; nothing is printed
    #[arg(long, value_name = "FILE", group = "form")]
    pub(super) pcapng: Option<PathBuf>,
    /// The server in commands and captures
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    pub(super) host: String,
    /// Its TCP port
    #[arg(short, long, value_name = "PORT", default_value_t = 1883)]
    pub(super) port: u16,
}

fn version(text: &str) -> Result<Version, String> {
    match text.strip_prefix("mqttv").unwrap_or(text) {
        "3" | "31" | "3.1" => Ok(Version::V3),
        "4" | "311" | "3.1.1" => Ok(Version::V4),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err("the versions are 31, 311 and 5".into()),
    }
}
