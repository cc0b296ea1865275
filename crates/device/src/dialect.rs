//! What a dialect is to the platform: pure functions between bytes of a cloud and the words of this crate.
//!
//! A dialect does no I/O and keeps no state. It reads what a device says of itself, judges whether that is
//! true given what is registered, reads uplinks into [`Ask`]s, and writes answers and orders as the device
//! expects them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{Datum, Device, DeviceRef, DialectName, Product, Quirk, Secret};

/// What a CONNECT says of who connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignIn<'a> {
    /// Client Identifier.
    pub client_identifier: &'a str,
    /// User Name.
    pub user_name: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
    /// Protocol version: 3, 4 or 5.
    pub level: u8,
    /// It came over TLS.
    pub secure: bool,
    /// Keep Alive in seconds; 0: none.
    pub keep_alive_s: u16,
}

/// One cloud's words.
pub trait Dialect: Send + Sync + 'static {
    /// Which one.
    fn name(&self) -> DialectName;

    /// The quirks it can switch.
    fn quirks(&self) -> &'static [Quirk];

    /// The product and device that a CONNECT names if it is of this dialect; whether there is such a product
    /// is not known here.
    fn claim(&self, sign_in: &SignIn<'_>) -> Option<DeviceRef>;

    /// Whether the sign-in is written as only this cloud's devices write theirs: a guess, for the doctor, where
    /// no product says which cloud is meant. Such a sign-in can be diagnosed even if it claims nothing.
    fn recognises(&self, sign_in: &SignIn<'_>) -> bool {
        let _ = sign_in;
        false
    }

    /// Whether the claim is true. `device` is `None` if none of that id is registered.
    fn verify(
        &self,
        sign_in: &SignIn<'_>,
        product: &Product,
        device: Option<&Device>,
        now_ms: i64,
    ) -> Result<Admission, Refused>;

    /// Why a CONNECT is refused or what is odd about it, ingredient by ingredient.
    fn diagnose(
        &self,
        sign_in: &SignIn<'_>,
        product: Option<&Product>,
        device: Option<&Device>,
        now_ms: i64,
    ) -> Diagnosis;

    /// What a message of a device means.
    fn uplink(&self, uplink: &Uplink<'_>) -> Result<Understood, UplinkError>;

    /// What a device is sent that has registered itself by connecting, once its secret is made.
    fn registered(&self, sign_in: &SignIn<'_>, registration: &Registration, secret: &Secret) -> Downlink;

    /// The answer to an [`Ask`], if the device wants one.
    fn reply(&self, receipt: &Receipt, outcome: &Outcome) -> Option<Downlink>;

    /// How a device is told to do something. `command` is the id of the command (a lower-case UUID), `number`
    /// a number that is unique for the device and fits 31 bits.
    fn downlink(
        &self,
        product: &Product,
        device: &DeviceRef,
        order: &Order,
        command: &str,
        number: u32,
    ) -> Result<Downlink, OrderError>;

    /// All that the connection of a gateway may do while these devices behind it are signed in; the first rule
    /// that fits decides. `None`: this cloud knows no gateways.
    fn gateway_rules(
        &self,
        product: &Product,
        gateway: &DeviceRef,
        behind: &[DeviceRef],
    ) -> Option<Vec<TopicRule>> {
        let _ = (product, gateway, behind);
        None
    }

    /// What a gateway is told when a device behind it is not signed in any more and it was not the gateway's own
    /// wish: `reason` is `disabled`, `deleted`, `unbound` or `signed_in_elsewhere`. `None`: nothing.
    fn signed_out(&self, gateway: &DeviceRef, device: &DeviceRef, reason: &str) -> Option<Downlink> {
        let _ = (gateway, device, reason);
        None
    }

    /// How long an answer to a command is waited for once it was sent, in milliseconds. `None`: for as long as
    /// the command is valid.
    fn answer_wait_ms(&self) -> Option<i64> {
        Some(20_000)
    }
}

/// A device is let in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// What it may do; the first rule that fits decides, and what no rule fits is forbidden.
    pub rules: Vec<TopicRule>,
    /// How it is treated.
    pub manners: Manners,
    /// It gets what the platform sends without asking for it, until it unsubscribes.
    pub subscribed: bool,
    /// Sent right behind CONNACK, subscribed or not.
    pub greeting: Vec<Downlink>,
    /// What is to be changed in the registry because of this sign-in.
    pub registration: Option<Registration>,
    /// What is odd but survived, for its log: stable name and sentence.
    pub notices: Vec<(&'static str, String)>,
}

/// A device registers itself by connecting.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Which device; it is created if it is not there.
    pub device: DeviceRef,
    /// What it gets.
    pub style: RegistrationStyle,
}

/// What a device that registers itself gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationStyle {
    /// Its secret.
    Secret,
    /// A client identifier and a token, which becomes the device's password.
    Token,
}

/// Topics and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRule {
    /// A topic filter.
    pub filter: String,
    /// It may publish to matching topics.
    pub publish: bool,
    /// It may subscribe to filters that this one covers.
    pub subscribe: bool,
    /// Who gets what it publishes.
    pub reach: Reach,
}

/// Who gets a message of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The platform alone.
    Platform,
    /// The subscribers of its namespace alone.
    Topics,
    /// Both.
    Both,
}

/// How a connection is treated, beyond the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// SUBSCRIBE, UNSUBSCRIBE and PUBREL with flags 0000 are read as if they had 0010.
    pub zero_flags: bool,
    /// A PUBREL whose identifier is not awaited is the PUBCOMP of the oldest QoS 2 delivery.
    pub pubrel_as_pubcomp: bool,
    /// One packet per TCP segment, with so many milliseconds between them.
    pub packet_gap_ms: Option<u32>,
    /// RETAIN is never set on what it gets.
    pub no_retain: bool,
    /// The largest QoS of what it gets: 0, 1 or 2.
    pub largest_qos: u8,
    /// SUBACK grants QoS 1 whatever was asked.
    pub grants_qos_1: bool,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            zero_flags: false,
            pubrel_as_pubcomp: false,
            packet_gap_ms: None,
            no_retain: false,
            largest_qos: 2,
            grants_qos_1: false,
        }
    }
}

/// A device is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What CONNACK says.
    pub code: RefusedCode,
    /// Stable name of what is wrong: `unknown_device`, `wrong_secret`, `token_expired` …
    pub rule: &'static str,
    /// In a sentence.
    pub message: String,
}

/// The return codes of 3.x that fit; MQTT 5 has 0x85, 0x86, 0x87 and 0x88 for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedCode {
    /// 2: client identifier not allowed.
    Identifier,
    /// 3: the registry cannot be asked.
    Unavailable,
    /// 4: user name or password wrong.
    Credentials,
    /// 5: not authorised.
    NotAuthorized,
}

/// What the doctor found.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Whether it would be let in.
    pub admitted: bool,
    /// Stable name of the decisive finding; `ok` if it would be let in.
    pub code: &'static str,
    /// In a sentence.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Each ingredient: what was sent, what was expected, whether it is right. Secrets are not among them.
    pub ingredients: Vec<Ingredient>,
}

/// A part of what a device signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingredient {
    /// `product`, `device`, `sign_method`, `timestamp`, `signature`, `expiry` …
    pub name: &'static str,
    /// As it was sent.
    pub sent: Option<String>,
    /// What it would have to be, where that may be told.
    pub expected: Option<String>,
    /// `None`: it could not be judged.
    pub right: Option<bool>,
    /// In a sentence, if something is to be said.
    pub note: Option<String>,
}

/// A message of a device that is for the platform.
#[derive(Clone, Copy, Debug)]
pub struct Uplink<'a> {
    /// Its product.
    pub product: &'a Product,
    /// Whose connection it came on.
    pub device: &'a DeviceRef,
    /// Topic name.
    pub topic: &'a str,
    /// Application message.
    pub payload: &'a [u8],
    /// 0, 1 or 2.
    pub qos: u8,
    /// Milliseconds since 1970 UTC.
    pub received_at_ms: i64,
}

/// What a message means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understood {
    /// For the device's log: `property post, 3 values`.
    pub meaning: String,
    /// What the device wants, in order.
    pub requests: Vec<Request>,
    /// Answers that need nobody's decision (a time of day).
    pub replies: Vec<Downlink>,
    /// What is odd but survived, for its log: stable name and sentence.
    pub notices: Vec<(&'static str, String)>,
}

/// Why a message is not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct UplinkError {
    /// Stable name of the rule that is broken.
    pub rule: &'static str,
    /// First byte of the payload that is wrong.
    pub offset: usize,
    /// How many are wrong; 0 where something is missing.
    pub length: usize,
    /// In a sentence.
    pub message: String,
    /// What the device is told, if its cloud tells it anything.
    pub replies: Vec<Downlink>,
}

/// One thing that a device wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// For whom: the device itself, or one that it says is behind it. The dialect reads names from payloads
    /// too, so whoever decides checks that it is.
    pub device: DeviceRef,
    /// What.
    pub ask: Ask,
    /// What the dialect needs to answer; `None`: no answer is wanted.
    pub receipt: Option<Receipt>,
}

/// What a dialect needs to write an answer. Only the dialect that made it reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    /// Topic of the answer.
    pub topic: String,
    /// The message's own id, as JSON or text.
    pub id: Json,
    /// Its method.
    pub method: Option<String>,
    /// Which kind of answer, in the dialect's own words.
    pub form: &'static str,
    /// Whatever else.
    pub more: Json,
}

/// A value with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPoint {
    /// Property identifier or data stream.
    pub id: String,
    /// The value.
    pub value: Datum,
    /// When it was measured; `None`: when it came.
    pub at_ms: Option<i64>,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Event identifier.
    pub id: String,
    /// Its values.
    pub params: Json,
    /// When; `None`: when it came.
    pub at_ms: Option<i64>,
}

/// What devices ask of the platform, whatever their cloud calls it.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Values and events to keep.
    Post {
        /// Values.
        points: Vec<NewPoint>,
        /// Events.
        events: Vec<NewEvent>,
    },
    /// Values and events of several devices, the asking one or those behind it: kept for each device by
    /// itself. Answer: [`Outcome::Posted`] with all faults, or the first refusal if any device was refused.
    PostAll(Vec<(DeviceRef, Vec<NewPoint>, Vec<NewEvent>)>),
    /// The answer to an order.
    Answered(Answered),
    /// Desired values; all if empty. Answer: [`Outcome::Desired`].
    DesiredGet(Vec<String>),
    /// Desired values are not desired any more; with a version only if it is that one.
    DesiredDelete(Vec<(String, Option<u64>)>),
    /// Something about its shadow. Answer: [`Outcome::Shadow`].
    Shadow(ShadowAsk),
    /// Tags to be set.
    TagsUpdate(Vec<(String, String)>),
    /// Tags to be removed.
    TagsDelete(Vec<String>),
    /// Devices to be bound to it; the dialect names each with its signature for [`SubDevice::sign`].
    TopologyAdd(Vec<SubDevice>),
    /// Devices to be unbound.
    TopologyDelete(Vec<DeviceRef>),
    /// The devices bound to it. Answer: [`Outcome::Devices`].
    TopologyGet,
    /// It has found devices that it could bind.
    Found(Vec<DeviceRef>),
    /// Devices behind it sign in; all or none. Answer: [`Outcome::Devices`].
    SubLogin(Vec<SubDevice>),
    /// Devices behind it sign out. Answer: [`Outcome::Devices`].
    SubLogout(Vec<DeviceRef>),
    /// Devices behind it register. Answer: [`Outcome::Secrets`].
    SubRegister(Vec<SubDevice>),
    /// The thing model. Answer: [`Outcome::Model`].
    ModelGet,
    /// The remote configuration. Answer: [`Outcome::Config`].
    ConfigGet,
    /// Which firmware it runs.
    FirmwareIs {
        /// Of which module; `default` if it does not say.
        module: String,
        /// Version.
        version: String,
    },
    /// Whether there is newer firmware. Answer: [`Outcome::Firmware`].
    FirmwareGet {
        /// Of which module.
        module: String,
    },
    /// How far an update has come.
    FirmwareProgress {
        /// Of which module.
        module: String,
        /// Percent, or a negative number for a failure.
        step: i32,
        /// In its words.
        text: String,
    },
    /// Lines of its own log.
    Log(Json),
    /// Bytes that only the application understands; with their topic.
    Raw {
        /// Topic.
        topic: String,
        /// Application message.
        payload: Vec<u8>,
    },
    /// A message for people and applications that changes nothing: reported as an event of this name.
    Note {
        /// Stable name.
        name: &'static str,
        /// What it says.
        params: Json,
    },
}

/// A device behind a gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct SubDevice {
    /// Which.
    pub device: DeviceRef,
    /// How it proves itself.
    pub sign: Option<SubSign>,
}

/// The signature of a device behind a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubSign {
    /// What is signed.
    pub content: String,
    /// HMAC method.
    pub method: crate::mac::HashName,
    /// The signature as sent, in hex.
    pub sign: String,
    /// Signed with the secret of the product, not with that of the device.
    pub with_product_secret: bool,
    /// The key is what the secret is in base64; a secret that is not base64 is taken as it is.
    pub base64_key: bool,
}

impl SubSign {
    /// Whether it was made with this secret.
    pub fn is_signed_with(&self, secret: &Secret) -> bool {
        let decoded = if self.base64_key { crate::mac::from_base64(&secret.0) } else { None };
        let key = decoded.as_deref().unwrap_or(secret.0.as_bytes());
        crate::mac::from_hex(self.sign.as_bytes())
            .is_some_and(|sign| self.method.verify(key, self.content.as_bytes(), &sign))
    }
}

/// A device answers an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// What the [`Downlink`] of the order carried as its correlation.
    pub correlation: String,
    /// The answer's bytes.
    pub payload: Vec<u8>,
    /// The code it answers with, where its cloud has codes; 200 is success.
    pub code: Option<i64>,
    /// What it returns, where that is JSON.
    pub data: Option<Json>,
}

/// What a device wants of its shadow.
#[derive(Clone, Debug, PartialEq)]
pub enum ShadowAsk {
    /// Reported values to be merged; `None` as a value removes a name.
    Update {
        /// Names and values.
        reported: BTreeMap<String, Option<Json>>,
        /// Larger than that of the shadow, or -1 to begin anew.
        version: i64,
        /// The desired values are to be forgotten.
        clear_desired: bool,
    },
    /// All of it.
    Get,
    /// Reported names to be removed; all if `None`.
    Delete {
        /// Names.
        names: Option<Vec<String>>,
        /// Larger than that of the shadow.
        version: i64,
    },
}

/// A device's shadow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shadow {
    /// Names, values and when they were set (milliseconds since 1970 UTC), as reported.
    pub reported: BTreeMap<String, (Json, i64)>,
    /// The same as desired.
    pub desired: BTreeMap<String, (Json, i64)>,
    /// Counts its changes.
    pub version: i64,
    /// Milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// A desired value.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The value.
    pub value: Json,
    /// Counts the changes of this value.
    pub version: u64,
}

/// What came of an [`Ask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Values were kept, but for these.
    Posted(Vec<ModelFault>),
    /// Desired values by name.
    Desired(BTreeMap<String, Desired>),
    /// The shadow; `with_state`: the whole of it was asked for.
    Shadow {
        /// As it is now.
        shadow: Shadow,
        /// Whether the answer shows it.
        with_state: bool,
    },
    /// Devices.
    Devices(Vec<DeviceRef>),
    /// Devices and their secrets, and those that could not be registered.
    Secrets(Vec<(DeviceRef, Result<Secret, Problem>)>),
    /// The thing model as TSL; `None`: there is none.
    Model(Option<Json>),
    /// The remote configuration; `None`: there is none.
    Config(Option<Offer>),
    /// Newer firmware; `None`: there is none.
    Firmware(Option<Offer>),
    /// It is not done.
    Refused(Problem),
}

/// A file that a device may fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Id of the file.
    pub id: String,
    /// Firmware version.
    pub version: String,
    /// Firmware module; `default` if it has no name.
    pub module: String,
    /// Bytes.
    pub size: u64,
    /// Where it is.
    pub url: String,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// MD5 in lower-case hex.
    pub md5: String,
}

/// Why something is not done, in words every dialect can translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// In a sentence.
    pub message: String,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Problem {
        Problem { kind, message: message.into() }
    }
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request lacks something or says something impossible.
    BadRequest,
    /// It is not allowed.
    Forbidden,
    /// There is no such product.
    UnknownProduct,
    /// There is no such device.
    UnknownDevice,
    /// The device is disabled.
    DeviceDisabled,
    /// A signature is wrong.
    BadSignature,
    /// The device is registered already.
    AlreadyActive,
    /// Devices do not register themselves here.
    RegistrationOff,
    /// The device is not bound to this gateway.
    NotBound,
    /// It is bound to another gateway.
    BoundElsewhere,
    /// The device is not signed in.
    NotSignedIn,
    /// Too many at once.
    TooMany,
    /// A version is not newer than the one there is.
    OldVersion,
    /// What is asked for is not there.
    Missing,
    /// The registry or the history cannot be asked now.
    Unavailable,
}

/// A value that the thing model does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFault {
    /// Property, or `event.output`.
    pub identifier: String,
    /// What is wrong.
    pub kind: ModelFaultKind,
    /// In a sentence.
    pub message: String,
}

/// What can be wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFaultKind {
    /// The model has no such property, event or service.
    Unknown,
    /// No whole number, or out of range.
    Integer,
    /// No number, or out of range.
    Real,
    /// Neither 0 nor 1.
    Boolean,
    /// None of the values.
    Enumeration,
    /// No text, or too long.
    Text,
    /// No text of UTC milliseconds.
    Date,
    /// No object, or a member is wrong.
    Structure,
    /// No array, too long, or an element is wrong.
    Array,
    /// A required input is missing.
    Missing,
    /// The property may not be written, or not be read.
    Access,
    /// Its time lies too far in the future.
    Time,
}

/// Something a device is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// Properties to set, by name.
    Set(Json),
    /// Properties to read.
    Get(Vec<String>),
    /// A service to call.
    Invoke {
        /// Service identifier.
        service: String,
        /// Its inputs.
        params: Json,
        /// The answer is waited for: the dialect's synchronous form, if it has one.
        sync: bool,
    },
    /// The shadow has desired values for it.
    Shadow(Shadow),
    /// A message on a topic.
    Publish {
        /// Topic name.
        topic: String,
        /// Application message.
        payload: Vec<u8>,
        /// 0, 1 or 2.
        qos: u8,
    },
    /// Firmware to fetch.
    Firmware(Offer),
    /// A configuration to fetch.
    Config(Offer),
    /// Devices are to be bound to it.
    TopologyNotify(Vec<DeviceRef>),
    /// Devices behind it were bound (0), unbound (1), enabled (2) or disabled (8).
    TopologyChange(u8, Vec<DeviceRef>),
    /// It is enabled, disabled or deleted: `enable`, `disable`, `delete`.
    Lifecycle(&'static str),
}

/// A dialect has no way to say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderError {
    /// Stable name.
    pub code: &'static str,
    /// In a sentence, with what to do.
    pub message: String,
}

/// A message to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Downlink {
    /// Topic name.
    pub topic: String,
    /// Application message.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// It is sent only if a subscription of the device matches (or it counts as subscribed).
    pub if_subscribed: bool,
    /// What an answer will carry to find its order.
    pub correlation: Option<String>,
    /// For the device's log.
    pub meaning: String,
}
