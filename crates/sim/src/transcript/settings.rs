//! The settings of a case, resolved to what a server is built from.

use std::time::Duration;

use hexmq_broker::Limits;
use hexmq_notation::{Head, Setting, User, parse_duration, parse_size};

/// What server a case wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Bounds; `$SYS` is off unless the case sets its interval.
    pub limits: Limits,
    /// Shards.
    pub shards: u16,
    /// Clients without credentials from anywhere, not only from loopback addresses.
    pub allow_anonymous: bool,
    /// Who may connect with credentials.
    pub users: Vec<User>,
}

impl ServerSettings {
    /// The settings of a head. An unknown name or a value that cannot be is an error.
    pub fn of(head: &Head) -> Result<ServerSettings, String> {
        let limits = Limits { sys_interval_s: 0, ..Limits::default() };
        let mut settings = ServerSettings {
            limits,
            shards: head.shards(),
            allow_anonymous: false,
            users: head.users.clone(),
        };
        for setting in head.server_settings() {
            settings.set(setting).ok_or_else(|| {
                format!(
                    "line {}: no setting `{}` that can be `{}`",
                    setting.line, setting.name, setting.value
                )
            })?;
        }
        Ok(settings)
    }

    fn set(&mut self, setting: &Setting) -> Option<()> {
        let limits = &mut self.limits;
        let value = setting.value.as_str();
        match setting.name.as_str() {
            "allow_anonymous" => self.allow_anonymous = value.parse().ok()?,
            "connect_timeout" => limits.connect_timeout_ms = milliseconds(parse_duration(value)?)?,
            "maximum_packet_size" => limits.maximum_packet_size = u32::try_from(parse_size(value)?).ok()?,
            "receive_maximum" => limits.receive_maximum = value.parse().ok()?,
            "topic_alias_maximum" => limits.topic_alias_maximum = value.parse().ok()?,
            "in_flight_per_session" => limits.in_flight_per_session = value.parse().ok()?,
            "session_queue_messages" => limits.session_queue_messages = value.parse().ok()?,
            "session_queue_bytes" => limits.session_queue_bytes = parse_size(value)?,
            "write_buffer_bytes" => limits.write_buffer_bytes = usize::try_from(parse_size(value)?).ok()?,
            "retained_messages" => limits.retained_messages = value.parse().ok()?,
            "subscriptions_per_session" => limits.subscriptions_per_session = value.parse().ok()?,
            "topic_depth" => limits.topic_depth = value.parse().ok()?,
            "session_expiry_max" => limits.session_expiry_max_s = Some(seconds(value)?),
            "keep_alive_max" => limits.keep_alive_max_s = Some(u16::try_from(seconds(value)?).ok()?),
            "sys_interval" => limits.sys_interval_s = seconds(value)?,
            _ => return None,
        }
        Some(())
    }
}

fn milliseconds(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_millis()).ok()
}

fn seconds(value: &str) -> Option<u32> {
    u32::try_from(parse_duration(value)?.as_secs()).ok()
}
