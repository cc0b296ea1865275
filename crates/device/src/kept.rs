//! What the platform keeps of its devices: points, events, commands, log lines and documents.

use serde_json::Value as Json;

use crate::{Datum, DeviceRef, Presence};

/// A value of a property at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Whose.
    pub device: DeviceRef,
    /// Property identifier or data stream.
    pub id: String,
    /// The value.
    pub value: Datum,
    /// When it was measured, in milliseconds since 1970 UTC; the time it came if the device did not say.
    pub at_ms: i64,
    /// When it came.
    pub received_at_ms: i64,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Whose.
    pub device: DeviceRef,
    /// Event identifier.
    pub id: String,
    /// Its values.
    pub params: Json,
    /// When it happened, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// When it came.
    pub received_at_ms: i64,
}

/// A line of a device's log: one stage of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub device: DeviceRef,
    /// Milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// `up`: from the device; `down`: to it.
    pub direction: Direction,
    /// Stable name of the stage: `received`, `understood`, `refused`, `stored`, `replied`, `sent`, `acked`,
    /// `answered`, `connected`, `disconnected`, `rejected`, `quirk`, `timed_out` …
    pub stage: &'static str,
    /// Topic, if there is one.
    pub topic: Option<String>,
    /// The bytes of the application message, shortened to [`LOG_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// What it means, in a sentence.
    pub meaning: Option<String>,
    /// What is wrong with it: `rule at byte N: sentence`.
    pub error: Option<String>,
}

/// Bytes of a message that a log line keeps.
pub const LOG_BYTES_MAX: usize = 4096;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device.
    Up,
    /// To the device.
    Down,
}

impl Direction {
    /// `up` or `down`.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// An order on its way through a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// A lower-case UUID.
    pub id: String,
    /// For whom.
    pub device: DeviceRef,
    /// What, for people and applications: `{"payload_hex":…}` or `{"service":…,"params":…}`.
    pub order: Json,
    /// Where it stands.
    pub state: CommandState,
    /// Why it was refused, timed out or has failed: a stable name.
    pub reason: Option<String>,
    /// It goes out with this QoS.
    pub qos: u8,
    /// It is sent again at the next sign-in while it is not answered and not past its deadline.
    pub again: bool,
    /// What an answer carries to find it; set when it is sent.
    pub correlation: Option<String>,
    /// The answer's bytes; the last one if there were several.
    pub reply: Option<Vec<u8>>,
    /// The code and data of the answer, where its cloud has them.
    pub reply_code: Option<i64>,
    /// What the device returned.
    pub reply_data: Option<Json>,
    /// Milliseconds since 1970 UTC.
    pub created_at_ms: i64,
    /// When it was sent last.
    pub sent_at_ms: Option<i64>,
    /// When the answer came.
    pub answered_at_ms: Option<i64>,
    /// It is not sent after this.
    pub deadline_ms: i64,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandState {
    /// It waits for the device to come.
    Created,
    /// It is on its way.
    Sent,
    /// The device has acknowledged that it has it.
    Acked,
    /// The device has answered.
    Answered,
    /// Its time is over.
    TimedOut,
    /// It could not be sent.
    Refused,
}

impl CommandState {
    /// The stable name: `created`, `sent`, `acked`, `answered`, `timed_out` or `refused`.
    pub const fn name(self) -> &'static str {
        match self {
            CommandState::Created => "created",
            CommandState::Sent => "sent",
            CommandState::Acked => "acked",
            CommandState::Answered => "answered",
            CommandState::TimedOut => "timed_out",
            CommandState::Refused => "refused",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<CommandState> {
        use CommandState::{Acked, Answered, Created, Refused, Sent, TimedOut};
        [Created, Sent, Acked, Answered, TimedOut, Refused].into_iter().find(|state| state.name() == name)
    }

    /// Nothing further will happen to it, but that a later answer takes the place of an earlier one.
    pub const fn is_final(self) -> bool {
        matches!(self, CommandState::Answered | CommandState::TimedOut | CommandState::Refused)
    }
}

/// A text that belongs to a product or a device: shadow, thing model, configuration, topology …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// JSON.
    pub text: String,
    /// Counts its changes, from 1 on.
    pub version: u64,
    /// Milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// A change of who is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceChange {
    /// Who.
    pub device: DeviceRef,
    /// How it is now.
    pub presence: Presence,
}

/// What is kept in one go: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Points.
    pub points: Vec<Point>,
    /// Events.
    pub events: Vec<Event>,
    /// Log lines.
    pub log: Vec<LogLine>,
    /// Who has come and gone.
    pub presence: Vec<PresenceChange>,
    /// Up to where the inboxes of the server are done: name and place. A place that is not larger than the
    /// one kept is ignored.
    pub done: Vec<(String, u64)>,
}

impl Batch {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
            && self.events.is_empty()
            && self.log.is_empty()
            && self.presence.is_empty()
            && self.done.is_empty()
    }
}

/// A key for applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// For people and for deleting it.
    pub id: String,
    /// For people.
    pub name: String,
    /// SHA-256 of the key in lower-case hex; the key itself is shown once, when it is made.
    pub sha256: String,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// Only this product; `None`: all.
    pub product: Option<String>,
    /// Only this device of the product.
    pub device: Option<String>,
    /// Milliseconds since 1970 UTC.
    pub created_at_ms: i64,
    /// It is not valid after this.
    pub expires_at_ms: Option<i64>,
}

/// What an API key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To read products, devices, data, commands and logs.
    Read,
    /// To write data, send commands and publish.
    Write,
    /// To create, change and delete products and devices, and to see secrets.
    Manage,
    /// Everything that the administrator may.
    Admin,
}

impl Scope {
    /// The stable name: `read`, `write`, `manage` or `admin`.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Manage => "manage",
            Scope::Admin => "admin",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Scope> {
        [Scope::Read, Scope::Write, Scope::Manage, Scope::Admin]
            .into_iter()
            .find(|scope| scope.name() == name)
    }
}
