//! The ports of the platform: what it asks of the world, and what the world asks of it.
//!
//! Every call may wait, but not for ever: implementations give up after a bounded time with
//! [`PortErrorKind::Unavailable`].

use std::fmt;

use serde_json::Value as Json;

use crate::{
    ApiKey, Batch, Command, Datum, Device, DeviceRef, Diagnosis, Document, Downlink, Event, LogLine,
    NewPoint, Offer, Point, Product, SignIn, TopicRule,
};

pub use crate::rest::{RestRequest, RestResponse, VendorApi};

/// What a call of a port comes to.
pub type PortResult<T> = Result<T, PortError>;

/// Why a call of a port did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortError {
    /// What kind.
    pub kind: PortErrorKind,
    /// Stable name for programs: `unknown_device`, `product_exists` …
    pub code: &'static str,
    /// In a sentence.
    pub message: String,
}

/// Kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortErrorKind {
    /// What is named is not there.
    NotFound,
    /// It is there already, or has changed meanwhile.
    Conflict,
    /// What is said makes no sense.
    Invalid,
    /// It is not allowed.
    Forbidden,
    /// The device is not here.
    Offline,
    /// A bound is reached.
    Full,
    /// The data base, or the shard, does not answer.
    Unavailable,
}

impl PortError {
    /// An error of this kind.
    pub fn new(kind: PortErrorKind, code: &'static str, message: impl Into<String>) -> PortError {
        PortError { kind, code, message: message.into() }
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PortError {}

/// Part of a list, and where it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// In order.
    pub items: Vec<T>,
    /// For the next part; `None`: this was the last one.
    pub next: Option<String>,
}

/// How much of a list, from where on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageAsk {
    /// At most so many; implementations have bounds of their own.
    pub limit: usize,
    /// [`Page::next`] of the part before.
    pub cursor: Option<String>,
}

/// Which devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceQuery {
    /// Of this product; `None`: of all.
    pub product: Option<String>,
    /// Whose id or name contains this, in whatever case the letters of ASCII are.
    pub text: Option<String>,
    /// That have this tag, with this value if there is one.
    pub tag: Option<(String, Option<String>)>,
    /// With this status: `never`, `online`, `offline` or `disabled`.
    pub status: Option<String>,
    /// Only these ids.
    pub ids: Option<Vec<String>>,
    /// Created at or after this.
    pub created_from_ms: Option<i64>,
    /// Created before this.
    pub created_to_ms: Option<i64>,
    /// How much.
    pub page: PageAsk,
}

/// Which points, events, log lines or commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeQuery {
    /// Whose; without a device all of the product's.
    pub product: String,
    /// Whose.
    pub device: Option<String>,
    /// Only these properties, events or stages.
    pub ids: Option<Vec<String>>,
    /// From this time on, in milliseconds since 1970 UTC.
    pub from_ms: Option<i64>,
    /// Up to and without this time.
    pub to_ms: Option<i64>,
    /// The newest first.
    pub newest_first: bool,
    /// How much.
    pub page: PageAsk,
}

/// Points summarised over a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Property.
    pub id: String,
    /// Beginning of the stretch, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Points in it that are numbers.
    pub count: u64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
    /// Their sum.
    pub sum: f64,
    /// The last one.
    pub last: f64,
}

/// Where products, devices and keys are registered.
pub trait Registry: Send + Sync + 'static {
    /// All products.
    fn products(&self) -> PortResult<Vec<Product>>;
    /// Registers a product; its number is given here.
    fn create_product(&self, product: &Product) -> PortResult<Product>;
    /// Changes everything of a product but its id, dialect, number and time of creation.
    fn update_product(&self, product: &Product) -> PortResult<()>;
    /// Removes a product with all its devices and what is kept of them.
    fn delete_product(&self, product: &str) -> PortResult<()>;
    /// One device.
    fn device(&self, device: &DeviceRef) -> PortResult<Option<Device>>;
    /// Devices in the order of product and id.
    fn devices(&self, query: &DeviceQuery) -> PortResult<Page<Device>>;
    /// How many devices the query (without its page) has, counted up to a million.
    fn count_devices(&self, query: &DeviceQuery) -> PortResult<u64>;
    /// Registers devices; each line succeeds or fails by itself.
    fn create_devices(&self, devices: &[Device]) -> PortResult<Vec<PortResult<()>>>;
    /// Changes everything of a device but its product, id, presence and time of creation.
    fn update_device(&self, device: &Device) -> PortResult<()>;
    /// Removes a device and what is kept of it.
    fn delete_device(&self, device: &DeviceRef) -> PortResult<()>;
    /// Whoever was on line is not any more: the server has started.
    fn all_offline(&self, at_ms: i64, reason: &str) -> PortResult<()>;
    /// All keys.
    fn keys(&self) -> PortResult<Vec<ApiKey>>;
    /// Makes a key.
    fn create_key(&self, key: &ApiKey) -> PortResult<()>;
    /// Removes a key.
    fn delete_key(&self, id: &str) -> PortResult<()>;
    /// A document of a device, of a product (`device` empty) or of the server (both empty).
    fn document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>>;
    /// Documents of a kind: whose, and what they say.
    fn documents(&self, kind: &str) -> PortResult<Vec<(DeviceRef, Document)>>;
    /// Sets a document, or removes it. `expected`: only if its version is still this one (0: only if there is
    /// none), else [`PortErrorKind::Conflict`]. Returns the new version.
    fn put_document(
        &self,
        owner: &DeviceRef,
        kind: &str,
        text: Option<&str>,
        expected: Option<u64>,
        at_ms: i64,
    ) -> PortResult<u64>;
    /// Keeps bytes under an id of a kind (firmware, uploaded files), at most 256 MiB.
    fn put_blob(&self, kind: &str, id: &str, bytes: &[u8], at_ms: i64) -> PortResult<()>;
    /// Bytes from `offset` on, at most `limit`, and how many there are in all.
    fn blob(&self, kind: &str, id: &str, offset: u64, limit: usize) -> PortResult<Option<(Vec<u8>, u64)>>;
    /// Removes bytes.
    fn delete_blob(&self, kind: &str, id: &str) -> PortResult<()>;
}

/// Where points, events, logs and commands are kept.
pub trait History: Send + Sync + 'static {
    /// Keeps a batch, all of it or nothing. Points and events of devices that are gone are left out.
    ///
    /// A batch that names places, none of which is newer than what is kept, was kept before: nothing changes. One
    /// of whose places some are newer and some are not is refused (`batch_partly_kept`,
    /// [`PortErrorKind::Conflict`]). So a batch of which it is not known whether it was kept is handed in again
    /// unchanged, before the next.
    fn keep(&self, batch: &Batch) -> PortResult<()>;
    /// Up to where an inbox is done.
    fn done(&self, inbox: &str) -> PortResult<Option<u64>>;
    /// The newest value of each property of a device, by property.
    fn latest(&self, device: &DeviceRef) -> PortResult<Vec<Point>>;
    /// Points of a device in order of time, and of arrival where times are equal.
    fn points(&self, query: &TimeQuery) -> PortResult<Page<Point>>;
    /// Points of a device summarised over stretches of `step_ms`, by property and time. Stretches of whole hours
    /// begin at the hour of `from_ms` (so that days can be those of any zone), without one at 1970; others at
    /// multiples of their length. A stretch without numbers is left out.
    fn summary(&self, query: &TimeQuery, step_ms: i64) -> PortResult<Vec<Bucket>>;
    /// Removes points of a device by property; all if `None`.
    fn delete_points(&self, device: &DeviceRef, id: Option<&str>) -> PortResult<()>;
    /// Events in order of time.
    fn events(&self, query: &TimeQuery) -> PortResult<Page<Event>>;
    /// Log lines in order of time.
    fn log(&self, query: &TimeQuery) -> PortResult<Page<LogLine>>;
    /// Keeps a command, or what has become of it.
    fn put_command(&self, command: &Command) -> PortResult<()>;
    /// One command.
    fn command(&self, id: &str) -> PortResult<Option<Command>>;
    /// The command that an answer of this device is for: the newest sent one.
    fn command_for(&self, device: &DeviceRef, correlation: &str) -> PortResult<Option<Command>>;
    /// Commands in order of creation; `ids` of the query are states.
    fn commands(&self, query: &TimeQuery) -> PortResult<Page<Command>>;
    /// Commands that are not in a final state and either wait for this device or, without one, are past their
    /// deadline at `now_ms`; in order of creation, at most `limit`.
    fn open_commands(
        &self,
        device: Option<&DeviceRef>,
        now_ms: i64,
        limit: usize,
    ) -> PortResult<Vec<Command>>;
    /// Forgets what is older than its product keeps it, log lines older than `log_from_ms`, and log lines of a
    /// device beyond its newest `log_lines`; does a bounded amount of work and says whether more is left.
    fn prune(&self, now_ms: i64, log_from_ms: i64, log_lines: usize) -> PortResult<bool>;
}

/// The connections of devices: what the platform asks of the server.
pub trait Fleet: Send + Sync + 'static {
    /// Sends to the connection of a device of the product with this number. `token` comes back through the
    /// caller's ears when the device has acknowledged it (QoS 1 and 2). `done` is called once, from any thread.
    fn send(
        &self,
        number: u32,
        device: &str,
        downlink: &Downlink,
        token: Option<u64>,
        done: Box<dyn FnOnce(Sent) + Send>,
    );
    /// Publishes a message of the server: in the namespace of the product with this number, or among plain
    /// clients (0).
    fn publish(&self, number: u32, topic: &str, payload: &[u8], qos: u8, retain: bool);
    /// Other rules for a connected device (a gateway whose devices signed in or out).
    fn set_rules(&self, number: u32, device: &str, rules: Vec<TopicRule>);
    /// Closes the connection of a device, and forgets its session if `forget`.
    fn disconnect(&self, number: u32, device: &str, forget: bool);
    /// Uplinks of an inbox up to this place are kept: the server may forget them.
    fn done(&self, inbox: &str, place: u64);
    /// Clients with a subscription that matches this topic in the product's namespace: their devices.
    fn subscribers(&self, number: u32, topic: &str) -> Vec<String>;
    /// Topic filters of a connected or stored device.
    fn subscriptions(&self, number: u32, device: &str) -> Vec<String>;
}

/// What became of a message to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Sent,
    /// The device is not connected.
    Offline,
    /// The device has no subscription that matches.
    NotSubscribed,
    /// Too much waits for the device already, or the message is larger than it takes.
    Full,
}

/// A new command.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCommand {
    /// What.
    pub order: crate::Order,
    /// QoS to send it with.
    pub qos: u8,
    /// How long it is valid while the device is away, in seconds up to 31 days; 0: only if it is here now.
    pub timeout_s: u32,
    /// How long an answer is waited for once it was sent, in seconds; `None`: the dialect's own.
    pub answer_s: Option<u32>,
    /// It is sent again at the next sign-in while it is not answered.
    pub again: bool,
}

/// A place that is told of what happens, over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// `http://…` or `https://…`
    pub url: String,
    /// Signs the body: HMAC-SHA256.
    pub secret: crate::Secret,
    /// Which kinds: `uplink`, `presence`, `command`, `event`; all if empty.
    pub kinds: Vec<String>,
    /// Only of this product.
    pub product: Option<String>,
    /// Not now.
    pub disabled: bool,
}

/// How the deliveries to a webhook go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookState {
    /// That succeeded.
    pub delivered: u64,
    /// That were given up.
    pub given_up: u64,
    /// That wait.
    pub waiting: u64,
    /// The last error.
    pub last_error: Option<String>,
}

/// What HTTP, the vendors' APIs and the command line ask of the platform.
pub trait Platform: Send + Sync + 'static {
    /// Now, in milliseconds since 1970 UTC.
    fn now_ms(&self) -> i64;

    /// All products.
    fn products(&self) -> PortResult<Vec<Product>>;
    /// One product.
    fn product(&self, id: &str) -> PortResult<Product>;
    /// Registers a product. An empty id is made; number and time are given.
    fn create_product(&self, product: Product) -> PortResult<Product>;
    /// Changes a product.
    fn update_product(&self, product: Product) -> PortResult<Product>;
    /// Removes a product, its devices and what is kept of them; their connections are closed.
    fn delete_product(&self, id: &str) -> PortResult<()>;
    /// The quirks a product can switch, and whether each is on.
    fn quirks(&self, product: &str) -> PortResult<Vec<(crate::Quirk, bool)>>;

    /// One device.
    fn device(&self, device: &DeviceRef) -> PortResult<Device>;
    /// Devices.
    fn devices(&self, query: &DeviceQuery) -> PortResult<Page<Device>>;
    /// How many.
    fn count_devices(&self, query: &DeviceQuery) -> PortResult<u64>;
    /// Registers devices; each by itself. Empty ids and missing secrets are made.
    fn create_devices(&self, devices: Vec<Device>) -> PortResult<Vec<PortResult<Device>>>;
    /// Changes a device; one that becomes disabled loses its connection.
    fn update_device(&self, device: Device) -> PortResult<Device>;
    /// Removes a device and what is kept of it; its connection is closed.
    fn delete_device(&self, device: &DeviceRef) -> PortResult<()>;

    /// A document; see [`Registry::document`].
    fn document(&self, owner: &DeviceRef, kind: &str) -> PortResult<Option<Document>>;
    /// Sets or removes a document; see [`Registry::put_document`].
    fn put_document(
        &self,
        owner: &DeviceRef,
        kind: &str,
        text: Option<&str>,
        expected: Option<u64>,
    ) -> PortResult<u64>;
    /// Keeps bytes.
    fn put_blob(&self, kind: &str, id: &str, bytes: &[u8]) -> PortResult<()>;
    /// Reads bytes.
    fn blob(&self, kind: &str, id: &str, offset: u64, limit: usize) -> PortResult<Option<(Vec<u8>, u64)>>;

    /// The thing model of a product as TSL.
    fn model(&self, product: &str) -> PortResult<Option<Json>>;
    /// Sets the thing model, or removes it.
    fn set_model(&self, product: &str, tsl: Option<Json>) -> PortResult<()>;
    /// A thing model learnt from what the product's devices have sent.
    fn draft_model(&self, product: &str) -> PortResult<Json>;

    /// The newest value of each property.
    fn latest(&self, device: &DeviceRef) -> PortResult<Vec<Point>>;
    /// Points.
    fn points(&self, query: &TimeQuery) -> PortResult<Page<Point>>;
    /// Points summarised.
    fn summary(&self, query: &TimeQuery, step_ms: i64) -> PortResult<Vec<Bucket>>;
    /// Keeps values that an application posts for a device, as if the device had.
    fn post(&self, device: &DeviceRef, points: Vec<NewPoint>) -> PortResult<()>;
    /// Removes points.
    fn delete_points(&self, device: &DeviceRef, id: Option<&str>) -> PortResult<()>;
    /// Events.
    fn events(&self, query: &TimeQuery) -> PortResult<Page<Event>>;
    /// Log lines.
    fn log(&self, query: &TimeQuery) -> PortResult<Page<LogLine>>;

    /// Sends a command, or keeps it for the device. A device that is away and a timeout of 0 give a command
    /// that is refused with the reason `offline`.
    fn command(&self, device: &DeviceRef, command: NewCommand) -> PortResult<Command>;
    /// One command.
    fn find_command(&self, id: &str) -> PortResult<Command>;
    /// Commands.
    fn commands(&self, query: &TimeQuery) -> PortResult<Page<Command>>;
    /// Waits until the command is in a final state, at most `patience_ms`; returns it as it is then.
    fn wait_for(&self, id: &str, patience_ms: u64) -> PortResult<Command>;
    /// Sends a message that is no command.
    fn order(&self, device: &DeviceRef, order: crate::Order) -> PortResult<Sent>;
    /// Publishes in the namespace of a product.
    fn publish(&self, product: &str, topic: &str, payload: &[u8], qos: u8) -> PortResult<()>;
    /// Devices with a subscription that matches a topic.
    fn subscribers(&self, product: &str, topic: &str) -> PortResult<Vec<String>>;
    /// Topic filters of a device.
    fn subscriptions(&self, device: &DeviceRef) -> PortResult<Vec<String>>;

    /// Desired values: set (a value) or removed (`None`); a device that is here is told as its dialect does.
    fn set_desired(&self, device: &DeviceRef, desired: Vec<(String, Option<Datum>)>) -> PortResult<()>;
    /// Desired values.
    fn desired(&self, device: &DeviceRef) -> PortResult<std::collections::BTreeMap<String, crate::Desired>>;
    /// The shadow.
    fn shadow(&self, device: &DeviceRef) -> PortResult<crate::Shadow>;

    /// The devices bound to a gateway.
    fn topology(&self, gateway: &DeviceRef) -> PortResult<Vec<DeviceRef>>;
    /// Binds and unbinds.
    fn change_topology(&self, gateway: &DeviceRef, add: &[DeviceRef], remove: &[DeviceRef])
    -> PortResult<()>;

    /// Keeps firmware of a product.
    fn add_firmware(&self, product: &str, module: &str, version: &str, bytes: &[u8]) -> PortResult<Offer>;
    /// The firmware of a product.
    fn firmware(&self, product: &str) -> PortResult<Vec<Offer>>;
    /// Removes firmware.
    fn delete_firmware(&self, product: &str, id: &str) -> PortResult<()>;
    /// Offers firmware to a device; it is told now if it is here, and gets the same answer when it asks.
    fn offer_firmware(&self, device: &DeviceRef, id: &str) -> PortResult<Sent>;

    /// Whether `token`, from the link of an [`Offer`], opens the file of this kind and id. Files are fetched at
    /// `/files/KIND/ID?token=TOKEN`, kinds are those of [`Platform::blob`].
    fn may_fetch(&self, kind: &str, id: &str, token: &str) -> bool {
        let _ = (kind, id, token);
        false
    }

    /// Keys.
    fn keys(&self) -> PortResult<Vec<ApiKey>>;
    /// Makes a key; the second part is the key itself, which is not shown again.
    fn create_key(&self, key: ApiKey) -> PortResult<(ApiKey, String)>;
    /// Removes a key.
    fn delete_key(&self, id: &str) -> PortResult<()>;
    /// The key of these letters, if it is valid now.
    fn key(&self, key: &str) -> PortResult<Option<ApiKey>>;

    /// Webhooks and how they go.
    fn webhooks(&self) -> PortResult<Vec<(Webhook, WebhookState)>>;
    /// Makes or changes a webhook.
    fn put_webhook(&self, webhook: Webhook) -> PortResult<Webhook>;
    /// Removes a webhook.
    fn delete_webhook(&self, id: &str) -> PortResult<()>;

    /// Why somebody is not let in. `product` and `device` where they are known from elsewhere; else what the
    /// three strings say.
    fn diagnose(&self, sign_in: &SignIn<'_>, device: Option<&DeviceRef>) -> PortResult<Diagnosis>;

    /// How it goes: counts for `/metrics` and `/api/v1/status`.
    fn gauges(&self) -> PlatformGauges;
}

/// Counts of the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlatformGauges {
    /// Products.
    pub products: u64,
    /// Devices on line.
    pub devices_online: u64,
    /// Uplinks taken over from the shards.
    pub uplinks: u64,
    /// Uplinks that were not understood.
    pub uplinks_refused: u64,
    /// Points kept.
    pub points: u64,
    /// Uplinks taken over and not yet kept.
    pub backlog: u64,
    /// Batches that the data base did not take, and that are tried again.
    pub keep_failures: u64,
    /// 1 while the data base does not answer.
    pub database_away: u64,
    /// Commands by final state.
    pub commands_answered: u64,
    /// Commands whose time was over.
    pub commands_timed_out: u64,
    /// Commands that could not be sent.
    pub commands_refused: u64,
    /// Webhook deliveries that succeeded.
    pub webhooks_delivered: u64,
    /// Webhook deliveries given up.
    pub webhooks_given_up: u64,
}
