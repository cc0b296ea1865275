//! From settings to a configuration that can be used as it is.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use hexmq_broker::Limits;
use hexmq_observe::recorder::RecorderBounds;

use super::file::UserEntry;
use super::listeners::{self, Listen};
use super::{
    ByteSize, Cloud, ConfigError, ConfigFile, Durability, HttpAddress, LogLevel, Secret, Settings, Span,
};

/// A resolved configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where MQTT is served; never empty.
    pub(crate) listen: Vec<Listen>,
    /// Where the API is served.
    pub(crate) http: HttpAddress,
    /// The directory for what is durable, made at start unless nothing is.
    pub(crate) data: PathBuf,
    /// Keep nothing.
    pub(crate) ephemeral: bool,
    /// When acknowledgements are given.
    pub(crate) durability: Durability,
    /// How long an acknowledgement may wait for others.
    pub(crate) sync_delay: Duration,
    /// Bytes the store may take.
    pub(crate) store_bytes: Option<u64>,
    /// Shards, and so many threads at most to drive them.
    pub(crate) shards: NonZeroU16,
    /// Whether clients without credentials may come from anywhere.
    pub(crate) allow_anonymous: bool,
    /// `None`: one is generated.
    pub(crate) admin_password: Option<Secret>,
    /// Time without progress after which a receiver is given up.
    pub(crate) write_timeout: Duration,
    /// What is told on stderr.
    pub(crate) log: LogLevel,
    /// Connected clients; `None`: as many as there are descriptors.
    pub(crate) clients: Option<u32>,
    /// The bounds of the core.
    pub(crate) limits: Limits,
    /// What the flight recorder may keep.
    pub(crate) recorder: RecorderBounds,
    /// The device cloud.
    pub(crate) cloud: Cloud,
    /// Who may connect.
    pub(crate) users: Vec<User>,
}

/// A client that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// User Name.
    pub(crate) name: String,
    /// A checked argon2id PHC string.
    pub(crate) password_hash: PasswordHash,
    /// May subscribe to all of `$hexmq/#`.
    pub(crate) admin: bool,
    /// Topic filters under `$hexmq/` that it may subscribe to.
    pub(crate) grants: Vec<String>,
}

const DEFAULT_HTTP: &str = "127.0.0.1:18083";
const SHARDS_MAX: u16 = 256;

impl Config {
    /// Joins flags and file, fills in the defaults and checks every value.
    pub(crate) fn resolve(flags: Settings, file: ConfigFile) -> Result<Config, ConfigError> {
        let listen = listeners::resolve(&flags, &file.settings, file.listener)?;
        let given = flags.or(file.settings);
        Ok(Config {
            listen,
            http: match given.http {
                Some(http) => http,
                None => DEFAULT_HTTP.parse().map_err(|error| ConfigError::key("http", error))?,
            },
            data: given.data.clone().unwrap_or_else(|| PathBuf::from("hexmq-data")),
            ephemeral: given.ephemeral.unwrap_or(false),
            durability: durability(&given)?,
            sync_delay: sync_delay(given.sync_delay)?,
            store_bytes: given.store_bytes.map(|size| size.0),
            shards: shards(given.shards)?,
            allow_anonymous: given.allow_anonymous.unwrap_or(false),
            admin_password: given.admin_password.clone(),
            write_timeout: at_least("write_timeout", given.write_timeout, "60s", 1)?.0,
            log: given.log.unwrap_or(LogLevel(tracing::level_filters::LevelFilter::INFO)),
            clients: given.clients,
            limits: limits(&given)?,
            recorder: recorder(&given)?,
            cloud: Cloud::resolve(&given)?,
            users: users(file.user)?,
        })
    }

    /// The keys in which `new` differs and which are read only when the server starts.
    pub(crate) fn needs_restart(&self, new: &Config) -> Vec<&'static str> {
        let differs = [
            ("listen", listeners::urls(&self.listen) != listeners::urls(&new.listen)),
            ("http", self.http != new.http),
            ("data", self.data != new.data),
            ("durability", self.durability != new.durability),
            ("sync_delay", self.sync_delay != new.sync_delay),
            ("store_bytes", self.store_bytes != new.store_bytes),
            ("shards", self.shards != new.shards),
            ("admin_password", self.admin_password != new.admin_password),
            ("clients", self.clients != new.clients),
            ("write_timeout", self.write_timeout != new.write_timeout),
            ("registry", self.cloud.registry != new.cloud.registry),
            ("device_http", self.cloud.device_http != new.cloud.device_http),
            ("public_url", self.cloud.public_url != new.cloud.public_url),
            ("device_log_time", self.cloud.device_log_time != new.cloud.device_log_time),
            ("device_log_lines", self.cloud.device_log_lines != new.cloud.device_log_lines),
            ("rejections", self.recorder.rejections != new.recorder.rejections),
            ("rejections_bytes", self.recorder.rejections_bytes != new.recorder.rejections_bytes),
            ("recorder_watch_bytes", self.recorder.watch_bytes != new.recorder.watch_bytes),
            ("recorder_bytes", self.recorder.watches_bytes != new.recorder.watches_bytes),
            ("retained_messages", self.limits.retained_messages != new.limits.retained_messages),
            ("retained_bytes", self.limits.retained_bytes != new.limits.retained_bytes),
            ("retained_memory_bytes", self.limits.retained_memory_bytes != new.limits.retained_memory_bytes),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

fn durability(given: &Settings) -> Result<Durability, ConfigError> {
    match (given.ephemeral, given.durability) {
        (Some(true), Some(promised @ (Durability::Disk | Durability::Process))) => {
            let why = format!("`{promised}` cannot be promised: `ephemeral` keeps nothing");
            Err(ConfigError::key("durability", why).hint("leave one of the two out"))
        }
        (Some(true), _) => Ok(Durability::Memory),
        (_, given) => Ok(given.unwrap_or(Durability::Disk)),
    }
}

/// Longer than this, clients would take the wait for a fault.
const SYNC_DELAY_MAX_MS: u64 = 5_000;

fn sync_delay(given: Option<Span>) -> Result<Duration, ConfigError> {
    match given {
        Some(span) if span.as_ms() > SYNC_DELAY_MAX_MS => {
            Err(ConfigError::key("sync_delay", format!("{span} is too long; at most 5s")))
        }
        given => Ok(given.map_or(Duration::ZERO, |span| span.0)),
    }
}

fn shards(given: Option<NonZeroU16>) -> Result<NonZeroU16, ConfigError> {
    let cores = || {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        u16::try_from(cores).unwrap_or(SHARDS_MAX).min(SHARDS_MAX)
    };
    match given {
        Some(n) if n.get() > SHARDS_MAX => {
            Err(ConfigError::key("shards", format!("{n} is more than {SHARDS_MAX}")))
        }
        Some(n) => Ok(n),
        None => Ok(NonZeroU16::new(cores()).unwrap_or(NonZeroU16::MIN)),
    }
}

fn at_least(key: &str, given: Option<Span>, default: &str, least_ms: u64) -> Result<Span, ConfigError> {
    let span = match given {
        Some(span) => span,
        None => default.parse().map_err(|error| ConfigError::key(key, error))?,
    };
    if span.as_ms() < least_ms {
        return Err(ConfigError::key(key, format!("{span} is too short; at least {least_ms}ms")));
    }
    Ok(span)
}

fn limits(given: &Settings) -> Result<Limits, ConfigError> {
    let base = Limits::default();
    let packet = given.maximum_packet_size.map_or(u64::from(base.maximum_packet_size), |size| size.0);
    // The largest packet MQTT can say: 268,435,455 bytes after five bytes of fixed header.
    let packet = u32::try_from(packet).ok().filter(|n| (64..=268_435_460).contains(n)).ok_or_else(|| {
        ConfigError::key("maximum_packet_size", format!("{} is not from 64B to 268435460B", ByteSize(packet)))
    })?;
    let positive = |key: &str, value: u64| match value {
        0 => Err(ConfigError::key(key, "0 would let nothing pass; at least 1")),
        value => Ok(value),
    };
    let receive_maximum = given.receive_maximum.unwrap_or(base.receive_maximum);
    let in_flight = given.in_flight_per_session.unwrap_or(base.in_flight_per_session);
    let queue_messages = given.session_queue_messages.unwrap_or(base.session_queue_messages);
    let queue_bytes = given.session_queue_bytes.map_or(base.session_queue_bytes, |size| size.0);
    let topic_depth = given.topic_depth.unwrap_or(base.topic_depth);
    positive("receive_maximum", receive_maximum.into())?;
    positive("in_flight_per_session", in_flight.into())?;
    positive("session_queue_messages", queue_messages.into())?;
    positive("session_queue_bytes", queue_bytes)?;
    positive("topic_depth", topic_depth.into())?;
    let uplink_queue_messages = given.uplink_queue_messages.unwrap_or(base.uplink_queue_messages);
    let uplink_queue_bytes = given.uplink_queue_bytes.map_or(base.uplink_queue_bytes, |size| size.0);
    positive("uplink_queue_messages", uplink_queue_messages)?;
    positive("uplink_queue_bytes", uplink_queue_bytes)?;
    let store_full_timeout_ms = at_least("store_full_timeout", given.store_full_timeout, "60s", 100)?.as_ms();
    Ok(Limits {
        maximum_packet_size: packet,
        receive_maximum,
        topic_alias_maximum: given.topic_alias_maximum.unwrap_or(base.topic_alias_maximum),
        in_flight_per_session: in_flight,
        session_queue_messages: queue_messages,
        session_queue_bytes: queue_bytes,
        queue_memory_bytes: given.queue_memory_bytes.map_or(base.queue_memory_bytes, |size| size.0),
        uplink_queue_messages,
        uplink_queue_bytes,
        store_full_timeout_ms,
        retained_bytes: given.retained_bytes.map_or(base.retained_bytes, |size| size.0),
        retained_memory_bytes: given.retained_memory_bytes.map_or(base.retained_memory_bytes, |size| size.0),
        write_buffer_bytes: write_buffer(given.write_buffer_bytes, base.write_buffer_bytes)?,
        retained_messages: given.retained_messages.unwrap_or(base.retained_messages),
        subscriptions_per_session: given.subscriptions_per_session.unwrap_or(base.subscriptions_per_session),
        topic_depth,
        session_expiry_max_s: given
            .session_expiry_max
            .map(|s| seconds("session_expiry_max", s))
            .transpose()?,
        connect_timeout_ms: at_least("connect_timeout", given.connect_timeout, "10s", 1)?.as_ms(),
        keep_alive_max_s: given.keep_alive_max.map(|s| seconds("keep_alive_max", s)).transpose()?,
        sys_interval_s: given
            .sys_interval
            .map(|s| seconds("sys_interval", s))
            .transpose()?
            .unwrap_or(base.sys_interval_s),
        ..base
    })
}

/// 0 rejections are none kept; a ring must have room for what is read from a socket at once.
fn recorder(given: &Settings) -> Result<RecorderBounds, ConfigError> {
    let base = RecorderBounds::default();
    let bytes = |key: &str, given: Option<ByteSize>, default: usize| {
        let Some(size) = given else { return Ok(default) };
        let bytes = usize::try_from(size.0).ok().filter(|n| *n >= 64 << 10);
        bytes.ok_or_else(|| ConfigError::key(key, format!("{size} is too small; at least 64KiB")))
    };
    Ok(RecorderBounds {
        rejections: given.rejections.map_or(base.rejections, |n| n as usize),
        rejections_bytes: bytes("rejections_bytes", given.rejections_bytes, base.rejections_bytes)?,
        watch_bytes: bytes("recorder_watch_bytes", given.recorder_watch_bytes, base.watch_bytes)?,
        watches_bytes: bytes("recorder_bytes", given.recorder_bytes, base.watches_bytes)?,
        ..base
    })
}

fn write_recorder(f: &mut fmt::Formatter<'_>, recorder: &RecorderBounds) -> fmt::Result {
    writeln!(f, "rejections = {}", recorder.rejections)?;
    for (key, bytes) in [
        ("rejections_bytes", recorder.rejections_bytes),
        ("recorder_watch_bytes", recorder.watch_bytes),
        ("recorder_bytes", recorder.watches_bytes),
    ] {
        writeln!(f, "{key} = \"{}\"", ByteSize(bytes as u64))?;
    }
    Ok(())
}

fn write_buffer(given: Option<ByteSize>, default: usize) -> Result<usize, ConfigError> {
    let Some(size) = given else { return Ok(default) };
    let bytes = usize::try_from(size.0).ok().filter(|n| *n >= 4096);
    bytes.ok_or_else(|| ConfigError::key("write_buffer_bytes", format!("{size} is too small; at least 4KiB")))
}

/// Whole seconds that fit.
fn seconds<T: TryFrom<u64>>(key: &str, span: Span) -> Result<T, ConfigError> {
    if !span.as_ms().is_multiple_of(1000) {
        return Err(ConfigError::key(key, format!("{span} is not a number of whole seconds")));
    }
    T::try_from(span.as_ms() / 1000).map_err(|_| ConfigError::key(key, format!("{span} is too long")))
}

fn users(entries: Vec<UserEntry>) -> Result<Vec<User>, ConfigError> {
    let mut users: Vec<User> = Vec::with_capacity(entries.len());
    for entry in entries {
        let key = format!("user {:?}", entry.name);
        if users.iter().any(|user| user.name == entry.name) {
            return Err(ConfigError::key(&key, "is named twice"));
        }
        let hash = PasswordHash::new(&entry.password_hash).map_err(|error| {
            ConfigError::key(&key, format!("password_hash cannot be read: {error}"))
                .hint("make one with `hexmq user hash`")
        })?;
        if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() || hash.salt.is_none() {
            return Err(ConfigError::key(&key, "password_hash is not an argon2id hash with its salt")
                .hint("make one with `hexmq user hash`"));
        }
        if let Some(grant) = entry.grants.iter().find(|grant| !is_grant(grant)) {
            return Err(ConfigError::key(
                &key,
                format!("grants: {grant:?} is no topic filter under $hexmq/"),
            )
            .hint("write for instance \"$hexmq/PRODUCT/#\"; everything else needs no grant"));
        }
        let UserEntry { name, admin, grants, .. } = entry;
        users.push(User { name, password_hash: hash, admin, grants });
    }
    Ok(users)
}

/// What only a grant opens: topics of the server itself.
fn is_grant(filter: &str) -> bool {
    filter.starts_with("$hexmq/") && hexmq_topic::TopicFilter::parse(filter).is_ok()
}

/// The configuration as a TOML file that gives the same one; passwords and hashes are left out.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listeners::write_keys(f, &self.listen)?;
        writeln!(f, "http = \"{}\"", self.http)?;
        writeln!(f, "data = {:?}", self.data.display().to_string())?;
        writeln!(f, "ephemeral = {}", self.ephemeral)?;
        writeln!(f, "durability = \"{}\"", self.durability)?;
        writeln!(f, "sync_delay = \"{}\"", Span(self.sync_delay))?;
        if let Some(bytes) = self.store_bytes {
            writeln!(f, "store_bytes = \"{}\"", ByteSize(bytes))?;
        }
        writeln!(f, "shards = {}", self.shards)?;
        writeln!(f, "allow_anonymous = {}", self.allow_anonymous)?;
        match self.admin_password {
            Some(_) => writeln!(f, "# admin_password is set")?,
            None => writeln!(f, "# admin_password is generated at start")?,
        }
        writeln!(f, "write_timeout = \"{}\"", Span(self.write_timeout))?;
        writeln!(f, "log = \"{}\"", self.log)?;
        if let Some(clients) = self.clients {
            writeln!(f, "clients = {clients}")?;
        }
        write_limits(f, &self.limits)?;
        write_recorder(f, &self.recorder)?;
        self.cloud.fmt(f)?;
        for user in &self.users {
            writeln!(f, "# user {:?} (hash not shown)", user.name)?;
        }
        listeners::write_tables(f, &self.listen)
    }
}

fn write_limits(f: &mut fmt::Formatter<'_>, limits: &Limits) -> fmt::Result {
    let seconds = |s: u64| Span(Duration::from_secs(s));
    writeln!(f, "connect_timeout = \"{}\"", Span(Duration::from_millis(limits.connect_timeout_ms)))?;
    writeln!(f, "maximum_packet_size = \"{}\"", ByteSize(limits.maximum_packet_size.into()))?;
    writeln!(f, "receive_maximum = {}", limits.receive_maximum)?;
    writeln!(f, "topic_alias_maximum = {}", limits.topic_alias_maximum)?;
    writeln!(f, "in_flight_per_session = {}", limits.in_flight_per_session)?;
    writeln!(f, "session_queue_messages = {}", limits.session_queue_messages)?;
    writeln!(f, "session_queue_bytes = \"{}\"", ByteSize(limits.session_queue_bytes))?;
    writeln!(f, "queue_memory_bytes = \"{}\"", ByteSize(limits.queue_memory_bytes))?;
    writeln!(f, "uplink_queue_messages = {}", limits.uplink_queue_messages)?;
    writeln!(f, "uplink_queue_bytes = \"{}\"", ByteSize(limits.uplink_queue_bytes))?;
    let timeout = Span(Duration::from_millis(limits.store_full_timeout_ms));
    writeln!(f, "store_full_timeout = \"{timeout}\"")?;
    writeln!(f, "write_buffer_bytes = \"{}\"", ByteSize(limits.write_buffer_bytes as u64))?;
    writeln!(f, "retained_messages = {}", limits.retained_messages)?;
    writeln!(f, "retained_bytes = \"{}\"", ByteSize(limits.retained_bytes))?;
    writeln!(f, "retained_memory_bytes = \"{}\"", ByteSize(limits.retained_memory_bytes))?;
    writeln!(f, "subscriptions_per_session = {}", limits.subscriptions_per_session)?;
    writeln!(f, "topic_depth = {}", limits.topic_depth)?;
    if let Some(s) = limits.session_expiry_max_s {
        writeln!(f, "session_expiry_max = \"{}\"", seconds(s.into()))?;
    }
    if let Some(s) = limits.keep_alive_max_s {
        writeln!(f, "keep_alive_max = \"{}\"", seconds(s.into()))?;
    }
    writeln!(f, "sys_interval = \"{}\"", seconds(limits.sys_interval_s.into()))
}
