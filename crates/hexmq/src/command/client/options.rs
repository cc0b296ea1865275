//! The options that `pub`, `sub` and `rr` have in common, named as in mosquitto's clients.

use std::path::PathBuf;

use clap::ArgAction;
use hexmq_client::{Options, WillMessage};
use hexmq_topic::{SubscriptionFilter, TopicName};
use hexmq_transport::{Dial, Endpoint};
use hexmq_wire::{Property, PropertyId, QoS, Version};

use super::property::GivenProperty;
use super::{Command, PropertyList, Trouble};
use crate::command::connection::TlsArgs;

/// Why an option needs MQTT 5.
pub(crate) type NeedsV5 = Option<&'static str>;

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectionArgs {
    /// Host to connect to
    #[arg(short = 'h', long, default_value = "localhost")]
    host: String,
    /// TCP port; without it 1883, over TLS 8883
    #[arg(short, long)]
    port: Option<u16>,
    /// Connect to a Unix socket instead
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    unix: Option<PathBuf>,
    /// Host, port, user and topic at once: mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC
    #[arg(short = 'L', long, value_name = "URL")]
    url: Option<Url>,
    /// Local address to connect from
    #[arg(short = 'A', long = "bind", value_name = "ADDRESS")]
    bind: Option<String>,
    /// Send small packets at once (TCP_NODELAY)
    #[arg(long)]
    nodelay: bool,
    #[command(flatten)]
    tls: TlsArgs,
    /// Client identifier; without it a random one, in MQTT 5 one that the server chooses
    #[arg(short, long, value_name = "ID", conflicts_with = "id_prefix")]
    id: Option<String>,
    /// Client identifier made of this and the process id
    #[arg(short = 'I', long, value_name = "PREFIX")]
    id_prefix: Option<String>,
    /// User name
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    username: Option<String>,
    /// Password
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", allow_hyphen_values = true)]
    password: Option<String>,
    /// Keep alive in seconds, 0 turns it off
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
    keepalive: u16,
    /// MQTT version: 31, 311 or 5, also with `mqttv` in front
    #[arg(short = 'V', long, value_name = "VERSION", value_parser = version)]
    protocol_version: Option<Version>,
    /// Keep the session: no clean session (3.x) or clean start (5)
    #[arg(short = 'c', long)]
    disable_clean_session: bool,
    /// MQTT 5: seconds the session outlives the connection; -1 or ∞ for ever
    #[arg(short = 'x', long, value_name = "SECONDS", value_parser = session_expiry, allow_hyphen_values = true)]
    session_expiry_interval: Option<u32>,
    /// Most messages of QoS 1 and 2 in flight
    #[arg(short = 'M', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    max_inflight: u16,
    /// Topic of the will
    #[arg(long, value_name = "TOPIC", value_parser = topic_name)]
    will_topic: Option<String>,
    /// Payload of the will
    #[arg(long, value_name = "PAYLOAD", requires = "will_topic", allow_hyphen_values = true)]
    will_payload: Option<String>,
    /// QoS of the will
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = qos)]
    will_qos: Option<QoS>,
    /// The will is retained
    #[arg(long, requires = "will_topic")]
    will_retain: bool,
    /// MQTT 5 property of connect, will, publish, subscribe, unsubscribe or disconnect;
    /// user-property takes a name and a value
    #[arg(short = 'D', long = "property", value_name = "COMMAND IDENTIFIER VALUE")]
    properties: Vec<GivenProperty>,
    /// Show each packet of both directions on stderr
    #[arg(short, long)]
    pub(crate) debug: bool,
    /// Show the bytes of each packet of both directions on stderr, passwords included
    #[arg(long)]
    pub(crate) hex: bool,
    /// Print no run-time errors
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

impl ConnectionArgs {
    /// Where to connect.
    pub(crate) fn address(&self) -> Result<Dial, Trouble> {
        let usual = if self.tls.wanted() { 8883 } else { 1883 };
        let endpoint = match (&self.unix, &self.url) {
            (Some(path), _) => Endpoint::Unix(path.clone()),
            (None, Some(url)) => Endpoint::Tcp { host: url.host.clone(), port: url.port },
            (None, None) => Endpoint::Tcp { host: self.host.clone(), port: self.port.unwrap_or(usual) },
        };
        let tls = match self.tls.wanted() {
            true => Some(self.tls.connector().map_err(|error| {
                Trouble::new("TLS cannot be used", error, "name PEM files with --cafile, --cert and --key")
            })?),
            false => None,
        };
        Ok(Dial { endpoint, bind: self.bind.clone(), nodelay: self.nodelay, tls })
    }

    /// The topic of `--url`.
    pub(crate) fn url_topic(&self) -> Option<&str> {
        self.url.as_ref().map(|url| url.topic.as_str())
    }

    /// The properties of the command line.
    pub(crate) fn properties(&self) -> PropertyList<'_> {
        PropertyList(&self.properties)
    }

    /// The version to speak: the one asked for; else 5 if a property is given, else `default`.
    pub(crate) fn speaks(&self, default: Version, needs: NeedsV5) -> Result<Version, Trouble> {
        let needs = needs.or(if self.properties.is_empty() { None } else { Some("-D") });
        match (self.protocol_version, needs) {
            (Some(version), Some(option)) if version != Version::V5 => Err(Trouble::new(
                format!("`{option}` needs MQTT 5"),
                format!("-V asks for MQTT 3.{}", if version == Version::V3 { "1" } else { "1.1" }),
                "-V 5, or leave -V out",
            )),
            (Some(version), _) => Ok(version),
            (None, Some(_)) => Ok(Version::V5),
            (None, None) => Ok(default),
        }
    }

    /// What the client connects with.
    pub(crate) fn options(&self, version: Version, random: u64) -> Result<Options, Trouble> {
        if self.disable_clean_session && self.id.as_deref().unwrap_or_default().is_empty() {
            return Err(Trouble::new(
                "`-c` needs a client identifier",
                "a session that is kept is found again by its identifier",
                "-i NAME",
            ));
        }
        let user_name = self.username.clone().or_else(|| self.url.as_ref()?.user.clone());
        let password = self.password.clone().or_else(|| self.url.as_ref()?.password.clone());
        if password.is_some() && user_name.is_none() && version != Version::V5 {
            // [V4 MQTT-3.1.2-22]
            return Err(Trouble::new(
                "a password without a user name",
                "MQTT 3.x allows a password only with a user name",
                "-u NAME, or -V 5",
            ));
        }
        let mut options = Options::new(version);
        options.client_identifier = self.client_identifier(version, random);
        options.clean_start = !self.disable_clean_session;
        options.keep_alive_s = self.keepalive;
        options.user_name = user_name;
        options.password = password.map(String::into_bytes);
        options.in_flight_max = self.max_inflight;
        options.will = self.will(version)?;
        options.properties = self.connect_properties(version)?;
        Ok(options)
    }

    fn client_identifier(&self, version: Version, random: u64) -> String {
        match (&self.id, &self.id_prefix) {
            (Some(id), _) => id.clone(),
            (None, Some(prefix)) => format!("{prefix}{}", std::process::id()),
            (None, None) if version == Version::V5 => String::new(),
            // At most 23 characters, as 3.1 demands.
            (None, None) => format!("hexmq-{random:016x}"),
        }
    }

    fn will(&self, version: Version) -> Result<Option<WillMessage>, Trouble> {
        let properties = self.properties().of(Command::Will).map_err(wrong_property)?;
        if self.will_topic.is_none() && !properties.is_empty() {
            return Err(Trouble::new("properties of a will without a will", "-D will", "--will-topic TOPIC"));
        }
        debug_assert!(properties.is_empty() || version == Version::V5);
        Ok(self.will_topic.clone().map(|topic| WillMessage {
            topic,
            payload: self.will_payload.clone().unwrap_or_default().into_bytes(),
            qos: self.will_qos.unwrap_or_default(),
            retain: self.will_retain,
            properties,
        }))
    }

    fn connect_properties(&self, version: Version) -> Result<hexmq_wire::PropertiesBuf, Trouble> {
        let mut properties = self.properties().of(Command::Connect).map_err(wrong_property)?;
        let given = self.properties().has(Command::Connect, PropertyId::SessionExpiryInterval);
        let expiry = match self.session_expiry_interval {
            Some(_) if given => {
                return Err(wrong_property("`session-expiry-interval` is given twice".into()));
            }
            Some(seconds) => Some(seconds),
            None if self.disable_clean_session && !given => Some(u32::MAX),
            None => None,
        };
        if let Some(seconds) = expiry
            && version == Version::V5
        {
            properties
                .push(Property::SessionExpiryInterval(seconds))
                .map_err(|error| wrong_property(error.to_string()))?;
        }
        Ok(properties)
    }
}

/// A property that was given wrongly.
pub(crate) fn wrong_property(why: String) -> Trouble {
    Trouble::new("a property cannot be sent", why, "give each property once; only user-property repeats")
}

/// A QoS of the command line.
pub(crate) fn qos(text: &str) -> Result<QoS, String> {
    text.parse().ok().and_then(QoS::from_bits).ok_or_else(|| "a QoS is 0, 1 or 2".into())
}

/// A topic name of the command line.
pub(crate) fn topic_name(text: &str) -> Result<String, String> {
    TopicName::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A topic filter of the command line, shared or not.
pub(crate) fn topic_filter(text: &str) -> Result<String, String> {
    SubscriptionFilter::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn version(text: &str) -> Result<Version, String> {
    match text.strip_prefix("mqttv").unwrap_or(text) {
        "31" => Ok(Version::V3),
        "311" => Ok(Version::V4),
        "5" => Ok(Version::V5),
        _ => Err("the versions are 31, 311 and 5".into()),
    }
}

fn session_expiry(text: &str) -> Result<u32, String> {
    match text {
        "-1" | "∞" => Ok(u32::MAX),
        _ => text.parse().map_err(|_| "seconds from 0 to 4294967295, or -1 for ever".into()),
    }
}

/// The parts of `--url`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    topic: String,
}

impl std::str::FromStr for Url {
    type Err = String;

    fn from_str(url: &str) -> Result<Url, String> {
        let rest = match url.split_once("://") {
            Some(("mqtt", rest)) => rest,
            Some((scheme @ ("mqtts" | "ws" | "wss"), _)) => {
                return Err(format!(
                    "`{scheme}://` is not understood here; TLS is asked for with --cafile or --tls-use-os-certs"
                ));
            }
            _ => return Err("it is mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC".into()),
        };
        let (authority, topic) = rest.split_once('/').ok_or("it ends with /TOPIC")?;
        if topic.is_empty() {
            return Err("it ends with /TOPIC".into());
        }
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, "\0"))) {
            Some((user, "\0")) => (Some(unescape(user)?), None),
            Some((user, password)) => (Some(unescape(user)?), Some(unescape(password)?)),
            None => (None, None),
        };
        match format!("mqtt://{place}")
            .parse()
            .map_err(|error: hexmq_transport::EndpointError| error.to_string())?
        {
            Endpoint::Tcp { host, port } => Ok(Url { host, port, user, password, topic: topic.to_owned() }),
            Endpoint::Unix(_) => Err("it names a TCP host".into()),
        }
    }
}

/// Resolves `%40` and the like.
fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("a % is followed by two hexadecimal digits")?);
        rest = tail.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| "user name and password are UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_user_and_topic() {
        let url: Url = "mqtt://joe:p%40ss:w@[::1]:1884/a/b".parse().unwrap();
        let expected = Url {
            host: "::1".into(),
            port: 1884,
            user: Some("joe".into()),
            password: Some("p@ss:w".into()),
            topic: "a/b".into(),
        };
        assert_eq!(url, expected);
        let url: Url = "mqtt://host//x".parse().unwrap();
        assert_eq!((url.port, url.user, url.topic.as_str()), (1883, None, "/x"));
        for wrong in ["mqtts://h/t", "h/t", "mqtt://h", "mqtt://h/", "mqtt:///t", "mqtt://a%4@h/t"] {
            assert!(wrong.parse::<Url>().is_err(), "{wrong}");
        }
    }
}
